"""How parameters start: random and constant initial values.

An initializer is called as `initializer(shape, rng, dtype)` and returns a new array. Random numbers are
drawn in double precision and then rounded, so a float32 and a float64 model of one seed start alike.

The fans of a shape follow Keras: for a kernel of shape (..., n_in, n_out) the leading axes are the
receptive field, fan_in = field · n_in and fan_out = field · n_out; a vector of length n has both fans n.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.config import Configurable, Registry, checked
from minidl.validation import describe, integer, number, numbers

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "Zeros",
    "fans",
    "registry",
    "undrawn",
]


class Initializer(Configurable):
    """The base of all initializers. A subclass overrides `draw`."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return a new array of `shape` and `dtype`, drawn from `rng`.

        Raises:
            ValueError, TypeError: If the shape or the generator is none, or what was drawn aren't numbers.
        """
        owner = type(self).__name__
        shape = _sizes(owner, shape)
        allowance = _ALLOWANCE.get()
        if allowance is not None:
            allowance.take(shape)
            return np.zeros(shape, dtype)
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"{owner}: rng must be a numpy.random.Generator. Received: rng={describe(rng)}")
        return numbers(owner, "what draw returns", self.draw(shape, rng)).astype(dtype)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Return the values in float64."""
        raise NotImplementedError(f"{type(self).__name__}: an initializer must give draw(shape, rng)")


