"""Tables of loops in machine code: run down one after the other, or shared between the threads of BLAS.

All loops have the signature of those behind NumPy's universal functions: pointers to the operands, sizes, strides, and
data of their own. So a list of them is a table of such pointers, and a few lines of machine code (which LLVM compiles)
run down the table.

NumPy's OpenBLAS keeps a thread for each core, which after a product waits for the next one by turning in a loop.
Threads of ours would fight with those for the cores; so loops that may be run in any order are handed to OpenBLAS's
own, by the function that it has for vectors: each thread gets a stretch of the table. How many threads there are is
what OpenBLAS says, and what was set for it (`threadpoolctl`); the bits don't hang on it. Another BLAS has no such
function: there one thread does it all.

Source: the type PyUFuncGenericFunction of NumPy's C API; OpenBLAS, driver/others/blas_l1_thread.c.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidl.compute.blas import blas_library
from minidl.compute.compiling import compile_source, once

__all__ = ["Record", "Table", "in_turn", "loads", "over", "parts", "run_over", "shared"]

Array = NDArray[Any]

PART = 2**14  # entries of a part that a thread may take; the work of handing it over is small beside it
MOST = 512  # parts
KNOWN = 256  # tables that are kept for arrays that come again

_CODE = """
define void @run(i64 %n, ptr %table) {
start:
  %end = getelementptr [5 x ptr], ptr %table, i64 %n
  br label %next
next:
  %record = phi ptr [ %table, %start ], [ %following, %next ]
  %places = getelementptr ptr, ptr %record, i64 1
  %sizes = getelementptr ptr, ptr %record, i64 2
  %strides = getelementptr ptr, ptr %record, i64 3
  %own = getelementptr ptr, ptr %record, i64 4
  %loop = load ptr, ptr %record
  %a = load ptr, ptr %places
  %b = load ptr, ptr %sizes
  %c = load ptr, ptr %strides
  %d = load ptr, ptr %own
  call void %loop(ptr %a, ptr %b, ptr %c, ptr %d)
  %following = getelementptr [5 x ptr], ptr %record, i64 1
  %done = icmp eq ptr %following, %end
  br i1 %done, label %finished, label %next
finished:
  ret void
}

; A loop whose operand is a table.
define void @in_turn(ptr %places, ptr %sizes, ptr %strides, ptr %own) {
  %table = load ptr, ptr %places
  %n = load i64, ptr %sizes
  call void @run(i64 %n, ptr %table)
  ret void
}

; What a thread of BLAS does: it is given how many records, and the first of them.
define i32 @stretch(i64 %n, i64, i64, double, ptr %table, i64, ptr, i64, ptr, i64, ptr) {
  call void @run(i64 %n, ptr %table)
  ret i32 0
}

; The same, shared, whose data are BLAS's function, and where its number of threads is.
define void @share(ptr %places, ptr %sizes, ptr %strides, ptr %blas) {
start:
  %table = load ptr, ptr %places
  %n = load i64, ptr %sizes
  %function = load ptr, ptr %blas
  %second = getelementptr ptr, ptr %blas, i64 1
  %third = getelementptr ptr, ptr %blas, i64 2
  %threads_place = load ptr, ptr %second
  %threads = load i32, ptr %threads_place
  %alone = icmp slt i32 %threads, 2
  br i1 %alone, label %one, label %many
one:
  call void @run(i64 %n, ptr %table)
  ret void
many:
  call i32 %function(i32 {double}, i64 %n, i64 0, i64 0, ptr %third, ptr %table, i64 {width}, ptr null, i64 0, ptr null,
                     i64 0, ptr @stretch, i32 %threads)
  ret void
}

