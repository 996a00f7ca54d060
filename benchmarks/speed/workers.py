"""Child processes, one for each framework, so that the threads of one don't disturb another."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from benchmarks.speed import memory
from benchmarks.speed.tasks import Side, Task

__all__ = ["FRAMEWORKS", "Worker", "WorkerError", "Workers"]

FRAMEWORKS = {
    "minidl": "benchmarks.speed.with_minidl",
    "floor": "benchmarks.speed.floor",
    "PyTorch": "benchmarks.speed.with_torch",
    "JAX": "benchmarks.speed.with_jax",
    "Keras": "benchmarks.speed.with_keras",
    "scikit-learn": "benchmarks.speed.with_sklearn",
}


GLANCE = 0.01  # seconds in which a process at rest uses next to no time
LONGEST_REST = 1.0


class WorkerError(RuntimeError):
    """What went wrong in a child process."""


class Worker:
    """A child process that does what it is asked, one thing at a time.

    Args:
        framework: Whose sides it has.
        side: The one side that takes part; all if empty.
    """

    def __init__(self, framework: str, side: str = "") -> None:
        self.framework = framework
        self.side = side
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(FRAMEWORKS[framework], theirs))
        self.process.start()
        theirs.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the child's `_Bench` returns.

        Raises:
            WorkerError: If it raises, or the process has ended.
        """
        try:
            self.connection.send((method, arguments))
            right, answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerError(f"the process has ended ({type(error).__name__})") from None
        if not right:
            raise WorkerError(answer)
        return answer

    def names(self, task: Task) -> list[str]:
        """Return the names of the sides that take part in a task."""
        return [name for name in self.ask("names", task) if self.side in ("", name)]

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Workers:
    """Workers, started together; frameworks that can't be imported are in `absent`, with the reason.

    Args:
        wanted: The frameworks, each with its side as `Worker` takes it.
    """

    def __init__(self, wanted: Iterable[tuple[str, str]]) -> None:
        self.running = [Worker(framework, side) for framework, side in wanted]
        self.absent: dict[str, str] = {}

    def __iter__(self) -> Iterator[Worker]:
        return iter(self.running)

    def __enter__(self) -> Workers:
        self.running = [worker for worker in self.running if self._starts(worker)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self.running:
            worker.close()

    def _starts(self, worker: Worker) -> bool:
        try:
            worker.ask("start")
        except WorkerError as error:
            self.absent[worker.framework] = str(error)
            worker.close()
            return False
        return True


class _Bench:
    """What a worker can be asked for."""

    def __init__(self, module: str) -> None:
        self.name = module
        self.sides: dict[str, Side] = {}
        self.task: Task
        self.before: int | None = None

    def start(self) -> None:
        """Import the framework."""
        self.module = importlib.import_module(self.name)

    def names(self, task: Task) -> list[str]:
        """Return the names of the sides that can do a task."""
        return list(self.module.sides(task))

    def make(self, task: Task, name: str) -> None:
        """Make a side ready; how much memory there was before is kept, its data counted."""
        if task.net != "vector":
            task.data()
        self.task, self.before = task, memory.resident()
        self.sides[name] = self.module.sides(task)[name]()

    def losses(self, name: str, steps: int) -> list[float]:
        """Return the losses of a side's first steps."""
        return self.sides[name].losses(steps)

    def seconds(self, name: str, epochs: int) -> float:
        """Train; return the time of a step."""
        start = time.perf_counter()
        self.sides[name].train(epochs)
        seconds = time.perf_counter() - start
        _come_to_rest()
        return seconds / (epochs * self.task.steps)

    def peak(self, name: str) -> int | None:
        """Train an epoch; return the most memory that the process took meanwhile, beyond that before `make`."""
        gc.collect()
        memory.forget_peak()
        self.sides[name].train(1)
        peak = memory.peak()
        return None if peak is None or self.before is None else peak - self.before

    def drop(self, name: str) -> None:
        """Forget a side."""
        del self.sides[name]
        gc.collect()


def _serve(module: str, connection: Connection) -> None:
    bench = _Bench(module)
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:  # the parent has closed its end, or has ended
            return
        try:
            answer = True, getattr(bench, method)(*arguments)
        except Exception as error:
            answer = False, _short(error)
        connection.send(answer)


def _come_to_rest() -> None:
    """Wait until no thread of this process spins for more work, as those of OpenBLAS do for a tenth of a second."""
    deadline = time.monotonic() + LONGEST_REST
    while time.monotonic() < deadline:
        used = time.process_time()
        time.sleep(GLANCE)
        if time.process_time() - used < GLANCE / 10:
            return


def _short(error: Exception) -> str:
    """Return an error's kind and its first line."""
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0][:200]}"
