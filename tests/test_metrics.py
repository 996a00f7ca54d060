"""Metrics: by hand, weighted, over batches, and what they refuse."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import exported

from minidl import Sequential, Trainer, layers, losses, metrics
from minidl.metrics import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalAccuracy,
)

P = np.array([[0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])
HOT = np.eye(3)[[1, 1, 2, 1]]
YES_NO, YES_NO_P = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.6], [0.4], [0.1]])

# Class, targets, predictions, and each sample's value by hand; the class's name, as in `__all__`, starts each key.
CASES = {
    "BinaryAccuracy": (BinaryAccuracy, YES_NO, YES_NO_P, [1, 0, 0, 1]),
    "BinaryAccuracy one axis": (BinaryAccuracy, YES_NO[:, 0], YES_NO_P[:, 0], [1, 0, 0, 1]),
    "BinaryAccuracy several": (BinaryAccuracy, [[1, 0, 0], [1, 1, 1]], [[0.6, 0.4, 0.9], [0.1, 0.2, 0.5]], [2 / 3, 0]),
    "CategoricalAccuracy": (CategoricalAccuracy, HOT, P, [1, 0, 1, 1]),
    "CategoricalAccuracy 3 axes": (CategoricalAccuracy, HOT.reshape(2, 2, 3), P.reshape(2, 2, 3), [0.5, 1]),
    "SparseCategoricalAccuracy": (SparseCategoricalAccuracy, [1, 1, 2, 1], P, [1, 0, 1, 1]),
    "SparseCategoricalAccuracy 3 axes": (SparseCategoricalAccuracy, [[1, 1], [2, 1]], P.reshape(2, 2, 3), [0.5, 1]),
    "Accuracy sparse": (Accuracy, [1, 1, 2, 1], P, [1, 0, 1, 1]),
    "Accuracy one-hot": (Accuracy, HOT, P, [1, 0, 1, 1]),
    "Accuracy yes or no": (Accuracy, YES_NO, YES_NO_P, [1, 0, 0, 1]),
    "Accuracy yes or no, one axis": (Accuracy, YES_NO[:, 0], YES_NO_P[:, 0], [1, 0, 0, 1]),
    "Accuracy two classes": (Accuracy, YES_NO[:, 0], np.hstack([1 - YES_NO_P, YES_NO_P]), [1, 0, 0, 1]),
    "MeanSquaredError": (MeanSquaredError, [[1, 2], [3, 4]], [[1.5, 0], [3, 4]], [(0.25 + 4) / 2, 0]),
    "MeanAbsoluteError": (MeanAbsoluteError, [[1, 2], [3, 4]], [[1.5, 0], [3, 4]], [(0.5 + 2) / 2, 0]),
}
each_case = pytest.mark.parametrize("case", CASES)


def result(metric, *batches):
    metric.reset()
    for batch in batches:
        metric.update(*batch)
    return metric.result()


def test_every_exported_metric_has_a_case():
    elsewhere = {"AUC", "F1", "Precision", "R2", "Recall", "TopKAccuracy"}  # tests/test_more_metrics.py
    assert exported(metrics, metrics.Metric, "MeanMetric") - elsewhere == {case.split()[0] for case in CASES}


@each_case
def test_by_hand(case):
    cls, y_true, y_pred, values = CASES[case]
    value = result(cls(), (y_true, y_pred))
    assert type(value) is float
    assert value == pytest.approx(sum(values) / len(values), rel=1e-12)


@each_case
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_weighted_batches_of_any_size_are_one_big_batch(case, data):
    cls, y_true, y_pred, values = CASES[case]
    y_true, y_pred, n = np.asarray(y_true), np.asarray(y_pred), len(values)
    weight = np.array(data.draw(st.lists(st.floats(0, 10), min_size=n, max_size=n)))
    cuts = sorted(data.draw(st.lists(st.integers(1, n - 1), unique=True)))
    parts = np.split(np.arange(n), cuts)
    total = math.fsum(weight)
    expected = math.fsum(weight * values) / total if total else 0.0
    assert result(cls(), (y_true, y_pred, weight)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert result(cls(), *((y_true[p], y_pred[p], weight[p]) for p in parts)) == pytest.approx(
        expected, rel=1e-9, abs=1e-12
    )
    assert result(cls(), *((y_true[p], y_pred[p]) for p in parts)) == pytest.approx(np.mean(values), rel=1e-12)


@each_case
def test_reset_forgets_and_no_samples_give_0(case):
    cls, y_true, y_pred, _ = CASES[case]
    metric = cls()
    assert metric.result() == 0.0
    metric.update(y_true, y_pred, np.zeros(len(y_pred)))
    assert metric.result() == 0.0
    metric.update(y_true, y_pred)
    once = metric.result()
    assert once > 0
    assert metric.result() == once
    metric.reset()
    assert metric.result() == 0.0
    metric.update(y_true, y_pred)
    assert metric.result() == once


@each_case
def test_a_batch_of_0_changes_nothing(case):
    cls, y_true, y_pred, _ = CASES[case]
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    expected = result(cls(), (y_true, y_pred))
    assert result(cls(), (y_true[:0], y_pred[:0]), (y_true, y_pred), (y_true[:0], y_pred[:0], [])) == expected


@each_case
def test_wrong_targets_and_weights_are_refused_and_nothing_is_counted(case):
    cls, y_true, y_pred, values = CASES[case]
    metric = cls()
    metric.update(y_true, y_pred)
    before = metric.result()
    with pytest.raises(ValueError, match=r"(Accuracy|Error): targets must have shape \(.*Received: shape \("):
        metric.update(np.asarray(y_true)[1:], y_pred)
    with pytest.raises(ValueError, match=rf"{cls.__name__}: sample_weight must have shape \({len(values)},\)"):
        metric.update(y_true, y_pred, [1.0])
    with pytest.raises(ValueError, match=rf"{cls.__name__}: sample_weight must be finite and not negative"):
        metric.update(y_true, y_pred, [-1.0] * len(values))
    assert metric.result() == before


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "message"),
    [
        (SparseCategoricalAccuracy(), [[1], [0]], P[:2], r"shape \(2,\) for predictions of shape \(2, 3\).*\(2, 1\)"),
        (SparseCategoricalAccuracy(), HOT, P, r"shape \(4,\) for predictions of shape \(4, 3\).*\(4, 3\)"),
        (CategoricalAccuracy(), [1, 1, 2, 1], P, r"shape \(4, 3\) .*\(4,\)"),
        (Accuracy(), [1, 0, 1, 0], YES_NO_P, r"shape \(4, 1\) .*\(4,\)"),
        (Accuracy(), [[1], [0], [1], [0]], P, r"shape \(4, 3\) .*\(4, 1\)"),
        (BinaryAccuracy(), [1, 0, 1, 0], YES_NO_P, r"shape \(4, 1\) .*\(4,\)"),
        (MeanSquaredError(), [1, 0, 1, 0], YES_NO_P, r"shape \(4, 1\) .*\(4,\)"),
        (MeanAbsoluteError(), [1, 0, 1, 0], YES_NO_P, r"shape \(4, 1\) .*\(4,\)"),
    ],
)
def test_targets_of_another_kind_are_refused(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=rf"(Accuracy|Error): targets must have {message}"):
        metric.update(y_true, y_pred)
    assert metric.result() == 0.0


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.5, [1, 0, 0, 1]), (0.95, [0, 1, 0, 1]), (0.3, [1, 0, 1, 1]), (1, [0, 1, 0, 1])]
)
def test_the_threshold_cuts_predictions(threshold, expected):
    assert BinaryAccuracy(threshold).values(YES_NO, YES_NO_P).tolist() == expected


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.5])
def test_a_threshold_on_logits_leaves_the_targets_alone(threshold):
    logits = np.array([[2.0], [-2.0], [-2.0], [2.0]])
    assert BinaryAccuracy(threshold).values(np.array([[1], [0], [1], [0]]), logits).tolist() == [1, 1, 0, 0]


def test_accuracy_under_the_fused_path_sees_probabilities():
    """The logit 0.2 is a probability above 0.5, though the number isn't."""
    model = Sequential([layers.Input((1,)), layers.Dense(1, "sigmoid")], seed=0)
    model.set_weights([[[0.2]], [0.0]])
    x, y = np.array([[1.0], [-1.0], [1.0]]), np.array([[1], [0], [0]])
    logs = Trainer(model, "sgd", losses.BinaryCrossentropy(), ["accuracy", "mse"]).evaluate(x, y)
    p = 1 / (1 + math.exp(-0.2))
    assert logs["accuracy"] == pytest.approx(2 / 3)
    assert logs["mse"] == pytest.approx((2 * (1 - p) ** 2 + p**2) / 3, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "cls", "better"),
    [
        ("accuracy", Accuracy, "max"),
        ("acc", Accuracy, "max"),
        ("binary_accuracy", BinaryAccuracy, "max"),
        ("categorical_accuracy", CategoricalAccuracy, "max"),
        ("sparse_categorical_accuracy", SparseCategoricalAccuracy, "max"),
        ("mse", MeanSquaredError, "min"),
        ("mean_squared_error", MeanSquaredError, "min"),
        ("mae", MeanAbsoluteError, "min"),
        ("mean_absolute_error", MeanAbsoluteError, "min"),
    ],
)
def test_known_by_name(name, cls, better):
    metric = metrics.registry.get(name)
    assert type(metric) is cls
    assert metric is not metrics.registry.get(name)
    assert metric.better == better
    column = {Accuracy: "accuracy", MeanSquaredError: "mean_squared_error", MeanAbsoluteError: "mean_absolute_error"}
    assert metric.name == column.get(cls, name)
    assert cls(name="mine").name == "mine"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: BinaryAccuracy("0.5"), TypeError, r"BinaryAccuracy: threshold must be a number\. Received: .*'0\.5'"),
        (lambda: BinaryAccuracy(math.nan), ValueError, r"BinaryAccuracy: threshold .* Received: threshold=nan"),
        (lambda: BinaryAccuracy(treshold=0.4), TypeError, r"BinaryAccuracy: .*Did you mean 'threshold'\?"),
        (lambda: metrics.registry.get("acuracy"), ValueError, r"unknown metric.*Did you mean 'accuracy'\?"),
        (lambda: metrics.registry.get(len), TypeError, r"metric must be a name or an instance of Metric"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "message"),
    [
        (SparseCategoricalAccuracy(), [5, -1], P[:2], r"labels must be in 0 \.\. 2, for 3 outputs\. .* from -1 to 5"),
        (SparseCategoricalAccuracy(), ["1", "0"], P[:2], r"targets must be numbers\. Received: \['1', '0'\]"),
        (
            SparseCategoricalAccuracy(),
            [1.0, 0.0],
            P[:2],
            r"targets must be integers; y_true\.astype\(int\) makes them so",
        ),
        (SparseCategoricalAccuracy(), [1.5, 0.0], P[:2], r"targets must be integers\. Received: float64 array"),
        (SparseCategoricalAccuracy(), 1, P[0], r"predictions must have at least 2 axes"),
        (CategoricalAccuracy(), HOT[0], P[0], r"predictions must have at least 2 axes, .* y_pred of shape \(3,\)"),
        (Accuracy(), [1, 3], P[:2], r"labels must be in 0 \.\. 2, for 3 outputs\. Received: labels from 1 to 3"),
        (Accuracy(), [1, 0, 1], P[:2], r"targets must have shape \(2,\) for predictions of shape \(2, 3\)"),
        (Accuracy(), HOT[:3], P, r"targets must have shape \(4, 3\)"),
        (Accuracy(), [1, 0], YES_NO_P[:2], r"targets must have shape \(2, 1\)"),
        (
            Accuracy(),
            1,
            0.5,
            r"predictions must have at least 1 axis, the batch first\. Received: y_pred of shape \(\)",
        ),
        (Accuracy(), [1, 0], [["a", "b"], ["c", "d"]], r"predictions must be numbers\. Received: \[\['a', 'b'\]"),
        (Accuracy(), [[1], [1, 0]], P[:2], r"targets must be numbers\. Received: \[\[1\], \[1, 0\]\]"),
        (MeanSquaredError(), ["a"], ["b"], r"predictions must be numbers"),
        (MeanSquaredError(), [1j], [1.0], r"targets must be numbers"),
        (MeanAbsoluteError(), [1.0], np.array([None]), r"predictions must be numbers\. Received: object array"),
    ],
)
def test_labels_and_predictions_that_mean_nothing_are_refused(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=rf"^{type(metric).__name__}: {message}"):
        metric.update(y_true, y_pred)
    assert metric.result() == 0.0


