"""Ctrl-C and SIGTERM: what they mean while a model trains."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Interruption"]


class Interrupted(Exception):  # noqa: N818  # no error: it was asked for
    """A fit ends here, since somebody asked it to; it never leaves the fit."""


class Interruption:
    """While it is entered, the first Ctrl-C or SIGTERM is noted and waits; a second one does what it usually does.

    Only in the main thread, and only where Python's own handlers are in force: an application's own stay.

    Args:
        anywhere: Tells of a flag whether it is set in any of the processes that train together.
    """

    def __init__(self, anywhere: Callable[[bool], bool] = bool) -> None:
        self.pending = False
        self.anywhere = anywhere
        self._usual: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number, usual in {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}.items():
                if signal.getsignal(number) is usual:
                    self._usual[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.pending = True
        self._give_back()

    def _give_back(self) -> None:
        while self._usual:
            signal.signal(*self._usual.popitem())

    def check(self) -> None:
        """Raise Interrupted if a signal came, to any of the processes; all of them ask."""
        if self.anywhere(self.pending):
            self.pending = True
            raise Interrupted
