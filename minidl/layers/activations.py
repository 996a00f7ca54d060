"""Activations: layers that act on each entry by itself, or on each sample's last axis.

Each is known by its name wherever a layer takes `activation=`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from minidl import functions
from minidl.compute.fusing import Biased, Fused
from minidl.config import Registry, newer
from minidl.layers.base import Layer, Shape, registry
from minidl.validation import describe, integer

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "BinaryStep",
    "Elementwise",
    "Exponential",
    "HardSigmoid",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "PReLU",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "activations",
]

Array = NDArray[Any]
T = TypeVar("T", bound=type[Any])

ROOT_2_BY_PI = math.sqrt(2 / math.pi)


class _Activations(Registry[Layer]):
    """What `activation=` may be: a name, or a layer, if it isn't known as another kind of layer."""

    def get(self, identifier: object, owner: str = "minidl", argument: str = "activation") -> Layer:
        layer = super().get(identifier, owner, argument)
        if isinstance(layer, Activation):
            return layer.activation
        if type(layer) in registry and type(layer) not in self:
            raise TypeError(f"{owner}: {argument} must be an activation. Received: {argument}={layer!r}")
        return layer


class _Elementwise(_Activations):
    """Those that a recurrent layer can have."""

    def get(self, identifier: object, owner: str = "minidl", argument: str = "activation") -> Layer:
        activation = activations.get(identifier, owner, argument)
        if not isinstance(activation, Elementwise):
            raise TypeError(
                f"{owner}: {argument} must act on each entry by itself, without weights. "
                f"Received: {argument}={describe(identifier)}"
            )
        return activation


activations: Registry[Layer] = _Activations("activation", Layer)
_Elementwise("elementwise activation", Layer)


def _activation(name: str) -> Callable[[T], T]:
    """Return a class decorator that makes an activation known as a layer and to `activation=`."""

    def decorate(cls: T) -> T:
        return activations.register(name)(registry.register(name)(cls))

    return decorate


class Elementwise(Layer):
    """The base of activations that act on each entry by itself; a subclass gives `function` and `slope`.

        class Cube(Elementwise):
            def function(self, x):
                return x**3

            def slope(self, x, y):
                return 3 * x**2

    Only these can be the activation of a recurrent layer.
    """

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        raise NotImplementedError(f"{type(self).__name__}: an activation must give function(x)")

    def slope(self, x: Array, y: Array) -> Array:
        """Return f'(x), given also y = f(x); never the array `y` itself."""
        raise NotImplementedError(f"{type(self).__name__}: an activation must give slope(x, y)")

    by_calls = True
    #: Whether `slope` looks at y alone, so that x needn't be kept. A subclass that gives a slope says so again.
    slope_by_output: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if newer(cls, "slope", "slope_by_output"):
            cls.slope_by_output = False
        if newer(cls, "function", "write"):  # its base wrote another function
            cls.write = Elementwise.write  # type: ignore[method-assign]
        if newer(cls, "slope", "write_slope"):
            cls.write_slope = Elementwise.write_slope  # type: ignore[method-assign]

    def write(self, x: Array, out: Array) -> None:
        """Write f(x) to `out`; a subclass that needs no new memory for it overrides this too."""
        out[...] = self.function(x)

    def write_slope(self, dy: Array, x: Array, y: Array, out: Array, room: Array) -> None:
        """Write dy ⊙ f'(x) to `out`, given y = f(x); `room` may be written to."""
        np.multiply(dy, self.slope(x, y), out=out)

    def forward_biased(self, z: Array, bias: Array, training: bool = False) -> Array:
        """Return f(z + bias); what is in z is lost."""
        biased = self._fused()[2]
        if self.by_calls and self.slope_by_output and biased.suits(z, bias):
            self.do((biased, (z, bias)))
            self.remember(x=z, y=z)
            return z
        self.do((np.add, (z, bias, z)))
        return self.forward(z, training)

    def forward(self, x: Array, training: bool = False) -> Array:
        y = self._written(0, "y", x) if self.reuse.on else self.function(x)
        self.remember(x=x, y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        x, y = self.remembered("x"), self.remembered("y")
        return self._written(1, "dx", dy, x, y) if self.reuse.on else dy * self.slope(x, y)

    def _written(self, which: int, name: str, *inputs: Array) -> Array:
        """Return what a function makes of arrays, in scratch of that name if it can be traced."""
        fused, out = self._fused()[:2][which], self.scratch(name, inputs[0].shape, inputs[0].dtype)
        if not fused.traces(out, *inputs):
            return self.returned(fused.function, *inputs)
        self.do((fused, (out, *inputs)))
        return out

    def _fused(self) -> tuple[Fused, Fused, Biased]:
        """Return what runs `function`, dy · `slope` and `forward_biased`; made anew when an attribute has changed."""
        fused = vars(self).get("_fused_functions")
        if fused is None:
            slope = Fused(lambda dy, x, y: dy * self.slope(x, y))
            fused = Fused(self.function), slope, Biased(self.function)
            vars(self)["_fused_functions"] = fused
        return fused

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self).pop("_fused_functions", None)
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_fused_functions"}


