"""Normalisation: outputs with a mean and a variance that the next layer can rely on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.base import Layer, Shape, registry

__all__ = ["BatchNormalization", "LayerNormalization"]

Array = NDArray[Any]


class _Normalization(Layer):
    """The base of both: y = γ ⊙ (x − mean) / √(variance + ε) + β, with γ and β along one axis."""

    ranges = {
        "axis": "int [-32, inf)",
        "epsilon": "(0, inf)",
        "center": "bool",
        "scale": "bool",
        "beta_initializer": "initializer",
        "gamma_initializer": "initializer",
        "beta_regularizer": "regularizer | None",
        "gamma_regularizer": "regularizer | None",
    }

    def __init__(
        self,
        axis: int,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: object,
        gamma_initializer: object,
        beta_regularizer: object,
        gamma_regularizer: object,
        *,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer: Any = beta_initializer
        self.gamma_initializer: Any = gamma_initializer
        self.beta_regularizer: Any = beta_regularizer
        self.gamma_regularizer: Any = gamma_regularizer

    def check_shape(self, shape: Shape) -> None:
        self.check_axis(shape, self.axis)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self._axis = self.axis % (len(self._shape()) + 1)
        self._size = self._shape()[self._axis - 1]
        #: How the parameters lie along the axes of a batch.
        self._along = tuple(self._size if i == self._axis else 1 for i in range(len(self._shape()) + 1))
        if self.scale:
            self.gamma = self.add_parameter("gamma", (self._size,), self.gamma_initializer, rng, self.gamma_regularizer)
        if self.center:
            self.beta = self.add_parameter("beta", (self._size,), self.beta_initializer, rng, self.beta_regularizer)

    def _centred(self, x: Array, mean: Array) -> Array:
        """Return x − mean; float16 in float32."""
        return np.subtract(x, mean, out=self.scratch("centred", x.shape, _wide(x)))

    def _variance(self, centred: Array, axes: tuple[int, ...]) -> Array:
        """Return the biased variance over the axes, which stay with length 1."""
        squares = np.square(centred, out=self.scratch("room", centred.shape, centred.dtype))
        return squares.mean(axis=axes, keepdims=True)

    def _scaled(self, x: Array, centred: Array, variance: Array) -> tuple[Array, Array]:
        """Return `centred`, which may be overwritten, with a variance of 1, and by what it was multiplied."""
        inverse = (1 / np.sqrt(variance + self.epsilon)).astype(x.dtype, copy=False)
        return np.multiply(centred, inverse, out=centred).astype(x.dtype, copy=False), inverse

    def _finish(self, normal: Array) -> Array:
        """Return γ ⊙ normal + β."""
        y = self.scratch("y", normal.shape, normal.dtype)
        if self.scale:
            np.multiply(normal, self.gamma.data.reshape(self._along), out=y)
        else:
            np.copyto(y, normal)
        if self.center:
            np.add(y, self.beta.data.reshape(self._along), out=y)
        return y

    def _write_gradients(self, dy: Array, normal: Array, accumulate: bool) -> tuple[Array, Array]:
        """Write the gradients of γ and β; return the sums of dy and of dy ⊙ normal, which they are."""
        others = tuple(i for i in range(dy.ndim) if i != self._axis)
        total, share = self._sums(dy, normal, others)
        if self.scale:
            self.write_gradient(self.gamma, share.reshape(self._size), accumulate)
        if self.center:
            self.write_gradient(self.beta, total.reshape(self._size), accumulate)
        return total, share

    def _sums(self, dy: Array, normal: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
        """Return the sums of dy and of dy ⊙ normal over the axes, which stay with length 1."""
        products = np.multiply(dy, normal, out=self.scratch("room", dy.shape, _wide(dy)))
        return dy.sum(axis=axes, dtype=_wide(dy), keepdims=True), products.sum(axis=axes, keepdims=True)

    def _slope(
        self, dy: Array, normal: Array, sums: tuple[Array, Array], axes: tuple[int, ...], factor: Array
    ) -> Array:
        """Return (dy − mean of dy − normal ⊙ mean of dy ⊙ normal) ⊙ factor, given the sums over the axes."""
        total, share = (part / math.prod(dy.shape[axis] for axis in axes) for part in sums)
        dx = np.multiply(normal, share, out=self.scratch("dx", dy.shape, dy.dtype))
        np.subtract(dy, dx, out=dx)
        np.subtract(dx, total, out=dx)
        return np.multiply(dx, factor, out=dx)


def _wide(x: Array) -> np.dtype[Any]:
    """Return in which dtype means are taken: that of `x`, but float32 for float16."""
    return np.promote_types(x.dtype, np.float32)


@registry.register("batch_normalization")
class BatchNormalization(_Normalization):
    """y = γ ⊙ (x − mean) / √(variance + ε) + β, mean and variance of each channel over the batch.

    While training they are those of the batch, the variance the biased one; running averages are kept as buffers,
    moving ← momentum · moving + (1 − momentum) · new, and take their place otherwise, and in a frozen layer.

    Args:
        axis: That of the channels, counted with the batch axis, which is 0.
        momentum: Of the running averages, in [0, 1).
        epsilon: ε, greater than 0.
        center: Whether there is a β.
        scale: Whether there is a γ.
        beta_initializer: A name or an initializer; Keras's default, as are the others.
        gamma_initializer: Alike.
        moving_mean_initializer: Alike.
        moving_variance_initializer: Alike.
        beta_regularizer: None, a name, or a regularizer.
        gamma_regularizer: Alike.
        name: See `Layer`.

    Source: Ioffe, Szegedy, Batch normalization, 2015.
    Differs from: PyTorch's momentum is 1 − this one, its ε 1e-5, and its running variance is the unbiased one.
    """

    ranges = {
        "momentum": "[0, 1)",
        "moving_mean_initializer": "initializer",
        "moving_variance_initializer": "initializer",
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        moving_mean_initializer: object = "zeros",
        moving_variance_initializer: object = "ones",
        beta_regularizer: object = None,
        gamma_regularizer: object = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            name=name,
        )
        self.momentum = momentum
        self.moving_mean_initializer: Any = moving_mean_initializer
        self.moving_variance_initializer: Any = moving_variance_initializer

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        shape = (self._size,)
        wide = np.promote_types(self.dtype, np.float32)  # in float16 the averages would stick
        self.buffers["moving_mean"] = self.moving_mean_initializer(shape, rng, wide)
        self.buffers["moving_variance"] = self.moving_variance_initializer(shape, rng, wide)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        axes = tuple(i for i in range(x.ndim) if i != self._axis)
        of_batch = training and len(x) > 0 and self.trainable
        if of_batch:
            mean = x.mean(axis=axes, dtype=_wide(x), keepdims=True)
            centred = self._centred(x, mean)
            variance = self._variance(centred, axes)
            for name, new in {"moving_mean": mean, "moving_variance": variance}.items():
                moving = self.buffers[name]
                moving[...] = self.momentum * moving + (1 - self.momentum) * new.reshape(self._size)
        else:
            mean, variance = (self.buffers[f"moving_{name}"].reshape(self._along) for name in ("mean", "variance"))
            centred = self._centred(x, mean)
        normal, inverse = self._scaled(x, centred, variance)
        self.remember(normal=normal, inverse=inverse, axes=axes if of_batch else None)
        return self._finish(normal)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        normal, inverse, axes = (self.remembered(what) for what in ("normal", "inverse", "axes"))
        sums = self._write_gradients(dy, normal, accumulate)
        factor = inverse * self.gamma.data.reshape(self._along) if self.scale else inverse
        if axes is None:
            return np.multiply(dy, factor, out=self.scratch("dx", dy.shape, dy.dtype))
        return self._slope(dy, normal, sums, axes, factor)


@registry.register("layer_normalization")
class LayerNormalization(_Normalization):
    """y = γ ⊙ (x − mean) / √(variance + ε) + β, mean and biased variance of each sample along one axis.

    Args:
        axis: Counted with the batch axis, which is 0.
        epsilon: ε, greater than 0.
        center: Whether there is a β.
        scale: Whether there is a γ.
        beta_initializer: A name or an initializer; Keras's default, as are the others.
        gamma_initializer: Alike.
        beta_regularizer: None, a name, or a regularizer.
        gamma_regularizer: Alike.
        name: See `Layer`.

    Source: Ba, Kiros, Hinton, Layer normalization, 2016.
    Differs from: PyTorch's ε is 1e-5.
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        beta_regularizer: object = None,
        gamma_regularizer: object = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            name=name,
        )

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        mean = x.mean(axis=self._axis, dtype=_wide(x), keepdims=True)
        centred = self._centred(x, mean)
        normal, inverse = self._scaled(x, centred, self._variance(centred, (self._axis,)))
        self.remember(normal=normal, inverse=inverse)
        return self._finish(normal)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        normal, inverse = self.remembered("normal"), self.remembered("inverse")
        self._write_gradients(dy, normal, accumulate)
        if self.scale:
            gamma = self.gamma.data.reshape(self._along)
            dy = np.multiply(dy, gamma, out=self.scratch("d_normal", dy.shape, dy.dtype))
        axes = (self._axis,)
        return self._slope(dy, normal, self._sums(dy, normal, axes), axes, inverse)
