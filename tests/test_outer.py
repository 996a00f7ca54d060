"""A gradient that is a product may be promised; whoever looks finds it, and a rule runs along it with the same bits."""

import numpy as np
import pytest
from bits import COPIES
from subjects import ELEMENTWISE as RULES

from minidl import Parameter, Sequential, Trainer, callbacks, layers, losses, optimizers
from minidl.compute import outer
from minidl.compute.outer import LARGE, MOST, suits
from minidl.layers import dense
from minidl.optimizers.spans import Part
from minidl.parameters import Outer, flatten

pytestmark = pytest.mark.usefixtures("llvm")


def product(rng, rows, n, m, dtype="f4"):
    x, y = rng.standard_normal((rows, n)).astype(dtype), rng.standard_normal((rows, m)).astype(dtype)
    return x, y


def promise(parameter, x, y, written=False):
    parameter.promise(Outer(x, y, lambda out: np.matmul(x.T, y, out=out), written))


def stepped(rule, promised, rows=3, shape=(511, 133), dtype="f4", steps=4):
    """Return the bits of parameters and slots after some steps, along gradients that are promised or written."""
    rng = np.random.default_rng(0)
    kernel = Parameter(rng.standard_normal(shape).astype(dtype), "kernel")
    bias = Parameter(rng.standard_normal(shape[1]).astype(dtype), "bias")
    flatten([kernel, bias])
    optimizer = rule()
    optimizer.execution = "compiled"
    for step in range(steps):
        x, y = product(rng, rows, *shape, dtype)
        bias.grad = y.sum(axis=0)
        if promised and step:  # the first step has to see it
            promise(kernel, x, y)
        else:
            kernel.grad = chained(x, y)
        optimizer.step([kernel, bias])
        assert (kernel.outer is not None) == (promised and step > 0)  # nobody needed to write it down
    arrays = [array for p in (kernel, bias) for array in (p.data, *optimizer.state[p].values())]
    return [array.tobytes() for array in arrays]


def chained(x, y):
    """Return x.T @ y, each entry rounded once a row, as fused multiply-adds do (in exact products of float32)."""
    if x.dtype == np.float64:
        return np.matmul(x.T, y)
    total = np.zeros((x.shape[1], y.shape[1]), np.float32)
    for one, other in zip(x.astype(np.float64), y.astype(np.float64), strict=True):
        total = (np.multiply.outer(one, other) + total).astype(np.float32)
    return total


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_along_a_promise_gives_the_bits_of_the_written_gradient(rule):
    assert stepped(rule, True) == stepped(rule, False)


@pytest.mark.parametrize("shape", [(1024, 64), (600, 127), (66_000, 64), (64, 5000), (1025, 65)])
@pytest.mark.parametrize("rows", [1, 2, MOST])
def test_in_any_shape(rows, shape):
    assert stepped(optimizers.Momentum, True, rows, shape) == stepped(optimizers.Momentum, False, rows, shape)


