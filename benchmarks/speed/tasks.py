"""What all sides are given: a net, its first weights, a rule with its hyperparameters, and the data."""

import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minidl import datasets

__all__ = ["FLOOR", "HYPERPARAMETERS", "LOOP", "OURS", "SCAN", "Array", "Makers", "Side", "Task", "data_name", "images"]

Array = NDArray[Any]
Shape = tuple[int, ...]

# Names of sides that the report tells from the others.
OURS = ("minidl", "minidl replayed")  # the update compiled (the extra `fast`), and by NumPy alone
LOOP = "minidl, bare loop"
FLOOR = "floor"
SCAN = "JAX scan"

# So small that no rule diverges, however often the data are gone through.
HYPERPARAMETERS: dict[str, dict[str, float]] = {
    "SGD": {"learning_rate": 0.01},
    "Momentum": {"learning_rate": 0.001, "momentum": 0.9},
    "Nesterov": {"learning_rate": 0.001, "momentum": 0.9},
    "AdaGrad": {"learning_rate": 0.001, "epsilon": 1e-8},
    "RMSprop": {"learning_rate": 1e-4, "rho": 0.9, "epsilon": 1e-8},
    "AdaDelta": {"learning_rate": 0.1, "rho": 0.95, "epsilon": 1e-6},
    "Adam": {"learning_rate": 1e-4, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
    "Lion": {"learning_rate": 1e-5, "beta_1": 0.9, "beta_2": 0.99},
}

PIXELS, CLASSES, UNITS = 28, 10, 128
NETS: dict[str, list[Shape]] = {
    "conv": [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (1600, CLASSES), (CLASSES,)],
    "lstm": [(PIXELS, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS, CLASSES), (CLASSES,)],
}
SAMPLES: dict[str, Shape] = {"dense": (PIXELS**2,), "conv": (PIXELS, PIXELS, 1), "lstm": (PIXELS, PIXELS)}


class Side(Protocol):
    """One way to do a task."""

    def train(self, epochs: int) -> None:
        """Train for that many epochs, each over all samples in a new order; return when all is computed."""

    def losses(self, steps: int) -> list[float]:
        """Make the first steps, on the samples in their order; return the loss before each."""


Makers = dict[str, Callable[[], Side]]


@dataclass(frozen=True)
class Task:
    """A net to train by a rule.

    Attributes:
        rule: The optimizer, by its name in minidl.
        batch_size: Samples a step.
        steps: Steps an epoch.
        net: "dense", "conv", "lstm", or "vector": no net, the optimizer alone steps a vector along a constant gradient.
        widths: Of the hidden layers of a dense net; the length of the vector.
        dropout: The rate of the convolutional net's one layer that drops.
    """

    rule: str
    batch_size: int
    steps: int
    net: str = "dense"
    widths: Shape = (500, 100)
    dropout: float = 0.0

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of the parameters, in the order and layout of Keras and minidl."""
        if self.net == "vector":
            return [self.widths]
        if self.net == "dense":
            layers = itertools.pairwise((PIXELS**2, *self.widths, CLASSES))
            return [shape for inputs, outputs in layers for shape in ((inputs, outputs), (outputs,))]
        return NETS[self.net]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Those of the rule, under minidl's names."""
        return HYPERPARAMETERS[self.rule]

    def weights(self) -> list[Array]:
        """Return the parameters' first values, the same each time: He's for kernels, zeros for biases."""
        rng = np.random.default_rng(0)
        return [
            rng.standard_normal(shape, np.float32) * np.float32((2 / math.prod(shape[:-1])) ** 0.5)
            if len(shape) > 1 or self.net == "vector"
            else np.zeros(shape, np.float32)
            for shape in self.shapes
        ]

    def gradient(self) -> Array:
        """Return the gradient of a task without a net."""
        return np.random.default_rng(1).standard_normal(self.widths, np.float32)

    def data(self) -> tuple[Array, Array]:
        """Return the samples of an epoch and their classes; the arrays are all sides' in a process."""
        x, y = _samples(self.batch_size * self.steps)
        return x.reshape(-1, *SAMPLES[self.net]), y

    def batches(self, steps: int) -> Iterator[tuple[Array, Array]]:
        """Yield the first batches."""
        x, y = self.data()
        for start in range(0, steps * self.batch_size, self.batch_size):
            batch = slice(start, start + self.batch_size)
            yield x[batch], y[batch]


def data_name() -> str:
    """Return what the images are."""
    return "Fashion-MNIST" if os.environ.get("MINIDL_DATA_DIR") else "random images, half of their pixels 0"


@functools.lru_cache(maxsize=1)
def images() -> tuple[Array, Array]:
    """Return 60,000 images of bytes and their classes; Fashion-MNIST only where MINIDL_DATA_DIR says that it is there.

    The made-up ones have like it a border of zeros, wider or narrower.
    """
    if os.environ.get("MINIDL_DATA_DIR"):
        return datasets.load_fashion_mnist()[0]
    rng = np.random.default_rng(2)
    n, far = 60_000, np.abs(np.arange(PIXELS) - (PIXELS - 1) / 2)
    high, wide = rng.uniform(6, 14, (2, n, 1))
    x = rng.integers(1, 256, (n, PIXELS, PIXELS), np.uint8)
    x *= (far < high)[:, :, None] & (far < wide)[:, None, :]
    return x, rng.integers(0, CLASSES, n)


@functools.lru_cache(maxsize=1)
def _samples(n: int) -> tuple[Array, Array]:
    x, y = images()
    chosen = np.arange(n) % len(x)
    return x[chosen].astype(np.float32) / 255, y[chosen]
