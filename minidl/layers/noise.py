"""Layers that draw random numbers while training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers.base import Layer, Shape, registry
from minidl.randomness import generator

__all__ = ["Dropout"]

Array = NDArray[Any]


@registry.register("dropout")
class Dropout(Layer):
    """While training, each entry is 0 with probability `rate`, and 1 / (1 − rate) times itself otherwise.

    Otherwise, in `evaluate` and `predict`, nothing is done. The mask of the k-th training batch is a function of k and
    of the seed, also where several processes share the batch; both are buffers, saved and restored with the weights,
    so that training continues as if it had not stopped.

    Args:
        rate: In [0, 1).
        seed: Where the masks come from; by default from the model's seed.
        name: See `Layer`.

    Source: Srivastava and others, Dropout: a simple way to prevent neural networks from overfitting, 2014.

    >>> layer = Dropout(0.5, seed=0)
    >>> layer.build((4,), np.random.default_rng(0))
    >>> sorted(set(layer.forward(np.ones((3, 4)), training=True).ravel().tolist()))
    [0.0, 2.0]
    """

    ranges = {"rate": "[0, 1)", "seed": "int [0, inf) | None"}

    def __init__(self, rate: float, *, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self.rate = rate
        self.seed = seed

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        drawn = int(rng.integers(2**32))
        self.buffers["seed"] = np.array(drawn if self.seed is None else self.seed, np.int64)
        self.buffers["batches"] = np.zeros((), np.int64)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        if not training or self.rate == 0:
            self.remember(mask=None)
            return np.positive(x, out=self.scratch("y", x.shape, x.dtype))
        seed, batch = int(self.buffers["seed"]), int(self.buffers["batches"])
        first, rows = self.reuse.share or (0, len(x))
        drawn = self.scratch("draw", (rows, *x.shape[1:]), np.float32)
        draw = generator(seed, "dropout", batch).random(out=drawn, dtype=np.float32)[first : first + len(x)]
        self.buffers["batches"] += 1
        mask = np.greater_equal(draw, self.rate, out=self.scratch("mask", x.shape, x.dtype))
        np.divide(mask, 1 - self.rate, out=mask)
        self.remember(mask=mask)
        return np.multiply(x, mask, out=self.scratch("y", x.shape, x.dtype))

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        mask, dx = self.remembered("mask"), self.scratch("dx", dy.shape, dy.dtype)
        return np.positive(dy, out=dx) if mask is None else np.multiply(dy, mask, out=dx)
