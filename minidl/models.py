"""Sequential: layers one after the other, and a Keras-shaped door to training them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minidl.compute.reuse import Tapes
from minidl.config import checked, describe_object
from minidl.layers import Input, Layer, registry
from minidl.layers.base import fresh_name
from minidl.layers.ownership import claim, descendants, owner, refuse_taken, release
from minidl.parameters import Changes, Parameter, flatten
from minidl.randomness import generator, seed_or_fresh
from minidl.regularizers import Regularizer
from minidl.validation import cast, choice, describe, numbers

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from minidl.history import History
    from minidl.training import Trainer
    from minidl.training.batches import Order

__all__ = ["Residual", "Sequential"]

Array = NDArray[Any]
Shape = tuple[int, ...]


@registry.register("sequential")
class Sequential(Layer):
    """Layers one after the other. A model is itself a layer.

    It is built, and its parameters exist, once the shape of a sample is known: at once if the first
    entry is an `Input`, otherwise by `build` or by the first data. All parameters then lie in one vector of memory.

    Args:
        layers: Layers, in order; more can be added by `add`.
        seed: Where all randomness comes from: the start of the parameters here, the order of samples in the
            Trainer. None draws a fresh one, which the attribute `seed` then tells.
        dtype: "float32" (default), "float64" or "float16"; inputs are converted to it.
        name: See `Layer`.

    Raises:
        ValueError: If a layer is given twice, belongs to another model, or has the name of another.
        TypeError: If an entry is no layer.

    >>> model = Sequential([layers.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)], seed=0)
    >>> [parameter.name for parameter in model.parameters]
    ['dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias']
    >>> model.forward(np.ones((2, 4))).shape
    (2, 1)
    """

    input_kinds = "fiub"  # they are converted
    ranges = {"seed": "int [0, inf)"}

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        *,
        seed: int | None = None,
        dtype: DTypeLike = "float32",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.seed = seed_or_fresh("Sequential", seed)
        self.dtype = np.dtype(choice("Sequential", "dtype", _dtype_name(dtype), ("float32", "float64", "float16")))
        self._layers: list[Layer] = []
        self.trainer: Trainer | None = None
        #: Set by a callback, it ends training after the epoch.
        self.stop_training = False
        self._forget()
        self._activity_share = 1.0
        if isinstance(layers, (str, dict, Layer)) or not isinstance(layers, Iterable):
            raise TypeError(f"Sequential: layers must be a list of layers. Received: {describe(layers)}")
        entries = [registry.get(layer, "Sequential") if isinstance(layer, dict) else layer for layer in layers]
        first = entries[0] if entries else None
        if isinstance(first, Input):
            self.build(first.shape)
            entries = entries[1:]
        self._take(entries)

    # Making it -----------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order; `add` puts another behind them."""
        return tuple(self._layers)

    @checked
    def add(self, layer: Layer) -> None:
        """Put `layer` behind the last one; a model that is built builds it at once."""
        if isinstance(layer, Input) and not self._layers and not self.built:
            self.build(layer.shape)
        else:
            self._take([layer])

    def build(self, input_shape: Shape, rng: np.random.Generator | None = None) -> None:
        """Make all parameters, for samples of `input_shape`.

        Layer i draws from a generator that is a function of i and of the model's seed (or of a number drawn from `rng`,
        if the model is inside another): what one layer draws doesn't change the others.
        """
        super().build(input_shape, generator(self.seed, "initialization") if rng is None else rng)
        self._built_by_another = rng is not None
        self._start = self.seed if rng is None else int(rng.integers(2**32))
        try:
            self._build_layers(self._layers, 0, self._shape())
            self._check_output(self._layers)
        except Exception:
            self.input_shape = None
            raise
        self._take_over()

    def unbuild(self) -> None:
        """Be as before `build`; layers that were built before it stay as they are."""
        for layer in self._built_here:
            layer.unbuild()
        self._forget()

    def _forget(self) -> None:
        """Know nothing of what building makes known."""
        self.input_shape = None
        self._start = self.seed
        self._built_by_another = False
        self._built_here: list[Layer] = []
        self._named_parameters: dict[str, Parameter] = {}
        self._parameter_tuple: tuple[Parameter, ...] = ()
        self._penalties: list[tuple[Parameter, Regularizer]] = []
        self._first_with_parameters = 0
        self._activities: dict[Layer, Array] = {}
        self._tapes = Tapes()
        self._penalizing: list[Layer] = []  # which may have penalties on outputs inside

    def pop(self) -> Layer:
        """Take the last layer away and return it, with its parameters; what was compiled is no more.

        Raises:
            RuntimeError: If there is none, or the model is built and inside another.
        """
        if not self._layers:
            raise RuntimeError(f"{self.title}: must have layers before pop. Received: none")
        if self.built and owner(self) is not None:
            raise RuntimeError(
                f"{self.title}: a model inside another can't shrink once built. Received: {self._layers[-1].title}"
            )
        layer = self._layers.pop()
        release(layer)
        self._built_here = [one for one in self._built_here if one is not layer]
        self._tapes = Tapes()
        self.trainer = None
        self._take_over()
        return layer

    def _take(self, layers: Sequence[Layer]) -> None:
        """Put `layers` behind the last one: all of them, or none."""
        taken = {layer.name for layer in self._layers}
        explicit = {layer.name for layer in layers if isinstance(layer, Layer) and not layer.named_by_model}
        occupied, tried = {*taken, *explicit}, Counter[str]()
        titles = []
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"{self.title}: a layer must be an instance of Layer. Received: {describe(layer)}")
            if isinstance(layer, Input):
                raise ValueError(f"{self.title}: Input must be the first entry. Received: another before it")
            if self.built and owner(self) is not None:
                raise RuntimeError(
                    f"{self.title}: a model inside another can't grow once built. Received: {layer.title}"
                )
            own = None if layer.named_by_model else layer.name
            if own in taken and own is not None:
                raise ValueError(f"{self.title}: layers must have different names. Received: {own!r} again")
            titles.append(own or fresh_name(layer, occupied, tried))
            taken.add(titles[-1])
            occupied.add(titles[-1])
        refuse_taken(self, layers)
        if self.built:
            self._build_layers(layers, len(self._layers), self.output_shape)
            self._check_output(layers)
        for layer, title in zip(layers, titles, strict=True):
            layer.named_by_model = layer.named_by_model or layer.name is None
            layer.name = title
        self._layers += layers
        self._take_over()

    def _build_layers(self, layers: Sequence[Layer], first: int, shape: Shape) -> None:
        """Build `layers`, the first of which is the model's layer number `first`: all of them, or none."""
        new = [layer for layer in layers if not layer.built]
        before = [layer.dtype for layer in new]
        try:
            for i, layer in enumerate(layers, start=first):
                if not layer.built:
                    layer.dtype = self.dtype
                    layer.build(shape, generator(self._start, "initialization", i))
                elif layer.input_shape != shape or layer.dtype != self.dtype:
                    raise ValueError(
                        f"{self.title}: {layer.title} was built for input of shape {layer.input_shape}, "
                        f"{layer.dtype}. Received: input of shape {shape}, {self.dtype}"
                    )
                shape = layer.output_shape
        except Exception:
            for layer, dtype in zip(new, before, strict=True):
                layer.unbuild()
                layer.dtype = dtype
            raise
        self._built_here += new

    def _check_output(self, layers: Sequence[Layer]) -> None:
        """Raise ValueError if what these layers, the last ones and just built, put out isn't what it must be."""

    def _take_over(self) -> None:
        """Take over the layers; give parameters their paths as names, and move them into one storage."""
        claim(self)
        if not self.built:
            return
        self._named_parameters = super().named_parameters()
        for path, parameter in self._named_parameters.items():
            parameter.name = path
        flatten(self._named_parameters.values())
        self._parameter_tuple = tuple(self._named_parameters.values())
        self._penalties = super().penalties()
        own = Layer.activity_penalty
        self._penalizing = [
            layer
            for layer in self._layers
            if any(type(part).activity_penalty is not own for part in (layer, *descendants(layer)))
        ]
        trained = [i for i, layer in enumerate(self.layers) if layer.parameters]
        self._first_with_parameters = trained[0] if trained else 0

    # Being a layer -------------------------------------------------------------------------------------

    @property
    def children(self) -> tuple[Layer, ...]:
        """The layers."""
        return self.layers

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, in order; none before the model is built."""
        return self._parameter_tuple

    @property
    def output_shape(self) -> Shape:
        """The last layer's."""
        return self.layers[-1].output_shape if self.layers else self._shape()

    def named_parameters(self) -> dict[str, Parameter]:
        """Return the parameters by their paths, such as "dense_1/kernel"."""
        return dict(self._named_parameters)

    def penalties(self) -> list[tuple[Parameter, Regularizer]]:
        """Return the parameters that have a regularizer, with it."""
        return self._penalties

    @property
    def link(self) -> Layer | None:
        """The last layer's."""
        return self._layers[-1].link if self._layers else None

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        """Return the output for a batch; `training` is for layers that differ while training.

        The output is the caller's: what is done to it changes nothing that `backward` needs.

        Raises:
            ValueError: If `x` doesn't have the shape or kind that the model was built for.
        """
        y = self._run(x, training, logits=False)
        return y if self.reuse.on else y.copy()

    def forward_logits(self, x: ArrayLike, training: bool = False) -> Array:
        """Return what goes into the link."""
        return self._run(x, training, logits=True)

    def _run(self, x: ArrayLike, training: bool, logits: bool) -> Array:
        if not self._layers:
            raise RuntimeError(f"{self.title}: must have layers before forward. Received: none")
        if not (type(x) is np.ndarray and x.dtype == self.dtype and x.shape[1:] == self.input_shape and _lies_well(x)):
            x = self._converted(x)
        if not (self.reuse.on and self.reuse.taping and training) or self._penalized():
            self._tapes.last = None
            return self._run_layers(x, training, logits)
        own = x
        if not self.reuse.same_input:
            own = self.scratch(f"batch of {x.dtype}", x.shape, x.dtype)
            np.copyto(own, x)
        return self._tapes.forward(self.reuse, own, logits, Changes.count, self._run_layers)

    def _run_layers(self, x: Array, training: bool, logits: bool) -> Array:
        self._activities, self._activity_share = {}, 1.0
        last = self._layers[-1]
        for layer in self._layers:
            run = layer.forward_logits if logits and layer is last else layer.forward
            x = run(x, training) if layer.by_calls else self.returned(run, x, training)
            if layer.activity_regularizer is not None:
                self._activities[layer] = x
        return x

    def _converted(self, x: ArrayLike) -> Array:
        """Return a batch as the first layer takes it, or raise ValueError if it doesn't fit."""
        x = numbers(self.title, "input", x)
        if not self.built:
            self.build(x.shape[1:])
        self.check_input(x)
        if self.takes_integers or (x.dtype == self.dtype and _lies_well(x)):
            return x
        if np.can_cast(x.dtype, self.dtype) or (x.dtype.kind in "iub" and self.dtype != np.float16):
            converted = self.scratch("input", x.shape)  # no number is beyond its range
            np.copyto(converted, x, casting="unsafe")
            return converted
        return cast(self.title, "input", x, self.dtype)

    def backward(self, dy: Array, accumulate: bool = False) -> Array:
        """Return the gradient by the last input; write the parameters', or add to them if `accumulate`."""
        return self.backward_part(dy, accumulate)

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        asked = accumulate, from_logits, input_gradient
        if self._tapes.last is None:
            return self._walk_back(dy, *asked)
        return self._tapes.backward(self.reuse, dy, asked, self._run_layers, self._walk_back)

    def _walk_back(self, dy: Array, accumulate: bool, from_logits: bool, input_gradient: bool) -> Array:
        last, first = len(self._layers) - 1, 0 if input_gradient else self._first_with_parameters
        for i in range(last, first - 1, -1):
            layer = self._layers[i]
            if layer in self._activities:
                dy = dy + self._activity_gradient(layer)
            back = partial(
                layer.backward_part, from_logits=from_logits and i == last, input_gradient=input_gradient or i > first
            )
            dy = back(dy, accumulate) if layer.by_calls else self.returned(back, dy, accumulate)
        return dy

    def activity_penalty(self) -> float:
        """Return the penalties on the outputs of the last `forward`: each one's mean over the batch."""
        if not self._activities and not self._penalizing:
            return 0.0
        own = sum(layer.activity_regularizer(y) / max(len(y), 1) for layer, y in self._activities.items())  # type: ignore[misc]  # it has one
        inside = sum((layer.activity_penalty() for layer in self._penalizing), 0.0)
        return float(own) * self._activity_share + inside

    def share_activities(self, share: float) -> None:
        """Let the penalties on outputs count by that share, as those of a part of a batch."""
        self._activity_share = share
        super().share_activities(share)

    def _penalized(self) -> bool:
        """Tell whether outputs of layers have penalties, which need their values."""
        return any(layer.activity_regularizer is not None for layer in self._layers)

    def _activity_gradient(self, layer: Layer) -> Array:
        y, penalty = self._activities[layer], layer.activity_regularizer
        assert penalty is not None
        return (penalty.gradient(y) * (self._activity_share / max(len(y), 1))).astype(y.dtype, copy=False)

    def check_values(self, x: Array) -> None:
        """Raise ValueError if `x` holds what the first layer can't take."""
        if self._layers:
            self._layers[0].check_values(x)

    @property
    def takes_integers(self) -> bool:
        """Whether the first layer takes integers as they are."""
        return bool(self._layers) and self._layers[0].takes_integers

    # Copying it ----------------------------------------------------------------------------------------

    def clone(self) -> Self:
        """Return an independent model with the same layers, values, buffers, settings of parameters and seed.

        It is `copy.deepcopy`, in a storage of its own: a model from inside another, whose parameters lie among the
        other's, is cloned without these. If this one is compiled, so is the clone: its trainer goes on like this
        one's, with slots that belong to the clone's parameters. What only spares work (the memory of the last step)
        is left behind, and so is what `backward` would need of the last `forward`.

        >>> model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
        >>> twin = model.clone()
        >>> twin.parameters[0].data = [[0.0], [0.0]]
        >>> bool(model.parameters[0].data.any())
        True
        """
        twin = copy.deepcopy(self)
        twin._take_over()
        return twin

    # Weights -------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and buffers, by their paths."""
        return {name: array.copy() for name, array in self._arrays().items()}

    @checked
    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Copy `state` into the parameters and buffers: all of them, or none.

        Raises:
            ValueError, TypeError: If names or shapes differ.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"{self.title}: the state must be a dict. Received: {describe(state)}")
        self._write(self._arrays(), state)

    def _arrays(self) -> dict[str, Array]:
        """Return the parameters' values and the buffers themselves, by their paths."""
        return {name: parameter.data for name, parameter in self._named_parameters.items()} | self.named_buffers()

    @checked
    def save_weights(self, path: str | Path) -> None:
        """Write the parameters and buffers to a file in the safetensors format, as a whole or not at all.

        Args:
            path: The file; one that is there is replaced in one step. See docs/saving.md.

        Raises:
            RuntimeError: If the model isn't built.
            OSError: If it can't be written; what was there is untouched.
        """
        from minidl.saving import save_weights

        save_weights(self, path)

    @checked
    def load_weights(self, path: str | Path) -> None:
        """Copy the weights in a file into the parameters and buffers, strictly by name and shape: all, or none.

        Args:
            path: A file that `save_weights`, `save` or a fit with checkpoints has written. Floating-point numbers may
                be of another precision than the model's.

        Raises:
            RuntimeError: If the model isn't built.
            minidl.saving.FileError: If the file is damaged or isn't one of minidl's, or names or shapes differ; the
                message tells which.
            OSError: If it can't be read.
        """
        from minidl.saving import load_weights

        load_weights(self, path)

    @checked
    def save(self, path: str | Path, *, include_optimizer: bool = True) -> None:
        """Write the whole model to a file in the safetensors format, as a whole or not at all; see `minidl.load_model`.

        It holds the layers with their arguments, the seed, weights and buffers, how each parameter is to be trained,
        and, if the model is compiled, loss, metrics and the optimizer with its state.

        Args:
            path: The file; one that is there is replaced in one step. See docs/saving.md.
            include_optimizer: Whether to save the latter.

        Raises:
            TypeError: If something has no description that a file could hold, such as a function as learning rate.
            OSError: If it can't be written; what was there is untouched.
        """
        from minidl.saving import save_model

        save_model(self, path, include_optimizer=include_optimizer)

    # Describing it -------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the layers, the seed, the dtype and, once built, the input's shape; for `from_config`."""
        entries: list[Layer] = list(self.layers)
        if self.input_shape is not None and not self._built_by_another:
            entries.insert(0, Input(self.input_shape))
        return {
            "layers": [describe_object(layer) for layer in entries],
            "seed": self.seed,
            "dtype": str(self.dtype),
            "name": self.name,
        }

    @checked
    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print a line a layer: its name, class, output shape and number of parameters; the optimizer, and how it ran.

        Raises:
            RuntimeError: If the model isn't built yet.
        """
        if not self.built:
            how = "begin with Input(shape), or fit it"
            raise RuntimeError(f"{self.title}: must be built before its summary: {how}. Received: no build")
        from minidl.representation import model_lines

        for line in model_lines(self):
            print_fn(line)

    def _repr_html_(self) -> str:
        from minidl.representation import model_html

        return model_html(self)

    def __repr__(self) -> str:
        inside = ", ".join(repr(layer) for layer in self.layers)
        dtype = "" if self.dtype == np.float32 else f", dtype={str(self.dtype)!r}"
        name = "" if self.name is None else f", name={self.name!r}"
        return f"{type(self).__name__}([{inside}], seed={self.seed}{dtype}{name})"

    # Training it, as in Keras --------------------------------------------------------------------------

    @checked
    def compile(self, optimizer: object, loss: object, metrics: Iterable[object] | None = None) -> None:
        """Say how to train; the weights stay as they are. Afterwards `model.trainer` is the Trainer that `fit` uses.

        Args:
            optimizer: An optimizer or its name. One that has trained another model is refused.
            loss: A loss or its name.
            metrics: A list of metrics or their names.

        Raises:
            ValueError, TypeError: If they aren't such.
        """
        from minidl.training import Trainer

        self.trainer = Trainer(self, optimizer, loss, metrics)

    @checked
    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        shuffle: Order = True,
        validation_data: Any = None,
        validation_split: float = 0.0,
        stratify: bool = False,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        accumulate: int = 1,
        on_nonfinite: str = "raise",
        callbacks: Sequence[Any] = (),
        checkpoint: Any = None,
        resume: bool = False,
        verbose: int = 1,
    ) -> History:
        """Train, as `Trainer.fit` does, which tells of the arguments.

        Raises:
            RuntimeError: If the model isn't compiled.
        """
        return self._compiled("fit").fit(
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            validation_data=validation_data,
            validation_split=validation_split,
            stratify=stratify,
            sample_weight=sample_weight,
            class_weight=class_weight,
            accumulate=accumulate,
            on_nonfinite=on_nonfinite,
            callbacks=callbacks,
            checkpoint=checkpoint,
            resume=resume,
            verbose=verbose,
        )

    @checked
    def evaluate(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = None,
        sample_weight: ArrayLike | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss, or with metrics the list [loss, *metrics], or with `return_dict` a dict by their names.

        The other arguments are those of `Trainer.evaluate`. A model that isn't built is then.

        Raises:
            RuntimeError: If the model isn't compiled.
        """
        logs = self._compiled("evaluate").evaluate(x, y, batch_size=batch_size, sample_weight=sample_weight)
        if return_dict:
            return logs
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    @checked
    def predict(self, x: Any, *, batch_size: int | None = None) -> Array:
        """Return the outputs for all of `x`, computed in batches; a model that isn't built is then.

        Args:
            x: Samples along the first axis.
            batch_size: Samples a batch, at least 1; 32 by default.

        Raises:
            ValueError: If `x` doesn't fit the model, or isn't finite.
        """
        from minidl.training import predict

        return predict(self, x, batch_size)

    def _compiled(self, what: str) -> Trainer:
        if self.trainer is None:
            raise RuntimeError(
                f"{self.title}: must be compiled before {what}: compile(optimizer, loss). Received: no compile"
            )
        return self.trainer

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_activities": {}, "_tapes": Tapes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        claim(self)


