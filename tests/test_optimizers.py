"""Every rule against its paper's (tests/oracles.py), limits that tie them, and the course notebook's numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import ORACLES
from subjects import ELEMENTWISE, RULES, exported

from minidl import Parameter, optimizers
from minidl.optimizers import (
    LAMB,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    CenteredRMSprop,
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
from minidl.optimizers.laws import BoundedStep
from minidl.parameters import flatten

each_rule = pytest.mark.parametrize("rule", RULES)
each_elementwise_rule = pytest.mark.parametrize("rule", ELEMENTWISE)


EPSILONS = [{}, {"epsilon": 0.3}, {"epsilon": 0.0, "epsilon_root": 0.2}, {"epsilon": 0.1, "epsilon_root": 0.5}]
MOMENTS = {"beta_1": 0.5, "beta_2": 0.9}
CASES = [
    (SGD, {}),
    (Momentum, {}),
    (Momentum, {"momentum": 0.5, "dampening": 0.5}),
    (Momentum, {"momentum": 0.8, "dampening": 1.0}),
    (Momentum, {"momentum": 0.99, "dampening": 0.2, "learning_rate_inside": True}),
    (Nesterov, {}),
    (Nesterov, {"momentum": 0.3}),
    (Nesterov, {"momentum": 0.8, "learning_rate_inside": True}),
    (Lion, {}),
    (Lion, {"beta_1": 0.5, "beta_2": 0.7, "weight_decay": 0.3}),
    (Lion, {"beta_1": 0.0}),
    *[(rule, epsilons) for epsilons in EPSILONS for rule in (AdaGrad, RMSprop, RMSpropMomentum, CenteredRMSprop)],
    (AdaGrad, {"initial_accumulator": 0.7}),
    (RMSprop, {"rho": 0.5}),
    (RMSpropMomentum, {"rho": 0.5, "momentum": 0.3}),
    (RMSpropMomentum, {"momentum": 0.0}),
    (CenteredRMSprop, {"rho": 0.5, "momentum": 0.3}),
    (CenteredRMSprop, {"momentum": 0.0}),
    (AdaDelta, {}),
    (AdaDelta, {"rho": 0.5, "epsilon": 0.01}),
    *[(rule, epsilons) for epsilons in EPSILONS for rule in (Adam, AdamW, AMSGrad, Nadam, LAMB)],
    *[(rule, MOMENTS) for rule in (Adam, AdamW, AMSGrad, Nadam, Adamax, LAMB)],
    (Adam, {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.1}),
    (AdamW, {"weight_decay": 0.3}),
    (AMSGrad, {"bias_correction": True}),
    (AMSGrad, {"bias_correction": True, "epsilon": 0.1, "epsilon_root": 0.5, **MOMENTS}),
    (Nadam, {"momentum_decay": 1.0}),
    (Nadam, {"momentum_decay": 1e6}),
    (Nadam, {"momentum_decay": 0.0, "beta_1": 0.5}),
    (Adamax, {}),
    (Adamax, {"epsilon": 0.3}),
    (Adamax, {"epsilon": 0.0, "epsilon_max": 0.2}),
    (Adamax, {"epsilon": 0.1, "epsilon_max": 0.5}),
    (LAMB, {"weight_decay": 0.0}),
    (LAMB, {"weight_decay": 0.3}),
]


def test_every_exported_rule_has_an_oracle_and_cases():
    names = exported(optimizers, Optimizer)
    assert set(ORACLES) == names
    assert {rule.__name__ for rule, _ in CASES} == names


def gradients_of(steps, *shape, seed=0):
    """Gradients of many sizes, about a third of them zero, whole steps and whole runs of steps among them."""
    rng = np.random.default_rng(seed)
    gradients = rng.standard_normal((steps, *shape)) * 10.0 ** rng.integers(-2, 2, (steps, *shape))
    gradients[rng.random(gradients.shape) < 0.3] = 0
    gradients[5] = gradients[6] = 0
    gradients[:10, ..., 0] = 0
    return gradients


def run(optimizer, data, gradients):
    """Step one standalone parameter along `gradients`; return its values after each step."""
    parameter = Parameter(np.array(data))
    trajectory = []
    for gradient in gradients:
        parameter.grad = gradient
        optimizer.step([parameter])
        trajectory.append(parameter.data.copy())
    return np.array(trajectory)


def assert_equal(found, expected):
    np.testing.assert_array_equal(found, expected, strict=True)


RATES = {
    "decaying": lambda step: 0.2 / (1 + 0.1 * step),
    "small": lambda step: 0.001,
    "absurd": lambda step: 10.0,
    "up and down": lambda step: [0.001, 10.0, 0.0, 0.3][step % 4],
}


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize(("rule", "hyper"), CASES, ids=str)
def test_agrees_with_the_oracle(rule, hyper, rates):
    steps, shape, rate = 50, (2, 4), RATES[rates]
    values, gradients = np.random.default_rng(1).standard_normal((2, *shape)), gradients_of(steps, 2, *shape)
    parameters = [Parameter(value.copy(), name) for value, name in zip(values, "ab", strict=True)]
    optimizer = rule(rate, **hyper)
    for step in range(steps):
        for parameter, gradient in zip(parameters, gradients[step], strict=True):
            parameter.grad = gradient
        optimizer.step(parameters)
    along = [rate(step) for step in range(steps)]
    for k, parameter in enumerate(parameters):
        found = [parameter.data, *optimizer.state[parameter].values()]
        expected = ORACLES[rule.__name__](values[k], list(gradients[:, k]), along, **hyper)
        for name, array, wanted in zip(("w", *rule.slots), found, expected, strict=True):
            largest = np.abs(wanted).max()
            np.testing.assert_allclose(array, wanted, rtol=1e-12, atol=1e-14 * largest, err_msg=name, strict=True)


@pytest.mark.parametrize("wrap", [float, np.float64, np.array], ids=["float", "np.float64", "0-d array"])
@pytest.mark.parametrize(("rule", "hyper"), CASES, ids=str)
def test_float32_stays_float32_whatever_numbers_it_is_given(rule, hyper, wrap):
    numbers = {"learning_rate": 0.1, **hyper}
    wrapped = {name: value if isinstance(value, bool) else wrap(value) for name, value in numbers.items()}
    start, gradients = np.linspace(-1, 1, 7, dtype=np.float32), gradients_of(20, 7).astype(np.float32)
    parameter = Parameter(start.copy())
    optimizer = rule(**wrapped)
    for gradient in gradients:
        parameter.grad = gradient
        optimizer.step([parameter])
    arrays = [parameter.data, *optimizer.state[parameter].values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    expected = ORACLES[rule.__name__](start.astype("f8"), list(gradients.astype("f8")), [0.1] * 20, **hyper)
    for array, wanted in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=2e-4, atol=4e-6 * max(1, np.abs(wanted).max()))


@each_rule
def test_float16_computes_with_float32_slots(rule):
    half, single = (Parameter(np.linspace(-2, 2, 7, dtype=dtype)) for dtype in (np.float16, np.float32))
    ours, reference = rule(learning_rate=0.01), rule(learning_rate=0.01)
    for gradient in gradients_of(20, 7):
        half.grad = gradient
        single.data, single.grad = half.data, half.grad
        ours.step([half])
        reference.step([single])
        assert_equal(half.data, single.data.astype(np.float16))
        for name in rule.slots:
            assert_equal(ours.state[half][name], reference.state[single][name])
    assert not np.array_equal(half.data, np.linspace(-2, 2, 7, dtype=np.float16))


# Limits that tie rules together ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Momentum(0.1, momentum=0.0), SGD(0.1)),
        (Nesterov(0.1, momentum=0.0), SGD(0.1)),
        (Momentum(0.1, dampening=0.3), Momentum(0.1 * (1 - 0.3))),
        (Momentum(0.1, learning_rate_inside=True), Momentum(0.1)),
        (Nesterov(0.1, learning_rate_inside=True), Nesterov(0.1)),
        (Adam(0.1, beta_1=0.0, beta_2=0.0, epsilon=0.5), RMSprop(0.1, rho=0.0, epsilon=0.5)),
        (AdaGrad(0.1, initial_accumulator=0.25, epsilon=0.0), AdaGrad(0.1, epsilon=0.0, epsilon_root=0.25)),
        (RMSpropMomentum(0.1, momentum=0.0), RMSprop(0.1)),
        (AdamW(0.1, weight_decay=0.0), Adam(0.1)),
        (Nadam(0.1, beta_1=0.0), Adam(0.1, beta_1=0.0)),
        (Adamax(0.1, beta_2=0.0), Adam(0.1, beta_2=0.0)),
    ],
    ids=repr,
)
def test_rules_that_are_the_same(one, other):
    gradients = gradients_of(30, 5)
    np.testing.assert_allclose(run(one, np.ones(5), gradients), run(other, np.ones(5), gradients), rtol=1e-12)


@pytest.mark.parametrize("rule", [Momentum, Nesterov])
def test_rate_inside_and_outside_part_after_a_change_of_rate(rule):
    gradients = gradients_of(30, 5)

    def rate(step):
        return 0.1 if step < 15 else 0.01

    inside, outside = (run(rule(rate, learning_rate_inside=way), np.ones(5), gradients) for way in (True, False))
    np.testing.assert_allclose(inside[:15], outside[:15], rtol=1e-12)
    assert np.all(np.abs(inside[15] - outside[15]) > 1e-3)


def test_nesterov_is_the_look_ahead_form_under_a_change_of_variable():
    rng = np.random.default_rng(0)
    curvature, start, eta, mu = np.diag([1.0, 3.0, 10.0]) + 0.1, rng.standard_normal(3), 0.05, 0.9
    parameter, optimizer = Parameter(start.copy()), Nesterov(eta, momentum=mu)
    theta, velocity = start.copy(), np.zeros(3)
    for _ in range(40):
        parameter.grad = curvature @ parameter.data
        optimizer.step([parameter])
        velocity = mu * velocity + curvature @ (theta - eta * mu * velocity)
        theta = theta - eta * velocity
        np.testing.assert_allclose(parameter.data, theta - eta * mu * velocity, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_adams_first_step_is_the_rate_times_the_sign(scale):
    gradient = scale * np.array([1.0, -2.0, 3.5, -0.1])
    moved = run(Adam(0.1, epsilon=0.0), np.zeros(4), [gradient])[0]
    np.testing.assert_allclose(moved, -0.1 * np.sign(gradient), rtol=1e-12)


def test_rmsprop_with_bias_correction_is_adam_with_beta_1_zero():
    """Dividing s by 1 − ρᵗ multiplies the rate, where ε is scaled alike, by √(1 − ρᵗ)."""
    rho, eps = 0.95, 1e-3

    def corrected(step):
        return math.sqrt(1 - rho ** (step + 1))

    gradients = gradients_of(30, 5)
    by_hand = RMSprop(lambda step: 0.1 * corrected(step), rho=rho, epsilon=lambda step: eps * corrected(step))
    expected = run(Adam(0.1, beta_1=0.0, beta_2=rho, epsilon=eps), np.ones(5), gradients)
    np.testing.assert_allclose(run(by_hand, np.ones(5), gradients), expected, rtol=1e-12)
    assert not np.allclose(run(RMSprop(0.1, rho=rho, epsilon=eps), np.ones(5), gradients), expected)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_adamw_is_adam_with_the_hook_weight_decay_to_the_bit(dtype):
    ours, hooked = AdamW(0.1, weight_decay=0.3), Adam(0.1)
    hooked.hooks.append(WeightDecay(0.3))
    gradients = gradients_of(30, 5).astype(dtype)
    assert_equal(run(ours, np.ones(5, dtype), gradients), run(hooked, np.ones(5, dtype), gradients))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_variance_that_rounding_makes_negative_is_zero(dtype, rho):
    """After many equal gradients s − m² is a rounding error of either sign."""
    parameter, optimizer = Parameter(np.zeros(50, dtype)), CenteredRMSprop(1e-9, rho=rho, epsilon=1e-8, epsilon_root=0)
    parameter.grad = np.random.default_rng(0).standard_normal(50) + 3
    negative = False
    for _ in range(400):
        optimizer.step([parameter])
        s, m, _ = optimizer.state[parameter].values()
        negative |= bool((s - m * m < 0).any())
        assert np.isfinite(parameter.data).all()
    assert negative or rho == 0


def test_lambs_ratio_is_one_where_a_norm_is_zero():
    gradient = np.array([3.0, -4.0])
    from_zero = run(LAMB(0.1, weight_decay=0.0), np.zeros(2), [gradient])[0]
    np.testing.assert_allclose(from_zero, run(Adam(0.1, epsilon=1e-6), np.zeros(2), [gradient])[0], rtol=1e-12)
    assert_equal(run(LAMB(0.1, weight_decay=0.0), np.ones(2), [0 * gradient])[0], np.ones(2))


def test_lamb_moves_every_parameter_by_the_rate_times_its_length():
    parameters = [Parameter(np.full(shape, 2.0)) for shape in [(3, 4), (5,), ()]]
    before = [p.data.copy() for p in parameters]
    for parameter, scale in zip(parameters, [1e-3, 1.0, 1e3], strict=True):
        parameter.grad = scale * np.random.default_rng(0).standard_normal(parameter.shape)
    LAMB(0.01).step(parameters)
    for parameter, start in zip(parameters, before, strict=True):
        moved = np.linalg.norm(parameter.data - start) / np.linalg.norm(start)
        assert moved == pytest.approx(0.01, rel=1e-12)


def test_keras_adam_is_ours_with_epsilon_as_a_schedule():
    def keras_adam(w, gradients):
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            w -= 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(v) + 1e-3)
        return w

    gradients = gradients_of(30, 5)
    ours = Adam(0.01, epsilon=lambda step: 1e-3 / (1 - 0.999 ** (step + 1)) ** 0.5)
    expected = [keras_adam(1.0, [float(g) for g in gradients[:, i]]) for i in range(5)]
    np.testing.assert_allclose(run(ours, np.ones(5), gradients)[-1], expected, rtol=1e-11)


# The course notebook's one-step cases ----------------------------------------------------------------------

SHAPES = {"W1": (2, 3), "b1": (2, 1), "W2": (3, 3), "b2": (3, 1)}
DESCENT = """
    1.63535156 -0.62320365 -0.53718766  -1.07799357  0.85639907 -2.29470142
    1.74604067  -0.75184921
    0.32171798 -0.25467393  1.46902454  -2.05617317 -0.31554548 -0.3756023   1.1404819 -1.09976462 -0.1612551
    -0.88020257  0.02561572  0.57539477"""
AVERAGED = """
    1.62544598 -0.61290114 -0.52907334  -1.07347112  0.86450677 -2.30085497
    1.74493465  -0.76027113
    0.31930698 -0.24990073  1.4627996   -2.05974396 -0.32173003 -0.38320915  1.13444069 -1.0998786  -0.1713109
    -0.87809283  0.04055394  0.58207317"""
AVERAGED_V = """
    -0.11006192  0.11447237  0.09015907  0.05024943  0.09008559 -0.06837279
    -0.01228902  -0.09357694
    -0.02678881  0.05303555 -0.06916608  -0.03967535 -0.06871727 -0.08452056  -0.06712461 -0.00126646 -0.11173103
    0.02344157  0.16598022  0.07420442"""
ADAM = """
    1.63178673 -0.61919778 -0.53561312  -1.08040999  0.85796626 -2.29409733
    1.75225313  -0.75376553
    0.32648046 -0.25681174  1.46954931  -2.05269934 -0.31497584 -0.37661299  1.14121081 -1.09244991 -0.16498684
    -0.88529979  0.03477238  0.57537385"""
ADAM_S = """
    0.00121136  0.00131039  0.00081287  0.0002525   0.00081154  0.00046748
    1.51020075e-05  8.75664434e-04
    7.17640232e-05  2.81276921e-04  4.78394595e-04  1.57413361e-04  4.72206320e-04  7.14372576e-04
    4.50571368e-04  1.60392066e-07  1.24838242e-03
    5.49507194e-05  2.75494327e-03  5.50629536e-04"""
ADAM_EXPECTED = ADAM.replace("-1.09244991", "-1.09245036").replace("-0.88529979", "-0.88529978")
OUTSIDE, INSIDE = {"epsilon": 1e-8}, {"epsilon": 0.0, "epsilon_root": 1e-8}


def notebook():
    """The notebook's parameters, with their gradients."""
    rng = np.random.RandomState(1)
    parameters = [Parameter(rng.randn(*shape), name) for name, shape in SHAPES.items()]
    for parameter in parameters:
        parameter.grad = rng.randn(*parameter.shape)
    return parameters


