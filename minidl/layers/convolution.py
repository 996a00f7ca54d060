"""Convolution of images, channels last."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.affine import Affine
from minidl.layers.base import Layer, Shape, registry
from minidl.layers.windows import Windows, pair
from minidl.validation import choice, integer

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
        self.filters = integer("Conv2D", "filters", filters, 1)
        self.kernel_size = pair("Conv2D", "kernel_size", kernel_size)
        self.strides = pair("Conv2D", "strides", strides)
        self.padding = choice("Conv2D", "padding", padding, ("valid", "same"))
        self.dilation_rate = pair("Conv2D", "dilation_rate", dilation_rate)
        self.groups = integer("Conv2D", "groups", groups, 1)
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
        n, (high, wide), channels = len(x), self.windows.out, x.shape[3]
        patches = np.empty((n, high, wide, *self.kernel_size, channels), x.dtype)
        for i, j, view in self.windows.views(self.windows.padded(x)):
            patches[:, :, :, i, j] = view
        rows = self._by_group(patches.reshape(n * high * wide, self._places, channels))
        self.remember(rows=rows)
        return self._joined(rows @ self._matrix()).reshape(n, high, wide, self.filters)

    def linear_backward(self, dz: Array, accumulate: bool, input_gradient: bool) -> Array:
        rows = self.remembered("rows")
        n, slopes = len(dz), self._by_group(dz.reshape(-1, 1, self.filters))
        gradient = np.swapaxes(rows, -1, -2) @ slopes
        if self.groups > 1:
            gradient = gradient.transpose(1, 0, 2)
        self.write_gradient(self.kernel, gradient.reshape(self.kernel.shape), accumulate)
        if not input_gradient:
            return dz
        channels = self._shape()[2]
        patches = slopes @ np.swapaxes(self._matrix(), -1, -2)
        if self.groups > 1:
            split = (self.groups, patches.shape[1], self._places, channels // self.groups)
            patches = patches.reshape(split).transpose(1, 2, 0, 3)
        patches = patches.reshape(n, *self.windows.out, *self.kernel_size, channels)
        padded = self.windows.zeros(n, channels, dz.dtype)
        for i, j, view in self.windows.views(padded):
            view += patches[:, :, :, i, j]
        return self.windows.inside(padded)

    @property
    def _places(self) -> int:
        return self.kernel_size[0] * self.kernel_size[1]

    def _by_group(self, rows: Array) -> Array:
        """Return rows of (places, channels) as a matrix, or as one matrix for each group of channels."""
        if self.groups == 1:
            return rows.reshape(len(rows), rows.shape[1] * rows.shape[2])
        n, places, channels = rows.shape
        split = rows.reshape(n, places, self.groups, channels // self.groups).transpose(2, 0, 1, 3)
        return split.reshape(self.groups, n, places * channels // self.groups)

    def _matrix(self) -> Array:
        """Return the kernel as a matrix, or as one for each group of filters."""
        matrix = self.kernel.data.reshape(-1, self.filters)
        if self.groups == 1:
            return matrix
        return matrix.reshape(len(matrix), self.groups, -1).transpose(1, 0, 2)

    def _joined(self, product: Array) -> Array:
        return product if self.groups == 1 else product.transpose(1, 0, 2)
