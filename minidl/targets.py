"""What targets, predictions and weights must be, for losses and metrics alike."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.validation import describe, numbers

__all__ = ["check_batch", "check_labels", "check_unit", "check_weight", "sample_means"]

Array = NDArray[Any]


def check_batch(owner: str, y_true: ArrayLike, y_pred: ArrayLike, axes: int = 1) -> tuple[Array, Array]:
    """Return targets and predictions as arrays; raise ValueError if they aren't numbers, or have too few axes."""
    y_pred, y_true = numbers(owner, "predictions", y_pred), numbers(owner, "targets", y_true)
    if y_pred.ndim < axes:
        raise ValueError(
            f"{owner}: predictions must have at least {axes} {'axis' if axes == 1 else 'axes'}, the batch first. "
            f"Received: y_pred of shape {y_pred.shape}"
        )
    return y_true, y_pred


def check_labels(owner: str, labels: Array, classes: int) -> None:
    """Raise ValueError unless `labels` are integers in 0 .. classes − 1."""
    if labels.dtype.kind not in "iu":
        whole = labels.dtype.kind in "fb" and np.array_equal(labels, np.round(labels))
        raise ValueError(
            f"{owner}: targets must be integers{'; y_true.astype(int) makes them so' if whole else ''}. "
            f"Received: {describe(labels)}"
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"{owner}: labels must be in 0 .. {classes - 1}, for {classes} outputs. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )


def check_unit(owner: str, y_true: Array) -> None:
    """Raise ValueError unless all targets are in [0, 1]."""
    if y_true.size and not (y_true.min() >= 0 and y_true.max() <= 1):
        raise ValueError(
            f"{owner}: targets must be in [0, 1]. Received: y_true from {y_true.min():g} to {y_true.max():g}"
        )


def check_weight(owner: str, sample_weight: ArrayLike | None, n: int) -> Array | None:
    """Return the weights of `n` samples as float64, or None; raise ValueError if they aren't weights."""
    if sample_weight is None:
        return None
    weight = numbers(owner, "sample_weight", sample_weight).astype(np.float64, order="C")  # nobody changes a copy
    if weight.shape != (n,):
        raise ValueError(f"{owner}: sample_weight must have shape ({n},). Received: shape {weight.shape}")
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(
            f"{owner}: sample_weight must be finite and not negative. "
            f"Received: from {weight.min():g} to {weight.max():g}"
        )
    return weight


def sample_means(values: Array) -> Array:
    """Return the mean over all axes but the first, shape (batch,)."""
    return values.mean(axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values