def assert_printed(arrays, printed, atol=5e-9):
    found, expected = np.concatenate([array.ravel() for array in arrays]), np.array(printed.split(), float)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def assert_printed_slot(optimizer, parameters, slot, printed):
    arrays = [optimizer.state[parameter][slot] for parameter in parameters]
    assert_printed(arrays, printed)
    if slot == "v" and isinstance(optimizer, Adam):  # some of s are printed to nine digits behind the first
        np.testing.assert_allclose(arrays[3].ravel(), np.array(printed.split()[-3:], float), rtol=1e-8)


@pytest.mark.parametrize(
    ("optimizer", "printed"),
    [(SGD(0.01), DESCENT), (Momentum(0.01, momentum=0.9, dampening=0.9), AVERAGED)],
    ids=["gradient descent", "averaged momentum"],
)
def test_the_notebooks_descent_and_momentum(optimizer, printed):
    parameters = notebook()
    optimizer.step(parameters)
    assert_printed([parameter.data for parameter in parameters], printed)
    if optimizer.slots:
        assert_printed_slot(optimizer, parameters, "v", AVERAGED_V)


@pytest.mark.parametrize("engine", [False, True], ids=["update", "engine"])
@pytest.mark.parametrize(("epsilons", "printed"), [(OUTSIDE, ADAM), (INSIDE, ADAM_EXPECTED)], ids=["outside", "inside"])
def test_the_notebooks_adam(epsilons, printed, engine):
    """The notebook has two answers at t = 2 from zero slots, and both are right, each for its ε.

    W2[2][1] is printed as -1.09244991 and b2[0] as -0.88529979: ε outside the root. Its table of expected output
    has -1.09245036 and -0.88529978: ε inside.
    """
    parameters = notebook()
    hyper = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "epsilon_root": 0.0, **epsilons}
    if engine:
        optimizer = Adam(**hyper)
        optimizer.build(parameters)
        state = optimizer.state_dict()
        for saved in state["parameters"].values():
            saved["t"] = 1
        optimizer.load_state_dict(state)
        optimizer.step(parameters)
        assert_printed_slot(optimizer, parameters, "m", AVERAGED_V)
        assert_printed_slot(optimizer, parameters, "v", ADAM_S)
        moved = [parameter.data for parameter in parameters]
    else:
        steps = [Adam.update(p.data, p.grad, 0 * p.data, 0 * p.data, t=2, **hyper) for p in parameters]
        moved = [step[0] for step in steps]
    assert_printed(moved, printed)
    other = ADAM if printed is ADAM_EXPECTED else ADAM_EXPECTED
    with pytest.raises(AssertionError):
        assert_printed(moved, other)


