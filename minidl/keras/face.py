"""How the face is made: a constructor of Keras's signature gives our class what that knows, and refuses the rest."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from minidl.validation import describe, nearest

__all__ = [
    "Door",
    "Doorway",
    "chosen",
    "defaults_of",
    "defaults_only",
    "door",
    "found",
    "missing",
    "offered",
    "refuse",
]

# Arguments that don't change what is computed; a dtype is looked at apart.
NO_EFFECT = {"dtype", "name", "unroll", "use_cudnn"}


def refuse(owner: str, name: str, value: object, instead: str = "") -> NotImplementedError:
    """Return the error for what Keras has and we haven't."""
    hint = f"; {instead}" if instead else ""
    return NotImplementedError(f"{owner}: {name} isn't supported{hint}. Received: {name}={describe(value)}")


def defaults_of(of: Callable[..., Any] | inspect.Signature) -> dict[str, Any]:
    """Return the arguments of a function, or of a signature, with their defaults."""
    signature = of if isinstance(of, inspect.Signature) else inspect.signature(of)
    return {name: parameter.default for name, parameter in signature.parameters.items()}


def defaults_only(
    owner: str, defaults: Mapping[str, Any], given: Mapping[str, Any], hints: Mapping[str, str] | None = None
) -> None:
    """Raise NotImplementedError unless each argument in `given` is as by default; None, False and [] all say no."""
    for name, value in given.items():
        default = defaults.get(name)
        numbers = isinstance(value, (int, float)) and isinstance(default, (int, float))
        alike = (numbers or type(value) is type(default)) and bool(value == default)
        if not (value is default or alike or (_says_no(value) and _says_no(default))):
            raise refuse(owner, name, value, (hints or {}).get(name, ""))


def _says_no(value: object) -> bool:
    return value is None or value is False or (isinstance(value, (list, tuple, dict)) and not value)


def chosen(owner: str, own: Any, theirs: inspect.Signature, given: dict[str, Any]) -> dict[str, Any]:
    """Return those of the arguments of Keras's signature that the constructor of `own` takes; refuse the rest."""
    known = inspect.signature(own).parameters
    rest = {name: value for name, value in given.items() if name not in known and name not in NO_EFFECT}
    if rest.get("data_format") == "channels_last":
        del rest["data_format"]
    if given.get("dtype") not in (None, "float32"):
        raise refuse(owner, "dtype", given["dtype"], "keras.config.set_floatx says it for all")
    defaults_only(owner, defaults_of(theirs), rest)
    return {name: value for name, value in given.items() if name in known}


class Doorway(type):
    """The metaclass of doors: what a door makes is an instance of it, too."""

    makes: ClassVar[tuple[type, ...]] = ()

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.makes)


class Door(metaclass=Doorway):
    """A class of Keras's that is but a way to make an object of ours.

    A subclass names what it `makes`, the first by default, and has a `__new__` with Keras's signature, under the
    decorator `door` if arguments need but be passed on, by the names that `renames` tells.
    """

    makes: ClassVar[tuple[type, ...]] = ()
    renames: ClassVar[dict[str, str]] = {}


def door(new: Callable[..., Any]) -> Callable[..., Any]:
    """Let a `__new__` with Keras's signature return an object of ours, made from the arguments that both have.

    What `new` itself returns, a dict or None, takes the place of arguments, or is added to them.
    """
    signature = inspect.signature(new)

    @functools.wraps(new)
    def opened(cls: Any, *args: Any, **kwargs: Any) -> Any:
        owner = f"keras {cls.__name__}"
        try:
            bound = signature.bind(cls, *args, **kwargs)
        except TypeError as error:
            unknown = [name for name in kwargs if name not in signature.parameters]
            hint = f". {nearest(unknown[0], list(signature.parameters)[1:])}" if unknown else ""
            raise TypeError(f"{owner}: {error}{hint}") from None
        instead = new(*bound.args, **bound.kwargs) or {}
        bound.apply_defaults()
        given = {cls.renames.get(name, name): value for name, value in list(bound.arguments.items())[1:]}
        made = cls.makes[0]
        return made(**chosen(owner, made, signature, {**given, **instead}))

    return opened


def found(kind: str, known: Mapping[str, Any], identifier: str) -> Any:
    """Return what a name stands for, written as Keras allows; raise ValueError for an unknown one."""
    plain = {name.lower().replace("_", ""): value for name, value in known.items()}
    key = identifier.lower().replace("_", "")
    if key not in plain:
        raise ValueError(f"keras: unknown {kind}. Received: {identifier!r}. {nearest(identifier, known)}")
    return plain[key]


def offered(namespace: Mapping[str, Any], kind: type, *but: object) -> dict[str, Any]:
    """Return what a module's `__all__` has of a kind, by name, `but` for some."""
    values = {name: namespace[name] for name in namespace["__all__"]}
    return {name: value for name, value in values.items() if isinstance(value, kind) and value not in but}


def missing(module: str, known: list[str]) -> Callable[[str], Any]:
    """Return a module's `__getattr__`, which says that Keras's other names aren't supported here."""

    def absent(name: str) -> Any:
        raise AttributeError(f"{module}: {name} isn't supported. {nearest(name, known)}")

    return absent
