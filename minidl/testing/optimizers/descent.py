"""The checks that it descends: four problems, each with the best of several learning rates.

After Schaul, Antonoglou, Silver, Unit tests for stochastic optimization, 2014. They say little of a rule, since many a
wrong one descends; they find the rule that doesn't.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.parameters import Parameter
from minidl.testing.optimizers.subject import Array, Subject, steps

__all__ = ["CHECKS"]

RATES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
STEPS = 300


def _descends_convex(subject: Subject) -> None:
    """On a round bowl some learning rate leaves less than a hundredth of the height."""
    _descends(subject, lambda w: ((w - 1) ** 2).sum() / 2, lambda w, i: w - 1, np.array([3.0, -1.0, 0.0]), 0.01)


def _descends_ill_conditioned(subject: Subject) -> None:
    """In a valley a thousand times steeper across than along some learning rate leaves less than a tenth."""
    curvature = np.array([1000.0, 30.0, 1.0])
    _descends(subject, lambda w: (curvature * w * w).sum() / 2, lambda w, i: curvature * w, np.ones(3), 0.1)


def _descends_noisy(subject: Subject) -> None:
    """Where each gradient has noise as large as itself some learning rate leaves less than a fifth."""
    noise = np.random.default_rng(7).standard_normal((STEPS, 3))
    _descends(subject, lambda w: (w * w).sum() / 2, lambda w, i: w + noise[i], np.full(3, 3.0), 0.2)


def _descends_cliff(subject: Subject) -> None:
    """Across a cliff, where the slope is suddenly a hundredfold, some learning rate comes down and stays finite."""

    def height(w: Array) -> float:
        return float((np.abs(w) + 99 * np.clip(np.abs(w) - 2, 0, 0.02)).sum())

    def slope(w: Array, i: int) -> Array:  # noqa: ARG001  # the noisy one needs it
        on_the_cliff = (np.abs(w) > 2) & (np.abs(w) < 2.02)
        return np.sign(w) * np.where(on_the_cliff, 100.0, 1.0)

    _descends(subject, height, slope, np.array([2.5, -2.01, 2.3]), 0.2)


def _descends(
    subject: Subject,
    height: Callable[[Array], float],
    slope: Callable[[Array, int], Array],
    start: Array,
    share: float,
) -> None:
    """Try each rate; at the best one the mean height of the last quarter must be below `share` of the start's."""
    has_rate = "learning_rate" in getattr(subject.sample, "hyperparameters", {})
    best = float("inf")
    for rate in RATES if has_rate else (None,):
        optimizer, parameter = subject.make(), Parameter(start.copy(), name="w")
        if rate is not None:
            optimizer.learning_rate = rate
        heights = []
        for i in range(STEPS):
            gradient = slope(parameter.data, i)
            if not np.isfinite(gradient).all() or np.abs(gradient).max() > 1e100:
                break
            steps(optimizer, [parameter], [[gradient]])
            heights.append(height(parameter.data))
        else:
            best = min(best, float(np.mean(heights[-STEPS // 4 :])))
    left = best / height(start)
    assert left < share, f"{STEPS} steps leave {left:.3g} of the height at the best of the rates {RATES}"


CHECKS = (_descends_convex, _descends_ill_conditioned, _descends_noisy, _descends_cliff)
