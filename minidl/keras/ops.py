"""What scripts use of `keras.ops`: NumPy's functions, which make float32 where Keras does."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minidl.keras.config import floatx
from minidl.validation import nearest

__all__ = ["cast", "convert_to_numpy", "convert_to_tensor", "ones", "shape", "zeros"]

Array = NDArray[Any]

# Those of NumPy's functions that mean the same.
SAME = (
    "abs", "all", "any", "arange", "argmax", "argmin", "argsort", "clip", "concatenate", "cos", "exp", "expand_dims",
    "log", "max", "maximum", "mean", "min", "minimum", "prod", "reshape", "sin", "sqrt", "square", "squeeze", "stack",
    "std", "sum", "transpose", "var", "where",
)  # fmt: skip


def ones(shape: Any, dtype: DTypeLike | None = None) -> Array:
    """Return an array of ones."""
    return np.ones(shape, floatx() if dtype is None else dtype)


def zeros(shape: Any, dtype: DTypeLike | None = None) -> Array:
    """Return an array of zeros."""
    return np.zeros(shape, floatx() if dtype is None else dtype)


def convert_to_tensor(x: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """Return `x` as an array: here arrays are NumPy's."""
    array = np.asarray(x, dtype)
    return array.astype(floatx()) if dtype is None and array.dtype == np.float64 else array


def convert_to_numpy(x: ArrayLike) -> Array:
    """Return `x` as an array."""
    return np.asarray(x)


def cast(x: ArrayLike, dtype: DTypeLike) -> Array:
    """Return `x` in another dtype."""
    return np.asarray(x).astype(dtype)


def shape(x: ArrayLike) -> tuple[int, ...]:
    """Return the shape."""
    return np.shape(x)


def __getattr__(name: str) -> Any:
    if name in SAME:
        return getattr(np, name)
    raise AttributeError(f"keras.ops: {name} isn't supported. {nearest(name, [*__all__, *SAME])}")
