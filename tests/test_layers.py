"""Layers: values by formula, gradients by central differences, and what they refuse."""

import contextlib
import copy
import itertools
import math
from functools import partial

import numpy as np
import pytest
from numeric import central_difference, relative_error, same_arrays
from subjects import exported, shown

import minidl
from minidl import Sequential, initializers, layers
from minidl.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Conv2D,
    Dense,
    Flatten,
    LeakyReLU,
    Linear,
    PReLU,
    ReLU,
    Sigmoid,
    SimpleRNN,
    Softmax,
    Tanh,
)
from minidl.regularizers import L1, L1L2, L2

ACTIVATIONS = ("linear", "relu", "leaky_relu", "sigmoid", "tanh", "softmax")
# Those that have a slope somewhere, without weights.
MORE_ACTIVATIONS = (
    *("elu", "selu", "softplus", "softsign", "swish", "gelu", "exponential", "hard_sigmoid", "log_softmax"),
)

# A factory and the shape of a sample; the class's name, as in `__all__`, starts each key.
CASES = {
    "Dense": (partial(Dense, 3), (4,)),
    "Dense no bias": (partial(Dense, 3, use_bias=False), (4,)),
    "Dense one to one": (partial(Dense, 1), (1,)),
    "Dense softmax, 3 axes": (partial(Dense, 3, "softmax"), (2, 4)),
    "Dense layer as activation": (lambda: Dense(3, LeakyReLU(0.1)), (2, 2, 4)),
    "Flatten": (Flatten, (2, 3, 2)),
    "Flatten flat": (Flatten, (5,)),
    "Linear": (partial(Linear, -2.5), (3, 2)),
    "ReLU": (ReLU, (3, 2)),
    "LeakyReLU": (LeakyReLU, (3, 2)),
    "LeakyReLU steep": (partial(LeakyReLU, 1.5), (6,)),
    "Sigmoid": (Sigmoid, (3, 2)),
    "Tanh": (Tanh, (3, 2)),
    "Softmax": (Softmax, (5,)),
    "Softmax axis 1 of 3": (partial(Softmax, 1), (4, 3)),
    "Softmax axis -2 of 4": (partial(Softmax, -2), (2, 3, 2)),
    "Softmax axis 2 of 3": (partial(Softmax, 2), (2, 4)),
    **{f"Activation {name}": (partial(Activation, name), (2, 3)) for name in ACTIVATIONS},
    **{
        f"{type(layers.activations.get(n)).__name__}": (partial(layers.activations.get, n), (2, 3))
        for n in MORE_ACTIVATIONS
    },
    "GELU approximate": (partial(layers.GELU, True), (4,)),
    "ELU steep": (partial(layers.ELU, 2.0), (4,)),
    "PReLU": (PReLU, (3, 2)),
    "PReLU shared": (partial(PReLU, shared_axes=(1, 2)), (3, 2, 2)),
    "Conv2D": (partial(Conv2D, 3, (2, 3)), (4, 5, 2)),
    "Conv2D same, strides": (partial(Conv2D, 2, 3, 2, "same", activation="tanh"), (5, 4, 2)),
    "Conv2D groups, dilation": (partial(Conv2D, 4, 2, dilation_rate=(2, 1), groups=2, use_bias=False), (4, 3, 4)),
    "MaxPooling2D": (layers.MaxPooling2D, (4, 5, 2)),
    "MaxPooling2D same, overlapping": (partial(layers.MaxPooling2D, 3, 2, "same"), (4, 5, 2)),
    "AveragePooling2D": (layers.AveragePooling2D, (4, 5, 2)),
    "AveragePooling2D same, overlapping": (partial(layers.AveragePooling2D, 3, (1, 2), "same"), (4, 5, 2)),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D, (3, 2, 2)),
    "GlobalMaxPooling2D keepdims": (partial(layers.GlobalMaxPooling2D, keepdims=True), (3, 2, 2)),
    "SimpleRNN": (partial(SimpleRNN, 3), (4, 2)),
    "SimpleRNN sequences": (partial(SimpleRNN, 3, "softsign", return_sequences=True, go_backwards=True), (4, 2)),
    "LSTM": (partial(LSTM, 3), (4, 2)),
    "LSTM sequences": (partial(LSTM, 3, "swish", "hard_sigmoid", return_sequences=True, use_bias=False), (4, 2)),
    "GRU": (partial(GRU, 3), (4, 2)),
    "GRU sequences, reset before": (partial(GRU, 3, return_sequences=True, reset_after=False), (4, 2)),
    "Bidirectional": (lambda: Bidirectional(LSTM(2)), (4, 2)),
    "Bidirectional sequences": (lambda: Bidirectional(GRU(2, return_sequences=True), "mul"), (4, 2)),
    "BatchNormalization": (layers.BatchNormalization, (3, 2)),
    "BatchNormalization axis 1": (partial(layers.BatchNormalization, 1, center=False), (3, 2)),
    "LayerNormalization": (layers.LayerNormalization, (3, 4)),
    "LayerNormalization axis 1": (partial(layers.LayerNormalization, 1, scale=False), (4, 2)),
    "Dropout": (partial(layers.Dropout, 0.5), (3, 2)),
    "Reshape": (partial(layers.Reshape, (2, -1)), (3, 4)),
    "ZeroPadding2D": (partial(layers.ZeroPadding2D, ((1, 0), (2, 1))), (2, 3, 2)),
    "Rescaling": (partial(layers.Rescaling, -0.5, 2.0), (3,)),
    "Residual": (lambda: minidl.Residual([Dense(4, "tanh"), Dense(3)], seed=1), (3,)),
    "Activation of a layer": (lambda: Activation(LeakyReLU(0.2)), (4,)),
    "Sequential": (lambda: Sequential([Dense(4, "tanh"), Flatten(), Dense(3, "softmax")], seed=1), (2, 3)),
    "Sequential of one": (lambda: Sequential([Dense(4)], seed=1), (3,)),
    "Sequential nested": (
        lambda: Sequential([Dense(4), Sequential([Tanh(), Sequential([Dense(3)])]), Sequential([Softmax()])], seed=1),
        (3,),
    ),
}
each_case = pytest.mark.parametrize("case", CASES)


