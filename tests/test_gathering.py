"""Batches gathered by several threads: the samples that NumPy's `take` gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.compute import gathering
from minidl.training.batches import Batches

pytestmark = pytest.mark.usefixtures("llvm")


@settings(deadline=None)
@given(
    n=st.integers(1, 50),
    rows=st.integers(1, 200),
    shape=st.sampled_from([(), (3,), (28, 28), (1000, 3, 1)]),
    dtype=st.sampled_from(["f4", "f8", "u1", "i2", "?", "f2"]),
    kind=st.sampled_from(["i8", "i4", "u1"]),
)
def test_it_is_what_numpy_takes(n, rows, shape, dtype, kind):
    rng = np.random.default_rng(rows)
    x = (100 * rng.random((n, *shape))).astype(dtype)
    indices, out = rng.integers(0, n, rows).astype(kind), np.empty((rows, *shape), dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "LEAST", 0)
        take = gathering.bound_take(x, out)
    take(indices)
    np.testing.assert_array_equal(out, x[indices], strict=True)


@pytest.mark.parametrize("kept", ["array", "map", "reversed"])
def test_batches_are_those_of_numpy(kept, tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (700, 28, 28), np.uint8)
    if kept == "map":
        x.tofile(tmp_path / "x")
        given = np.memmap(tmp_path / "x", np.uint8, "r", shape=x.shape)
    else:
        given = x[::-1] if kept == "reversed" else x
    data, memory, seen = Batches(given, np.arange(700), batch_size=300), {}, 0
    order = data.order(True, 0, 0)
    for batch, y, _ in data.epoch(order, memory):
        np.testing.assert_array_equal(batch, np.asarray(given)[y], strict=True)
        seen += len(batch)
    assert seen == 700
