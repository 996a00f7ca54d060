"""The optimizers' base class: in place, spans of equals, the probe, state, config, hyperparameters, users' rules."""

import copy
import itertools
import json
import math
import re

import numpy as np
import pytest
import subjects
from bits import COPIES, bits
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Parameter
from minidl.optimizers import (
    L2,
    LAMB,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    CenteredRMSprop,
    ClipByGlobalNorm,
    ClipByValue,
    Hook,
    Lion,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
    RMSpropMomentum,
    WeightDecay,
    registry,
)
from minidl.optimizers.laws import Rests
from minidl.parameters import flatten
from minidl.schedules import CosineDecay, InverseTimeDecay, PolynomialDecay, Schedule, StepDecay, Warmup

SHAPES = [(3, 2), (3, 2), (), (5,), (0,), (1, 0, 2)]


class Travelled(Optimizer):
    """A rule whose kept number is of the rates so far, so that it differs among parameters of one t."""

    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate=learning_rate)

    @staticmethod
    def prepare(learning_rate, travelled=0.0):
        return {"travelled": travelled + learning_rate}

    @staticmethod
    def update(w, g, *, travelled):
        return w - travelled * g


RULES = [*subjects.RULES, Travelled]
each_rule = pytest.mark.parametrize("rule", RULES)
each_layout = pytest.mark.parametrize("flat", [False, True], ids=["standalone", "flat"])
each_copy = pytest.mark.parametrize("way", COPIES)


def parameters_of(shapes=SHAPES, **options):
    return subjects.parameters_of(shapes, **options)


