"""What is done around a rule: clipping, L2, decoupled weight decay, and hooks of one's own."""

import contextlib
import math

import numpy as np
import pytest
import subjects
from subjects import exported

from minidl import Parameter, optimizers
from minidl.optimizers import (
    L2,
    LAMB,
    SGD,
    Adam,
    AdamW,
    ClipByGlobalNorm,
    ClipByNorm,
    ClipByValue,
    Hook,
    Momentum,
    Optimizer,
    WeightDecay,
)
from minidl.optimizers.hooks import registry

HOOKS = [getattr(optimizers, name) for name in sorted(exported(optimizers, Hook))]
SHAPES = [(3, 4), (), (5,), (0,)]


def with_hooks(optimizer, *hooks):
    optimizer.hooks = list(hooks)
    return optimizer


def parameters_of(scale=1.0, shapes=SHAPES, **options):
    return subjects.parameters_of(shapes, scale=scale, **options)


def joined(parameters, what="data"):
    """A true copy of all values, or gradients, in one vector."""
    return np.concatenate([getattr(parameter, what).ravel() for parameter in parameters])


def move(optimizer, parameters):
    """Return by how much one step moves the parameters; check that their gradients stay as they are."""
    before, gradients = joined(parameters), joined(parameters, "grad")
    optimizer.step(parameters)
    assert joined(parameters, "grad").tobytes() == gradients.tobytes()
    return joined(parameters) - before


def decoupled_adam(w, gradients, rates, decay):
    """Loshchilov and Hutter's Algorithm 2, its schedule multiplier the learning rate: over floats."""
    m = v = 0.0
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= eta * (m / (1 - 0.9**t) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8) + decay * w)
    return w


