"""Batches: how data becomes what a training step is given."""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.compute.gathering import bound_take
from minidl.compute.largest import bound_largest
from minidl.randomness import generator
from minidl.splitting import class_labels
from minidl.targets import check_weight
from minidl.validation import describe, integer, mapped, number, numbers, refuse_cut

__all__ = ["Batch", "Batches", "Order", "Stream", "batches", "digest", "grouped", "pieces", "samples"]

Array = NDArray[Any]
Batch: TypeAlias = tuple[Array, Array, Array | None]
Order: TypeAlias = bool | Callable[[int, int], ArrayLike]

DEFAULT_BATCH_SIZE = 32


class Batches:
    """Arrays, cut into batches (x, y, sample_weight).

    Args:
        x: An array, a memory map too, whose first axis counts samples. It is never copied whole. All of an array is
            looked at for what isn't finite at once, a memory map batch by batch.
        y: The targets, as many as samples.
        sample_weight: A weight at least 0 for each sample, shape (n,).
        class_weight: A weight for each class, which multiplies that of its samples.
        batch_size: At least 1; 32 if None.
        owner: Who names what is wrong.
    """

    once = False

    @property
    def checked_targets(self) -> bool:
        """Whether `known` tells of all targets."""
        return not self.mapped

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        batch_size: int | None = None,
        owner: str = "fit",
    ) -> None:
        self.owner = owner
        self.x, self.y = samples(owner, "x", x), samples(owner, "y", y)
        self.mapped = mapped(self.x) or mapped(self.y)
        self.n = len(self.x)
        if self.n != len(self.y):
            raise ValueError(f"{owner}: x and y must have as many samples. Received: {self.n} and {len(self.y)}")
        if self.n == 0:
            raise ValueError(f"{owner}: data must have at least one sample. Received: x of shape {self.x.shape}")
        self.indices: Array | None = None
        self.sample_weight = check_weight(owner, sample_weight, self.n)
        self.weight = _with_class_weight(self.y, self.sample_weight, class_weight)
        self.batch_size = DEFAULT_BATCH_SIZE if batch_size is None else integer(owner, "batch_size", batch_size, 1)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(self.n / self.batch_size)

    def subset(self, indices: Array, class_weighted: bool = True) -> "Batches":
        """Return the batches of some of the samples, with or without the weights of their classes."""
        part = copy.copy(self)
        part.indices, part.n = indices, len(indices)
        part.weight = self.weight if class_weighted else self.sample_weight
        return part

    def order(self, shuffle: Order, seed: int, epoch: int) -> Array | None:
        """Return the samples' order in an epoch, a function of (seed, epoch); None as they are.

        Raises:
            ValueError: If the caller's own order isn't one.
        """
        if shuffle is False:
            return None
        if shuffle is True:
            return generator(seed, "order", epoch).permutation(self.n)
        order = numbers(self.owner, "shuffle(epoch, n)", shuffle(epoch, self.n))
        if order.ndim != 1 or order.dtype.kind not in "iu" or not len(order):
            raise ValueError(f"{self.owner}: shuffle(epoch, n) must return indices. Received: {describe(order)}")
        if order.min() < 0 or order.max() >= self.n:
            raise ValueError(
                f"{self.owner}: shuffle(epoch, n) must return indices in 0 .. {self.n - 1}. "
                f"Received: indices from {order.min()} to {order.max()}"
            )
        return order

    def epoch(
        self,
        order: Array | None = None,
        memory: dict[tuple[Any, ...], Array] | None = None,
        at_once: int = 1,
        first: int = 0,
    ) -> Iterator[Batch]:
        """Give the batches of one epoch from number `first` on, the last one shorter if need be.

        With `memory`, in which the arrays for x are kept, only `at_once` of them are needed at a time.
        """
        if self.indices is not None:
            order = self.indices if order is None else self.indices[order]
        size, n = self.batch_size, self.n if order is None else len(order)
        takes: dict[int, Callable[[Array], object]] = {}
        for turn, start in enumerate(range(first * size, n, size)):
            stop = min(start + size, n)
            weight = None
            if self.mapped:
                refuse_cut(self.owner, "x", self.x)
                refuse_cut(self.owner, "y", self.y)
            if order is None:
                x, y = np.ascontiguousarray(self.x[start:stop]), np.ascontiguousarray(self.y[start:stop])
                if self.weight is not None:
                    weight = self.weight[start:stop]
            else:
                part = order[start:stop]
                into = None if memory is None else self._gathered(memory, turn % at_once, stop - start)
                x = self._taken(part, into, takes)
                y = self.y.take(part, 0)
                if self.weight is not None:
                    weight = self.weight.take(part)
            if self.mapped:
                _refuse_nonfinite(self.owner, "x of a batch", x)
                _refuse_nonfinite(self.owner, "y of a batch", y)
            yield x, y, weight

    def _gathered(self, memory: dict[tuple[Any, ...], Array], place: int, size: int) -> Array:
        """Return the array for a batch, the same one in each epoch for those of one size; a shorter one shares it."""
        kind = self.x.shape[1:], self.x.dtype, place
        array = memory.get((*kind, size))
        if array is None:
            whole = memory.get((*kind, self.batch_size))
            array = np.empty((size, *self.x.shape[1:]), self.x.dtype) if whole is None else whole[:size]
            memory[(*kind, size)] = array
        return array

    def _taken(self, part: Array, into: Array | None, takes: dict[int, Callable[[Array], object]]) -> Array:
        """Return the samples of a part of an order, in `into` if there is such; `takes` is what fills such arrays."""
        as_numpy = partial(self.x.take, axis=0, mode="clip")  # the order is known to be one, and "raise" would copy
        if into is None:
            return as_numpy(part)
        if id(into) not in takes:
            takes[id(into)] = bound_take(self.x, into) or partial(as_numpy, out=into)
        takes[id(into)](part)
        return into

    def known(self) -> list[tuple[Array, Array]]:
        """Return the parts of x and y that can be checked before training: all of them."""
        return [(self.x, self.y)]

    def told(self) -> dict[str, Any]:
        """Return what tells these batches from others: their sizes, and digests of what is in them."""
        given = {"x": self.x, "y": self.y, "weight": self.weight, "indices": self.indices}
        digests = {name: digest(array) for name, array in given.items() if array is not None}
        return {"samples": self.n, "batch_size": self.batch_size, **digests}


