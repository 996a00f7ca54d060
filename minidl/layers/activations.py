"""Activations: layers without weights that act on each entry, or on each sample's last axis.

Each is known by its name wherever a layer takes `activation=`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import functions
from minidl.config import Registry
from minidl.layers.base import Layer, Shape, registry
from minidl.validation import integer, number

__all__ = [
    "Activation",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "activations",
    "resolve_activation",
]

Array = NDArray[Any]

activations: Registry[Layer] = Registry("activation", Layer)


def resolve_activation(identifier: object) -> Layer:
    """Return the activation that a name or a layer stands for; raise TypeError for a layer that is none."""
    layer = activations.get(identifier)
    if isinstance(layer, Activation):
        return layer.activation
    if type(layer) in registry and type(layer) not in activations:
        raise TypeError(f"minidl: activation must be an activation. Received: {layer!r}")
    return layer


def _activation(name: str) -> Callable[[type[Layer]], type[Layer]]:
    """Return a class decorator that makes an activation known as a layer and to `activation=`."""

    def decorate(cls: type[Layer]) -> type[Layer]:
        return activations.register(name)(registry.register(name)(cls))

    return decorate


@_activation("linear")
class Linear(Layer):
    """f(x) = a · x, range (−∞, ∞); the outputs of a regression (a = 1).

    Args:
        a: The slope, any finite number.
        name: See `Layer`.
    """

    def __init__(self, a: float = 1.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.a = number("Linear", "a", a)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.remember(seen=True)
        return self.a * x

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        self.remembered("seen")
        return self.a * dy


@_activation("relu")
class ReLU(Layer):
    """f(x) = max(0, x), range [0, ∞); the usual choice for hidden layers. The slope at 0 is taken as 0."""

    def forward(self, x: Array, training: bool = False) -> Array:
        y = np.maximum(x, 0)
        self.remember(y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return np.multiply(dy, self.remembered("y") > 0)


@_activation("leaky_relu")
class LeakyReLU(Layer):
    """f(x) = x for x ≥ 0, negative_slope · x below. With a slope above 0, range (−∞, ∞), and units never go dead.

    Args:
        negative_slope: The slope below 0, any finite number.
        name: See `Layer`.

    Source: Maas, Hannun, Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.
    Differs from: the default is that of Keras's layer, 0.3; Keras's `activation="leaky_relu"` has 0.2, PyTorch and the
    paper have 0.01.
    """

    def __init__(self, negative_slope: float = 0.3, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.remember(x=x)
        return np.where(x >= 0, x, self.negative_slope * x)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return np.where(self.remembered("x") >= 0, dy, self.negative_slope * dy)


@_activation("sigmoid")
class Sigmoid(Layer):
    """f(x) = 1 / (1 + e^−x), range (0, 1): the probability of one class against another.

    At the end of a model under `BinaryCrossentropy` the loss is computed from the logits x.
    """

    link_name = "sigmoid"

    def forward(self, x: Array, training: bool = False) -> Array:
        y = functions.sigmoid(x)
        self.remember(y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        y = self.remembered("y")
        return dy * y * (1 - y)


@_activation("tanh")
class Tanh(Layer):
    """f(x) = tanh x = 2 · sigmoid(2x) − 1, range (−1, 1), centred on 0."""

    def forward(self, x: Array, training: bool = False) -> Array:
        y = np.tanh(x)
        self.remember(y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        y = self.remembered("y")
        return dy * (1 - y * y)


@_activation("softmax")
class Softmax(Layer):
    """f(x)_j = e^x_j / Σ_k e^x_k along `axis`, range (0, 1), sum 1: one probability a class.

    At the end of a model under `CategoricalCrossentropy` or `SparseCategoricalCrossentropy` the loss is
    computed from the logits x (if `axis` is the last).

    Args:
        axis: Counted with the batch axis, which is 0.
        name: See `Layer`.
    """

    link_name = "softmax"

    def __init__(self, axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.axis = integer("Softmax", "axis", axis, -32)

    @property
    def link(self) -> Layer | None:
        """The layer itself, if it acts on the last axis."""
        last = -1 if self.input_shape is None else len(self.input_shape)
        return self if self.axis in (-1, last) else None

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        axes = len(input_shape) + 1
        if not -axes < self.axis < axes or self.axis == 0:
            raise ValueError(
                f"{self.title}: axis must be one of the {axes - 1} axes behind the batch. Received: axis={self.axis}"
            )
        if (0, *input_shape)[self.axis] == 1:
            raise ValueError(
                f"{self.title}: softmax over one entry is always 1; for one output use sigmoid. "
                f"Received: input of shape {input_shape}"
            )

    def forward(self, x: Array, training: bool = False) -> Array:
        y = functions.softmax(x, self.axis)
        self.remember(y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        y = self.remembered("y")
        return y * (dy - (dy * y).sum(axis=self.axis, keepdims=True))


@registry.register()
class Activation(Layer):
    """The activation of that name, as a layer: `Activation("relu")`.

    Args:
        activation: A name such as "relu", or an activation layer.
        name: See `Layer`.

    Raises:
        ValueError: If the name is unknown.
    """

    def __init__(self, activation: str | Layer, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.activation = resolve_activation(activation)

    @property
    def children(self) -> tuple[Layer, ...]:
        """The activation."""
        return (self.activation,)

    @property
    def link(self) -> Layer | None:
        """The link of the activation."""
        return self.activation.link

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self.activation.dtype = self.dtype
        self.activation.build(input_shape, rng)

    def forward(self, x: Array, training: bool = False) -> Array:
        return self.activation.forward(x, training)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return self.activation.backward(dy, accumulate)
