"""Callbacks that keep what happens."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.callbacks.base import Callback
from minidl.validation import checked_state, describe

if TYPE_CHECKING:
    from minidl.parameters import Parameter

__all__ = ["Norms", "WeightPath"]

Logs = dict[str, float]


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

    ranges = {"every": "int [1, inf)"}

    def __init__(self, every: int = 1) -> None:
        self.every = every
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

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = copy.deepcopy(checked_state("Norms", state, self.state_dict()))
        lists = [own["steps"]]
        for name in ("weights", "gradients"):
            lists += own[name].values() if isinstance(own[name], dict) else [None]
        if not all(isinstance(one, list) and len(one) == len(lists[0]) for one in lists):
            raise ValueError(f"Norms: each layer must have a norm for each step. Received: {describe(state)}")
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

    ranges = {"every": "int [1, inf)"}

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.steps: list[int] = []
        self.weights: list[NDArray[Any]] = []
        self._resumed = False

    def on_train_begin(self) -> None:
        """Record the start, unless it is known or this fit is resumed; refuse another model's weights behind one's.

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
        if not self.steps or (self.steps[-1] != self.trainer.optimizer.iterations and not self._resumed):
            self._record()
        self._resumed = False

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

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = copy.deepcopy(checked_state("WeightPath", state, self.state_dict()))
        if not all(isinstance(one, list) for one in own.values()) or len(own["steps"]) != len(own["weights"]):
            raise ValueError(f"WeightPath: there must be weights for each step. Received: {describe(state)}")
        self.steps, self.weights = own["steps"], own["weights"]
        self._resumed = True
