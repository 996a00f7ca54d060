"""Copies and sums between arrays that aren't contiguous, such as the windows of images, shared by the threads of BLAS.

Both arrays are walked in the order of the one that is written to; axes that lie behind each other in both are one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import KINDS, compile_source, is_loaded, once
from minidl.compute.tables import Record, Table, in_turn, loads, parts, run_over, shared

__all__ = ["add_each", "copy"]

Array = NDArray[Any]
Axes = list[tuple[int, int, int]]  # length, and the bytes from entry to entry in both arrays

DEPTH = 5  # axes, at most
LEAST = 8  # entries that must lie side by side
LARGE = 2**15  # entries from which on it is worth it


_HEAD = """
define void @packed(ptr %places, ptr %sizes, ptr %strides, ptr %own) {{
start:
  %second = getelementptr ptr, ptr %places, i64 1
  %y{depth} = load ptr, ptr %places
  %x{depth} = load ptr, ptr %second
  {loads}
  br label %loop{outer}
"""
# Axis k counts from the innermost one, 0. Each loop begins where the one around it is.
_LOOP = """
loop{k}:
  %i{k} = phi i64 [ 0, %{before} ], [ %i{k}_next, %done{inner} ]
  %y{k}_offset = mul i64 %i{k}, %y{k}_step
  %x{k}_offset = mul i64 %i{k}, %x{k}_step
  %y{k} = getelementptr i8, ptr %y{above}, i64 %y{k}_offset
  %x{k} = getelementptr i8, ptr %x{above}, i64 %x{k}_offset
  br label %loop{inner}
done{inner}:
  %i{k}_next = add i64 %i{k}, 1
  %all{k} = icmp eq i64 %i{k}_next, %n{k}
  br i1 %all{k}, label %{after}, label %loop{k}
"""
_INNER = """
loop0:
  %i = phi i64 [ 0, %loop1 ], [ %next, %loop0 ]
  %yp = getelementptr {t}, ptr %y1, i64 %i
  %xp = getelementptr {t}, ptr %x1, i64 %i
  %x_entry = load {t}, ptr %xp
  {do}
  store {t} %result, ptr %yp
  %next = add i64 %i, 1
  %all0 = icmp eq i64 %next, %n0
  br i1 %all0, label %done0, label %loop0
end:
  ret void
}}
"""
_COPIED = "%result = bitcast {t} %x_entry to {t}"
_ADDED = "%y_entry = load {t}, ptr %yp\n  %result = fadd {t} %y_entry, %x_entry"


def copy(out: Array, x: Array) -> None:
    """Write x into `out`, of the same shape; they share no memory."""
    if not _run(_COPIED, out, x):
        np.copyto(out, x)


def add_each(outs: Sequence[Array], xs: Iterable[Array]) -> None:
    """Add each of `xs` to the one of `outs`, one after the other; these may overlap, but along their first axis."""
    pairs = list(zip(outs, xs, strict=True))
    if not _run(_ADDED, *itertools.chain.from_iterable(pairs)):
        for out, x in pairs:
            np.add(out, x, out=out)


def _run(do: str, *arrays: Array) -> bool:
    """Do it to pairs of one shape, of what is written to and what is read; tell whether it isn't left to NumPy."""
    large = arrays[0].size * len(arrays) // 2 >= LARGE
    return large and is_loaded() and run_over(_table, arrays, do)


def _table(do: str, *arrays: Array) -> Table | None:
    dtypes = {array.dtype for array in arrays}
    dtype = dtypes.pop()
    if dtypes or dtype not in KINDS:
        return None
    loop = _compiled(do, KINDS[dtype]).address
    by_part = []
    for part in parts(len(arrays[0]), arrays[0][0].size * len(arrays) // 2):
        pairs = zip(arrays[::2], arrays[1::2], strict=True)
        records = [_record(loop, out[part], x[part]) for out, x in pairs]
        if None in records:
            return None
        by_part.append(in_turn([record for record in records if record is not None]))
    return Table(shared(by_part))


def _record(loop: int, out: Array, x: Array) -> Record | None:
    """Return how a pair is walked; None if what lies side by side is too short, or there are too many axes."""
    axes: Axes = []
    by_step = sorted(zip(out.shape, out.strides, x.strides, strict=True), key=lambda axis: -axis[1])
    for n, *steps in by_step:
        if n == 1:
            continue
        if axes and all(before == n * step for before, step in zip(axes[-1][1:], steps, strict=True)):
            n *= axes.pop()[0]
        axes.append((n, steps[0], steps[1]))
    if not 1 <= len(axes) <= DEPTH or axes[-1][1:] != (out.itemsize, out.itemsize) or axes[-1][0] < LEAST:
        return None
    axes = [(1, 0, 0)] * (DEPTH - len(axes)) + axes
    sizes, strides = [axis[0] for axis in axes], [step for axis in axes for step in axis[1:]]
    return Record(loop, [out.ctypes.data, x.ctypes.data], sizes, strides)


@once
def _compiled(do: str, kind: str) -> Any:
    axes = range(DEPTH - 1, -1, -1)
    sizes = loads("sizes", "i64", [f"n{k}" for k in axes])
    strides = loads("strides", "i64", [f"{name}{k}_step" for k in axes for name in "yx"])
    text = _HEAD.format(depth=DEPTH, outer=DEPTH - 1, loads="\n  ".join(sizes + strides))
    for k in axes[:-1]:
        outermost = k == DEPTH - 1
        before, after = ("start", "end") if outermost else (f"loop{k + 1}", f"done{k}")
        text += _LOOP.format(k=k, inner=k - 1, above=k + 1, before=before, after=after)
    return compile_source(text + _INNER.format(t=kind, do=do.format(t=kind)), "packed", 0, 4)
