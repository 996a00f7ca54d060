"""The Trainer: one short loop, and one step that also works alone."""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import losses, metrics, optimizers
from minidl.callbacks import Callback
from minidl.callbacks.base import Listeners
from minidl.config import Checked, checked
from minidl.history import History
from minidl.randomness import generator, seed_or_fresh
from minidl.splitting import class_labels, split_indices
from minidl.training.batches import (
    Batches,
    Order,
    Stream,
    batches,
    grouped,
)
from minidl.training.interruption import Interrupted, Interruption
from minidl.training.keeping import Keeper
from minidl.training.position import Means, Position
from minidl.training.progress import Progress
from minidl.training.ranks import ranks_of
from minidl.training.step import Stepper, built_as_before, predict, settle
from minidl.validation import choice, describe, flag, integer, number

__all__ = ["Trainer", "trainer_of"]

Array = NDArray[Any]
Logs = dict[str, float]


class Trainer(metaclass=Checked):
    """Trains a model: shuffled mini-batches, one step of the optimizer for each.

    Args:
        model: A `Sequential`, or a model like it.
        optimizer: An optimizer or its name. One that has trained another model is refused.
        loss: A loss or its name.
        metrics: Metrics or their names. Their copies do the counting.
        seed: Where the order of samples and the validation split come from; by default the model's seed.
        communicator: mpi4py's `MPI.COMM_WORLD`, or like it: its processes train the model together, each on its share
            of every batch (docs/parallel.md). None is this process alone.

    Under its cross-entropy, a model that ends in `Softmax` or `Sigmoid` is trained on the logits (see
    `minidl.losses`); metrics see probabilities all the same.

    Attributes:
        history: The record of all fits of this trainer.
        columns: The names of the columns that the last fit records.
        split: The indices (training, validation) of the last `validation_split`, or None.

    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    >>> trainer = Trainer(model, optimizers.SGD(0.1), losses.MeanSquaredError())
    >>> x = np.eye(2); y = x @ [[3.0], [4.0]]
    >>> history = trainer.fit(x, y, epochs=200, verbose=0)
    >>> trainer.evaluate(x, y)["loss"] < 1e-6
    True
    """

    def __init__(
        self,
        model: Any,
        optimizer: object,
        loss: object,
        metrics: Iterable[object] | None = (),
        *,
        seed: int | None = None,
        communicator: Any = None,
    ) -> None:
        missing = [name for name in _MODEL if not hasattr(model, name)]
        if missing:
            raise TypeError(
                f"Trainer: model must be a Sequential or like one. Received: {describe(model)}, "
                f"which has no {missing[0]}"
            )
        self.model = model
        self.optimizer = optimizers.registry.get(optimizer, "Trainer", "optimizer")
        self.loss = losses.registry.get(loss, "Trainer", "loss")
        self.metrics = _metrics(metrics)
        self.seed = model.seed if seed is None else seed_or_fresh("Trainer", seed)
        self.ranks = ranks_of(communicator)
        self.history = History()
        self.columns: list[str] = []
        self.split: tuple[Array, Array] | None = None
        self._memory: dict[tuple[Any, ...], Array] = {}  # of gathered batches
        self._step_means = Means(self.metrics)
        self._new_stepper()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_memory": {}}

    @property
    def epoch(self) -> int:
        """How many epochs were done. The optimizer counts them, so they go on after a second fit or a loaded state."""
        return self.optimizer.epoch

    # The loop ------------------------------------------------------------------------------------------

    @checked
    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        shuffle: Order = True,
        validation_data: Any = None,
        validation_split: float = 0.0,
        stratify: bool = False,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        accumulate: int = 1,
        on_nonfinite: str = "raise",
        callbacks: Sequence[Callback] = (),
        checkpoint: Any = None,
        resume: bool = False,
        verbose: int = 1,
    ) -> History:
        """Train for `epochs` epochs and return their history.

        The batch size alone makes it batch (all n samples), stochastic (1) or mini-batch (between) gradient descent.

        The first Ctrl-C or SIGTERM lets the step in work be done, has a checkpoint written if there are to be any, and
        ends the fit with `history.interrupted`; a second one ends it at once.

        Args:
            x: Samples along the first axis: an array or a `np.memmap`. Or, without `y`, an iterable of batches
                (x, y) or (x, y, sample_weight), gone through anew each epoch.
            y: The targets.
            batch_size: Samples a batch, at least 1; 32 by default. The last batch of an epoch may be shorter; it
                counts by its size.
            epochs: At least 1.
            shuffle: True (default) for an order that is a function of (seed, epoch); False for the order as given; or
                a callable `(epoch, n) -> order` that returns the samples' indices.
            validation_data: (x, y), (x, y, sample_weight) or an iterable of batches, evaluated after each epoch.
            validation_split: The fraction of the samples, in [0, 1), that is kept for validation instead: chosen at
                random by the seed. `trainer.split` keeps the indices.
            stratify: Whether each class gives its share to that part.
            sample_weight: A weight for each sample; 2 is the sample twice.
            class_weight: A weight for each class, which multiplies that of its samples.
            accumulate: How many batches make one step: k batches of b samples give the step of one of k · b (but for
                layers that look at the batch, `BatchNormalization`, or draw for it, `Dropout`).
            on_nonfinite: What becomes of a step whose gradients aren't finite, or would make numbers that aren't:
                "raise" (default) an error; or "skip" it, as if its samples weren't there: weights, slots, t, running
                statistics, loss and metrics don't know of it, and the history counts it in the column "skipped".
            callbacks: See `minidl.callbacks`.
            checkpoint: A folder, or a `CheckpointPolicy`: there all that this fit knows is written now and then, so
                that it can be resumed. See docs/saving.md.
            resume: Whether to go on from the last checkpoint there; if there is none, the fit begins. `epochs` are
                those in all, and the history is that of all.
            verbose: 0 shows nothing, 1 (default) a progress bar, 2 a line an epoch.

        Raises:
            ValueError, TypeError: If an argument isn't as told above, or the data don't fit the model or the loss.
                Arrays and lists of batches are looked at before the first step; batches of other iterables, and what
                is read from a memory map, as they come.
            FloatingPointError: If a gradient isn't finite; model and optimizer are as after the step before. With
                "skip", if that is so at every step of an epoch.
            OSError: If the first or the last checkpoint can't be written, the folder can't be used, another fit is on
                it, or it has one's checkpoints that isn't to be resumed.
            minidl.saving.FileError: If no checkpoint there is whole, or it isn't of a fit like this one.
        """
        epochs = integer("fit", "epochs", epochs, 1)
        accumulate = integer("fit", "accumulate", accumulate, 1)
        skipping = choice("fit", "on_nonfinite", on_nonfinite, ("raise", "skip")) == "skip"
        verbose = choice("fit", "verbose", verbose, (0, 1, 2))
        if not (isinstance(shuffle, bool) or callable(shuffle)):
            raise TypeError(
                f"fit: shuffle must be True, False or a callable (epoch, n) -> order. Received: shuffle={shuffle!r}"
            )
        data = batches("fit", x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=batch_size)
        listeners = Listeners(self, callbacks)
        position = Position(self.epoch, self.optimizer.iterations, Means(self.metrics))
        keeper = self._keeper(checkpoint, flag("fit", "resume", resume), position, listeners)
        progress = Progress(
            verbose if self.ranks.rank == 0 else 0, epochs, lambda: {**position.means.logs(), **self._rate()}
        )
        own = isinstance(data, Batches) and bool(shuffle) and self.ranks.size == 1
        before, begun, built = (self.columns, self.split, self.seed), self.optimizer.iterations, self.model.built
        self.model.stop_training = False
        with keeper, Interruption(self.ranks.any) as interruption:
            try:
                found = keeper.find()
                self.seed = self.seed if found is None else found  # the split and the order are functions of it
                train, validation = self._validation(data, validation_data, validation_split, stratify)
                stepper = self._checked(train, validation, epochs, ["skipped"] if skipping else [])
                fit = _Fit(
                    train, validation, shuffle, accumulate, skipping, own,
                    stepper, listeners, position, keeper, progress, interruption,
                )  # fmt: skip
                keeper.begin(epochs, fit.told)
                self._agree("fit")
                listeners.on_train_begin()
                keeper.start()
                progress.begin(len(train), len(position.history), position.batches * accumulate)
                for epoch in range(self.epoch, position.first + epochs):
                    if position.over:
                        break
                    self._train(fit, epoch)
                    self._end_epoch(fit, epoch)
                    position.stopped = self.ranks.any(self.model.stop_training)
                keeper.end()
            except Interrupted:
                keeper.end()
                position.history.interrupted = True
                progress.say(f"Interrupted after step {self.optimizer.iterations}{keeper.hint}")
            except BaseException:
                if self.optimizer.iterations == begun:  # it was refused: nothing is changed
                    self.columns, self.split, self.seed = before
                    if not built and not self.optimizer.state:
                        self.model.unbuild()
                raise
            finally:
                settle(self.model)
                progress.close()
                listeners.on_train_end()
            position.history.interrupted |= interruption.pending  # it may have come behind the last step
        return position.history

    def _train(self, fit: "_Fit", epoch: int) -> None:
        """Make the steps of an epoch, from where the fit stands in it."""
        position, listeners, stepper = fit.position, fit.listeners, fit.stepper
        if not position.batches:
            position.begin_epoch()
            listeners.on_epoch_begin(epoch)
        fit.progress.start_epoch(len(position.history) + 1)
        order = fit.train.order(fit.shuffle, self.seed, epoch)
        given = fit.train.epoch(order, self._memory, fit.accumulate, position.batches * fit.accumulate)
        checked, looked_at = fit.train.checked_targets, listeners.hear_begins or listeners.hear_ends
        for group in grouped(given, fit.accumulate):
            index, loss = position.batches, math.nan
            if listeners.hear_begins:
                listeners.on_train_batch_begin(index)
            try:
                loss = stepper.update(self.optimizer, group, position.means, checked, fit.own, looked_at, fit.skipping)
            except optimizers.NonFiniteError as error:
                where = f"fit: batch {index} of epoch {epoch}, both from 0: {error}"
                if not fit.skipping:
                    raise optimizers.NonFiniteError(where) from error
                position.skip(where)
            position.step()
            fit.progress.advance(len(group))
            if listeners.hear_ends:
                listeners.on_train_batch_end(index, {**position.means.logs(), "batch_loss": loss})
            if fit.keeper.due():
                fit.keeper.write()
            fit.interruption.check()
        if position.skipped and position.skipped == position.batches:
            raise optimizers.NonFiniteError(
                f"fit: no step of this epoch could be made; the last one, {position.reason}"
            )
        settle(self.model)

    def _end_epoch(self, fit: "_Fit", epoch: int) -> None:
        """Evaluate and record an epoch, and tell all who listen."""
        logs = fit.position.means.logs()
        if fit.skipping:
            logs["skipped"] = fit.position.skipped
        if fit.validation is not None:
            values = _evaluated(fit.stepper, fit.validation, self.metrics, fit.interruption)
            logs.update({f"val_{name}": value for name, value in values.items()})
        logs.update(self._rate())
        self.optimizer.epoch = epoch + 1
        fit.position.end_epoch(epoch, logs)
        self.history.extend(fit.position.history.last())
        fit.progress.end_epoch(logs)
        fit.listeners.on_epoch_end(epoch, logs)
        fit.keeper.end_epoch(epoch, logs)
        fit.interruption.check()

    def step(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Logs:
        """Make one step on one batch; return its loss and metrics, taken before the update.

        It works alone, for those who write their own loop; they also count epochs, if a schedule goes by them:
        `trainer.optimizer.epoch += 1`.

        Args:
            x: The samples, along the first axis.
            y: Their targets.
            sample_weight: A weight for each sample.

        Raises:
            ValueError: If they don't fit the model or the loss.
            FloatingPointError: If a gradient isn't finite, or the step would make numbers that aren't; nothing is
                changed then.
        """
        data = Stream([(x, y) if sample_weight is None else (x, y, sample_weight)], owner="step")
        stepper = self._new_stepper()
        self._agree("step", every=False)
        self._step_means.reset()
        stepper.update(self.optimizer, data.checked, self._step_means, False)
        return self._step_means.logs()

    @checked
    def evaluate(
        self, x: Any, y: Any = None, *, batch_size: int | None = None, sample_weight: ArrayLike | None = None
    ) -> Logs:
        """Return the loss, penalties included, and the metrics over all of the data, weighted by samples.

        Nothing is changed, but a model that isn't built is then.

        Args:
            x: Samples along the first axis, or an iterable of batches, as `fit` takes them.
            y: The targets.
            batch_size: Samples a batch, at least 1; 32 by default.
            sample_weight: A weight for each sample.

        Raises:
            ValueError, TypeError: If the data don't fit the model or the loss.
        """
        data = batches("evaluate", x, y, sample_weight=sample_weight, batch_size=batch_size)
        with built_as_before(self.model):
            return _evaluated(Stepper(self.model, self.loss, self.ranks), data, self.metrics)

    @checked
    def predict(self, x: Any, *, batch_size: int | None = None) -> Array:
        """Return the model's outputs for all of `x`; see `Sequential.predict`."""
        return predict(self.model, x, batch_size)

    def clone(self) -> "Trainer":
        """Return an independent trainer that goes on as this one would, bit for bit.

        It is `copy.deepcopy`: the model, the optimizer, the loss, the metrics and the history are its own, and the
        optimizer's slots belong to its own model's parameters. Callbacks belong to a `fit`, and so are none of it.
        """
        return copy.deepcopy(self)

    # What the loop is made of --------------------------------------------------------------------------

    def _keeper(self, checkpoint: Any, resume: bool, position: Position, listeners: Listeners) -> Keeper:
        """Return who keeps a fit: nobody, or a folder."""
        if checkpoint is None:
            if resume:
                raise ValueError("fit: resume needs a checkpoint, a folder to go on from. Received: checkpoint=None")
            return Keeper()
        from minidl.saving.checkpoints import keeper_of
        from minidl.saving.policy import CheckpointPolicy

        return keeper_of(CheckpointPolicy.given(checkpoint), resume, self, position, listeners.callbacks)

    def _agree(self, owner: str, every: bool = True) -> None:
        """Raise ValueError if ranks train something else; a single step looks only where it begins."""
        if self.ranks.size > 1 and (every or not self.optimizer.iterations):
            from minidl.saving.setup import agreement

            self.ranks.agree(owner, agreement(self))

    def _checked(
        self, train: Batches | Stream, validation: Batches | Stream | None, epochs: int, more_columns: list[str]
    ) -> Stepper:
        """Return what makes the steps; raise ValueError for what can be seen to go wrong later, before it does."""
        stepper = self._new_stepper()
        for part in (train, validation):
            if epochs > 1 and part is not None and part.once:
                raise ValueError(
                    f"fit: an iterator can be read once only; for epochs > 1 give a list or an object that iterates "
                    f"anew. Received: an iterator, epochs={epochs}"
                )
        stepper.check([pair for part in (train, validation) if part is not None for pair in part.known()])
        names = ["loss", *(metric.name for metric in self.metrics)]
        self.columns = names + more_columns + ([f"val_{name}" for name in names] if validation is not None else [])
        if "learning_rate" in self.optimizer.hyperparameters:
            self.columns.append("learning_rate")
        return stepper

    def _new_stepper(self) -> Stepper:
        """Return what makes steps; raise ValueError if model, loss and optimizer don't go together, as they are now."""
        stepper = Stepper(self.model, self.loss, self.ranks)
        trained = self.optimizer.state
        if self.optimizer.iterations and trained and not any(p in trained for p in self.model.parameters):
            raise ValueError(
                f"Trainer: the optimizer has trained another model; make a new one, "
                f"{type(self.optimizer).__name__}.from_config(optimizer.get_config()). "
                f"Received: an optimizer after {self.optimizer.iterations} steps"
            )
        return stepper

    def _rate(self) -> Logs:
        """Return the learning rate that the last step used, if the rule has one."""
        return {k: v for k, v in self.optimizer.applied.items() if k == "learning_rate"}

    def _validation(
        self, data: Batches | Stream, validation_data: Any, fraction: float, stratify: bool
    ) -> tuple[Batches | Stream, Batches | Stream | None]:
        """Return the data to train on and to validate on."""
        fraction = number("fit", "validation_split", fraction, "[0, 1)")
        stratify = flag("fit", "stratify", stratify)
        if stratify and not fraction:
            raise ValueError("fit: stratify needs a validation_split. Received: validation_split=0.0")
        if validation_data is not None and fraction:
            raise ValueError(
                f"fit: validation must come from validation_data or from validation_split. "
                f"Received: both, validation_split={fraction}"
            )
        if validation_data is not None:
            return data, _given_validation(validation_data, getattr(data, "batch_size", None))
        if not fraction:
            return data, None
        if isinstance(data, Stream):
            raise ValueError("fit: validation_split needs arrays. Received: an iterable of batches")
        labels = class_labels(data.y) if stratify else None
        self.split = split_indices(data.n, fraction, generator(self.seed, "split"), labels, "fit", "validation_split")
        return data.subset(self.split[0]), data.subset(self.split[1], class_weighted=False)


# What a Trainer asks of a model.
_MODEL = (
    "seed", "parameters", "built", "reuse", "link", "forward", "forward_logits", "backward_part", "regularization",
)  # fmt: skip


@dataclass
class _Fit:
    """One call of `fit`: what it was given, where it stands, and who is told."""

    train: Batches | Stream
    validation: Batches | Stream | None
    shuffle: Order
    accumulate: int
    skipping: bool
    own: bool  # whether batches are gathered into memory of the trainer's own
    stepper: Stepper
    listeners: Listeners
    position: Position
    keeper: Keeper
    progress: Progress
    interruption: Interruption

    def told(self) -> dict[str, Any]:
        """Return what was given, as a checkpoint tells it."""
        return {
            "data": self.train.told(),
            "validation": None if self.validation is None else self.validation.told(),
            "shuffle": self.shuffle if isinstance(self.shuffle, bool) else "an order of the caller's own",
            "accumulate": self.accumulate,
            "on_nonfinite": "skip" if self.skipping else "raise",
            "callbacks": [type(callback).__name__ for callback in self.listeners.callbacks],
        }


def _evaluated(
    stepper: Stepper,
    data: Batches | Stream,
    metrics: Sequence[metrics.Metric],
    interruption: Interruption | None = None,
) -> Logs:
    """Return the loss, penalties included, and the metrics over all of the data."""
    means, penalty = Means(metrics), stepper.model.regularization()
    for batch in data.epoch():
        y_pred, activity = stepper.outputs(batch)
        means.add_loss(stepper.objective(batch[1], y_pred, batch[2]) + penalty, stepper.weight(batch))
        means.add_activity(activity, len(batch[1]))
        means.add_metrics(batch, y_pred, stepper.objective)
        if interruption is not None:
            interruption.check()
    return means.logs()


def _given_validation(given: Any, batch_size: int | None) -> Batches | Stream:
    owner = "fit: validation_data"
    if isinstance(given, tuple) and len(given) in (2, 3):
        x, y, weight = (*given, None)[:3]
        return Batches(x, y, sample_weight=weight, batch_size=batch_size, owner=owner)
    if isinstance(given, (tuple, str, np.ndarray, Mapping)) or not isinstance(given, Iterable):
        raise ValueError(
            f"fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. "
            f"Received: {f'{len(given)} entries' if isinstance(given, tuple) else describe(given)}"
        )
    return Stream(given, owner=owner)


def _metrics(given: Iterable[object] | None) -> list[metrics.Metric]:
    """Return the metrics; one given by name has that name as its column, as in Keras."""
    if given is not None and (isinstance(given, (str, metrics.Metric)) or not isinstance(given, Iterable)):
        raise TypeError(f"Trainer: metrics must be a list. Received: {describe(given)}")
    found = []
    for metric in () if given is None else given:
        found.append(metrics.registry.get(metric, "Trainer"))
        if isinstance(metric, str):
            found[-1].name = metric.lower()
    names = [metric.name for metric in found]
    for name in names:
        if (
            names.count(name) > 1
            or name in ("loss", "learning_rate", "batch_loss", "epoch", "skipped")
            or name.startswith("val_")
        ):
            raise ValueError(f"Trainer: metrics must have names of their own. Received: {names}")
    return found


def trainer_of(owner: str, given: Any) -> Trainer:
    """Return a trainer, or that of a compiled model, or raise TypeError."""
    trainer = getattr(given, "trainer", given)
    if not isinstance(trainer, Trainer):
        raise TypeError(f"{owner}: trainer must be a Trainer or a compiled model. Received: {describe(given)}")
    return trainer
