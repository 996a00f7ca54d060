"""`check_optimizer`: what is right passes; reports, oracles, laws, expected failures, tests for pytest."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import failures
from oracles import ORACLES
from subjects import RULES

from minidl import optimizers, schedules, testing
from minidl.optimizers import Adam, Momentum, Nesterov, Optimizer, RMSprop, laws
from minidl.testing.optimizers.suite import checks_of, subject_of

EXAMPLES = 4  # of each property here; the slow tests draw a hundred
GENERIC = 55

# What can't apply to a rule; whatever else doesn't is a mistake.
WITHOUT = {
    "SGD": {"epsilon_visible", "slots_apart"},
    "Momentum": {"epsilon_visible"},
    "Nesterov": {"epsilon_visible"},
    "Lion": {"epsilon_visible"},
    "LAMB": {"permutation", "reshape", "split"},
}
DECAYS = {"AdamW", "LAMB", "Lion"}


class PlainLion(Optimizer):
    """Lion as DESIGN.md has it: a user's own optimizer, whole."""

    slots = ("m",)

    def __init__(self, learning_rate: float = 1e-4, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2)

    @staticmethod
    def update(w: Any, g: Any, m: Any, *, learning_rate: float, beta_1: float, beta_2: float) -> Any:
        w = w - learning_rate * np.sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g
        return w, m


class Coupled(PlainLion):
    """Not what it says: a small push to one side."""

    laws = (laws.SignSymmetric(), laws.BoundedStep())

    @staticmethod
    def update(w: Any, g: Any, m: Any, *, learning_rate: float, beta_1: float, beta_2: float) -> Any:
        w, m = PlainLion.update(w, g + 0.01, m, learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2)
        return w, m


def inapplicable(report: testing.Report) -> set[str]:
    return {result.check for result in report.results if result.status == "not applicable"}


# What is right passes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_passes_every_check_that_applies(rule: type[Optimizer]) -> None:
    report = testing.check_optimizer(rule, oracle=ORACLES[rule.__name__], examples=EXAMPLES)
    without = set() if rule.__name__ in DECAYS else {"decay_multiplier"}
    assert inapplicable(report) == WITHOUT.get(rule.__name__, set()) | without
    assert len(report.results) == GENERIC + len(rule.laws)


def test_every_rule_declares_laws() -> None:
    assert all(len(rule.laws) >= 3 for rule in RULES if rule.elementwise)


VARIANTS = {
    "inside": lambda: Momentum(learning_rate_inside=True, dampening=0.5),
    "schedule": lambda: Adam(schedules.CosineDecay(0.1, decay_steps=4)),
    "callable": lambda: optimizers.SGD(lambda step: 0.1 / (1 + step)),
    "root": lambda: RMSprop(epsilon=0.0, epsilon_root=1e-7),
    "hooks": lambda: _hooked(),
}


def _hooked() -> Optimizer:
    optimizer = Adam()
    optimizer.hooks = [optimizers.ClipByValue(1e9), optimizers.WeightDecay(0.01)]
    return optimizer


@pytest.mark.parametrize("name", ["inside", "schedule", "callable", "root"])
def test_factories_schedules_and_variants_pass(name: str) -> None:
    report = testing.check_optimizer(VARIANTS[name], examples=EXAMPLES)
    if name == "callable":
        assert inapplicable(report) >= {"config_round_trip", "rate_multiplier", "unfrozen_late"}


def test_hooks_are_seen_as_what_they_are() -> None:
    """With decay an optimizer isn't what its class declares: the generic checks pass, some laws don't."""
    found = failures(VARIANTS["hooks"], examples=EXAMPLES)
    assert found
    assert all(name.startswith("law_") for name in found)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_passes_with_a_hundred_examples_a_property(rule: type[Optimizer]) -> None:
    testing.check_optimizer(rule, oracle=ORACLES[rule.__name__], examples=100)


