"""The strategies draw what they say, of every kind, and shrink to what one can read."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from subjects import RULES

from minidl import Parameter, Sequential, losses, optimizers
from minidl.optimizers import Adam, Momentum
from minidl.schedules import CosineDecay, Schedule
from minidl.testing import strategies
from minidl.validation import Interval

few = settings(max_examples=30, deadline=None)
SIZES = {"ordinary": (0.01, 4), "tiny": (1e-10, 4e-8), "huge": (1e4, 4e6)}


@pytest.mark.parametrize("kind", strategies.KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_of_their_kind(kind, dtype):
    @few
    @given(strategies.gradients((2, 3), dtype, [kind]))
    def check(gradient):
        assert gradient.shape == (2, 3)
        assert gradient.dtype == dtype
        if kind in SIZES and gradient.any():
            sizes = np.abs(gradient[gradient != 0])
            low, high = SIZES[kind]
            assert sizes.min() >= low * (1 - 1e-6)
            assert sizes.max() <= high * (1 + 1e-6)

    check()


def test_sparse_gradients_have_zeros_and_mixed_ones_all_scales():
    sparse = find(strategies.gradients(9, kinds=["sparse"]), lambda g: 0 < (g != 0).sum() < 5)
    assert sparse.shape == (9,)
    mixed = find(strategies.gradients(3, kinds=["mixed"]), lambda g: abs(g).max() > 100 and 0 < abs(g).min() < 1e-6)
    assert mixed.shape == (3,)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="gradients: kinds must be one of 'ordinary', 'sparse'"):
        strategies.gradients(kinds=["normal"])
    with pytest.raises(ValueError, match=r"runs: kinds must be one of 'ordinary', .*Received: kinds='tyni'"):
        strategies.runs(optimizers.SGD, kinds=["tyni"])
    for wrong in ([], "tiny"):
        with pytest.raises(ValueError, match=r"runs: kinds must be a list of at least one. Received: kinds="):
            strategies.runs(optimizers.SGD, kinds=wrong)


@few
@given(strategies.parameters())
def test_parameters_are_ready_to_be_stepped(parameter):
    assert isinstance(parameter, Parameter)
    assert parameter.grad.shape == parameter.shape
    Adam().step([parameter])


@pytest.mark.parametrize("rule", RULES)
def test_hyperparameters_are_in_their_ranges_and_vary(rule):
    seen = {}

    @settings(max_examples=60, deadline=None)
    @given(strategies.hyperparameters(rule))
    def check(drawn):
        optimizer = rule()
        assert set(drawn) == set(optimizer.hyperparameters)
        for name, value in drawn.items():
            setattr(optimizer, name, value)
            seen.setdefault(name, set()).add(value)
            interval = rule.ranges.get(name, "(-inf, inf)")
            assert interval == "bool" or value in Interval.parse(interval)

    check()
    assert min(map(len, seen.values())) >= 2


def test_a_schedule_among_the_hyperparameters_stays():
    drawn = find(strategies.hyperparameters(Adam(CosineDecay(0.1, decay_steps=3))), lambda _: True)
    assert "learning_rate" not in drawn
    run = find(strategies.runs(lambda: Adam(CosineDecay(0.1, decay_steps=3))), lambda _: True)
    assert isinstance(run.optimizer().learning_rate, CosineDecay)


@few
@given(strategies.runs(Momentum, steps=5, entries=2, kinds=["mixed"], nonzero=True, momentum=0.5))
def test_runs_keep_to_their_options(run):
    assert 1 <= len(run.gradients) <= 5
    assert all(gradient.shape == run.start.shape for gradient in run.gradients)
    assert run.start.size <= 2
    assert all(gradient.all() for gradient in run.gradients)
    optimizer = run.optimizer(dampening=0.25)
    assert (optimizer.momentum, optimizer.dampening) == (0.5, 0.25)
    assert run.parameter("float32").dtype == np.float32
    assert "momentum = 0.5" in str(run)


def test_a_failing_run_shrinks_to_one_short_step():
    run = find(strategies.runs(Adam), lambda run: abs(run.gradients[-1]).max() > 1)
    assert str(run).startswith("w = [0.0], gradients = [[1.01]], learning_rate = 0.001")


@few
@given(strategies.schedules(0.01, 0.3))
def test_schedules_stay_between_their_ends(schedule):
    assert isinstance(schedule, Schedule)
    assert all(0.01 - 1e-12 <= schedule(index) <= 0.3 + 1e-12 for index in range(8))


@few
@given(strategies.models(features=4, classes=3), strategies.datasets(samples=5, features=4, classes=3))
def test_models_learn_from_data_sets(model, data):
    x, y = data
    assert isinstance(model, Sequential)
    assert 2 <= len(x) == len(y) <= 5
    model.compile(optimizers.SGD(1e-3), losses.SparseCategoricalCrossentropy())
    before = model.evaluate(x, y)
    model.fit(x, y, batch_size=5, epochs=1, verbose=0)
    assert model.evaluate(x, y) <= before + 1e-9
