"""Metrics that aren't means over samples, against scikit-learn and cases worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Sequential, Trainer, layers, metrics

sklearn = pytest.importorskip("sklearn.metrics")


def in_batches(metric, y_true, y_pred, weight, cuts):
    for part in np.split(np.arange(len(y_true)), cuts):
        metric.update(y_true[part], y_pred[part], None if weight is None else weight[part])
    return metric.result()


@st.composite
def classified(draw, classes):
    """Return targets, scores with ties, weights or None, and where batches are cut."""
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    y = rng.integers(0, max(classes, 2), n)
    scores = rng.integers(0, 6, (n, classes)) / 5
    weight = rng.random(n) + 0.1 if draw(st.booleans()) else None
    return y, scores, weight, sorted(draw(st.lists(st.integers(0, n), max_size=3)))


METRICS = {
    metrics.Precision: sklearn.precision_score,
    metrics.Recall: sklearn.recall_score,
    metrics.F1: sklearn.f1_score,
}


@pytest.mark.parametrize("cls", METRICS)
@pytest.mark.parametrize("average", ["macro", "micro"])
@settings(deadline=None)
@given(data=classified(4))
def test_several_classes_are_counted_as_scikit_learn_counts_them(cls, average, data):
    y, scores, weight, cuts = data
    expected = METRICS[cls](y, scores.argmax(axis=1), average=average, sample_weight=weight, zero_division=0)
    assert in_batches(cls(average), y, scores, weight, cuts) == pytest.approx(expected, abs=1e-12)
    assert in_batches(cls(average), np.eye(4)[y], scores, weight, cuts) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cls", METRICS)
@settings(deadline=None)
@given(data=classified(1))
def test_one_output_is_counted_for_class_1(cls, data):
    y, scores, weight, cuts = data
    expected = METRICS[cls](y, scores[:, 0] > 0.5, sample_weight=weight, zero_division=0)
    assert in_batches(cls(), y[:, None], scores, weight, cuts) == pytest.approx(expected, abs=1e-12)
    assert in_batches(cls(), y, scores[:, 0], weight, cuts) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(data=classified(1))
def test_the_area_under_the_curve_is_scikit_learns(data):
    y, scores, weight, cuts = data
    found = in_batches(metrics.AUC(), y[:, None], scores, weight, cuts)
    if len(set(y)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(sklearn.roc_auc_score(y, scores[:, 0], sample_weight=weight), abs=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e8])
@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 30),
    weighted=st.booleans(),
    cuts=st.lists(st.integers(0, 30), max_size=3),
)
def test_r2_is_scikit_learns_however_far_from_zero(offset, seed, n, weighted, cuts):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((n, 2)) + offset
    p = y + rng.standard_normal((n, 2))
    weight = rng.random(n) + 0.1 if weighted else None
    found = in_batches(metrics.R2(), y, p, weight, sorted(min(cut, n) for cut in cuts))
    # 1 − a ratio: near 0 only its absolute error is small.
    assert found == pytest.approx(sklearn.r2_score(y, p, sample_weight=weight), rel=1e-6, abs=1e-6)


def test_r2_of_equal_targets():
    for prediction, expected in ((2.0, 1.0), (3.0, 0.0)):
        metric = metrics.R2()
        metric.update(np.full((3, 1), 2.0), np.full((3, 1), prediction))
        assert metric.result() == expected


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_k_most_probable(k):
    rng = np.random.default_rng(k)
    y, scores = rng.integers(0, 5, 40), rng.random((40, 5))
    expected = sklearn.top_k_accuracy_score(y, scores, k=k, labels=range(5)) if k < 5 else 1.0
    for targets in (y, np.eye(5)[y]):
        assert in_batches(metrics.TopKAccuracy(k), targets, scores, None, [7]) == pytest.approx(expected)


@settings(deadline=None)
@given(data=classified(3))
def test_the_confusion_matrix_is_scikit_learns(data):
    y, scores, weight, _ = data
    expected = sklearn.confusion_matrix(y, scores.argmax(axis=1), labels=range(3), sample_weight=weight)
    np.testing.assert_allclose(metrics.confusion_matrix(y, scores, sample_weight=weight), expected, rtol=1e-12)
    np.testing.assert_allclose(
        metrics.confusion_matrix(np.eye(3)[y], scores.argmax(axis=1), classes=3, sample_weight=weight),
        expected,
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: metrics.confusion_matrix([0, 1], [0, 1, 1]),
            "must be a prediction for each target. Received: 2",
        ),
        (
            lambda: metrics.confusion_matrix([0, 3], [0, 1], classes=2),
            r"must be in 0 \.\. 1. Received: from 0 to 3",
        ),
        (lambda: metrics.confusion_matrix([0.5], [1]), "confusion_matrix: classes must be integers or one-hot rows"),
        (lambda: metrics.Precision("weighted"), "Precision: average must be one of 'macro', 'micro'"),
        (lambda: metrics.TopKAccuracy(0), "TopKAccuracy: k must be a positive integer. Received: k=0"),
        (lambda: metrics.AUC().update([0, 1], [[0.1, 0.9]] * 2), r"AUC: targets and predictions must have one shape"),
        (lambda: metrics.R2().update([1.0], [[1.0]]), "R2: targets must have the shape of the predictions"),
        (lambda: metrics.confusion_matrix(["a"], [1]), r"confusion_matrix: targets must be numbers. Received: \['a'\]"),
        (lambda: metrics.confusion_matrix([1], [[1], [1, 2]]), "confusion_matrix: predictions must be numbers"),
        (lambda: metrics.confusion_matrix(np.array(["a"], object), [1]), "targets must be numbers. Received: object"),
        (lambda: metrics.confusion_matrix(0, 1), r"integers or one-hot rows. Received: y=int64 array of shape \(\)"),
        (lambda: metrics.confusion_matrix([math.nan, 1.0], [0, 1]), "confusion_matrix: classes must be integers or"),
        (lambda: metrics.confusion_matrix([math.inf, 1e300], [0, 1]), "confusion_matrix: classes must be integers or"),
        (lambda: metrics.confusion_matrix([0, -1], [0, 1]), r"classes must be in 0 \.\. 1. Received: from -1 to 1"),
        (lambda: metrics.confusion_matrix([-1], [-1]), r"classes must be in 0 \.\. 0. Received: from -1 to -1"),
        (lambda: metrics.confusion_matrix([0, 10**9], [0, 1]), "given if they are more than 10000. Received: 10000000"),
        (
            lambda: metrics.Precision().update([5, 1], [0.1, 0.9]),
            r"Precision: classes must be in 0 \.\. 1.* from 1 to 5",
        ),
        (lambda: metrics.Recall().update([0, 3], np.eye(3)[:2]), r"Recall: classes must be in 0 \.\. 2.* from 0 to 3"),
        (lambda: metrics.F1().update([1, 0, 1], [0.9, 0.8]), "F1: there must be a prediction for each target"),
        (lambda: metrics.confusion_matrix([0], [[0.1, 0.9]], classes=1), "classes must be an integer of at least 2"),
        (
            lambda: metrics.F1().update([0, 1], np.zeros((2, 0))),
            r"F1: classes must be .*float64 array of shape \(2, 0\)",
        ),
        (lambda: metrics.F1().update(1, 0.5), "F1: predictions must have at least 1 axis, the batch first"),
        (lambda: metrics.F1().update([1], [0.5], ["2"]), "F1: sample_weight must be numbers"),
        (lambda: metrics.F1().update(["a"], [0.5]), "F1: targets must be numbers"),
        (
            lambda: metrics.AUC().update([0, 1, 1], [0.1, math.nan, 0.2]),
            "AUC: predictions must not be NaN.* 1 of 3 NaN",
        ),
        (
            lambda: metrics.AUC().update([1, 2], [0.1, 0.9]),
            r"AUC: targets must be in \[0, 1\]. Received: .* from 1 to 2",
        ),
        (lambda: metrics.AUC().update([0, 1], ["a", "b"]), "AUC: predictions must be numbers"),
        (lambda: metrics.AUC().update(0, 0.5), "AUC: predictions must have at least 1 axis"),
        (lambda: metrics.R2().update(["1"], ["2"]), "R2: predictions must be numbers"),
        (lambda: metrics.TopKAccuracy(2).update([5, 0], np.ones((2, 3))), r"TopKAccuracy: labels must be in 0 \.\. 2"),
        (lambda: metrics.TopKAccuracy(2).update([-1, 0], np.ones((2, 3))), "TopKAccuracy: labels .* from -1 to 0"),
        (
            lambda: metrics.TopKAccuracy(2).update([1.7, 0], np.ones((2, 3))),
            r"TopKAccuracy: targets must be integers\. R",
        ),
        (lambda: metrics.TopKAccuracy(2).update([1, 0], [0.2, 0.8]), "TopKAccuracy: predictions must have at least 2"),
    ],
)
def test_what_does_not_fit_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("cls", [metrics.R2, metrics.Precision])
def test_batches_of_other_widths_are_refused_and_not_counted(cls):
    metric = cls()
    metric.update([[1], [0]], [[0.75], [0.0]])
    before = metric.result()
    with pytest.raises(
        ValueError, match=rf"{cls.__name__}: all batches must have as many outputs. Received: 1, then 2"
    ):
        metric.update([[1, 0], [0, 1]], [[0.5, 0.5], [0.25, 0.75]])
    assert metric.result() == before
    metric.reset()
    metric.update([[1, 0], [0, 1]], [[0.5, 0.5], [0.25, 0.75]])


def test_more_classes_than_a_matrix_has_by_default():
    assert metrics.confusion_matrix([0, 10], [0, 1], classes=11)[10, 1] == 1
    with pytest.raises(ValueError, match="Received: 10001 classes"):
        metrics.confusion_matrix([0], np.ones((1, 10_001)))


def test_they_serve_in_a_training():
    x = np.random.default_rng(0).standard_normal((50, 2))
    y = (x[:, :1] > 0).astype(int)
    model = Sequential([layers.Dense(1, "sigmoid")], seed=0)
    trainer = Trainer(model, "adam", "binary_crossentropy", ["precision", "recall", "f1", "auc"])
    trainer.fit(x, y, epochs=2, validation_split=0.2, verbose=0)
    logs = trainer.evaluate(x, y)
    p = model.predict(x)
    assert logs["f1"] == pytest.approx(sklearn.f1_score(y, p > 0.5))
    assert logs["auc"] == pytest.approx(sklearn.roc_auc_score(y, p))


def test_no_batch_and_an_empty_batch_are_no_error():
    for metric in (metrics.Precision(), metrics.Recall(), metrics.F1()):
        assert metric.result() == 0.0
        metric.update(np.zeros((0, 1), int), np.zeros((0, 1)))
        assert metric.result() == 0.0
    for metric in (metrics.AUC(), metrics.R2()):
        metric.update(np.zeros((0, 1)), np.zeros((0, 1)))
        assert math.isnan(metric.result())
