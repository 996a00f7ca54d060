"""Keras's models: Sequential, and the chains that its functional way of writing can make."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

import minidl.models
from minidl.keras import callbacks as keras_callbacks
from minidl.keras import losses, metrics, optimizers
from minidl.keras.config import floatx
from minidl.keras.face import defaults_of, defaults_only, missing, refuse
from minidl.keras.layers import InputLayer
from minidl.keras.random_state import next_seed
from minidl.keras.tensors import KerasTensor, Variable, Weighted, after, weights_of
from minidl.keras.utils import PyDataset
from minidl.layers import Input, Layer
from minidl.layers.ownership import owner
from minidl.optimizers import NonFiniteError
from minidl.training import Trainer
from minidl.validation import describe, flag

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Extractor", "Model", "Sequential", "clone_model", "load_model"]

Array = NDArray[Any]


class Model(Weighted, minidl.models.Sequential):
    """A chain of layers from `inputs` to `outputs`, with Keras's ways of training it.

    Several outputs, or layers that belong to another model, make an `Extractor`, which only predicts. Models that
    branch aren't supported.
    """

    described_as = "Sequential"  # whatever its layers were written as, it is a chain of them
    _root: KerasTensor | None = None  # what stands for its input, once that was asked for or given

    def __new__(cls, inputs: Any = None, outputs: Any = None, **options: Any) -> Any:
        """Make a model, or what reads the outputs of another one's layers."""
        if cls is Model and _is_taken(inputs, outputs):
            return Extractor(_single(inputs), outputs)
        return super().__new__(cls)

    def __init__(self, inputs: Any, outputs: Any, *, trainable: bool = True, name: str | None = None) -> None:
        start = _single(inputs)
        end = _single(outputs)
        super().__init__([], seed=next_seed(), dtype=floatx(), name=name)
        chain = end.chain(start)
        self.add(start)
        for layer in chain:
            self.add(layer)
        if not trainable:
            self.trainable = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "call" in vars(cls) or "train_step" in vars(cls):
            raise NotImplementedError(
                f"keras {cls.__name__}: a model with its own call isn't differentiated; see minidl.Trainer.step for a "
                f"loop of one's own. Received: a subclass of Model"
            )
        super().__init_subclass__(**kwargs)

    # Making it -----------------------------------------------------------------------------------------

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer behind the last one; an `Input`, or a first layer with `input_shape`, says samples' shape."""
        if isinstance(layer, KerasTensor):
            self._root = layer
            if self._layers:
                raise ValueError(f"{self.title}: Input must be the first entry. Received: another before it")
            if layer.sample_shape is not None:
                super().add(Input(layer.sample_shape))
            return
        if isinstance(layer, InputLayer):
            super().add(Input(layer.shape))
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.title}: a layer must be an instance of Layer. Received: {describe(layer)}")
        declared = getattr(layer, "declared_shape", None)
        if declared is not None and not self._layers and not self.built:
            super().add(Input(declared))
        super().add(layer)

    def build(self, input_shape: Any, rng: np.random.Generator | None = None) -> None:
        """Make all parameters, for batches of `input_shape`, which begins with None for the batch, or for samples."""
        shape = tuple(input_shape)
        super().build(shape[1:] if shape and shape[0] is None else shape, rng)

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers, in order."""
        return tuple(self._layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Return the layer of that name, or number.

        Raises:
            ValueError: If there is none.
        """
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"{self.title}: no such layer. Received: {name!r}. Known: {[one.name for one in self.layers]}")

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return the output for an array, or what stands for it."""
        if isinstance(x, KerasTensor):
            if not self.built and x.sample_shape is not None:
                self.build(x.sample_shape)
            return after(self, x)
        return self.forward(np.asarray(x), training)

    # What it is ----------------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[KerasTensor]:
        """What stands for a batch of samples."""
        if self._root is None:
            self._root = KerasTensor((None, *self._shape()), str(self.dtype))
        return [self._root]

    @property
    def outputs(self) -> list[KerasTensor]:
        """What stands for what comes out."""
        return [self.symbol_after(self.layers[-1])]

    def symbol_after(self, layer: Layer) -> KerasTensor:
        """Return what stands for the output of one of the layers."""
        here = self.inputs[0]
        for one in self.layers:
            here = after(one, here)
            if one is layer:
                break
        return here

    @property
    def weights(self) -> list[Variable]:
        """All weights, in the order of `get_weights`; RuntimeError before the model is built."""
        self._shape()
        return weights_of(self)

    variables = weights

    @property
    def optimizer(self) -> Any:
        """The optimizer, one of minidl's; None before `compile`."""
        return None if self.trainer is None else self.trainer.optimizer

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns."""
        return ["loss", *(metric.name for metric in self._compiled("metrics_names").metrics)]

    # Training it ---------------------------------------------------------------------------------------

    def compile(  # type: ignore[override]  # Keras's signature
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train: an optimizer, a loss and metrics, by name or as objects.

        A loss of minidl's own then takes Keras's mean (`mean_over`), a metric weighs samples or not (`weighted`).
        """
        if loss is None or isinstance(loss, (dict, list, tuple)):
            raise refuse("keras compile", "loss", loss, "a model has one loss")
        defaults_only("keras compile", defaults_of(Model.compile), {"loss_weights": loss_weights})
        loss = losses.get(loss)  # the caller's own object, which may be changed while training
        loss.mean_over = "samples"
        self.trainer = Trainer(
            self, optimizers.get(optimizer), loss, [*_metrics(metrics, False), *_metrics(weighted_metrics, True)]
        )

    def fit(  # type: ignore[override]  # Keras's signature
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> keras_callbacks.History:
        """Train for `epochs` − `initial_epoch` epochs, and return their history.

        `validation_split` keeps the last samples, as they come, as Keras does. `x` may also be an iterable of
        batches, or an object with `__len__` and `__getitem__` that gives them.
        """
        absent = {
            "steps_per_epoch": steps_per_epoch,
            "validation_steps": validation_steps,
            "validation_batch_size": validation_batch_size,
            "validation_freq": validation_freq,
        }
        defaults_only("keras fit", defaults_of(Model.fit), absent)
        trainer = self._compiled("fit")
        arrays = {"batch_size": batch_size, "sample_weight": sample_weight, "validation_split": validation_split}
        data, options = self._training_data(self._data("fit", x, y, arrays), arrays, validation_data)
        history = keras_callbacks.History()
        given = [] if callbacks is None else callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        params = {"epochs": epochs, "verbose": verbose, "steps": _steps(data, batch_size)}
        try:
            trainer.fit(
                *(data if isinstance(data, tuple) else (data,)),
                epochs=epochs - initial_epoch,
                class_weight=class_weight,
                shuffle=bool(shuffle),
                callbacks=keras_callbacks.adapted([*given, history], self, params, initial_epoch),
                verbose=1 if verbose == "auto" else int(verbose),
                **options,
            )
        except NonFiniteError as error:
            if not any(isinstance(one, keras_callbacks.TerminateOnNaN) for one in given):
                raise
            print(f"Invalid loss, terminating training: {error}")  # noqa: T201  # as Keras does
        return history

    def _training_data(self, data: Any, arrays: dict[str, Any], validation_data: Any) -> tuple[Any, dict[str, Any]]:
        """Return what is trained on, and what our fit is told beside it: options of `arrays`, and what validates."""
        if validation_data is not None:
            if arrays["validation_split"]:
                raise ValueError("keras fit: validation_data or validation_split can be given. Received: both")
            validation_data = self._validation(validation_data)
        if not isinstance(data, tuple):
            return data, {"validation_data": validation_data}
        weights, fraction = arrays["sample_weight"], arrays["validation_split"]
        if fraction:
            given = data if weights is None else (*data, np.asarray(weights))
            head, validation_data = _split(given, float(fraction))
            data, weights = head[:2], None if weights is None else head[2]
        options = {"batch_size": arrays["batch_size"], "sample_weight": weights}
        return data, {"validation_data": validation_data, **options}

    def evaluate(  # pyright: ignore[reportIncompatibleMethodOverride]  # Keras's signature
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss, or with metrics the list [loss, *metrics], or a dict; unless `verbose` is 0, say it."""
        defaults_only("keras evaluate", defaults_of(Model.evaluate), {"steps": steps, "callbacks": callbacks})
        trainer, began = self._compiled("evaluate"), time.perf_counter()
        options = {"batch_size": batch_size, "sample_weight": sample_weight}
        data = self._data("evaluate", x, y, options)
        logs = trainer.evaluate(*data, **options) if isinstance(data, tuple) else trainer.evaluate(data)
        if verbose:
            steps_made = _steps(data, batch_size)
            told = " - ".join(f"{name}: {value:.4f}" for name, value in logs.items())
            print(f"{steps_made}/{steps_made} - {time.perf_counter() - began:.0f}s - {told}")  # noqa: T201  # likewise
        if flag("evaluate", "return_dict", return_dict):
            return logs
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  # Keras's signature, here and below
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Array:  # fmt: skip
        """Return the outputs for all of `x`."""
        defaults_only("keras predict", defaults_of(Model.predict), {"steps": steps, "callbacks": callbacks})
        return super().predict(np.asarray(x), batch_size=batch_size)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Make one step; return its loss, or with metrics a list, or a dict."""
        defaults, hints = defaults_of(Model.train_on_batch), {"class_weight": "sample_weight is"}
        defaults_only("keras train_on_batch", defaults, {"class_weight": class_weight}, hints)
        trainer = self._compiled("train_on_batch")
        logs = trainer.step(*self._arrays_of(x, y), sample_weight)
        values = list(logs.values())
        return logs if return_dict else values if len(values) > 1 else values[0]

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return what `evaluate` does, of one batch."""
        return self.evaluate(x, y, len(x), 0, sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Array:
        """Return the outputs for one batch."""
        return self.forward(np.asarray(x))

    # Data ----------------------------------------------------------------------------------------------

    def _data(self, owner: str, x: Any, y: Any, arrays: Mapping[str, Any]) -> Any:
        """Return arrays (x, y), or an iterable of batches, as our Trainer takes them; `arrays` are options of those."""
        if y is not None:
            return self._arrays_of(x, y)
        sized, items = hasattr(x, "__len__"), hasattr(x, "__getitem__")
        by_items = sized and items and not isinstance(x, (list, tuple, np.ndarray))
        if not by_items and (not isinstance(x, Iterable) or isinstance(x, (np.ndarray, dict))):
            raise TypeError(f"keras: x and y must be arrays, or x an iterable of batches. Received: {describe(x)}")
        hints = dict.fromkeys(arrays, "batches come as they are; arrays have it")
        defaults_only(f"keras {owner}", defaults_of(Model.fit), arrays, hints)
        if by_items:
            return _Batches(lambda: _items(x), self._batch, len(cast(Any, x)))
        if isinstance(x, Iterator):
            return map(self._batch, x)
        return _Batches(lambda: x, self._batch, len(cast(Any, x)) if sized else None)

    def _validation(self, given: Any) -> Any:
        """Return validation data alike."""
        if isinstance(given, (tuple, list)) and len(given) in (2, 3):
            return self._batch(given)
        return self._data("fit", given, None, {})

    def _batch(self, batch: Any) -> Any:
        x, y, *weight = batch
        return (*self._arrays_of(x, y), *(one for one in weight if one is not None))

    def _arrays_of(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Return samples and targets as arrays, the targets in the shape and of the kind that the loss takes."""
        x, y = np.asarray(x), np.asarray(y)
        if not self.built:
            self.build((None, *x.shape[1:]))
        if isinstance(cast(Trainer, self.trainer).loss, losses.SparseCategoricalCrossentropy):
            if y.ndim == len(self.output_shape) + 1 and y.shape[-1] == 1:
                y = y[..., 0]
            if y.dtype.kind == "f" and np.array_equal(y, np.round(y)):
                y = y.astype(np.int64)
            return x, y
        if y.ndim == len(self.output_shape) and self.output_shape[-1:] == (1,):
            y = y[..., None]
        return x, y if y.dtype.kind == "f" else y.astype(self.dtype)

    # Describing and saving it --------------------------------------------------------------------------

    def save(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        filepath: str | Path,
        overwrite: bool = True,
        zipped: bool | None = None,
        *,
        include_optimizer: bool = True,
    ) -> None:
        """Write the model to a file, in minidl's own format whatever its name is; see `load_model`."""
        defaults_only("keras save", defaults_of(Model.save), {"overwrite": overwrite})
        super().save(filepath, include_optimizer=include_optimizer)

    def summary(  # type: ignore[override]  # Keras's signature
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a line a layer, as minidl does: what Keras's other arguments change isn't in it."""
        super().summary(print if print_fn is None else print_fn)

    @classmethod
    def _arguments(cls) -> Any:
        return minidl.models.Sequential._arguments()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """Make a model like the one whose `get_config` it is, with new weights."""
        return cls.faced(minidl.models.Sequential.from_config(config))

    @classmethod
    def faced(cls, plain: minidl.models.Sequential) -> Sequential:
        """Return a model of this face with layers like those of one of ours, and new weights."""
        from minidl.keras import layers as known

        model = (cls if issubclass(cls, Sequential) else Sequential)(name=plain.name)
        model.seed, model.dtype = plain.seed, plain.dtype
        if plain.input_shape is not None:
            model.add(Input(plain.input_shape))
        for layer in plain.layers:
            own = getattr(known, type(layer).__name__, None)
            if own is not None:
                copied = own.from_config(layer.get_config())
                copied.named_by_model = layer.named_by_model
                model.add(copied)
            else:
                model.add(type(layer).from_config(layer.get_config()))
        return model


class Sequential(Model):
    """Layers one after the other."""

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        minidl.models.Sequential.__init__(self, [], seed=next_seed(), dtype=floatx(), name=name)
        for layer in layers if layers is not None else []:
            self.add(layer)
        if not trainable:
            self.trainable = False


class Extractor:
    """What reads the outputs of layers of a model; it shares their weights, and can't be trained.

    Args:
        inputs: The model's input.
        outputs: One output of its layers, or a list.
    """

    def __init__(self, inputs: KerasTensor, outputs: Any) -> None:
        self.single = isinstance(outputs, KerasTensor)
        ends = [outputs] if self.single else list(outputs)
        self.chains = [end.chain(inputs) for end in ends]

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return the output of each of the layers, or of the one."""
        longest = max(self.chains, key=len)
        if any(chain != longest[: len(chain)] for chain in self.chains):
            raise refuse("keras Model", "outputs", self.chains, "all must lie on one chain of layers")
        seen: dict[int, Array] = {}
        for number, layer in enumerate(longest, start=1):
            x = np.array(cast(Any, layer)(x, training))
            seen[number] = x
        found = [seen[len(chain)] for chain in self.chains]
        return found[0] if self.single else found

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto") -> Any:
        """Return the outputs for all of `x`."""
        size = 32 if batch_size is None else batch_size
        x = np.asarray(x)
        parts = [self(x[i : i + size]) for i in range(0, len(x), size)]
        if self.single:
            return np.concatenate(parts)
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    def compile(self, *args: Any, **options: Any) -> None:
        """Raise: its layers belong to another model."""
        raise NotImplementedError(
            "keras Model: a model of several outputs, or of another model's layers, can't be trained. Received: compile"
        )


class _Batches:
    """Batches that are gone through anew each epoch, each made fit for our Trainer."""

    def __init__(self, source: Callable[[], Iterable[Any]], batch: Callable[[Any], Any], length: int | None) -> None:
        self._source, self._batch = source, batch
        self.length = length

    def __iter__(self) -> Iterator[Any]:
        return map(self._batch, self._source())


def _items(batches: Any) -> Iterator[Any]:
    """Give the batches of an object with a length, which may want to know where an epoch begins and ends."""
    told = isinstance(batches, PyDataset)
    if told:
        batches.on_epoch_begin()
    yield from (batches[i] for i in range(len(batches)))
    if told:
        batches.on_epoch_end()


def _steps(data: Any, batch_size: int | None) -> int | None:
    """Return how many batches there are, if that is known."""
    if isinstance(data, tuple):
        return math.ceil(len(data[0]) / (32 if batch_size is None else batch_size))
    return getattr(data, "length", None)


def _split(arrays: tuple[Array, ...], fraction: float) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the samples but for the last ones, as they come, and these, as Keras does."""
    samples = len(arrays[0])
    kept = math.floor(samples * (1 - fraction))
    if not 0 < kept < samples:
        raise ValueError(
            f"keras fit: validation_split must leave samples for both. Received: {fraction}, {samples} samples"
        )
    return tuple(array[:kept] for array in arrays), tuple(array[kept:] for array in arrays)


def _metrics(given: Any, weighted: bool) -> list[Any]:
    if given is None:
        return []
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, (list, tuple)):
        raise refuse("keras compile", "metrics", given, "a list is")
    made = [metrics.get(one) for one in given]
    for metric in made:
        metric.weighted = weighted
    return made


def _single(symbols: Any) -> KerasTensor:
    """Return the one symbol that was given, alone or in a list."""
    one = symbols[0] if isinstance(symbols, (list, tuple)) and len(symbols) == 1 else symbols
    if not isinstance(one, KerasTensor):
        raise refuse(
            "keras Model", "inputs and outputs", symbols, "one of each is, as keras.Input and layers make them"
        )
    return one


def _is_taken(inputs: Any, outputs: Any) -> bool:
    """Tell whether outputs are several, or of layers that are in a model already."""
    if isinstance(outputs, (list, tuple)) and len(outputs) != 1:
        return True
    return any(owner(layer) is not None for layer in _single(outputs).chain(_single(inputs)))


def load_model(
    filepath: str | Path,
    custom_objects: Any = None,
    compile: bool = True,  # noqa: A002  # Keras's name
    safe_mode: bool = True,
) -> Sequential:
    """Return the model in a file that `model.save` has written, compiled as it was unless `compile` is false."""
    from minidl.saving import load_model as load
    from minidl.saving.models import restore_model, restore_optimizer
    from minidl.saving.settings import parameter_settings

    hints = {"custom_objects": "register them with minidl's registries"}
    defaults_only("keras load_model", defaults_of(load_model), {"custom_objects": custom_objects}, hints)
    plain = load(filepath, compile=compile)
    model = Sequential.faced(plain)
    restore_model(model, plain.state_dict(), parameter_settings(plain))
    if plain.trainer is not None:
        known, optimizer = plain.trainer, plain.trainer.optimizer
        again = optimizer.from_config(optimizer.get_config())
        model.trainer = Trainer(model, again, known.loss, known.metrics, seed=known.seed)
        restore_optimizer(again, optimizer.state_dict(), model)
    return model


def clone_model(model: Model) -> Sequential:
    """Return a model with the same layers and new weights."""
    config = model.get_config()
    return Sequential.from_config({**config, "seed": next_seed()})


__getattr__ = missing("keras.models", __all__)
