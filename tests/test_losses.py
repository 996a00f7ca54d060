"""Losses: values by formula, gradients by central differences, the fused path, and every refusal."""

import math
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import central_difference, relative_error
from subjects import exported

from minidl import Sequential, Trainer, functions, layers, losses
from minidl.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)

LOSSES = {
    "MeanSquaredError": MeanSquaredError(),
    "MeanAbsoluteError": MeanAbsoluteError(),
    "Huber": Huber(),
    "Huber 0.3": Huber(delta=0.3),
    "LogCosh": LogCosh(),
    "Poisson": Poisson(),
    "Hinge": Hinge(),
    "SquaredHinge": SquaredHinge(),
    "CosineSimilarity": CosineSimilarity(),
    "KLDivergence": KLDivergence(),
}
for _cls in (BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy):
    LOSSES[_cls.__name__] = _cls()
    LOSSES[f"{_cls.__name__} smoothed"] = _cls(label_smoothing=0.3)
    LOSSES[f"{_cls.__name__} logits"] = _cls(from_logits=True)
    LOSSES[f"{_cls.__name__} smoothed logits"] = _cls(from_logits=True, label_smoothing=0.3)
CROSSENTROPIES = [name for name in LOSSES if "Crossentropy" in name]
LINKED = [name for name, loss in LOSSES.items() if loss.link_name and not loss.from_logits]
DENSE = [name for name in LOSSES if not name.startswith("Sparse")]
each_loss = pytest.mark.parametrize("name", LOSSES)

# One entry's loss from its target and its prediction, where a sample's loss is the mean of these.
ENTRY = {
    "MeanSquaredError": lambda y, p: (p - y) ** 2,
    "MeanAbsoluteError": lambda y, p: abs(p - y),
    "Huber": lambda y, p: (p - y) ** 2 / 2 if abs(p - y) <= 1 else abs(p - y) - 1 / 2,
    "Huber 0.3": lambda y, p: (p - y) ** 2 / 2 if abs(p - y) <= 0.3 else 0.3 * abs(p - y) - 0.3**2 / 2,
    "LogCosh": lambda y, p: math.log(math.cosh(p - y)),
    "Poisson": lambda y, p: p - y * math.log(p),
    "Hinge": lambda y, p: max(1 - y * p, 0),
    "SquaredHinge": lambda y, p: max(1 - y * p, 0) ** 2,
    "BinaryCrossentropy": lambda y, p: -(y * math.log(p) + (1 - y) * math.log(1 - p)),
}


def softmax(row):
    return [math.exp(v - max(row)) / math.fsum(math.exp(u - max(row)) for u in row) for v in row]


def make(name, shape, seed=0, dtype="float64"):
    """Return targets and predictions that fit the loss, away from its kinks; its classes are the last axis."""
    rng = np.random.default_rng(seed)
    y_pred = rng.normal(size=shape)
    if name.startswith("Poisson"):
        y_pred = np.exp(y_pred)
    if LOSSES[name.split()[0]].link_name and not name.endswith("logits"):
        if name.startswith("Binary"):
            y_pred = rng.uniform(0.05, 0.95, shape)
        else:
            y_pred = np.exp(y_pred) / np.exp(y_pred).sum(axis=-1, keepdims=True)
    if name.startswith("Binary"):
        y_true = rng.uniform(size=shape)
    elif name.startswith(("Categorical", "KLDivergence")):
        y_true = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    elif name.startswith("Sparse"):
        y_true = rng.integers(shape[-1], size=shape[:-1])
    elif name.startswith("Poisson"):
        y_true = rng.poisson(2.0, shape).astype(float)
    elif "Hinge" in name:
        y_true = rng.choice([-1.0, 1.0], shape)
        y_pred = y_true * (1 + rng.choice([-1, 1], shape) * rng.uniform(0.1, 2, shape))
    elif name.startswith("Cosine"):
        y_true = rng.normal(size=shape)
    else:
        y_true = y_pred + rng.choice([-1, 1], shape) * rng.uniform(0.1, 2, shape)
    return y_true, y_pred.astype(dtype)


