"""Keras's place for loading models."""

from minidl.keras.models import load_model

__all__ = ["load_model"]
