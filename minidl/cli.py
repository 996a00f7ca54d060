"""The command: `minidl compare`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

import minidl
from minidl import comparison, optimizers, schedules
from minidl.comparison import Run, Task
from minidl.optimizers import Optimizer
from minidl.validation import nearest

__all__ = ["main", "prepare"]

SEVEN = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam")

EXAMPLES = """examples:
  minidl compare
  minidl compare --out comparison --seeds 5
  minidl compare --dataset moons --optimizers sgd,momentum,adam --epochs 100
  minidl compare --learning-rate 0.01 --decay 0.01
  minidl compare --learning-rate adam=0.0007,sgd=0.1 --hidden 100,50 --batch-size 64
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and exit with status 2."""
        sys.stderr.write(f"{self.prog}: {' '.join(message.split())}\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process; return its exit status."""
    job = prepare(arguments)
    try:
        job()
    except KeyboardInterrupt:
        sys.stderr.write("minidl: interrupted\n")
        return 130
    return 0


def prepare(arguments: Sequence[str] | None = None) -> Callable[[], None]:
    """Check `arguments` and return what they ask to be done; wrong ones end the process with status 2."""
    parser = _Parser(prog="minidl", description=minidl.__doc__)
    parser.add_argument("--version", action="version", version=f"minidl {minidl.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_compare(commands)
    options = parser.parse_args(arguments)
    try:
        job: Callable[[], None] = options.prepare(options)
    except (ValueError, TypeError, OSError) as error:
        commands.choices[options.command].error(str(error))
    return job


def _add_compare(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "compare",
        help="train one net with each optimizer and compare",
        description="Train one net with each optimizer, from the same initial weights and on the same batches, and "
        "print a table: mean ± standard deviation over the seeds.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dataset", default="digits", metavar="NAME", help=f"{', '.join(comparison.TASKS)} (default: digits)")
    add("--optimizers", default=",".join(SEVEN), metavar="NAMES", help="which, such as sgd,adam (default: all seven)")
    add("--learning-rate", action="append", default=[], metavar="RATE", help="for all, or for some: adam=0.001,sgd=0.1 "
        "(default: for each one that suits it, chosen on a validation part of the training data)")  # fmt: skip
    add("--decay", default="0", metavar="RATE", help="divide the rate by 1 + RATE · epoch (default: 0)")
    add("--epochs", metavar="N", help="default: what suits the data set")
    add("--batch-size", metavar="N", help="default: 20")
    add("--hidden", metavar="UNITS", help="of the hidden layers (default: 500,100 for digits, 16,16 otherwise)")
    add("--seeds", default="3", metavar="SEEDS", help="how many, or which, such as 7,8,9 (default: 3, that is 0,1,2)")
    add("--out", type=Path, metavar="DIR", help="also write curves.png and results.json there")
    parser.set_defaults(prepare=_prepare_compare)


def _prepare_compare(options: argparse.Namespace) -> Callable[[], None]:
    """Check all options; return what is then to be done."""
    task = _task(options.dataset)
    task = dataclasses.replace(
        task,
        hidden=task.hidden if options.hidden is None else _integers("--hidden", options.hidden),
        epochs=task.epochs if options.epochs is None else _integer("--epochs", options.epochs),
        batch_size=task.batch_size if options.batch_size is None else _integer("--batch-size", options.batch_size),
    )
    seeds = _seeds(options.seeds)
    decay = _number("--decay", options.decay)
    chosen = _optimizers(options.optimizers, _rates(options.learning_rate), task, decay)
    if options.out is not None:
        if options.out.exists() and not options.out.is_dir():
            raise ValueError(f"--out must be a folder. Received: {str(options.out)!r}, a file")
        options.out.mkdir(parents=True, exist_ok=True)
    return partial(_compare, task, chosen, seeds, decay, options.out)


def _compare(
    task: Task, chosen: dict[str, Callable[[], Optimizer]], seeds: list[int], decay: float, out: Path | None
) -> None:
    from tqdm import tqdm

    sizes = [int(np.prod(task.x_train.shape[1:])), *task.hidden, task.classes]
    print(
        f"{task.name}: {len(task.x_train)} training and {len(task.x_test)} test samples; "
        f"net {'-'.join(map(str, sizes))}, {task.epochs} epochs, batches of {task.batch_size}, "
        f"{f'decay {decay:g}, ' if decay else ''}seeds {', '.join(map(str, seeds))}\n",
        flush=True,
    )
    cells = comparison.compare(task, chosen, seeds)
    runs = list(tqdm(cells, total=len(seeds) * len(chosen), unit="run", leave=False, disable=None))
    print(comparison.table(runs))
    if out is not None:
        _write(out, task, runs, {"decay": decay, "seeds": seeds})
        print(f"\nwritten: {out / 'curves.png'}, {out / 'results.json'}")


def _write(folder: Path, task: Task, runs: list[Run], settings: dict[str, object]) -> None:
    from matplotlib.figure import Figure

    from minidl import plotting

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
    text = json.dumps(results, indent=1, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")

    groups = comparison.by_optimizer([run for run in runs if not run.diverged])
    finished = {name: [run.history for run in group] for name, group in groups.items()}
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    if finished:
        plotting.plot_curves(finished, "loss", ax=left, log=True)
        plotting.plot_curves(finished, "val_accuracy", ax=right, label="test accuracy")
    else:
        figure.suptitle("every run diverged")
    figure.savefig(folder / "curves.png", dpi=120)


def _row(run: Run) -> dict[str, object]:
    """Return a run as JSON can hold it: what a diverged one lacks is null."""
    plain = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in vars(run).items()}
    return {**plain, "history": json.loads(run.history.to_json())}


def _task(name: str) -> Task:
    if name not in comparison.TASKS:
        raise ValueError(f"--dataset must be a known one. Received: {name!r}. {nearest(name, comparison.TASKS)}")
    return comparison.TASKS[name]()


def _optimizers(names: str, rates: dict[str, float], task: Task, decay: float) -> dict[str, Callable[[], Optimizer]]:
    """Return, by name, what makes each optimizer anew at its rate."""
    for_all = rates.pop("", None)
    chosen = {}
    for name in filter(None, (part.strip().lower() for part in names.split(","))):
        kind = type(optimizers.registry.get(name))
        title = kind.__name__.lower()
        if title in chosen:
            raise ValueError(f"--optimizers must be different. Received: {title} twice")
        rate = rates.pop(name, task.rates.get(title) if for_all is None else for_all)
        chosen[title] = _maker(kind, rate, decay)
        chosen[title]()  # a rate out of range is told before the first run
    if not chosen:
        raise ValueError(f"--optimizers must name at least one. Received: {names!r}")
    if rates:
        raise ValueError(f"--learning-rate names an optimizer that isn't compared. Received: {', '.join(rates)}")
    return chosen


def _maker(kind: type[Optimizer], rate: float | None, decay: float) -> Callable[[], Optimizer]:
    def make() -> Optimizer:
        optimizer = kind() if rate is None else kind(learning_rate=rate)
        if decay:
            optimizer.learning_rate = schedules.InverseTimeDecay(optimizer.learning_rate, decay_rate=decay)
        return optimizer

    return make


def _rates(given: list[str]) -> dict[str, float]:
    """Return the rates by optimizer; "" is the one for all."""
    rates = {}
    for part in ",".join(given).split(",") if given else []:
        name, _, value = part.rpartition("=")
        key = name.strip().lower()
        if key in rates:
            raise ValueError(f"--learning-rate must be given once for {key or 'all'}. Received: {', '.join(given)}")
        rates[key] = _number("--learning-rate", value)
    return rates


def _number(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{option} must be a number of at least 0. Received: {text!r}")
    return value


def _seeds(text: str) -> list[int]:
    if "," in text:
        seeds = list(_integers("--seeds", text, low=0))
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"--seeds must be different. Received: {text!r}")
        return seeds
    return list(range(_integer("--seeds", text)))


def _integer(option: str, text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"{option} must be a positive integer. Received: {text!r}")
    return int(text)


def _integers(option: str, text: str, low: int = 1) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) >= low for part in parts):
        raise ValueError(f"{option} must be integers of at least {low}, separated by commas. Received: {text!r}")
    return tuple(int(part) for part in parts)
