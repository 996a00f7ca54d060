"""Data sets made by a formula and a seed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe, integer, number

__all__ = ["make_moons"]


def make_moons(
    n_samples: int = 100,
    *,
    noise: float | None = None,
    shuffle: bool = True,
    seed: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
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
    scale = None if noise is None else number("make_moons", "noise", noise, "[0, inf)")
    rng = _legacy(seed)
    upper, lower = np.linspace(0, np.pi, n // 2), np.linspace(0, np.pi, n - n // 2)
    x = np.concatenate(
        [
            np.stack([np.cos(upper), np.sin(upper)], axis=1),
            np.stack([1 - np.cos(lower), 1 - np.sin(lower) - 0.5], axis=1),
        ]
    )
    y = np.concatenate([np.zeros(n // 2, np.int64), np.ones(n - n // 2, np.int64)])
    if shuffle:
        order = np.arange(n)
        rng.shuffle(order)
        x, y = x[order], y[order]
    if scale is not None:
        x += rng.normal(scale=scale, size=x.shape)
    return x, y


def _legacy(seed: Any) -> np.random.RandomState:
    if isinstance(seed, np.random.RandomState):
        return seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
        raise TypeError(f"make_moons: seed must be an integer, a RandomState or None. Received: seed={describe(seed)}")
    if seed is not None and not 0 <= seed < 2**32:
        raise ValueError(f"make_moons: seed must be in [0, 2**32). Received: seed={seed}")
    return np.random.RandomState(seed)