@registry.register("residual")
class Residual(Sequential):
    """A `Sequential` whose input is added to its output: y = x + f(x).

    The layers inside must keep the shape. Inside a model it is a block that deep nets are made of, since the gradient
    reaches what lies before it also without passing through f.

    Source: He and others, Deep residual learning for image recognition, 2016.

    >>> block = Residual([layers.Dense(3, kernel_initializer="zeros")])
    >>> block.forward(np.ones((1, 3))).tolist()
    [[1.0, 1.0, 1.0]]
    """

    def _check_output(self, layers: Sequence[Layer]) -> None:
        if layers and layers[-1].output_shape != self.input_shape:
            shapes = f"from {self.input_shape} to {layers[-1].output_shape}"
            for layer in layers:
                layer.unbuild()
            raise ValueError(f"{self.title}: its layers must keep the shape of a sample. Received: {shapes}")

    @property
    def link(self) -> None:
        """None: what comes out is a sum."""
        return

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        y = super().forward(x, training)
        return y + np.asarray(x).astype(y.dtype, copy=False)

    def backward_part(
        self, dy: Array, accumulate: bool = False, *, from_logits: bool = False, input_gradient: bool = True
    ) -> Array:
        dx = super().backward_part(dy, accumulate, from_logits=from_logits, input_gradient=input_gradient)
        return dx + dy if input_gradient else dx


def _lies_well(x: Array) -> bool:
    """Tell whether an array lies as BLAS has it; otherwise a product may be rounded in another way."""
    return x.flags.c_contiguous and x.flags.aligned


def _dtype_name(dtype: DTypeLike) -> str:
    try:
        return "None" if dtype is None else str(np.dtype(dtype))
    except TypeError:
        return str(dtype)
