"""Metrics: what is reported beside the loss.

A metric gathers batches by `update`, gives `result` for all since `reset`, and weighs samples as losses do: the
weighted mean Σ wᵢ vᵢ / Σ wᵢ. It sees probabilities where the loss is computed from logits.
"""

import math
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import losses
from minidl.config import Configurable, Registry, checked
from minidl.splitting import class_labels
from minidl.targets import check_batch, check_labels, check_unit, check_weight, sample_means
from minidl.validation import checked_state, describe, integer, numbers

__all__ = [
    "AUC",
    "F1",
    "R2",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanMetric",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "SparseCategoricalAccuracy",
    "TopKAccuracy",
    "confusion_matrix",
    "registry",
]

Array = NDArray[Any]

# More classes than that are rather a mistake than a matrix of gigabytes.
MOST_CLASSES = 10_000


NUMBER = (int, float, np.number)  # a sum that begins as 0 may become any


class Metric(Configurable):
    """The base of all metrics; a subclass gives `update`, `result` and `reset`.

    Attributes:
        name: Its column in logs and histories, a text.
        better: "max" or "min": which direction is the better one.
        weighted: Whether a Trainer gives it the samples' weights (True).
    """

    better = "max"
    weighted = True
    ranges = {"weighted": "bool"}
    described_settings = ("weighted",)

    def __init__(self, *, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: name must be a text. Received: name={describe(name)}")
        self.name = name

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in a batch.

        Raises:
            ValueError: If the targets, predictions or weights don't fit each other, or hold what they mustn't; the
                batch is then not counted.
        """
        raise NotImplementedError(f"{type(self).__name__}: a metric must give update(y_true, y_pred, sample_weight)")

    def result(self) -> float:
        """Return the metric of all batches since `reset`."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must give result()")

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must give reset()")

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what was gathered since `reset`: all attributes but what a config tells."""
        told = {*self._arguments(), *self.described_settings}
        return {name: deepcopy(value) for name, value in vars(self).items() if name not in told}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Raises:
            ValueError, TypeError: If it isn't the state of such a metric; nothing is changed then.
        """
        own = self.state_dict()
        loaded = checked_state(type(self).__name__, state, own)
        for name, value in own.items():
            number_like = isinstance(value, NUMBER) and not isinstance(value, bool)
            kind = NUMBER if number_like else type(value)
            other = not isinstance(loaded[name], kind) or (number_like and isinstance(loaded[name], bool))
            if value is not None and other:
                raise TypeError(
                    f"{type(self).__name__}: {name} must be like {describe(value)}. "
                    f"Received: {name}={describe(loaded[name])}"
                )
        vars(self).update(deepcopy(loaded))


class MeanMetric(Metric):
    """The base of metrics that are a mean over samples; a subclass gives `values`.

        class Within(MeanMetric):
            better = "max"

            def values(self, y_true, y_pred):
                return (np.abs(y_pred - y_true) < 0.1).mean(axis=1)

        metric = Within(name="within")

    Its result is 0 as long as no sample, or none with a weight, was seen.
    """

    #: How many axes predictions have at least.
    axes: ClassVar[int] = 1

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.reset()

    def values(self, y_true: Array, y_pred: Array) -> Array:
        """Return each sample's value, shape (batch,)."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must give values(y_true, y_pred)")

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in a batch."""
        y_true, y_pred = check_batch(type(self).__name__, y_true, y_pred, self.axes)
        if y_pred.dtype.kind != "f":
            y_pred = y_pred.astype(np.float64)
        values = numbers(type(self).__name__, "what values returns", self.values(y_true, y_pred))
        if values.shape != y_pred.shape[:1]:
            raise ValueError(
                f"{type(self).__name__}: values must return shape {y_pred.shape[:1]}, one for each sample. "
                f"Received: shape {values.shape}"
            )
        weight = check_weight(type(self).__name__, sample_weight, len(values))
        self._sum += float(values.sum(dtype=np.float64) if weight is None else (values * weight).sum())
        self._weight += float(len(values) if weight is None else weight.sum())

    def result(self) -> float:
        """Return the weighted mean since `reset`."""
        return self._sum / self._weight if self._weight else 0.0

    def reset(self) -> None:
        """Forget all batches."""
        self._sum = 0.0
        self._weight = 0.0

    def _fit(self, y_true: Array, y_pred: Array, shape: tuple[int, ...]) -> None:
        if y_true.shape != shape:
            raise ValueError(
                f"{type(self).__name__}: targets must have shape {shape} for predictions of shape {y_pred.shape}. "
                f"Received: shape {y_true.shape}"
            )

    def _fit_labels(self, y_true: Array, y_pred: Array) -> None:
        self._fit(y_true, y_pred, y_pred.shape[:-1])
        check_labels(type(self).__name__, y_true, y_pred.shape[-1])


