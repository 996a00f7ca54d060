"""Pictures of numbers over time: what training recorded, schedules, averages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.callbacks import Norms
from minidl.config import checked
from minidl.history import History
from minidl.plotting.frame import COLOURS, draw_line, finish, new_axes
from minidl.validation import choice, describe, integer, nearest, number, numbers, within

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from minidl.tuning import RangeTest

__all__ = ["plot_curves", "plot_lr_find", "plot_moving_averages", "plot_norms", "plot_schedules"]

LABELS = {
    "loss": "training loss",
    "val_loss": "validation loss",
    "accuracy": "training accuracy",
    "val_accuracy": "validation accuracy",
    "learning_rate": "learning rate",
}


@checked
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
    chosen = [columns] if isinstance(columns, str) else list(columns) if isinstance(columns, Iterable) else []
    if not chosen:
        raise ValueError(f"plot_curves: columns must be a name, or a list of names. Received: {describe(columns)}")
    if not isinstance(named, Mapping) or not named:
        raise ValueError(
            f"plot_curves: histories must be a History, or a dict of at least one name. Received: {describe(histories)}"
        )
    groups = {name: _group(name, given, chosen) for name, given in named.items()}
    ax = new_axes("plot_curves", ax)
    line = len(ax.get_lines())
    for name, group in groups.items():
        length = min(len(history) for history in group)
        epochs = np.array(group[0].epoch[:length]) + 1
        for column in chosen:
            values = np.array([history.history[column][:length] for history in group])
            parts = [name] if len(chosen) == 1 and name else [name, LABELS.get(column, column)]
            colour = draw_line(ax, line, epochs, values.mean(axis=0), ", ".join(filter(None, parts))).get_color()
            if len(group) > 1:
                ax.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
            line += 1
    words = [LABELS.get(column, column).split() for column in chosen]
    finish(ax, "epoch", label or " ".join(words[0] if len(chosen) == 1 else words[0][-1:]))
    if log:
        ax.set_yscale("log")
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


@checked
def plot_norms(norms: Norms, which: Literal["weights", "gradients"] = "gradients", *, ax: Axes | None = None) -> Axes:
    """Draw what the callback `Norms` recorded, a line a layer, on a logarithmic axis, and return the Axes.

    Raises:
        ValueError, TypeError: If it isn't such a callback, or nothing was recorded.
    """
    if not isinstance(norms, Norms):
        raise TypeError(f"plot_norms: norms must be the callback Norms. Received: {describe(norms)}")
    choice("plot_norms", "which", which, ("weights", "gradients"))
    if not norms.steps:
        raise ValueError("plot_norms: norms must have recorded a step. Received: none, train with it first")
    ax = new_axes("plot_norms", ax)
    for line, (name, values) in enumerate(getattr(norms, which).items(), start=len(ax.get_lines())):
        draw_line(ax, line, np.array(norms.steps), np.array(values), name)
    ax.set_yscale("log")
    finish(ax, "step", f"norm of the {which}")
    return ax


@checked
def plot_lr_find(result: RangeTest, *, ax: Axes | None = None) -> Axes:
    """Draw a learning-rate range test, as measured and smoothed, with its suggestion, and return the Axes."""
    from minidl.tuning import RangeTest

    if not isinstance(result, RangeTest):
        raise TypeError(f"plot_lr_find: result must be what lr_find returned. Received: {describe(result)}")
    ax = new_axes("plot_lr_find", ax)
    ax.plot(result.rates, result.losses, ".", color="#999999", markersize=3, label="loss of the batch")
    ax.plot(result.rates, result.smoothed, color=COLOURS[0], linewidth=1.5, label="smoothed")
    suggestion = result.suggestion
    ax.axvline(suggestion, color=COLOURS[1], linestyle="--", label=f"a tenth of the least: {suggestion:.2g}")
    finish(ax, "learning rate", "loss")
    ax.set_xscale("log")
    least, first = min(0.0, float(result.losses.min())), float(result.losses[0])
    ax.set_ylim(least, max(first, least) + 1.5 * abs(first))
    return ax


@checked
def plot_schedules(
    schedules: Mapping[str, Callable[[int], float]],
    length: int,
    *,
    ax: Axes | None = None,
    label: str = "learning rate",
) -> tuple[Axes, dict[str, NDArray[np.float64]]]:
    """Draw schedules over their index, before any training, and return the Axes and the values.

    Args:
        schedules: A schedule, or any callable of an index, for each name in the legend.
        length: How many indices, from 0; at least 1.
        ax: Where to draw; by default a new figure.
        label: What the vertical axis says.

    Returns:
        The Axes, and each schedule's values at 0 .. length − 1.

    Raises:
        ValueError, TypeError: If there is no schedule, one is none, or the length isn't positive.
    """
    length = integer("plot_schedules", "length", length, 1)
    if not isinstance(schedules, Mapping) or not schedules:
        raise ValueError(f"plot_schedules: there must be a dict of at least one name. Received: {describe(schedules)}")
    for name, schedule in schedules.items():
        if not callable(schedule):
            raise TypeError(
                f"plot_schedules: a schedule must be callable with an index. Received: {name!r}: {describe(schedule)}"
            )
    units = {getattr(schedule, "every", "step") for schedule in schedules.values()}
    values = {name: np.array([float(schedule(i)) for i in range(length)]) for name, schedule in schedules.items()}
    ax = new_axes("plot_schedules", ax)
    for line, (name, rates) in enumerate(values.items(), start=len(ax.get_lines())):
        draw_line(ax, line, np.arange(length), rates, name)
    finish(ax, units.pop() if len(units) == 1 else "step or epoch, as each counts", label)
    return ax, values


@checked
def plot_moving_averages(
    series: ArrayLike,
    betas: Iterable[float] = (0.5, 0.9, 0.98),
    *,
    corrected: bool | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, dict[str, NDArray[np.float64]]]:
    """Draw a noisy series and its exponentially weighted averages, and return the Axes and the averages.

    An average is vₜ = β vₜ₋₁ + (1 − β) θₜ, from v₀ = 0. It is what Momentum's averaged form and Adam do to gradients.
    Divided by 1 − βᵗ it is corrected for its start at 0, as Adam's are.

    Args:
        series: θ₁, θ₂, ..., at least one number.
        betas: The β's, each in [0, 1).
        corrected: Whether to draw the corrected averages (True), the plain ones (False), or both (None).
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes, and the averages by their names in the legend.

    Raises:
        ValueError, TypeError: If the series isn't one of numbers, or a β is out of range.
    """
    theta = numbers("plot_moving_averages", "series", series).astype(np.float64)
    if theta.ndim != 1 or not theta.size:
        raise ValueError(f"plot_moving_averages: series must be numbers in one axis. Received: {describe(theta)}")
    if not isinstance(betas, Iterable):
        raise TypeError(f"plot_moving_averages: betas must be a list of numbers. Received: betas={describe(betas)}")
    corrected = within("plot_moving_averages", "corrected", corrected, "bool | None")
    averages: dict[str, NDArray[np.float64]] = {}
    colours = {}
    for index, given in enumerate(betas):
        beta = number("plot_moving_averages", "beta", given, "[0, 1)")
        colours.update(dict.fromkeys((f"β = {beta!r}", f"β = {beta!r}, corrected"), COLOURS[index % len(COLOURS)]))
        plain = np.empty_like(theta)
        v = 0.0
        for t, value in enumerate(theta):
            v = beta * v + (1 - beta) * value
            plain[t] = v
        if corrected is not True:
            averages[f"β = {beta!r}"] = plain
        if corrected is not False:
            averages[f"β = {beta!r}, corrected"] = plain / (1 - beta ** np.arange(1, len(theta) + 1))
    ax = new_axes("plot_moving_averages", ax)
    steps = np.arange(1, len(theta) + 1)
    ax.plot(steps, theta, ".", color="#999999", markersize=3, label="series")
    for name, values in averages.items():
        ax.plot(
            steps,
            values,
            color=colours[name],
            linestyle="-" if "corrected" in name else "--",
            linewidth=1.5,
            label=name,
        )
    finish(ax, "t", "average")
    return ax, averages
