"""PyTorch: its two-line step, with each of the ways it has to make that faster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.speed.tasks import CLASSES, PIXELS, UNITS, Array, Makers, Task

__all__ = ["sides"]

CLASSES_OF: dict[str, tuple[Any, dict[str, Any]]] = {
    "SGD": (torch.optim.SGD, {}),
    "Momentum": (torch.optim.SGD, {}),
    "Nesterov": (torch.optim.SGD, {"nesterov": True}),
    "AdaGrad": (torch.optim.Adagrad, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "AdaDelta": (torch.optim.Adadelta, {}),
    "Adam": (torch.optim.Adam, {}),
}
FUSED = ("SGD", "Momentum", "Nesterov", "AdaGrad", "Adam")


class Lion:
    """Lion as it is written by hand, in eager code that makes as few passes as it can."""

    def __init__(self, parameters: Iterable[Any], learning_rate: float, beta_1: float, beta_2: float) -> None:
        self.parameters = list(parameters)
        self.momenta = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.rates = learning_rate, beta_1, beta_2

    def step(self) -> None:
        """Move all parameters."""
        learning_rate, beta_1, beta_2 = self.rates
        with torch.no_grad():
            for w, m in zip(self.parameters, self.momenta, strict=True):
                w.add_(m.lerp(w.grad, 1 - beta_1).sign_(), alpha=-learning_rate)
                m.lerp_(w.grad, 1 - beta_2)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.parameters:
            parameter.grad = None


def sides(task: Task) -> Makers:
    """Return how to make each side, by name; the fused ones only for rules that PyTorch has fused."""
    variants: dict[str, dict[str, bool]] = {"PyTorch": {}}
    if task.net in ("dense", "vector"):
        if task.rule != "Lion":
            variants["PyTorch foreach"] = {"foreach": True}
        variants["PyTorch compiled"] = {"compiled": True}
    if task.rule in FUSED:
        variants["PyTorch fused"] = {"fused": True}
    if task.net == "conv":
        variants["PyTorch channels_last"] = {"fused": True, "channels_last": True}
    kind: Any = Stepper if task.net == "vector" else Net
    return {name: partial(kind, task, **options) for name, options in variants.items()}


class Net:
    """The usual loop over shuffled batches."""

    def __init__(
        self, task: Task, *, compiled: bool = False, channels_last: bool = False, **implementation: bool
    ) -> None:
        self.task = task
        forward, parameters = _NETS[task.net](task)
        x, y = task.data()
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        if task.net == "conv":
            self.x = self.x.permute(0, 3, 1, 2).contiguous()
        if channels_last:
            forward = forward.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        criterion = nn.CrossEntropyLoss()
        self.loss: Callable[[Any, Any], Any] = lambda x, y: criterion(forward(x), y)
        self.optimizer, self.step = _stepping(task.rule, parameters, compiled, implementation)
        if compiled:
            self.loss = torch.compile(self.loss, dynamic=False)

    def train(self, epochs: int) -> None:
        """Train for that many epochs."""
        for _ in range(epochs):
            for batch in torch.randperm(len(self.x)).split(self.task.batch_size):
                self._step(self.x[batch], self.y[batch])

    def losses(self, steps: int) -> list[float]:
        """Return the losses of the first steps."""
        batches = torch.arange(steps * self.task.batch_size).split(self.task.batch_size)
        return [self._step(self.x[batch], self.y[batch]).item() for batch in batches]

    def _step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.loss(x, y)
        loss.backward()
        self.step()
        return loss


class Stepper:
    """The optimizer alone."""

    def __init__(self, task: Task, *, compiled: bool = False, **implementation: bool) -> None:
        self.task = task
        self.parameter = nn.Parameter(torch.from_numpy(task.weights()[0]))
        self.parameter.grad = torch.from_numpy(task.gradient())
        self.step = _stepping(task.rule, [self.parameter], compiled, implementation)[1]

    def train(self, epochs: int) -> None:
        """Make the steps of that many epochs."""
        for _ in range(epochs * self.task.steps):
            self.step()

    def losses(self, steps: int) -> list[float]:
        """Return the mean square of the parameter after each of the first steps."""
        found = []
        for _ in range(steps):
            self.step()
            found.append(self.parameter.square().mean().item())
        return found


def _stepping(
    rule: str, parameters: list[Any], compiled: bool, implementation: dict[str, bool]
) -> tuple[Any, Callable[[], Any]]:
    """Return the optimizer and what steps it; of a compiled side the fused step where there is one: it is faster."""
    if compiled:
        torch.compiler.reset()  # or other batch sizes before count as a reason for slower code that fits them all
        if rule in FUSED:
            implementation = {"fused": True}
    if rule == "Lion":
        optimizer: Any = Lion(parameters, **_arguments(rule))
    else:
        kind, options = CLASSES_OF[rule]
        optimizer = kind(parameters, **_arguments(rule), **options, **implementation)
    return optimizer, torch.compile(optimizer.step) if compiled and rule not in FUSED else optimizer.step


def _arguments(rule: str) -> dict[str, Any]:
    given: dict[str, Any] = dict(Task(rule, 1, 1).hyperparameters)
    if rule == "Lion":
        return given
    if "beta_1" in given:
        given["betas"] = given.pop("beta_1"), given.pop("beta_2")
    names = {"learning_rate": "lr", "epsilon": "eps", "rho": "alpha" if rule == "RMSprop" else "rho"}
    return {names.get(name, name): value for name, value in given.items()}


def _dense(task: Task) -> tuple[Any, list[Any]]:
    sizes = [PIXELS**2, *task.widths, CLASSES]
    linear = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
    net = nn.Sequential(*[part for layer in linear for part in (layer, nn.ReLU())][:-1])
    return net, _filled(net.parameters(), [array.T for array in task.weights()])


def _conv(task: Task) -> tuple[Any, list[Any]]:
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(task.dropout), nn.Linear(1600, CLASSES),
    )  # fmt: skip
    first, first_bias, second, second_bias, kernel, bias = task.weights()
    channels_first = kernel.reshape(5, 5, 64, CLASSES).transpose(3, 2, 0, 1).reshape(CLASSES, 1600)
    arrays = [first.transpose(3, 2, 0, 1), first_bias, second.transpose(3, 2, 0, 1), second_bias, channels_first, bias]
    return net, _filled(net.parameters(), arrays)


def _lstm(task: Task) -> tuple[Any, list[Any]]:
    lstm, dense = nn.LSTM(PIXELS, UNITS, batch_first=True), nn.Linear(UNITS, CLASSES)
    kernel, recurrent, bias, dense_kernel, dense_bias = task.weights()
    second_bias = np.zeros_like(bias)  # the other frameworks have one bias; it stays as it is
    _filled(lstm.parameters(), [kernel.T, recurrent.T, bias, second_bias])
    _filled(dense.parameters(), [dense_kernel.T, dense_bias])
    lstm.bias_hh_l0.requires_grad_(False)
    trained = [parameter for parameter in [*lstm.parameters(), *dense.parameters()] if parameter.requires_grad]
    return (lambda x: dense(lstm(x)[1][0][0])), trained


def _filled(parameters: Iterable[Any], arrays: list[Array]) -> list[Any]:
    """Return the parameters, with the arrays' values in them."""
    filled = list(parameters)
    with torch.no_grad():
        for parameter, array in zip(filled, arrays, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return filled


_NETS = {"dense": _dense, "conv": _conv, "lstm": _lstm}