def _binary_values(y_true: Array, y_pred: Array, threshold: float = 0.5) -> Array:
    return sample_means((y_pred > threshold) == (y_true > 0.5))


def _categorical_values(y_true: Array, y_pred: Array) -> Array:
    return sample_means(y_pred.argmax(axis=-1) == y_true.argmax(axis=-1))


def _sparse_values(y_true: Array, y_pred: Array) -> Array:
    return sample_means(y_pred.argmax(axis=-1) == y_true)


registry: Registry[Metric] = Registry("metric", Metric)


@registry.register("binary_accuracy")
class BinaryAccuracy(MeanMetric):
    """How often a prediction above `threshold` says the class 1, one up to it the class 0, over all outputs.

    Targets above 0.5 are of class 1.

    Args:
        threshold: Any finite number; 0 for a model whose outputs are logits and whose loss doesn't know it.
        name: See `Metric`.

    >>> metric = BinaryAccuracy()
    >>> metric.update([[1], [0], [1]], [[0.9], [0.2], [0.5]])
    >>> round(metric.result(), 6)
    0.666667
    """

    ranges = {"threshold": "(-inf, inf)"}

    def __init__(self, threshold: float = 0.5, *, name: str = "binary_accuracy") -> None:
        super().__init__(name=name)
        self.threshold = threshold

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return _binary_values(y_true, y_pred, self.threshold)


@registry.register("categorical_accuracy")
class CategoricalAccuracy(MeanMetric):
    """How often the most probable class is that of the one-hot target.

    >>> metric = CategoricalAccuracy()
    >>> metric.update([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]])
    >>> metric.result()
    0.5
    """

    axes = 2

    def __init__(self, *, name: str = "categorical_accuracy") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return _categorical_values(y_true, y_pred)


