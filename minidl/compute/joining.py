"""Calls of NumPy's functions that follow each other, made as one.

Behind each of NumPy's universal functions, `matmul` too, is a loop in machine code for each dtype, and all of these
have one signature. So a list of calls on given arrays is a table of such loops (see `minidl.compute.tables`). It is
NumPy's own code that computes, so the bits are NumPy's; what is saved is what lies between the calls, and where entries
stand for themselves the threads of BLAS share the work.

Source: the structure PyUFuncObject of NumPy's C API.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import compile_source, once
from minidl.compute.fusing import Fused
from minidl.compute.reuse import Call
from minidl.compute.tables import Record, Table, over, shared

__all__ = ["Loop", "joined", "single"]

Array = NDArray[Any]

MOST = 256  # records of one call; with more of them NumPy itself is as fast


class _UFunc(ctypes.Structure):
    """The head of PyUFuncObject, behind what every object of Python's begins with."""

    _fields_ = (
        ("head", ctypes.c_byte * object.__basicsize__),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_char)),
    )


class Loop:
    """A function that writes into the last of its arrays, and the same as a loop like NumPy's own.

    Args:
        function: Does it with NumPy.
        source: `@packed` in LLVM's language; it is given the length of the second array, and the size of the first.
    """

    def __init__(self, function: Callable[..., None], source: str) -> None:
        self.function, self.source = function, source

    def __call__(self, *arrays: Array) -> None:
        """Do it with NumPy."""
        self.function(*arrays)

    @property
    def address(self) -> int:
        """Where its machine code is."""
        return int(_compiled(self.source).address)


@once
def _compiled(source: str) -> Any:
    return compile_source(source, "packed", 0, 4)


def joined(calls: Sequence[Call]) -> list[Call]:
    """Return calls that do what `calls` do, with neighbours joined where that can be.

    All of `calls` have just been made: what is joined is tried on what they left, and must give the same bits.
    """
    found: list[Call] = []
    for known, group in itertools.groupby(((call, _records(call)) for call in calls), lambda pair: pair[1] is not None):
        alone, records = zip(*group, strict=True)
        one = Table([record for some in records for record in some]) if known and len(alone) > 1 else None
        found += [(one, ())] if one is not None and _agrees(one, alone) else alone
    return found


def single(function: np.ufunc, *arrays: Array) -> Record | None:
    """Return a call of one of NumPy's functions as one record; None if it can't be."""
    loop = _loop(function, tuple(array.dtype.char for array in arrays))
    if loop is None:
        return None
    if function is np.matmul:
        return _product(loop, *arrays)[0]
    if not all(array.flags.c_contiguous for array in arrays):
        return None
    return _strided(loop, [array.reshape(-1) for array in arrays])


def _agrees(one: Table, calls: Iterable[Call]) -> bool:
    """Tell whether `one` gives the bits that `calls` gave; otherwise all is put back."""
    targets = [arguments[0 if isinstance(function, Fused) else -1] for function, arguments in calls]
    before = [target.copy() for target in targets]
    one()
    agrees = all(target.tobytes() == saved.tobytes() for target, saved in zip(targets, before, strict=True))
    if not agrees:
        for target, saved in zip(targets, before, strict=True):
            np.copyto(target, saved)
    return agrees


# What a call is as records -----------------------------------------------------------------------------------


def _records(call: Call) -> list[Record] | None:
    """Return a call as records, or None if it isn't made of loops known here."""
    function, arguments = call
    if isinstance(function, Fused):
        return function.records(*arguments)
    if isinstance(function, Loop):
        sizes = [len(arguments[1]), arguments[0].size]
        return [Record(function.address, [array.ctypes.data for array in arguments], sizes, kept=call)]
    for reduced in (np.add, np.maximum):
        if function == reduced.reduce:
            return _row_by_row(reduced, arguments)
    if not isinstance(function, np.ufunc) or not all(isinstance(array, np.ndarray) for array in arguments):
        return None
    loop = _loop(function, tuple(array.dtype.char for array in arguments))
    if loop is None:
        return None
    return _product(loop, *arguments) if function is np.matmul else _entries(loop, arguments)


