"""How minidl's objects are called, described by a config, and found by a name."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar

from minidl.validation import FORMS, OR_NONE, Check, checker, describe, nearest, optional

__all__ = ["Checked", "Configurable", "Ranged", "Registry", "checked", "checked_config", "describe_object", "newer"]


P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, which refuses arguments that don't fit with an error that names the nearest known one."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError:
            _refuse_misfits(function.__name__, function, args, kwargs)
            raise

    return call


def _refuse_misfits(
    owner: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    pointers: Any = MappingProxyType({}),
) -> None:
    """Raise TypeError if a function doesn't take these arguments; the first of a method's, self, isn't told.

    Args:
        owner: What the error calls it.
        function: The function.
        args: Its arguments by position.
        kwargs: Its arguments by name.
        pointers: Where to find what isn't an argument here, by name.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        known = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and p.name != "self"]
        unknown = [name for name in kwargs if name not in known]
        hint = f". {pointers.get(unknown[0]) or nearest(unknown[0], known)}" if unknown else ""
        if "too many positional" in str(error):
            by_keyword = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
            hint = f". By keyword only: {', '.join(by_keyword)}" if by_keyword else f". {nearest('', known)}"
        told = args[1:] if "self" in signature.parameters else args
        received = [describe(a) for a in told] + [f"{k}={describe(v)}" for k, v in kwargs.items()]
        raise TypeError(f"{owner}: {error}. Received: {', '.join(received) or 'no arguments'}{hint}") from None


def _take_nothing(self: object) -> None:
    """Stand for the constructor of a class that has none, whose own signature takes anything."""


def _constructor(cls: Any) -> Callable[..., None]:
    return _take_nothing if cls.__init__ is object.__init__ else cls.__init__


class Checked(type):
    """The metaclass of minidl's public classes: a wrong argument gets an error that helps.

    A class that has a method `_constructed` gets it called once an instance is complete. `pointers`, if it has them,
    say where to find what other frameworks make an argument of.
    """

    if not TYPE_CHECKING:  # a type checker reads the signature of __init__ itself

        @property
        def __signature__(cls):
            signature = inspect.signature(_constructor(cls))
            return signature.replace(parameters=list(signature.parameters.values())[1:])

        def __call__(cls, *args, **kwargs):
            """Make an instance; arguments that don't fit raise TypeError with the nearest known name."""
            try:
                instance = super().__call__(*args, **kwargs)
            except TypeError:
                _refuse_misfits(cls.__name__, _constructor(cls), (None, *args), kwargs, getattr(cls, "pointers", {}))
                raise
            if hasattr(instance, "_constructed"):
                instance._constructed()
            return instance


class Ranged(metaclass=Checked):
    """An object that holds to the ranges that its class declares, in its constructor and whenever one assigns.

    `ranges` are texts by the names of attributes: "[0, 1)" is a number in that interval, "int [1, inf)" an integer of
    at least 1, "bool" True or False, "'min' | 'max'" one of these words, "initializer" or another registry's kind what
    that registry takes; with " | None" behind it, None will do too. A subclass adds its own to those of its bases.
    """

    ranges: ClassVar[dict[str, str]] = {}
    _declared: ClassVar[dict[str, str]] = {}  # by the class itself
    _checks: ClassVar[dict[str, Check]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls).get("ranges", {})
        if not isinstance(own, dict) or not all(isinstance(allowed, str) for allowed in own.values()):
            raise TypeError(
                f'{cls.__name__}: ranges must be a dict of texts such as "[0, 1)". Received: ranges={describe(own)}'
            )
        cls._declared = own
        cls.ranges = {k: v for base in reversed(cls.__mro__) for k, v in vars(base).get("_declared", {}).items()}
        cls._checks = {name: _check(cls, name, allowed) for name, allowed in cls.ranges.items()}

    @property
    def _called(self) -> str:
        """What errors call it."""
        return type(self).__name__

    def __setattr__(self, name: str, value: Any) -> None:
        check = type(self)._checks.get(name)
        super().__setattr__(name, value if check is None else check(self._called, name, value))


def _check(cls: type, name: str, allowed: str) -> Check:
    """Return what looks at the attribute `name`; raise ValueError if `allowed` isn't such a text."""
    kind = allowed.removesuffix(OR_NONE)
    try:
        check: Check = partial(_resolved, Registry.known[kind]) if kind in Registry.known else checker(kind)
    except ValueError:
        raise ValueError(
            f"{cls.__name__}: ranges[{name!r}] must be {FORMS}, or the kind of a registry. Received: {allowed!r}"
        ) from None
    return check if kind == allowed else partial(optional, check)


def _resolved(registry: "Registry[Any]", owner: str, name: str, value: object) -> Any:
    return registry.get(value, owner, name)


def newer(cls: type, name: str, other: str) -> bool:
    """Tell whether a class has its attribute `name` from before its `other` one in its line of bases.

    Then what it has of `other` was made for another `name`.
    """

    def place(key: str) -> int:
        return next(i for i, base in enumerate(cls.__mro__) if key in vars(base))

    return place(name) < place(other)


