"""Functions of single entries, run over whole arrays without new memory: how layers run their activations.

They are traced as the rules of optimizers are (see `minidl.compute.tracing`) and run as one compiled loop, or piece by
piece as NumPy's functions; with the bits of the function itself, in every case.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import PIECE, bound_loop, bound_replay, can_compile, check, compiled, is_loaded, replayed
from minidl.compute.tracing import Numbers, Program, Tracing, Untraceable

__all__ = ["Fused"]

Array = NDArray[Any]

LARGE = 2**17  # entries from which on LLVM is worth loading


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
        self._run: Callable[[Numbers], None]
        self._numbers: Numbers
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
        self._run(self._numbers)
        return out

    def traces(self, *arrays: Array) -> bool:
        """Tell whether the function can be traced for arrays like these, the one that it writes into first."""
        return self._known(arrays) is not None

    def packed(self, *arrays: Array) -> tuple[int, int] | None:
        """Return the addresses of compiled code for contiguous arrays like these, and of its numbers; None without."""
        traced = self._known(arrays)
        if traced is None or not is_loaded() or not all(array.flags.c_contiguous for array in arrays):
            return None
        try:
            code = compiled(traced[0], flushing=False)
        except Untraceable:
            return None
        places = self._places.setdefault(traced[0], np.array(traced[1], np.float64))
        return code.packed, places.ctypes.data

    def _known(self, arrays: tuple[Array, ...]) -> tuple[Program, Numbers] | None:
        """Return what the function does to arrays of these dtypes, or None."""
        dtypes = tuple(array.dtype for array in arrays)
        if dtypes not in self._traced:
            self._traced[dtypes] = self._trace(dtypes)
        return self._traced[dtypes]

    def _bind(self, arrays: tuple[Array, ...], program: Program, numbers: Numbers) -> None:
        """Get ready to run `program` over these arrays."""
        self._arrays, self._numbers, self._may_improve = arrays, numbers, False
        if not all(array.flags.c_contiguous for array in arrays):
            self._run = bound_replay(replayed(program), [arrays])
            return
        if is_loaded() or (can_compile() and arrays[0].size >= LARGE):
            try:
                self._run = bound_loop(compiled(program, flushing=False), arrays)
                return
            except Untraceable:
                pass
        else:
            self._may_improve = can_compile()
        flat = [array.reshape(-1) for array in arrays]
        starts = range(0, arrays[0].size, PIECE)
        self._run = bound_replay(replayed(program), [[array[i : i + PIECE] for array in flat] for i in starts])

    def _trace(self, dtypes: tuple[np.dtype[Any], ...]) -> tuple[Program, Numbers] | None:
        try:
            with np.errstate(all="ignore"):
                program, numbers = Tracing(lambda *arrays: self.function(*arrays[1:]), dtypes, {}).at({})
                check(program, numbers, lambda arrays: [self.function(*arrays[1:])])
        except Exception:  # of whatever kind: called as it is, the function tells of it better
            return None
        return program, numbers