def _product(loop: tuple[int, int], a: Array, b: Array, out: Array) -> list[Record]:
    """Return a product of matrices as a record; a vector on either side is a matrix of one row or column."""
    if a.ndim == 1:
        a, out = a[None], out[None]
    if b.ndim == 1:
        b, out = b[:, None], out[..., None]
    sizes = [1, a.shape[0], a.shape[1], b.shape[1]]
    strides = [0, 0, 0, *a.strides, *b.strides, *out.strides]
    return [Record(loop[0], [array.ctypes.data for array in (a, b, out)], sizes, strides, loop[1], (a, b, out))]


def _entries(loop: tuple[int, int], arrays: Sequence[Array]) -> list[Record] | None:
    """Return a function of single entries as a record, or a record for each row."""
    out = arrays[-1]
    if all(array.shape == out.shape and array.flags.c_contiguous for array in arrays):
        return shared(over(loop[0], arrays, loop[1], kept=arrays))
    wide = [np.broadcast_to(array, out.shape) for array in arrays]
    if not 1 <= out.ndim <= 2 or math.prod(out.shape[:-1]) > MOST:
        return None
    rows = zip(*wide, strict=True) if out.ndim == 2 else [wide]
    return [_strided(loop, row) for row in rows]


def _strided(loop: tuple[int, int], row: Sequence[Array]) -> Record:
    """Return a function of the entries of arrays of one axis."""
    return Record(loop[0], [a.ctypes.data for a in row], [len(row[-1])], [a.strides[0] for a in row], loop[1], row)


def _row_by_row(function: np.ufunc, arguments: tuple[Any, ...]) -> list[Record] | None:
    """Return a reduction of a matrix along its first axis: zero, or the first row, then one row after the other."""
    x, axis, dtype, out = arguments
    if axis != 0 or dtype is not None or x.ndim != 2 or x.dtype != out.dtype or not 1 <= len(x) <= MOST:
        return None
    letter = x.dtype.char
    loop, copy = _loop(function, (letter,) * 3), _loop(np.positive, (letter,) * 2)
    if loop is None or copy is None:
        return None
    begin, rest = (_ZEROS[letter], x) if function is np.add else (x[0], x[1:])
    first = _entries(copy, (begin, out)) or []
    if x.shape[1] == 1:  # all at once, in NumPy's own order
        places = [a.ctypes.data for a in (out, rest, out)]
        return [*first, Record(loop[0], places, [len(rest)], [0, x.strides[0], 0], loop[1], (out, rest))]
    return first + [record for row in rest for record in _entries(loop, (out, row, out)) or ()]


_ZEROS = {letter: np.zeros(1, letter) for letter in "fd"}


@cache
def _loop(function: np.ufunc, dtypes: tuple[str, ...]) -> tuple[int, int] | None:
    """Return the address of a function's loop for these dtypes, and of its data; None if there is none."""
    if set(dtypes) - set("fd") or not all(_is_known(known) for known in (np.add, np.matmul, function)):
        return None
    wanted, known = f"{''.join(dtypes[: function.nin])}->{dtypes[-1]}", [str(types) for types in function.types]
    if wanted not in known:
        return None
    index, structure = known.index(wanted), _UFunc.from_address(id(function))
    return structure.functions[index] or 0, structure.data[index] or 0


@cache
def _is_known(function: np.ufunc) -> bool:
    """Tell whether a function of this NumPy lies in memory as it is read here."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    structure = _UFunc.from_address(id(function))
    sizes = structure.nin, structure.nout, structure.nargs, structure.ntypes
    if sizes != (function.nin, function.nout, function.nargs, function.ntypes):
        return False
    return structure.name == function.__name__.encode() and _types(structure) == list(function.types)


def _types(structure: _UFunc) -> list[str]:
    """Return a function's types as `ufunc.types` has them."""
    letters = {np.dtype(letter).num: letter for letter in "?bBhHiIlLqQefdgFDGOMm"}
    codes = [letters[structure.types[i][0]] for i in range(structure.ntypes * structure.nargs)]
    rows = ["".join(codes[i : i + structure.nargs]) for i in range(0, len(codes), structure.nargs)]
    return [f"{row[: structure.nin]}->{row[structure.nin :]}" for row in rows]
