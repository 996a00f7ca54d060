"""One style of error for all of minidl: the object, the rule, then what was received; and of warning."""

import math
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval",
    "cast",
    "checked_state",
    "checker",
    "choice",
    "describe",
    "differences",
    "flag",
    "integer",
    "mapped",
    "nearest",
    "number",
    "numbers",
    "optional",
    "refuse_cut",
    "sample_shape",
    "warn",
    "within",
]

# What people who come from another framework type first.
HABITS = {
    "lr": ("learning_rate",),
    "min_lr": ("min_learning_rate",),
    "eps": ("epsilon",),
    "betas": ("beta_1",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "alpha": ("rho", "negative_slope", "final"),
    "random_state": ("seed",),
}


def describe(value: object) -> str:
    """Say in a few words what `value` is: a number as it is, an array by its dtype and shape.

    >>> describe(-3), describe(np.zeros((2, 3)))
    ('-3', 'float64 array of shape (2, 3)')
    """
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array of shape {value.shape}"
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names what `name` was probably meant to be, or what is known.

    >>> nearest("adm", ["adam", "sgd"])
    "Did you mean 'adam'?"
    """
    import difflib

    known = sorted(known)
    habits = [habit for habit in HABITS.get(name, ()) if habit in known]
    by_case = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_case, n=1)
    matches = habits or [by_case[one] for one in close]
    return f"Did you mean {matches[0]!r}?" if matches else f"Known: {', '.join(known) or 'none'}."


OR_NONE = " | None"

FORMS = """like "[0, 1)", "int [1, inf)", "bool" or "'min' | 'max'\""""

#: What looks at a value, given what errors call the object and the value; it returns what is to be held, or raises.
Check: TypeAlias = Callable[[str, str, object], Any]


class Interval(NamedTuple):
    """The range of a number, written as in mathematics: "[0, 1)" holds 0 and not 1.

    >>> 1.0 in Interval.parse("[0, 1)")
    False
    """

    text: str
    low: float
    high: float

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> "Interval":
        """Read an interval; raises ValueError when the text is none."""
        try:
            low, high = (float(end) for end in text[1:-1].split(","))
        except ValueError:
            low = high = math.nan
        if text[:1] not in ("[", "(") or text[-1:] not in ("]", ")") or math.isnan(low) or math.isnan(high):
            raise ValueError(f'Interval: must be written like "[0, 1)". Received: {text!r}')
        return cls(text, low, high)

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, float)):
            return False
        above = self.low <= value if self.text[0] == "[" else self.low < value
        below = value <= self.high if self.text[-1] == "]" else value < self.high
        return above and below


def number(owner: str, name: str, value: object, interval: str = "(-inf, inf)") -> float:
    """Return `value` as a Python float, or raise: TypeError if no number, ValueError if out of range."""
    try:
        if isinstance(value, (bool, np.bool_, str, bytes)) or np.ndim(value) != 0:  # type: ignore[arg-type]  # or it raises
            raise TypeError
        result = float(value)  # type: ignore[arg-type]  # likewise
    except OverflowError:
        result = math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{owner}: {name} must be a number. Received: {name}={describe(value)}") from None
    if result not in Interval.parse(interval):
        rule = "finite" if interval == "(-inf, inf)" else f"in {interval}"
        raise ValueError(f"{owner}: {name} must be {rule}. Received: {name}={result!r}")
    return result


def integer(owner: str, name: str, value: object, low: int = 0) -> int:
    """Return `value` as a Python int of at least `low`, or raise ValueError or TypeError."""
    rule = {0: "a non-negative integer", 1: "a positive integer"}.get(low, f"an integer of at least {low}")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{owner}: {name} must be {rule}. Received: {name}={describe(value)}")
    if value < low:
        raise ValueError(f"{owner}: {name} must be {rule}. Received: {name}={value}")
    return int(value)


def within(owner: str, name: str, value: object, allowed: str) -> Any:
    """Return `value` as what is `allowed` says it must be, or raise TypeError or ValueError.

    Args:
        owner: What the error calls the object.
        name: What it calls the value.
        value: The value.
        allowed: As for `checker`, or that followed by " | None".

    >>> within("Dropout", "rate", 1, "[0, 1)")
    Traceback (most recent call last):
        ...
    ValueError: Dropout: rate must be in [0, 1). Received: rate=1.0
    """
    check = checker(allowed.removesuffix(OR_NONE))
    return optional(check, owner, name, value) if allowed.endswith(OR_NONE) else check(owner, name, value)


def checker(allowed: str) -> Check:
    """Return what looks at a value: "[0, 1)" is a number in that interval, "int [1, inf)" an integer of at least 1.

    "bool" is True or False, "'min' | 'max'" one of these words.

    Raises:
        ValueError: If the text is none of these.
    """
    if allowed == "bool":
        return flag
    if re.fullmatch(r"'[^']*'( \| '[^']*')*", allowed):
        return partial(choice, options=re.findall(r"'([^']*)'", allowed))
    whole = re.fullmatch(r"int \[(-?\d+), inf\)", allowed)
    if whole:
        return partial(integer, low=int(whole[1]))
    try:
        Interval.parse(allowed)
    except ValueError:
        raise ValueError(f"checker: allowed must be {FORMS}. Received: {allowed!r}") from None
    return partial(number, interval=allowed)


