"""Layers against PyTorch: outputs and all gradients in float64, and training step by step."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from subjects import exported

from minidl import Residual, Sequential, Trainer, layers
from minidl.layers import activations
from minidl.losses import SparseCategoricalCrossentropy
from minidl.optimizers import SGD

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

DRAWS = 20
ACTIVATIONS = {
    "linear": lambda x: x,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: torch.clamp(x / 6 + 0.5, 0, 1),  # the gradient of F.hardsigmoid has few digits
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "relu": F.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.3),
    "elu": F.elu,
    "selu": F.selu,
    "softplus": partial(F.softplus, threshold=50),  # beyond it PyTorch returns x; by default from 20 on
    "swish": F.silu,
    "silu": F.silu,
    "gelu": F.gelu,
    "exponential": torch.exp,
    "softmax": partial(F.softmax, dim=-1),
    "log_softmax": partial(F.log_softmax, dim=-1),
}
LACKING = {
    "BinaryStep": "torch.heaviside has no gradient, not even 0",
    "Input": "tells a shape and computes nothing",
    "Rescaling": "no layer; torchvision scales images with the data",
}


class Case(NamedTuple):
    """A layer that isn't built, the shape of a sample, and what PyTorch makes of a batch and the parameters."""

    layer: layers.Layer
    shape: tuple[int, ...]
    reference: Callable
    inputs: Callable = lambda rng, shape: rng.normal(size=(rng.integers(1, 5), *shape))
    training: bool = True


def some(rng, n, low, high):
    """Return n integers, low and high included."""
    return tuple(rng.integers(low, high, n, endpoint=True).tolist())


def one(rng, low, high):
    return some(rng, 1, low, high)[0]


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def some_shape(rng, low=1):
    return some(rng, rng.integers(1, 4), low, 4)


def wide(rng, shape):
    return rng.normal(0, pick(rng, 0.3, 3, 10), (4, *shape))


def ties(rng, shape):
    return rng.integers(-1, 2, (3, *shape)).astype(float)


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def as_filters(kernel):
    return kernel.permute(3, 2, 0, 1).contiguous()


# Layers with a kernel ----------------------------------------------------------------------------------


def dense(activation, rng):
    shape, units, bias = some_shape(rng), one(rng, 2, 5), pick(rng, True, False)
    layer = layers.Dense(units, activation, use_bias=bias)
    return Case(layer, shape, lambda x, w, b=None: ACTIVATIONS[activation](F.linear(x, w.T, b)))


def dense_prelu(rng):
    shape = some_shape(rng)
    return Case(layers.Dense(3, "prelu"), shape, lambda x, w, b, a: prelu_function(F.linear(x, w.T, b), a))


