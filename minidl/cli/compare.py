"""`minidl compare`: one net, trained with each optimizer."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minidl.cli import options as read
from minidl.lab import Cell, Study, report, tune
from minidl.lab.tasks import SEVEN, TASKS, Task
from minidl.schedules import InverseTimeDecay

__all__ = ["EXAMPLES", "add"]

EXAMPLES = """examples:
  minidl compare
  minidl compare --out comparison --seeds 5 --workers 2
  minidl compare --dataset spirals --optimizers sgd,momentum,adam --epochs 100 --out spirals
  minidl compare --dataset fashion-mnist --seeds 1
  minidl compare --learning-rate 0.01 --decay 0.01
  minidl compare --learning-rate adam=0.0007,sgd=0.1 --hidden 100,50 --batch-size 64
  minidl compare --optimizers adam,lab.rules:Lion --tune

A module is found as Python finds it, the current folder first. Ctrl-C ends it; the table and the files then hold the
runs that are done, and with --out the same command goes on with those that are missing.
"""


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = read.command(
        commands,
        "compare",
        help="train one net with each optimizer and compare",
        description="Train one net with each optimizer, from the same initial weights and on the same batches, and "
        "print a table: mean ± standard deviation over the seeds.",
        examples=EXAMPLES,
    )
    option = parser.add_argument
    option("--dataset", default="digits", metavar="NAME", help=f"{', '.join(TASKS)} (default: digits)")
    option("--optimizers", default=",".join(SEVEN), metavar="NAMES", help="such as sgd,adam,package.module:MyOptimizer "
           "(default: all seven)")  # fmt: skip
    option("--learning-rate", action="append", default=[], metavar="RATE", help="for all, or for some: "
           "adam=0.001,sgd=0.1 (default: for each of the seven one that suits it, chosen on a validation part of the "
           "training data; for others their own default)")  # fmt: skip
    option("--tune", action="store_true", help="choose each learning rate anew, on a validation part of the training "
           "data, from 0.0001, 0.0003, 0.001, ... 10")  # fmt: skip
    option("--decay", default="0", metavar="RATE", help="divide the rate by 1 + RATE · epoch (default: 0)")
    option("--epochs", metavar="N", help="default: what suits the data set")
    option("--batch-size", metavar="N", help="default: 20")
    option("--hidden", metavar="UNITS", help="of the hidden layers (default: 500,100 for images, 16,16 for points)")
    option("--seeds", default="3", metavar="SEEDS", help="how many, or which, such as 7,8,9 (default: 3: 0,1,2)")
    option("--workers", metavar="N", help="processes that train at once (default: one after the other, in this one)")
    option("--out", type=Path, metavar="DIR", help="also write report.html there, with its pictures, results.csv, "
           "results.json, and the runs themselves, which aren't run again")  # fmt: skip
    parser.set_defaults(prepare=_prepare)


def _prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check all options; return what is then to be done."""
    name = read.known("--dataset", options.dataset, TASKS)
    hidden = None if options.hidden is None else read.integers("--hidden", options.hidden)
    epochs = None if options.epochs is None else read.integer("--epochs", options.epochs)
    batch_size = None if options.batch_size is None else read.integer("--batch-size", options.batch_size)
    seeds = read.seeds(options.seeds)
    decay = read.number("--decay", options.decay)
    rates = read.rates(options.learning_rate)
    workers = None if options.workers is None else read.integer("--workers", options.workers)
    if options.tune and (rates or decay):
        raise ValueError(f"--tune chooses the rates. Received: {'--learning-rate' if rates else '--decay'} as well")
    task = TASKS[name]
    chosen = read.optimizers_of(options.optimizers, rates, task.rates)
    task = dataclasses.replace(
        task,
        hidden=hidden or task.hidden,
        epochs=epochs or task.epochs,
        batch_size=batch_size or task.batch_size,
    )
    asked = _Asked(task, chosen, seeds, decay, options.tune, workers, options.out and read.folder(options.out))
    return partial(_compare, asked)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What the command was told to do."""

    task: Task
    optimizers: dict[str, read.Chosen]
    seeds: list[int]
    decay: float
    tune: bool
    workers: int | None
    out: Path | None

    def cells(self) -> list[Cell]:
        """Return what is to be trained."""
        return self.task.cells({name: self._decaying(one) for name, one in self.optimizers.items()}, self.seeds)

    def _decaying(self, one: read.Chosen) -> read.Chosen:
        if not self.decay:
            return one
        return one._replace(rate=InverseTimeDecay(one.new().learning_rate, decay_rate=self.decay))

    def settings(self, interrupted: bool) -> dict[str, Any]:
        """Return what results.json says of it."""
        task = self.task
        return {"dataset": task.name, "hidden": task.hidden, "epochs": task.epochs, "batch_size": task.batch_size,
                "decay": self.decay, "tuned": self.tune, "seeds": self.seeds, "interrupted": interrupted}  # fmt: skip


def _compare(asked: _Asked) -> None:
    """Train, print and write; Ctrl-C ends the training alone."""
    task, data = asked.task, asked.task.data
    sizes = [int(np.prod(data.x.shape[1:])), *task.hidden, task.net.classes]
    print(
        f"{task.name}: {len(data.x)} training and {len(data.x_test)} test samples; "
        f"net {'-'.join(map(str, sizes))}, {task.epochs} epochs, batches of {task.batch_size}, "
        f"{f'decay {asked.decay:g}, ' if asked.decay else ''}seeds {', '.join(map(str, asked.seeds))}\n",
        flush=True,
    )
    cells = asked.cells()
    if asked.tune:
        tuning = tune(cells, folder=asked.out, workers=asked.workers)
        print(f"learning rates of the least loss on a fifth of the training data, kept for validation: {tuning}\n")
        cells = tuning.cells
    study = Study(cells, asked.out, keep_weights=data.x.shape[1:] == (2,))
    if study.results:
        print(f"{len(study.results)} of {len(cells)} runs are done already, in {asked.out}\n")
    try:
        study.run(workers=asked.workers)
    except KeyboardInterrupt:
        if study.results:
            _tell(asked, study, interrupted=True)
        sys.stderr.write(f"minidl compare: {len(study.results)} of {len(cells)} runs are done\n")
        raise
    _tell(asked, study, interrupted=False)


def _tell(asked: _Asked, study: Study, interrupted: bool) -> None:
    """Print the table and write the files."""
    table, out = study.table(), asked.out
    print(table)
    if out is None:
        return
    settings = asked.settings(interrupted)
    table.to_csv(out / "results.csv")
    told = {"settings": settings, "environments": study.environments, "runs": table.rows}
    (out / "results.json").write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    lead = f"One net, trained with each optimizer on {asked.task.name}, from the same starts and on the same batches."
    page = report(study, "Optimizers compared", lead, settings=settings, command=read.given("minidl compare"))
    print(f"\nwritten: {page.write(out)}, its pictures, results.csv and results.json")
