"""A study: cells that are run independently of each other, anywhere, each of them once."""

from __future__ import annotations

import concurrent.futures
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from pickle import PicklingError
from typing import Any

from minidl.config import Checked, checked
from minidl.history import History, json_number
from minidl.lab.cell import Cell, checked_cells
from minidl.lab.data import Data
from minidl.lab.executors import Processes
from minidl.lab.results import Result, Table
from minidl.lab.running import one_thread, run
from minidl.models import Sequential
from minidl.saving.files import place
from minidl.training.progress import new_bar
from minidl.validation import describe, flag, warn

__all__ = ["Study", "StudyError"]


class StudyError(RuntimeError):
    """Some cells of a study couldn't be run; the others have been, and are kept."""


class Study(metaclass=Checked):
    """Cells, and what came of them.

    Args:
        cells: What to run: see `Cell` and `grid`. Two of one definition are run once; so are those that differ in
            their number of epochs alone, of which the longer run goes through the shorter.
        folder: Where finished cells are kept, a file each. A study on the same folder doesn't run them again, were it
            interrupted, or had it other cells. None keeps them in memory alone.
        keep_weights: Whether what was learned is kept too.

    Attributes:
        results: What came of cells, by their keys.

    Raises:
        ValueError, TypeError: If an argument isn't as told above, or a cell can't be told whole.

    >>> from minidl.lab.tasks import TASKS; task = TASKS["moons"]
    >>> cells = minidl.lab.grid(model=task.net, optimizer=["sgd", "adam"], data=task.data, epochs=1, seed=range(3))
    >>> study = Study(cells)
    >>> table = study.run(progress=False)
    >>> len(table.rows), sorted({row["optimizer"] for row in table.rows})
    (6, ['adam', 'sgd'])
    """

    def __init__(self, cells: Iterable[Cell], folder: str | Path | None = None, *, keep_weights: bool = False) -> None:
        self.cells = checked_cells("Study", cells)
        if not self.cells:
            raise ValueError("Study: there must be a cell. Received: none")
        self.folder = None if folder is None else Path(folder)
        self.keep_weights = flag("Study", "keep_weights", keep_weights)
        self.results: dict[str, Result] = {}
        for key in dict.fromkeys(cell.key for cell in self.cells):
            if self.folder is not None and (found := self._read(key)) is not None:
                self.results[key] = found

    # Running ---------------------------------------------------------------------------------------------------

    @property
    def missing(self) -> list[list[Cell]]:
        """The cells that are to be run, those of one run together, the most work first."""
        runs: dict[str, dict[str, Cell]] = {}
        for cell in self.cells:
            if cell.key not in self.results:
                runs.setdefault(cell.run_key, {})[cell.key] = cell
        return sorted((list(cells.values()) for cells in runs.values()), key=_work, reverse=True)

    @checked
    def run(
        self,
        executor: Executor | None = None,
        *,
        workers: int | None = None,
        progress: bool = True,
    ) -> Table:
        """Run what is missing, and return the table.

        Wherever a cell runs, it does so with one thread of BLAS, so that the table is the same bit for bit, its times
        aside: in this process, in another, or on another machine of the same kind.

        Args:
            executor: Any `concurrent.futures.Executor`: `dask.distributed.Client(...).get_executor()`,
                `mpi4py.futures.MPIPoolExecutor()`, ... Its workers open the data as memory maps in the study's folder,
                which they must see. By default cells run in this process, one after the other.
            workers: Or how many processes on this machine; one that dies loses its cell alone, which is run again.
            progress: Whether to show a bar with the time that is left.

        Raises:
            StudyError: If cells raised errors, or the executor broke; the others have been run.
            KeyboardInterrupt: If Ctrl-C came. What is finished is kept.
        """
        if executor is not None and workers is not None:
            raise ValueError("Study: give an executor or workers. Received: both")
        if executor is not None and not isinstance(executor, Executor):
            raise TypeError(f"Study: executor must be a concurrent.futures.Executor. Received: {describe(executor)}")
        missing = self.missing
        with ExitStack() as stack:
            stack.enter_context(one_thread())  # an executor may be of threads of this process
            bar = stack.enter_context(_Bar(missing, len(self.cells), progress))
            if workers is not None:
                executor = stack.enter_context(Processes(workers))
            if executor is None:
                self._run_here(missing, bar)
            else:
                self._run_there(executor, missing, bar)
        return self.table()

    def _run_here(self, missing: list[list[Cell]], bar: _Bar) -> None:
        errors: list[tuple[Cell, Exception]] = []
        for cells in missing:
            try:
                self._take(cells, run(cells, self.keep_weights, told=partial(bar.epoch, cells)))
            except Exception as error:
                errors.append((cells[0], error))
            bar.done(cells)
        _raise(errors)

    def _run_there(self, executor: Executor, missing: list[list[Cell]], bar: _Bar) -> None:
        errors: list[tuple[Cell, Exception]] = []
        waiting: dict[Future[list[Result]], list[Cell]] = {}
        with self._shared_data(missing) as shared:
            try:
                for cells in missing:
                    sent = [replace(cell, data=shared[cell.data.digest]) for cell in cells]
                    waiting[executor.submit(run, sent, self.keep_weights)] = cells
                for future in concurrent.futures.as_completed(waiting):
                    cells = waiting[future]
                    try:
                        self._take(cells, future.result())
                    except Exception as error:
                        errors.append((cells[0], error))
                    bar.done(cells)
            except BaseException:
                for future in waiting:
                    future.cancel()
                raise
        _raise(errors)

    @contextmanager
    def _shared_data(self, missing: list[list[Cell]]) -> Iterator[dict[str, Data]]:
        """Give the data as memory maps, by their digests, in files that are there for so long."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="data-", dir=self.folder) as folder:
            data = {cells[0].data.digest: cells[0].data for cells in missing}
            where = Path(folder).resolve()
            yield {digest: one if one.folder is not None else one.placed(where) for digest, one in data.items()}

    # What came of it ---------------------------------------------------------------------------------------------

    def table(self) -> Table:
        """Return a row for each cell that has been run, in the order of the cells."""
        rows = []
        for cell in self.cells:
            result = self.results.get(cell.key)
            if result is not None:
                rows.append(_row(cell, result))
        return Table(_filled(rows))

    @property
    def environments(self) -> list[dict[str, Any]]:
        """The versions and machines that cells were run with, each once: more than one may mean other bits."""
        found: list[dict[str, Any]] = []
        for result in self.results.values():
            if result.environment not in found:
                found.append(dict(result.environment))
        return found

    def result(self, cell: Cell) -> Result:
        """Return what came of a cell.

        Raises:
            ValueError: If it hasn't been run.
        """
        if not isinstance(cell, Cell):
            raise TypeError(f"Study: the cell must be a lab.Cell. Received: {describe(cell)}")
        if cell.key not in self.results:
            raise ValueError(f"Study: the cell must have been run. Received: {_told(cell)}, which hasn't")
        return self.results[cell.key]

    def model(self, cell: Cell) -> Sequential:
        """Return the model that a cell has learned.

        Raises:
            ValueError: If it hasn't been run, or its weights weren't kept.
        """
        weights = self.result(cell).weights
        if weights is None:
            raise ValueError("Study: keep_weights=True keeps what is learned. Received: a cell without")
        model = cell.new_model()
        model.load_state_dict(weights)
        return model

    def _take(self, cells: Sequence[Cell], found: Sequence[Result]) -> None:
        for cell, result in zip(cells, found, strict=True):
            if self.folder is not None:
                self._write(cell, result)
            self.results[cell.key] = result  # what counts as done is on the disk, whenever Ctrl-C comes

    def _file(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / "cells" / f"{key}.json"

    def _write(self, cell: Cell, result: Result) -> None:
        told = {
            "key": cell.key,
            "values": result.values,
            "diverged": result.diverged,
            "seconds": result.seconds,
            "cpu_seconds": result.cpu_seconds,
            "environment": result.environment,
            "definition": cell.definition,
            "history": {name: [json_number(v) for v in column] for name, column in result.history.history.items()},
        }
        file = self._file(cell.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        if result.weights is not None:
            from safetensors.numpy import save

            place("Study", file.with_suffix(".safetensors"), save(dict(result.weights)))
        place("Study", file, (json.dumps(told, allow_nan=False) + "\n").encode())

    def _read(self, key: str) -> Result | None:
        """Return what came of a cell, if it has been run; a file that isn't whole counts as none, with a warning."""
        file = self._file(key)
        if not file.exists():
            return None
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            weights = None
            if self.keep_weights and told["diverged"] is None:
                from safetensors.numpy import load_file

                if not file.with_suffix(".safetensors").exists():
                    return None
                weights = load_file(file.with_suffix(".safetensors"))
            if told["key"] != key:
                raise ValueError(f"it is of another cell, {told['key']}")
            return Result(
                values={str(name): float(value) for name, value in told["values"].items()},
                diverged=told["diverged"],
                seconds=float(told["seconds"]),
                cpu_seconds=float(told["cpu_seconds"]),
                history=_history({name: [float(v) for v in column] for name, column in told["history"].items()}),
                environment=told["environment"],
                weights=weights,
            )
        except Exception as error:
            warn(f"Study: {file} isn't whole, its cell is run again ({error})")
            return None


