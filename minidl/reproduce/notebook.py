"""The course notebook's three runs, number for number, and the other four optimizers on the same task.

The notebook trains a net 2-5-2-1 (ReLU, ReLU, sigmoid) on 300 points of two moons, with mini-batches of 64, at the rate
0.0007, for 10,000 epochs, and prints the cost of the last mini-batch of every 1,000th.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minidl import Trainer, callbacks, datasets, layers, losses, optimizers
from minidl.lab import Cell, Data, grid
from minidl.lab.running import one_thread
from minidl.models import Sequential
from minidl.optimizers import Optimizer

__all__ = [
    "ACCURACY",
    "EPOCHS",
    "NAMES",
    "OPTIMIZERS",
    "PRINTED",
    "SHAPES",
    "Run",
    "cells",
    "compared",
    "moons",
    "net",
    "run",
]

EPOCHS = 10_000
EVERY = 1000  # epochs between two printed costs
RATE = 0.0007

PRINTED = {
    "sgd": [
        "0.690736",
        "0.685273",
        "0.647072",
        "0.619525",
        "0.576584",
        "0.607243",
        "0.529403",
        "0.460768",
        "0.465586",
        "0.464518",
    ],
    "momentum": [
        "0.690741",
        "0.685341",
        "0.647145",
        "0.619594",
        "0.576665",
        "0.607324",
        "0.529476",
        "0.460936",
        "0.465780",
        "0.464740",
    ],
    "adam": [
        "0.690552",
        "0.185567",
        "0.150852",
        "0.074454",
        "0.125936",
        "0.104235",
        "0.100552",
        "0.031601",
        "0.111709",
        "0.197648",
    ],
}
ACCURACY = {"sgd": "0.796666666667", "momentum": "0.796666666667", "adam": "0.94"}
SHAPES = {"sgd": "oscillations", "momentum": "oscillations", "adam": "smoother"}
NAMES = {"sgd": "Gradient descent", "momentum": "Momentum", "adam": "Adam", "nesterov": "Nesterov",
         "adagrad": "AdaGrad", "rmsprop": "RMSprop", "adadelta": "AdaDelta"}  # fmt: skip

# The rate is the notebook's for all; Zeiler's AdaDelta has none, which is 1.
OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": partial(optimizers.SGD, RATE),
    "momentum": partial(optimizers.Momentum, RATE, momentum=0.9, dampening=0.9),  # the averaged form
    "adam": partial(optimizers.Adam, RATE),
    "nesterov": partial(optimizers.Nesterov, RATE),
    "adagrad": partial(optimizers.AdaGrad, RATE),
    "rmsprop": partial(optimizers.RMSprop, RATE),
    "adadelta": optimizers.AdaDelta,
}


@dataclass(frozen=True)
class Run:
    """One training as the notebook does it.

    Attributes:
        costs: Of the last mini-batch of each epoch.
        accuracy: On the 300 points.
        model: What was learned.
    """

    optimizer: str
    costs: list[float]
    accuracy: float
    model: Sequential

    @property
    def printed(self) -> list[str]:
        """What the notebook would print: the costs of epochs 0, 1000, ... to six digits."""
        return [f"{cost:.6f}" for cost in self.costs[::EVERY]]

    @property
    def steadiness(self) -> float:
        """How far the plotted costs, of every 100th epoch, are from one to the next, on average; NaN of less than two."""
        if len(self.costs) <= 100:
            return math.nan
        return float(np.mean(np.abs(np.diff(self.costs[::100]))))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The printed costs, ours and theirs; none where the notebook has no such run."""
        return list(zip(self.printed, PRINTED.get(self.optimizer, []), strict=False))

    @property
    def differences(self) -> list[str]:
        """Where it isn't what the notebook printed: in which costs, and whether in accuracy."""
        found = [
            f"{self.optimizer}, epoch {i * EVERY}: {ours} for {theirs}"
            for i, (ours, theirs) in enumerate(self.pairs)
            if ours != theirs
        ]
        accuracy = ACCURACY.get(self.optimizer)
        if accuracy is not None and len(self.costs) == EPOCHS and abs(self.accuracy - float(accuracy)) > 1e-6:
            found.append(f"{self.optimizer}: accuracy {self.accuracy:.6f} for {accuracy}")
        return found


def compared(runs: Iterable[Run]) -> str:
    """Say how many costs were printed, and how many of these ours are."""
    pairs = [pair for run in runs for pair in run.pairs]
    return f"{sum(ours == theirs for ours, theirs in pairs)} of {len(pairs)} printed costs are the same to six digits"


def moons() -> tuple[Any, Any]:
    """Return the notebook's points, and their classes as a column."""
    x, y = datasets.make_moons(300, noise=0.2, seed=3)
    return x, y[:, None]


def net(seed: int) -> Sequential:
    """Return the notebook's net; with seed 3 it begins with the notebook's own numbers."""
    dense = layers.Dense
    model = Sequential(
        [layers.Input((2,)), dense(5, "relu"), dense(2, "relu"), dense(1, "sigmoid")], seed=seed, dtype="float64"
    )
    rng = np.random.RandomState(seed)
    for kernel in model.parameters[::2]:  # the notebook's kernels are (outputs, inputs), ours the other way
        n_in, n_out = kernel.shape
        kernel.data = (rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in)).T  # randn's numbers
    return model


def run(name: str, epochs: int = EPOCHS, told: Callable[[int], object] | None = None) -> Run:
    """Train as the notebook does, with its start and its batches; `told` is called with each epoch."""
    costs: list[float] = []
    hear = callbacks.Lambda(
        on_train_batch_end=lambda batch, logs: costs.append(logs["batch_loss"]),
        on_epoch_end=lambda epoch, logs: told(epoch) if told is not None else None,
    )
    x, y = moons()
    with one_thread():
        trainer = Trainer(net(3), OPTIMIZERS[name](), losses.BinaryCrossentropy(), ["accuracy"])
        history = trainer.fit(
            x, y, batch_size=64, epochs=epochs, callbacks=[hear], verbose=0,
            shuffle=lambda epoch, n: np.random.RandomState(11 + epoch).permutation(n),
        )  # fmt: skip
        if history.interrupted:
            raise KeyboardInterrupt
        return Run(name, costs[4::5], trainer.evaluate(x, y)["accuracy"], trainer.model)


def cells(seeds: Iterable[int], epochs: int = EPOCHS) -> list[Cell]:
    """Return the same task from other starts, with other batches, for all seven."""
    x, y = moons()
    return grid(
        model=net, optimizer=OPTIMIZERS, data=Data("the notebook's moons", x, y, x, y), epochs=epochs, batch_size=64,
        seed=list(seeds), loss="binary_crossentropy",
    )  # fmt: skip
