"""An honest comparison of optimizers: the same start, the same batches, a rate that suits each, several seeds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import datasets, layers
from minidl.callbacks import Callback
from minidl.history import History
from minidl.models import Sequential
from minidl.optimizers import Optimizer
from minidl.trainer import Trainer

__all__ = ["SEVEN", "TASKS", "Run", "Task", "by_optimizer", "compare", "network", "table", "train"]

Array = NDArray[Any]


Data = tuple[tuple[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Task:
    """Data to classify, and the settings that suit them.

    Attributes:
        load: Returns the data: (x_train, y_train), (x_test, y_test). It is called when they are first needed.
        hidden: The units of the hidden layers.
        rates: A learning rate for each optimizer, chosen on a validation part of the training data, never on
            the test data, by `python -m benchmarks.learning_rates`.
    """

    name: str
    load: Callable[[], Data]
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    rates: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def train(self) -> tuple[Array, Array]:
        """The data to train on: x as float32, and the classes."""
        return self._data[0]

    @cached_property
    def test(self) -> tuple[Array, Array]:
        """The data to test on."""
        return self._data[1]

    @cached_property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.train[1].max()) + 1

    @cached_property
    def _data(self) -> Data:
        (x_train, y_train), (x_test, y_test) = self.load()
        return (x_train.astype(np.float32), y_train), (x_test.astype(np.float32), y_test)


def _images(load: Callable[[], Data], white: int) -> Data:
    """Return images as rows of pixels, from 0 to 1."""
    (x_train, y_train), (x_test, y_test) = load()
    return (_rows(x_train) / white, y_train), (_rows(x_test) / white, y_test)


def _rows(images: Array) -> Array:
    return images.reshape(len(images), -1).astype(np.float32)


def _points(make: Callable[..., tuple[Array, Array]], **options: float) -> Data:
    """Return 1,000 points to train and 1,000 to test."""
    return make(1000, seed=0, **options), make(1000, seed=1, **options)


def _task(
    name: str, load: Callable[[], Data], hidden: tuple[int, ...], epochs: int, rates: tuple[float, ...]
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


@dataclass(frozen=True)
class Run:
    """One training: an optimizer and a seed.

    Attributes:
        seconds: How long the training itself took, evaluation on the test data after each epoch included.
        diverged: The epoch (from 1) in which a gradient wasn't finite any more, or None. The results are NaN then.
    """

    optimizer: str
    learning_rate: float
    seed: int
    seconds: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    diverged: int | None
    history: History
    model: Sequential


def network(task: Task, seed: int) -> Sequential:
    """Return the net of the comparison: ReLU layers, then a softmax; its start is a function of the seed alone."""
    inside = [layers.Dense(units, activation="relu") for units in task.hidden]
    inputs = layers.Input(task.train[0].shape[1:])
    return Sequential([inputs, *inside, layers.Dense(task.classes), layers.Softmax()], seed=seed)


def train(task: Task, name: str, optimizer: Optimizer, seed: int, callbacks: Sequence[Callback] = ()) -> Run:
    """Train a new net with `optimizer`, which must be new too, and say how it went."""
    model = network(task, seed)
    trainer = Trainer(model, optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    rate = float(optimizer.current("learning_rate"))
    diverged = None
    train_end = test_end = {"loss": math.nan, "accuracy": math.nan}
    with np.errstate(over="ignore", invalid="ignore"):
        start = time.perf_counter()
        try:
            history = trainer.fit(
                *task.train,
                batch_size=task.batch_size,
                epochs=task.epochs,
                validation_data=task.test,
                callbacks=callbacks,
                verbose=0,
            )
            if history.interrupted:  # a run that isn't whole is none
                raise KeyboardInterrupt
        except FloatingPointError:
            diverged = trainer.epoch + 1
        seconds = time.perf_counter() - start
        if not diverged:
            train_end, test_end = trainer.evaluate(*task.train), trainer.evaluate(*task.test)
        if not diverged and not math.isfinite(train_end["loss"] + test_end["loss"]):  # its last step did it
            diverged = trainer.epoch
            train_end = test_end = {"loss": math.nan, "accuracy": math.nan}
    return Run(
        optimizer=name,
        learning_rate=rate,
        seed=seed,
        seconds=seconds,
        train_loss=train_end["loss"],
        train_accuracy=train_end["accuracy"],
        test_loss=test_end["loss"],
        test_accuracy=test_end["accuracy"],
        diverged=diverged,
        history=trainer.history,
        model=model,
    )


def compare(
    task: Task,
    optimizers: Mapping[str, Callable[[], Optimizer]],
    seeds: Iterable[int],
    callbacks: Sequence[Callback] = (),
) -> Iterator[Run]:
    """Give one run after the other: each optimizer, made anew, with each seed.

    With one seed all optimizers start from the same weights and see the same batches in the same order.
    """
    for seed in seeds:
        for name, make in optimizers.items():
            yield train(task, name, make(), seed, callbacks)


def by_optimizer(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of each optimizer, in the order in which the optimizers came."""
    names = dict.fromkeys(run.optimizer for run in runs)
    return {name: [run for run in runs if run.optimizer == name] for name in names}


def table(runs: Sequence[Run]) -> str:
    """Return the comparison as text: for each optimizer the mean over seeds, ± the standard deviation."""
    rows = [("optimizer", "learning rate", "train accuracy %", "test accuracy %", "test loss", "seconds a run")]
    for name, group in by_optimizer(runs).items():
        diverged = [run for run in group if run.diverged]
        if diverged:
            epochs = ", ".join(str(run.diverged) for run in diverged)
            what = f"diverged in {len(diverged)} of {len(group)} runs (epoch {epochs})"
            rows.append((name, f"{group[0].learning_rate:g}", what, "", "", ""))
            continue
        rows.append(
            (
                name,
                f"{group[0].learning_rate:g}",
                _mean_sd([100 * run.train_accuracy for run in group], 2),
                _mean_sd([100 * run.test_accuracy for run in group], 2),
                _mean_sd([run.test_loss for run in group], 4),
                f"{statistics.mean(run.seconds for run in group):.2f}",
            )
        )
    columns = range(len(rows[0]))
    widths = [max(len(row[i]) for row in rows if row[-1] or i < 2) for i in columns]
    lines = ["  ".join(f"{row[i]:<{widths[i]}}" if i == 0 or not row[-1] else f"{row[i]:>{widths[i]}}" for i in columns)
             for row in rows]  # fmt: skip
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(line.rstrip() for line in lines)


def _mean_sd(values: Sequence[float], digits: int) -> str:
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"
