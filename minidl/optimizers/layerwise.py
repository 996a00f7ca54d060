"""Layerwise rules: a step is as long as its whole parameter says, so that deep nets take large batches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.optimizers.base import Optimizer, registry
from minidl.optimizers.laws import (
    DescentDirection,
    Homogeneous,
    OneStep,
    ProportionalToRate,
    Rests,
    SignSymmetric,
)
from minidl.schedules import Hyperparameter

__all__ = ["LAMB"]

Array = NDArray[Any]


def _as_long_as(w: Array, r: Array) -> Array:
    """Return r at the length of w."""
    return r / np.sqrt((r**2).sum()) * np.sqrt((w**2).sum()) if w.any() else r


@registry.register()
class LAMB(Optimizer):
    """LAMB: r = m̂ / (√(v̂ + ε_root) + ε) + λ w, with Adam's m̂ and v̂; w ← w − η ‖w‖ / ‖r‖ · r.

    The norms are Euclidean, over one whole parameter: each moves by η times its own length. Where ‖w‖ or ‖r‖ is 0, the
    ratio ‖w‖ / ‖r‖ counts as 1, so that parameters which start at zero move as under Adam.

    Args:
        learning_rate: η, at least 0.
        beta_1: β₁, in [0, 1).
        beta_2: β₂, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.
        weight_decay: λ, at least 0.

    Source: You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer, Hsieh, Large batch optimization for deep
    learning: training BERT in 76 minutes, 2020, Algorithm 2, φ(‖w‖) = ‖w‖; it says nothing of norms that are 0.
    Differs from: Optax has λ = 0; so has Keras, with ε = 1e-7, and its weight decay is AdamW's, outside the ratio (as
    the hook WeightDecay).

    >>> w, m, v = LAMB.update(np.array([3.0, -4.0]), np.array([2.0, -2.0]), np.zeros(2), np.zeros(2), weight_decay=0.0,
    ...                       learning_rate=0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0, epsilon_root=0.0, t=1)
    >>> w.round(6), m, v  # r = [1, -1], and ‖w‖ / ‖r‖ = 5 / √2
    (array([ 1.232233, -2.232233]), array([ 1., -1.]), array([1., 1.]))
    """

    slots = ("m", "v")
    elementwise = False
    laws = (
        SignSymmetric(),
        Rests(weight_decay=0.0),
        DescentDirection(weight_decay=0.0),
        ProportionalToRate(),
        OneStep(
            lambda w, g, *, epsilon, epsilon_root, weight_decay, **_: _as_long_as(
                w, g / (np.sqrt(g**2 + epsilon_root) + epsilon) + weight_decay * w
            )
        ),
        Homogeneous(0, learning_rate=0.1, epsilon=0.0, epsilon_root=0.0),  # a rate of 1 may reach ‖w‖ = 0, or not quite
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.001,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.999,
        epsilon: Hyperparameter = 1e-6,
        epsilon_root: Hyperparameter = 0.0,
        weight_decay: Hyperparameter = 0.01,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            epsilon_root=epsilon_root,
            weight_decay=weight_decay,
        )

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, v: Array, *, learning_rate: float, beta_1: float, beta_2: float,
        epsilon: float, epsilon_root: float, weight_decay: float, t: int,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return the new w, m and v."""
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * (g * g)
        m_hat = 1 / (1 - beta_1**t) * m
        v_hat = 1 / (1 - beta_2**t) * v
        r = m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon) + weight_decay * w
        lengths = float(np.linalg.norm(w)), float(np.linalg.norm(r))
        ratio = lengths[0] / lengths[1] if all(lengths) else 1.0
        return w - learning_rate * ratio * r, m, v
