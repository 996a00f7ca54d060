"""Where the numbers of a step lie: neighbours that take the same step, as stretches of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidl.compute.compiling import PIECE
from minidl.compute.largest import bound_largest
from minidl.compute.outer import LARGE
from minidl.parameters import Outer, Parameter

if TYPE_CHECKING:
    from minidl.optimizers.execution import Execution

__all__ = ["Entry", "Part", "Saved", "Span", "compute_dtype", "lay_out"]


class Entry:
    """What an optimizer keeps for one parameter."""

    def __init__(self, slots: dict[str, NDArray[Any]]) -> None:
        self.slots = slots
        self.t = 0
        self.kept: dict[str, float] = {}


class Part:
    """A part of a span: a large parameter by itself, of whose gradient more may be known, or neighbours.

    Attributes:
        place: Where it is in the span's vectors.
        grad: Its gradient's memory.
        parameter: The large one, or None.
    """

    def __init__(self, place: slice, grad: NDArray[Any], parameter: Parameter | None) -> None:
        self.place, self.grad, self.parameter = place, grad, parameter
        self._largest: Callable[[], float] | None = None

    @property
    def promised(self) -> Outer | None:
        """What its gradient will be; None if it is written down."""
        outer = None if self.parameter is None else self.parameter.outer
        return None if outer is None or outer.written else outer

    def largest_square(self) -> float:
        """Return what no entry's square exceeds, or what isn't finite if an entry isn't or the sum overflows."""
        if self.parameter is not None and self.parameter.outer is not None:
            outer = self.parameter.outer
            if outer.x.size + outer.y.size < self.grad.size and (bound := outer.bound()) < np.inf:
                return bound
            self.parameter.settle()
        if self._largest is None:
            self._largest = bound_largest(self.grad)
            if self._largest is None:
                return float(np.vdot(self.grad, self.grad))
        largest = self._largest()
        return largest * largest


class Saved(NamedTuple):
    """What a span was before a step."""

    arrays: list[NDArray[Any]]
    t: int
    kept: dict[str, float]


class Span:
    """Parameters that lie side by side and take the same step, as one stretch of memory.

    Attributes:
        parameters: The parameters, in order.
        data: What the rule and the hooks see of the values. For an elementwise rule all of them in one
            vector (a parameter that isn't contiguous keeps its shape); otherwise the one parameter's array.
        grad: The gradient alike. With hooks it is a copy, which they may change.
        learning_rate: The rate of this step, the parameters' multiplier included.
        weight_decay_multiplier: What multiplies any weight decay, the parameters' own.
        shrink: What the values are multiplied by right before the rule; a hook's `before` may change it.
        execution: What runs the rule over it; the optimizer's to set.
        parts: What the source of the gradient is made of, in order.
    """

    execution: Execution

    def __init__(self, parameters: list[Parameter], entries: list[Entry], elementwise: bool, scratch: bool) -> None:
        self.parameters = parameters
        self.entries = entries
        self.multiplier = parameters[0].learning_rate_multiplier
        self.weight_decay_multiplier = parameters[0].weight_decay_multiplier
        self.learning_rate = 0.0
        self.shrink = 1.0
        self.t = entries[0].t
        self.source_data, self.source_grad = _memory(parameters, elementwise)
        dtype = compute_dtype(parameters[0])
        computed_apart = dtype != parameters[0].dtype
        self._data = self.source_data.astype(dtype) if computed_apart else self.source_data
        self._grad = self.source_grad.astype(dtype) if computed_apart or scratch else self.source_grad
        self.parts = _parts(parameters, self.source_grad)
        slots = _gather_slots(entries, self.data.shape) if elementwise else list(entries[0].slots.values())
        self.targets = targets = (self.data, *slots)
        self.safe = float(np.finfo(dtype).max) ** 0.5  # below this, squares of squares stay finite
        inputs = (self.data, self.grad, *slots)
        if self.data.ndim == 1 and elementwise:
            cuts = [slice(start, start + PIECE) for start in range(0, self.data.size, PIECE)]
            self.pieces = [(_cut(targets, cut), _read_only(_cut(inputs, cut))) for cut in cuts]
        else:
            self.pieces = [(targets, _read_only(inputs))]

    @property
    def data(self) -> NDArray[Any]:
        """The values; assigning copies into place."""
        return self._data

    @data.setter
    def data(self, value: NDArray[Any]) -> None:
        self._data[...] = value

    @property
    def grad(self) -> NDArray[Any]:
        """The gradient; assigning copies into place."""
        return self._grad

    @grad.setter
    def grad(self, value: NDArray[Any]) -> None:
        self._grad[...] = value

    def load(self) -> None:
        """Bring what the rule sees up to date with the parameters."""
        self.shrink = 1.0
        if self._grad is not self.source_grad:
            self.settle()
            np.copyto(self._grad, self.source_grad)
        elif self.execution.way != "compiled":  # which runs along promises
            self.settle()
        if self._data is not self.source_data:
            np.copyto(self._data, self.source_data)

    def settle(self) -> None:
        """Write down the gradients that are promised."""
        for part in self.parts:
            if part.parameter is not None:
                part.parameter.settle()

    def saved(self) -> Saved:
        """Return copies of all that a sweep of the rule changes."""
        return Saved([target.copy() for target in self.targets], self.t, self.entries[0].kept)

    def restore(self, saved: Saved) -> None:
        """Make all be as it was when it was saved."""
        for target, array in zip(self.targets, saved.arrays, strict=True):
            np.copyto(target, array)
        self.t = saved.t
        for entry in self.entries:
            entry.t, entry.kept = saved.t, saved.kept

    def overflowed(self, saved: Saved) -> tuple[Parameter, str] | None:
        """Return the first parameter that isn't finite any more, and which of its arrays; None if there is none."""
        after = dict(zip(("w", *self.entries[0].slots), self.targets, strict=True))
        before = dict(zip(after, saved.arrays, strict=True))
        after["w"] = self.data.astype(self.source_data.dtype)  # as it will be stored
        for name in (*self.entries[0].slots, "w"):  # a slot is often the cause of what w is
            lost = np.isfinite(before[name]) & ~np.isfinite(after[name])
            if lost.any():
                ends = np.cumsum([parameter.size for parameter in self.parameters])
                first = np.searchsorted(ends, int(lost.argmax()), side="right") if len(ends) > 1 else 0
                return self.parameters[int(first)], name
        return None

    def store(self) -> None:
        """Bring the parameters up to date with what the rule saw."""
        if self._data is not self.source_data:
            np.copyto(self.source_data, self._data, casting="same_kind")


