"""Faults planted in the rules and in the engine: each is caught, by the checks that should catch it."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from faults import CRASHES, ENGINE, EXAMPLES, FAULTS, RULES, Fault, failing, planted, title
from oracles import ORACLES

from minidl import testing
from minidl.testing.optimizers.suite import checks_of, subject_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "faults.md"
CLASSICS = {
    "no bias correction",
    "only none on v",
    "t off by one",
    "betas swapped",
    "no momentum",
    "v never decays",
    "|g| for g²",
    "stale v",
    "epsilon in root",
    "t per parameter",
    "state shared by equal shapes",
    "gradient modified",
    "array rebound instead of updated",
    "float64 state for float32",
    "lr frozen at construction",
    "zero gradients skipped",
}


@cache
def passing(subject):
    """Return which of the checks that are to find faults in it the subject passes without one."""
    checks = {check for fault in FAULTS if fault.subject is subject for check in fault.caught_by}
    report = testing.check_optimizer(subject, checks=checks, examples=EXAMPLES)
    return {result.check for result in report.results if result.status == "pass"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_planted_fault_is_caught(fault):
    assert set(fault.caught_by) <= passing(fault.subject)
    found = failing(fault, checks=fault.caught_by, stop_on_first=True)
    assert len(found) == 1
    assert not any(error in detail for error in CRASHES for detail in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_planted_fault_fails_all_the_checks_that_should_catch_it(fault):
    assert set(failing(fault)) >= set(fault.caught_by)


def test_nothing_is_left_of_a_fault():
    for fault in (RULES[0], ENGINE[0]):
        code = fault.target.__code__
        with planted(fault):
            assert fault.target.__code__ is not code
        assert fault.target.__code__ is code
        with pytest.raises(ZeroDivisionError), planted(fault):
            raise ZeroDivisionError
        assert fault.target.__code__ is code


def test_a_fault_needs_its_place():
    fault = RULES[0]
    with pytest.raises(ValueError, match="0 times"), planted(Fault("", fault.subject, fault.target, "no such", "", ())):
        pass


def test_there_are_many_faults_of_all_kinds():
    assert len(RULES) >= 60
    assert len(ENGINE) >= 60
    assert len({fault.what for fault in FAULTS}) == len(FAULTS)
    assert Counter(fault.classic for fault in FAULTS if fault.classic) == Counter(CLASSICS)
    assert {fault.subject.__name__ for fault in RULES} == set(ORACLES)


def test_every_check_has_a_fault_that_it_must_catch():
    rules = {fault.subject for fault in FAULTS}
    known = {check.name for rule in rules for check in checks_of(subject_of("", rule, None, 1))}
    demanded = {check for fault in FAULTS for check in fault.caught_by}
    assert demanded == known - {"oracle"}  # the laws suffice
    assert len(demanded) >= 60


def test_the_page_names_every_fault():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("\n| ") == len(FAULTS) + 1
    for fault in FAULTS:
        assert f"| {title(fault)}{' *' if fault.classic else ''} | `{fault.target.__qualname__}` |" in text
