"""Pictures of what a classifier learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import checked
from minidl.plotting.frame import COLOURS, MARKERS, new_axes, rgb
from minidl.splitting import class_labels
from minidl.validation import describe, integer, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_confusion_matrix", "plot_decision_boundary"]


@checked
def plot_decision_boundary(
    model: Any,
    x: ArrayLike,
    y: ArrayLike,
    *,
    ax: Axes | None = None,
    points: int = 200,
    margin: float = 0.1,
) -> tuple[Axes, dict[str, NDArray[Any]]]:
    """Draw where a classifier of points in the plane decides for which class; return the Axes and the decisions.

    Each region has the colour of its class, the fainter the less sure the classifier is there; a line is drawn where it
    changes its mind. The points are drawn too.

    Args:
        model: A model, or any function from points of shape (n, 2) to probabilities of shape (n, classes), or (n, 1) or
            (n,) for the class 1 of two.
        x: The points, shape (n, 2).
        y: Their classes: integers, shape (n,) or (n, 1), or one-hot rows.
        ax: Where to draw; by default a new figure.
        points: How many points of the grid each axis has, at least 2.
        margin: By which part of their extent the picture exceeds the points, at least 0.

    Returns:
        The Axes, and the data that were computed: "x", "y" (the grid's coordinates), "class" and "probability" (of that
        class) on the grid, shape (points, points), the second coordinate first.

    Raises:
        ValueError, TypeError: If the points aren't in the plane, or the predictions aren't probabilities of classes.
    """
    owner = "plot_decision_boundary"
    samples, labels = numbers(owner, "x", x).astype(np.float64), class_labels(numbers(owner, "y", y), owner)
    if samples.ndim != 2 or samples.shape[1] != 2 or len(samples) != len(labels) or not len(samples):
        raise ValueError(
            f"{owner}: x must have shape (n, 2), with as many classes. "
            f"Received: x of shape {samples.shape}, {len(labels)} classes"
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"{owner}: x must be finite. Received: numbers that aren't")
    if not callable(model) and not hasattr(model, "predict"):
        raise TypeError(f"{owner}: model must be a model, or a function of points. Received: {describe(model)}")
    points, margin = integer(owner, "points", points, 2), number(owner, "margin", margin, "[0, inf)")
    data, classes = _decisions(model, samples, points, margin)

    ax = new_axes(owner, ax)
    first, second, chosen = data["x"], data["y"], data["class"]
    colours = rgb(COLOURS)[np.arange(classes) % len(COLOURS)]
    sure = (data["probability"] - 1 / classes) / (1 - 1 / classes)
    shade = 1 - (1 - colours[chosen]) * (0.1 + 0.4 * sure[..., None])
    ax.imshow(shade, origin="lower", extent=(first[0], first[-1], second[0], second[-1]), aspect="auto")
    for label in range(classes):
        if (chosen == label).any() and (chosen != label).any():
            ax.contour(first, second, (chosen == label).astype(float), levels=[0.5], colors="#333333", linewidths=0.8)
    for label in np.unique(labels):
        part = samples[labels == label]
        ax.scatter(
            part[:, 0],
            part[:, 1],
            s=14,
            c=COLOURS[label % len(COLOURS)],
            marker=MARKERS[label % len(MARKERS)],
            edgecolors="white",
            linewidths=0.4,
            label=f"class {label}",
        )
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    ax.legend(frameon=True, framealpha=0.8, loc="upper right")
    return ax, data


def _decisions(model: Any, samples: NDArray[Any], points: int, margin: float) -> tuple[dict[str, NDArray[Any]], int]:
    """Ask a classifier for its decisions on a grid around samples; return them, and how many classes there are.

    Raises:
        ValueError: If its predictions aren't probabilities.
    """
    low, high = samples.min(axis=0), samples.max(axis=0)
    extra = margin * np.maximum(high - low, 1e-9)
    first, second = np.linspace(low - extra, high + extra, points, axis=1)
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
    decided = {"class": predicted.argmax(axis=1), "probability": predicted.max(axis=1)}
    on_grid = {name: values.reshape(points, points) for name, values in decided.items()}
    return {"x": first, "y": second, **on_grid}, predicted.shape[1]


@checked
def plot_confusion_matrix(
    matrix: ArrayLike, *, names: Iterable[object] | None = None, ax: Axes | None = None
) -> tuple[Axes, NDArray[Any]]:
    """Draw a confusion matrix, each cell the darker the larger its part of its row; return the Axes and the parts.

    Args:
        matrix: What `metrics.confusion_matrix` returned: true classes in rows, predicted ones in columns.
        names: The classes' names, or anything whose text names them; by default their numbers.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes, and each cell's part of its row (0 where the row is empty).

    Raises:
        ValueError, TypeError: If the matrix isn't square and not negative, or the names aren't as many as classes.
    """
    given = numbers("plot_confusion_matrix", "matrix", matrix)
    counts = given.astype(np.float64)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1] and counts.size > 0
    if not square or not np.isfinite(counts).all() or counts.min() < 0:
        raise ValueError(f"plot_confusion_matrix: matrix must be square and not negative. Received: {describe(given)}")
    if names is None:
        names = range(len(counts))
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"plot_confusion_matrix: names must be a list. Received: names={describe(names)}")
    texts = [str(name) for name in names]
    if len(texts) != len(counts):
        raise ValueError(f"plot_confusion_matrix: there must be {len(counts)} names. Received: {len(texts)}")
    rows = counts.sum(axis=1, keepdims=True)
    parts = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
    ax = new_axes("plot_confusion_matrix", ax)
    ax.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    size = max(4.0, min(10.0, 90 / len(counts)))
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if parts[row, column] > 0.6 else "black"
        ax.text(column, row, f"{count:g}", ha="center", va="center", color=colour, fontsize=size)
    turn = 45 if max(map(len, texts)) > 3 else 0
    ax.set_xticks(range(len(texts)), texts, rotation=turn, ha="right" if turn else "center", rotation_mode="anchor")
    ax.set_yticks(range(len(texts)), texts)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    return ax, parts
