"""The picture of the report: of each part that was measured, a panel."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.speed.report import COMPARISONS, medians, ratios
from benchmarks.speed.tasks import FLOOR, OURS, SCAN

__all__ = ["draw"]

BATCH_SIZE = 20  # of the bars
# What the bars show, and which sides' best each is.
GROUPS: dict[str, Callable[[str], bool]] = {
    FLOOR: lambda side: side == FLOOR,
    OURS[0]: lambda side: side == OURS[0],
    OURS[1]: lambda side: side == OURS[1],
    "PyTorch's best": lambda side: side.startswith("PyTorch"),
    "JAX step": lambda side: side == "JAX step",
    SCAN: lambda side: side == SCAN,
    "Keras": lambda side: side == "Keras",
    "scikit-learn": lambda side: side == "scikit-learn",
}
WIDTH = 0.1


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw what there is."""
    panels: list[Callable[[Axes], None]] = []
    if "steps" in results:
        cells = results["steps"]["cells"]
        panels += [lambda ax: _bars(ax, cells), lambda ax: _ratios(ax, cells)]
    if "growth" in results:
        panels.append(lambda ax: _growth(ax, results["growth"]["parameters"]))
    if "whole" in results:
        panels.append(lambda ax: _whole(ax, results["whole"]))
    rows = max(1, (len(panels) + 1) // 2)
    figure = Figure(figsize=(13, 4.8 * rows), layout="constrained")
    for i, panel in enumerate(panels, start=1):
        panel(figure.add_subplot(rows, 2 if len(panels) > 1 else 1, i))
    figure.savefig(path, dpi=90)


def _bars(ax: Axes, cells: list[Mapping[str, Any]]) -> None:
    chosen = {cell["task"]["rule"]: medians(cell) for cell in cells if cell["task"]["batch_size"] == BATCH_SIZE}
    for i, (label, counts) in enumerate(GROUPS.items()):
        found = [[seconds for side, seconds in times.items() if counts(side)] for times in chosen.values()]
        places = [x + (i - len(GROUPS) / 2 + 0.5) * WIDTH for x, times in enumerate(found) if times]
        color = "lightgray" if label == FLOOR else f"C{i - 1}"
        ax.bar(places, [min(times) * 1e6 for times in found if times], WIDTH, label=label, color=color)
    ax.set_xticks(range(len(chosen)), list(chosen), fontsize="small")
    ax.set_ylabel("µs a step")
    ax.set_title(f"784-500-100-10, B = {BATCH_SIZE}")
    ax.legend(fontsize="small", ncols=2)


def _ratios(ax: Axes, cells: list[Mapping[str, Any]]) -> None:
    sizes = sorted({cell["task"]["batch_size"] for cell in cells})
    for i, (label, counts) in enumerate(COMPARISONS.items()):
        by_size = [[cell for cell in cells if cell["task"]["batch_size"] == size] for size in sizes]
        found = [list(ratios(group, OURS[0], counts).values()) for group in by_size]
        there = [(size, values) for size, values in zip(sizes, found, strict=True) if values]
        middle = [statistics.median(values) for _, values in there]
        ax.plot([size for size, _ in there], middle, marker="o", color=f"C{i}", label=label)
        lowest, highest = [min(values) for _, values in there], [max(values) for _, values in there]
        ax.fill_between([size for size, _ in there], lowest, highest, color=f"C{i}", alpha=0.12)
    ax.axhline(1, color="gray", linewidth=0.8)
    ax.set(xscale="log", yscale="log", xlabel="batch size", ylabel="their time ÷ ours")
    ax.set_title("Peers ÷ minidl: median and range over the rules")
    ax.legend(fontsize="small")


def _growth(ax: Axes, cells: list[Mapping[str, Any]]) -> None:
    for side in dict.fromkeys(side for cell in cells for side in medians(cell)):
        there = [(cell["task"]["parameters"], medians(cell)[side]) for cell in cells if side in cell["turns"]]
        ax.plot(*zip(*there, strict=True), marker=".", label=side, linestyle="--" if side == FLOOR else "-")
    ax.set(xscale="log", yscale="log", xlabel="parameters", ylabel="seconds a step")
    ax.set_title("Adam, B = 20")
    ax.legend(fontsize="small")


def _whole(ax: Axes, found: Mapping[str, Any]) -> None:
    sides = list(found["seconds"])
    ax.barh(sides, [statistics.median(runs) for runs in found["seconds"].values()], color="C0")
    ax.invert_yaxis()
    ax.set_xlabel("seconds")
    ax.set_title("A script, from its start to the trained model")
    for i, side in enumerate(sides):
        peaks = [peak for peak in found["peaks"][side] if peak is not None]
        if peaks:
            ax.text(0, i, f"  {max(peaks) / 1e6:,.0f} MB", va="center", color="white")
