"""Data to begin with, and to compare on."""

from minidl.datasets.digits import load_digits
from minidl.datasets.fashion_mnist import (
    FASHION_MNIST_CLASSES,
    fetch_fashion_mnist,
    load_fashion_mnist,
    verify_fashion_mnist,
)
from minidl.datasets.generators import make_blobs, make_circles, make_moons, make_spirals
from minidl.datasets.splits import train_test_split

__all__ = [
    "FASHION_MNIST_CLASSES",
    "fetch_fashion_mnist",
    "load_digits",
    "load_fashion_mnist",
    "make_blobs",
    "make_circles",
    "make_moons",
    "make_spirals",
    "train_test_split",
    "verify_fashion_mnist",
]
