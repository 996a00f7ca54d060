"""What came of cells: results, and the tables of them."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from minidl.config import Checked
from minidl.history import History
from minidl.lab.page import Sheet
from minidl.validation import nearest

__all__ = ["RESULTS", "TIMES", "Result", "Summary", "Table", "grouped", "mean_sd", "named", "telling"]

Row = dict[str, Any]
TIMES = ("seconds", "cpu_seconds")  # the only columns that differ from run to run
RESULTS = ("train_", "test_")  # what the columns of losses and metrics begin with


@dataclass(frozen=True)
class Result(metaclass=Checked):
    """How a cell went.

    Attributes:
        values: Loss and metrics on all the data after the last epoch, "train_loss", "test_accuracy" and so on; none
            of a run that diverged.
        diverged: The epoch, from 1, in which a gradient wasn't finite any more, or the last one if the loss or a metric
            at its end isn't finite; None if neither was so.
        seconds: What the training took, with the evaluation on the test data after each epoch.
        cpu_seconds: The same as the processor's time, which other programs beside it don't lengthen.
        history: What `fit` recorded.
        environment: The versions, and the machine.
        weights: What was learned, if it was to be kept.
    """

    values: Mapping[str, float]
    diverged: int | None
    seconds: float
    cpu_seconds: float
    history: History
    environment: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]] | None = None


@dataclass(frozen=True)
class Table(metaclass=Checked):
    """A row for each cell that has been run, in the order of the cells: its settings, and how it went.

    The columns: "data", each label, "model", "optimizer", its unusual "arguments", "learning_rate", "schedule", "loss",
    "batch_size", "epochs", "seed", "setting" (a text that tells apart what no other column does); then "train_loss",
    "test_loss" and each metric likewise (None where the run diverged), "diverged" (the epoch, or None), "seconds",
    "cpu_seconds" and "key".
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
        self._check(values)
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

    def summary(self, column: str = "test_accuracy", over: str | Sequence[str] = "seed") -> list[Summary]:
        """Return how `column` goes, over the rows that differ in one column, or in those of a list, alone."""
        over = (over,) if isinstance(over, str) else tuple(over)
        self._check([column, *(name for name in over if name != "seed")])  # rows of one's own may have no seeds
        return [_summary(settings, column, rows) for settings, rows in grouped(self.rows, over)]

    def _check(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.columns:
                raise ValueError(f"Table: no such column. Received: {name!r}. {nearest(name, self.columns)}")

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()

    def text(self) -> str:
        """Return, for each setting, mean ± standard deviation over seeds, as a table to print."""
        return replace(self.sheet(), caption="").text() if self.rows else "no cell has been run"

    def sheet(self, *, whole: bool = False) -> Sheet:
        """Return, for each setting, mean ± standard deviation over seeds; what all have in common is in the caption.

        The `whole` has the training loss too, and half the width of the 95 % confidence interval behind each mean.
        """
        if not self.rows:
            return Sheet("no cell has been run", [], [])
        groups = [({**settings, "runs": len(rows)}, rows) for settings, rows in grouped(self.rows)]
        settings = [one for one, _ in groups]
        shown = {"optimizer", "learning_rate", *telling(settings)}
        heads = [name for name in _names(settings) if name in shown]
        common = [
            f"{_words(name)} {_text(value)}" for name, value in settings[0].items()  # the same in all
            if name not in (*shown, "arguments", "setting") and value not in ("", None)
        ]  # fmt: skip
        columns: list[tuple[str, list[Any]]] = []
        results = [name for name in self.columns if name.startswith(RESULTS) and (whole or name != "train_loss")]
        for name in sorted(results, key=lambda name: name.endswith("_loss")):
            title = _words(name) + " %" * name.endswith("accuracy") + " [95 %]" * whole
            columns.append((title, [_mean(_summary(one, name, rows), whole) for one, rows in groups]))
        if "seconds" in self.columns:
            columns.append(("seconds a run", [_seconds(rows) for _, rows in groups]))
        if any(row["diverged"] is not None for row in self.rows):
            columns.append(("diverged", [_diverged(rows) for _, rows in groups]))
        lines = [
            [*(one.get(name) for name in heads), *(values[i] for _, values in columns)]
            for i, one in enumerate(settings)
        ]
        interval = " [half the 95 % confidence interval]" if whole else ""
        caption = "; ".join([f"Mean ± standard deviation{interval} over seeds", *common])
        return Sheet(caption, [*map(_words, heads), *(title for title, _ in columns)], lines)


@dataclass(frozen=True)
class Summary(metaclass=Checked):
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


# Settings, and what tells them apart -------------------------------------------------------------------------------


def grouped(rows: Iterable[Row], over: Sequence[str] = ("seed",)) -> list[tuple[Row, list[Row]]]:
    """Return the rows that differ in the columns `over`, and in how they went, alone: what they share, and they."""
    aside = {*over, *TIMES, "diverged", "key"}
    groups: dict[str, tuple[Row, list[Row]]] = {}
    for row in rows:
        same = {name: value for name, value in row.items() if name not in aside and not name.startswith(RESULTS)}
        groups.setdefault(json.dumps(same, default=str), (same, []))[1].append(row)
    return list(groups.values())


def telling(settings: Sequence[Row]) -> list[str]:
    """Return the columns in which settings differ; "arguments" and "setting" only where these tell more apart."""
    last = ("arguments", "setting")
    found = [name for name in _names(settings) if name not in last and _different(settings, [name]) > 1]
    for name in last:
        if _different(settings, [*found, name]) > _different(settings, found):
            found.append(name)
    return found


def named(settings: Sequence[Row]) -> list[str]:
    """Return a name for each of several settings: its optimizer, and what tells it from others that have the same.

    >>> named([{"optimizer": "sgd", "epochs": 1}, {"optimizer": "sgd", "epochs": 2}, {"optimizer": "adam"}])
    ['sgd, epochs 1', 'sgd, epochs 2', 'adam']
    """
    siblings: dict[str, list[Row]] = {}
    for one in settings:
        siblings.setdefault(one["optimizer"], []).append(one)
    telling_of = {optimizer: telling(some) for optimizer, some in siblings.items()}
    names = []
    for one in settings:
        told = [(name, one.get(name)) for name in telling_of[one["optimizer"]]]
        more = [
            str(value) if name == "arguments" else f"{_words(name)} {_text(value)}"
            for name, value in told
            if value not in ("", None)
        ]
        names.append(", ".join([one["optimizer"], *more]))
    return names


def _names(settings: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for one in settings for name in one))


