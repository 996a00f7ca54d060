"""Layers that say or change shapes or scales, and learn nothing."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.base import Layer, Shape, registry
from minidl.validation import describe, integer, sample_shape

__all__ = ["Flatten", "Input", "Rescaling", "Reshape", "ZeroPadding2D"]

Array = NDArray[Any]


@registry.register("input")
class Input(Layer):
    """The shape of one sample, as a model's first entry: the model is built at once then.

    Args:
        shape: Positive integers, without the batch.
        name: See `Layer`.
    """

    def __init__(self, shape: Shape | list[int], *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.shape = sample_shape("Input", "shape", shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        return x

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return dy


@registry.register("flatten")
class Flatten(Layer):
    """Each sample's entries in one row: input shape (a, b, ...), output shape (a · b · ...,)."""

    @property
    def output_shape(self) -> Shape:
        """(a · b · ...,)."""
        return (math.prod(self._shape()),)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.remember(shape=x.shape)
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return dy.reshape(self.remembered("shape"))


@registry.register("reshape")
class Reshape(Layer):
    """Each sample's entries in another shape, in the same order.

    Args:
        target_shape: Positive integers, without the batch; one may be −1, and is what is left.
        name: See `Layer`.
    """

    def __init__(self, target_shape: Shape | list[int], *, name: str | None = None) -> None:
        super().__init__(name=name)
        given = target_shape if isinstance(target_shape, (tuple, list)) else None
        if given is None or list(given).count(-1) > 1:
            raise ValueError(
                f"Reshape: target_shape must be a tuple of positive integers, one of which may be -1. "
                f"Received: target_shape={describe(target_shape)}"
            )
        sample_shape("Reshape", "target_shape", tuple(1 if size == -1 else size for size in given))
        self.target_shape = tuple(given)

    @property
    def output_shape(self) -> Shape:
        """The target shape."""
        left = math.prod(self._shape()) // math.prod(size for size in self.target_shape if size != -1)
        return tuple(left if size == -1 else size for size in self.target_shape)

    def check_shape(self, shape: Shape) -> None:
        known = math.prod(size for size in self.target_shape if size != -1)
        entries = math.prod(shape)
        if entries % known or (-1 not in self.target_shape and entries != known):
            raise ValueError(
                f"{self.title}: target_shape must have as many entries as a sample. "
                f"Received: target_shape={self.target_shape}, samples of shape {shape}"
            )

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.remember(shape=x.shape)
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return dy.reshape(self.remembered("shape"))


@registry.register("zero_padding2d")
class ZeroPadding2D(Layer):
    """Zeros around images: input shape (height, width, channels).

    Args:
        padding: How many rows and columns are added on each side: one number, (rows, columns), or ((top, bottom),
            (left, right)).
        name: See `Layer`.
    """

    def __init__(self, padding: Any = ((1, 1), (1, 1)), *, name: str | None = None) -> None:
        super().__init__(name=name)
        both = padding if isinstance(padding, (tuple, list)) else (padding, padding)
        sides = [side if isinstance(side, (tuple, list)) else (side, side) for side in both]
        if len(sides) != 2 or any(len(side) != 2 for side in sides):
            raise ValueError(
                f"ZeroPadding2D: padding must be a number, two, or two pairs. Received: padding={describe(padding)}"
            )
        (top, bottom), (left, right) = ([integer("ZeroPadding2D", "padding", n) for n in side] for side in sides)
        self.padding = ((top, bottom), (left, right))

    @property
    def output_shape(self) -> Shape:
        """(new height, new width, channels)."""
        height, width, channels = self._shape()
        return (height + sum(self.padding[0]), width + sum(self.padding[1]), channels)

    def check_shape(self, shape: Shape) -> None:
        self.check_axes(shape, "height", "width", "channels")

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.remember(seen=True)
        y = np.zeros((len(x), *self.output_shape), x.dtype)
        self._inside(y)[...] = x
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        self.remembered("seen")
        return self._inside(dy)

    def _inside(self, y: Array) -> Array:
        (top, _), (left, _) = self.padding
        height, width, _ = self._shape()
        return y[:, top : top + height, left : left + width]


@registry.register("rescaling")
class Rescaling(Layer):
    """f(x) = scale · x + offset: `Rescaling(1 / 255)` puts pixels into [0, 1].

    Args:
        scale: Any finite number.
        offset: Likewise.
        name: See `Layer`.
    """

    ranges = {"scale": "(-inf, inf)", "offset": "(-inf, inf)"}

    def __init__(self, scale: float, offset: float = 0.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.scale = scale
        self.offset = offset

    def forward(self, x: Array, training: bool = False) -> Array:
        self.remember(seen=True)
        y = np.multiply(x, self.scale, out=self.scratch("y", x.shape, x.dtype))
        return np.add(y, self.offset, out=y)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        self.remembered("seen")
        return np.multiply(dy, self.scale, out=self.scratch("dx", dy.shape, dy.dtype))
