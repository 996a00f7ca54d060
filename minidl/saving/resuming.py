"""All that a fit knows, as a state; and a trainer that is put where that fit was, wholly or not at all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from minidl import initializers
from minidl.history import History
from minidl.optimizers.state import floats
from minidl.saving.container import FileError
from minidl.saving.models import restore_model, restore_optimizer, training
from minidl.saving.settings import apply_settings, parameter_settings
from minidl.saving.setup import changes, described
from minidl.validation import integer, sample_shape, warn

if TYPE_CHECKING:
    from minidl.callbacks import Callback
    from minidl.saving.policy import Best
    from minidl.training import Trainer
    from minidl.training.position import Position

__all__ = ["Fitting", "ResumeWarning"]

Parts = dict[str, Any]

#: What must be the same where a fit stopped in the middle of an epoch, or its place couldn't be found.
FIXED = ("data samples", "data batch_size", "accumulate")


class ResumeWarning(UserWarning):
    """A resumed fit may end with other bits than one that was never stopped."""


class Fitting:
    """A fit in progress, as far as a checkpoint knows it.

    Args:
        trainer: Whose fit it is.
        position: Where it stands.
        callbacks: Those that were given.
        best: Which epoch is the best.
        setup: What was given else; see `minidl.saving.setup`.
    """

    def __init__(
        self, trainer: Trainer, position: Position, callbacks: list[Callback], best: Best, setup: Parts
    ) -> None:
        self.trainer, self.position, self.callbacks = trainer, position, callbacks
        self.best, self.setup = best, setup

    def stands_at(self) -> tuple[int, ...]:
        """Return what is another at each point of a fit."""
        return self.trainer.optimizer.epoch, self.position.steps, self.position.batches

    def parts(self) -> Parts:
        """Return all that must be known to go on from here, but for the model's arrays."""
        trainer, model = self.trainer, self.trainer.model
        self.position.stopped = bool(model.stop_training)
        return {
            "model": described(model),
            "seed": model.seed,
            "input_shape": model.input_shape,
            "settings": parameter_settings(model),
            "training": training(trainer, described),
            "applied": dict(trainer.optimizer.applied),
            "fit": self.position.state_dict(),
            "best": self.best.state_dict(),
            "history": trainer.history.state_dict(),
            "callbacks": [[type(c).__name__, count, c.state_dict()] for c, count in _counted(self.callbacks)],
            "setup": self.setup,
        }

    def go_on(self, path: Path, arrays: dict[str, NDArray[Any]], parts: Parts, epochs: int) -> None:
        """Be where the fit was that is told of in a file, or as before.

        Raises:
            RuntimeError: If the trainer has gone elsewhere, or that fit was over.
            FileError: If what is told doesn't fit.
        """
        before = self._snapshot()
        try:
            elsewhere = self._elsewhere(path, parts, epochs)
            if elsewhere is None:
                self._compare(parts)
                self._take_over(arrays, parts)
        except BaseException as error:
            self._put_back(before)
            if isinstance(error, Exception) and not isinstance(error, ResumeWarning):
                raise FileError(f"fit: {path}: it must be of a fit like this one. Received: {error}") from error
            raise
        if elsewhere is not None:
            raise RuntimeError(elsewhere)

    def _elsewhere(self, path: Path, parts: Parts, epochs: int) -> str | None:
        """Say why the trainer isn't one that could go on; None if it is."""
        now, then = self.trainer.optimizer.iterations, parts["training"]["state"]["iterations"]
        fit = parts["fit"]
        if now not in (0, then, fit["iterations"]):
            return (
                f"fit: resume goes on from a trainer that is new, or as it was then. Received: one after {now} steps; "
                f"{path} is from after {then}"
            )
        over = fit["stopped"] or parts["training"]["state"]["epoch"] >= fit["first"] + epochs
        if over and now == then != fit["iterations"]:
            return (
                f"fit: this fit is over; ask for more epochs in all, or begin another one in another folder. "
                f"Received: epochs={epochs}, of which {len(fit['history']['epoch'])} are done"
            )
        return None

    def _compare(self, parts: Parts) -> None:
        """Warn of what differs from the fit that was stopped; refuse what makes its place impossible to find."""
        was = dict(parts["setup"])
        if parts["training"]["optimizer"] == self.setup["optimizer"]:  # as it is now, if not as it was at first
            was["optimizer"] = self.setup["optimizer"]
        found = list(changes(was, self.setup))
        moved = [change for change in found if change.startswith(FIXED)]
        if moved and parts["fit"]["batches"]:
            raise ValueError(f"other batches, in the middle of an epoch: {'; '.join(moved)}")
        if found:
            warn(
                f"fit: a resumed fit is the same, bit for bit, where all is as it was. Received: {'; '.join(found)}. "
                f"(Weights, the optimizer's hyperparameters and state, seeds and counts are the checkpoint's.)",
                ResumeWarning,
            )

    def _take_over(self, arrays: dict[str, NDArray[Any]], parts: Parts) -> None:
        """Be as the fit was; the optimizer comes last, which takes all or nothing."""
        trainer, model = self.trainer, self.trainer.model
        history = History.from_state_dict(parts["history"])
        self.position.load_state_dict(parts["fit"])
        recorded = self.position.history
        if len(recorded) and set(recorded.history) != set(trainer.columns):
            raise ValueError(f"the columns {list(recorded.history)}, where this fit has {trainer.columns}")
        epochs = list(range(self.position.first, self.position.first + len(recorded)))
        if recorded.epoch != epochs or parts["training"]["state"]["epoch"] != self.position.first + len(epochs):
            raise ValueError(f"a history of the epochs {recorded.epoch}, after {self.position.first}")
        if parts["setup"]["best"] == self.setup["best"]:
            self.best.load_state_dict(parts["best"])
        if not model.built:
            with initializers.undrawn(sum(array.size for array in arrays.values())):
                model.build(sample_shape("fit", "input_shape", parts["input_shape"]))
        restore_model(model, arrays, parts["settings"])
        model.seed = integer("fit", "seed", parts["seed"])
        model.stop_training = self.position.stopped
        states = {(name, count): state for name, count, state in parts["callbacks"]}
        for callback, count in _counted(self.callbacks):
            key = type(callback).__name__, count
            if key in states:
                callback.trainer = trainer
                callback.load_state_dict(states[key])
        applied = floats("fit: what the last step applied must be", parts["applied"])
        restore_optimizer(trainer.optimizer, parts["training"]["state"], model)
        trainer.optimizer.applied = applied
        trainer.history = history

    def _snapshot(self) -> Parts:
        trainer, model = self.trainer, self.trainer.model
        changing = (self.position, self.position.means, *self.position.means.metrics, self.best, trainer.optimizer)
        return {
            "objects": [(thing, dict(vars(thing))) for thing in (*changing, *self.callbacks)],
            "arrays": model.state_dict() if model.built else None,
            "settings": parameter_settings(model),
            "model": (model.seed, model.stop_training),
        }

    def _put_back(self, before: Parts) -> None:
        model = self.trainer.model
        for thing, attributes in before["objects"]:
            vars(thing).clear()
            vars(thing).update(attributes)
        if before["arrays"] is None:
            model.unbuild()
        else:
            model.load_state_dict(before["arrays"])
            apply_settings(model, before["settings"])
        model.seed, model.stop_training = before["model"]


def _counted(callbacks: list[Callback]) -> list[tuple[Callback, int]]:
    """Return the callbacks, each with how many of its class are before it."""
    seen: Counter[str] = Counter()
    counted = []
    for callback in callbacks:
        name = type(callback).__name__
        counted.append((callback, seen[name]))
        seen[name] += 1
    return counted
