"""What an optimizer's steps have made, as a dict that can be saved, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.config import describe_object
from minidl.optimizers.spans import Entry
from minidl.parameters import Parameter
from minidl.validation import checked_state, choice, describe, integer, numbers

if TYPE_CHECKING:
    from minidl.optimizers.base import Optimizer

__all__ = ["apply_entries", "check_entries", "check_state", "described", "entries_dict", "floats"]

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


def check_state(optimizer: Optimizer, given: Any) -> dict[str, Any]:
    """Return the hyperparameters that a state sets; raise ValueError or TypeError if it isn't one of this class."""
    name = type(optimizer).__name__
    given = checked_state(name, given, PARTS)
    choice(name, "class", given["class"], (name,))
    integer(name, "iterations", given["iterations"])
    integer(name, "epoch", given["epoch"])
    for parameter, saved in _dict(name, "parameters", given["parameters"]).items():
        owner = f"{name} {str(parameter)!r}"
        saved = checked_state(owner, saved, ("t", "kept", "slots"))
        integer(owner, "t", saved["t"])
        floats(f"{owner}: kept must be", saved["kept"])
        slots = _dict(owner, "slots", saved["slots"])
        if set(slots) != set(optimizer.slots):
            raise ValueError(f"{owner}: the slots must be {optimizer.slots}. Received: {tuple(slots)}")
        for slot, value in slots.items():
            numbers(owner, slot, value)
    current = optimizer.hyperparameters
    wanted = _dict(name, "hyperparameters", given["hyperparameters"])
    if set(wanted) != set(current):
        raise ValueError(
            f"{name}: the state must hold the hyperparameters {sorted(current)}. Received: {sorted(wanted, key=str)}"
        )
    loaded = {}
    for key, value in wanted.items():
        if value is None and not callable(current[key]):
            raise ValueError(
                f"{name}: {key} was a callable, which a state can't hold; give the same one to this "
                f"optimizer before loading. Received: {key}={current[key]!r}"
            )
        same = value is None or (isinstance(value, dict) and described(current[key]) == value)
        loaded[key] = current[key] if same else optimizer.checked(key, value)
    return loaded


def _dict(owner: str, name: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{owner}: {name} must be a dict. Received: {name}={describe(value)}")
    return value


def floats(rule: str, given: Any) -> dict[str, float]:
    """Return `given` with Python floats, or raise TypeError, by the `rule`, if it isn't a dict of numbers."""
    try:
        return {name: float(value) for name, value in given.items()}
    except (AttributeError, OverflowError, TypeError, ValueError):
        raise TypeError(f"{rule} a dict of numbers. Received: {describe(given)}") from None


def check_entries(owner: str, saved: dict[str, Any], entries: Mapping[Parameter, Entry]) -> None:
    """Raise ValueError unless `saved` has exactly the names, slots, shapes and dtypes of `entries`."""
    names = {parameter.name for parameter in entries}
    if len(names) < len(entries) or names != set(saved):
        raise ValueError(
            f"{owner}: the state must hold exactly the parameters' names. "
            f"Received: missing {sorted(names - set(saved))}, unknown {sorted(set(saved) - names, key=str)}"
        )
    for parameter, entry in entries.items():
        have = {name: (slot.shape, str(slot.dtype)) for name, slot in entry.slots.items()}
        slots = {name: np.asarray(slot) for name, slot in saved[parameter.name]["slots"].items()}
        got = {name: (slot.shape, str(slot.dtype)) for name, slot in slots.items()}
        if have != got:
            raise ValueError(f"{owner} {parameter.name!r}: the slots must be {have}. Received: {got}")


def apply_entries(saved: dict[str, Any], entries: Mapping[Parameter, Entry]) -> None:
    """Copy what was `saved` into `entries`."""
    for parameter, entry in entries.items():
        source = saved[parameter.name]
        entry.t, entry.kept = int(source["t"]), {name: float(value) for name, value in source["kept"].items()}
        for name, slot in entry.slots.items():
            slot[...] = source["slots"][name]