@pytest.mark.thorough
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_passes_thoroughly(rule: type[Optimizer]) -> None:
    """By the profile: run it with `--hypothesis-profile=thorough`."""
    from hypothesis import settings

    most = settings().max_examples
    examples = most if rule in (Adam, optimizers.Lion) else max(1, most // 10)
    testing.check_optimizer(rule, oracle=ORACLES[rule.__name__], examples=examples)


class Plain:
    """Another framework's optimizer: it has a step, and nothing else."""

    def step(self, parameters: Any) -> None:
        for parameter in {id(p): p for p in parameters}.values():
            if parameter.trainable:
                if not np.isfinite(parameter.grad).all():
                    raise FloatingPointError("not finite")
                parameter.data -= 0.1 * parameter.grad


def test_another_frameworks_optimizer_is_checked_as_far_as_it_goes() -> None:
    report = testing.check_optimizer(Plain, examples=EXAMPLES, raises=False)
    assert {result.check for result in report.failures} == {
        "nonfinite_refused",  # it steps the first parameter before it sees the second
        "descends_ill_conditioned",  # its rate is what it is
    }
    passed = {result.check for result in report.results if result.status == "pass"}
    assert passed >= {"permutation", "in_place", "memory_layouts", "deepcopy_connected", "no_growth", "descends_noisy"}
    assert inapplicable(report) >= {"save_and_load", "schedule_by_index", "hyperparameters_used", "slots_apart"}


# Oracles ---------------------------------------------------------------------------------------------------


def test_an_oracle_that_says_otherwise_fails_and_shows_the_smallest_example() -> None:
    def no_correction(
        w: Any, gradients: Any, rates: Any, *, beta_1: float, beta_2: float, epsilon: float, **_: Any
    ) -> Any:
        m, v = 0 * w, 0 * w
        for g, rate in zip(gradients, rates, strict=True):
            m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g**2
            w = w - rate * m / (np.sqrt(v) + epsilon)
        return w

    report = testing.check_optimizer(Adam, oracle=no_correction, examples=EXAMPLES, raises=False)
    assert [result.check for result in report.failures] == ["oracle"]
    (failure,) = report.failures
    assert "w of 'one': entry [0] is" in failure.detail
    assert "gradients = [[0.01]]" in failure.detail
    assert failure.detail.count("[[") == 1, "more than one step"
    assert failure.known


def test_slots_are_compared_with_the_oracles_too() -> None:
    def another_slot(*arguments: Any, **settings: Any) -> Any:
        w, v = ORACLES["Momentum"](*arguments, **settings)
        return w, v + 1.0

    assert set(failures(Momentum, oracle=another_slot, checks=["oracle"], examples=EXAMPLES)) == {"oracle"}
    assert not failures(Momentum, oracle=ORACLES["Momentum"], checks=["oracle"], examples=EXAMPLES)


def test_what_cancels_may_be_rounded_otherwise() -> None:
    """At the rate 10 all is lost again, but for the last digit of what it was."""

    class Leaky(Optimizer):
        def __init__(self, learning_rate: float = 0.1) -> None:
            super().__init__(learning_rate=learning_rate)

        @staticmethod
        def update(w: Any, g: Any, *, learning_rate: float) -> Any:
            return (1 - 0.1 * learning_rate) * (w + g)

    def oracle(w: Any, gradients: Any, rates: Any) -> Any:
        for g, rate in zip(gradients, rates, strict=True):
            w = (w + g) - rate * (0.1 * w) - rate * (0.1 * g)
        return w

    assert not failures(Leaky, oracle=oracle, checks=["oracle"], examples=100)


def jumping(jump: float) -> type[Optimizer]:
    """Return a rule that jumps where a sum isn't exact, so that a last digit decides, as it does near LAMB's w = 0."""

    class Jumpy(Optimizer):
        def __init__(self, learning_rate: float = 0.1) -> None:
            super().__init__(learning_rate=learning_rate)

        @staticmethod
        def update(w: Any, g: Any, *, learning_rate: float) -> Any:
            moved = w - learning_rate * g
            return np.where(moved + learning_rate * g == w, moved, moved + jump)

    return Jumpy


def jumpy(w: Any, gradients: Any, rates: Any) -> Any:
    for g, rate in zip(gradients, rates, strict=True):
        moved = w + -rate * g * 3 / 3
        w = np.where(moved + rate * g == w, moved, moved + 1.0)
    return w


def test_where_the_last_digit_decides_neither_is_wrong() -> None:
    assert not failures(jumping(1.0), oracle=jumpy, checks=["oracle"], examples=20)
    assert set(failures(jumping(5.0), oracle=jumpy, checks=["oracle"], examples=20)) == {"oracle"}


def test_an_oracle_gets_every_rate_and_hyperparameter() -> None:
    seen: list[Any] = []

    def oracle(w: Any, gradients: Any, rates: Any, **settings: Any) -> Any:
        seen.append((len(gradients), len(rates), max(rates), set(settings)))
        return ORACLES["Adam"](w, gradients, rates, **settings)

    testing.check_optimizer(Adam, oracle=oracle, checks=["oracle"], examples=EXAMPLES)
    assert all(n == m for n, m, _, _ in seen)
    assert max(n for n, _, _, _ in seen) > 20
    assert {rate for _, _, rate, _ in seen} >= {10.0}
    assert all(names == {"beta_1", "beta_2", "epsilon", "epsilon_root"} for *_, names in seen)


# Laws ------------------------------------------------------------------------------------------------------


def test_a_law_that_does_not_hold_fails_with_its_statement() -> None:
    report = testing.check_optimizer(Coupled, examples=EXAMPLES, raises=False)
    assert [result.check for result in report.failures] == ["law_sign_symmetric"]
    assert report.failures[0].meaning.startswith("SignSymmetric(): Negating the start and every gradient")
    assert "with w = [" in report.failures[0].detail


def test_a_subclass_that_breaks_its_bases_law_is_told_whose_it_is() -> None:
    class Variant(Adam):
        @staticmethod
        def update(w: Any, g: Any, m: Any, v: Any, **rest: Any) -> Any:
            return optimizers.AMSGrad.update(w, g, m, v, v, bias_correction=False, **rest)[:3]

    detail = next(r.detail for r in testing.check_optimizer(Variant, examples=4, raises=False).failures)
    assert detail.endswith("the law is that of Adam: declare laws of its own")
    assert not failures(type("Free", (Variant,), {"laws": ()}), examples=EXAMPLES)


def test_lion_of_the_design_passes_with_no_other_code_and_is_told_what_holds_too_and_what_stays_unproven() -> None:
    report = testing.check_optimizer(PlainLion, examples=EXAMPLES)
    assert inapplicable(report) == {"epsilon_visible", "oracle", "decay_multiplier"}
    held, unproven = report.notes
    assert (
        "SignSymmetric(), Rests(), DescentDirection(), ProportionalToRate(), FirstStep(1.0), BoundedStep(1.0)" in held
    )
    assert "Linear" not in held
    assert unproven.startswith("Unproven: that the formula is its author's, beyond the laws declared (none)")
    assert str(report).endswith(unproven)
    with_oracle = testing.check_optimizer(Adam, oracle=ORACLES["Adam"], checks=["oracle"], examples=EXAMPLES)
    assert not any("Unproven" in note for note in with_oracle.notes)


def test_two_laws_of_one_kind_have_names_of_their_own() -> None:
    class Two(Momentum):
        laws = (laws.ReducesTo("sgd", momentum=0.0, dampening=0.0), laws.ReducesTo("gd", momentum=0.0, dampening=0.0))

    names = [check.name for check in checks_of(subject_of("test", Two, None, 1))]
    assert names[-2:] == ["law_reduces_to", "law_reduces_to_2"]
    assert len(set(names)) == len(names)


# Reports ---------------------------------------------------------------------------------------------------


def test_every_check_says_what_it_shows_in_a_sentence_and_many_name_bugs() -> None:
    checks = checks_of(subject_of("test", Nesterov, None, 1))
    assert len(checks) - len(Nesterov.laws) == GENERIC >= 30
    for check in checks:
        assert check.meaning.endswith("."), check.name
        assert "\n" not in check.meaning
    assert sum(bool(check.known) for check in checks) >= 20


def unused_hyperparameter() -> type[Optimizer]:
    class Fault(Adam):
        laws = ()

        @staticmethod
        def update(w: Any, g: Any, m: Any, v: Any, **given: Any) -> Any:
            return Adam.update(w, g, m, v, **{**given, "epsilon_root": 0.0})

    return Fault


def whole_tensor() -> type[Optimizer]:
    class Fault(Adam):
        @staticmethod
        def update(w: Any, g: Any, m: Any, v: Any, **rest: Any) -> Any:
            return Adam.update(w, g - g.mean(), m, v, **rest)

    return Fault


def test_a_broken_contract_is_told_once() -> None:
    report = testing.check_optimizer(whole_tensor(), examples=EXAMPLES, raises=False)
    assert [result.check for result in report.failures] == ["contract"]
    assert str(report).count("isn't elementwise") == 1
    assert not report.notes


def test_a_failure_raises_and_prints_the_table() -> None:
    with pytest.raises(testing.CheckFailedError, match="hyperparameters_used") as caught:
        testing.check_optimizer(unused_hyperparameter(), examples=EXAMPLES)
    assert "epsilon_root is never used" in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert "2 fail" in str(caught.value)


def test_an_expected_failure_has_its_reason_and_does_not_raise() -> None:
    reasons = {"hyperparameters_used": "the root is on its way", "epsilon_visible": "likewise"}
    report = testing.check_optimizer(
        unused_hyperparameter(), checks=list(reasons), examples=EXAMPLES, expected_failures=reasons
    )
    assert report.passed
    expected = [result for result in report.results if result.status == "expected failure"]
    assert [result.check for result in expected] == list(reasons)
    assert expected[0].detail.startswith("the root is on its way (epsilon_root is never used")
    assert "2 expected failure" in str(report)


def test_an_expected_failure_that_passes_is_a_failure() -> None:
    found = failures(Adam, checks=["split", "reshape"], expected_failures={"split": "it used to"}, examples=EXAMPLES)
    assert set(found) == {"split"}


def test_some_checks_alone_and_only_until_the_first_failure() -> None:
    report = testing.check_optimizer(Adam, checks=["split", "save_and_load"], examples=EXAMPLES)
    assert [result.check for result in report.results] == ["split", "save_and_load"]
    stopped = testing.check_optimizer(unused_hyperparameter(), examples=EXAMPLES, stop_on_first=True, raises=False)
    assert stopped.results[-1].check == "hyperparameters_used"
    assert len(stopped.results) < GENERIC


def test_as_many_examples_are_drawn_as_hypothesis_profile_says() -> None:
    from hypothesis import settings

    before = settings.get_current_profile_name()
    settings.register_profile("seven", max_examples=7)
    settings.load_profile("seven")
    try:
        assert subject_of("test", Adam, None, None).examples == 7
    finally:
        settings.load_profile(before)


def test_a_check_of_a_test_checks_what_it_is_handed() -> None:
    cases = testing.parametrize_with_checks([Adam], examples=3).args[1]
    (check,) = [case.values[1] for case in cases if case.id == "Adam-law_constant_gradient"]
    check(Adam)
    with pytest.raises(pytest.fail.Exception, match="law_constant_gradient"):
        check(lambda: optimizers.Lion())


@pytest.mark.parametrize("wrong", [3, "adam", Adam(), dict])
def test_what_gives_no_optimizers_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="check_optimizer: must be given an optimizer class"):
        testing.check_optimizer(wrong)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"checks": ["spli"]}, ValueError, "there must be a check of this name. Received: 'spli'. Did you mean"),
        ({"checks": []}, ValueError, "there must be a check. Received: none"),
        ({"checks": "split"}, TypeError, "checks must be a list of names. Received: checks='split'"),
        ({"expected_failures": {"no": "x"}}, ValueError, "there must be a check of this name. Received: 'no'"),
        ({"expected_failures": ["split"]}, TypeError, "expected_failures must be a dict from names"),
        ({"expected_failures": {"split": ""}}, TypeError, "an expected failure must have a reason. Received: split=''"),
        ({"oracle": 3}, TypeError, "oracle must be a function. Received: oracle=3"),
        ({"examples": 0}, ValueError, "examples must be a positive integer. Received: examples=0"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        testing.check_optimizer(Adam, **options)
    assert str(caught.value).startswith(f"check_optimizer: {message}")


# For pytest ------------------------------------------------------------------------------------------------

MODULE = """
import numpy as np
from minidl import testing
from minidl.optimizers import Adam, Momentum, SGD

class Growing(SGD):
    laws = ()
    kept = []
    def step(self, parameters):
        super().step(parameters)
        self.kept.append(1.0)
        self.iterations += 1

EXPECTED = {"steps_counted_once": "it counts twice", "split": "it doesn't, really"}

@testing.parametrize_with_checks([SGD, lambda: Momentum(momentum=0.5), Growing], examples=3,
                                 expected_failures=lambda make: EXPECTED if make is Growing else {})
def test_rules(optimizer, check):
    check(optimizer)
"""


def test_each_check_is_a_test_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_rules.py").write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", str(tmp_path)]
    command += ["-k", "split or law_linear or oracle or steps_counted_once or rate_applied"]  # all take their time
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    out = done.stdout
    assert "PASSED test_rules.py::test_rules[SGD-split]" in out
    assert "test_rules[Momentum-1-law_linear]" in out
    assert "SKIPPED [3]" in out
    assert "no oracle was given" in out
    assert "XFAIL test_rules.py::test_rules[Growing-steps_counted_once] - it counts twice" in out
    assert "FAILED test_rules.py::test_rules[Growing-split]" in out, "a strict expected failure that passes"
    assert "FAILED test_rules.py::test_rules[Growing-rate_applied]" in out
    assert "known elsewhere: keras#13589" in out
    assert done.returncode == 1


@pytest.mark.parametrize("wrong", ["adam", Adam, 3])
def test_what_is_no_list_of_optimizers_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="parametrize_with_checks: must be given a list of optimizer classes"):
        testing.parametrize_with_checks(wrong)


def test_an_unknown_expected_failure_is_refused_when_tests_are_collected() -> None:
    with pytest.raises(ValueError, match="parametrize_with_checks: there must be a check of this name"):
        testing.parametrize_with_checks([Adam], expected_failures={"splitt": "x"})


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "hypothesis" else find(name, *rest)
    )
    for owner, attempt in {
        "check_optimizer": lambda: testing.check_optimizer(optimizers.Adam),
        "minidl.testing.strategies": lambda: testing.__getattr__("strategies"),  # what is asked for the first time
    }.items():
        with pytest.raises(ImportError) as caught:
            attempt()
        assert str(caught.value) == f"{owner}: drawing examples needs the extra `check`: pip install 'minidl[check]'"
