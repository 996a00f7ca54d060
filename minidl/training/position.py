"""Where a fit stands: how far it is, the means of the epoch in work, and what it has recorded."""

import copy
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from minidl.history import History
from minidl.losses import Loss
from minidl.metrics import Metric
from minidl.training.batches import Batch
from minidl.validation import checked_state, flag, integer, number

__all__ = ["Means", "Position"]

Array = NDArray[Any]
Logs = dict[str, float]


class Means:
    """The loss and the metrics of all batches added so far, weighted by their samples."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = copy.deepcopy(metrics)  # others' batches are none of these
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        for metric in self.metrics:
            metric.reset()
        self.loss = self.weight = self.activity = self.samples = 0.0

    def add_loss(self, loss: float, weight: float) -> None:
        """Add the mean loss of samples that weigh so much together."""
        self.loss += loss * weight
        self.weight += weight

    def add_activity(self, penalty: float, samples: int) -> None:
        """Add a penalty on outputs, the mean over that many samples; their weights don't count."""
        self.activity += penalty * samples
        self.samples += samples

    def add_metrics(self, batch: Batch, y_pred: Array, objective: Loss) -> None:
        """Let the metrics take in a batch, of which the model put out `y_pred`."""
        if self.metrics:
            predictions = objective.predictions(y_pred)
            if predictions is y_pred:
                predictions = y_pred.copy()  # a metric may keep it, and the next step may write into its memory
            for metric in self.metrics:
                metric.update(batch[1], predictions, batch[2] if metric.weighted else None)

    def logs(self) -> Logs:
        """Return the loss and each metric."""
        loss = self.loss / self.weight if self.weight else 0.0
        loss += self.activity / self.samples if self.samples else 0.0
        return {"loss": loss, **{metric.name: float(metric.result()) for metric in self.metrics}}

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all sums."""
        return {**self._sums(), "metrics": [metric.state_dict() for metric in self.metrics]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = checked_state("Means", state, self.state_dict())
        if not isinstance(own["metrics"], list) or len(own["metrics"]) != len(self.metrics):
            raise ValueError(f"Means: there must be a state for each of {len(self.metrics)} metrics. Received: others")
        sums = {name: number("Means", name, own[name], "[-inf, inf]") for name in self._sums()}
        for metric, saved in zip(self.metrics, own["metrics"], strict=True):
            metric.load_state_dict(saved)
        vars(self).update(sums)

    def _sums(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("loss", "weight", "activity", "samples")}


class Position:
    """Where a fit stands.

    Attributes:
        first: The number of the epoch with which it began, from 0.
        iterations: The steps that the optimizer had made then.
        steps: The steps of this fit so far, those that were skipped included.
        batches: The steps that are done in the epoch in work; 0 before it begins.
        skipped: How many of these were skipped. `reason`: why the last one was.
        means: Of the loss and the metrics in this epoch.
        history: Of the epochs that are done.
        stopped: Whether a callback has said that the epoch in work, or that before, is the last.
    """

    def __init__(self, first: int, iterations: int, means: Means) -> None:
        self.first, self.iterations = first, iterations
        self.steps = self.batches = self.skipped = 0
        self.reason = ""
        self.means = means
        self.history = History()
        self.stopped = False

    @property
    def over(self) -> bool:
        """Whether the last epoch is done, since a callback has said so."""
        return self.stopped and not self.batches

    def begin_epoch(self) -> None:
        """Be before the first step of an epoch."""
        self.batches = self.skipped = 0
        self.means.reset()

    def step(self) -> None:
        """Be behind one step more."""
        self.batches += 1
        self.steps += 1

    def skip(self, reason: str) -> None:
        """Count a step that couldn't be made."""
        self.skipped += 1
        self.reason = reason

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """Record an epoch; be before the next."""
        self.history.append(epoch, logs)
        self.batches = self.skipped = 0

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of it."""
        counts = {name: getattr(self, name) for name in COUNTS}
        rest = {"reason": self.reason, "stopped": self.stopped}
        return {**counts, **rest, "means": self.means.state_dict(), "history": self.history.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = checked_state("fit", state, self.state_dict())
        counts = {name: integer("fit", name, own[name]) for name in COUNTS}
        if not counts["skipped"] <= counts["batches"] <= counts["steps"] or max(counts.values()) >= 2**63:
            raise ValueError(
                f"fit: counts must be of steps, some of which an epoch's, some of which skipped. Received: {counts}"
            )
        history = History.from_state_dict(own["history"])
        stopped = flag("fit", "stopped", own["stopped"])
        self.means.load_state_dict(own["means"])
        vars(self).update(counts, history=history, stopped=stopped, reason=str(own["reason"]))


COUNTS = ("first", "iterations", "steps", "batches", "skipped")