def build(factory, shape, dtype="float64"):
    """Return a layer with parameters that are large, of both signs and away from 0."""
    layer = factory()
    layer.dtype = np.dtype(dtype)
    layer.build(shape, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for parameter in layer.parameters:
        parameter.data = away_from_0(rng, parameter.shape)
        parameter.grad = rng.normal(size=parameter.shape)  # what was there before must not matter
    return layer


def away_from_0(rng, shape, dtype="float64"):
    return (rng.choice([-1.0, 1.0], shape) * rng.uniform(0.2, 1.5, shape)).astype(dtype)


def made(case, batch=3, dtype="float64"):
    """Return the layer of a case, a read-only input, and a read-only gradient by its output."""
    factory, shape = CASES[case]
    layer = build(factory, shape, dtype)
    rng = np.random.default_rng(2)
    x = away_from_0(rng, (batch, *shape), dtype)
    dy = away_from_0(rng, (batch, *layer.output_shape), dtype)
    for array in (x, dy):
        array.flags.writeable = False
    return layer, x, dy


def check_gradients(layer, x):
    """Compare every gradient, penalties included, with central differences."""
    dy = away_from_0(np.random.default_rng(3), layer.forward(x).shape)

    def objective():
        return float((dy * layer.forward(x)).sum()) + layer.regularization()

    expected = [central_difference(objective, p.data) for p in layer.parameters]
    expected_dx = central_difference(objective, x)
    layer.forward(x)
    dx = layer.backward(dy)
    layer.add_regularization_gradient()
    assert relative_error(dx, expected_dx) < 1e-6
    for parameter, gradient in zip(layer.parameters, expected, strict=True):
        assert relative_error(parameter.grad, gradient) < 1e-6, parameter.name


def test_every_exported_layer_has_a_case():
    without = {
        "Input",
        "Elementwise",
        "BinaryStep",
        "Embedding",
    }  # no layer, no gradient, no input that isn't an integer
    assert exported(layers, layers.Layer, *without) <= {case.split()[0] for case in CASES}


@each_case
def test_gradients_are_central_differences(case):
    layer, x, _ = made(case)
    check_gradients(layer, x.copy())


REGULARIZERS = {"none": None, "l1": L1(0.3), "l2": L2(0.2), "l1_l2": L1L2(0.1, 0.4)}


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 2, 3)], ids=str)
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
def test_gradients_of_dense_in_every_combination(activation, use_bias, regularizer, shape):
    penalty = REGULARIZERS[regularizer]
    options = {"kernel_regularizer": penalty, "bias_regularizer": penalty if use_bias else None}
    layer = build(partial(Dense, 3, activation, use_bias, **options), shape)
    assert [p.name for p in layer.parameters] == ["kernel", "bias"][: 1 + use_bias]
    assert (layer.regularization() > 0) == (penalty is not None)
    check_gradients(layer, away_from_0(np.random.default_rng(5), (3, *shape)))


