"""A rule gives the same bits as it is written, replayed and compiled."""

import copy
import itertools
import math
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import ELEMENTWISE as RULES

from minidl import Parameter, optimizers, schedules
from minidl.compute import compiling
from minidl.compute.compiling import compiled, replayed
from minidl.compute.tables import Table, over
from minidl.compute.tracing import Tracing, Untraceable
from minidl.optimizers import execution
from minidl.optimizers.spans import PIECE
from minidl.parameters import flatten

WAYS = ("plain", "replayed", "compiled")


def rule_of(update, slots=(), **hyperparameters):
    """Return a new class with this rule."""

    def __init__(self, **given):  # noqa: N807
        optimizers.Optimizer.__init__(self, **{**hyperparameters, **given})

    return type("Rule", (optimizers.Optimizer,), {"update": staticmethod(update), "slots": slots, "__init__": __init__})


def walked(optimizer, way, dtype="f4", count=30, shapes=((3, 5), (300,), ()), setup=lambda optimizer, parameters: None):
    """Return the bits of parameters and slots after some steps in one way."""
    rng = np.random.default_rng(0)
    parameters = [Parameter(rng.standard_normal(shape).astype(dtype), str(i)) for i, shape in enumerate(shapes)]
    flatten(parameters)
    optimizer.execution = way
    setup(optimizer, parameters)
    for _ in range(count):
        for parameter in parameters:
            scale = 10 ** rng.uniform(-4, 2, parameter.shape)
            parameter.grad = np.asarray(rng.standard_normal(parameter.shape) * scale).astype(dtype)
        optimizer.step(parameters)
        assert optimizer.executed == way
    arrays = [a for p in parameters for a in (p.data, *optimizer.state[p].values())]
    return [array.tobytes() for array in arrays]


def same_in_all_ways(make, **options):
    expected = walked(make(), "plain", **options)
    for way in WAYS[1:]:
        assert walked(make(), way, **options) == expected, way


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_the_same_bits(rule, dtype):
    same_in_all_ways(rule, dtype=dtype)


@pytest.mark.parametrize("rule", RULES)
def test_with_schedules_hooks_frozen_parameters_and_multipliers(rule):
    def setup(optimizer, parameters):
        optimizer.hooks = [optimizers.ClipByGlobalNorm(1.0), optimizers.WeightDecay(0.01)]
        parameters[0].learning_rate_multiplier = 0.5
        parameters[1].trainable = False

    same_in_all_ways(lambda: rule(learning_rate=schedules.CosineDecay(0.1, decay_steps=20)), setup=setup)


@pytest.mark.parametrize("rule", [rule for rule in RULES if "epsilon" in rule().hyperparameters])
def test_with_a_schedule_of_epsilon(rule):
    same_in_all_ways(lambda: rule(epsilon=schedules.ExponentialDecay(1e-3, decay_rate=0.5)))


def test_a_rule_may_have_very_many_slots():
    names = tuple(f"s{i}" for i in range(80))
    same_in_all_ways(rule_of(lambda w, g, *slots: (w - g, *(slot + g for slot in slots)), names), count=3)


def test_pieces_of_any_length_give_the_same_bits():
    same_in_all_ways(optimizers.Adam, shapes=((PIECE + 1,), (2, PIECE - 3)), count=3)


def test_a_strided_parameter_is_replayed():
    expected = None
    for way in ("plain", "replayed", "auto"):
        parameter = Parameter(np.ones((4, 6), np.float32)[:, ::2])
        optimizer = optimizers.Adam(0.1)
        optimizer.execution = way
        for _ in range(3):
            parameter.grad = np.full((4, 3), 0.3)
            optimizer.step([parameter])
        assert optimizer.executed == ("replayed" if way == "auto" else way)
        expected = expected or parameter.data.tobytes()
        assert parameter.data.tobytes() == expected
    optimizer.execution = "compiled"
    for _ in range(2):
        with pytest.raises(
            TypeError, match="Adam: the rule can't be compiled: a parameter's entries don't lie side by"
        ):
            optimizer.step([parameter])
    assert parameter.data.tobytes() == expected


# Rules of a user's own -------------------------------------------------------------------------------------


def in_place(w, g, m, *, learning_rate):
    d = g * g
    d += 0.5
    np.sqrt(d, out=d)
    d **= 2
    m = m.copy()
    m += d
    return w - learning_rate * (g / d), m


def branches_on_t(w, g, m, *, learning_rate, t):
    m = 0.9 * m + g
    if t > 5:
        return w - learning_rate * math.sqrt(t) * m, m
    return w - learning_rate * g, m


