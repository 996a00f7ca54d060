"""What a fully connected layer and a convolution share: a kernel, a bias, an activation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.activations import Elementwise
from minidl.layers.base import Layer, Shape
from minidl.layers.products import row_sum
from minidl.validation import describe

__all__ = ["Affine"]

Array = NDArray[Any]


class Affine(Layer):
    """The base of f(linear(x) + b).

    A subclass gives `linear` and `linear_backward`, and calls `add_weights` in `build`. The arguments are those of
    `Dense`.
    """

    ranges = {
        "activation": "activation | None",
        "use_bias": "bool",
        "kernel_initializer": "initializer",
        "bias_initializer": "initializer",
        "kernel_regularizer": "regularizer | None",
        "bias_regularizer": "regularizer | None",
        "activity_regularizer": "regularizer | None",
    }

    def __init__(
        self,
        activation: object,
        use_bias: bool,
        kernel_initializer: object,
        bias_initializer: object,
        kernel_regularizer: object,
        bias_regularizer: object,
        activity_regularizer: object,
        *,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        self.activation: Any = activation
        self.use_bias = use_bias
        self.kernel_initializer: Any = kernel_initializer
        self.bias_initializer: Any = bias_initializer
        self.kernel_regularizer: Any = kernel_regularizer
        self.bias_regularizer: Any = bias_regularizer
        self.activity_regularizer: Any = activity_regularizer

    def linear(self, x: Array) -> Array:
        """Return what the kernel makes of `x`, in a new array, and remember what `linear_backward` needs."""
        raise NotImplementedError(f"{type(self).__name__}: must give linear(x)")

    def linear_backward(self, dz: Array, accumulate: bool, input_gradient: bool) -> Array:
        """Write the kernel's gradient, or add to it; return that by the input, or anything if it isn't needed."""
        raise NotImplementedError(f"{type(self).__name__}: must give linear_backward(dz, accumulate, input_gradient)")

    def add_weights(self, kernel_shape: Shape, rng: np.random.Generator) -> None:
        """Make the kernel, the bias, and the activation's own."""
        self.kernel = self.add_parameter("kernel", kernel_shape, self.kernel_initializer, rng, self.kernel_regularizer)
        if self.use_bias:
            shape = kernel_shape[-1:]
            self.bias = self.add_parameter("bias", shape, self.bias_initializer, rng, self.bias_regularizer)
        if self.activation is not None:
            self.activation.dtype = self.dtype
            self.activation.build(self.output_shape, rng)

    @property
    def children(self) -> tuple[Layer, ...]:
        """The activation, if there is one."""
        return () if self.activation is None else (self.activation,)

    @property
    def link(self) -> Layer | None:
        """The link of the activation."""
        return None if self.activation is None or self.activity_regularizer else self.activation.link

    def forward(self, x: Array, training: bool = False) -> Array:
        if self.use_bias and self.reuse.on and isinstance(self.activation, Elementwise):
            self.check_input(x)
            return self.activation.forward_biased(self.linear(x), self.bias.data, training)
        z = self.forward_logits(x, training)
        return z if self.activation is None else self.activation.forward(z, training)

    def forward_logits(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        z = self.linear(x)
        if self.use_bias:
            self.do((np.add, (z, self.bias.data, z)))
        return z

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return self.backward_part(dy, accumulate)

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        if dy.shape[1:] != self.output_shape:
            raise ValueError(
                f"{self.title}: the gradient must have the shape of the output, (batch, "
                f"{', '.join(map(str, self.output_shape))}). Received: {describe(dy)}"
            )
        if self.activation is not None and not from_logits:
            dy = self.activation.backward(dy, accumulate)
        dx = self.linear_backward(dy, accumulate, input_gradient)
        if self.use_bias:
            rows = dy if dy.ndim == 2 else dy.reshape(-1, dy.shape[-1])
            if accumulate:
                self.write_gradient(self.bias, rows.sum(axis=0), accumulate)
            else:
                self.do(*row_sum(rows, self.bias.grad, self.scratch))
        return dx