def steps(optimizer, parameters, seeds):
    """One step for each seed, along gradients that the seed draws."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for parameter in parameters:
            parameter.grad = rng.standard_normal(parameter.shape)
        optimizer.step(parameters)


def everything(optimizer, parameters):
    """All that a step could change."""
    arrays = [(parameter.data, parameter.grad) for parameter in parameters]
    return bits([optimizer.state_dict(), arrays, optimizer.applied, repr(optimizer)])


def make_rule(update, slots=(), **attributes):
    return type(Optimizer)("Rule", (Optimizer,), {"slots": slots, "update": staticmethod(update), **attributes})


# In place --------------------------------------------------------------------------------------------------


@each_rule
@each_layout
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_step_changes_the_arrays_in_place_and_leaves_gradients_alone(rule, flat, dtype):
    parameters, optimizer = parameters_of(dtype=dtype, flat=flat), rule(learning_rate=1.0)
    arrays, values = [p.data for p in parameters], [p.data.copy() for p in parameters]
    for seed in range(3):
        for parameter in parameters:
            parameter.grad = np.random.default_rng(seed).standard_normal(parameter.shape)
        before = bits([parameter.grad for parameter in parameters])
        optimizer.step(parameters)
        assert bits([parameter.grad for parameter in parameters]) == before
    for parameter, array, value in zip(parameters, arrays, values, strict=True):
        assert parameter.data is array
        assert (array.dtype, array.shape) == (value.dtype, value.shape)
        assert np.all(array != value)


@each_rule
@each_layout
def test_a_gradient_is_not_kept(rule, flat):
    parameters, optimizer = parameters_of(flat=flat), rule(learning_rate=0.1)
    twins, reference = parameters_of(), rule(learning_rate=0.1)
    for seed in range(3):
        steps(optimizer, parameters, [seed])
        steps(reference, twins, [seed])
        for parameter in parameters:
            parameter.grad[...] = np.nan
        assert bits(optimizer.state_dict()) == bits(reference.state_dict())
        assert bits([p.data for p in parameters]) == bits([p.data for p in twins])


@each_layout
@pytest.mark.parametrize("rule", [Momentum, AdaGrad, Adam])
def test_no_slot_shares_memory_with_anything(rule, flat):
    parameters = parameters_of([(3, 2)] * 3, flat=flat)
    optimizer, other = rule(), rule()
    for _ in range(2):
        steps(optimizer, parameters, [0])
        steps(other, parameters, [1])
        twin = copy.deepcopy(optimizer)
        arrays = [slot for o in (optimizer, other, twin) for slots in o.state.values() for slot in slots.values()]
        arrays += [slot for s in optimizer.state_dict()["parameters"].values() for slot in s["slots"].values()]
        arrays += [array for p in parameters for array in (p.data, p.grad)]
        assert len(arrays) == 3 * (4 * len(rule.slots) + 2)
        assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))
        parameters[1].trainable = False


def test_slots_that_init_slots_shares_are_parted():
    shared = np.zeros(1000)

    def init_slots(self, data):
        return {"a": data, "b": shared[: data.size].reshape(data.shape)}

    rule = make_rule(lambda w, g, a, b: (w - b, a, b + g), ("a", "b"), init_slots=init_slots)
    parameters, optimizer = parameters_of([(4,), (4,)]), rule()
    steps(optimizer, parameters, [0])
    one, two = (optimizer.state[p] for p in parameters)
    assert not shared.any()
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations([*one.values(), *two.values()], 2))
    assert not any(np.shares_memory(slots["a"], p.data) for slots, p in zip((one, two), parameters, strict=True))


def test_the_live_state_can_be_written_to():
    parameters, optimizer = parameters_of([(2,), (2,)], flat=True), Momentum(1.0, momentum=0.5)
    steps(optimizer, parameters, [0])
    optimizer.state[parameters[1]]["v"][...] = [8.0, 16.0]
    expected = parameters[1].data - [4.0, 8.0]
    for parameter in parameters:
        parameter.grad = [0, 0]
    optimizer.step(parameters)
    np.testing.assert_array_equal(parameters[1].data, expected)


# Refusing, before anything changed --------------------------------------------------------------------------


@each_layout
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_gradient_that_is_not_finite_is_refused_by_name_and_nothing_changes(value, dtype, flat):
    class Shout(Hook):
        def before(self, spans):
            raise AssertionError("a hook was called")

    parameters, optimizer = parameters_of(dtype=dtype, flat=flat), Adam(0.1)
    steps(optimizer, parameters, range(2))
    optimizer.hooks.append(Shout())
    parameters[1].grad[2, 1] = value
    before = everything(optimizer, parameters)
    with pytest.raises(
        FloatingPointError, match=r"(?s)Adam: gradients must be finite.*1 of 6 entries of 'p1'.*\[2, 1\]"
    ):
        optimizer.step(parameters)
    assert everything(optimizer, parameters) == before


def test_the_first_of_several_entries_and_the_step_are_told():
    parameter, optimizer = Parameter(np.zeros((2, 2)), name="w"), SGD(0.1)
    steps(optimizer, [parameter], range(2))
    parameter.grad = [[0.0, np.nan], [np.inf, 0.0]]
    with pytest.raises(FloatingPointError, match=r"2 of 4 entries of 'w' .* the first nan at \[0, 1\], in step 3;"):
        optimizer.step([parameter])


def test_a_cube_overflows_where_the_square_does_not():
    rule = make_rule(lambda w, g, c: (w - 0 * g, c + g * g * g), ("c",))
    parameter = Parameter(np.zeros(2, np.float32), name="w")
    parameter.grad = [1e15, 0]
    with pytest.raises(FloatingPointError, match="of which c overflows"):
        rule().step([parameter])


def test_a_slot_of_a_float16_parameter_overflows_in_float32_whatever_its_name():
    rule = make_rule(lambda w, g, z: (w - 0 * g, z + g * 1e35), ("z",))
    parameter = Parameter(np.zeros(2, np.float16), name="w")
    parameter.grad = [6e4, 0]
    with pytest.raises(FloatingPointError, match=r"the range of float32\. Received: .* of which z overflows"):
        rule().step([parameter])


def test_a_frozen_parameters_gradient_does_not_matter():
    parameters, optimizer = parameters_of([(2,), (2,)], flat=True), SGD(1.0)
    parameters[0].trainable, parameters[0].grad, parameters[1].grad = False, [np.nan, np.inf], [1, 1]
    expected = [parameters[0].data.copy(), parameters[1].data - 1]
    optimizer.step(parameters)
    assert bits([p.data for p in parameters]) == bits(expected)


@pytest.mark.parametrize(("dtype", "huge"), [("f2", 6e4), ("f4", 1e30), ("f8", 1e200)])
def test_a_huge_gradient_is_finite_although_its_square_is_not(dtype, huge):
    parameter = Parameter(np.zeros(3, dtype))
    parameter.grad = [huge, -huge, 0]
    SGD(0.5).step([parameter])
    assert parameter.data.tolist() == (-0.5 * parameter.grad).tolist()


SQUARING = [AdaGrad, RMSprop, RMSpropMomentum, CenteredRMSprop, AdaDelta, Adam, AdamW, AMSGrad, Nadam, LAMB]
HUGE = {"f4": 1e30, "f8": 1e200}


@each_layout
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("dtype", HUGE)
@pytest.mark.parametrize("rule", SQUARING)
def test_a_square_that_overflows_is_refused_and_nothing_changes(rule, dtype, split, flat):
    parameters, optimizer = parameters_of(dtype=dtype, flat=flat), rule(learning_rate=0.1)
    twins, twin = parameters_of(dtype=dtype, flat=flat), rule(learning_rate=0.1)
    parameters[0].learning_rate_multiplier = twins[0].learning_rate_multiplier = 0.5 if split else 1.0
    steps(optimizer, parameters, range(2))
    steps(twin, twins, range(2))
    parameters[1].grad[2, 1] = HUGE[dtype]
    before = everything(optimizer, parameters)
    with pytest.raises(
        FloatingPointError, match=rf"^{rule.__name__}: .* 'p1' with entries of up to 1e\+.* in step 3; "
    ):
        optimizer.step(parameters)
    assert everything(optimizer, parameters) == before
    steps(optimizer, parameters, [2])
    steps(twin, twins, [2])
    assert everything(optimizer, parameters) == everything(twin, twins)


def test_the_error_of_an_overflow_names_all_and_says_what_helps():
    parameter = Parameter(np.zeros(3, np.float32), "dense/kernel")
    parameter.grad = [1.0, -1e30, 0.0]
    with pytest.raises(FloatingPointError) as caught:
        Adam().step([parameter])
    assert str(caught.value) == (
        "Adam: a step must stay in the range of float32. Received: a gradient of 'dense/kernel' with entries of up to "
        "1e+30, of which v overflows, in step 1; nothing was changed; the hook ClipByGlobalNorm or ClipByValue, a "
        "smaller scale of the loss, or float64 helps"
    )


@pytest.mark.parametrize("rule", RULES)
def test_half_precision_squares_in_single_precision_but_stores_in_its_own(rule):
    parameters, optimizer = parameters_of([(3,), (3,)], dtype="f2", flat=True), rule(learning_rate=1e-3)
    for parameter in parameters:
        parameter.grad = [6e4, -6e4, 0]
    optimizer.step(parameters)
    assert all(np.isfinite(array).all() for p in parameters for array in (p.data, *optimizer.state[p].values()))
    parameters[1].data = [-6.5e4, 6.5e4, 0]
    optimizer.learning_rate = 1e9
    before = everything(optimizer, parameters)
    with pytest.raises(
        FloatingPointError, match=r"the range of float16\. Received: a gradient of 'p\d' .* of which w "
    ):
        optimizer.step(parameters)
    assert everything(optimizer, parameters) == before


@pytest.mark.parametrize("rule", SQUARING)
@pytest.mark.parametrize("hook", [ClipByGlobalNorm(1.0), ClipByValue(1.0)], ids=repr)
def test_a_huge_gradient_that_a_hook_clips_is_taken(rule, hook):
    parameters, optimizer = parameters_of(dtype="f4", shapes=[(3,), (2, 2)]), rule(learning_rate=0.1)
    optimizer.hooks = [hook]
    start = [p.data.copy() for p in parameters]
    for parameter in parameters:
        parameter.grad = np.full(parameter.shape, 1e30)
    optimizer.step(parameters)
    for parameter, before in zip(parameters, start, strict=True):
        assert np.isfinite(parameter.data).all()
        assert np.all(parameter.data != before)


def test_where_a_step_is_refused_no_hook_comes_after_it():
    class After(Hook):
        def after(self, spans):
            raise AssertionError("a hook was called")

    parameters, optimizer = parameters_of(dtype="f4"), Adam()
    parameters[0].grad[0, 0] = 1e30
    optimizer.hooks = [WeightDecay(0.5), After()]
    optimizer.build(parameters)
    before = everything(optimizer, parameters)
    with pytest.raises(FloatingPointError, match=r"of 'p0' .* of which v overflows"):
        optimizer.step(parameters)
    assert everything(optimizer, parameters) == before


def test_a_velocity_overflows_later_than_its_gradients():
    parameter, optimizer = Parameter(np.zeros(2, np.float32), "w"), Momentum(1e-10)
    parameter.grad = [3e38, 0]
    optimizer.step([parameter])
    before = everything(optimizer, [parameter])
    with pytest.raises(FloatingPointError, match=r"'w' with entries of up to 3e\+38, of which v overflows, in step 2"):
        optimizer.step([parameter])
    assert everything(optimizer, [parameter]) == before


@pytest.mark.parametrize("elementwise", [True, False])
def test_whatever_stops_a_step_of_huge_gradients_nothing_changes(elementwise):
    def update(w, g, s):
        if g.size == 4 and np.abs(g).max() > 1e29:
            raise KeyboardInterrupt
        return w - 1e-30 * g, s + g

    rule = make_rule(update, ("s",), elementwise=elementwise)
    parameters, optimizer = parameters_of([(3,), (4,)], dtype="f4"), rule()
    optimizer.execution = "plain"
    steps(optimizer, parameters, [0])
    for parameter in parameters:
        parameter.grad = np.full(parameter.shape, 1e30)
    before = everything(optimizer, parameters)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(parameters)
    assert everything(optimizer, parameters) == before


def test_what_never_was_finite_has_not_overflowed():
    def init_slots(self, data):
        return {"least": np.full_like(data, np.inf)}

    rule = make_rule(lambda w, g, least: (w - 1e-30 * g, least), ("least",), init_slots=init_slots)
    parameter, optimizer = Parameter(np.zeros(2, np.float32)), rule()
    parameter.grad = [1e30, 0]
    optimizer.step([parameter])
    assert parameter.data.tolist() == [-1, 0]


@each_layout
def test_a_parameter_given_twice_is_refused(flat):
    parameters, optimizer = parameters_of(flat=flat), Adam(0.1)
    steps(optimizer, parameters, [0])
    before = everything(optimizer, parameters)
    for call in (optimizer.step, optimizer.build):
        with pytest.raises(ValueError, match=r"Adam: a parameter must be given once\. Received twice: p1"):
            call([*parameters, parameters[1]])
    assert everything(optimizer, parameters) == before


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "fast", None])
def test_a_schedule_that_leaves_the_range_is_refused_when_it_is_used(value):
    parameters = parameters_of()
    optimizer = Adam(0.1, beta_2=lambda step: 0.9 if step < 2 else value)
    steps(optimizer, parameters, range(2))
    before = everything(optimizer, parameters)
    with pytest.raises((TypeError, ValueError), match=r"Adam: beta_2 must be .*Received: beta_2="):
        optimizer.step(parameters)
    with pytest.raises((TypeError, ValueError), match=r"beta_2"):
        optimizer.current("beta_2")
    assert everything(optimizer, parameters) == before


# Spans -----------------------------------------------------------------------------------------------------


def check_as_if_alone(rule, flat, script, hyper=None):
    """Each step of `script` gives every parameter None (left out), or (trainable, multipliers of rate and decay).

    Beside one optimizer for all, each parameter has a twin with an optimizer for it alone, which steps when it should.
    """
    shapes, hyper = SHAPES[:4], {"learning_rate": 0.1, **(hyper or {})}
    together, twins = parameters_of(shapes, flat=flat), parameters_of(shapes)
    optimizer, alone = rule(**hyper), [rule(**hyper) for _ in shapes]
    taken = [0] * len(shapes)
    for seed, (order, moves) in enumerate(script):
        rng = np.random.default_rng(seed)
        for i, (parameter, twin, move) in enumerate(zip(together, twins, moves, strict=True)):
            parameter.grad = twin.grad = rng.standard_normal(parameter.shape)
            if move is not None:
                parameter.trainable, parameter.learning_rate_multiplier, parameter.weight_decay_multiplier = move
                if parameter.trainable:
                    alone[i].learning_rate = hyper["learning_rate"] * parameter.learning_rate_multiplier
                    if "weight_decay" in optimizer.hyperparameters:
                        alone[i].weight_decay = optimizer.weight_decay * parameter.weight_decay_multiplier
                    alone[i].step([twin])
                    taken[i] += 1
        optimizer.step([together[i] for i in order if moves[i] is not None])
        assert bits([p.data for p in together]) == bits([p.data for p in twins])
        assert [optimizer.steps(p) for p in together] == taken
        for i, (parameter, twin) in enumerate(zip(together, twins, strict=True)):
            if taken[i]:
                assert bits(optimizer.state[parameter]) == bits(alone[i].state[twin])
                kept = [o.state_dict()["parameters"][twin.name]["kept"] for o in (optimizer, alone[i])]
                assert kept[0] == kept[1]
            elif parameter in optimizer.state:
                fresh = rule(**hyper)
                fresh.build([twin])
                assert bits(optimizer.state[parameter]) == bits(fresh.state[twin])
    assert optimizer.iterations == len(script)


multipliers = st.sampled_from([1.0, 0.3, 0.0])
moves = st.one_of(st.none(), st.tuples(st.booleans(), multipliers, multipliers))
scripts = st.lists(st.tuples(st.permutations(range(4)), st.tuples(moves, moves, moves, moves)), min_size=1, max_size=6)


@each_rule
@each_layout
@settings(max_examples=12, deadline=None)
@given(scripts)
def test_any_freezing_multiplying_and_interleaving_is_as_if_each_were_alone(rule, flat, script):
    check_as_if_alone(rule, flat, script)


ON, OFF, HALF, BARE = (True, 1.0, 1.0), (False, 1.0, 1.0), (True, 0.5, 0.3), (True, 1.0, 0.0)
IN_ORDER = [0, 1, 2, 3]


@each_rule
@each_layout
@pytest.mark.parametrize(
    "script",
    [
        [(IN_ORDER, [ON, OFF, ON, ON])] * 3 + [(IN_ORDER, [ON, ON, ON, ON])] * 3,
        [(IN_ORDER, [ON] * 4)] * 2 + [(IN_ORDER, [OFF, ON, ON, OFF])] * 2 + [(IN_ORDER, [ON] * 4)] * 2,
        [(IN_ORDER, [HALF, ON, HALF, HALF])] * 3,
        [(IN_ORDER, [ON, BARE, ON, BARE])] * 2 + [(IN_ORDER, [ON] * 4)] * 2 + [(IN_ORDER, [BARE, OFF, HALF, ON])] * 2,
        [(IN_ORDER, [ON] * 4)] * 2 + [(IN_ORDER, [ON, HALF, (True, 0.0, 1.0), ON])] * 2 + [(IN_ORDER, [ON] * 4)],
        [(IN_ORDER, [ON, None, ON, None]), (IN_ORDER, [None, ON, None, ON])] * 3 + [(IN_ORDER, [ON] * 4)],
        [(IN_ORDER, [ON] * 4), ([3, 1, 0, 2], [ON] * 4), ([2, 3, 1, 0], [ON, ON, OFF, HALF])] * 2,
        [(IN_ORDER, [OFF] * 4)] * 2 + [(IN_ORDER, [ON] * 4)],
    ],
    ids=[
        "unfrozen late",
        "frozen awhile",
        "multiplied",
        "without decay",
        "multiplied in between",
        "in turns",
        "reordered",
        "all frozen",
    ],
)
def test_parameters_that_differ_step_as_if_each_were_alone(rule, flat, script):
    check_as_if_alone(rule, flat, script)


@each_layout
def test_frozen_parameters_and_their_slots_are_untouched_to_the_byte(flat):
    parameters, optimizer = parameters_of([(3,)] * 3, flat=flat), Nadam(0.1)
    steps(optimizer, parameters, range(2))
    frozen = parameters[1]
    frozen.trainable = False

    def seen():
        return bits([frozen.data, optimizer.state[frozen], optimizer.state_dict()["parameters"]["p1"]])

    before = seen()
    steps(optimizer, parameters, range(3))
    assert seen() == before
    assert [optimizer.steps(p) for p in parameters] == [5, 2, 5]
    kept = {name: saved["kept"]["mu_product"] for name, saved in optimizer.state_dict()["parameters"].items()}
    mus = [0.9 * (1 - 0.5 * 0.96 ** (t / 250)) for t in range(1, 6)]
    assert kept == pytest.approx({"p0": math.prod(mus), "p1": math.prod(mus[:2]), "p2": math.prod(mus)}, rel=1e-14)


def test_neighbours_by_number_in_two_storages_are_not_neighbours():
    ours, reference = parameters_of([(3,), (3,), (3,)]), parameters_of([(3,), (3,), (3,)])
    flatten(ours[:1])
    flatten([Parameter(np.ones(3)), ours[1]])
    flatten([Parameter(np.ones(6)), ours[2]])
    assert [parameter.offset for parameter in ours] == [0, 3, 6]
    one, other = Adam(0.1), Adam(0.1)
    steps(one, ours, range(3))
    steps(other, reference, range(3))
    assert bits([p.data for p in ours]) == bits([p.data for p in reference])


def test_slots_survive_a_move_into_flat_storage():
    moved, still = parameters_of(), parameters_of()
    ours, reference = Adam(0.1), Adam(0.1)
    for seed in range(6):
        if seed in (2, 4):
            flatten(moved if seed == 2 else moved[::-1])
        steps(ours, moved, [seed])
        steps(reference, still, [seed])
    assert bits([p.data for p in moved]) == bits([p.data for p in still])
    assert bits(ours.state_dict()) == bits(reference.state_dict())


def test_a_step_of_nothing_counts_and_any_iterable_serves():
    parameters, optimizer = parameters_of(), Momentum(0.1)
    optimizer.step([])
    optimizer.step(parameter for parameter in parameters)
    assert (optimizer.iterations, [optimizer.steps(p) for p in parameters]) == (2, [1] * len(SHAPES))
    assert optimizer.steps(Parameter(np.ones(1))) == 0


def test_a_multiplier_without_a_learning_rate_is_refused():
    rule = make_rule(lambda w, g: w - g)
    with pytest.raises(ValueError, match=r"Rule: has no learning_rate"):
        rule().step([Parameter(np.ones(2), learning_rate_multiplier=0.5)])
    rule().step([Parameter(np.ones(2), weight_decay_multiplier=0.5)])  # no decay is no decay, times anything


def test_applied_tells_the_weight_decay_without_multipliers():
    parameters, optimizer = parameters_of(), AdamW(weight_decay=0.25)
    parameters[0].weight_decay_multiplier = 0.5
    steps(optimizer, parameters, [0])
    assert optimizer.applied["weight_decay"] == 0.25


# State -----------------------------------------------------------------------------------------------------


@each_rule
@each_layout
@each_copy
def test_parameters_and_optimizer_copied_together_stay_connected_and_independent(rule, flat, way):
    parameters, optimizer = parameters_of(flat=flat), rule(learning_rate=CosineDecay(0.1, decay_steps=9))
    optimizer.hooks.append(WeightDecay(0.1))
    parameters[1].learning_rate_multiplier = 0.5
    steps(optimizer, parameters, range(3))
    before = everything(optimizer, parameters)
    twins, twin = COPIES[way]((parameters, optimizer))
    assert everything(twin, twins) == before
    steps(twin, twins, range(3, 6))
    assert set(twin.state) == set(twins)
    assert everything(optimizer, parameters) == before
    steps(optimizer, parameters, range(3, 6))
    assert everything(twin, twins) == everything(optimizer, parameters)
    assert everything(optimizer, parameters) != before


@each_rule
@each_layout
@pytest.mark.parametrize("built", [False, True], ids=["into an unbuilt", "into a built"])
@pytest.mark.parametrize("saved_after", [0, 1, 4])
def test_a_state_continues_bit_for_bit(rule, flat, built, saved_after):
    parameters, optimizer = parameters_of(), rule(learning_rate=PolynomialDecay(0.1, decay_steps=9))
    optimizer.build(parameters)
    parameters[0].learning_rate_multiplier = 0.5
    steps(optimizer, parameters, range(saved_after))
    state, values = optimizer.state_dict(), [p.data.copy() for p in parameters]
    saved = bits(state)
    steps(optimizer, parameters, range(saved_after, 6))
    assert bits(state) == saved

    others, other = parameters_of(seed=1, flat=flat), rule(learning_rate=0.7)
    others[0].learning_rate_multiplier = 0.5
    if built:
        steps(other, others, range(5))
    other.load_state_dict(state)
    for parameter, value in zip(others, values, strict=True):
        parameter.data = value
    for entry in state["parameters"].values():
        entry["t"] = 99
        for slot in entry["slots"].values():
            slot[...] = np.nan
    steps(other, others, range(saved_after, 6))
    assert bits([p.data for p in others]) == bits([p.data for p in parameters])
    assert bits(other.state_dict()) == bits(optimizer.state_dict())
    assert repr(other) == repr(optimizer)


def test_the_state_of_an_optimizer_that_never_saw_a_parameter_is_a_start():
    optimizer, other = Adam(0.1), Adam(0.2)
    other.load_state_dict(optimizer.state_dict())
    one, two = parameters_of(), parameters_of()
    steps(optimizer, one, range(2))
    steps(other, two, range(2))
    assert everything(other, two) == everything(optimizer, one)


def test_a_loaded_state_is_not_lost_by_saving_or_copying_before_the_first_step():
    parameters, optimizer = parameters_of(), Adam(0.1)
    steps(optimizer, parameters, range(2))
    loaded = Adam()
    loaded.load_state_dict(optimizer.state_dict())
    assert bits(copy.deepcopy(loaded).state_dict()) == bits(optimizer.state_dict())
    assert bits(loaded.state_dict()) == bits(optimizer.state_dict())


def test_epoch_and_schedules_by_epoch_are_restored():
    parameters, optimizer = parameters_of(), SGD(InverseTimeDecay(0.4, decay_rate=1.0))
    optimizer.epoch = 3
    steps(optimizer, parameters, range(2))
    other = SGD()
    other.load_state_dict(optimizer.state_dict())
    assert (other.epoch, other.iterations, other.current("learning_rate")) == (3, 2, 0.1)
    assert repr(other.learning_rate) == repr(optimizer.learning_rate)
    assert other.learning_rate is not optimizer.learning_rate


def test_a_bare_callable_is_not_saved_and_must_be_there_before_loading():
    def rate(step):
        return 0.1 / (1 + step)

    parameters, optimizer = parameters_of(), SGD(rate)
    steps(optimizer, parameters, range(2))
    state = optimizer.state_dict()
    assert state["hyperparameters"] == {"learning_rate": None}
    other = SGD(0.5)
    with pytest.raises(ValueError, match=r"SGD: learning_rate was a callable"):
        other.load_state_dict(state)
    assert (other.learning_rate, other.iterations) == (0.5, 0)
    other = SGD(rate)
    other.load_state_dict(state)
    assert (other.learning_rate, other.current("learning_rate")) == (rate, 0.1 / 3)


def of_w(**parts):
    """A state of Adam that one parameter made, with other parts."""
    saved = {"t": 1, "kept": {}, "slots": {"m": 0.0, "v": 0.0}, **parts}
    return {**Adam().state_dict(), "parameters": {"w": saved}}


def broken_states():
    """Ways to spoil a state of Adam that two parameters, p0 and p1 of shape (3, 2), made."""

    def without(*path):
        def spoil(state):
            for key in path[:-1]:
                state = state[key]
            del state[path[-1]]

        return spoil

    def put(value, *path):
        def spoil(state):
            for key in path[:-1]:
                state = state[key]
            state[path[-1]] = value

        return spoil

    one = ("parameters", "p1")
    yield "another class", put("SGD", "class")
    yield "an unknown name", put({}, "parameters", "p9")
    yield "another shape", put(np.zeros((2, 3)), *one, "slots", "m")
    yield "a shape that broadcasts", put(np.zeros((1, 2)), *one, "slots", "m")
    yield "another dtype", put(np.zeros((3, 2), "f4"), *one, "slots", "v")
    yield "another slot", put(np.zeros((3, 2)), *one, "slots", "u")
    yield "another hyperparameter", put(0.5, "hyperparameters", "rho")
    yield "an unknown schedule", put({"class": "CosinDecay"}, "hyperparameters", "learning_rate")
    for name, value in [("beta_1", 1.5), ("epsilon", -1.0), ("learning_rate", math.nan)]:
        yield f"{name} out of range", put(value, "hyperparameters", name)
    yield "negative iterations", put(-1, "iterations")
    yield "iterations no integer", put(1.5, "iterations")
    yield "a negative t", put(-3, *one, "t")
    for key in ("class", "iterations", "epoch", "hyperparameters", "parameters"):
        yield f"no {key}", without(key)
    yield "no beta_1", without("hyperparameters", "beta_1")
    yield "no p1", without("parameters", "p1")
    for key in ("t", "kept", "slots"):
        yield f"no {key} in p1", without(*one, key)
    yield "no v in p1", without(*one, "slots", "v")
    for junk in (5, "ab", None, [], [5]):
        for path in [("class",), ("hyperparameters",), ("parameters",), one, (*one, "kept"), (*one, "slots")]:
            yield f"{junk} as {path[-1]}", put(junk, *path)
        yield f"{junk} as m", put(junk, *one, "slots", "m")
    for junk in ("ab", None, [5]):
        for path in [("hooks",), ("iterations",), ("epoch",), (*one, "t")]:
            yield f"{junk} as {path[-1]}", put(junk, *path)
    yield "a kept text", put({"mu": "a"}, *one, "kept")
    yield "ragged m", put([[1.0], [1.0, 2.0]], *one, "slots", "m")
    yield "a number as a name", put(of_w()["parameters"]["w"], "parameters", 5)


@each_layout
@pytest.mark.parametrize(("what", "spoil"), [pytest.param(*case, id=case[0]) for case in broken_states()])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(what, spoil, flat):
    parameters, optimizer = parameters_of([(3, 2), (3, 2)], flat=flat), Adam(0.1)
    steps(optimizer, parameters, range(3))
    state = copy.deepcopy(optimizer.state_dict())
    state["hyperparameters"]["beta_1"] = 0.5
    spoil(state)
    steps(optimizer, parameters, range(2))
    before = everything(optimizer, parameters)
    with pytest.raises((ValueError, TypeError), match=r"^Adam( 'p\d'|): .*Received: "):
        optimizer.load_state_dict(state)
    assert everything(optimizer, parameters) == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: 5, "Adam: the state must be a dict. Received: 5"),
        (lambda state: {**state, "class": "SGD"}, "Adam: class must be one of 'Adam'. Received: class='SGD'"),
        (lambda state: {**state, "parameters": []}, "Adam: parameters must be a dict. Received: parameters=[]"),
        (lambda state: {**state, "hooks": 5}, "Adam: hooks must be a list. Received: hooks=5"),
        (lambda state: {**state, "hyperparameters": 5}, "Adam: hyperparameters must be a dict. Received: hyperpara"),
        (lambda state: {**state, "parameters": {"w": 5}}, "Adam 'w': the state must be a dict. Received: 5"),
        (lambda state: of_w(kept=5), "Adam 'w': kept must be a dict of numbers. Received: 5"),
        (lambda state: of_w(kept={"mu": "a"}), "Adam 'w': kept must be a dict of numbers. Received: {'mu': 'a'}"),
        (lambda state: of_w(t=-1), "Adam 'w': t must be a non-negative integer. Received: t=-1"),
        (lambda state: of_w(slots=5), "Adam 'w': slots must be a dict. Received: slots=5"),
        (lambda state: of_w(slots={"m": 0.0}), "Adam 'w': the slots must be ('m', 'v'). Received: ('m',)"),
        (lambda state: of_w(slots={"m": "a", "v": 0.0}), "Adam 'w': m must be numbers. Received: 'a'"),
    ],
)
def test_what_is_no_state_is_refused_before_there_are_parameters(spoil, message):
    optimizer = Adam(0.5)
    with pytest.raises((ValueError, TypeError), match="^" + re.escape(message)):
        optimizer.load_state_dict(spoil(optimizer.state_dict()))
    assert optimizer.state_dict() == Adam(0.5).state_dict()


def test_a_loaded_state_is_a_copy_down_to_its_lists():
    slots = {"v": [1.0, 2.0]}
    state = {**Momentum().state_dict(), "parameters": {"w": {"t": 1, "kept": {}, "slots": slots}}}
    optimizer, parameter = Momentum(), Parameter(np.zeros(2), "w")
    optimizer.load_state_dict(state)
    slots["v"][0] = 9.0
    optimizer.build([parameter])
    assert optimizer.state[parameter]["v"].tolist() == [1.0, 2.0]


def test_a_state_loaded_unbuilt_is_checked_when_the_parameters_come():
    parameters, optimizer = parameters_of(), Adam(0.1)
    steps(optimizer, parameters, range(3))
    for wrong in (parameters_of()[:-1], parameters_of([(2,)] * len(SHAPES))):
        other = Adam()
        other.load_state_dict(optimizer.state_dict())
        before = bits([p.data for p in wrong])
        with pytest.raises(ValueError, match=r"Adam( 'p0')?: the"):
            steps(other, wrong, [0])
        assert bits([p.data for p in wrong]) == before
        assert (other.iterations, other.state) == (3, {})


def test_names_that_clash_cannot_be_saved():
    optimizer = SGD()
    optimizer.build([Parameter(np.ones(1), "w"), Parameter(np.ones(1), "w"), Parameter(np.ones(1), "b")])
    with pytest.raises(ValueError, match=r"SGD: parameters must have different names.*: w$"):
        optimizer.state_dict()


# Config and hyperparameters ---------------------------------------------------------------------------------


@each_rule
def test_a_config_survives_json_and_makes_the_same_optimizer(rule):
    warm = Warmup(CosineDecay(0.1, decay_steps=7), warmup_steps=2)
    optimizer = rule(learning_rate=warm)
    optimizer.hooks = [ClipByGlobalNorm(0.5), L2(0.1), WeightDecay(0.2)]
    twin = rule.from_config(json.loads(json.dumps(optimizer.get_config())))
    assert twin.get_config() == optimizer.get_config()
    assert repr(twin) == repr(optimizer)
    one, two = parameters_of(), parameters_of()
    steps(optimizer, one, range(5))
    steps(twin, two, range(5))
    assert everything(twin, two) == everything(optimizer, one)


@pytest.mark.parametrize(
    "optimizer", [Momentum(0.3, dampening=0.9, learning_rate_inside=True), AdaGrad(initial_accumulator=0.1)], ids=repr
)
def test_a_config_with_its_class_is_found_by_the_registry(optimizer):
    config = json.loads(json.dumps({"class": type(optimizer).__name__, **optimizer.get_config()}))
    twin = registry.get(config)
    assert (type(twin), twin.get_config()) == (type(optimizer), optimizer.get_config())


@pytest.mark.parametrize(
    "callable_", [lambda step: 0.1, Warmup(lambda step: 0.1, warmup_steps=3)], ids=["bare", "warmed"]
)
def test_no_config_holds_a_bare_callable(callable_):
    with pytest.raises(TypeError, match=r"Adam: only a minidl\.schedules\.Schedule can be described.*learning_rate"):
        Adam(callable_).get_config()


def test_repr_shows_all_values():
    optimizer = Momentum(StepDecay(0.5, step_size=3), dampening=0.5)
    optimizer.hooks.append(WeightDecay(0.01))
    optimizer.momentum = 0.8
    assert repr(optimizer) == (
        "Momentum(learning_rate=StepDecay(initial=0.5, step_size=3), momentum=0.8, dampening=0.5, "
        "learning_rate_inside=False, hooks=[WeightDecay(decay=0.01)])"
    )


NOT_NEGATIVE, BELOW_ONE = [-1e-9, math.nan, math.inf, "1", None, True, [0.1]], [-0.1, 1.0, 1.5, math.nan, "1", False]
BETAS = ("beta_1", "beta_2")
RANGES = [
    *[(rule, "learning_rate", NOT_NEGATIVE) for rule in RULES],
    *[(rule, "epsilon", NOT_NEGATIVE) for rule in [*SQUARING, Adamax]],
    *[(rule, "epsilon_root", NOT_NEGATIVE) for rule in SQUARING if rule is not AdaDelta],
    *[(rule, "momentum", BELOW_ONE) for rule in (Momentum, Nesterov, RMSpropMomentum, CenteredRMSprop)],
    *[(rule, "rho", BELOW_ONE) for rule in (RMSprop, RMSpropMomentum, CenteredRMSprop, AdaDelta)],
    *[(rule, name, BELOW_ONE) for rule in (Adam, AdamW, AMSGrad, Nadam, Adamax, LAMB, Lion) for name in BETAS],
    *[(rule, "weight_decay", NOT_NEGATIVE) for rule in (AdamW, LAMB, Lion)],
    (Nadam, "momentum_decay", NOT_NEGATIVE),
    (Adamax, "epsilon_max", NOT_NEGATIVE),
    (AMSGrad, "bias_correction", ["yes", None, math.nan, 0.5]),
    (Momentum, "dampening", [-0.1, 1.1, math.nan, "1"]),
    (AdaGrad, "initial_accumulator", NOT_NEGATIVE),
    (Momentum, "learning_rate_inside", ["yes", None, math.nan, 0.5]),
]


@pytest.mark.parametrize(("rule", "name", "bad"), RANGES)
def test_ranges_hold_at_construction_and_at_assignment(rule, name, bad):
    for value in bad:
        with pytest.raises((TypeError, ValueError), match=rf"{rule.__name__}: {name} must be .*Received: {name}="):
            rule(**{name: value})
        optimizer = rule()
        before = repr(optimizer)
        with pytest.raises((TypeError, ValueError), match=rf"{rule.__name__}: {name} must be .*Received: {name}="):
            setattr(optimizer, name, value)
        assert repr(optimizer) == before


def test_the_ends_of_ranges_that_belong_to_them_are_taken():
    Momentum(0, momentum=0, dampening=1)
    Momentum(0.1, dampening=0)
    Adam(0, beta_1=0, beta_2=0, epsilon=0, epsilon_root=0)
    AdaGrad(initial_accumulator=0)


@pytest.mark.parametrize(
    ("unknown", "meant", "rule"),
    [
        ("lr", "learning_rate", SGD),
        ("learning_rte", "learning_rate", Adam),
        ("eps", "epsilon", Adam),
        ("beta1", "beta_1", Adam),
        ("alpha", "rho", RMSprop),
        ("lr", "learning_rate", Lion),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(unknown, meant, rule):
    with pytest.raises(TypeError, match=rf"{rule.__name__}: .*{unknown}.*Did you mean '{meant}'"):
        rule(**{unknown: 0.1})
    optimizer = rule()
    with pytest.raises(AttributeError, match=rf"{rule.__name__}: .*{unknown}=0\.1.*Did you mean '{meant}'"):
        setattr(optimizer, unknown, 0.1)
    assert not hasattr(optimizer, unknown)
    with pytest.raises(ValueError, match=rf"Received: '{unknown}'.*Did you mean '{meant}'"):
        optimizer.current(unknown)


def test_schedules_go_by_steps_or_by_epochs_and_applied_tells_what_was_used():
    parameter = Parameter(np.zeros(1))
    optimizer = Momentum(
        InverseTimeDecay(1.0, decay_rate=1.0),
        momentum=PolynomialDecay(0.5, decay_steps=4),
        dampening=lambda step: step / 8,
    )
    assert (optimizer.applied, optimizer.iterations, optimizer.epoch) == ({}, 0, 0)
    used, moves = [], []
    for epoch in (0, 0, 1, 3):
        optimizer.epoch = epoch
        parameter.grad = [1.0]
        coming = {name: optimizer.current(name) for name in ("learning_rate", "momentum", "dampening")}
        before = parameter.data.copy()
        optimizer.step([parameter])
        assert optimizer.applied == {**coming, "learning_rate_inside": False}
        used.append(tuple(coming.values()))
        moves.append(float(before[0] - parameter.data[0]))
    assert used == [(1.0, 0.5, 0.0), (1.0, 0.375, 0.125), (0.5, 0.25, 0.25), (0.25, 0.125, 0.375)]
    assert all(type(value) is float for values in used for value in values)
    velocity, expected = 0.0, []
    for rate, momentum, dampening in used:
        velocity = momentum * velocity + (1 - dampening)
        expected.append(rate * velocity)
    assert moves == pytest.approx(expected, rel=1e-12)
    assert optimizer.iterations == 4


def test_hyperparameters_change_between_steps_to_numbers_and_schedules():
    class Doubling(Schedule):
        every = "step"

        def __init__(self, initial):
            self.initial = initial

        def value(self, index):
            return self.initial * 2**index

    parameter, optimizer = Parameter(np.zeros(1)), SGD(1.0)
    parameter.grad, moves = [1.0], []
    for rate in (
        1.0,
        np.float64(0.5),
        np.array(0.25),
        Doubling(1.0),
        lambda step: step,
        {"class": "step_decay", "initial": 3, "step_size": 1},
    ):
        optimizer.learning_rate = rate
        before = float(parameter.data[0])
        optimizer.step([parameter])
        moves.append(before - float(parameter.data[0]))
    assert moves == [1.0, 0.5, 0.25, 8.0, 4.0, 3.0]


# Rules of one's own -----------------------------------------------------------------------------------------


def test_what_prepare_keeps_is_saved_and_restored():
    parameters, optimizer = parameters_of(), Nadam(0.01)
    steps(optimizer, parameters, range(3))
    kept = optimizer.state_dict()["parameters"]["p0"]["kept"]
    assert kept["mu_product"] == pytest.approx(math.prod(0.9 * (1 - 0.5 * 0.96 ** (t / 250)) for t in (1, 2, 3)))
    spoiled = optimizer.state_dict()
    spoiled["parameters"]["p0"]["kept"]["mu_product"] = 0.5
    optimizer.load_state_dict(spoiled)
    steps(optimizer, parameters, [3])
    assert optimizer.state_dict()["parameters"]["p0"]["kept"]["mu_product"] == 0.5 * 0.9 * (1 - 0.5 * 0.96 ** (4 / 250))


def test_init_slots_gives_the_start():
    def init_slots(self, data):
        return {"ema": data.copy(), "count": np.full_like(data, 2.0)}

    def update(w, g, ema, count):
        w = w - g
        return w, 0.5 * ema + 0.5 * w, count + 1

    parameters, optimizer = parameters_of(), make_rule(update, ("ema", "count"), init_slots=init_slots)()
    starts = [p.data.copy() for p in parameters]
    steps(optimizer, parameters, [0])
    for parameter, start in zip(parameters, starts, strict=True):
        state = optimizer.state[parameter]
        np.testing.assert_array_equal(state["ema"], 0.5 * start + 0.5 * parameter.data)
        np.testing.assert_array_equal(state["count"], np.full(parameter.shape, 3.0))


def normalised(w, g, *, learning_rate):
    return w - learning_rate * g / (np.sqrt(np.sum(g * g)) + 1e-12)


@each_layout
def test_a_rule_of_whole_tensors_gets_each_with_its_shape(flat):
    seen = []

    def update(w, g, *, learning_rate):
        seen.append((w.shape, g.shape))
        return normalised(w, g, learning_rate=learning_rate)

    parameters, optimizer = parameters_of(flat=flat), make_rule(update, elementwise=False)(learning_rate=0.5)
    optimizer.build(parameters)
    seen.clear()
    before = [p.data.copy() for p in parameters]
    steps(optimizer, parameters, [0])
    assert seen == [(shape, shape) for shape in SHAPES if 0 not in shape]  # the others have nothing to step
    for parameter, start in zip(parameters, before, strict=True):
        expected = start - 0.5 * parameter.grad / (np.linalg.norm(parameter.grad) + 1e-12)
        np.testing.assert_allclose(parameter.data, expected, rtol=1e-12)


@each_layout
def test_a_rule_of_matrices_works_on_matrices(flat):
    """Steps along the nearest orthogonal matrix, which a vector doesn't have."""

    def update(w, g, *, learning_rate):
        left, _, right = np.linalg.svd(g, full_matrices=False)
        return w - learning_rate * (left @ right)

    parameters, optimizer = parameters_of([(3, 2), (2, 4)], flat=flat), make_rule(update, elementwise=False)
    before = [p.data.copy() for p in parameters]
    steps(optimizer(learning_rate=0.5), parameters, [0])
    for parameter, start in zip(parameters, before, strict=True):
        moved = (start - parameter.data) / 0.5
        np.testing.assert_allclose(np.linalg.svd(moved, compute_uv=False), [1.0, 1.0], rtol=1e-12)


