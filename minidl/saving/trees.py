"""Nested state as plain JSON and named arrays, and back: exactly, kinds and bits."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe

__all__ = ["DTYPES", "pack", "unpack"]

Array = NDArray[Any]

#: What a tensor may hold: the dtypes that NumPy and the safetensors format have in common.
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
)  # fmt: skip
LONG = 64  # a list of more numbers than that is kept as an array
KINDS = {float: np.float64, int: np.int64}


def pack(tree: Any, path: str, tensors: dict[str, Array]) -> Any:
    """Return `tree` as JSON can hold it; the arrays in it go into `tensors`, under names that begin with `path`.

    A tree is made of dicts, lists, tuples, texts, numbers, flags, None, arrays and NumPy's scalars. What JSON has no
    word for becomes a dict of one key that begins with "@".

    Raises:
        TypeError: If there is something else in it.

    >>> tensors = {}
    >>> pack({"best": math.inf, "order": (1, 2), "w": np.ones(2)}, "state", tensors)
    {'best': {'@float': 'inf'}, 'order': {'@tuple': [1, 2]}, 'w': {'@tensor': 'state/w'}}
    >>> list(tensors)
    ['state/w']
    """
    if tree is None or type(tree) in (bool, int, str):
        return tree
    if type(tree) is float:
        return tree if math.isfinite(tree) else {"@float": str(tree)}
    if isinstance(tree, (np.ndarray, np.generic)):
        array = np.asarray(tree)
        if array.dtype.name not in DTYPES:
            raise TypeError(f"save: arrays must be of {', '.join(DTYPES)}. Received: {path}, {describe(array)}")
        return {"@tensor" if isinstance(tree, np.ndarray) else "@scalar": _keep(array, path, tensors)}
    if type(tree) is tuple:
        return {"@tuple": [pack(value, f"{path}/{i}", tensors) for i, value in enumerate(tree)]}
    if type(tree) is list:
        for kind, dtype in KINDS.items():
            if len(tree) > LONG and all(type(value) is kind for value in tree):
                with contextlib.suppress(OverflowError):  # integers may be longer
                    return {"@list": _keep(np.array(tree, dtype), path, tensors)}
        return [pack(value, f"{path}/{i}", tensors) for i, value in enumerate(tree)]
    if type(tree) is dict:
        if all(type(key) is str and not key.startswith("@") for key in tree):
            return {key: pack(value, f"{path}/{key}", tensors) for key, value in tree.items()}
        pairs = [[key, value] for key, value in tree.items()]
        return {"@items": pack(pairs, path, tensors)}
    raise TypeError(
        f"save: a state must be made of dicts, lists, tuples, texts, numbers, flags, None and arrays. "
        f"Received: {path}, {type(tree).__name__} {describe(tree)}"
    )


def _keep(array: Array, path: str, tensors: dict[str, Array]) -> str:
    name = next(name for name in _names(path) if name not in tensors)
    tensors[name] = np.array(array, array.dtype.newbyteorder("="), order="C")
    return name


def _names(path: str) -> Iterator[str]:
    yield path
    count = 1
    while True:
        yield f"{path}~{count}"
        count += 1


def unpack(plain: Any, tensors: Mapping[str, Array], used: set[str]) -> Any:
    """Return the tree that `pack` made plain; the names of the arrays that it has join `used`.

    Raises:
        ValueError: If it isn't what `pack` returns.
    """
    if isinstance(plain, list):
        return [unpack(value, tensors, used) for value in plain]
    if not isinstance(plain, dict):
        return plain
    if not any(key.startswith("@") for key in plain):
        return {key: unpack(value, tensors, used) for key, value in plain.items()}
    if len(plain) != 1:
        raise ValueError(f"a marked value must stand alone. Received: {describe(plain)}")
    ((mark, value),) = plain.items()
    if mark == "@float" and value in ("nan", "inf", "-inf"):
        return float(value)
    if mark in ("@tensor", "@scalar", "@list") and isinstance(value, str) and value in tensors:
        return _array(mark, value, tensors, used)
    if mark == "@tuple" and isinstance(value, list):
        return tuple(unpack(value, tensors, used))
    if mark == "@items" and isinstance(value, list):
        return {_key(pair): pair[1] for pair in unpack(value, tensors, used)}
    raise ValueError(f"no such value. Received: {describe(plain)}")


def _array(mark: str, name: str, tensors: Mapping[str, Array], used: set[str]) -> Any:
    array = tensors[name]
    if name in used:
        raise ValueError(f"an array must be used once. Received: {name!r} again")
    used.add(name)
    if mark == "@tensor":
        return array
    if mark == "@scalar" and array.ndim == 0:
        return array[()]
    if mark == "@list" and array.ndim == 1 and array.dtype in KINDS.values():
        return array.tolist()
    raise ValueError(f"{mark[1:]} of another kind. Received: {name!r}, {describe(array)}")


def _key(pair: Any) -> Any:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"an item must be a key and a value. Received: {describe(pair)}")
    hash(pair[0])
    return pair[0]
