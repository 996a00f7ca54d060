"""Keras's metrics. Samples' weights don't count in them, unless given to `compile` as `weighted_metrics`."""

import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minidl import metrics
from minidl.keras.face import Door, defaults_of, defaults_only, door, found, missing, offered, refuse
from minidl.targets import check_batch, check_weight

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "F1Score",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "get",
]

Metric = metrics.Metric

# Arguments of Keras's that may only have their default, or don't change what is computed.
EMPTY = ("top_k", "class_id", "dtype")


class BinaryAccuracy(Door):
    """The share of entries on the right side of `threshold`."""

    makes = (metrics.BinaryAccuracy,)

    @door
    def __new__(cls, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> Any: ...


class CategoricalAccuracy(Door):
    """The share of samples whose most probable class is the one-hot target's."""

    makes = (metrics.CategoricalAccuracy,)

    @door
    def __new__(cls, name: str = "categorical_accuracy", dtype: Any = None) -> Any: ...


class SparseCategoricalAccuracy(Door):
    """The share of samples whose most probable class is the label."""

    makes = (metrics.SparseCategoricalAccuracy,)

    @door
    def __new__(cls, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> Any: ...


class TopKCategoricalAccuracy(Door):
    """The share of samples whose class is among the `k` most probable."""

    makes = (metrics.TopKAccuracy,)

    @door
    def __new__(cls, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> Any: ...


class SparseTopKCategoricalAccuracy(Door):
    """The same, of labels."""

    makes = (metrics.TopKAccuracy,)

    @door
    def __new__(cls, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None) -> Any: ...


class MeanSquaredError(Door):
    """The mean of squared differences."""

    makes = (metrics.MeanSquaredError,)

    @door
    def __new__(cls, name: str = "mean_squared_error", dtype: Any = None) -> Any: ...


class MeanAbsoluteError(Door):
    """The mean of differences' sizes."""

    makes = (metrics.MeanAbsoluteError,)

    @door
    def __new__(cls, name: str = "mean_absolute_error", dtype: Any = None) -> Any: ...


class R2Score(Door):
    """The share of the targets' variance that is explained."""

    makes = (metrics.R2,)

    @door
    def __new__(
        cls, class_aggregation: str = "uniform_average", num_regressors: int = 0, name: str = "r2_score",
        dtype: Any = None,
    ) -> Any: ...  # fmt: skip


class F1Score(Door):
    """The harmonic mean of precision and recall; `average="macro"` is the one that is supported."""

    makes = (metrics.F1,)

    def __new__(
        cls, average: str | None = None, threshold: float | None = None, name: str = "f1_score", dtype: Any = None
    ) -> Any:
        defaults_only("keras F1Score", {"threshold": None}, {"threshold": threshold})
        if average is None:
            raise refuse("keras F1Score", "average", average, "a number a class is no metric here: average='macro'")
        return metrics.F1(average, name=name)


class AUC(Door):
    """The area under the ROC curve, exact, where Keras interpolates between 200 thresholds."""

    makes = (metrics.AUC,)

    @door
    def __new__(
        cls, num_thresholds: int = 200, curve: str = "ROC", summation_method: str = "interpolation",
        name: str = "auc", dtype: Any = None, thresholds: Any = None, multi_label: bool = False,
        num_labels: int | None = None, label_weights: Any = None, from_logits: bool = False,
    ) -> Any: ...  # fmt: skip


class _Own(metrics.Metric):
    """A metric that ours haven't; its config has what computes, under a name that says where it is from."""

    @classmethod
    def _arguments(cls) -> dict[str, inspect.Parameter]:
        return {name: one for name, one in super()._arguments().items() if name not in EMPTY}


@metrics.registry.register()
class RootMeanSquaredError(_Own, metrics.MeanSquaredError):
    """The root of the mean of squared differences."""

    described_as = "minidl.keras.metrics.RootMeanSquaredError"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name=name)

    def result(self) -> float:
        return float(super().result() ** 0.5)


class _Thresholded(_Own):
    """Counts predictions above a threshold."""

    def __init__(self, thresholds: float | None, top_k: Any, class_id: Any, name: str, dtype: Any) -> None:
        super().__init__(name=name)
        empty = {"top_k": top_k, "class_id": class_id}
        defaults_only(f"keras {type(self).__name__}", defaults_of(type(self)), empty)
        if isinstance(thresholds, (list, tuple)):
            raise refuse(f"keras {type(self).__name__}", "thresholds", thresholds, "one number is")
        self.thresholds = 0.5 if thresholds is None else float(thresholds)
        self.reset()

    def update(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        owner = type(self).__name__
        y_true, y_pred = check_batch(owner, y_true, y_pred)
        if y_true.size != y_pred.size:
            raise ValueError(
                f"{owner}: targets must have the shape of the predictions. "
                f"Received: y_true of shape {y_true.shape}, y_pred of shape {y_pred.shape}"
            )
        weight = check_weight(owner, sample_weight, len(y_pred))
        each = np.ones(len(y_pred)) if weight is None else weight
        yes, said = y_true.reshape(len(y_pred), -1) > 0, y_pred.reshape(len(y_pred), -1) > self.thresholds
        self.true_positives += float(((yes & said).sum(axis=1) * each).sum())
        self.of += float((self.among(yes, said).sum(axis=1) * each).sum())

    def among(self, yes: Any, said: Any) -> Any:
        """Return of which entries the share is taken."""
        raise NotImplementedError

    def result(self) -> float:
        return self.true_positives / self.of if self.of else 0.0

    def reset(self) -> None:
        self.true_positives = self.of = 0.0


@metrics.registry.register()
class Precision(_Thresholded):
    """Of the entries predicted above the threshold, the share that is right; 0 if there are none."""

    described_as = "minidl.keras.metrics.Precision"

    def __init__(
        self, thresholds: float | None = None, top_k: Any = None, class_id: Any = None, name: str = "precision",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def among(self, yes: Any, said: Any) -> Any:
        return said


@metrics.registry.register()
class Recall(_Thresholded):
    """Of the entries that are true, the share predicted above the threshold; 0 if there are none."""

    described_as = "minidl.keras.metrics.Recall"

    def __init__(
        self, thresholds: float | None = None, top_k: Any = None, class_id: Any = None, name: str = "recall",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def among(self, yes: Any, said: Any) -> Any:
        return yes


class Accuracy(Door):
    """What the name "accuracy" stands for: the accuracy that fits targets and predictions."""

    makes = (metrics.Accuracy,)

    @door
    def __new__(cls, name: str = "accuracy", dtype: Any = None) -> Any: ...


_SHORT = {"acc": Accuracy, "mse": MeanSquaredError, "mae": MeanAbsoluteError}


def get(identifier: Any) -> Any:
    """Return the metric that a name, a class or an object stands for; one given by name has it as its column."""
    if isinstance(identifier, str):
        kind = found("metric", {**offered(globals(), type, Metric), **_SHORT}, identifier)
        return kind(name=identifier.lower())
    if isinstance(identifier, type):
        identifier = identifier()
    if not isinstance(identifier, metrics.Metric):
        raise refuse("keras compile", "metrics", identifier, "a metric of one's own is a minidl.metrics.Metric")
    return identifier


__getattr__ = missing("keras.metrics", __all__)
