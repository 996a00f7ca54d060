"""The checks of losses."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import checked
from minidl.losses import Loss
from minidl.testing.checking import (
    Check,
    Example,
    NotApplicableError,
    agrees,
    for_examples,
    require_hypothesis,
    run_checks,
    same,
    slopes_along,
)
from minidl.testing.report import Report
from minidl.validation import describe, integer, numbers

__all__ = ["check_loss"]

Array = NDArray[Any]
Batch = tuple[Array, Array]


@checked
def check_loss(
    loss_or_class: Loss | type[Loss],
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    examples: int = 20,
    raises: bool = True,
) -> Report:
    """Check a loss: its gradient, its weighted mean, and what training relies on.

    Args:
        loss_or_class: A loss, or a class that needs no arguments.
        y_true: Targets of at least two samples, the batch first, as examples of what the loss takes.
        y_pred: Predictions for them. Batches are drawn from the samples, with predictions that lie between those given.
        examples: How many examples are drawn for each property, at least 1.
        raises: Whether a failed check raises.

    Returns:
        A report with one result a check; print it for a table.

    Raises:
        CheckFailedError: If a check failed; its text is the report. It is an AssertionError.
        TypeError, ValueError: If the arguments aren't as told above.
        ImportError: If the extra `check` isn't installed.

    >>> print(minidl.testing.check_loss(losses.MeanSquaredError, [[1.0], [2.0]], [[0.5], [3.0]]).passed)
    True
    """
    require_hypothesis("check_loss")
    loss = loss_or_class() if isinstance(loss_or_class, type) and issubclass(loss_or_class, Loss) else loss_or_class
    if not isinstance(loss, Loss):
        raise TypeError(f"check_loss: must be given a loss or a class of losses. Received: {describe(loss_or_class)}")
    true, pred = numbers("check_loss", "y_true", y_true), numbers("check_loss", "y_pred", y_pred)
    if true.ndim == 0 or pred.ndim == 0 or len(true) != len(pred) or len(true) < 2:
        raise ValueError(
            f"check_loss: y_true and y_pred must have as many samples, at least two. "
            f"Received: shapes {true.shape} and {pred.shape}"
        )
    case = _Case(loss, true, pred.astype(np.float64), integer("check_loss", "examples", examples, 1))
    return run_checks(
        repr(loss),
        [Check.of(check) for check in _CHECKS],
        case,
        foundation="computes",
        broken="it can't be computed at all",
        raises=raises,
    )


class _Case:
    """A loss, and the batches on which it is tried."""

    def __init__(self, loss: Loss, y_true: Array, y_pred: Array, examples: int) -> None:
        self.loss, self.y_true, self.y_pred, self.examples = loss, y_true, y_pred, examples

    def batch(self, example: Example) -> Batch:
        """Return up to six samples, and predictions between those of any two."""
        rng = np.random.default_rng(example.seed)
        n = 2 * example.batch
        picked = rng.integers(0, len(self.y_true), n)
        one, other = self.y_pred[rng.integers(0, len(self.y_pred), (2, n))]
        share = rng.random((n, *[1] * (one.ndim - 1)))
        return self.y_true[picked], share * one + (1 - share) * other

    def for_examples(self, check: Callable[[Example], None]) -> None:
        for_examples(self.examples, check)


def _weights(example: Example, n: int) -> Array:
    return np.random.default_rng((example.seed, 1)).integers(1, 4, n).astype(np.float64)


# The checks: each one's docstring is its meaning ---------------------------------------------------------


def _computes(case: _Case) -> None:
    """The loss is a finite Python float; its gradient has the shape and dtype of the predictions, in all precisions."""
    for dtype in ("float16", "float32", "float64"):
        y_pred = case.y_pred.astype(dtype)
        value, gradient = case.loss(case.y_true, y_pred), case.loss.gradient(case.y_true, y_pred)
        assert type(value) is float, f"the loss of {dtype} is a {type(value).__name__}"
        assert np.isfinite(value), f"the loss of {dtype} is {value}"
        assert gradient.shape == y_pred.shape, f"its gradient has shape {gradient.shape} instead of {y_pred.shape}"
        assert gradient.dtype == dtype, f"the gradient of {dtype} is {gradient.dtype}"


def _gradient(case: _Case) -> None:
    """The gradient is the one that central differences give, with weights and without."""

    def check(example: Example) -> None:
        y_true, y_pred = case.batch(example)
        for weight in (None, _weights(example, len(y_true))):
            gradient = case.loss.gradient(y_true, y_pred, weight)
            moved = y_pred.copy()
            for way in (np.zeros(y_pred.shape), np.random.default_rng(example.seed).standard_normal(y_pred.shape)):
                way.flat[example.seed % way.size] += 1.0
                slopes = slopes_along(lambda: case.loss(y_true, moved, weight), moved, way)  # noqa: B023  # called at once
                exact = float((gradient * way).sum())
                room = 1e-6 * float(np.abs(gradient * way).sum()) + 1e-8
                assert agrees(exact, slopes, room), (
                    f"{exact:.8g} in a direction in which central differences give {sum(slopes) / 2:.8g}; "
                    f"y_true = {y_true.tolist()}, y_pred = {y_pred.round(4).tolist()}"
                )

    case.for_examples(check)


def _weighted_mean(case: _Case) -> None:
    """The loss is the weighted mean of its samples' losses, and so is its gradient."""

    def check(example: Example) -> None:
        y_true, y_pred = case.batch(example)
        weight = _weights(example, len(y_true))
        parts = [slice(i, i + 1) for i in range(len(y_true))]
        mean = sum(w * case.loss(y_true[p], y_pred[p]) for w, p in zip(weight, parts, strict=True)) / weight.sum()
        value = case.loss(y_true, y_pred, weight)
        assert abs(value - mean) <= 1e-11 * (1 + abs(mean)), f"{value!r} instead of {mean!r}"
        own = np.concatenate([w * case.loss.gradient(y_true[p], y_pred[p]) for w, p in zip(weight, parts, strict=True)])
        same(case.loss.gradient(y_true, y_pred, weight), own / weight.sum(), "the weighted gradient", 1e-10)

    case.for_examples(check)


