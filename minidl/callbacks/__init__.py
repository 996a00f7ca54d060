"""Callbacks: what is done at the turns of training, by Keras's hook names."""

from minidl.callbacks.base import Callback, Lambda
from minidl.callbacks.checkpointing import ModelCheckpoint
from minidl.callbacks.logging import CSVLogger, JSONLogger, Log, Logger, TensorBoard
from minidl.callbacks.monitors import EarlyStopping, ReduceOnPlateau
from minidl.callbacks.recording import Norms, WeightPath

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "JSONLogger",
    "Lambda",
    "Log",
    "Logger",
    "ModelCheckpoint",
    "Norms",
    "ReduceOnPlateau",
    "TensorBoard",
    "WeightPath",
]
