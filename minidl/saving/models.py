"""Models and weights in files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from minidl import initializers, layers, losses, metrics, optimizers
from minidl.config import checked, describe_object
from minidl.saving.container import FileError
from minidl.saving.document import pack_document, unpack_document
from minidl.saving.files import checked_path, place
from minidl.saving.settings import apply_settings, parameter_settings
from minidl.validation import describe, flag, integer

if TYPE_CHECKING:
    from minidl.models import Sequential
    from minidl.optimizers import Optimizer
    from minidl.training import Trainer

__all__ = [
    "load_model",
    "load_weights",
    "restore_model",
    "restore_optimizer",
    "save_model",
    "save_weights",
    "training",
    "write_model",
]

Array = NDArray[Any]

#: How many objects a model may be made of: layers, and what these have, such as initializers.
MOST = 20_000
#: The registries, by how messages call what is in them.
REGISTRIES = {
    "layer": "minidl.layers.registry",
    "activation": "minidl.layers.activations",
    "loss": "minidl.losses.registry",
    "metric": "minidl.metrics.registry",
    "optimizer": "minidl.optimizers.registry",
    "hook": "minidl.optimizers.hooks.registry",
    "schedule": "minidl.schedules.registry",
    "initializer": "minidl.initializers.registry",
    "regularizer": "minidl.regularizers.registry",
}


# Weights ----------------------------------------------------------------------------------------------------


@checked
def save_weights(model: Sequential, path: Any) -> None:
    """Write the parameters and buffers of `model`; see `Sequential.save_weights`."""
    _refuse_others("save_weights", model)
    path = checked_path("save_weights", path)
    if not model.built:
        raise RuntimeError(f"{model.title}: must be built before it has weights to save. Received: no build")
    place("save_weights", path, pack_document("weights", model.named_arrays(), {}))


@checked
def load_weights(model: Sequential, path: Any) -> None:
    """Copy the weights in a file into `model`; see `Sequential.load_weights`."""
    _refuse_others("load_weights", model)
    path = checked_path("load_weights", path)
    if not model.built:
        raise RuntimeError(
            f"{model.title}: must be built before it can take weights: begin it with layers.Input(shape). "
            f"Received: no build"
        )
    arrays, _ = unpack_document(path, "load_weights", ("weights", "model", "checkpoint"))
    try:
        own = model.named_arrays()
        for name in own.keys() & arrays.keys():
            if own[name].dtype.kind != arrays[name].dtype.kind:
                raise ValueError(f"{name} must be of a kind with {own[name].dtype}. Received: {describe(arrays[name])}")
        model.load_state_dict(arrays)
    except ValueError as error:
        raise FileError(f"load_weights: {path}: {error}") from error


# Models -----------------------------------------------------------------------------------------------------


@checked
def save_model(model: Sequential, path: Any, *, include_optimizer: bool = True) -> None:
    """Write `model` and, if it is compiled, how it is trained; see `Sequential.save`."""
    _refuse_others("save_model", model)
    write_model(model, path, model.trainer if flag("save", "include_optimizer", include_optimizer) else None)


def _refuse_others(owner: str, model: object) -> None:
    from minidl.models import Sequential

    if not isinstance(model, Sequential):
        raise TypeError(f"{owner}: model must be a Sequential. Received: {describe(model)}")


def write_model(model: Sequential, path: Any, trainer: Trainer | None) -> None:
    """Write `model` and, if there is one, how `trainer`, which is that of a fit, trains it."""
    path = checked_path("save", path)
    config = describe_object(model)
    _check_size("save", config)
    parts = {
        "model": config,
        "settings": parameter_settings(model),
        "training": None if trainer is None else training(trainer),
    }
    place("save", path, pack_document("model", model.named_arrays(), parts))


def training(trainer: Trainer, described: Callable[[Any], Any] = describe_object) -> dict[str, Any]:
    """Return how a model is trained, and what its optimizer has made; `described` gives the configs."""
    state = trainer.optimizer.state_dict()
    own = {parameter.name: path for path, parameter in trainer.model.named_parameters().items()}  # it may be in another
    state["parameters"] = {own.get(name, name): entry for name, entry in state["parameters"].items()}
    return {
        "optimizer": described(trainer.optimizer),
        "state": state,
        "loss": described(trainer.loss),
        "metrics": [described(metric) for metric in trainer.metrics],
        "seed": trainer.seed,
    }


@checked
def load_model(path: Any, *, compile: bool = True) -> Sequential:  # noqa: A002  # Keras's name
    """Return the model in a file that `model.save` or a fit with checkpoints has written.

    Nothing in a file is ever run: layers, losses, metrics and optimizers are made by name, from the classes that are
    registered. Nothing larger than the file's own arrays is made either.

    Args:
        path: The file.
        compile: Whether to compile it as it was, its optimizer's state included, so that training can go on.

    Raises:
        FileError: If the file is damaged, isn't one of minidl's, or doesn't hold together.
        OSError: If it can't be read.

    >>> import tempfile; path = tempfile.mkdtemp() + "/model.safetensors"
    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    >>> model.save(path)
    >>> np.array_equal(minidl.load_model(path).predict(np.eye(2)), model.predict(np.eye(2)))
    True
    """
    path = checked_path("load_model", path)
    flag("load_model", "compile", compile)
    arrays, parts = unpack_document(path, "load_model", ("model", "checkpoint"))
    try:
        return _made(arrays, parts, compile)
    except Exception as error:  # of constructors that a file has given its own arguments
        raise FileError(f"load_model: {path}: it must describe a model. Received: {_told(error)}") from error


def _told(error: Exception) -> str:
    """Return what an error says, in short, and what to do about a class that isn't known."""
    text = str(error) or type(error).__name__
    unknown = re.search(r"unknown ([\w ]+)\. Received: (?:\w+=)?'(minidl\.keras)?", text)
    hint = ""
    if unknown and unknown[2]:
        hint = ". It is known once minidl.keras was imported"
    elif unknown and unknown[1] in REGISTRIES:
        register = f"@{REGISTRIES[unknown[1]]}.register()"
        hint = f". A class of your own must be known before: decorate it with {register} and import it first"
    return (text if len(text) <= 500 else text[:500] + "...") + hint


