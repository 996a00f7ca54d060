"""Keras's schedules, with its names, orders and units: all go by the optimizer's steps, from 0."""

from typing import Any

from minidl import schedules
from minidl.keras.face import Door, door, missing, refuse

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class LearningRateSchedule:
    """The base of a script's own schedules: a subclass gives `__call__(step)`."""

    def __call__(self, step: int) -> float:
        """Return the rate of the step of that index, from 0."""
        raise NotImplementedError(f"{type(self).__name__}: a schedule must give __call__(step)")


class ExponentialDecay(Door):
    """initial · decay_rate^(step / decay_steps)."""

    makes = (schedules.ExponentialDecay,)
    renames = {"initial_learning_rate": "initial"}

    @door
    def __new__(
        cls,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> Any: ...


class InverseTimeDecay(Door):
    """initial / (1 + decay_rate · step / decay_steps); with `staircase` the fraction is rounded down."""

    makes = (schedules.InverseTimeDecay,)
    renames = {"initial_learning_rate": "initial"}

    @door
    def __new__(
        cls,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> Any:
        return {"every": "step"}


class PiecewiseConstantDecay(Door):
    """values[k] up to and including the step boundaries[k]."""

    makes = (schedules.PiecewiseConstant,)

    @door
    def __new__(cls, boundaries: Any, values: Any, name: str = "PiecewiseConstant") -> Any:
        return {"boundaries": [int(boundary) + 1 for boundary in boundaries]}


class PolynomialDecay(Door):
    """A power of what is left of the steps, from the first rate to `end_learning_rate`."""

    makes = (schedules.PolynomialDecay,)
    renames = {"initial_learning_rate": "initial", "end_learning_rate": "final"}

    @door
    def __new__(
        cls,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> Any: ...


class CosineDecay(Door):
    """Half a cosine from the first rate to `alpha` times it; before it, if there is one, a straight line up."""

    makes = (schedules.CosineDecay, schedules.Warmup)

    def __new__(
        cls,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> Any:
        top = initial_learning_rate if warmup_target is None else warmup_target
        decay = schedules.CosineDecay(top, decay_steps=decay_steps, final=alpha * top)
        if warmup_target is None:
            if warmup_steps:
                raise refuse("keras CosineDecay", "warmup_steps", warmup_steps, "it needs a warmup_target")
            return decay
        return schedules.Warmup(decay, warmup_steps=warmup_steps, start=initial_learning_rate)


class CosineDecayRestarts(Door):
    """Half a cosine again and again: each time `t_mul` times as long, and `m_mul` times as high."""

    makes = (schedules.CosineRestarts,)
    renames = {"initial_learning_rate": "initial"}

    @door
    def __new__(
        cls,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> Any:
        return {"alpha": 0.0, "final": alpha * initial_learning_rate}


__getattr__ = missing("keras.optimizers.schedules", __all__)
