"""The trial that a rule must stand before its first step: is it as pure and elementwise as it claims?"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import nearest

if TYPE_CHECKING:
    from minidl.optimizers.base import Optimizer

__all__ = ["probe", "tried"]

SIZE = 12
SCALES = (1e-6, 1.0, 1e6)  # a rule may hide a norm behind a threshold
TOLERANCE = 1e-9

_TRIED: ContextVar[bool] = ContextVar("tried", default=False)


@contextmanager
def tried() -> Iterator[None]:
    """Inside, rules have stood their trial already: thousands of new optimizers of one rule needn't repeat it."""
    token = _TRIED.set(True)
    try:
        yield
    finally:
        _TRIED.reset(token)


def probe(optimizer: Optimizer, kinds: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]) -> None:
    """Try the rule of `optimizer` for parameters of these shapes and dtypes.

    An elementwise rule is tried on twelve entries, whole and in pieces; another one on the smallest parameter of
    each number of axes, since a rule for matrices may not work on vectors.

    Raises:
        TypeError: If it asks for what it can't have, writes to its inputs, returns something else than the new
            `w` and slots in their shapes and dtype, or isn't elementwise although it says so.
    """
    if _TRIED.get():
        return
    rng = np.random.default_rng(0)
    trial = _Trial(optimizer)
    with np.errstate(all="ignore"):
        if not optimizer.elementwise:
            smallest = {
                (len(shape), dtype): shape
                for shape, dtype in sorted(kinds, key=lambda k: -math.prod(k[0]))
                if 0 not in shape
            }
            for (_, dtype), shape in smallest.items():
                w, one, two = rng.standard_normal((3, *shape)).astype(dtype)
                trial.run(np.asarray(w), np.asarray(one), np.asarray(two))
            return
        dtypes = {dtype for _, dtype in kinds}
        for scale in SCALES:
            for start in (0.0, 1.0):
                draw = rng.standard_normal((3, SIZE)) * scale
                draw[0] *= start
                for dtype in dtypes:
                    trial.run(*draw.astype(dtype))
                # In double precision even a small dependence on the neighbours shows.
                trial.compare_pieces(*draw)


class _Trial:
    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.name = type(optimizer).__name__
        self.values = {name: optimizer.current(name) for name in optimizer.hyperparameters}
        if "learning_rate" in self.values:
            self.values["learning_rate"] = 1.0  # a rate near 0 would hide the rest
        arguments = inspect.signature(optimizer.prepare).parameters.values()
        optional = [p.name for p in arguments if p.default is not p.empty]  # results of the step before among them
        self.refuse_unknown("prepare", [*self.values, "t", *optional])

    def refuse_unknown(self, function: str, known: Collection[str]) -> None:
        unknown = sorted((self.optimizer._keywords[function] or frozenset()) - set(known))
        if unknown:
            raise TypeError(
                f"{self.name}: {function} asks for {unknown[0]!r}, which is no hyperparameter. Received: "
                f"{function}{inspect.signature(getattr(self.optimizer, function))}. {nearest(unknown[0], known)}"
            )

    def run(self, w: NDArray[Any], *gradients: NDArray[Any]) -> list[NDArray[Any]]:
        """Make a step from fresh slots for each gradient; return the last step's arrays."""
        slots = list(self.optimizer._slots_for(w).values())
        kept: dict[str, float] = {}
        arrays = [w, *slots]
        for t, g in enumerate(gradients, start=1):
            kept = self.optimizer._prepare(self.values, t, kept)
            arrays = self.apply([arrays[0], g, *arrays[1:]], {**self.values, "t": t, **kept})
        return arrays

    def apply(self, inputs: list[NDArray[Any]], values: dict[str, Any]) -> list[NDArray[Any]]:
        self.refuse_unknown("update", values)
        inputs = [array.copy() for array in inputs]
        for array in inputs:
            array.flags.writeable = False
        try:
            results = self.optimizer._apply(inputs, self.optimizer._wanted("update", values))
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise TypeError(
                f"{self.name}: update must not write to its arguments, but return new arrays: "
                f"`m = beta * m + ...`, not `m *= beta`. Received: {error}"
            ) from error
        expected = [inputs[0], *inputs[2:]]
        names = ("w", *self.optimizer.slots)
        if len(results) != len(expected):
            raise TypeError(f"{self.name}: update must return {', '.join(names)}. Received: {len(results)} results")
        for name, before, after in zip(names, expected, results, strict=True):
            if after.shape != before.shape or after.dtype != before.dtype:
                raise TypeError(
                    f"{self.name}: update must return {name} as it came, {before.dtype} of shape {before.shape}. "
                    f"Received: {after.dtype} of shape {after.shape}. A NumPy scalar such as np.sqrt(2.0) widens "
                    f"float32 arrays; float(np.sqrt(2.0)) or math.sqrt(2.0) doesn't"
                )
        return results

    def compare_pieces(self, w: NDArray[Any], *gradients: NDArray[Any]) -> None:
        whole = self.run(w, *gradients)
        scale = np.abs(w)
        for way, cut, join in _REARRANGEMENTS:
            parts = [self.run(*arrays) for arrays in zip(*(cut(array) for array in (w, *gradients)), strict=True)]
            joined = [join([part[i] for part in parts]) for i in range(len(whole))]
            for name, expected, found in zip(("w", *self.optimizer.slots), whole, joined, strict=True):
                near = np.abs(found - expected) <= TOLERANCE * (np.abs(expected) + scale)
                if not np.all(near | (found == expected) | (np.isnan(found) & np.isnan(expected))):
                    raise TypeError(
                        f"{self.name}: update isn't elementwise: {way}, {name} comes out differently. "
                        f"A rule that needs whole tensors must say so in its class: elementwise = False"
                    )


_Arrays = list[NDArray[Any]]
_REARRANGEMENTS: tuple[tuple[str, Callable[[NDArray[Any]], _Arrays], Callable[[_Arrays], NDArray[Any]]], ...] = (
    ("given in pieces", lambda a: [a[:1], a[1:6], a[6:]], np.concatenate),
    ("given in reverse order", lambda a: [a[::-1]], lambda parts: parts[0][::-1]),
    ("given in another shape", lambda a: [a.reshape(3, 4)], lambda parts: parts[0].reshape(SIZE)),
)
