"""What an optimizer's steps have made, as a dict that can be saved, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.config import describe_object
from minidl.optimizers.spans import Entry
from minidl.parameters import Parameter
from minidl.validation import describe, integer

if TYPE_CHECKING:
    from minidl.optimizers.base import Optimizer

__all__ = ["apply_entries", "check_entries", "check_state", "copied", "described", "entries_dict"]

PARTS = {"class", "iterations", "epoch", "hyperparameters", "hooks", "parameters"}


def entries_dict(owner: str, entries: Mapping[Parameter, Entry]) -> dict[str, Any]:
    """Return copies of what is kept for each parameter, by its name."""
    names = [parameter.name for parameter in entries]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{owner}: parameters must have different names. Received twice: {', '.join(twice)}")
    return {
        parameter.name: {
            "t": entry.t,
            "kept": dict(entry.kept),
            "slots": {name: slot.copy() for name, slot in entry.slots.items()},
        }
        for parameter, entry in entries.items()
    }


def described(value: Any) -> Any:
    """Return a hyperparameter as a state holds it: a number, a schedule's config, None for a bare callable."""
    if not callable(value):
        return value
    try:
        return describe_object(value)
    except (AttributeError, TypeError):
        return None


def check_state(optimizer: Optimizer, state: Any) -> dict[str, Any]:
    """Return the hyperparameters that `state` sets; raise ValueError if it isn't a state of this class."""
    name = type(optimizer).__name__
    if not isinstance(state, dict) or set(state) != PARTS or state["class"] != name:
        received = f"{state.get('class')!r} with {sorted(state)}" if isinstance(state, dict) else describe(state)
        raise ValueError(f"{name}: the state must be one of {name}, with {sorted(PARTS)}. Received: {received}")
    integer(name, "iterations", state["iterations"])
    integer(name, "epoch", state["epoch"])
    for parameter, saved in state["parameters"].items():
        if set(saved) != {"t", "kept", "slots"}:
            raise ValueError(f"{name}: {parameter} must have t, kept and slots. Received: {sorted(saved)}")
        integer(name, f"t of {parameter!r}", saved["t"])
    current = optimizer.hyperparameters
    if set(state["hyperparameters"]) != set(current):
        raise ValueError(
            f"{name}: the state must hold the hyperparameters {sorted(current)}. "
            f"Received: {sorted(state['hyperparameters'])}"
        )
    loaded = {}
    for key, value in state["hyperparameters"].items():
        if value is None and not callable(current[key]):
            raise ValueError(
                f"{name}: {key} was a callable, which a state can't hold; give the same one to this "
                f"optimizer before loading. Received: {key}={current[key]!r}"
            )
        same = value is None or (callable(current[key]) and described(current[key]) == value)
        loaded[key] = current[key] if same else optimizer.checked(key, value)
    return loaded


def check_entries(owner: str, saved: dict[str, Any], entries: Mapping[Parameter, Entry]) -> None:
    """Raise ValueError unless `saved` has exactly the names, slots, shapes and dtypes of `entries`."""
    names = {parameter.name for parameter in entries}
    if len(names) < len(entries) or names != set(saved):
        raise ValueError(
            f"{owner}: the state must hold exactly the parameters' names. "
            f"Received: missing {sorted(names - set(saved))}, unknown {sorted(set(saved) - names)}"
        )
    for parameter, entry in entries.items():
        have = {name: (slot.shape, str(slot.dtype)) for name, slot in entry.slots.items()}
        slots = {name: np.asarray(slot) for name, slot in saved[parameter.name]["slots"].items()}
        got = {name: (slot.shape, str(slot.dtype)) for name, slot in slots.items()}
        if have != got:
            raise ValueError(f"{owner}: the slots of {parameter.name!r} must be {have}. Received: {got}")


def apply_entries(saved: dict[str, Any], entries: Mapping[Parameter, Entry]) -> None:
    """Copy what was `saved` into `entries`."""
    for parameter, entry in entries.items():
        source = saved[parameter.name]
        entry.t, entry.kept = int(source["t"]), dict(source["kept"])
        for name, slot in entry.slots.items():
            slot[...] = source["slots"][name]


def copied(state: Any) -> Any:
    """Return `state` with its dicts and arrays copied."""
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    return state.copy() if isinstance(state, np.ndarray) else state
