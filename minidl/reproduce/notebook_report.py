"""What came of the notebook's runs: ours beside what it printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.lab import Study
from minidl.lab.page import Page, Sheet
from minidl.lab.results import mean_sd
from minidl.reproduce.notebook import ACCURACY, EVERY, NAMES, PRINTED, RATE, SHAPES, Run, compared, moons

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["boundaries", "costs", "curves", "report", "summary", "trajectories"]


def costs(runs: Mapping[str, Run]) -> Sheet:
    """Return the printed costs, ours beside theirs."""
    rows: list[list[Any]] = []
    length = max(len(run.printed) for run in runs.values())
    for i in range(length):
        row: list[Any] = [i * EVERY]
        for name in PRINTED:
            row += [(PRINTED[name][i], float(PRINTED[name][i])), (runs[name].printed[i], runs[name].costs[i * EVERY])]
        rows.append(row)
    heads = [f"{NAMES[name]}, {who}" for name in PRINTED for who in ("printed", "ours")]
    return Sheet("Cost after epoch", ["epoch", *heads], rows)


def summary(runs: Mapping[str, Run], study: Study | None) -> Sheet:
    """Return the notebook's summary table for all seven, with other seeds beside it."""
    rows = []
    for name, run in runs.items():
        theirs = f"{100 * float(ACCURACY[name]):.1f}" if name in ACCURACY else None
        row: list[Any] = [
            NAMES[name],
            None if theirs is None else (theirs, float(theirs)),
            (f"{100 * run.accuracy:.1f}", run.accuracy),
            SHAPES.get(name),
            (f"{run.steadiness:.3f}", run.steadiness),
        ]
        if study is not None:
            results = [study.results[c.key] for c in study.cells if c.name == name and c.key in study.results]
            values = [100 * r.values["train_accuracy"] for r in results if r.diverged is None]
            row.append((mean_sd(values, 1), sum(values) / len(values)) if values else None)
        rows.append(row)
    seeds = [] if study is None else [f"accuracy % over {len({cell.seed for cell in study.cells})} other seeds"]
    heads = ["optimization method", "the notebook's accuracy %", "ours", "cost shape, it says", "cost's mean change"]
    return Sheet("The summary table", [*heads, *seeds], rows)


def curves(runs: Mapping[str, Run]) -> Figure:
    """Draw the costs as the notebook does, of every 100th epoch."""
    from matplotlib.figure import Figure

    from minidl.plotting.frame import draw_line, finish

    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    groups = [[name for name in runs if name in PRINTED], [name for name in runs if name not in PRINTED]]
    for panel, names in zip(panels, groups, strict=True):
        for name in names:
            values = np.array(runs[name].costs[::100])
            draw_line(panel, list(runs).index(name), np.arange(len(values)), values, NAMES[name])
        finish(panel, "epochs (per 100)", "cost of the epoch's last mini-batch")
        panel.set_title("the notebook's three" if names and names[0] in PRINTED else "the other four")
        panel.label_outer()
    return figure


def boundaries(runs: Mapping[str, Run]) -> Figure:
    """Draw where each net decides for which class."""
    from minidl import plotting
    from minidl.plotting.frame import panels

    x, y = moons()
    figure, axes = panels(len(runs), 4, (3.2, 2.9), sharex=True, sharey=True)
    for panel, (name, run) in zip(axes, runs.items(), strict=True):
        plotting.plot_decision_boundary(run.model, x, y, ax=panel)
        panel.set_title(f"{NAMES[name]}, {run.accuracy:.1%}", fontsize=10)
        told = panel.get_legend()
        assert told is not None
        told.remove()
        panel.label_outer()
    return figure


def trajectories() -> Figure:
    """Draw the paths of the seven down two surfaces."""
    from matplotlib.figure import Figure

    from minidl import plotting
    from minidl.surfaces import SURFACES, descend

    figure = Figure(figsize=(10, 4), layout="constrained")
    for panel, name in zip(figure.subplots(1, 2), ("valley", "beale"), strict=True):
        surface = SURFACES[name]
        plotting.plot_trajectories(surface, descend(surface, surface.optimizers(), steps=200), ax=panel)
    return figure


def report(runs: Mapping[str, Run], study: Study | None, environment: Mapping[str, Any], command: str) -> Page:
    """Return the page."""
    wrong = [text for run in runs.values() for text in run.differences]
    page = Page(
        "The course notebook, number for number",
        f"The notebook's three runs on two moons: net 2-5-2-1, mini-batches of 64, learning rate {RATE:g}, "
        f"{len(next(iter(runs.values())).costs):,} epochs. {compared(runs.values())}.",
    )
    page.section("Costs")
    page.table(costs(runs))
    if wrong:
        page.points(wrong)
    page.figure("costs", curves(runs), "The cost of the last mini-batch, of every 100th epoch.")
    page.section("Decision boundaries")
    page.figure(
        "boundaries", boundaries(runs), "Where each net decides for which class, and the 300 points.", drawing=False
    )
    page.section("Summary")
    page.table(summary(runs, study))
    page.text(
        "The notebook says that Adam's cost is smoother. What it calls the cost's shape is measured here as the mean "
        "distance from one plotted cost to the next. All have the notebook's rate, but for AdaDelta, whose own is 1; one rate "
        "for all is no fair comparison: `minidl compare --dataset moons` gives each its own. "
        + ("" if study is None else "Over other seeds the start and the batches differ."),
    )
    page.section("Trajectories")
    page.figure("trajectories", trajectories(), "The paths of the seven optimizers down two surfaces.", drawing=False)
    page.section("With what, and how to run it again")
    page.facts("Environment", environment)
    page.code(command)
    return page
