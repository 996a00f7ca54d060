"""Hyperparameters that change while training: pure functions of an index.

Any hyperparameter of an optimizer may be a schedule: `Adam(learning_rate=CosineDecay(...))`. The index is
the number of steps done (`every="step"`) or of epochs done (`every="epoch"`); both start at 0. Any callable
of the step's index serves too: `SGD(lambda step: 0.1 / (1 + step))`.

A schedule that ends holds its last value for ever after.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from minidl.config import Configurable, Registry
from minidl.validation import describe, integer, number

__all__ = [
    "CorrectedEpsilon",
    "CosineDecay",
    "CosineRestarts",
    "ExponentialDecay",
    "Hyperparameter",
    "InverseTimeDecay",
    "PiecewiseConstant",
    "PolynomialDecay",
    "Schedule",
    "StepDecay",
    "Warmup",
    "registry",
]


class Schedule(Configurable):
    """The base of all schedules. A subclass overrides `value`, a pure function of the index."""

    every = "step"
    ranges = {"every": "'step' | 'epoch'"}

    def __call__(self, index: int) -> float:
        """Return the value at `index`, the number of steps or epochs done; infinity beyond the range of numbers.

        Raises:
            ValueError, TypeError: If `index` is negative, or no integer.
        """
        try:
            return self.value(integer(type(self).__name__, "index", index))
        except OverflowError:
            return math.inf

    def value(self, index: int) -> float:
        """Return the value at an `index` that has been checked."""
        raise NotImplementedError(f"{type(self).__name__}: a schedule must give value(index)")


registry: Registry[Schedule] = Registry("schedule", Schedule)

Hyperparameter: TypeAlias = float | Schedule | Callable[[int], float]


@registry.register("inverse_time_decay")
class InverseTimeDecay(Schedule):
    """initial / (1 + decay_rate · index / decay_steps), by default once an epoch.

    Args:
        initial: The value at index 0.
        decay_rate: At least 0; 0 is no decay.
        decay_steps: In how many steps or epochs the divisor grows by `decay_rate`; at least 1, the default.
        staircase: Whether it grows at once every `decay_steps`, not smoothly.
        every: "epoch" (default) or "step".

    Source: the learning-rate decay of the paper that this framework grew out of.
    Differs from: Keras's class of this name goes by steps.

    >>> [InverseTimeDecay(0.1, decay_rate=1.0)(epoch) for epoch in (0, 1, 3)]
    [0.1, 0.05, 0.025]
    """

    ranges = {"initial": "(-inf, inf)", "decay_rate": "[0, inf)", "decay_steps": "int [1, inf)", "staircase": "bool"}

    def __init__(
        self,
        initial: float,
        *,
        decay_rate: float,
        decay_steps: int = 1,
        staircase: bool = False,
        every: str = "epoch",
    ) -> None:
        self.initial = initial
        self.decay_rate = decay_rate
        self.decay_steps = decay_steps
        self.staircase = staircase
        self.every = every

    def value(self, index: int) -> float:
        grown = index // self.decay_steps if self.staircase else index / self.decay_steps
        return self.initial / (1 + self.decay_rate * grown)


@registry.register("exponential_decay")
class ExponentialDecay(Schedule):
    """initial · decay_rate^(index / decay_steps); with `staircase` the exponent is rounded down.

    Args:
        initial: The value at index 0.
        decay_rate: What remains after `decay_steps`; greater than 0.
        decay_steps: At least 1, in units of `every`.
        staircase: Whether to decay at once every `decay_steps`, not smoothly.
        every: "step" (default) or "epoch".

    >>> ExponentialDecay(0.1, decay_rate=0.5, decay_steps=10)(20)
    0.025
    """

    ranges = {"initial": "(-inf, inf)", "decay_rate": "(0, inf)", "decay_steps": "int [1, inf)", "staircase": "bool"}

    def __init__(
        self,
        initial: float,
        *,
        decay_rate: float,
        decay_steps: int = 1,
        staircase: bool = False,
        every: str = "step",
    ) -> None:
        self.initial = initial
        self.decay_rate = decay_rate
        self.decay_steps = decay_steps
        self.staircase = staircase
        self.every = every

    def value(self, index: int) -> float:
        exponent = index // self.decay_steps if self.staircase else index / self.decay_steps
        return float(self.initial * self.decay_rate**exponent)


@registry.register("step_decay")
class StepDecay(Schedule):
    """initial · factor^⌊index / step_size⌋, by default counted in epochs.

    Args:
        initial: The value at index 0.
        step_size: How long each value holds; at least 1.
        factor: What each drop multiplies by; greater than 0.
        every: "epoch" (default) or "step".

    Differs from: PyTorch's `StepLR` calls the factor gamma and its default is 0.1.

    >>> [StepDecay(0.8, step_size=10)(epoch) for epoch in (9, 10, 25)]
    [0.8, 0.4, 0.2]
    """

    ranges = {"initial": "(-inf, inf)", "step_size": "int [1, inf)", "factor": "(0, inf)"}

    def __init__(self, initial: float, *, step_size: int, factor: float = 0.5, every: str = "epoch") -> None:
        self.initial = initial
        self.step_size = step_size
        self.factor = factor
        self.every = every

    def value(self, index: int) -> float:
        return float(self.initial * self.factor ** (index // self.step_size))


@registry.register("piecewise_constant")
class PiecewiseConstant(Schedule):
    """values[k] from boundaries[k − 1] on, up to but not including boundaries[k].

    Args:
        values: One value more than boundaries.
        boundaries: Increasing indices of at least 1.
        every: "step" (default) or "epoch".

    Differs from: Keras takes the boundaries first and changes one step later, at index boundary + 1.

    >>> [PiecewiseConstant([0.1, 0.01], boundaries=[3])(step) for step in (2, 3)]
    [0.1, 0.01]
    """

    def __init__(self, values: Sequence[float], *, boundaries: Sequence[int], every: str = "step") -> None:
        self.values = [number("PiecewiseConstant", "values", value) for value in _listed("values", values)]
        self.boundaries = [
            integer("PiecewiseConstant", "boundaries", boundary, 1) for boundary in _listed("boundaries", boundaries)
        ]
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstant: values must be one more than boundaries. "
                f"Received: {len(self.values)} values, {len(self.boundaries)} boundaries"
            )
        if sorted(set(self.boundaries)) != self.boundaries:
            raise ValueError(f"PiecewiseConstant: boundaries must increase. Received: boundaries={self.boundaries}")
        self.every = every

    def value(self, index: int) -> float:
        return self.values[sum(index >= boundary for boundary in self.boundaries)]


def _listed(name: str, values: Any) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"PiecewiseConstant: {name} must be a list. Received: {name}={describe(values)}") from None


@registry.register("polynomial_decay")
class PolynomialDecay(Schedule):
    """final + (initial − final) · (1 − min(index, decay_steps) / decay_steps)^power.

    Args:
        initial: The value at index 0.
        decay_steps: After how many steps or epochs `final` is reached; at least 1.
        final: The value from then on.
        power: 1 (default) is a straight line; greater than 0.
        every: "step" (default) or "epoch".

    Differs from: Keras's `end_learning_rate` defaults to 0.0001.

    >>> PolynomialDecay(0.1, decay_steps=10)(5)
    0.05
    """

    ranges = {"initial": "(-inf, inf)", "decay_steps": "int [1, inf)", "final": "(-inf, inf)", "power": "(0, inf)"}

    def __init__(
        self,
        initial: float,
        *,
        decay_steps: int,
        final: float = 0.0,
        power: float = 1.0,
        every: str = "step",
    ) -> None:
        self.initial = initial
        self.decay_steps = decay_steps
        self.final = final
        self.power = power
        self.every = every

    def value(self, index: int) -> float:
        left = 1 - min(index, self.decay_steps) / self.decay_steps
        return float(self.final + (self.initial - self.final) * left**self.power)


@registry.register("cosine_decay")
class CosineDecay(Schedule):
    """final + (initial − final) · (1 + cos(π · min(index, decay_steps) / decay_steps)) / 2.

    Args:
        initial: The value at index 0.
        decay_steps: After how many steps or epochs `final` is reached; at least 1.
        final: The value from then on.
        every: "step" (default) or "epoch".

    Source: Loshchilov, Hutter, SGDR: stochastic gradient descent with warm restarts, 2017 (one cycle).
    Differs from: Keras gives the end as `alpha`, a fraction of `initial`.

    >>> round(CosineDecay(0.1, decay_steps=10)(5), 12)
    0.05
    """

    ranges = {"initial": "(-inf, inf)", "decay_steps": "int [1, inf)", "final": "(-inf, inf)"}

    def __init__(self, initial: float, *, decay_steps: int, final: float = 0.0, every: str = "step") -> None:
        self.initial = initial
        self.decay_steps = decay_steps
        self.final = final
        self.every = every

    def value(self, index: int) -> float:
        angle = math.pi * min(index, self.decay_steps) / self.decay_steps
        return self.final + (self.initial - self.final) * (1 + math.cos(angle)) / 2


@registry.register("cosine_restarts")
class CosineRestarts(Schedule):
    """A cosine decay again and again, each `t_mul` times as long and `m_mul` times as high as the one before.

    In decay number i, which lasts first_decay_steps · t_mulⁱ, at the fraction f of it:
    final + (initial − final) · m_mulⁱ · (1 + cos(π f)) / 2.

    Args:
        initial: The value at index 0.
        first_decay_steps: How long the first decay lasts; at least 1.
        t_mul: At least 1.
        m_mul: Greater than 0.
        final: What each decay ends at.
        every: "step" (default) or "epoch".

    Source: Loshchilov, Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    Differs from: Keras gives the end as `alpha`, a fraction of `initial`.

    >>> rate = CosineRestarts(0.1, first_decay_steps=2)
    >>> [round(rate(step), 12) for step in (0, 1, 2, 4, 6)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """

    ranges = {
        "initial": "(-inf, inf)",
        "first_decay_steps": "int [1, inf)",
        "t_mul": "[1, inf)",
        "m_mul": "(0, inf)",
        "final": "(-inf, inf)",
    }

    def __init__(
        self,
        initial: float,
        *,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        final: float = 0.0,
        every: str = "step",
    ) -> None:
        self.initial = initial
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.final = final
        self.every = every

    def value(self, index: int) -> float:
        length = float(self.first_decay_steps)
        number, into = divmod(index, length) if self.t_mul == 1 else (0, index)
        while into >= length:
            number, into, length = number + 1, into - length, length * self.t_mul
        height = self.m_mul**number * (1 + math.cos(math.pi * into / length)) / 2
        return float(self.final + (self.initial - self.final) * height)


@registry.register("warmup")
class Warmup(Schedule):
    """A straight line from `start` to a schedule's first value, then that schedule from its index 0.

    At index i < warmup_steps it is start + (after(0) − start) · i / warmup_steps; from then on
    after(i − warmup_steps). So the first step runs at `start`, the step of index `warmup_steps` at the
    full value, and nothing of the schedule is skipped.

    Args:
        after: A number, a schedule, or any callable of an index.
        warmup_steps: At least 1, in units of `every`.
        start: The value at index 0.
        every: "step" or "epoch"; by default that of the schedule in `after`, which must have the same, else "step".

    Differs from: frameworks join the two in several ways; Optax joins as here.

    >>> rate = Warmup(0.1, warmup_steps=4)
    >>> [rate(step) for step in (0, 1, 4, 100)]
    [0.0, 0.025, 0.1, 0.1]
    """

    ranges = {"warmup_steps": "int [1, inf)", "start": "(-inf, inf)"}

    def __init__(
        self, after: Hyperparameter | dict[str, Any], *, warmup_steps: int, start: float = 0.0, every: str | None = None
    ) -> None:
        if isinstance(after, dict):
            after = registry.get(after)
        if isinstance(after, type):
            raise TypeError(f"Warmup: after must be a number or a schedule. Received: after={describe(after)}")
        self.after = after if callable(after) else number("Warmup", "after", after)
        self.warmup_steps = warmup_steps
        self.start = start
        inner = after.every if isinstance(after, Schedule) else "step"
        self.every = inner if every is None else every
        if isinstance(after, Schedule) and self.every != inner:
            raise ValueError(
                f"Warmup: every must be the same as the schedule's. "
                f"Received: every={self.every!r}, the schedule's every={after.every!r}"
            )

    def value(self, index: int) -> float:
        if index < self.warmup_steps:
            return self.start + (self._after(0) - self.start) * index / self.warmup_steps
        return self._after(index - self.warmup_steps)

    def _after(self, index: int) -> float:
        return self.after(index) if callable(self.after) else self.after


@registry.register("corrected_epsilon")
class CorrectedEpsilon(Schedule):
    """ε / √(1 − β₂ᵗ) at step t = index + 1: with it as its ε, `Adam` is that of Keras and scikit-learn.

    These add ε to the square root of the second moment before that is corrected for its start at 0, so that it is the
    larger the earlier the step.

    Args:
        epsilon: ε, at least 0.
        beta_2: β₂, in [0, 1), the optimizer's.

    >>> round(CorrectedEpsilon(1e-7, beta_2=0.75)(0), 12)
    2e-07
    """

    ranges = {"epsilon": "[0, inf)", "beta_2": "[0, 1)"}

    def __init__(self, epsilon: float, *, beta_2: float = 0.999) -> None:
        self.epsilon = epsilon
        self.beta_2 = beta_2

    def value(self, index: int) -> float:
        return float(self.epsilon / (1 - self.beta_2 ** (index + 1)) ** 0.5)
