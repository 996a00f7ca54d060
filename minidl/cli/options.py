"""What the commands' options have in common: how their texts are read, and what is said if they can't be."""

import argparse
import importlib
import math
import shlex
import sys
import textwrap
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from minidl import optimizers
from minidl.optimizers import Optimizer
from minidl.validation import describe, nearest

__all__ = [
    "Chosen",
    "command",
    "folder",
    "found",
    "given",
    "integer",
    "integers",
    "known",
    "number",
    "optimizers_of",
    "rates",
    "seeds",
]


class Chosen(NamedTuple):
    """What makes an optimizer, and its learning rate; None for the optimizer's own."""

    make: Callable[..., Optimizer]
    rate: Any

    def new(self) -> Optimizer:
        """Return a new optimizer of that rate."""
        return self.make() if self.rate is None else self.make(learning_rate=self.rate)


def command(commands: Any, name: str, *, help: str, description: str, examples: str) -> argparse.ArgumentParser:  # noqa: A002  # argparse's own word
    """Add a command to the parser's, with examples at the end of its help, and return it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=textwrap.fill(description, 79),
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def known(option: str, name: str, names: Collection[str]) -> str:
    """Return `name` if it is one of `names`."""
    if name not in names:
        raise ValueError(f"{option} must be a known one. Received: {name!r}. {nearest(name, names)}")
    return name


def number(option: str, text: str) -> float:
    """Return the number of at least 0 that the text says."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{option} must be a number of at least 0. Received: {text!r}")
    return value


def integer(option: str, text: str) -> int:
    """Return the positive integer that the text says."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"{option} must be a positive integer. Received: {text!r}")
    return int(text)


def integers(option: str, text: str, low: int = 1) -> tuple[int, ...]:
    """Return the integers, of at least `low`, between the commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) >= low for part in parts):
        raise ValueError(f"{option} must be integers of at least {low}, separated by commas. Received: {text!r}")
    return tuple(int(part) for part in parts)


def seeds(text: str) -> list[int]:
    """Return 0, 1, ..., n - 1 for "n", or the seeds between the commas."""
    if "," in text:
        given = list(integers("--seeds", text, low=0))
        if len(set(given)) < len(given):
            raise ValueError(f"--seeds must be different. Received: {text!r}")
        return given
    return list(range(integer("--seeds", text)))


def folder(path: Path) -> Path:
    """Return the folder for results, made if it isn't there."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"--out must be a folder. Received: {str(path)!r}, a file")
    path.mkdir(parents=True, exist_ok=True)
    return path


def rates(given: list[str]) -> dict[str, float]:
    """Return the learning rates by optimizer; "" is the one for all."""
    found = {}
    for part in ",".join(given).split(",") if given else []:
        name, _, value = part.rpartition("=")
        key = name.strip().lower()
        if key in found:
            raise ValueError(f"--learning-rate must be given once for {key or 'all'}. Received: {', '.join(given)}")
        found[key] = number("--learning-rate", value)
    return found


def optimizers_of(names: str, given: dict[str, float], suitable: Mapping[str, float]) -> dict[str, Chosen]:
    """Return, by name, what makes each optimizer, and the rate given for it or for all, or else a suitable one.

    A name is a built-in optimizer's, or package.module:MyOptimizer.
    """
    given = dict(given)
    for_all = given.pop("", None)
    chosen: dict[str, Chosen] = {}
    for text in filter(None, (part.strip() for part in names.split(","))):
        own = ":" in text
        kind = found("--optimizers", text) if own else type(optimizers.registry.get(text.lower()))
        title = getattr(kind, "__name__", text).lower()
        if own and title in chosen:  # one's own Adam beside the built-in one
            title = text
        if title in chosen:
            raise ValueError(f"--optimizers must be different. Received: {title} twice")
        usual = for_all if for_all is not None or own else suitable.get(title)
        chosen[title] = Chosen(kind, given.pop(title.lower() if own else text.lower(), usual))
    if not chosen:
        raise ValueError(f"--optimizers must name at least one. Received: {names!r}")
    if given:
        raise ValueError(f"--learning-rate names an optimizer that isn't compared. Received: {', '.join(given)}")
    for title, one in chosen.items():  # a rate out of range is told before the first run
        made: object = one.new()
        if not isinstance(made, Optimizer):
            raise TypeError(f"--optimizers: {title} must be an optimizer. Received: {describe(made)}")
    return chosen


def given(command: str) -> str:
    """Return the command as it was given to the process; where it wasn't, as in a test, its name."""
    return shlex.join(["minidl", *sys.argv[1:]]) if sys.argv[1:2] == command.split()[1:2] else command


def found(option: str, text: str) -> Any:
    """Return what package.module:name names; modules are found as Python finds them, the current folder first."""
    module_name, _, name = text.partition(":")
    if not module_name or not name:
        raise ValueError(f"{option} must be written package.module:name. Received: {text!r}")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a user's module raises when it is imported
        raise ValueError(
            f"{option} must name a module that can be imported. Received: {module_name!r}, "
            f"which raises {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, name):
        public = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise ValueError(f"{option} must be in its module {module_name}. Received: {name!r}. {nearest(name, public)}")
    value = getattr(module, name)
    if not callable(value):
        raise TypeError(f"{option} must be a class or a function. Received: {describe(value)}")
    return value
