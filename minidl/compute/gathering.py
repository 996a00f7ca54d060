"""Samples gathered into a batch by all threads of BLAS, each of which copies some of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import compile_source, is_loaded, once
from minidl.compute.tables import Record, Table, loads, parts, shared

__all__ = ["bound_take"]

Array = NDArray[Any]

LEAST = 2**17  # bytes of a batch from which on it is faster than NumPy's `take`

_LOOP = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define void @packed(ptr %places, ptr %sizes, ptr %strides, ptr %own) {{
start:
  {loads}
  br label %row
row:
  %i = phi i64 [ 0, %start ], [ %next, %row ]
  %here = getelementptr i64, ptr %index, i64 %i
  %which = load i64, ptr %here
  %x_offset = mul i64 %which, %bytes
  %out_offset = mul i64 %i, %bytes
  %from = getelementptr i8, ptr %x, i64 %x_offset
  %to = getelementptr i8, ptr %out, i64 %out_offset
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %n
  br i1 %done, label %end, label %row
end:
  ret void
}}
"""


def bound_take(x: Array, out: Array) -> Callable[[Array], None] | None:
    """Return what writes the samples of x at given indices into `out`; None if NumPy is faster.

    Nobody looks whether there are such samples.
    """
    small = out.nbytes < LEAST or not len(x)
    if small or not is_loaded() or x.dtype.hasobject or not (x.flags.c_contiguous and out.flags.c_contiguous):
        return None
    index, size = np.empty(len(out), np.int64), x.nbytes // len(x)
    records = []
    for part in parts(len(out), size // 4):
        places = [array.ctypes.data for array in (x, index[part], out[part])]
        records.append(Record(_compiled().address, places, [len(index[part]), size], kept=(x, index, out)))
    table = Table(shared(records))

    def take(indices: Array) -> None:
        index[:] = indices
        table()

    return take


@once
def _compiled() -> Any:
    found = loads("places", "ptr", ["x", "index", "out"]) + loads("sizes", "i64", ["n", "bytes"])
    return compile_source(_LOOP.format(loads="\n  ".join(found)), "packed", 0, 4)
