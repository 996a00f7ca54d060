"""JAX: data on the device, update fused into the jitted step, buffers donated; a step a call, or an epoch a call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.speed.tasks import SCAN, UNITS, Array, Makers, Task

__all__ = ["sides"]

# A rule gets weights, gradient and slots, and as t the number of the step; it returns the new weights and slots.


def _sgd(w: Any, g: Any, *, learning_rate: float, **_: Any) -> tuple[Any, ...]:
    return (w - learning_rate * g,)


def _momentum(w: Any, g: Any, v: Any, *, learning_rate: float, momentum: float, **_: Any) -> tuple[Any, ...]:
    v = momentum * v + g
    return w - learning_rate * v, v


def _nesterov(w: Any, g: Any, v: Any, *, learning_rate: float, momentum: float, **_: Any) -> tuple[Any, ...]:
    v = momentum * v + g
    return w - learning_rate * (g + momentum * v), v


def _adagrad(w: Any, g: Any, s: Any, *, learning_rate: float, epsilon: float, **_: Any) -> tuple[Any, ...]:
    s = s + g * g
    return w - learning_rate * g / (jnp.sqrt(s) + epsilon), s


def _rmsprop(w: Any, g: Any, s: Any, *, learning_rate: float, rho: float, epsilon: float, **_: Any) -> tuple[Any, ...]:
    s = rho * s + (1 - rho) * g * g
    return w - learning_rate * g / (jnp.sqrt(s) + epsilon), s


def _adadelta(
    w: Any, g: Any, s: Any, d: Any, *, learning_rate: float, rho: float, epsilon: float, **_: Any
) -> tuple[Any, ...]:
    s = rho * s + (1 - rho) * g * g
    delta = jnp.sqrt((d + epsilon) / (s + epsilon)) * g
    return w - learning_rate * delta, s, rho * d + (1 - rho) * delta * delta


def _adam(
    w: Any, g: Any, m: Any, v: Any, *, t: Any, learning_rate: float, beta_1: float, beta_2: float, epsilon: float
) -> tuple[Any, ...]:
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g * g
    step = learning_rate / (1 - beta_1**t)
    return w - step * m / (jnp.sqrt(v / (1 - beta_2**t)) + epsilon), m, v


def _lion(w: Any, g: Any, m: Any, *, learning_rate: float, beta_1: float, beta_2: float, **_: Any) -> tuple[Any, ...]:
    w = w - learning_rate * jnp.sign(beta_1 * m + (1 - beta_1) * g)
    return w, beta_2 * m + (1 - beta_2) * g


RULES: dict[str, tuple[int, Callable[..., tuple[Any, ...]]]] = {  # the number of slots, the rule
    "SGD": (0, _sgd),
    "Momentum": (1, _momentum),
    "Nesterov": (1, _nesterov),
    "AdaGrad": (1, _adagrad),
    "RMSprop": (1, _rmsprop),
    "AdaDelta": (2, _adadelta),
    "Adam": (2, _adam),
    "Lion": (1, _lion),
}


def sides(task: Task) -> Makers:
    """Return how to make each side, by name."""
    if task.net == "vector":
        return {}
    scan = {} if task.net == "conv" else {SCAN: partial(Scan, task)}  # XLA's convolutions are ten times as slow there
    return {"JAX step": partial(Steps, task), **scan}


class Steps:
    """One call of a jitted function a step; the batch is gathered inside."""

    def __init__(self, task: Task) -> None:
        self.task = task
        x, y = task.data()
        self.x, self.y = jnp.asarray(x), jnp.asarray(y, jnp.int32)
        slots = RULES[task.rule][0]
        # One state, whose memory each step hands on to the next.
        self.state = [(jnp.array(w), *(jnp.zeros_like(w) for _ in range(slots))) for w in task.weights()], jnp.int32(1)
        self.step = jax.jit(partial(_step, task), donate_argnums=0)
        self.rng = np.random.default_rng(0)

    def train(self, epochs: int) -> None:
        """Train for that many epochs."""
        for _ in range(epochs):
            self.run(self.rng.permutation(len(self.x)))
        jax.block_until_ready(self.state)

    def losses(self, steps: int) -> list[float]:
        """Return the losses of the first steps."""
        return [float(loss) for loss in self.run(np.arange(steps * self.task.batch_size))]

    def run(self, order: Array) -> Any:
        """Make a step for each batch of the samples in that order; return the losses."""
        losses = []
        for batch in order.astype(np.int32).reshape(-1, self.task.batch_size):
            self.state, loss = self.step(self.state, self.x, self.y, batch)
            losses.append(loss)
        return losses


class Scan(Steps):
    """One call an epoch, in which `lax.scan` makes the steps."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.scan = jax.jit(partial(_scan, task), donate_argnums=0)

    def run(self, order: Array) -> Any:
        batches = order.astype(np.int32).reshape(-1, self.task.batch_size)
        self.state, losses = self.scan(self.state, self.x, self.y, batches)
        return losses


def _step(task: Task, state: Any, x: Any, y: Any, batch: Any) -> tuple[Any, Any]:
    (entries, t), rule = state, RULES[task.rule][1]
    weights = [entry[0] for entry in entries]
    loss, gradients = jax.value_and_grad(_loss)(weights, x[batch], y[batch], task, t)
    moved = [
        rule(entry[0], gradient, *entry[1:], t=t.astype(jnp.float32), **task.hyperparameters)
        for entry, gradient in zip(entries, gradients, strict=True)
    ]
    return (moved, t + 1), loss


def _scan(task: Task, state: Any, x: Any, y: Any, batches: Any) -> tuple[Any, Any]:
    return lax.scan(lambda state, batch: _step(task, state, x, y, batch), state, batches)


def _loss(weights: list[Any], x: Any, y: Any, task: Task, t: Any) -> Any:
    log_p = jax.nn.log_softmax(_NETS[task.net](weights, x, task=task, t=t))
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def _dense(weights: list[Any], x: Any, **_: Any) -> Any:
    *hidden, kernel, bias = weights
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        x = jax.nn.relu(x @ w + b)
    return x @ kernel + bias


def _conv(weights: list[Any], x: Any, *, task: Task, t: Any) -> Any:
    *filters, kernel, bias = weights
    for w, b in zip(filters[::2], filters[1::2], strict=True):
        x = lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = _pooled(jax.nn.relu(x + b))
    x = x.reshape(len(x), -1)
    if task.dropout:
        kept = jax.random.bernoulli(jax.random.fold_in(jax.random.key(0), t), 1 - task.dropout, x.shape)
        x = jnp.where(kept, x / (1 - task.dropout), 0)
    return x @ kernel + bias


def _pooled(x: Any) -> Any:
    """Return the maxima of 2 × 2 windows; by `lax.reduce_window` the whole net would take four times as long."""
    n, high, wide, channels = x.shape
    return x[:, : high // 2 * 2, : wide // 2 * 2].reshape(n, high // 2, 2, wide // 2, 2, channels).max((2, 4))


def _lstm(weights: list[Any], x: Any, **_: Any) -> Any:
    kernel, recurrent, bias, dense_kernel, dense_bias = weights

    def cell(state: Any, z: Any) -> tuple[Any, None]:
        h, c = state
        i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((len(x), UNITS))
    (h, _), _ = lax.scan(cell, (start, start), x.swapaxes(0, 1) @ kernel + bias)
    return h @ dense_kernel + dense_bias


_NETS = {"dense": _dense, "conv": _conv, "lstm": _lstm}
