"""Losses: what training makes small.

`loss(y_true, y_pred, sample_weight)` is the weighted mean Σ wᵢ ℓᵢ / Σ wᵢ over the samples i of a batch, so that a
weight of 2 is the sample twice; `loss.gradient(...)` is the gradient of that number by `y_pred`. A sample's ℓᵢ is
the mean over its other axes. If all weights are 0, the loss is 0 and so is its gradient.
Differs from: Keras divides Σ wᵢ ℓᵢ by the number of samples, not by Σ wᵢ (`loss.mean_over = "samples"`); PyTorch
doesn't weigh samples, and its reduction "mean" is taken over all entries, which is the same number wherever ℓᵢ is a
mean of entries.

A model that ends in `Softmax` or `Sigmoid` is trained on the logits that go into it, under the cross-entropy
that belongs to it (or `KLDivergence`), so that a probability of 0 never makes an infinity. For a model that ends
without, say `from_logits=True`.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import functions
from minidl.config import Configurable, Registry, newer
from minidl.targets import check_batch, check_labels, check_unit, check_weight, sample_means
from minidl.validation import describe, numbers

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CosineSimilarity",
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
    "registry",
]

Array = NDArray[Any]


class Loss(Configurable):
    """The base of all losses.

    A subclass gives `per_sample` and `per_sample_gradient`, and `check` where targets aren't simply numbers in the
    shape of the predictions:

        class Quartic(Loss):
            def per_sample(self, y_true, y_pred):
                return ((y_pred - y_true) ** 4).mean(axis=1)

            def per_sample_gradient(self, y_true, y_pred):
                return 4 * (y_pred - y_true) ** 3 / y_pred.shape[1]
    """

    #: The activation whose inputs ("logits") the loss can be computed from: "softmax", "sigmoid" or None.
    link_name: ClassVar[str | None] = None
    #: How many axes predictions have at least.
    axes: ClassVar[int] = 1
    #: What Σ wᵢ ℓᵢ is divided by: the samples' "weights", Σ wᵢ, or the number of "samples", as in Keras.
    mean_over = "weights"
    from_logits = False
    ranges = {"mean_over": "'weights' | 'samples'"}
    described_settings = ("mean_over",)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if newer(cls, "per_sample", "_both") or newer(cls, "per_sample_gradient", "_both"):
            cls._both = Loss._both  # type: ignore[method-assign]  # its base computed another loss at once

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
        return self.unchecked(y_true, y_pred, weight, gradient)

    def unchecked(
        self, y_true: Array, y_pred: Array, weight: Array | None, gradient: bool = True
    ) -> tuple[float, Array]:
        """Return what `value_and_gradient` does, of arrays that are known to fit each other."""
        total = self.total_weight(weight, len(y_pred))
        if total == 0:
            return 0.0, np.zeros_like(y_pred) if gradient else y_pred[:0]
        losses, slopes = self._both(y_true, y_pred) if gradient else (self._losses(y_true, y_pred), y_pred[:0])
        value = float(np.add.reduce(losses if weight is None else losses * weight, dtype=np.float64)) / total
        if not gradient:
            return value, slopes
        if weight is None:
            slopes /= total
        else:
            slopes *= (weight / total).astype(slopes.dtype).reshape(-1, *[1] * (slopes.ndim - 1))
        return value, slopes

    def total_weight(self, weight: Array | None, n: int) -> float:
        """Return what Σ wᵢ ℓᵢ of `n` samples is divided by, and so how much their mean weighs among others."""
        return float(n) if weight is None or self.mean_over == "samples" else float(weight.sum())

    def bound(self, y_pred: Array) -> Callable[[Array], tuple[float, Array]] | None:
        """Return what does `unchecked` without weights for targets, faster, if predictions always come in that array.

        None if there is no such thing. The gradient comes in the same array each time.
        """
        return None

    def check(self, y_true: Array, y_pred: Array) -> None:
        """Raise ValueError if the targets don't fit the predictions."""
        self._check_same_shape(y_true, y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return each sample's loss, shape (batch,)."""
        raise NotImplementedError(f"{type(self).__name__}: a loss must give per_sample(y_true, y_pred)")

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        """Return the gradient of each sample's loss by its own prediction, as a new array shaped like `y_pred`."""
        raise NotImplementedError(f"{type(self).__name__}: a loss must give per_sample_gradient(y_true, y_pred)")

    def _both(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return each sample's loss and its gradient; a loss in which they share work overrides it."""
        slopes = self._shaped("per_sample_gradient", self.per_sample_gradient(y_true, y_pred), y_pred.shape)
        return self._losses(y_true, y_pred), slopes.astype(y_pred.dtype, copy=False)

    def _losses(self, y_true: Array, y_pred: Array) -> Array:
        return self._shaped("per_sample", self.per_sample(y_true, y_pred), y_pred.shape[:1])

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
                hint = f"for a model that ends without {self.link_name}, use from_logits=True"
                if not isinstance(self, _Crossentropy):
                    hint = f"let the model end in {self.link_name}"
                raise ValueError(
                    f"{type(self).__name__}: predictions must be probabilities; {hint}. "
                    f"Received: y_pred from {low:g} to {high:g}"
                )
            sums = y_pred.sum(axis=-1, dtype=np.float64)
            if self.link_name == "softmax" and not np.abs(sums - 1).max() < 0.02:
                raise ValueError(
                    f"{type(self).__name__}: each sample's predictions must sum to 1, as those of softmax do. "
                    f"Received: sums from {sums.min():g} to {sums.max():g}"
                )

    def _check_distributions(self, y_true: Array) -> None:
        if y_true.size:
            sums = y_true.sum(axis=-1, dtype=np.float64)
            if not (y_true.min() >= 0 and np.abs(sums - 1).max() < 1e-3):
                raise ValueError(
                    f"{type(self).__name__}: each sample's targets must be probabilities that sum to 1. "
                    f"Received: sums from {sums.min():g} to {sums.max():g}, least entry {float(y_true.min()):g}"
                )


def _entries(y_pred: Array) -> int:
    """Return over how many entries a sample's loss is a mean."""
    return int(np.prod(y_pred.shape[1:]))


def _promoted(y_true: Array, y_pred: Array) -> Array:
    """Return the targets in a dtype that holds both, so that what is computed from them alone isn't the less exact."""
    return y_true.astype(np.result_type(y_true, y_pred), copy=False)


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


@registry.register("huber")
class Huber(Loss):
    """ℓ = mean h(ŷ − y) over a sample's outputs, h(e) = e²/2 up to |e| = δ, beyond it δ |e| − δ²/2.

    For regression whose outliers mustn't pull as hard as under the squared error: no slope is steeper than δ.

    Args:
        delta: δ, in (0, ∞).

    Targets are any numbers, in the shape of the predictions.
    Source: Huber, Robust estimation of a location parameter, 1964.
    Differs from: PyTorch's SmoothL1Loss is this, divided by δ; its HuberLoss is as here.

    >>> Huber()([[0.0, 0.0]], [[0.5, 3.0]])  # the mean of 0.125 and 2.5
    1.3125
    """

    ranges = {"delta": "(0, inf)"}

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        far = np.abs(y_pred - y_true)
        near = np.minimum(far, self.delta)
        return sample_means(near * (far - near / 2))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        return np.clip(y_pred - y_true, -self.delta, self.delta) / _entries(y_pred)


@registry.register("log_cosh")
class LogCosh(Loss):
    """ℓ = mean log cosh(ŷ − y) over a sample's outputs: about e²/2 for small errors e, |e| − log 2 for large ones.

    Targets are any numbers, in the shape of the predictions.
    Differs from: PyTorch has none.

    >>> round(LogCosh()([[0.0]], [[np.log(2)]]), 6)  # log 1.25
    0.223144
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        e = np.abs(y_pred - y_true)
        # The sum would cancel for small errors; the first form, 2 sinh²(e/2) = cosh e − 1, would overflow for large.
        small = np.log1p(2 * np.square(np.sinh(np.minimum(e, 1) / 2)))
        return sample_means(np.where(e < 1, small, e + np.log1p(np.square(np.exp(-e))) - math.log(2)))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        return np.tanh(y_pred - y_true) / _entries(y_pred)


@registry.register("poisson")
class Poisson(Loss):
    """ℓ = mean ŷ − y log ŷ over a sample's outputs: counts y that are Poisson distributed with the mean ŷ.

    It is the negative logarithm of y's probability, but for log y!, which doesn't depend on ŷ; so it may be negative.

    Targets are at least 0, predictions too: let the model end in `Softplus` or `Exponential`. In the logarithm a ŷ
    below the dtype's least normal number counts as that number, so that ŷ = 0 is 0 for y = 0, and finite for y > 0; no
    slope is steeper than the inverse of that number.
    Differs from: Keras adds 1e-7 to ŷ in the logarithm; PyTorch's PoissonNLLLoss takes log ŷ (log_input=True), and
    adds 1e-8 if it doesn't.

    >>> Poisson()([[2, 0]], [[1.0, 3.0]])  # the mean of 1 and 3
    2.0
    """

    def check(self, y_true: Array, y_pred: Array) -> None:
        self._check_same_shape(y_true, y_pred)
        if y_true.size and not (y_true.min() >= 0 and y_true.max() < np.inf):
            raise ValueError(
                f"Poisson: targets must be finite and at least 0. "
                f"Received: y_true from {y_true.min():g} to {y_true.max():g}"
            )
        if y_pred.size and not y_pred.min() >= 0:
            raise ValueError(
                f"Poisson: predictions must be at least 0; let the model end in softplus or exponential. "
                f"Received: y_pred from {y_pred.min():g} to {y_pred.max():g}"
            )

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(y_pred - y_true * np.log(np.maximum(y_pred, np.finfo(y_pred.dtype).tiny)))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        least = np.finfo(y_pred.dtype).tiny * np.maximum(y_true, 1.0)
        return (1 - y_true / np.maximum(y_pred, least)) / _entries(y_pred)


@registry.register("cosine_similarity")
class CosineSimilarity(Loss):
    """ℓ = −Σ y ŷ / (‖y‖ ‖ŷ‖) along `axis`: −1 for one direction, 1 for the opposite one; the mean over other axes.

    The cosine with a vector of zeros counts as 0, and so does its gradient.

    Args:
        axis: The axis that the vectors lie along, counted with the batch axis, which is 0 and can't be it.

    Targets are any numbers, in the shape of the predictions.
    Differs from: PyTorch's function is the cosine itself, without the minus, along axis 1 by default.

    >>> round(CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]]), 6)
    -0.96
    """

    axes = 2
    ranges = {"axis": "int [-32, inf)"}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def check(self, y_true: Array, y_pred: Array) -> None:
        self._check_same_shape(y_true, y_pred)
        axes = y_pred.ndim
        if not -axes < self.axis < axes or self.axis == 0:
            raise ValueError(
                f"CosineSimilarity: axis must be one of the {axes - 1} axes behind the batch. "
                f"Received: axis={self.axis}, y_pred of shape {y_pred.shape}"
            )

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(-(self._unit(_promoted(y_true, y_pred))[0] * self._unit(y_pred)[0]).sum(axis=self.axis))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        (y, _), (p, length) = self._unit(_promoted(y_true, y_pred)), self._unit(y_pred)
        cosine = (y * p).sum(axis=self.axis, keepdims=True)
        slopes = np.where(length > 0, cosine * p - y, 0) / np.maximum(length, np.finfo(y_pred.dtype).tiny)
        return slopes / (_entries(y_pred) // y_pred.shape[self.axis])

    def _unit(self, v: Array) -> tuple[Array, Array]:
        """Return the vectors divided by their lengths, and the lengths; scaled first, so that no square overflows."""
        most = np.abs(v).max(axis=self.axis, keepdims=True, initial=0)
        v = v / np.where(most > 0, most, 1)
        length = np.sqrt(np.square(v).sum(axis=self.axis, keepdims=True))
        return v / np.where(length > 0, length, 1), most * length


@registry.register("hinge")
class Hinge(Loss):
    """ℓ = mean max(1 − y ŷ, 0) over a sample's outputs: of a linear classifier's ŷ, that of support vector machines.

    Targets are −1 or 1, or 0 or 1, where 0 is taken as −1; in the shape of the predictions, which are any numbers. The
    slope at y ŷ = 1 is taken as 0.
    Source: Cortes, Vapnik, Support-vector networks, 1995.
    Differs from: Keras takes a 0 as −1 only if all targets of the batch are 0 or 1, and computes with other targets as
    they are, which are refused here; PyTorch's HingeEmbeddingLoss is another loss.

    >>> Hinge()([[1, -1]], [[0.5, 0.25]])  # the mean of 0.5 and 1.25
    0.875
    """

    def check(self, y_true: Array, y_pred: Array) -> None:
        self._check_same_shape(y_true, y_pred)
        if not (np.isin(y_true, (-1, 1)).all() or np.isin(y_true, (0, 1)).all()):
            raise ValueError(
                f"{type(self).__name__}: targets must be -1 or 1, or 0 or 1. "
                f"Received: {describe(np.unique(y_true)[:9].tolist())}"
            )

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(self._margin(y_true, y_pred)[1])

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        y, short = self._margin(y_true, y_pred)
        return -y * (short > 0) / _entries(y_pred)

    def _margin(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the targets as −1 and 1, and how far the predictions are short of the margin 1."""
        y = np.where(y_true > 0, 1, -1).astype(y_pred.dtype)
        return y, np.maximum(1 - y * y_pred, 0)


