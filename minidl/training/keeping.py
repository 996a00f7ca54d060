"""Who keeps a fit from being lost."""

from collections.abc import Callable
from typing import Any

__all__ = ["Keeper"]


class Keeper:
    """Keeps nothing: what a fit without checkpoints has. One that does is `minidl.saving.checkpoints.FolderKeeper`.

    A fit enters it, lets it `find` what is to be resumed, `begin` and, once all are ready, `start`; asks after each
    step whether it is `due` to `write`; tells it of each `end_epoch`, and where the fit comes to its `end`.
    """

    #: What one who has interrupted the fit may want to know.
    hint = ""

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of what was taken."""

    def find(self) -> int | None:
        """Return the seed of the fit that is to be resumed, or None."""
        return None

    def begin(self, epochs: int, told: Callable[[], dict[str, Any]]) -> None:
        """Be where the fit was, if it is to go on, to so many `epochs`; `told` tells what it was given."""

    def start(self) -> None:
        """Keep how the fit begins, if it does; all who take part are ready."""

    def due(self) -> bool:
        """Tell, after a step, whether it is time to `write`."""
        return False

    def write(self) -> None:
        """Keep where the fit stands."""

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Keep what is to be kept of an epoch that is done."""

    def end(self) -> None:
        """Keep where the fit stands, for the last time."""
