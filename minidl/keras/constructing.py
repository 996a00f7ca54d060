"""How a layer's constructor is made: with Keras's signature, it makes a layer of ours."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from minidl import initializers, layers
from minidl.keras import activations
from minidl.keras import initializers as known
from minidl.keras.face import Doorway, chosen, found, offered
from minidl.keras.tensors import plain_of
from minidl.validation import flag

__all__ = ["constructor"]


def constructor(init: Callable[..., Any]) -> Callable[..., None]:
    """Let an `__init__` with Keras's signature, and the arguments that all layers have there, make a layer of ours."""
    own = inspect.signature(init)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in COMMON.items()
        if name not in own.parameters
    ]
    whole = own.replace(parameters=[*own.parameters.values(), *common])

    @functools.wraps(init)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        owner = f"keras {type(self).__name__}"
        bound = whole.bind(self, *args, **kwargs)
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
        shape, trainable = _declared(given), flag(owner, "trainable", given.pop("trainable"))
        plain: Any = plain_of(type(self)).__init__
        defaults = inspect.signature(plain).parameters
        passed = chosen(owner, plain, whole, self.adjusted(given))
        plain(self, **{name: _translated(name, value, defaults[name].default) for name, value in passed.items()})
        if not trainable:
            self.trainable = False
        self.declared_shape = shape

    made.__signature__ = whole  # type: ignore[attr-defined]  # what errors and help tell
    return made


# What every layer of Keras's takes.
COMMON = {
    "activity_regularizer": None,
    "trainable": True,
    "autocast": True,
    "dtype": None,
    "name": None,
    "input_shape": None,
    "batch_input_shape": None,
    "input_dim": None,
}


def _declared(given: dict[str, Any]) -> tuple[int, ...] | None:
    """Take from the arguments what says the shape of a sample, and return it."""
    shape, batch_shape = given.pop("input_shape"), given.pop("batch_input_shape")
    if batch_shape is not None:
        shape = tuple(batch_shape)[1:]
    if "output_dim" not in given:  # an Embedding's own
        size = given.pop("input_dim")
        shape = (size,) if size is not None else shape
    if shape is None:
        return None
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _translated(name: str, value: Any, default: Any) -> Any:
    """Return what ours takes for what Keras's argument of that name was given; a config is as ours has it."""
    if isinstance(value, dict):
        return value
    if name in ("activation", "recurrent_activation"):
        layer = activations.get(value)
        return layers.Linear() if layer is None and default is not None else layer  # None is for those that take it
    if name.endswith("_initializer") and isinstance(value, str):
        return found("initializer", _initializers(), value)()
    return value() if isinstance(value, Doorway) else value


def _initializers() -> dict[str, Any]:
    doors = offered(vars(known), Doorway)
    return {**doors, "normal": initializers.RandomNormal, "uniform": initializers.RandomUniform, "one": known.Ones}
