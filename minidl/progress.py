"""What the terminal shows while a model trains."""

import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Progress"]

Logs = dict[str, float]


class Progress:
    """Shows a fit: `verbose` 0 shows nothing, 1 a bar, 2 a line an epoch.

    The bar asks for the numbers only when it draws, a few times a second: once in ten seconds where its output
    isn't a terminal.
    """

    def __init__(self, verbose: int, epochs: int, batches: int, current: Callable[[], Logs]) -> None:
        self.verbose = verbose
        self.epochs = epochs
        self.current = current
        self.bar: Any = None
        if verbose == 1:
            from tqdm.auto import tqdm

            self.interval = 0.1 if sys.stderr.isatty() else 10.0
            total = epochs * batches or None
            self.bar = tqdm(total=total, unit="batch", mininterval=self.interval, dynamic_ncols=True)
            self.drawn = 0.0

    def start_epoch(self, epoch: int) -> None:
        """Show that an epoch begins; `epoch` counts from 1."""
        self.epoch = epoch
        if self.bar is not None:
            self.bar.set_description(f"Epoch {epoch}/{self.epochs}", refresh=False)

    def advance(self, batches: int) -> None:
        """Show that `batches` are done."""
        if self.bar is not None:
            now = time.monotonic()
            if now - self.drawn >= self.interval:
                self.drawn = now
                self.bar.set_postfix_str(_line(self.current()), refresh=False)
            self.bar.update(batches)

    def end_epoch(self, logs: Logs) -> None:
        """Show an epoch's result."""
        if self.bar is not None:
            self.bar.set_postfix_str(_line(logs), refresh=self.epoch == self.epochs)
        elif self.verbose == 2:
            sys.stdout.write(f"Epoch {self.epoch}/{self.epochs}: {_line(logs)}\n")
            sys.stdout.flush()

    def close(self) -> None:
        """Leave what was shown."""
        if self.bar is not None:
            self.bar.close()


def _line(logs: Logs) -> str:
    return ", ".join(f"{name}={value:.4g}" for name, value in logs.items())
