"""Keras on JAX: `Model.fit`."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from benchmarks.speed.tasks import CLASSES, PIXELS, UNITS, Makers, Task

os.environ["KERAS_BACKEND"] = "jax"
import keras  # it reads the variable
from keras import layers

__all__ = ["sides"]

INSIDE = {"epsilon": 1e-16}  # inside the root: the same where it counts as the others' 1e-8 beside it

OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "SGD": (keras.optimizers.SGD, {}),
    "Momentum": (keras.optimizers.SGD, {}),
    "Nesterov": (keras.optimizers.SGD, {"nesterov": True}),
    "AdaGrad": (keras.optimizers.Adagrad, {"initial_accumulator_value": 0.0, **INSIDE}),
    "RMSprop": (keras.optimizers.RMSprop, INSIDE),
    "AdaDelta": (keras.optimizers.Adadelta, {}),
    "Adam": (keras.optimizers.Adam, {}),
}


def sides(task: Task) -> Makers:
    """Return how to make the side, by name."""
    return {} if task.net == "vector" or task.rule == "Lion" else {"Keras": partial(Fit, task)}


class Fit:
    """`Model.fit`; it looks after many steps at once (`steps_per_execution`), which makes small ones much faster."""

    def __init__(self, task: Task) -> None:
        self.task = task
        kind, options = OPTIMIZERS[task.rule]
        self.model = keras.Sequential(_LAYERS[task.net](task))
        self.model.set_weights(task.weights())
        self.model.compile(
            kind(**{**task.hyperparameters, **options}),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=min(task.steps, 100),
        )
        self.x, self.y = task.data()

    def train(self, epochs: int) -> None:
        """Train for that many epochs."""
        self.model.fit(self.x, self.y, batch_size=self.task.batch_size, epochs=epochs, verbose=0)

    def losses(self, steps: int) -> list[float]:
        """Return the losses of the first steps."""
        return [float(self.model.train_on_batch(x, y)) for x, y in self.task.batches(steps)]


def _dense(task: Task) -> list[Any]:
    hidden = [layers.Dense(width, "relu") for width in task.widths]
    return [keras.Input((PIXELS**2,)), *hidden, layers.Dense(CLASSES)]


def _conv(task: Task) -> list[Any]:
    return [
        keras.Input((PIXELS, PIXELS, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dropout(task.dropout),
        layers.Dense(CLASSES),
    ]


def _lstm(_: Task) -> list[Any]:
    return [keras.Input((PIXELS, PIXELS)), layers.LSTM(UNITS), layers.Dense(CLASSES)]


_LAYERS = {"dense": _dense, "conv": _conv, "lstm": _lstm}
