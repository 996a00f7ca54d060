"""Functions that layers and losses share, written so that no finite input overflows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_softmax", "sigmoid", "softmax", "softplus"]


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + e^−x), exact to rounding at both ends.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: NDArray[Any]) -> NDArray[Any]:
    """log(1 + e^x).

    >>> softplus(np.array([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """e^x over its sum along `axis`.

    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    with np.errstate(over="ignore"):  # in float16 a difference may be below the range: e^−∞ is the right 0
        e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """The logarithm of `softmax`.

    >>> log_softmax(np.array([0.0, -1000.0])).tolist()
    [0.0, -1000.0]
    """
    with np.errstate(over="ignore"):
        shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
