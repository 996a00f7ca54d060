"""Callbacks that write down what happens."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Collection, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.base import Callback
from minidl.validation import describe, flag, integer, state

if TYPE_CHECKING:
    from pathlib import Path

    from minidl.parameters import Parameter

__all__ = ["CSVLogger", "Norms", "WeightPath"]

Logs = dict[str, float]


class CSVLogger(Callback):
    """Writes a line an epoch to a CSV file: its number and its logs; each line is on disk at once.

    Args:
        path: The file. Its folder must exist.
        append: Whether to go on in a file that is there, under its header, instead of starting anew.
    """

    writes = True

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"CSVLogger: path must be a path. Received: path={describe(path)}")
        from pathlib import Path

        self.path = Path(path)
        self.append = flag("CSVLogger", "append", append)
        self._file: IO[str] | None = None
        self._columns: list[str] | None = None
        self._size: int | None = None  # at which a resumed fit goes on

    def on_train_begin(self) -> None:
        """Open the file; what is in it stays until the first line is written.

        A resumed fit goes on behind the last line that its checkpoint knows; what was written later comes again.

        Raises:
            ValueError: If its columns are others than those of this fit.
        """
        import csv

        self._columns = None
        if (self.append or self._size) and self._there():
            with self.path.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file))
            self._check(["epoch", *self.trainer.columns])
        self._file = self.path.open("a", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write the line.

        Raises:
            ValueError: If the columns aren't those of the header.
        """
        import csv

        assert self._file is not None
        row = {"epoch": epoch, **logs}
        if self._size is not None:
            self._file.truncate(self._size)  # not before there is something to write
            self._size = None
        if self._columns is None:
            self._columns = list(row)
            self._file.truncate(0)
            self.append = True  # a second fit goes on where this one ends
            csv.writer(self._file).writerow(self._columns)
        self._check(row)
        csv.writer(self._file).writerow([row[name] for name in self._columns])
        self._file.flush()

    def on_train_end(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def state_dict(self) -> dict[str, Any]:
        """Return how long the file is; None if it is to be begun."""
        begun = self._file is not None and self._columns is not None
        return {"size": (self._there() if self._size is None else self._size) if begun else None}

    def load_state_dict(self, given: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        size = state("CSVLogger", given, self.state_dict())["size"]
        if size is not None and integer("CSVLogger", "size", size) > self._there():
            raise ValueError(
                f"CSVLogger: {self.path} must be as the fit left it, {size} bytes. Received: {self._there()} bytes"
            )
        self._size = size

    def _there(self) -> int:
        """Return how many bytes the file has."""
        return self.path.stat().st_size if self.path.exists() else 0

    def _check(self, columns: Collection[str]) -> None:
        if set(columns) != set(self._columns or ()):
            raise ValueError(f"CSVLogger: {self.path} has the columns {self._columns}. Received: {list(columns)}")


class Norms(Callback):
    """Records the Euclidean norms of each layer's weights and gradients, after steps.

    A layer's norm is the square root of the sum of squares over all its parameters. The weights are those after the
    step; the gradients are those that the optimizer was given for it, penalties included, before its hooks.

    Args:
        every: After how many steps in a row one is recorded; at least 1.

    Attributes:
        steps: The optimizer's `iterations` after each recorded step.
        weights: A list for each layer, by its name.
        gradients: Likewise; NaN where a layer has no trainable parameter.

    `minidl.plotting.plot_norms` draws them.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = integer("Norms", "every", every, 1)
        self.steps: list[int] = []
        self.weights: dict[str, list[float]] = {}
        self.gradients: dict[str, list[float]] = {}

    def on_train_begin(self) -> None:
        """Refuse to mix one model's layers with another's."""
        if self.steps and set(self._layers()) != set(self.weights):
            raise ValueError(
                f"Norms: each model needs one of its own. Received: layers {list(self._layers())}, "
                f"after {list(self.weights)}"
            )

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Record, if it's time."""
        if self.trainer.optimizer.iterations % self.every:
            return
        self.steps.append(self.trainer.optimizer.iterations)
        for name, parameters in self._layers().items():
            trained = [parameter.grad for parameter in parameters if parameter.trainable]
            self.weights.setdefault(name, []).append(_norm([parameter.data for parameter in parameters]))
            self.gradients.setdefault(name, []).append(_norm(trained) if trained else math.nan)

    def _layers(self) -> dict[str, list[Parameter]]:
        """Return the parameters of each layer: their names are paths, the last word is the parameter's own."""
        layers: dict[str, list[Parameter]] = {}
        for parameter in self.model.parameters:
            layers.setdefault(parameter.name.rpartition("/")[0] or parameter.name, []).append(parameter)
        return layers

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what was recorded."""
        return copy.deepcopy({"steps": self.steps, "weights": self.weights, "gradients": self.gradients})

    def load_state_dict(self, given: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = copy.deepcopy(state("Norms", given, self.state_dict()))
        lists = [own["steps"]]
        for name in ("weights", "gradients"):
            lists += own[name].values() if isinstance(own[name], dict) else [None]
        if not all(isinstance(one, list) and len(one) == len(lists[0]) for one in lists):
            raise ValueError(f"Norms: each layer must have a norm for each step. Received: {describe(given)}")
        self.steps, self.weights, self.gradients = own["steps"], own["weights"], own["gradients"]


def _norm(arrays: Sequence[NDArray[Any]]) -> float:
    """Return the Euclidean norm of all entries of all arrays, in double precision."""
    return math.hypot(*(float(np.linalg.norm(array.astype(np.float64).ravel())) for array in arrays))


class WeightPath(Callback):
    """Records all weights as training goes on: the path that an optimizer takes through them.

    Args:
        every: After how many steps in a row they are recorded; at least 1. The start is, too.

    Attributes:
        steps: The optimizer's `iterations` at each record.
        weights: All parameters as one vector, for each of the steps.

    `minidl.slices.path_plane` finds a plane to see them on. A path takes as much memory as there are weights, for each
    record.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = integer("WeightPath", "every", every, 1)
        self.steps: list[int] = []
        self.weights: list[NDArray[Any]] = []

    def on_train_begin(self) -> None:
        """Record the start, unless it is known; refuse another model's weights behind one's.

        Raises:
            ValueError: If the model isn't built, or has another number of weights.
        """
        if not self.model.built:
            raise ValueError("WeightPath: model must be built: begin it with layers.Input(shape). Received: no build")
        size = sum(parameter.size for parameter in self.model.parameters)
        if self.weights and self.weights[-1].size != size:
            raise ValueError(
                f"WeightPath: each model needs one of its own. Received: {size} weights, after {self.weights[-1].size}"
            )
        if not self.steps or self.steps[-1] != self.trainer.optimizer.iterations:
            self._record()

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Record, if it's time."""
        if self.trainer.optimizer.iterations % self.every == 0:
            self._record()

    def _record(self) -> None:
        self.steps.append(self.trainer.optimizer.iterations)
        self.weights.append(np.concatenate([parameter.data.ravel() for parameter in self.model.parameters]))

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what was recorded."""
        return copy.deepcopy({"steps": self.steps, "weights": self.weights})

    def load_state_dict(self, given: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = copy.deepcopy(state("WeightPath", given, self.state_dict()))
        if not all(isinstance(one, list) for one in own.values()) or len(own["steps"]) != len(own["weights"]):
            raise ValueError(f"WeightPath: there must be weights for each step. Received: {describe(given)}")
        self.steps, self.weights = own["steps"], own["weights"]