def chooses(w, g, m, *, learning_rate):
    m = np.where(np.abs(g) > 0.1, m + g, 0.5 * m)
    return w - learning_rate * np.clip(m, -1, 1.5) * (g * m >= 0), m


TRACEABLE = {
    "numbers": lambda w, g, m, *, learning_rate, t: (
        w - learning_rate * (-1) ** t * g / -2,
        (2**-t % 0.3) * abs(-t) * m,
    ),
    "in place": in_place,
    "branches on t": branches_on_t,
    "chooses": chooses,
    "swaps": lambda w, g, m, *, learning_rate: (m - learning_rate * g, w),
    "keeps g": lambda w, g, m, *, learning_rate: (w - learning_rate * m, g),
    "twice the same": lambda w, g, m, *, learning_rate: (w - learning_rate * g, w - learning_rate * g),
    "a slot as it is": lambda w, g, m, *, learning_rate: (w - learning_rate * g, m),
    "powers": lambda w, g, m, *, learning_rate: (
        w - learning_rate * g**3,
        np.abs(m) ** 0.5 + g**2 + g**2.0 + (g * g) ** 0.3,
    ),
    "numbers of NumPy": lambda w, g, m, *, learning_rate: (w - np.float32(0.1) * g, m + np.float32(2) * g),
    "signs": lambda w, g, m, *, learning_rate: (w - learning_rate * np.sign(g), np.copysign(m, -g) + np.negative(g)),
    "minimum": lambda w, g, m, *, learning_rate: (
        w - learning_rate * np.minimum(g, 0.5),
        np.maximum(np.minimum(m, g), -1),
    ),
    "logic": lambda w, g, m, *, learning_rate: (w - learning_rate * g * ((g > 0) & (w < 1)), np.where(~(g > m), m, +g)),
    "functions": lambda w, g, m, *, learning_rate: (
        w - learning_rate * np.tanh(g),
        np.exp(-np.abs(g)) + np.reciprocal(m + 9),
    ),
}
ONLY_NUMPY = {"powers", "functions"}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("what", TRACEABLE)
def test_a_users_rule_gives_the_same_bits(what, dtype):
    rule = rule_of(TRACEABLE[what], ("m",), learning_rate=0.01)
    expected = walked(rule(), "plain", dtype=dtype)
    assert walked(rule(), "replayed", dtype=dtype) == expected
    if what in ONLY_NUMPY:
        with pytest.raises(TypeError, match="can't be compiled: only NumPy itself gives the bits of np"):
            walked(rule(), "compiled", dtype=dtype)
    else:
        assert walked(rule(), "compiled", dtype=dtype) == expected


def test_flags_that_change_are_noticed():
    def update(w, g, v, *, learning_rate, nesterov):
        v = 0.9 * v + g
        return w - learning_rate * (0.9 * v + g if nesterov else v), v

    rule = rule_of(update, ("v",), learning_rate=0.1, nesterov=False)
    ends = []
    for way in WAYS:
        parameter, optimizer = Parameter(np.ones(3, np.float32)), rule()
        optimizer.execution = way
        for flag in (False, True, False):
            optimizer.nesterov = flag
            parameter.grad = [0.3, -1.7, 0.1]
            optimizer.step([parameter])
        ends.append(parameter.data.tobytes())
    assert ends[0] == ends[1] == ends[2]


@st.composite
def expressions(draw):
    """Return the source of a rule made at random."""
    leaves = ["w", "g", "m", "0.5", "a", "(1 - a)", "a ** t", "2"]
    unary = ["np.sqrt(np.abs({0}))", "-{0}", "np.abs({0})", "np.square({0})", "np.sign({0})", "{0} ** 2"]
    binary = [
        "({0} + {1})",
        "({0} - {1})",
        "({0} * {1})",
        "({0} / (np.abs({1}) + 1))",
        "np.maximum({0}, {1})",
        "np.minimum({0}, {1})",
        "np.where({0} > {1}, {0}, {1})",
        "{0} * ({0} < {1})",
    ]

    def expression(depth):
        if depth == 0 or draw(st.integers(0, 4)) == 0:
            return draw(st.sampled_from(leaves))
        if draw(st.booleans()):
            return draw(st.sampled_from(unary)).format(expression(depth - 1))
        return draw(st.sampled_from(binary)).format(expression(depth - 1), expression(depth - 1))

    return f"(w - 0.1 * g * {expression(3)}, 0 * g + {expression(3)})"