def optional(check: Check, owner: str, name: str, value: object) -> Any:
    """Return None for None, else what `check` does."""
    return None if value is None else check(owner, name, value)


def flag(owner: str, name: str, value: object) -> bool:
    """Return `value` as a Python bool, or raise TypeError if it is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{owner}: {name} must be True or False. Received: {name}={describe(value)}")
    return bool(value)


def numbers(owner: str, name: str, value: object) -> NDArray[Any]:
    """Return `value` as an array of real numbers (or flags), not copied if it is one, or raise ValueError.

    Refused, too: a masked array, whose mask would be ignored, and a memory map of a file that was cut short since.
    """
    for part in (value, *(value if isinstance(value, (list, tuple)) else ())):
        if isinstance(part, np.ndarray):
            _refuse_mask(owner, name, part)
            refuse_cut(owner, name, part)
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{owner}: {name} must be numbers. Received: {describe(value)}")
    return array


def _refuse_mask(owner: str, name: str, array: NDArray[Any]) -> None:
    masked = sys.modules.get("numpy.ma")  # where nobody has loaded it there is no masked array
    if masked is not None and isinstance(array, masked.MaskedArray):
        raise ValueError(
            f"{owner}: {name} must have no mask, which would be ignored; fill it in, as by filled(0). "
            f"Received: masked {describe(array)}"
        )


def mapped(array: NDArray[Any]) -> bool:
    """Tell whether an array is a memory map, or a view of one, be it of another class."""
    return _map_of(array) is not None


def refuse_cut(owner: str, name: str, array: NDArray[Any]) -> None:
    """Raise ValueError if an array is mapped from a file that is too short by now: to read it would end the process."""
    found = _map_of(array)
    if found is None:
        return
    file, start = found
    size, needed = file.size(), start + len(file)
    if size < needed:
        raise ValueError(
            f"{owner}: {name} must be mapped from a file that isn't cut short, of at least {needed} bytes. "
            f"Received: {describe(array)}, a file of {size} bytes"
        )


def _map_of(array: NDArray[Any]) -> tuple[Any, int] | None:
    """Return the map of a file that an array lies in, and where in the file it begins; None if there is none."""
    base: Any = array
    while isinstance(base, np.ndarray):
        array, base = base, base.base
    if isinstance(base, memoryview):
        base = base.obj
    mmap = sys.modules.get("mmap")  # likewise
    if mmap is None or not isinstance(base, mmap.mmap):
        return None
    offset = array.offset if isinstance(array, np.memmap) else 0  # that of its first entry, not of the map
    return base, offset - offset % mmap.ALLOCATIONGRANULARITY


def cast(owner: str, name: str, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a copy of `array` in another dtype, or raise ValueError if a number is beyond its range."""
    try:
        with np.errstate(all="ignore", over="raise"):
            return array.astype(dtype)
    except FloatingPointError:
        raise ValueError(f"{owner}: {name} must be in the range of {dtype}. Received: {describe(array)}") from None


def checked_state(owner: str, given: object, names: Iterable[str]) -> dict[str, Any]:
    """Return `given`, or raise if it isn't a dict that holds exactly `names`: TypeError or ValueError."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{owner}: the state must be a dict. Received: {describe(given)}")
    if set(given) != set(names):
        known, received = (", ".join(sorted(map(str, part))) for part in (names, given))
        raise ValueError(f"{owner}: the state must hold {known}. Received: {received or 'none'}")
    return dict(given)


def differences(own: Mapping[str, NDArray[Any]], given: Mapping[Any, NDArray[Any]]) -> str:
    """Say in which names and shapes two sets of arrays differ, ten of each kind at most; "" if in none.

    >>> differences({"w": np.zeros(2), "b": np.zeros(1)}, {"w": np.zeros(3), "c": np.zeros(1)})
    'missing b (1,); unknown c (1,); other shapes: w (3,) for (2,)'
    """
    missing = [f"{name} {array.shape}" for name, array in own.items() if name not in given]
    unknown = [f"{name} {array.shape}" for name, array in given.items() if name not in own]
    shapes = [
        f"{name} {given[name].shape} for {array.shape}"
        for name, array in own.items()
        if name in given and given[name].shape != array.shape
    ]
    kinds = {"missing ": missing, "unknown ": unknown, "other shapes: ": shapes}
    listed = [
        kind + ", ".join(found[:10]) + (", ..." if len(found) > 10 else "") for kind, found in kinds.items() if found
    ]
    return "; ".join(listed)


def sample_shape(owner: str, name: str, value: object) -> tuple[int, ...]:
    """Return the shape of a sample as a tuple of positive Python ints, or raise TypeError or ValueError."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{owner}: {name} must be a tuple, such as (784,). Received: {name}={describe(value)}")
    if not all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size > 0 for size in value):
        raise ValueError(f"{owner}: {name} must be positive integers, without the batch. Received: {name}={value!r}")
    return tuple(int(size) for size in value)


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn in the name of the line outside of minidl that led here, not of a line within."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "minidl":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level + 1)


def choice(owner: str, name: str, value: Any, options: Collection[Any]) -> Any:
    """Return `value` if it is one of `options`, else raise ValueError."""
    if isinstance(value, np.ndarray) or value not in options:
        known = ", ".join(repr(option) for option in options)
        raise ValueError(f"{owner}: {name} must be one of {known}. Received: {name}={describe(value)}")
    return value
