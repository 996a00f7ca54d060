"""Which layer is inside of which: none can be in two places, since each model has its parameters in its own storage."""

import weakref
from collections.abc import Iterable, Iterator, Sequence

from minidl.compute.reuse import Reuse
from minidl.layers.base import Layer

__all__ = ["claim", "descendants", "owner", "refuse_taken", "release"]

_INSIDE: weakref.WeakKeyDictionary[Layer, weakref.ref[Layer]] = weakref.WeakKeyDictionary()


def descendants(layer: Layer) -> Iterator[Layer]:
    """Give the layers inside of `layer`, and those inside of these."""
    for child in layer.children:
        yield child
        yield from descendants(child)


def owner(layer: Layer) -> Layer | None:
    """Return the layer that `layer` is inside of, if it is alive."""
    return _INSIDE[layer]() if layer in _INSIDE else None


def claim(layer: Layer) -> None:
    """Note that all that is inside of `layer` is inside of it; its word on reusing memory holds for all."""
    for inner in descendants(layer):
        inner.reuse = layer.reuse
    for parent in (layer, *descendants(layer)):
        _INSIDE.update({child: weakref.ref(parent) for child in parent.children})


def release(layer: Layer) -> None:
    """Note that `layer` is inside of nothing any more: it may go elsewhere."""
    _INSIDE.pop(layer, None)
    layer.reuse = Reuse()
    claim(layer)


def refuse_taken(model: Layer, layers: Sequence[Layer]) -> None:
    """Raise ValueError if one of `layers`, or one inside of them, is in `model` already, elsewhere, or twice."""
    seen: set[Layer] = {model, *descendants(model)}
    for layer in layers:
        new = [layer, *descendants(layer)]
        if any(part in seen for part in new) or len(set(new)) < len(new) or _elsewhere(new):
            raise ValueError(
                f"{model.title}: a layer can be in one place of one model only; copy.deepcopy gives another like it. "
                f"Received: {layer.title} again"
            )
        seen.update(new)


def _elsewhere(layers: Iterable[Layer]) -> bool:
    """Tell whether one of `layers` is inside of a layer that isn't among them."""
    layers = list(layers)
    owners = [owner(layer) for layer in layers]
    return any(one is not None and all(one is not layer for layer in layers) for one in owners)
