"""What no side with this BLAS can do without: the matrix products of a step, and the bytes that the update moves.

There are no biases, activations, losses, batches or checks. Where Numba is installed, one thread streams once through
weights, gradient and slots; elsewhere as many bytes are copied.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.speed.tasks import CLASSES, FLOOR, PIXELS, UNITS, Array, Makers, Task
from benchmarks.speed.with_minidl import RULES
from minidl.compute.reuse import Call, make
from minidl.layers.products import outer_sum, times, times_transposed

__all__ = ["Floor", "sides"]


def sides(task: Task) -> Makers:
    """Return how to make the floor, by name."""
    return {FLOOR: partial(Floor, task)}


class Product(NamedTuple):
    """The products of a layer: x W of shape (rows, inputs) (inputs, outputs) and its two gradients.

    Attributes:
        rows: Of x.
        inputs: Columns of x.
        outputs: Columns of W.
        walks: Whether the gradient by x is needed.
        times: How often in sequence, with the same W, whose gradient is then one product.
    """

    rows: int
    inputs: int
    outputs: int
    walks: bool = True
    times: int = 1


class Floor:
    """A step's products in sequence, then the update's stream."""

    def __init__(self, task: Task) -> None:
        self.task = task
        slots = len(RULES[task.rule].slots)
        rng = np.random.default_rng(0)
        self.vectors = [rng.standard_normal(task.parameters, np.float32) for _ in range(2 + slots)]
        weights, gradients = self.vectors[:2]
        forward: list[Call] = []
        backward: list[Call] = []
        start = 0
        for product in products(task):
            part = slice(start, start + product.inputs * product.outputs)
            shape = product.inputs, product.outputs
            ahead, back = _calls(product, weights[part].reshape(shape), gradients[part].reshape(shape), rng)
            forward, backward, start = [*forward, *ahead], [*back, *backward], part.stop
        self.calls = [*forward, *backward, _stream(self.vectors)]

    def train(self, epochs: int) -> None:
        """Make the steps of that many epochs."""
        for _ in range(epochs * self.task.steps):
            make(self.calls)

    def losses(self, steps: int) -> list[float]:
        """Return nothing: it computes no loss."""
        return []


def products(task: Task) -> list[Product]:
    """Return the products of a step; a convolution is one over all windows."""
    n = task.batch_size
    if task.net == "vector":
        return []
    if task.net == "conv":
        return [
            Product(n * 26 * 26, 9, 32, walks=False),
            Product(n * 11 * 11, 9 * 32, 64),
            Product(n, 1600, CLASSES),
        ]
    if task.net == "lstm":
        return [
            Product(n * PIXELS, PIXELS, 4 * UNITS, walks=False),
            Product(n, UNITS, 4 * UNITS, times=PIXELS),
            Product(n, UNITS, CLASSES),
        ]
    kernels = [shape for shape in task.shapes if len(shape) == 2]
    return [Product(n, *shape, walks=i > 0) for i, shape in enumerate(kernels)]


def _calls(product: Product, w: Array, dw: Array, rng: np.random.Generator) -> tuple[list[Call], list[Call]]:
    """Return the calls of the way forward, and of the way back, in the forms that our layers take too."""
    x = rng.standard_normal((product.times, product.rows, product.inputs), np.float32)
    y = np.empty((product.times, product.rows, product.outputs), np.float32)
    memory: dict[str, Array] = {}

    def scratch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in memory or memory[name].shape != shape:
            memory[name] = np.empty(shape, np.float32)
        return memory[name]

    turns = range(product.times)
    forward = [call for i in turns for call in times(x[i], w, y[i], scratch)]
    walks = turns if product.walks else ()
    back = [call for i in walks for call in times_transposed(y[i], w, x[i].copy(), scratch)]
    flat_x, flat_y = x.reshape(-1, product.inputs), y.reshape(-1, product.outputs)
    return forward, [*back, *outer_sum(flat_x, flat_y, dw, scratch)]


def _stream(vectors: list[Array]) -> Call:
    """Return what reads all vectors and writes all but the gradient, which is the second."""
    try:
        import numba
    except ImportError:
        return _copies, (np.empty_like(vectors[0]), vectors[0], len(vectors) - 1)
    loop = (_stream_none, _stream_one, _stream_two)[len(vectors) - 2]
    return numba.njit(fastmath=True)(loop), tuple(vectors)


def _copies(target: Array, source: Array, written: int) -> None:
    """Copy what is written; a copy reads as much, and half a copy is worth the one vector that is only read."""
    for _ in range(written):
        np.copyto(target, source)
    half = len(source) // 2
    np.copyto(target[:half], source[:half])


def _stream_none(w: Array, g: Array) -> None:
    for i in range(len(w)):
        w[i] -= np.float32(1e-9) * g[i]


def _stream_one(w: Array, g: Array, m: Array) -> None:
    for i in range(len(w)):
        m[i] = np.float32(0.5) * (m[i] + g[i])
        w[i] -= np.float32(1e-9) * m[i]


def _stream_two(w: Array, g: Array, m: Array, v: Array) -> None:
    for i in range(len(w)):
        m[i] = np.float32(0.5) * (m[i] + g[i])
        v[i] = np.float32(0.5) * (v[i] + g[i])
        w[i] -= np.float32(1e-9) * (m[i] + v[i])
