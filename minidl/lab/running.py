"""How a cell is run: wherever it is, with one thread of BLAS, so that its bits are the same."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidl.callbacks import Callback
from minidl.compute.blas import blas_threads
from minidl.history import History
from minidl.lab.cell import Cell
from minidl.lab.results import Result
from minidl.saving.setup import environment

__all__ = ["one_thread", "run"]

LARGE = 500  # samples a batch of an evaluation


def run(cells: Sequence[Cell], keep_weights: bool = False, told: Callable[[int], object] | None = None) -> list[Result]:
    """Train the longest of `cells`, which differ in their number of epochs alone, and tell how each went.

    What a shorter one comes to is what the longer one is at that epoch, bit for bit: the order of an epoch's samples
    is a function of the seed and the epoch, and nothing else knows when training will end.

    Args:
        cells: Of one `run_key`.
        keep_weights: Whether the results hold what was learned.
        told: Called with the epoch, from 0, after each.

    Raises:
        KeyboardInterrupt: If Ctrl-C or SIGTERM ended it.
    """
    longest = max(cells, key=lambda cell: cell.epochs)
    with one_thread():
        trainer = longest.new_trainer()
        watch = _Watch(cells, keep_weights, told)
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                history = trainer.fit(
                    longest.data.x,
                    longest.data.y,
                    batch_size=longest.batch_size,
                    epochs=longest.epochs,
                    validation_data=_cut(longest.data.x_test, longest.data.y_test),
                    callbacks=[watch],
                    verbose=0,
                )
            except FloatingPointError:
                watch.diverge(trainer.epoch + 1)
            else:
                if history.interrupted:  # a run that isn't whole is none
                    raise KeyboardInterrupt
    return [watch.results[cell.epochs] for cell in cells]


class _Watch(Callback):
    """Takes down how the cells went, each at its last epoch."""

    def __init__(self, cells: Sequence[Cell], keep_weights: bool, told: Callable[[int], object] | None) -> None:
        super().__init__()
        self.cells, self.keep_weights, self.told = cells, keep_weights, told
        self.environment = environment()
        self.results: dict[int, Result] = {}
        self.begun, self.cpu_begun = time.perf_counter(), time.thread_time()
        self.aside = self.cpu_aside = 0.0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.told is not None:
            self.told(epoch)
        for cell in self.cells:
            if cell.epochs == epoch + 1:
                self._take_down(cell)

    def diverge(self, epoch: int) -> None:
        """Let all that haven't ended be diverged in `epoch`, from 1."""
        for cell in self.cells:
            if cell.epochs not in self.results:
                self._write(cell, {}, epoch)

    def _take_down(self, cell: Cell) -> None:
        start, cpu_start = time.perf_counter(), time.thread_time()
        data = cell.data
        found = {}
        for part, x, y in (("train", data.x, data.y), ("test", data.x_test, data.y_test)):
            values = self.trainer.evaluate(x, y, batch_size=LARGE)
            found.update({f"{part}_{name}": value for name, value in values.items()})
        whole = all(map(math.isfinite, found.values()))
        self._write(cell, found if whole else {}, None if whole else cell.epochs)
        self.aside += time.perf_counter() - start
        self.cpu_aside += time.thread_time() - cpu_start

    def _write(self, cell: Cell, values: dict[str, float], diverged: int | None) -> None:
        told = self.trainer.history.state_dict()
        columns = {name: column[: cell.epochs] for name, column in told["history"].items()}
        self.results[cell.epochs] = Result(
            values={name: float(value) for name, value in values.items()},
            diverged=diverged,
            seconds=time.perf_counter() - self.begun - self.aside,
            cpu_seconds=time.thread_time() - self.cpu_begun - self.cpu_aside,
            history=History.from_state_dict({**told, "epoch": told["epoch"][: cell.epochs], "history": columns}),
            environment=self.environment,
            weights=self.model.state_dict() if self.keep_weights and diverged is None else None,
        )


def _cut(x: Any, y: Any) -> list[tuple[Any, Any]]:
    return [(x[start : start + LARGE], y[start : start + LARGE]) for start in range(0, len(x), LARGE)]


_LOCK = threading.Lock()
_inside: list[Any] = []


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS have one thread while anybody is inside: the number of threads changes the bits of a product.

    Raises:
        RuntimeError: If another thread of this process has set another number, which threadpoolctl doesn't let go.
    """
    from threadpoolctl import threadpool_limits

    with _LOCK:
        _inside.append(None if _inside else threadpool_limits(1, user_api="blas"))
    try:
        if (blas_threads() or 1) > 1:
            raise RuntimeError(
                f"lab: BLAS must have one thread. Received: {blas_threads()}, set by another thread with threadpoolctl"
            )
        yield
    finally:
        with _LOCK:
            limits = _inside.pop(0 if len(_inside) == 1 else 1)
            if limits is not None:
                limits.restore_original_limits()
