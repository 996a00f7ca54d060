"""The Trainer: one short loop, and one step that also works alone."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import losses, metrics, optimizers
from minidl.callbacks import Callback
from minidl.callbacks.base import Listeners
from minidl.config import Checked
from minidl.data import (
    DEFAULT_BATCH_SIZE,
    Batch,
    Batches,
    Order,
    Stream,
    batches,
    grouped,
    pieces,
    samples,
)
from minidl.history import History
from minidl.interruption import Interrupted, Interruption
from minidl.keeping import Keeper
from minidl.parallel import ranks_of
from minidl.position import Means, Position
from minidl.progress import Progress
from minidl.randomness import generator, seed_or_fresh
from minidl.splitting import class_labels, split_indices
from minidl.validation import choice, describe, flag, integer, mapped, number

__all__ = ["Trainer", "predict"]

Array = NDArray[Any]
Logs = dict[str, float]

MOST = 16  # arrays of predictions that a trainer knows


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
        self.optimizer = optimizers.registry.get(optimizer)
        self.loss = losses.registry.get(loss)
        self.metrics = _metrics(metrics)
        self.seed = model.seed if seed is None else seed_or_fresh("Trainer", seed)
        self.ranks = ranks_of(communicator)
        self.history = History()
        self.columns: list[str] = []
        self.split: tuple[Array, Array] | None = None
        self._memory: dict[tuple[Any, ...], Array] = {}  # of gathered batches
        self._bound: dict[
            int, tuple[Array, Callable[[Array], tuple[float, Array]] | None]
        ] = {}  # by predictions' arrays
        self._step_means = Means(self.metrics)
        self._check_pair()

    # What is bound to memory is found anew by a copy.
    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_memory": {}, "_bound": {}}

    @property
    def epoch(self) -> int:
        """How many epochs were done. The optimizer counts them, so they go on after a second fit or a loaded state."""
        return self.optimizer.epoch

    # The loop ------------------------------------------------------------------------------------------

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
                self._check(train, validation, epochs, ["skipped"] if skipping else [])
                fit = _Fit(
                    train, validation, shuffle, accumulate, skipping, own,
                    listeners, position, keeper, progress, interruption,
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
                self._settle()
                progress.close()
                listeners.on_train_end()
            position.history.interrupted |= interruption.pending  # it may have come behind the last step
        return position.history

    def _train(self, fit: "_Fit", epoch: int) -> None:
        """Make the steps of an epoch, from where the fit stands in it."""
        position, listeners, buffers = fit.position, fit.listeners, _buffers(self.model)
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
                loss = self._update(group, position.means, checked, buffers, fit.own, looked_at, fit.skipping)
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
        self._settle()

    def _end_epoch(self, fit: "_Fit", epoch: int) -> None:
        """Evaluate and record an epoch, and tell all who listen."""
        logs = fit.position.means.logs()
        if fit.skipping:
            logs["skipped"] = fit.position.skipped
        if fit.validation is not None:
            values = self._evaluate(fit.validation, fit.interruption)
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
        """
        data = Stream([(x, y) if sample_weight is None else (x, y, sample_weight)], owner="step")
        self._check_pair()
        self._agree("step", every=False)
        self._step_means.reset()
        self._update(data.checked, self._step_means, False, _buffers(self.model))
        return self._step_means.logs()

    def evaluate(
        self, x: Any, y: Any = None, *, batch_size: int | None = None, sample_weight: ArrayLike | None = None
    ) -> Logs:
        """Return the loss, penalties included, and the metrics over all of the data, weighted by samples.

        Takes data as `fit` does. Nothing is changed.
        """
        data = batches("evaluate", x, y, sample_weight=sample_weight, batch_size=batch_size)
        with self._built_as_before():
            return self._evaluate(data)

    def predict(self, x: Any, *, batch_size: int | None = None) -> Array:
        """Return the model's outputs for all of `x`, computed in batches."""
        return predict(self.model, x, batch_size)

    def clone(self) -> "Trainer":
        """Return an independent trainer that goes on as this one would, bit for bit.

        It is `copy.deepcopy`: the model, the optimizer, the loss, the metrics and the history are its own, and the
        optimizer's slots belong to its own model's parameters. Callbacks belong to a `fit`, and so are none of it.
        """
        return copy.deepcopy(self)

    # What the loop is made of --------------------------------------------------------------------------

    def _update(
        self,
        group: list[Batch],
        means: Means,
        checked: bool,
        buffers: list[Array],
        own: bool = False,
        looked_at: bool = True,
        may_fail: bool = False,
    ) -> float:
        """Make one step on the samples of all batches of `group` together; return their loss before it.

        A step that can't be made leaves all as it was, the model's `buffers` too (a model that isn't built adds them
        here) and, if it `may_fail`, `means`.

        The model's layers write into the memory of the step before. If the batches are in `own` memory, where no one
        else writes, and no one has `looked_at` gradients before `_settle`, these needn't be written down.
        """
        if not self.model.built:
            self._check_known([batch[:2] for batch in group])
            buffers += _buffers(self.model)
        reuse = self.model.reuse
        reuse.on, reuse.taping = True, len(group) == 1
        reuse.same_input, reuse.promising = own, own and reuse.taping and not looked_at
        before, steps = [buffer.copy() for buffer in buffers], self.optimizer.iterations
        try:
            return self._step(group, means, checked, may_fail)
        except Exception:
            if self.optimizer.iterations == steps:
                for buffer, saved in zip(buffers, before, strict=True):
                    buffer[...] = saved
            raise
        finally:
            reuse.on = reuse.taping = reuse.same_input = reuse.promising = False
            reuse.share = None

    def _settle(self) -> None:
        """Let the gradients be written down."""
        for parameter in self.model.parameters:
            parameter.settle()

    def _step(self, group: list[Batch], means: Means, checked: bool, may_fail: bool) -> float:
        ranks = self.ranks
        weights = [self._weight(batch) for batch in group]
        weight_of_all, samples = sum(weights), sum([len(batch[0]) for batch in group])
        penalty = self.model.regularization()
        loss = activity = 0.0
        made = 0  # samples of which this rank has the gradient
        counted_later: list[tuple[Batch, Array]] = []
        for batch, weight in zip(group, weights, strict=True):
            part = ranks.share(batch)
            x, y_pred = part[0], None
            if len(x):
                with np.errstate(over="ignore", invalid="ignore"):  # the optimizer refuses what isn't finite, by name
                    if ranks.size > 1:
                        self.model.reuse.share = ranks.first(batch), len(batch[0])
                    y_pred = self._forward(x, training=True)
                    value, slopes = self._value_and_gradient(part, y_pred, checked)
                    if len(x) < samples:
                        weight = self._weight(part) if ranks.size > 1 else weight
                        share = weight / weight_of_all if weight_of_all else 0.0
                        value, slopes = value * share, slopes * share
                        self.model.share_activities(len(x) / samples)
                    activity += self.model.activity_penalty()
                    self.model.backward_part(
                        slopes, accumulate=made > 0, from_logits=self._on_logits, input_gradient=False
                    )
                loss += value
                made += len(x)
            if not self.metrics:
                continue
            outputs = ranks.gathered(y_pred)
            if may_fail:
                counted_later.append((batch, outputs.copy()))
            else:
                means.add_metrics(batch, outputs, self._objective)
        ranks.add_gradients(self.model.parameters, made > 0)
        loss, activity = ranks.sums(loss, activity)
        self.model.add_regularization_gradient()
        self.optimizer.step(self.model.parameters)
        if ranks.size > 1:
            ranks.even_out(_buffers(self.model), made)
        for batch, outputs in counted_later:
            means.add_metrics(batch, outputs, self._objective)
        means.add_loss(loss + penalty, weight_of_all)
        means.add_activity(activity, samples)
        return loss + penalty + activity

    def _value_and_gradient(self, batch: Batch, y_pred: Array, checked: bool) -> tuple[float, Array]:
        """Return the loss and its gradient by the predictions, which at most steps come in an array that is known."""
        _, y, weight = batch
        if not (checked and self._needs_no_check):
            return self._objective.value_and_gradient(y, y_pred, weight)
        if weight is not None:
            return self._objective.unchecked(y, y_pred, weight)
        seen, run = self._bound.get(id(y_pred), (None, None))
        if seen is None:  # it may never come again
            if len(self._bound) >= MOST:
                self._bound.clear()
            self._bound[id(y_pred)] = y_pred, None
            return self._objective.unchecked(y, y_pred, None)
        if run is None:
            run = self._objective.bound(y_pred) or partial(self._objective.unchecked, y_pred=y_pred, weight=None)
            self._bound[id(y_pred)] = y_pred, run
        return run(y)

    def _weight(self, batch: Batch) -> float:
        """Return how much the mean loss of a batch weighs among those of others."""
        return self._objective.total_weight(batch[2], len(batch[0]))

    def _keeper(self, checkpoint: Any, resume: bool, position: Position, listeners: Listeners) -> Keeper:
        """Return who keeps a fit: nobody, or a folder."""
        if checkpoint is None:
            if resume:
                raise ValueError("fit: resume needs a checkpoint, a folder to go on from. Received: checkpoint=None")
            return Keeper()
        from minidl.saving.checkpoints import keeper_of
        from minidl.saving.policy import CheckpointPolicy

        return keeper_of(CheckpointPolicy.given(checkpoint), resume, self, position, listeners.callbacks)

    def _evaluate(self, data: Batches | Stream, interruption: Interruption | None = None) -> Logs:
        self._objective, self._on_logits = _objective(self.model, self.loss)
        means = Means(self.metrics)
        penalty = self.model.regularization()
        for batch in data.epoch():
            _, y, weight = batch
            y_pred, activity = self._outputs(batch)
            means.add_loss(self._objective(y, y_pred, weight) + penalty, self._weight(batch))
            means.add_activity(activity, len(y))
            means.add_metrics(batch, y_pred, self._objective)
            if interruption is not None:
                interruption.check()
        return means.logs()

    def _outputs(self, batch: Batch) -> tuple[Array, float]:
        """Return the outputs for a batch, and the penalty on them."""
        x, y_pred, activity = self.ranks.share(batch)[0], None, 0.0
        if len(x):
            y_pred = self._forward(x, training=False)
            activity = self.model.activity_penalty() * (len(x) / len(batch[0]))
        return self.ranks.gathered(y_pred), self.ranks.sums(activity)[0]

    def _agree(self, owner: str, every: bool = True) -> None:
        """Raise ValueError if ranks train something else; a single step looks only where it begins."""
        if self.ranks.size > 1 and (every or not self.optimizer.iterations):
            from minidl.saving.setup import agreement

            self.ranks.agree(owner, agreement(self))

    def _check(
        self, train: Batches | Stream, validation: Batches | Stream | None, epochs: int, more_columns: list[str]
    ) -> None:
        """Raise ValueError for what can be seen to go wrong later, before anything is changed."""
        self._check_pair()
        for part in (train, validation):
            if epochs > 1 and part is not None and part.once:
                raise ValueError(
                    f"fit: an iterator can be read once only; for epochs > 1 give a list or an object that iterates "
                    f"anew. Received: an iterator, epochs={epochs}"
                )
        self._check_known([pair for part in (train, validation) if part is not None for pair in part.known()])
        names = ["loss", *(metric.name for metric in self.metrics)]
        self.columns = names + more_columns + ([f"val_{name}" for name in names] if validation is not None else [])
        if "learning_rate" in self.optimizer.hyperparameters:
            self.columns.append("learning_rate")

    def _check_known(self, known: Iterable[tuple[Array, Array]]) -> None:
        with self._built_as_before():
            for x, y in known:
                self._check_data(x, y)

    @contextmanager
    def _built_as_before(self) -> Iterator[None]:
        """If anything is refused inside, let a model that wasn't built be so again."""
        built = self.model.built
        try:
            yield
        except Exception:
            if not built:
                self.model.unbuild()
            raise

    def _check_data(self, x: Array, y: Array) -> None:
        """Raise ValueError if a batch of these couldn't be trained on; the targets are all looked at."""
        if self.model.built:
            self.model.check_input(x)
        if not mapped(x):
            self.model.check_values(x)
        y_pred = self._forward(x[:1], training=False)
        self._objective.check(y, np.broadcast_to(y_pred, (len(y), *y_pred.shape[1:])))

    def _check_pair(self) -> None:
        """See that model, loss and optimizer go together; a model may have changed since the last time."""
        self._objective, self._on_logits = _objective(self.model, self.loss)
        # Logits may be any numbers, so that where the targets have been checked nothing is left to look at.
        own = type(self._objective).value_and_gradient is losses.Loss.value_and_gradient
        self._needs_no_check = self._objective.from_logits and own
        self._bound.clear()
        trained = self.optimizer.state
        if self.optimizer.iterations and trained and not any(p in trained for p in self.model.parameters):
            raise ValueError(
                f"Trainer: the optimizer has trained another model; make a new one, "
                f"{type(self.optimizer).__name__}.from_config(optimizer.get_config()). "
                f"Received: an optimizer after {self.optimizer.iterations} steps"
            )

    def _forward(self, x: Array, training: bool) -> Array:
        output: Array = (self.model.forward_logits if self._on_logits else self.model.forward)(x, training)
        return output

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
        self.split = split_indices(data.n, fraction, generator(self.seed, "split"), labels, "fit")
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


