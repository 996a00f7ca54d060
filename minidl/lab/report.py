"""A study told: a table of means, a table of runs, curves, decision boundaries, with what, and how to run it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minidl.config import checked
from minidl.lab.cell import Cell
from minidl.lab.page import Page, Sheet
from minidl.lab.results import grouped, named
from minidl.lab.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["boundaries", "curves", "in_the_plane", "report"]

SHOWN = 300  # points of a picture
CURVES = (
    "Loss on the training data, a mean over each epoch, and what the test data show after each epoch: "
    "means over the seeds, and the range shaded."
)
BOUNDARIES = f"Where each net of the first seed decides for which class, with {SHOWN} of the test points."
MOST = 14  # lines of a picture, told apart by colour and stroke


@checked
def report(
    study: Study,
    title: str = "A study",
    lead: str = "Means over the seeds, ± the standard deviation.",
    *,
    settings: Mapping[str, Any] | None = None,
    command: str | None = None,
) -> Page:
    """Return the page that tells of what has been run; its `write` puts it into a folder.

    Args:
        study: It needn't be complete.
        title: Of the page.
        lead: What was done, in a few sentences.
        settings: What else was set.
        command: How to run it again.
    """
    page = Page(title, lead)
    table = study.table()
    left = len({cell.key for cell in study.cells}) - len({row["key"] for row in table.rows})
    if left:
        page.text(f"{left} cells haven't been run yet.")
    if table.rows:
        page.section("Means")
        page.table(table.sheet(whole=True))
        page.section("Curves")
        page.figure("curves", curves(study), CURVES)
        if in_the_plane(study):
            page.section("Decision boundaries")
            page.figure("boundaries", boundaries(study), BOUNDARIES, drawing=False)
        page.section("Every run")
        page.table(Sheet("A row a cell", table.columns, [[row[name] for name in table.columns] for row in table.rows]))
    page.section("With what, and how to run it again")
    if settings:
        page.facts("Settings", settings)
    for environment in study.environments:
        page.facts("Environment", environment)
    if command:
        page.code(command)
    return page


def curves(study: Study) -> Figure:
    """Draw training loss, and accuracy (else loss) on the test data, over the epochs."""
    from matplotlib.figure import Figure

    from minidl import plotting

    groups = {}
    for name, cells in _settings(study).items():
        results = [study.results[cell.key] for cell in cells]
        if whole := [result.history for result in results if result.diverged is None]:
            groups[name] = whole
    groups = dict(list(groups.items())[:MOST])
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    if not groups:
        figure.suptitle("every run diverged")
        return figure
    plotting.plot_curves(
        groups, "loss", ax=left, log=all(min(h.history["loss"]) > 0 for g in groups.values() for h in g)
    )
    column = "val_accuracy" if all("val_accuracy" in h.history for g in groups.values() for h in g) else "val_loss"
    plotting.plot_curves(groups, column, ax=right, label=f"test {column.removeprefix('val_')}")
    return figure


def _settings(study: Study) -> dict[str, list[Cell]]:
    """Return the cells that have been run and differ in their seed alone, by names that tell them from the others."""
    rows = [{**cell.settings, "cell": cell} for cell in study.cells if cell.key in study.results]
    groups = grouped(rows, ("seed", "cell"))
    names = named([settings for settings, _ in groups])
    return {name: [row["cell"] for row in rows] for name, (_, rows) in zip(names, groups, strict=True)}


def in_the_plane(study: Study) -> bool:
    """Tell whether decision boundaries can be drawn: of points in the plane, by weights that were kept."""
    return study.keep_weights and all(cell.data.x.shape[1:] == (2,) for cell in study.cells)


def boundaries(study: Study) -> Figure:
    """Draw where each net of the first seed decides for which class, with some of the test points."""
    from matplotlib.figure import Figure

    from minidl import plotting
    from minidl.plotting.frame import panels

    seed = study.cells[0].seed
    first = [(name, cell) for name, cells in _settings(study).items() for cell in cells if cell.seed == seed][:MOST]
    if not first:
        return Figure(figsize=(3.6, 3.4), layout="constrained")
    figure, axes = panels(len(first), 4, (3.6, 3.4), sharex=True, sharey=True)
    legend = False  # one is enough
    for panel, (name, cell) in zip(axes, first, strict=True):
        result = study.result(cell)
        title = f"{name}, diverged"
        if result.diverged is None:
            accuracy = result.values.get("test_accuracy", math.nan)
            title = f"{name}, test accuracy {accuracy:.1%}"
            x, y = cell.data.x_test[:SHOWN], cell.data.y_test[:SHOWN]
            plotting.plot_decision_boundary(study.model(cell), x, y, ax=panel)
            panel.label_outer()
            told = panel.get_legend()
            assert told is not None
            if legend:
                told.remove()
            legend = True
        panel.set_title(title, fontsize=10)
    return figure
