"""Schedules against formulas written anew, at their ends and corners."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from subjects import exported, shown

from minidl import schedules
from minidl.optimizers import SGD
from minidl.schedules import (
    CorrectedEpsilon,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstant,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
)

CASES = [
    (InverseTimeDecay(0.7, decay_rate=0.3), lambda i: 0.7 * (1 + 0.3 * i) ** -1),
    (InverseTimeDecay(0.7, decay_rate=0.0, every="step"), lambda i: 0.7),
    (InverseTimeDecay(0.7, decay_rate=0.3, decay_steps=5), lambda i: 0.7 * 5 / (5 + 0.3 * i)),
    (InverseTimeDecay(0.7, decay_rate=0.3, decay_steps=5, staircase=True), lambda i: 0.7 / (1 + 0.3 * (i // 5))),
    (ExponentialDecay(0.7, decay_rate=0.9), lambda i: 0.7 * math.exp(i * math.log(0.9))),
    (ExponentialDecay(0.7, decay_rate=0.5, decay_steps=4), lambda i: 0.7 * 2 ** (-i / 4)),
    (ExponentialDecay(0.7, decay_rate=0.5, decay_steps=4, staircase=True), lambda i: math.ldexp(0.7, -(i // 4))),
    (ExponentialDecay(0.7, decay_rate=1.0001, every="epoch"), lambda i: 0.7 * math.exp(i * math.log(1.0001))),
    (StepDecay(0.7, step_size=3), lambda i: math.ldexp(0.7, -math.floor(i / 3))),
    (StepDecay(0.7, step_size=1, factor=0.1, every="step"), lambda i: 0.7 * math.exp(i * math.log(0.1))),
    (PiecewiseConstant([0.7], boundaries=[]), lambda i: 0.7),
    (
        PiecewiseConstant([0.7, 0.2, 0.5], boundaries=[3, 4]),
        lambda i: 0.7 if i <= 2 else 0.2 if i == 3 else 0.5,
    ),
    (PolynomialDecay(0.7, decay_steps=8), lambda i: max(0.7 - 0.7 / 8 * i, 0.0)),
    (
        PolynomialDecay(0.7, decay_steps=8, final=0.1, power=2.0, every="epoch"),
        lambda i: 0.1 + 0.6 * ((8 - i) / 8) ** 2 if i < 8 else 0.1,
    ),
    (PolynomialDecay(0.1, decay_steps=8, final=0.7, power=0.5), lambda i: 0.7 - 0.6 * math.sqrt(max(8 - i, 0) / 8)),
    # (1 + cos 2x) / 2 = cos² x
    (CosineDecay(0.7, decay_steps=8), lambda i: 0.7 * math.cos(math.pi / 2 * min(i / 8, 1)) ** 2),
    (
        CosineDecay(0.7, decay_steps=8, final=0.1, every="epoch"),
        lambda i: 0.1 + 0.6 * math.cos(math.pi / 2 * min(i / 8, 1)) ** 2,
    ),
    (
        CosineRestarts(0.7, first_decay_steps=8, t_mul=1.0, m_mul=0.5, final=0.1),
        lambda i: 0.1 + math.ldexp(0.6, -(i // 8)) * math.cos(math.pi / 16 * (i % 8)) ** 2,
    ),
    # decay number k of 3 · 2^k steps begins at 3 · (2^k - 1)
    (
        CosineRestarts(0.7, first_decay_steps=3),
        lambda i: 0.7 * math.cos(math.pi / 2 * ((i + 3) / 3 / 2 ** math.floor(math.log2((i + 3) / 3)) - 1)) ** 2,
    ),
    (CorrectedEpsilon(0.3, beta_2=0.75), lambda i: 0.3 * (1 - math.exp((i + 1) * math.log(0.75))) ** -0.5),
    (CorrectedEpsilon(0.3, beta_2=0.0), lambda i: 0.3),
    (Warmup(0.7, warmup_steps=5), lambda i: 0.7 * min(i / 5, 1)),
    (Warmup(0.7, warmup_steps=1, start=0.2), lambda i: 0.2 if i == 0 else 0.7),
]
INDICES = [*range(25), 100, 10_000]
each_case = pytest.mark.parametrize(("schedule", "formula"), CASES, ids=shown)


def close(found, expected):
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_every_exported_schedule_has_cases():
    assert {type(schedule).__name__ for schedule, _ in CASES} == exported(schedules, Schedule)


@each_case
def test_agrees_with_its_formula(schedule, formula):
    for index in INDICES:
        value = schedule(index)
        close(value, formula(index))
        assert type(value) is float
        assert schedule(np.int64(index)) == value


@each_case
def test_is_pure(schedule, formula):
    before = schedule.get_config()
    forwards = [schedule(index) for index in INDICES]
    assert [schedule(index) for index in reversed(INDICES)] == forwards[::-1]
    assert schedule.get_config() == before


@each_case
def test_a_config_a_copy_a_pickle_and_the_repr_give_the_same_schedule(schedule, formula):
    config = {"class": type(schedule).__name__, **schedule.get_config()}
    twins = [
        schedules.registry.get(json.loads(json.dumps(config))),
        type(schedule).from_config(schedule.get_config()),
        copy.deepcopy(schedule),
        pickle.loads(pickle.dumps(schedule)),
        eval(repr(schedule), vars(schedules)),
    ]
    for twin in twins:
        assert type(twin) is type(schedule)
        assert (twin.get_config(), twin.every) == (schedule.get_config(), schedule.every)
        assert [twin(index) for index in INDICES] == [schedule(index) for index in INDICES]


@each_case
@pytest.mark.parametrize("start", [0.0, 0.05])
def test_warmup_leads_to_each_and_skips_nothing_of_it(schedule, formula, start):
    warm = Warmup(schedule, warmup_steps=4, start=start, every=schedule.every)
    for index in range(4):
        close(warm(index), start * (1 - index / 4) + formula(0) * index / 4)
    assert [warm(4 + index) for index in INDICES] == [schedule(index) for index in INDICES]
    twin = schedules.registry.get(json.loads(json.dumps({"class": "Warmup", **warm.get_config()})))
    assert [twin(index) for index in INDICES] == [warm(index) for index in INDICES]


@pytest.mark.parametrize(
    ("schedule", "at"),
    [
        (InverseTimeDecay(0.1, decay_rate=1.0), {0: 0.1, 1: 0.05, 3: 0.025}),
        (ExponentialDecay(0.8, decay_rate=0.5, decay_steps=5, staircase=True), {0: 0.8, 4: 0.8, 5: 0.4, 10: 0.2}),
        (StepDecay(0.8, step_size=10), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2}),
        (PiecewiseConstant([3.0, 2.0, 1.0], boundaries=[1, 4]), {0: 3.0, 1: 2.0, 3: 2.0, 4: 1.0, 10**9: 1.0}),
        (PolynomialDecay(0.5, decay_steps=4, final=0.25), {0: 0.5, 2: 0.375, 4: 0.25, 5: 0.25, 10**9: 0.25}),
        (PolynomialDecay(0.5, decay_steps=1), {0: 0.5, 1: 0.0, 2: 0.0}),
        (CosineDecay(0.5, decay_steps=4, final=0.25), {0: 0.5, 4: 0.25, 5: 0.25, 10**9: 0.25}),
        (Warmup(PolynomialDecay(1.0, decay_steps=2), warmup_steps=2), {0: 0.0, 1: 0.5, 2: 1.0, 3: 0.5, 4: 0.0, 9: 0.0}),
    ],
    ids=repr,
)
def test_ends_and_corners_are_exact(schedule, at):
    assert {index: schedule(index) for index in at} == at


def test_by_default_the_decays_of_epochs_count_epochs_and_the_others_steps():
    either = [s for s, _ in CASES if not isinstance(s, CorrectedEpsilon)]  # that one goes with the rule's steps
    assert {type(s)(**{**s.get_config(), "every": "epoch"}).every for s in either} == {"epoch"}
    assert InverseTimeDecay(0.1, decay_rate=1.0).every == StepDecay(0.1, step_size=1).every == "epoch"
    others = [ExponentialDecay(0.1, decay_rate=0.5), PiecewiseConstant([0.1], boundaries=[]), Warmup(1, warmup_steps=1)]
    others += [PolynomialDecay(0.1, decay_steps=1), CosineDecay(0.1, decay_steps=1), CorrectedEpsilon(0.1)]
    others += [CosineRestarts(0.1, first_decay_steps=1)]
    assert {schedule.every for schedule in others} == {"step"}


@pytest.mark.parametrize(
    ("cls", "arguments", "error", "message"),
    [
        (InverseTimeDecay, {"initial": 1, "decay_rate": -0.1}, ValueError, r"decay_rate must be in \[0, inf\)"),
        (InverseTimeDecay, {"initial": math.nan, "decay_rate": 1}, ValueError, "initial must be finite"),
        (InverseTimeDecay, {"initial": "1", "decay_rate": 1}, TypeError, "initial must be a number"),
        (InverseTimeDecay, {"initial": 1, "decay_rate": 1, "every": "week"}, ValueError, "every must be one of 'step'"),
        (InverseTimeDecay, {"initial": 1, "decay_rat": 1}, TypeError, "Did you mean 'decay_rate'"),
        (ExponentialDecay, {"initial": 1, "decay_rate": 0}, ValueError, r"decay_rate must be in \(0, inf\)"),
        (ExponentialDecay, {"initial": 1, "decay_rate": 1, "decay_steps": 0}, ValueError, "a positive integer"),
        (ExponentialDecay, {"initial": 1, "decay_rate": 1, "decay_steps": 2.0}, TypeError, "a positive integer"),
        (StepDecay, {"initial": 1, "step_size": 0}, ValueError, "step_size must be a positive integer"),
        (StepDecay, {"initial": 1, "step_size": 1, "factor": 0}, ValueError, r"factor must be in \(0, inf\)"),
        (PiecewiseConstant, {"values": [1], "boundaries": [1]}, ValueError, "Received: 1 values, 1 boundaries"),
        (PiecewiseConstant, {"values": [1, 2, 3], "boundaries": [2, 2]}, ValueError, "boundaries must increase"),
        (PiecewiseConstant, {"values": [1, 2, 3], "boundaries": [3, 2]}, ValueError, "boundaries must increase"),
        (PiecewiseConstant, {"values": [1, 2], "boundaries": [0]}, ValueError, "boundaries must be a positive integer"),
        (PiecewiseConstant, {"values": [1, None], "boundaries": [1]}, TypeError, "values must be a number"),
        (
            PiecewiseConstant,
            {"values": 0.1, "boundaries": [5]},
            TypeError,
            "values must be a list. Received: values=0.1",
        ),
        (
            PiecewiseConstant,
            {"values": [1, 2], "boundaries": 5},
            TypeError,
            "boundaries must be a list. .*boundaries=5",
        ),
        (
            ExponentialDecay,
            {"initial": 1, "decay_rate": 1, "staircase": "no"},
            TypeError,
            "staircase must be True or Fa",
        ),
        (
            Warmup,
            {"after": CosineDecay, "warmup_steps": 1},
            TypeError,
            "after must be a number or a schedule. Received",
        ),
        (PolynomialDecay, {"initial": 1, "decay_steps": -3}, ValueError, "Received: decay_steps=-3"),
        (PolynomialDecay, {"initial": 1, "decay_steps": 3, "power": 0}, ValueError, r"power must be in \(0, inf\)"),
        (PolynomialDecay, {"initial": 1, "decay_steps": 3, "final": math.inf}, ValueError, "final must be finite"),
        (CosineDecay, {"initial": 1, "decay_steps": 0}, ValueError, "decay_steps must be a positive integer"),
        (CosineDecay, {"initial": 1}, TypeError, "decay_steps"),
        (Warmup, {"after": 1, "warmup_steps": 0}, ValueError, "warmup_steps must be a positive integer"),
        (Warmup, {"after": "cosine", "warmup_steps": 1}, TypeError, "after must be a number"),
        (
            Warmup,
            {"after": StepDecay(1, step_size=1), "warmup_steps": 1, "every": "step"},
            ValueError,
            "every must be the same",
        ),
        (Warmup, {"after": {"class": "CosinDecay"}, "warmup_steps": 1}, ValueError, "Did you mean 'cosinedecay'"),
    ],
)
def test_refuses_bad_arguments_with_its_name(cls, arguments, error, message):
    with pytest.raises(error, match=f"(?s)(^{cls.__name__}|unknown schedule).*{message}"):
        cls(**arguments)


@pytest.mark.parametrize("name", sorted(exported(schedules, Schedule)))
def test_arguments_after_the_first_are_keyword_only(name):
    with pytest.raises(TypeError, match="positional"):
        getattr(schedules, name)(0.1, 1)


@each_case
@pytest.mark.parametrize(("index", "error"), [(-1, ValueError), (1.0, TypeError), (True, TypeError), (None, TypeError)])
def test_an_index_is_a_non_negative_integer(schedule, formula, index, error):
    with pytest.raises(error, match=f"{type(schedule).__name__}: index must be a non-negative integer"):
        schedule(index)


def test_warmup_takes_any_callable_and_nests():
    warm = Warmup(Warmup(lambda index: 2.0 + index, warmup_steps=2, start=1.0), warmup_steps=2)
    assert [warm(index) for index in range(7)] == [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]


def test_a_schedule_of_ones_own_needs_one_method():
    class Alternating(Schedule):
        def __init__(self, high, *, low=0.0, every="step"):
            self.high, self.low, self.every = high, low, every

        def value(self, index):
            return self.low if index % 2 else self.high

    own = Alternating(0.5)
    assert [own(i) for i in range(3)] == [0.5, 0.0, 0.5]
    assert repr(own) == "Alternating(high=0.5)"
    assert Alternating.from_config(own.get_config())(1) == 0.0
    with pytest.raises(ValueError, match="Alternating: index"):
        own(-1)
    with pytest.raises(NotImplementedError, match=r"Schedule: a schedule must give value\(index\)"):
        Schedule()(0)


def test_growth_beyond_all_numbers_is_infinite_and_refused_by_an_optimizer():
    rate = ExponentialDecay(0.1, decay_rate=2.0)
    assert rate(5000) == math.inf
    optimizer = SGD(rate)
    optimizer.iterations = 5000
    with pytest.raises(ValueError, match=r"learning_rate must be in \[0, inf\). Received: learning_rate=inf"):
        optimizer.current("learning_rate")


def test_a_warmup_counts_as_the_schedule_behind_it_does_unless_it_is_told():
    assert Warmup(0.1, warmup_steps=2).every == "step"
    assert Warmup(StepDecay(0.1, step_size=2), warmup_steps=2).every == "epoch"
    assert Warmup(lambda epoch: 0.1, warmup_steps=2, every="epoch").every == "epoch"
