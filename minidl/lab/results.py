"""What came of cells: results, and the tables of them."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from minidl.history import History
from minidl.validation import nearest

__all__ = ["Result", "Summary", "Table", "mean_sd"]

Row = dict[str, Any]
TIMES = ("seconds", "cpu_seconds")  # the only columns that differ from run to run


@dataclass(frozen=True)
class Result:
    """How a cell went.

    Attributes:
        values: Loss and metrics on all the data after the last epoch, "train_loss", "test_accuracy" and so on; none
            of a run that diverged.
        diverged: The epoch, from 1, in which a gradient wasn't finite any more; None if it never was so.
        seconds: What the training took, with the evaluation on the test data after each epoch.
        cpu_seconds: The same as the processor's time, which other programs beside it don't lengthen.
        history: What `fit` recorded, by columns.
        environment: The versions, and the machine.
        weights: What was learned, if it was to be kept.
    """

    values: Mapping[str, float]
    diverged: int | None
    seconds: float
    cpu_seconds: float
    history: Mapping[str, list[float]]
    environment: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]] | None = None

    def to_history(self) -> History:
        """Return what was recorded as a History."""
        history = History()
        history.history = {name: list(column) for name, column in self.history.items()}
        history.epoch = list(range(len(next(iter(history.history.values()), []))))
        return history


@dataclass(frozen=True)
class Table:
    """A row for each cell that has been run, in the order of the cells: its settings, and how it went.

    The columns: "data", each label, "optimizer", "learning_rate", "schedule", "batch_size", "epochs", "seed"; then
    "train_loss", "test_loss" and each metric likewise (None where the run diverged), "diverged" (the epoch, or None),
    "seconds", "cpu_seconds" and "key".
    """

    rows: list[Row] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def where(self, **values: Any) -> Table:
        """Return the rows that have these values.

        >>> Table([{"seed": 0, "loss": 1.0}, {"seed": 1, "loss": 2.0}]).where(seed=1).rows
        [{'seed': 1, 'loss': 2.0}]
        """
        for name in values:
            if name not in self.columns:
                raise ValueError(f"Table: no such column. Received: {name!r}. {nearest(name, self.columns)}")
        return Table([row for row in self.rows if all(row.get(name) == value for name, value in values.items())])

    def without_times(self) -> Table:
        """Return it without the columns that differ each time."""
        return Table([{name: value for name, value in row.items() if name not in TIMES} for row in self.rows])

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return it as CSV text, and write it to `path` if one is given; None is an empty field."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return _written(text.getvalue(), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return it as JSON text, a list of objects, and write it to `path` if one is given."""
        return _written(json.dumps(self.rows, indent=1, allow_nan=False) + "\n", path)

    def summary(self, column: str = "test_accuracy", over: Sequence[str] = ("seed",)) -> list[Summary]:
        """Return how `column` goes, over the rows that differ in the columns `over` alone."""
        if column not in self.columns:
            raise ValueError(f"Table: no such column. Received: {column!r}. {nearest(column, self.columns)}")
        result = [name for name in self.columns if name.startswith(("train_", "test_"))]
        aside = {*over, *result, *TIMES, "diverged", "key"}
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            same = {name: value for name, value in row.items() if name not in aside}
            groups.setdefault(json.dumps(same, default=str), []).append(row)
        return [
            Summary(
                {name: value for name, value in rows[0].items() if name not in aside},
                column,
                [row[column] for row in rows if row["diverged"] is None],
                [row["diverged"] for row in rows if row["diverged"] is not None],
            )
            for rows in groups.values()
        ]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from minidl.representation import html_table

        if not self.rows:
            return html_table("no cell has been run", [], [])
        lines, _ = self._lines()
        return html_table("mean ± standard deviation over seeds", lines[0], lines[1:])

    def text(self) -> str:
        """Return, for each setting, mean ± standard deviation over seeds, as a table to print."""
        return _aligned(*self._lines()) if self.rows else "no cell has been run"

    def _lines(self) -> tuple[list[list[str]], int]:
        """Return the table's lines, the heads first, and how many columns are settings."""
        metrics = [name for name in self.columns if name.startswith(("train_", "test_")) and name != "train_loss"]
        metrics.sort(key=lambda name: name == "test_loss")
        groups = {name: self.summary(name) for name in metrics}
        one = self.summary(metrics[0]) if metrics else []
        varying = [
            name
            for name in (one[0].settings if one else {})
            if name in ("optimizer", "learning_rate")
            or len({json.dumps(s.settings.get(name), default=str) for s in one}) > 1
        ]
        seconds: dict[str, list[float]] = {}
        for row in self.rows:
            seconds.setdefault(_identity(row, varying), []).append(row["seconds"])
        lines = [[*(name.replace("_", " ") for name in varying), *map(_title, metrics), "seconds a run"]]
        for i, summary in enumerate(one):
            head = [_shown(summary.settings.get(name)) for name in varying]
            if summary.diverged:
                epochs = ", ".join(map(str, summary.diverged))
                n = len(summary.diverged) + len(summary.values)
                lines.append([*head, f"diverged in {len(summary.diverged)} of {n} runs (epoch {epochs})"])
                continue
            cells = [_accuracy_or_loss(name, groups[name][i]) for name in metrics]
            lines.append([*head, *cells, f"{statistics.mean(seconds[_identity(summary.settings, varying)]):.2f}"])
        return lines, len(varying)


