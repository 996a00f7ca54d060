"""Batches: how data becomes what a training step is given."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.losses import check_weight
from minidl.randomness import generator
from minidl.validation import describe, integer, number

__all__ = ["Batch", "Batches", "Order", "class_labels", "split_indices"]

Array = NDArray[Any]
Batch: TypeAlias = tuple[Array, Array, Array | None]
Order: TypeAlias = bool | Callable[[int, int], ArrayLike]

DEFAULT_BATCH_SIZE = 32


class Batches:
    """Data as batches (x, y, sample_weight): cut from arrays, or taken as an iterable gives them.

    Args:
        x: An array (a memory map too) whose first axis counts samples; or, without `y`, an iterable of batches
            (x, y) or (x, y, sample_weight), which is gone through anew each epoch.
        y: The targets, as many as samples.
        sample_weight: A weight at least 0 for each sample, shape (n,).
        class_weight: A weight for each class, which multiplies that of its samples.
        batch_size: Of arrays; 32 if None.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.class_weight = class_weight
        self.stream: Iterable[Any] | None = None
        if y is None:
            if isinstance(x, (np.ndarray, str, dict)) or not isinstance(x, Iterable):
                raise ValueError(
                    f"fit: data must be x and y, or an iterable of batches. Received: x={describe(x)}, no y"
                )
            for name, value in {"batch_size": batch_size, "sample_weight": sample_weight}.items():
                if value is not None:
                    raise ValueError(
                        f"fit: {name} is for arrays; an iterable's batches have their own. Received: {name}"
                    )
            if isinstance(x, Sized) and len(x) == 0:
                raise ValueError("fit: data must have at least one batch. Received: an empty iterable")
            self.stream = x
            self.n = 0
            return
        self.x, self.y = _samples("x", x), _samples("y", y)
        self.n = len(self.x)
        if self.n != len(self.y):
            raise ValueError(f"fit: x and y must have as many samples. Received: {self.n} and {len(self.y)}")
        if self.n == 0:
            raise ValueError(f"fit: data must have at least one sample. Received: x of shape {self.x.shape}")
        self.weight = check_weight("fit", sample_weight, self.n)
        if class_weight is not None:
            self.weight = _class_weights(self.y, self.weight, class_weight)
        self.batch_size = DEFAULT_BATCH_SIZE if batch_size is None else integer("fit", "batch_size", batch_size, 1)

    def __len__(self) -> int:
        """The number of batches in an epoch; 0 if an iterable doesn't tell."""
        if self.stream is not None:
            return len(self.stream) if isinstance(self.stream, Sized) else 0
        return math.ceil(self.n / self.batch_size)

    @property
    def once(self) -> bool:
        """Whether it can be gone through only once."""
        return self.stream is not None and iter(self.stream) is self.stream

    def subset(self, indices: Array) -> "Batches":
        """Return the batches of some of the samples."""
        part = object.__new__(Batches)
        part.__dict__.update(self.__dict__)
        part.x, part.y, part.n = self.x[indices], self.y[indices], len(indices)
        part.weight = None if self.weight is None else self.weight[indices]
        return part

    def order(self, shuffle: Order, seed: int, epoch: int) -> Array | None:
        """Return the samples' order in an epoch, a function of (seed, epoch); None as they are.

        Raises:
            ValueError: If the caller's own order isn't one.
        """
        if self.stream is not None or shuffle is False:
            return None
        if shuffle is True:
            return generator(seed, "order", epoch).permutation(self.n)
        order = np.asarray(shuffle(epoch, self.n))
        if order.ndim != 1 or order.dtype.kind not in "iu" or not len(order):
            raise ValueError(f"fit: shuffle(epoch, n) must return indices. Received: {describe(order)}")
        if order.min() < 0 or order.max() >= self.n:
            raise ValueError(
                f"fit: shuffle(epoch, n) must return indices in 0 .. {self.n - 1}. "
                f"Received: indices from {order.min()} to {order.max()}"
            )
        return order

    def epoch(self, order: Array | None = None) -> Iterator[Batch]:
        """Give the batches of one epoch, the last one shorter if need be."""
        if self.stream is not None:
            batch = None
            for batch in self.stream:
                yield self._streamed(batch)
            if batch is None:
                raise ValueError("fit: data must have at least one batch. Received: an iterable that is used up")
            return
        n = self.n if order is None else len(order)
        for start in range(0, n, self.batch_size):
            stop = min(start + self.batch_size, n)
            part = slice(start, stop) if order is None else order[start:stop]
            yield self.x[part], self.y[part], None if self.weight is None else self.weight[part]

    def groups(self, order: Array | None, size: int) -> Iterator[list[Batch]]:
        """Give the batches of one epoch, `size` at a time."""
        batches = self.epoch(order)
        while group := list(itertools.islice(batches, size)):
            yield group

    def _streamed(self, batch: Any) -> Batch:
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            raise ValueError(f"fit: a batch must be (x, y) or (x, y, sample_weight). Received: {describe(batch)}")
        x, y = _samples("x", batch[0]), _samples("y", batch[1])
        if len(x) != len(y) or not len(x):
            raise ValueError(f"fit: a batch must have as many x as y, at least one. Received: {len(x)} and {len(y)}")
        weight = check_weight("fit", batch[2], len(x)) if len(batch) == 3 else None
        return x, y, weight if self.class_weight is None else _class_weights(y, weight, self.class_weight)


