"""What the terminal shows while a model trains."""

import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Progress", "new_bar"]

Logs = dict[str, float]

# How long a line or a drawing stands alone at least, in seconds: on a terminal, and in a file.
PAUSES = {True: (0.1, 0.1), False: (10.0, 10.0)}
FORMAT = "{desc}{percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


def new_bar(**options: Any) -> Any:
    """Return a new bar of tqdm's, of the kind that suits a terminal or a notebook."""
    from tqdm.auto import tqdm

    if sys.platform == "emscripten":  # a browser has no thread for the monitor of bars
        tqdm.monitor_interval = 0
    return tqdm(**options)


class Progress:
    """Shows a fit: `verbose` 0 shows nothing, 1 a bar and a line an epoch, 2 the lines alone.

    The bar and its lines go to standard error, and are throttled: it asks for the numbers only when it draws, and a
    line follows another after a tenth of a second at the earliest (ten seconds where the output is no terminal). The
    last epoch's line is always shown. With 2 there is a line for every epoch, on standard output.
    """

    def __init__(self, verbose: int, epochs: int, current: Callable[[], Logs]) -> None:
        self.verbose = verbose
        self.epochs = epochs
        self.current = current
        self.epoch = 0
        self.line = ""
        self.bar: Any = None
        self.done = 0  # batches that the bar doesn't know of yet

    def begin(self, batches: int, epochs_done: int = 0, batches_done: int = 0) -> None:
        """Show that it begins, with so many `batches` an epoch (0 if nobody knows), or goes on behind what is done."""
        if self.verbose == 1:
            self.redraw, self.pause = PAUSES[sys.stderr.isatty()]
            self.drawn = self.printed = time.monotonic() - self.pause
            self.bar = new_bar(
                total=self.epochs * batches or None,
                initial=epochs_done * batches + batches_done,
                unit="batch",
                mininterval=self.redraw,
                dynamic_ncols=True,
                leave=False,
                bar_format=FORMAT if batches else None,
            )

    def start_epoch(self, epoch: int) -> None:
        """Show that an epoch begins; `epoch` counts from 1."""
        self.epoch = epoch
        if self.bar is not None:
            self.bar.set_description(f"Epoch {epoch}/{self.epochs}", refresh=False)

    def advance(self, batches: int) -> None:
        """Show that `batches` are done."""
        if self.bar is not None:
            self.done += batches
            now = time.monotonic()
            if now - self.drawn >= self.redraw:
                self.drawn = now
                self.bar.set_postfix_str(_line(self.current()), refresh=False)
                self._update()

    def _update(self) -> None:
        self.bar.update(self.done)
        self.done = 0

    def end_epoch(self, logs: Logs) -> None:
        """Show an epoch's result."""
        if self.bar is not None:
            self._update()
        self.line = f"Epoch {self.epoch}/{self.epochs}: {_line(logs)}"
        if self.verbose == 2 or (self.bar is not None and time.monotonic() - self.printed >= self.pause):
            self._print()

    def say(self, text: str) -> None:
        """Show a line, if anything is shown."""
        if self.verbose:
            if self.line:
                self._print()
            self.line = text
            self._print()

    def close(self) -> None:
        """Leave what was shown, and the last epoch's line."""
        if self.bar is not None:
            if self.line:
                self._print()
            self.bar.close()

    def _print(self) -> None:
        if self.bar is None:
            sys.stdout.write(self.line + "\n")
            sys.stdout.flush()
        else:
            self.bar.write(self.line, file=sys.stderr)
            self.printed = time.monotonic()
        self.line = ""


def _line(logs: Logs) -> str:
    return ", ".join(f"{name}={value:.4g}" for name, value in logs.items())
