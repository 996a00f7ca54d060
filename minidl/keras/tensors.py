"""Layers as in Keras: called on arrays or on what stands for one, with weights that can be asked for."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minidl import layers
from minidl.keras.config import floatx
from minidl.keras.face import defaults_of, defaults_only, refuse
from minidl.keras.random_state import next_seed
from minidl.layers.ownership import owner
from minidl.randomness import generator
from minidl.validation import describe

if TYPE_CHECKING:
    from minidl.parameters import Parameter

__all__ = [
    "Input",
    "KerasLayer",
    "KerasTensor",
    "Variable",
    "Weighted",
    "after",
    "plain_of",
    "weights_of",
]

Array = NDArray[Any]


class KerasTensor:
    """What stands for a batch before there is one: what `Input` returns, and layers that are called on it.

    Attributes:
        shape: With None for the batch, and for sizes that aren't known; None if nothing of it is.
        dtype: By its name.
        layer: The layer that it comes out of, or None.
        source: What goes into that.
    """

    def __init__(
        self,
        shape: tuple[int | None, ...] | None,
        dtype: str,
        layer: KerasLayer | None = None,
        source: KerasTensor | None = None,
        name: str | None = None,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.layer = layer
        self.source = source
        self.name = name

    @property
    def sample_shape(self) -> tuple[int, ...] | None:
        """The shape of a sample, if all of it is known."""
        sizes = (None,) if self.shape is None else self.shape[1:]
        known = tuple(size for size in sizes if size is not None)
        return known if len(known) == len(sizes) else None

    def chain(self, start: KerasTensor) -> list[KerasLayer]:
        """Return the layers that lead from `start` to here.

        Raises:
            ValueError: If none do.
        """
        found: list[KerasLayer] = []
        here: KerasTensor | None = self
        while here is not None and here is not start:
            if here.layer is None:
                raise ValueError("keras Model: outputs must be computed from inputs. Received: outputs of others")
            found.insert(0, here.layer)
            here = here.source
        return found

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}>"


def Input(  # noqa: N802  # Keras's name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """Return what stands for a batch of samples of `shape`, whose sizes may be None: then data tell them."""
    absent = {"sparse": sparse, "ragged": ragged, "tensor": tensor, "optional": optional}
    defaults_only("keras Input", defaults_of(Input), absent)
    sizes = tuple(batch_shape)[1:] if shape is None and batch_shape is not None else shape
    if isinstance(sizes, int):
        sizes = (sizes,)
    if not isinstance(sizes, (tuple, list)):
        raise TypeError(f"keras Input: shape must be a tuple, such as (784,). Received: shape={describe(sizes)}")
    return KerasTensor((None, *sizes), floatx() if dtype is None else str(np.dtype(dtype)), name=name)


def after(layer: Any, source: KerasTensor) -> KerasTensor:
    """Return what stands for what a layer or model makes of `source`."""
    return KerasTensor((None, *layer.output_shape) if layer.built else None, str(layer.dtype), layer, source)


class Variable:
    """One weight of a layer, as Keras shows it; what is assigned is copied into it."""

    def __init__(self, name: str, array: Array, parameter: Parameter | None) -> None:
        self.name = name.rpartition("/")[2]
        self.path = name
        self.value = array
        self._parameter = parameter

    @property
    def trainable(self) -> bool:
        """Whether it is trained."""
        return self._parameter is not None and self._parameter.trainable

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's."""
        return self.value.shape

    @property
    def dtype(self) -> str:
        """The array's, by its name."""
        return str(self.value.dtype)

    def numpy(self) -> Array:
        """Return a copy of the values."""
        return self.value.copy()

    def assign(self, values: ArrayLike) -> None:
        """Copy `values` into the array; raise ValueError if the shape is another."""
        values = np.asarray(values)
        if values.shape != self.shape:
            raise ValueError(f"{self.path}: must have shape {self.shape}. Received: {describe(values)}")
        self.value[...] = values

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, trainable={self.trainable}>"


def weights_of(layer: layers.Layer, prefix: str = "") -> list[Variable]:
    """Return the weights of a layer or model in the order of `get_weights`."""
    parameters = layer.named_parameters()
    return [
        Variable(prefix + name, array, parameters.get(name))
        for name, array in layer.named_arrays().items()
        if array.dtype.kind == "f"
    ]


class Weighted:
    """What layers and models say of their `weights`."""

    @property
    def weights(self) -> list[Variable]:
        """All weights, in the order of `get_weights`."""
        raise NotImplementedError

    @property
    def trainable_weights(self) -> list[Variable]:
        """Those that are trained."""
        return [weight for weight in self.weights if weight.trainable]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Those that aren't: frozen ones and running statistics."""
        return [weight for weight in self.weights if not weight.trainable]

    def count_params(self) -> int:
        """Return the number of entries of all weights."""
        return sum(weight.value.size for weight in self.weights)


class KerasLayer(Weighted, layers.Layer):
    """What the layers of this face have beside ours: they can be called before they are built.

    A layer of one's own is a subclass of `minidl.layers.Layer` that gives `forward` and `backward`: nothing here
    differentiates by itself.
    """

    #: What the argument `input_shape` said, if it was given.
    declared_shape: tuple[int, ...] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "call" in vars(cls):
            raise NotImplementedError(
                f"keras {cls.__name__}: call isn't differentiated; subclass minidl.layers.Layer and give forward and "
                f"backward. Received: a layer with call"
            )
        super().__init_subclass__(**kwargs)

    @classmethod
    def _arguments(cls) -> dict[str, inspect.Parameter]:
        return cast(Any, plain_of(cls))._arguments()

    @staticmethod
    def adjusted(given: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments as ours are to get them."""
        return given

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return the output for an array, or what stands for it; a layer that isn't built is built for it."""
        if isinstance(x, KerasTensor):
            if not self.built and x.sample_shape is not None:
                self._build_alone(x.sample_shape)
            return after(self, x)
        if isinstance(x, (list, tuple)) and any(isinstance(one, KerasTensor) for one in x):
            raise refuse(f"keras {type(self).__name__}", "a list of inputs", x)
        x = np.asarray(x)
        if not (self.takes_integers or x.dtype == self.dtype):
            x = x.astype(self.dtype)
        if not self.built:
            self._build_alone(x.shape[1:])
        return self.forward(x, training)

    def _build_alone(self, shape: tuple[int, ...]) -> None:
        self.dtype = np.dtype(floatx())
        self.build(shape, generator(next_seed(), "initialization"))

    @property
    def weights(self) -> list[Variable]:
        """All weights, in the order of `get_weights`; none before the layer is built."""
        return weights_of(self, f"{self.name}/" if self.name else "") if self.built else []

    variables = weights

    @property
    def output(self) -> KerasTensor:
        """What stands for its output within its model; see `Model`."""
        model = owner(self)
        if model is None or not model.built:
            raise AttributeError(f"{self.title}: has an output within a model that is built. Received: none")
        return cast(Any, model).symbol_after(self)

    @property
    def input(self) -> KerasTensor:
        """What stands for its input within its model."""
        source = self.output.source
        assert source is not None
        return source


def plain_of(cls: type) -> type[layers.Layer]:
    """Return the class of ours that a class of this face is a face of."""
    own = (one for one in cls.__mro__ if not one.__module__.startswith("minidl.keras"))
    return next(one for one in own if issubclass(one, layers.Layer))