def test_slots_of_another_shape_serve_rules_of_whole_tensors():
    def init_slots(self, data):
        return {"row": np.zeros(data.shape[:1], data.dtype)}

    def update(w, g, row):
        row = row + (g * g).reshape(g.shape[0], -1).sum(axis=1)
        return w - g / (np.sqrt(row) + 1e-8).reshape(-1, *[1] * (g.ndim - 1)), row

    rule = make_rule(update, ("row",), init_slots=init_slots, elementwise=False)
    parameters, optimizer = parameters_of([(3, 2), (4,)], flat=True), rule()
    steps(optimizer, parameters, [0])
    np.testing.assert_allclose(optimizer.state[parameters[0]]["row"], (parameters[0].grad ** 2).sum(axis=1), rtol=1e-12)
    state = optimizer.state_dict()
    twins, twin = parameters_of([(3, 2), (4,)]), rule()
    twin.load_state_dict(state)
    twin.build(twins)
    assert bits(twin.state_dict()) == bits(state)


def clip_above_100(w, g):
    norm = np.sqrt(np.sum(g * g))
    return w - (g * (100.0 / norm) if norm > 100 else g)


def clip_below_a_thousandth(w, g):
    norm = np.sqrt(np.sum(g * g))
    return w - (g * (1e-3 / norm) if norm < 1e-3 else g)


def in_place(what):
    def update(w, g, m):
        w, g, m = 1 * w if what != "w" else w, 1 * g if what != "g" else g, 1 * m if what != "m" else m
        array = {"w": w, "g": g, "m": m}[what]
        array *= 0.5
        return w - g, m + g

    return update


NOT_ELEMENTWISE = {
    "norm": lambda w, g: w - g / np.sqrt(np.sum(g * g)),
    "mean": lambda w, g: w - (g - g.mean()),
    "cumulative sum": lambda w, g: w - np.cumsum(g.ravel()).reshape(g.shape),
    "roll": lambda w, g: w - np.roll(g, 1),
    "index": lambda w, g: w - g * np.arange(g.size, dtype=g.dtype).reshape(g.shape),
    "length": lambda w, g: w - g / g.size,
    "clip by norm above 100": clip_above_100,
    "clip by norm below 0.001": clip_below_a_thousandth,
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("what", NOT_ELEMENTWISE)
def test_the_probe_refuses_a_rule_that_is_not_elementwise(what, dtype):
    update, parameter = NOT_ELEMENTWISE[what], Parameter(np.ones(3, dtype))
    parameter.grad = [1, 2, 3]
    with pytest.raises(TypeError, match=r"(?s)Rule: update isn't elementwise.*elementwise = False"):
        make_rule(update)().step([parameter])
    assert parameter.data.tolist() == [1, 1, 1]
    make_rule(update, elementwise=False)().step([parameter])
    np.testing.assert_array_equal(parameter.data, update(np.ones(3, dtype), parameter.grad))


def test_the_probe_allows_rounding_that_depends_on_the_place():
    def update(w, g):
        return w - g * (1 + 1e-14 * np.arange(g.size, dtype=g.dtype).reshape(g.shape))

    make_rule(update)().build(parameters_of())


@pytest.mark.parametrize("rate", [0.1, 0.0, 1e-12, Warmup(0.1, warmup_steps=5)], ids=repr)
def test_the_probe_is_not_blinded_by_the_rate_of_the_first_step(rate):
    with pytest.raises(TypeError, match=r"isn't elementwise"):
        make_rule(normalised)(learning_rate=rate).build(parameters_of())


@pytest.mark.parametrize("elementwise", [True, False])
@pytest.mark.parametrize("what", ["w", "g", "m"])
def test_the_probe_refuses_a_rule_that_writes_to_its_inputs(what, elementwise):
    parameters = parameters_of()
    before = bits([(p.data, p.grad) for p in parameters])
    optimizer = make_rule(in_place(what), ("m",), elementwise=elementwise)()
    with pytest.raises(TypeError, match=r"Rule: update must not write to its arguments, but return new arrays"):
        optimizer.step(parameters)
    assert bits([(p.data, p.grad) for p in parameters]) == before
    assert (optimizer.iterations, optimizer.state) == (0, {})


@each_layout
def test_a_rule_that_writes_only_after_the_probe_fails_and_leaves_the_gradient(flat):
    def update(w, g, *, t):
        if t == 5:
            g *= 0.5
        return w - g

    parameters, optimizer = parameters_of(flat=flat), make_rule(update)()
    optimizer.execution = "plain"
    steps(optimizer, parameters, range(4))
    before = bits([(p.data, p.grad) for p in parameters])
    with pytest.raises((TypeError, ValueError), match=r"read-only|must not write"):
        optimizer.step(parameters)
    assert bits([(p.data, p.grad) for p in parameters]) == before


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (lambda w, g, m, *, beta: (w - np.sqrt(beta) * g, m), r"return w as it came, float32.*float64"),
        (lambda w, g, m, *, beta: (w - g, np.float64(beta) * m), r"return m as it came, float32.*float64"),
        (lambda w, g, m, *, beta: w - g, "must return w, m. Received: 1 results"),
        (lambda w, g, m, *, beta: (w - g, m, m), "must return w, m. Received: 3 results"),
        (lambda w, g, m, *, beta: (w - g, 0.0), r"return m as it came, .* of shape \(12,\)"),
        (lambda w, g, m, *, beta: (np.sum(w - g), m), r"return w as it came, .* of shape \(12,\)"),
        (lambda w, g, m, *, beta: None, "Received: 1 results"),
        (
            lambda w, g, m, *, gama: (w - gama * g, m),
            r"update asks for 'gama', .*\. Received: update\(w, g, m, \*, gama\)\. Did you mean 'gamma'\?",
        ),
    ],
    ids=["dtype of w", "dtype of a slot", "too few", "too many", "a number", "another shape", "nothing", "unknown"],
)
def test_the_probe_refuses_what_update_returns_or_asks_for(update, message):
    optimizer = make_rule(update, ("m",))(beta=0.5, gamma=0.5)
    parameter = Parameter(np.ones((2, 3), np.float32))
    with pytest.raises(TypeError, match=f"(?s)Rule: .*{message}"):
        optimizer.step([parameter])
    assert parameter.data.tolist() == [[1.0] * 3] * 2


