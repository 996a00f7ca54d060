"""Keras's optimizers. Keras owns the memory of its variables: values and gradients are copied in, results back out.

The backend is PyTorch's unless KERAS_BACKEND says another. Importing this sets Keras's floatx to double precision.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.peers import Array, Peer, copy_back
from minidl.parameters import Parameter

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras

__all__ = ["Keras"]

# Optimizer: the words in the names of its variables that tell its slots.
SLOTS: dict[str, tuple[str, ...]] = {
    "SGD": (),
    "Adagrad": ("accumulator",),
    "RMSprop": ("velocity",),
    "Adadelta": ("accumulated_grad", "accumulated_delta_var"),
    "Adamax": ("momentum", "norm"),
    "Lion": ("momentum",),
}
TWO_MOMENTS = ("momentum", "velocity")
NAMES = ("learning_rate", "momentum", "beta_1", "beta_2", "rho", "epsilon", "weight_decay")


keras.config.set_floatx("float64")  # what Keras keeps its learning rates in, however precise the variables are

COPIED = "Keras owns the memory of its variables; the adapter copies values and gradients in, and values back"


class Keras(Peer):
    """An optimizer of keras.optimizers, built for the parameters that are trainable in the first step."""

    framework = "Keras"
    hidden = {
        **Peer.hidden,
        **dict.fromkeys(
            ("in_place", "memory_layouts", "flat_storage", "gradient_untouched", "gradient_not_kept"), COPIED
        ),
        "no_growth": "on PyTorch's backend memory grows for some thousand steps, less and less: no leak",
    }

    def __init__(self, name: str = "SGD", **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self._variables: dict[Parameter, Any] = {}
        self._pending: dict[str, Any] | None = None
        self._later: dict[str, Any] = {}
        self._optimizer = getattr(keras.optimizers, name)(**arguments)

    def call(self) -> str:
        return f"keras.optimizers.{self.name}({self._shown()})"

    def _own(self) -> Any:
        return self._optimizer

    @property
    def hyperparameters(self) -> dict[str, float]:
        found = {}
        for name in NAMES:
            value = getattr(self._optimizer, name, None)
            other_rule = name == "momentum" and self.name == "RMSprop" and not self.arguments.get("momentum")
            if value is not None and not other_rule:
                found[name] = float(value) if name == "learning_rate" else value
        return found

    def _change(self, name: str, value: Any) -> None:
        if self._pending is not None:
            self._later[name] = value
        setattr(self._optimizer, name, value)

    def step(self, parameters: Iterable[Parameter]) -> None:
        given = [parameter for parameter in parameters if parameter.trainable]
        for parameter in given:
            if parameter in self._variables:
                self._variables[parameter].assign(parameter.data)
            else:
                self._variables[parameter] = keras.Variable(
                    parameter.data.copy(), dtype=str(parameter.dtype), name=f"variable_{len(self._variables)}"
                )
        variables = [self._variables[parameter] for parameter in given]
        gradients = [
            keras.ops.convert_to_tensor(parameter.grad.copy(), dtype=str(parameter.dtype)) for parameter in given
        ]
        if self._pending is not None:
            store, self._pending = self._pending, None
            self._optimizer.build(variables)
            self._optimizer.load_own_variables(store)
            for name, value in self._later.items():
                setattr(self._optimizer, name, value)
        self._optimizer.apply(gradients, variables)
        copy_back(given, [keras.ops.convert_to_numpy(variable) for variable in variables])

    @property
    def iterations(self) -> int:
        """The steps that Keras has counted."""
        return int(self._optimizer.iterations)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what Keras keeps for each entry."""
        if self.name == "SGD" and self._optimizer.momentum:
            return ("momentum",)
        more: tuple[str, ...] = ("velocity_hat",) if getattr(self._optimizer, "amsgrad", False) else ()
        if self.name == "RMSprop":
            more = tuple(
                slot
                for slot, switch in (("momentum", "momentum"), ("average_gradient", "centered"))
                if getattr(self._optimizer, switch)
            )
        return (*SLOTS.get(self.name, TWO_MOMENTS), *more)

    @property
    def state(self) -> dict[Parameter, dict[str, Array]]:
        """Keras's own slots."""
        named = {variable.name: variable for variable in self._optimizer.variables}
        return {
            parameter: {slot: _array(named[f"{variable.path.replace('/', '_')}_{slot}"]) for slot in self.slots}
            for parameter, variable in self._variables.items()
            if self._optimizer.built
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what a model's file holds of its optimizer: the config, and what Keras saves of its own."""
        store: dict[str, Any] = {}
        if self._optimizer.built or not self._pending:
            self._optimizer.save_own_variables(store)
        else:  # what was loaded waits for the variables
            store.update(self._pending)
        return {"config": self._optimizer.get_config(), **store}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make an optimizer from the config, as for a model's file, and let it load as soon as there are variables.

        One that has variables already keeps its own config.
        """
        store = dict(state)
        config = store.pop("config", None)
        if self._optimizer.built:
            self._optimizer.load_own_variables(store)
        else:
            if config is not None:
                self._optimizer = type(self._optimizer).from_config(config)
            self._pending = store

    def get_config(self) -> dict[str, Any]:
        """Return Keras's config, and the optimizer's name."""
        return {"name": self.name, "config": self._optimizer.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Keras:
        """Make an optimizer from Keras's config."""
        made = cls(config["name"])
        made._optimizer = getattr(keras.optimizers, config["name"]).from_config(config["config"])
        return made


def _array(variable: Any) -> Array:
    """Return a variable's memory where the backend lets it be seen, otherwise a copy."""
    value = variable.value
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
