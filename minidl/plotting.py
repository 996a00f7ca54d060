"""Pictures of what training recorded. matplotlib is loaded on first use; no display is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
    histories: History | Mapping[str, History | Sequence[History]],
    columns: str | Sequence[str] = "loss",
    *,
    ax: Axes | None = None,
    label: str | None = None,
    log: bool = False,
) -> Axes:
    """Draw columns of several histories over the epochs, and return the Axes.

    Args:
        histories: A history, or one for each name in the legend; or for a name several, of different seeds, of which
            the mean is drawn and the range from least to greatest shaded.
        columns: A column of the histories, such as "val_accuracy", or several: ["loss", "val_loss"].
        ax: Where to draw, behind what is there; by default a new figure.
        label: What the vertical axis says, by default after the columns.
        log: Whether the vertical axis is logarithmic.

    Raises:
        ValueError: If there is no history, or a history has no such column.
    """
    named = {"": histories} if isinstance(histories, History) else histories
    columns = [columns] if isinstance(columns, str) else list(columns)
    if not isinstance(named, Mapping) or not named:
        raise ValueError(
            f"plot_curves: histories must be a History, or a dict of at least one name. Received: {describe(histories)}"
        )
    groups = {name: _group(name, given, columns) for name, given in named.items()}
    from matplotlib.ticker import MaxNLocator

    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    line = len(ax.get_lines())
    for name, group in groups.items():
        length = min(len(history) for history in group)
        epochs = np.array(group[0].epoch[:length]) + 1
        for column in columns:
            values = np.array([history.history[column][:length] for history in group])
            parts = [name] if len(columns) == 1 and name else [name, LABELS.get(column, column)]
            colour = COLOURS[line % len(COLOURS)]
            ax.plot(
                epochs,
                values.mean(axis=0),
                label=", ".join(filter(None, parts)),
                color=colour,
                marker=MARKERS[line % len(MARKERS)],
                linestyle=("-", "--", ":", "-.")[line // len(COLOURS) % 4],
                markevery=max(1, length // 8),
                markersize=4.5,
                linewidth=1.5,
            )
            if len(group) > 1:
                ax.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
            line += 1
    ax.set_xlabel("epoch")
    words = [LABELS.get(column, column).split() for column in columns]
    ax.set_ylabel(label or " ".join(words[0] if len(columns) == 1 else words[0][-1:]))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log:
        ax.set_yscale("log")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def _group(name: str, given: object, columns: Sequence[str]) -> list[History]:
    """Return the histories of one name; raise ValueError if they aren't, or lack a column."""
    group = [given] if isinstance(given, History) else given
    if not isinstance(group, (list, tuple)) or not group or not all(isinstance(one, History) for one in group):
        raise ValueError(
            f"plot_curves: each name must have a History, or a list of them. Received: {name!r}: {describe(given)}"
        )
    for history in group:
        for column in columns:
            if column not in history.history:
                raise ValueError(
                    f"plot_curves: column must be one of the history. Received: column={column!r}, for {name!r}. "
                    f"{nearest(column, history.history)}"
                )
    return list(group)
