"""Take a model of the real Keras over: its layers, its weights, its optimizer's settings."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

import minidl.models
from minidl.keras import config, initializers, layers, losses, metrics, optimizers, regularizers
from minidl.keras.models import Sequential
from minidl.keras.optimizers import schedules
from minidl.validation import describe

__all__ = ["from_keras"]

# What doesn't change what a layer computes.
DROPPED = {"trainable", "dtype", "build_config", "batch_input_shape", "batch_shape", "zero_output_for_mask"}


def from_keras(model: Any) -> minidl.models.Sequential:
    """Return a `minidl.Sequential` with the layers, the weights and, if compiled, the training of a Keras Sequential.

    The optimizer has Keras's settings and no state: it begins anew. The seed is a fresh one.

    Args:
        model: A built `keras.Sequential` (Keras 3).

    Raises:
        TypeError: If it is none.
        ValueError: If it isn't built.
        NotImplementedError: If it has what isn't supported here.
    """
    if not hasattr(model, "layers") or not hasattr(model, "get_config") or isinstance(model, minidl.models.Sequential):
        raise TypeError(f"from_keras: model must be a keras.Sequential. Received: {describe(model)}")
    if type(model).__name__ != "Sequential":
        raise NotImplementedError(f"from_keras: only a Sequential can be taken over. Received: {type(model).__name__}")
    if not model.built:
        raise ValueError("from_keras: the model must be built, by an Input or by data. Received: one that isn't")
    dtype = config.floatx()
    try:
        config.set_floatx(str(model.dtype))
        face = Sequential(name=None)
        face.add(layers.Input(tuple(model.input_shape)[1:]))
        for layer in model.layers:
            face.add(_layer(layer))
    finally:
        config.set_floatx(dtype)
    ours = minidl.models.Sequential.from_config({**face.get_config(), "seed": None})
    for mine, theirs in zip(ours.layers, model.layers, strict=True):
        mine.set_weights([np.asarray(weight) for weight in _floating(theirs)])
        if not theirs.trainable:
            mine.trainable = False
    if getattr(model, "compiled", False) and model.optimizer is not None:
        ours.compile(_optimizer(model.optimizer), _loss(model.loss), _metrics(model))
        assert ours.trainer is not None
        ours.trainer.loss.mean_over = "samples"
    return ours


def _floating(layer: Any) -> list[Any]:
    """Return a layer's weights but for counters and seeds, as arrays."""
    values = [np.asarray(value) for value in layer.get_weights()]
    return [value for value in values if value.dtype.kind == "f"]


def _layer(layer: Any) -> Any:
    """Return the layer of this face that a layer of Keras's is."""
    name, given = type(layer).__name__, layer.get_config()
    if name == "Sequential":
        inner = Sequential(name=given.get("name"))
        for one in layer.layers:
            inner.add(_layer(one))
        return inner
    if not hasattr(layers, name):
        raise NotImplementedError(f"from_keras: {name} isn't supported. Received: {given.get('name')!r}")
    inside = {"layer", "backward_layer"}
    arguments = {key: _value(value) for key, value in given.items() if key not in DROPPED | inside}
    if name == "Bidirectional":
        arguments["layer"] = _layer(layer.forward_layer)
        arguments["layer"].name = None
        if given["layer"]["config"].get("go_backwards") is True:
            raise NotImplementedError("from_keras: Bidirectional of a layer that goes backwards isn't supported")
    return getattr(layers, name)(**arguments)


def _value(value: Any) -> Any:
    """Return what a described object of Keras's is here; other values as they are."""
    if not (isinstance(value, dict) and "class_name" in value):
        return tuple(_value(one) for one in value) if isinstance(value, (list, tuple)) else value
    name, given = value["class_name"], value.get("config")
    if name == "function":
        return given
    for module in (initializers, regularizers, layers, schedules):
        if hasattr(module, name):
            known = {key: _value(one) for key, one in cast("dict[str, Any]", given).items() if one is not None}
            known.pop("seed", None)  # the weights are taken over
            return getattr(module, name)(**known)
    raise NotImplementedError(f"from_keras: {name} isn't supported. Received: {describe(value)}")


def _optimizer(optimizer: Any) -> Any:
    name, given = type(optimizer).__name__, dict(optimizer.get_config())
    if not hasattr(optimizers, name):
        raise NotImplementedError(f"from_keras: the optimizer {name} isn't supported")
    return getattr(optimizers, name)(**{key: _value(value) for key, value in given.items()})


def _loss(loss: Any) -> Any:
    if isinstance(loss, str):
        return losses.get(loss)
    given = dict(loss.get_config())
    made = getattr(losses, type(loss).__name__, None)
    if made is None:
        raise NotImplementedError(f"from_keras: the loss {type(loss).__name__} isn't supported")
    return made(**{key: value for key, value in given.items() if key not in ("fn",)})


def _metrics(model: Any) -> list[Any]:
    """Return the metrics with which a model was compiled, by name."""
    given = model.get_compile_config().get("metrics") or []
    return [metrics.get(one) for one in given if isinstance(one, str)]
