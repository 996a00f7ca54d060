"""A study told: a table of means, a table of runs, curves, decision boundaries, with what, and how to run it again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minidl.history import History
from minidl.lab.page import Page, Sheet
from minidl.lab.results import Summary, Table, mean_sd
from minidl.lab.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["boundaries", "curves", "in_the_plane", "means", "report"]

SHOWN = 300  # points of a picture
CURVES = (
    "Loss on the training data, a mean over each epoch, and what the test data show after each epoch: "
    "means over the seeds, and the range shaded."
)
BOUNDARIES = f"Where each net of the first seed decides for which class, with {SHOWN} of the test points."
MOST = 14  # lines of a picture, told apart by colour and stroke


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
        page.table(means(table))
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


def means(table: Table) -> Sheet:
    """Return mean, standard deviation and confidence interval for each setting."""
    names = [name for name in table.columns if name.startswith(("train_", "test_"))]
    groups = {name: table.summary(name) for name in names}
    first = groups[names[0]] if names else table.summary("seconds")
    constant = {
        name for name in first[0].settings
        if name != "optimizer" and len({json.dumps(one.settings[name], default=str) for one in first}) == 1
    }  # fmt: skip
    varying = [name for name in first[0].settings if name not in constant]
    rows = []
    for i, one in enumerate(first):
        head = [one.settings[name] for name in varying]
        cells = [_cell(groups[name][i]) for name in names]
        rows.append([*head, len(one.values) + len(one.diverged), len(one.diverged) or None, *cells])
    heads = [
        *(name.replace("_", " ") for name in varying),
        "runs",
        "diverged",
        *(f"{name.replace('_', ' ')} [95 %]" for name in names),
    ]
    told = ", ".join(f"{name.replace('_', ' ')} {first[0].settings[name]}" for name in sorted(constant) if
                     first[0].settings[name] not in ("", None))  # fmt: skip
    return Sheet(f"Mean ± standard deviation [half the 95 % confidence interval]; {told}", heads, rows)


def _cell(summary: Summary) -> tuple[str, float] | None:
    if not summary.values:
        return None
    digits = 4
    interval = f" [{summary.interval:.{digits}f}]" if len(summary.values) > 1 else ""
    return mean_sd(summary.values, digits) + interval, summary.mean


def curves(study: Study) -> Figure:
    """Draw training loss, and accuracy (else loss) on the test data, over the epochs."""
    from matplotlib.figure import Figure

    from minidl import plotting

    groups: dict[str, list[History]] = {}
    for cell in study.cells:
        result = study.results.get(cell.key)
        if result is not None and result.diverged is None:
            groups.setdefault(_named(study, cell), []).append(result.to_history())
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


def _named(study: Study, cell: Any) -> str:
    """Return the optimizer's name, with its rate where it has several, and the number of epochs likewise."""
    siblings = [one for one in study.cells if one.name == cell.name]
    name = cell.name
    for field in ("learning_rate", "batch_size", "epochs"):
        if len({str(getattr(one, field)) for one in siblings}) > 1:
            value = getattr(cell, field)
            name += f", {field.replace('_', ' ')} {value:g}" if isinstance(value, (int, float)) else f", {value}"
    return name


def in_the_plane(study: Study) -> bool:
    """Tell whether decision boundaries can be drawn: of points in the plane, by weights that were kept."""
    return study.keep_weights and all(cell.data.x.shape[1:] == (2,) for cell in study.cells)


def boundaries(study: Study) -> Figure:
    """Draw where each net of the first seed decides for which class, with some of the test points."""
    from matplotlib.figure import Figure

    from minidl import plotting

    first = [cell for cell in study.cells if cell.seed == study.cells[0].seed and cell.key in study.results][:MOST]
    columns = max(min(4, len(first)), 1)
    lines = max(math.ceil(len(first) / columns), 1)
    figure = Figure(figsize=(3.6 * columns, 3.4 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    legend = False  # one is enough
    for panel, cell in zip(panels, first, strict=False):
        result, name = study.result(cell), _named(study, cell)
        title = f"{name}, diverged"
        if result.diverged is None:
            accuracy = result.values.get("test_accuracy", math.nan)
            title = f"{name}, test accuracy {accuracy:.1%}"
            x, y = cell.data.x_test[:SHOWN], cell.data.y_test[:SHOWN]
            plotting.plot_decision_boundary(study.model(cell), x, y, ax=panel)
            panel.label_outer()
            if legend:
                panel.get_legend().remove()
            legend = True
        panel.set_title(title, fontsize=10)
    for panel in panels[len(first) :]:
        panel.set_axis_off()
    return figure
