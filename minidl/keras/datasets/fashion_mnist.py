"""Fashion-MNIST, as Keras gives it."""

from typing import Any

from numpy.typing import NDArray

from minidl import datasets

__all__ = ["load_data"]

Pair = tuple[NDArray[Any], NDArray[Any]]


def load_data() -> tuple[Pair, Pair]:
    """Return (x_train, y_train), (x_test, y_test): images of bytes, (n, 28, 28), and labels.

    They come from `MINIDL_DATA_DIR`, the cache or, with the extra `data`, their official address; see
    `minidl.datasets.load_fashion_mnist`.
    """
    return datasets.load_fashion_mnist()
