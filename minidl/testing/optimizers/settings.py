"""The checks of hyperparameters: schedules, ranges, names."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.testing.checking import NotApplicableError, same
from minidl.testing.optimizers.subject import Subject, is_ours, steps, walk
from minidl.validation import Interval

if TYPE_CHECKING:
    from minidl.schedules import Schedule
    from minidl.testing.strategies import Run

__all__ = ["CHECKS"]


def _schedule_by_index(subject: Subject) -> None:
    """A schedule on any hyperparameter is the same as its values, assigned by hand before each step.

    Known: pytorch#65342, DeepSpeed#5287, UniRL#223
    """
    subject.needs("current")
    names = subject.numbers

    def check(run: Run, schedule: Schedule) -> None:
        for name in names:
            by_itself = walk(run.optimizer(**{name: schedule}), run.start, run.gradients)
            optimizer, by_hand = run.optimizer(), run.parameter()
            for i, gradient in enumerate(run.gradients):
                setattr(optimizer, name, schedule(i))
                steps(optimizer, [by_hand], [[gradient]])
            same(by_itself.data, by_hand.data, f"a schedule as {name}")

    subject.for_schedules(check)


def _rate_applied(subject: Subject) -> None:
    """The values that are logged as applied are those in force: the schedule's at the step's index.

    Known: keras#13589, tensorflow#58831, thinc#341
    """
    subject.needs("applied", "current")
    names = subject.numbers

    def check(run: Run, schedule: Schedule) -> None:
        for name in names:
            optimizer, parameter = run.optimizer(**{name: schedule}), run.parameter()
            for i, gradient in enumerate(run.gradients):
                announced = optimizer.current(name)
                steps(optimizer, [parameter], [[gradient]])
                applied = optimizer.applied[name]
                assert announced == applied == schedule(i), (
                    f"step {i}, a schedule as {name}: announced {announced!r}, logged {applied!r}, due {schedule(i)!r}"
                )

    subject.for_schedules(check)


def _schedule_of_epochs(subject: Subject) -> None:
    """A schedule of epochs goes by the optimizer's `epoch`, which a state holds."""
    subject.needs("current", "epoch", "state_dict", "load_state_dict")
    from minidl.schedules import PiecewiseConstant

    for name in subject.numbers:
        optimizer = subject.make()
        setattr(optimizer, name, PiecewiseConstant([0.25, 0.5], boundaries=[2], every="epoch"))
        walk(optimizer, np.ones(3), [np.array([0.5, -1.0, 0.25])] * 3)
        assert optimizer.current(name) == 0.25, f"after steps of epoch 0 the schedule gives {name} = 0.5"
        optimizer.epoch = 2
        assert optimizer.current(name) == 0.5, f"in epoch 2 the schedule gives {name} = 0.25"
        loaded = subject.make()
        loaded.load_state_dict(optimizer.state_dict())
        assert loaded.current(name) == 0.5, "a state doesn't hold the epoch"


def _unknown_refused(subject: Subject) -> None:
    """An unknown hyperparameter is refused at construction and at assignment.

    Known: pytorch#30889, keras#2616
    """
    subject.needs("hyperparameters")
    optimizer = subject.make()
    if is_ours(optimizer) and type(optimizer).takes_any_argument():
        raise NotApplicableError("its constructor takes any name")
    name = "no_such_hyperparameter"
    _refused(f"{name} at construction", lambda: type(optimizer)(**{name: 1.0}))
    _refused(f"{name} at assignment", lambda: setattr(optimizer, name, 1.0))


def _range_refused(subject: Subject) -> None:
    """Values out of a hyperparameter's range, NaN, infinity and texts are refused at construction and at assignment.

    Known: mlx#4310, pytorch#6000, keras#2616
    """
    subject.needs("ranges")
    for name, value in subject.hyperparameters.items():
        for wrong in _wrong(subject.sample.ranges.get(name, "(-inf, inf)"), value):
            optimizer = subject.make()
            before = repr(optimizer)
            _refused(f"{name} = {wrong!r} at assignment", partial(setattr, optimizer, name, wrong))
            assert repr(optimizer) == before, f"{name} = {wrong!r} was refused, but changed something"
            if _can_construct(subject, name):
                cls: Any = type(subject.sample)
                _refused(f"{name} = {wrong!r} at construction", partial(cls, **{name: wrong}))


def _wrong(interval: str, value: Any) -> Iterator[Any]:
    yield from ("0.1", None, [0.1])
    if isinstance(value, bool) or interval == "bool":
        yield 2.5
        return
    span = Interval.parse(interval)
    yield from (math.nan, math.inf)
    for end, beyond in ((span.low, -1.0), (span.high, 1.0)):
        if math.isfinite(end):
            yield end + beyond
            if end not in span:
                yield end


def _refused(what: str, attempt: Callable[[], Any]) -> None:
    try:
        attempt()
    except (ValueError, TypeError, AttributeError):
        return
    raise AssertionError(f"{what} was taken without an error")


def _can_construct(subject: Subject, name: str) -> bool:
    arguments = inspect.signature(type(subject.sample)).parameters
    required = [
        a for a in arguments.values() if a.default is a.empty and a.kind not in (a.VAR_KEYWORD, a.VAR_POSITIONAL)
    ]
    return name in arguments and not required


def _rate_changes_at_once(subject: Subject) -> None:
    """A value assigned between two steps holds from the next step on, as in a new optimizer that goes on from there."""
    subject.needs("state_dict", "load_state_dict")
    names = subject.numbers

    def check(run: Run) -> None:
        for name in names:
            value = run.settings[name]
            optimizer, parameter = run.optimizer(), run.parameter()
            steps(optimizer, [parameter], ([g] for g in run.gradients))
            twin, other = run.optimizer(), run.parameter()
            other.data = parameter.data
            twin.load_state_dict(optimizer.state_dict())
            for each, w in ((optimizer, parameter), (twin, other)):
                setattr(each, name, value / 2)
                steps(each, [w], ([np.asarray(g)] for g in run.gradients))
            same(parameter.data, other.data, f"after {name} was halved")

    subject.for_runs(check)


CHECKS = (
    _schedule_by_index,
    _rate_applied,
    _schedule_of_epochs,
    _unknown_refused,
    _range_refused,
    _rate_changes_at_once,
)
