"""Data to begin with."""

from minidl.datasets.digits import load_digits
from minidl.datasets.generators import make_moons

__all__ = ["load_digits", "make_moons"]