class _Bar:
    """Shows how far a study is; it counts samples, so that the time left takes the cells' sizes into account."""

    def __init__(self, missing: list[list[Cell]], cells: int, shown: bool) -> None:
        self.runs, self.cells, self.shown = missing, cells, shown
        self.left = len({cell.key for run in missing for cell in run})
        self.shown_of_run = 0.0
        self.bar: Any = None

    def __enter__(self) -> _Bar:
        if self.shown and self.runs:
            self.bar = new_bar(
                total=sum(map(_work, self.runs)),
                bar_format="{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining} left",
                leave=False,
                disable=None,
                dynamic_ncols=True,
            )
            self._tell()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def _tell(self) -> None:
        self.bar.set_description_str(f"{self.cells - self.left} of {self.cells} cells: ")

    def epoch(self, cells: list[Cell], epoch: int) -> None:
        if self.bar is not None:
            share = _work(cells) / max(cell.epochs for cell in cells)
            self.bar.update(share)
            self.shown_of_run += share

    def done(self, cells: list[Cell]) -> None:
        self.left -= len(cells)
        if self.bar is not None:
            self.bar.update(_work(cells) - self.shown_of_run)
            self.shown_of_run = 0.0
            self._tell()


def _work(cells: list[Cell]) -> float:
    return max(cell.work for cell in cells)


