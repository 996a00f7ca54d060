"""What all pictures share: colours, axes, lines and their frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["COLOURS", "MARKERS", "draw_line", "finish", "new_axes", "panels", "rgb"]

# Okabe and Ito's colours, which colour-blind readers can tell apart, on white; markers tell the lines apart too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def new_axes(owner: str, ax: Axes | None) -> Axes:
    """Return the Axes to draw on: those given, or those of a new figure; raise TypeError if they are none."""
    if ax is None:
        from matplotlib import pyplot

        return pyplot.subplots(layout="constrained")[1]
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"{owner}: ax must be Axes. Received: ax={describe(ax)}")
    return ax


def panels(
    count: int,
    columns: int,
    size: tuple[float, float] | None,
    *,
    figure: Figure | None = None,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, in rows of at most so many, and the panels; what is left is empty.

    Args:
        count: How many panels, at least 1.
        columns: How many stand side by side at most.
        size: The width and height that each gets, in inches; None leaves the figure its size.
        figure: Where they go; by default a new figure, which no window shows.
        sharex: Whether all have one horizontal axis.
        sharey: Whether all have one vertical axis.
    """
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = math.ceil(count / columns)
    if figure is None:
        figure = Figure(layout="constrained")
    if size is not None:
        figure.set_size_inches(size[0] * columns, size[1] * rows)
    cells = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel())
    for cell in cells[count:]:
        cell.set_axis_off()
    return figure, cells[:count]


def draw_line(ax: Axes, index: int, x: NDArray[Any], y: NDArray[Any], label: str) -> Line2D:
    """Draw the line of that number, told apart from all others by colour and marker, and return it."""
    (line,) = ax.plot(
        x,
        y,
        label=label,
        color=COLOURS[index % len(COLOURS)],
        marker=MARKERS[index % len(MARKERS)],
        linestyle=("-", "--", ":", "-.")[index // len(COLOURS) % 4],
        markevery=max(1, len(x) // 8),
        markersize=4.5,
        linewidth=1.5,
    )
    return line


def finish(ax: Axes, x_label: str, y_label: str) -> None:
    """Finish a picture of lines over a count."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(framealpha=0.8, edgecolor="none")


def rgb(colours: Sequence[str]) -> NDArray[np.float64]:
    """Return colours written as "#0072B2" as rows of red, green and blue, from 0 to 1."""
    return np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in colours])
