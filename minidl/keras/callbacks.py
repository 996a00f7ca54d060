"""Keras's callbacks, and how ours call a script's own."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minidl import callbacks
from minidl.keras.face import defaults_of, defaults_only, missing, refuse
from minidl.validation import integer, nearest

__all__ = [
    "Adapter",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "Shown",
    "TensorBoard",
    "TerminateOnNaN",
    "adapted",
]

Logs = dict[str, float]


# Hooks of Keras's that nothing calls here.
UNCALLED = {
    "on_batch_begin", "on_batch_end",
    *(f"on_{what}_{when}" for what in ("test", "test_batch", "predict", "predict_batch") for when in ("begin", "end")),
}  # fmt: skip


class Callback:
    """The base of a script's own callbacks, with Keras's hooks.

    Attributes:
        model: The model that is trained.
        params: "epochs", "steps" and "verbose".
    """

    model: Any = None
    params: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            if name in UNCALLED:
                hint = "only fit calls callbacks, at on_train_..., on_epoch_... and on_train_batch_..."
                raise refuse(f"keras {cls.__name__}", name, vars(cls)[name], hint)
            if name.startswith("on_") and name not in _hooks():
                raise TypeError(f"keras {cls.__name__}: no such hook. Received: {name}. {nearest(name, _hooks())}")

    def set_params(self, params: dict[str, Any]) -> None:
        """Be told of the fit."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Be told of the model."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Be called before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Be called after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Be called before an epoch, counted from 0 in each fit."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Be called after an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Be called before a step."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Be called after a step; the logs are the means since the epoch began."""


def _hooks() -> list[str]:
    """Return the names of the hooks that a callback has."""
    return [name for name in vars(Callback) if name.startswith("on_")]


class History(Callback):
    """What `fit` returns: `history`, a list a column, and `epoch`, counted from 0 in each fit."""

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """Calls functions at the hooks."""

    def __init__(
        self,
        on_epoch_begin: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_train_begin: Callable[..., object] | None = None,
        on_train_end: Callable[..., object] | None = None,
        on_train_batch_begin: Callable[..., object] | None = None,
        on_train_batch_end: Callable[..., object] | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name.startswith("on_") and value is not None}
        vars(self).update(given)


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch to what `schedule(epoch, rate)`, or `schedule(epoch)`, returns."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        before = float(self.model.optimizer.learning_rate)
        try:
            rate = float(self.schedule(epoch, before))
        except TypeError:  # as Keras does
            rate = float(self.schedule(epoch))
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {rate}")  # noqa: T201  # as Keras's does

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class TerminateOnNaN(Callback):
    """Ends training at the first step whose gradients aren't finite, without an error; the step isn't made."""


class CSVLogger(Callback):
    """Writes a line an epoch: its number from 0 and its logs."""

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self._lines: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._begun = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        self._file = self.filename.open("a" if self.append else "w", newline="", encoding="utf-8")
        self._lines = csv.writer(self._file, delimiter=self.separator)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        row = {"epoch": epoch, **(logs or {})}
        if not self._begun:
            self._lines.writerow(row)
            self._begun = True
        self._lines.writerow(row.values())
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._file.close()


class _Counted(callbacks.Callback):
    """One of our callbacks, with epochs counted as there: from `initial_epoch` in each fit, also if it is resumed."""

    initial_epoch = 0
    _began = 0  # after how many epochs of the trainer
    _goes_on = False  # with a fit that is resumed

    @property
    def _zero(self) -> int:
        """The epoch of the trainer that is counted as 0."""
        return self._began - self.initial_epoch

    def on_train_begin(self) -> None:
        if not self._goes_on:
            self._began = self.trainer.epoch
        super().on_train_begin()
        self._goes_on = False

    def on_epoch_begin(self, epoch: int) -> None:
        super().on_epoch_begin(epoch - self._zero)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        super().on_epoch_end(epoch - self._zero, logs)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "began": self._began, "initial_epoch": self.initial_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        own = [integer(type(self).__name__, name, state.get(name)) for name in ("began", "initial_epoch")]
        super().load_state_dict(state)
        self._began, self.initial_epoch = own
        self._goes_on = True


class EarlyStopping(_Counted, callbacks.EarlyStopping):
    """Ends training when a column hasn't become better for `patience` epochs; each fit begins anew."""

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(
            monitor,
            min_delta=abs(min_delta),
            patience=patience,
            mode=mode,
            baseline=baseline,
            restore_best_weights=restore_best_weights,
            start_from_epoch=start_from_epoch,
        )
        self.verbose = verbose

    def on_train_begin(self) -> None:
        if not self._goes_on:
            self.best = self.best_epoch = self.best_weights = None
        super().on_train_begin()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        super().on_epoch_end(epoch, logs)
        if self.stopped_epoch is not None and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")  # noqa: T201  # as Keras's does