def _raise(errors: list[tuple[Cell, Exception]]) -> None:
    if errors:
        cell, first = errors[0]
        raise StudyError(
            f"Study: each cell must run. Received: {len(errors)} with errors, the first of them {_told(cell)}: "
            f"{type(first).__name__}: {first}. The others are done; run it again for what is missing" + _hint(first)
        ) from first


def _hint(error: Exception) -> str:
    if isinstance(error, BrokenExecutor):
        return ". With workers= a process that dies is replaced, and loses its own cell alone"
    if isinstance(error, (PicklingError, AttributeError)) and "pickle" in str(error):
        return ". What makes models and optimizers must be of a module, so that other processes can import it"
    return ""


def _row(cell: Cell, result: Result) -> dict[str, Any]:
    return {
        **cell.settings,
        **result.values,
        "diverged": result.diverged,
        "seconds": round(result.seconds, 3),
        "cpu_seconds": round(result.cpu_seconds, 3),
        "key": cell.key,
    }


def _filled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the same columns in the same order; what a diverged run lacks is None."""
    first = max(rows, key=len, default={})
    names = list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
    return [{name: row.get(name) for name in names} for row in rows]


def _told(cell: Cell) -> str:
    return f"{cell.name}, seed {cell.seed}"


def _history(columns: dict[str, list[float]]) -> History:
    epochs = list(range(len(next(iter(columns.values()), []))))
    return History.from_state_dict({"epoch": epochs, "history": columns, "interrupted": False})
