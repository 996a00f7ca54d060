"""Weights for PyTorch's modules, and from them: names, orders and shapes as there. PyTorch isn't needed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidl import layers
from minidl.config import checked
from minidl.models import Residual, Sequential
from minidl.validation import describe, differences

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["from_torch", "load_torch", "save_torch", "to_torch"]

Array = NDArray[Any]
State = dict[str, Array]
Shape = tuple[int, ...]


class _Kind(NamedTuple):
    """How the arrays of a layer are written as PyTorch's, by their names there, and read from these, by ours."""

    write: Callable[[Any], State]
    read: Callable[[Any, State], State]


@checked
def to_torch(model: Sequential, names: Mapping[str, str] | Sequence[str] | None = None) -> State:
    """Return the weights and running statistics of `model` as a PyTorch module's `state_dict`, in arrays.

    `Dense` is written for `Linear`, `Conv2D` for `Conv2d`, `LSTM`, `GRU` (with reset_after) and `SimpleRNN`, also in a
    `Bidirectional` that concatenates, for those of one layer, `BatchNormalization` for `BatchNorm1d` and `2d`,
    `LayerNormalization` for `LayerNorm`, `Embedding` for `Embedding`. Behind a `Flatten` of images, the rows of the
    next `Dense`, and the normalizations before it, are put into the order of PyTorch's images, whose channels come
    first.

    Args:
        model: A built `Sequential`.
        names: What the modules are called: a dict from our layers' names, "dense_1" (of layers inside, "block/dense"),
            to theirs, such as "classifier.3"; or a list for all layers with weights, in order; None is our names, with
            dots.

    Raises:
        RuntimeError: If the model isn't built.
        NotImplementedError: If a layer with weights has no such counterpart, or a layer behind a `Flatten` of images
            takes their order for what it isn't there.
        ValueError: If `names` aren't for the layers with weights.

    >>> model = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)], seed=0)
    >>> {name: array.shape for name, array in to_torch(model, ["0", "2"]).items()}
    {'0.weight': (4, 3), '0.bias': (4,), '2.weight': (2, 4), '2.bias': (2,)}
    """
    return _state(_named("to_torch", model, names))


@checked
def from_torch(
    model: Sequential, state: Mapping[str, Any], names: Mapping[str, str] | Sequence[str] | None = None
) -> None:
    """Copy a PyTorch module's `state_dict`, of tensors or arrays, into `model`: all of it, or nothing.

    The two biases of PyTorch's LSTM become their sum. See `to_torch`.

    Raises:
        ValueError: If a name is missing or unknown, or a shape is another.
        TypeError: If `state` is no dict.
        RuntimeError, NotImplementedError: See `to_torch`.
    """
    _copy("from_torch", model, state, names)


def _copy(owner: str, model: Sequential, state: Mapping[str, Any], names: Any) -> None:
    """Do what `from_torch` does, in the name of `owner`."""
    named = _named(owner, model, names)
    if not isinstance(state, Mapping):
        raise TypeError(f"{owner}: state must be a dict of tensors or arrays. Received: {describe(state)}")
    own = _state(named)
    given = {name: _array(value) for name, value in state.items()}
    different = differences(own, {name: a for name, a in given.items() if name in own or not _counts(name)})
    if different:
        raise ValueError(f"{owner}: the state must fit the model. Received: {different}")
    new = [
        (
            layer,
            kind.read(layer, {inner: given[f"{name}.{inner}"] for inner in kind.write(layer)}),
        )
        for name, layer, kind in named
    ]
    for layer, arrays in new:
        for name, array in layer.named_arrays().items():
            array[...] = arrays.get(name, array)


@checked
def save_torch(model: Sequential, path: str | Path, names: Mapping[str, str] | Sequence[str] | None = None) -> None:
    """Write what `to_torch` returns to a safetensors file, which `safetensors.torch.load_file` reads."""
    from safetensors.numpy import save

    from minidl.saving.files import checked_path, place

    place("save_torch", checked_path("save_torch", path), save(to_torch(model, names)))


@checked
def load_torch(model: Sequential, path: str | Path, names: Mapping[str, str] | Sequence[str] | None = None) -> None:
    """Read a safetensors file that `safetensors.torch.save_file(module.state_dict(), path)` wrote; see `from_torch`.

    Raises:
        minidl.saving.FileError: If it is no such file.
        OSError: If it can't be read.
    """
    from minidl.saving.files import checked_path, read_by

    _copy("load_torch", model, read_by("load_torch", checked_path("load_torch", path), _tensors), names)


