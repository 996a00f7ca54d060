"""Copies and sums of views, shared by the threads of BLAS: NumPy's bits, whatever the views are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.compute import moving, tables

pytestmark = pytest.mark.usefixtures("llvm")


@st.composite
def windows(draw):
    """Return images, and where windows lie in them."""
    images, channels = draw(st.integers(1, 9)), draw(st.sampled_from([1, 2, 3, 8, 33]))
    size, stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 4))), draw(st.integers(1, 2))
    high, wide = draw(st.integers(4, 30)), draw(st.integers(4, 30))
    dtype = draw(st.sampled_from(["f4", "f8", "f2"]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    return rng.standard_normal((images, high, wide, channels)).astype(dtype), size, stride


@settings(deadline=None)
@given(given_windows=windows(), places_first=st.booleans())
def test_a_copy_of_windows_is_that_of_numpy(given_windows, places_first):
    x, size, stride = given_windows
    views = np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    order, back = ((3, 4, 5, 0, 1, 2), (3, 4, 5, 0, 1, 2)) if places_first else (range(6), range(6))
    out = np.zeros([views.shape[i] for i in order], x.dtype).transpose(back)
    moving.copy(out, views)
    np.testing.assert_array_equal(out, views, strict=True)


@settings(deadline=None)
@given(given_windows=windows())
def test_a_sum_over_windows_is_that_of_numpy(given_windows):
    x, (high, wide), _ = given_windows
    ours, numpys = np.zeros_like(x), np.zeros_like(x)
    down, right = x.shape[1] - high + 1, x.shape[2] - wide + 1
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((high * wide, len(x), down, right, x.shape[3])).astype(x.dtype)

    def views(of):
        return [of[:, i : i + down, j : j + right] for i in range(high) for j in range(wide)]

    moving.add_each(views(ours), parts)
    for view, part in zip(views(numpys), parts, strict=True):
        np.add(view, part, out=view)
    assert ours.tobytes() == numpys.tobytes()


def test_large_arrays_take_the_compiled_way():
    x = np.random.default_rng(0).standard_normal((16, 28, 28, 32)).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    assert moving._run(moving._COPIED, np.empty(views.shape, np.float32), views)


def test_what_is_known_is_not_kept_without_end():
    x = np.ones((64, 2000), np.float32)
    for wide in range(520, 520 + 2 * tables.KNOWN):
        moving.copy(np.empty((64, wide), np.float32), x[:, :wide])
    assert len(tables._KNOWN) <= tables.KNOWN
