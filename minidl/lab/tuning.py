"""Learning rates that suit each optimizer, chosen on a validation part of what one trains on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minidl.config import Checked, checked
from minidl.lab.cell import Cell, checked_cells
from minidl.lab.results import Table, grouped, named
from minidl.lab.study import Study
from minidl.schedules import Schedule
from minidl.validation import describe, number

__all__ = ["RATES", "Tuning", "tune"]

RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Tuning(metaclass=Checked):
    """What `tune` found; it prints as the rates, and says which are the least or the greatest of those tried.

    Attributes:
        cells: Those that were given, with the chosen rates.
        rates: The chosen rate by the optimizer's name, and what tells the setting from others of that name.
        losses: For each name the mean validation loss at each rate; infinite where a run diverged.
        table: A row for each trial.
    """

    cells: list[Cell]
    rates: dict[str, float]
    losses: dict[str, dict[float, float]]
    table: Table

    def __str__(self) -> str:
        return ", ".join(f"{name} {rate:g}{self._end(name)}" for name, rate in self.rates.items())

    def _end(self, name: str) -> str:
        tried, rate = self.losses[name], self.rates[name]
        if len(tried) > 1 and rate in (min(tried), max(tried)):
            return f" (the {'least' if rate == min(tried) else 'greatest'} tried)"
        return ""


@checked
def tune(
    cells: Iterable[Cell],
    rates: Iterable[float] = RATES,
    *,
    fraction: float = 0.2,
    folder: str | Path | None = None,
    **running: Any,
) -> Tuning:
    """Return the same cells with a learning rate for each setting that suits it.

    Each is trained with each rate, from its seeds, on the data to train on without a validation part, on which the loss
    after the last epoch is taken. The rate of the least mean over the seeds is chosen; one at which a run diverged
    never is. The test data are not looked at.

    Args:
        cells: What the rates are for; those that differ in their seed or learning rate alone get the same.
        rates: To choose from, at least one.
        fraction: How much of the data to train on makes the validation part, in (0, 1).
        folder: See `Study`: trials, too, are kept there and run once.
        **running: What `Study.run` takes: `executor`, `workers`, `progress`.

    Raises:
        ValueError: If an argument isn't as told above, a learning rate is a schedule, or all runs diverge.

    >>> from minidl.lab.tasks import TASKS; task = TASKS["moons"]
    >>> cells = minidl.lab.grid(model=task.net, optimizer=["sgd"], data=task.data, epochs=2)
    >>> print(tune(cells, [0.01, 0.1, 1e30], progress=False))
    sgd 0.1
    """
    cells = checked_cells("tune", cells)
    if not isinstance(rates, Iterable):
        raise TypeError(f"tune: rates must be a list. Received: rates={describe(rates)}")
    rates = [number("tune", "rates", rate, "(0, inf)") for rate in rates]
    if not rates:
        raise ValueError("tune: there must be a rate. Received: none")
    for cell in cells:
        if isinstance(cell.learning_rate, Schedule):
            raise ValueError(
                f"tune: a learning rate that is chosen must be a number. Received: {describe(cell.learning_rate)}"
            )
    parts = {cell.data.digest: cell.data for cell in cells}
    held_out = {digest: data.held_out(fraction) for digest, data in parts.items()}
    trials = {
        (i, rate): replace(cell, data=held_out[cell.data.digest], learning_rate=rate)
        for i, cell in enumerate(cells)
        for rate in rates
    }
    study = Study(trials.values(), folder)
    table = study.run(**running)
    rows = [{**cell.settings, "number": i} for i, cell in enumerate(cells)]
    groups = grouped(rows, ("seed", "learning_rate", "schedule", "number"))
    names = named([settings for settings, _ in groups])
    chosen, found, losses = list(cells), {}, {}
    for name, (_, same) in zip(names, groups, strict=True):
        group = [row["number"] for row in same]
        means = {}
        for rate in rates:
            results = [study.result(trials[i, rate]) for i in group]
            diverged = any(result.diverged is not None for result in results)
            means[rate] = math.inf if diverged else statistics.fmean(r.values["test_loss"] for r in results)
        best = min(means, key=lambda rate: means[rate])
        if math.isinf(means[best]):
            raise ValueError(f"tune: there must be a rate at which {name} doesn't diverge. Received: {rates}")
        for i in group:
            chosen[i] = replace(cells[i], learning_rate=best)
        found[name], losses[name] = best, means
    return Tuning(chosen, found, losses, table)