# Any layout, the same bits ---------------------------------------------------------------------------------


def laid_out(values, layout):
    """Return an array equal to `values` that lies in memory as `layout` says."""
    if layout == "Fortran":
        return np.array(values, order="F")
    if layout == "strided":
        base = np.full([2 * n + 1 for n in values.shape], np.nan)
        view = base[(..., *[slice(1, None, 2)] * values.ndim)]
    elif layout == "reversed":
        view = np.empty(values.shape)[(..., *[slice(None, None, -1)] * values.ndim)]
    else:
        view = np.empty(values.shape)
    view[...] = values
    return view


def check_layout(rule, layouts, flat, seed, steps=3):
    """Step a vector, and the same entries shuffled, split and laid out by `layouts`: (shape, layout) pairs."""
    rng = np.random.default_rng(seed)
    sizes = [math.prod(shape) for shape, _ in layouts]
    total = sum(sizes)
    order, cuts = rng.permutation(total), np.cumsum(sizes)[:-1]

    def pieces(vector):
        parts = np.split(vector[order], cuts)
        return [part.reshape(shape) for part, (shape, _) in zip(parts, layouts, strict=True)]

    values = rng.standard_normal(total)
    whole = Parameter(values.copy(), "whole")
    parts = [
        Parameter(laid_out(piece, layout), f"part{i}")
        for i, (piece, (_, layout)) in enumerate(zip(pieces(values), layouts, strict=True))
    ]
    if flat:
        flatten(parts)
    shuffled = [parts[i] for i in rng.permutation(len(parts))] if flat != "in order" else parts
    one, other = rule(learning_rate=0.1), rule(learning_rate=0.1)
    moving = moved = False
    for _ in range(steps):
        before = whole.data.copy()
        gradient = rng.standard_normal(total) * (rng.random(total) < 0.8)
        moving = moving or bool(gradient.any())
        whole.grad = gradient
        for part, piece in zip(parts, pieces(gradient), strict=True):
            part.grad = piece
        one.step([whole])
        other.step(shuffled)
        moved = moved or not np.array_equal(whole.data, before)
    for part, piece in zip(parts, pieces(whole.data), strict=True):
        assert_equal(part.data, piece)
    for slot in rule.slots:
        for part, piece in zip(parts, pieces(one.state[whole][slot]), strict=True):
            assert_equal(other.state[part][slot], piece)
    assert moved or not moving


