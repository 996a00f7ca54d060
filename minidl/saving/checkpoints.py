"""The folder of a fit's checkpoints."""

from __future__ import annotations

import contextlib
import errno
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.saving.container import DamagedError, FileError
from minidl.saving.document import pack_document, unpack_document
from minidl.saving.files import PART, SUFFIX, place
from minidl.saving.policy import Best, CheckpointPolicy
from minidl.saving.resuming import Fitting, Parts, ResumeWarning
from minidl.saving.setup import environment, training_setup
from minidl.training.keeping import Keeper
from minidl.validation import integer, warn

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from minidl.callbacks import Callback
    from minidl.training import Trainer
    from minidl.training.position import Position

__all__ = ["FolderKeeper", "keeper_of"]

#: What a process that was killed while it wrote has left; see `minidl.saving.files.place`.
LEFT = re.compile(r"\..*\.\d+-[0-9a-f]{8}" + re.escape(PART))
BEST = f"best{SUFFIX}"
NAME = re.compile(r"checkpoint-(\d{9,})" + re.escape(SUFFIX))


def keeper_of(
    policy: CheckpointPolicy, resume: bool, trainer: Trainer, position: Position, callbacks: list[Callback]
) -> FolderKeeper:
    """Return who keeps a fit: of processes that train together the first one writes, the others read what it finds."""
    kind = FolderKeeper
    if trainer.ranks.size > 1:
        kind = _Leader if trainer.ranks.rank == 0 else _Follower
    return kind(policy, resume, trainer, position, callbacks)


