"""Splits: which samples train, and which are kept apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe, number

__all__ = ["class_labels", "split_indices"]

Array = NDArray[Any]


def split_indices(
    n: int,
    fraction: float,
    rng: np.random.Generator,
    labels: Array | None = None,
    owner: str = "split",
    name: str = "fraction",
) -> tuple[Array, Array]:
    """Return the indices, each in increasing order, of a random split: the rest, and a `fraction` of n samples.

    With `labels` the split is stratified: each class gives its share, rounded so that the total is that of a
    plain split. `owner` and `name` say in errors whose fraction it is, and what it is called there.

    Raises:
        ValueError: If a part would be empty.
    """
    fraction = number(owner, name, fraction, "(0, 1)")
    size = round(n * fraction)
    if not 0 < size < n:
        raise ValueError(f"{owner}: both parts must have samples. Received: {size} of {n} samples, {name}={fraction}")
    if labels is None:
        chosen = rng.permutation(n)[:size]
    else:
        classes, counts = np.unique(labels, return_counts=True)
        shares = counts * size / n
        sizes = np.floor(shares).astype(int)
        # Those who lost most by rounding down get the places that are left.
        sizes[np.argsort(sizes - shares, kind="stable")[: size - sizes.sum()]] += 1
        parts = [rng.permutation(np.flatnonzero(labels == c))[:count] for c, count in zip(classes, sizes, strict=True)]
        chosen = np.concatenate(parts)
    mask = np.zeros(n, bool)
    mask[chosen] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def class_labels(y: Array, owner: str = "fit", name: str = "y") -> Array:
    """Return the class of each sample, from integers or one-hot rows; `owner` and `name` are what errors call it.

    Raises:
        ValueError: If `y` holds no classes.
    """
    if y.dtype.kind in "fiub":
        if y.ndim == 2 and y.shape[1] > 1:
            if ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
                return y.argmax(axis=1)
        elif y.ndim and y.size == len(y):
            with np.errstate(invalid="ignore"):  # NaN and what is too large become numbers that aren't equal
                labels = y.astype(int)
            if np.array_equal(y, labels):
                return labels.reshape(-1)
    raise ValueError(f"{owner}: classes must be integers or one-hot rows. Received: {name}={describe(y)}")
