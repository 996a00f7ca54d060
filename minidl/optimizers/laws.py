"""What a rule may say of itself, so that it can be proven: laws.

Any formula is a legal rule, so which properties a rule must have is for its author to say. A class names them:

    class Lion(Optimizer):
        laws = (SignSymmetric(), Homogeneous(0), ConstantGradient(lambda g, t, **_: np.sign(g)))

`testing.check_optimizer` proves each of them on drawn examples. Keywords beyond a law's own pin hyperparameters to the
values at which it holds: `Homogeneous(0, epsilon=0.0)`; all others are drawn. Laws hold for all numbers of a run
in double precision, to rounding. A subclass inherits its base's laws unless it names its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from minidl.config import Checked

__all__ = [
    "BoundedStep",
    "Coasts",
    "ConstantGradient",
    "DescentDirection",
    "FirstStep",
    "Homogeneous",
    "Impulse",
    "Law",
    "Linear",
    "LookAhead",
    "OneStep",
    "ProportionalToRate",
    "ReducesTo",
    "Rests",
    "Shrinks",
    "SignSymmetric",
]

Formula = Callable[..., Any]


class Law(metaclass=Checked):
    """The base of all laws: a statement, and the hyperparameters at which it holds."""

    def __init__(self, **at: Any) -> None:
        """Take the hyperparameters' values, by name."""
        self.at = at

    def __repr__(self) -> str:
        shown = [f"{value!r}" for name, value in vars(self).items() if name != "at" and not callable(value)]
        shown += [f"{name}={value!r}" for name, value in self.at.items() if not callable(value)]
        return f"{type(self).__name__}({', '.join(shown)})"


class SignSymmetric(Law):
    """Negating the start and every gradient negates all that follows."""


class Rests(Law):
    """From the start, a zero gradient moves nothing, to the bit."""


class DescentDirection(Law):
    """The first step goes against the gradient in every entry, and nowhere where the gradient is zero."""


class ProportionalToRate(Law):
    """Whatever went before, a step is proportional to the learning rate in force."""


class Linear(Law):
    """Steps add up: the sum of two runs' gradients makes the sum of their steps."""


class LookAhead(Law):
    """It is Nesterov's method: with w = θ − η μ v, θ takes the steps v ← μ v + ∇f(θ − η μ v); θ ← θ − η v."""


class Homogeneous(Law):
    """Gradients times c > 0 multiply every step by c to the power `degree`: 0 is scale invariance."""

    def __init__(self, degree: int, **at: Any) -> None:
        """Take the degree, then hyperparameters to pin."""
        super().__init__(**at)
        self.degree = degree


class FirstStep(Law):
    """The first step has the size `size` · η, against the sign of the gradient, however large that is."""

    def __init__(self, size: float = 1.0, **at: Any) -> None:
        """Take the size in learning rates, then hyperparameters to pin."""
        super().__init__(**at)
        self.size = size


class BoundedStep(Law):
    """No entry ever moves farther than `size` · η in a step."""

    def __init__(self, size: float = 1.0, **at: Any) -> None:
        """Take the size in learning rates, then hyperparameters to pin."""
        super().__init__(**at)
        self.size = size


class Coasts(Law):
    """While gradients are zero, each step after the first is the one before times the hyperparameter `factor`."""

    def __init__(self, factor: str = "momentum", **at: Any) -> None:
        """Take the factor's name, then hyperparameters to pin."""
        super().__init__(**at)
        self.factor = factor


class Shrinks(Law):
    """With zero gradients, each step multiplies w by 1 − η times the hyperparameter called `decay`."""

    def __init__(self, decay: str = "weight_decay", **at: Any) -> None:
        """Take the decay's name, then hyperparameters to pin."""
        super().__init__(**at)
        self.decay = decay


class ConstantGradient(Law):
    """With the same gradient g at every step, step t is −η · `step(g, t, **hyperparameters)`."""

    def __init__(self, step: Formula, **at: Any) -> None:
        """Take the closed form, a function of an array, a count from 1 and numbers, then hyperparameters to pin."""
        super().__init__(**at)
        self.step = step


class Impulse(Law):
    """With the gradient g at the first step and zeros from then on, step t is −η · `step(g, t, **hyperparameters)`."""

    def __init__(self, step: Formula, **at: Any) -> None:
        """Take the closed form, a function of an array, a count from 1 and numbers, then hyperparameters to pin."""
        super().__init__(**at)
        self.step = step


class OneStep(Law):
    """From w with the gradient g, the first step is −η · `step(w, g, **hyperparameters)`."""

    def __init__(self, step: Formula, **at: Any) -> None:
        """Take the formula, a function of two arrays and numbers, then hyperparameters to pin."""
        super().__init__(**at)
        self.step = step


class ReducesTo(Law):
    """At the pinned values it takes the steps of `other`, the registered name of a rule, at the values `there`.

    A value may be a schedule, or any callable of the step's index. Hyperparameters of one name in both rules have the
    same value, drawn, unless they are given.
    """

    def __init__(self, other: str, there: Mapping[str, Any] | None = None, **at: Any) -> None:
        """Take the other rule's name and values, then hyperparameters to pin."""
        super().__init__(**at)
        self.other = other
        self.there = dict(there or {})
