"""How a rule is run over a span: as it is written, replayed, or compiled. All three give the same bits.

What "auto" chooses hangs on the rule, the number of entries and t alone, so that a run that is resumed chooses as the
one that wasn't interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.compute.compiling import Compiled, bound_replay, can_compile, check, compiled, flushed, replayed
from minidl.compute.outer import along
from minidl.compute.tables import Record, Table, over, shared
from minidl.compute.tracing import Numbers, Program, Tracing, Untraceable
from minidl.parameters import Outer
from minidl.validation import warn

if TYPE_CHECKING:
    from minidl.optimizers.base import Optimizer
    from minidl.optimizers.spans import Part, Span

__all__ = ["EXECUTIONS", "Execution"]

Run = Callable[[Numbers], None]

EXECUTIONS = ("auto", "compiled", "replayed", "plain")

# From so many entries on, summed over all steps, compiling has paid: a tenth of a second, and 80 MB for LLVM. Each step
# counts as some entries more.
WORTH = 2**28
STEP = 2**14

# So many bytes of w and slots one core keeps to itself from step to step, if no gradient passes in between.
CACHED = 2**21


class Execution:
    """Runs the rule of `optimizer` over a span, in the way that the optimizer's `execution` says.

    Attributes:
        way: How the last step was run: "compiled", "replayed" or "plain"; "" before the first.
    """

    def __init__(self, optimizer: Optimizer, span: Span) -> None:
        self.optimizer, self.span = optimizer, span
        self.asked = optimizer.execution if optimizer.elementwise else "plain"
        self.arrays = (span.targets[0], span.grad, *span.targets[1:])
        contiguous = all(array.flags.c_contiguous for array in self.arrays)
        self.obstacle = None if contiguous else Untraceable("a parameter's entries don't lie side by side")
        self.way = ""
        self.flags: list[bool] | None = None
        self.tracing: Tracing | None = None
        self.program: Program | None = None
        self.run_program: Run

    def run(self, keywords: dict[str, Any]) -> None:
        """Make a step; `keywords` are what `update` takes."""
        if self.asked != "plain":
            flags = [value for value in keywords.values() if value is True or value is False]
            if flags != self.flags:
                self.flags, self.tracing = flags, self._traced(keywords)
        if self.tracing is None:
            self._run_as_written(keywords)
            return
        try:
            program, numbers = self.tracing.at(keywords)
        except Untraceable as reason:  # a step may do what none before it did
            self.tracing = None
            self._explain(reason)
            self._run_as_written(keywords)
            return
        if program is not self.program and program != self.program:
            self.program = program
            self.span.settle()
            self._replay(program)
        if self.way == "replayed" and self._is_worth_compiling():
            self._compile(program)
        self.run_program(numbers)

    def _is_worth_compiling(self) -> bool:
        if self.asked != "auto":
            return self.asked == "compiled"
        return self.obstacle is None and self.span.t * (self.arrays[0].size + STEP) >= WORTH and can_compile()

    def _traced(self, keywords: dict[str, Any]) -> Tracing | None:
        try:
            return _traced(self.optimizer, tuple(array.dtype for array in self.arrays), keywords)
        except Untraceable as reason:
            self._explain(reason)
            return None

    def _explain(self, reason: Untraceable) -> None:
        """Say why the rule is run as it is written: once for each class, and as an error where it was forced."""
        kind = type(self.optimizer)
        if self.asked != "auto":
            raise TypeError(f"{kind.__name__}: the rule can't be {self.asked}: {reason}. Received: {self.optimizer!r}")
        if kind not in _EXPLAINED:
            _EXPLAINED.add(kind)
            warn(
                f"{kind.__name__}: update is run as it is written, not replayed or compiled (slower): {reason}; "
                f"execution='plain' is the same without a warning"
            )

    def _run_as_written(self, keywords: dict[str, Any]) -> None:
        self.way = "plain"
        self.span.settle()
        for targets, inputs in self.span.pieces:
            for target, result in zip(targets, self.optimizer._apply(inputs, keywords), strict=True):
                np.copyto(target, result, casting="no")

    def _replay(self, program: Program) -> None:
        self.way = "replayed"
        pieces = [(targets[0], inputs[1], *targets[1:]) for targets, inputs in self.span.pieces]
        self.run_program = flushed(bound_replay(replayed(program), pieces))

    def _compile(self, program: Program) -> None:
        if self.obstacle is None:
            try:
                code = compiled(program)
            except Untraceable as reason:
                self.obstacle = reason
            else:
                self.way = "compiled"
                self.run_program = _bound(program, code, self.span.parts, self.arrays)
        if self.obstacle is not None and self.asked == "compiled":
            self._explain(self.obstacle)


def _bound(program: Program, code: Compiled, parts: Sequence[Part], arrays: Sequence[np.ndarray[Any, Any]]) -> Run:
    """Return what runs a compiled program over a span's arrays, along the gradient or what is promised of it."""
    places = np.zeros(code.numbers)
    own = [[array[part.place] if array.ndim == 1 else array for array in arrays] for part in parts]
    alone = sum(array.nbytes for w, _, *slots in own for array in (w, *slots)) < CACHED

    def table(promised: Sequence[Outer | None]) -> Table:
        first: list[Record] = []
        others: list[Record] = []
        for outer, (w, g, *slots) in zip(promised, own, strict=True):
            if outer is None:
                others += over(code.packed, [w, g, *slots], places.ctypes.data, kept=(w, g, slots))
            else:
                before, after = along(program, [w, *slots], outer.x, outer.y, places)
                first, others = first + before, others + after
        return Table(first + (others if first and alone else shared(others)))

    last: list[Outer | None] = [None] * len(parts)
    run_table = table(last)

    def run(numbers: Numbers) -> None:
        nonlocal last, run_table
        promised = [part.promised for part in parts]
        if promised != last:
            last, run_table = promised, table(promised)
        places[:] = numbers
        run_table()

    return run


_EXPLAINED: set[type] = set()

# What was traced, or why it couldn't be, by rule, dtypes and flags; so many at most.
_KNOWN: dict[Any, Tracing | Untraceable] = {}
MOST = 256
_LOCK = threading.Lock()


def _traced(optimizer: Optimizer, dtypes: tuple[np.dtype[Any], ...], keywords: dict[str, Any]) -> Tracing:
    """Return what the rule does, seen to give the bits of `update`; raise Untraceable if it can't be had."""
    kinds = tuple((name, value if isinstance(value, bool) else None) for name, value in keywords.items())
    key = (optimizer.update, getattr(optimizer.update, "__code__", None), dtypes, kinds)
    with _LOCK:
        found = _KNOWN.get(key)
    if found is None:
        found = _newly_traced(optimizer, dtypes, keywords)  # twice, if two threads come at once
        with _LOCK:
            if len(_KNOWN) >= MOST:
                del _KNOWN[next(iter(_KNOWN))]
            _KNOWN[key] = found
    if isinstance(found, Untraceable):
        raise found
    return found


def _newly_traced(
    optimizer: Optimizer, dtypes: tuple[np.dtype[Any], ...], keywords: dict[str, Any]
) -> Tracing | Untraceable:
    try:
        with np.errstate(all="ignore"):
            tracing = Tracing(optimizer.update, dtypes, keywords)
            check(*tracing.at(keywords), lambda arrays: optimizer._apply(arrays, keywords))
    except Untraceable as reason:
        return reason
    except Exception as error:  # run as it is written, the rule tells of it better
        return Untraceable(f"{type(error).__name__}: {error}")
    return tracing
