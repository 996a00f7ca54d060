"""Keras's initializers. What they draw comes from the model's seed."""

from typing import Any

from minidl import initializers
from minidl.keras.face import Door, door, missing

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "Zeros",
]

Initializer = initializers.Initializer


class Zeros(Door):
    """All entries 0."""

    makes = (initializers.Zeros,)

    @door
    def __new__(cls) -> Any: ...


class Ones(Door):
    """All entries 1."""

    makes = (initializers.Ones,)

    @door
    def __new__(cls) -> Any: ...


class Constant(Door):
    """All entries `value`."""

    makes = (initializers.Constant,)

    @door
    def __new__(cls, value: float = 0.0) -> Any: ...


class RandomNormal(Door):
    """Normal numbers."""

    makes = (initializers.RandomNormal,)

    @door
    def __new__(cls, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> Any: ...


class RandomUniform(Door):
    """Uniform numbers."""

    makes = (initializers.RandomUniform,)

    @door
    def __new__(cls, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> Any: ...


class Orthogonal(Door):
    """A matrix with orthonormal rows or columns."""

    makes = (initializers.Orthogonal,)

    @door
    def __new__(cls, gain: float = 1.0, seed: int | None = None) -> Any: ...


class GlorotUniform(Door):
    """Uniform, of variance 2 / (fan_in + fan_out)."""

    makes = (initializers.GlorotUniform,)

    @door
    def __new__(cls, seed: int | None = None) -> Any: ...


class GlorotNormal(Door):
    """Normal, of variance 2 / (fan_in + fan_out)."""

    makes = (initializers.GlorotNormal,)

    @door
    def __new__(cls, seed: int | None = None) -> Any: ...


class HeUniform(Door):
    """Uniform, of variance 2 / fan_in."""

    makes = (initializers.HeUniform,)

    @door
    def __new__(cls, seed: int | None = None) -> Any: ...


class HeNormal(Door):
    """Normal, of variance 2 / fan_in."""

    makes = (initializers.HeNormal,)

    @door
    def __new__(cls, seed: int | None = None) -> Any: ...


class LecunUniform(Door):
    """Uniform, of variance 1 / fan_in."""

    makes = (initializers.LeCunUniform,)

    @door
    def __new__(cls, seed: int | None = None) -> Any: ...


class LecunNormal(Door):
    """Normal, of variance 1 / fan_in."""

    makes = (initializers.LeCunNormal,)

    @door
    def __new__(cls, seed: int | None = None) -> Any: ...


__getattr__ = missing("keras.initializers", __all__)
