"""Callbacks that watch a column of the logs for getting better."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.callbacks.base import Callback
from minidl.validation import checked_state, describe, differences, integer, nearest, number

if TYPE_CHECKING:
    from minidl.training import Trainer

__all__ = ["EarlyStopping", "Monitor", "ReduceOnPlateau"]

Logs = dict[str, float]


class Monitor(Callback):
    """Watches one column of the logs for getting better."""

    ranges = {"min_delta": "[0, inf)", "patience": "int [0, inf)", "mode": "'auto' | 'min' | 'max'"}

    def __init__(self, monitor: str, min_delta: float, patience: int, mode: str) -> None:
        if not isinstance(monitor, str):
            raise TypeError(
                f"{self._called}: monitor must be the name of a column. Received: monitor={describe(monitor)}"
            )
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience
        self.mode = mode
        self.best: float | None = None
        self.wait = 0
        self._watched: Trainer | None = None

    def on_train_begin(self) -> None:
        """Refuse to compare one model's values with another's."""
        if self._watched not in (None, self.trainer):
            raise ValueError(
                f"{self._called}: each trainer needs one of its own. Received: one that has watched another"
            )
        self.value(dict.fromkeys(self.trainer.columns, 0.0))
        self.direction()
        self._watched = self.trainer

    def value(self, logs: Logs) -> float:
        """Return the value of the watched column."""
        if self.monitor not in logs:
            hint = "Give fit validation_data or a validation_split"
            if not self.monitor.startswith("val_") or any(name.startswith("val_") for name in logs):
                hint = nearest(self.monitor, logs)
            raise ValueError(
                f"{self._called}: monitor must be a column of the logs. Received: monitor={self.monitor!r}. {hint}"
            )
        return logs[self.monitor]

    def better(self, value: float) -> bool:
        """Tell whether `value` beats the best by more than `min_delta`; NaN never does."""
        worst = math.inf if self.direction() == "min" else -math.inf
        return self.beats(value, worst if self.best is None else self.best)

    def beats(self, value: float, other: float) -> bool:
        """Tell whether `value` is better than `other` by more than `min_delta`."""
        if self.direction() == "min":
            return value < other - self.min_delta
        return value > other + self.min_delta

    def direction(self) -> str:
        """Return "min" or "max": which values are better."""
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        directions = {"loss": "min", **{metric.name: metric.better for metric in self.trainer.metrics}}
        if name not in directions:
            raise ValueError(
                f"{self._called}: mode must be 'min' or 'max' for a column that isn't the loss or a metric. "
                f"Received: mode='auto', monitor={self.monitor!r}"
            )
        return directions[name]

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far and the count."""
        return {"best": self.best, "wait": self.wait}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = checked_state(self._called, state, self.state_dict())
        best = None if own["best"] is None else number(self._called, "best", own["best"], "[-inf, inf]")
        self.best, self.wait = best, integer(self._called, "wait", own["wait"])


