"""Matrix products of a few rows, in the forms in which BLAS is fastest.

OpenBLAS multiplies small matrices without copying them first, up to SMALL multiplications; beyond, a product of a few
rows takes up to twice as long as the same in parts, or as one of a few columns. Which form is taken hangs on the shapes
alone, so that the bits stay the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.reuse import Call

__all__ = ["outer_sum", "row_sum", "times", "times_transposed"]

Array = NDArray[Any]
Scratch = Callable[[str, tuple[int, ...]], Array]

SMALL = 1_000_000
FEW, MANY = 48, 512  # rows


def times(x: Array, w: Array, out: Array, scratch: Scratch) -> list[Call]:
    """Return the calls for x @ w in `out`; `scratch` gives an array of a name and a shape to use (see `Layer`)."""
    (rows, n), m = x.shape, w.shape[1]
    if rows * n * m <= SMALL or rows > FEW:
        return [(np.matmul, (x, w, out))]
    width = SMALL // (rows * n) // 32 * 32
    if width >= 64 and rows < 16:
        parts = [slice(start, start + width) for start in range(0, m, width)]
        return [(np.matmul, (x, w[:, part], out[:, part])) for part in parts]
    return _turned(w.T, x, out, scratch)


def times_transposed(x: Array, w: Array, out: Array, scratch: Scratch) -> list[Call]:
    """Return the calls for x @ w.T in `out`."""
    if 2 < len(x) <= FEW and w.size >= 2**14:
        return _turned(w, x, out, scratch)
    return [(np.matmul, (x, w.T, out))]


def outer_sum(x: Array, y: Array, out: Array, scratch: Scratch) -> list[Call]:
    """Return the calls for x.T @ y in `out`: the sum over rows of their outer products."""
    if len(x) != 1:
        return [(np.matmul, (x.T, y, out))]
    # NumPy doesn't hand a column by a row to BLAS; with a row of zeros it takes a twentieth.
    two_x, two_y = scratch("row of x", (2, x.shape[1])), scratch("row of y", (2, y.shape[1]))
    two_x[1] = two_y[1] = 0
    copies: list[Call] = [(np.positive, (x[0], two_x[0])), (np.positive, (y[0], two_y[0]))]
    return [*copies, (np.matmul, (two_x.T, two_y, out))]


def row_sum(x: Array, out: Array, scratch: Scratch) -> list[Call]:
    """Return the calls for the sum of all rows of x in `out`; BLAS adds many, in parallel, as a product with ones."""
    if len(x) < MANY:
        return [(np.add.reduce, (x, 0, None, out))]
    ones = scratch("ones", (len(x),))
    ones.fill(1)
    return [(np.matmul, (ones, x, out))]


def _turned(w: Array, x: Array, out: Array, scratch: Scratch) -> list[Call]:
    """Return the calls for (w @ x.T).T in `out`."""
    turned = scratch("turned", (len(w), len(x)))
    return [(np.matmul, (w, x.T, turned)), (np.positive, (turned.T, out))]
