"""Finding settings: the learning-rate range test."""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Checked, checked
from minidl.training.batches import Batch, Batches, Stream, batches
from minidl.training.trainer import trainer_of
from minidl.validation import integer, number

__all__ = ["RangeTest", "lr_find"]


@dataclass(frozen=True)
class RangeTest(metaclass=Checked):
    """What `lr_find` measured.

    Attributes:
        rates: The learning rate of each step.
        losses: The loss of each step's batch, before its update, so the losses show what the *smaller* rates did.
        smoothed: Their average over the steps around each, weighted by a triangle; it doesn't lag behind.
        complete: Whether the highest rate was reached; else the loss had grown too far, or a gradient wasn't finite.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    complete: bool

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the smoothed loss was least: a first guess for a constant rate.

        It is too small for rules whose steps shrink with time, such as AdaGrad and AdaDelta, often by a factor of ten.
        """
        return float(self.rates[self.smoothed.argmin()]) / 10


@checked
def lr_find(
    trainer: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    sample_weight: ArrayLike | None = None,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    smoothing: int = 5,
    stop: float = 1.0,
) -> RangeTest:
    """Train a copy with a learning rate that grows from step to step, and see where the loss falls and where it bursts.

    The rate of step i of n is low · (high / low)^(i / (n − 1)). The trainer, its model and its optimizer stay as they
    are.

    Args:
        trainer: A `Trainer`, or a compiled `Sequential`. Its optimizer must have a learning rate.
        x: The data, as `Trainer.fit` takes them; gone through as often as the steps need.
        y: The targets.
        batch_size: Samples a batch; 32 by default.
        sample_weight: A weight for each sample.
        low: The first rate, greater than 0.
        high: The last rate, greater than the first.
        steps: How many steps, at least 2.
        smoothing: How many steps on either side the average reaches; 0 doesn't smooth.
        stop: How far the smoothed loss must rise above its least value to end the test, in units of the first loss;
            greater than 0.

    Raises:
        ValueError, TypeError: If an argument isn't as told above, or the data don't fit.

    Source: L. N. Smith, Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3; the growth by a
    factor and the suggestion are fastai's.

    >>> model = minidl.Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    >>> model.compile("sgd", "mse")
    >>> x = np.eye(2); y = x @ [[3.0], [4.0]]
    >>> result = lr_find(model, x, y, batch_size=1)
    >>> result.complete, 0.01 < result.suggestion < 1.0
    (False, True)
    """
    given = trainer_of("lr_find", trainer)
    if "learning_rate" not in given.optimizer.hyperparameters:
        raise ValueError(f"lr_find: the optimizer must have a learning rate. Received: {given.optimizer!r}")
    low = number("lr_find", "low", low, "(0, inf)")
    high = number("lr_find", "high", high, f"({low!r}, inf)")
    steps = integer("lr_find", "steps", steps, 2)
    smoothing = integer("lr_find", "smoothing", smoothing)
    stop = number("lr_find", "stop", stop, "(0, inf)")
    data = batches("lr_find", x, y, sample_weight=sample_weight, batch_size=batch_size)
    if data.once:
        raise ValueError("lr_find: data must be arrays, or batches that iterate anew. Received: an iterator")
    trial = copy.deepcopy(given)
    rates = np.geomspace(low, high, steps)
    losses: list[float] = []
    complete = True
    with np.errstate(over="ignore", invalid="ignore"):
        for rate, batch in zip(rates, _again_and_again(data, given.seed), strict=False):
            trial.optimizer.learning_rate = rate
            try:
                losses.append(trial.step(*batch)["loss"])
            except FloatingPointError:
                complete = False
                break
            known = _smooth(losses, smoothing)[: max(len(losses) - smoothing, 0)]
            if len(known) and not known[-1] - known.min() <= stop * abs(losses[0]):
                complete = False
                break
    if not losses:
        raise ValueError(
            f"lr_find: the first step's gradient must be finite. Received: one that isn't, at rate {low:g}"
        )
    return RangeTest(rates[: len(losses)], np.array(losses), _smooth(losses, smoothing), complete)


def _smooth(losses: list[float], reach: int) -> NDArray[np.float64]:
    """Return the average around each loss; beyond the ends the first and the last go on."""
    weights = np.bartlett(2 * reach + 3)[1:-1]
    return np.convolve(np.pad(losses, reach, mode="edge"), weights / weights.sum(), mode="valid")


def _again_and_again(data: Batches | Stream, seed: int) -> Iterator[Batch]:
    """Give batches without end, each epoch in the order that training would have."""
    for epoch in itertools.count():
        yield from data.epoch(data.order(True, seed, epoch))