@registry.register("sparse_categorical_accuracy")
class SparseCategoricalAccuracy(MeanMetric):
    """How often the most probable class is the integer target, in 0 .. classes − 1.

    >>> metric = SparseCategoricalAccuracy()
    >>> metric.update([1, 0], [[0.2, 0.8], [0.3, 0.7]])
    >>> metric.result()
    0.5
    """

    axes = 2

    def __init__(self, *, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit_labels(y_true, y_pred)
        return _sparse_values(y_true, y_pred)


@registry.register("accuracy", "acc")
class Accuracy(MeanMetric):
    """The accuracy that fits the shapes, as Keras's "accuracy" does.

    One output: `BinaryAccuracy`. Targets of an axis less than the predictions: `SparseCategoricalAccuracy`. Else
    `CategoricalAccuracy`; so for several independent yes-or-no outputs name `BinaryAccuracy` itself.

    >>> metric = Accuracy()
    >>> metric.update([1, 0], [[0.2, 0.8], [0.3, 0.7]])
    >>> metric.result()
    0.5
    """

    def __init__(self, *, name: str = "accuracy") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        one_output = y_pred.shape[-1:] == (1,) or y_pred.ndim == 1
        if y_true.ndim == y_pred.ndim - 1 and not one_output:
            self._fit_labels(y_true, y_pred)
            return _sparse_values(y_true, y_pred)
        self._fit(y_true, y_pred, y_pred.shape)
        return _binary_values(y_true, y_pred) if one_output else _categorical_values(y_true, y_pred)


@registry.register("mse", "mean_squared_error")
class MeanSquaredError(MeanMetric):
    """The mean of (ŷ − y)² over a sample's outputs, and over samples.

    >>> metric = MeanSquaredError()
    >>> metric.update([[0.0, 1.0]], [[1.0, 3.0]])
    >>> metric.result()
    2.5
    """

    better = "min"

    def __init__(self, *, name: str = "mean_squared_error") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return losses.MeanSquaredError().per_sample(y_true, y_pred)


@registry.register("mae", "mean_absolute_error")
class MeanAbsoluteError(MeanMetric):
    """The mean of |ŷ − y| over a sample's outputs, and over samples.

    >>> metric = MeanAbsoluteError()
    >>> metric.update([[0.0, 1.0]], [[1.0, 3.0]])
    >>> metric.result()
    1.5
    """

    better = "min"

    def __init__(self, *, name: str = "mean_absolute_error") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return losses.MeanAbsoluteError().per_sample(y_true, y_pred)


@registry.register("top_k_accuracy")
class TopKAccuracy(MeanMetric):
    """How often the class of the target is among the k most probable.

    It is if fewer than k classes are more probable; so ties count for the target, as in Keras. Targets are integers or
    one-hot.

    Args:
        k: At least 1; Keras's default is 5.
        name: See `Metric`.

    >>> metric = TopKAccuracy(k=2)
    >>> metric.update([2, 0], [[0.5, 0.3, 0.2], [0.4, 0.5, 0.1]])
    >>> metric.result()
    0.5
    """

    axes = 2
    ranges = {"k": "int [1, inf)"}

    def __init__(self, k: int = 5, *, name: str = "top_k_accuracy") -> None:
        super().__init__(name=name)
        self.k = k

    def values(self, y_true: Array, y_pred: Array) -> Array:
        if y_true.ndim == y_pred.ndim:
            self._fit(y_true, y_pred, y_pred.shape)
            y_true = y_true.argmax(axis=-1)
        self._fit_labels(y_true, y_pred)
        own = np.take_along_axis(y_pred, y_true[..., None].astype(np.intp), axis=-1)
        return sample_means((y_pred > own).sum(axis=-1) < self.k)


@checked
def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, *, classes: int | None = None, sample_weight: ArrayLike | None = None
) -> Array:
    """Return how many samples of each class (row) are taken for which class (column), or the sum of their weights.

    Args:
        y_true: Classes: integers, shape (n,) or (n, 1), or one-hot rows.
        y_pred: Classes alike; or probabilities: (n, classes), or (n, 1) for the class 1 of two, cut at 0.5.
        classes: How many there are, not fewer than probabilities; by default as many as `y_true` and `y_pred` show, up
            to 10,000.
        sample_weight: A weight for each sample.

    Raises:
        ValueError: If classes and predictions don't fit each other, or a class is beyond `classes` or below 0.

    >>> confusion_matrix([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).tolist()
    [[1, 0], [1, 1]]
    """
    return _confusion("confusion_matrix", y_true, y_pred, classes, sample_weight)


def _confusion(
    owner: str, y_true: ArrayLike, y_pred: ArrayLike, classes: int | None, sample_weight: ArrayLike | None
) -> Array:
    true, pred = class_labels(numbers(owner, "targets", y_true), owner), numbers(owner, "predictions", y_pred)
    shown, given = 0, [true]
    if pred.dtype.kind == "f" and pred.ndim == 2 and pred.shape[1]:
        shown = max(2, pred.shape[1])
        pred = pred.argmax(axis=1) if pred.shape[1] > 1 else (pred[:, 0] > 0.5).astype(int)
    else:
        pred = class_labels(pred, owner)
        given.append(pred)
    if len(true) != len(pred):
        raise ValueError(
            f"{owner}: there must be a prediction for each target. Received: {len(true)} targets, "
            f"{len(pred)} predictions"
        )
    low, high = (min(map(np.min, given)), max(map(np.max, given))) if len(true) else (0, -1)
    size = max(shown, int(high) + 1) if classes is None else integer(owner, "classes", classes, max(1, shown))
    if low < 0 or high >= size:
        raise ValueError(f"{owner}: classes must be in 0 .. {max(size, 1) - 1}. Received: from {low} to {high}")
    if classes is None and size > MOST_CLASSES:
        raise ValueError(
            f"{owner}: classes must be given if they are more than {MOST_CLASSES}. Received: {size} classes"
        )
    weight = check_weight(owner, sample_weight, len(true))
    counts = np.bincount(true * size + pred, weight, size * size).reshape(size, size)
    return counts if weight is not None else counts.astype(np.int64)


