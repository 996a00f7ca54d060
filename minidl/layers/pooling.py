"""Pooling: windows of an image, each made one pixel, channel by channel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.base import Layer, Shape, registry
from minidl.layers.windows import Windows, pair
from minidl.validation import choice, flag

__all__ = ["AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D"]

Array = NDArray[Any]


class _Pooling2D(Layer):
    """The base of both: input shape (height, width, channels), output shape (new height, new width, channels)."""

    def __init__(
        self,
        pool_size: int | tuple[int, int] = (2, 2),
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        owner = type(self).__name__
        self.pool_size = pair(owner, "pool_size", pool_size)
        self.strides = None if strides is None else pair(owner, "strides", strides)
        self.padding = choice(owner, "padding", padding, ("valid", "same"))

    @property
    def output_shape(self) -> Shape:
        """(new height, new width, channels)."""
        channels = self._shape()[2]
        return (*self.windows.out, channels)

    def check_shape(self, shape: Shape) -> None:
        self.check_axes(shape, "height", "width", "channels")
        self._windows_over(shape)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self.windows = self._windows_over(self._shape())

    def _windows_over(self, shape: Shape) -> Windows:
        return Windows.over(self.title, shape, self.pool_size, self.strides or self.pool_size, self.padding)


@registry.register("max_pooling2d")
class MaxPooling2D(_Pooling2D):
    """The greatest of each window; the gradient goes to the first that is so.

    Args:
        pool_size: Of a window, (height, width), or one number for both.
        strides: By how many pixels windows lie apart; by default their size.
        padding: "valid": windows lie inside the image. "same": they may stick out; what is outside doesn't count.
        name: See `Layer`.

    >>> MaxPooling2D(2).get_config()["pool_size"]
    (2, 2)
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        padded = self.windows.padded(x, -np.inf)
        views = self.windows.views(padded)
        y = next(views)[2].copy()
        for _, _, view in views:
            np.maximum(y, view, out=y)
        self.remember(padded=padded, y=y.copy())
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        padded, y = self.remembered("padded"), self.remembered("y")
        slopes = self.windows.zeros(len(dy), dy.shape[-1], dy.dtype)
        free = np.ones(y.shape, bool)
        for (i, j, view), (_, _, slope) in zip(self.windows.views(padded), self.windows.views(slopes), strict=True):
            winner = (view == y) & free
            if (i, j) != (self.pool_size[0] - 1, self.pool_size[1] - 1):
                free &= ~winner
            slope += dy * winner
        return self.windows.inside(slopes)


@registry.register("average_pooling2d")
class AveragePooling2D(_Pooling2D):
    """The mean of each window; with padding "same" over the pixels that lie inside the image.

    Args:
        pool_size: Of a window, (height, width), or one number for both.
        strides: By how many pixels windows lie apart; by default their size.
        padding: See `MaxPooling2D`.
        name: See `Layer`.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.remember(seen=True)
        y = np.zeros((len(x), *self.output_shape), np.promote_types(x.dtype, np.float32))  # a sum may overflow
        for _, _, view in self.windows.views(self.windows.padded(x)):
            y += view
        return (y / self._counts(y.dtype)).astype(x.dtype, copy=False)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        self.remembered("seen")
        share = dy / self._counts(dy.dtype)
        padded = self.windows.zeros(len(dy), dy.shape[-1], dy.dtype)
        for _, _, view in self.windows.views(padded):
            view += share
        return self.windows.inside(padded)

    def _counts(self, dtype: np.dtype[Any]) -> Array:
        """Return how many pixels of each window lie inside the image, shape (new height, new width, 1)."""
        ones = self.windows.padded(np.ones((1, *self.windows.image, 1), dtype))
        return np.sum([view[0] for _, _, view in self.windows.views(ones)], axis=0, dtype=dtype)


class _GlobalPooling2D(Layer):
    """The base of both: input shape (height, width, channels), output shape (channels,)."""

    def __init__(self, keepdims: bool = False, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.keepdims = flag(type(self).__name__, "keepdims", keepdims)

    @property
    def output_shape(self) -> Shape:
        """(channels,), or (1, 1, channels) with keepdims."""
        channels = self._shape()[2]
        return (1, 1, channels) if self.keepdims else (channels,)

    def check_shape(self, shape: Shape) -> None:
        self.check_axes(shape, "height", "width", "channels")


@registry.register("global_average_pooling2d")
class GlobalAveragePooling2D(_GlobalPooling2D):
    """The mean of each channel over the image.

    Args:
        keepdims: Whether the output keeps the axes of the image, of length 1.
        name: See `Layer`.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.remember(seen=True)
        return x.mean(axis=(1, 2), keepdims=self.keepdims)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        self.remembered("seen")
        height, width, channels = self._shape()
        share = dy.reshape(len(dy), 1, 1, channels) / (height * width)
        return np.broadcast_to(share, (len(dy), height, width, channels)).copy()


@registry.register("global_max_pooling2d")
class GlobalMaxPooling2D(_GlobalPooling2D):
    """The greatest of each channel over the image; the gradient goes to the first that is so.

    Args:
        keepdims: Whether the output keeps the axes of the image, of length 1.
        name: See `Layer`.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        flat = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
        winner = flat.argmax(axis=1)[:, None]
        self.remember(winner=winner)
        return np.take_along_axis(flat, winner, axis=1).reshape(len(x), *self.output_shape)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        height, width, channels = self._shape()
        dx = np.zeros((len(dy), height * width, channels), dy.dtype)
        np.put_along_axis(dx, self.remembered("winner"), dy.reshape(len(dy), 1, channels), axis=1)
        return dx.reshape(len(dy), height, width, channels)
