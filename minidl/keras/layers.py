"""Keras's layers: its arguments, in its order, on ours. An argument that ours doesn't have may have its default."""

from __future__ import annotations

from typing import Any

from minidl import layers
from minidl.keras.constructing import constructor
from minidl.keras.face import missing
from minidl.keras.tensors import Input, KerasLayer

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPooling2D",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SimpleRNN",
    "Softmax",
    "ZeroPadding2D",
]

Layer = KerasLayer


class InputLayer(KerasLayer, layers.Input):
    """The shape of a sample, as a layer."""

    @constructor
    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
    ) -> None: ...

    @staticmethod
    def adjusted(given: dict[str, Any]) -> dict[str, Any]:
        shape, batch_shape = given["shape"], given["batch_shape"]
        return {**given, "shape": tuple(batch_shape)[1:] if shape is None else shape, "batch_shape": None}


class Dense(KerasLayer, layers.Dense):
    """f(x W + b)."""

    @constructor
    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: int | None = None,
        quantization_config: Any = None,
    ) -> None: ...


class Conv2D(KerasLayer, layers.Conv2D):
    """Convolution of images."""

    @constructor
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
    ) -> None: ...


class MaxPooling2D(KerasLayer, layers.MaxPooling2D):
    """The largest entry of each window."""

    @constructor
    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", data_format: str | None = None
    ) -> None: ...


class AveragePooling2D(KerasLayer, layers.AveragePooling2D):
    """The mean of each window."""

    @constructor
    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", data_format: str | None = None
    ) -> None: ...


class GlobalMaxPooling2D(KerasLayer, layers.GlobalMaxPooling2D):
    """The largest entry of each channel."""

    @constructor
    def __init__(self, data_format: str | None = None, keepdims: bool = False) -> None: ...


class GlobalAveragePooling2D(KerasLayer, layers.GlobalAveragePooling2D):
    """The mean of each channel."""

    @constructor
    def __init__(self, data_format: str | None = None, keepdims: bool = False) -> None: ...


class ZeroPadding2D(KerasLayer, layers.ZeroPadding2D):
    """Zeros around images."""

    @constructor
    def __init__(self, padding: Any = (1, 1), data_format: str | None = None) -> None: ...


class Flatten(KerasLayer, layers.Flatten):
    """Each sample in one row."""

    @constructor
    def __init__(self, data_format: str | None = None) -> None: ...


class Reshape(KerasLayer, layers.Reshape):
    """Each sample in another shape."""

    @constructor
    def __init__(self, target_shape: Any) -> None: ...


class Rescaling(KerasLayer, layers.Rescaling):
    """scale · x + offset."""

    @constructor
    def __init__(self, scale: float, offset: float = 0.0) -> None: ...


class Dropout(KerasLayer, layers.Dropout):
    """Entries left out at random, in training."""

    @constructor
    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None) -> None: ...


class BatchNormalization(KerasLayer, layers.BatchNormalization):
    """Normalisation over the batch; a frozen one uses its running statistics, in training too."""

    @constructor
    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
    ) -> None: ...


class LayerNormalization(KerasLayer, layers.LayerNormalization):
    """Normalisation over each sample's features."""

    @constructor
    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,
        rms_scaling: bool = False,
    ) -> None: ...

    @staticmethod
    def adjusted(given: dict[str, Any]) -> dict[str, Any]:
        axis = given["axis"]
        return {**given, "axis": axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis}


class Embedding(KerasLayer, layers.Embedding):
    """A row of a table for each integer."""

    @constructor
    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: int | None = None,
        quantization_config: Any = None,
    ) -> None: ...


class SimpleRNN(KerasLayer, layers.SimpleRNN):
    """The plain recurrent layer."""

    @constructor
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
    ) -> None: ...


class LSTM(KerasLayer, layers.LSTM):
    """Long short-term memory."""

    @constructor
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
    ) -> None: ...


class GRU(KerasLayer, layers.GRU):
    """The gated recurrent unit."""

    @constructor
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
    ) -> None: ...


class Bidirectional(KerasLayer, layers.Bidirectional):
    """A recurrent layer, and another like it that goes through the sequence from its end."""

    @constructor
    def __init__(
        self, layer: Any, merge_mode: str = "concat", weights: Any = None, backward_layer: Any = None
    ) -> None: ...


class Activation(KerasLayer, layers.Activation):
    """An activation, as a layer."""

    @constructor
    def __init__(self, activation: Any) -> None: ...


class ReLU(KerasLayer, layers.ReLU):
    """max(0, x)."""

    @constructor
    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0) -> None: ...


class LeakyReLU(KerasLayer, layers.LeakyReLU):
    """x, or negative_slope · x below 0."""

    @constructor
    def __init__(self, negative_slope: float = 0.3) -> None: ...


class PReLU(KerasLayer, layers.PReLU):
    """x, or α x below 0, with an α that is learnt."""

    @constructor
    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
    ) -> None: ...


class ELU(KerasLayer, layers.ELU):
    """x, or α (eˣ − 1) below 0."""

    @constructor
    def __init__(self, alpha: float = 1.0) -> None: ...


class Softmax(KerasLayer, layers.Softmax):
    """Probabilities of classes."""

    @constructor
    def __init__(self, axis: int = -1) -> None: ...


__getattr__ = missing("keras.layers", __all__)