@given(source=expressions(), dtype=st.sampled_from(["f4", "f8"]))
@settings(max_examples=60)
def test_any_rule_gives_the_same_bits(source, dtype):
    update = eval(f"lambda w, g, m, *, a, t: {source}", {"np": np})
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(101).astype(dtype) for _ in range(3)]
    keywords = {"a": 0.9, "t": 3}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [np.asarray(result) for result in update(*arrays, **keywords)]
        try:
            program, numbers = Tracing(update, (np.dtype(dtype),) * 3, keywords).at(keywords)
        except Untraceable:
            return  # a function of numbers alone makes an array of NumPy's
        again = [array.copy() for array in arrays]
        code = replayed(program)
        code.run(numbers, again, [np.empty(101, kind) for kind in code.scratch])
        for array, result in zip((again[0], again[2]), expected, strict=True):
            np.testing.assert_array_equal(array, result)
        again = [array.copy() for array in arrays]
        places = np.array([*numbers, 0.0])
        try:
            machine = compiled(program)
        except Untraceable:
            return  # bool to some power
        Table(over(machine.packed, again, places.ctypes.data))()
        for array, result in zip((again[0], again[2]), expected, strict=True):
            np.testing.assert_array_equal(array, result)


# What can't be traced --------------------------------------------------------------------------------------


def branches(w, g):
    return w - np.array(list(g))


calls = itertools.count()


def sometimes(w, g):
    return w - g * (1 + 1e-12 * (next(calls) % 5 == 0))


def draws(w, g):
    return w - g * (1 + 1e-12 * np.random.default_rng().random())


UNTRACEABLE = {
    "size": (lambda w, g: w - g / max(g.size, 1e9), "it asks an array for its size"),
    "values": (lambda w, g: w - g if (g == g).all() else w, "it asks an array for its all"),
    "branch": (branches, "it looks at the values of an array, or branches on them"),
    "cumulated": (lambda w, g: w - 0 * np.add.accumulate(g), "it uses np.add in another way than entry by entry"),
    "function of arrays": (lambda w, g: w - np.real(g), "it uses np.real, which isn't known to work entry by entry"),
    "now and then": (sometimes, "a second call gives other numbers: it must be a pure function"),
    "random": (draws, "a second call gives other numbers: it must be a pure function"),
    "array": (lambda w, g: w - g * np.array([1.0]), "an array that isn't one of its arguments"),
}


@pytest.mark.parametrize("what", UNTRACEABLE)
def test_a_rule_that_cannot_be_traced_runs_as_written_and_says_why_once(what):
    update, reason = UNTRACEABLE[what]
    rule = rule_of(update)
    parameter = Parameter(np.ones(3))
    optimizer = rule()
    with pytest.warns(UserWarning, match=f"Rule: update is run as it is written, .*{reason}"):
        optimizer.step([parameter])
    assert optimizer.executed == "plain"
    rule().step([parameter])  # a second warning would be an error
    for way in ("replayed", "compiled"):
        optimizer = rule()
        optimizer.execution = way
        with pytest.raises(TypeError, match=f"Rule: the rule can't be {way}: .*{reason}"):
            optimizer.step([parameter])
    optimizer = rule()
    optimizer.execution = "plain"
    optimizer.step([parameter])
    assert optimizer.executed == "plain"


def test_a_rule_that_cannot_be_traced_at_a_later_step_goes_on_as_written():
    def update(w, g, *, t):
        return w - g if t < 3 else w - g * (g.size > 0)

    parameter, optimizer = Parameter(np.zeros(3)), rule_of(update)()
    parameter.grad = [1, 2, 3]
    optimizer.step([parameter])
    optimizer.step([parameter])
    assert optimizer.executed == "replayed"
    with pytest.warns(UserWarning, match="size"):
        optimizer.step([parameter])
    optimizer.step([parameter])
    assert optimizer.executed == "plain"
    assert parameter.data.tolist() == [-4, -8, -12]


def test_rules_for_whole_tensors_run_as_written_without_a_warning():
    parameter, optimizer = Parameter(np.ones(3)), optimizers.LAMB()
    optimizer.step([parameter])
    assert optimizer.executed == "plain"


# The choice ------------------------------------------------------------------------------------------------


def test_auto_compiles_once_it_has_paid_and_again_at_the_same_step_after_a_resume(monkeypatch):
    monkeypatch.setattr(execution, "WORTH", 5 * (execution.STEP + 3))

    def ways(optimizer, parameter, count):
        found = []
        for _ in range(count):
            parameter.grad = [0.1, 0.2, 0.3]
            optimizer.step([parameter])
            found.append(optimizer.executed)
        return found

    parameter, optimizer = Parameter(np.ones(3), "w"), optimizers.Adam()
    assert ways(optimizer, parameter, 8) == ["replayed"] * 5 + ["compiled"] * 3
    resumed = optimizers.Adam()
    resumed.load_state_dict(optimizer.state_dict())
    assert ways(resumed, parameter, 1) == ["compiled"]
    assert ways(copy.deepcopy(optimizer), parameter, 1) == ["compiled"]


