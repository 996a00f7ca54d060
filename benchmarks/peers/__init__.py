"""Optimizers of other frameworks, each behind the few names that minidl's own have, so that both can be tried alike.

An adapter hands over to its framework all that this does itself: the step, what it makes of frozen parameters and of
gradients that aren't finite, the checks of its constructor, saving, copying. It mends nothing and adds nothing. What a
framework doesn't have, its adapter doesn't have either; what an adapter can't show, `hidden` says, with the reason.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from minidl.parameters import Parameter

__all__ = ["FRAMEWORKS", "Peer", "missing", "peer", "versions"]

Array = NDArray[Any]

# Framework: the module of its adapter, the class there, the packages it needs by the names of their modules.
FRAMEWORKS = {
    "Keras": ("benchmarks.peers.with_keras", "Keras", {"keras": "keras", "torch": "torch"}),
    "PyTorch": ("benchmarks.peers.with_torch", "Torch", {"torch": "torch"}),
    "Optax": ("benchmarks.peers.with_optax", "Optax", {"optax": "optax", "jax": "jax"}),
    "scikit-learn": ("benchmarks.peers.with_sklearn", "ScikitLearn", {"sklearn": "scikit-learn"}),
}

# What the papers mean by these names; no framework has a wider use for one of them.
RANGES = {
    "learning_rate": "[0, inf)",
    "momentum": "[0, 1)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "rho": "[0, 1)",
    "epsilon": "[0, inf)",
    "weight_decay": "[0, inf)",
}


class Peer:
    """A framework's optimizer, by its name there and the arguments that it is given.

    Hyperparameters are attributes under minidl's names; other names are assigned to the framework's own object.

    Attributes:
        elementwise: Whether the rule is; by its paper, for no framework says so.
        hidden: The names of checks whose answer would be the adapter's and not the framework's, with the reason.
    """

    framework: ClassVar[str]
    hidden: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("rate_multiplier", "decay_multiplier"), "a parameter's multiplier is minidl's own"),
        **dict.fromkeys(
            ("schedule_by_index", "schedule_resumes", "rate_applied"), "its schedules are other objects than minidl's"
        ),
    }

    def __init__(self, name: str, **arguments: Any) -> None:
        self.name = name
        self.arguments = arguments
        self.elementwise = name.lower() != "lamb"

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The numbers in force, under minidl's names."""
        raise NotImplementedError

    @property
    def ranges(self) -> dict[str, str]:
        """The ranges of the hyperparameters."""
        ranges = {name: RANGES[name] for name in self.hyperparameters}
        return {**ranges, "momentum": "(0, 1)"} if self.arguments.get("nesterov") else ranges

    def step(self, parameters: Iterable[Parameter]) -> None:
        """Let the framework step the parameters."""
        raise NotImplementedError

    def call(self) -> str:
        """Return the call that makes this optimizer in its framework, as code."""
        raise NotImplementedError

    def _change(self, name: str, value: Any) -> None:
        """Change a hyperparameter, called as in minidl."""
        raise NotImplementedError

    def _own(self) -> Any:
        """Return the framework's own object."""
        raise NotImplementedError

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in ("name", "arguments", "elementwise"):
            object.__setattr__(self, name, value)
        elif name in RANGES:
            self._change(name, value)
        else:
            setattr(self._own(), name, value)

    def __getattr__(self, name: str) -> Any:
        if name in RANGES and name in self.hyperparameters:
            return self.hyperparameters[name]
        raise AttributeError(f"{type(self).__name__}: no such attribute. Received: {name}")

    def _shown(self, *first: str) -> str:
        return ", ".join([*first, *(f"{name}={value!r}" for name, value in self.arguments.items())])

    def __repr__(self) -> str:
        return f"{self.framework}: {self.call()}, {self.hyperparameters}"


def missing(framework: str) -> list[str]:
    """Return the packages that a framework needs and that aren't installed."""
    needed = FRAMEWORKS[framework][2]
    return [package for module, package in needed.items() if importlib.util.find_spec(module) is None]


def module(framework: str) -> ModuleType:
    """Return the module with the adapter of a framework."""
    return importlib.import_module(FRAMEWORKS[framework][0])


def peer(framework: str, name: str, **arguments: Any) -> Peer:
    """Return a framework's optimizer.

    Raises:
        ImportError: If the framework isn't installed.
    """
    adapter: type[Peer] = getattr(module(framework), FRAMEWORKS[framework][1])
    return adapter(name, **arguments)


def versions(framework: str) -> str:
    """Return the name of a framework and the versions of the packages behind it."""
    packages = FRAMEWORKS[framework][2].values()
    return ", ".join(f"{package} {importlib.metadata.version(package).partition('+')[0]}" for package in packages)


def copy_back(parameters: Iterable[Parameter], values: Iterable[Any]) -> None:
    """Write what a framework that owns its memory has made into the parameters' arrays."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.data[...] = np.asarray(value)