def compute_dtype(parameter: Parameter) -> np.dtype[Any]:
    """Return what a parameter's steps are computed in, and its slots kept in."""
    return np.dtype(np.float32) if parameter.dtype == np.float16 else parameter.dtype


def lay_out(
    parameters: Sequence[Parameter], entries: Mapping[Parameter, Entry], elementwise: bool, scratch: bool
) -> list[Span]:
    """Return the spans of equals into which `parameters` fall; each by itself for a rule that isn't elementwise.

    With `scratch`, spans have copies of the gradients.
    """
    groups: list[list[Parameter]] = []
    for parameter in parameters:
        if groups and elementwise and _equals(groups[-1][-1], parameter, entries):
            groups[-1].append(parameter)
        elif elementwise or parameter.size:  # what has no entries is nothing to a rule for whole tensors
            groups.append([parameter])
    return [Span(group, [entries[parameter] for parameter in group], elementwise, scratch) for group in groups]


def _equals(first: Parameter, second: Parameter, entries: Mapping[Parameter, Entry]) -> bool:
    """Tell whether `second` lies right behind `first` in memory and takes the same step."""
    one, two = entries[first], entries[second]
    return (
        first.storage is not None
        and first.storage is second.storage
        and first.offset + first.size == second.offset
        and first.learning_rate_multiplier == second.learning_rate_multiplier
        and first.weight_decay_multiplier == second.weight_decay_multiplier
        and (one.t, one.kept) == (two.t, two.kept)
    )


def _memory(parameters: list[Parameter], elementwise: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return values and gradients of neighbours, without a copy."""
    first = parameters[0]
    if elementwise and first.storage is not None:
        part = slice(first.offset, first.offset + sum(parameter.size for parameter in parameters))
        return first.storage.data[part], first.storage.grad[part]
    if elementwise and first.data.flags.c_contiguous and first.grad.flags.c_contiguous:
        return first.data.reshape(-1), first.grad.reshape(-1)
    return first.data, first.grad


def _parts(parameters: list[Parameter], grad: NDArray[Any]) -> list[Part]:
    """Return the parts of a span whose gradient lies in `grad`."""
    if len(parameters) == 1:
        return [Part(slice(0, parameters[0].size), grad, parameters[0])]
    parts: list[Part] = []
    stop = 0
    for parameter in parameters:
        start, stop = stop, stop + parameter.size
        large = parameter.size >= LARGE
        if parts and not large and parts[-1].parameter is None:
            start = parts.pop().place.start
        place = slice(start, stop)
        parts.append(Part(place, grad[place], parameter if large else None))
    return parts


def _gather_slots(entries: list[Entry], shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """Lay each slot out as the values are: in one array, into which the entries keep views."""
    gathered = []
    for name in entries[0].slots:
        parts = [entry.slots[name] for entry in entries]
        whole = np.concatenate([part.reshape(-1) for part in parts])
        offset = 0
        for entry, part in zip(entries, parts, strict=True):
            entry.slots[name] = whole[offset : offset + part.size].reshape(part.shape)
            offset += part.size
        gathered.append(whole.reshape(shape))
    return gathered


def _cut(arrays: Sequence[NDArray[Any]], part: slice) -> tuple[NDArray[Any], ...]:
    return tuple(array[part] for array in arrays)


def _read_only(arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    views = tuple(array.view() for array in arrays)
    for view in views:
        view.flags.writeable = False
    return views
