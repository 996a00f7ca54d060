"""Metrics: what is reported beside the loss.

A metric gathers batches by `update`, gives `result` for all since `reset`, and weighs samples as losses do: the
weighted mean Σ wᵢ vᵢ / Σ wᵢ. It sees probabilities where the loss is computed from logits.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import losses
from minidl.config import Configurable, Registry
from minidl.validation import number

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanMetric",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "registry",
]

Array = NDArray[Any]


class Metric(Configurable):
    """The base of all metrics; a subclass gives `update`, `result` and `reset`.

    Attributes:
        name: Its column in logs and histories.
        better: "max" or "min": which direction is the better one.
    """

    better = "max"

    def __init__(self, *, name: str) -> None:
        self.name = name

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in a batch."""
        raise NotImplementedError

    def result(self) -> float:
        """Return the metric of all batches since `reset`."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError


class MeanMetric(Metric):
    """The base of metrics that are a mean over samples; a subclass gives `values`.

        class Within(MeanMetric):
            better = "max"

            def values(self, y_true, y_pred):
                return (np.abs(y_pred - y_true) < 0.1).mean(axis=1)

        metric = Within(name="within")

    Its result is 0 as long as no sample, or none with a weight, was seen.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.reset()

    def values(self, y_true: Array, y_pred: Array) -> Array:
        """Return each sample's value, shape (batch,)."""
        raise NotImplementedError

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in a batch."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        values = np.asarray(self.values(y_true, y_pred))
        if values.shape != y_pred.shape[:1]:
            raise ValueError(
                f"{type(self).__name__}: values must return shape {y_pred.shape[:1]}, one for each sample. "
                f"Received: shape {values.shape}"
            )
        weight = losses.check_weight(type(self).__name__, sample_weight, len(values))
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


registry: Registry[Metric] = Registry("metric", Metric)


@registry.register("binary_accuracy")
class BinaryAccuracy(MeanMetric):
    """How often a prediction above `threshold` says the class 1, one up to it the class 0, over all outputs.

    Targets above 0.5 are of class 1. For a model whose outputs are logits and whose loss doesn't know it, the threshold
    is 0.

    >>> metric = BinaryAccuracy()
    >>> metric.update([[1], [0], [1]], [[0.9], [0.2], [0.5]])
    >>> round(metric.result(), 6)
    0.666667
    """

    def __init__(self, threshold: float = 0.5, *, name: str = "binary_accuracy") -> None:
        super().__init__(name=name)
        self.threshold = number("BinaryAccuracy", "threshold", threshold)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return losses.sample_means((y_pred > self.threshold) == (y_true > 0.5))


@registry.register("categorical_accuracy")
class CategoricalAccuracy(MeanMetric):
    """How often the most probable class is that of the one-hot target."""

    def __init__(self, *, name: str = "categorical_accuracy") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return losses.sample_means(y_pred.argmax(axis=-1) == y_true.argmax(axis=-1))


@registry.register("sparse_categorical_accuracy")
class SparseCategoricalAccuracy(MeanMetric):
    """How often the most probable class is the integer target.

    >>> metric = SparseCategoricalAccuracy()
    >>> metric.update([1, 0], [[0.2, 0.8], [0.3, 0.7]])
    >>> metric.result()
    0.5
    """

    def __init__(self, *, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape[:-1])
        return losses.sample_means(y_pred.argmax(axis=-1) == y_true)


@registry.register("accuracy", "acc")
class Accuracy(MeanMetric):
    """The accuracy that fits the shapes, as Keras's "accuracy" does.

    One output: `BinaryAccuracy`. Targets of an axis less than the predictions: `SparseCategoricalAccuracy`. Else
    `CategoricalAccuracy`; so for several independent yes-or-no outputs name `BinaryAccuracy` itself.
    """

    def __init__(self, *, name: str = "accuracy") -> None:
        super().__init__(name=name)
        self._binary = BinaryAccuracy()
        self._categorical = CategoricalAccuracy()
        self._sparse = SparseCategoricalAccuracy()

    def values(self, y_true: Array, y_pred: Array) -> Array:
        if y_pred.shape[-1:] == (1,) or y_pred.ndim == 1:
            return self._binary.values(y_true, y_pred)
        if y_true.ndim == y_pred.ndim - 1:
            return self._sparse.values(y_true, y_pred)
        return self._categorical.values(y_true, y_pred)


@registry.register("mse", "mean_squared_error")
class MeanSquaredError(MeanMetric):
    """The mean of (ŷ − y)²."""

    better = "min"

    def __init__(self, *, name: str = "mean_squared_error") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return losses.MeanSquaredError().per_sample(y_true, y_pred)


@registry.register("mae", "mean_absolute_error")
class MeanAbsoluteError(MeanMetric):
    """The mean of |ŷ − y|."""

    better = "min"

    def __init__(self, *, name: str = "mean_absolute_error") -> None:
        super().__init__(name=name)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        self._fit(y_true, y_pred, y_pred.shape)
        return losses.MeanAbsoluteError().per_sample(y_true, y_pred)