def predict(model: Any, x: Any, batch_size: int | None = None) -> Array:
    """Return the outputs of `model` for all samples of `x`, computed in batches of `batch_size` (32 if None).

    Raises:
        ValueError: If `x` doesn't fit the model, or isn't finite.
    """
    size = DEFAULT_BATCH_SIZE if batch_size is None else integer("predict", "batch_size", batch_size, 1)
    x = samples("predict", "x", x)
    if not mapped(x):
        model.check_values(x)
    return np.concatenate([model.forward(piece) for piece in pieces("predict", x, size)])


def _buffers(model: Any) -> list[Array]:
    """Return what layers keep besides parameters, and change before it is seen whether a step can be made."""
    return list(model.named_buffers().values()) if hasattr(model, "named_buffers") else []


def _objective(model: Any, loss: losses.Loss) -> tuple[losses.Loss, bool]:
    """Return what is computed on the model's outputs, and whether these outputs are the logits."""
    link = None if model.link is None else model.link.link_name
    if link is None or link != loss.link_name:
        return loss, False
    if loss.from_logits:
        raise ValueError(
            f"Trainer: from_logits=True is for a model that ends without {link}. "
            f"Received: {loss!r} and a model that ends in {model.link!r}"
        )
    return loss.on_logits(), True


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
        found.append(metrics.registry.get(metric))
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
