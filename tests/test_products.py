"""Products come out right in whichever form they are computed."""

import numpy as np
import pytest

from minidl.compute.reuse import make
from minidl.layers.products import outer_sum, row_sum, times, times_transposed


def fresh(name, shape):
    return np.full(shape, np.nan)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 13, 20, 48, 49, 100, 512])
@pytest.mark.parametrize("shape", [(784, 500), (500, 100), (3, 5), (1, 1), (16_000, 64)])
def test_products_equal_numpys(rows, shape):
    rng = np.random.default_rng(0)
    w, x, y = (rng.standard_normal(s) for s in (shape, (rows, shape[0]), (rows, shape[1])))
    for product, operands, expected in (
        (times, (x, w), x @ w),
        (times_transposed, (y, w), y @ w.T),
        (row_sum, (x,), x.sum(axis=0)),
        (outer_sum, (x, y), x.T @ y),
    ):
        found = np.full(expected.shape, np.nan)
        make(product(*operands, found, fresh))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
