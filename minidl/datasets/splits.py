"""Cutting arrays in two: one part to train on, one to test on."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import checked
from minidl.randomness import generator, seed_or_fresh
from minidl.splitting import class_labels, split_indices
from minidl.validation import describe, numbers

__all__ = ["train_test_split"]


@checked
def train_test_split(
    *arrays: ArrayLike, test_size: float = 0.25, seed: int | None = None, stratify: ArrayLike | None = None
) -> list[NDArray[Any]]:
    """Return, for each array, its training part and its test part: x_train, x_test, y_train, y_test.

    The parts are drawn at random; within them samples keep their order.

    Args:
        arrays: At least one; all of as many samples.
        test_size: The fraction of samples that test, in (0, 1), rounded to whole samples.
        seed: What the split is a function of; None draws a fresh one.
        stratify: The classes (integers or one-hot rows): each gives its share to both parts. None stratifies nothing.

    Raises:
        ValueError: If the arrays don't fit each other, or a part would be empty.

    Differs from: scikit-learn shuffles within the parts, and rounds the test part up.

    >>> x_train, x_test = train_test_split(np.arange(8), test_size=0.25, seed=0)
    >>> len(x_train), len(x_test)
    (6, 2)
    """
    given = [_samples(array) for array in arrays]
    sizes = [len(array) for array in given]
    if not given or len(set(sizes)) > 1:
        raise ValueError(f"train_test_split: arrays must have as many samples, at least one. Received: {sizes} samples")
    labels = None
    if stratify is not None:
        classes = numbers("train_test_split", "stratify", stratify)
        if not classes.ndim:
            raise ValueError(
                f"train_test_split: stratify must be an array of classes. Received: stratify={describe(stratify)}"
            )
        labels = class_labels(classes, "train_test_split", "stratify")
    if labels is not None and len(labels) != sizes[0]:
        raise ValueError(
            f"train_test_split: stratify must have a class for each sample. Received: {len(labels)} for {sizes[0]}"
        )
    rng = generator(seed_or_fresh("train_test_split", seed), "split")
    train, test = split_indices(sizes[0], test_size, rng, labels, "train_test_split", "test_size")
    return [array[part] for array in given for part in (train, test)]


def _samples(given: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        array = np.empty(())
    if array.ndim == 0:
        raise ValueError(f"train_test_split: arrays must have one entry a sample. Received: {describe(given)}")
    return array
