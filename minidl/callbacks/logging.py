"""Callbacks that tell others what happens: files, TensorBoard, whatever takes numbers."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import IO, TYPE_CHECKING, Any, Protocol

from minidl.callbacks.base import Callback
from minidl.validation import checked_state, describe, integer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CSVLogger", "JSONLogger", "Log", "Logger", "TensorBoard"]

Logs = dict[str, float]


class _AfterSteps(Callback):
    """Has something to do after each of `every` steps, and, without such a number, nothing that anybody need call."""

    ranges = {"every": "int [1, inf) | None"}

    def _listen(self, every: int | None) -> None:
        self.every = every
        if every is not None:
            vars(self)["on_train_batch_end"] = self._after_step

    def _after_step(self, batch: int, logs: Logs) -> None:
        step = self.trainer.optimizer.iterations
        if step % int(self.every or 1) == 0:
            self.log_step(step, logs)

    def log_step(self, step: int, logs: Logs) -> None:
        """Tell of a step."""
        raise NotImplementedError


class _Lines(Callback):
    """Writes lines to a file, each of which is on disk at once.

    A resumed fit goes on behind the last line that its checkpoint knows; what was written later comes again. What is in
    the file stays until the first line is written.
    """

    writes = True
    ranges = {"append": "bool"}

    def __init__(self, path: str | Path, append: bool) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"{self._called}: path must be a path. Received: path={describe(path)}")
        from pathlib import Path

        self.path = Path(path)
        self.append = append
        self._file: IO[str] | None = None
        self._begun = False  # whether there is a line of this fit's, or of one that it goes on from
        self._size: int | None = None  # at which a resumed fit goes on

    def on_train_begin(self) -> None:
        """Open the file.

        Raises:
            OSError: If it can't be; its folder must exist.
        """
        self._begun = bool((self.append or self._size) and self._there())
        self._file = self.path.open("a", newline="", encoding="utf-8")

    def write(self, text: str) -> None:
        """Write a line, or some."""
        assert self._file is not None
        if self._size is not None:
            self._file.truncate(self._size)  # not before there is something to write
            self._size = None
        if not self._begun:
            self._file.truncate(0)
            self._begun = self.append = True  # a second fit goes on where this one ends
        self._file.write(text)
        self._file.flush()

    def on_train_end(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def state_dict(self) -> dict[str, Any]:
        """Return how long the file is; None if it is to be begun."""
        begun = self._file is not None and self._begun
        return {"size": (self._there() if self._size is None else self._size) if begun else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        owner = type(self).__name__
        size = checked_state(owner, state, self.state_dict())["size"]
        if size is not None and integer(owner, "size", size) > self._there():
            raise ValueError(
                f"{owner}: {self.path} must be as the fit left it, {size} bytes. Received: {self._there()} bytes"
            )
        self._size = size

    def _there(self) -> int:
        """Return how many bytes the file has."""
        return self.path.stat().st_size if self.path.exists() else 0


class CSVLogger(_Lines):
    """Writes a line an epoch to a CSV file: its number and its logs; each line is on disk at once.

    Args:
        path: The file. Its folder must exist.
        append: Whether to go on in a file that is there, under its header, instead of starting anew.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        super().__init__(path, append)
        self._columns: list[str] | None = None

    def on_train_begin(self) -> None:
        """Open the file.

        Raises:
            ValueError: If its columns are others than those of this fit.
        """
        import csv

        self._columns = None
        if (self.append or self._size) and self._there():
            with self.path.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file))
            self._check(["epoch", *self.trainer.columns])
        super().on_train_begin()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write the line.

        Raises:
            ValueError: If the columns aren't those of the header.
        """
        row = {"epoch": epoch, **logs}
        header = ""
        if self._columns is None:
            self._columns = list(row)
            header = _csv(self._columns)
        self._check(row)
        self.write(header + _csv([row[name] for name in self._columns]))

    def _check(self, columns: Collection[str]) -> None:
        if set(columns) != set(self._columns or ()):
            raise ValueError(f"CSVLogger: {self.path} has the columns {self._columns}. Received: {list(columns)}")


def _csv(values: list[Any]) -> str:
    import csv
    import io

    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue()


class JSONLogger(_Lines, _AfterSteps):
    """Writes a JSON object a line (JSONL): after each epoch its number, the steps so far and its logs.

    On request there are lines of steps too, with "step", "epoch" and the step's logs. JSON has no word for numbers that
    aren't finite: they are written as "nan", "inf" and "-inf".

    Args:
        path: The file. Its folder must exist.
        append: Whether to go on in a file that is there, instead of starting anew.
        every: After how many steps in a row one is written too; None (default) is epochs alone.
    """

    def __init__(self, path: str | Path, *, append: bool = False, every: int | None = None) -> None:
        super().__init__(path, append)
        self._listen(every)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._line({"epoch": epoch, "step": self.trainer.optimizer.iterations, **logs})

    def log_step(self, step: int, logs: Logs) -> None:
        self._line({"step": step, "epoch": self.trainer.epoch, **logs})

    def _line(self, row: dict[str, Any]) -> None:
        import json

        from minidl.history import json_number

        plain = {name: json_number(value) for name, value in row.items()}
        self.write(json.dumps(plain, allow_nan=False) + "\n")


class Log(Protocol):
    """What a `Logger` calls: numbers by their names, and a step."""

    def __call__(self, metrics: dict[str, float], *, step: int) -> object:
        """Take them."""


class Logger(_AfterSteps):
    """Hands each epoch's logs to a function that takes numbers by name and a step: `Logger(run.log)`.

    Weights & Biases' `run.log`, MLflow's `mlflow.log_metrics` and Comet's `experiment.log_metrics` are such functions,
    and so is any of one's own with these two arguments.

    Args:
        log: Called as log(metrics, step=...): after an epoch with all its logs, after steps with those of the step.
            The step is the number of steps so far.
        every: After how many steps in a row it is called too; None (default) is epochs alone.

    >>> told = []
    >>> trainer = Trainer(Sequential([layers.Input((2,)), layers.Dense(1)], seed=0), "sgd", "mse")
    >>> history = trainer.fit(np.eye(2), np.eye(2)[:, :1], verbose=0, callbacks=[
    ...     callbacks.Logger(lambda metrics, *, step: told.append((step, sorted(metrics))))])
    >>> told
    [(1, ['epoch', 'learning_rate', 'loss'])]
    """

    writes = True

    def __init__(self, log: Log, *, every: int | None = None) -> None:
        if not callable(log):
            raise TypeError(
                f"Logger: log must be a function (metrics, *, step), such as run.log. Received: log={describe(log)}"
            )
        self.log = log
        self._listen(every)

    def __deepcopy__(self, memo: object) -> Logger:
        """Return another one that calls the same function, not a copy of what it is bound to."""
        return type(self)(self.log, every=self.every)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.log({"epoch": epoch, **logs}, step=self.trainer.optimizer.iterations)

    def log_step(self, step: int, logs: Logs) -> None:
        self.log({"epoch": self.trainer.epoch, **logs}, step=step)


class TensorBoard(_AfterSteps):
    """Writes event files for TensorBoard (extra `tensorboard`): `tensorboard --logdir logs` shows them.

    As Keras does, it has one run for training and one for validation, so that both are curves of one picture: the
    folders `train` and `validation`, tags "epoch_loss", "epoch_accuracy" and so on, by epochs from 0; on request
    "batch_loss", by steps.

    A resumed fit has TensorBoard forget what the fit wrote behind the checkpoint.

    Args:
        folder: Is made if it is missing.
        every: After how many steps in a row one is written too; None (default) is epochs alone.
        histograms: Whether each parameter's values are written after each epoch, as a histogram by its path.

    Raises:
        ImportError: If tensorboardX isn't installed.
    """

    writes = True
    ranges = {"histograms": "bool"}

    def __init__(self, folder: str | Path = "logs", *, every: int | None = None, histograms: bool = False) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"TensorBoard: folder must be a path. Received: folder={describe(folder)}")
        self.folder = os.fspath(folder)
        self.histograms = histograms
        self._writers: dict[str, Any] = {}
        self._resumed: int | None = None  # the epoch to go on with
        self._listen(every)

    def on_train_begin(self) -> None:
        """See that events can be written."""
        try:
            import tensorboardX  # noqa: F401
        except ImportError as error:
            hint = "pip install 'minidl[tensorboard]'"
            raise ImportError(f"TensorBoard: needs the extra `tensorboard`: {hint}") from error

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            run = "validation" if name.startswith("val_") else "train"
            self._writer(run).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histograms:
            for parameter in self.model.parameters:
                self._writer("train").add_histogram(parameter.name, parameter.data, epoch)
        for writer in self._writers.values():
            writer.flush()

    def log_step(self, step: int, logs: Logs) -> None:
        self._writer("train").add_scalar("batch_loss", logs["batch_loss"], step)

    def _writer(self, run: str) -> Any:
        """Return what writes a run's events."""
        if run not in self._writers:
            import uuid
            from pathlib import Path

            from tensorboardX import SummaryWriter

            own = f".{uuid.uuid4().hex}"  # its own names tell seconds: a fit begun in the same one would be overwritten
            folder = str(Path(self.folder) / run)
            self._writers[run] = SummaryWriter(folder, purge_step=self._resumed, filename_suffix=own)
        return self._writers[run]

    def on_train_end(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers, self._resumed = {}, None

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch that comes next."""
        return {"epoch": self.trainer.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._resumed = integer("TensorBoard", "epoch", state.get("epoch"))
