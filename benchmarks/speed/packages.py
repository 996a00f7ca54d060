"""What a framework costs before it does anything: the time of its import, and its size on the disk."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import minidl
from benchmarks.speed.measure import Effort, rotated
from minidl.optimizers.execution import EXECUTIONS

__all__ = ["imports"]

MODULES = ("minidl", "torch", "jax", "keras", "sklearn.neural_network")
INSTALLED = {  # the first package of each is its own, the others what it uses without requiring it
    "minidl": ("minidl",),
    "minidl[fast]": ("minidl", "llvmlite"),
    "torch": ("torch",),
    "jax": ("jax",),
    "keras on jax": ("keras", "jax"),
    "scikit-learn": ("scikit-learn",),
}
FIRST = """
import sys, time
import numpy as np
from minidl import Parameter, optimizers
for rule in (optimizers.Adam, optimizers.RMSprop):
    parameter, optimizer = Parameter(np.zeros(1000, np.float32)), rule()
    optimizer.execution = sys.argv[1]
    start = time.perf_counter()
    optimizer.step([parameter])
    print(time.perf_counter() - start)
"""
TIMED = "import time, numpy; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def imports(effort: Effort) -> dict[str, Any]:
    """Return the seconds of each module's import beyond NumPy's and of first steps, run by run, and packages' sizes."""
    there = [module for module in MODULES if find_spec(module.partition(".")[0])]
    seconds: dict[str, list[float]] = {module: [] for module in there}
    for turn in range(-1, effort.turns):  # the first fills the caches of files
        for module in rotated(there, turn):
            found = _seconds(module)
            seconds[module] += [found] if turn >= 0 else []
    return {
        "seconds": seconds,
        "first": {way: [_first_steps(way) for _ in range(effort.turns)] for way in EXECUTIONS[1:]},
        "sizes": {title: _sizes(wanted) for title, wanted in INSTALLED.items() if all(map(_installed, wanted))},
        "absent": [module for module in MODULES if module not in there],
    }


def _seconds(module: str) -> float:
    command = [sys.executable, "-c", TIMED.format(module)]
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def _first_steps(execution: str) -> list[float]:
    """Return the seconds of the first step of a process, and of that of another rule after it."""
    command = [sys.executable, "-c", FIRST, execution]
    return list(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))


def _sizes(packages: Sequence[str]) -> dict[str, int]:
    """Return the bytes of the first package, and of all with what they require."""
    return {"own": _size(packages[0]), "all": sum(_size(name) for name in _required(packages))}


def _size(package: str) -> int:
    if package == "minidl":  # it may be installed as a link to where it is edited
        files = list(Path(minidl.__file__).parent.rglob("*"))
    else:
        files = [Path(str(file.locate())) for file in importlib.metadata.files(package) or []]
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")


def _required(packages: Iterable[str]) -> set[str]:
    """Return the packages and all that they require and that is installed, without extras."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        package = waiting.pop()
        if _installed(package):  # or it is required on other systems only
            found.add(package)
            lines = [line for line in importlib.metadata.requires(package) or [] if "extra ==" not in line]
            names = [re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines]
            waiting += [name for name in names if name not in found]
    return found


def _installed(package: str) -> bool:
    return bool(list(importlib.metadata.distributions(name=package)))
