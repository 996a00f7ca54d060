"""Vectors for integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.base import Layer, Shape, registry
from minidl.validation import describe

__all__ = ["Embedding"]

Array = NDArray[Any]


@registry.register("embedding")
class Embedding(Layer):
    """Each integer becomes its row of a table: words, users, anything that is counted through.

    Input shape (...), integers in 0 .. input_dim − 1; output shape (..., output_dim); `embeddings` has one row for each
    integer. It is a model's first layer: integers have no gradient, and what `backward` returns is zeros.

    Args:
        input_dim: How many integers there are.
        output_dim: How long the vectors are.
        embeddings_initializer: A name or an initializer; Keras's default.
        embeddings_regularizer: None, a name, or a regularizer.
        name: See `Layer`.

    Raises:
        ValueError: If an input isn't such an integer.
    """

    input_kinds = "fiub"
    ranges = {
        "input_dim": "int [1, inf)",
        "output_dim": "int [1, inf)",
        "embeddings_initializer": "initializer",
        "embeddings_regularizer": "regularizer | None",
    }

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: object = "random_uniform",
        embeddings_regularizer: object = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.embeddings_initializer: Any = embeddings_initializer
        self.embeddings_regularizer: Any = embeddings_regularizer

    @property
    def takes_integers(self) -> bool:
        """True: as many as a float could not tell apart."""
        return True

    @property
    def output_shape(self) -> Shape:
        """(..., output_dim)."""
        return (*self._shape(), self.output_dim)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        shape = (self.input_dim, self.output_dim)
        self.embeddings = self.add_parameter(
            "embeddings", shape, self.embeddings_initializer, rng, self.embeddings_regularizer
        )

    def check_values(self, x: Array) -> None:
        if not x.size:
            return
        low, high = float(x.min()), float(x.max())
        if low < 0 or high >= self.input_dim or (x.dtype.kind == "f" and not (x == np.floor(x)).all()):
            raise ValueError(
                f"{self.title}: input must be integers in 0 .. {self.input_dim - 1}. "
                f"Received: {describe(x)}, from {low:g} to {high:g}"
            )

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.check_values(x)
        places = self.scratch("places", x.shape, np.intp)
        np.copyto(places, x, casting="unsafe")
        self.remember(places=places)
        y = self.scratch("y", (*x.shape, self.output_dim), self.embeddings.dtype)
        return np.take(self.embeddings.data, places, axis=0, out=y, mode="clip")  # to "raise", NumPy takes a copy

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        places = self.remembered("places")
        if not accumulate:
            self.embeddings.grad[...] = 0
        # NumPy is several times as fast with a vector: the places of single entries.
        entries = self.scratch("entries", dy.shape, np.intp)
        np.multiply(places[..., None], self.output_dim, out=entries)
        np.add(entries, np.arange(self.output_dim), out=entries)
        table, entries = self.embeddings.grad.reshape(-1), entries.reshape(-1)
        np.add.at(table, entries, dy.reshape(-1))
        dx = self.scratch("dx", places.shape, dy.dtype)
        dx[...] = 0
        return dx
