"""Penalties on parameters that are added to the loss."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Configurable, Registry
from minidl.validation import numbers

__all__ = ["L1", "L1L2", "L2", "Regularizer", "registry"]


class Regularizer(Configurable):
    """The base of all regularizers: a penalty and its gradient."""

    def __call__(self, w: ArrayLike) -> float:
        """Return the penalty."""
        raise NotImplementedError(f"{type(self).__name__}: a regularizer must give __call__(w)")

    def gradient(self, w: ArrayLike) -> NDArray[Any]:
        """Return the penalty's gradient, in the shape and dtype of `w`."""
        raise NotImplementedError(f"{type(self).__name__}: a regularizer must give gradient(w)")


registry: Registry[Regularizer] = Registry("regularizer", Regularizer)


@registry.register("l1_l2")
class L1L2(Regularizer):
    """l1 · Σ|w| + l2 · Σw², with gradient l1 · sign(w) + 2 · l2 · w.

    Args:
        l1: The factor of the sum of sizes, at least 0.
        l2: The factor of the sum of squares, at least 0.

    Differs from: the optimizer hook `optimizers.L2` adds λw, so that its λ is twice this l2, and the
    loss doesn't show it.

    >>> L1L2(l1=0.5, l2=0.25)(np.array([3.0, -4.0]))
    9.75
    """

    ranges = {"l1": "[0, inf)", "l2": "[0, inf)"}

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = l1, l2

    def __call__(self, w: ArrayLike) -> float:
        w = numbers(type(self).__name__, "w", w).astype(np.float64)
        return self.l1 * float(np.abs(w).sum()) + self.l2 * float(np.vdot(w, w))

    def gradient(self, w: ArrayLike) -> NDArray[Any]:
        w = numbers(type(self).__name__, "w", w)
        return self.l1 * np.sign(w) + (2 * self.l2) * w


@registry.register("l1")
class L1(L1L2):
    """l1 · Σ|w|, with gradient l1 · sign(w).

    Args:
        l1: The factor, at least 0; its default is Keras's.

    >>> L1(0.5)([3.0, -4.0]), L1(0.5).gradient([3.0, -4.0]).tolist()
    (3.5, [0.5, -0.5])
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


@registry.register("l2")
class L2(L1L2):
    """l2 · Σw², with gradient 2 · l2 · w.

    Args:
        l2: The factor, at least 0; its default is Keras's.

    >>> L2(0.5)([3.0, -4.0]), L2(0.5).gradient([3.0, -4.0]).tolist()
    (12.5, [3.0, -4.0])
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)
