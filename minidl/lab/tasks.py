"""The data sets of `minidl compare`, each with a net, settings and learning rates that suit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import datasets, layers
from minidl.config import Checked
from minidl.lab.cell import Cell
from minidl.lab.data import Data
from minidl.models import Sequential

__all__ = ["SEVEN", "TASKS", "Net", "Task"]

Array = NDArray[Any]


Parts = tuple[tuple[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Net(metaclass=Checked):
    """What makes a net of a seed: ReLU layers, then a softmax."""

    inputs: tuple[int, ...]
    hidden: tuple[int, ...]
    classes: int
    kernel_initializer: str = "glorot_uniform"

    def __call__(self, seed: int) -> Sequential:
        """Return a new net."""
        start = self.kernel_initializer
        inside = [layers.Dense(units, activation="relu", kernel_initializer=start) for units in self.hidden]
        last = layers.Dense(self.classes, kernel_initializer=start)
        return Sequential([layers.Input(self.inputs), *inside, last, layers.Softmax()], seed=seed)


@dataclass(frozen=True)
class Task(metaclass=Checked):
    """Data to classify, and the settings that suit them.

    Attributes:
        load: Returns the data: (x_train, y_train), (x_test, y_test). It is called when they are first needed.
        hidden: The units of the hidden layers.
        rates: A learning rate for each optimizer, chosen on a validation part of the training data, never on
            the test data, by `minidl compare --tune`.
    """

    name: str
    load: Callable[[], Parts]
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    rates: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def data(self) -> Data:
        """The data, x as float32, y as classes."""
        (x, y), (x_test, y_test) = self.load()
        return Data(self.name, x.astype(np.float32), y, x_test.astype(np.float32), y_test)

    @property
    def net(self) -> Net:
        """What makes the net."""
        return Net(self.data.x.shape[1:], self.hidden, int(self.data.y.max()) + 1)

    def cells(self, optimizers: Mapping[str, tuple[Callable[..., Any], Any]], seeds: Sequence[int]) -> list[Cell]:
        """Return a cell for each seed and optimizer: what makes it, and its learning rate, by the name for tables."""
        return [
            Cell(self.net, make, self.data, self.epochs, self.batch_size, seed, rate, labels={"optimizer": name})
            for seed in seeds
            for name, (make, rate) in optimizers.items()
        ]


def _images(load: Callable[[], Parts], white: int) -> Parts:
    """Return images as rows of pixels, from 0 to 1."""
    (x_train, y_train), (x_test, y_test) = load()
    return (_rows(x_train) / white, y_train), (_rows(x_test) / white, y_test)


def _rows(images: Array) -> Array:
    return images.reshape(len(images), -1).astype(np.float32)


def _points(make: Callable[..., tuple[Array, Array]], **options: float) -> Parts:
    """Return 1,000 points to train and 1,000 to test."""
    return make(1000, seed=0, **options), make(1000, seed=1, **options)


def _task(
    name: str, load: Callable[[], Parts], hidden: tuple[int, ...], epochs: int, rates: tuple[float, ...]
) -> tuple[str, Task]:
    return name, Task(name, load, hidden, epochs, batch_size=20, rates=dict(zip(SEVEN, rates, strict=True)))


SEVEN = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam")

TASKS: dict[str, Task] = dict(
    [
        _task(
            "digits",
            partial(_images, datasets.load_digits, white=16),
            hidden=(500, 100),
            epochs=10,
            rates=(0.3, 0.01, 0.03, 0.03, 0.0003, 3.0, 0.001),
        ),
        _task(  # the paper's
            "fashion-mnist",
            partial(_images, datasets.load_fashion_mnist, white=255),
            hidden=(500, 100),
            epochs=5,
            rates=(0.03, 0.01, 0.01, 0.03, 0.0001, 0.1, 0.0001),
        ),
        _task(
            "moons",
            partial(_points, datasets.make_moons, noise=0.2),
            hidden=(16, 16),
            epochs=30,
            rates=(0.1, 0.03, 0.03, 0.1, 0.003, 1.0, 0.003),
        ),
        _task(
            "circles",
            partial(_points, datasets.make_circles, noise=0.1, factor=0.5),
            hidden=(16, 16),
            epochs=30,
            rates=(0.1, 0.1, 0.01, 0.3, 0.003, 1.0, 0.03),
        ),
        _task(
            "spirals",
            partial(_points, datasets.make_spirals, noise=0.03),
            hidden=(16, 16),
            epochs=30,
            rates=(0.3, 0.1, 0.1, 0.3, 0.01, 3.0, 0.01),
        ),
    ]
)