class FolderKeeper(Keeper):
    """Writes the checkpoints of one fit, and finds the one from which it goes on.

    Args:
        policy: When and where.
        resume: Whether to go on from what is in the folder.
        trainer: Whose fit it is.
        position: Where it stands.
        callbacks: Those that were given.
    """

    def __init__(
        self, policy: CheckpointPolicy, resume: bool, trainer: Trainer, position: Position, callbacks: list[Callback]
    ) -> None:
        self.policy, self.resume = policy, resume
        self.hint = f"; resume=True goes on from {policy.folder}"
        self.trainer, self.position, self.callbacks = trainer, position, callbacks
        self._found: tuple[Path, Parts, Parts] | None = None
        self._lock: BaseFileLock | None = None
        self._written: tuple[int, ...] | None = None  # where the fit stood then
        self._last = time.monotonic()

    def __enter__(self) -> FolderKeeper:
        """Take the folder.

        Raises:
            OSError: If another fit has it, or it can't be used.
        """
        from filelock import FileLock, Timeout

        folder = self.policy.folder
        lock = FileLock(folder / ".lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            for left in folder.iterdir():
                if LEFT.fullmatch(left.name):
                    left.unlink(missing_ok=True)
        except Timeout:
            raise BlockingIOError(
                errno.EWOULDBLOCK, f"fit: the folder {folder} must be this fit's alone. Received: another fit is on it"
            ) from None
        except (OSError, NotImplementedError) as error:
            lock.release()
            reason = getattr(error, "strerror", None) or error
            number = getattr(error, "errno", None) or errno.EIO
            raise OSError(number, f"fit: the folder {folder} can't be used. Received: {reason}") from error
        self._lock = lock
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()

    # Going on ------------------------------------------------------------------------------------------

    def find(self) -> int | None:
        """Find the last checkpoint that is whole; return the seed of its fit, None if there is none.

        Raises:
            FileExistsError: If there is one, and it isn't to be resumed.
            FileError: If none of them is whole.
        """
        folder, files = self.policy.folder, self._files()
        files += [folder / BEST] if (folder / BEST).exists() else []
        if not self.resume and files:
            raise FileExistsError(
                errno.EEXIST,
                f"fit: a folder belongs to one fit: resume=True goes on with it, another folder begins anew. "
                f"Received: {folder}, which has {files[0].name}",
            )
        damaged: list[tuple[Path, FileError]] = []
        for path in files:
            try:
                arrays, parts = unpack_document(path, "fit", ("checkpoint",))
                seed = integer("fit", "seed", parts["training"]["seed"])
            except DamagedError as error:
                damaged.append((path, error))
                continue
            except FileError:
                raise
            except (KeyError, TypeError, ValueError) as error:
                raise FileError(f"fit: {path}: it must tell of a fit. Received: {error!r}") from error
            self._found = path, arrays, parts
            for passed_over, reason in damaged:
                aside = passed_over.replace(passed_over.with_name(f"{passed_over.name}.damaged"))
                warn(f"{reason}; it is {aside.name} now, and {path.name} is used", ResumeWarning)
            return seed
        if damaged:
            raise damaged[0][1]
        return None

    def begin(self, epochs: int, told: Callable[[], dict[str, Any]]) -> None:
        """Go on from what was found, if anything was."""
        monitor = self.policy.monitor
        if monitor is None:
            monitor = "val_loss" if "val_loss" in self.trainer.columns else "loss"
        best = Best(monitor, self.policy.mode)
        best.trainer = self.trainer
        best.on_train_begin()
        setup = {**training_setup(self.trainer, told()), "best": [monitor, best.direction()], **environment()}
        self.fitting = Fitting(self.trainer, self.position, self.callbacks, best, setup)
        if self._found is not None:
            self.fitting.go_on(*self._found, epochs)
            self._found, self._written = None, self.fitting.stands_at()

    def start(self) -> None:
        """Write the first checkpoint, unless the fit goes on, or the model isn't built before its first batch."""
        if self._written is None and self.trainer.model.built:
            self._write(self._name())

    # Writing -------------------------------------------------------------------------------------------

    def due(self) -> bool:
        steps, seconds = self.policy.every_steps, self.policy.every_seconds
        by_steps = steps is not None and self.position.steps % steps == 0
        return by_steps or (seconds is not None and time.monotonic() - self._last >= seconds)

    def write(self) -> None:
        """Write a checkpoint; if that fails, training goes on, with a warning."""
        self._write_or_warn(self._name())

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Write what is due; the best epoch's first, so that nothing knows of a best that isn't there."""
        best, every, content = self.fitting.best, self.policy.every_epochs, None
        before, value = best.best, best.value(logs)
        if best.better(value):
            best.best = value
            content = self._write_or_warn(BEST)
            if content is None:
                best.best = before  # the next one that is better than that will be written
        if every is not None and (epoch + 1 - self.position.first) % every == 0:
            self._write_or_warn(self._name(), content)

    def end(self) -> None:
        """Write the last checkpoint, unless it is there.

        Raises:
            OSError: If it can't be written.
        """
        if self._written != self.fitting.stands_at():
            self._write(self._name())

    def _name(self) -> str:
        """Return what the checkpoint of where the fit stands is called."""
        return f"checkpoint-{self.trainer.optimizer.iterations:09d}{SUFFIX}"

    def _write_or_warn(self, name: str, content: bytes | None = None) -> bytes | None:
        """Write, and return what was written; warn if it can't be."""
        try:
            return self._write(name, content)
        except (OSError, TypeError, ValueError) as error:  # a disk, or a callback's state that no file can hold
            warn(f"{error}; training goes on, what was written before is untouched")
            return None

    def _write(self, name: str, content: bytes | None = None) -> bytes:
        """Write where the fit stands, and return its bytes; they may be at hand as `content`."""
        if name != BEST:
            self._last = time.monotonic()
        if content is None:
            content = pack_document("checkpoint", self.trainer.model.named_arrays(), self.fitting.parts())
        place("fit", self.policy.folder / name, content)
        if name != BEST:
            self._written = self.fitting.stands_at()
            for path in self._files()[self.policy.keep :]:
                with contextlib.suppress(OSError):  # somebody may have it open; it goes with the next one
                    path.unlink()
        return content

    def _files(self) -> list[Path]:
        """Return the checkpoints in the folder, the last one first."""
        numbered = {path: NAME.fullmatch(path.name) for path in self.policy.folder.iterdir()}
        found = {path: int(match[1]) for path, match in numbered.items() if match}
        return sorted(found, key=found.__getitem__, reverse=True)


class _Leader(FolderKeeper):
    """The keeper of rank 0, which tells the others what it finds, and whether it can."""

    def __enter__(self) -> _Leader:
        with self._telling():
            super().__enter__()
        return self

    def find(self) -> int | None:
        with self._telling():
            seed = super().find()
        self.trainer.ranks.told(None if self._found is None else self._found[0])
        return seed

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.trainer.ranks.told(error)
            raise


class _Follower(FolderKeeper):
    """The keeper of another rank: it goes on from what rank 0 has found, and writes nothing."""

    def __enter__(self) -> _Follower:
        return self

    def find(self) -> int | None:
        told = self.trainer.ranks.told(None)
        if isinstance(told, Exception):
            raise told
        if told is None:
            return None
        arrays, parts = unpack_document(told, "fit", ("checkpoint",))
        self._found = told, arrays, parts
        return integer("fit", "seed", parts["training"]["seed"])

    def start(self) -> None:
        """Leave it to rank 0."""

    def due(self) -> bool:
        return False

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        best = self.fitting.best
        value = best.value(logs)
        if best.better(value):
            best.best = value

    def end(self) -> None:
        """Leave it to rank 0."""
