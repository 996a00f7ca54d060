"""Pictures of what training recorded and models learned. matplotlib is loaded on first use; no display is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.history import History
from minidl.splitting import class_labels
from minidl.validation import describe, integer, nearest, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curves", "plot_decision_boundary"]

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

    ax = _axes(ax)
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


def plot_decision_boundary(
    model: Any,
    x: ArrayLike,
    y: ArrayLike,
    *,
    ax: Axes | None = None,
    resolution: int = 200,
    margin: float = 0.1,
) -> tuple[Axes, dict[str, NDArray[Any]]]:
    """Draw where a classifier of points in the plane decides for which class, and the points.

    Each region has the colour of its class, the fainter the less sure the classifier is there; a line is drawn where it
    changes its mind.

    Args:
        model: A model, or any function from points of shape (n, 2) to probabilities of shape (n, classes), or (n, 1) or
            (n,) for the class 1 of two.
        x: The points, shape (n, 2).
        y: Their classes: integers, shape (n,) or (n, 1), or one-hot rows.
        ax: Where to draw; by default a new figure.
        resolution: How many points of the grid each axis has, at least 2.
        margin: By which part of their extent the picture exceeds the points, at least 0.

    Returns:
        The Axes, and the data that were computed: "x", "y" (the grid's coordinates), "class" and "probability" (of that
        class) on the grid, shape (resolution, resolution), the second coordinate first.

    Raises:
        ValueError: If the points aren't in the plane, or the predictions aren't probabilities of classes.
    """
    points, labels = np.asarray(x, np.float64), class_labels(np.asarray(y))
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels) or not len(points):
        raise ValueError(
            f"plot_decision_boundary: x must have shape (n, 2), with as many classes. "
            f"Received: x of shape {points.shape}, {len(labels)} classes"
        )
    resolution = integer("plot_decision_boundary", "resolution", resolution, 2)
    margin = number("plot_decision_boundary", "margin", margin, "[0, inf)")
    low, high = points.min(axis=0), points.max(axis=0)
    extra = margin * np.maximum(high - low, 1e-9)
    first, second = (np.linspace(a, b, resolution) for a, b in zip(low - extra, high + extra, strict=True))
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    predicted = np.asarray(model.predict(grid, batch_size=4096) if hasattr(model, "predict") else model(grid))
    predicted = predicted.reshape(len(grid), -1).astype(np.float64)
    if not (predicted.min() >= 0 and predicted.max() <= 1.001):
        raise ValueError(
            f"plot_decision_boundary: predictions must be probabilities. "
            f"Received: from {predicted.min():g} to {predicted.max():g}"
        )
    if predicted.shape[1] == 1:
        predicted = np.concatenate([1 - predicted, predicted], axis=1)
    chosen = predicted.argmax(axis=1).reshape(resolution, resolution)
    probability = predicted.max(axis=1).reshape(resolution, resolution)

    ax = _axes(ax)
    classes = predicted.shape[1]
    colours = np.array([_rgb(COLOURS[c % len(COLOURS)]) for c in range(classes)])
    sure = (probability - 1 / classes) / (1 - 1 / classes)
    shade = 1 - (1 - colours[chosen]) * (0.1 + 0.4 * sure[..., None])
    ax.imshow(shade, origin="lower", extent=(first[0], first[-1], second[0], second[-1]), aspect="auto")
    for label in range(classes):
        if (chosen == label).any() and (chosen != label).any():
            ax.contour(first, second, (chosen == label).astype(float), levels=[0.5], colors="#333333", linewidths=0.8)
    for label in np.unique(labels):
        part = points[labels == label]
        marker, colour = MARKERS[label % len(MARKERS)], COLOURS[label % len(COLOURS)]
        ax.scatter(
            part[:, 0],
            part[:, 1],
            s=14,
            c=colour,
            marker=marker,
            edgecolors="white",
            linewidths=0.4,
            label=f"class {label}",
        )
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    ax.legend(frameon=True, framealpha=0.8, loc="upper right")
    return ax, {"x": first, "y": second, "class": chosen, "probability": probability}


def _axes(ax: Axes | None) -> Axes:
    """Return the Axes to draw on: those given, or those of a new figure."""
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    return ax


def _rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


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
