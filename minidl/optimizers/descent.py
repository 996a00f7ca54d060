"""Gradient descent, descent with momentum, and descent by signs: rules that scale every entry alike.

Batch, stochastic and mini-batch gradient descent are one rule, `SGD`, at different batch sizes:
`fit(..., batch_size=n)` with all n samples, 1, or a number between.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.optimizers.base import Optimizer, registry
from minidl.optimizers.laws import (
    BoundedStep,
    Coasts,
    ConstantGradient,
    DescentDirection,
    FirstStep,
    Homogeneous,
    Impulse,
    Linear,
    LookAhead,
    ProportionalToRate,
    ReducesTo,
    Rests,
    Shrinks,
    SignSymmetric,
)
from minidl.schedules import Hyperparameter

__all__ = ["SGD", "Lion", "Momentum", "Nesterov"]

Array = NDArray[Any]


@registry.register("gd")
class SGD(Optimizer):
    """Gradient descent: w ← w − η g.

    The gradient is that of the batch's mean loss, so the batch size alone makes it batch (all samples),
    stochastic (1) or mini-batch (between) gradient descent.

    Args:
        learning_rate: η, at least 0.

    Source: Robbins, Monro, A stochastic approximation method, 1951.
    Differs from: Keras's and PyTorch's SGD hold momentum too; here that is `Momentum` and `Nesterov`.

    >>> SGD.update(np.array([1.0]), np.array([0.5]), learning_rate=0.1)
    array([0.95])
    """

    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(1),
        Linear(),
        ConstantGradient(lambda g, t, **_: g),
        Impulse(lambda g, t, **_: g * (t == 1)),
    )

    def __init__(self, learning_rate: Hyperparameter = 0.01) -> None:
        super().__init__(learning_rate=learning_rate)

    @staticmethod
    def update(w: Array, g: Array, *, learning_rate: float) -> Array:
        """Return the new w."""
        return w - learning_rate * g


@registry.register()
class Momentum(Optimizer):
    """Descent with momentum: v ← μ v + (1 − τ) g; w ← w − η v.

    With `learning_rate_inside` the velocity is kept in units of w: v ← μ v + (1 − τ) η g; w ← w − v. The two
    are the same until η changes: outside, a new rate holds for the whole velocity; inside, for new
    gradients only.

    Args:
        learning_rate: η, at least 0.
        momentum: μ, in [0, 1).
        dampening: τ, in [0, 1]. 0 is the classical form; τ = μ the averaged one, in which v is an
            exponentially weighted mean of gradients.
        learning_rate_inside: Where η stands, see above.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    Differs from: Keras holds η inside; PyTorch's τ doesn't damp its first step (write τ as a schedule that
    starts at 0).

    >>> w, v = Momentum.update(np.array([1.0]), np.array([0.5]), np.array([1.0]),
    ...                        learning_rate=0.1, momentum=0.9, dampening=0.0, learning_rate_inside=False)
    >>> w, v
    (array([0.86]), array([1.4]))
    """

    slots = ("v",)
    ranges = {"dampening": "[0, 1]", "learning_rate_inside": "bool"}
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(dampening=0.0),
        ProportionalToRate(learning_rate_inside=False),
        Homogeneous(1),
        Linear(),
        Coasts(),
        ConstantGradient(
            lambda g, t, *, momentum, dampening, **_: (1 - dampening) * (1 - momentum**t) / (1 - momentum) * g
        ),
        Impulse(lambda g, t, *, momentum, dampening, **_: (1 - dampening) * momentum ** (t - 1) * g),
        ReducesTo("sgd", momentum=0.0, dampening=0.0),
        ReducesTo("momentum", there={"learning_rate_inside": False}, learning_rate_inside=True),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.01,
        momentum: Hyperparameter = 0.9,
        dampening: Hyperparameter = 0.0,
        learning_rate_inside: bool = False,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            dampening=dampening,
            learning_rate_inside=learning_rate_inside,
        )

    @staticmethod
    def update(
        w: Array, g: Array, v: Array, *, learning_rate: float, momentum: float, dampening: float,
        learning_rate_inside: bool,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Return the new w and v."""
        if learning_rate_inside:
            v = momentum * v + (1 - dampening) * learning_rate * g
            return w - v, v
        v = momentum * v + (1 - dampening) * g
        return w - learning_rate * v, v


