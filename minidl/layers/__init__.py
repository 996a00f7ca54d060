"""The layers of which models are made."""

from minidl.layers.activations import Activation, LeakyReLU, Linear, ReLU, Sigmoid, Softmax, Tanh, activations
from minidl.layers.base import Layer, registry
from minidl.layers.dense import Dense
from minidl.layers.shaping import Flatten, Input

__all__ = [
    "Activation",
    "Dense",
    "Flatten",
    "Input",
    "Layer",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "activations",
    "registry",
]