def test_a_class_is_refused_whose_update_is_no_static_function_or_takes_other_slots():
    with pytest.raises(TypeError, match=r"Rule: update must be a @staticmethod"):
        type(Optimizer)("Rule", (Optimizer,), {"update": lambda self, w, g: w - g})
    with pytest.raises(TypeError, match=r"Rule: prepare must be a @staticmethod"):
        make_rule(lambda w, g: w - g, prepare=lambda self, t: {})
    with pytest.raises(TypeError, match=r"Rule: update must take w, g and the slots \('m',\)"):
        make_rule(lambda w, g: w - g, ("m",))


@pytest.mark.parametrize("slots", ["m", ["m"], (1,), ("m", "m"), None])
def test_slots_are_a_tuple_of_different_names(slots):
    with pytest.raises(
        TypeError, match=re.escape(f"Rule: slots must be a tuple of different names. Received: {slots=}")
    ):
        make_rule(lambda w, g, m: (w - g, m), slots)


@pytest.mark.parametrize("laws", [Rests(), [Rests()], (Rests,), ("rests",), (Rests(), None), None], ids=repr)
def test_laws_are_a_tuple_of_laws(laws):
    with pytest.raises(TypeError, match=r"^Rule: laws must be a tuple of instances of Law\. Received: laws="):
        make_rule(lambda w, g: w - g, laws=laws)
    assert make_rule(lambda w, g: w - g, laws=(Rests(),)).laws
    assert all(rule.laws for rule in RULES if rule is not Travelled)