class Stream:
    """Batches (x, y) or (x, y, sample_weight) as an iterable gives them, gone through anew each epoch.

    Args:
        batches: The iterable. The batches of a list are looked at here, too, and kept as `checked`.
        class_weight: A weight for each class, which multiplies that of its samples.
        owner: Who names what is wrong.
    """

    def __init__(
        self, batches: Iterable[Any], *, class_weight: Mapping[int, float] | None = None, owner: str = "fit"
    ) -> None:
        self.owner = owner
        self.batches = batches
        self.class_weight = class_weight
        if isinstance(batches, Sized) and len(batches) == 0:
            raise ValueError(f"{owner}: data must have at least one batch. Received: an empty iterable")
        self.checked = [self._checked(batch) for batch in batches] if isinstance(batches, list) else []

    def known(self) -> list[tuple[Array, Array]]:
        """Return the parts of x and y that can be checked before training: those of a list's batches."""
        return [(x, y) for x, y, _ in self.checked]

    def told(self) -> dict[str, Any]:
        """Return what tells these batches from others: how many there are, if they tell."""
        return {"batches": len(self)}

    def __len__(self) -> int:
        """The number of batches in an epoch; 0 if the iterable doesn't tell."""
        return len(self.batches) if isinstance(self.batches, Sized) else 0

    @property
    def checked_targets(self) -> bool:
        """Whether `known` tells of all targets: never, since what gives the batches may give others next time."""
        return False

    @property
    def once(self) -> bool:
        """Whether it can be gone through only once."""
        return iter(self.batches) is self.batches

    def order(self, shuffle: Order, seed: int, epoch: int) -> None:
        """Refuse an order of the caller's own: an iterable has its own."""
        if callable(shuffle):
            raise ValueError(f"{self.owner}: an order of samples needs arrays. Received: shuffle={describe(shuffle)}")

    def epoch(
        self,
        order: Array | None = None,
        memory: dict[tuple[Any, ...], Array] | None = None,
        at_once: int = 1,
        first: int = 0,
    ) -> Iterator[Batch]:
        """Give the batches of one epoch, in their own order, from number `first` on."""
        count = 0
        for batch in self.batches:
            count += 1
            if count > first:
                yield self._checked(batch)
        if count < first:
            raise ValueError(
                f"{self.owner}: the iterable must give as many batches as before. Received: {count}, of which {first} "
                f"were done"
            )
        if not count:
            raise ValueError(f"{self.owner}: data must have at least one batch. Received: an iterable that is used up")

    def _checked(self, batch: Any) -> Batch:
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            raise ValueError(
                f"{self.owner}: a batch must be (x, y) or (x, y, sample_weight). Received: {describe(batch)}"
            )
        x, y = (samples(self.owner, name, given, read=True) for name, given in zip("xy", batch, strict=False))
        if len(x) != len(y) or not len(x):
            raise ValueError(
                f"{self.owner}: a batch must have as many x as y, at least one. Received: {len(x)} and {len(y)}"
            )
        weight = check_weight(self.owner, batch[2], len(x)) if len(batch) == 3 else None
        return np.ascontiguousarray(x), np.ascontiguousarray(y), _with_class_weight(y, weight, self.class_weight)


