"""Processes that run cells: one that dies loses the cell that it had in work, and nothing else."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from minidl.validation import integer

__all__ = ["Processes"]

GUARD = 'a script that starts processes must guard its own start by if __name__ == "__main__":'
TRIES = 3  # how often a call is made that ends its process each time


class Processes(Executor):
    """An executor of `workers` processes, each of them a pool of its own.

    `concurrent.futures.ProcessPoolExecutor` gives up all calls, those of other processes too, when one process dies.
    Here another process takes its place and makes the call again; one that ends its process three times is refused
    with `BrokenProcessPool`.

    Processes are started anew (spawn), never forked: a fork inherits locks of threads that it hasn't. So what is called
    and its arguments must be such that `pickle` takes them, and a script guards its own start by
    `if __name__ == "__main__":`.

    >>> with Processes(2) as executor:
    ...     list(executor.map(abs, [-1, 2]))
    [1, 2]
    """

    def __init__(self, workers: int) -> None:
        self.workers = integer("Processes", "workers", workers, 1)
        if getattr(
            multiprocessing.current_process(), "_inheriting", False
        ):  # as a process starts, it imports the script
            raise RuntimeError(f"Processes: {GUARD}. Received: a start of processes as the script was imported")
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="minidl-process")
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._all = [_Process() for _ in range(self.workers)]
        for process in self._all:
            self._idle.put(process)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Let a process call `fn`, and return the future of what it returns."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def _call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        process = self._idle.get()
        try:
            for _ in range(TRIES - 1):
                with contextlib.suppress(BrokenProcessPool):
                    return process.call(fn, args, kwargs)
            return process.call(fn, args, kwargs)
        finally:
            self._idle.put(process)

    def __exit__(self, kind: Any, *error: object) -> None:
        self.shutdown(cancel_futures=kind is not None)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let no more be submitted; with `cancel_futures`, end what is in work too."""
        if cancel_futures:
            for process in self._all:
                process.end()
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for process in self._all:
            process.shutdown(wait)


class _Process:
    """One process, and after its death another."""

    def __init__(self) -> None:
        self.pool: ProcessPoolExecutor | None = None
        self.number = 0
        self.ended = False

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.ended:
            raise CancelledError
        if self.pool is None:
            context = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=_prepare)
        try:
            self.number = self.pool.submit(os.getpid).result()
        except BrokenProcessPool as error:
            self.shutdown(wait=False)
            raise RuntimeError(f"Processes: a process must start. Received: one that ended at once; {GUARD}") from error
        if self.ended:
            raise CancelledError
        try:
            return self.pool.submit(fn, *args, **kwargs).result()
        except BrokenProcessPool:
            self.shutdown(wait=False)
            raise

    def end(self) -> None:
        self.ended = True
        if self.number:
            with contextlib.suppress(OSError):  # it has ended by itself
                os.kill(self.number, signal.SIGTERM)

    def shutdown(self, wait: bool) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=wait, cancel_futures=True)
            self.pool, self.number = None, 0


def _prepare() -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
