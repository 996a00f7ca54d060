"""`check_loss`: ours pass, and planted faults are caught."""

import numpy as np
import pytest
from subjects import exported
from test_check_layer import planted

from minidl import losses, testing
from minidl.testing import losses as suite
from minidl.testing.checking import Check

RNG = np.random.default_rng(0)
REAL = (RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3)))
CLASSES = RNG.dirichlet(np.ones(3), 5)
YES = RNG.integers(0, 2, (5, 2)).astype(float)
P = RNG.uniform(0.05, 0.95, (5, 2))

# Targets and predictions for each class of losses.
DATA = {
    "BinaryCrossentropy": (YES, P),
    "CategoricalCrossentropy": (np.eye(3)[[0, 1, 2, 1, 0]], CLASSES),
    "SparseCategoricalCrossentropy": (np.array([0, 1, 2, 1, 0]), CLASSES),
    "KLDivergence": (RNG.dirichlet(np.ones(3), 5), CLASSES),
    "Poisson": (RNG.integers(0, 5, (5, 2)).astype(float), RNG.uniform(0.1, 3, (5, 2))),
    "Hinge": (2 * YES - 1, RNG.normal(size=(5, 2))),
    "SquaredHinge": (2 * YES - 1, RNG.normal(size=(5, 2))),
}
LOGITS = {name: (y, np.log(p)) for name, (y, p) in DATA.items() if "Crossentropy" in name}
CASES = {
    **{name: (getattr(losses, name)(), *DATA.get(name, REAL)) for name in sorted(exported(losses, losses.Loss))},
    **{f"{name} from logits": (getattr(losses, name)(from_logits=True), *LOGITS[name]) for name in LOGITS},
}
each_case = pytest.mark.parametrize("case", CASES)


@each_case
def test_our_losses_pass(case):
    assert len(testing.check_loss(*CASES[case], examples=5).results) == 11


@pytest.mark.slow
@each_case
def test_our_losses_pass_with_a_hundred_examples_a_property(case):
    testing.check_loss(*CASES[case], examples=100)


# What is planted where: the loss, method, the right source, the wrong one, the check that must catch it.
FAULTS = [
    ("MeanSquaredError", "per_sample_gradient", "2 / _entries", "1 / _entries", "gradient"),
    ("MeanSquaredError", "per_sample_gradient", "(y_pred - y_true)", "(y_true - y_pred)", "gradient"),
    ("MeanAbsoluteError", "per_sample_gradient", " / _entries(y_pred)", "", "gradient"),
    ("MeanSquaredError", "unchecked", "slopes /= total", "pass", "gradient"),
    ("MeanSquaredError", "unchecked", "slopes *= (weight / total)", "slopes *= weight", "gradient"),
    ("MeanSquaredError", "unchecked", "losses * weight", "losses", "weighted_mean"),
    ("MeanSquaredError", "per_sample", "np.square(y_pred - y_true)", "np.abs(y_pred - y_true)", "gradient"),
    ("MeanSquaredError", "unchecked", "value = float(", "value = np.float64(", "computes"),
    ("MeanSquaredError", "total_weight", "float(weight.sum())", "float(n)", "weight_of_two"),
    ("MeanSquaredError", "unchecked", "np.zeros_like(y_pred)", "np.ones_like(y_pred)", "weights_of_zero"),
    ("MeanSquaredError", "per_sample_gradient", "(y_pred - y_true)", "(y_pred - y_true)[::-1]", "order"),
    ("BinaryCrossentropy", "per_sample", "softplus(y_pred) - y * y_pred", "softplus(-y_pred) - y * y_pred", "logits"),
    ("BinaryCrossentropy", "per_sample", "functions.softplus(y_pred)", "np.log1p(np.exp(y_pred))", "extreme_logits"),
]


@pytest.mark.parametrize(("case", "method", "right", "wrong", "check"), FAULTS)
def test_a_planted_fault_is_caught(case, method, right, wrong, check):
    loss, y_true, y_pred = CASES[case]
    faulty = planted(type(loss), method, right, wrong)
    report = testing.check_loss(faulty, y_true, y_pred, raises=False)
    assert check in {r.check for r in report.failures}


class Broadcasts(losses.MeanSquaredError):
    """Takes targets of any shape."""

    def check(self, y_true, y_pred):
        pass


class BroadcastsOneAxis(Broadcasts):
    """The classic mistake: (n,) against (n, 1)."""

    def per_sample(self, y_true, y_pred):
        return ((y_pred - y_true) ** 2).mean(axis=1)

    def per_sample_gradient(self, y_true, y_pred):
        return 2 * (y_pred - y_true) / y_pred.shape[1]


class Writes(losses.MeanSquaredError):
    """Returns its predictions' own memory as the gradient."""

    def per_sample_gradient(self, y_true, y_pred):
        y_pred -= y_true
        y_pred *= 2 / 3
        return y_pred


class Forgets(losses.Huber):
    """Describes itself without its argument."""

    def get_config(self):
        return {}


KINDS = [
    (Broadcasts, "shapes_refused"),
    (BroadcastsOneAxis, "shapes_refused"),
    (Writes, "arguments_untouched"),
    (Forgets(0.1), "config_round_trip"),
]


@pytest.mark.parametrize(("loss", "check"), KINDS)
def test_each_kind_of_fault_has_its_check(loss, check):
    report = testing.check_loss(loss, *REAL, raises=False)
    assert check in {r.check for r in report.failures}
    with pytest.raises(testing.CheckFailedError, match=check):
        testing.check_loss(loss, *REAL)


def test_every_check_has_a_fault_that_it_must_catch():
    assert {row[-1] for row in [*FAULTS, *KINDS]} == {Check.of(check).name for check in suite._CHECKS}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("mse", *REAL), TypeError, "check_loss: must be given a loss or a class of losses. Received: 'mse'"),
        ((losses.MeanSquaredError, [1.0], [1.0]), ValueError, r"at least two. Received: shapes \(1,\) and \(1,\)"),
        ((losses.MeanSquaredError, 1.0, 1.0), ValueError, r"at least two. Received: shapes \(\) and \(\)"),
        ((losses.MeanSquaredError, ["a", "b"], [1, 2]), ValueError, "check_loss: y_true must be numbers"),
    ],
)
def test_mistakes_are_named(arguments, error, says):
    with pytest.raises(error, match=says):
        testing.check_loss(*arguments)
