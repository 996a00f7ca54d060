"""What several test files need to check numbers."""

import os
import subprocess
import sys

import numpy as np


def central_difference(f, x, h=1e-5):
    """Return the gradient of the scalar function `f()` by the float64 array `x`, which it reads, by differences."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + h
        above = f()
        x[i] = kept - h
        below = f()
        x[i] = kept
        gradient[i] = (above - below) / (2 * h)
    return gradient


def relative_error(actual, expected):
    """Return the largest deviation, relative to the largest expected entry."""
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() / np.abs(expected).max()


def run_python(code, hash_seed="0"):
    """Return what `code` prints in a fresh process, where warnings are errors."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def same_arrays(first, second):
    """Tell whether two lists or dicts of arrays hold the same bits."""
    if isinstance(first, dict):
        return list(first) == list(second) and same_arrays(list(first.values()), list(second.values()))
    return len(first) == len(second) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(first, second, strict=True)
    )
