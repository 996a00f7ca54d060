"""What the promise of an exact resume hangs on: written down, and compared."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.compute.blas import blas_kernel, blas_threads
from minidl.config import describe_object
from minidl.saving.settings import parameter_settings
from minidl.validation import describe

if TYPE_CHECKING:
    from minidl.training import Trainer

__all__ = ["agreement", "changes", "described", "digest_of", "environment", "training_setup", "without_seeds"]


def environment() -> dict[str, Any]:
    """Return the versions and the machine that bits hang on."""
    from importlib.metadata import PackageNotFoundError, version

    import minidl

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    llvm = None
    with contextlib.suppress(PackageNotFoundError):
        llvm = version("llvmlite")
    return {
        "minidl": minidl.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "llvmlite": llvm,
        "machine": f"{platform.system()} {platform.machine()}",
        "BLAS": f"{blas.get('name')} {blas.get('version')}",
        "BLAS kernel": blas_kernel(),
        "BLAS threads": blas_threads(),
    }


def training_setup(trainer: Trainer, options: dict[str, Any]) -> dict[str, Any]:
    """Return what is trained, how, and on what, as far as it can be described; `options` are those of the fit."""
    return {
        "model": without_seeds(described(trainer.model)),
        "optimizer": described(trainer.optimizer),
        "loss": described(trainer.loss),
        "metrics": [described(metric) for metric in trainer.metrics],
        **options,
    }


def agreement(trainer: Trainer) -> dict[str, Any]:
    """Return what processes that train together must have in common."""
    model = trainer.model
    return {
        "the seed": trainer.seed,
        "the model": described(model),
        "the optimizer": described(trainer.optimizer),
        "the optimizer's count of steps": trainer.optimizer.iterations,
        "the loss": described(trainer.loss),
        "the weights": digest_of(model.named_arrays()) if model.built else None,
        "how parameters are trained": parameter_settings(model) if model.built else None,
    }


def digest_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a short text that other arrays, or the same by other names, don't have.

    >>> digest_of({"a": np.zeros(2)}) == digest_of({"b": np.zeros(2)})
    False
    """
    import hashlib

    found = hashlib.sha256()
    for name, array in arrays.items():
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:16]


def without_seeds(config: Any) -> Any:
    """Return a config without the seeds, of which what was drawn by them is restored."""
    if isinstance(config, dict):
        return {name: without_seeds(value) for name, value in config.items() if name != "seed"}
    return [without_seeds(value) for value in config] if isinstance(config, list) else config


def described(thing: Any) -> Any:
    """Return the config of `thing`; None if there is no such description."""
    try:
        return describe_object(thing)
    except (AttributeError, TypeError):
        return None


def changes(was: Any, now: Any, path: str = "") -> Iterator[str]:
    """Tell where two setups differ, each place in a few words.

    >>> list(changes({"optimizer": {"learning_rate": 0.1}}, {"optimizer": {"learning_rate": 0.2}}))
    ['optimizer learning_rate was 0.1, is 0.2']
    """
    if isinstance(was, dict) and isinstance(now, dict):
        for name in [*was, *(name for name in now if name not in was)]:
            yield from changes(was.get(name), now.get(name), f"{path} {name}".strip())
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for i, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from changes(one, other, f"{path}[{i}]")
    elif was != now:
        yield f"{path} was {describe(was)}, is {describe(now)}"
