"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.outer import suits
from minidl.compute.reuse import make
from minidl.layers.affine import Affine
from minidl.layers.base import Layer, Shape, registry
from minidl.layers.products import outer_sum, times, times_transposed
from minidl.parameters import Outer

__all__ = ["Dense"]

Array = NDArray[Any]


@registry.register("dense")
class Dense(Affine):
    """f(x W + b): every unit sees every input. Samples of several axes are taken along their last.

    Input shape (..., n), output shape (..., units); `kernel` W has shape (n, units), `bias` b (units,).

    Args:
        units: The number of outputs, at least 1.
        activation: None, a name such as "relu", or an activation layer.
        use_bias: Whether there is a b.
        kernel_initializer: A name or an initializer; Keras's default, as are the others.
        bias_initializer: Alike, for b.
        kernel_regularizer: None, a name, or a regularizer, whose penalty is added to the loss.
        bias_regularizer: Alike, for b.
        activity_regularizer: Alike, for the outputs: the mean over the batch of each sample's penalty.
        name: See `Layer`.

    Raises:
        TypeError, ValueError: If an argument isn't as told above.

    >>> layer = Dense(3, activation="relu")
    >>> layer.build((2,), np.random.default_rng(0))
    >>> layer.forward(np.ones((5, 2), np.float32)).shape
    (5, 3)
    """

    by_calls = True
    ranges = {"units": "int [1, inf)"}

    def __init__(
        self,
        units: int,
        activation: str | Layer | None = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            name=name,
        )
        self.units = units

    @property
    def output_shape(self) -> Shape:
        """(..., units)."""
        return (*self._shape()[:-1], self.units)

    def check_shape(self, shape: Shape) -> None:
        if not shape:
            raise ValueError(f"{self.title}: input must have an axis behind the batch. Received: shape (batch,)")

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self.add_weights((self._shape()[-1], self.units), rng)

    def linear(self, x: Array) -> Array:
        self.remember(x=x)
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        z = self.scratch("z", (len(rows), self.units))
        self.do(*times(rows, self.kernel.data, z, self.scratch))
        return z if x.ndim == 2 else z.reshape(*x.shape[:-1], self.units)

    def linear_backward(self, dz: Array, accumulate: bool, input_gradient: bool) -> Array:
        x = self.remembered("x")
        rows, slopes = (x, dz) if x.ndim == 2 else (x.reshape(-1, x.shape[-1]), dz.reshape(-1, self.units))
        if accumulate:
            gradient = self.scratch("gradient", self.kernel.shape)
            make(outer_sum(rows, slopes, gradient, self.scratch))
            self.write_gradient(self.kernel, gradient, accumulate)
        else:
            self._write_outer(rows, slopes)
        if not input_gradient:
            return dz
        dx = self.scratch("dx", rows.shape)
        self.do(*times_transposed(slopes, self.kernel.data, dx, self.scratch))
        return dx if x.ndim == 2 else dx.reshape(x.shape)

    def _write_outer(self, x: Array, y: Array) -> None:
        """Let the kernel's gradient be x.T @ y, which is promised only if that is faster."""
        promised = self.reuse.on and self.reuse.promising and suits(x, y)
        if promised:  # of a copy, since the next batch takes the place of this one before the next promise
            kept = self.scratch("promised x", x.shape)
            self.do((np.positive, (x, kept)))
            x = kept
        else:
            self.do(*outer_sum(x, y, self.kernel.grad, self.scratch))
        if self.reuse.on:
            known = Outer(x, y, lambda out: make(outer_sum(x, y, out, self.scratch)), written=not promised)
            self.do((self.kernel.promise, (known,)), late=True)
