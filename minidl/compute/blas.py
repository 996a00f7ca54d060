"""The BLAS that NumPy is linked to, where it is OpenBLAS: what else it exports, and what it says of itself."""

import ctypes
from typing import Any

import numpy as np

__all__ = ["blas_kernel", "blas_library", "blas_threads"]

# As NumPy's wheels, conda-forge and the distributions name what it says of itself.
NAMES = ("scipy_openblas_get_{}64_", "scipy_openblas_get_{}", "openblas_get_{}64_", "openblas_get_{}")


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
    except (AttributeError, OSError, ValueError):  # NumPy's wheels from 2.5 on show what is public alone
        return _told("num_threads", ctypes.c_int)


def blas_kernel() -> str | None:
    """Return the name of the processor for which BLAS's kernels are made; None if it doesn't tell."""
    name = _told("corename", ctypes.c_char_p)
    return None if name is None else str(name.decode())


def _told(what: str, kind: Any) -> Any:
    """Return what OpenBLAS says of itself; None if it doesn't, or is another BLAS."""
    try:
        library = blas_library()
        function = getattr(library, next(name.format(what) for name in NAMES if hasattr(library, name.format(what))))
        function.restype = kind
        return function()
    except (AttributeError, OSError, StopIteration):
        return None