@registry.register()
class Nesterov(Optimizer):
    """Nesterov's accelerated gradient: v ← μ v + g; w ← w − η (g + μ v).

    The look-ahead form takes the gradient at θ − η μ v: with w = θ − η μ v the two give the same numbers
    while η is constant. So `w`, where gradients are taken, is the point looked ahead to.

    With `learning_rate_inside`: v ← μ v + η g; w ← w − (η g + μ v).

    Args:
        learning_rate: η, at least 0.
        momentum: μ, in [0, 1).
        learning_rate_inside: Where η stands, see above; the same until η changes.

    Source: Nesterov, A method for solving the convex programming problem with convergence rate O(1/k²), 1983;
    in this form Bengio, Boulanger-Lewandowski, Pascanu, Advances in optimizing recurrent networks, 2013.
    Differs from: Keras holds η inside; PyTorch is as here.

    >>> w, v = Nesterov.update(np.array([1.0]), np.array([0.5]), np.array([1.0]),
    ...                        learning_rate=0.1, momentum=0.9, learning_rate_inside=False)
    >>> w.round(12), v
    (array([0.824]), array([1.4]))
    """

    slots = ("v",)
    ranges = {"learning_rate_inside": "bool"}
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(learning_rate_inside=False),
        Homogeneous(1),
        Linear(),
        LookAhead(),
        Coasts(),
        ConstantGradient(lambda g, t, *, momentum, **_: (1 + momentum * (1 - momentum**t) / (1 - momentum)) * g),
        Impulse(lambda g, t, *, momentum, **_: ((t == 1) + momentum**t) * g),
        ReducesTo("sgd", momentum=0.0),
        ReducesTo("nesterov", there={"learning_rate_inside": False}, learning_rate_inside=True),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.01,
        momentum: Hyperparameter = 0.9,
        learning_rate_inside: bool = False,
    ) -> None:
        super().__init__(learning_rate=learning_rate, momentum=momentum, learning_rate_inside=learning_rate_inside)

    @staticmethod
    def update(
        w: Array, g: Array, v: Array, *, learning_rate: float, momentum: float, learning_rate_inside: bool
    ) -> tuple[Array, Array]:
        """Return the new w and v."""
        if learning_rate_inside:
            v = momentum * v + learning_rate * g
            return w - (learning_rate * g + momentum * v), v
        v = momentum * v + g
        return w - learning_rate * (g + momentum * v), v


@registry.register()
class Lion(Optimizer):
    """Lion: c = β₁ m + (1 − β₁) g; w ← w − η (sign(c) + λ w); m ← β₂ m + (1 − β₂) g.

    Every entry moves by η, or stays where c is 0; the weight decay λ comes on top, apart from the gradient.

    Args:
        learning_rate: η, at least 0; the paper advises a third to a tenth of AdamW's.
        beta_1: β₁, in [0, 1): how much of m there is in the step.
        beta_2: β₂, in [0, 1): how much of m is kept.
        weight_decay: λ, at least 0; the paper advises three to ten times AdamW's.

    Source: Chen, Liang, Huang, Real, Wang, Liu, Pham, Dong, Luong, Hsieh, Lu, Le, Symbolic discovery of optimization
    algorithms, 2023, Algorithm 2.
    Differs from: Keras's learning rate is 0.001; Optax's weight decay is 0.001.

    >>> w, m = Lion.update(np.array([1.0]), np.array([-2.0]), np.array([1.0]),
    ...                    learning_rate=0.25, beta_1=0.5, beta_2=0.75, weight_decay=0.5)
    >>> w, m
    (array([1.125]), array([0.25]))
    """

    slots = ("m",)
    laws = (
        SignSymmetric(),
        Rests(weight_decay=0.0),
        DescentDirection(weight_decay=0.0),
        ProportionalToRate(),
        Homogeneous(0),
        FirstStep(1.0, weight_decay=0.0),
        BoundedStep(1.0, weight_decay=0.0),
        Shrinks(),
        ConstantGradient(lambda g, t, **_: np.sign(g), weight_decay=0.0),
        Impulse(
            lambda g, t, *, beta_1, beta_2, **_: np.sign(g) * (t == 1 or beta_1 * beta_2 ** (t - 2) > 0),
            weight_decay=0.0,
        ),
        ReducesTo(
            "adam",
            there={"beta_2": 0.0, "epsilon": 1e-300, "epsilon_root": 0.0},
            beta_1=0.0,
            weight_decay=0.0,
        ),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 1e-4,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.99,
        weight_decay: Hyperparameter = 0.0,
    ) -> None:
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, weight_decay=weight_decay)

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, *, learning_rate: float, beta_1: float, beta_2: float, weight_decay: float
    ) -> tuple[Array, Array]:
        """Return the new w and m."""
        c = beta_1 * m + (1 - beta_1) * g
        w = (1 - learning_rate * weight_decay) * w - learning_rate * np.sign(c)
        return w, beta_2 * m + (1 - beta_2) * g
