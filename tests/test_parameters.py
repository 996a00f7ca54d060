"""Parameters adopt arrays, assign into place, and keep their views connected wherever they are moved or copied."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Parameter
from minidl.parameters import flatten

SHAPES = [(), (0,), (1, 0, 2), (1,), (7,), (3, 4), (2, 3, 4)]
COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


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


@pytest.mark.parametrize(
    ("value", "error"), [(-0.1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("1", TypeError)]
)
def test_the_multiplier_has_a_range(value, error):
    with pytest.raises(error, match=r"Parameter 'w': learning_rate_multiplier must be"):
        Parameter(np.ones(2), "w", learning_rate_multiplier=value)
    parameter = Parameter(np.ones(2), "w", learning_rate_multiplier=0.5)
    with pytest.raises(error, match=r"learning_rate_multiplier must be"):
        parameter.learning_rate_multiplier = value
    assert parameter.learning_rate_multiplier == 0.5


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
    if flat:
        flatten(parameters)
    twins = COPIES[way](parameters)
    check(twins, values, gradients)
    assert [p.name for p in twins] == [p.name for p in parameters]
    assert (twins[1].trainable, twins[2].learning_rate_multiplier) == (False, 0.5)
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
