"""Max pooling as two loops in machine code: one pass over memory there, and one back, where NumPy needs one a place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import KINDS, compile_source, is_loaded, once
from minidl.compute.tables import Record, Table, loads, parts, run_over, shared

__all__ = ["pool", "unpool"]

Array = NDArray[Any]
Pair = tuple[int, int]


# Over all windows, the places in each, and the channels, which lie side by side; `x` is at the window's first place.
_LOOPS = """
define void @pass(i64 %images, i64 %high, i64 %wide, i64 %channels, i64 %image, i64 %line, i64 %down, i64 %right,
                  i64 %size, i64 %columns, ptr noalias %x, ptr noalias %y, ptr noalias %winner) noinline {{
start:
  %lines = mul i64 %down, %line
  %steps = mul i64 %right, %channels
  br label %images_loop
images_loop:
  %n = phi i64 [ 0, %start ], [ %n_next, %image_done ]
  %image_offset = mul i64 %n, %image
  br label %high_loop
high_loop:
  %i = phi i64 [ 0, %images_loop ], [ %i_next, %line_done ]
  %line_offset = mul i64 %i, %lines
  %at_line = add i64 %image_offset, %line_offset
  %n_high = mul i64 %n, %high
  %out_line = add i64 %n_high, %i
  %out_start = mul i64 %out_line, %wide
  br label %wide_loop
wide_loop:
  %j = phi i64 [ 0, %high_loop ], [ %j_next, %window_done ]
  %step_offset = mul i64 %j, %steps
  %at_window = add i64 %at_line, %step_offset
  %out_window = add i64 %out_start, %j
  %out = mul i64 %out_window, %channels
  %yw = getelementptr {t}, ptr %y, i64 %out
  %ww = getelementptr i8, ptr %winner, i64 %out
  br label %place_loop
place_loop:
  %place = phi i64 [ 0, %wide_loop ], [ %place_next, %place_done ]
  %row = udiv i64 %place, %columns
  %column = urem i64 %place, %columns
  %row_offset = mul i64 %row, %line
  %column_offset = mul i64 %column, %channels
  %place_offset = add i64 %row_offset, %column_offset
  %at = add i64 %at_window, %place_offset
  %xw = getelementptr {t}, ptr %x, i64 %at
  %number = trunc i64 %place to i8
  %is_first = icmp eq i64 %place, 0
  br label %channel_loop
channel_loop:
  %c = phi i64 [ 0, %place_loop ], [ %c_next, %channel_loop ]
  %xp = getelementptr {t}, ptr %xw, i64 %c
  %yp = getelementptr {t}, ptr %yw, i64 %c
  %wp = getelementptr i8, ptr %ww, i64 %c
{body}
  %c_next = add nuw i64 %c, 1
  %channels_done = icmp eq i64 %c_next, %channels
  br i1 %channels_done, label %place_done, label %channel_loop
place_done:
  %place_next = add i64 %place, 1
  %places_done = icmp eq i64 %place_next, %size
  br i1 %places_done, label %window_done, label %place_loop
window_done:
  %j_next = add i64 %j, 1
  %j_done = icmp eq i64 %j_next, %wide
  br i1 %j_done, label %line_done, label %wide_loop
line_done:
  %i_next = add i64 %i, 1
  %i_done = icmp eq i64 %i_next, %high
  br i1 %i_done, label %image_done, label %high_loop
image_done:
  %n_next = add i64 %n, 1
  %n_done = icmp eq i64 %n_next, %images
  br i1 %n_done, label %end, label %images_loop
end:
  ret void
}}

define void @packed(ptr %places, ptr %sizes, ptr %strides, ptr %own) {{
  {loads}
  call void @pass({arguments})
  ret void
}}
"""
_SIZES = ("images", "high", "wide", "channels", "image", "line", "down", "right", "size", "columns")
_PLACES = ("x", "y", "winner")
_POOL = """
  %new = load {t}, ptr %xp
  %old = load {t}, ptr %yp
  %before = load i8, ptr %wp
  %greater = fcmp ogt {t} %new, %old
  %wins = or i1 %is_first, %greater
  %less = fcmp ogt {t} %old, %new
  %no_number = fcmp uno {t} %old, %old
  %stays = or i1 %less, %no_number
  %greatest = select i1 %stays, {t} %old, {t} %new
  %kept = select i1 %is_first, {t} %new, {t} %greatest
  %known = select i1 %wins, i8 %number, i8 %before
  store {t} %kept, ptr %yp
  store i8 %known, ptr %wp
"""
_UNPOOL = """
  %slope = load {t}, ptr %yp
  %winning = load i8, ptr %wp
  %won = icmp eq i8 %winning, %number
  %share = uitofp i1 %won to {t}
  %part = fmul {t} %slope, %share
  store {t} %part, ptr %xp
"""


def pool(x: Array, y: Array, winner: Array, size: Pair, strides: Pair) -> bool:
    """Write the greatest of each window of images into y, and its place into `winner`, the first if several are so.

    Args:
        x: Shape (images, height, width, channels).
        y: Shape (images, new height, new width, channels).
        winner: As y, in bytes.
        size: Of a window.
        strides: By how many pixels windows lie apart.

    Returns:
        Whether it could: without LLVM in memory, or for arrays of another kind, nothing is done.
    """
    return _run(_POOL, x, y, winner, size, strides)


def unpool(dx: Array, dy: Array, winner: Array, size: Pair, strides: Pair) -> bool:
    """Write the slopes of outputs to the places in dx that won, and zeros to the others of each window; see `pool`."""
    return _run(_UNPOOL, dx, dy, winner, size, strides)


def _run(body: str, x: Array, y: Array, winner: Array, size: Pair, strides: Pair) -> bool:
    alike = x.dtype == y.dtype and x.dtype in KINDS and winner.dtype == np.uint8
    if not (is_loaded() and alike and y.size and all(array.flags.c_contiguous for array in (x, y, winner))):
        return False
    return run_over(_table, (x, y, winner), body, size, strides)


def _table(body: str, size: Pair, strides: Pair, x: Array, y: Array, winner: Array) -> Table:
    _, height, width, channels = x.shape
    line = width * channels
    sizes = [*y.shape[1:], height * line, line, *strides, math.prod(size), size[1]]
    loop = _compiled(body, x.dtype).address
    return Table(
        shared(
            [
                Record(loop, [array[part].ctypes.data for array in (x, y, winner)], [part.stop - part.start, *sizes])
                for part in parts(len(x), height * line)
            ]
        )
    )


@once
def _compiled(body: str, dtype: np.dtype[Any]) -> Any:
    kind, named = KINDS[dtype], {"sizes": ("i64", _SIZES), "places": ("ptr", _PLACES)}
    source = _LOOPS.format(
        t=kind,
        body=body.format(t=kind),
        loads="\n  ".join(load for where, (t, names) in named.items() for load in loads(where, t, names)),
        arguments=", ".join(f"{t} %{name}" for t, names in named.values() for name in names),
    )
    return compile_source(source, "packed", 0, 4)
