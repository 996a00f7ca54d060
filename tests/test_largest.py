"""The largest magnitude of an array, whatever is in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.compute import largest

pytestmark = pytest.mark.usefixtures("llvm")

SPECIAL = [0.0, -0.0, 1e-45, -1e-40, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]


@settings(deadline=None)
@given(
    n=st.integers(largest.LEAST, largest.LEAST + 5),
    dtype=st.sampled_from(["f4", "f8"]),
    entries=st.dictionaries(st.integers(0, largest.LEAST - 1), st.sampled_from(SPECIAL), max_size=4),
    scale=st.sampled_from([0.0, 1e-30, 1.0, 1e30]),
)
def test_it_is_that_of_numpy(n, dtype, entries, scale):
    x = (scale * np.random.default_rng(n).standard_normal(n)).astype(dtype)
    for place, value in entries.items():
        x[place] = value
    np.testing.assert_equal(largest.bound_largest(x)(), float(np.abs(x).max()))


def test_it_is_taken_anew_at_each_call():
    x = np.zeros(largest.LEAST, np.float32)
    found = largest.bound_largest(x)
    x[-1] = -7
    assert found() == 7


def test_other_arrays_are_left_to_numpy():
    long = np.zeros(2 * largest.LEAST)
    assert largest.bound_largest(long[: largest.LEAST - 1]) is None
    assert largest.bound_largest(long[::2]) is None
    assert largest.bound_largest(long.astype(np.float16)) is None
