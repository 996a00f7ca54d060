"""What the suites share: how checks run, and how Hypothesis finds the smallest example that fails one."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from minidl.testing.report import CheckFailedError, Report, Result
from minidl.validation import describe, nearest

__all__ = [
    "Check",
    "Example",
    "NotApplicableError",
    "agrees",
    "for_all",
    "for_examples",
    "require_hypothesis",
    "run_checks",
    "same",
    "selected",
    "slopes_along",
    "told",
]

Array = NDArray[Any]
T = TypeVar("T")

STEP = 1e-5


class NotApplicableError(Exception):
    """Says why a check doesn't apply."""


def told(error: Exception) -> str:
    """Return what an error says, with its kind unless a check raised it."""
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class Check(Generic[T]):
    """A named check: `run` raises if what is checked doesn't pass."""

    name: str
    meaning: str
    run: Callable[[T], None]
    known: str = ""

    @classmethod
    def of(cls, function: Callable[[T], None]) -> Check[T]:
        """Make a check of a function: its name, the first line of its docstring, and what follows "Known: " there."""
        meaning, _, known = (function.__doc__ or "").partition("Known: ")
        return cls(function.__name__.lstrip("_"), " ".join(meaning.split()), function, " ".join(known.split()))

    def result(self, case: T, expected_failure: str | None = None) -> Result:
        """Run it on `case`; say what it found."""
        status, detail = "pass", ""
        try:
            with np.errstate(all="ignore"):
                self.run(case)
        except NotApplicableError as reason:
            status, detail = "not applicable", str(reason)
        except Exception as error:  # whatever the object raises is a finding
            status = "fail"
            detail = told(error)
        if expected_failure is not None:
            if status == "fail":
                status, detail = "expected failure", f"{expected_failure} ({detail})"
            else:
                status, detail = "fail", f"was expected to fail ({expected_failure}), but: {status} {detail}".strip()
        return Result(self.name, self.meaning, status, detail, self.known)


def run_checks(
    subject: str,
    checks: Sequence[Check[T]],
    case: T,
    *,
    foundation: str,
    broken: str,
    raises: bool,
    stop_on_first: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    notes: Callable[[], Sequence[str]] = tuple,
) -> Report:
    """Run each check on `case`; with `raises` a failure raises CheckFailedError.

    If the one called `foundation` fails the others don't apply: `broken` says why. `notes` are made if nothing failed.
    """
    expected = expected_failures or {}
    results: list[Result] = []
    for check in checks:
        if any(result.check == foundation and result.status == "fail" for result in results[:1]):
            results.append(Result(check.name, check.meaning, "not applicable", broken, check.known))
            continue
        results.append(check.result(case, expected.get(check.name)))
        if stop_on_first and results[-1].status == "fail":
            break
    passed = all(result.status != "fail" for result in results)
    report = Report(subject, tuple(results), tuple(notes()) if passed else ())
    if raises and not passed:
        raise CheckFailedError(str(report))
    return report


def selected(owner: str, checks: Sequence[Check[T]], names: object, expected_failures: object) -> Sequence[Check[T]]:
    """Return the checks of these names, all if None; raise ValueError or TypeError if names or reasons aren't right."""
    known = [check.name for check in checks]
    if names is not None and (isinstance(names, str) or not isinstance(names, Collection)):
        raise TypeError(f"{owner}: checks must be a list of names. Received: checks={describe(names)}")
    if expected_failures is not None and not isinstance(expected_failures, Mapping):
        raise TypeError(
            f"{owner}: expected_failures must be a dict from names of checks to reasons. "
            f"Received: expected_failures={describe(expected_failures)}"
        )
    if names is not None and not len(names):
        raise ValueError(f"{owner}: there must be a check. Received: none")
    for name in [*(names or ()), *(expected_failures or ())]:
        if name not in known:
            raise ValueError(
                f"{owner}: there must be a check of this name. Received: {name!r}. {nearest(str(name), known)}"
            )
    for name, reason in (expected_failures or {}).items():
        if not isinstance(reason, str) or not reason.strip():
            raise TypeError(f"{owner}: an expected failure must have a reason. Received: {name}={describe(reason)}")
    return [check for check in checks if names is None or check.name in names]


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
        raise ImportError(f"{owner}: drawing examples needs the extra `check`: pip install 'minidl[check]'")


def for_examples(examples: int, check: Callable[[Example], None]) -> None:
    """Call `check` with that many examples; the error that is raised is that of the smallest one that fails."""
    from hypothesis import strategies as st

    for_all(
        examples, st.builds(Example, st.integers(1, 3), st.sampled_from([1.0, 0.3, 3.0]), st.integers(0, 2**16)), check
    )


def for_all(examples: int, strategy: Any, check: Callable[[T], None]) -> None:
    """Call `check` with that many values of a Hypothesis strategy, always the same ones; raise the smallest's error."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.configuration import set_hypothesis_home_dir

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]  # its metaclass has no type
    )
    @given(strategy)
    def run(value: T) -> None:
        check(value)

    with tempfile.TemporaryDirectory() as folder:  # else Hypothesis leaves one of its own where the user is
        set_hypothesis_home_dir(folder)
        try:
            run()
        finally:
            set_hypothesis_home_dir(None)


def same(found: Array, expected: Array, what: str, tolerance: float = 0.0, scale: float = 0.0) -> None:
    """Raise an AssertionError that shows the first entry that differs by more than tolerance · (|expected| + scale)."""
    if found.shape != expected.shape:
        raise AssertionError(f"{what}: shape {found.shape} instead of {expected.shape}")
    allowed = tolerance * (np.abs(expected) + max(scale, tolerance))
    near = np.isfinite(allowed) & (np.abs(found - expected) <= allowed)  # everything is near infinity
    equal = (found == expected) | (np.isnan(found) & np.isnan(expected)) | near
    if not equal.all():
        at = tuple(int(i) for i in np.argwhere(~equal)[0])
        place = f"entry {list(at)} is " if at else ""
        raise AssertionError(f"{what}: {place}{found[at]!r} instead of {expected[at]!r}")


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
