"""Pictures of what training recorded and models learned. matplotlib is loaded on first use; no display is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.history import History
from minidl.splitting import class_labels
from minidl.validation import describe, integer, nearest, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_confusion_matrix",
    "plot_curves",
    "plot_decision_boundary",
    "plot_moving_averages",
    "plot_schedules",
]

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
    ax = _axes(ax)
    line = len(ax.get_lines())
    for name, group in groups.items():
        length = min(len(history) for history in group)
        epochs = np.array(group[0].epoch[:length]) + 1
        for column in columns:
            values = np.array([history.history[column][:length] for history in group])
            parts = [name] if len(columns) == 1 and name else [name, LABELS.get(column, column)]
            colour = _line(ax, line, epochs, values.mean(axis=0), ", ".join(filter(None, parts)))
            if len(group) > 1:
                ax.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
            line += 1
    words = [LABELS.get(column, column).split() for column in columns]
    _frame(ax, "epoch", label or " ".join(words[0] if len(columns) == 1 else words[0][-1:]))
    if log:
        ax.set_yscale("log")
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
    points, labels = np.asarray(x, np.float64), class_labels(np.asarray(y), "plot_decision_boundary")
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


def plot_confusion_matrix(
    matrix: ArrayLike, *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> tuple[Axes, NDArray[Any]]:
    """Draw a confusion matrix: each cell has its count, and is the darker the larger its part of its row.

    Args:
        matrix: What `metrics.confusion_matrix` returned: true classes in rows, predicted ones in columns.
        names: The classes' names, by default their numbers.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes, and each cell's part of its row (0 where the row is empty).

    Raises:
        ValueError: If the matrix isn't square and not negative, or the names aren't as many as classes.
    """
    counts = np.asarray(matrix, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size or counts.min() < 0:
        raise ValueError(
            f"plot_confusion_matrix: matrix must be square and not negative. Received: {describe(np.asarray(matrix))}"
        )
    names = [str(c) for c in range(len(counts))] if names is None else list(names)
    if len(names) != len(counts):
        raise ValueError(f"plot_confusion_matrix: there must be {len(counts)} names. Received: {len(names)}")
    rows = counts.sum(axis=1, keepdims=True)
    parts = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
    ax = _axes(ax)
    ax.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    size = max(4.0, min(10.0, 90 / len(counts)))
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if parts[row, column] > 0.6 else "black"
        ax.text(column, row, f"{count:g}", ha="center", va="center", color=colour, fontsize=size)
    turn = 45 if max(map(len, names)) > 3 else 0
    ax.set_xticks(range(len(names)), names, rotation=turn, ha="right" if turn else "center", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    return ax, parts


def plot_schedules(
    named: Mapping[str, Callable[[int], float]], length: int, *, ax: Axes | None = None, label: str = "learning rate"
) -> tuple[Axes, dict[str, NDArray[np.float64]]]:
    """Draw schedules over their index, before any training.

    Args:
        named: A schedule, or any callable of an index, for each name in the legend.
        length: How many indices, from 0; at least 1.
        ax: Where to draw; by default a new figure.
        label: What the vertical axis says.

    Returns:
        The Axes, and each schedule's values at 0 .. length − 1.

    Raises:
        ValueError: If there is no schedule, or the length isn't positive.
    """
    length = integer("plot_schedules", "length", length, 1)
    if not isinstance(named, Mapping) or not named:
        raise ValueError(f"plot_schedules: there must be a dict of at least one name. Received: {describe(named)}")
    units = {getattr(schedule, "every", "step") for schedule in named.values()}
    values = {name: np.array([float(schedule(i)) for i in range(length)]) for name, schedule in named.items()}
    ax = _axes(ax)
    for line, (name, numbers) in enumerate(values.items(), start=len(ax.get_lines())):
        _line(ax, line, np.arange(length), numbers, name)
    _frame(ax, units.pop() if len(units) == 1 else "step or epoch, as each counts", label)
    return ax, values


def plot_moving_averages(
    series: ArrayLike,
    betas: Sequence[float] = (0.5, 0.9, 0.98),
    *,
    corrected: bool | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, dict[str, NDArray[np.float64]]]:
    """Draw a noisy series and its exponentially weighted averages: vₜ = β vₜ₋₁ + (1 − β) θₜ from v₀ = 0.

    It is what Momentum's averaged form and Adam do to gradients. Divided by 1 − βᵗ the average is corrected for its
    start at 0, as Adam's are.

    Args:
        series: θ₁, θ₂, ..., at least one number.
        betas: The β's, each in [0, 1).
        corrected: Whether to draw the corrected averages (True), the plain ones (False), or both (None).
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes, and the averages by their names in the legend.

    Raises:
        ValueError: If the series isn't one of numbers, or a β is out of range.
    """
    theta = np.asarray(series, np.float64)
    if theta.ndim != 1 or not theta.size:
        raise ValueError(
            f"plot_moving_averages: series must be numbers in one axis. Received: {describe(np.asarray(series))}"
        )
    averages = {}
    for beta in betas:
        beta = number("plot_moving_averages", "beta", beta, "[0, 1)")
        plain = np.empty_like(theta)
        v = 0.0
        for t, value in enumerate(theta):
            v = beta * v + (1 - beta) * value
            plain[t] = v
        if corrected is not True:
            averages[f"β = {beta:g}"] = plain
        if corrected is not False:
            averages[f"β = {beta:g}, corrected"] = plain / (1 - beta ** np.arange(1, len(theta) + 1))
    ax = _axes(ax)
    steps = np.arange(1, len(theta) + 1)
    ax.plot(steps, theta, ".", color="#999999", markersize=3, label="series")
    for name, values in averages.items():
        colour = COLOURS[list(betas).index(float(name.split()[2].rstrip(","))) % len(COLOURS)]
        ax.plot(steps, values, color=colour, linestyle="-" if "corrected" in name else "--", linewidth=1.5, label=name)
    _frame(ax, "t", "average")
    return ax, averages


def _axes(ax: Axes | None) -> Axes:
    """Return the Axes to draw on: those given, or those of a new figure."""
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    return ax


def _line(ax: Axes, index: int, x: NDArray[Any], y: NDArray[Any], label: str) -> str:
    """Draw the line of that number, told apart from all others by colour and marker; return its colour."""
    colour = COLOURS[index % len(COLOURS)]
    ax.plot(
        x,
        y,
        label=label,
        color=colour,
        marker=MARKERS[index % len(MARKERS)],
        linestyle=("-", "--", ":", "-.")[index // len(COLOURS) % 4],
        markevery=max(1, len(x) // 8),
        markersize=4.5,
        linewidth=1.5,
    )
    return colour


def _frame(ax: Axes, x_label: str, y_label: str) -> None:
    """Finish a picture of lines over a count."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(framealpha=0.8, edgecolor="none")


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
