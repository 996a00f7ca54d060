"""Functions of single entries, run over whole arrays without new memory: how layers run their activations.

They are traced as the rules of optimizers are (see `minidl.compute.tracing`) and run as one compiled loop, or piece by
piece as NumPy's functions; with the bits of the function itself, in every case.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import (
    KINDS,
    PIECE,
    bound_replay,
    can_compile,
    check,
    compile_source,
    compiled,
    is_loaded,
    replayed,
)
from minidl.compute.tables import Record, Table, loads, over, parts, shared
from minidl.compute.tracing import Numbers, Program, Tracing, Untraceable

__all__ = ["Biased", "Fused"]

Array = NDArray[Any]

LARGE = 2**17  # entries from which on LLVM is worth loading, and a pass over memory counts
LONG = 2**12  # entries that a loop over rows takes at a time, at least


class Fused:
    """A pure function of single entries, made to write into an array that it is given.

    Args:
        function: Of one or more arrays of one shape; what can't be traced is called as it is.

    >>> double = Fused(lambda x: x + x)
    >>> double(np.empty(3), np.array([1.0, 2.0, 3.0])).tolist()
    [2.0, 4.0, 6.0]
    """

    def __init__(self, function: Callable[..., Array]) -> None:
        self.function = function
        self._traced: dict[tuple[np.dtype[Any], ...], tuple[Program, Numbers] | None] = {}
        self._places: dict[Program, Array] = {}  # of its numbers, for compiled code
        self._arrays: tuple[Array, ...] = ()  # those of the last call
        self._run: Callable[[], None]
        self._may_improve = False

    def __call__(self, out: Array, *inputs: Array) -> Array:
        """Return the function of `inputs`, in `out`, which is none of them, or in a new array if it can't be traced."""
        arrays = (out, *inputs)
        same = len(arrays) == len(self._arrays) and all(map(operator.is_, arrays, self._arrays))
        if not same or (self._may_improve and is_loaded()):
            traced = self._known(arrays)
            if traced is None:
                return self.function(*inputs)
            self._bind(arrays, *traced)
        self._run()
        return out

    def traces(self, *arrays: Array) -> bool:
        """Tell whether the function can be traced for arrays like these, the one that it writes into first."""
        return self._known(arrays) is not None

    def records(self, *arrays: Array) -> list[Record] | None:
        """Return compiled code for contiguous arrays like these as records of a table; None if there is none."""
        traced = self._known(arrays)
        if traced is None or not is_loaded() or not all(array.flags.c_contiguous for array in arrays):
            return None
        return self._compiled(arrays, *traced)

    def _compiled(self, arrays: tuple[Array, ...], program: Program, numbers: Numbers) -> list[Record] | None:
        try:
            code = compiled(program, flushing=False)
        except Untraceable:
            return None
        places = self._places.setdefault(program, np.array(numbers, np.float64))
        return shared(over(code.packed, arrays, places.ctypes.data, kept=(places, arrays)))

    def _known(self, arrays: tuple[Array, ...]) -> tuple[Program, Numbers] | None:
        """Return what the function does to arrays of these dtypes, or None."""
        dtypes = tuple(array.dtype for array in arrays)
        if dtypes not in self._traced:
            self._traced[dtypes] = self._trace(dtypes)
        return self._traced[dtypes]

    def _bind(self, arrays: tuple[Array, ...], program: Program, numbers: Numbers) -> None:
        """Get ready to run `program` over these arrays."""
        self._arrays, self._may_improve = arrays, False
        if not all(array.flags.c_contiguous for array in arrays):
            self._run = partial(bound_replay(replayed(program), [arrays]), numbers)
            return
        if is_loaded() or (can_compile() and arrays[0].size >= LARGE):
            records = self._compiled(arrays, program, numbers)
            if records is not None:
                self._run = Table(records)
                return
        else:
            self._may_improve = can_compile()
        flat = [array.reshape(-1) for array in arrays]
        starts = range(0, arrays[0].size, PIECE)
        pieces = [[array[i : i + PIECE] for array in flat] for i in starts]
        self._run = partial(bound_replay(replayed(program), pieces), numbers)

    def _trace(self, dtypes: tuple[np.dtype[Any], ...]) -> tuple[Program, Numbers] | None:
        try:
            with np.errstate(all="ignore"):
                program, numbers = Tracing(lambda *arrays: self.function(*arrays[1:]), dtypes, {}).at({})
                check(program, numbers, lambda arrays: [self.function(*arrays[1:])])
        except Exception:  # of whatever kind: called as it is, the function tells of it better
            return None
        return program, numbers


# Over whole rows, several at a time, so that the loop is long.
_ROWS = """
declare i64 @llvm.umin.i64(i64, i64)

define void @packed_rows(ptr %places, ptr %sizes, ptr %strides, ptr %c) {{
start:
  {loads}
  br label %next
next:
  %from = phi i64 [ 0, %start ], [ %to, %next ]
  %left = sub i64 %n, %from
  %count = call i64 @llvm.umin.i64(i64 %left, i64 %long)
  %part = getelementptr {t}, ptr %z, i64 %from
  call void @run(i64 %count, ptr %c, ptr %part, ptr %row)
  %to = add i64 %from, %count
  %done = icmp uge i64 %to, %n
  br i1 %done, label %end, label %next
end:
  ret void
}}
"""


class Biased:
    """f(z + b) in the place of z, where b is added to each row of z, in one pass over memory; needs LLVM.

    Args:
        function: f, a pure function of single entries.
    """

    def __init__(self, function: Callable[[Array], Array]) -> None:
        self.function = function
        self._codes: dict[np.dtype[Any], tuple[Any, Array] | None] = {}
        self._bound: tuple[Any, ...] = (None, None)

    def suits(self, z: Array, b: Array) -> bool:
        """Tell whether it can be done, with the same bits as one after the other, and is worth it."""
        if not is_loaded() or z.size < LARGE or z.dtype != b.dtype or not z.flags.c_contiguous:
            return False
        if z.dtype not in self._codes:
            self._codes[z.dtype] = self._compiled(z.dtype)
        return self._codes[z.dtype] is not None

    def __call__(self, z: Array, b: Array) -> None:
        """Write f(z + b) into z, which `suits`."""
        if self._bound[0] is not z or self._bound[1] is not b:
            known = self._codes[z.dtype]
            assert known is not None
            code, numbers = known
            rows = np.empty((-(-LONG // len(b)), len(b)), z.dtype)
            flat, own = z.reshape(-1, len(b)), numbers.ctypes.data
            records = [
                Record(code.address, [flat[part].ctypes.data, rows.ctypes.data], [flat[part].size, rows.size], own=own)
                for part in parts(len(flat), len(b))
            ]
            self._bound = z, b, rows, Table(shared(records))
        np.copyto(self._bound[2], b)
        self._bound[3]()

    def _compiled(self, dtype: np.dtype[Any]) -> tuple[Any, Array] | None:
        try:
            with np.errstate(all="ignore"):
                program, numbers = Tracing(lambda z, b: self.function(z + b), (dtype, dtype), {}).at({})
                check(program, numbers, lambda arrays: [self.function(arrays[0] + arrays[1])])
            code = compiled(program, flushing=False)
        except Exception:  # as it is, the function tells of it better
            return None
        found = loads("places", "ptr", ["z", "row"]) + loads("sizes", "i64", ["n", "long"])
        rows = _ROWS.format(t=KINDS[dtype], loads="\n  ".join(found))
        source = code.source + rows
        return compile_source(source, "packed_rows", 0, 4), np.array(numbers, np.float64)
