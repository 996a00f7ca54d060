"""One step of training: what comes forward, its loss, what goes backward, and the update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import losses
from minidl.optimizers import Optimizer
from minidl.training.batches import DEFAULT_BATCH_SIZE, Batch, pieces, samples
from minidl.training.position import Means
from minidl.training.ranks import Alone
from minidl.validation import integer, mapped

__all__ = ["Stepper", "built_as_before", "predict", "settle"]

Array = NDArray[Any]

MOST = 16  # arrays of predictions that are known


class Stepper:
    """Makes steps, and computes what else is asked of a batch; for one fit, since all may change before the next.

    Args:
        model: What is trained.
        loss: What steps make small.
        ranks: Who trains together.

    Attributes:
        objective: The loss, as it is computed of what the model puts out: of logits, if it takes the place of the
            model's last activation.
        buffers: What layers keep besides parameters, and change before it is seen whether a step can be made.
    """

    def __init__(self, model: Any, loss: losses.Loss, ranks: Alone) -> None:
        self.model, self.ranks = model, ranks
        self.objective, self.on_logits = _objective(model, loss)
        # Logits may be any numbers, so that where the targets have been checked nothing is left to look at.
        own = type(self.objective).value_and_gradient is losses.Loss.value_and_gradient
        self._needs_no_check = self.objective.from_logits and own
        self._bound: dict[
            int, tuple[Array, Callable[[Array], tuple[float, Array]] | None]
        ] = {}  # by predictions' arrays
        self.buffers = _buffers(model)

    # Before the first step -----------------------------------------------------------------------------

    def check(self, known: Iterable[tuple[Array, Array]]) -> None:
        """Raise ValueError if batches of these couldn't be trained on; the model is as it was then."""
        with built_as_before(self.model):
            for x, y in known:
                self._check(x, y)
        self.buffers = _buffers(self.model)  # it may be built by now

    def _check(self, x: Array, y: Array) -> None:
        """Raise ValueError if a batch of these couldn't be trained on; the targets are all looked at."""
        if self.model.built:
            self.model.check_input(x)
        if not mapped(x):
            self.model.check_values(x)
        y_pred = self.forward(x[:1], training=False)
        self.objective.check(y, np.broadcast_to(y_pred, (len(y), *y_pred.shape[1:])))

    # Steps ---------------------------------------------------------------------------------------------

    def update(
        self,
        optimizer: Optimizer,
        group: list[Batch],
        means: Means,
        checked: bool,
        own: bool = False,
        looked_at: bool = True,
        may_fail: bool = False,
    ) -> float:
        """Make one step of an optimizer on the samples of all batches of `group` together; return their loss before it.

        A step that can't be made leaves all as it was, the `buffers` too and, if it `may_fail`, `means`.

        The model's layers write into the memory of the step before. If the batches are in `own` memory, where no one
        else writes, and no one has `looked_at` gradients before `settle`, these needn't be written down.
        """
        if not self.model.built:
            self.check([batch[:2] for batch in group])
        reuse = self.model.reuse
        reuse.on, reuse.taping = True, len(group) == 1
        reuse.same_input, reuse.promising = own, own and reuse.taping and not looked_at
        before, steps = [buffer.copy() for buffer in self.buffers], optimizer.iterations
        try:
            return self._step(optimizer, group, means, checked, may_fail)
        except Exception:
            if optimizer.iterations == steps:
                for buffer, saved in zip(self.buffers, before, strict=True):
                    buffer[...] = saved
            raise
        finally:
            reuse.on = reuse.taping = reuse.same_input = reuse.promising = False
            reuse.share = None

    def _step(self, optimizer: Optimizer, group: list[Batch], means: Means, checked: bool, may_fail: bool) -> float:
        ranks = self.ranks
        weights = [self.weight(batch) for batch in group]
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
                    y_pred = self.forward(x, training=True)
                    value, slopes = self._value_and_gradient(part, y_pred, checked)
                    if len(x) < samples:
                        weight = self.weight(part) if ranks.size > 1 else weight
                        share = weight / weight_of_all if weight_of_all else 0.0
                        value, slopes = value * share, slopes * share
                        self.model.share_activities(len(x) / samples)
                    activity += self.model.activity_penalty()
                    self.model.backward_part(
                        slopes, accumulate=made > 0, from_logits=self.on_logits, input_gradient=False
                    )
                loss += value
                made += len(x)
            if not means.metrics:
                continue
            outputs = ranks.gathered(y_pred)
            if may_fail:
                counted_later.append((batch, outputs.copy()))
            else:
                means.add_metrics(batch, outputs, self.objective)
        ranks.add_gradients(self.model.parameters, made > 0)
        loss, activity = ranks.sums(loss, activity)
        self.model.add_regularization_gradient()
        optimizer.step(self.model.parameters)
        if ranks.size > 1:
            ranks.even_out(self.buffers, made)
        for batch, outputs in counted_later:
            means.add_metrics(batch, outputs, self.objective)
        means.add_loss(loss + penalty, weight_of_all)
        means.add_activity(activity, samples)
        return loss + penalty + activity

    def _value_and_gradient(self, batch: Batch, y_pred: Array, checked: bool) -> tuple[float, Array]:
        """Return the loss and its gradient by the predictions, which at most steps come in an array that is known."""
        _, y, weight = batch
        if not (checked and self._needs_no_check):
            return self.objective.value_and_gradient(y, y_pred, weight)
        if weight is not None:
            return self.objective.unchecked(y, y_pred, weight)
        seen, run = self._bound.get(id(y_pred), (None, None))
        if seen is None:  # it may never come again
            if len(self._bound) >= MOST:
                self._bound.clear()
            self._bound[id(y_pred)] = y_pred, None
            return self.objective.unchecked(y, y_pred, None)
        if run is None:
            run = self.objective.bound(y_pred) or partial(self.objective.unchecked, y_pred=y_pred, weight=None)
            self._bound[id(y_pred)] = y_pred, run
        return run(y)

    # Of a batch ----------------------------------------------------------------------------------------

    def forward(self, x: Array, training: bool) -> Array:
        """Return what the objective takes."""
        output: Array = (self.model.forward_logits if self.on_logits else self.model.forward)(x, training)
        return output

    def outputs(self, batch: Batch) -> tuple[Array, float]:
        """Return the outputs for a batch, and the penalty on them."""
        x, y_pred, activity = self.ranks.share(batch)[0], None, 0.0
        if len(x):
            y_pred = self.forward(x, training=False)
            activity = self.model.activity_penalty() * (len(x) / len(batch[0]))
        return self.ranks.gathered(y_pred), self.ranks.sums(activity)[0]

    def weight(self, batch: Batch) -> float:
        """Return how much the mean loss of a batch weighs among those of others."""
        return self.objective.total_weight(batch[2], len(batch[0]))


@contextmanager
def built_as_before(model: Any) -> Iterator[None]:
    """If anything is refused inside, let a model that wasn't built be so again."""
    built = model.built
    try:
        yield
    except Exception:
        if not built:
            model.unbuild()
        raise


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


def settle(model: Any) -> None:
    """Let the gradients that are promised be written down."""
    for parameter in model.parameters:
        parameter.settle()


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
