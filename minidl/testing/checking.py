"""What the suites share: how checks run, and how Hypothesis finds the smallest example that fails one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from minidl.testing.report import CheckFailedError, Report, Result

__all__ = [
    "Example",
    "NotApplicableError",
    "agrees",
    "for_examples",
    "require_hypothesis",
    "run_checks",
    "same",
    "slopes_along",
]

Array = NDArray[Any]
T = TypeVar("T")

STEP = 1e-5


class NotApplicableError(Exception):
    """Says why a check doesn't apply."""


def run_checks(subject: str, checks: Sequence[Callable[[T], None]], case: T, raises: bool, broken: str) -> Report:
    """Run each check on `case`; a check's name and docstring are its name and its meaning in the report.

    If the first one fails the others don't apply: `broken` says why. With `raises` a failure raises CheckFailedError.
    """
    results: list[Result] = []
    for check in checks:
        name, meaning = check.__name__.lstrip("_"), (check.__doc__ or "").strip()
        if results and results[0].status == "fail":
            results.append(Result(name, meaning, "not applicable", broken))
            continue
        try:
            with np.errstate(all="ignore"):
                check(case)
            results.append(Result(name, meaning, "pass"))
        except NotApplicableError as reason:
            results.append(Result(name, meaning, "not applicable", str(reason)))
        except Exception as error:  # whatever the object raises is a finding
            detail = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            results.append(Result(name, meaning, "fail", detail))
    report = Report(subject, tuple(results))
    if raises and not report.passed:
        raise CheckFailedError(str(report))
    return report


@dataclass(frozen=True)
class Example:
    """What Hypothesis draws, and shrinks towards the simplest: a batch of one, numbers about 1, seed 0."""

    batch: int
    scale: float
    seed: int

    def normal(self, shape: tuple[int, ...], stream: int = 0) -> Array:
        """Return normally distributed numbers of the example's scale, in double precision."""
        return np.random.default_rng((self.seed, stream)).standard_normal(shape) * self.scale


def require_hypothesis(owner: str) -> None:
    """Raise ImportError, which names the extra, if Hypothesis isn't installed."""
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError(f"{owner}: drawing examples needs the extra `test`: pip install 'minidl[test]'")


def for_examples(examples: int, check: Callable[[Example], None]) -> None:
    """Call `check` with that many examples; the error that is raised is that of the smallest one that fails."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.builds(Example, st.integers(1, 3), st.sampled_from([1.0, 0.3, 3.0]), st.integers(0, 2**16)))
    def run(example: Example) -> None:
        check(example)

    run()


def same(found: Array, expected: Array, what: str, tolerance: float = 0.0) -> None:
    """Raise an AssertionError that shows the first entry that differs."""
    if found.shape != expected.shape:
        raise AssertionError(f"{what}: shape {found.shape} instead of {expected.shape}")
    allowed = tolerance * (np.abs(expected) + tolerance)
    equal = (found == expected) | (np.isnan(found) & np.isnan(expected)) | (np.abs(found - expected) <= allowed)
    if not equal.all():
        at = tuple(int(i) for i in np.argwhere(~equal)[0])
        raise AssertionError(f"{what}: entry {list(at)} is {found[at]!r} instead of {expected[at]!r}")


def slopes_along(objective: Callable[[], float], array: Array, way: Array) -> tuple[float, float]:
    """Return the slopes of `objective()`, which reads `array`, before and behind it along `way`, by differences."""
    kept = array.copy()
    values = []
    for step in (-STEP, 0.0, STEP):
        array[...] = kept + step * way
        values.append(objective())
    array[...] = kept
    below, here, above = values
    return (here - below) / STEP, (above - here) / STEP


def agrees(slope: float, slopes: tuple[float, float], room: float) -> bool:
    """Tell whether `slope` lies between them; they are all but equal unless there is a kink."""
    return min(slopes) - room <= slope <= max(slopes) + room
