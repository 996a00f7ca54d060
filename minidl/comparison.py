"""An honest comparison of optimizers: the same start, the same batches, a rate that suits each, several seeds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import datasets, layers
from minidl.history import History
from minidl.models import Sequential
from minidl.optimizers import Optimizer
from minidl.trainer import Trainer

__all__ = ["TASKS", "Run", "Task", "by_optimizer", "compare", "network", "table", "train"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Task:
    """Data to classify, and the settings that suit them.

    Attributes:
        rates: A learning rate for each optimizer, chosen on a validation part of the training data, never on
            the test data, by `python -m benchmarks.learning_rates`.
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.y_train.max()) + 1


def _digits() -> Task:
    (x_train, y_train), (x_test, y_test) = datasets.load_digits()
    return Task(
        name="digits",
        x_train=(x_train.reshape(-1, 64) / 16).astype(np.float32),
        y_train=y_train,
        x_test=(x_test.reshape(-1, 64) / 16).astype(np.float32),
        y_test=y_test,
        hidden=(500, 100),
        epochs=10,
        batch_size=20,
        rates={
            "sgd": 0.3,
            "momentum": 0.01,
            "nesterov": 0.03,
            "adagrad": 0.03,
            "rmsprop": 0.0003,
            "adadelta": 3.0,
            "adam": 0.001,
        },
    )


def _plane(name: str, make: Callable[..., tuple[Array, Array]], rates: dict[str, float]) -> Task:
    """Return a task of points in the plane, 1,000 to train and 1,000 to test."""
    (x_train, y_train), (x_test, y_test) = (make(1000, seed=seed) for seed in (0, 1))
    return Task(
        name=name,
        x_train=x_train.astype(np.float32),
        y_train=y_train,
        x_test=x_test.astype(np.float32),
        y_test=y_test,
        hidden=(16, 16),
        epochs=30,
        batch_size=20,
        rates=rates,
    )


def _moons() -> Task:
    rates = {
        "sgd": 0.1,
        "momentum": 0.03,
        "nesterov": 0.03,
        "adagrad": 0.1,
        "rmsprop": 0.003,
        "adadelta": 1.0,
        "adam": 0.003,
    }
    return _plane("moons", partial(datasets.make_moons, noise=0.2), rates)


def _circles() -> Task:
    rates = {
        "sgd": 0.1,
        "momentum": 0.1,
        "nesterov": 0.01,
        "adagrad": 0.3,
        "rmsprop": 0.003,
        "adadelta": 1.0,
        "adam": 0.03,
    }
    return _plane("circles", partial(datasets.make_circles, noise=0.1, factor=0.5), rates)


def _spirals() -> Task:
    rates = {
        "sgd": 0.3,
        "momentum": 0.1,
        "nesterov": 0.1,
        "adagrad": 0.3,
        "rmsprop": 0.01,
        "adadelta": 3.0,
        "adam": 0.01,
    }
    return _plane("spirals", partial(datasets.make_spirals, noise=0.03), rates)


TASKS: dict[str, Callable[[], Task]] = {
    "digits": _digits,
    "moons": _moons,
    "circles": _circles,
    "spirals": _spirals,
}


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


def network(task: Task, seed: int) -> Sequential:
    """Return the net of the comparison: ReLU layers, then a softmax; its start is a function of the seed alone."""
    inside = [layers.Dense(units, activation="relu") for units in task.hidden]
    inputs = layers.Input(task.x_train.shape[1:])
    return Sequential([inputs, *inside, layers.Dense(task.classes), layers.Softmax()], seed=seed)


def train(task: Task, name: str, optimizer: Optimizer, seed: int) -> Run:
    """Train a new net with `optimizer`, which must be new too, and say how it went."""
    model = network(task, seed)
    trainer = Trainer(model, optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    rate = float(optimizer.current("learning_rate"))
    test = (task.x_test, task.y_test)
    diverged = None
    train_end = test_end = {"loss": math.nan, "accuracy": math.nan}
    with np.errstate(over="ignore", invalid="ignore"):
        start = time.perf_counter()
        try:
            trainer.fit(
                task.x_train,
                task.y_train,
                batch_size=task.batch_size,
                epochs=task.epochs,
                validation_data=test,
                verbose=0,
            )
        except FloatingPointError:
            diverged = trainer.epoch + 1
        seconds = time.perf_counter() - start
        if not diverged:
            train_end, test_end = trainer.evaluate(task.x_train, task.y_train), trainer.evaluate(*test)
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
    )


def compare(task: Task, optimizers: dict[str, Callable[[], Optimizer]], seeds: Iterable[int]) -> Iterator[Run]:
    """Give one run after the other: each optimizer, made anew, with each seed.

    With one seed all optimizers start from the same weights and see the same batches in the same order.
    """
    for seed in seeds:
        for name, make in optimizers.items():
            yield train(task, name, make(), seed)


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
