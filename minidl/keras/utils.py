"""Keras's helpers for data and seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.keras.face import defaults_of, defaults_only, missing
from minidl.keras.random_state import seed_all
from minidl.validation import choice, describe, integer

__all__ = ["PyDataset", "normalize", "pad_sequences", "set_random_seed", "to_categorical"]

Array = NDArray[Any]


def set_random_seed(seed: int) -> None:
    """Seed Python's and NumPy's global generators, as Keras does, and the models that are made from now on."""
    seed_all(seed)


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> Array:
    """Return labels 0 .. num_classes − 1 as one-hot rows of float32; as many classes as there are unless told.

    Raises:
        ValueError: If `x` aren't such labels.

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.dtype.kind not in "iub" and not (labels.dtype.kind == "f" and np.array_equal(labels, np.round(labels))):
        raise ValueError(f"to_categorical: x must be integers. Received: {describe(labels)}")
    labels = labels.astype(np.int64)
    classes = (
        int(labels.max(initial=-1)) + 1
        if num_classes is None
        else integer("to_categorical", "num_classes", num_classes, 1)
    )
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"to_categorical: labels must be in 0 .. {classes - 1}. Received: from {labels.min()} to {labels.max()}"
        )
    return np.eye(classes, dtype=np.float32)[labels]


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> Array:
    """Return `x` with a norm of 1 along `axis`; what is 0 stays so.

    >>> normalize([[3.0, 4.0]]).tolist()
    [[0.6, 0.8]]
    """
    values = np.asarray(x, dtype=np.float64 if np.asarray(x).dtype == np.float64 else np.float32)
    norms = np.linalg.norm(values, order, axis, keepdims=True)
    result: Array = values / np.where(norms == 0, 1, norms)
    return result


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> Array:
    """Return sequences as rows of one length, filled up with `value` and cut, at their begin ("pre") or end ("post").

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2).tolist()
    [[0, 1], [3, 4]]
    """
    choice("pad_sequences", "padding", padding, ("pre", "post"))
    choice("pad_sequences", "truncating", truncating, ("pre", "post"))
    rows = [np.asarray(row) for row in sequences]
    length = (
        max((len(row) for row in rows), default=0) if maxlen is None else integer("pad_sequences", "maxlen", maxlen, 1)
    )
    rest = next((row.shape[1:] for row in rows if len(row)), ())
    result = np.full((len(rows), length, *rest), value, dtype=dtype)
    for row, line in zip(rows, result, strict=True):
        cut = row[-length:] if truncating == "pre" else row[:length]
        if len(cut):
            line[(length - len(cut)) if padding == "pre" else 0 :][: len(cut)] = cut
    return result


class PyDataset:
    """The base of a script's own batches: a subclass gives `__len__`, how many there are, and `__getitem__`."""

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        absent = {"workers": workers, "use_multiprocessing": use_multiprocessing}
        defaults_only("keras PyDataset", defaults_of(PyDataset), absent)

    def __len__(self) -> int:
        raise NotImplementedError("keras PyDataset: a subclass must give __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError("keras PyDataset: a subclass must give __getitem__(index)")

    def on_epoch_begin(self) -> None:
        """Be told that its batches are about to be gone through, by a fit or an evaluation."""

    def on_epoch_end(self) -> None:
        """Be told that they all were: before an epoch's validation and callbacks."""


__getattr__ = missing("keras.utils", __all__)