class Configurable(Ranged):
    """An object whose constructor's arguments are its attributes, and so its description.

    A subclass stores every argument of its constructor in an attribute of the same name. It then has
    `get_config`, `from_config` and a `repr` for nothing.
    """

    #: The name under which a config has the class, and a registry knows it: by default the class's own.
    described_as: ClassVar[str]
    #: What may be set beside the arguments, and changes results: described wherever it isn't the class's own.
    described_settings: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "described_as" not in vars(cls):
            cls.described_as = cls.__name__

    def __init__(self) -> None:
        """Take no arguments, unless a subclass does."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and settings; objects among them as dicts with their "class"."""
        own = type(self)
        arguments = self._arguments()
        beside = [name for name in self.described_settings if name not in arguments]
        settings = [name for name in beside if getattr(self, name) != getattr(own, name)]
        return {name: _plain(getattr(self, name)) for name in [*arguments, *settings]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an instance from what `get_config` returned."""
        given = checked_config(cls.__name__, config)
        arguments = cls._arguments()
        settings = {name: given.pop(name) for name in cls.described_settings if name in given and name not in arguments}
        made = cls(**given)
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    @classmethod
    def takes_any_argument(cls) -> bool:
        """Tell whether the constructor takes arguments of any name."""
        return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls.__init__).parameters.values())

    @classmethod
    def _arguments(cls) -> dict[str, inspect.Parameter]:
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}

    def __repr__(self) -> str:
        shown = []
        for name, argument in self._arguments().items():
            value = getattr(self, name)
            if argument.default is argument.empty or not _same(value, argument.default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def checked_config(owner: str, config: object) -> dict[str, Any]:
    """Return `config`, or raise TypeError if it isn't a dict with names as its keys."""
    if not isinstance(config, Mapping) or not all(isinstance(name, str) for name in config):
        raise TypeError(f"{owner}: the config must be a dict. Received: {describe(config)}")
    return dict(config)


def describe_object(value: Any) -> dict[str, Any]:
    """Return the config of `value` with its "class", from which a registry makes it again."""
    return {"class": _described_as(type(value)), **value.get_config()}


def _described_as(cls: type) -> str:
    """Return the name under which configs have a class, which may be a user's that is no Configurable."""
    return getattr(cls, "described_as", cls.__name__)


def _plain(value: Any) -> Any:
    """Return `value` with every Configurable in it described by a dict; raise TypeError for what has no description."""
    if isinstance(value, Configurable):
        return describe_object(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if callable(value):
        raise TypeError(f"minidl: a config can't hold a bare callable. Received: {describe(value)}")
    return value


def _same(value: Any, default: Any) -> bool:
    """Tell whether an argument's value is its default, which may be given by name: "glorot_uniform"."""
    if isinstance(value, Configurable) and isinstance(default, str):
        return repr(value).lower() == default.replace("_", "") + "()"
    return type(value) is type(default) and bool(value == default)


T = TypeVar("T", bound=Configurable)
C = TypeVar("C", bound=type[Any])  # what is decorated stays what it is, for type checkers too


class Registry(Generic[T]):
    """The names by which the classes of one family are known: the one place that resolves strings.

    A class is known by the name that configs have of it and by the names it was registered with, in any case. The
    registry itself is known by its kind, a word such as "initializer".
    """

    known: ClassVar[dict[str, "Registry[Any]"]] = {}

    def __init__(self, kind: str, base: type[T]) -> None:
        self.kind = kind
        self.base = base
        self._classes: dict[str, type[T]] = {}
        if kind in self.known:
            raise ValueError(f"Registry: each kind must have one. Received: kind={kind!r} again")
        self.known[kind] = self

    def register(self, *names: str) -> Callable[[C], C]:
        """Return a class decorator that makes a class of this family known by its own name and by `names`."""

        def decorate(cls: C) -> C:
            kind: Any = cls
            if not (isinstance(kind, type) and issubclass(kind, self.base)):
                raise TypeError(
                    f"registry of {self.kind}s: needs a subclass of {self.base.__name__}. Received: {describe(kind)}"
                )
            for name in (_described_as(cls), *names):
                self._classes[name.lower()] = kind
            return cls

        return decorate

    def classes(self) -> list[type[T]]:
        """Return every class that it knows, in the order in which they came."""
        return list(dict.fromkeys(self._classes.values()))

    def names(self) -> list[str]:
        """Return every name that `get` knows, in lower case."""
        return sorted(self._classes)

    def get(self, identifier: object, owner: str = "minidl", argument: str = "") -> T:
        """Return the instance that a name, a class, a config or an instance stands for.

        Raises ValueError for an unknown name, TypeError for anything else, both in the name of `owner` and, if it is
        given, of its `argument`.
        """
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self._find(identifier, owner, argument)()
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, dict) and isinstance(identifier.get("class"), str):
            arguments = {key: value for key, value in identifier.items() if key != "class"}
            instance: T = self._find(identifier["class"], owner, argument).from_config(arguments)
            return instance
        raise TypeError(
            f"{owner}: {argument or self.kind} must be a name or an instance of {self.base.__name__}. "
            f"Received: {argument and f'{argument}='}{describe(identifier)}"
        )

    def __contains__(self, cls: object) -> bool:
        return cls in self._classes.values()

    def _find(self, name: str, owner: str, argument: str = "") -> type[T]:
        if name.lower() not in self._classes:
            raise ValueError(
                f"{owner}: unknown {self.kind}. Received: {argument and f'{argument}='}{name!r}. "
                f"{nearest(name.lower(), self._classes)}"
            )
        return self._classes[name.lower()]
