"""`minidl compare`: one net, trained with each optimizer."""

import argparse
import dataclasses
import json
import math
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minidl
from minidl import comparison
from minidl.callbacks import Lambda
from minidl.cli import options as read
from minidl.comparison import SEVEN, Run, Task
from minidl.optimizers import Optimizer

__all__ = ["EXAMPLES", "add"]

EXAMPLES = """examples:
  minidl compare
  minidl compare --out comparison --seeds 5
  minidl compare --dataset spirals --optimizers sgd,momentum,adam --epochs 100 --out spirals
  minidl compare --dataset fashion-mnist --seeds 1
  minidl compare --learning-rate 0.01 --decay 0.01
  minidl compare --learning-rate adam=0.0007,sgd=0.1 --hidden 100,50 --batch-size 64

Ctrl-C ends it; the table and the files then hold the runs that are done.
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
    option("--dataset", default="digits", metavar="NAME", help=f"{', '.join(comparison.TASKS)} (default: digits)")
    option("--optimizers", default=",".join(SEVEN), metavar="NAMES", help="such as sgd,adam (default: all seven)")
    option("--learning-rate", action="append", default=[], metavar="RATE", help="for all, or for some: "
           "adam=0.001,sgd=0.1 (default: for each one that suits it, chosen on a validation part of the training "
           "data)")  # fmt: skip
    option("--decay", default="0", metavar="RATE", help="divide the rate by 1 + RATE · epoch (default: 0)")
    option("--epochs", metavar="N", help="default: what suits the data set")
    option("--batch-size", metavar="N", help="default: 20")
    option("--hidden", metavar="UNITS", help="of the hidden layers (default: 500,100 for images, 16,16 for points)")
    option("--seeds", default="3", metavar="SEEDS", help="how many, or which, such as 7,8,9 (default: 3: 0,1,2)")
    option("--out", type=Path, metavar="DIR", help="also write results.json and curves.png there, and boundaries.png "
           "for points in the plane")  # fmt: skip
    parser.set_defaults(prepare=_prepare)


def _prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check all options; return what is then to be done."""
    name = read.known("--dataset", options.dataset, comparison.TASKS)
    hidden = None if options.hidden is None else read.integers("--hidden", options.hidden)
    epochs = None if options.epochs is None else read.integer("--epochs", options.epochs)
    batch_size = None if options.batch_size is None else read.integer("--batch-size", options.batch_size)
    seeds = read.seeds(options.seeds)
    decay = read.number("--decay", options.decay)
    rates = read.rates(options.learning_rate)
    task = comparison.TASKS[name]
    chosen = read.makers(options.optimizers, rates, task.rates, decay)
    task = dataclasses.replace(
        task,
        hidden=hidden or task.hidden,
        epochs=epochs or task.epochs,
        batch_size=batch_size or task.batch_size,
    )
    return partial(_compare, task, chosen, seeds, decay, options.out and read.folder(options.out))


def _compare(
    task: Task, chosen: dict[str, Callable[[], Optimizer]], seeds: list[int], decay: float, out: Path | None
) -> None:
    """Train, print and write; Ctrl-C ends the training alone."""
    x, _ = task.train
    sizes = [int(np.prod(x.shape[1:])), *task.hidden, task.classes]
    print(
        f"{task.name}: {len(x)} training and {len(task.test[0])} test samples; "
        f"net {'-'.join(map(str, sizes))}, {task.epochs} epochs, batches of {task.batch_size}, "
        f"{f'decay {decay:g}, ' if decay else ''}seeds {', '.join(map(str, seeds))}\n",
        flush=True,
    )
    runs: list[Run] = []
    total = len(seeds) * len(chosen)
    try:
        _train(task, chosen, seeds, runs)
    except KeyboardInterrupt:
        if runs:
            _tell(task, runs, {"decay": decay, "seeds": seeds, "interrupted": True}, out)
        sys.stderr.write(f"minidl compare: {len(runs)} of {total} runs are done\n")
        raise
    _tell(task, runs, {"decay": decay, "seeds": seeds, "interrupted": False}, out)


def _train(task: Task, chosen: dict[str, Callable[[], Optimizer]], seeds: list[int], runs: list[Run]) -> None:
    """Add run after run to `runs`, and show a bar that counts epochs."""
    from tqdm import tqdm

    total = len(seeds) * len(chosen)
    with tqdm(total=total * task.epochs, unit="epoch", leave=False, disable=None) as bar:
        bar.set_postfix_str(f"run 1 of {total}")
        heard = Lambda(on_epoch_end=lambda epoch, logs: bar.update())
        for run in comparison.compare(task, chosen, seeds, callbacks=[heard]):
            runs.append(run)
            bar.update(len(runs) * task.epochs - bar.n)  # one that diverged ended early
            bar.set_postfix_str(f"run {min(len(runs) + 1, total)} of {total}")


def _tell(task: Task, runs: list[Run], settings: dict[str, object], out: Path | None) -> None:
    """Print the table and write the files."""
    print(comparison.table(runs))
    if out is None:
        return
    written = [_write_results(out / "results.json", task, runs, settings), _draw_curves(out / "curves.png", runs)]
    if task.train[0].shape[1:] == (2,):
        written.append(_draw_boundaries(out / "boundaries.png", task, runs))
    print(f"\nwritten: {', '.join(map(str, written))}")


def _write_results(file: Path, task: Task, runs: list[Run], settings: dict[str, object]) -> Path:
    results = {
        "settings": {
            "dataset": task.name,
            "hidden": task.hidden,
            "epochs": task.epochs,
            "batch_size": task.batch_size,
            **settings,
        },
        "environment": {"minidl": minidl.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "runs": [_row(run) for run in runs],
    }
    file.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return file


def _row(run: Run) -> dict[str, object]:
    """Return a run as JSON can hold it: what a diverged one lacks is null."""
    plain = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in vars(run).items()}
    del plain["model"]
    return {**plain, "history": json.loads(run.history.to_json())}


def _draw_curves(file: Path, runs: list[Run]) -> Path:
    from matplotlib.figure import Figure

    from minidl import plotting

    groups = comparison.by_optimizer([run for run in runs if not run.diverged])
    finished = {name: [run.history for run in group] for name, group in groups.items()}
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    if finished:
        plotting.plot_curves(finished, "loss", ax=left, log=True)
        plotting.plot_curves(finished, "val_accuracy", ax=right, label="test accuracy")
    else:
        figure.suptitle("every run diverged")
    figure.savefig(file, dpi=120)
    return file


def _draw_boundaries(file: Path, task: Task, runs: list[Run]) -> Path:
    """Draw where each optimizer's net of the first seed decides for which class, with 300 of the test points."""
    from matplotlib.figure import Figure

    from minidl import plotting

    first = [run for run in runs if run.seed == runs[0].seed]
    x, y = task.test
    columns = min(4, len(first))
    lines = math.ceil(len(first) / columns)
    figure = Figure(figsize=(3.6 * columns, 3.4 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    legend = False  # one is enough
    for panel, run in zip(panels, first, strict=False):
        title = f"{run.optimizer}, test accuracy {run.test_accuracy:.1%}"
        if run.diverged:
            title = f"{run.optimizer}, diverged"
        else:
            plotting.plot_decision_boundary(run.model, x[:300], y[:300], ax=panel)
            panel.label_outer()
            if legend:
                panel.get_legend().remove()
            legend = True
        panel.set_title(title)
    for panel in panels[len(first) :]:
        panel.set_axis_off()
    figure.savefig(file, dpi=100)
    return file
