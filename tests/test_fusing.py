"""Functions of entries give the bits that they give when they are called, in whichever way they are run."""

import numpy as np
import pytest
from bits import COPIES

from minidl import Sequential, Trainer, layers
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


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
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


@pytest.mark.usefixtures("llvm")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(1000, 500), (50_000, 3), (3, 50_000), (64, 26, 26, 5)])
def test_a_bias_and_an_activation_in_one_pass_give_the_same_bits(shape, dtype):
    rng = np.random.default_rng(0)
    biased = fusing.Biased(lambda x: np.maximum(x, 0) * 2)
    z, b = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[-1]).astype(dtype)
    assert biased.suits(z, b)
    for _ in range(2):
        b[...] = rng.standard_normal(b.shape)
        expected = np.maximum(z + b, 0) * 2
        biased(z, b)
        assert z.tobytes() == expected.tobytes()
        z[...] = rng.standard_normal(shape)


@pytest.mark.usefixtures("llvm")
def test_what_one_pass_does_not_suit():
    z, b = np.ones((1000, 500), np.float32), np.ones(500, np.float32)
    double = fusing.Biased(lambda x: x + x)
    assert double.suits(z, b)
    assert not double.suits(z[:10], b)
    assert not double.suits(z, b.astype(np.float64))
    assert not double.suits(np.asfortranarray(z), b)
    assert not double.suits(z.astype(np.float16), b.astype(np.float16))
    assert not fusing.Biased(np.tanh).suits(z, b)
    assert not fusing.Biased(lambda x: x - x.mean()).suits(z, b)


@pytest.mark.usefixtures("llvm")
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_a_fit_in_which_they_are_one_pass_has_the_same_bits(activation, monkeypatch):
    def trained():
        model = Sequential(
            [
                layers.Input((9, 9, 2)),
                layers.Conv2D(4, 3, activation=activation),
                layers.Flatten(),
                layers.Dense(20, activation),
                layers.Dense(3, "softmax"),
            ],
            seed=0,
        )
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((70, 9, 9, 2)).astype(np.float32), rng.integers(0, 3, 70)
        trainer = Trainer(model, "adam", "sparse_categorical_crossentropy")
        trainer.fit(x, y, batch_size=30, epochs=3, verbose=0)
        return [weight.tobytes() for weight in model.get_weights()]

    expected = trained()
    monkeypatch.setattr(fusing, "LARGE", 1)
    assert trained() == expected


def test_a_slope_of_another_kind_has_to_say_what_it_looks_at():
    class Shifted(layers.ReLU):
        def slope(self, x, y):
            return x > 1

    class Renamed(layers.ReLU):
        def get_config(self):
            return super().get_config()

    assert (layers.ReLU.slope_by_output, Shifted.slope_by_output, Renamed.slope_by_output) == (True, False, True)