def _tensors(file: IO[bytes]) -> State:
    from safetensors.numpy import load

    from minidl.saving import FileError

    try:
        return load(file.read())
    except OSError:
        raise
    except Exception as error:  # the format's own, and what NumPy has no dtype for
        reason = f"{type(error).__name__} {error}"[:200]
        raise FileError(f"it must be a safetensors file of NumPy's dtypes. Received: another ({reason})") from error


def _named(owner: str, model: Any, names: Mapping[str, str] | Sequence[str] | None) -> list[tuple[str, Any, _Kind]]:
    """Return PyTorch's name of each layer that has weights, the layer, and how it is written."""
    if not isinstance(model, Sequential):
        raise TypeError(f"{owner}: model must be a Sequential. Received: {describe(model)}")
    if not model.built:
        raise RuntimeError(f"{owner}: {model.title} must be built. Received: no build")
    found = list(_with_weights(owner, model, ""))
    own = [path for path, _, _ in found]
    if names is None:
        theirs = [path.replace("/", ".") for path in own]
    elif isinstance(names, Mapping):
        if set(names) != set(own):
            raise ValueError(f"{owner}: names must be of the layers {own}. Received: {list(names)}")
        theirs = [str(names[path]) for path in own]
    else:
        theirs = [str(name) for name in names]
    if isinstance(names, str) or len(theirs) != len(own) or len(set(theirs)) < len(theirs):
        raise ValueError(f"{owner}: names must be {len(own)} different ones, for the layers {own}. Received: {names!r}")
    return [(name, layer, kind) for name, (_, layer, kind) in zip(theirs, found, strict=True)]


def _state(named: list[tuple[str, Any, _Kind]]) -> State:
    """Return copies of what these layers have, as PyTorch's."""
    return {
        f"{name}.{own}": np.array(array, order="C")
        for name, layer, kind in named
        for own, array in kind.write(layer).items()
    }


def _with_weights(
    owner: str, model: Sequential, path: str, images: Shape | None = None
) -> Generator[tuple[str, Any, _Kind], None, Shape | None]:
    """Give the layers inside; `images` were flattened before them, and lie in another order there.

    Returns the flattened images that come out.
    """
    for layer in model.layers:
        if isinstance(layer, Sequential):
            before = images
            images = yield from _with_weights(owner, layer, f"{path}{layer.name}/", images)
            if isinstance(layer, Residual) and images != before:
                raise NotImplementedError(
                    f"{owner}: a Residual behind a Flatten of images must keep their order; let a Dense come between. "
                    f"Received: {layer.title}"
                )
            continue
        kind = next((kind for cls, kind in _KINDS.items() if isinstance(layer, cls)), None)
        flattened, images = images, _still_images(owner, layer, images)
        if not layer.named_arrays() or isinstance(layer, layers.Dropout):
            continue
        if kind is None or _differs(layer) or set(kind.read(layer, kind.write(layer))) != set(layer.named_arrays()):
            raise NotImplementedError(f"{owner}: PyTorch has no such layer. Received: {layer!r}")
        yield f"{path}{layer.name}", layer, kind if flattened is None else _of_images(kind, flattened)
    return images


def _still_images(owner: str, layer: Any, images: Shape | None) -> Shape | None:
    """Return the images whose entries come out of `layer` in a row, if that is so, where `images` went in."""
    if images is None:
        shape = layer.input_shape
        if not isinstance(layer, layers.Flatten) or shape is None or len(shape) != 3:
            return None
        return shape if shape[2] > 1 and shape[0] * shape[1] > 1 else None  # otherwise the orders are one
    if isinstance(layer, layers.Dense) or layer.output_shape == images:  # a Reshape back to images
        return None
    if layer.output_shape != layer.input_shape:
        raise NotImplementedError(
            f"{owner}: what was flattened from images has another order in PyTorch, which only a Dense can take in. "
            f"Received: {layer.title} behind a Flatten of {images}"
        )
    return images


def _of_images(kind: _Kind, images: Shape) -> _Kind:
    """Return the kind of a layer whose inputs are flattened images: its arrays have the channels first there."""
    *pixels, channels = images

    def turned(layer: Any, state: State, shape: Sequence[int], source: int, target: int) -> State:
        own = {"bias"} if isinstance(layer, layers.Dense) else set()  # it goes with the outputs
        return {
            name: array
            if name in own
            else np.moveaxis(array.reshape(*array.shape[:-1], *shape), source, target).reshape(array.shape)
            for name, array in state.items()
        }

    return _Kind(
        lambda layer: turned(layer, kind.write(layer), images, -1, -3),
        lambda layer, state: kind.read(layer, turned(layer, state, (channels, *pixels), -3, -1)),
    )


