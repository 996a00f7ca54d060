"""Functions of single entries, run over whole arrays without new memory: how layers run their activations.

They are traced as the rules of optimizers are (see `minidl.tracing`) and run as one compiled loop, or piece by piece as
NumPy's functions; with the bits of the function itself, in every case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compiling import bound_loop, bound_replay, can_compile, check, compiled, is_loaded, replayed
from minidl.tracing import Numbers, Program, Tracing, Untraceable

__all__ = ["Fused"]

Array = NDArray[Any]

PIECE = 16_384  # entries: what is computed of them stays in a core's second-level cache
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
        self._arrays: tuple[Array, ...] = ()
        self._run: Callable[[], object] = lambda: None

    def __call__(self, out: Array, *inputs: Array) -> Array:
        """Return the function of `inputs`, in `out`, which is none of them, or in a new array if it can't be traced."""
        arrays = (out, *inputs)
        if len(arrays) == len(self._arrays) and all(map(_is, arrays, self._arrays)):
            self._run()
            return out
        dtypes = tuple(array.dtype for array in arrays)
        if dtypes not in self._traced:
            self._traced[dtypes] = self._trace(dtypes)
        traced = self._traced[dtypes]
        if traced is None:
            return self.function(*inputs)
        program, numbers = traced
        run = _bound(program, arrays)
        run(numbers)
        self._arrays, self._run = arrays, lambda: run(numbers)
        return out

    def _trace(self, dtypes: tuple[np.dtype[Any], ...]) -> tuple[Program, Numbers] | None:
        try:
            with np.errstate(all="ignore"):
                program, numbers = Tracing(lambda *arrays: self.function(*arrays[1:]), dtypes, {}).at({})
                check(program, numbers, lambda arrays: [self.function(*arrays[1:])])
        except Exception:  # of whatever kind: called as it is, the function tells of it better
            return None
        return program, numbers


def _is(one: object, other: object) -> bool:
    return one is other


def _bound(program: Program, arrays: tuple[Array, ...]) -> Callable[[Numbers], None]:
    """Return what runs the program over these arrays."""
    if all(array.flags.c_contiguous for array in arrays):
        if can_compile() and (is_loaded() or arrays[0].size >= LARGE):
            try:
                return bound_loop(compiled(program, flushing=False), arrays)
            except Untraceable:
                pass
        flat = [array.reshape(-1) for array in arrays]
        starts = range(0, arrays[0].size, PIECE)
        return bound_replay(replayed(program), [[array[i : i + PIECE] for array in flat] for i in starts])
    return bound_replay(replayed(program), [arrays])
