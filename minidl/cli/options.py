"""What the commands' options have in common: how their texts are read, and what is said if they can't be."""

import argparse
import math
import textwrap
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from minidl import optimizers, schedules
from minidl.optimizers import Optimizer
from minidl.validation import nearest

__all__ = ["command", "folder", "integer", "integers", "known", "makers", "number", "rates", "seeds"]


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


def makers(
    names: str, given: dict[str, float], suitable: Mapping[str, float], decay: float = 0.0
) -> dict[str, Callable[[], Optimizer]]:
    """Return, by name, what makes each optimizer anew, at the rate given for it or for all, or else a suitable one."""
    given = dict(given)
    for_all = given.pop("", None)
    chosen: dict[str, Callable[[], Optimizer]] = {}
    for name in filter(None, (part.strip().lower() for part in names.split(","))):
        kind = type(optimizers.registry.get(name))
        title = kind.__name__.lower()
        if title in chosen:
            raise ValueError(f"--optimizers must be different. Received: {title} twice")
        rate = given.pop(name, suitable.get(title) if for_all is None else for_all)
        chosen[title] = _maker(kind, rate, decay)
        chosen[title]()  # a rate out of range is told before the first run
    if not chosen:
        raise ValueError(f"--optimizers must name at least one. Received: {names!r}")
    if given:
        raise ValueError(f"--learning-rate names an optimizer that isn't compared. Received: {', '.join(given)}")
    return chosen


def _maker(kind: type[Optimizer], rate: float | None, decay: float) -> Callable[[], Optimizer]:
    def make() -> Optimizer:
        optimizer = kind() if rate is None else kind(learning_rate=rate)
        if decay:
            optimizer.learning_rate = schedules.InverseTimeDecay(optimizer.learning_rate, decay_rate=decay)
        return optimizer

    return make
