"""Keras's data sets, of which there is one here: `fashion_mnist`."""

from minidl.keras.datasets import fashion_mnist
from minidl.keras.face import missing

__all__ = ["fashion_mnist"]

__getattr__ = missing("keras.datasets", __all__)
