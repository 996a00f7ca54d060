"""Pictures of what training recorded. matplotlib is loaded on first use; no display is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.history import History
from minidl.validation import describe, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curves"]

# Okabe and Ito's colours, which colour-blind readers can tell apart, on white; markers tell the lines apart too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

LABELS = {
    "loss": "training loss",
    "val_loss": "validation loss",
    "accuracy": "training accuracy",
    "val_accuracy": "validation accuracy",
    "learning_rate": "learning rate",
}


def plot_curves(
    histories: Mapping[str, History | Sequence[History]],
    column: str = "loss",
    *,
    ax: Axes | None = None,
    label: str | None = None,
    log: bool = False,
) -> Axes:
    """Draw one column of several histories over the epochs, and return the Axes.

    Args:
        histories: A history for each name in the legend; or several, of different seeds, of which the mean is
            drawn and the range from least to greatest shaded.
        column: A column of the histories, such as "val_accuracy".
        ax: Where to draw; by default a new figure.
        label: What the vertical axis says, by default after the column.
        log: Whether the vertical axis is logarithmic.

    Raises:
        ValueError: If there is no history, or a history has no such column.
    """
    if not isinstance(histories, Mapping) or not histories:
        raise ValueError(f"plot_curves: histories must be a dict of at least one name. Received: {describe(histories)}")
    from matplotlib.ticker import MaxNLocator

    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    for i, (name, given) in enumerate(histories.items()):
        group = [given] if isinstance(given, History) else list(given)
        for history in group:
            if column not in history.history:
                raise ValueError(
                    f"plot_curves: column must be one of the history. Received: column={column!r}, for {name}. "
                    f"{nearest(column, history.history)}"
                )
        length = min(len(history) for history in group)
        values = np.array([history.history[column][:length] for history in group])
        epochs = np.array(group[0].epoch[:length]) + 1
        style: dict[str, Any] = {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": ("-", "--", ":", "-.")[i // len(COLOURS) % 4],
            "markevery": max(1, length // 8),
            "markersize": 4.5,
            "linewidth": 1.5,
        }
        ax.plot(epochs, values.mean(axis=0), label=name, **style)
        if len(group) > 1:
            ax.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=style["color"], alpha=0.15, lw=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel(label or LABELS.get(column, column))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log:
        ax.set_yscale("log")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax
