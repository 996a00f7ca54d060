"""Sides of one task take turns; before that, they must compute the same losses."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from benchmarks.speed.tasks import Task
from benchmarks.speed.workers import Worker, WorkerError

__all__ = ["CHECKED", "RTOL", "Effort", "compare", "measure", "rotated"]

CHECKED = 5  # steps whose losses must agree
RTOL = 1e-3  # rules that divide by tiny roots tell float32's rounding apart by the third step
T = TypeVar("T")


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        turns: How often each side has its turn; figures are medians over them.
        seconds: How long a turn is, about; it is a whole number of epochs.
        quick: Whether to measure only a few cells.
    """

    turns: int = 5
    seconds: float = 0.2
    quick: bool = False


@dataclass
class _Entrant:
    """A side, and what was measured of it."""

    name: str
    worker: Worker
    epochs: int = 1
    losses: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    peak: int | None = None

    def make(self, task: Task) -> None:
        self.worker.ask("make", task, self.name)

    def begin(self, steps: int) -> None:
        self.losses = self.worker.ask("losses", self.name, steps)

    def settle(self, epoch_seconds: float, steps: int) -> None:
        """Train an epoch, in which what is compiled gets compiled, and another that tells how many make a turn."""
        self.run()
        self.epochs = max(1, round(epoch_seconds / (steps * self.run())))

    def run(self) -> float:
        return float(self.worker.ask("seconds", self.name, self.epochs))

    def take_turn(self) -> None:
        self.turns.append(self.run())

    def weigh(self) -> None:
        self.peak = self.worker.ask("peak", self.name)

    def drop(self) -> None:
        with contextlib.suppress(WorkerError):
            self.worker.ask("drop", self.name)


def measure(workers: Iterable[Worker], task: Task, effort: Effort, *, memory: bool = False) -> dict[str, Any]:
    """Return a cell of the report: the task, each side's seconds a step, turn by turn, and who was left out and why.

    Args:
        workers: Where the sides are.
        task: What they do.
        effort: How long.
        memory: Whether to measure the peaks of memory too; each side then needs a worker of its own.
    """
    left_out: dict[str, str] = {}
    alike = replace(task, dropout=0.0)  # what drops at random isn't the same on two sides
    entrants = _checked(_entrants(workers, alike, left_out), alike, left_out)
    if alike != task:
        _drop(entrants)
        entrants = _each(entrants, lambda entrant: entrant.make(task), left_out)
    entrants = _each(entrants, lambda entrant: entrant.settle(effort.seconds, task.steps), left_out)
    for turn in range(effort.turns):
        entrants = _each(entrants, _Entrant.take_turn, left_out, turn)
    if memory:
        entrants = _each(entrants, _Entrant.weigh, left_out)
    _drop(entrants)
    return {
        "task": {**asdict(task), "parameters": task.parameters},
        "turns": {entrant.name: entrant.turns for entrant in entrants},
        "peaks": {entrant.name: entrant.peak for entrant in entrants if memory},
        "left_out": left_out,
    }


def compare(losses: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Return the sides whose losses differ by more than RTOL from the medians, with the first such loss."""
    medians = [statistics.median(values) for values in zip(*losses.values(), strict=True)]
    different: dict[str, str] = {}
    for name, values in losses.items():
        for step, (value, median) in enumerate(zip(values, medians, strict=True), start=1):
            if not abs(value - median) <= RTOL * abs(median):
                different.setdefault(name, f"its loss in step {step} is {value:.7g}, the median {median:.7g}")
    return different


def rotated(sides: Sequence[T], turn: int) -> list[T]:
    """Return the sides in the order of a turn: in each another one begins."""
    first = turn % max(len(sides), 1)
    return [*sides[first:], *sides[:first]]


def _entrants(workers: Iterable[Worker], task: Task, left_out: dict[str, str]) -> list[_Entrant]:
    """Return the sides that can do a task, made ready."""
    entrants = [_Entrant(name, worker) for worker in workers for name in _names(worker, task, left_out)]
    return _each(entrants, lambda entrant: entrant.make(task), left_out)


def _names(worker: Worker, task: Task, left_out: dict[str, str]) -> list[str]:
    """Return the names of a worker's sides; none if it has ended."""
    try:
        return worker.names(task)
    except WorkerError as error:
        left_out[worker.framework] = str(error)
        return []


def _checked(entrants: list[_Entrant], task: Task, left_out: dict[str, str]) -> list[_Entrant]:
    """Return the sides that make their first steps with the same losses."""
    able = _each(entrants, lambda entrant: entrant.begin(min(CHECKED, task.steps)), left_out)
    left_out.update(compare({entrant.name: entrant.losses for entrant in able if entrant.losses}))
    _drop(entrant for entrant in able if entrant.name in left_out)
    return [entrant for entrant in able if entrant.name not in left_out]


def _each(
    entrants: Sequence[_Entrant], do: Callable[[_Entrant], None], left_out: dict[str, str], turn: int = 0
) -> list[_Entrant]:
    """Do it to each side, in the order of a turn; return those that it worked with, note why others are left out."""
    for entrant in rotated(entrants, turn):
        _try(entrant, do, left_out)
    return [entrant for entrant in entrants if entrant.name not in left_out]


def _try(entrant: _Entrant, do: Callable[[_Entrant], None], left_out: dict[str, str]) -> None:
    try:
        do(entrant)
    except WorkerError as error:
        left_out[entrant.name] = str(error)
        entrant.drop()


def _drop(entrants: Iterable[_Entrant]) -> None:
    for entrant in entrants:
        entrant.drop()