def _sizes(owner: str, shape: object) -> tuple[int, ...]:
    """Return a shape as a tuple of Python ints, or raise TypeError or ValueError."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{owner}: shape must be a tuple, such as (784, 500). Received: shape={describe(shape)}")
    return tuple(integer(owner, f"shape[{axis}]", size) for axis, size in enumerate(shape))


registry: Registry[Initializer] = Registry("initializer", Initializer)


class _Allowance:
    """How many entries may still be made."""

    def __init__(self, entries: int) -> None:
        self.entries = entries

    def take(self, shape: tuple[int, ...]) -> None:
        self.entries -= math.prod(shape)
        if self.entries < 0:
            raise ValueError(f"initializers: there must be values for all entries. Received: shape {shape} beyond them")


_ALLOWANCE: ContextVar[_Allowance | None] = ContextVar("allowance", default=None)


@checked
@contextmanager
def undrawn(entries: int) -> Iterator[None]:
    """Let all initializers give zeros, and refuse more than so many entries in all.

    For parameters whose values are at hand: nothing is drawn in vain, and nobody is made to fill the memory by a shape
    for which there are no values.
    """
    token = _ALLOWANCE.set(_Allowance(entries))
    try:
        yield
    finally:
        _ALLOWANCE.reset(token)


@registry.register("zeros")
class Zeros(Initializer):
    """All entries 0.

    >>> Zeros()((2, 3), np.random.default_rng(0)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        return np.zeros(shape)


@registry.register("ones")
class Ones(Initializer):
    """All entries 1.

    >>> Ones()((3,), np.random.default_rng(0)).tolist()
    [1.0, 1.0, 1.0]
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        return np.ones(shape)


@registry.register("constant")
class Constant(Initializer):
    """All entries `value`.

    Args:
        value: What they are, finite.

    >>> Constant(0.5)((3,), np.random.default_rng(0)).tolist()
    [0.5, 0.5, 0.5]
    """

    ranges = {"value": "(-inf, inf)"}

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        return np.full(shape, self.value)


@registry.register("random_normal", "normal")
class RandomNormal(Initializer):
    """Independent normal numbers.

    Args:
        mean: Their mean, finite.
        stddev: Their standard deviation, at least 0.

    >>> w = RandomNormal(3.0, stddev=0.5)((50, 100), np.random.default_rng(0))
    >>> round(float(w.mean()), 1), round(float(w.std()), 1)
    (3.0, 0.5)
    """

    ranges = {"mean": "(-inf, inf)", "stddev": "[0, inf)"}

    def __init__(self, mean: float = 0.0, stddev: float = 0.05) -> None:
        self.mean = mean
        self.stddev = stddev

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        return rng.normal(self.mean, self.stddev, shape)


@registry.register("random_uniform", "uniform")
class RandomUniform(Initializer):
    """Independent numbers, uniform in [minval, maxval).

    Args:
        minval: The least, finite.
        maxval: What they stay below, finite, at least `minval`.

    >>> w = RandomUniform(-1.0, 2.0)((50, 100), np.random.default_rng(0))
    >>> round(float(w.min()), 1), round(float(w.max()), 1)
    (-1.0, 2.0)
    """

    ranges = {"minval": "(-inf, inf)", "maxval": "(-inf, inf)"}

    def __init__(self, minval: float = -0.05, maxval: float = 0.05) -> None:
        self.minval = minval
        self.maxval = number("RandomUniform", "maxval", maxval, f"[{self.minval}, inf)")

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        return rng.uniform(self.minval, self.maxval, shape)


@registry.register("orthogonal")
class Orthogonal(Initializer):
    """`gain` times a matrix with orthonormal rows or columns, whichever are fewer.

    All axes but the last are taken together as rows. The matrix is the Q of a normal matrix's QR
    decomposition, with the signs of R's diagonal moved into it, which makes it uniform (Haar).

    Args:
        gain: The factor, finite.

    Source: Saxe, McClelland, Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, 2014.

    >>> w = Orthogonal(gain=2.0)((5, 3), np.random.default_rng(0), "float64")
    >>> np.allclose(w.T @ w, 4 * np.eye(3))
    True
    """

    ranges = {"gain": "(-inf, inf)"}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: shape must have at least two axes. Received: shape={shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@checked
def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a kernel's shape, as told at the head of this module.

    >>> fans((784, 500)), fans((3, 3, 32, 64)), fans((5,))
    ((784, 500), (288, 576), (5, 5))
    """
    shape = _sizes("fans", shape)
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


class _Scaled(Initializer):
    """Zero-mean numbers whose variance is `gain` over a mean of the fans."""

    gain: float
    normal: bool

    def fan(self, shape: tuple[int, ...]) -> float:
        return fans(shape)[0]

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        variance = self.gain / max(self.fan(shape), 1.0)
        if not self.normal:
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        values = rng.standard_normal(shape)
        outside = np.abs(values) > 2
        while outside.any():
            values[outside] = rng.standard_normal(int(outside.sum()))
            outside = np.abs(values) > 2
        # A normal number cut at two standard deviations has this standard deviation.
        return values * (math.sqrt(variance) / 0.87962566103423978)


class _Glorot(_Scaled):
    gain = 1.0

    def fan(self, shape: tuple[int, ...]) -> float:
        return sum(fans(shape)) / 2


@registry.register("glorot_uniform", "xavier_uniform")
class GlorotUniform(_Glorot):
    """Uniform in ±√(6 / (fan_in + fan_out)); Keras's default for kernels.

    Source: Glorot, Bengio, Understanding the difficulty of training deep feedforward networks, 2010.

    >>> w = GlorotUniform()((50, 100), np.random.default_rng(0))  # √(6 / 150) is 0.2
    >>> round(float(abs(w).max()), 2)
    0.2
    """

    normal = False


@registry.register("glorot_normal", "xavier_normal")
class GlorotNormal(_Glorot):
    """Normal of variance 2 / (fan_in + fan_out), cut at two standard deviations.

    Source: Glorot, Bengio, 2010. Differs from: PyTorch's isn't cut; Keras's is, as here.

    >>> w = GlorotNormal()((50, 150), np.random.default_rng(0))  # √(2 / 200) is 0.1
    >>> round(float(w.std()), 2)
    0.1
    """

    normal = True


@registry.register("he_uniform", "kaiming_uniform")
class HeUniform(_Scaled):
    """Uniform in ±√(6 / fan_in); made for ReLU.

    Source: He, Zhang, Ren, Sun, Delving deep into rectifiers, 2015.

    >>> w = HeUniform()((24, 100), np.random.default_rng(0))  # √(6 / 24) is 0.5
    >>> round(float(abs(w).max()), 2)
    0.5
    """

    gain = 2.0
    normal = False


@registry.register("he_normal", "kaiming_normal")
class HeNormal(_Scaled):
    """Normal of variance 2 / fan_in, cut at two standard deviations; made for ReLU.

    Source: He, Zhang, Ren, Sun, 2015. Differs from: PyTorch's isn't cut; Keras's is, as here.

    >>> w = HeNormal()((50, 100), np.random.default_rng(0))  # √(2 / 50) is 0.2
    >>> round(float(w.std()), 2)
    0.2
    """

    gain = 2.0
    normal = True


@registry.register("lecun_uniform")
class LeCunUniform(_Scaled):
    """Uniform in ±√(3 / fan_in).

    Source: LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998.

    >>> w = LeCunUniform()((75, 100), np.random.default_rng(0))  # √(3 / 75) is 0.2
    >>> round(float(abs(w).max()), 2)
    0.2
    """

    gain = 1.0
    normal = False


@registry.register("lecun_normal")
class LeCunNormal(_Scaled):
    """Normal of variance 1 / fan_in, cut at two standard deviations.

    Source: LeCun, Bottou, Orr, Müller, 1998; Klambauer et al. (SELU), 2017.

    >>> w = LeCunNormal()((100, 50), np.random.default_rng(0))  # √(1 / 100) is 0.1
    >>> round(float(w.std()), 2)
    0.1
    """

    gain = 1.0
    normal = True
