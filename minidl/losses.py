"""Losses: what training makes small.

`loss(y_true, y_pred, sample_weight)` is the weighted mean Σ wᵢ ℓᵢ / Σ wᵢ over the samples i of a batch, so that a
weight of 2 is the sample twice; `loss.gradient(...)` is the gradient of that number by `y_pred`. A sample's ℓᵢ is
the mean over its other axes. If all weights are 0, the loss is 0 and so is its gradient.

A model that ends in `Softmax` or `Sigmoid` is trained on the logits that go into it, under the cross-entropy
that belongs to it, so that a probability of 0 never makes an infinity. For a model that ends without, say
`from_logits=True`.
"""

import copy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import functions
from minidl.config import Configurable, Registry
from minidl.validation import describe, flag, numbers

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "check_batch",
    "check_labels",
    "check_unit",
    "check_weight",
    "registry",
    "sample_means",
]

Array = NDArray[Any]


class Loss(Configurable):
    """The base of all losses.

    A subclass gives `per_sample` and `per_sample_gradient`, and `check` where targets aren't simply numbers in the
    shape of the predictions:

        class LogCosh(Loss):
            def per_sample(self, y_true, y_pred):
                return np.log(np.cosh(y_pred - y_true)).mean(axis=1)

            def per_sample_gradient(self, y_true, y_pred):
                return np.tanh(y_pred - y_true) / y_pred.shape[1]
    """

    #: The activation whose inputs ("logits") the loss can be computed from: "softmax", "sigmoid" or None.
    link_name: ClassVar[str | None] = None
    #: How many axes predictions have at least.
    axes: ClassVar[int] = 1
    from_logits = False

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the weighted mean of the samples' losses, as a Python float."""
        return self.value_and_gradient(y_true, y_pred, sample_weight, gradient=False)[0]

    def gradient(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """Return the gradient of `loss(y_true, y_pred, sample_weight)` by `y_pred`, in its shape and dtype."""
        return self.value_and_gradient(y_true, y_pred, sample_weight)[1]

    def value_and_gradient(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        gradient: bool = True,
    ) -> tuple[float, Array]:
        """Return both, or an empty array for the gradient if it isn't wanted.

        Raises:
            ValueError: If the targets, predictions or weights don't fit each other, or hold what they mustn't.
        """
        y_true, y_pred = check_batch(type(self).__name__, y_true, y_pred, self.axes)
        if y_pred.dtype.kind != "f":
            y_pred = y_pred.astype(np.float64)
        self.check(y_true, y_pred)
        weight = check_weight(type(self).__name__, sample_weight, len(y_pred))
        total = float(len(y_pred)) if weight is None else float(weight.sum())
        if total == 0:
            return 0.0, np.zeros_like(y_pred) if gradient else y_pred[:0]
        losses = self._shaped("per_sample", self.per_sample(y_true, y_pred), y_pred.shape[:1]).astype(np.float64)
        value = float(losses.sum() if weight is None else (losses * weight).sum()) / total
        if not gradient:
            return value, y_pred[:0]
        slopes = self._shaped("per_sample_gradient", self.per_sample_gradient(y_true, y_pred), y_pred.shape)
        slopes = slopes.astype(y_pred.dtype, copy=False)
        if weight is None:
            slopes /= total
        else:
            slopes *= (weight / total).astype(slopes.dtype).reshape(-1, *[1] * (slopes.ndim - 1))
        return value, slopes

    def check(self, y_true: Array, y_pred: Array) -> None:
        """Raise ValueError if the targets don't fit the predictions."""
        self._check_same_shape(y_true, y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return each sample's loss, shape (batch,)."""
        raise NotImplementedError(f"{type(self).__name__}: a loss must give per_sample(y_true, y_pred)")

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        """Return the gradient of each sample's loss by its own prediction, as a new array shaped like `y_pred`."""
        raise NotImplementedError(f"{type(self).__name__}: a loss must give per_sample_gradient(y_true, y_pred)")

    def on_logits(self) -> "Loss":
        """Return this loss, computed from logits; raise TypeError if there is no such thing."""
        if self.link_name is None:
            raise TypeError(f"{type(self).__name__}: can't be computed from logits. Received: {self!r}")
        loss = copy.copy(self)
        loss.from_logits = True
        return loss

    def predictions(self, y_pred: Array) -> Array:
        """Return what metrics should see: the probabilities, if the loss is computed from logits."""
        if not self.from_logits:
            return y_pred
        return functions.softmax(y_pred) if self.link_name == "softmax" else functions.sigmoid(y_pred)

    def _shaped(self, method: str, result: Any, shape: tuple[int, ...]) -> Array:
        array = numbers(type(self).__name__, f"what {method} returns", result)
        if array.shape != shape:
            raise ValueError(
                f"{type(self).__name__}: {method} must return shape {shape}, the batch first. "
                f"Received: shape {array.shape}"
            )
        return array

    def _check_same_shape(self, y_true: Array, y_pred: Array) -> None:
        if y_true.shape != y_pred.shape:
            hint = ""
            if y_true.size == y_pred.size:
                hint = f"; y_true.reshape({', '.join(map(str, (-1, *y_pred.shape[1:])))}) would fit"
            raise ValueError(
                f"{type(self).__name__}: targets must have the shape of the predictions. "
                f"Received: y_true of shape {y_true.shape}, y_pred of shape {y_pred.shape}{hint}"
            )

    def _check_probabilities(self, y_pred: Array) -> None:
        if not self.from_logits and y_pred.size:
            low, high = y_pred.min(), y_pred.max()
            if not (low >= 0 and high <= 1.001):
                raise ValueError(
                    f"{type(self).__name__}: predictions must be probabilities; for a model that ends without "
                    f"{self.link_name}, use from_logits=True. Received: y_pred from {low:g} to {high:g}"
                )
            sums = y_pred.sum(axis=-1, dtype=np.float64)
            if self.link_name == "softmax" and not np.abs(sums - 1).max() < 0.02:
                raise ValueError(
                    f"{type(self).__name__}: each sample's predictions must sum to 1, as those of softmax do. "
                    f"Received: sums from {sums.min():g} to {sums.max():g}"
                )


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
    weight = numbers(owner, "sample_weight", sample_weight).astype(np.float64, copy=False)
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


def _entries(y_pred: Array) -> int:
    """Return over how many entries a sample's loss is a mean."""
    return int(np.prod(y_pred.shape[1:]))


registry: Registry[Loss] = Registry("loss", Loss)


@registry.register("mse", "mean_squared_error")
class MeanSquaredError(Loss):
    """ℓ = mean (ŷ − y)² over a sample's outputs; for regression.

    >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
    2.5
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(np.square(y_pred - y_true))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        return ((2 / _entries(y_pred)) * (y_pred - y_true)).astype(y_pred.dtype, copy=False)


@registry.register("mae", "mean_absolute_error")
class MeanAbsoluteError(Loss):
    """ℓ = mean |ŷ − y| over a sample's outputs; the slope at ŷ = y is taken as 0.

    >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
    1.5
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(np.abs(y_pred - y_true))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        return (np.sign(y_pred - y_true) / _entries(y_pred)).astype(y_pred.dtype, copy=False)


class _Crossentropy(Loss):
    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = flag(type(self).__name__, "from_logits", from_logits)


@registry.register("binary_crossentropy", "bce")
class BinaryCrossentropy(_Crossentropy):
    """ℓ = mean −(y log p + (1 − y) log(1 − p)) over a sample's outputs, p the probability of class 1.

    From logits z, p = sigmoid(z): ℓ = mean softplus(z) − y z.

    Args:
        from_logits: Whether predictions are logits z, not probabilities p.

    Targets are in [0, 1], in the shape of the predictions: `(n, 1)` under `Dense(1)`.
    Differs from: Keras cuts p to [1e-7, 1 − 1e-7]; here only a p (or 1 − p) below the dtype's least normal number
    counts as that number.

    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.5], [0.5]]), 6)
    0.693147
    """

    link_name = "sigmoid"

    def check(self, y_true: Array, y_pred: Array) -> None:
        self._check_same_shape(y_true, y_pred)
        self._check_probabilities(y_pred)
        check_unit("BinaryCrossentropy", y_true)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        if self.from_logits:
            return sample_means(functions.softplus(y_pred) - y_true * y_pred)
        tiny = np.finfo(y_pred.dtype).tiny
        log_p, log_q = np.log(np.maximum(y_pred, tiny)), np.log(np.maximum(1 - y_pred, tiny))
        return sample_means(-(y_true * log_p + (1 - y_true) * log_q))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        y = y_true.astype(y_pred.dtype, copy=False)
        if self.from_logits:
            slopes = functions.sigmoid(y_pred) - y
        else:
            tiny = np.finfo(y_pred.dtype).tiny
            slopes = (1 - y) / np.maximum(1 - y_pred, tiny) - y / np.maximum(y_pred, tiny)
        return slopes / _entries(y_pred)


@registry.register("categorical_crossentropy")
class CategoricalCrossentropy(_Crossentropy):
    """ℓ = −Σ_c y_c log p_c over the classes, the last axis; targets are one-hot or probabilities.

    From logits z, p = softmax(z).

    Args:
        from_logits: Whether predictions are logits z, not probabilities p.

    Differs from: Keras divides p by its sum and cuts it to [1e-7, 1 − 1e-7]; here only a p below the dtype's least
    normal number counts as that number.

    >>> round(CategoricalCrossentropy()([[0, 1]], [[0.75, 0.25]]), 6)
    1.386294
    """

    link_name = "softmax"
    axes = 2

    def check(self, y_true: Array, y_pred: Array) -> None:
        if y_true.ndim == y_pred.ndim - 1 and y_true.dtype.kind in "iu":
            raise ValueError(
                f"CategoricalCrossentropy: targets must be one-hot, in the shape of the predictions {y_pred.shape}; "
                f"for integer labels use SparseCategoricalCrossentropy. Received: {describe(y_true)}"
            )
        self._check_same_shape(y_true, y_pred)
        self._check_probabilities(y_pred)
        if y_true.size:
            sums = y_true.sum(axis=-1, dtype=np.float64)
            if not (y_true.min() >= 0 and np.abs(sums - 1).max() < 1e-3):
                raise ValueError(
                    f"CategoricalCrossentropy: each sample's targets must be probabilities that sum to 1. "
                    f"Received: sums from {sums.min():g} to {sums.max():g}, least entry {float(y_true.min()):g}"
                )

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(-(y_true * _log_probabilities(y_pred, self.from_logits)).sum(axis=-1))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        y = y_true.astype(y_pred.dtype, copy=False)
        if self.from_logits:
            slopes = functions.softmax(y_pred) * y.sum(axis=-1, keepdims=True) - y
        else:
            slopes = -y / np.maximum(y_pred, np.finfo(y_pred.dtype).tiny)
        return slopes / _entries(y_pred[..., 0])


@registry.register("sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(_Crossentropy):
    """ℓ = −log p_y, p_y the probability of the class y; targets are integers in 0 .. classes − 1.

    From logits z, p = softmax(z). The same number as `CategoricalCrossentropy` on one-hot targets.

    Args:
        from_logits: Whether predictions are logits z, not probabilities p.

    Differs from: Keras also takes labels of shape (n, 1) and floats, and cuts p to [1e-7, 1 − 1e-7].

    >>> round(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]]), 6)
    1.386294
    """

    link_name = "softmax"
    axes = 2

    def check(self, y_true: Array, y_pred: Array) -> None:
        if y_true.shape == y_pred.shape and y_true.shape[-1:] != (1,):
            raise ValueError(
                f"SparseCategoricalCrossentropy: targets must be integer labels of shape {y_pred.shape[:-1]}; "
                f"for one-hot targets use CategoricalCrossentropy. Received: {describe(y_true)}"
            )
        if y_true.shape != y_pred.shape[:-1]:
            hint = "; y_true.ravel() would fit" if y_true.shape == (len(y_pred), 1) and y_pred.ndim == 2 else ""
            raise ValueError(
                f"SparseCategoricalCrossentropy: targets must have shape {y_pred.shape[:-1]} for predictions of shape "
                f"{y_pred.shape}. Received: shape {y_true.shape}{hint}"
            )
        check_labels("SparseCategoricalCrossentropy", y_true, y_pred.shape[-1])
        self._check_probabilities(y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        log_p = _log_probabilities(y_pred, self.from_logits)
        return sample_means(-np.take_along_axis(log_p, y_true[..., None], axis=-1))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        labels = y_true[..., None]
        if self.from_logits:
            slopes = functions.softmax(y_pred)
            np.put_along_axis(slopes, labels, np.take_along_axis(slopes, labels, axis=-1) - 1, axis=-1)
        else:
            slopes = np.zeros_like(y_pred)
            p = np.maximum(np.take_along_axis(y_pred, labels, axis=-1), np.finfo(y_pred.dtype).tiny)
            np.put_along_axis(slopes, labels, -1 / p, axis=-1)
        return slopes / _entries(y_pred[..., 0])


def _log_probabilities(y_pred: Array, from_logits: bool) -> Array:
    if from_logits:
        return functions.log_softmax(y_pred)
    return np.log(np.maximum(y_pred, np.finfo(y_pred.dtype).tiny))
