"""Take a model of the real Keras over: its layers, its weights, its optimizer's settings."""

from __future__ import annotations

from types import FunctionType
from typing import Any, cast

import numpy as np

import minidl.models
from minidl.config import checked
from minidl.keras import config, initializers, layers, losses, metrics, optimizers, regularizers
from minidl.keras.models import Sequential
from minidl.keras.optimizers import schedules
from minidl.validation import describe

__all__ = ["from_keras"]

# What doesn't change what a layer computes.
DROPPED = {"trainable", "dtype", "build_config", "batch_input_shape", "batch_shape", "zero_output_for_mask"}


@checked
def from_keras(model: Any) -> minidl.models.Sequential:
    """Return a `minidl.Sequential` with the layers, the weights and, if compiled, the training of a Keras Sequential.

    The optimizer has Keras's settings and no state: it begins anew. The seed is a fresh one. A model that is compiled
    without a loss isn't compiled here.

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
    if getattr(model, "compiled", False) and model.optimizer is not None and model.loss is not None:
        loss, told = _loss(model.loss), model.get_compile_config()
        if _one_of(told.get("loss_weights")) not in (None, 1.0):
            raise NotImplementedError(f"from_keras: loss_weights aren't supported. Received: {told['loss_weights']}")
        counted = [*_metrics(told.get("metrics"), False), *_metrics(told.get("weighted_metrics"), True)]
        ours.compile(_optimizer(model.optimizer), loss, counted)
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


def _one_of(given: Any) -> Any:
    """Return what is given for the one output, by itself, in a list of one, or in a dict of one."""
    values = list(given.values()) if isinstance(given, dict) else given
    return values[0] if isinstance(values, (list, tuple)) and len(values) == 1 else given


def _loss(described: Any) -> Any:
    loss = _one_of(described)
    if isinstance(loss, str):
        made = losses.get(loss)
    else:
        kind: Any = loss if isinstance(loss, FunctionType) else type(loss)
        known = getattr(losses, kind.__name__, None) if kind.__module__.startswith("keras.") else None
        if known is None:
            raise NotImplementedError(f"from_keras: the loss isn't supported. Received: {describe(loss)}")
        if isinstance(known, losses.Function):
            made = losses.get(known)
        else:  # Keras's own description may leave out what its function is given
            given = {**cast(Any, loss).get_config(), **getattr(loss, "_fn_kwargs", {})}
            made = known(**{key: value for key, value in given.items() if key != "fn"})
    made.mean_over = "samples"
    return made


def _metrics(described: Any, weighted: bool) -> list[Any]:
    """Return metrics of which Keras's config of a compiled model tells."""
    one = _one_of(described)
    made = [_metric(told) for told in (one if isinstance(one, (list, tuple)) else [] if one is None else [one])]
    for metric in made:
        metric.weighted = weighted
    return made


def _metric(told: Any) -> Any:
    if isinstance(told, str):
        return metrics.get(told)
    name, given = (told.get("class_name"), told.get("config")) if isinstance(told, dict) else (None, None)
    if name == "function" and told.get("module") == "builtins" and isinstance(given, str):
        return metrics.get(given)
    if name in metrics.__all__ and isinstance(given, dict) and told.get("module") == "keras.metrics":
        return getattr(metrics, name)(**{key: value for key, value in given.items() if key != "dtype"})
    raise NotImplementedError(f"from_keras: the metric isn't supported. Received: {describe(told)}")