@each_case
def test_accumulate_adds_and_the_default_overwrites(case):
    layer, x, dy = made(case)
    layer.forward(x)
    dx = layer.backward(dy).copy()
    once = [p.grad.copy() for p in layer.parameters]
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(3 * dy, accumulate=True), layer.backward_part(3 * dy, True))
    for parameter, gradient in zip(layer.parameters, once, strict=True):
        assert gradient.any()
        np.testing.assert_allclose(parameter.grad, 7 * gradient, rtol=1e-12)
    layer.backward(dy)
    assert same_arrays([p.grad for p in layer.parameters], once)
    assert same_arrays([layer.backward(dy)], [dx])


@each_case
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_stays(case, dtype):
    layer, x, dy = made(case, dtype=dtype)
    assert layer.forward(x, training=True).dtype == dtype
    assert layer.backward(dy).dtype == dtype
    layer.backward(dy, accumulate=True)
    assert {p.data.dtype for p in layer.parameters} | {p.grad.dtype for p in layer.parameters} <= {np.dtype(dtype)}


@each_case
def test_single_precision_computes_the_double_precision_numbers(case):
    (single, x, dy), (double, _, _) = made(case, dtype="float32"), made(case)
    for a, b in zip(single.parameters, double.parameters, strict=True):
        b.data = a.data
    np.testing.assert_allclose(single.forward(x), double.forward(x.astype(float)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(single.backward(dy), double.backward(dy.astype(float)), rtol=1e-4, atol=1e-5)
    for a, b in zip(single.parameters, double.parameters, strict=True):
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-4, atol=1e-5)


@each_case
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_shapes_are_the_announced_ones(case, batch):
    layer, x, dy = made(case, batch)
    assert layer.forward(x).shape == (batch, *layer.output_shape)
    assert layer.backward(dy).shape == x.shape
    for parameter in layer.parameters:
        assert parameter.grad.shape == parameter.shape
        assert parameter.grad.any() == (batch > 0)


@each_case
def test_a_sample_does_not_depend_on_its_batch_mates(case):
    layer, x, dy = made(case, 4)
    y, dx = layer.forward(x).copy(), layer.backward(dy).copy()
    totals = [p.grad.copy() for p in layer.parameters]
    for i in range(4):
        one = slice(i, i + 1)
        np.testing.assert_allclose(layer.forward(x[one]), y[one], rtol=1e-12)
        np.testing.assert_allclose(layer.backward(dy[one], accumulate=i > 0), dx[one], rtol=1e-11, atol=1e-14)
    for parameter, total in zip(layer.parameters, totals, strict=True):
        np.testing.assert_allclose(parameter.grad, total, rtol=1e-11)


@each_case
def test_strided_and_fortran_inputs_give_the_same(case):
    layer, x, dy = made(case, 4)
    expected = [layer.forward(x).copy(), layer.backward(dy).copy(), *(p.grad.copy() for p in layer.parameters)]
    wide = np.repeat(x, 2, axis=0)[::2]
    for variant in (wide, np.asfortranarray(x)):
        found = [layer.forward(variant), layer.backward(np.asfortranarray(dy)), *(p.grad for p in layer.parameters)]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


@each_case
def test_a_second_forward_leaves_the_first_output_and_steers_backward(case):
    layer, x, dy = made(case)
    first = layer.forward(x)
    kept, dx = first.copy(), layer.backward(dy).copy()
    layer.forward(x[::-1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_allclose(layer.backward(dy[::-1]), dx[::-1], rtol=1e-12)


@each_case
def test_backward_before_forward_is_refused(case):
    factory, shape = CASES[case]
    layer = build(factory, shape)
    with pytest.raises(RuntimeError, match="backward needs a forward before it"):
        layer.backward(np.ones((2, *layer.output_shape)))


def test_forward_before_build_is_refused():
    with pytest.raises(RuntimeError, match=r"Dense 'out': must be built before forward"):
        Dense(3, name="out").forward(np.ones((2, 4)))


@each_case
def test_output_shape_before_build_is_refused(case):
    with pytest.raises(RuntimeError, match="must be built before it has a shape"):
        CASES[case][0]().output_shape  # noqa: B018


def rows(function, axis=-1):
    """Return the function of an array that applies `function`, of a list of numbers, along `axis`."""
    return lambda x: np.apply_along_axis(lambda row: function([float(v) for v in row]), axis, x)


def softmax(row):
    return [math.exp(v) / math.fsum(math.exp(u) for u in row) for v in row]


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (Linear(), rows(lambda row: row)),
        (Linear(-2.0), rows(lambda row: [-2 * v for v in row])),
        (ReLU(), rows(lambda row: [max(0.0, v) for v in row])),
        (LeakyReLU(), rows(lambda row: [v if v >= 0 else 0.3 * v for v in row])),
        (LeakyReLU(2), rows(lambda row: [v if v >= 0 else 2 * v for v in row])),
        (Sigmoid(), rows(lambda row: [1 / (1 + math.exp(-v)) for v in row])),
        (Tanh(), rows(lambda row: [math.tanh(v) for v in row])),
        (Softmax(), rows(softmax)),
        (Softmax(axis=1), rows(softmax, 1)),
        (Softmax(axis=-3), rows(softmax, 1)),
        (Softmax(axis=2), rows(softmax, 2)),
    ],
    ids=shown,
)
def test_activations_are_their_formulas(layer, formula):
    layer = copy.deepcopy(layer)
    layer.build((3, 4, 2), np.random.default_rng(0))
    x = np.random.default_rng(6).normal(0, 3, (2, 3, 4, 2))
    x[0, 0, 0] = 0
    np.testing.assert_allclose(layer.forward(x), formula(x), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(("layer", "slope"), [(ReLU(), 0.0), (LeakyReLU(0.25), 1.0)], ids=repr)
def test_the_slope_at_0_is_the_stated_one(layer, slope):
    layer.forward(np.array([[0.0, -0.0]]))
    assert layer.backward(np.ones((1, 2))).tolist() == [[slope, slope]]


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_extreme_inputs_saturate_without_a_warning(name, dtype):
    layer = Activation(name)
    y = layer.forward(np.array([[-3e4, 3e4]], dtype))
    assert y.tolist() == [[-1.0 if name == "tanh" else 0.0, 1.0]]
    assert layer.backward(np.ones((1, 2), dtype)).tolist() == [[0.0, 0.0]]


def test_every_exported_activation_is_among_them():
    names = [*ACTIVATIONS, *MORE_ACTIVATIONS, "prelu", "binary_step"]
    assert {type(layers.registry.get(name)).__name__ for name in names} >= exported(layers, layers.Elementwise)


@pytest.mark.parametrize("name", [*ACTIVATIONS, *MORE_ACTIVATIONS, "prelu", "binary_step"])
def test_large_inputs_in_single_precision_are_right_wherever_that_can_be_told(name):
    x = np.array([[1e4, -1e4, 100, -100, 89, -89, 17, -17, 5, -5, 1e-4, -1e-4]], np.float32)
    single, double = (build(partial(layers.activations.get, name), (12,), dtype) for dtype in ("float32", "float64"))
    for one, other in zip(single.parameters, double.parameters, strict=True):
        other.data = one.data
    dy = np.ones_like(x)
    with np.errstate(over="ignore"):  # what is beyond float32 is inf in both
        expected = [double.forward(x.astype(float)), double.backward(dy.astype(float))]
        expected = [array.astype(np.float32) for array in expected]
    for found, right in zip((single.forward(x), single.backward(dy)), expected, strict=True):
        assert not np.isnan(found).any()
        np.testing.assert_allclose(found, right, rtol=2e-5, atol=1e-7)  # 17 + 1e-7 is 17 in float32


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_the_same_by_name_as_a_layer_and_inside_dense(name):
    x = away_from_0(np.random.default_rng(7), (3, 4))
    expected = layers.registry.get(name).forward(x)
    identity = np.eye(4)
    dense = build(partial(Dense, 4, name.upper(), use_bias=False), (4,))
    dense.kernel.data = identity
    for layer in (Activation(name), Activation(layers.activations.get(name)), dense):
        np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-15)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 3)], ids=str)
