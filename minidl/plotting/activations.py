"""The picture of activations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minidl import layers
from minidl.config import checked
from minidl.plotting.frame import COLOURS, panels
from minidl.validation import describe, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_activations"]

COLUMNS = 4


@checked
def plot_activations(
    activations: Sequence[str | layers.Elementwise] | None = None,
    *,
    limit: float = 4.0,
    figure: Figure | None = None,
) -> tuple[Figure, dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]]:
    """Draw activations and their slopes, a panel each, and return the Figure and what is drawn.

    Args:
        activations: Names or layers, of activations that act on each entry by itself; by default all of minidl's.
        limit: The panels show inputs from −limit to limit; greater than 0.
        figure: Where to draw; by default a new figure.

    Returns:
        The Figure, and for each panel's title the values and the slopes at 401 inputs, evenly spaced.

    Raises:
        ValueError, TypeError: If an activation isn't known, or isn't such a one, or the figure is none.
    """
    limit = number("plot_activations", "limit", limit, "(0, inf)")
    if isinstance(activations, str) or not (activations is None or isinstance(activations, Iterable)):
        raise TypeError(f"plot_activations: activations must be a list. Received: {activations!r}")
    given = _all() if activations is None else list(activations)
    if not given:
        raise ValueError(f"plot_activations: there must be at least one activation. Received: {activations!r}")
    chosen = [_elementwise(one) for one in given]
    size = (3.0, 2.4) if figure is None else None
    figure, axes = panels(len(chosen), COLUMNS, size, figure=_figure(figure))
    x = np.linspace(-limit, limit, 401)
    data = {}
    for panel, activation in zip(axes, chosen, strict=True):
        y = activation.function(x)
        slopes = activation.slope(x, y).astype(np.float64)
        data[repr(activation).removesuffix("()")] = y, slopes
        panel.plot(x, y, color=COLOURS[0], label="f(x)")
        panel.plot(x, slopes, color=COLOURS[1], linestyle="--", label="f'(x)")
        panel.set(title=list(data)[-1], ylim=(max(y.min(), -2) - 0.3, min(max(y.max(), slopes.max()), limit) + 0.3))
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].legend(framealpha=0.8, edgecolor="none")
    return figure, data


def _figure(given: Figure | None) -> Figure:
    """Return what is given, or a new figure that a notebook shows."""
    if given is None:
        from matplotlib import pyplot

        return pyplot.figure(layout="constrained")
    from matplotlib.figure import FigureBase

    if not isinstance(given, FigureBase):
        raise TypeError(f"plot_activations: figure must be a Figure. Received: figure={describe(given)}")
    return given


def _elementwise(given: object) -> layers.Elementwise:
    activation = layers.activations.get(given)
    if not isinstance(activation, layers.Elementwise):
        raise TypeError(
            f"plot_activations: an activation must act on each entry by itself. Received: {describe(activation)}"
        )
    return activation


def _all() -> list[str]:
    """Return a name for each activation that acts on each entry by itself."""
    classes = (getattr(layers, name) for name in layers.__all__)
    kinds = [c for c in classes if isinstance(c, type) and issubclass(c, layers.Elementwise)]
    return [kind.__name__ for kind in kinds if kind is not layers.Elementwise]
