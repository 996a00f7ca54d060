"""The layers of which models are made."""

from minidl.layers.activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    BinaryStep,
    Elementwise,
    Exponential,
    HardSigmoid,
    LeakyReLU,
    Linear,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Softsign,
    Swish,
    Tanh,
    activations,
)
from minidl.layers.base import Layer, registry
from minidl.layers.convolution import Conv2D
from minidl.layers.dense import Dense
from minidl.layers.embedding import Embedding
from minidl.layers.noise import Dropout
from minidl.layers.normalization import BatchNormalization, LayerNormalization
from minidl.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from minidl.layers.recurrent import GRU, LSTM, Bidirectional, SimpleRNN
from minidl.layers.shaping import Flatten, Input, Rescaling, Reshape, ZeroPadding2D

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "SELU",
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "BinaryStep",
    "Conv2D",
    "Dense",
    "Dropout",
    "Elementwise",
    "Embedding",
    "Exponential",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "HardSigmoid",
    "Input",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPooling2D",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Sigmoid",
    "SimpleRNN",
    "Softmax",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "ZeroPadding2D",
    "activations",
    "registry",
]
