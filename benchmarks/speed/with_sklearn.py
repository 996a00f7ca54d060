"""scikit-learn: the multi-layer perceptron, which has dense nets and two optimizers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.speed.tasks import CLASSES, Makers, Task

__all__ = ["sides"]

SOLVERS: dict[str, dict[str, Any]] = {
    "SGD": {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False},
    "Momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "Nesterov": {"solver": "sgd", "nesterovs_momentum": True},
    "Adam": {"solver": "adam"},
}


def sides(task: Task) -> Makers:
    """Return how to make the side, by name, if it can do the task."""
    return {"scikit-learn": partial(Perceptron, task)} if task.net == "dense" and task.rule in SOLVERS else {}


class Perceptron:
    """An epoch is a call of `partial_fit`, which keeps the optimizer's state from one to the next."""

    def __init__(self, task: Task) -> None:
        self.task = task
        arguments: dict[str, Any] = dict(task.hyperparameters)
        self.model = MLPClassifier(
            task.widths,
            batch_size=task.batch_size,
            alpha=0.0,
            learning_rate_init=arguments.pop("learning_rate"),
            random_state=0,
            **{**SOLVERS[task.rule], **arguments},
        )
        self.x, self.y = task.data()
        self._start()

    def _start(self) -> None:
        """Bring the weights about by a step, replace their values, and forget the optimizer that made the step."""
        size = self.task.batch_size
        self.model.partial_fit(self.x[:size], self.y[:size], classes=np.arange(CLASSES))
        weights = self.task.weights()
        for ours, theirs in zip([*weights[::2], *weights[1::2]], self._weights(), strict=True):
            theirs[...] = ours
        del self.model._optimizer

    def _weights(self) -> list[Any]:
        return [*self.model.coefs_, *self.model.intercepts_]

    def train(self, epochs: int) -> None:
        """Train for that many epochs."""
        for _ in range(epochs):
            self.model.partial_fit(self.x, self.y)

    def losses(self, steps: int) -> list[float]:
        """Return the losses of the first steps."""
        return [float(self.model.partial_fit(x, y).loss_) for x, y in self.task.batches(steps)]
