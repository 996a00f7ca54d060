"""What is written to files: models, weights and checkpoints, whole or not at all, and read back without trust."""

from minidl.saving.container import FileError
from minidl.saving.models import load_model, load_weights, save_model, save_weights

__all__ = ["FileError", "load_model", "load_weights", "save_model", "save_weights"]