@registry.register("squared_hinge")
class SquaredHinge(Hinge):
    """ℓ = mean max(1 − y ŷ, 0)² over a sample's outputs; targets and their range as for `Hinge`.

    >>> SquaredHinge()([[1, -1]], [[0.5, 0.25]])  # the mean of 0.25 and 1.5625
    0.90625
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        return sample_means(np.square(self._margin(y_true, y_pred)[1]))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        y, short = self._margin(y_true, y_pred)
        return -2 * y * short / _entries(y_pred)


class _Crossentropy(Loss):
    ranges = {"from_logits": "bool", "label_smoothing": "[0, 1]"}

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def _smoothed(self, y_true: Array, y_pred: Array, classes: int) -> Array:
        s = self.label_smoothing
        return _promoted(y_true, y_pred) * (1 - s) + s / classes if s else y_true


@registry.register("binary_crossentropy", "bce")
class BinaryCrossentropy(_Crossentropy):
    """ℓ = mean −(y log p + (1 − y) log(1 − p)) over a sample's outputs, p the probability of class 1.

    From logits z, p = sigmoid(z): ℓ = mean softplus(z) − y z.

    Args:
        from_logits: Whether predictions are logits z, not probabilities p.
        label_smoothing: s in [0, 1]; y (1 − s) + s/2 takes the place of y.

    Targets are in [0, 1], in the shape of the predictions: `(n, 1)` under `Dense(1)`.
    Differs from: Keras cuts p to [1e-7, 1 − 1e-7], and PyTorch the logarithms to −100; here only a p (or 1 − p) below
    the dtype's least normal number counts as that number.

    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.5], [0.5]]), 6)
    0.693147
    >>> round(BinaryCrossentropy(label_smoothing=0.5)([[1.0]], [[0.75]]), 6)  # the entropy of 3/4 and 1/4
    0.562335
    """

    link_name = "sigmoid"

    def check(self, y_true: Array, y_pred: Array) -> None:
        self._check_same_shape(y_true, y_pred)
        self._check_probabilities(y_pred)
        check_unit("BinaryCrossentropy", y_true)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        y = self._smoothed(y_true, y_pred, 2)
        if self.from_logits:
            return sample_means(functions.softplus(y_pred) - y * y_pred)
        tiny = np.finfo(y_pred.dtype).tiny
        log_p, log_q = np.log(np.maximum(y_pred, tiny)), np.log(np.maximum(1 - y_pred, tiny))
        return sample_means(-(y * log_p + (1 - y) * log_q))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        y = self._smoothed(y_true, y_pred, 2).astype(y_pred.dtype, copy=False)
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
        label_smoothing: s in [0, 1]; y_c (1 − s) + s/classes takes the place of y_c.

    Source: Szegedy and others, Rethinking the Inception architecture for computer vision, 2016 (label smoothing).
    Differs from: Keras divides p by its sum and cuts it to [1e-7, 1 − 1e-7]; here only a p below the dtype's least
    normal number counts as that number. PyTorch's CrossEntropyLoss takes logits only, with the classes as axis 1.

    >>> round(CategoricalCrossentropy()([[0, 1]], [[0.75, 0.25]]), 6)
    1.386294
    >>> round(CategoricalCrossentropy(label_smoothing=0.5)([[1, 0]], [[0.75, 0.25]]), 6)  # the entropy of 3/4 and 1/4
    0.562335
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
        self._check_distributions(y_true)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        y = self._smoothed(y_true, y_pred, y_pred.shape[-1])
        return sample_means(-(y * _log_probabilities(y_pred, self.from_logits)).sum(axis=-1))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        y = self._smoothed(y_true, y_pred, y_pred.shape[-1]).astype(y_pred.dtype, copy=False)
        return _distribution_slopes(y, y_pred, self.from_logits)


@registry.register("sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(_Crossentropy):
    """ℓ = −log p_y, p_y the probability of the class y; targets are integers in 0 .. classes − 1.

    From logits z, p = softmax(z). The same number as `CategoricalCrossentropy` on one-hot targets.

    Args:
        from_logits: Whether predictions are logits z, not probabilities p.
        label_smoothing: s in [0, 1]; the label counts 1 − s, and each class s/classes.

    Differs from: Keras also takes labels of shape (n, 1) and floats, cuts p to [1e-7, 1 − 1e-7], and has no
    label_smoothing here, as PyTorch has.

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

    def bound(self, y_pred: Array) -> Callable[[Array], tuple[float, Array]] | None:
        if not self._is_plain(y_pred) or not len(y_pred):
            return None
        from minidl.compute.crossentropy import Crossentropy

        return Crossentropy(y_pred)

    def _is_plain(self, y_pred: Array) -> bool:
        return self.from_logits and not self.label_smoothing and y_pred.ndim == 2 and y_pred.dtype != np.float16

    def _both(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        if not self._is_plain(y_pred):
            return super()._both(y_true, y_pred)
        # A class a row: NumPy's reductions along the first axis are several times as fast as along a short last one.
        p = y_pred.T.copy()
        p -= np.maximum.reduce(p, 0)
        own = np.multiply(y_true, len(y_pred), dtype=np.intp)
        own += np.arange(len(y_pred))
        own_logit = p.take(own)
        np.exp(p, p)
        total = np.add.reduce(p, 0)
        p /= total
        p.reshape(-1)[own] -= 1
        return np.log(total) - own_logit, p.T.copy()

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        log_p, s = _log_probabilities(y_pred, self.from_logits), self.label_smoothing
        own = np.take_along_axis(log_p, y_true[..., None], axis=-1)
        return sample_means(-((1 - s) * own + s * log_p.mean(axis=-1, keepdims=True) if s else own))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        labels, s = y_true[..., None], self.label_smoothing
        own: Any = 1 - s
        if self.from_logits:
            slopes = functions.softmax(y_pred) - s / y_pred.shape[-1]
        else:
            p = np.maximum(y_pred, np.finfo(y_pred.dtype).tiny)
            slopes, own = 0 - s / y_pred.shape[-1] / p, own / np.take_along_axis(p, labels, axis=-1)
        np.put_along_axis(slopes, labels, np.take_along_axis(slopes, labels, axis=-1) - own, axis=-1)
        return slopes / _entries(y_pred[..., 0])


@registry.register("kl_divergence", "kld")
class KLDivergence(Loss):
    """ℓ = Σ_c y_c log(y_c / p_c) over the classes, the last axis: how far p is from y; 0 log 0 is 0.

    `CategoricalCrossentropy` less the entropy of y: the gradients are the same, and a perfect prediction has 0.

    Targets are probabilities that sum to 1, and so are predictions; a p below the dtype's least normal number counts as
    that number. A model that ends in softmax is trained on its logits.
    Source: Kullback, Leibler, On information and sufficiency, 1951.
    Differs from: Keras cuts both to [1e-7, 1]; PyTorch's KLDivLoss takes log p and then y, and its reduction "mean"
    also divides by the number of classes ("batchmean" doesn't).

    >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 6)  # half of log 4/3
    0.143841
    """

    link_name = "softmax"
    axes = 2

    def check(self, y_true: Array, y_pred: Array) -> None:
        self._check_same_shape(y_true, y_pred)
        self._check_probabilities(y_pred)
        self._check_distributions(y_true)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        y = _promoted(y_true, y_pred)
        log_y = np.log(np.maximum(y, np.finfo(y.dtype).tiny))
        return sample_means((y * (log_y - _log_probabilities(y_pred, self.from_logits))).sum(axis=-1))

    def per_sample_gradient(self, y_true: Array, y_pred: Array) -> Array:
        return _distribution_slopes(y_true.astype(y_pred.dtype, copy=False), y_pred, self.from_logits)


def _log_probabilities(y_pred: Array, from_logits: bool) -> Array:
    if from_logits:  # not in float16: twice its range is a difference of logits, and −∞ times a target of 0 no number
        return functions.log_softmax(y_pred.astype(np.result_type(y_pred, np.float32), copy=False))
    return np.log(np.maximum(y_pred, np.finfo(y_pred.dtype).tiny))


def _distribution_slopes(y: Array, y_pred: Array, from_logits: bool) -> Array:
    """Return the gradient of −Σ y log p for targets y that are probabilities."""
    if from_logits:
        slopes = functions.softmax(y_pred) * y.sum(axis=-1, keepdims=True) - y
    else:
        slopes = -y / np.maximum(y_pred, np.finfo(y_pred.dtype).tiny)
    return slopes / _entries(y_pred[..., 0])
