"""What is written to files: models, weights and checkpoints, whole or not at all, and read back without trust."""

from minidl.saving.container import DamagedError, FileError
from minidl.saving.models import load_model, load_weights, save_model, save_weights
from minidl.saving.policy import CheckpointPolicy
from minidl.saving.resuming import ResumeWarning

__all__ = [
    "CheckpointPolicy",
    "DamagedError",
    "FileError",
    "ResumeWarning",
    "load_model",
    "load_weights",
    "save_model",
    "save_weights",
]