def _differs(layer: Any) -> bool:
    """Tell whether a layer computes what PyTorch's of that kind doesn't."""
    if isinstance(layer, layers.Bidirectional):
        return layer.merge_mode != "concat" or _differs(layer.layer)
    return isinstance(layer, layers.GRU) and not layer.reset_after


def _counts(name: str) -> bool:
    """Tell whether an entry is but a count of batches, which ours has not."""
    return name.endswith("num_batches_tracked")


def _array(value: Any) -> Array:
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


def _renamed(names: dict[str, str]) -> _Kind:
    """Return a kind whose arrays have other names there, and nothing else; `names` are ours by theirs."""

    def write(layer: Any) -> State:
        own = layer.named_arrays()
        return {theirs: own[ours] for theirs, ours in names.items() if ours in own}

    return _Kind(write, lambda _, state: {names[theirs]: array for theirs, array in state.items()})


def _with_kernel(there: Callable[[Array], Array], back: Callable[[Array], Array]) -> _Kind:
    """Return the kind of a layer with a kernel, and perhaps a bias."""

    def write(layer: Any) -> State:
        own = layer.named_arrays()
        return {"weight": there(own["kernel"]), **{name: own[name] for name in ("bias",) if name in own}}

    def read(_: Any, state: State) -> State:
        return {"kernel": back(state["weight"]), **{name: state[name] for name in ("bias",) if name in state}}

    return _Kind(write, read)


# PyTorch's parts of a recurrent product, among ours: r, z, g of z, r, g.
_ORDERS = {"SimpleRNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}


def _parts_of(layer: Any) -> tuple[int, ...]:
    cls = next(cls for cls in type(layer).__mro__ if cls.__name__ in _ORDERS)
    return _ORDERS[cls.__name__]


def _in_order(array: Array, order: Sequence[int]) -> Array:
    """Return the parts of the last axis in another order."""
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[i] for i in order], axis=-1)


def _write_steps(layer: Any, end: str = "_l0") -> State:
    order, own = _parts_of(layer), layer.named_arrays()
    state = {f"weight_{theirs}{end}": _in_order(own[ours], order).T for theirs, ours in _KERNELS.items()}
    if "bias" in own:
        both = own["bias"].reshape(-1, own["bias"].shape[-1])
        for k, theirs in enumerate(_KERNELS):  # one bias goes with the input, and none with the state
            state[f"bias_{theirs}{end}"] = _in_order(both[k], order) if k < len(both) else np.zeros_like(both[0])
    return state


def _read_steps(layer: Any, state: State, end: str = "_l0") -> State:
    order = np.argsort(_parts_of(layer)).tolist()
    own = {ours: _in_order(state[f"weight_{theirs}{end}"].T, order) for theirs, ours in _KERNELS.items()}
    if layer.use_bias:
        both = np.stack([_in_order(state[f"bias_{theirs}{end}"], order) for theirs in _KERNELS])
        own["bias"] = both if layer.bias.data.ndim == 2 else both.sum(axis=0)
    return own


_KERNELS = {"ih": "kernel", "hh": "recurrent_kernel"}
_ENDS = {"forward_layer": "_l0", "backward_layer": "_l0_reverse"}


def _write_both(layer: Any) -> State:
    state: State = {}
    for which, end in _ENDS.items():
        state |= _write_steps(getattr(layer, which), end)
    return state


def _read_both(layer: Any, state: State) -> State:
    own: State = {}
    for which, end in _ENDS.items():
        inner = getattr(layer, which)
        own |= {f"{inner.name}/{name}": array for name, array in _read_steps(inner, state, end).items()}
    return own


_SCALES = {"weight": "gamma", "bias": "beta"}
_STEPS = _Kind(_write_steps, _read_steps)
_KINDS: dict[type, _Kind] = {
    layers.Dense: _with_kernel(np.transpose, np.transpose),
    layers.Conv2D: _with_kernel(
        lambda kernel: kernel.transpose(3, 2, 0, 1), lambda weight: weight.transpose(2, 3, 1, 0)
    ),
    layers.SimpleRNN: _STEPS,
    layers.LSTM: _STEPS,
    layers.GRU: _STEPS,
    layers.Bidirectional: _Kind(_write_both, _read_both),
    layers.BatchNormalization: _renamed({**_SCALES, "running_mean": "moving_mean", "running_var": "moving_variance"}),
    layers.LayerNormalization: _renamed(_SCALES),
    layers.Embedding: _renamed({"weight": "embeddings"}),
}