def split_indices(
    n: int, fraction: float, rng: np.random.Generator, labels: Array | None = None
) -> tuple[Array, Array]:
    """Return the indices, each in increasing order, of a random split: the rest, and a `fraction` of n samples.

    With `labels` the split is stratified: each class gives its share, rounded so that the total is that of a
    plain split.

    Raises:
        ValueError: If a part would be empty.
    """
    fraction = number("split", "fraction", fraction, "(0, 1)")
    size = round(n * fraction)
    if not 0 < size < n:
        raise ValueError(f"split: both parts must have samples. Received: {size} of {n} samples, fraction={fraction}")
    if labels is None:
        chosen = rng.permutation(n)[:size]
    else:
        classes, counts = np.unique(labels, return_counts=True)
        shares = counts * size / n
        sizes = np.floor(shares).astype(int)
        # Those who lost most by rounding down get the places that are left.
        sizes[np.argsort(sizes - shares, kind="stable")[: size - sizes.sum()]] += 1
        parts = [rng.permutation(np.flatnonzero(labels == c))[:count] for c, count in zip(classes, sizes, strict=True)]
        chosen = np.concatenate(parts)
    mask = np.zeros(n, bool)
    mask[chosen] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def class_labels(y: Array) -> Array:
    """Return the class of each sample, from integers or one-hot rows.

    Raises:
        ValueError: If `y` holds no classes.
    """
    if y.ndim == 2 and y.shape[1] > 1:
        if ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
            return y.argmax(axis=1)
    elif y.size == len(y) and np.array_equal(y, y.astype(int)):
        return y.reshape(-1).astype(int)
    raise ValueError(f"fit: classes must be integers or one-hot rows. Received: y={describe(y)}")


def _class_weights(y: Array, weight: Array | None, class_weight: Mapping[int, float]) -> Array:
    labels = class_labels(y)
    missing = sorted(set(labels.tolist()) - set(class_weight))
    if missing:
        raise ValueError(f"fit: class_weight must have a weight for every class. Received: none for class {missing[0]}")
    table = {c: number("fit", f"class_weight[{c}]", w, "[0, inf)") for c, w in class_weight.items()}
    weights = np.array([table[label] for label in labels.tolist()])
    return weights if weight is None else weights * weight


def _samples(name: str, value: Any) -> Array:
    try:
        array = np.asarray(value)
    except ValueError:  # NumPy's word for rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise ValueError(f"fit: {name} must be an array of numbers, one entry a sample. Received: {describe(value)}")
    return array
