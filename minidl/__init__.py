"""minidl: an object-oriented mini deep-learning framework on NumPy."""

from minidl import (
    callbacks,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from minidl.history import History
from minidl.models import Sequential
from minidl.parameters import Parameter
from minidl.trainer import Trainer

__version__ = "0.1.0"

__all__ = [
    "History",
    "Parameter",
    "Sequential",
    "Trainer",
    "callbacks",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "schedules",
]