def test_without_llvm_auto_replays_and_compiled_is_refused(monkeypatch):
    monkeypatch.setattr(execution, "WORTH", 0)
    monkeypatch.setattr(execution, "can_compile", lambda: False)
    monkeypatch.setattr("minidl.optimizers.base.can_compile", lambda: False)
    parameter, optimizer = Parameter(np.ones(3)), optimizers.Adam()
    optimizer.step([parameter])
    assert optimizer.executed == "replayed"
    with pytest.raises(ImportError, match=r"Adam: compiled execution needs LLVM: pip install 'minidl\[fast\]'"):
        optimizer.execution = "compiled"
    assert optimizer.execution == "auto"


def test_the_choice_is_checked_and_shown():
    optimizer = optimizers.SGD(0.1)
    assert "execution" not in repr(optimizer)
    assert optimizer.executed == ""
    optimizer.execution = "plain"
    assert repr(optimizer) == "SGD(learning_rate=0.1, execution='plain')"
    with pytest.raises(ValueError, match="execution must be one of 'auto', 'compiled', 'replayed', 'plain'"):
        optimizer.execution = "fast"


def test_llvm_is_loaded_when_it_is_needed():
    code = """
import sys, numpy as np
from minidl import Parameter, optimizers
parameter = Parameter(np.ones(3))
optimizer = optimizers.Adam()
optimizer.step([parameter])
assert not any(name.startswith(("llvmlite", "numba")) for name in sys.modules)
"""
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True)


# Memory and the processor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["replayed", "compiled"])
@pytest.mark.parametrize("rule", RULES)
def test_a_step_allocates_nothing_of_the_size_of_a_piece(rule, way):
    parameter, optimizer = Parameter(np.ones(3 * PIECE, np.float32)), rule()
    optimizer.execution = way
    parameter.grad = np.full(3 * PIECE, 0.1)
    optimizer.step([parameter])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        optimizer.step([parameter])
        most = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert most < PIECE


@pytest.mark.skipif(not compiling.flushes(), reason="the processor computes subnormal numbers at full speed")
@pytest.mark.parametrize("way", ["compiled", "replayed"])
def test_a_rule_that_is_run_fast_takes_subnormal_numbers_as_zero_and_nothing_else_does(way):
    if way == "replayed" and compiling._floating_point() is None:
        pytest.skip("this system doesn't let Python say so")
    parameter, optimizer = Parameter(np.ones(1000, np.float32)), optimizers.Momentum(0.1)
    optimizer.execution = way
    parameter.grad = np.full(1000, 1e-36)
    optimizer.step([parameter])
    parameter.grad = np.zeros(1000)
    for _ in range(60):
        optimizer.step([parameter])
    assert (optimizer.state[parameter]["v"] == 0).all()
    assert np.float32(1e-39) * np.float32(0.5) > 0


def test_an_error_in_a_replay_leaves_the_processor_as_it_was():
    def fail(numbers):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compiling.flushed(fail)([])
    assert np.float32(1e-39) * np.float32(0.5) > 0


@pytest.mark.skipif(not compiling.flushes(), reason="other processors have other signs of zero")
@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.sign, np.abs, np.copysign])
def test_signs_of_zero_are_numpys(function):
    draws = np.random.default_rng(0).choice(np.array([0.0, -0.0, 1.0, -1.0], np.float32), (2, 67))
    expected = function(*draws) if function.nin == 2 else function(draws[1])

    def update(w, g):
        return function(w, g) if function.nin == 2 else function(g)

    for way in WAYS:
        parameter, optimizer = Parameter(draws[0].copy()), rule_of(update)()
        parameter.grad, optimizer.execution = draws[1], way
        optimizer.step([parameter])
        assert parameter.data.tobytes() == expected.tobytes(), way


def test_auto_compiles_at_a_step_that_hangs_on_the_entries_and_the_count_alone():
    pytest.importorskip("llvmlite")
    w = Parameter(np.zeros(2**20, np.float32))
    optimizer = optimizers.SGD(0.0)
    ways = []
    while "compiled" not in ways and len(ways) < 300:
        optimizer.step([w])
        ways.append(optimizer.executed)
    assert len(ways) == 1 + math.ceil(2**28 / (2**20 + 2**14))  # steps before count as 2^14 entries more each
