"""The softmax cross-entropy of labels, for a Trainer's steps: in memory used again, and as calls that can be joined."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import KINDS
from minidl.compute.joining import Loop
from minidl.compute.reuse import Call, Recording, make

__all__ = ["Crossentropy"]

Array = NDArray[Any]

# A loop over labels' entries p[index[i]]: `value` is one, `place` where it lies. Labels were looked at when the fit
# began; one that is out of range since makes a NaN, which the optimizer refuses.
_LOOP = """
declare i64 @llvm.umin.i64(i64, i64)

define void @packed(ptr %places, ptr %sizes, ptr %strides, ptr %own) {{
start:
  %n = load i64, ptr %sizes
  %all_place = getelementptr i64, ptr %sizes, i64 1
  %all = load i64, ptr %all_place
  %last = sub i64 %all, 1
  %second = getelementptr ptr, ptr %places, i64 1
  %third = getelementptr ptr, ptr %places, i64 2
  %p = load ptr, ptr %places
  %index = load ptr, ptr %second
  %out = load ptr, ptr %third
  br label %next
next:
  %i = phi i64 [ 0, %start ], [ %following, %next ]
  %i_place = getelementptr i64, ptr %index, i64 %i
  %j = load i64, ptr %i_place
  %inside = call i64 @llvm.umin.i64(i64 %j, i64 %last)
  %place = getelementptr {t}, ptr %p, i64 %inside
  %entry = load {t}, ptr %place
  %known = icmp eq i64 %j, %inside
  %value = select i1 %known, {t} %entry, {t} 0x7FF8000000000000
  {do}
  %following = add i64 %i, 1
  %done = icmp eq i64 %following, %n
  br i1 %done, label %end, label %next
end:
  ret void
}}
"""
_TAKEN = "%target = getelementptr {t}, ptr %out, i64 %i\n  store {t} %value, ptr %target"
_LOWERED = "%less = fsub {t} %value, 1.0\n  store {t} %less, ptr %place"


def _take(p: Array, index: Array, out: Array) -> None:
    p.take(index, out=out, mode="clip")


def _lower(row: Array, index: Array, p: Array) -> None:  # noqa: ARG001  # what it writes into comes last
    """Subtract 1 at each index of p, whose entries `row` has in one row."""
    row[index] -= 1


def _loop(function: Callable[..., None], do: str, kind: str) -> Loop:
    return Loop(function, _LOOP.format(t=kind, do=do.format(t=kind)))


_TAKE = {dtype: _loop(_take, _TAKEN, kind) for dtype, kind in KINDS.items()}
_LOWER = {dtype: _loop(_lower, _LOWERED, kind) for dtype, kind in KINDS.items()}


class Crossentropy:
    """ℓ = −log softmax(z)_y, and its slopes, for logits z that always come in one array of shape (batch, classes).

    A class is a row here: NumPy's reductions along the first axis are several times as fast as along a short last one.
    """

    def __init__(self, logits: Array) -> None:
        n, classes = logits.shape
        empty = partial(np.empty, dtype=logits.dtype)
        p, top, own, total, self.losses = empty((classes, n)), empty(n), empty(n), empty(n), empty(n)
        self.count, self.slopes, self.index, self.places = n, empty((n, classes)), np.empty(n, np.intp), np.arange(n)
        self.calls: list[Call] = [
            (np.positive, (logits.T, p)),
            (np.maximum.reduce, (p, 0, None, top)),
            (np.subtract, (p, top, p)),
            (_TAKE[logits.dtype], (p, self.index, own)),
            (np.exp, (p, p)),
            (np.add.reduce, (p, 0, None, total)),
            (np.divide, (p, total, p)),
            (_LOWER[logits.dtype], (p.reshape(-1), self.index, p)),
            (np.log, (total, total)),
            (np.subtract, (total, own, self.losses)),
            (np.positive, (p.T, self.slopes)),
            (np.divide, (self.slopes, np.full(1, n, logits.dtype), self.slopes)),
        ]
        self.is_ready = False

    def __call__(self, labels: Array) -> tuple[float, Array]:
        """Return the mean loss for these labels, and its gradient by the logits, in the same array each time."""
        np.multiply(labels, self.count, out=self.index, dtype=np.intp, casting="unsafe")
        np.add(self.index, self.places, out=self.index)
        make(self.calls)
        if not self.is_ready:
            self.calls, self.is_ready = Recording(self.calls).ready(), True
        return float(np.add.reduce(self.losses, dtype=np.float64)) / self.count, self.slopes