@dataclass(frozen=True)
class Summary:
    """A column over several runs that differ in their seed alone.

    Attributes:
        settings: What they have in common.
        column: Its name.
        values: Of the runs that didn't diverge.
        diverged: The epochs, from 1, in which the others did.
    """

    settings: Mapping[str, Any]
    column: str
    values: list[float]
    diverged: list[int]

    @property
    def mean(self) -> float:
        """The mean; NaN if there is no value."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def sd(self) -> float:
        """The standard deviation of a sample, Σ(v − mean)² / (n − 1) under the root; NaN if there are less than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    @property
    def interval(self) -> float:
        """Half the width of the 95 % confidence interval of the mean, t(0.975, n − 1) · sd / √n (Student 1908).

        NaN if there are less than two values.
        """
        n = len(self.values)
        return _student(n - 1) * self.sd / math.sqrt(n) if n > 1 else math.nan

    def __str__(self) -> str:
        return mean_sd(self.values, 4)


def mean_sd(values: Sequence[float], digits: int) -> str:
    """Return "mean ± standard deviation"; of one value the value.

    >>> mean_sd([1.0, 2.0], 1), mean_sd([1.0], 1)
    ('1.5 ± 0.7', '1.0')
    """
    if not values:
        return ""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


# The 97.5 % points of Student's distribution with 1, 2, ... 30 degrees of freedom.
_POINTS = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
    2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
    2.0452, 2.0423,
)  # fmt: skip


def _student(freedom: int) -> float:
    """Return the 97.5 % point; beyond the table by Cornish and Fisher's expansion, right to four digits."""
    if freedom <= len(_POINTS):
        return _POINTS[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def _identity(row: Mapping[str, Any], names: Iterable[str]) -> str:
    return json.dumps([row.get(name) for name in names], default=str)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)


def _title(name: str) -> str:
    return name.replace("_", " ") + (" %" if name.endswith("accuracy") else "")


def _accuracy_or_loss(name: str, summary: Summary) -> str:
    if name.endswith("accuracy"):
        return mean_sd([100 * value for value in summary.values], 2)
    return mean_sd(summary.values, 4)


def _aligned(lines: list[list[str]], left: int) -> str:
    """Return lines as columns; the first `left` to the left, a line that is too short says something instead."""
    whole = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(len(line[i]) for line in (lines if i < left else whole)) for i in range(len(lines[0]))]
    shown = []
    for line in lines:
        cells = [
            f"{cell:<{widths[i]}}" if i < left or line not in whole else f"{cell:>{widths[i]}}"
            for i, cell in enumerate(line)
        ]
        shown.append("  ".join(cells).rstrip())
    shown.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(shown)