def _made(arrays: dict[str, Array], parts: dict[str, Any], compiled: bool) -> Sequential:
    from minidl.models import Sequential

    config = parts["model"]
    if config is None:
        raise ValueError("a checkpoint of a model that no config describes")
    _check_size("a file", config)
    with initializers.undrawn(sum(array.size for array in arrays.values())):
        model = layers.registry.get(config)
    if not isinstance(model, Sequential):
        raise TypeError(f"no model, but {type(model).__name__}")
    restore_model(model, arrays, parts["settings"])
    if compiled and parts["training"] is not None:
        _compile(model, parts["training"])
    return model


def restore_model(model: Sequential, arrays: dict[str, Array], settings: dict[str, Any]) -> None:
    """Give `model` these arrays, of just its dtypes, and settings; raise ValueError or TypeError if they are others."""
    for name, own in model.named_arrays().items():
        if name in arrays and arrays[name].dtype != own.dtype:
            raise ValueError(f"{name} must be {own.dtype}. Received: {describe(arrays[name])}")
    model.load_state_dict(arrays)
    apply_settings(model, settings)


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any], model: Sequential) -> None:
    """Give `optimizer` a state that it has for `model`; its slots are checked at once, not at the next step."""
    optimizer.load_state_dict(state)
    if state["parameters"]:
        optimizer.build(model.parameters)


def _check_size(owner: str, config: Any) -> None:
    """Raise ValueError if a config is of more objects than a reader makes."""
    count = _objects_in(config)
    if count > MOST:
        raise ValueError(
            f"{owner}: a model must be of at most {MOST:,} objects, layers and what they have. Received: {count:,}"
        )


def _objects_in(config: Any) -> int:
    """Return how many dicts with a "class" are in a config, however deep."""
    if isinstance(config, dict):
        return int("class" in config) + sum(_objects_in(value) for value in config.values())
    return sum(_objects_in(value) for value in config) if isinstance(config, (list, tuple)) else 0


def _compile(model: Sequential, told: dict[str, Any]) -> None:
    if None in (told["optimizer"], told["loss"], *told["metrics"]):
        raise ValueError("an optimizer, a loss or a metric that no config describes; compile=False leaves them out")
    optimizer = optimizers.registry.get(told["optimizer"])
    model.compile(
        optimizer,
        losses.registry.get(told["loss"]),
        [metrics.registry.get(config) for config in told["metrics"]],
    )
    assert model.trainer is not None
    model.trainer.seed = integer("load_model", "seed", told["seed"])
    restore_optimizer(optimizer, told["state"], model)