def test_dense_is_its_formula(shape):
    layer = build(partial(Dense, 2), shape)
    x = np.random.default_rng(8).normal(size=(2, *shape))
    y = layer.forward(x)
    for i in np.ndindex(x.shape[:-1]):
        for j in range(2):
            products = [x[i][k] * layer.kernel.data[k, j] for k in range(3)]
            assert y[i][j] == pytest.approx(math.fsum([*products, layer.bias.data[j]]), rel=1e-13)


def test_flatten_keeps_the_order():
    x = np.arange(24).reshape(2, 3, 4)
    layer = Flatten()
    layer.build((3, 4), np.random.default_rng(0))
    assert layer.forward(x).tolist() == [list(range(12)), list(range(12, 24))]
    assert layer.backward(layer.forward(x)).tolist() == x.tolist()


def test_dense_starts_as_keras_does_and_takes_other_initializers():
    layer = Dense(50)
    layer.build((100,), np.random.default_rng(0))
    assert np.abs(layer.kernel.data).max() <= math.sqrt(6 / 150) < np.abs(layer.kernel.data).max() * 1.01
    assert not layer.bias.data.any()
    layer = Dense(2, kernel_initializer="ones", bias_initializer={"class": "Constant", "value": 3})
    layer.build((2,), np.random.default_rng(0))
    assert layer.kernel.data.tolist() == [[1, 1], [1, 1]]
    assert layer.bias.data.tolist() == [3, 3]