@_activation("binary_step")
class BinaryStep(Elementwise):
    """f(x) = 1 for x ≥ 0, else 0; range {0, 1}. The perceptron's threshold, of historical interest.

    f'(x) = 0, at x = 0 too, where there is none: nothing before this layer ever learns. It serves behind weights that
    are given, or as the last step of a model that is trained without it.
    """

    def function(self, x: Array) -> Array:
        return (x >= 0).astype(x.dtype)

    def slope(self, x: Array, y: Array) -> Array:
        return np.zeros_like(x)


@_activation("linear")
class Linear(Elementwise):
    """f(x) = a · x, range (−∞, ∞); the outputs of a regression (a = 1).

    f'(x) = a. A net of such layers alone is no more than one of them, however deep.

    Args:
        a: The slope, any finite number.
        name: See `Layer`.
    """

    ranges = {"a": "(-inf, inf)"}

    def __init__(self, a: float = 1.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.a = a

    def function(self, x: Array) -> Array:
        return self.a * x

    def slope(self, x: Array, y: Array) -> Array:
        return np.full_like(x, self.a)


@_activation("sigmoid")
class Sigmoid(Elementwise):
    """f(x) = 1 / (1 + e^−x), range (0, 1): the probability of one class against another, and the gates of an LSTM.

    f'(x) = f(x) · (1 − f(x)), at most 1/4: inside deep nets it makes gradients vanish. At the end of a model under
    `BinaryCrossentropy` the loss is computed from the logits x.
    """

    link_name = "sigmoid"
    slope_by_output = True

    def function(self, x: Array) -> Array:
        return functions.sigmoid(x)

    def slope(self, x: Array, y: Array) -> Array:
        return y * (1 - y)

    def write(self, x: Array, out: Array) -> None:  # (1 + tanh(x / 2)) / 2
        np.multiply(x, 0.5, out=out)
        np.tanh(out, out=out)
        np.multiply(out, 0.5, out=out)
        np.add(out, 0.5, out=out)

    def write_slope(self, dy: Array, x: Array, y: Array, out: Array, room: Array) -> None:
        np.subtract(1, y, out=room)
        np.multiply(room, y, out=room)
        np.multiply(dy, room, out=out)


@_activation("hard_sigmoid")
class HardSigmoid(Elementwise):
    """f(x) = min(max(x / 6 + 1/2, 0), 1), range [0, 1]: a sigmoid of three straight pieces, cheap to compute.

    f'(x) = 1/6 for −3 < x < 3, else 0, at ±3 too.
    Differs from: before Keras 3 the slope was 1/5.
    """

    def function(self, x: Array) -> Array:
        return np.clip(x / 6 + 0.5, 0, 1)

    def slope(self, x: Array, y: Array) -> Array:
        return ((x > -3) & (x < 3)).astype(x.dtype) / 6


@_activation("tanh")
class Tanh(Elementwise):
    """f(x) = tanh x = 2 · sigmoid(2x) − 1, range (−1, 1), centred on 0; the usual choice inside recurrent layers.

    f'(x) = 1 − f(x)², at most 1, so steeper than sigmoid's; far from 0 it vanishes too.
    """

    slope_by_output = True

    def function(self, x: Array) -> Array:
        return np.tanh(x)

    def slope(self, x: Array, y: Array) -> Array:
        return 1 - y * y

    def write(self, x: Array, out: Array) -> None:
        np.tanh(x, out=out)

    def write_slope(self, dy: Array, x: Array, y: Array, out: Array, room: Array) -> None:
        np.square(y, out=room)
        np.subtract(1, room, out=room)
        np.multiply(dy, room, out=out)


@_activation("softsign")
class Softsign(Elementwise):
    """f(x) = x / (1 + |x|), range (−1, 1): like tanh, but it saturates slowly.

    f'(x) = 1 / (1 + |x|)².

    Source: Bergstra and others, Quadratic polynomials learn better image features, 2009.
    """

    def function(self, x: Array) -> Array:
        return x / (1 + np.abs(x))

    def slope(self, x: Array, y: Array) -> Array:
        return np.square(1 / (1 + np.abs(x)))


@_activation("relu")
class ReLU(Elementwise):
    """f(x) = max(0, x), range [0, ∞); the usual choice for hidden layers: cheap, and it never saturates above 0.

    f'(x) = 1 for x > 0, else 0, at 0 too. A unit whose x is below 0 for all samples is dead: it has no gradient any
    more. `LeakyReLU` and `ELU` have no such.
    """

    slope_by_output = True

    def function(self, x: Array) -> Array:
        return np.maximum(x, 0)

    def slope(self, x: Array, y: Array) -> Array:
        return y > 0  # True and False multiply as 1 and 0, and are a quarter of the memory


@_activation("leaky_relu")
class LeakyReLU(Elementwise):
    """f(x) = x for x ≥ 0, negative_slope · x below. With a slope above 0, range (−∞, ∞), and units never go dead.

    f'(x) = 1 for x ≥ 0, negative_slope below. To be tried where ReLU leaves many units dead.

    Args:
        negative_slope: The slope below 0, any finite number.
        name: See `Layer`.

    Source: Maas, Hannun, Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.
    Differs from: the default is that of Keras's layer, 0.3; Keras's `activation="leaky_relu"` has 0.2, PyTorch and the
    paper have 0.01. f'(0) is taken as 1; PyTorch takes the other one, there and in PReLU, ELU and SELU.
    """

    ranges = {"negative_slope": "(-inf, inf)"}

    def __init__(self, negative_slope: float = 0.3, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.negative_slope = negative_slope

    def function(self, x: Array) -> Array:
        return np.where(x >= 0, x, self.negative_slope * x)

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x >= 0, x.dtype.type(1), x.dtype.type(self.negative_slope))


@_activation("elu")
class ELU(Elementwise):
    """f(x) = x for x ≥ 0, alpha · (e^x − 1) below; range (−alpha, ∞). Smooth for alpha = 1, with means near 0.

    f'(x) = 1 for x ≥ 0, alpha · e^x = f(x) + alpha below. For deep nets without normalisation; dearer than ReLU.

    Args:
        alpha: How far below 0 it saturates, at least 0.
        name: See `Layer`.

    Source: Clevert, Unterthiner, Hochreiter, Fast and accurate deep network learning by exponential linear units, 2016.
    Differs from: the slope at 0 is taken as 1; PyTorch takes alpha.
    """

    ranges = {"alpha": "[0, inf)"}

    def __init__(self, alpha: float = 1.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.alpha = alpha

    def function(self, x: Array) -> Array:
        return np.where(x >= 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x >= 0, np.ones_like(x), self.alpha * np.exp(np.minimum(x, 0)))


@_activation("selu")
class SELU(Elementwise):
    """f(x) = 1.0507 · ELU(x) with alpha = 1.6733; range (−1.7581, ∞).

    f'(x) = 1.0507 for x ≥ 0, 1.7581 · e^x = f(x) + 1.7581 below. For deep nets of Dense layers without normalisation:
    the two numbers keep mean 0 and variance 1 from layer to layer, if weights start from `lecun_normal`.

    Source: Klambauer and others, Self-normalizing neural networks, 2017.
    Differs from: the slope at 0 is taken as 1.0507; PyTorch takes 1.7581.
    """

    SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772

    def function(self, x: Array) -> Array:
        return self.SCALE * np.where(x >= 0, x, self.ALPHA * np.expm1(np.minimum(x, 0)))

    def slope(self, x: Array, y: Array) -> Array:
        return self.SCALE * np.where(x >= 0, np.ones_like(x), self.ALPHA * np.exp(np.minimum(x, 0)))


@_activation("softplus")
class Softplus(Elementwise):
    """f(x) = log(1 + e^x), range (0, ∞): a smooth ReLU; for outputs that must be positive.

    f'(x) = sigmoid(x).
    """

    def function(self, x: Array) -> Array:
        return functions.softplus(x)

    def slope(self, x: Array, y: Array) -> Array:
        return functions.sigmoid(x)


@activations.register("silu")
@_activation("swish")
class Swish(Elementwise):
    """f(x) = x · sigmoid(x) = x / (1 + e^−x), range [−0.2785, ∞): smooth, and not monotonic; for deep nets.

    f'(x) = s + x · s · (1 − s), s = sigmoid(x).

    Source: Ramachandran, Zoph, Le, Searching for activation functions, 2017. Also known as SiLU.
    """

    def function(self, x: Array) -> Array:
        return x * functions.sigmoid(x)

    def slope(self, x: Array, y: Array) -> Array:
        s = functions.sigmoid(x)
        return s * (1 + x * (1 - s))


@_activation("gelu")
class GELU(Elementwise):
    """f(x) = x · Φ(x), Φ the distribution function of the normal distribution; range [−0.17, ∞). For transformers.

    f'(x) = Φ(x) + x · φ(x), φ the density.

    Args:
        approximate: Whether to compute x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) instead, which differs by less than
            0.0005.
        name: See `Layer`.

    Source: Hendrycks, Gimpel, Gaussian error linear units, 2016.
    """

    ranges = {"approximate": "bool"}

    def __init__(self, approximate: bool = False, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.approximate = approximate

    def function(self, x: Array) -> Array:
        return x * self._share(x)

    def slope(self, x: Array, y: Array) -> Array:
        share = self._share(x)
        near = np.clip(x, -20, 20)  # beyond, the density is 0 in every dtype, and a power might overflow
        if self.approximate:
            density = 2 * share * (1 - share) * ROOT_2_BY_PI * (1 + 3 * 0.044715 * near**2)
        else:
            density = np.exp(-near * near / 2) / math.sqrt(2 * math.pi)
        return share + near * density

    def _share(self, x: Array) -> Array:
        if self.approximate:
            near = np.clip(x, -20, 20)
            return functions.sigmoid(2 * ROOT_2_BY_PI * (near + 0.044715 * near**3))
        return (functions.erfc(-x * math.sqrt(0.5)) / 2).astype(x.dtype, copy=False)


@_activation("exponential")
class Exponential(Elementwise):
    """f(x) = e^x, range (0, ∞): for outputs that are rates, as under `Poisson`. It overflows to inf, by nature.

    f'(x) = e^x.
    """

    def function(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(x)

    def slope(self, x: Array, y: Array) -> Array:
        return y.copy()


@_activation("prelu")
class PReLU(Layer):
    """f(x) = x for x ≥ 0, α · x below, with a trained slope α for each entry of a sample.

    f'(x) = 1 for x ≥ 0, α below; the derivative by α is 0 for x ≥ 0, x below. To be tried where a leaky ReLU's fixed
    slope doesn't do.

    Args:
        alpha_initializer: How the slopes start; Keras's default is zeros, that of the paper 0.25.
        alpha_regularizer: None, a name, or a regularizer.
        shared_axes: Axes of a sample, counted from 1, along which entries share their slope: (1, 2) behind a Conv2D
            gives one slope a channel.
        name: See `Layer`.

    Source: He and others, Delving deep into rectifiers, 2015.
    Differs from: f'(0) is taken as 1; PyTorch takes α.
    """

    ranges = {"alpha_initializer": "initializer", "alpha_regularizer": "regularizer | None"}

    def __init__(
        self,
        alpha_initializer: object = "zeros",
        alpha_regularizer: object = None,
        shared_axes: Sequence[int] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.alpha_initializer: Any = alpha_initializer
        self.alpha_regularizer: Any = alpha_regularizer
        given = () if shared_axes is None else shared_axes
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"PReLU: shared_axes must be a tuple of axes. Received: shared_axes={shared_axes!r}")
        self.shared_axes = tuple(integer("PReLU", "shared_axes", axis, 1) for axis in given) or None

    def check_shape(self, shape: Shape) -> None:
        if any(axis > len(shape) for axis in self.shared_axes or ()):
            raise ValueError(
                f"{self.title}: shared_axes must be in 1 .. {len(shape)}. Received: shared_axes={self.shared_axes}"
            )

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        shared = self.shared_axes or ()
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(self._shape(), start=1))
        self.alpha = self.add_parameter("alpha", shape, self.alpha_initializer, rng, self.alpha_regularizer)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.remember(x=x)
        return np.where(x >= 0, x, self.alpha.data * x)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        x = self.remembered("x")
        below = np.minimum(x, 0) * dy
        shared = (0, *(axis for axis in self.shared_axes or ()))
        slopes = below.sum(axis=shared, keepdims=True).reshape(self.alpha.shape)
        self.write_gradient(self.alpha, slopes, accumulate)
        return np.where(x >= 0, dy, self.alpha.data * dy)


@_activation("softmax")
class Softmax(Layer):
    """f(x)_j = e^x_j / Σ_k e^x_k along `axis`, range (0, 1), sum 1: one probability a class.

    ∂f_j / ∂x_k = f_j · (δ_jk − f_k), δ_jk 1 for j = k and else 0. At the end of a model under `CategoricalCrossentropy`
    or `SparseCategoricalCrossentropy` the loss is computed from the logits x (if `axis` is the last).

    Args:
        axis: Counted with the batch axis, which is 0.
        name: See `Layer`.
    """

    link_name = "softmax"
    ranges = {"axis": "int [-32, inf)"}

    def __init__(self, axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.axis = axis

    @property
    def link(self) -> Layer | None:
        """The layer itself, if it acts on the last axis."""
        last = -1 if self.input_shape is None else len(self.input_shape)
        return super().link if self.axis in (-1, last) else None

    def check_shape(self, shape: Shape) -> None:
        self.check_axis(shape, self.axis)
        if (0, *shape)[self.axis] == 1:
            raise ValueError(
                f"{self.title}: softmax over one entry is always 1; for one output use sigmoid. "
                f"Received: input of shape {shape}"
            )

    def forward(self, x: Array, training: bool = False) -> Array:
        y = functions.softmax(x, self.axis)
        self.remember(y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        y = self.remembered("y")
        return y * (dy - (dy * y).sum(axis=self.axis, keepdims=True))


@_activation("log_softmax")
class LogSoftmax(Layer):
    """f(x)_j = x_j − log Σ_k e^x_k along the last axis, range (−∞, 0]: the logarithms of softmax's probabilities.

    ∂f_j / ∂x_k = δ_jk − e^f_k, δ_jk 1 for j = k and else 0. For where logarithms are wanted: softmax's own may be −∞.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        y = functions.log_softmax(x)
        self.remember(y=y)
        return y

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return dy - np.exp(self.remembered("y")) * dy.sum(axis=-1, keepdims=True)


@registry.register()
class Activation(Layer):
    """The activation of that name, as a layer: `Activation("relu")`.

    Args:
        activation: A name such as "relu", or an activation layer.
        name: See `Layer`.

    Raises:
        ValueError: If the name is unknown.
    """

    ranges = {"activation": "activation"}

    def __init__(self, activation: str | Layer, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.activation: Any = activation

    @property
    def children(self) -> tuple[Layer, ...]:
        """The activation."""
        return (self.activation,)

    @property
    def link(self) -> Layer | None:
        """The link of the activation."""
        return None if self.activity_regularizer else self.activation.link

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        self.activation.dtype = self.dtype
        self.activation.build(input_shape, rng)

    def forward(self, x: Array, training: bool = False) -> Array:
        return self.activation.forward(x, training)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        return self.activation.backward(dy, accumulate)
