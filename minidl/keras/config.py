"""Keras's settings for all: the dtype of what is made from now on."""

from minidl.validation import choice

__all__ = ["backend", "floatx", "image_data_format", "set_floatx"]

_SETTINGS = {"floatx": "float32"}


def floatx() -> str:
    """Return the dtype of models and layers that are made from now on: "float32", unless it was set."""
    return _SETTINGS["floatx"]


def set_floatx(value: str) -> None:
    """Set that dtype: "float32", "float64" or "float16"."""
    _SETTINGS["floatx"] = choice("set_floatx", "value", value, ("float16", "float32", "float64"))


def image_data_format() -> str:
    """Return where the channels of images are: "channels_last", always."""
    return "channels_last"


def backend() -> str:
    """Return what computes: "numpy"."""
    return "numpy"
