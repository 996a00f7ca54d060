"""Layers that say or change shapes, and compute nothing."""

import math
from typing import Any

from numpy.typing import NDArray

from minidl.layers.base import Layer, Shape, registry
from minidl.validation import sample_shape

__all__ = ["Flatten", "Input"]

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