def sides(image, size, strides, dilation=(1, 1)):
    """Return TensorFlow's padding "same", in the order of F.pad: left, right, top, bottom."""
    extent = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    lack = [max(k - (n % s or s), 0) for k, n, s in zip(extent, image, strides, strict=True)]
    return [side for n in reversed(lack) for side in (n // 2, n - n // 2)]


def conv2d(padding, rng):
    groups = one(rng, 1, 3)
    channels, filters = groups * one(rng, 1, 3), groups * one(rng, 1, 3)
    size, strides, dilation = some(rng, 2, 1, 4), some(rng, 2, 1, 3), some(rng, 2, 1, 3)
    image = some(rng, 2, 1, 9)
    if padding == "valid":
        image = tuple((k - 1) * d + n for k, d, n in zip(size, dilation, image, strict=True))
    around = sides(image, size, strides, dilation) if padding == "same" else (0, 0, 0, 0)
    activation, bias = pick(rng, "linear", "relu", "tanh"), pick(rng, True, False)
    layer = layers.Conv2D(filters, size, strides, padding, dilation, groups, activation, use_bias=bias)

    def reference(x, w, b=None):
        x, w = F.pad(channels_first(x), around), as_filters(w)
        return ACTIVATIONS[activation](channels_last(F.conv2d(x, w, b, strides, 0, dilation, groups)))

    return Case(layer, (*image, channels), reference)


def conv2d_as_there(rng):
    size, dilation = pick(rng, (1, 3), (3, 5), (5, 1)), some(rng, 2, 1, 2)
    layer = layers.Conv2D(3, size, padding="same", dilation_rate=dilation)

    def reference(x, w, b):
        x, w = channels_first(x), as_filters(w)
        return channels_last(F.conv2d(x, w, b, padding="same", dilation=dilation))

    return Case(layer, (*some(rng, 2, 1, 8), 2), reference)


def embedding(dtype, rng):
    rows, length = one(rng, 1, 6), one(rng, 1, 4)
    return Case(
        layers.Embedding(rows, length),
        some_shape(rng),
        lambda x, e: F.embedding(x.long(), e) + 0 * x[..., None],
        lambda rng, shape: rng.integers(0, rows, (4, *shape)).astype(dtype),
    )


# Pooling and shapes ------------------------------------------------------------------------------------


def pooling(factory, padding, inputs, rng):
    size, strides = some(rng, 2, 1, 4), pick(rng, None, some(rng, 2, 1, 4))
    image = some(rng, 2, 1 if padding == "same" else 4, 9)
    around = sides(image, size, strides or size) if padding == "same" else (0, 0, 0, 0)

    def greatest(x):
        return channels_last(F.max_pool2d(F.pad(channels_first(x), around, value=-np.inf), size, strides))

    def mean(x):
        inside = F.pad(torch.ones_like(channels_first(x)), around)
        total, share = (F.avg_pool2d(part, size, strides) for part in (F.pad(channels_first(x), around), inside))
        return channels_last(total / share)

    reference = greatest if factory is layers.MaxPooling2D else mean
    return Case(factory(size, strides, padding), (*image, one(rng, 1, 3)), reference, inputs)


def pooling_as_there(factory, rng):
    size, strides = pick(rng, (1, 3), (3, 3), (5, 3)), 1
    pads = [n // 2 for n in size]

    def greatest(x):
        return channels_last(F.max_pool2d(channels_first(x), size, strides, pads))

    def mean(x):
        return channels_last(F.avg_pool2d(channels_first(x), size, strides, pads, count_include_pad=False))

    reference = greatest if factory is layers.MaxPooling2D else mean
    return Case(factory(size, strides, "same"), (*some(rng, 2, 3, 8), 2), reference)


def global_pooling(factory, function, inputs, rng):
    keepdims = pick(rng, True, False)

    def reference(x):
        y = function(channels_first(x), 1)
        return channels_last(y) if keepdims else y.flatten(1)

    return Case(factory(keepdims), some(rng, 3, 1, 5), reference, inputs)


def reshape(rng):
    shape = some_shape(rng)
    target = pick(rng, (*shape[::-1], 1), (-1,), (1, -1, shape[0]), (shape[-1], -1))
    return Case(layers.Reshape(target), shape, lambda x: x.reshape(len(x), *target))


def zero_padding(rng):
    top, bottom, left, right = some(rng, 4, 0, 3)
    padding, around = pick(
        rng,
        (top, (top, top, top, top)),
        ((top, left), (left, left, top, top)),
        (((top, bottom), (left, right)), (left, right, top, bottom)),
    )
    return Case(
        layers.ZeroPadding2D(padding),
        some(rng, 3, 1, 4),
        lambda x: channels_last(nn.ZeroPad2d(around)(channels_first(x))),
    )


# Recurrent layers --------------------------------------------------------------------------------------


def in_their_order(kind, t):
    """Return the gates z, r, g of a GRU as r, z, g."""
    if kind is not layers.GRU:
        return t
    z, r, g = t.chunk(3, -1)
    return torch.cat([r, z, g], -1)


def run_module(kind, x, parameters, nonlinearity="tanh"):
    """Return the outputs of PyTorch's module, of both directions if there are the parameters of two layers."""
    module = {layers.SimpleRNN: nn.RNN, layers.LSTM: nn.LSTM, layers.GRU: nn.GRU}[kind]
    options = {"nonlinearity": nonlinearity} if kind is layers.SimpleRNN else {}
    half = len(parameters) // 2
    ways = [parameters] if half < 2 else [parameters[:half], parameters[half:]]
    weights = {}
    for suffix, way in zip(("", "_reverse"), ways, strict=False):
        w, u, *bias = (in_their_order(kind, t) for t in way)
        zeros = w.new_zeros(w.shape[1])
        first, second = (bias[0] if bias[0].ndim == 2 else (bias[0], zeros)) if bias else (zeros, zeros)
        named = {"weight_ih": w.T, "weight_hh": u.T, "bias_ih": first, "bias_hh": second}
        weights.update({f"{name}_l0{suffix}": t for name, t in named.items()})
    units = ways[0][1].shape[0]
    made = module(x.shape[2], units, batch_first=True, bidirectional=len(ways) == 2, dtype=x.dtype, **options)
    return torch.func.functional_call(made, weights, (x,))[0]


def recurrent(kind, rng, nonlinearity="tanh"):
    sequences, back, bias = (pick(rng, True, False) for _ in range(3))
    layer = kind(one(rng, 1, 5), nonlinearity, use_bias=bias, return_sequences=sequences, go_backwards=back)

    def reference(x, *parameters):
        y = run_module(kind, x.flip(1) if back else x, parameters, nonlinearity)
        return y if sequences else y[:, -1]

    return Case(layer, (one(rng, 1, 6), one(rng, 1, 4)), reference)


def bidirectional(mode, rng):
    kind = pick(rng, layers.SimpleRNN, layers.LSTM, layers.GRU)
    sequences, back, bias = (pick(rng, True, False) for _ in range(3))
    units = one(rng, 1, 4)
    layer = layers.Bidirectional(kind(units, use_bias=bias, return_sequences=sequences, go_backwards=back), mode)

    def reference(x, *parameters):
        y = run_module(kind, x.flip(1) if back else x, parameters)
        there, back_again = y[..., :units], y[..., units:]
        if not sequences:
            there, back_again = there[:, -1], back_again[:, 0]
        if mode == "concat":
            return torch.cat([there, back_again], -1)
        return {"sum": there + back_again, "mul": there * back_again, "ave": (there + back_again) / 2}[mode]

    return Case(layer, (one(rng, 1, 5), one(rng, 1, 4)), reference)


def rnn_step(f, s, z, u, b, h, c):
    return f(z + h @ u + b), c


def lstm_step(f, s, z, u, b, h, c):
    i, forget, g, o = (z + h @ u + b).chunk(4, -1)
    c = s(forget) * c + s(i) * f(g)
    return s(o) * f(c), c


def gru_step_before(f, s, a, u, b, h, c):
    """Do a step without `reset_after`, which PyTorch's GRU lacks."""
    n = h.shape[1]
    z, r = s((a + b)[:, : 2 * n] + h @ u[:, : 2 * n]).chunk(2, -1)
    return z * h + (1 - z) * f((a + b)[:, 2 * n :] + (r * h) @ u[:, 2 * n :]), c


def gru_step_after(f, s, a, u, b, h, c):
    n, by_x, by_h = h.shape[1], a + b[0], h @ u + b[1]
    z, r = s((by_x + by_h)[:, : 2 * n]).chunk(2, -1)
    return z * h + (1 - z) * f(by_x[:, 2 * n :] + r * by_h[:, 2 * n :]), c


def by_steps(kind, step, rng, **options):
    """Draw a case of other activations than those of PyTorch's modules."""
    activation = pick(rng, "tanh", "softsign", "swish", "elu", "relu", "gelu", "linear")
    gate = pick(rng, "sigmoid", "hard_sigmoid", "softsign")
    if kind is not layers.SimpleRNN:
        options["recurrent_activation"] = gate
    units, sequences = one(rng, 1, 4), pick(rng, True, False)
    layer = kind(units, activation, return_sequences=sequences, **options)

    def reference(x, w, u, b):
        h = c = x.new_zeros(len(x), units)
        states = []
        for t in range(x.shape[1]):
            h, c = step(ACTIVATIONS[activation], ACTIVATIONS[gate], x[:, t] @ w, u, b, h, c)
            states.append(h)
        return torch.stack(states, 1) if sequences else h

    return Case(layer, (one(rng, 1, 5), one(rng, 1, 4)), reference)


# Normalisation, noise, activations ---------------------------------------------------------------------


def normalization(kind, training, rng):
    shape = some_shape(rng, low=3)  # two entries, normalised, are 1 and -1, and have next to no gradient
    axis, epsilon = pick(rng, -1, one(rng, 1, len(shape))), pick(rng, 1e-3, 1e-5)
    center, scale = pick(rng, True, False), pick(rng, True, False)
    layer = kind(axis, epsilon=epsilon, center=center, scale=scale)

    def reference(x, *parameters):
        left = list(parameters)
        gamma, beta = left.pop(0) if scale else None, left.pop(0) if center else None
        if kind is layers.LayerNormalization:
            y = F.layer_norm(x.movedim(axis, -1), (x.shape[axis],), gamma, beta, epsilon)
            return y.movedim(-1, axis)
        moving = [None if training else torch.tensor(t, dtype=x.dtype) for t in layer.buffers.values()]
        return F.batch_norm(x.movedim(axis, 1), *moving, gamma, beta, training, eps=epsilon).movedim(1, axis)

    return Case(layer, shape, reference, lambda rng, shape: rng.normal(1, 2, (rng.integers(3, 7), *shape)), training)


def dropout(training, rng):
    rate = pick(rng, 0.0, 0.2, 0.5, 0.9)
    layer = layers.Dropout(rate)

    def reference(x):
        mask = layer.remembered("mask")
        return F.dropout(x, rate, training=False) if mask is None else x * torch.tensor(mask != 0) / (1 - rate)

    return Case(layer, some_shape(rng), reference, training=training)


def prelu_function(x, a):
    return torch.where(x >= 0, x, a * x)


def prelu(rng):
    shape = some_shape(rng)
    shared = [axis for axis in range(1, len(shape) + 1) if pick(rng, True, False)]
    return Case(layers.PReLU(shared_axes=shared), shape, prelu_function)


def prelu_by_channel(rng):
    layer = layers.PReLU(shared_axes=(1, 2))
    shape = some(rng, 3, 1, 4)
    return Case(layer, shape, lambda x, a: channels_last(F.prelu(channels_first(x), a.flatten())))


def activation(wrap, name, rng):
    inputs = Case._field_defaults["inputs"] if "softmax" in name else wide
    return Case(wrap(name), some_shape(rng, low=2), ACTIVATIONS[name], inputs)


def elementwise(make, function, rng):
    value = rng.uniform(0.05, 2)
    return Case(make(value), some_shape(rng), partial(function, value), wide)


def softmax_along(rng):
    shape = some_shape(rng, low=2)
    axis = pick(rng, one(rng, 1, len(shape)), -one(rng, 1, len(shape)))
    return Case(layers.Softmax(axis), shape, partial(F.softmax, dim=axis))


# Models ------------------------------------------------------------------------------------------------


def residual(rng):
    n = one(rng, 1, 4)
    inner = [layers.Dense(3, "tanh"), layers.Dense(n)]
    return Case(
        Residual(inner, seed=0),
        (*some(rng, one(rng, 0, 2), 1, 3), n),
        lambda x, w, b, v, c: x + F.linear(torch.tanh(F.linear(x, w.T, b)), v.T, c),
    )


def residual_images(rng):
    def reference(x, w, gamma, beta):
        y = F.conv2d(channels_first(x), as_filters(w), padding=1)
        return x + F.relu(channels_last(F.batch_norm(y, None, None, gamma, beta, True, eps=1e-3)))

    inner = [layers.Conv2D(2, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    return Case(Residual(inner, seed=0), (*some(rng, 2, 2, 6), 2), reference)


def images_reference(x, w, b, v, c):
    y = F.max_pool2d(F.relu(F.conv2d(channels_first(x), as_filters(w), b)), 2)
    return F.linear(channels_last(y).flatten(1), v.T, c)


def sequences_reference(x, e, w, u, b, v, c):
    return F.linear(run_module(layers.LSTM, F.embedding(x, e), (w, u, b))[:, -1], v.T, c)


# A draw of each: its key starts with the class's name.
CASES = {
    **{f"Dense {name}": partial(dense, name) for name in ACTIVATIONS},
    "Dense prelu": dense_prelu,
    "Conv2D valid": partial(conv2d, "valid"),
    "Conv2D same": partial(conv2d, "same"),
    "Conv2D same as in PyTorch": conv2d_as_there,
    "Embedding of integers": partial(embedding, "int64"),
    "Embedding of floats": partial(embedding, "float64"),
    **{
        f"{factory.__name__} {padding} {inputs.__name__}": partial(pooling, factory, padding, inputs)
        for factory, padding, inputs in itertools.product(
            (layers.MaxPooling2D, layers.AveragePooling2D), ("valid", "same"), (wide, ties)
        )
    },
    "MaxPooling2D same as in PyTorch": partial(pooling_as_there, layers.MaxPooling2D),
    "AveragePooling2D same as in PyTorch": partial(pooling_as_there, layers.AveragePooling2D),
    "GlobalAveragePooling2D": partial(global_pooling, layers.GlobalAveragePooling2D, F.adaptive_avg_pool2d, wide),
    "GlobalMaxPooling2D": partial(global_pooling, layers.GlobalMaxPooling2D, F.adaptive_max_pool2d, wide),
    "GlobalMaxPooling2D ties": partial(global_pooling, layers.GlobalMaxPooling2D, F.adaptive_max_pool2d, ties),
    "Flatten": lambda rng: Case(layers.Flatten(), some_shape(rng), nn.Flatten()),
    "Reshape": reshape,
    "ZeroPadding2D": zero_padding,
    "SimpleRNN": partial(recurrent, layers.SimpleRNN),
    "SimpleRNN relu": partial(recurrent, layers.SimpleRNN, nonlinearity="relu"),
    "SimpleRNN by steps": partial(by_steps, layers.SimpleRNN, rnn_step),
    "LSTM": partial(recurrent, layers.LSTM),
    "LSTM by steps": partial(by_steps, layers.LSTM, lstm_step),
    "GRU": partial(recurrent, layers.GRU),
    "GRU by steps": partial(by_steps, layers.GRU, gru_step_after),
    "GRU by steps, reset before": partial(by_steps, layers.GRU, gru_step_before, reset_after=False),
    **{f"Bidirectional {mode}": partial(bidirectional, mode) for mode in ("concat", "sum", "mul", "ave")},
    "BatchNormalization training": partial(normalization, layers.BatchNormalization, True),
    "BatchNormalization not training": partial(normalization, layers.BatchNormalization, False),
    "LayerNormalization": partial(normalization, layers.LayerNormalization, True),
    "Dropout training": partial(dropout, True),
    "Dropout not training": partial(dropout, False),
    **{
        f"{type(activations.get(name)).__name__} {name}": partial(activation, activations.get, name)
        for name in ACTIVATIONS
    },
    **{f"Activation {name}": partial(activation, layers.Activation, name) for name in ACTIVATIONS},
    "Linear steep": partial(elementwise, layers.Linear, torch.mul),
    "LeakyReLU steep": partial(elementwise, layers.LeakyReLU, lambda slope, x: F.leaky_relu(x, slope)),
    "ELU steep": partial(elementwise, layers.ELU, lambda alpha, x: F.elu(x, alpha)),
    "GELU approximate": partial(
        elementwise, lambda _: layers.GELU(approximate=True), lambda _, x: F.gelu(x, approximate="tanh")
    ),
    "Softmax along an axis": softmax_along,
    "PReLU": prelu,
    "PReLU by channel": prelu_by_channel,
    "Residual": residual,
    "Residual of images": residual_images,
}
# A model's layers, a batch of it, and what PyTorch makes of it.
MODELS = {
    "images": (
        lambda: [
            layers.Input((8, 7, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(5, "softmax"),
        ],
        lambda rng: rng.normal(size=(6, 8, 7, 2)),
        images_reference,
    ),
    "sequences": (
        lambda: [layers.Input((6,)), layers.Embedding(9, 3), layers.LSTM(4), layers.Dense(5, "softmax")],
        lambda rng: rng.integers(0, 9, (6, 6)),
        sequences_reference,
    ),
}


def assert_close(actual, expected, tolerance, what):
    """Compare, relative to the largest entry; where all are next to 0, to what is rounded away from 1."""
    expected = expected.detach().numpy()
    assert actual.shape == expected.shape, what
    deviation = np.abs(actual - expected).max()
    assert deviation <= max(tolerance * np.abs(expected).max(), tolerance * 1e-6), what


def compare(case, rng, dtype, tolerance):
    """Compare output and gradients with PyTorch's, which computes in float64 from the same numbers."""
    layer = case.layer
    layer.dtype = np.dtype(dtype)
    layer.build(case.shape, rng)
    for parameter in layer.parameters:
        parameter.data = rng.normal(0, 0.5, parameter.shape).astype(dtype)
        parameter.grad = rng.normal(size=parameter.shape).astype(dtype)  # what was there before must not matter
    for name in {"moving_mean", "moving_variance"} & set(layer.buffers):
        layer.buffers[name][...] = rng.uniform(0.5, 2, layer.buffers[name].shape)
    x = case.inputs(rng, case.shape)
    x = x.astype(dtype) if x.dtype.kind == "f" else x

    y = layer.forward(x, case.training)
    dy = rng.normal(size=y.shape).astype(dtype)
    dx = layer.backward(dy)

    theirs = [
        torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, *(p.data for p in layer.parameters))
    ]
    y_theirs = case.reference(*theirs)
    y_theirs.backward(torch.tensor(dy, dtype=torch.float64))
    results = {"output": (y, y_theirs), "by the input": (dx, theirs[0].grad)}
    for parameter, t in zip(layer.parameters, theirs[1:], strict=True):
        results[f"by {parameter.name}"] = (parameter.grad, t.grad)
    for what, (actual, expected) in results.items():
        assert actual.dtype == dtype, what
        assert_close(actual, expected, tolerance, f"{layer!r}, samples of shape {case.shape}: {what}")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Several would wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_layer_has_a_case_or_a_reason_for_none():
    cases = {key.split()[0] for key in CASES}
    assert not cases & set(LACKING)
    assert cases | set(LACKING) == exported(layers, layers.Layer, "Elementwise") | {"Residual"}


@pytest.mark.parametrize("key", CASES)
def test_output_and_gradients_are_those_of_pytorch(key):
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        case = CASES[key](rng)
        assert type(case.layer).__name__ == key.split()[0]
        compare(case, rng, "float64", 1e-9)


@pytest.mark.parametrize("key", CASES)
def test_float32_stays_and_is_as_near_as_it_can_be(key):
    for draw in range(5):
        rng = np.random.default_rng(draw)
        compare(CASES[key](rng), rng, "float32", 1e-4)


@pytest.mark.parametrize("draw", range(5))
def test_running_statistics_over_batches_of_several_sizes(draw):
    rng = np.random.default_rng(draw)
    momentum, channels = pick(rng, 0.0, 0.5, 0.9, 0.99), one(rng, 1, 4)
    ours = layers.BatchNormalization(momentum=momentum)
    ours.dtype = np.dtype("float64")
    ours.build((3, 2, channels), rng)
    theirs = nn.BatchNorm2d(channels, eps=1e-3, momentum=1 - momentum, dtype=torch.float64)
    variance = theirs.running_var.clone()
    for _ in range(6):
        x = rng.normal(rng.normal(), 2, (rng.integers(1, 6), 3, 2, channels))
        n = x.size // channels
        before = theirs.running_var.clone()
        expected = channels_last(theirs(channels_first(torch.tensor(x))))
        assert_close(ours.forward(x, training=True), expected, 1e-9, "training")
        # Theirs takes in the unbiased variance, ours the biased one.
        variance = momentum * variance + (theirs.running_var - momentum * before) * (n - 1) / n
        assert_close(ours.buffers["moving_mean"], theirs.running_mean, 1e-9, "mean")
        assert_close(ours.buffers["moving_variance"], variance, 1e-9, "variance")
    theirs.eval()
    theirs.running_var.copy_(variance)
    expected = channels_last(theirs(channels_first(torch.tensor(x))))
    assert_close(ours.forward(x), expected, 1e-9, "not training")


@pytest.mark.parametrize("draw", range(5))
@pytest.mark.parametrize("key", MODELS)
def test_training_goes_the_same_way(key, draw):
    make, inputs, reference = MODELS[key]
    rng = np.random.default_rng(draw)
    model = Sequential(make(), seed=draw, dtype="float64")
    trainer = Trainer(model, SGD(0.1), SparseCategoricalCrossentropy())
    theirs = [torch.tensor(parameter.data, requires_grad=True) for parameter in model.parameters]
    optimizer = torch.optim.SGD(theirs, lr=0.1)
    for step in range(20):
        x, y = inputs(rng), rng.integers(0, 5, 6)
        logs = trainer.step(x, y)
        loss = F.cross_entropy(reference(torch.tensor(x), *theirs), torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert_close(np.array(logs["loss"]), loss, 1e-9, f"loss of step {step}")
        for parameter, t in zip(model.parameters, theirs, strict=True):
            assert_close(parameter.data, t, 1e-9, f"{parameter.name} after step {step}")
    x = inputs(rng)
    assert_close(trainer.predict(x), F.softmax(reference(torch.tensor(x), *theirs), -1), 1e-9, "predictions")
