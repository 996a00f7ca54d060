"""Functions of entries give the bits that they give when they are called, in whichever way they are run."""

import copy
import pickle

import numpy as np
import pytest

from minidl import layers
from minidl.compute import fusing
from minidl.compute.fusing import Fused
from minidl.compute.reuse import Reuse
from minidl.layers.activations import Elementwise

RNG = np.random.default_rng(0)
ELEMENTWISE = sorted(
    {kind for kind in vars(layers).values() if isinstance(kind, type) and issubclass(kind, Elementwise)}
    - {Elementwise},
    key=lambda kind: kind.__name__,
)
X = np.concatenate([RNG.standard_normal(40_000) * 3, [0.0, -0.0, 80.0, -80.0, 6e4, -6e4]])


def run(layer, dtype, reuse):
    layer.reuse = Reuse()
    layer.reuse.on = reuse
    x = X.astype(dtype)[:, None]
    dy = np.linspace(-1, 1, len(x)).astype(dtype)[:, None]
    layer.dtype = np.dtype(dtype)
    layer.build((1,), np.random.default_rng(0))
    with np.errstate(all="ignore"):
        for _ in range(2):
            y, dx = layer.forward(x, training=True), layer.backward(dy)
    return y.copy(), dx.copy()


@pytest.mark.parametrize("loaded", [False, True], ids=["replayed", "compiled"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_activations_give_the_same_bits(kind, dtype, loaded, monkeypatch):
    monkeypatch.setattr(fusing, "is_loaded", lambda: loaded)
    for plain, fused in zip(run(kind(), dtype, False), run(kind(), dtype, True), strict=True):
        assert plain.dtype == fused.dtype
        np.testing.assert_array_equal(plain, fused)


def test_most_activations_need_no_new_memory():
    kept = {kind.__name__ for kind in ELEMENTWISE if kind()._fused()[0]._trace((np.dtype("f4"),) * 2) is not None}
    assert kept >= {"ReLU", "LeakyReLU", "Sigmoid", "Tanh", "Softsign", "HardSigmoid", "Linear", "Swish", "Exponential"}


def test_an_attribute_that_changes_is_noticed():
    layer = layers.LeakyReLU(0.3)
    layer.reuse = Reuse()
    layer.reuse.on = True
    x = np.full((1, 3), -1, np.float32)
    assert layer.forward(x)[0].tolist() == pytest.approx([-0.3] * 3)
    layer.negative_slope = 0.5
    assert layer.forward(x).tolist() == [[-0.5, -0.5, -0.5]]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_runs_its_own_function(duplicate):
    layer = layers.LeakyReLU(0.3)
    layer._fused()
    other = duplicate(layer)
    assert "_fused_functions" not in vars(other)


def test_what_cannot_be_traced_is_called():
    calls = []

    def counted(x):
        calls.append(1)
        return x - x.mean()

    function = Fused(counted)
    out, x = np.zeros(3), np.array([1.0, 2.0, 6.0])
    assert function(out, x).tolist() == [-2, -1, 3]
    assert out.tolist() == [0, 0, 0]
    before = len(calls)
    function(out, x)
    assert len(calls) == before + 1


def test_what_is_random_is_called():
    rng = np.random.default_rng(0)
    function = Fused(lambda x: x * rng.random())
    out, x = np.zeros(3), np.ones(3)
    assert len({function(out, x)[0] for _ in range(5)}) == 5


def test_arrays_may_change_places_layouts_and_dtypes():
    function = Fused(lambda a, b: a * b + 1)
    for dtype in ("f4", "f8", "f4"):
        for order in "CF":
            a, b = (np.asarray(RNG.standard_normal((5, 7)).astype(dtype), order=order) for _ in range(2))
            for n in (5, 2, 5):
                out = function(np.zeros((n, 7), dtype), a[:n], b[:n])
                np.testing.assert_array_equal(out, a[:n] * b[:n] + 1)


def test_errors_are_those_of_the_function():
    with pytest.raises(ZeroDivisionError):
        Fused(lambda x: x / (1 // 0))(np.zeros(1), np.ones(1))
