"""What a training step has in common with the one before: its memory, and the calls that it makes.

A layer's step is a list of calls of NumPy's functions on arrays that are the same at every step, as long as batches have
one shape. Once they are written down, they can be made again without the layers' own code, which for small batches
takes longer than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.compiling import is_loaded
from minidl.joining import joined
from minidl.parameters import Outer, Parameter

__all__ = ["Call", "Reuse", "Tape", "make", "promise", "refresh", "settled"]

Array = NDArray[Any]
Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Reuse:
    """How the layers of a model may save memory and time; a Trainer switches it on for its own steps.

    Attributes:
        on: Whether they write into the memory of their last step.
        taping: Whether, moreover, the model may make the calls of the step before, without asking its layers.
        promising: Whether, moreover, a gradient may be promised instead of written down.
        same_input: Whether, moreover, all batches of one size come in the same array.
        tape: Where the calls that are made are written down, or None.
        changes: How often an attribute of a layer was set: another value may mean other calls.
    """

    def __init__(self) -> None:
        self.on = self.taping = self.promising = self.same_input = False
        self.tape: list[Call] | None = None
        self.changes = 0


class Tape:
    """The calls of a model's step, there and back.

    Attributes:
        x: The input that they read.
        made: What they hang on besides arrays; they are valid as long as it is the same.
        output: What they compute from it.
        forward: The calls on the way there.
        slopes: The gradient by the output, that those on the way back read.
        backward: The calls on the way back; None before they are known.
        dx: What the way back returns.
    """

    def __init__(self, x: Array) -> None:
        self.x = x
        self.made: tuple[Any, ...] = ()
        self.output: Array
        self.forward: list[Call] = []
        self.slopes: Array
        self.backward: list[Call] | None = None
        self.dx: Array


def settled(calls: Sequence[Call]) -> list[Call]:
    """Return calls that have just been made in the form in which they are made again soonest.

    What is promised holds for the whole step: those calls come last.
    """
    promises = [call for call in calls if call[0] is promise]
    rest = [call for call in calls if call[0] is not promise]
    return [*(joined(rest) if is_loaded() else rest), *promises]


def make(calls: Iterable[Call]) -> None:
    """Make calls, one after the other."""
    for function, arguments in calls:
        function(*arguments)


def promise(parameter: Parameter, outer: Outer) -> None:
    """Let a parameter's gradient be that product."""
    parameter.promise(outer)


def refresh(out: Array, function: Callable[..., Array], *arguments: Any) -> None:
    """Let `out` be what a function returns, which mostly is that very array."""
    result = function(*arguments)
    if result is not out:
        np.copyto(out, result)