layouts = st.tuples(
    st.lists(st.integers(0, 4), max_size=3).map(tuple), st.sampled_from(["C", "Fortran", "strided", "reversed"])
)


@each_elementwise_rule
@settings(max_examples=40, deadline=None)
@given(st.lists(layouts, min_size=1, max_size=5), st.sampled_from([False, True, "in order"]), st.integers(0, 2**32 - 1))
def test_any_split_order_and_layout_gives_the_same_bits(rule, layouts, flat, seed):
    check_layout(rule, layouts, flat, seed)


@each_elementwise_rule
@pytest.mark.parametrize("flat", [False, True, "in order"])
def test_beyond_one_piece_the_bits_are_the_same(rule, flat):
    shapes = [(), (32_767,), (0,), (3, 5), (32_769,), (17, 2024), (1, 0, 2), (44,)]
    assert sum(math.prod(shape) for shape in shapes) == 100_004
    check_layout(
        rule, list(zip(shapes, ["C", "reversed", "strided", "Fortran"] * 2, strict=True)), flat, seed=0, steps=2
    )


@each_elementwise_rule
@pytest.mark.parametrize("shape", [(), (0,), (1, 0, 2), (1,), (7,), (31,), (10_007,), (100_003,)], ids=str)
def test_flat_storage_gives_the_bits_of_a_standalone_parameter(rule, shape):
    check_layout(rule, [(shape, "C")], True, seed=1)


