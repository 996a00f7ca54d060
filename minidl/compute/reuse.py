"""What a training step has in common with the one before: its memory, and the calls that it makes.

A layer's step is a list of calls of NumPy's functions on arrays that are the same at every step, as long as batches
have one shape. Once they are written down, they can be made again without the layers' own code, which for small batches
takes longer than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import is_loaded

__all__ = ["Call", "Recording", "Reuse", "Tape", "Tapes", "make", "refresh"]

Array = NDArray[Any]
Call = tuple[Callable[..., Any], tuple[Any, ...]]
T = TypeVar("T")

MOST = 16  # tapes of a model: more shapes of batches than that take turns


class Recording:
    """Calls that are being written down.

    Attributes:
        calls: In their order.
        late: Those that hold for the whole step, and so may come last.
    """

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self.calls = list(calls)
        self.late: list[Call] = []

    def ready(self) -> list[Call]:
        """Return calls, all of which have just been made, in the form in which they are made again soonest."""
        if not is_loaded():
            return [*self.calls, *self.late]
        from minidl.compute.joining import joined

        return [*joined(self.calls), *self.late]


class Reuse:
    """How the layers of a model may save memory and time; a Trainer switches it on for its own steps.

    Attributes:
        on: Whether they write into the memory of their last step.
        taping: Whether, moreover, the model may make the calls of the step before, without asking its layers.
        promising: Whether, moreover, a gradient may be promised instead of written down.
        same_input: Whether, moreover, all batches of one size come in the same array.
        share: (first, all): the samples of a forward pass are some of so many, from that one on; None if they are all.
        recording: Where the calls that are made are written down, or None.
        changes: How often an attribute of a layer was set: another value may mean other calls.
    """

    def __init__(self) -> None:
        self.on = self.taping = self.promising = self.same_input = False
        self.share: tuple[int, int] | None = None
        self.recording: Recording | None = None
        self.changes = 0

    def record(self, function: Callable[..., T], *arguments: Any) -> tuple[T, list[Call]]:
        """Return what a function returns, and the calls that layers made meanwhile, ready to be made again."""
        self.recording = recording = Recording()
        try:
            result = function(*arguments)
        finally:
            self.recording = None
        return result, recording.ready()


class Tape:
    """The calls of a model's step, there and back.

    Attributes:
        x: The input that they read.
        logits: Whether they end before the link.
        made: What they hang on besides arrays; they are valid as long as it is the same.
        output: What they compute from it.
        forward: The calls on the way there.
        slopes: The gradient by the output, that those on the way back read.
        asked: What the way back was asked for, besides.
        backward: The calls on the way back; None before they are known.
        dx: What the way back returns.
    """

    def __init__(self, x: Array, logits: bool, made: tuple[Any, ...], output: Array, forward: list[Call]) -> None:
        self.x, self.logits, self.made, self.output, self.forward = x, logits, made, output, forward
        self.slopes: Array
        self.asked: tuple[bool, ...] = ()
        self.backward: list[Call] | None = None
        self.dx: Array


class Tapes:
    """Those of a model: one for each shape of a batch, so that a step like an earlier one is made by its calls.

    Attributes:
        known: The tapes, by what else they hang on.
        last: That of the last forward pass; None if it was made by the layers themselves.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Tape] = {}
        self.last: Tape | None = None

    def forward(
        self, reuse: Reuse, x: Array, logits: bool, moved: int, run_layers: Callable[[Array, bool, bool], Array]
    ) -> Array:
        """Return what `run_layers(x, True, logits)` does.

        Args:
            reuse: The model's.
            x: A batch, in memory in which the next one like it will lie.
            logits: Whether to end before the link.
            moved: How often parameters have come to lie elsewhere.
            run_layers: Has the layers make their calls, and so has them written down.
        """
        key = x.shape, x.dtype, logits, reuse.promising
        tape = self.known.get(key)
        loaded = is_loaded()
        known = tape is not None and tape.backward is not None and tape.x is x
        if tape is not None and known and tape.made == (reuse.changes, moved, loaded):
            self.last = tape
            make(tape.forward)
            return tape.output
        output, calls = reuse.record(run_layers, x, True, logits)
        # With LLVM in memory, which layers may have loaded, other calls are faster.
        made = (reuse.changes, moved, loaded) if is_loaded() == loaded else ()
        if len(self.known) >= MOST:
            self.known.clear()
        self.last = self.known[key] = Tape(x, logits, made, output, calls)
        return output

    def backward(
        self,
        reuse: Reuse,
        dy: Array,
        asked: tuple[bool, ...],
        run_layers: Callable[[Array, bool, bool], Array],
        walk_back: Callable[..., Array],
    ) -> Array:
        """Return what `walk_back(dy, *asked)` does, after the last `forward`."""
        tape = self.last
        assert tape is not None
        if tape.backward is not None and tape.asked == asked:
            np.copyto(tape.slopes, dy)
            make(tape.backward)
            return tape.dx
        if tape.backward is not None:  # what layers remember may be of another batch
            run_layers(tape.x, True, tape.logits)
        tape.slopes, tape.asked = dy.copy(), asked
        tape.dx, tape.backward = reuse.record(walk_back, tape.slopes, *asked)
        return tape.dx


def make(calls: Iterable[Call]) -> None:
    """Make calls, one after the other."""
    for function, arguments in calls:
        function(*arguments)


def refresh(out: Array, function: Callable[..., Array], *arguments: Any) -> None:
    """Let `out` be what a function returns, which mostly is that very array."""
    result = function(*arguments)
    if result is not out:
        np.copyto(out, result)