@pytest.mark.parametrize("kind", [bool, "uint8", "int64"])
def test_predictions_of_any_kind_of_number_are_taken(kind):
    for metric in (MeanSquaredError(), MeanAbsoluteError()):
        metric.update(np.array([[1, 0]], kind), np.array([[0, 1]], kind))
        assert metric.result() == 1.0


@pytest.mark.parametrize("name", [5, None])
def test_a_name_is_a_text(name):
    with pytest.raises(TypeError, match=rf"MeanAbsoluteError: name must be a text\. Received: name={name}"):
        MeanAbsoluteError(name=name)


def test_a_users_own_metrics():
    class Above(metrics.MeanMetric):
        def values(self, y_true, y_pred):
            return (y_pred > y_true).mean(axis=1)

    assert result(Above(name="above"), ([[1.0, 1.0]], [[0.0, 2.0]]), ([[0.0, 0.0]], [[1.0, 2.0]], [3.0])) == 3.5 / 4
    metric, mean = metrics.Metric(name="m"), metrics.MeanMetric(name="m")
    for call, method in (
        (metric.result, "Metric: a metric must give result()"),
        (metric.reset, "Metric: a metric must give reset()"),
        (lambda: metric.update([1], [1]), "Metric: a metric must give update(y_true, y_pred, sample_weight)"),
        (lambda: mean.update([1], [1]), "MeanMetric: a metric must give values(y_true, y_pred)"),
    ):
        with pytest.raises(NotImplementedError, match=re.escape(method)):
            call()


def test_a_metric_of_ones_own_must_give_one_value_a_sample():
    class Own(metrics.MeanMetric):
        def values(self, y_true, y_pred):
            return np.abs(y_pred - y_true)

    with pytest.raises(
        ValueError, match=r"Own: values must return shape \(3,\), one for each sample. Received: shape \(3, 1\)"
    ):
        Own(name="own").update(np.zeros((3, 1)), np.ones((3, 1)))