def batches(
    owner: str,
    x: Any,
    y: Any,
    *,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[int, float] | None = None,
    batch_size: int | None = None,
) -> Batches | Stream:
    """Return what `fit` or `evaluate` were given as batches: `x` and `y` as arrays, or `x` alone as an iterable."""
    if y is not None:
        return Batches(x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=batch_size, owner=owner)
    if isinstance(x, (np.ndarray, str, dict)) or not isinstance(x, Iterable):
        raise ValueError(f"{owner}: data must be x and y, or an iterable of batches. Received: x={describe(x)}, no y")
    for name, value in {"batch_size": batch_size, "sample_weight": sample_weight}.items():
        if value is not None:
            raise ValueError(f"{owner}: {name} is for arrays; an iterable's batches have their own. Received: {name}")
    return Stream(x, class_weight=class_weight, owner=owner)


WHOLE = 64 * 2**20  # bytes of an array up to which a digest is of all of it
SAMPLED = 4096  # entries along the first axis that stand for a larger one, or for a memory map


def digest(array: Array) -> str:
    """Return a short text that other arrays don't have; a large one, or a memory map, is only looked at here and there.

    >>> digest(np.zeros(3)) == digest(np.zeros(3)), digest(np.zeros(3)) == digest(np.zeros((3, 1)))
    (True, False)
    """
    import hashlib

    part = array
    if array.nbytes > WHOLE or mapped(array):
        part = array[:: max(len(array) // SAMPLED, 1)]
    found = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    found.update(np.ascontiguousarray(part).data)
    return found.hexdigest()[:16]


def pieces(owner: str, x: Array, size: int) -> Iterator[Array]:
    """Give samples `size` at a time, at least once; what is in a memory map is looked at as it comes."""
    for start in range(0, max(len(x), 1), size):
        refuse_cut(owner, "x", x)
        piece = x[start : start + size]
        if mapped(x):
            _refuse_nonfinite(owner, "x of a batch", piece)
        yield piece


def grouped(given: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Give batches `size` at a time, the last group shorter if need be."""
    while group := list(itertools.islice(given, size)):
        yield group


def _with_class_weight(y: Array, weight: Array | None, class_weight: Mapping[int, float] | None) -> Array | None:
    """Return each sample's weight times that of its class."""
    if class_weight is None:
        return weight
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"fit: class_weight must be a dict such as {{0: 1.0, 1: 5.0}}. Received: {describe(class_weight)}"
        )
    labels = class_labels(y)
    missing = sorted(set(labels.tolist()) - set(class_weight))
    if missing:
        raise ValueError(f"fit: class_weight must have a weight for every class. Received: none for class {missing[0]}")
    table = {c: number("fit", f"class_weight[{c}]", w, "[0, inf)") for c, w in class_weight.items()}
    weights = np.array([table[label] for label in labels.tolist()])
    return weights if weight is None else weights * weight


def samples(owner: str, name: str, value: Any, read: bool = False) -> Array:
    """Return what was given as an array with an axis of samples, all of it finite; a memory map only if it is `read`.

    Raises:
        ValueError: If it is none.
    """
    array = numbers(owner, name, value)
    if array.ndim == 0:
        raise ValueError(f"{owner}: {name} must have one entry a sample. Received: {describe(value)}")
    if read or not mapped(array):
        _refuse_nonfinite(owner, name, array)
    return array


def _refuse_nonfinite(owner: str, name: str, array: Array) -> None:
    if array.dtype.kind != "f":
        return
    largest = bound_largest(array)
    with np.errstate(over="ignore", invalid="ignore"):
        total = largest() if largest else np.vdot(array, array) if array.flags.c_contiguous else array.sum()
        if np.isfinite(total):  # it may overflow where every entry is finite, never the other way round
            return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{owner}: {name} must be finite. Received: {array[place]} at {list(place)}, {len(bad)} such in all"
        )