class EarlyStopping(Monitor):
    """Ends training when a column hasn't become better for `patience` epochs.

    The best epoch so far is remembered over several fits. A validation column belongs to the weights at the end
    of its epoch, so the restored weights have the reported value; the training loss doesn't, as it is a mean over
    the weights that the epoch went through.

    Args:
        monitor: A column of the logs.
        min_delta: By how much a value must beat the best; at least 0.
        patience: After how many epochs in a row without a better value training ends; 0 is as 1, as in Keras.
        mode: "min", "max", or "auto": known for the loss and for metrics.
        baseline: A value that must be beaten for the count to start anew, or None.
        restore_best_weights: Whether the model gets its best weights (parameters and buffers) back when training
            ends, in whatever way it ends. They are true copies. The optimizer's state stays that of the last step.
        start_from_epoch: Epochs before this one don't count.

    Attributes:
        best: The best value so far. `best_epoch`: its epoch. `stopped_epoch`: when it ended training, or None.
    """

    ranges = {
        "baseline": "(-inf, inf) | None",
        "restore_best_weights": "bool",
        "start_from_epoch": "int [0, inf)",
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, min_delta, patience, mode)
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self._resumed = False
        self.best_weights: dict[str, Any] | None = None

    def on_train_begin(self) -> None:
        """Give a new fit its full patience."""
        super().on_train_begin()
        if self.best_weights is not None:
            self._refuse_others(self.best_weights)
        if not self._resumed:
            self.wait, self.stopped_epoch = 0, None
        self._resumed = False

    def _refuse_others(self, weights: dict[str, Any]) -> None:
        """Raise ValueError if these weights aren't like the model's."""
        own = self.model.named_arrays()
        different = differences(own, weights)
        if different or any(own[name].dtype != weights[name].dtype for name in own):
            received = different or "other dtypes"
            raise ValueError(f"EarlyStopping: the best weights must fit the model. Received: {received}")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Keep the best, or count."""
        value = self.value(logs)
        self.stopped_epoch = None
        if epoch < self.start_from_epoch:
            return
        if self.better(value):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.state_dict()
            if self.baseline is None or self.beats(value, self.baseline):
                self.wait = 0
                return
        self.wait += 1
        if self.wait >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self) -> None:
        """Give the best weights back."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the best so far and of the count."""
        epochs = {"best_epoch": self.best_epoch, "stopped_epoch": self.stopped_epoch}
        return {**super().state_dict(), **epochs, "best_weights": copy.deepcopy(self.best_weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = checked_state("EarlyStopping", state, self.state_dict())
        epochs = {name: own[name] for name in ("best_epoch", "stopped_epoch")}
        for name, epoch in epochs.items():
            if epoch is not None:
                integer("EarlyStopping", name, epoch)
        weights = own["best_weights"]
        arrays = isinstance(weights, dict) and all(isinstance(array, np.ndarray) for array in weights.values())
        if weights is not None and not arrays:
            raise TypeError(f"EarlyStopping: best_weights must be a dict of arrays. Received: {describe(weights)}")
        if weights is not None and "trainer" in vars(self) and self.model.built:
            self._refuse_others(weights)
        super().load_state_dict(state)
        vars(self).update(epochs, best_weights=copy.deepcopy(weights), _resumed=True)


class ReduceOnPlateau(Monitor):
    """Multiplies the learning rate by `factor` when a column hasn't become better for `patience` epochs.

    Args:
        monitor: A column of the logs.
        factor: In (0, 1).
        patience: How many epochs without a better value make a plateau; with 0 each one does.
        min_delta: By how much a value must beat the best; at least 0.
        mode: "min", "max", or "auto": known for the loss and for metrics.
        cooldown: How many epochs after a reduction don't count.
        min_learning_rate: Below which the rate isn't reduced.

    The optimizer's learning rate must be a number: two things can't rule it at once.
    Differs from: Keras calls it ReduceLROnPlateau and the last argument min_lr; there the last epoch of the cooldown
    counts already.
    """

    ranges = {"factor": "(0, 1)", "cooldown": "int [0, inf)", "min_learning_rate": "[0, inf)"}

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        mode: str = "auto",
        cooldown: int = 0,
        min_learning_rate: float = 0.0,
    ) -> None:
        super().__init__(monitor, min_delta, patience, mode)
        self.factor = factor
        self.cooldown = cooldown
        self.min_learning_rate = min_learning_rate
        self.cooling = 0

    def on_train_begin(self) -> None:
        """Refuse a learning rate that something else rules."""
        super().on_train_begin()
        if "learning_rate" not in self.trainer.optimizer.hyperparameters:
            raise ValueError(
                f"ReduceOnPlateau: the optimizer must have a learning rate. Received: {self.trainer.optimizer!r}"
            )
        rate = self.trainer.optimizer.learning_rate
        if callable(rate):
            raise TypeError(
                f"ReduceOnPlateau: the optimizer's learning rate must be a number, not a schedule. "
                f"Received: learning_rate={rate!r}"
            )

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Reduce, or count."""
        value = self.value(logs)
        if self.better(value):
            self.best, self.wait = value, 0
        elif not self.cooling:
            self.wait += 1
        self.cooling = max(self.cooling - 1, 0)
        if self.wait >= max(self.patience, 1):
            optimizer = self.trainer.optimizer
            rate = optimizer.learning_rate
            optimizer.learning_rate = min(rate, max(rate * self.factor, self.min_learning_rate))
            self.cooling, self.wait = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far and the counts."""
        return {**super().state_dict(), "cooling": self.cooling}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        cooling = integer(
            "ReduceOnPlateau", "cooling", checked_state("ReduceOnPlateau", state, self.state_dict())["cooling"]
        )
        super().load_state_dict(state)
        self.cooling = cooling
