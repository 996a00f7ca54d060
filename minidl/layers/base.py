"""What every layer is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minidl import initializers, regularizers
from minidl.compute.reuse import Call, Reuse, make, refresh
from minidl.config import Configurable, Registry, newer
from minidl.parameters import Parameter
from minidl.regularizers import Regularizer
from minidl.validation import cast, describe, differences, flag, numbers, sample_shape

__all__ = ["Layer", "fresh_name", "names", "registry"]

Array = NDArray[Any]
T = TypeVar("T")
Shape = tuple[int, ...]


class Layer(Configurable):
    """The base of all layers; a model is a layer too.

    Arrays are batch-first and channels-last. Shapes in arguments and attributes leave the batch out. A
    subclass overrides `forward` and `backward` and, where it needs them, `build` and `output_shape`:

        class Scale(Layer):
            def build(self, input_shape, rng):
                super().build(input_shape, rng)
                self.factor = self.add_parameter("factor", input_shape, "ones", rng)

            def forward(self, x, training=False):
                self.remember(x=x)
                return x * self.factor.data

            def backward(self, dy, accumulate=False):
                self.write_gradient(self.factor, (self.remembered("x") * dy).sum(axis=0), accumulate)
                return dy * self.factor.data

    Attributes:
        name: Unique within a model, which names the layers that have no name: dense, dense_1, ...
        dtype: What parameters and activations are kept in; a model sets it before it builds its layers.
        input_shape: The shape of one sample, once built.
        buffers: Arrays by name that aren't trained but saved, copied and restored with the parameters.
    """

    #: The kinds of dtypes that `forward` takes, as NumPy's letters: floating point.
    input_kinds: ClassVar[str] = "f"
    #: A penalty on the outputs, or None; a model adds its mean over the batch to the loss. (Keras 3 adds the sum.)
    activity_regularizer: Regularizer | None = None
    #: Which losses may take this layer's place: "softmax", "sigmoid" or None. See `link`.
    link_name: ClassVar[str | None] = None
    #: Whether a step is nothing but calls made by `do`, the same ones on the same arrays. A subclass that overrides
    #: what makes them says so again if it still is.
    by_calls: ClassVar[bool] = False
    #: What it may have in common with its last step. A model has one for all layers inside.
    reuse: Reuse

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if any(newer(cls, name, "by_calls") for name in _STEP if hasattr(cls, name)):
            cls.by_calls = False

    def __init__(self, *, name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name)):
            raise ValueError(
                f"{type(self).__name__}: name must be made of letters, digits, '_', '-' and '.'. "
                f"Received: name={name!r}"
            )
        vars(self)["reuse"] = Reuse()  # by itself; setting any other attribute asks for it
        self.name = name
        self.named_by_model = False
        self._trainable = True
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.input_shape: Shape | None = None
        self.buffers: dict[str, Array] = {}
        self._parameters: dict[str, Parameter] = {}
        self._regularized: list[tuple[Parameter, Regularizer]] = []
        self._remembered: dict[str, Any] = {}
        self._scratch: dict[str, Array] = {}

    # What a subclass gives -----------------------------------------------------------------------------

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        """Make the parameters for samples of `input_shape`, drawing their start from `rng`."""
        if self.built:
            raise RuntimeError(
                f"{self.title}: must be built once; it is, for input of shape {self.input_shape}. "
                f"Received: input_shape={input_shape!r}"
            )
        shape = sample_shape(self.title, "input_shape", input_shape)
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"{self.title}: rng must be a numpy.random.Generator. Received: rng={describe(rng)}")
        self.check_shape(shape)
        self.input_shape = shape

    def check_shape(self, shape: Shape) -> None:
        """Raise ValueError if samples can't have that shape; `build` asks before it does anything."""

    def check_axes(self, shape: Shape, *axes: str) -> None:
        """Raise ValueError if samples of that shape don't have these axes."""
        if len(shape) != len(axes):
            raise ValueError(
                f"{self.title}: input must have shape (batch, {', '.join(axes)}). Received: samples of shape {shape}"
            )

    def check_axis(self, shape: Shape, axis: int) -> None:
        """Raise ValueError if `axis`, counted with the batch axis, isn't one behind it."""
        axes = len(shape) + 1
        if not -axes < axis < axes or axis == 0:
            raise ValueError(
                f"{self.title}: axis must be one of the {axes - 1} axes behind the batch. Received: axis={axis}"
            )

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return the output for a batch `x`, and keep what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__}: a layer must give forward(x, training=False)")

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        """Return the loss's gradient by the last input, given that by the last output.

        It writes the parameters' gradients, or adds to them if `accumulate`.

        Raises:
            RuntimeError: If there was no `forward`.
        """
        raise NotImplementedError(f"{type(self).__name__}: a layer must give backward(dy, accumulate=False)")

    @property
    def output_shape(self) -> Shape:
        """The shape of one sample's output; that of the input unless a subclass says otherwise."""
        return self._shape()

    @property
    def children(self) -> tuple[Layer, ...]:
        """The layers inside this one."""
        return ()

    # What it can use -----------------------------------------------------------------------------------

    def add_parameter(
        self,
        name: str,
        shape: Shape,
        initializer: object,
        rng: np.random.Generator,
        regularizer: object = None,
    ) -> Parameter:
        """Make, keep and return a parameter of this layer."""
        values = initializers.registry.get(initializer, self.title, "initializer")(tuple(shape), rng, self.dtype)
        if values.shape != tuple(shape):
            raise ValueError(
                f"{self.title}: the initializer of {name} must give shape {tuple(shape)}. "
                f"Received: shape {values.shape}"
            )
        if name in self._parameters:
            raise ValueError(f"{self.title}: parameters must have different names. Received: {name!r} again")
        parameter = Parameter(values, name=name)
        parameter.trainable = self._trainable
        self._parameters[name] = parameter
        if regularizer is not None:
            penalty = regularizers.registry.get(regularizer, self.title, "regularizer")
            self._regularized.append((parameter, penalty))
        return parameter

    @staticmethod
    def write_gradient(parameter: Parameter, gradient: Array, accumulate: bool) -> None:
        """Set the gradient of `parameter`, or add to it if `accumulate`."""
        if accumulate:
            np.add(parameter.grad, gradient, out=parameter.grad)
        else:
            parameter.grad = gradient

    def scratch(self, name: str, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        """Return an array to write into, of any content, of the layer's dtype unless another is given.

        In a Trainer's step it is, by that name, the array of the step before, so that training needs no new memory; it
        must hold nothing that is needed after the next `forward`. Otherwise it is a new one, which may be given away.
        """
        if not self.reuse.on:
            return np.empty(shape, self.dtype if dtype is None else dtype)
        array = self._scratch.get(name)
        if array is None or array.shape[1:] != shape[1:] or len(array) < shape[0]:
            array = self._scratch[name] = np.empty(shape, self.dtype if dtype is None else dtype)
        return array if array.shape == shape else array[: shape[0]]  # a shorter batch

    def do(self, *calls: Call, late: bool = False) -> None:
        """Make calls of functions that write into arrays; a model may make them again at its next step.

        With `late`, they hold for the whole step, so that there they may come last.
        """
        make(calls)
        recording = self.reuse.recording
        if recording is not None:
            (recording.late if late else recording.calls).extend(calls)

    def returned(self, function: Callable[..., Array], *arguments: Any) -> Array:
        """Return what a function returns that isn't made of such calls; at a model's next step in the same array."""
        recording, self.reuse.recording = self.reuse.recording, None
        try:
            result = function(*arguments)
        finally:
            self.reuse.recording = recording
        if recording is not None:
            recording.calls.append((refresh, (result, function, *arguments)))
        return result

    def remember(self, **what: Any) -> None:
        """Keep in `forward` what `backward` will need; it is neither copied nor pickled with the layer."""
        vars(self)["_remembered"] = what  # assigned directly: this is done at every step

    def remembered(self, what: str) -> Any:
        """Return what the last `forward` kept under that name.

        Raises:
            RuntimeError: If there was no `forward`.
        """
        if what not in self._remembered:
            raise RuntimeError(f"{self.title}: backward needs a forward before it. Received: none")
        return self._remembered[what]

    # What it is ----------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What errors call the layer: its class, and its name if it has one."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    @property
    def built(self) -> bool:
        """Whether the parameters exist."""
        return self.input_shape is not None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in a fixed order, those of the layers inside included."""
        return tuple(self.named_parameters().values())

    def named_parameters(self) -> dict[str, Parameter]:
        """Return the parameters by their names within this layer; those of a layer inside follow its name."""
        return self._named(lambda layer: layer._parameters)

    def named_buffers(self) -> dict[str, Array]:
        """Return the buffers by their names within this layer; those of a layer inside follow its name."""
        return self._named(lambda layer: layer.buffers)

    def named_arrays(self) -> dict[str, Array]:
        """Return the values of all parameters and buffers, layer by layer, those of each layer together."""
        return self._named(lambda layer: {name: p.data for name, p in layer._parameters.items()} | layer.buffers)

    def get_weights(self) -> list[Array]:
        """Return copies of all parameters and buffers, in order, as Keras does; counters aren't among them."""
        return [array.copy() for array in self._weights().values()]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Copy `weights`, in the order of `get_weights`, into the parameters and buffers: all of them, or none.

        Raises:
            ValueError, TypeError: If they aren't such a list.
        """
        own = self._weights()
        if not isinstance(weights, (list, tuple)):
            raise TypeError(f"{self.title}: weights must be a list of {len(own)} arrays. Received: {describe(weights)}")
        if len(weights) != len(own):
            raise ValueError(f"{self.title}: weights must be {len(own)} arrays. Received: {len(weights)}")
        self._write(own, dict(zip(own, weights, strict=True)))

    def _weights(self) -> dict[str, Array]:
        """Return what `get_weights` copies: layer by layer, first its parameters, then its running statistics."""
        return {name: array for name, array in self.named_arrays().items() if array.dtype.kind == "f"}

    def _write(self, own: Mapping[str, Array], state: Mapping[str, ArrayLike]) -> None:
        """Copy `state` into the arrays of that name: all of them, or none.

        Raises:
            ValueError, TypeError: If names or shapes differ.
        """
        given = {name: numbers(self.title, str(name), value) for name, value in state.items()}
        different = differences(own, given)
        if different:
            raise ValueError(f"{self.title}: the state must fit the model. Received: {different}")
        new = {name: cast(self.title, name, given[name], array.dtype) for name, array in own.items()}
        for name, array in own.items():
            array[...] = new[name]

    def _named(self, own: Callable[[Layer], dict[str, T]]) -> dict[str, T]:
        """Return what `own` returns of this layer and, behind their names, of the layers inside."""
        named = dict(own(self))
        for name, child in zip(names(self.children), self.children, strict=True):
            named.update({f"{name}/{inner}": value for inner, value in child._named(own).items()})
        return named

    @property
    def trainable(self) -> bool:
        """Whether any parameter is trained, or will be once it is built; assigning sets all inside."""
        return any(parameter.trainable for parameter in self.parameters) if self.parameters else self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = flag(self.title, "trainable", value)
        for parameter in self._parameters.values():
            parameter.trainable = value
        for child in self.children:
            child.trainable = value
        self._trainable = value

    @property
    def learning_rate_multiplier(self) -> float:
        """What multiplies the learning rate for the parameters; assigning sets all of them.

        Raises:
            RuntimeError: If there are no parameters yet.
            ValueError: If they have different ones.
        """
        return self._multiplier("learning_rate_multiplier")

    @learning_rate_multiplier.setter
    def learning_rate_multiplier(self, value: float) -> None:
        self._multiply("learning_rate_multiplier", value)

    @property
    def weight_decay_multiplier(self) -> float:
        """What multiplies any weight decay for the parameters; assigning sets all of them.

        Raises:
            RuntimeError: If there are no parameters yet.
            ValueError: If they have different ones.
        """
        return self._multiplier("weight_decay_multiplier")

    @weight_decay_multiplier.setter
    def weight_decay_multiplier(self, value: float) -> None:
        self._multiply("weight_decay_multiplier", value)

    def _multiplier(self, name: str) -> float:
        multipliers = {getattr(parameter, name) for parameter in self.parameters}
        if len(multipliers) > 1:
            raise ValueError(f"{self.title}: its parameters have different multipliers. Received: {multipliers}")
        return multipliers.pop() if multipliers else 1.0

    def _multiply(self, name: str, value: float) -> None:
        if not self.built:
            raise RuntimeError(f"{self.title}: must be built before it gets a multiplier. Received: {value!r}")
        for parameter in self.parameters:
            setattr(parameter, name, value)

    def penalties(self) -> list[tuple[Parameter, Regularizer]]:
        """Return the parameters that have a regularizer, with it, those of the layers inside included.

        Differs from: in Keras the penalties of frozen parameters aren't in the loss.
        """
        return [*self._regularized, *(pair for child in self.children for pair in child.penalties())]

    def regularization(self) -> float:
        """Return the sum of the penalties on the parameters."""
        return sum((regularizer(parameter.data) for parameter, regularizer in self.penalties()), 0.0)

    def activity_penalty(self) -> float:
        """Return the penalties on the outputs of layers inside, of the last `forward`."""
        return sum((child.activity_penalty() for child in self.children), 0.0)

    def share_activities(self, share: float) -> None:
        """Let the penalties on outputs count by that share, until the next `forward`."""
        for child in self.children:
            child.share_activities(share)

    @property
    def takes_integers(self) -> bool:
        """Whether `forward` takes integers as they are, not converted to `dtype`."""
        return False

    def add_regularization_gradient(self) -> None:
        """Add the gradient of `regularization` to the parameters' gradients."""
        for parameter, regularizer in self.penalties():
            parameter.grad += regularizer.gradient(parameter.data)

    def __call__(self, x: Array, training: bool = False) -> Array:
        """Return `forward(x, training)`."""
        return self.forward(x, training)

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(value, Parameter) and isinstance(vars(self).get(name), Parameter):
            raise AttributeError(
                f"{self.title}: {name} is a parameter; assign to {name}.data. Received: {name}={describe(value)}"
            )
        changed = not name.startswith("_") and vars(self).get(name) is not value
        super().__setattr__(name, value)
        if changed:
            self.reuse.changes += 1

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "reuse"} | {
            "_remembered": {},
            "_scratch": {},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, reuse=Reuse())

    def __copy__(self) -> Layer:
        raise TypeError(
            f"{self.title}: a shallow copy would share its parameters; use copy.deepcopy. Received: copy.copy"
        )

    def unbuild(self) -> None:
        """Be as before `build`: without parameters, buffers and shapes."""
        for name in [name for name, value in vars(self).items() if isinstance(value, Parameter)]:
            delattr(self, name)
        self.input_shape = None
        self._parameters, self._regularized, self.buffers = {}, [], {}
        for child in self.children:
            child.unbuild()

    def _shape(self) -> Shape:
        if self.input_shape is None:
            raise RuntimeError(f"{self.title}: must be built before it has a shape. Received: no build")
        return self.input_shape

    def check_input(self, x: Array) -> None:
        """Raise if `x` isn't a batch that `forward` takes: RuntimeError before `build`, ValueError for the rest."""
        if type(x) is np.ndarray and x.shape[1:] == self.input_shape and x.dtype.kind in self.input_kinds:
            return
        if self.input_shape is None:
            raise RuntimeError(
                f"{self.title}: must be built before forward: build(input_shape, rng). Received: {describe(x)}"
            )
        if not isinstance(x, np.ndarray) or x.dtype.kind not in self.input_kinds:
            raise ValueError(f"{self.title}: input must be a floating-point array. Received: {describe(x)}")
        if x.shape[1:] != self.input_shape:
            raise ValueError(
                f"{self.title}: input must have shape ({', '.join(map(str, ('batch', *self.input_shape)))}). "
                f"Received: {describe(x)}"
            )

    def check_values(self, x: Array) -> None:
        """Raise ValueError if `x`, any number of samples, holds numbers that `forward` can't take.

        A Trainer asks before its first step. Any numbers will do unless a subclass says otherwise.
        """

    # How a model runs it -------------------------------------------------------------------------------

    @property
    def link(self) -> Layer | None:
        """The activation this layer ends with, if its cross-entropy is better computed from the logits.

        Such a layer also gives `forward_logits`, which stops before the link, and takes `from_logits` in
        `backward_part`, which starts there.
        """
        return self if self.link_name and self.activity_regularizer is None else None

    def forward_logits(self, x: Array, training: bool = False) -> Array:
        """Return what goes into the link."""
        return x

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        """Do `backward`, from the logits on if `from_logits`.

        Without `input_gradient` only the parameters' gradients matter: a layer may return anything then.
        """
        if from_logits:
            return dy
        return self.backward(dy, accumulate)


registry: Registry[Layer] = Registry("layer", Layer)

# The methods of layers that make up a step.
_STEP = (
    "forward", "forward_logits", "linear", "backward", "backward_part", "linear_backward", "do", "scratch", "remember",
)  # fmt: skip


def names(layers: Sequence[Layer]) -> list[str]:
    """Return a name for each layer: its own, or else that of its class, numbered: dense, dense_1, leaky_relu."""
    chosen: list[str] = []
    given = [layer.name for layer in layers if layer.name]
    if len(set(given)) < len(given):
        raise ValueError(
            f"{type(layers[0]).__name__}: layers side by side must have different names. Received: {given}"
        )
    occupied, tried = set(given), Counter[str]()
    for layer in layers:
        chosen.append(layer.name or fresh_name(layer, occupied, tried))
        occupied.add(chosen[-1])
    return chosen


def fresh_name(layer: Layer, taken: Collection[str | None], tried: Counter[str]) -> str:
    """Return the name of the layer's class, with a number if it is taken.

    `tried` counts how many names of a class are known to be taken, so that a thousand layers don't ask for all.
    """
    plain = type(layer).__name__.replace("LU", "lu")  # relu, not re_lu
    base = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", plain).lower()
    while (name := f"{base}_{tried[base]}" if tried[base] else base) in taken:
        tried[base] += 1
    return name