class ReduceLROnPlateau(_Counted, callbacks.ReduceOnPlateau):
    """Multiplies the learning rate by `factor` when a column hasn't become better for `patience` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(
            monitor,
            factor=factor,
            patience=patience,
            mode=mode,
            min_delta=min_delta,
            cooldown=cooldown,
            min_learning_rate=min_lr,
        )
        self.verbose = verbose

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        before = self.trainer.optimizer.learning_rate
        super().on_epoch_end(epoch, logs)
        after = self.trainer.optimizer.learning_rate
        if self.verbose and after != before:
            print(f"Epoch {epoch - self._zero + 1}: the learning rate is reduced to {after}")  # noqa: T201  # as Keras's does


class ModelCheckpoint(_Counted, callbacks.ModelCheckpoint):
    """Saves the model, or its weights, after epochs or steps, in minidl's own format whatever the file's name is."""

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise refuse("keras ModelCheckpoint", "save_freq", save_freq, "'epoch' and numbers of batches are")
        super().__init__(
            filepath,
            monitor,
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            mode=mode,
            every=None if isinstance(save_freq, str) else save_freq,
            initial_value_threshold=initial_value_threshold,
        )
        self.verbose = verbose

    def _save(self, epoch: int, logs: Logs) -> None:
        before, last, self.saved = self.best, self.saved, None
        super()._save(epoch, logs)
        if self.verbose:
            told = f"{self.monitor} improved from {before} to {self.best}, " if self.save_best_only else ""
            done = f"{told}saving model to {self.saved}"
            print(f"Epoch {epoch + 1}: {done if self.saved else f'{self.monitor} did not improve from {before}'}")  # noqa: T201  # as Keras's does
        self.saved = self.saved or last


class TensorBoard(_Counted, callbacks.TensorBoard):
    """Writes event files for TensorBoard, in the folders `train` and `validation`; there is no graph to be written."""

    def __init__(
        self,
        log_dir: str | Path = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        absent = {
            "write_images": write_images,
            "write_steps_per_second": write_steps_per_second,
            "profile_batch": profile_batch,
            "embeddings_freq": embeddings_freq,
            "embeddings_metadata": embeddings_metadata,
        }
        defaults_only("keras TensorBoard", defaults_of(TensorBoard), absent)
        if histogram_freq not in (0, 1):
            raise refuse("keras TensorBoard", "histogram_freq", histogram_freq, "0 and 1 are")
        every = (
            {"epoch": None, "batch": 1}.get(update_freq, update_freq) if isinstance(update_freq, str) else update_freq
        )
        super().__init__(log_dir, every=every, histograms=bool(histogram_freq))  # type: ignore[arg-type]  # which checks it

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "epoch": self.trainer.epoch - self._zero}


class Shown:
    """The logs of an epoch as Keras's callbacks see them: one dict for all, so that the next has what one adds.

    Args:
        rate: Whether the learning rate is among them.
    """

    def __init__(self, rate: bool) -> None:
        self._rate = rate
        self._of: Logs = {}
        self._made: Logs = {}

    def of(self, logs: Logs) -> Logs:
        """Return what is shown of these logs of ours."""
        if logs is not self._of:
            self._of = logs
            self._made = {name: value for name, value in logs.items() if self._rate or name != "learning_rate"}
        return self._made


class Adapter(_Counted):
    """Calls one of Keras's callbacks at the turns of our fit, with epochs counted as there."""

    def __init__(self, callback: Callback, shown: Shown) -> None:
        self.callback = callback
        self._shown = shown
        for name in ("on_train_batch_begin", "on_train_batch_end"):  # otherwise nobody needs to call
            if getattr(type(callback), name) is not getattr(Callback, name) or name in vars(callback):
                vars(self)[name] = getattr(self, f"_{name}")

    def on_train_begin(self) -> None:
        super().on_train_begin()
        self.callback.on_train_begin({})

    def on_train_end(self) -> None:
        self.callback.on_train_end({})

    def on_epoch_begin(self, epoch: int) -> None:
        self.callback.on_epoch_begin(epoch - self._zero, {})

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.callback.on_epoch_end(epoch - self._zero, self._shown.of(logs))

    def _on_train_batch_begin(self, batch: int) -> None:
        self.callback.on_train_batch_begin(batch, {})

    def _on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self.callback.on_train_batch_end(batch, {name: v for name, v in logs.items() if name != "batch_loss"})


def adapted(given: Sequence[Any], model: Any, params: dict[str, Any], first: int) -> list[callbacks.Callback]:
    """Return callbacks as our fit calls them, its epochs from `first`: ours as they are, Keras's in an `Adapter`."""
    shown = Shown(any(isinstance(one, (ReduceLROnPlateau, LearningRateScheduler)) for one in given))
    made: list[callbacks.Callback] = []
    for callback in given:
        if isinstance(callback, callbacks.Callback):
            made.append(callback)
        elif isinstance(callback, Callback):
            callback.set_params(params)
            callback.set_model(model)
            made.append(Adapter(callback, shown))
        else:
            raise refuse("keras fit", "callbacks", callback, "subclass keras.callbacks.Callback")
        if isinstance(made[-1], _Counted):
            made[-1].initial_epoch = first
    return made


__getattr__ = missing("keras.callbacks", __all__)