; A loop that writes the number 1, to see who runs.
define void @one(ptr %places, ptr %sizes, ptr %strides, ptr %own) {
  %place = load ptr, ptr %places
  store i64 1, ptr %place
  ret void
}
"""
WIDTH = 5  # pointers of a record
DOUBLE = 3  # what OpenBLAS calls its mode for numbers of eight bytes, as pointers are


class Record(NamedTuple):
    """A loop, and what it is called with: addresses of operands, sizes, strides, the address of its own data.

    `kept` is what must stay in memory as long as it may run.
    """

    loop: int
    places: list[int]
    sizes: list[int]
    strides: list[int] = []
    own: int = 0
    kept: Any = None


class Table:
    """Records that are run one after the other, in machine code, when it is called."""

    def __init__(self, records: Sequence[Record]) -> None:
        lists = [part for record in records for part in record[1:4]]
        numbers = np.array([number for part in lists for number in part], np.intp)
        starts = np.cumsum([0, *(len(part) for part in lists)])[:-1] * numbers.itemsize + numbers.ctypes.data
        table = np.empty((len(records), WIDTH), np.intp)
        table[:, 0] = [record.loop for record in records]
        table[:, 1:4] = starts.reshape(-1, 3)
        table[:, 4] = [record.own for record in records]
        self.kept = table, numbers, [record.kept for record in records]
        self.run, self.size, self.address = _code(), len(table), table.ctypes.data

    def __call__(self) -> None:
        self.run(self.size, self.address)


def loads(argument: str, kind: str, names: Sequence[str]) -> list[str]:
    """Return, in LLVM's language, how a loop finds what was packed into one of its arguments, under these names."""
    lines = []
    for i, name in enumerate(names):
        lines.append(f"%{name}_place = getelementptr {kind}, ptr %{argument}, i64 {i}")
        lines.append(f"%{name} = load {kind}, ptr %{name}_place")
    return lines


def shared(records: Sequence[Record]) -> list[Record]:
    """Return what runs these records, in any order: a single one, if the threads of BLAS can share them."""
    if len(records) < 2 or not _shares():
        return list(records)
    return [_share(records)]


def in_turn(records: Sequence[Record]) -> Record:
    """Return a record that runs these, one after the other: what a thread does as a whole."""
    table = Table(records)
    return Record(_code().engine.get_function_address("in_turn"), [table.address], [table.size], kept=table)


def run_over(make: Callable[..., Table | None], arrays: Sequence[Array], *others: Any) -> bool:
    """Run the table that `make(*others, *arrays)` gives, and tell whether it gives one.

    It is made once for arrays of that memory, shape and dtype, be they the same objects or not.
    """
    key = make, others, tuple((array.ctypes.data, array.shape, array.strides, array.dtype) for array in arrays)
    with _LOCK:
        if key not in _KNOWN:
            if len(_KNOWN) >= KNOWN:
                del _KNOWN[next(iter(_KNOWN))]
            _KNOWN[key] = make(*others, *arrays)
        table = _KNOWN[key]
    if table is not None:
        table()
    return table is not None


_KNOWN: dict[Any, Table | None] = {}
_LOCK = threading.Lock()


def over(loop: int, arrays: Sequence[Array], own: int = 0, kept: Any = None) -> list[Record]:
    """Return what runs a loop of single entries over contiguous arrays of one size, part by part."""
    steps = [array.itemsize for array in arrays]
    places = [array.ctypes.data for array in arrays]
    records = []
    for part in parts(arrays[0].size):
        starts = [place + step * part.start for place, step in zip(places, steps, strict=True)]
        records.append(Record(loop, starts, [part.stop - part.start], steps, own, kept))
    return records


def parts(count: int, entries: int = 1) -> list[slice]:
    """Return how `count` things, of that many entries each, fall into parts that are worth another thread's while."""
    step = max(PART // max(entries, 1), -(-count // MOST), 1)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)] or [slice(0, 0)]


def _share(records: Sequence[Record]) -> Record:
    table = Table(records)
    share = _code().engine.get_function_address("share")
    return Record(share, [table.address], [table.size], [], _blas().ctypes.data, table)


@once
def _shares() -> bool:
    """Tell whether BLAS's function is there, and does what it did when this was written."""
    if _blas()[0] == 0:
        return False
    seen = np.zeros(64, np.int64)
    one = _code().engine.get_function_address("one")
    Table([_share([Record(one, [place], [], []) for place in (seen.ctypes.data + 8 * np.arange(16)).tolist()])])()
    return bool(seen.sum() == seen[:16].sum() == 16)


@once
def _code() -> Any:
    return compile_source(_CODE.replace("{double}", str(DOUBLE)).replace("{width}", str(WIDTH)), "run", 1, 1)


@once
def _blas() -> NDArray[np.intp]:
    """Return the addresses of BLAS's function, 0 if there is none, and of its number of threads; and room for a 0."""
    try:
        library = blas_library()
        function = ctypes.cast(library.blas_level1_thread, ctypes.c_void_p).value
        threads = ctypes.addressof(ctypes.c_int.in_dll(library, "blas_cpu_number"))
    except (AttributeError, OSError, ValueError):
        function = threads = 0
    return np.array([function, threads, 0], np.intp)