def _different(settings: Sequence[Row], names: Sequence[str]) -> int:
    return len({json.dumps([one.get(name) for name in names], default=str) for one in settings})


# What a sheet says -------------------------------------------------------------------------------------------------


def _summary(settings: Row, column: str, rows: Sequence[Row]) -> Summary:
    values = [row[column] for row in rows if row.get(column) is not None and row["diverged"] is None]
    return Summary(settings, column, values, [row["diverged"] for row in rows if row["diverged"] is not None])


def _mean(summary: Summary, interval: bool) -> tuple[str, float] | None:
    if not summary.values:
        return None
    scale, digits = (100, 2) if summary.column.endswith("accuracy") else (1, 4)
    text = mean_sd([scale * value for value in summary.values], digits)
    if interval and len(summary.values) > 1:
        text += f" [{scale * summary.interval:.{digits}f}]"
    return text, summary.mean


def _seconds(rows: Sequence[Row]) -> tuple[str, float]:
    mean = statistics.mean(row["seconds"] for row in rows)
    return f"{mean:.2f}", mean


def _diverged(rows: Sequence[Row]) -> tuple[str, int] | None:
    epochs = [row["diverged"] for row in rows if row["diverged"] is not None]
    if not epochs:
        return None
    return f"in {len(epochs)} of {len(rows)} runs (epoch {', '.join(map(str, epochs))})", len(epochs)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
