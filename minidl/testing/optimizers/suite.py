"""`check_optimizer`: all checks of an optimizer, as a report, and as tests for pytest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from minidl.config import checked
from minidl.optimizers.probe import tried
from minidl.testing.checking import Check, require_hypothesis, run_checks, selected
from minidl.testing.optimizers import descent, engine, rule, settings, state
from minidl.testing.optimizers.laws import law_checks, undeclared
from minidl.testing.optimizers.subject import Factory, Subject
from minidl.testing.report import Report
from minidl.validation import describe, integer

__all__ = ["check_optimizer", "checks_of", "parametrize_with_checks", "subject_of"]


@checked
def check_optimizer(
    cls_or_factory: Factory,
    *,
    oracle: Callable[..., Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    checks: Collection[str] | None = None,
    examples: int | None = None,
    stop_on_first: bool = False,
    raises: bool = True,
) -> Report:
    """Check an optimizer: its rule, what the engine makes of it, its state, and the laws that its class declares.

    Runs are drawn by Hypothesis: starts, gradients of five kinds, hyperparameters within their ranges. What a failure
    shows is the smallest example. The same code draws the same examples.

    Any formula is a legal rule. Whether it is the one its author means is shown by the `laws` that the class declares
    (see `minidl.optimizers.laws`) and by an `oracle`; the report says what holds without having been declared.

    Args:
        cls_or_factory: An optimizer class, which is taken with its defaults, or a callable without arguments that
            returns a new optimizer each time. Another framework's serves too, if it has `step(parameters)`, which
            changes `parameter.data` by `parameter.grad`: a check that needs more than it has doesn't apply.
        oracle: The author's own calculation, out of place and in double precision: `oracle(w, gradients, rates,
            **hyperparameters)` takes an array, a list of arrays, the learning rate of each step and all other
            hyperparameters, and returns the last w, or (w, *slots).
        expected_failures: By the names of checks that are known to fail, the reasons. One that passes is a failure.
        checks: The names of the checks to run; by default all.
        examples: How many examples are drawn for each property; by default as many as Hypothesis's profile says, 100
            unless another one is loaded.
        stop_on_first: Whether the first failure ends it.
        raises: Whether a failed check raises.

    Returns:
        A report with one result a check; print it for a table.

    Raises:
        CheckFailedError: If a check failed; its text is the report. It is an AssertionError.
        TypeError, ValueError: If the arguments aren't as told above.
        ImportError: If the extra `check` isn't installed.

    >>> print(minidl.testing.check_optimizer(minidl.optimizers.Adam, examples=3).passed)
    True
    """
    subject = subject_of("check_optimizer", cls_or_factory, oracle, examples)
    chosen = selected("check_optimizer", checks_of(subject), checks, expected_failures)
    return run_checks(
        repr(subject.sample),
        chosen,
        subject,
        foundation="contract",
        broken="the rule breaks its contract",
        raises=raises,
        stop_on_first=stop_on_first,
        expected_failures=expected_failures,
        notes=lambda: _notes(subject) if checks is None else (),
    )


@checked
def parametrize_with_checks(
    optimizers: Sequence[Factory],
    *,
    oracle: Callable[..., Any] | None = None,
    expected_failures: Mapping[str, str] | Callable[[Factory], Mapping[str, str]] | None = None,
    examples: int | None = None,
) -> Any:
    """Return a decorator for a pytest function of `optimizer` and `check`: each check of each becomes a test.

        @testing.parametrize_with_checks([Lion, lambda: Lion(beta_1=0.0)])
        def test_lion(optimizer, check):
            check(optimizer)

    A check that doesn't apply is skipped with its reason; one that is expected to fail is an xfail, a strict one.

    Args:
        optimizers: Classes, or callables without arguments, as `check_optimizer` takes them.
        oracle: Likewise, for all of them.
        expected_failures: Likewise, for all of them; or a function that returns them for one.
        examples: Likewise.

    Raises:
        TypeError, ValueError: If the arguments aren't as told above.
        ImportError: If the extra `check`, or pytest, isn't installed.
    """
    import pytest

    owner = "parametrize_with_checks"
    if not isinstance(optimizers, (list, tuple)):
        raise TypeError(f"{owner}: must be given a list of optimizer classes. Received: {describe(optimizers)}")
    cases = []
    for number, make in enumerate(optimizers):
        subject = subject_of(owner, make, oracle, examples)
        expected = expected_failures(make) if callable(expected_failures) else expected_failures
        title = make.__name__ if isinstance(make, type) else f"{type(subject.sample).__name__}-{number}"
        for check in selected(owner, checks_of(subject), None, expected):
            reason = (expected or {}).get(check.name)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            test = partial(_as_test, check, subject)
            cases.append(pytest.param(make, test, id=f"{title}-{check.name}", marks=marks))
    return pytest.mark.parametrize(("optimizer", "check"), cases)


def _as_test(check: Check[Subject], subject: Subject, make: Factory) -> None:
    """Run a check of the optimizer that the test hands over, under pytest."""
    import pytest

    # What was drawn belongs to the optimizer for which it was drawn.
    result = check.result(subject if make is subject.make else replace(subject, make=make, drawn={}))
    if result.status == "not applicable":
        pytest.skip(result.detail)
    if result.status == "fail":
        known = f"\nknown elsewhere: {result.known}" if result.known else ""
        pytest.fail(f"{result.check}: {result.meaning}\n{result.detail}{known}", pytrace=False)


def subject_of(owner: str, make: Any, oracle: Any, examples: int | None) -> Subject:
    """Return what is to be checked; raise, in the name of `owner`, if an argument is wrong."""
    require_hypothesis(owner)
    from hypothesis import settings as profile

    if not callable(make) or not callable(getattr(make(), "step", None)):
        raise TypeError(
            f"{owner}: must be given an optimizer class, or a callable that returns optimizers. "
            f"Received: {describe(make)}"
        )
    if oracle is not None and not callable(oracle):
        raise TypeError(f"{owner}: oracle must be a function. Received: oracle={describe(oracle)}")
    count = profile().max_examples if examples is None else integer(owner, "examples", examples, 1)
    return Subject(make, count, oracle)


def checks_of(subject: Subject) -> list[Check[Subject]]:
    """Return all checks of an optimizer; once it stood the engine's trial, in the first, the others do without."""
    functions = [*rule.CHECKS, *engine.CHECKS, *settings.CHECKS, *state.CHECKS, *descent.CHECKS]
    first, *others = [*(Check.of(function) for function in functions), *law_checks(subject)]
    return [first, *(replace(check, run=partial(_untried, check.run)) for check in others)]


def _untried(run: Callable[[Subject], None], subject: Subject) -> None:
    with tried():
        run(subject)


def _notes(subject: Subject) -> list[str]:
    """Say which laws hold without having been declared, and what nothing shows."""
    notes = []
    if hasattr(subject.sample, "hyperparameters"):
        with tried(), np.errstate(all="ignore"):
            more = undeclared(subject)
        if more:
            notes.append(
                f"It also seems to be: {', '.join(map(repr, more))}. Declared in `laws`, that would be proven."
            )
    if subject.oracle is None:
        declared = ", ".join(type(law).__name__ for law in getattr(type(subject.sample), "laws", ())) or "none"
        notes.append(
            f"Unproven: that the formula is its author's, beyond the laws declared ({declared}): give an oracle."
        )
    return notes
