"""Parameters adopt arrays, assign into place, and keep their views connected wherever they are moved or copied."""

import re

import numpy as np
import pytest
from bits import COPIES
from hypothesis import given
from hypothesis import strategies as st
from subjects import shown

from minidl import Parameter, Sequential, configure_parameters, layers, optimizers
from minidl.parameters import flatten

SHAPES = [(), (0,), (1, 0, 2), (1,), (7,), (3, 4), (2, 3, 4)]


def numbers(shape, seed=0, dtype="f8"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def parameters_of(shapes, dtype="f8"):
    """Parameters with non-zero values and gradients, and true copies of both."""
    made, values, gradients = [], [], []
    for i, shape in enumerate(shapes):
        values.append(np.asarray(numbers(shape, 2 * i, dtype)))
        gradients.append(np.asarray(numbers(shape, 2 * i + 1, dtype)))
        made.append(Parameter(values[-1].copy(), name=f"p{i}"))
        made[-1].grad = gradients[-1]
    return made, values, gradients


def check(parameters, values, gradients):
    for parameter, value, gradient in zip(parameters, values, gradients, strict=True):
        np.testing.assert_array_equal(parameter.data, value, strict=True)
        np.testing.assert_array_equal(parameter.grad, gradient, strict=True)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_adopts_the_array_itself_and_allocates_a_zero_gradient_alike(shape, dtype):
    array = np.ones(shape, dtype)
    parameter = Parameter(array, name="w")
    assert parameter.data is array
    assert (parameter.shape, parameter.size, parameter.dtype) == (shape, array.size, np.dtype(dtype))
    np.testing.assert_array_equal(parameter.grad, np.zeros(shape, dtype), strict=True)
    assert not np.shares_memory(parameter.grad, array)


def test_adopts_views_so_that_assigning_reaches_the_array_behind_them():
    base = numbers((4, 6))
    before = base.copy()
    Parameter(base[::2, ::-3]).data = [[1, 2], [3, 4]]
    expected = before
    expected[::2, ::-3] = [[1, 2], [3, 4]]
    np.testing.assert_array_equal(base, expected)


def test_plain_numbers_become_an_array():
    assert Parameter([1.5, 2.5]).data.tolist() == [1.5, 2.5]
    assert Parameter(2.5).shape == ()


@pytest.mark.parametrize("data", [[1, 2], [True], np.ones(2, np.uint8)])
def test_refuses_what_is_not_floating_point(data):
    with pytest.raises(TypeError, match=r"Parameter 'kernel': data must be floating point\. Received: .*array"):
        Parameter(data, name="kernel")


NO_NUMBERS = [[1j], ["a"], None, np.array([1.0], object), [[1.0], [1.0, 2.0]], np.zeros(2, "datetime64[D]")]


@pytest.mark.parametrize("data", NO_NUMBERS, ids=str)
def test_refuses_what_is_no_number(data):
    with pytest.raises(ValueError, match=r"Parameter 'kernel': data must be numbers\. Received: "):
        Parameter(data, name="kernel")
    parameter = Parameter(np.ones(2), "w")
    for what in ("data", "grad"):
        with pytest.raises(ValueError, match=rf"Parameter 'w': {what} must be numbers\. Received: "):
            setattr(parameter, what, data)
    assert parameter.data.tolist() == [1, 1]


@pytest.mark.parametrize("what", ["data", "grad"])
@pytest.mark.parametrize(
    ("dtype", "value"),
    [("f4", np.array([1.0, 1e300])), ("f4", [1.0, -1e39]), ("f2", np.array([1, 70_000])), ("f2", np.float32([1, 1e5]))],
    ids=str,
)
def test_assigning_what_is_beyond_the_dtype_is_refused_as_a_whole(dtype, value, what):
    parameters, values, gradients = parameters_of([(2,)], dtype)
    name = np.dtype(dtype)
    with pytest.raises(
        ValueError, match=rf"Parameter 'p0': {what} must be in the range of {name}\. Received: .*\(2,\)"
    ):
        setattr(parameters[0], what, value)
    check(parameters, values, gradients)
    setattr(parameters[0], what, [np.inf, np.nan])
    np.testing.assert_array_equal(getattr(parameters[0], what), [np.inf, np.nan])


def test_a_name_is_a_text():
    with pytest.raises(
        TypeError, match=r"Parameter: name must be a text\. Received: name=float64 array of shape \(3,\)"
    ):
        Parameter(np.ones(3), np.ones(3))
    parameter = Parameter(np.ones(2), "w")
    with pytest.raises(TypeError, match=r"Parameter: name must be a text\. Received: name=5"):
        parameter.name = 5
    assert parameter.name == "w"


def test_refuses_read_only_arrays():
    array = np.ones(3)
    array.flags.writeable = False
    with pytest.raises(ValueError, match=r"Parameter 'kernel': data must be writable"):
        Parameter(array, name="kernel")


@pytest.mark.parametrize("what", ["data", "grad"])
@pytest.mark.parametrize("flat", [False, True])
def test_assigning_copies_into_place_and_keeps_nothing_of_the_source(what, flat):
    parameter = Parameter(np.zeros((2, 3), np.float32))
    if flat:
        flatten([parameter])
    before, source = getattr(parameter, what), numbers((2, 3))
    expected = source.astype(np.float32)
    setattr(parameter, what, source)
    source[...] = 7
    assert getattr(parameter, what) is before
    np.testing.assert_array_equal(before, expected, strict=True)


def test_assigning_a_view_of_itself_gives_the_values_from_before():
    parameter = Parameter(np.arange(7.0))
    parameter.data = parameter.data[::-1]
    assert parameter.data.tolist() == [6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("what", ["data", "grad"])
@pytest.mark.parametrize("value", [1.0, np.ones(3), np.ones((1, 3)), np.ones((3, 2)), np.ones((1, 2, 3))])
def test_assigning_never_broadcasts(what, value):
    parameters, values, gradients = parameters_of([(2, 3)])
    with pytest.raises(ValueError, match=rf"Parameter 'p0': {what} must have shape \(2, 3\)\. Received: shape \("):
        setattr(parameters[0], what, value)
    check(parameters, values, gradients)


@pytest.mark.parametrize("what", ["data", "grad"])
@pytest.mark.parametrize(
    ("shape", "value"), [((), None), ((2, 3), None), ((2,), [None, None]), ((2,), ["a", "b"]), ((2,), [1j, 1j])]
)
def test_assigning_what_is_no_real_number_is_refused(what, shape, value):
    parameters, values, gradients = parameters_of([shape])
    with pytest.raises((TypeError, ValueError)):
        setattr(parameters[0], what, value)
    check(parameters, values, gradients)


@pytest.mark.parametrize("name", ["learning_rate_multiplier", "weight_decay_multiplier"])
@pytest.mark.parametrize(
    ("value", "error"), [(-0.1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("1", TypeError)]
)
def test_multipliers_have_a_range(name, value, error):
    with pytest.raises(error, match=rf"Parameter 'w': {name} must be"):
        Parameter(np.ones(2), "w", **{name: value})
    parameter = Parameter(np.ones(2), "w", **{name: 0.5})
    with pytest.raises(error, match=rf"{name} must be"):
        setattr(parameter, name, value)
    assert getattr(parameter, name) == 0.5
    assert getattr(Parameter(np.ones(2)), name) == 1.0


def test_an_unknown_argument_names_the_nearest():
    with pytest.raises(TypeError, match=r"Did you mean 'trainable'"):
        Parameter(np.ones(2), trainble=False)


def test_repr_tells_name_shape_dtype_and_frozen():
    parameter = Parameter(np.ones((2, 3), np.float32), name="dense_1/kernel", trainable=False)
    assert repr(parameter) == "Parameter('dense_1/kernel', shape=(2, 3), dtype=float32, trainable=False)"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_flatten_lays_values_and_gradients_side_by_side_in_order(dtype):
    parameters, values, gradients = parameters_of(SHAPES, dtype)
    flatten(parameters)
    check(parameters, values, gradients)
    storage = parameters[0].storage
    assert all(parameter.storage is storage for parameter in parameters)
    np.testing.assert_array_equal(storage.data, np.concatenate([v.ravel() for v in values]), strict=True)
    np.testing.assert_array_equal(storage.grad, np.concatenate([g.ravel() for g in gradients]), strict=True)


@given(st.lists(st.lists(st.integers(0, 3), max_size=3).map(tuple), min_size=1, max_size=6))
def test_views_into_flat_storage_stay_connected_both_ways(shapes):
    parameters, values, gradients = parameters_of(shapes)
    flatten(parameters)
    storage = parameters[0].storage
    storage.data *= 2
    storage.grad -= 1
    check(parameters, [2 * v for v in values], [g - 1 for g in gradients])
    for parameter in parameters:
        parameter.data, parameter.grad = np.full(parameter.shape, 3.0), np.full(parameter.shape, 4.0)
    assert set(storage.data.tolist()) <= {3.0}
    assert set(storage.grad.tolist()) <= {4.0}


@pytest.mark.parametrize("again", [False, True])
def test_flatten_takes_strided_arrays_and_moves_anew(again):
    arrays = [np.asfortranarray(numbers((3, 4), 1)), numbers(14, 2)[::-2]]
    values = [array.copy() for array in arrays]
    parameters = [Parameter(array) for array in arrays]
    flatten(parameters)
    if again:
        old = parameters[0].storage
        flatten(parameters[::-1])
        old.data[...] = np.nan
    check(parameters, values, [np.zeros(v.shape) for v in values])
    assert all(parameter.data.flags.c_contiguous for parameter in parameters)
    parameters[0].data = np.ones((3, 4))
    np.testing.assert_array_equal(arrays[0], values[0])


def test_flatten_of_nothing_and_of_a_generator():
    flatten([])
    parameters, values, gradients = parameters_of([(2,), (3,)])
    flatten(parameter for parameter in parameters)
    check(parameters, values, gradients)


def test_flatten_refuses_mixed_dtypes_and_moves_none():
    parameters = [Parameter(np.ones(2, np.float32), "a"), Parameter(np.ones(2), "b")]
    arrays = [parameter.data for parameter in parameters]
    with pytest.raises(TypeError, match=r"one dtype\. Received: a: float32, b: float64"):
        flatten(parameters)
    assert all(p.data is array and p.storage is None for p, array in zip(parameters, arrays, strict=True))


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("flat", [False, True])
def test_copies_are_independent_and_connected_among_themselves(way, flat):
    parameters, values, gradients = parameters_of(SHAPES)
    parameters[1].trainable, parameters[2].learning_rate_multiplier = False, 0.5
    parameters[2].weight_decay_multiplier = 0.25
    if flat:
        flatten(parameters)
    twins = COPIES[way](parameters)
    check(twins, values, gradients)
    assert [p.name for p in twins] == [p.name for p in parameters]
    assert (twins[1].trainable, twins[2].learning_rate_multiplier) == (False, 0.5)
    assert twins[2].weight_decay_multiplier == 0.25
    for twin in twins:
        twin.data, twin.grad = np.full(twin.shape, 5.0), np.full(twin.shape, 6.0)
    check(parameters, values, gradients)
    if flat:
        storage = twins[0].storage
        assert all(twin.storage is storage for twin in twins)
        assert set(storage.data.tolist()) == {5.0}
        assert set(storage.grad.tolist()) == {6.0}
        storage.data[...] = 8
        assert all(np.all(twin.data == 8) for twin in twins)
        check(parameters, values, gradients)


def test_an_unknown_attribute_is_refused_with_a_hint():
    parameter = Parameter(np.ones(2), "w")
    with pytest.raises(
        AttributeError, match=r"'w': no such attribute. Received: trainble=False. Did you mean 'trainable'"
    ):
        parameter.trainble = False
    with pytest.raises(TypeError, match=r"'w': trainable must be True or False. Received: trainable='no'"):
        parameter.trainable = "no"
    assert parameter.trainable is True


def test_bytes_in_foreign_order_are_refused():
    with pytest.raises(TypeError, match=r"data must be in this machine's byte order. Received: >f8"):
        Parameter(np.ones(2, ">f8"))


@pytest.mark.parametrize("given", [5, None, Parameter(np.ones(2)), ["w"], "w", [Parameter(np.ones(2)), None]], ids=repr)
def test_flatten_takes_parameters_alone(given):
    with pytest.raises(TypeError, match=r"flatten: needs a list of parameters\. Received: "):
        flatten(given)


def test_a_parameter_cannot_be_flattened_twice_over():
    parameter = Parameter(np.ones(2), "w")
    with pytest.raises(ValueError, match="flatten: a parameter must be given once"):
        flatten([parameter, parameter])


# Per-parameter settings ------------------------------------------------------------------------------------


def model_of(built=True):
    model = Sequential([layers.Dense(3, "relu"), layers.Dense(3), layers.Dense(2)], dtype="float64", seed=0)
    if built:
        model.build((4,))
    return model


def settings_of(parameters):
    return [(p.trainable, p.learning_rate_multiplier, p.weight_decay_multiplier) for p in parameters]


KERNELS, BIASES = ["dense/kernel", "dense_1/kernel", "dense_2/kernel"], ["dense/bias", "dense_1/bias", "dense_2/bias"]


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ("dense/bias", ["dense/bias"]),
        ("*/bias", BIASES),
        ("*", [name for pair in zip(KERNELS, BIASES, strict=True) for name in pair]),
        ("dense_?/kernel", KERNELS[1:]),
        (["dense_2/bias", "dense/*"], ["dense/kernel", "dense/bias", "dense_2/bias"]),
        (("*/bias", "dense/bias"), BIASES),
        (lambda parameter: len(parameter.shape) > 1, KERNELS),
        (lambda parameter: parameter.name in ("dense/bias",), ["dense/bias"]),
    ],
    ids=shown,
)
@pytest.mark.parametrize("given", ["a model", "its parameters", "a generator"])
def test_those_that_are_meant_are_set_and_returned(given, which, names):
    model = model_of()
    of = {
        "a model": model,
        "its parameters": list(model.parameters),
        "a generator": (parameter for parameter in model.parameters),
    }
    found = configure_parameters(
        of[given], which, trainable=False, learning_rate_multiplier=0.5, weight_decay_multiplier=0
    )
    assert [parameter.name for parameter in found] == names
    for parameter in model.parameters:
        expected = (False, 0.5, 0.0) if parameter.name in names else (True, 1.0, 1.0)
        assert settings_of([parameter]) == [expected]


def test_what_is_not_given_stays_as_it_is():
    model = model_of()
    configure_parameters(model, "dense/*", trainable=False, weight_decay_multiplier=0.25)
    configure_parameters(model, "dense/*", learning_rate_multiplier=2)
    assert settings_of(configure_parameters(model, "dense/bias")) == [(False, 2.0, 0.25)]
    configure_parameters(model, "*", trainable=True)
    assert settings_of(model.parameters)[:3] == [(True, 2.0, 0.25)] * 2 + [(True, 1.0, 1.0)]


def test_a_name_with_brackets_is_a_name():
    parameters = [Parameter(np.ones(2), "w[0]"), Parameter(np.ones(2), "w0")]
    assert configure_parameters(parameters, "w[0]") == parameters  # a name and, as a pattern, another one


@pytest.mark.parametrize(
    ("parameters", "which", "given", "error", "message"),
    [
        (model_of, "dense/bais", {}, ValueError, "no parameter has such a name. Received: which='dense/bais'. Did you "
         "mean 'dense/bias'?"),
        (model_of, ["*/bias", "*/gamma"], {}, ValueError, "no parameter has such a name. Received: which='*/gamma'. "),
        (model_of, lambda p: False, {}, ValueError, "which must be true of a parameter. Received: which=<function"),
        (list, "*", {}, ValueError, "no parameter has such a name. Received: which='*'. Known: none."),
        (model_of, [], {}, TypeError, "which must be a name, a pattern, a list of these or a function. Received: wh"),
        (model_of, 3, {}, TypeError, "which must be a name, a pattern, a list of these or a function. Received: wh"),
        (model_of, [3], {}, TypeError, "which must be a name, a pattern, a list of these or a function. Received: wh"),
        (lambda: model_of(built=False), "*", {}, ValueError, "the model must be built, or it has no parameters yet. "),
        (lambda: 5, "*", {}, TypeError, "needs a model, a layer or a list of parameters. Received: 5"),
        (lambda: [np.ones(2)], "*", {}, TypeError, "needs a model, a layer or a list of parameters. Received: [arr"),
        (model_of, "*", {"trainable": 0}, TypeError, "trainable must be True or False. Received: trainable=0"),
        (model_of, "*", {"learning_rate_multiplier": -1}, ValueError, "learning_rate_multiplier must be in [0, inf)"),
        (model_of, "*", {"weight_decay_multiplier": "0"}, TypeError, "weight_decay_multiplier must be a number. Rec"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused_and_sets_nothing(parameters, which, given, error, message):
    made = parameters()
    values = {"trainable": False, "learning_rate_multiplier": 0.5, "weight_decay_multiplier": 0.0, **given}
    with pytest.raises(error, match="^configure_parameters: " + re.escape(message)):
        configure_parameters(made, which, **values)
    if isinstance(made, Sequential):
        assert set(settings_of(made.parameters)) <= {(True, 1.0, 1.0)}


@pytest.mark.parametrize("rule", [optimizers.AdamW, optimizers.Lion, optimizers.LAMB])
def test_a_model_without_decay_on_biases_trains_as_if_each_parameter_were_alone(rule):
    model, twin = model_of(), model_of()
    configure_parameters(model, "*/bias", weight_decay_multiplier=0)
    configure_parameters(model, "dense_1/*", learning_rate_multiplier=0.3)
    configure_parameters(model, "dense_2/kernel", trainable=False)
    optimizer = rule(0.1, weight_decay=0.25)
    alone = {p.name: rule(0.1, weight_decay=0.25) for p in twin.parameters}
    for name in BIASES:
        alone[name].weight_decay = 0.0
    for name in ("dense_1/kernel", "dense_1/bias"):
        alone[name].learning_rate = 0.1 * 0.3
    for step in range(5):
        for i, (parameter, other) in enumerate(zip(model.parameters, twin.parameters, strict=True)):
            parameter.grad = other.grad = np.random.default_rng((step, i)).standard_normal(parameter.shape)
            if parameter.trainable:
                alone[other.name].step([other])
        optimizer.step(model.parameters)
    for parameter, other in zip(model.parameters, twin.parameters, strict=True):
        np.testing.assert_array_equal(parameter.data, other.data, strict=True)


@pytest.mark.parametrize("name", ["learning_rate_multiplier", "weight_decay_multiplier"])
def test_a_layer_hands_a_multiplier_to_all_its_parameters(name):
    model, layer = model_of(built=False), layers.Dense(2)
    with pytest.raises(RuntimeError, match=r"Dense: must be built before it gets a multiplier\. Received: 0\.5"):
        setattr(layer, name, 0.5)
    model.build((4,))
    setattr(model.layers[1], name, 0.5)
    assert [getattr(parameter, name) for parameter in model.parameters] == [1, 1, 0.5, 0.5, 1, 1]
    assert getattr(model.layers[1], name) == 0.5
    with pytest.raises(ValueError, match=r"its parameters have different multipliers"):
        getattr(model, name)
