"""The paper's nine tables and its loss figures: what it printed, and the cells that try it again.

A. V. Malarkkan, B. Gokulakrishnan, G. Sekkilar, R. Ramakrishnan, Evaluation of Gradient Descent Optimization Techniques
in Deep Neural Networks. The net is 784-500-100-10, ReLU and softmax, on Fashion-MNIST.

What it leaves open is tried in several readings:

* "Batch size" 10, 15 and 20 may be so many batches an epoch (of 600, 400 and 300 images), or so many images a batch.
* The rate may decay, as 1 / (1 + 0.01 · epoch). Its code computes that rate, but for momentum and Adam steps with the
  undecayed one, and for plain descent the decay is 0 by default.
* Momentum may be averaged, v ← μ v + (1 − μ) g, as in its code, or classical, v ← μ v + g, as in its text.
* Keras's Nesterov may have momentum 0, Keras's default, or 0.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from minidl import losses, optimizers, schedules
from minidl.lab import Cell, Data
from minidl.lab.tasks import TASKS, Net

__all__ = [
    "ENTRIES",
    "FIGURES",
    "MAIN",
    "READINGS",
    "TITLES",
    "CutCrossentropy",
    "Entry",
    "Reading",
    "cell",
    "cells",
    "keras_net",
    "net",
    "paper_data",
    "quick_cells",
]

MAIN = "as its code"
SMALL = (6000, 1000)  # the images of Tables I to VII: the first ones
FULL = (60_000, 10_000)

TITLES = {
    "I": "Gradient descent with no momentum",
    "II": "Gradient descent with Polyak's momentum",
    "III": "Gradient descent with RMSprop",
    "IV": "Gradient descent with Adam",
    "V": "Gradient descent with no momentum, learning rate 0.1",
    "VI": "Gradient descent with Polyak's momentum, learning rate 0.1",
    "VII": "Gradient descent with RMSprop, learning rate 0.00007",
    "VIII": "Comparison by batch size, epochs and learning rate, by Keras",
    "IX": "Comparison with inbuilt library functions, by Keras",
}
FIGURES = {
    2: "No momentum",
    3: "Polyak's momentum",
    4: "RMSprop",
    5: "Adam",
    6: "Adam, batch size 15",
    7: "Adam, batch size 20",
    8: "Polyak's momentum, batch implementation",
}


# Drawn as the course draws it, from which the paper's code comes: normal of variance 2 / n; and as Keras does by default.
net = Net((784,), (500, 100), 10, "he_normal")
keras_net = Net((784,), (500, 100), 10)


@dataclass(frozen=True)
class Entry:
    """One run of the paper: where it stands, what is told of it, and what came of it, in per cent.

    Attributes:
        place: The table, or "figure 2" and so on.
        batch: The "batch size".
        epochs: The "iterations"; Tables I to IV don't tell theirs: 300, the least that the paper names.
    """

    place: str
    rule: str
    rate: float
    batch: int
    epochs: int
    train: float | None = None
    test: float | None = None

    @property
    def full(self) -> bool:
        """Whether it is on all of the data, by Keras."""
        return self.place in ("VIII", "IX")


@dataclass(frozen=True)
class Reading:
    """One way to understand what the paper leaves open.

    Attributes:
        batches: Whether a "batch size" is a number of batches an epoch; else it is one of images a batch.
        decay: Of the rate, by epoch.
        averaged: Whether momentum is averaged; else it is classical.
        momentum: Of Keras's Nesterov.
        exact: Whether Keras's loss is the exact cross-entropy; else the one that Keras 2 cuts.
        few: Whether Keras's runs are on the 6,000 images of the others, too.
        tried: The places that it is tried on.
    """

    name: str
    batches: bool = True
    decay: float = 0.0
    averaged: bool = True
    momentum: float = 0.0
    exact: bool = False
    few: bool = False
    tried: tuple[str, ...] = ()

    def seeds(self, entry: Entry) -> int:
        """Return with how many seeds an entry is run; 0 if it isn't.

        Plain descent at the rate 0.5 in batches of 1,000 (and so Keras's Nesterov with its default momentum of 0) ends
        so differently that one seed says nothing.
        """
        if entry.place not in self.tried or (self.momentum and entry.rule != "nesterov"):
            return 0
        if self.exact and not (entry.rule == "sgd" and entry.rate == 0.5):
            return 0
        if not self.averaged and entry.rule != "momentum":
            return 0
        if not self.batches and entry.epochs > 500:  # small batches take long, and all is learned by then
            return 0
        if self.name != MAIN:
            return 1
        if entry.full:
            return 5 if entry.rule in ("sgd", "nesterov") and entry.rate == 0.5 and entry.batch == 1000 else 1
        return 3 if entry.place in ("I", "II", "III", "IV") else 1

    def optimizer(self, rule: str, keras: bool) -> Any:
        """Return what makes a rule as the paper's code, or Keras, has it."""
        if keras:
            return {
                "sgd": optimizers.SGD,
                "nesterov": partial(optimizers.Nesterov, momentum=self.momentum, learning_rate_inside=True),
                "rmsprop": partial(optimizers.RMSprop, epsilon=0.0, epsilon_root=1e-7),
                "adam": partial(optimizers.Adam, epsilon=schedules.CorrectedEpsilon(1e-7)),
            }[rule]
        return {
            "sgd": optimizers.SGD,
            "momentum": partial(optimizers.Momentum, momentum=0.9, dampening=0.9 if self.averaged else 0.0),
            "rmsprop": optimizers.RMSprop,
            "adam": partial(optimizers.Adam, epsilon=0.0, epsilon_root=1e-8),
        }[rule]


class CutCrossentropy(losses.Loss):
    """−log p_y with p cut to [1e-7, 1 − 1e-7], as Keras 2 computed it: where it is cut the gradient is 0.

    Where a step at a large rate has thrown most samples beyond the cut, they push no further: some runs then come back,
    in others nothing moves any more, at a loss of 0.9 · 16.1 = 14.5. The exact loss pushes on until it overflows.
    """

    axes = 2
    cut = 1e-7

    def check(self, y_true: Any, y_pred: Any) -> None:
        losses.SparseCategoricalCrossentropy().check(y_true, y_pred)

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        return -np.log(np.clip(self._own(y_true, y_pred), self.cut, 1 - self.cut))

    def per_sample_gradient(self, y_true: Any, y_pred: Any) -> Any:
        p, slopes = self._own(y_true, y_pred), np.zeros_like(y_pred)
        inside = (p >= self.cut) & (p <= 1 - self.cut)
        slopes[np.arange(len(p)), y_true] = np.where(inside, -1 / np.where(inside, p, 1), 0)
        return slopes

    def _own(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred[np.arange(len(y_pred)), y_true]


def _entries() -> Iterator[Entry]:
    by_rate: dict[tuple[str, str], tuple[tuple[float, float, float], ...]] = {
        ("I", "sgd"): ((0.01, 84.05, 83.60), (0.07, 88.80, 85.20), (0.1, 89.18, 85.30)),
        ("II", "momentum"): ((0.01, 95.50, 86.00), (0.07, 87.85, 85.00), (0.1, 96.83, 86.0)),
        ("III", "rmsprop"): (
            (0.00001, 77.50, 74.50), (0.00007, 76.03, 75.00), (0.0007, 97.65, 85.50), (0.0001, 88.50, 85.40),
        ),
        ("IV", "adam"): ((0.00007, 86.83, 84.90), (0.0007, 99.43, 86.90), (0.0001, 88.78, 85.70)),
    }  # fmt: skip
    for (place, rule), rows in by_rate.items():
        for rate, train, test in rows:
            yield Entry(place, rule, rate, 10, 300, train, test)
    by_batch = {
        ("V", "sgd", 0.1): ((92.16, 86.10), (95.86, 86.20), (97.05, 85.50),
                            (93.63, 86.00), (97.40, 86.60), (98.40, 85.80)),
        ("VI", "momentum", 0.1): ((97.81, 85.20), (98.36, 86.40), (86.61, 85.40),
                                  (99.86, 85.60), (99.61, 85.70), (99.70, 86.60)),
        ("VII", "rmsprop", 0.00007): ((89.45, 86.20), (90.45, 84.80), (88.43, 82.90),
                                      (91.21, 86.20), (92.03, 84.70), (89.30, 81.50)),
    }  # fmt: skip
    for (place, rule, rate), pairs in by_batch.items():
        for i, (train, test) in enumerate(pairs):
            yield Entry(place, rule, rate, (10, 15, 20)[i % 3], (500, 700)[i // 3], train, test)
    by_keras = (
        (100, 50, 0.005, (86.24, 86.29, 10.0, 88.78)),
        (1000, 100, 0.00005, (10.0, 22.88, 86.89, 87.14)),
        (1000, 100, 0.5, (88.99, 88.47, 10.0, 10.0)),
        (100, 100, 0.00005, (60.51, 61.25, 89.10, 88.95)),
        (100, 100, 0.5, (89.95, 88.95, 10.0, 10.0)),
    )
    for place in ("VIII", "IX"):
        for batch, epochs, rate, tests in by_keras:
            for rule, test in zip(("sgd", "nesterov", "rmsprop", "adam"), tests, strict=True):
                yield Entry(place, rule, rate, batch, epochs, None, test)
    for figure, batch in ((6, 15), (7, 20)):
        yield Entry(f"figure {figure}", "adam", 0.0007, batch, 300)
    for rate in (0.01, 0.07, 0.1):
        yield Entry("figure 8", "momentum", rate, 1, 300)


ENTRIES = tuple(_entries())

# The first one is the paper's code, with a batch size as its numbers tell it; of the others one thing differs.
READINGS = (
    Reading(MAIN, tried=(*TITLES, "figure 6", "figure 7", "figure 8")),
    Reading("decayed rate", decay=0.01, tried=("I", "II", "III", "IV", "V", "VI", "VII")),
    Reading("classical momentum", averaged=False, tried=("II", "VI")),
    Reading("images a batch", batches=False, tried=("V", "VI", "VII")),
    Reading("Nesterov 0.9", momentum=0.9, tried=("VIII", "IX")),
    Reading("exact loss", exact=True, tried=("VIII", "IX")),
    Reading("6,000 images", few=True, tried=("VIII", "IX")),
)


def cells(more_seeds: int = 0) -> list[Cell]:
    """Return all cells, each reading's with its seeds, and so many more."""
    return [
        cell(entry, reading, seed)
        for reading in READINGS
        for entry in ENTRIES
        if reading.seeds(entry)
        for seed in range(reading.seeds(entry) + more_seeds)
    ]


def quick_cells() -> list[Cell]:
    """Return a subset that takes some two minutes on two cores: the best of Tables I to IV, and a row of Table VIII."""
    best = {("I", 0.1), ("II", 0.1), ("III", 0.0007), ("IV", 0.0007)}
    found = [entry for entry in ENTRIES if (entry.place, entry.rate) in best]
    found += [entry for entry in ENTRIES if entry.place == "VIII" and entry.rate == 0.005 and entry.rule == "sgd"]
    return [cell(entry, READINGS[0], 0) for entry in found]


def cell(entry: Entry, reading: Reading, seed: int) -> Cell:
    """Return the training that an entry is, by a reading."""
    data = paper_data(*(FULL if entry.full and not reading.few else SMALL))
    size = entry.batch
    if not entry.full and (reading.batches or entry.batch == 1):  # one batch an epoch: all the images
        size = len(data.x) // entry.batch
    rate: Any = entry.rate
    if reading.decay:
        rate = schedules.InverseTimeDecay(entry.rate, decay_rate=reading.decay)
    return Cell(
        keras_net if entry.full else net,
        reading.optimizer(entry.rule, entry.full),
        data,
        epochs=entry.epochs,
        batch_size=size,
        seed=seed,
        learning_rate=rate,
        loss=CutCrossentropy() if entry.full and not reading.exact else "sparse_categorical_crossentropy",
        labels={
            "place": entry.place,
            "reading": reading.name,
            "optimizer": entry.rule,
            "paper_batch": entry.batch,
            "paper_train": entry.train,
            "paper_test": entry.test,
        },
    )


@cache
def paper_data(train: int, test: int) -> Data:
    """Return the first images of Fashion-MNIST, as rows of pixels from 0 to 1."""
    all_of_it = TASKS["fashion-mnist"].data
    name = "Fashion-MNIST" if train == len(all_of_it.x) else f"Fashion-MNIST, {train} + {test}"
    return Data(name, all_of_it.x[:train], all_of_it.y[:train], all_of_it.x_test[:test], all_of_it.y_test[:test])
