"""The embedded data set: handwritten digits."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.config import checked

__all__ = ["load_digits"]

TRAIN = 1437


@checked
def load_digits() -> tuple[tuple[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]:
    """Return 1,797 handwritten digits of 8 × 8 pixels as (x_train, y_train), (x_test, y_test).

    Images are uint8 of shape (n, 8, 8) with grey levels 0 to 16; labels are int64 in 0 .. 9. The split is fixed: in
    the order of the source the first 1,437 images train and the last 360 test, about 36 of each digit. Each call
    returns new arrays.

    Source: E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, UCI machine learning repository,
    1998, its test part, licensed CC BY 4.0; as it comes with scikit-learn (BSD 3-clause). The file holds the very same
    numbers.

    >>> (x_train, y_train), (x_test, y_test) = load_digits()
    >>> x_train.shape, y_test[:5].tolist()
    ((1437, 8, 8), [2, 3, 4, 5, 6])
    """
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    return (images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:])
