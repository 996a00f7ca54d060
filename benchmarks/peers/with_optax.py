"""Optax's optimizers: pairs of pure functions. Arrays are given to JAX, and what it returns is copied back."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers import Array, Peer, copy_back
from minidl.parameters import Parameter

__all__ = ["Optax"]

# Optimizer: the fields of its state that are slots.
SLOTS: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "adagrad": ("sum_of_squares",),
    "rmsprop": ("nu",),
    "adadelta": ("e_g", "e_x"),
    "amsgrad": ("mu", "nu", "nu_max"),
    "lion": ("mu",),
}
TWO_MOMENTS = ("mu", "nu")

NAMES = {
    "learning_rate": "learning_rate",
    "momentum": "momentum",
    "beta_1": "b1",
    "beta_2": "b2",
    "epsilon": "eps",
    "weight_decay": "weight_decay",
}
COPIED = "Optax takes and returns arrays that can't be changed; the adapter copies them"
FREEZING = "which parameters Optax trains is said when the optimizer is made, by optax.masked or partition"


class Optax(Peer):
    """An optimizer of optax.

    Its functions are closures over their numbers: changing one makes the functions anew, and the state goes on.
    The state is made for the parameters that are trainable in the first step.
    """

    framework = "Optax"
    hidden = {
        **Peer.hidden,
        **dict.fromkeys(
            ("in_place", "memory_layouts", "flat_storage", "gradient_untouched", "gradient_not_kept", "slots_apart"),
            COPIED,
        ),
        **dict.fromkeys(("frozen_untouched", "unfrozen_late"), FREEZING),
        "given_in_turn": "a state of Optax is of the parameters that it was made for; others have another",
        "unknown_refused": "nothing is assigned to in Optax; its functions refuse unknown arguments",
        "given_twice_refused": "Optax gets values, and can't know that two are one parameter's",
    }

    def __init__(self, name: str = "sgd", **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self._names = {**NAMES, "rho": "decay" if name == "rmsprop" else "rho"}
        self._keys: dict[Parameter, str] = {}
        self._state: Any = None
        self._transformation = self._made()

    def call(self) -> str:
        return f"optax.{self.name}({self._shown()})"

    def _own(self) -> Any:
        return self._transformation

    def _made(self) -> Any:
        with jax.enable_x64(True):
            return getattr(optax, self.name)(**self.arguments)

    @property
    def hyperparameters(self) -> dict[str, float]:
        signature = inspect.signature(getattr(optax, self.name)).parameters
        values = {**{key: parameter.default for key, parameter in signature.items()}, **self.arguments}
        known = {name: values[key] for name, key in self._names.items() if key in values}
        return {name: value for name, value in known.items() if value not in (None, inspect.Parameter.empty)}

    def _change(self, name: str, value: Any) -> None:
        before = self.arguments
        self.arguments = {**before, self._names[name]: value}
        try:
            self._transformation = self._made()
        except Exception:
            self.arguments = before
            raise

    def step(self, parameters: Iterable[Parameter]) -> None:
        given = [parameter for parameter in parameters if parameter.trainable]
        keys = [self._keys.setdefault(parameter, f"{len(self._keys):06}") for parameter in given]
        with jax.enable_x64(True):
            values = {key: jnp.array(parameter.data) for key, parameter in zip(keys, given, strict=True)}
            gradients = {key: jnp.array(parameter.grad) for key, parameter in zip(keys, given, strict=True)}
            if self._state is None:
                self._state = self._transformation.init(values)
            updates, self._state = self._transformation.update(gradients, self._state, values)
            stepped = optax.apply_updates(values, updates)
            copy_back(given, [stepped[key] for key in keys])

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what Optax keeps for each entry."""
        more = ("trace",) if self.arguments.get("momentum") is not None else ()
        centered = ("mu",) if self.arguments.get("centered") else ()
        return (*SLOTS.get(self.name, TWO_MOMENTS), *centered, *more)

    @property
    def state(self) -> dict[Parameter, dict[str, Array]]:
        """Optax's own slots, read only as JAX's arrays are."""
        if self._state is None:
            return {}
        trees = {slot: optax.tree_utils.tree_get(self._state, slot) for slot in self.slots}
        return {
            parameter: {slot: np.asarray(tree[key]) for slot, tree in trees.items()}
            for parameter, key in self._keys.items()
        }
