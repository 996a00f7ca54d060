"""A compiled rule that is run along a gradient which is never written down.

The gradient of a kernel is x.T @ y, x the layer's inputs and y the slopes of its outputs. For a batch of few rows it is
computed a few lines at a time, right before the rule needs them: most of an update's time is memory's, and so an array
of that size is neither written, nor looked at for what isn't finite, nor read. Each entry is one chain of fused
multiply-adds over the rows, in their order, as BLAS computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import compile_source, compiled, is_loaded, multiplies_and_adds, once
from minidl.compute.tables import Record, loads, parts
from minidl.compute.tracing import Program

__all__ = ["LARGE", "MOST", "along", "suits"]

Array = NDArray[Any]
Records = list[Record]

LARGE = 2**16  # entries of a kernel, from which on its gradient's way to memory and back counts
MOST = 15  # rows, up to which it is faster than BLAS's product, written down and read again

LANES = 64  # entries that are summed up at once
LINE = 64  # bytes that a processor reads at once
CACHED = 2**12  # entries of the gradient that there are at a time, or two lines of it
WIDEST = 2**14  # entries of a line, at most: they lie on a thread's stack


def suits(x: Array, y: Array) -> bool:
    """Tell whether a rule can be run along x.T @ y, with the bits that BLAS gives, and is faster so."""
    return (
        is_loaded()
        and 1 <= len(x) <= MOST
        and x.shape[1] * y.shape[1] >= LARGE
        and LANES <= y.shape[1] <= WIDEST
        and x.dtype == y.dtype
        and x.dtype.kind == "f"
        and x.itemsize >= 4
        and x.flags.c_contiguous
        and multiplies_and_adds()
        and _agrees(x.shape, y.shape, x.dtype)
    )


@cache
def _agrees(x_shape: tuple[int, ...], y_shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Tell whether the code here and BLAS give the same bits, which hangs on BLAS's kernel."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(x_shape).astype(dtype), rng.standard_normal(y_shape).astype(dtype)
    (rows, n), m = x_shape, y_shape[1]
    found = np.empty((n, m), dtype)
    run = compile_source(_source(_OUTER, dtype), "outer", 6, 3)
    run(0, n, n, m, m, rows, x.ctypes.data, y.ctypes.data, found.ctypes.data)
    return bool((found == np.matmul(x.T, y)).all())


def along(program: Program, arrays: Sequence[Array], x: Array, y: Array, numbers: Array) -> tuple[Records, Records]:
    """Return what runs `program` over w and the slots, with the gradient x.T @ y; what is in the arrays may change.

    The first records come first; the others may then be run in any order.
    """
    code = _compiled(program, x.dtype)
    (rows, n), m = x.shape, y.shape[1]
    wide = -(-m // LANES) * LANES + LINE // x.itemsize  # an even power of two would crowd one part of the cache
    slopes = _aligned(rows * wide, x.dtype).reshape(rows, wide)
    slopes[:] = 0
    kept = x, y, slopes, arrays, numbers
    copy = code.engine.get_function_address("packed_copy")
    copies = [
        Record(copy, [to.ctypes.data, one.ctypes.data], [one.nbytes], kept=kept)
        for to, one in zip(slopes, y, strict=True)
    ]
    places = [array.ctypes.data for array in (x, slopes, *arrays)]
    sizes = [n, m, wide, rows, max(CACHED // m, 2)]
    own = numbers.ctypes.data
    sweeps = [Record(code.address, places, [part.start, part.stop, *sizes], own=own, kept=kept) for part in parts(n, m)]
    return copies, sweeps


# Two lines of the gradient at a time share what is loaded of y. The last block of a line overlaps the one before it.
_OUTER = """
declare {v} @llvm.fma.{name}({v}, {v}, {v})
declare i64 @llvm.umin.i64(i64, i64)

