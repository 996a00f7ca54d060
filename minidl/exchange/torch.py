"""Weights for PyTorch's modules, and from them: names, orders and shapes as there. PyTorch isn't needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidl import layers
from minidl.models import Sequential
from minidl.validation import describe, differences

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["from_torch", "load_torch", "save_torch", "to_torch"]

Array = NDArray[Any]
State = dict[str, Array]


class _Kind(NamedTuple):
    """How the arrays of a layer are written as PyTorch's, by their names there, and read from these, by ours."""

    write: Callable[[Any], State]
    read: Callable[[Any, State], State]


def to_torch(model: Sequential, names: Mapping[str, str] | Sequence[str] | None = None) -> State:
    """Return the weights and running statistics of `model` as a PyTorch module's `state_dict`, in arrays.

    `Dense` is written for `Linear`, `Conv2D` for `Conv2d`, `LSTM`, `GRU` (with reset_after) and `SimpleRNN`, also in a
    `Bidirectional` that concatenates, for those of one layer, `BatchNormalization` for `BatchNorm1d` and `2d`,
    `LayerNormalization` for `LayerNorm`, `Embedding` for `Embedding`. The rows of a `Dense` behind a `Flatten` of
    images are put into the order of PyTorch's images, whose channels come first.

    Args:
        model: A built `Sequential`.
        names: What the modules are called: a dict from our layers' names, "dense_1" (of layers inside, "block/dense"),
            to theirs, such as "classifier.3"; or a list for all layers with weights, in order; None is our names, with
            dots.

    Raises:
        RuntimeError: If the model isn't built.
        NotImplementedError: If a layer with weights has no such counterpart.
        ValueError: If `names` aren't for the layers with weights.

    >>> model = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)], seed=0)
    >>> {name: array.shape for name, array in to_torch(model, ["0", "2"]).items()}
    {'0.weight': (4, 3), '0.bias': (4,), '2.weight': (2, 4), '2.bias': (2,)}
    """
    state = {}
    for name, layer, kind in _named("to_torch", model, names):
        written = kind.write(layer)
        state.update({f"{name}.{own}": np.array(array, order="C") for own, array in written.items()})
    return state


def from_torch(
    model: Sequential, state: Mapping[str, Any], names: Mapping[str, str] | Sequence[str] | None = None
) -> None:
    """Copy a PyTorch module's `state_dict`, of tensors or arrays, into `model`: all of it, or nothing.

    The two biases of PyTorch's LSTM become their sum. See `to_torch`.

    Raises:
        ValueError: If a name is missing or unknown, or a shape is another.
        RuntimeError, NotImplementedError: See `to_torch`.
    """
    own = to_torch(model, names)
    given = {name: _array(value) for name, value in state.items()}
    different = differences(own, {name: a for name, a in given.items() if name in own or not _counts(name)})
    if different:
        raise ValueError(f"from_torch: the state must fit the model. Received: {different}")
    new = [
        (
            layer,
            kind.read(layer, {inner: given[f"{name}.{inner}"] for inner in kind.write(layer)}),
        )
        for name, layer, kind in _named("from_torch", model, names)
    ]
    for layer, arrays in new:
        for name, array in layer.named_arrays().items():
            array[...] = arrays.get(name, array)


def save_torch(model: Sequential, path: str | Path, names: Mapping[str, str] | Sequence[str] | None = None) -> None:
    """Write what `to_torch` returns to a safetensors file, which `safetensors.torch.load_file` reads."""
    from safetensors.numpy import save

    from minidl.saving.files import checked_path, place

    place("save_torch", checked_path("save_torch", path), save(to_torch(model, names)))


def load_torch(model: Sequential, path: str | Path, names: Mapping[str, str] | Sequence[str] | None = None) -> None:
    """Read a safetensors file that `safetensors.torch.save_file(module.state_dict(), path)` wrote; see `from_torch`."""
    from safetensors.numpy import load_file

    from minidl.saving.files import checked_path

    from_torch(model, load_file(checked_path("load_torch", path)), names)


def _named(owner: str, model: Any, names: Mapping[str, str] | Sequence[str] | None) -> Iterator[tuple[str, Any, _Kind]]:
    """Give PyTorch's name of each layer that has weights, the layer, and how it is written."""
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
    for name, (_, layer, kind) in zip(theirs, found, strict=True):
        yield name, layer, kind


def _with_weights(owner: str, model: Sequential, path: str) -> Iterator[tuple[str, Any, _Kind]]:
    images: tuple[int, ...] | None = None  # that were flattened, and whose order is still another there
    for layer in model.layers:
        if isinstance(layer, Sequential):
            yield from _with_weights(owner, layer, f"{path}{layer.name}/")
            continue
        if isinstance(layer, layers.Flatten) and layer.input_shape is not None and len(layer.input_shape) == 3:
            images = layer.input_shape
        if not layer.named_arrays() or isinstance(layer, layers.Dropout):
            continue
        kind = next((kind for cls, kind in _KINDS.items() if isinstance(layer, cls)), None)
        if isinstance(layer, layers.Dense):
            kind, images = _dense(images), None
        if kind is None or _differs(layer) or set(kind.read(layer, kind.write(layer))) != set(layer.named_arrays()):
            raise NotImplementedError(f"{owner}: PyTorch has no such layer. Received: {layer!r}")
        yield f"{path}{layer.name}", layer, kind


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


def _dense(images: tuple[int, ...] | None) -> _Kind:
    """Return the kind of a `Dense`, whose inputs may be images that were flattened."""

    def turned(kernel: Array, first: bool) -> Array:
        if images is None:
            return kernel
        height, width, channels = images
        shape, order = ((height, width, channels), (2, 0, 1, 3)) if first else ((channels, height, width), (1, 2, 0, 3))
        return kernel.reshape(*shape, -1).transpose(order).reshape(kernel.shape)

    return _with_kernel(lambda kernel: turned(kernel, True).T, lambda weight: turned(weight.T, False))


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
    layers.Dense: _dense(None),
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