def _weight_of_two(case: _Case) -> None:
    """A weight of 2 is the sample twice."""

    def check(example: Example) -> None:
        y_true, y_pred = case.batch(example)
        weight = _weights(example, len(y_true))
        times = weight.astype(int)
        value = case.loss(np.repeat(y_true, times, axis=0), np.repeat(y_pred, times, axis=0))
        weighted = case.loss(y_true, y_pred, weight)
        assert abs(value - weighted) <= 1e-11 * (1 + abs(value)), f"{weighted!r} instead of {value!r}"

    case.for_examples(check)


def _weights_of_zero(case: _Case) -> None:
    """A batch whose weights are all 0 has the loss 0 and a gradient of zeros."""
    nothing = np.zeros(len(case.y_true))
    assert case.loss(case.y_true, case.y_pred, nothing) == 0, "the loss isn't 0"
    assert not case.loss.gradient(case.y_true, case.y_pred, nothing).any(), "the gradient isn't 0"


def _order(case: _Case) -> None:
    """The order of samples doesn't matter: the gradient's rows follow them."""

    def check(example: Example) -> None:
        y_true, y_pred = case.batch(example)
        order = np.random.default_rng(example.seed).permutation(len(y_true))
        turned = case.loss.gradient(y_true[order], y_pred[order])
        same(turned, case.loss.gradient(y_true, y_pred)[order], "the gradient in another order", 1e-11)

    case.for_examples(check)


def _arguments_untouched(case: _Case) -> None:
    """Neither targets, predictions nor weights are changed, and the gradient is no part of them."""
    y_true, y_pred, weight = case.y_true.copy(), case.y_pred.copy(), np.ones(len(case.y_true))
    gradient = case.loss.gradient(y_true, y_pred, weight)
    assert not any(np.shares_memory(gradient, array) for array in (y_true, y_pred, weight)), "memory is shared"
    same(y_true, case.y_true, "the targets")
    same(y_pred, case.y_pred, "the predictions")
    same(weight, np.ones(len(weight)), "the weights")


def _shapes_refused(case: _Case) -> None:
    """Targets of another shape, or for another number of samples, are refused with ValueError, not broadcast."""
    true, pred = case.y_true, case.y_pred
    wrong = {
        "an axis more": (true[..., None], pred),
        "two axes more": (true[..., None, None], pred),
        "a sample less": (true[:-1], pred),
    }
    if true.ndim > 1:  # as many samples as entries: a broadcast would go through
        n = min(len(true), true.shape[-1])
        wrong["an axis less"] = (true[:n, ..., 0], pred[:n])
    for what, (y_true, y_pred) in wrong.items():
        try:
            case.loss(y_true, y_pred)
        except ValueError:
            continue
        raise AssertionError(f"targets with {what} aren't refused")


def _logits(case: _Case) -> None:
    """From logits it is the same number as from the probabilities, and the gradient by the logits belongs to it."""
    loss = case.loss
    if loss.link_name is None:
        raise NotApplicableError("it isn't computed from logits")
    logits = np.random.default_rng(0).standard_normal(case.y_pred.shape) * 3
    from_logits = loss if loss.from_logits else loss.on_logits()
    plain = type(loss).from_config({**loss.get_config(), "from_logits": False}) if loss.from_logits else loss
    value, expected = from_logits(case.y_true, logits), plain(case.y_true, from_logits.predictions(logits))
    assert abs(value - expected) <= 1e-11 * (1 + abs(expected)), f"{value!r} instead of {expected!r}"
    moved, way = logits.copy(), np.random.default_rng(1).standard_normal(logits.shape)
    slopes = slopes_along(lambda: from_logits(case.y_true, moved), moved, way)
    exact = float((from_logits.gradient(case.y_true, logits) * way).sum())
    assert agrees(exact, slopes, 1e-6 * (1e-2 + abs(exact))), (
        f"its slope is {exact:.8g} instead of {sum(slopes) / 2:.8g}"
    )


def _extreme_logits(case: _Case) -> None:
    """Logits of ±1e4 in float32 give a finite loss and a finite gradient."""
    if case.loss.link_name is None:
        raise NotApplicableError("it isn't computed from logits")
    loss = case.loss if case.loss.from_logits else case.loss.on_logits()
    signs = np.sign(np.random.default_rng(0).standard_normal(case.y_pred.shape))
    value, gradient = loss.value_and_gradient(case.y_true, (1e4 * signs).astype(np.float32))
    assert np.isfinite(value), f"the loss is {value}"
    assert np.isfinite(gradient).all(), "the gradient isn't finite"


def _config_round_trip(case: _Case) -> None:
    """A loss made from the config of another gives the same number."""
    again = type(case.loss).from_config(pickle.loads(pickle.dumps(case.loss.get_config())))
    assert again(case.y_true, case.y_pred) == case.loss(case.y_true, case.y_pred), "it gives another number"


_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _computes,
    _gradient,
    _weighted_mean,
    _weight_of_two,
    _weights_of_zero,
    _order,
    _arguments_untouched,
    _shapes_refused,
    _logits,
    _extreme_logits,
    _config_round_trip,
)