def test_penalties_are_of_the_present_parameters_after_a_second_build():
    layer = Dense(3, kernel_regularizer=L2(0.5))
    layer.build((2,), np.random.default_rng(0))
    with contextlib.suppress(RuntimeError):  # refusing is as good
        layer.build((2,), np.random.default_rng(1))
    assert layer.regularization() == pytest.approx(0.5 * (layer.kernel.data**2).sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Dense(-3), ValueError, r"Dense: units must be a positive integer\. Received: units=-3"),
        (lambda: Dense(0), ValueError, r"Dense: units must be a positive integer\. Received: units=0"),
        (lambda: Dense(2.5), TypeError, r"Dense: units must be a positive integer\. Received: units=2\.5"),
        (lambda: Dense(True), TypeError, r"Dense: units .* Received: units=True"),
        (lambda: Dense(), TypeError, r"Dense: missing a required argument: 'units'\. Received: no arguments"),
        (
            lambda: Dense(3, "rellu"),
            ValueError,
            r"unknown activation\. Received: activation='rellu'\. Did you mean 'relu'\?",
        ),
        (lambda: Dense(3, 5), TypeError, r"activation must be a name or .* Received: activation=5"),
        (lambda: Dense(3, Dense(4)), (TypeError, ValueError), r"activation"),
        (lambda: Dense(3, kernel_initializer="zeroes"), ValueError, r"unknown initializer.*'zeros'"),
        (
            lambda: Dense(3, kernel_regularizer="l3"),
            ValueError,
            r"unknown regularizer\. Received: kernel_regularizer='l3'",
        ),
        (lambda: Dense(3, bias_regulariser="l2"), TypeError, r"Dense: .*Did you mean 'bias_regularizer'\?"),
        (lambda: Dense(3, name="a/b"), ValueError, r"Dense: name must be made of .* Received: name='a/b'"),
        (lambda: Dense(3, name=""), ValueError, r"Dense: name .* Received: name=''"),
        (lambda: Dense(3, name=4), ValueError, r"Dense: name .* Received: name=4"),
        (lambda: Activation("step"), ValueError, r"unknown activation\. Received: activation='step'"),
        (lambda: Activation(Flatten()), (TypeError, ValueError), r"activation"),
        (lambda: Linear(math.nan), ValueError, r"Linear: a must be finite\. Received: a=nan"),
        (lambda: LeakyReLU("0.1"), TypeError, r"LeakyReLU: negative_slope must be a number\. Received: .*'0\.1'"),
        (lambda: LeakyReLU(alpha=0.1), TypeError, r"LeakyReLU: .*Received: alpha=0\.1"),
        (lambda: Softmax(axis=1.0), TypeError, r"Softmax: axis must be an integer .* Received: axis=1\.0"),
        (lambda: layers.Input(784), TypeError, r"Input: shape must be a tuple.* Received: shape=784"),
        (lambda: layers.Input((3, 0)), ValueError, r"Input: shape must be positive integers.*Received: shape=\(3, 0\)"),
        (lambda: layers.Input((None, 3)), ValueError, r"Input: shape must be positive.*Received: shape=\(None, 3\)"),
    ],
)
def test_wrong_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("axis", [0, 3, -3, -4])
def test_softmax_over_the_batch_or_a_missing_axis_is_refused(axis):
    with pytest.raises(ValueError, match=rf"Softmax 's': axis must be one of the 2 axes .* Received: axis={axis}"):
        Softmax(axis, name="s").build((4, 5), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("layer", "shape", "link"),
    [
        (Softmax(), (4,), "softmax"),
        (Softmax(1), (4,), "softmax"),  # the last axis, counted from the front
        (Softmax(1), (4, 3), None),
        (Softmax(-2), (4, 3), None),
        (Sigmoid(), (4,), "sigmoid"),
        (Tanh(), (4,), None),
        (Activation("softmax"), (4,), "softmax"),
        (Activation("relu"), (4,), None),
        (Dense(3), (4,), None),
        (Dense(3, "sigmoid"), (4,), "sigmoid"),
        (Dense(3, Activation("softmax")), (4,), "softmax"),
        (Dense(3, Softmax(1)), (2, 4), None),
    ],
    ids=repr,
)
def test_link_names_the_activation_at_the_end(layer, shape, link):
    layer = copy.deepcopy(layer)
    layer.build(shape, np.random.default_rng(0))
    assert (layer.link and layer.link.link_name) == link


