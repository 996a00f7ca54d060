"""The proofs of laws: what a rule's author declares in its class, and what holds besides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.optimizers import laws, registry
from minidl.optimizers.laws import Law
from minidl.testing.checking import Check, same
from minidl.testing.optimizers.subject import Array, Subject, steps, walk

if TYPE_CHECKING:
    from minidl.testing.strategies import Run

__all__ = ["law_checks", "undeclared"]

ROUNDING = 1e-9
TRIES = 12  # examples for a law that nobody declared


def law_checks(subject: Subject) -> list[Check[Subject]]:
    """Return a check for each law that the optimizer's class declares, its own or its base's."""
    declared = getattr(type(subject.sample), "laws", ())
    seen: Counter[str] = Counter()
    checks = []
    for law in declared:
        name = f"law_{re.sub('(?<!^)(?=[A-Z])', '_', type(law).__name__).lower()}"
        seen[name] += 1
        name += f"_{seen[name]}" if seen[name] > 1 else ""
        meaning = " ".join((type(law).__doc__ or "").split("\n\n")[0].split())
        checks.append(Check(name, f"{law!r}: {meaning}", partial(_prove, law)))
    return checks


def undeclared(subject: Subject) -> list[Law]:
    """Return laws that hold on a dozen examples although the class declares none of their kind."""
    names = set(subject.hyperparameters)
    flags: dict[str, Any] = {name: value for name, value in subject.hyperparameters.items() if isinstance(value, bool)}
    calm: dict[str, Any] = {name: 0.0 for name in names if name == "weight_decay"} | flags
    sharp: dict[str, Any] = {**calm, **{name: 0.0 for name in names if name.startswith("epsilon")}}
    candidates: list[Law] = [laws.SignSymmetric(**calm), laws.Rests(**calm), laws.DescentDirection(**calm)]
    if "learning_rate" in names:
        candidates += [
            laws.ProportionalToRate(**calm),
            laws.FirstStep(**sharp),
            laws.BoundedStep(**calm),
            laws.Linear(**calm),
            laws.Homogeneous(0, **sharp),
        ]
        if "momentum" in names:
            candidates += [
                laws.Coasts("momentum", **calm),
                laws.LookAhead(**calm),
                laws.ReducesTo("sgd", None, momentum=0.0, **calm),
            ]
        if "weight_decay" in names:
            candidates.append(laws.Shrinks("weight_decay", **flags))
    kinds = {type(law) for law in getattr(type(subject.sample), "laws", ())}
    fewer = Subject(subject.make, min(TRIES, subject.examples), shrinks=False)
    return [law for law in candidates if type(law) not in kinds and _holds(fewer, law)]


def _holds(subject: Subject, law: Law) -> bool:
    try:
        _prove(law, subject)
    except Exception:  # whatever is raised, the law isn't shown
        return False
    return True


def _prove(law: Law, subject: Subject) -> None:
    proof = next((_PROOFS[kind] for kind in type(law).__mro__ if kind in _PROOFS), None)
    if proof is None:
        raise AssertionError(f"nothing is known of how to prove a law of this kind: {law!r}")
    try:
        proof(subject.settled, law)
    except AssertionError as error:
        own = type(subject.sample)
        owner = next((c for c in own.__mro__ if law in c.__dict__.get("laws", ())), own)
        hint = "" if owner is own else f"; the law is that of {owner.__name__}: declare laws of its own"
        raise AssertionError(f"{error}{hint}") from error


def _moves(subject: Subject, optimizer: Any, run: Run, gradients: Sequence[Array]) -> list[Array]:
    """Return the step that each gradient makes; from w = 0, for its last digits, unless the rule takes a norm of w."""
    parameter, moves = run.parameter(), []
    for gradient in gradients:
        if subject.elementwise:
            parameter.data = np.zeros_like(run.start)
        before = parameter.data.copy()
        steps(optimizer, [parameter], [[gradient]])
        moves.append(parameter.data - before)
    return moves


def _same_moves(found: Sequence[Array], expected: Sequence[Array]) -> None:
    scale = max((float(np.abs(move).max(initial=0)) for move in expected), default=0.0)
    for t, (one, other) in enumerate(zip(found, expected, strict=True), start=1):
        same(one, np.asarray(other, np.float64), f"step {t}", ROUNDING, scale)


def _rate(run: Run) -> float:
    return float(run.optimizer().learning_rate)


def _sign_symmetric(subject: Subject, law: Law) -> None:
    def check(run: Run) -> None:
        one = walk(run.optimizer(), run.start, run.gradients)
        other = walk(run.optimizer(), -run.start, [-g for g in run.gradients])
        same(-other.data, one.data, "negated", ROUNDING)

    subject.for_runs(check, **law.at)


def _rests(subject: Subject, law: Law) -> None:
    def check(run: Run) -> None:
        rested = walk(run.optimizer(), run.start, [np.zeros_like(g) for g in run.gradients])
        same(rested.data, run.start, "after zero gradients")

    subject.for_runs(check, **law.at)


def _descent_direction(subject: Subject, law: Law) -> None:
    def check(run: Run) -> None:
        gradient = run.gradients[0]
        move = _moves(subject, run.optimizer(), run, [gradient])[0]
        assert (np.sign(move) == -np.sign(gradient)).all(), f"the first step is {move.tolist()}"

    subject.for_runs(check, **law.at)


def _proportional_to_rate(subject: Subject, law: Law) -> None:
    def check(run: Run) -> None:
        last = []
        for factor in (1.0, 2.0):
            optimizer, parameter = run.optimizer(), run.parameter()
            steps(optimizer, [parameter], ([g] for g in run.gradients))
            optimizer.learning_rate = factor * _rate(run)
            if subject.elementwise and "weight_decay" not in run.settings:
                parameter.data = np.zeros_like(run.start)
            before = parameter.data.copy()
            steps(optimizer, [parameter], [[run.gradients[0]]])
            last.append(parameter.data - before)
        room = float(np.abs(before).max())
        same(last[1], 2 * last[0], "the step at twice the rate", ROUNDING, room)

    subject.for_runs(check, **law.at)


def _linear(subject: Subject, law: Law) -> None:
    def check(run: Run) -> None:
        turned = [g[::-1] * (-0.5) ** i for i, g in enumerate(run.gradients)]
        both = [g + h for g, h in zip(run.gradients, turned, strict=True)]
        one, other, total = (_moves(subject, run.optimizer(), run, part) for part in (run.gradients, turned, both))
        _same_moves(total, [a + b for a, b in zip(one, other, strict=True)])

    subject.for_runs(check, **law.at)


def _homogeneous(subject: Subject, law: laws.Homogeneous) -> None:
    def check(run: Run) -> None:
        one = _moves(subject, run.optimizer(), run, run.gradients)
        for factor in (8.0, 2.0**-5):
            other = _moves(subject, run.optimizer(), run, [factor * g for g in run.gradients])
            _same_moves(other, [factor**law.degree * move for move in one])

    subject.for_runs(check, nonzero=True, **law.at)


def _first_step(subject: Subject, law: laws.FirstStep) -> None:
    def check(run: Run) -> None:
        gradient = run.gradients[0]
        _same_moves(_moves(subject, run.optimizer(), run, [gradient]), [-law.size * _rate(run) * np.sign(gradient)])

    subject.for_runs(check, nonzero=True, **law.at)


def _bounded_step(subject: Subject, law: laws.BoundedStep) -> None:
    def check(run: Run) -> None:
        limit = law.size * _rate(run)
        for t, move in enumerate(_moves(subject, run.optimizer(), run, run.gradients), start=1):
            longest = float(np.abs(move).max())
            assert longest <= limit * (1 + ROUNDING), f"step {t} moves an entry by {longest!r}, more than {limit!r}"

    subject.for_runs(check, **law.at)


def _coasts(subject: Subject, law: laws.Coasts) -> None:
    def check(run: Run) -> None:
        zeros = [np.zeros_like(run.start)] * 5
        optimizer = run.optimizer()
        # The first step along a zero gradient may still differ: Nesterov's looks ahead.
        coasting = _moves(subject, optimizer, run, [*run.gradients, *zeros])[-4:]
        factor = getattr(optimizer, law.factor)
        _same_moves(coasting[1:], [factor * move for move in coasting[:-1]])

    subject.for_runs(check, **law.at)


def _shrinks(subject: Subject, law: laws.Shrinks) -> None:
    def check(run: Run) -> None:
        optimizer = run.optimizer()
        left = 1 - _rate(run) * getattr(optimizer, law.decay)
        shrunk = walk(optimizer, run.start, [np.zeros_like(g) for g in run.gradients])
        same(shrunk.data, run.start * left ** len(run.gradients), "after zero gradients", ROUNDING)

    subject.for_runs(check, **law.at)


def _closed_form(subject: Subject, law: laws.ConstantGradient | laws.Impulse, later: float) -> None:
    def check(run: Run) -> None:
        optimizer, gradient = run.optimizer(), run.gradients[0]
        found = _moves(subject, optimizer, run, [gradient, *[later * gradient] * 5])
        with np.errstate(all="ignore"):
            _same_moves(found, [-_rate(run) * law.step(gradient, t, **optimizer.hyperparameters) for t in range(1, 7)])

    subject.for_runs(check, nonzero=True, **law.at)


def _one_step(subject: Subject, law: laws.OneStep) -> None:
    def check(run: Run) -> None:
        gradient = run.gradients[0]
        for start in (run.start, np.zeros_like(run.start)):
            optimizer = run.optimizer()
            with np.errstate(all="ignore"):
                step = -_rate(run) * law.step(start, gradient, **optimizer.hyperparameters)
            scale = float(np.abs(start).max() + np.abs(step).max())
            same(walk(optimizer, start, [gradient]).data, start + step, "w after a step", ROUNDING, scale)

    subject.for_runs(check, nonzero=True, **law.at)


def _reduces_to(subject: Subject, law: laws.ReducesTo) -> None:
    def check(run: Run) -> None:
        optimizer, other = run.optimizer(), registry.get(law.other)
        shared = {name: value for name, value in run.settings.items() if name in other.hyperparameters}
        for name, value in {**shared, **law.there}.items():
            setattr(other, name, value)
        _same_moves(_moves(subject, optimizer, run, run.gradients), _moves(subject, other, run, run.gradients))

    subject.for_runs(check, nonzero=True, **law.at)


def _look_ahead(subject: Subject, law: Law) -> None:
    def check(run: Run) -> None:
        curvature, target = np.abs(run.gradients[0]) / 4, run.start

        def slope(w: Array) -> Array:
            return curvature * (w - target)

        optimizer = run.optimizer()
        rate, momentum = _rate(run), optimizer.momentum
        parameter = run.parameter()
        parameter.data = theta = run.start + 1.0
        velocity = np.zeros_like(theta)
        for t in range(1, 7):
            steps(optimizer, [parameter], [[slope(parameter.data)]])
            velocity = momentum * velocity + slope(theta - rate * momentum * velocity)
            theta = theta - rate * velocity
            ahead = theta - rate * momentum * velocity
            same(
                parameter.data, ahead, f"w after step {t}", ROUNDING, float(np.abs(ahead).max() + np.abs(target).max())
            )

    subject.for_runs(check, kinds=("ordinary",), **law.at)


_PROOFS: dict[type[Law], Callable[[Subject, Any], None]] = {
    laws.SignSymmetric: _sign_symmetric,
    laws.Rests: _rests,
    laws.DescentDirection: _descent_direction,
    laws.ProportionalToRate: _proportional_to_rate,
    laws.Linear: _linear,
    laws.Homogeneous: _homogeneous,
    laws.FirstStep: _first_step,
    laws.BoundedStep: _bounded_step,
    laws.Coasts: _coasts,
    laws.Shrinks: _shrinks,
    laws.ConstantGradient: partial(_closed_form, later=1.0),
    laws.Impulse: partial(_closed_form, later=0.0),
    laws.OneStep: _one_step,
    laws.ReducesTo: _reduces_to,
    laws.LookAhead: _look_ahead,
}
