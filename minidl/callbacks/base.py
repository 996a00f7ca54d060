"""What a callback is, and how a fit calls several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from minidl.config import Ranged
from minidl.validation import describe, nearest

if TYPE_CHECKING:
    from minidl.training import Trainer

__all__ = ["Callback", "Lambda", "Listeners"]

Logs = dict[str, float]


class Callback(Ranged):
    """The base of all callbacks; a subclass overrides the hooks that it needs.

    `logs` of an epoch hold "loss", each metric, "val_loss" and so on, and "learning_rate". `logs` of a batch hold
    the means of "loss" and each metric since the epoch began, and "batch_loss", that of this step alone. To end
    training after the epoch, set `self.model.stop_training = True`.

    Attributes:
        trainer: The Trainer that calls.
        model: Its model.
        writes: Whether it writes files (False); of processes that train together the first one alone calls it then.
    """

    trainer: Trainer
    writes = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            if name.startswith("on_") and name not in _hooks():
                raise TypeError(f"{cls.__name__}: no such hook. Received: {name}. {nearest(name, _hooks())}")

    @property
    def model(self) -> Any:
        """The trainer's model."""
        return self.trainer.model

    def on_train_begin(self) -> None:
        """Be called before the first epoch of a fit."""

    def on_train_end(self) -> None:
        """Be called after the last epoch of a fit, also when an error ends it."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Be called before an epoch; `epoch` counts from 0, over all fits of the trainer."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Be called after an epoch and its validation."""

    def on_train_batch_begin(self, batch: int) -> None:
        """Be called before a step; `batch` counts from 0 in each epoch."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Be called after a step."""

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what the callback must remember to continue later; checkpoints ask for it.

        It is made of dicts, lists, tuples, texts, numbers, flags, None and arrays.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; a resumed fit calls it before `on_train_begin`."""


def _hooks() -> list[str]:
    """Return the names of the hooks that a callback has."""
    return [name for name in vars(Callback) if name.startswith("on_")]


class Lambda(Callback):
    """Calls functions at the hooks: `Lambda(on_epoch_end=lambda epoch, logs: print(logs["loss"]))`.

    Args:
        hooks: Functions by the names of `Callback`'s hooks.

    Raises:
        ValueError: If there is no such hook.
    """

    def __init__(self, **hooks: Callable[..., object]) -> None:
        for name, function in hooks.items():
            if name not in _hooks():
                raise ValueError(f"Lambda: no such hook. Received: {name}. {nearest(name, _hooks())}")
            if not callable(function):
                raise TypeError(f"Lambda: {name} must be a function. Received: {name}={describe(function)}")
            setattr(self, name, function)

    def __deepcopy__(self, memo: object) -> Lambda:
        """Return another one that calls the same functions, not copies of what they are bound to."""
        return type(self)(**{name: function for name, function in vars(self).items() if name in _hooks()})


class Listeners:
    """Callbacks, called one after the other."""

    def __init__(self, trainer: Trainer, callbacks: Sequence[Callback]) -> None:
        if isinstance(callbacks, (Callback, str)) or not isinstance(callbacks, Iterable):
            raise TypeError(f"fit: callbacks must be a list. Received: {describe(callbacks)}")
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"fit: a callback must be an instance of Callback. Received: {describe(callback)}")
        self.trainer = trainer
        self.told = [callback for callback in self.callbacks if trainer.ranks.rank == 0 or not callback.writes]
        self.hear_begins, self.hear_ends = self._hear("on_train_batch_begin"), self._hear("on_train_batch_end")
        self.begun: list[Callback] = []

    def _hear(self, name: str) -> bool:
        """Tell whether any callback has something to do at the hook of that name."""
        return any(getattr(type(c), name) is not getattr(Callback, name) or name in vars(c) for c in self.told)

    def on_train_begin(self) -> None:
        """Let each begin; one that refuses leaves those that haven't begun to whom they belonged."""
        before = [{k: v for k, v in vars(callback).items() if k == "trainer"} for callback in self.told]
        for callback in self.told:
            callback.trainer = self.trainer
        for callback in self.told:
            try:
                callback.on_train_begin()
            except Exception:  # refused: those that haven't begun belong to whom they did
                for other, theirs in list(zip(self.told, before, strict=True))[len(self.begun) :]:
                    del other.trainer
                    vars(other).update(theirs)
                raise
            self.begun.append(callback)

    def on_train_end(self) -> None:
        """End those that have begun."""
        with ExitStack() as stack:  # one that raises keeps no other from ending
            for callback in reversed(self.begun):
                stack.callback(callback.on_train_end)

    def on_epoch_begin(self, epoch: int) -> None:
        """Tell all."""
        for callback in self.told:
            callback.on_epoch_begin(epoch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Tell all."""
        for callback in self.told:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int) -> None:
        """Tell all."""
        for callback in self.told:
            callback.on_train_batch_begin(batch)

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Tell all."""
        for callback in self.told:
            callback.on_train_batch_end(batch, logs)