@pytest.mark.parametrize("make", [partial(Dense, 3, "softmax"), partial(Dense, 3, "sigmoid"), Softmax, Sigmoid])
def test_backward_from_the_logits_is_backward_without_the_link(make):
    layer, x = build(make, (4,)), away_from_0(np.random.default_rng(9), (5, 4))
    logits = layer.forward_logits(x)
    np.testing.assert_allclose(layer.link.forward(logits), layer.forward(x), rtol=1e-15)
    dy = away_from_0(np.random.default_rng(10), logits.shape)
    dx = layer.backward_part(dy, from_logits=True)
    if layer.parameters:
        np.testing.assert_allclose(layer.kernel.grad, x.T @ dy, rtol=1e-12)
        np.testing.assert_allclose(dx, dy @ layer.kernel.data.T, rtol=1e-12)
    else:
        np.testing.assert_array_equal(dx, dy)


def test_without_input_gradient_the_parameters_gradients_are_the_same():
    layer, x, dy = made("Dense softmax, 3 axes")
    layer.forward(x)
    layer.backward(dy)
    expected = [p.grad.copy() for p in layer.parameters]
    layer.backward_part(2 * dy)
    layer.backward_part(dy, input_gradient=False)
    assert same_arrays([p.grad for p in layer.parameters], expected)


class _Scale(layers.Layer):
    """The layer of the base's docstring, with a buffer."""

    def build(self, input_shape, rng):
        super().build(input_shape, rng)
        self.factor = self.add_parameter("factor", input_shape, "random_normal", rng, L2(0.5))
        self.buffers["seen"] = np.zeros(input_shape, self.dtype)

    def forward(self, x, training=False):
        self.remember(x=x)
        if training:
            self.buffers["seen"] += x.sum(axis=0)
        return x * self.factor.data

    def backward(self, dy, accumulate=False):
        self.write_gradient(self.factor, (self.remembered("x") * dy).sum(axis=0), accumulate)
        return dy * self.factor.data


