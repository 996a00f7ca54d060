"""minidl: an object-oriented mini deep-learning framework on NumPy."""

import importlib
from typing import TYPE_CHECKING

from minidl import (
    callbacks,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from minidl.history import History
from minidl.models import Residual, Sequential
from minidl.parameters import Parameter, configure_parameters
from minidl.training import Trainer
from minidl.validation import nearest

if TYPE_CHECKING:
    from minidl import datasets, estimators, exchange, keras, lab, plotting, saving, slices, surfaces, testing, tuning
    from minidl.keras import from_keras
    from minidl.saving import CheckpointPolicy, load_model

__version__ = "0.1.0"

__all__ = [
    "CheckpointPolicy",
    "History",
    "Parameter",
    "Residual",
    "Sequential",
    "Trainer",
    "callbacks",
    "configure_parameters",
    "datasets",
    "estimators",
    "exchange",
    "from_keras",
    "initializers",
    "keras",
    "lab",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "optimizers",
    "plotting",
    "regularizers",
    "saving",
    "schedules",
    "slices",
    "surfaces",
    "testing",
    "tuning",
]

_LAZY = (
    "datasets",
    "estimators",
    "exchange",
    "keras",
    "lab",
    "plotting",
    "saving",
    "slices",
    "surfaces",
    "testing",
    "tuning",
)
_INSIDE = {"CheckpointPolicy": "saving", "from_keras": "keras", "load_model": "saving"}


def __getattr__(name: str) -> object:
    """Import what stands on top on first use: nobody pays for it who doesn't need it."""
    if name in _LAZY:
        return importlib.import_module(f"minidl.{name}")
    if name in _INSIDE:
        return getattr(importlib.import_module(f"minidl.{_INSIDE[name]}"), name)
    raise AttributeError(f"module 'minidl' has no attribute {name!r}. {nearest(name, __all__)}")
