"""Data sets made by a formula and a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import checked
from minidl.validation import describe, flag, integer, number, numbers

__all__ = ["make_blobs", "make_circles", "make_moons", "make_spirals"]


Data = tuple[NDArray[np.float64], NDArray[np.int64]]
Seed = int | np.random.RandomState | None


@checked
def make_moons(n_samples: int = 100, *, noise: float | None = None, shuffle: bool = True, seed: Seed = None) -> Data:
    """Return two interleaved half circles: x of shape (n_samples, 2), and labels 0 (upper) and 1 (lower).

    With the same seed these are scikit-learn's numbers, one for one; so the generator is NumPy's legacy
    `RandomState`. For one sigmoid output the labels need a second axis: `y[:, None]`.

    Args:
        n_samples: At least 2; the upper moon gets the smaller half.
        noise: The standard deviation of normal noise on both coordinates, at least 0; None adds none.
        shuffle: Whether the samples are in random order.
        seed: An integer, a `RandomState` to go on drawing from, or None for a fresh one.

    Source: scikit-learn's `sklearn.datasets.make_moons`.

    >>> x, y = make_moons(4, shuffle=False)
    >>> x.round(6).tolist(), y.tolist()
    ([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [2.0, 0.5]], [0, 0, 1, 1])
    """
    n = integer("make_moons", "n_samples", n_samples, 2)
    upper, lower = np.linspace(0, np.pi, n // 2), np.linspace(0, np.pi, n - n // 2)
    parts = [
        np.stack([np.cos(upper), np.sin(upper)], axis=1),
        np.stack([1 - np.cos(lower), 1 - np.sin(lower) - 0.5], axis=1),
    ]
    return _finish("make_moons", parts, noise, shuffle, seed)


@checked
def make_circles(
    n_samples: int = 100, *, noise: float | None = None, factor: float = 0.8, shuffle: bool = True, seed: Seed = None
) -> Data:
    """Return two circles, one inside the other: x of shape (n_samples, 2), and labels 0 (outer) and 1 (inner).

    With the same seed these are scikit-learn's numbers, one for one.

    Args:
        n_samples: At least 2; the outer circle gets the smaller half.
        noise: The standard deviation of normal noise on both coordinates, at least 0; None adds none.
        factor: The inner radius, in [0, 1); the outer is 1.
        shuffle: Whether the samples are in random order.
        seed: An integer, a `RandomState` to go on drawing from, or None for a fresh one.

    Source: scikit-learn's `sklearn.datasets.make_circles`.

    >>> x, y = make_circles(4, factor=0.5, shuffle=False)
    >>> x.round(6).tolist(), y.tolist()
    ([[1.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [-0.5, 0.0]], [0, 0, 1, 1])
    """
    n = integer("make_circles", "n_samples", n_samples, 2)
    factor = number("make_circles", "factor", factor, "[0, 1)")
    outer = np.linspace(0, 2 * np.pi, n // 2, endpoint=False)
    inner = np.linspace(0, 2 * np.pi, n - n // 2, endpoint=False)
    parts = [
        np.stack([np.cos(outer), np.sin(outer)], axis=1),
        np.stack([np.cos(inner) * factor, np.sin(inner) * factor], axis=1),
    ]
    return _finish("make_circles", parts, noise, shuffle, seed)


@checked
def make_spirals(
    n_samples: int = 100,
    *,
    classes: int = 2,
    turns: float = 1.0,
    noise: float | None = None,
    shuffle: bool = True,
    seed: Seed = None,
) -> Data:
    """Return spirals that wind round each other: x of shape (n_samples, 2), and labels 0 .. classes − 1.

    The i-th of a spiral's m samples has the radius r = (i + 1) / m and the angle 2π (turns · r + class / classes).

    Args:
        n_samples: At least as many as classes; the first spirals get what doesn't divide.
        classes: How many spirals, at least 1.
        turns: How often each winds round the origin, a finite number.
        noise: The standard deviation of normal noise on both coordinates, at least 0; None adds none.
        shuffle: Whether the samples are in random order.
        seed: An integer, a `RandomState` to go on drawing from, or None for a fresh one.

    >>> x, y = make_spirals(4, shuffle=False)
    >>> x.round(6).tolist(), y.tolist()
    ([[-0.5, 0.0], [1.0, -0.0], [0.5, -0.0], [-1.0, 0.0]], [0, 0, 1, 1])
    """
    classes = integer("make_spirals", "classes", classes, 1)
    n = integer("make_spirals", "n_samples", n_samples, classes)
    turns = number("make_spirals", "turns", turns)
    parts = []
    for label, size in enumerate(_shares(n, classes)):
        r = np.arange(1, size + 1) / size
        angle = 2 * np.pi * (turns * r + label / classes)
        parts.append(np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1))
    return _finish("make_spirals", parts, noise, shuffle, seed)


@checked
def make_blobs(
    n_samples: int = 100,
    *,
    centers: int | ArrayLike = 3,
    n_features: int = 2,
    cluster_std: float = 1.0,
    center_box: tuple[float, float] = (-10.0, 10.0),
    shuffle: bool = True,
    seed: Seed = None,
) -> Data:
    """Return normal clouds: x of shape (n_samples, n_features), and the number of each sample's cloud.

    With the same seed these are scikit-learn's numbers, one for one.

    Args:
        n_samples: At least as many as centers; the first clouds get what doesn't divide.
        centers: How many clouds, drawn uniformly from the box; or their finite centers, shape (clouds, n_features).
        n_features: The number of coordinates, where centers are drawn; at least 1.
        cluster_std: The standard deviation of each coordinate, at least 0.
        center_box: The least and the greatest coordinate of a center that is drawn, a pair in that order.
        shuffle: Whether the samples are in random order.
        seed: An integer, a `RandomState` to go on drawing from, or None for a fresh one.

    Source: scikit-learn's `sklearn.datasets.make_blobs`.

    >>> x, y = make_blobs(4, centers=[[0.0, 0.0], [5.0, 5.0]], cluster_std=0.0, shuffle=False)
    >>> x.tolist(), y.tolist()
    ([[0.0, 0.0], [0.0, 0.0], [5.0, 5.0], [5.0, 5.0]], [0, 0, 1, 1])
    """
    std = number("make_blobs", "cluster_std", cluster_std, "[0, inf)")
    low, high = _box(center_box)
    shuffle = flag("make_blobs", "shuffle", shuffle)
    given = numbers("make_blobs", "centers", centers)
    if given.ndim == 0:
        shape = (integer("make_blobs", "centers", centers, 1), integer("make_blobs", "n_features", n_features, 1))
        n = integer("make_blobs", "n_samples", n_samples, shape[0])
        rng = _legacy("make_blobs", seed)
        means = rng.uniform(low, high, shape)
    else:
        means = given.astype(np.float64)
        if means.ndim != 2 or not means.size:
            raise ValueError(
                f"make_blobs: centers must have shape (clouds, features), at least one of each. "
                f"Received: shape {means.shape}"
            )
        if not np.isfinite(means).all():
            raise ValueError(f"make_blobs: centers must be finite. Received: {describe(centers)}")
        n = integer("make_blobs", "n_samples", n_samples, len(means))
        rng = _legacy("make_blobs", seed)
    parts = [
        rng.normal(mean, std, (size, means.shape[1])) for mean, size in zip(means, _shares(n, len(means)), strict=True)
    ]
    return _finish("make_blobs", parts, None, shuffle, rng)


def _box(given: Any) -> tuple[float, float]:
    """Return the ends of a box of centers."""
    message = f"make_blobs: center_box must be (low, high). Received: center_box={describe(given)}"
    try:
        low, high = given
    except TypeError:
        raise TypeError(message) from None
    except ValueError:
        raise ValueError(message) from None
    low, high = number("make_blobs", "center_box", low), number("make_blobs", "center_box", high)
    if low > high:
        raise ValueError(message)
    return low, high


def _shares(n: int, parts: int) -> list[int]:
    """Return n cut into parts as equal as can be, the first ones larger."""
    return [n // parts + (i < n % parts) for i in range(parts)]


def _finish(owner: str, parts: Sequence[NDArray[np.float64]], noise: float | None, shuffle: bool, seed: Seed) -> Data:
    """Return the parts as one data set, each with its number as label, shuffled and with noise."""
    scale = None if noise is None else number(owner, "noise", noise, "[0, inf)")
    shuffle = flag(owner, "shuffle", shuffle)
    rng = _legacy(owner, seed)
    x = np.concatenate(parts)
    y = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    if shuffle:
        order = np.arange(len(x))
        rng.shuffle(order)
        x, y = x[order], y[order]
    if scale is not None:
        x += rng.normal(scale=scale, size=x.shape)
    return x, y


def _legacy(owner: str, seed: Any) -> np.random.RandomState:
    if isinstance(seed, np.random.RandomState):
        return seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
        raise TypeError(f"{owner}: seed must be an integer, a RandomState or None. Received: seed={describe(seed)}")
    if seed is not None and not 0 <= seed < 2**32:
        raise ValueError(f"{owner}: seed must be in [0, 2**32). Received: seed={seed}")
    return np.random.RandomState(seed)
