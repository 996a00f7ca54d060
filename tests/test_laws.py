"""Laws: every rule obeys those that it declares, and a rule that doesn't obey one is found out."""

from typing import Any

import numpy as np
import pytest
from faults import failures
from subjects import RULES

from minidl import testing
from minidl.optimizers import Optimizer, laws
from minidl.testing.optimizers.suite import checks_of, subject_of


def law_names(make: Any) -> list[str]:
    return [check.name for check in checks_of(subject_of("test", make, None, 1)) if check.name.startswith("law_")]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_obeys_its_laws(rule: type[Optimizer]) -> None:
    testing.check_optimizer(rule, checks=law_names(rule), examples=10)


def broken(make: Any, check: str) -> bool:
    return list(failures(make, checks=[check], examples=20)) == [check]


class Rule(Optimizer):
    """A rule to hang laws on."""

    slots = ("m",)

    def __init__(self, learning_rate: float = 0.1, momentum: float = 0.5, weight_decay: float = 0.1) -> None:
        super().__init__(learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay)


def rule(step: Any, law: laws.Law) -> type[Optimizer]:
    """Return a rule that declares `law`; `step(w, g, m, learning_rate, momentum, weight_decay)` gives its w and m."""

    def update(w: Any, g: Any, m: Any, *, learning_rate: float, momentum: float, weight_decay: float) -> Any:
        return step(w, g, m, learning_rate, momentum, weight_decay)

    return type("Rule", (Rule,), {"update": staticmethod(update), "laws": (law,)})


def descent(w, g, m, eta, mu, decay):
    return w - eta * g, m


def twice(w, g, m, eta, mu, decay):
    return w - 2 * eta * g, m


def heavy_ball(w, g, m, eta, mu, decay):
    m = mu * m + g
    return w - eta * m, m


def nesterov(w, g, m, eta, mu, decay):
    m = mu * m + g
    return w - eta * (g + mu * m), m


def signs(w, g, m, eta, mu, decay):
    return w - eta * np.sign(g), m


def decayed(w, g, m, eta, mu, decay):
    return w * (1 - eta * decay) - eta * g, m


def lopsided(w, g, m, eta, mu, decay):
    return w - eta * np.maximum(g, 0), m


def inside(w, g, m, eta, mu, decay):
    m = mu * m + eta * g
    return w - m, m


def climbing(w, g, m, eta, mu, decay):
    return w + eta * g, m


# Chainer's form of it: the new velocity where the equation has the old one.
def wrong_nesterov(w, g, m, eta, mu, decay):
    m = mu * m - eta * g
    return w + mu * mu * m - (1 + mu) * eta * g, m


LAWS = [
    (laws.SignSymmetric(), heavy_ball, lopsided),
    (laws.Rests(), descent, decayed),
    (laws.DescentDirection(), heavy_ball, climbing),
    (laws.ProportionalToRate(), heavy_ball, inside),
    (laws.Linear(), heavy_ball, signs),
    (laws.LookAhead(), nesterov, wrong_nesterov),
    (laws.LookAhead(), nesterov, heavy_ball),
    (laws.Homogeneous(1), heavy_ball, signs),
    (laws.Homogeneous(0), signs, heavy_ball),
    (laws.FirstStep(), signs, descent),
    (laws.FirstStep(2.0), lambda w, g, m, eta, *_: (w - 2 * eta * np.sign(g), m), signs),
    (laws.BoundedStep(), signs, descent),
    (laws.BoundedStep(0.5), lambda w, g, m, eta, *_: (w - 0.5 * eta * np.sign(g), m), signs),
    (laws.Coasts("momentum"), heavy_ball, descent),
    (laws.Coasts("momentum"), nesterov, signs),
    (laws.Shrinks(), decayed, descent),
    (laws.ConstantGradient(lambda g, t, *, momentum, **_: g * geometric(momentum, t)), heavy_ball, nesterov),
    (laws.Impulse(lambda g, t, *, momentum, **_: g * momentum ** (t - 1)), heavy_ball, nesterov),
    (laws.Impulse(lambda g, t, **_: g * (t == 1)), descent, heavy_ball),
    (laws.OneStep(lambda w, g, *, weight_decay, **_: g + weight_decay * w), decayed, descent),
    (laws.ReducesTo("sgd", momentum=0.0), heavy_ball, signs),
    (laws.ReducesTo("sgd"), descent, heavy_ball),
    (laws.ReducesTo("momentum", {"dampening": 0.0}), heavy_ball, nesterov),
    (laws.ReducesTo("sgd", {"learning_rate": 0.2}, learning_rate=0.1), twice, descent),
]  # fmt: skip


def geometric(momentum, t):
    return (1 - momentum**t) / (1 - momentum)


def is_trivial(law: laws.Law, step: Any) -> bool:
    """A coasting rule that stops at once coasts by any factor."""
    return isinstance(law, laws.Coasts) and step in (descent, signs)


@pytest.mark.parametrize(
    ("law", "right", "wrong"),
    [row for row in LAWS if not is_trivial(row[0], row[2])],
    ids=[f"{row[0]!r}-{row[1].__name__}-{row[2].__name__}" for row in LAWS if not is_trivial(row[0], row[2])],
)
def test_a_law_is_proven_of_whom_it_holds_and_refuted_of_others(law: laws.Law, right: Any, wrong: Any) -> None:
    (check,) = law_names(rule(right, law))
    assert not broken(rule(right, law), check)
    assert broken(rule(wrong, law), check)


def test_every_law_is_among_them() -> None:
    kinds = {getattr(laws, name) for name in laws.__all__} - {laws.Law}
    assert {type(row[0]) for row in LAWS} == kinds


def test_a_closed_form_that_is_infinite_is_no_proof() -> None:
    def step(g: Any, t: int, **_: Any) -> Any:
        return g if t == 1 else g / 0.0

    assert broken(rule(descent, laws.Impulse(step)), "law_impulse")


def test_a_law_shows_what_it_says_and_where_it_holds() -> None:
    shown = {repr(law) for rule in RULES for law in rule.laws}
    assert {
        "SignSymmetric()",
        "Homogeneous(0, epsilon=0.0, epsilon_root=0.0)",
        "ReducesTo('sgd', {}, momentum=0.0, dampening=0.0)",
        "ConstantGradient(bias_correction=True)",
        "Coasts('momentum')",
        "Shrinks('weight_decay')",
        "FirstStep(1.0, epsilon=0.0, epsilon_root=0.0)",
    } <= shown


def test_a_law_of_a_kind_that_nobody_can_prove_is_told() -> None:
    class Just(laws.Law):
        """It is just."""

    report = testing.check_optimizer(rule(descent, Just()), checks=["law_just"], examples=2, raises=False)
    assert report.failures[0].detail == "nothing is known of how to prove a law of this kind: Just()"
    assert not broken(rule(descent, type("Own", (laws.Rests,), {"__doc__": "Its own."})()), "law_own")
