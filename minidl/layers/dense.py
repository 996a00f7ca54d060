"""The fully connected layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import initializers, regularizers
from minidl.layers.activations import resolve_activation
from minidl.layers.base import Layer, Shape, registry
from minidl.validation import describe, flag, integer, sample_shape

__all__ = ["Dense"]

Array = NDArray[Any]


@registry.register("dense")
class Dense(Layer):
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
        name: See `Layer`.

    Raises:
        TypeError, ValueError: If an argument isn't as told above.

    >>> layer = Dense(3, activation="relu")
    >>> layer.build((2,), np.random.default_rng(0))
    >>> layer.forward(np.ones((5, 2), np.float32)).shape
    (5, 3)
    """

    def __init__(
        self,
        units: int,
        activation: str | Layer | None = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.units = integer("Dense", "units", units, 1)
        self.activation = None if activation is None else resolve_activation(activation)
        self.use_bias = flag("Dense", "use_bias", use_bias)
        self.kernel_initializer = initializers.registry.get(kernel_initializer)
        self.bias_initializer = initializers.registry.get(bias_initializer)
        self.kernel_regularizer = _optional(kernel_regularizer)
        self.bias_regularizer = _optional(bias_regularizer)

    @property
    def children(self) -> tuple[Layer, ...]:
        """The activation, if there is one."""
        return () if self.activation is None else (self.activation,)

    @property
    def output_shape(self) -> Shape:
        """(..., units)."""
        return (*self._shape()[:-1], self.units)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        input_shape = sample_shape(self.title, "input_shape", input_shape)
        if not input_shape:
            raise ValueError(f"{self.title}: input must have an axis behind the batch. Received: shape (batch,)")
        super().build(input_shape, rng)
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_parameter("kernel", shape, self.kernel_initializer, rng, self.kernel_regularizer)
        if self.use_bias:
            self.bias = self.add_parameter("bias", (self.units,), self.bias_initializer, rng, self.bias_regularizer)
        if self.activation is not None:
            self.activation.dtype = self.dtype
            self.activation.build(self.output_shape, rng)

    def forward(self, x: Array, training: bool = False) -> Array:
        z = self._affine(x)
        return z if self.activation is None else self.activation.forward(z, training)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return self.backward_part(dy, accumulate)

    @property
    def link(self) -> Layer | None:
        """The link of the activation."""
        return None if self.activation is None else self.activation.link

    def forward_logits(self, x: Array, training: bool = False) -> Array:
        return self._affine(x)

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        x = self.remembered("x")
        if dy.shape != (*x.shape[:-1], self.units):
            raise ValueError(
                f"{self.title}: the gradient must have the shape of the output {(*x.shape[:-1], self.units)}. "
                f"Received: {describe(dy)}"
            )
        if self.activation is not None and not from_logits:
            dy = self.activation.backward(dy, accumulate)
        rows, slopes = x.reshape(-1, x.shape[-1]), dy.reshape(-1, self.units)
        if accumulate:
            self.kernel.grad += rows.T @ slopes
        else:
            np.matmul(rows.T, slopes, out=self.kernel.grad)
        if self.use_bias:
            self.write_gradient(self.bias, slopes.sum(axis=0), accumulate)
        return dy @ self.kernel.data.T if input_gradient else dy

    def _affine(self, x: Array) -> Array:
        self.check_input(x)
        self.remember(x=x)
        z: Array = x @ self.kernel.data
        if self.use_bias:
            z += self.bias.data
        return z


def _optional(identifier: object) -> regularizers.Regularizer | None:
    return None if identifier is None else regularizers.registry.get(identifier)
