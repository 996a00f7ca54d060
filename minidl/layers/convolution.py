"""Convolution of images, channels last."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.moving import add_each, copy
from minidl.layers.affine import Affine
from minidl.layers.base import Layer, Shape, registry
from minidl.layers.windows import Windows, pair

__all__ = ["Conv2D"]

Array = NDArray[Any]


@registry.register("conv2d")
class Conv2D(Affine):
    """f(x ⋆ W + b): each filter W looks at windows of the image, the same weights everywhere.

    y[n, p, q, f] = Σ_{i, j, c} x[n, p·s + i·d, q·s + j·d, c] · W[i, j, c, f] + b[f], with strides s and dilation d; it
    is the cross-correlation that all frameworks call convolution.

    Input shape (height, width, channels), output shape (new height, new width, filters); `kernel` W has shape
    (kernel height, kernel width, channels / groups, filters), `bias` b (filters,).

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: Of a window, (height, width), or one number for both.
        strides: By how many pixels windows lie apart.
        padding: "valid": windows lie inside the image. "same": with zeros around it, so many that a stride of 1 keeps
            the size.
        dilation_rate: How far the pixels of a window lie apart.
        groups: In how many groups channels and filters are split; a filter sees its own group's channels only.
        activation: None, a name such as "relu", or an activation layer.
        use_bias: Whether there is a b.
        kernel_initializer: A name or an initializer; Keras's default, as are the others.
        bias_initializer: Alike, for b.
        kernel_regularizer: None, a name, or a regularizer, whose penalty is added to the loss.
        bias_regularizer: Alike, for b.
        activity_regularizer: Alike, for the outputs: the mean over the batch of each sample's penalty.
        name: See `Layer`.

    Raises:
        TypeError, ValueError: If an argument isn't as told above, or the image is too small for a window.

    Differs from: Keras forbids strides and dilation above 1 at once. PyTorch's kernel is (filters, channels, ...), and
    its padding="same" forbids strides.

    >>> layer = Conv2D(8, 3, padding="same", strides=2)
    >>> layer.build((28, 28, 1), np.random.default_rng(0))
    >>> layer.output_shape
    (14, 14, 8)
    """

    ranges = {"filters": "int [1, inf)", "padding": "'valid' | 'same'", "groups": "int [1, inf)"}

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        dilation_rate: int | tuple[int, int] = (1, 1),
        groups: int = 1,
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
        self.filters = filters
        self.kernel_size = pair("Conv2D", "kernel_size", kernel_size)
        self.strides = pair("Conv2D", "strides", strides)
        self.padding = padding
        self.dilation_rate = pair("Conv2D", "dilation_rate", dilation_rate)
        self.groups = groups
        if self.filters % self.groups:
            raise ValueError(f"Conv2D: groups must divide filters. Received: groups={groups}, filters={filters}")

    @property
    def output_shape(self) -> Shape:
        """(new height, new width, filters)."""
        self._shape()
        return (*self.windows.out, self.filters)

    def check_shape(self, shape: Shape) -> None:
        self.check_axes(shape, "height", "width", "channels")
        if shape[2] % self.groups:
            raise ValueError(
                f"{self.title}: groups must divide the channels. Received: groups={self.groups}, {shape[2]} channels"
            )
        self._windows_over(shape)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self.windows = self._windows_over(self._shape())
        self.add_weights((*self.kernel_size, self._shape()[2] // self.groups, self.filters), rng)

    def _windows_over(self, shape: Shape) -> Windows:
        return Windows.over(self.title, shape, self.kernel_size, self.strides, self.padding, self.dilation_rate)

    def linear(self, x: Array) -> Array:
        rows = self._rows(x)
        self.remember(rows=rows)
        z = self.scratch("z", (len(x), *self.output_shape), np.result_type(x, self.kernel.data))
        np.matmul(rows, self._by_group(self.kernel.data), out=self._by_group(z))
        return z

    def linear_backward(self, dz: Array, accumulate: bool, input_gradient: bool) -> Array:
        rows, slopes = self.remembered("rows"), self._by_group(dz)
        gradient = self.scratch("gradient", self.kernel.shape) if accumulate else self.kernel.grad
        np.matmul(rows.swapaxes(1, 2), slopes, out=self._by_group(gradient))
        if accumulate:
            self.write_gradient(self.kernel, gradient, accumulate)
        return self._input_gradient(slopes, len(dz)) if input_gradient else dz

    def _input_gradient(self, slopes: Array, images: int) -> Array:
        """Return the gradient by the input, given that by the output, by group."""
        high, wide, per_group, filters = self.kernel.shape
        places, channels, rows = high * wide, self._shape()[2], slopes.shape[1]
        # In a Trainer's step this is the memory of the patches, which are of no more use. It is filled place by place:
        # what is added to a view lies together.
        memory = self.scratch("patches", (rows * places * channels,), slopes.dtype)
        if self.reuse.on:
            self.remember()  # nothing: a second backward is refused, rather than wrong
        by_group = memory.reshape(places, rows, self.groups, per_group).swapaxes(1, 2)
        kernels = self.kernel.data.reshape(places, per_group, self.groups, filters // self.groups)
        np.matmul(slopes, kernels.transpose(0, 2, 3, 1), out=by_group)
        padded = self.windows.zeros(images, channels, slopes.dtype, self.scratch)
        by_place = memory.reshape(places, images, *self.windows.out, channels)
        add_each(list(self.windows.views(padded)), by_place)
        return self.windows.cropped(padded, self.scratch)

    def _rows(self, x: Array) -> Array:
        """Return the pixels of each window as a row of a matrix, or of one for each group of channels."""
        views = self.windows.all_views(self.windows.padded(x, self.scratch))
        by_group = np.moveaxis(views.reshape(*views.shape[:5], self.groups, x.shape[3] // self.groups), 5, 0)
        group, windows, pixels = by_group.shape[:1], by_group.shape[1:4], by_group.shape[4:]
        memory = self.scratch("patches", (views.size,), x.dtype)
        if pixels[2] < 3:  # what lies together is copied fast: along a line of windows, or else within a window
            patches = memory.reshape(group + pixels + windows).transpose(0, 4, 5, 6, 1, 2, 3)
        else:
            patches = memory.reshape(windows + group + pixels).transpose(3, 0, 1, 2, 4, 5, 6)
        copy(patches, by_group)
        return patches.reshape(*group, math.prod(windows), math.prod(pixels))

    def _by_group(self, array: Array) -> Array:
        """Return an array whose last axis is that of the filters as a matrix for each group of them."""
        return array.reshape(array.size // self.filters, self.groups, self.filters // self.groups).swapaxes(0, 1)
