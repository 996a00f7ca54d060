"""When a fit writes checkpoints, where, and which of them stay."""

from __future__ import annotations

import os
from typing import Any

from minidl.callbacks.monitors import Monitor
from minidl.config import Ranged
from minidl.saving.files import SUFFIX, checked_path
from minidl.validation import describe

__all__ = ["Best", "CheckpointPolicy"]


class CheckpointPolicy(Ranged):
    """When a fit writes checkpoints, where, and which stay: `fit(..., checkpoint=CheckpointPolicy("run"))`.

    A folder belongs to one fit. `checkpoint-000001200.safetensors` is from after the optimizer's step 1200;
    `best.safetensors` from the end of the best epoch. One is written before the first step, and one where the fit ends
    or is interrupted; the next ones as told here, whichever comes first. Each can be opened by `minidl.load_model`
    too, and by anything that reads safetensors.

    Args:
        folder: Is made if it is missing.
        every_epochs: After how many epochs, or None.
        every_steps: After how many steps of the fit, or None.
        every_seconds: After how many seconds, at the end of the step in work, or None.
        keep: How many of the last ones stay, at least 1.
        monitor: The column whose best epoch is kept; by default "val_loss" if there is validation, else "loss".
        mode: "min", "max", or "auto": known for the loss and for metrics.

    >>> CheckpointPolicy("run", every_epochs=None, every_steps=500).keep
    2
    """

    ranges = {
        "every_epochs": "int [1, inf) | None",
        "every_steps": "int [1, inf) | None",
        "every_seconds": "(0, inf) | None",
        "keep": "int [1, inf)",
        "mode": "'auto' | 'min' | 'max'",
    }

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        every_epochs: int | None = 1,
        every_steps: int | None = None,
        every_seconds: float | None = 300.0,
        keep: int = 2,
        monitor: str | None = None,
        mode: str = "auto",
    ) -> None:
        name = "CheckpointPolicy"
        self.folder = checked_path(name, folder, "folder")
        if self.folder.suffix == SUFFIX or (self.folder.exists() and not self.folder.is_dir()):
            raise ValueError(f"{name}: folder must be one, for several files. Received: folder={describe(folder)}")
        self.every_epochs = every_epochs
        self.every_steps = every_steps
        self.every_seconds = every_seconds
        self.keep = keep
        Best("loss" if monitor is None else monitor, mode)
        self.monitor = monitor
        self.mode = mode

    @classmethod
    def given(cls, checkpoint: Any) -> CheckpointPolicy:
        """Return what `fit` was given as its `checkpoint`: a policy, or a folder for the usual one."""
        if isinstance(checkpoint, cls):
            return checkpoint
        if isinstance(checkpoint, (str, os.PathLike)):
            return cls(checkpoint)
        raise TypeError(
            f"fit: checkpoint must be a folder or a CheckpointPolicy. Received: checkpoint={describe(checkpoint)}"
        )


class Best(Monitor):
    """Which epoch is the best so far."""

    @property
    def _called(self) -> str:
        return "CheckpointPolicy"

    def __init__(self, monitor: str, mode: str) -> None:
        super().__init__(monitor, 0.0, 0, mode)
