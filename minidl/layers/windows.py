"""The windows that a convolution or a pooling moves over an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe, integer

__all__ = ["Windows", "pair"]

Array = NDArray[Any]
Pair = tuple[int, int]
Scratch = Callable[[str, tuple[int, ...], Any], Array]  # `Layer.scratch`


def pair(owner: str, name: str, value: object) -> Pair:
    """Return two positive integers, for height and width; one given stands for both."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{owner}: {name} must be one integer or two. Received: {name}={describe(value)}")
        return integer(owner, name, value[0], 1), integer(owner, name, value[1], 1)
    number = integer(owner, name, value, 1)
    return number, number


@dataclass(frozen=True)
class Windows:
    """How windows of `size` lie over images of `height` × `width`: every `strides` pixels, in steps of `dilation`.

    With padding "valid" all lie inside; with "same" there are ceil(pixels / stride) of them, and what sticks out is
    shared between both sides, the odd pixel behind, as in TensorFlow.
    """

    image: Pair
    size: Pair
    strides: Pair
    padding: str
    dilation: Pair = (1, 1)

    @classmethod
    def over(
        cls, owner: str, image: tuple[int, ...], size: Pair, strides: Pair, padding: str, dilation: Pair = (1, 1)
    ) -> Windows:
        """Return the windows over images of (height, width, ...); raise ValueError if none fits."""
        windows = cls((image[0], image[1]), size, strides, padding, dilation)
        if min(windows.out) < 1:
            raise ValueError(
                f"{owner}: a window of {windows.extent} pixels must fit into the image. Received: {image[:2]} pixels"
            )
        return windows

    @property
    def extent(self) -> Pair:
        """How many pixels a window reaches over."""
        high, wide = ((n - 1) * d + 1 for n, d in zip(self.size, self.dilation, strict=True))
        return high, wide

    @property
    def out(self) -> Pair:
        """How many windows there are."""
        if self.padding == "same":
            high, wide = (-(-n // s) for n, s in zip(self.image, self.strides, strict=True))
        else:
            parts = zip(self.image, self.extent, self.strides, strict=True)
            high, wide = ((n - k) // s + 1 for n, k, s in parts)
        return high, wide

    def covered(self) -> tuple[Array, Array]:
        """Return how many rows of each window, and how many columns, lie inside the image (for a dilation of 1)."""
        parts = zip(self.out, self.size, self.strides, self.pads, self.image, strict=True)
        starts = ((np.arange(out) * stride - before, size, image) for out, size, stride, (before, _), image in parts)
        high, wide = (np.minimum(start + size, image) - np.maximum(start, 0) for start, size, image in starts)
        return high, wide

    @property
    def pads(self) -> tuple[Pair, Pair]:
        """How many pixels are added before and behind."""
        parts = zip(self.out, self.strides, self.extent, self.image, strict=True)
        lack = [max((o - 1) * s + k - n, 0) for o, s, k, n in parts]
        return (lack[0] // 2, lack[0] - lack[0] // 2), (lack[1] // 2, lack[1] - lack[1] // 2)

    @property
    def apart(self) -> bool:
        """Whether no pixel lies in two windows."""
        return all(s >= k for s, k in zip(self.strides, self.extent, strict=True))

    def padded(self, x: Array, scratch: Scratch, value: float = 0.0) -> Array:
        """Return the images with what is added around them."""
        if not any(map(any, self.pads)):
            return x
        padded = self._filled("padded", len(x), x.shape[3], x.dtype, scratch, value)
        self.inside(padded)[...] = x
        return padded

    def zeros(self, images: int, channels: int, dtype: np.dtype[Any], scratch: Scratch) -> Array:
        """Return images of zeros, with what is added around them: what the views of a gradient add to."""
        return self._filled("zeros", images, channels, dtype, scratch, 0.0)

    def zeros_between(self, images: int, channels: int, dtype: np.dtype[Any], scratch: Scratch) -> Array:
        """Return such images for windows that write to all their pixels, if these are apart: zeros where none lies."""
        padded = (n + sum(pads) for n, pads in zip(self.image, self.pads, strict=True))
        tiled = self.strides == self.size and all(
            o * k == n for o, k, n in zip(self.out, self.size, padded, strict=True)
        )
        return self._filled("zeros", images, channels, dtype, scratch, None if tiled else 0.0)

    def _filled(
        self, name: str, images: int, channels: int, dtype: np.dtype[Any], scratch: Scratch, value: float | None
    ) -> Array:
        (top, bottom), (left, right) = self.pads
        shape = (images, top + self.image[0] + bottom, left + self.image[1] + right, channels)
        filled = scratch(name, shape, dtype)
        if value is not None:
            filled.fill(value)
        return filled

    def inside(self, padded: Array) -> Array:
        """Return a view of the images without what was added around them."""
        (top, _), (left, _) = self.pads
        return padded[:, top : top + self.image[0], left : left + self.image[1]]

    def cropped(self, padded: Array, scratch: Scratch) -> Array:
        """Return the images without what was added around them, in memory without gaps."""
        inside = self.inside(padded)
        if inside.shape == padded.shape:
            return padded
        cropped = scratch("cropped", inside.shape, padded.dtype)
        np.copyto(cropped, inside)
        return cropped

    def views(self, padded: Array) -> Iterator[Array]:
        """Give, for each place in a window, row by row, a view of the pixels there in all windows."""
        (high, wide), (down, right) = self.out, self.strides
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                top, left = i * self.dilation[0], j * self.dilation[1]
                yield padded[:, top : top + (high - 1) * down + 1 : down, left : left + (wide - 1) * right + 1 : right]

    def all_views(self, padded: Array) -> Array:
        """Return these views as one, of shape (images, new height, new width, *size, channels); it can't be written."""
        (down, right), (i, j) = self.strides, self.dilation
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.extent, (1, 2))
        return windows[:, ::down, ::right, :, ::i, ::j].transpose(0, 1, 2, 4, 5, 3)