@each_rule
def test_its_name_in_lower_case_stands_for_it_with_its_defaults(rule):
    found = registry.get(rule.__name__.lower())
    assert isinstance(found, Optimizer)
    assert (type(found), found.get_config()) == (rule, rule().get_config())


DEFAULTS = [
    "SGD(learning_rate=0.01)",
    "Momentum(learning_rate=0.01, momentum=0.9, dampening=0.0, learning_rate_inside=False)",
    "Nesterov(learning_rate=0.01, momentum=0.9, learning_rate_inside=False)",
    "Lion(learning_rate=0.0001, beta_1=0.9, beta_2=0.99, weight_decay=0.0)",
    "AdaGrad(learning_rate=0.01, initial_accumulator=0.0, epsilon=1e-08, epsilon_root=0.0)",
    "RMSprop(learning_rate=0.001, rho=0.9, epsilon=1e-08, epsilon_root=0.0)",
    "RMSpropMomentum(learning_rate=0.001, rho=0.9, momentum=0.9, epsilon=1e-08, epsilon_root=0.0)",
    "CenteredRMSprop(learning_rate=0.0001, rho=0.95, momentum=0.9, epsilon=0.0, epsilon_root=0.0001)",
    "AdaDelta(learning_rate=1.0, rho=0.95, epsilon=1e-06)",
    "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, epsilon_root=0.0)",
    "AdamW(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, epsilon_root=0.0, weight_decay=0.01)",
    "AMSGrad(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, epsilon_root=0.0, bias_correction=False)",
    "Nadam(learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=1e-08, epsilon_root=0.0, momentum_decay=0.004)",
    "Adamax(learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=1e-08, epsilon_max=0.0)",
    "LAMB(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-06, epsilon_root=0.0, weight_decay=0.01)",
]