def formula(name, y_true, y_pred):
    """Return one sample's loss, by Python's math."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    logits, smoothing = name.endswith("logits"), 0.3 if "smoothed" in name else 0
    entry = ENTRY.get(name, ENTRY.get(name.split()[0]))
    if entry:
        terms = []
        for y, p in zip(y_true.ravel().tolist(), y_pred.ravel().tolist(), strict=True):
            terms.append(entry(y * (1 - smoothing) + smoothing / 2, 1 / (1 + math.exp(-p)) if logits else p))
        return math.fsum(terms) / len(terms)
    classes = y_pred.shape[-1]
    rows = np.eye(classes)[y_true] if name.startswith("Sparse") else y_true
    terms = []
    for y, p in zip(rows.reshape(-1, classes).tolist(), y_pred.reshape(-1, classes).tolist(), strict=True):
        if name.startswith("Cosine"):
            terms.append(-math.fsum(a * b for a, b in zip(y, p, strict=True)) / math.hypot(*y) / math.hypot(*p))
            continue
        p = softmax(p) if logits else p
        y = [v * (1 - smoothing) + smoothing / classes for v in y]
        terms.append(-math.fsum(v * math.log(q) for v, q in zip(y, p, strict=True)))
        if name.startswith("KLDivergence"):
            terms[-1] += math.fsum(v * math.log(v) for v in y)
    return math.fsum(terms) / len(terms)


def test_every_exported_loss_has_a_case():
    assert exported(losses, losses.Loss) == {name.split()[0] for name in LOSSES}


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", MeanSquaredError),
        ("mean_squared_error", MeanSquaredError),
        ("mae", MeanAbsoluteError),
        ("mean_absolute_error", MeanAbsoluteError),
        ("bce", BinaryCrossentropy),
        ("binary_crossentropy", BinaryCrossentropy),
        ("categorical_crossentropy", CategoricalCrossentropy),
        ("sparse_categorical_crossentropy", SparseCategoricalCrossentropy),
        ("huber", Huber),
        ("log_cosh", LogCosh),
        ("poisson", Poisson),
        ("hinge", Hinge),
        ("squared_hinge", SquaredHinge),
        ("cosine_similarity", CosineSimilarity),
        ("kl_divergence", KLDivergence),
        ("kld", KLDivergence),
    ],
)
def test_known_by_name(name, cls):
    assert type(losses.registry.get(name)) is cls
    assert losses.registry.get(name).from_logits is False


@each_loss
@pytest.mark.parametrize("shape", [(1, 2), (4, 1), (5, 3), (2, 3, 4), (2, 2, 3, 2)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient(name, shape, weighted):
    loss = LOSSES[name]
    y_true, y_pred = make(name, shape)
    weight = np.random.default_rng(1).uniform(0.5, 3, shape[0]) if weighted else None
    w = [1.0] * shape[0] if weight is None else weight.tolist()
    expected = math.fsum(w[i] * formula(name, y_true[i], y_pred[i]) for i in range(shape[0])) / math.fsum(w)
    kept = y_true.copy(), y_pred.copy()
    value = loss(y_true, y_pred, weight)
    assert type(value) is float
    assert value == pytest.approx(expected, rel=1e-13, abs=1e-15)
    gradient = loss.gradient(y_true, y_pred, weight)
    both = loss.value_and_gradient(y_true, y_pred, weight)
    assert both[0] == value
    np.testing.assert_array_equal(both[1], gradient)
    np.testing.assert_array_equal(y_true, kept[0])
    np.testing.assert_array_equal(y_pred, kept[1])
    if name.startswith(("Categorical", "KLDivergence")) and not loss.from_logits and shape[-1] == 1:
        np.testing.assert_allclose(gradient, -(np.array(w) / sum(w))[:, None] / y_pred)  # p = 1 is an end of the range
        return
    numeric = central_difference(lambda: loss(y_true, y_pred, weight), y_pred, h=1e-6)
    if numeric.any():
        assert relative_error(gradient, numeric) < 1e-6
    else:  # one class from logits, or the angle between numbers
        assert not gradient.any()


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.axes == 1])
def test_predictions_of_one_axis_are_one_number_a_sample(name):
    y_true, y_pred = make(name, (5,))
    assert LOSSES[name](y_true, y_pred) == pytest.approx(LOSSES[name](y_true[:, None], y_pred[:, None]), rel=1e-15)
    expected = LOSSES[name].gradient(y_true[:, None], y_pred[:, None])[:, 0]
    np.testing.assert_allclose(LOSSES[name].gradient(y_true, y_pred), expected, rtol=1e-15)


@each_loss
@given(weight=st.lists(st.integers(0, 4), min_size=1, max_size=6).filter(any), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_weight_is_the_sample_that_often(name, weight, seed):
    loss = LOSSES[name]
    y_true, y_pred = make(name, (len(weight), 3), seed)
    often = np.repeat(np.arange(len(weight)), weight)
    assert loss(y_true, y_pred, weight) == pytest.approx(loss(y_true[often], y_pred[often]), rel=1e-12)
    each = np.zeros_like(y_pred)
    np.add.at(each, often, loss.gradient(y_true[often], y_pred[often]))
    np.testing.assert_allclose(loss.gradient(y_true, y_pred, weight), each, rtol=1e-12, atol=1e-300)


@each_loss
@pytest.mark.parametrize(("batch", "weight"), [(3, [0, 0, 0]), (0, None), (0, [])], ids=str)
def test_without_any_weight_loss_and_gradient_are_0(name, batch, weight):
    y_true, y_pred = make(name, (batch, 3), dtype="float32")
    assert LOSSES[name](y_true, y_pred, weight) == 0.0
    gradient = LOSSES[name].gradient(y_true, y_pred, weight)
    assert (gradient.shape, gradient.dtype) == ((batch, 3), np.float32)
    assert not gradient.any()


@each_loss
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_gradient_has_the_predictions_dtype_whatever_the_targets_and_weights(name, dtype):
    loss = LOSSES[name]
    y_true, y_pred = make(name, (4, 3), dtype=dtype)
    y_true = y_true.astype("float32").astype(y_true.dtype)  # so that both kinds below hold the same numbers
    weight = np.array([0.5, 1, 2, 1])
    expected = loss.gradient(y_true, y_pred.astype(float), weight)
    kinds = ("int8", "int64", "uint8", "uint64") if name.startswith("Sparse") else ("float32", "float64")
    for kind in kinds:
        for w in (None, weight, weight.astype("float32")):
            assert loss.gradient(y_true.astype(kind), y_pred, w).dtype == dtype
        gradient = loss.gradient(y_true.astype(kind), y_pred, weight)
        np.testing.assert_allclose(gradient, expected, rtol=20 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@each_loss
def test_whole_number_predictions_and_lists_are_taken(name):
    y_true = [0, 1] if name.startswith("Sparse") else [[1, 0], [0, 1]]
    y_pred = [[0.75, 0.25], [0.5, 0.5]] if LOSSES[name].link_name else [[2, 1], [1, 3]]
    assert LOSSES[name](y_true, y_pred) == LOSSES[name](np.array(y_true), np.array(y_pred, float)) != 0
    assert LOSSES[name].gradient(y_true, y_pred).dtype == np.float64


@pytest.mark.parametrize("kind", [bool, "uint8", "int64", "float16", "float32"])
@pytest.mark.parametrize("name", DENSE)
def test_targets_of_any_kind_of_number_give_the_same(name, kind):
    y, p = np.array([[0, 1, 0], [1, 0, 0]]), np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]])
    loss = LOSSES[name]
    assert loss(y.astype(kind), p) == pytest.approx(loss(y.astype(float), p), rel=1e-15)
    np.testing.assert_allclose(loss.gradient(y.astype(kind), p), loss.gradient(y.astype(float), p), rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", [name for name in LINKED if "smoothed" not in name])
def test_probabilities_of_exactly_0_and_1_stay_finite(name, dtype):
    y_pred = np.array([[0, 1], [1, 0], [0.5, 0.5], [0, 1]], dtype)
    y_true = np.array([0, 0, 1, 1])
    if not name.startswith("Sparse"):
        y_true = np.eye(2)[y_true]
    for weight in (None, [1, 2, 3, 4]):
        value, gradient = LOSSES[name].value_and_gradient(y_true, y_pred, weight)
        assert math.isfinite(value)
        assert np.isfinite(gradient).all()
    w = np.array([1, 2, 3, 4]) / 10
    worst = -math.log(np.finfo(dtype).tiny)
    assert value == pytest.approx(w[0] * worst + w[2] * math.log(2), rel=1e-3)
    assert gradient[0, 0] < -100  # the wrong one is still pushed, hard
    assert LOSSES[name](y_true[[1, 3]], y_pred[[1, 3]]) == 0


def test_losses_of_extreme_logits_are_exact_in_single_precision():
    z = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    expected = [[0.0, 0.0], [-0.5, 0.5]]
    for loss, y in (
        (CategoricalCrossentropy(True), [[1, 0], [1, 0]]),
        (SparseCategoricalCrossentropy(True), [0, 0]),
        (KLDivergence().on_logits(), [[1, 0], [1, 0]]),
    ):
        for dtype in ("float32", "float16"):
            assert loss(y, z.astype(dtype)) == 10_000.0
            assert loss.gradient(y, z.astype(dtype)).tolist() == expected
    loss = BinaryCrossentropy(from_logits=True)
    assert loss([[1, 0], [1, 1]], z) == 2500.0
    assert loss.gradient([[1, 0], [1, 1]], z).tolist() == [[0, 0], [-0.25, 0]]


@pytest.mark.parametrize("y", [[[1, 0]], [0]], ids=["dense", "sparse"])
def test_half_precision_logits_further_apart_than_its_range_are_taken(y):
    loss = CategoricalCrossentropy if isinstance(y[0], list) else SparseCategoricalCrossentropy
    z = np.array([[4e4, -4e4]], np.float16)
    assert loss(from_logits=True)(y, z) == 0
    assert loss(from_logits=True, label_smoothing=0.5)(y, z) == pytest.approx(2e4, rel=1e-6)
    np.testing.assert_allclose(loss(from_logits=True, label_smoothing=0.5).gradient(y, z), [[0.25, -0.25]])


TINY = float(np.finfo(np.float32).tiny)
BIG = [1e4, -1e4]
EXTREMES = [  # loss, targets, predictions, value, gradient: of one sample, by hand
    (MeanSquaredError(), [0, 0], BIG, 1e8, BIG),
    (MeanAbsoluteError(), [0, 0], BIG, 1e4, [0.5, -0.5]),
    (Huber(), [0, 0], BIG, 9999.5, [0.5, -0.5]),
    (Huber(2.0), [0, 0], [1e30, -1e30], 2e30, [1, -1]),
    (LogCosh(), [0, 0], BIG, 1e4 - math.log(2), [0.5, -0.5]),
    (LogCosh(), [0, 0], [1e30, -1e-10], 5e29, [0.5, -0.5e-10]),
    (LogCosh(), [0, 0], [1e-4, -1e-4], 0.5e-8, [0.5e-4, -0.5e-4]),
    (Hinge(), [1, -1], BIG, 0, [0, 0]),
    (Hinge(), [-1, 1], BIG, 10_001, [0.5, -0.5]),
    (SquaredHinge(), [0, 1], BIG, 10_001**2, [10_001, -10_001]),
    (Poisson(), [0, 3], [1e4, 1e4], 1e4 - 1.5 * math.log(1e4), [0.5, 0.49985]),
    (Poisson(), [0, 0], [0, 0], 0, [0.5, 0.5]),
    (Poisson(), [1, 0], [0, 0], -math.log(TINY) / 2, [-0.5 / TINY, 0.5]),
    (Poisson(), [1e4, 0], [1, 0], 0.5, [(1 - 1e4) / 2, 0.5]),
    (CosineSimilarity(), [1, 1], BIG, 0, [-0.5e-4, -0.5e-4]),
    (CosineSimilarity(), [1e30, 0], [1e30, 1e30], -math.sqrt(0.5), [-(2**-1.5) * 1e-30, 2**-1.5 * 1e-30]),
    (CosineSimilarity(), [1e-30, 0], [0, 1e-30], 0, [-1e30, 0]),
    (CosineSimilarity(), [1, 1], [0, 0], 0, [0, 0]),
    (CosineSimilarity(), [0, 0], [1, 1], 0, [0, 0]),
    (KLDivergence(), [0, 1], [0, 1], 0, [0, -1]),
    (KLDivergence(), [1, 0], [0, 1], -math.log(np.finfo("float32").tiny), [-(2.0**126), 0]),
    (BinaryCrossentropy(True, 0.2), [1, 0], BIG, 1e3, [0.05, -0.05]),
    (BinaryCrossentropy(False, 1), [1, 0], [0, 1], -math.log(np.finfo("float32").tiny) / 2, [-(2.0**124), 2.0**124]),
    (CategoricalCrossentropy(True, 0.2), [1, 0], BIG, 2e3, [0.1, -0.1]),
    (CategoricalCrossentropy(True, 0.2), [0, 1], BIG, 1.8e4, [0.9, -0.9]),
]


@pytest.mark.parametrize(
    ("dtype", "loss", "y_true", "y_pred", "value", "slopes"),
    [("float32", *case) for case in EXTREMES]
    # the least normal number of double precision is another
    + [("float64", *case) for case in EXTREMES if max(map(abs, case[-1])) < 1e35],
    ids=lambda v: str(v)[:60],
)
def test_extremes_are_right(dtype, loss, y_true, y_pred, value, slopes):
    y_pred = np.array([y_pred], dtype)
    for y in (np.array([y_true]), np.array([y_true], dtype)):
        got, gradient = loss.value_and_gradient(y, y_pred)
        assert got == pytest.approx(value, rel=3e-7, abs=1e-30)
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, [slopes], rtol=3e-6, atol=1e-37)


@pytest.mark.parametrize(
    ("name", "dtype"),
    # 10⁸, the loss of SquaredHinge, is out of the range of half precision
    [pair for pair in product(LOSSES, ["float16", "float32", "float64"]) if pair != ("SquaredHinge", "float16")],
)
def test_no_value_or_slope_of_any_extreme_predictions_is_infinite(name, dtype):
    loss = LOSSES[name]
    ends = [-1e4, -1, 0, 1, 1e4] if loss.link_name is None or loss.from_logits else [0, 1]
    if name == "Poisson":
        ends = [0, float(np.finfo(dtype).tiny) / 4, 1, 1e4]
    first, second = (part.ravel() for part in np.meshgrid(ends, ends))
    y_pred = np.stack([first, second], axis=1).astype(dtype)
    if LOSSES[name].link_name == "softmax" and not loss.from_logits:
        y_pred = y_pred[y_pred.sum(axis=1) == 1]
    for rows in ([1, 0], [0, 1], [1, 1]):
        if rows == [1, 1] and name.startswith(("Categorical", "KL", "Sparse")):
            continue
        y_true = np.tile(rows, (len(y_pred), 1))
        y_true = y_true.argmax(axis=1) if name.startswith("Sparse") else y_true
        value, gradient = loss.value_and_gradient(y_true, y_pred, np.arange(1, len(y_pred) + 1))
        assert gradient.dtype == dtype
        assert np.isfinite(gradient).all()
        assert math.isfinite(value)


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3)], ids=str)
@pytest.mark.parametrize("smoothing", [0, 0.1, 1])
def test_sparse_is_categorical_on_one_hot(logits, shape, smoothing):
    y, y_pred = make(f"SparseCategoricalCrossentropy{' logits' * logits}", shape)
    weight = np.arange(1.0, shape[0] + 1)
    sparse, dense = SparseCategoricalCrossentropy(logits, smoothing), CategoricalCrossentropy(logits, smoothing)
    one_hot = np.eye(3)[y]
    assert sparse(y, y_pred, weight) == pytest.approx(dense(one_hot, y_pred, weight), rel=1e-14)
    np.testing.assert_allclose(
        sparse.gradient(y, y_pred, weight), dense.gradient(one_hot, y_pred, weight), rtol=1e-14, atol=1e-16
    )


@pytest.mark.parametrize("name", LINKED)
def test_on_logits_is_a_copy_that_agrees_and_shows_metrics_probabilities(name):
    loss = LOSSES[name]
    on_logits = loss.on_logits()
    assert (loss.from_logits, on_logits.from_logits) == (False, True)
    assert type(on_logits) is type(loss)
    y_true, z = make(f"{name} logits", (4, 3))
    p = on_logits.predictions(z)
    assert loss.predictions(p) is p
    assert on_logits(y_true, z) == pytest.approx(loss(y_true, p), rel=1e-13)


# What they are elsewhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_those_of_scikit_learn(weighted):
    theirs = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    weight = rng.uniform(0.5, 2, 30) if weighted else None

    def both(name, their, shape=(30, 3), **options):
        y_true, y_pred = make(name, shape)
        ours = LOSSES[name](y_true, y_pred, weight)
        assert ours == pytest.approx(their(y_true, y_pred, sample_weight=weight, **options), rel=1e-12)

    both("MeanSquaredError", theirs.mean_squared_error)
    both("MeanAbsoluteError", theirs.mean_absolute_error)
    both("SparseCategoricalCrossentropy", theirs.log_loss, labels=[0, 1, 2])
    both("Hinge", theirs.hinge_loss, shape=(30,))
    y, mu = make("Poisson", (30,))
    saturated = np.average(y - y * np.log(np.maximum(y, 1)), weights=weight)
    deviance = theirs.mean_poisson_deviance(y, mu, sample_weight=weight)
    assert 2 * (Poisson()(y, mu, weight) - saturated) == pytest.approx(deviance, rel=1e-12)
    y, p = make("CosineSimilarity", (30, 3))
    cosines = theirs.pairwise.cosine_similarity(y, p).diagonal()
    assert CosineSimilarity()(y, p, weight) == pytest.approx(-np.average(cosines, weights=weight), rel=1e-12)


def test_values_are_those_of_scipy():
    special = pytest.importorskip("scipy.special")
    for delta in (0.3, 1.0, 4.0):
        y, p = make("Huber", (20, 3))
        assert Huber(delta)(y, p) == pytest.approx(special.huber(delta, p - y).mean(), rel=1e-12)
    y, p = make("KLDivergence", (20, 3))
    y[0] = [0, 0, 1]
    assert KLDivergence()(y, p) == pytest.approx(special.rel_entr(y, p).sum(axis=1).mean(), rel=1e-12)


def test_the_divergence_is_the_crossentropy_less_the_entropy_of_the_targets():
    y, p = make("KLDivergence", (2, 5, 4))
    entropy = CategoricalCrossentropy()(y, y)
    assert KLDivergence()(y, p) == pytest.approx(CategoricalCrossentropy()(y, p) - entropy, rel=1e-12)
    np.testing.assert_array_equal(KLDivergence().gradient(y, p), CategoricalCrossentropy().gradient(y, p))
    assert KLDivergence()(y, y) == 0


def test_huber_is_half_the_squared_error_or_nearly_a_multiple_of_the_absolute_one():
    y, p = make("Huber", (6, 3))
    assert Huber(1e9)(y, p) == pytest.approx(MeanSquaredError()(y, p) / 2, rel=1e-14)
    np.testing.assert_allclose(Huber(1e-9).gradient(y, p), 1e-9 * MeanAbsoluteError().gradient(y, p), rtol=1e-14)
    assert Huber(1e-9)(y, p) == pytest.approx(1e-9 * MeanAbsoluteError()(y, p), rel=1e-8)


@given(st.floats(1e-150, 1e150))
def test_log_cosh_is_exact_at_any_size(e):
    if e < 0.01:
        expected = e * e / 2 - e**4 / 12 + e**6 / 45
    else:
        expected = e - math.log(2) if e > 20 else math.log(math.cosh(e))
    assert LogCosh()([0.0], [e]) == pytest.approx(expected, rel=1e-11, abs=1e-323)


@given(st.floats(-15, 15))
def test_log_cosh_has_no_step_between_its_forms(e):
    below, above = LogCosh()([0.0, 0.0], [e, e]), LogCosh()([0.0, 0.0], [e + 1e-9, e + 1e-9])
    assert above - below == pytest.approx(1e-9 * math.tanh(e), abs=1e-14)


@pytest.mark.parametrize("cls", [Hinge, SquaredHinge])
@pytest.mark.parametrize("kind", [bool, "uint8", "int64", "float32"])
def test_hinge_takes_0_as_minus_1(cls, kind):
    y, p = np.array([[0, 1], [1, 1], [0, 0]]), np.array([[0.5, -0.5], [2, 3], [0.25, -4]])
    for rows in ([0, 1, 2], [1], [2]):  # so that no batch must hold both
        expected = cls().value_and_gradient(2.0 * y[rows] - 1, p[rows])
        value, gradient = cls().value_and_gradient(y[rows].astype(kind), p[rows])
        assert value == expected[0]
        np.testing.assert_array_equal(gradient, expected[1])


def test_at_the_kinks_slopes_are_0():
    assert MeanAbsoluteError().gradient([1.0], [1.0]) == 0
    assert Hinge().gradient([1.0, -1.0], [1.0, -1.0]).tolist() == [0, 0]
    assert SquaredHinge().gradient([1.0, -1.0], [1.0, -1.0]).tolist() == [0, 0]


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_cosine_along_an_axis_is_that_of_the_vectors_along_it(axis):
    y, p = make("CosineSimilarity", (4, 2, 3, 5))
    y[0, :, :, 0] = p[1, 0] = 0
    last = CosineSimilarity()
    assert CosineSimilarity(axis)(y, p) == pytest.approx(last(np.moveaxis(y, axis, -1), np.moveaxis(p, axis, -1)))
    expected = np.moveaxis(last.gradient(np.moveaxis(y, axis, -1), np.moveaxis(p, axis, -1)), -1, axis)
    np.testing.assert_allclose(CosineSimilarity(axis).gradient(y, p), expected, rtol=1e-12, atol=1e-16)


@given(st.floats(1e-30, 1e30), st.floats(1e-30, 1e30))
def test_the_cosine_does_not_depend_on_lengths(a, b):
    y, p = (part.astype("float32") for part in make("CosineSimilarity", (4, 3)))
    loss = CosineSimilarity()
    assert loss(np.float32(a) * y, np.float32(b) * p) == pytest.approx(loss(y, p), rel=1e-5)


@pytest.mark.parametrize("cls", [BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy])
def test_labels_that_are_wholly_smoothed_make_every_class_alike(cls):
    y, p = make(cls.__name__, (4, 2))
    expected = -np.log([p, 1 - p] if cls is BinaryCrossentropy else p).mean()
    assert cls(label_smoothing=1)(y, p) == pytest.approx(expected, rel=1e-14)
    other = 1 - y
    assert cls(label_smoothing=1)(other, p) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("huber", None),
        ("log_cosh", None),
        ("hinge", "tanh"),
        ("squared_hinge", None),
        ("cosine_similarity", None),
        ("poisson", "softplus"),
        ("poisson", "exponential"),
        ("kl_divergence", "softmax"),
    ],
)
def test_models_learn_under_each_by_its_name(name, last):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    z = x @ rng.normal(size=(4, 3)) / 2
    y = {"poisson": np.exp(z), "kl_divergence": functions.softmax(z)}.get(name, np.sign(z) if "hinge" in name else z)
    model = Sequential([layers.Input((4,)), layers.Dense(3, activation=last)], seed=0)
    trainer = Trainer(model, "adam", name)
    trainer.optimizer.learning_rate = 0.05
    history = trainer.fit(x, y, epochs=15, verbose=0).history["loss"]
    least = trainer.loss(y, y) if name in ("poisson", "cosine_similarity") else 0
    assert history[-1] - least < (history[0] - least) / 2


# The fused path ----------------------------------------------------------------------------------------

SPARSE, BINARY = SparseCategoricalCrossentropy(), BinaryCrossentropy()
ENDS = {
    "Softmax()": (lambda: [layers.Dense(3), layers.Softmax()], "softmax"),
    "Dense softmax": (lambda: [layers.Dense(3, activation="softmax")], "softmax"),
    "Activation softmax": (lambda: [layers.Dense(3), layers.Activation("softmax")], "softmax"),
    "Sigmoid()": (lambda: [layers.Dense(3), layers.Sigmoid()], "sigmoid"),
    "Dense sigmoid": (lambda: [layers.Dense(3, activation="sigmoid")], "sigmoid"),
    "Activation sigmoid": (lambda: [layers.Dense(3), layers.Activation("sigmoid")], "sigmoid"),
    "nested": (lambda: [Sequential([layers.Dense(4), Sequential([layers.Dense(3, "softmax")])])], "softmax"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("shape", [(5,), (2, 5)], ids=str)
def test_the_fused_path_gives_the_gradients_of_the_plain_one(end, shape):
    make_layers, link = ENDS[end]
    model = Sequential([layers.Input(shape), layers.Dense(4, "tanh"), *make_layers()], seed=0, dtype="float64")
    assert model.link.link_name == link
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(6, *shape)), rng.uniform(0.5, 2, 6)
    cases = {
        "softmax": [SPARSE, CategoricalCrossentropy(), CategoricalCrossentropy(label_smoothing=0.2), KLDivergence()],
        "sigmoid": [BINARY, BinaryCrossentropy(label_smoothing=0.2)],
    }[link]
    for loss in cases:
        y_true, _ = make(type(loss).__name__, (6, *shape[:-1], 3))
        value, slopes = loss.value_and_gradient(y_true, model.forward(x), weight)
        dx = model.backward(slopes)
        expected = [p.grad.copy() for p in model.parameters]
        fused, slopes = loss.on_logits().value_and_gradient(y_true, model.forward_logits(x, training=True), weight)
        for p in model.parameters:
            p.grad = np.full(p.shape, np.nan)
        fused_dx = model.backward_part(slopes, from_logits=True)
        assert fused == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(fused_dx, dx, rtol=1e-9, atol=1e-12)
        for parameter, gradient in zip(model.parameters, expected, strict=True):
            assert relative_error(parameter.grad, gradient) < 1e-9


@pytest.mark.parametrize("end", list(ENDS)[:6])
def test_the_trainer_takes_the_fused_path_so_that_a_probability_of_0_still_learns(end):
    make_layers, link = ENDS[end]
    model = Sequential([layers.Input((1,)), *make_layers()], seed=0)
    model.parameters[0].data = [[1e4, 0, -1e4]]
    y = np.array([2]) if link == "softmax" else np.array([[0, 0.5, 1]])
    logs = Trainer(model, "sgd", SPARSE if link == "softmax" else BINARY, ["accuracy"]).step([[1.0]], y)
    assert logs["loss"] == pytest.approx(2e4 if link == "softmax" else (2e4 + math.log(2)) / 3, rel=1e-6)
    expected = [1, 0, -1] if link == "softmax" else [1 / 3, 0, -1 / 3]
    np.testing.assert_allclose(model.parameters[1].grad, expected, atol=1e-6)


def test_a_model_without_a_link_has_none():
    for last in (layers.Dense(3), layers.Dense(3, "tanh"), layers.Softmax(axis=1), layers.Flatten()):
        model = Sequential([layers.Input((4, 5)), last])
        assert model.link is None
    assert Sequential().link is None


# Refusals ----------------------------------------------------------------------------------------------

P23 = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
HOT = np.eye(3)[[0, 2]]
Sparse, Categorical, Binary, Squared = (
    SparseCategoricalCrossentropy,
    CategoricalCrossentropy,
    BinaryCrossentropy,
    MeanSquaredError,
)
SHAPES = r"targets must have the shape of the predictions\. Received: y_true of shape \(4,\), y_pred of shape \(4, 1\)"


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "message"),
    [
        *[
            (cls(), np.zeros(4), np.full((4, 1), 0.5), rf"{SHAPES}; y_true\.reshape\(-1, 1\) would fit")
            for cls in (Squared, MeanAbsoluteError, Binary)
        ],
        (Squared(), np.zeros((4, 1)), np.zeros(4), r"shape \(4, 1\), y_pred of shape \(4,\); y_true\.reshape\(-1\)"),
        (Squared(), np.zeros((3, 2)), np.zeros((4, 2)), r"y_true of shape \(3, 2\), y_pred of shape \(4, 2\)$"),
        (Squared(), np.array([["a"]]), np.zeros((1, 1)), r"targets must be numbers\. Received: <U1 array"),
        (Squared(), np.array([[1j]]), np.zeros((1, 1)), r"targets must be numbers\. Received: complex128 array"),
        (Squared(), [["a"]], [[0.0]], r"targets must be numbers\. Received: \[\['a'\]\]"),
        (
            Squared(),
            [[1.0], [2.0, 3.0]],
            [1.0, 2.0],
            r"targets must be numbers\. Received: \[\[1\.0\], \[2\.0, 3\.0\]\]",
        ),
        (Squared(), [1.0], ["1"], r"predictions must be numbers\. Received: \['1'\]"),
        (Squared(), [1.0, 2.0], np.array([1.0, None]), r"predictions must be numbers\. Received: object array"),
        (Squared(), [1.0, 2.0], np.array([1j, 1]), r"predictions must be numbers\. Received: complex128 array"),
        (Squared(), [1.0], [[1.0], [2.0, 3.0]], r"predictions must be numbers\. Received: \[\[1\.0\]"),
        (Squared(), 1.0, 1.0, r"predictions must have at least 1 axis, the batch first\. Received: .*shape \(\)"),
        (Categorical(), np.ones((2, 3), bool), P23, r"sum to 1\. Received: sums from 3 to 3, least entry 1"),
        (Squared(), 1.0, 2.0, r"shape \(\)"),
        (Binary(), 1.0, 0.5, r"shape \(\)"),
        (Binary(), [[2.0]], [[0.5]], r"targets must be in \[0, 1\]\. Received: y_true from 2 to 2"),
        (Binary(), [[-1.0], [1.0]], [[0.5], [0.5]], r"targets must be in \[0, 1\]\. Received: y_true from -1 to 1"),
        (Binary(), [[math.nan]], [[0.5]], r"targets must be in \[0, 1\]\. Received: y_true from nan"),
        (Binary(), [[1]], [[-0.5]], r"predictions must be probabilities; .*without sigmoid, use from_logits=True"),
        (Binary(), [[1]], [[1.5]], r"predictions must be probabilities.* Received: y_pred from 1\.5 to 1\.5"),
        (Binary(), [[1]], [[math.nan]], r"predictions must be probabilities.* Received: y_pred from nan"),
        (
            Categorical(),
            np.array([0, 2]),
            P23,
            r"one-hot, in the shape of the predictions \(2, 3\); .*SparseCat.*int64",
        ),
        (Categorical(), np.array([[0], [2]]), P23, r"y_true of shape \(2, 1\), y_pred of shape \(2, 3\)$"),
        (Categorical(), HOT * 2, P23, r"probabilities that sum to 1\. Received: sums from 2 to 2, least entry 0"),
        (Categorical(), HOT * 0, P23, r"probabilities that sum to 1\. Received: sums from 0 to 0"),
        (Categorical(), [[2, -1, 0], [0, 0, 1]], P23, r"sum to 1\. Received: sums from 1 to 1, least entry -1"),
        (Categorical(), HOT, P23 - 0.2, r"predictions must be probabilities.*without softmax.* y_pred from -0\.1"),
        (Categorical(True), HOT * 2, P23, r"probabilities that sum to 1"),
        (Categorical(), np.array([0, 1]), np.array([0.75, 0.25]), r"shape \(2,\)"),
        (
            Sparse(),
            HOT,
            P23,
            r"integer labels of shape \(2,\); for one-hot targets use CategoricalCrossentropy.*float64",
        ),
        (Sparse(), HOT.astype(int), P23, r"integer labels of shape \(2,\); for one-hot targets use Categ.*int64 array"),
        (Sparse(), np.eye(2), [[0.75, 0.25], [0.5, 0.5]], r"for one-hot targets use CategoricalCrossentropy"),
        (Sparse(), [[0], [2]], P23, r"targets must have shape \(2,\).*shape \(2, 1\); y_true\.ravel\(\) would fit"),
        (Sparse(), [0, 2, 1], P23, r"targets must have shape \(2,\) for predictions of shape \(2, 3\).* shape \(3,\)$"),
        (Sparse(), [0.0, 2.0], P23, r"must be integers; y_true\.astype\(int\) makes them so\. Received: float64 array"),
        (Sparse(), [True, False], P23, r"targets must be integers; .* Received: bool array"),
        (Sparse(), [0, 3], P23, r"labels must be in 0 \.\. 2, for 3 outputs\. Received: labels from 0 to 3"),
        (Sparse(), [-1, 2], P23, r"labels must be in 0 \.\. 2, for 3 outputs\. Received: labels from -1 to 2"),
        (Sparse(True), [0, 3], P23, r"labels must be in 0 \.\. 2"),
        (Sparse(), [0, 2], P23 * 10, r"predictions must be probabilities; .*without softmax, use from_logits=True"),
        (Sparse(), 1, np.array([0.75, 0.25]), r"shape \(2,\)"),
        *[
            (cls(), np.zeros(4), np.full((4, 1), 0.5), rf"{SHAPES}; y_true\.reshape\(-1, 1\) would fit")
            for cls in (Huber, LogCosh, Poisson, Hinge, SquaredHinge)
        ],
        *[
            (cls(), [[1], [0]], P23, r"must have the shape of the predictions")
            for cls in (KLDivergence, CosineSimilarity)
        ],
        (KLDivergence(), [0, 2], P23, r"must have the shape of the predictions"),
        (KLDivergence(), [1.0, 0.0], [1.0, 0.0], r"predictions must have at least 2 axes"),
        (KLDivergence(), HOT * 2, P23, r"probabilities that sum to 1\. Received: sums from 2 to 2, least entry 0"),
        (KLDivergence(), HOT, P23 * 10, r"predictions must be probabilities; let the model end in softmax\. Received"),
        (KLDivergence(), HOT, P23 / 2, r"each sample's predictions must sum to 1"),
        (Hinge(), [[0.5]], [[1.0]], r"targets must be -1 or 1, or 0 or 1\. Received: \[0\.5\]"),
        (Hinge(), [[-1, 0, 1]], [[1.0, 2.0, 3.0]], r"targets must be -1 or 1, or 0 or 1\. Received: \[-1, 0, 1\]"),
        (SquaredHinge(), [[2]], [[1.0]], r"targets must be -1 or 1, or 0 or 1\. Received: \[2\]"),
        (Hinge(), [[math.nan]], [[1.0]], r"targets must be -1 or 1, or 0 or 1\. Received: \[nan\]"),
        (Poisson(), [[-1.0]], [[1.0]], r"targets must be finite and at least 0\. Received: y_true from -1 to -1"),
        (Poisson(), [[math.nan]], [[1.0]], r"targets must be finite and at least 0\. Received: y_true from nan"),
        (Poisson(), [[math.inf]], [[1.0]], r"targets must be finite and at least 0\. Received: y_true from inf"),
        (Poisson(), [[1, 2]], [[1, -0.5]], r"at least 0; let the model end in softplus .* Received: y_pred from -0\.5"),
        (Poisson(), [[1]], [[math.nan]], r"predictions must be at least 0; .* Received: y_pred from nan"),
        (CosineSimilarity(), [1.0, 0.0], [1.0, 0.0], r"predictions must have at least 2 axes"),
        *[
            (
                CosineSimilarity(axis),
                HOT,
                P23,
                rf"axis must be one of the 1 axes behind the batch\. .*: axis={axis}, y_p",
            )
            for axis in (0, 2, -2, -3)
        ],
    ],
)
def test_targets_and_predictions_that_do_not_fit_are_refused(loss, y_true, y_pred, message):
    for call in (loss, loss.gradient, partial(loss.value_and_gradient, gradient=False)):
        with pytest.raises(ValueError, match=rf"^{type(loss).__name__}: .*{message}"):
            call(y_true, y_pred)


@each_loss
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 2, -3], r"sample_weight must be finite and not negative\. Received: from -3 to 2"),
        ([1, math.nan, 1], r"sample_weight must be finite and not negative\. Received: from nan"),
        ([1, math.inf, 1], r"sample_weight must be finite and not negative\. Received: from 1 to inf"),
        ([1, 2], r"sample_weight must have shape \(3,\)\. Received: shape \(2,\)"),
        ([[1], [2], [3]], r"sample_weight must have shape \(3,\)\. Received: shape \(3, 1\)"),
        (2.0, r"sample_weight must have shape \(3,\)\. Received: shape \(\)"),
    ],
)
def test_wrong_weights_are_refused(name, weight, message):
    with pytest.raises(ValueError, match=f"^{name.split()[0]}: {message}"):
        LOSSES[name](*make(name, (3, 2)), weight)


@pytest.mark.parametrize(
    "weight",
    [["a"], ["1"], [1j], [None], [[1], [1, 2]], np.zeros(1, "datetime64[D]"), np.array([1.0], object)],
    ids=str,
)
def test_weights_that_are_no_numbers_are_refused_by_the_loss(weight):
    with pytest.raises(ValueError, match=r"^MeanSquaredError: sample_weight must be numbers\. Received: "):
        MeanSquaredError()([[1.0]], [[2.0]], weight)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.registry.get("mean_square_error"), ValueError, r"unknown loss.*'mean_squared_error'\?"),
        (lambda: losses.registry.get(None), TypeError, r"loss must be a name or an instance of Loss\. Received: None"),
        (lambda: BinaryCrossentropy(logits=True), TypeError, r"BinaryCrossentropy: .*Did you mean 'from_logits'\?"),
        (lambda: MeanSquaredError(from_logits=True), TypeError, r"MeanSquaredError: .*Received: from_logits=True"),
        *[
            (
                partial(cls, from_logits="no"),
                TypeError,
                rf"{cls.__name__}: from_logits must be True or False\. Received: ",
            )
            for cls in (BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy)
        ],
        *[
            (partial(cls, label_smoothing=s), ValueError, rf"{cls.__name__}: label_smoothing must be in \[0, 1\]\. Rec")
            for cls in (BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy)
            for s in (-0.1, 1.1, math.nan)
        ],
        (lambda: BinaryCrossentropy(label_smoothing=True), TypeError, r"label_smoothing must be a number"),
        (lambda: KLDivergence(from_logits=True), TypeError, r"KLDivergence: .*Received: from_logits=True"),
        *[
            (partial(Huber, delta), ValueError, r"Huber: delta must be in \(0, inf\)\. Received: delta=")
            for delta in (0, -1, math.inf, math.nan)
        ],
        (lambda: Huber("1"), TypeError, r"Huber: delta must be a number\. Received: delta='1'"),
        (lambda: CosineSimilarity(axis=1.0), TypeError, r"CosineSimilarity: axis must be an integer"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_users_own_loss():
    class Quartic(losses.Loss):
        def per_sample(self, y_true, y_pred):
            return ((y_pred - y_true) ** 4).mean(axis=1)

        def per_sample_gradient(self, y_true, y_pred):
            return 4 * (y_pred - y_true) ** 3 / y_pred.shape[1]

    y_true, y_pred = make("MeanSquaredError", (4, 3))
    weight = [1, 0, 2, 5]
    numeric = central_difference(lambda: Quartic()(y_true, y_pred, weight), y_pred)
    assert relative_error(Quartic().gradient(y_true, y_pred, weight), numeric) < 1e-6
    with pytest.raises(ValueError, match=r"Quartic: targets must have the shape of the predictions"):
        Quartic()([1], [[1.0]])
    with pytest.raises(NotImplementedError):
        losses.Loss()([1.0], [1.0])


@pytest.mark.parametrize(
    ("method", "made"),
    [
        ("per_sample", lambda y_true, y_pred: (y_pred - y_true) ** 2),
        ("per_sample", lambda y_true, y_pred: ((y_pred - y_true) ** 2).mean()),
        ("per_sample_gradient", lambda y_true, y_pred: (y_pred - y_true)[:, 0]),
        ("per_sample_gradient", lambda y_true, y_pred: 0),
    ],
)
def test_a_loss_of_ones_own_must_keep_to_the_shapes(method, made):
    right = {
        "per_sample": lambda y_true, y_pred: ((y_pred - y_true) ** 2)[:, 0],
        "per_sample_gradient": lambda y_true, y_pred: 2 * (y_pred - y_true),
    }
    methods = {name: lambda self, *a, f=f: f(*a) for name, f in {**right, method: made}.items()}
    own = type("Own", (losses.Loss,), methods)()
    shape = {"per_sample": r"\(4,\)", "per_sample_gradient": r"\(4, 1\)"}[method]
    with pytest.raises(ValueError, match=rf"Own: {method} must return shape {shape}"):
        own.value_and_gradient(np.zeros((4, 1)), np.ones((4, 1)), [1, 2, 3, 4])


def test_a_loss_of_ones_own_must_give_numbers():
    class Own(losses.Loss):
        def per_sample(self, y_true, y_pred):
            return ["a", "b"]

    with pytest.raises(ValueError, match=r"Own: what per_sample returns must be numbers\. Received: \['a', 'b'\]"):
        Own()([1.0, 2.0], [1.0, 2.0])


def test_a_loss_of_ones_own_may_give_whole_slopes():
    class Own(losses.Loss):
        def per_sample(self, y_true, y_pred):
            return 3 * y_pred

        def per_sample_gradient(self, y_true, y_pred):
            return np.full(y_pred.shape, 3)

    gradient = Own().gradient([0.0, 0.0], np.ones(2, np.float32))
    assert (gradient.tolist(), gradient.dtype) == ([1.5, 1.5], np.float32)


def test_predictions_that_do_not_sum_to_1_are_refused():
    with pytest.raises(ValueError, match=r"SparseCategoricalCrossentropy: each sample's predictions must sum to 1"):
        losses.SparseCategoricalCrossentropy()([0, 1], [[0.9, 0.9], [0.2, 0.3]])


def test_only_labels_that_are_whole_are_told_to_become_integers():
    with pytest.raises(ValueError, match=r"targets must be integers\. Received"):
        losses.SparseCategoricalCrossentropy()([0.5, 1.0], [[0.5, 0.5]] * 2)


def test_a_mean_error_has_no_logits():
    with pytest.raises(TypeError, match="MeanSquaredError: can't be computed from logits"):
        losses.MeanSquaredError().on_logits()


def test_a_subclass_that_computes_otherwise_is_computed_as_it_says_on_logits_too():
    class Doubled(SparseCategoricalCrossentropy):
        def per_sample(self, y_true, y_pred):
            return 2 * super().per_sample(y_true, y_pred)

        def per_sample_gradient(self, y_true, y_pred):
            return 2 * super().per_sample_gradient(y_true, y_pred)

    class Renamed(SparseCategoricalCrossentropy):
        pass

    y, z = np.array([1, 0, 2]), np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
    value, slopes = SparseCategoricalCrossentropy(from_logits=True).value_and_gradient(y, z)
    doubled, twice = Doubled(from_logits=True).value_and_gradient(y, z)
    np.testing.assert_allclose([doubled, *twice.ravel()], 2 * np.array([value, *slopes.ravel()]), rtol=1e-6)
    assert Renamed._both is SparseCategoricalCrossentropy._both is not Doubled._both
