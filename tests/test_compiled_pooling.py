"""Max pooling in machine code gives the bits that it gives with NumPy alone."""

import numpy as np
import pytest

from minidl import layers
from minidl.compute import pooling

pytestmark = pytest.mark.usefixtures("llvm")

RNG = np.random.default_rng(0)
CASES = [
    ((8, 8, 3), {"pool_size": 2}),
    ((11, 9, 32), {"pool_size": 2}),
    ((7, 7, 5), {"pool_size": 3, "strides": 1}),
    ((9, 10, 4), {"pool_size": (2, 3), "strides": (3, 3)}),
    ((5, 6, 2), {"pool_size": 3, "padding": "same"}),
    ((6, 4, 17), {"pool_size": (1, 2)}),
    ((3, 3, 1), {"pool_size": 1}),
    ((16, 17, 2), {"pool_size": 15}),
]


def both_ways(shape, options, x, dy, monkeypatch):
    """Return the bits of outputs and slopes, in machine code and with NumPy."""
    found = []
    for loaded in (True, False):
        layer = layers.MaxPooling2D(**options)
        layer.dtype = x.dtype
        layer.build(shape, np.random.default_rng(0))
        with monkeypatch.context() as patch, np.errstate(invalid="ignore"):
            if not loaded:
                patch.setattr(pooling, "is_loaded", lambda: False)
            y = layer.forward(x, training=True)
            found.append((y.tobytes(), layer.backward(dy).tobytes()))
    return found


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("shape", "options"), CASES)
def test_in_every_shape(shape, options, dtype, monkeypatch):
    layer = layers.MaxPooling2D(**options)
    layer.build(shape, np.random.default_rng(0))
    for draw in (RNG.standard_normal, lambda shape: RNG.integers(-1, 2, shape)):  # ties, too
        x, dy = draw((3, *shape)).astype(dtype), draw((3, *layer.output_shape)).astype(dtype)
        one, other = both_ways(shape, options, x, dy, monkeypatch)
        assert one == other


def test_of_what_is_no_number(monkeypatch):
    x = np.array([np.nan, 1.0, -np.inf, np.inf, -0.0, 0.0, np.nan, np.nan], np.float32)
    x = RNG.choice(x, (4, 8, 8, 5)).astype(np.float32)
    dy = RNG.choice(np.array([np.inf, -1.0, 0.0, -0.0], np.float32), (4, 4, 4, 5)).astype(np.float32)
    for one, other in zip(*both_ways((8, 8, 5), {"pool_size": 2}, x, dy, monkeypatch), strict=True):
        one, other = np.frombuffer(one, "f4"), np.frombuffer(other, "f4")
        np.testing.assert_array_equal(one, other)
        numbers = ~np.isnan(one)
        np.testing.assert_array_equal(np.signbit(one[numbers]), np.signbit(other[numbers]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x, y, w: (x.astype("f2"), y.astype("f2"), w),
        lambda x, y, w: (x, y.astype("f8"), w),
        lambda x, y, w: (x, y, w.astype("i8")),
        lambda x, y, w: (np.asfortranarray(x), y, w),
        lambda x, y, w: (x, y[:0], w[:0]),
    ],
)
def test_arrays_of_another_kind_are_left_alone(spoil):
    x, y, winner = (
        RNG.standard_normal((2, 4, 4, 3)).astype("f4"),
        np.ones((2, 2, 2, 3), "f4"),
        np.ones((2, 2, 2, 3), "u1"),
    )
    assert pooling.pool(x, y.copy(), winner, (2, 2), (2, 2))
    x, y, winner = spoil(x, y, winner)
    assert not pooling.pool(x, y, winner, (2, 2), (2, 2))
    assert (y == 1).all()
