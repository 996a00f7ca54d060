"""How a model's parameters are to be trained, as a state: which are frozen, and their multipliers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from minidl.layers import Layer
from minidl.layers.base import names
from minidl.parameters import Parameter
from minidl.validation import describe

if TYPE_CHECKING:
    from minidl.models import Sequential

__all__ = ["apply_settings", "parameter_settings"]

SETTINGS = {"trainable": True, "learning_rate_multiplier": 1.0, "weight_decay_multiplier": 1.0}


def parameter_settings(model: Sequential) -> dict[str, Any]:
    """Return what has been set of parameters, and which layers without parameters are frozen, by their paths."""
    parameters = {
        path: {name: getattr(parameter, name) for name, usual in SETTINGS.items() if getattr(parameter, name) != usual}
        for path, parameter in model.named_parameters().items()
    }
    return {
        "parameters": {path: own for path, own in parameters.items() if own},
        "frozen": [path for path, layer in _without_parameters(model) if not layer.trainable],
    }


def apply_settings(model: Sequential, settings: dict[str, Any]) -> None:
    """Set all parameters and layers as `parameter_settings` told.

    Raises:
        ValueError, TypeError: If they are of another model, or none.
    """
    parameters: dict[str, Parameter] = model.named_parameters()
    others = dict(_without_parameters(model))
    told, frozen = settings["parameters"], settings["frozen"]
    unknown = [path for path in [*told, *frozen] if path not in parameters and path not in others]
    if unknown or any(set(own) - set(SETTINGS) for own in told.values()):
        raise ValueError(f"settings must be of the model's own parameters. Received: {describe(settings)}")
    for path, parameter in parameters.items():
        for name, usual in SETTINGS.items():
            setattr(parameter, name, told.get(path, {}).get(name, usual))
    for path, layer in others.items():
        if model.built:
            layer.trainable = path not in frozen


def _without_parameters(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    for name, child in zip(names(layer.children), layer.children, strict=True):
        if not child.parameters:
            yield f"{path}{name}", child
        yield from _without_parameters(child, f"{path}{name}/")