class _Two(layers.Layer):
    """A composite of two layers of one class."""

    def __init__(self, *, name=None):
        super().__init__(name=name)
        self.first, self.second = Dense(4, kernel_regularizer="l2"), Dense(3)

    @property
    def children(self):
        return (self.first, self.second)

    @property
    def output_shape(self):
        return self.second.output_shape

    def build(self, input_shape, rng):
        super().build(input_shape, rng)
        for child in self.children:
            child.dtype = self.dtype
            child.build(input_shape, rng)
            input_shape = child.output_shape

    def forward(self, x, training=False):
        return self.second(self.first(x, training), training)

    def backward(self, dy, accumulate=False):
        return self.first.backward(self.second.backward(dy, accumulate), accumulate)


def test_a_users_own_layer():
    layer = build(_Scale, (3,))
    x = away_from_0(np.random.default_rng(11), (4, 3))
    check_gradients(layer, x)
    assert layer.regularization() == pytest.approx(0.5 * (layer.factor.data**2).sum())
    layer.forward(x, training=True)
    np.testing.assert_allclose(layer.named_buffers()["seen"], x.sum(axis=0))
    assert repr(layer) == "_Scale()"


def test_a_composite_has_all_parameters_of_the_layers_inside():
    layer = build(_Two, (2,))
    inside = {id(p) for p in (layer.first.kernel, layer.first.bias, layer.second.kernel, layer.second.bias)}
    assert {id(p) for p in layer.parameters} == inside
    check_gradients(layer, away_from_0(np.random.default_rng(12), (3, 2)))
    model = Sequential([_Two(), Dense(1)], seed=0, dtype="float64")
    model.build((2,))
    names = [p.name for p in model.parameters]
    assert len(names) == len(set(names)) == 6
    assert len(model.state_dict()) == 6


def test_two_parameters_of_one_name_in_a_layer_are_refused():
    class Twice(layers.Layer):
        def build(self, input_shape, rng):
            super().build(input_shape, rng)
            for _ in range(2):
                self.add_parameter("w", input_shape, "ones", rng)

    with pytest.raises(ValueError, match=r"Twice.*'?w'?"):
        Twice().build((2,), np.random.default_rng(0))


def test_add_parameter_refuses_an_initializer_that_gives_another_shape():
    class Wrong(initializers.Initializer):
        def draw(self, shape, rng):
            return np.ones(7)

    layer = layers.Layer(name="mine")
    with pytest.raises(ValueError, match=r"'mine': the initializer of w must give shape \(2, 3\).*shape \(7,\)"):
        layer.add_parameter("w", (2, 3), Wrong(), np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"initializer must be a name or an instance of Initializer"):
        layer.add_parameter("w", (2,), np.ones, np.random.default_rng(0))
    assert layer.parameters == ()


def test_a_layer_without_forward_or_backward_says_so():
    for call in (layers.Layer().forward, layers.Layer().backward):
        with pytest.raises(NotImplementedError, match="Layer: a layer must give"):
            call(np.ones((1, 2)))


def test_frozen_by_layer():
    layer = build(partial(Dense, 3), (2,))
    assert layer.trainable
    layer.trainable = False
    assert [p.trainable for p in layer.parameters] == [False, False]
    layer.kernel.trainable = True
    assert layer.trainable


def test_frozen_before_it_is_built():
    layer = Dense(3, activation=PReLU())
    layer.trainable = False
    assert not layer.trainable
    layer.build((2,), np.random.default_rng(0))
    assert [p.trainable for p in layer.parameters] == [False] * 3
    model = Sequential([Dense(3), Dense(1)])
    model.trainable = False
    model.layers[1].trainable = True
    model.build((2,))
    assert [p.trainable for p in model.parameters] == [False, False, True, True]


@pytest.mark.parametrize(("kernel", "bias"), list(itertools.product([None, "l1", L2(0.1)], repeat=2)))
def test_regularization_is_the_sum_of_both_penalties(kernel, bias):
    layer = build(partial(Dense, 3, kernel_regularizer=kernel, bias_regularizer=bias), (2,))
    penalty = {None: lambda w: 0.0, "l1": lambda w: 0.01 * np.abs(w).sum()}
    expected = sum(
        penalty.get(r, lambda w: 0.1 * (w**2).sum())(p.data)
        for r, p in zip((kernel, bias), layer.parameters, strict=True)
    )
    assert layer.regularization() == pytest.approx(expected, rel=1e-14)
