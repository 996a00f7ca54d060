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

__all__ = ["outer_sum", "row_sum", "times", "times_transposed"]

Array = NDArray[Any]
Scratch = Callable[[str, tuple[int, ...]], Array]

SMALL = 1_000_000
FEW, MANY = 48, 512  # rows


def times(x: Array, w: Array, out: Array, scratch: Scratch) -> Array:
    """Return x @ w in `out`; `scratch` gives an array of a name and a shape to write into (see `Layer`)."""
    (rows, n), m = x.shape, w.shape[1]
    if rows * n * m <= SMALL or rows > FEW:
        return np.matmul(x, w, out=out)
    width = SMALL // (rows * n) // 32 * 32
    if width >= 64 and rows < 16:
        for start in range(0, m, width):
            part = slice(start, start + width)
            np.matmul(x, w[:, part], out=out[:, part])
        return out
    return _turned(w.T, x, out, scratch)


def times_transposed(x: Array, w: Array, out: Array, scratch: Scratch) -> Array:
    """Return x @ w.T in `out`."""
    if 2 < len(x) <= FEW and w.size >= 2**14:
        return _turned(w, x, out, scratch)
    return np.matmul(x, w.T, out=out)


def outer_sum(x: Array, y: Array, out: Array, scratch: Scratch) -> Array:
    """Return x.T @ y in `out`: the sum over rows of their outer products."""
    if len(x) == 1:  # NumPy doesn't hand a column by a row to BLAS; with a row of zeros it takes a twentieth
        x, y = (
            _with_zeros(x, scratch("row of x", (2, x.shape[1]))),
            _with_zeros(y, scratch("row of y", (2, y.shape[1]))),
        )
    return np.matmul(x.T, y, out=out)


def row_sum(x: Array, out: Array, scratch: Scratch) -> Array:
    """Return the sum of all rows of x in `out`; that of many is a product with ones, which BLAS adds in parallel."""
    if len(x) < MANY:
        return np.add.reduce(x, axis=0, out=out)
    ones = scratch("ones", (len(x),))
    ones.fill(1)
    return np.matmul(ones, x, out=out)


def _with_zeros(row: Array, out: Array) -> Array:
    out[0], out[1] = row[0], 0
    return out


def _turned(w: Array, x: Array, out: Array, scratch: Scratch) -> Array:
    """Return (w @ x.T).T in `out`."""
    np.copyto(out, np.matmul(w, x.T, out=scratch("turned", (len(w), len(x)))).T)
    return out