define void @outer(i64 %from, i64 %to, i64 %n, i64 %m, i64 %wide, i64 %rows, ptr noalias %x, ptr noalias %y, ptr noalias %out) noinline {{
start:
  %last_line = sub i64 %to, 1
  %last_block = sub i64 %m, {lanes}
  br label %block
block:
  %j = phi i64 [ 0, %start ], [ %next_j, %blocked ]
  %place = call i64 @llvm.umin.i64(i64 %j, i64 %last_block)
  %yj = getelementptr {t}, ptr %y, i64 %place
  %oj = getelementptr {t}, ptr %out, i64 %place
  br label %line
line:
  %i = phi i64 [ %from, %block ], [ %next_i, %summed ]
  %after = add i64 %i, 1
  %k = call i64 @llvm.umin.i64(i64 %after, i64 %last_line)
  %xi = getelementptr {t}, ptr %x, i64 %i
  %xk = getelementptr {t}, ptr %x, i64 %k
  br label %sum
sum:
  %b = phi i64 [ 0, %line ], [ %next_b, %sum ]
  %i_sum = phi {v} [ zeroinitializer, %line ], [ %i_next, %sum ]
  %k_sum = phi {v} [ zeroinitializer, %line ], [ %k_next, %sum ]
  %x_row = mul i64 %b, %n
  %y_row = mul i64 %b, %wide
  %i_place = getelementptr {t}, ptr %xi, i64 %x_row
  %k_place = getelementptr {t}, ptr %xk, i64 %x_row
  %y_place = getelementptr {t}, ptr %yj, i64 %y_row
  %i_one = load {t}, ptr %i_place
  %k_one = load {t}, ptr %k_place
  %i_first = insertelement {v} poison, {t} %i_one, i64 0
  %k_first = insertelement {v} poison, {t} %k_one, i64 0
  %i_all = shufflevector {v} %i_first, {v} poison, <{lanes} x i32> zeroinitializer
  %k_all = shufflevector {v} %k_first, {v} poison, <{lanes} x i32> zeroinitializer
  %slopes = load {v}, ptr %y_place, align {align}
  %i_next = call {v} @llvm.fma.{name}({v} %i_all, {v} %slopes, {v} %i_sum)
  %k_next = call {v} @llvm.fma.{name}({v} %k_all, {v} %slopes, {v} %k_sum)
  %next_b = add i64 %b, 1
  %all = icmp eq i64 %next_b, %rows
  br i1 %all, label %summed, label %sum
summed:
  %i_out = sub i64 %i, %from
  %k_out = sub i64 %k, %from
  %i_offset = mul i64 %i_out, %m
  %k_offset = mul i64 %k_out, %m
  %i_to = getelementptr {t}, ptr %oj, i64 %i_offset
  %k_to = getelementptr {t}, ptr %oj, i64 %k_offset
  store {v} %i_next, ptr %i_to, align {align}
  store {v} %k_next, ptr %k_to, align {align}
  %next_i = add i64 %i, 2
  %lines_done = icmp uge i64 %next_i, %to
  br i1 %lines_done, label %blocked, label %line
blocked:
  %next_j = add i64 %j, {lanes}
  %done = icmp uge i64 %next_j, %m
  br i1 %done, label %end, label %block
end:
  ret void
}}
"""  # noqa: E501

_SWEEP = """
define void @run_outer(i64 %first, i64 %last, i64 %n, i64 %m, i64 %wide, i64 %rows, i64 %lines, ptr noalias %x, ptr noalias %y, ptr noalias %g, ptr noalias %c, {parameters}) {{
start:
  br label %turn
turn:
  %from = phi i64 [ %first, %start ], [ %to, %turn ]
  %beyond = add i64 %from, %lines
  %to = call i64 @llvm.umin.i64(i64 %beyond, i64 %last)
  call void @outer(i64 %from, i64 %to, i64 %n, i64 %m, i64 %wide, i64 %rows, ptr %x, ptr %y, ptr %g)
  %count = sub i64 %to, %from
  %entries = mul i64 %count, %m
  %offset = mul i64 %from, %m
  {places}
  call void @run(i64 %entries, ptr %c, {arguments})
  %done = icmp uge i64 %to, %last
  br i1 %done, label %end, label %turn
end:
  ret void
}}

define void @packed_outer(ptr %places, ptr %sizes, ptr %strides, ptr %c) {{
  {loads}
  %room = mul i64 %lines, %m
  %g = alloca {t}, i64 %room, align 64
  call void @run_outer({sizes}, ptr %x, ptr %y, ptr %g, ptr %c, {parameters})
  ret void
}}

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define void @packed_copy(ptr %places, ptr %sizes, ptr %strides, ptr %own) {{
  %second = getelementptr ptr, ptr %places, i64 1
  %to = load ptr, ptr %places
  %from = load ptr, ptr %second
  %size = load i64, ptr %sizes
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %size, i1 false)
  ret void
}}
"""  # noqa: E501


@once
def _compiled(program: Program, dtype: np.dtype[Any]) -> Any:
    """Return the machine code."""
    targets = [i for i in range(len(program.inputs)) if i != 1]
    places = ("x", "y", *(f"a{i}" for i in targets))
    sizes = ("first", "last", "n", "m", "wide", "rows", "lines")
    sweep = _source(
        _OUTER + _SWEEP,
        dtype,
        parameters=", ".join(f"ptr noalias %a{i}" for i in targets),
        places="\n  ".join(f"%p{i} = getelementptr {{t}}, ptr %a{i}, i64 %offset" for i in targets),
        arguments=", ".join("ptr %g" if i == 1 else f"ptr %p{i}" for i in range(len(program.inputs))),
        sizes=", ".join(f"i64 %{name}" for name in sizes),
        loads="\n  ".join([*loads("places", "ptr", places), *loads("sizes", "i64", sizes)]),
    )
    return compile_source(compiled(program).source + sweep, "packed_outer", 0, 4)


def _source(template: str, dtype: np.dtype[Any], **parts: str) -> str:
    """Return code in LLVM's language for arrays of that dtype."""
    kind, short = {4: ("float", "f32"), 8: ("double", "f64")}[dtype.itemsize]
    names = {"t": kind, "v": f"<{LANES} x {kind}>", "name": f"v{LANES}{short}", "lanes": LANES, "align": dtype.itemsize}
    return template.format(**names, **{name: part.format(t=kind) for name, part in parts.items()})


def _aligned(size: int, dtype: np.dtype[Any]) -> Array:
    """Return an array whose memory begins with a line."""
    array = np.empty(size + LINE // dtype.itemsize, dtype)
    start = -array.ctypes.data % LINE // dtype.itemsize
    return array[start : start + size]