class _FromCounts(Metric):
    """The base of metrics that are computed from the confusion matrix of all batches.

    Args:
        average: For more than two classes: "macro" (default) is the mean over the classes that are there, as targets or
            as predictions; "micro" counts all classes together, which is the accuracy. With one output it is the value
            of class 1, cut at 0.5, whatever `average` says.
        name: See `Metric`.

    What has nothing to be counted, such as the precision of a class that is never predicted, counts as 0. All batches
    must have as many outputs, and no class beyond them.
    """

    ranges = {"average": "'macro' | 'micro'"}

    def __init__(self, average: str = "macro", *, name: str) -> None:
        super().__init__(name=name)
        self.average = average
        self.reset()

    def reset(self) -> None:
        self._matrix = np.zeros((0, 0))
        self._outputs = 0

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        owner = type(self).__name__
        y_true, y_pred = check_batch(owner, y_true, y_pred)
        y_pred = y_pred[:, None] if y_pred.ndim == 1 else y_pred
        outputs = _same_outputs(owner, self._outputs, y_pred.shape[1])
        matrix = _confusion(owner, y_true, y_pred, max(2, outputs), sample_weight)
        self._matrix = self._matrix + matrix if self._outputs else matrix.astype(np.float64)
        self._outputs = outputs

    def result(self) -> float:
        hits, true, pred = np.diag(self._matrix), self._matrix.sum(axis=1), self._matrix.sum(axis=0)
        binary = self._outputs == 1
        if binary:
            hits, true, pred = hits[1:], true[1:], pred[1:]
        elif self.average == "micro":
            hits, true, pred = (np.array([part.sum()]) for part in (hits, true, pred))
        there = (true > 0) | (pred > 0) | binary
        value = self.value(hits, true, pred)[there]
        return float(value.mean()) if len(value) else 0.0

    def value(self, hits: Array, true: Array, pred: Array) -> Array:
        """Return each class's value from its hits, its targets and its predictions."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must give value(hits, true, pred)")


def _same_outputs(owner: str, before: int, now: int) -> int:
    """Return how many outputs this batch has; raise ValueError if those before (0: there were none) had others."""
    if before not in (0, now):
        raise ValueError(f"{owner}: all batches must have as many outputs. Received: {before}, then {now}")
    return now


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


@registry.register("precision")
class Precision(_FromCounts):
    """Which part of the samples that are taken for a class is of that class: hits / predictions.

    Args:
        average: Of more than two classes: "macro" (default), the mean of those that are there, or "micro", all at once.
        name: See `Metric`.

    >>> metric = Precision()
    >>> metric.update([[1], [0], [1]], [[0.9], [0.8], [0.1]])
    >>> metric.result()
    0.5
    """

    def __init__(self, average: str = "macro", *, name: str = "precision") -> None:
        super().__init__(average, name=name)

    def value(self, hits: Array, true: Array, pred: Array) -> Array:
        return _ratio(hits, pred)


@registry.register("recall")
class Recall(_FromCounts):
    """Which part of the samples of a class is taken for it: hits / targets.

    Args:
        average: See `Precision`.
        name: See `Metric`.

    >>> metric = Recall()
    >>> metric.update([[1], [0], [1], [1]], [[0.9], [0.8], [0.1], [0.6]])
    >>> round(metric.result(), 6)
    0.666667
    """

    def __init__(self, average: str = "macro", *, name: str = "recall") -> None:
        super().__init__(average, name=name)

    def value(self, hits: Array, true: Array, pred: Array) -> Array:
        return _ratio(hits, true)


@registry.register("f1")
class F1(_FromCounts):
    """The harmonic mean of precision and recall: 2 · hits / (targets + predictions).

    Args:
        average: See `Precision`; "macro" is the mean of each class's own.
        name: See `Metric`.

    >>> metric = F1()
    >>> metric.update([[1], [0], [1]], [[0.9], [0.8], [0.1]])
    >>> metric.result()
    0.5
    """

    def __init__(self, average: str = "macro", *, name: str = "f1") -> None:
        super().__init__(average, name=name)

    def value(self, hits: Array, true: Array, pred: Array) -> Array:
        return _ratio(2 * hits, true + pred)


@registry.register("auc", "roc_auc")
class AUC(Metric):
    """The area under the ROC curve of one output: how probably a sample of class 1 gets more than one of class 0.

    Equal predictions count half; a target above 0.5 is of class 1. The predictions of all batches are kept until
    `reset`, and the area is exact.
    It is NaN as long as one of the classes is missing.
    Differs from: Keras's AUC is approximated from 200 thresholds.

    >>> metric = AUC()
    >>> metric.update([[0], [0], [1], [1]], [[0.1], [0.4], [0.35], [0.8]])
    >>> metric.result()
    0.75
    """

    def __init__(self, *, name: str = "auc") -> None:
        super().__init__(name=name)
        self.reset()

    def reset(self) -> None:
        self._batches: list[tuple[Array, Array, Array]] = []

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        true, pred = check_batch("AUC", y_true, y_pred)
        if true.shape != pred.shape or pred.size != len(pred):
            raise ValueError(
                f"AUC: targets and predictions must have one shape, (n,) or (n, 1). "
                f"Received: y_true of shape {true.shape}, y_pred of shape {pred.shape}"
            )
        check_unit("AUC", true)
        missing = int(np.isnan(pred).sum())
        if missing:
            raise ValueError(f"AUC: predictions must not be NaN. Received: {missing} of {len(pred)} NaN")
        weight = check_weight("AUC", sample_weight, len(pred))
        pred = pred.astype(np.float64).ravel()
        self._batches.append((true.ravel() > 0.5, pred, np.ones(len(pred)) if weight is None else weight))

    def result(self) -> float:
        if not self._batches:
            return float("nan")
        true, pred, weight = (np.concatenate(parts) for parts in zip(*self._batches, strict=True))
        _, place = np.unique(pred, return_inverse=True)
        ones = np.bincount(place, weight * true)
        zeros = np.bincount(place, weight * ~true, len(ones))
        pairs = ones.sum() * zeros.sum()
        below = np.cumsum(zeros) - zeros
        return float((ones * (below + zeros / 2)).sum() / pairs) if pairs else float("nan")


@registry.register("r2")
class R2(Metric):
    """R² = 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)², the part of the variance that is explained; the mean over outputs.

    1 is perfect, 0 as good as the mean ȳ, below 0 worse. An output whose targets are all equal counts 1 if predicted
    exactly, else 0. Source: scikit-learn's `r2_score`.

    >>> metric = R2()
    >>> metric.update([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]])
    >>> metric.result()
    0.5
    """

    def __init__(self, *, name: str = "r2") -> None:
        super().__init__(name=name)
        self.reset()

    def reset(self) -> None:
        self._outputs = 0
        self._weight = 0.0
        self._mean: Array = np.zeros(1)
        self._spread: Array = np.zeros(1)
        self._error: Array = np.zeros(1)

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        true, pred = check_batch("R2", y_true, y_pred)
        if true.shape != pred.shape:
            raise ValueError(
                f"R2: targets must have the shape of the predictions. "
                f"Received: y_true of shape {true.shape}, y_pred of shape {pred.shape}"
            )
        outputs = _same_outputs("R2", self._outputs, math.prod(pred.shape[1:]))
        given = check_weight("R2", sample_weight, len(pred))
        weight = np.ones(len(pred)) if given is None else given
        total = weight.sum()
        if not total:
            return
        self._outputs = outputs
        true, pred = (part.astype(np.float64).reshape(len(part), -1) for part in (true, pred))
        # Sums of squares about the batch's own mean, merged: sums of raw squares would cancel.
        mean = weight @ true / total
        shift = mean - self._mean
        share = total / (self._weight + total)
        self._spread = self._spread + weight @ (true - mean) ** 2 + shift**2 * self._weight * share
        self._error = self._error + weight @ (true - pred) ** 2
        self._mean = self._mean + shift * share
        self._weight += total

    def result(self) -> float:
        if not self._weight:
            return float("nan")
        exact = np.where(self._error == 0, 1.0, 0.0)
        value = 1 - np.divide(self._error, self._spread, out=1 - exact, where=self._spread > 0)
        return float(value.mean())