# Clipping --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_one_norm_over_all_spans_and_the_direction_is_kept(flat, split):
    parameters = parameters_of(scale=7.0, flat=flat)
    parameters[0].learning_rate_multiplier = 0.5 if split else 1.0
    gradient = joined(parameters, "grad")
    moved = move(with_hooks(SGD(1.0), ClipByGlobalNorm(2.0)), parameters)
    moved[: 3 * 4] /= parameters[0].learning_rate_multiplier
    np.testing.assert_allclose(moved, -2.0 / math.sqrt(math.fsum(g * g for g in gradient)) * gradient, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_gradient_within_the_bound_is_left_bit_for_bit(dtype):
    plain, clipped = parameters_of(dtype=dtype), parameters_of(dtype=dtype)
    norm = float(np.linalg.norm(joined(plain, "grad")))
    SGD(0.1).step(plain)
    with_hooks(SGD(0.1), ClipByGlobalNorm(norm * 1.001)).step(clipped)
    assert joined(clipped).tobytes() == joined(plain).tobytes()
    active = parameters_of(dtype=dtype)
    with_hooks(SGD(0.1), ClipByGlobalNorm(norm * 0.999)).step(active)
    np.testing.assert_array_less(1e-6, np.abs(joined(active) - joined(plain)).max())


def test_the_norm_leaves_frozen_parameters_out():
    parameters = parameters_of(shapes=[(2,), (2,)])
    parameters[0].grad, parameters[1].grad, parameters[1].trainable = [3.0, 4.0], [1e6, 1e6], False
    moved = move(with_hooks(SGD(1.0), ClipByGlobalNorm(1.0)), parameters)
    np.testing.assert_allclose(moved, [-0.6, -0.8, 0, 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("f2", 6e4), ("f4", 1e30), ("f4", 3e38), ("f4", 1e-38), ("f8", 1e200), ("f8", 1.7e308), ("f8", 1e-305)],
)
def test_gradients_at_the_ends_of_the_range_are_clipped_right(dtype, value):
    n = 100
    parameter = Parameter(np.zeros(n, dtype))
    parameter.grad = np.full(n, value, dtype)
    bound = min(value, 1.0)
    optimizer = with_hooks(SGD(1.0), ClipByGlobalNorm(bound))
    optimizer.execution = "plain"  # a rule that is run fast takes subnormal numbers as 0
    optimizer.step([parameter])
    found, rounding = parameter.data.astype("f8"), {"f2": 1e-3, "f4": 1e-6, "f8": 1e-12}[dtype]
    np.testing.assert_allclose(
        found, -bound / math.sqrt(n), rtol=rounding, atol=float(np.finfo(dtype).smallest_subnormal)
    )


@pytest.mark.parametrize("flat", [False, True])
def test_a_norm_for_each_parameter(flat):
    parameters = parameters_of(scale=7.0, flat=flat)
    expected = [
        -p.grad / max(1.0, float(np.linalg.norm(p.grad.astype("f8").ravel())) / 2.0) for p in parameters if p.size
    ]
    parameters[0].grad = np.full(parameters[0].shape, 0.01)
    expected[0] = np.full(parameters[0].shape, -0.01)  # within the bound
    before = [p.data.copy() for p in parameters if p.size]
    with_hooks(SGD(1.0), ClipByNorm(2.0)).step(parameters)
    for old, new, move_of in zip(before, [p.data for p in parameters if p.size], expected, strict=True):
        np.testing.assert_allclose(new - old, move_of, rtol=1e-5, atol=1e-6)


def test_zero_gradients_have_no_direction_and_stay_zero():
    parameters = parameters_of(scale=0.0)
    assert not move(with_hooks(SGD(1.0), ClipByGlobalNorm(0.1)), parameters).any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("limit", [0.25, 1e30, 1e300])
def test_clip_by_value_bounds_each_entry(limit, dtype):
    parameter = Parameter(np.zeros(4, dtype))
    parameter.grad = [-3.0, -0.125, 0.125, 3.0]
    bound = min(limit, 3.0)
    moved = move(with_hooks(SGD(1.0), ClipByValue(limit)), [parameter])
    assert moved.tolist() == [bound, 0.125, -0.125, -bound]


# Decay -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [SGD, Momentum, Adam])
def test_l2_is_adding_lambda_w_to_the_gradient_by_hand(rule):
    ours, by_hand = parameters_of(), parameters_of()
    one, other = with_hooks(rule(0.1), L2(0.3)), rule(0.1)
    for seed in range(10):
        for mine, theirs, fresh in zip(ours, by_hand, parameters_of(seed=seed), strict=True):
            mine.grad, theirs.grad = fresh.grad, fresh.grad + 0.3 * theirs.data
        one.step(ours)
        other.step(by_hand)
        np.testing.assert_allclose(joined(ours), joined(by_hand), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_weight_decay_under_sgd_at_zero_gradient_shrinks_by_exactly_its_factor(dtype):
    parameters = parameters_of(scale=0.0, dtype=dtype)
    expected = joined(parameters) * (1 - 0.1 * 0.03)
    with_hooks(SGD(0.1), WeightDecay(0.03)).step(parameters)
    np.testing.assert_array_equal(joined(parameters), expected, strict=True)


@pytest.mark.parametrize("flat", [False, True])
def test_weight_decay_under_adam_is_the_papers(flat):
    parameters = parameters_of(flat=flat)
    start, along = joined(parameters), []
    optimizer = with_hooks(Adam(lambda step: 0.1 / (1 + step)), WeightDecay(0.2))
    for seed in range(20):
        for parameter, fresh in zip(parameters, parameters_of(seed=seed), strict=True):
            parameter.grad = fresh.grad
        along.append(joined(parameters, "grad"))
        optimizer.step(parameters)
    rates = [0.1 / (1 + step) for step in range(20)]
    expected = [
        decoupled_adam(w, g, rates, 0.2) for w, g in zip(start.tolist(), np.transpose(along).tolist(), strict=True)
    ]
    np.testing.assert_allclose(joined(parameters), expected, rtol=1e-12, atol=1e-14)
    without = [
        decoupled_adam(w, g, rates, 0.0) for w, g in zip(start.tolist(), np.transpose(along).tolist(), strict=True)
    ]
    assert np.all(np.abs(joined(parameters) - without) > 1e-4)


def test_multiplier_and_schedule_reach_the_decay():
    parameters = parameters_of(scale=0.0, flat=True)
    parameters[0].learning_rate_multiplier = 0.5
    expected = [parameter.data.copy() for parameter in parameters]
    optimizer = with_hooks(SGD(lambda step: [0.1, 0.4][step]), WeightDecay(0.3))
    for rate in (0.1, 0.4):
        optimizer.step(parameters)
        expected = [
            w * (1 - rate * p.learning_rate_multiplier * 0.3) for w, p in zip(expected, parameters, strict=True)
        ]
        for parameter, values in zip(parameters, expected, strict=True):
            np.testing.assert_array_equal(parameter.data, values)


@pytest.mark.parametrize("hook", [WeightDecay, L2])
@pytest.mark.parametrize("rule", [SGD, Momentum, Adam, AdamW, LAMB])
@pytest.mark.parametrize("flat", [False, True])
def test_parameters_of_different_decay_and_rate_step_as_if_each_were_alone(flat, rule, hook):
    together, twins = parameters_of(flat=flat), parameters_of()
    optimizer = with_hooks(rule(0.1), hook(0.3))
    alone = [rule(0.1) for _ in twins]
    settings = [(1.0, 1.0), (1.0, 0.0), (0.5, 0.3), (1.0, 1.0)]
    for step in range(6):
        if step == 3:  # a change is noticed at once, in the place of a neighbour too
            settings = [(1.0, 0.3), (1.0, 0.3), (0.5, 2.0), (0.5, 2.0)]
            together[0].trainable = False
        for i, (parameter, twin, (rate, decay)) in enumerate(zip(together, twins, settings, strict=True)):
            parameter.learning_rate_multiplier, parameter.weight_decay_multiplier = rate, decay
            parameter.grad = twin.grad = np.random.default_rng((step, i)).standard_normal(parameter.shape)
            alone[i].learning_rate, alone[i].hooks = 0.1 * rate, [hook(0.3 * decay)]
            if "weight_decay" in optimizer.hyperparameters:
                alone[i].weight_decay = optimizer.weight_decay * decay
            if parameter.trainable:
                alone[i].step([twin])
        optimizer.step(together)
        assert joined(together).tobytes() == joined(twins).tobytes()


@pytest.mark.parametrize("hook", [hook(0.1) for hook in HOOKS], ids=repr)
@pytest.mark.parametrize("flat", [False, True])
def test_frozen_parameters_are_untouched_to_the_byte(hook, flat):
    parameters = parameters_of(flat=flat)
    parameters[2].trainable = False
    before, others = parameters[2].data.tobytes(), joined(parameters[:2])
    optimizer = with_hooks(Momentum(0.1), hook)
    optimizer.step(parameters)
    optimizer.step(parameters)
    assert parameters[2].data.tobytes() == before
    assert not optimizer.state[parameters[2]]["v"].any()
    assert np.all(joined(parameters[:2]) != others)


# Around the rule -------------------------------------------------------------------------------------------


def test_hooks_are_called_in_their_order():
    """Clipping to 1 and then adding 2 w is not adding 2 w and then clipping."""
    results = []
    for hooks in ([ClipByValue(1.0), L2(2.0)], [L2(2.0), ClipByValue(1.0)]):
        parameter = Parameter(np.array([3.0]))
        parameter.grad = [5.0]
        results.append(move(with_hooks(SGD(1.0), *hooks), [parameter]).tolist())
    assert results == [[-7.0], [-1.0]]


class Recorder(Hook):
    """Write down what is called, and what it sees."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    def before(self, spans):
        self.log.append((self.name, "before", np.concatenate([span.data.ravel() for span in spans]).tolist()))

    def after(self, spans):
        self.log.append((self.name, "after", np.concatenate([span.data.ravel() for span in spans]).tolist()))


def test_every_before_then_the_rule_then_every_after():
    log, parameter = [], Parameter(np.array([1.0, 2.0]))
    parameter.grad = [1.0, 1.0]
    with_hooks(SGD(0.5), Recorder(log, "a"), Recorder(log, "b")).step([parameter])
    start, end = [1.0, 2.0], [0.5, 1.5]
    assert log == [("a", "before", start), ("b", "before", start), ("a", "after", end), ("b", "after", end)]


class Box(Hook):
    """Keep every value within a bound, after the rule."""

    def after(self, spans):
        for span in spans:
            np.clip(span.data, -1, 1, out=span.data)


class Wreck(Hook):
    """Overwrite the gradient that a hook is given."""

    def before(self, spans):
        for span in spans:
            span.grad[...] = 100.0


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("elementwise", [False, True])
def test_ones_own_hooks_change_values_but_never_the_callers_gradient(dtype, flat, elementwise):
    class Descent(SGD):
        pass

    Descent.elementwise = elementwise
    parameters = parameters_of(dtype=dtype, flat=flat)
    moved = move(with_hooks(Descent(1.0), Wreck()), parameters)
    assert np.all(moved < -90)
    with_hooks(Descent(1.0), Wreck(), Box()).step(parameters)
    assert set(joined(parameters).tolist()) == {-1.0}


def test_a_hook_that_assigns_a_new_gradient_is_heard_or_refused():
    class Tenth(Hook):
        def before(self, spans):
            for span in spans:
                span.grad = span.grad / 10

    parameter = Parameter(np.zeros(2))
    parameter.grad = [10.0, 20.0]
    with contextlib.suppress(AttributeError, TypeError):
        assert move(with_hooks(SGD(1.0), Tenth()), [parameter]).tolist() == [-1.0, -2.0]


def test_hooks_may_come_and_go_between_steps():
    parameter, optimizer = Parameter(np.zeros(2)), SGD(1.0)
    moves = []
    for hooks in ([], [ClipByValue(0.5)], [], [ClipByValue(0.25), ClipByValue(0.125)]):
        parameter.grad = [1.0, -1.0]
        optimizer.hooks[:] = hooks
        moves.append(move(optimizer, [parameter]).tolist())
    assert moves == [[-1.0, 1.0], [-0.5, 0.5], [-1.0, 1.0], [-0.125, 0.125]]


ARGUMENTS = {
    ClipByGlobalNorm: ("max_norm", [0, -1, math.nan, math.inf]),
    ClipByNorm: ("max_norm", [0, -1, math.nan, math.inf]),
    ClipByValue: ("limit", [0, -1, math.nan]),
    L2: ("decay", [-0.1, math.nan]),
    WeightDecay: ("decay", [-0.1, math.inf]),
}


def test_every_exported_hook_has_cases():
    assert set(ARGUMENTS) == set(HOOKS)


@pytest.mark.parametrize(("make", "argument", "bad"), [(hook, *case) for hook, case in ARGUMENTS.items()])
def test_arguments_have_ranges_and_configs_return(make, argument, bad):
    for value in bad:
        with pytest.raises(ValueError, match=rf"{make.__name__}: {argument} must be in .*\. Received: {argument}="):
            make(value)
    with pytest.raises(TypeError, match=f"{make.__name__}: {argument} must be a number"):
        make("1")
    hook = make(0.5)
    for value in (*bad, "1", None):
        with pytest.raises((TypeError, ValueError), match=rf"^{make.__name__}: {argument} must be .*\. Received: "):
            setattr(hook, argument, value)
    setattr(hook, argument, np.float32(0.25))
    assert getattr(hook, argument) == 0.25
    setattr(hook, argument, 0.5)
    twin = registry.get({"class": make.__name__, **hook.get_config()})
    assert (type(twin), repr(twin)) == (make, f"{make.__name__}({argument}=0.5)")


def test_a_hook_of_ones_own_has_the_ranges_that_it_and_its_base_declare():
    class Often(ClipByValue):
        ranges = {"share": "[0, 1]", "always": "bool"}

        def __init__(self, limit=1.0, share=0.5, always=False):
            super().__init__(limit)
            self.share, self.always, self.seen = share, always, "anything"

    for argument, value in [("limit", -1), ("share", 2), ("share", True), ("always", 1)]:
        with pytest.raises((TypeError, ValueError), match=rf"^Often: {argument} must be .*Received: {argument}="):
            Often(**{argument: value})
    assert repr(Often(always=np.True_, share=1)) == "Often(share=1.0, always=True)"


def test_the_decay_of_a_rule_without_a_learning_rate_is_the_decay_itself():
    class Walk(Optimizer):
        @staticmethod
        def update(w, g):
            return w - g

    parameter = Parameter(np.array([2.0]))
    with_hooks(Walk(), WeightDecay(0.25)).step([parameter])
    assert parameter.data.tolist() == [1.5]