def test_in_double_precision_to_rounding():
    found, expected = (
        [np.frombuffer(b) for b in stepped(optimizers.Adam, promised, dtype="f8")] for promised in (True, False)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_whom_it_suits():
    x, y = product(np.random.default_rng(0), 4, LARGE // 64, 64)
    if not suits(x, y):
        pytest.skip("this kernel of BLAS gives other bits")
    assert not suits(np.repeat(x, MOST, 0), np.repeat(y, MOST, 0))
    assert not suits(x[:, :-1].copy(), y)
    assert not suits(x, y.astype(np.float64))
    assert not suits(x.astype(np.float16), y.astype(np.float16))
    assert not suits(np.asfortranarray(x), y)
    assert not suits(*product(np.random.default_rng(0), 4, 2 * LARGE, 63))
    assert not suits(x[:0], y[:0])


# Whoever looks finds it --------------------------------------------------------------------------------------


def promised_kernel():
    x, y = product(np.random.default_rng(0), 3, 4, 5)
    kernel = Parameter(np.ones((4, 5), np.float32), "kernel")
    promise(kernel, x, y)
    return kernel, x.T @ y


def test_the_gradient_is_written_when_somebody_looks():
    kernel, expected = promised_kernel()
    np.testing.assert_allclose(kernel.grad, expected, rtol=1e-6)
    assert kernel.outer is None


def test_what_is_known_is_forgotten_once_somebody_may_have_written():
    x, y = product(np.random.default_rng(0), 3, 4, 5)
    kernel = Parameter(np.ones((4, 5), np.float32), "kernel")
    promise(kernel, x, y, written=True)
    kernel.grad[...] = np.nan
    assert kernel.outer is None
    with pytest.raises(FloatingPointError):
        optimizers.SGD().step([kernel])


def test_an_assigned_gradient_takes_the_place_of_a_promise():
    kernel, _ = promised_kernel()
    kernel.grad = np.full((4, 5), 2.0)
    assert (kernel.grad == 2).all()


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_has_the_gradient(duplicate):
    kernel, expected = promised_kernel()
    other = duplicate(kernel)
    for parameter in (kernel, other):
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-6)


def test_a_move_into_storage_takes_the_gradient_along():
    kernel, expected = promised_kernel()
    flatten([kernel])
    np.testing.assert_allclose(kernel.grad, expected, rtol=1e-6)


@pytest.mark.parametrize("way", ["plain", "replayed", "compiled"])
@pytest.mark.parametrize("hooks", [[], [optimizers.ClipByGlobalNorm(0.5)]])
def test_each_way_of_running_a_rule_takes_a_promise(way, hooks):
    ends = []
    for promised in (True, False):
        kernel, expected = promised_kernel()
        optimizer = optimizers.Adam(0.1)
        optimizer.execution, optimizer.hooks = way, list(hooks)
        if not promised:
            kernel.grad = expected
        optimizer.step([kernel])
        ends.append(kernel.data)
    np.testing.assert_allclose(*ends, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("place", ["x", "y"])
def test_a_promise_of_what_is_not_finite_is_refused_and_changes_nothing(place, bad):
    rng = np.random.default_rng(0)
    kernel = Parameter(rng.standard_normal((1024, 64)).astype(np.float32), "kernel")
    before, optimizer = kernel.data.copy(), optimizers.Adam()
    optimizer.execution = "compiled"
    x, y = product(rng, 3, 1024, 64)
    {"x": x, "y": y}[place][1, 7] = bad
    other = y if place == "x" else x
    if bad == 1e30:
        other[1, 5] = 1e30
    promise(kernel, x, y)
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(FloatingPointError, match="'kernel'"):
        optimizer.step([kernel])
    np.testing.assert_array_equal(kernel.data, before)
    assert optimizer.iterations == 0


def test_a_bound_beyond_the_range_is_no_verdict():
    kernel = Parameter(np.zeros((2, 2), np.float32), "kernel")
    promise(kernel, np.array([[1e25, 0], [0, 0]], np.float32), np.array([[0, 0], [0, 1e25]], np.float32))
    with np.errstate(over="ignore"):
        optimizers.SGD(0.1).step([kernel])
    assert (kernel.data == 0).all()


# In a fit ----------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.standard_normal((100, 300)).astype(np.float32)
Y = RNG.integers(0, 10, len(X))


class Seen(callbacks.Callback):
    """Keeps what the gradients are at the end of each epoch."""

    def __init__(self):
        self.gradients = []

    def on_epoch_end(self, epoch, logs):
        self.gradients.append([parameter.grad.copy() for parameter in self.model.parameters])


def fitted(batch_size=8, watched=(), **options):
    model = Sequential([layers.Input((300,)), layers.Dense(250, "relu"), layers.Dense(10, "softmax")], seed=0)
    optimizer, seen = optimizers.Adam(), Seen()
    optimizer.execution = "compiled"
    trainer = Trainer(model, optimizer, losses.SparseCategoricalCrossentropy())
    trainer.fit(X, Y, batch_size=batch_size, epochs=3, callbacks=[seen, *watched], verbose=0, **options)
    weights = [array.tobytes() for array in (*model.get_weights(), *(p.grad for p in model.parameters))]
    return weights, [[gradient.tobytes() for gradient in epoch] for epoch in seen.gradients]


@pytest.mark.parametrize("batch_size", [1, 8, 15])
def test_a_fit_promises_and_everything_has_the_same_bits(batch_size, monkeypatch):
    promised = []
    monkeypatch.setattr(dense, "suits", lambda x, y: promised.append(suits(x, y)) or promised[-1])
    found = fitted(batch_size)
    if not any(promised):
        pytest.skip("this kernel of BLAS gives other bits")
    monkeypatch.setattr(dense, "suits", lambda x, y: False)
    assert fitted(batch_size) == found


def test_a_callback_at_batches_sees_every_gradient(monkeypatch):
    norms = callbacks.Norms()
    watched, seen = fitted(watched=[callbacks.Lambda(on_train_batch_end=lambda batch, logs: None), norms])
    monkeypatch.setattr(outer, "MOST", 0)
    again = callbacks.Norms()
    assert fitted(watched=[again]) == (watched, seen)
    assert len(norms.steps) == len(again.steps) > 3
    assert (norms.gradients, norms.weights) == (again.gradients, again.weights)


def test_gradients_are_there_after_an_interrupted_fit():
    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            raise KeyboardInterrupt

    model = Sequential([layers.Input((300,)), layers.Dense(250, "relu"), layers.Dense(10, "softmax")], seed=0)
    trainer = Trainer(model, optimizers.SGD(), losses.SparseCategoricalCrossentropy())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, batch_size=8, callbacks=[Stop()], verbose=0)
    assert all(parameter.outer is None for parameter in model.parameters)
    assert all(np.abs(parameter.grad).max() > 0 for parameter in model.parameters)


def test_a_gradient_that_was_promised_is_that_of_its_own_batch_whatever_comes_after():
    class Failing(layers.Layer):
        def forward(self, x, training=False):
            self.__dict__["seen"] = self.__dict__.get("seen", 0) + training
            if self.__dict__["seen"] == 5:
                raise ZeroDivisionError
            return x

        def backward(self, dy, accumulate=False):
            return dy

    def trained(times):
        model = Sequential(
            [layers.Input((300,)), layers.Dense(250, "relu"), Failing(), layers.Dense(10, "softmax")], seed=0
        )
        optimizer = optimizers.SGD(0.1)
        optimizer.execution = "compiled"
        trainer = Trainer(model, optimizer, losses.SparseCategoricalCrossentropy(), seed=0)
        if times == 5:
            with pytest.raises(ZeroDivisionError):
                trainer.fit(X, Y, batch_size=8, verbose=0, shuffle=lambda epoch, n: np.arange(n))
        else:
            trainer.fit(X[: 8 * times], Y[: 8 * times], batch_size=8, verbose=0, shuffle=lambda epoch, n: np.arange(n))
        return [parameter.grad.tobytes() for parameter in model.parameters]

    assert trained(5) == trained(4)


def test_the_greatest_square_of_a_gradient_is_that_of_its_greatest_entry():
    w = Parameter(np.zeros(2**18, np.float32))
    w.grad = np.where(np.arange(w.size) == 7, -3.0, 2.0).astype(np.float32)
    assert Part(slice(0, w.size), w.grad, w).largest_square() == 9
