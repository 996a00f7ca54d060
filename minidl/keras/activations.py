"""Keras's activations, as functions and as what `activation=` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import layers
from minidl.keras.face import found, missing, offered, refuse

__all__ = [
    "Activation",
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]


class Activation:
    """A function of Keras's, and the layer of ours that computes it."""

    def __init__(self, name: str, layer: Callable[..., layers.Layer]) -> None:
        self.__name__ = name
        self.layer = layer

    def __call__(self, x: ArrayLike, **options: Any) -> NDArray[Any]:
        """Return f(x)."""
        x = np.asarray(x)
        values = x if x.dtype.kind == "f" else x.astype(np.float32)
        result: NDArray[Any] = self.layer(**options).forward(values)
        return result

    def __repr__(self) -> str:
        return f"keras.activations.{self.__name__}"


elu = Activation("elu", layers.ELU)
exponential = Activation("exponential", layers.Exponential)
gelu = Activation("gelu", layers.GELU)
hard_sigmoid = Activation("hard_sigmoid", layers.HardSigmoid)
leaky_relu = Activation("leaky_relu", lambda negative_slope=0.2: layers.LeakyReLU(negative_slope))
linear = Activation("linear", layers.Linear)
log_softmax = Activation("log_softmax", layers.LogSoftmax)
relu = Activation("relu", layers.ReLU)
selu = Activation("selu", layers.SELU)
sigmoid = Activation("sigmoid", layers.Sigmoid)
silu = Activation("silu", layers.Swish)
softmax = Activation("softmax", layers.Softmax)
softplus = Activation("softplus", layers.Softplus)
softsign = Activation("softsign", layers.Softsign)
swish = silu
tanh = Activation("tanh", layers.Tanh)


def get(identifier: Any) -> layers.Layer | None:
    """Return a layer for what `activation=` was given: a name, one of these functions, a layer; None for None."""
    if identifier is None or isinstance(identifier, layers.Layer):
        return identifier
    if isinstance(identifier, str):
        identifier = found("activation", offered(globals(), Activation), identifier)
    if isinstance(identifier, Activation):
        return None if identifier is linear else identifier.layer()
    raise refuse("keras", "activation", identifier, "one of one's own is a minidl.layers.Elementwise with its slope")


__getattr__ = missing("keras.activations", __all__)