@pytest.mark.parametrize("base", [SGD, Hook])
@pytest.mark.parametrize("ranges", [{"rate": (0, 1)}, ["[0, 1]"], {"rate": "0 to 1"}])
def test_ranges_are_told_by_texts(base, ranges):
    with pytest.raises((TypeError, ValueError), match=r'must be .*"\[0, 1\)".*\. Received: '):
        type("Rule", (base,), {"ranges": ranges})


def test_a_rule_may_take_its_slots_together():
    rule = make_rule(lambda w, *arrays, learning_rate: (w - learning_rate * arrays[0], *arrays[1:]), ("a", "b"))
    parameters, twins = parameters_of(), parameters_of()
    steps(rule(learning_rate=0.1), parameters, [0])
    steps(SGD(0.1), twins, [0])
    assert bits([p.data for p in parameters]) == bits([p.data for p in twins])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda t: None, "prepare must return a dict of numbers. Received: None"),
        (lambda t: 5, "prepare must return a dict of numbers. Received: 5"),
        (lambda t: ["a"], "prepare must return a dict of numbers. Received: ['a']"),
        (lambda t: {"a": "b"}, "prepare must return a dict of numbers. Received: {'a': 'b'}"),
        (lambda t: {"a": [t]}, "prepare must return a dict of numbers. Received: {'a': [1]}"),
        (lambda t: {"a": 10**400}, "prepare must return a dict of numbers. Received: {'a': 1000"),
        (
            lambda t, lr: {"a": lr},
            "prepare asks for 'lr', which is no hyperparameter. Received: prepare(t, lr). Did you mean 'learning_rate'",
        ),
    ],
)
def test_what_prepare_returns_or_asks_for(prepare, message):
    rule = make_rule(lambda w, g, *, learning_rate: w - learning_rate * g, prepare=staticmethod(prepare))
    parameters, optimizer = parameters_of(), rule(learning_rate=0.1)
    with pytest.raises(TypeError, match="^Rule: " + re.escape(message)):
        optimizer.step(parameters)
    assert (optimizer.iterations, optimizer.state) == (0, {})


