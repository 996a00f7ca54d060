"""Gradient descent, and descent with momentum: rules that scale every entry alike.

Batch, stochastic and mini-batch gradient descent are one rule, `SGD`, at different batch sizes:
`fit(..., batch_size=n)` with all n samples, 1, or a number between.
"""

from typing import Any

from numpy.typing import NDArray

from minidl.optimizers.base import Optimizer, registry
from minidl.schedules import Hyperparameter

__all__ = ["SGD", "Momentum", "Nesterov"]

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
    ranges = {"dampening": "[0, 1]", "learning_rate_inside": "bool"}  # noqa: RUF012  # the base class declares it a ClassVar

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
    ranges = {"learning_rate_inside": "bool"}  # noqa: RUF012  # the base class declares it a ClassVar

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
