"""What the checks of optimizers work on: a way to make the optimizer, and the runs on which it is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.optimizers import Optimizer
from minidl.parameters import Parameter
from minidl.testing.checking import NotApplicableError, for_all, told

if TYPE_CHECKING:
    from minidl.schedules import Schedule
    from minidl.testing.strategies import Run

__all__ = ["FLOATS", "Array", "Factory", "Subject", "is_ours", "slots_of", "steps", "walk"]

Array: TypeAlias = NDArray[Any]
Factory: TypeAlias = Callable[[], Any]

FLOATS = (np.float16, np.float32, np.float64)


@dataclass(frozen=True)
class Subject:
    """An optimizer under check.

    Attributes:
        make: Makes a new one, with its defaults or as the caller's factory sets it.
        examples: How many examples are drawn for each property.
        oracle: The author's own calculation of the rule.
        shrinks: Whether the smallest example is looked for, or the first that fails will do.
        drawn: What has been drawn, for all checks.
    """

    make: Factory
    examples: int
    oracle: Callable[..., Any] | None = None
    shrinks: bool = True
    drawn: dict[Any, list[Any]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def sample(self) -> Any:
        """One of them, to look at."""
        return self.make()

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Its hyperparameters by name."""
        self.needs("hyperparameters")
        found: dict[str, Any] = self.sample.hyperparameters
        return found

    @property
    def numbers(self) -> list[str]:
        """The names of those that are numbers now, and so could be schedules."""
        values = self.hyperparameters
        return [name for name, value in values.items() if not callable(value) and not isinstance(value, bool)]

    @property
    def scheduled(self) -> bool:
        """Whether one of them is a schedule now."""
        return any(callable(value) for value in getattr(self.sample, "hyperparameters", {}).values())

    @property
    def elementwise(self) -> bool:
        """Whether it says that it works entry by entry."""
        return bool(getattr(self.sample, "elementwise", True))

    def needs(self, *attributes: str) -> None:
        """Raise NotApplicableError unless the optimizer has these attributes."""
        for name in attributes:
            if not hasattr(self.sample, name):
                raise NotApplicableError(f"it has no {name}")

    def needs_hyperparameters(self, *names: str) -> None:
        """Raise NotApplicableError unless these are hyperparameters."""
        for name in names:
            if name not in self.hyperparameters:
                raise NotApplicableError(f"it has no hyperparameter {name}")

    def needs_no_schedule(self) -> None:
        """Raise NotApplicableError if a schedule makes steps depend on those of other parameters."""
        if self.scheduled:
            raise NotApplicableError("a schedule of the optimizer's steps has gone on meanwhile")

    def needs_elementwise(self) -> None:
        """Raise NotApplicableError if the rule works on whole tensors."""
        if not self.elementwise:
            raise NotApplicableError("it says elementwise = False")

    @cached_property
    def settled(self) -> Subject:
        """The same with each schedule's first value in its place."""
        if not self.scheduled:
            return self

        def make() -> Any:
            optimizer = self.make()
            for name, value in optimizer.hyperparameters.items():
                if callable(value):
                    setattr(optimizer, name, optimizer.current(name))
            return optimizer

        return Subject(make, self.examples, self.oracle, self.shrinks)

    def for_runs(
        self,
        check: Callable[[Run], None],
        *,
        share: float = 1.0,
        steps: int = 6,
        kinds: Sequence[str] | None = None,
        nonzero: bool = False,
        **pinned: Any,
    ) -> None:
        """Call `check` with drawn runs, or a share of them; an error tells the smallest that fails.

        The options are those of `strategies.runs`. What is drawn once serves every check; Hypothesis draws again
        only to find the smallest.
        """
        from minidl.testing import strategies

        def drawn(run: Run) -> None:
            check(replace(run, settings={**run.settings, **pinned}))

        options: dict[str, Any] = {"steps": steps, "kinds": kinds or tuple(strategies.KINDS), "nonzero": nonzero}
        self._for_all(("runs", *options.values()), strategies.runs(self.make, **options), drawn, share)

    def for_schedules(self, check: Callable[[Run, Schedule], None]) -> None:
        """Call `check` with drawn runs and schedules; an error tells the smallest pair that fails."""
        from hypothesis import strategies as st

        from minidl.testing import strategies

        pairs = st.builds(_Scheduled, strategies.runs(self.make), strategies.schedules())
        self._for_all(("schedules",), pairs, lambda pair: check(pair.run, pair.schedule), 1.0)

    def _for_all(self, key: Any, strategy: Any, check: Callable[[Any], None], share: float) -> None:
        def shown(example: Any) -> None:
            try:
                check(example)
            except NotApplicableError:
                raise
            except Exception as error:
                raise AssertionError(f"{told(error)}; with {example}") from error

        if key not in self.drawn:
            self.drawn[key] = []
            for_all(self.examples, strategy, self.drawn[key].append)
        count = max(1, round(share * self.examples))
        try:
            for example in self.drawn[key][:count]:
                shown(example)
        except AssertionError:
            if self.shrinks:
                for_all(count, strategy, shown)
            raise  # not reached after a search, unless the check fails by chance


@dataclass(frozen=True)
class _Scheduled:
    run: Run
    schedule: Schedule

    def __str__(self) -> str:
        return f"{self.run}, and {self.schedule!r}"


def steps(optimizer: Any, parameters: Sequence[Parameter], gradients: Iterable[Sequence[Array]]) -> None:
    """Make a step for each list of gradients, one a parameter."""
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient
        optimizer.step(parameters)


def walk(optimizer: Any, start: Array, gradients: Iterable[Array], dtype: DTypeLike = np.float64) -> Parameter:
    """Return a new parameter after a step for each gradient."""
    parameter = Parameter(np.array(start, dtype), name="w")
    steps(optimizer, [parameter], ([np.asarray(gradient, dtype)] for gradient in gradients))
    return parameter


def slots_of(optimizer: Any, parameter: Parameter) -> dict[str, Array]:
    """Return the live slots of a parameter; none if the optimizer doesn't show them."""
    state = getattr(optimizer, "state", {})
    return dict(state[parameter]) if parameter in state else {}


def is_ours(optimizer: Any) -> bool:
    """Tell whether it is a minidl.optimizers.Optimizer."""
    return isinstance(optimizer, Optimizer)