def test_a_rule_must_call_its_bases_constructor_and_have_an_update():
    forgetful = make_rule(lambda w, g: w - g, __init__=lambda self: None)
    with pytest.raises(RuntimeError, match=r"^Rule: its constructor must call super\(\).__init__ .*Received: no such"):
        forgetful()
    for cls in (Optimizer, type("Optimizer", (Optimizer,), {})):
        with pytest.raises(
            TypeError, match=r"^Optimizer: .* must give update\(.*Received: Optimizer\(learning_rate=0.1"
        ):
            cls(learning_rate=0.1)


@pytest.mark.parametrize(
    "slots",
    [
        lambda data: {"m": np.zeros((), data.dtype)},
        lambda data: {"m": np.zeros(1, data.dtype)},
        lambda data: {"m": np.zeros((*data.shape, 2), data.dtype)},
        lambda data: {"v": 0 * data},
        lambda data: {"m": 0 * data, "v": 0 * data},
        lambda data: {},
        lambda data: None,
        lambda data: ["m"],
    ],
    ids=["number", "one entry", "twice as many", "another name", "one more", "none", "nothing", "a list"],
)
def test_slots_of_another_shape_or_name_are_refused(slots):
    rule = make_rule(lambda w, g, m: (w - g, m), ("m",), init_slots=lambda self, data: slots(data))
    parameter = Parameter(np.ones(3))
    with pytest.raises(TypeError, match=r"Rule: .*slot"):
        rule().step([parameter])
    assert parameter.data.tolist() == [1, 1, 1]


VIEWS = {
    "swapped slots": lambda w, g, a, b: (w - g - a, b, a + g),
    "both swapped": lambda w, g, a, b: (w - g - a + 2 * b, b, a),
    "the previous w": lambda w, g, a, b: (w - g + 0.1 * a, w, a),
    "the previous g": lambda w, g, a, b: (w - g + 0.1 * a, g, a),
    "one array twice": lambda w, g, a, b: (w - g, a, a),
    "w is a slot": lambda w, g, a, b: (a, w - g, b[...]),
}


