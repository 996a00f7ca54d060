"""The BLAS that NumPy is linked to, where it is OpenBLAS: what else it exports, and what it says of itself."""

import ctypes
from typing import Any

import numpy as np

__all__ = ["blas_kernel", "blas_library", "blas_threads"]

# As NumPy's wheels, conda-forge and the distributions name it.
NAMES = (
    "scipy_openblas_get_corename64_",
    "scipy_openblas_get_corename",
    "openblas_get_corename64_",
    "openblas_get_corename",
)


def blas_library() -> Any:
    """Return the library in which symbols of NumPy's own BLAS are found too.

    Raises:
        OSError, AttributeError: If there is no such thing.
    """
    return ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]  # the module is NumPy's own


def blas_threads() -> int | None:
    """Return how many threads BLAS takes for large products; None if it doesn't tell."""
    try:
        return ctypes.c_int.in_dll(blas_library(), "blas_cpu_number").value
    except (AttributeError, OSError, ValueError):
        return None


def blas_kernel() -> str | None:
    """Return the name of the processor for which BLAS's kernels are made; None if it doesn't tell."""
    try:
        library = blas_library()
        name = next(name for name in NAMES if hasattr(library, name))
        function = getattr(library, name)
        function.restype = ctypes.c_char_p
        return str(function().decode())
    except (AttributeError, OSError, StopIteration):
        return None
