"""A callback that saves the model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from minidl.callbacks.monitors import Monitor
from minidl.validation import describe, integer, number

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ModelCheckpoint"]

Logs = dict[str, float]


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, after epochs or steps.

    To go on training later, exactly, give `fit` a `checkpoint` instead: it holds all that the fit knows.

    Args:
        path: The file, which may have "{epoch}", counted from 1, and columns of the logs in it, with a format:
            "model-{epoch:03d}-{val_loss:.2f}.safetensors". Its folder is made if it is missing.
        monitor: A column of the logs, for `save_best_only`.
        save_best_only: Whether only to save when that column is better than ever before.
        save_weights_only: Whether to save the weights alone, as `model.save_weights` does, not the whole model.
        mode: "min", "max", or "auto": known for the loss and for metrics.
        every: After how many steps in a row it saves; None (default) is after each epoch.
        initial_value_threshold: What the first value must be better than, or None.

    Differs from: Keras calls the path filepath, and `every` save_freq, "epoch" or a number of batches.

    Attributes:
        best: The best value so far.
        saved: The file that was written last, or None.

    Raises:
        ValueError: If the name has something in it that isn't known when it is to be saved.
        OSError: If the file can't be written; what was there is untouched.
    """

    writes = True
    ranges = {"save_best_only": "bool", "save_weights_only": "bool", "every": "int [1, inf) | None"}

    def __init__(
        self,
        path: str | Path,
        monitor: str = "val_loss",
        *,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        every: int | None = None,
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, 0.0, 0, mode)
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"ModelCheckpoint: path must be a path. Received: path={describe(path)}")
        self.path = os.fspath(path)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.every = every
        if initial_value_threshold is not None:
            self.best = number("ModelCheckpoint", "initial_value_threshold", initial_value_threshold)
        self.steps = 0
        self.saved: Path | None = None
        self._epoch = 0
        if every is not None:  # otherwise nobody needs to call after steps
            vars(self)["on_train_batch_end"] = self._after_step

    def on_train_begin(self) -> None:
        """See that the name can be made, and what is watched is there."""
        columns = self.trainer.columns
        if self.every is not None:
            columns = ["loss", *(metric.name for metric in self.trainer.metrics), "batch_loss"]
        logs = dict.fromkeys(columns, 0.0)
        if self.save_best_only:
            self.value(logs)
            super().on_train_begin()
        self._path(0, logs)

    def on_epoch_begin(self, epoch: int) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save, if it's time."""
        if self.every is None:
            self._save(epoch, logs)

    def _after_step(self, batch: int, logs: Logs) -> None:
        self.steps += 1
        if self.steps % int(self.every or 1) == 0:
            self._save(self._epoch, logs)

    def _save(self, epoch: int, logs: Logs) -> None:
        best = self.best
        if self.save_best_only:
            best = self.value(logs)
            if not self.better(best):
                return
        from minidl.saving.models import write_model

        path = self._path(epoch, logs)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            write_model(self.model, path, self.trainer)
        self.best = best
        self.saved = path

    def _path(self, epoch: int, logs: Logs) -> Path:
        from pathlib import Path

        try:
            return Path(self.path.format(epoch=epoch + 1, **logs))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"ModelCheckpoint: path can have {{epoch}} and {', '.join(logs)} in it. Received: path={self.path!r}"
            ) from error

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far and the counts."""
        return {**super().state_dict(), "steps": self.steps, "epoch": self._epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        own = {name: integer("ModelCheckpoint", name, state.get(name)) for name in ("steps", "epoch")}
        super().load_state_dict(state)
        self.steps, self._epoch = own["steps"], own["epoch"]
