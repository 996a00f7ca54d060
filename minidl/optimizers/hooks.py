"""What can be done around any rule: clipping, L2 and decoupled weight decay.

A hook is put on an optimizer by `optimizer.hooks.append(ClipByGlobalNorm(1.0))`. Each step calls `before` of
every hook, in their order, then the rule, then `after` of every hook, in their order. A hook gets the step's
spans: `span.grad` is a copy of the gradient, never the caller's own, and `span.data` is what the rule reads
and writes. A `before` that raises leaves the parameters as they were, if it left `span.data` alone.

    class MaxNorm(Hook):
        def after(self, spans):
            for span in spans:
                np.clip(span.data, -1, 1, out=span.data)
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.config import Configurable, Registry
from minidl.optimizers.spans import Span

__all__ = ["L2", "ClipByGlobalNorm", "ClipByNorm", "ClipByValue", "Hook", "WeightDecay", "registry"]


class Hook(Configurable):
    """The base of all hooks; a subclass overrides `before`, `after` or both.

    A subclass may declare the `ranges` of its numbers and flags, as text such as "[0, 1)", or "bool"; each is then
    checked whenever it is assigned, in the constructor too.
    """

    def before(self, spans: Sequence[Span]) -> None:
        """Change gradients before the rule."""

    def after(self, spans: Sequence[Span]) -> None:
        """Change values after the rule."""


registry: Registry[Hook] = Registry("hook", Hook)


@registry.register("clip_by_global_norm")
class ClipByGlobalNorm(Hook):
    """g ← g · min(1, max_norm / ‖g‖), with one Euclidean norm over all trainable parameters.

    The direction is kept; a gradient within the bound is left exactly as it is.

    Args:
        max_norm: Greater than 0.

    Source: Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, 2013.
    Differs from: Keras's `clipnorm` takes one norm a parameter, its `global_clipnorm` is this; PyTorch
    divides by ‖g‖ + 1e-6.

    >>> w, optimizer = Parameter(np.zeros(2)), minidl.optimizers.SGD(1.0)
    >>> w.grad, optimizer.hooks = [3.0, 4.0], [ClipByGlobalNorm(2.5)]
    >>> optimizer.step([w]); w.data.round(12).tolist()
    [-1.5, -2.0]
    """

    ranges = {"max_norm": "(0, inf)"}

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def before(self, spans: Sequence[Span]) -> None:
        _clip([span.grad for span in spans], self.max_norm)


@registry.register("clip_by_norm")
class ClipByNorm(Hook):
    """g ← g · min(1, max_norm / ‖g‖), with a Euclidean norm for each parameter.

    The direction of the whole gradient isn't kept: `ClipByGlobalNorm` is usually the better choice.

    Args:
        max_norm: Greater than 0.

    Source: Keras's `clipnorm`.

    >>> w, b, optimizer = Parameter(np.zeros(2)), Parameter(np.zeros(1)), minidl.optimizers.SGD(1.0)
    >>> w.grad, b.grad, optimizer.hooks = [3.0, 4.0], [0.5], [ClipByNorm(2.5)]
    >>> optimizer.step([w, b]); w.data.round(12).tolist(), b.data.tolist()
    ([-1.5, -2.0], [-0.5])
    """

    ranges = {"max_norm": "(0, inf)"}

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def before(self, spans: Sequence[Span]) -> None:
        for span in spans:
            ends = np.cumsum([parameter.size for parameter in span.parameters])[:-1]
            for grad in np.split(span.grad, ends) if len(ends) else [span.grad]:
                _clip([grad], self.max_norm)


@registry.register("clip_by_value")
class ClipByValue(Hook):
    """g ← min(max(g, −limit), limit), entry by entry.

    Args:
        limit: Greater than 0.

    Source: Keras's `clipvalue`.

    >>> w, optimizer = Parameter(np.zeros(2)), minidl.optimizers.SGD(1.0)
    >>> w.grad, optimizer.hooks = [3.0, 0.25], [ClipByValue(0.5)]
    >>> optimizer.step([w]); w.data.tolist()
    [-0.5, -0.25]
    """

    ranges = {"limit": "(0, inf)"}

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def before(self, spans: Sequence[Span]) -> None:
        for span in spans:
            limit = min(self.limit, float(np.finfo(span.grad.dtype).max))
            np.clip(span.grad, -limit, limit, out=span.grad)


@registry.register("l2")
class L2(Hook):
    """g ← g + decay · w: the gradient of decay / 2 · Σw², which the rule then scales like any gradient.

    A parameter's `weight_decay_multiplier` multiplies `decay`.

    Args:
        decay: At least 0.

    Differs from: `WeightDecay` under every rule but SGD; `regularizers.L2(l2)` is `decay` = 2 · l2, of the
    layers that have it, and shows in the loss. PyTorch's `weight_decay` of SGD and Adam is this.

    >>> w, optimizer = Parameter(np.array([2.0])), minidl.optimizers.SGD(0.5)
    >>> w.grad, optimizer.hooks = [1.0], [L2(0.25)]
    >>> optimizer.step([w]); w.data.tolist()  # 2 − 0.5 · (1 + 0.25 · 2)
    [1.25]
    """

    ranges = {"decay": "[0, inf)"}

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def before(self, spans: Sequence[Span]) -> None:
        for span in spans:
            span.grad += self.decay * span.weight_decay_multiplier * span.data


@registry.register("weight_decay")
class WeightDecay(Hook):
    """w ← (1 − learning_rate · decay) · w, apart from the gradient ("decoupled").

    It shrinks the values right before the rule moves them, so that a rule whose step doesn't read w
    computes w − learning_rate · decay · w − step, as the paper does. With a zero gradient SGD shrinks by
    exactly that factor. The learning rate is the one in force, schedule and multiplier included; a
    parameter's `weight_decay_multiplier` multiplies `decay`.

    Args:
        decay: At least 0; usual values are 0.001 to 0.1.

    Source: Loshchilov, Hutter, Decoupled weight decay regularization, 2019, Algorithm 2 with α = 1.
    Differs from: in the paper the schedule alone multiplies `decay`; PyTorch, Keras and Optax multiply it by the
    learning rate, as here.

    >>> w, optimizer = Parameter(np.array([2.0])), minidl.optimizers.SGD(0.5)
    >>> w.grad, optimizer.hooks = [1.0], [WeightDecay(0.25)]
    >>> optimizer.step([w]); w.data.tolist()  # (1 − 0.5 · 0.25) · 2 − 0.5 · 1
    [1.25]
    """

    ranges = {"decay": "[0, inf)"}

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def before(self, spans: Sequence[Span]) -> None:
        for span in spans:
            span.shrink *= 1 - span.learning_rate * (self.decay * span.weight_decay_multiplier)


def _clip(arrays: Sequence[np.ndarray[Any, Any]], max_norm: float) -> None:
    """Scale arrays in place, all alike, so that their norm together is at most that."""
    largest, ratio = _norm(arrays)
    if largest * ratio > max_norm:
        for array in arrays:
            # Two factors: the norm itself may be too large for the gradient's dtype.
            np.divide(array, largest, out=array)
            np.multiply(array, max_norm / ratio, out=array)


def _norm(arrays: Sequence[np.ndarray[Any, Any]]) -> tuple[float, float]:
    """Return the largest entry's size and by how much the Euclidean norm of all entries exceeds it.

    >>> _norm([np.array([3e200]), np.array([[-4e200]])])
    (4e+200, 1.25)
    """
    largest = max((float(np.abs(array).max(initial=0)) for array in arrays), default=0.0)
    if largest == 0:
        return 0.0, 1.0
    scaled = (array / largest for array in arrays)
    return largest, math.sqrt(sum(float(np.vdot(array, array)) for array in scaled))
