"""scikit-learn's optimizers, of which its multi-layer perceptrons are made. They step NumPy's arrays in place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sklearn.neural_network import _stochastic_optimizers

from benchmarks.peers import Array, Peer
from minidl.parameters import Parameter

__all__ = ["ScikitLearn"]

SLOTS: dict[str, dict[str, str]] = {"SGDOptimizer": {"v": "velocities"}, "AdamOptimizer": {"m": "ms", "v": "vs"}}
NAMES: dict[str, dict[str, str]] = {
    "SGDOptimizer": {"learning_rate": "learning_rate", "momentum": "momentum"},
    "AdamOptimizer": {
        "learning_rate": "learning_rate_init", "beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"
    },
}  # fmt: skip


class ScikitLearn(Peer):
    """An optimizer of sklearn.neural_network, a private part of it.

    It wants its parameters in the constructor: it is called when they are first known, the trainable ones of the first
    step. Before, an optimizer of no parameters stands for it.
    """

    framework = "scikit-learn"
    hidden = {
        **Peer.hidden,
        "range_refused": "MLPClassifier and MLPRegressor check the numbers before",
        **dict.fromkeys(("frozen_untouched", "unfrozen_late", "flat_storage"), "scikit-learn freezes no parameters"),
        "given_in_turn": "scikit-learn's optimizers step the parameters for which they were made",
    }

    def __init__(self, name: str = "SGDOptimizer", **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self._parameters: list[Parameter] = []
        self._numbers: dict[str, Any] = {}
        self._optimizer = self._made([])

    def call(self) -> str:
        return f"{self.name}({self._shown('parameters')})"

    def _own(self) -> Any:
        return self._optimizer

    def _made(self, arrays: list[Array]) -> Any:
        made = getattr(_stochastic_optimizers, self.name)(arrays, **self.arguments)
        for key, value in self._numbers.items():
            setattr(made, key, value)
        return made

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {name: getattr(self._optimizer, key) for name, key in NAMES[self.name].items()}

    def _change(self, name: str, value: Any) -> None:
        key = NAMES[self.name][name]
        self._numbers[key] = value
        setattr(self._optimizer, key, value)

    def step(self, parameters: Iterable[Parameter]) -> None:
        given = [parameter for parameter in parameters if parameter.trainable]
        if not self._parameters:
            self._optimizer = self._made([parameter.data for parameter in given])
            self._parameters = given
        if set(given) != set(self._parameters):
            raise ValueError("scikit-learn's optimizers step the parameters for which they were made")
        self._optimizer.update_params(
            [parameter.data for parameter in self._parameters], [parameter.grad for parameter in self._parameters]
        )

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what it keeps for each entry, as minidl calls them."""
        return tuple(SLOTS[self.name])

    @property
    def state(self) -> dict[Parameter, dict[str, Array]]:
        """Its own slots."""
        return {
            parameter: {slot: getattr(self._optimizer, key)[i] for slot, key in SLOTS[self.name].items()}
            for i, parameter in enumerate(self._parameters)
        }
