"""`minidl reproduce`: the course notebook and the paper, tried again."""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from minidl.cli import options as read
from minidl.lab import Study
from minidl.reproduce import notebook, notebook_report, paper, paper_report
from minidl.saving.setup import environment

__all__ = ["EXAMPLES", "add"]

EXAMPLES = """examples:
  minidl reproduce notebook
  minidl reproduce notebook --out notebook --seeds 0
  minidl reproduce paper --quick
  minidl reproduce paper --out paper --workers 2

The paper's cells are kept in the folder as they are done: stopped, the same command goes on. In full it takes some
three hours of one core; --quick some four minutes, a subset of the same cells.
"""
WHAT = ("notebook", "paper")


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = read.command(
        commands,
        "reproduce",
        help="try the course notebook, or the paper, again",
        description="Train what the course notebook, or the paper that compares optimizers on Fashion-MNIST, trained; "
        "print ours beside theirs, and write a report: report.html, tables, pictures.",
        examples=EXAMPLES,
    )
    option = parser.add_argument
    option("what", metavar="WHAT", help="notebook or paper")
    option("--out", type=Path, metavar="DIR", help="where to write (default: notebook-report or paper-report)")
    option("--workers", metavar="N", help="processes that train at once (default: 2)")
    option("--seeds", metavar="N", help="of the notebook: how many other seeds to try (default: 3); of the paper: how "
           "many more a table than its plan has (default: 0)")  # fmt: skip
    option("--epochs", metavar="N", help="of the notebook: fewer than its 10,000, for a look")
    option("--quick", action="store_true", help="of the paper: the best cell of Tables I to IV, and one of Table VIII")
    parser.set_defaults(prepare=_prepare)


def _prepare(options: argparse.Namespace) -> Callable[[], int]:
    """Check all options; return what is then to be done."""
    what = read.known("WHAT", options.what, WHAT)
    workers = read.integer("--workers", options.workers or "2")
    seeds = None if options.seeds is None else read.integers("--seeds", options.seeds, low=0)
    if seeds is not None and len(seeds) != 1:
        raise ValueError(f"--seeds must be one number. Received: {options.seeds!r}")
    for name, of in (("quick", "paper"), ("epochs", "notebook")):
        if getattr(options, name) and what != of:
            raise ValueError(f"--{name} is for the {of}. Received: {what}")
    epochs = read.integer("--epochs", options.epochs or str(notebook.EPOCHS))
    if epochs > notebook.EPOCHS:
        raise ValueError(f"--epochs must be at most {notebook.EPOCHS}, the notebook's. Received: {options.epochs!r}")
    out = read.folder(options.out or Path(f"{what}-report"))
    if what == "notebook":
        return partial(_notebook, epochs, 3 if seeds is None else seeds[0], workers, out)
    return partial(_paper, options.quick, 0 if seeds is None else seeds[0], workers, out)


def _notebook(epochs: int, seeds: int, workers: int, out: Path) -> int:
    from tqdm import tqdm

    runs = {}
    with tqdm(total=len(notebook.OPTIMIZERS) * epochs, unit="epoch", leave=False, disable=None) as bar:
        for name in notebook.OPTIMIZERS:
            bar.set_description_str(notebook.NAMES[name])
            runs[name] = notebook.run(name, epochs, told=lambda epoch: bar.update())
    print(notebook_report.costs(runs).text() + "\n")
    study = None
    if seeds:
        study = Study(notebook.cells(range(100, 100 + seeds), epochs), out)
        study.run(workers=workers)
        study.table().to_csv(out / "seeds.csv")
        study.table().to_json(out / "seeds.json")
    print(notebook_report.summary(runs, study).text())
    page = notebook_report.report(runs, study, environment(), read.given("minidl reproduce notebook"))
    wrong = [text for run in runs.values() for text in run.differences]
    print(f"\n{notebook.compared(runs.values())}"
          + (f"; {', '.join(wrong)}" if wrong else "")
          + f"\nwritten: {page.write(out)}")  # fmt: skip
    return int(bool(wrong))


def _paper(quick: bool, seeds: int, workers: int, out: Path) -> int:
    start = time.perf_counter()
    study = Study(paper.quick_cells() if quick else paper.cells(seeds), out)
    known = len(study.results)
    runs, distinct = len(study.missing), len({cell.key for cell in study.cells})
    print(f"{len(study.cells)} cells of the tables, {distinct} of them different"
          + (f", {known} done already" if known else "")
          + f": {runs} runs with {workers} process{'es' * (workers != 1)}", flush=True)  # fmt: skip
    interrupted = False
    try:
        study.run(workers=workers)
    except KeyboardInterrupt:
        interrupted = True
    table = study.table()
    table.to_csv(out / "results.csv")
    table.to_json(out / "results.json")
    page, sheets = paper_report.report(study, environment(), read.given("minidl reproduce paper"))
    (out / "tables.md").write_text(
        "\n\n".join(f"{sheet.caption}\n\n{sheet.markdown()}" for sheet in sheets) + "\n", encoding="utf-8"
    )
    for sheet in sheets:
        print("\n" + sheet.text())
    print("\n" + "\n".join(paper_report.headlines(paper_report.lines(study))))
    for name, value in paper_report.cost(study).items():
        print(f"\n{name}: {value}", end="")
    print(f"\nthis run: {(time.perf_counter() - start) / 60:.1f} minutes\nwritten: {page.write(out)}")
    if interrupted:
        sys.stderr.write(f"minidl reproduce: {len(study.results)} of {distinct} cells are done\n")
        raise KeyboardInterrupt
    return 0
