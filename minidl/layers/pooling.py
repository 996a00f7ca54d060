"""Pooling: windows of an image, each made one pixel, channel by channel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.pooling import pool, unpool
from minidl.layers.base import Layer, Shape, registry
from minidl.layers.windows import Windows, pair

__all__ = ["AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D"]

Array = NDArray[Any]


class _Pooling2D(Layer):
    """The base of both: input shape (height, width, channels), output shape (new height, new width, channels)."""

    ranges = {"padding": "'valid' | 'same'"}

    def __init__(
        self,
        pool_size: int | tuple[int, int] = (2, 2),
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.pool_size = pair(self._called, "pool_size", pool_size)
        self.strides = None if strides is None else pair(self._called, "strides", strides)
        self.padding = padding

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
        padded = self.windows.padded(x, self.scratch, -np.inf)
        y, winner = self._pool(padded, training)
        self.remember(padded=padded, winner=winner if training else None)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        winner = self.remembered("winner")
        if winner is None:  # not found while training isn't on, where it is rarely asked for
            _, winner = self._pool(self.remembered("padded"), True)
        slopes = self.windows.zeros_between(len(dy), dy.shape[-1], dy.dtype, self.scratch)
        if self.windows.apart and unpool(slopes, dy, winner, self.pool_size, self.windows.strides):
            return self.windows.cropped(slopes, self.scratch)
        won = self.scratch("won", dy.shape, np.bool_)
        for place, view in enumerate(self.windows.views(slopes)):
            np.equal(winner, place, out=won)
            if self.windows.apart:
                np.multiply(dy, won, out=view)
            else:
                np.add(view, np.multiply(dy, won, out=self.scratch("share", dy.shape, dy.dtype)), out=view)
        return self.windows.cropped(slopes, self.scratch)

    def _pool(self, padded: Array, places: bool) -> tuple[Array, Array]:
        """Return the greatest of each window, and its place there, the first of several, if asked for; else y again."""
        views = self.windows.views(padded)
        first = next(views)
        second = next(views, first)  # a window of one pixel has none
        y = self.scratch("y", first.shape, padded.dtype)
        small = np.min_scalar_type(math.prod(self.pool_size))
        winner, candidate = (self.scratch(name, y.shape, small) if places else y for name in ("winner", "candidate"))
        if places and pool(padded, y, winner, self.pool_size, self.windows.strides):
            return y, winner
        np.maximum(first, second, out=y)
        if not places:
            for view in views:
                np.maximum(y, view, out=y)
            return y, y
        greater = self.scratch("greater", y.shape, np.bool_)
        np.copyto(winner, np.greater(second, first, out=greater))
        for place, view in enumerate(views, start=2):
            np.greater(view, y, out=greater)
            np.maximum(winner, np.multiply(greater, small.type(place), out=candidate), out=winner)
            np.maximum(y, view, out=y)
        return y, winner


@registry.register("average_pooling2d")
class AveragePooling2D(_Pooling2D):
    """The mean of each window; with padding "same" over the pixels that lie inside the image.

    Args:
        pool_size: Of a window, (height, width), or one number for both.
        strides: By how many pixels windows lie apart; by default their size.
        padding: See `MaxPooling2D`.
        name: See `Layer`.
    """

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self._inside: Array | None = None

    def _counts(self) -> Array:
        """Return how many pixels of each window lie inside the image."""
        if self._inside is None:  # not by `build`, which nobody makes fill the memory
            rows, columns = self.windows.covered()
            self._inside = (rows[:, None, None] * columns[:, None]).astype(np.float32)
        return self._inside

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.remember(seen=True)
        shape = (len(x), *self.output_shape)
        total = self.scratch("total", shape, np.promote_types(x.dtype, np.float32))  # a sum may overflow
        total.fill(0)
        for view in self.windows.views(self.windows.padded(x, self.scratch)):
            np.add(total, view, out=total)
        return np.divide(total, self._counts(), out=self.scratch("y", shape, x.dtype))

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        self.remembered("seen")
        share = np.divide(dy, self._counts(), out=self.scratch("share", dy.shape, dy.dtype))
        padded = self.windows.zeros(len(dy), dy.shape[-1], dy.dtype, self.scratch)
        for view in self.windows.views(padded):
            np.add(view, share, out=view)
        return self.windows.cropped(padded, self.scratch)


class _GlobalPooling2D(Layer):
    """The base of both: input shape (height, width, channels), output shape (channels,)."""

    ranges = {"keepdims": "bool"}

    def __init__(self, keepdims: bool = False, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.keepdims = keepdims

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
        dx = self.scratch("dx", (len(dy), height, width, channels), dy.dtype)
        dx[...] = dy.reshape(len(dy), 1, 1, channels) / (height * width)
        return dx


@registry.register("global_max_pooling2d")
class GlobalMaxPooling2D(_GlobalPooling2D):
    """The greatest of each channel over the image; the gradient goes to the first that is so.

    Args:
        keepdims: Whether the output keeps the axes of the image, of length 1.
        name: See `Layer`.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        n, height, width, channels = x.shape
        pixels = self.scratch("pixels", (n, channels, height * width), x.dtype)
        pixels.reshape(n, channels, height, width)[...] = x.transpose(0, 3, 1, 2)
        winner = pixels.argmax(axis=2)[..., None]  # along memory; otherwise NumPy would make this very copy
        self.remember(winner=winner)
        return np.take_along_axis(pixels, winner, axis=2).reshape(n, *self.output_shape)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        height, width, channels = self._shape()
        dx = self.scratch("dx", (len(dy), height * width, channels), dy.dtype)
        dx.fill(0)
        winner = self.remembered("winner").swapaxes(1, 2)
        np.put_along_axis(dx, winner, dy.reshape(len(dy), 1, channels), axis=1)
        return dx.reshape(len(dy), height, width, channels)
