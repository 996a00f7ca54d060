"""The largest magnitude in an array, by all threads of BLAS: how a gradient is seen to be finite.

The bits of |x|, taken as an integer, grow with it; infinities and NaN come last. A maximum of integers needs no order,
so that a processor takes many at once, and threads may share the array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import compile_source, is_loaded, once
from minidl.compute.tables import Table, loads, over, shared

__all__ = ["bound_largest"]

Array = NDArray[Any]

LEAST = 2**17  # entries from which on it is faster than BLAS's product of a vector with itself

_KINDS = {np.dtype(np.float32): (np.uint32, "i32", 2**31 - 1), np.dtype(np.float64): (np.uint64, "i64", 2**63 - 1)}

# The second operand is where the result of this part goes.
_LOOP = """
declare {t} @llvm.umax.{t}({t}, {t})

define void @packed(ptr %places, ptr %sizes, ptr %strides, ptr %own) {{
start:
  {loads}
  br label %entry
entry:
  %i = phi i64 [ 0, %start ], [ %next, %entry ]
  %so_far = phi {t} [ 0, %start ], [ %largest, %entry ]
  %place = getelementptr {t}, ptr %x, i64 %i
  %bits = load {t}, ptr %place
  %magnitude = and {t} %bits, {mask}
  %largest = call {t} @llvm.umax.{t}({t} %so_far, {t} %magnitude)
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %n
  br i1 %done, label %end, label %entry
end:
  store {t} %largest, ptr %out
  ret void
}}
"""


def bound_largest(x: Array) -> Callable[[], float] | None:
    """Return what tells the largest |x| as it is then, or what isn't finite; None where BLAS is faster."""
    if not is_loaded() or x.size < LEAST or x.dtype not in _KINDS or not x.flags.c_contiguous:
        return None
    integer, kind, mask = _KINDS[x.dtype]
    records = over(_compiled(kind, mask).address, [x])
    found = np.zeros(len(records), integer)
    places = (found.ctypes.data + found.itemsize * np.arange(len(found))).tolist()
    pairs = zip(records, places, strict=True)
    table = Table(shared([record._replace(places=[*record.places, place]) for record, place in pairs]))
    magnitudes = found.view(x.dtype)

    def largest() -> float:
        table()
        return float(magnitudes[found.argmax()])

    return largest


@once
def _compiled(kind: str, mask: int) -> Any:
    found = loads("places", "ptr", ["x", "out"]) + loads("sizes", "i64", ["n"])
    return compile_source(_LOOP.format(t=kind, mask=mask, loads="\n  ".join(found)), "packed", 0, 4)