def test_defaults_are_the_papers():
    assert [repr(rule()) for rule in RULES] == [
        next(text for text in DEFAULTS if text.startswith(f"{rule.__name__}(")) for rule in RULES
    ]
    assert len(DEFAULTS) == len(RULES)


@pytest.mark.parametrize("rule", [Adam, optimizers.AdamW, optimizers.AMSGrad])
def test_the_bound_of_adams_steps_is_the_least(rule):
    """By the Cauchy-Schwarz inequality (1 − β₁) / √((1 − β₂) (1 − β₁² / β₂)), reached by gradients that grow."""
    (law,) = [law for law in rule.laws if isinstance(law, BoundedStep)]
    bound = 0.1 / math.sqrt(0.001 * (1 - 0.81 / 0.999))
    assert bound < law.size < bound + 0.02
    parameter, optimizer = Parameter(np.zeros(1)), rule(learning_rate=1.0, beta_1=0.9, beta_2=0.999, epsilon=1e-150)
    longest = 0.0
    for i in range(8000):
        before, parameter.grad = parameter.data.copy(), [(0.999 / 0.9) ** (i - 7999)]
        optimizer.step([parameter])
        longest = max(longest, float(np.abs(parameter.data - before)[0]))
        parameter.data = [0.0]
    assert bound - 0.02 < longest < bound + 0.02