@each_layout
@pytest.mark.parametrize("elementwise", [True, False])
@pytest.mark.parametrize("what", VIEWS)
def test_a_rule_may_return_views_of_its_inputs(what, elementwise, flat):
    update = VIEWS[what]

    def init_slots(self, data):
        return {"a": data + 1, "b": data - 2}

    parameters = parameters_of(flat=flat)
    optimizer = make_rule(update, ("a", "b"), init_slots=init_slots, elementwise=elementwise)()
    expected = [(p.data.copy(), p.data + 1, p.data - 2) for p in parameters]
    for seed in range(4):
        steps(optimizer, parameters, [seed])
        expected = [
            tuple(np.array(x) for x in update(w, p.grad.copy(), a, b))
            for p, (w, a, b) in zip(parameters, expected, strict=True)
        ]
        for parameter in parameters:
            parameter.grad[...] = np.nan
        for parameter, arrays in zip(parameters, expected, strict=True):
            assert bits([parameter.data, *optimizer.state[parameter].values()]) == bits(list(arrays))


# Copies, names and hooks -----------------------------------------------------------------------------------


@each_copy
@each_layout
def test_a_copy_made_alone_goes_on_with_parameters_of_the_same_names(way, flat):
    parameters, optimizer = parameters_of(flat=flat), Adam(0.1)
    steps(optimizer, parameters, range(3))
    twins, twin = copy.deepcopy(parameters), COPIES[way](optimizer)
    steps(optimizer, parameters, range(3, 6))
    steps(twin, twins, range(3, 6))
    assert everything(twin, twins) == everything(optimizer, parameters)
    assert len(twin.state) == len(parameters)


def test_a_copy_made_alone_does_not_adopt_what_has_another_shape():
    optimizer = Adam(0.1)
    steps(optimizer, parameters_of([(3,)]), [0])
    twin, others = copy.deepcopy(optimizer), parameters_of([(4,)])
    steps(twin, others, [0])
    assert [twin.steps(p) for p in others] == [1]


@pytest.mark.parametrize("name", ["learning_rate", "t"])
def test_prepare_cannot_take_a_name_that_is_taken(name):
    rule = make_rule(
        lambda w, g, *, learning_rate: w - learning_rate * g,
        prepare=staticmethod(lambda t, *, learning_rate: {name: learning_rate / 2}),
    )
    with pytest.raises(TypeError, match=f"prepare must give its results names of their own. Received: '{name}'"):
        steps(rule(learning_rate=0.1), parameters_of(), [0])


@pytest.mark.parametrize("name", ["t", "epoch", "iterations", "hooks", "applied", "state", "slots", "step", "current"])
def test_a_hyperparameter_cannot_have_the_engines_names(name):
    with pytest.raises(TypeError, match=f"a hyperparameter must have a name of its own. Received: '{name}'"):
        make_rule(lambda w, g: w - g)(**{name: 0.5})


@pytest.mark.parametrize("wrong", [["l2"], [3], [WeightDecay], WeightDecay(0.1), "l2"])
def test_what_is_no_hook_is_refused_before_anything_changed(wrong):
    parameters, optimizer = parameters_of(), SGD(0.1)
    before = bits([p.data for p in parameters])
    with pytest.raises(TypeError, match=r"SGD: hooks must be a list of instances of Hook"):
        optimizer.hooks = wrong
    if isinstance(wrong, list):
        optimizer.hooks += wrong[:0]
        optimizer.hooks.append(wrong[0])
        with pytest.raises(TypeError, match=r"SGD: hooks must be a list of instances of Hook"):
            steps(optimizer, parameters, [0])
    assert bits([p.data for p in parameters]) == before


def test_a_hook_that_raises_leaves_weights_undecayed():
    class Fails(Hook):
        def before(self, spans):
            raise RuntimeError("enough")

    parameters, optimizer = parameters_of(), Adam(0.1)
    optimizer.hooks = [WeightDecay(0.5), Fails()]
    before = bits([p.data for p in parameters])
    with pytest.raises(RuntimeError, match=r"enough"):
        steps(optimizer, parameters, [0])
    assert bits([p.data for p in parameters]) == before
    optimizer.hooks = []
    steps(optimizer, parameters, [0])  # and what failed left nothing behind
    twins, twin = parameters_of(), Adam(0.1)
    steps(twin, twins, [0])
    assert bits([p.data for p in parameters]) == bits([p.data for p in twins])


def test_hooks_are_part_of_the_state():
    parameters, optimizer = parameters_of(), Adam(0.1)
    optimizer.hooks = [ClipByGlobalNorm(0.5), WeightDecay(0.1)]
    steps(optimizer, parameters, range(2))
    loaded, twins = Adam(), copy.deepcopy(parameters)
    loaded.load_state_dict(optimizer.state_dict())
    assert repr(loaded) == repr(optimizer)
    steps(optimizer, parameters, range(2, 4))
    steps(loaded, twins, range(2, 4))
    assert bits([p.data for p in twins]) == bits([p.data for p in parameters])


@pytest.mark.parametrize("wrong", [Parameter(np.ones(2)), [np.ones(2)], [None], "ab", ["a"], None, 5], ids=repr)
@pytest.mark.parametrize("method", [SGD.step, SGD.build])
def test_a_step_of_what_are_no_parameters_is_refused(wrong, method):
    with pytest.raises(TypeError, match=re.escape(f"SGD: a step needs a list of parameters. Received: {wrong!r}")):
        method(SGD(), wrong)


def test_the_name_of_a_hyperparameter_is_a_text():
    with pytest.raises(ValueError, match=r"^SGD: no such hyperparameter\. Received: 5\. Known: learning_rate\.$"):
        SGD().current(5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (5, "SGD: the config must be a dict. Received: 5"),
        ({5: 1}, "SGD: the config must be a dict. Received: {5: 1}"),
        ({"hooks": "clip"}, "SGD: hooks must be a list. Received: hooks='clip'"),
        ({"hooks": [5]}, "SGD: hook must be a name or an instance of Hook. Received: 5"),
        ({"hooks": ["l3"]}, "SGD: unknown hook. Received: 'l3'."),
        ({"learning_rate": {"class": "Cosine"}}, "SGD: unknown schedule. Received: 'Cosine'."),
    ],
)
def test_what_is_no_config(config, message):
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(message)):
        SGD.from_config(config)


def test_a_parameter_that_an_update_spoilt_is_named_as_the_cause():
    rule = make_rule(lambda w, g: w - np.divide(g, np.abs(g)))
    parameter, optimizer = Parameter(np.ones(2), "w"), rule()
    parameter.grad = [1.0, 0.0]
    with np.errstate(invalid="ignore"):
        optimizer.step([parameter])
    parameter.grad = [math.nan, 1.0]
    with pytest.raises(FloatingPointError, match=r"'w'.*the parameter itself isn't finite any more: an earlier update"):
        optimizer.step([parameter])


def test_the_probe_runs_once_a_parameter_not_once_a_layout(monkeypatch):
    from minidl.optimizers import base

    probed = []
    monkeypatch.setattr(base, "probe", lambda optimizer, kinds: probed.append(len(kinds)))
    parameters, optimizer = parameters_of(), SGD(0.1)
    for trainable in (True, False, True):
        parameters[0].trainable = trainable
        steps(optimizer, parameters, [0])
    assert probed == [len(parameters)]


def test_a_rule_without_a_constructor_round_trips_too():
    rule = make_rule(lambda w, g, *, learning_rate: w - learning_rate * g)
    optimizer = rule(learning_rate=StepDecay(0.5, step_size=2))
    assert repr(rule.from_config(optimizer.get_config())) == repr(optimizer)


@pytest.mark.parametrize("name", ["iterations", "epoch"])
@pytest.mark.parametrize("wrong", [-1, 1.5, "2"])
def test_counts_are_counts(name, wrong):
    with pytest.raises((TypeError, ValueError), match=f"SGD: {name} must be a non-negative integer"):
        setattr(SGD(), name, wrong)


def test_a_copy_that_has_adopted_parameters_knows_others_of_their_names_as_new_ones():
    optimizer, first = Momentum(0.1), parameters_of([(3,)])
    steps(optimizer, first, [0])
    twin, adopted, new = copy.deepcopy(optimizer), parameters_of([(3,)]), parameters_of([(3,)])
    steps(twin, adopted, [1])
    steps(twin, new, [2])
    assert (twin.steps(adopted[0]), twin.steps(new[0])) == (2, 1)
