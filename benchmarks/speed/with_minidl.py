"""Ours: `Trainer.fit` with all that it does by default; for what the Trainer costs, the bare loop beside it."""

import contextlib
import io
from functools import partial

import numpy as np

from benchmarks.speed.tasks import CLASSES, LOOP, OURS, PIXELS, UNITS, Array, Makers, Task
from minidl import Sequential, Trainer, layers, losses, optimizers
from minidl.parameters import Parameter

__all__ = ["RULES", "Lion", "sides"]

LOOP_BATCH = 20  # where it is measured


class Lion(optimizers.Optimizer):
    """Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, Algorithm 2."""

    slots = ("m",)

    def __init__(self, learning_rate: float = 1e-4, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2)

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, *, learning_rate: float, beta_1: float, beta_2: float
    ) -> tuple[Array, Array]:
        """Return the new w and m."""
        w = w - learning_rate * np.sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g
        return w, m


RULES: dict[str, type[optimizers.Optimizer]] = {
    "SGD": optimizers.SGD,
    "Momentum": optimizers.Momentum,
    "Nesterov": optimizers.Nesterov,
    "AdaGrad": optimizers.AdaGrad,
    "RMSprop": optimizers.RMSprop,
    "AdaDelta": optimizers.AdaDelta,
    "Adam": optimizers.Adam,
    "Lion": Lion,
}


def sides(task: Task) -> Makers:
    """Return how to make each side, by name."""
    compiled, replayed = OURS
    kind = Stepper if task.net == "vector" else Fit
    makers: Makers = {
        compiled: partial(kind, task, "compiled"),
        replayed: partial(kind, task, "replayed"),
    }
    if task.net == "dense" and task.batch_size == LOOP_BATCH:
        makers[LOOP] = partial(Loop, task, "compiled")
    return makers


class Fit:
    """`Trainer.fit` with its history, and with its progress bar, which nobody sees."""

    def __init__(self, task: Task, execution: str) -> None:
        self.task = task
        self.model = _model(task)
        self.trainer = Trainer(self.model, _optimizer(task, execution), losses.SparseCategoricalCrossentropy())
        self.x, self.y = task.data()

    def train(self, epochs: int) -> None:
        """Train for that many epochs."""
        with contextlib.redirect_stderr(io.StringIO()):
            self.trainer.fit(self.x, self.y, batch_size=self.task.batch_size, epochs=epochs)

    def losses(self, steps: int) -> list[float]:
        """Return the losses of the first steps."""
        return [self.trainer.step(x, y)["loss"] for x, y in self.task.batches(steps)]


class Loop(Fit):
    """What any loop must do, on the Trainer's own objects: shuffle, gather, forward, loss, backward, step."""

    def __init__(self, task: Task, execution: str) -> None:
        super().__init__(task, execution)
        self.logits_loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        self.batch = np.empty((task.batch_size, *self.x.shape[1:]), self.x.dtype)

    def train(self, epochs: int) -> None:
        """Train for that many epochs, with what the Trainer lets a model reuse."""
        model, optimizer, size = self.model, self.trainer.optimizer, self.task.batch_size
        reuse = model.reuse
        reuse.on = reuse.taping = reuse.same_input = reuse.promising = True
        for _ in range(epochs):
            order = np.random.default_rng().permutation(len(self.x))
            for start in range(0, len(order), size):
                part = order[start : start + size]
                x = self.x.take(part, 0, self.batch, "clip")
                logits = model.forward_logits(x, training=True)
                slopes = self.logits_loss.unchecked(self.y.take(part), logits, None)[1]
                model.backward_part(slopes, from_logits=True, input_gradient=False)
                optimizer.step(model.parameters)
        reuse.on = reuse.taping = reuse.same_input = reuse.promising = False


class Stepper:
    """The optimizer alone."""

    def __init__(self, task: Task, execution: str) -> None:
        self.task = task
        self.optimizer = _optimizer(task, execution)
        self.parameter = Parameter(task.weights()[0])
        self.parameter.grad = task.gradient()

    def train(self, epochs: int) -> None:
        """Make the steps of that many epochs."""
        for _ in range(epochs * self.task.steps):
            self.optimizer.step([self.parameter])

    def losses(self, steps: int) -> list[float]:
        """Return the mean square of the parameter after each of the first steps."""
        found = []
        for _ in range(steps):
            self.optimizer.step([self.parameter])
            found.append(float(np.mean(self.parameter.data**2)))
        return found


def _optimizer(task: Task, execution: str) -> optimizers.Optimizer:
    optimizer = RULES[task.rule](**task.hyperparameters)
    optimizer.execution = execution
    return optimizer


def _model(task: Task) -> Sequential:
    model = Sequential(_LAYERS[task.net](task), seed=0)
    model.set_weights(task.weights())
    return model


def _dense(task: Task) -> list[layers.Layer]:
    hidden = [layers.Dense(width, "relu") for width in task.widths]
    return [layers.Input((PIXELS**2,)), *hidden, layers.Dense(CLASSES, "softmax")]


def _conv(task: Task) -> list[layers.Layer]:
    return [
        layers.Input((PIXELS, PIXELS, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dropout(task.dropout),
        layers.Dense(CLASSES, "softmax"),
    ]


def _lstm(_: Task) -> list[layers.Layer]:
    return [layers.Input((PIXELS, PIXELS)), layers.LSTM(UNITS), layers.Dense(CLASSES, "softmax")]


_LAYERS = {"dense": _dense, "conv": _conv, "lstm": _lstm}
