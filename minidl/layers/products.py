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

__all__ = ["outer_sum", "times", "times_transposed"]

Array = NDArray[Any]
Scratch = Callable[[tuple[int, int]], Array]

SMALL = 1_000_000
FEW = 48  # rows


def times(x: Array, w: Array, out: Array, scratch: Scratch) -> Array:
    """Return x @ w in `out`; `scratch` gives an array of a shape to write into."""
    (rows, n), m = x.shape, w.shape[1]
    width = SMALL // (rows * n) if rows else m
    if width >= m or rows > FEW:
        return np.matmul(x, w, out=out)
    if width >= 64:
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


def outer_sum(x: Array, y: Array, out: Array) -> Array:
    """Return x.T @ y in `out`: the sum over rows of their outer products."""
    if len(x) == 1:  # for which BLAS takes twenty times as long
        return np.multiply(x.T, y, out=out)
    return np.matmul(x.T, y, out=out)


def _turned(w: Array, x: Array, out: Array, scratch: Scratch) -> Array:
    """Return (w @ x.T).T in `out`."""
    np.copyto(out, np.matmul(w, x.T, out=scratch((len(w), len(x)))).T)
    return out
