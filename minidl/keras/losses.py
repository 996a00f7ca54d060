"""Keras's losses. A weighted loss is Σ wᵢ ℓᵢ over the number of samples, as there."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import losses
from minidl.keras.face import Door, Doorway, door, found, missing, offered, refuse
from minidl.targets import check_batch

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CosineSimilarity",
    "Function",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "categorical_crossentropy",
    "cosine_similarity",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

MEAN = "sum_over_batch_size"

Loss = losses.Loss


class MeanSquaredError(Door):
    """The mean of squared differences."""

    makes = (losses.MeanSquaredError,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class MeanAbsoluteError(Door):
    """The mean of differences' sizes."""

    makes = (losses.MeanAbsoluteError,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class Huber(Door):
    """Squared up to `delta`, linear beyond."""

    makes = (losses.Huber,)

    @door
    def __new__(cls, delta: float = 1.0, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class LogCosh(Door):
    """log cosh of the difference."""

    makes = (losses.LogCosh,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class Poisson(Door):
    """ŷ − y log ŷ."""

    makes = (losses.Poisson,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class CosineSimilarity(Door):
    """Minus the cosine of the angle between target and prediction."""

    makes = (losses.CosineSimilarity,)

    @door
    def __new__(cls, axis: int = -1, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class Hinge(Door):
    """max(0, 1 − y ŷ)."""

    makes = (losses.Hinge,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class SquaredHinge(Door):
    """max(0, 1 − y ŷ)²."""

    makes = (losses.SquaredHinge,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class KLDivergence(Door):
    """Σ y log(y / ŷ)."""

    makes = (losses.KLDivergence,)

    @door
    def __new__(cls, reduction: str = MEAN, name: str | None = None, dtype: Any = None) -> Any: ...


class BinaryCrossentropy(Door):
    """The cross-entropy of probabilities, or of logits, of yes."""

    makes = (losses.BinaryCrossentropy,)

    @door
    def __new__(
        cls, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, reduction: str = MEAN,
        name: str | None = None, dtype: Any = None,
    ) -> Any: ...  # fmt: skip


class CategoricalCrossentropy(Door):
    """The cross-entropy of classes, the targets as one-hot rows."""

    makes = (losses.CategoricalCrossentropy,)

    @door
    def __new__(
        cls, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, reduction: str = MEAN,
        name: str | None = None, dtype: Any = None,
    ) -> Any: ...  # fmt: skip


class SparseCategoricalCrossentropy(Door):
    """The cross-entropy of classes, the targets as labels."""

    makes = (losses.SparseCategoricalCrossentropy,)

    @door
    def __new__(
        cls, from_logits: bool = False, ignore_class: int | None = None, reduction: str = MEAN, axis: int = -1,
        name: str | None = None, dtype: Any = None,
    ) -> Any: ...  # fmt: skip


class Function:
    """A loss as Keras's function: each sample's loss. `compile(loss=...)` takes it too."""

    def __init__(self, made_by: Any) -> None:
        self.made_by = made_by

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, **options: Any) -> NDArray[Any]:
        """Return the samples' losses, shape (batch,)."""
        loss = self.made_by(**options)
        y_true, y_pred = check_batch("keras loss", y_true, np.asarray(y_pred, np.float32), loss.axes)
        loss.check(y_true, y_pred)
        values: NDArray[Any] = loss.per_sample(y_true, y_pred)
        return values


mean_squared_error = Function(MeanSquaredError)
mean_absolute_error = Function(MeanAbsoluteError)
huber = Function(Huber)
log_cosh = Function(LogCosh)
poisson = Function(Poisson)
cosine_similarity = Function(CosineSimilarity)
hinge = Function(Hinge)
squared_hinge = Function(SquaredHinge)
kl_divergence = Function(KLDivergence)
binary_crossentropy = Function(BinaryCrossentropy)
categorical_crossentropy = Function(CategoricalCrossentropy)
sparse_categorical_crossentropy = Function(SparseCategoricalCrossentropy)

_SHORT: dict[str, Callable[..., Any]] = {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
}


def get(identifier: Any) -> Any:
    """Return the loss that a name, a class, one of these functions or an object stands for."""
    if isinstance(identifier, str):
        identifier = found("loss", {**offered(globals(), Doorway), **_SHORT}, identifier)
    if isinstance(identifier, Function):
        identifier = identifier.made_by
    if isinstance(identifier, Doorway):
        return identifier()
    if callable(identifier) and not isinstance(identifier, losses.Loss):
        raise refuse(
            "keras compile", "loss", identifier, "a loss of one's own is a minidl.losses.Loss with its gradient"
        )
    return losses.registry.get(identifier)


__getattr__ = missing("keras.losses", __all__)
