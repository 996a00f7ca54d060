"""Adaptive rules: each entry's step is scaled by the size of its own past gradients."""

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
    ProportionalToRate,
    ReducesTo,
    Rests,
    SignSymmetric,
)
from minidl.schedules import Hyperparameter

__all__ = ["AdaDelta", "AdaGrad", "CenteredRMSprop", "RMSprop", "RMSpropMomentum"]

Array = NDArray[Any]


@registry.register()
class AdaGrad(Optimizer):
    """AdaGrad: G ← G + g²; w ← w − η g / (√(G + ε_root) + ε).

    Args:
        learning_rate: η, at least 0.
        initial_accumulator: G before the first step, at least 0.
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.

    Source: Duchi, Hazan, Singer, Adaptive subgradient methods for online learning and stochastic
    optimization, 2011.
    Differs from: Keras starts G at 0.1 and has ε = 1e-7 inside the root (epsilon_root); PyTorch's ε is 1e-10.

    >>> w, G = AdaGrad.update(np.array([1.0]), np.array([3.0]), np.array([16.0]),
    ...                       learning_rate=0.5, epsilon=0.0, epsilon_root=0.0)
    >>> w, G
    (array([0.7]), array([25.]))
    """

    slots = ("G",)
    ranges = {"initial_accumulator": "[0, inf)"}
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(0, initial_accumulator=0.0, epsilon=0.0, epsilon_root=0.0),
        FirstStep(1.0, initial_accumulator=0.0, epsilon=0.0, epsilon_root=0.0),
        BoundedStep(1.0),
        ConstantGradient(
            lambda g, t, *, initial_accumulator, epsilon, epsilon_root, **_: (
                g / (np.sqrt(initial_accumulator + t * g**2 + epsilon_root) + epsilon)
            )
        ),
        Impulse(
            lambda g, t, *, initial_accumulator, epsilon, epsilon_root, **_: (
                g * (t == 1) / (np.sqrt(initial_accumulator + g**2 + epsilon_root) + epsilon)
            )
        ),
        ReducesTo(
            "adagrad",
            there={"initial_accumulator": 0.0, "epsilon_root": 0.25},
            initial_accumulator=0.25,
            epsilon_root=0.0,
        ),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.01,
        initial_accumulator: float = 0.0,
        epsilon: Hyperparameter = 1e-8,
        epsilon_root: Hyperparameter = 0.0,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            initial_accumulator=initial_accumulator,
            epsilon=epsilon,
            epsilon_root=epsilon_root,
        )

    def init_slots(self, data: Array) -> dict[str, Array]:
        """Return G filled with the initial accumulator."""
        return {"G": np.full_like(data, self.current("initial_accumulator"))}

    @staticmethod
    def update(
        w: Array, g: Array, G: Array, *, learning_rate: float, epsilon: float, epsilon_root: float
    ) -> tuple[Array, Array]:
        """Return the new w and G."""
        G = G + g * g
        return w - learning_rate * g / (np.sqrt(G + epsilon_root) + epsilon), G


@registry.register()
class RMSprop(Optimizer):
    """RMSprop: s ← ρ s + (1 − ρ) g²; w ← w − η g / (√(s + ε_root) + ε).

    Args:
        learning_rate: η, at least 0.
        rho: ρ, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.

    Source: Tieleman, Hinton, Lecture 6.5 of Neural networks for machine learning, 2012.
    Differs from: Keras has ε = 1e-7 inside the root (epsilon_root); PyTorch's ρ is 0.99.

    >>> w, s = RMSprop.update(np.array([1.0]), np.array([4.0]), np.array([0.0]),
    ...                       learning_rate=0.5, rho=0.75, epsilon=0.0, epsilon_root=0.0)
    >>> w, s
    (array([0.]), array([4.]))
    """

    slots = ("s",)
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(0, epsilon=0.0, epsilon_root=0.0),
        FirstStep(2.0, rho=0.75, epsilon=0.0, epsilon_root=0.0),
        BoundedStep(2.0, rho=0.75),
        ConstantGradient(
            lambda g, t, *, rho, epsilon, epsilon_root, **_: g / (np.sqrt((1 - rho**t) * g**2 + epsilon_root) + epsilon)
        ),
        Impulse(
            lambda g, t, *, rho, epsilon, epsilon_root, **_: (
                g * (t == 1) / (np.sqrt((1 - rho) * g**2 + epsilon_root) + epsilon)
            )
        ),
        ReducesTo(  # dividing s by 1 − ρᵗ multiplies η, and ε, by the root of it
            "adam",
            there={"learning_rate": 0.01, "beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-3, "epsilon_root": 0.0},
            learning_rate=lambda step: 0.01 * (1 - 0.9 ** (step + 1)) ** 0.5,
            rho=0.9,
            epsilon=lambda step: 1e-3 * (1 - 0.9 ** (step + 1)) ** 0.5,
            epsilon_root=0.0,
        ),
        ReducesTo(  # s is the mean of all g², G / t
            "adagrad",
            there={"learning_rate": 0.01, "initial_accumulator": 0.0, "epsilon": 1e-3, "epsilon_root": 0.0},
            learning_rate=lambda step: 0.01 / (step + 1) ** 0.5,
            rho=lambda step: 1 - 1 / (step + 1),
            epsilon=lambda step: 1e-3 / (step + 1) ** 0.5,
            epsilon_root=0.0,
        ),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.001,
        rho: Hyperparameter = 0.9,
        epsilon: Hyperparameter = 1e-8,
        epsilon_root: Hyperparameter = 0.0,
    ) -> None:
        super().__init__(learning_rate=learning_rate, rho=rho, epsilon=epsilon, epsilon_root=epsilon_root)

    @staticmethod
    def update(
        w: Array, g: Array, s: Array, *, learning_rate: float, rho: float, epsilon: float, epsilon_root: float
    ) -> tuple[Array, Array]:
        """Return the new w and s."""
        s = rho * s + (1 - rho) * (g * g)
        return w - learning_rate * g / (np.sqrt(s + epsilon_root) + epsilon), s


@registry.register()
class RMSpropMomentum(Optimizer):
    """RMSprop with momentum: s ← ρ s + (1 − ρ) g²; v ← μ v + η g / (√(s + ε_root) + ε); w ← w − v.

    The velocity is in units of w: a new learning rate holds for new gradients only.

    Args:
        learning_rate: η, at least 0.
        rho: ρ, in [0, 1).
        momentum: μ, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.

    Source: Tieleman, Hinton, Lecture 6.5 of Neural networks for machine learning, 2012, which names the combination; η
    inside the velocity as in Graves, Generating sequences with recurrent neural networks, 2013.
    Differs from: Keras and Optax have ε inside the root (epsilon_root), and Keras momentum 0; PyTorch's ρ is 0.99, its
    momentum 0, and η multiplies the whole velocity: the same until η changes.

    >>> w, s, v = RMSpropMomentum.update(np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.5]),
    ...                                  learning_rate=0.5, rho=0.75, momentum=0.5, epsilon=0.0, epsilon_root=0.0)
    >>> w, s, v
    (array([-0.25]), array([4.]), array([1.25]))
    """

    slots = ("s", "v")
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(momentum=0.0),
        Homogeneous(0, epsilon=0.0, epsilon_root=0.0),
        FirstStep(2.0, rho=0.75, epsilon=0.0, epsilon_root=0.0),
        BoundedStep(4.0, rho=0.75, momentum=0.5),
        Coasts(),
        ConstantGradient(
            lambda g, t, *, rho, momentum, epsilon, epsilon_root, **_: sum(
                momentum ** (t - i) * g / (np.sqrt((1 - rho**i) * g**2 + epsilon_root) + epsilon)
                for i in range(1, t + 1)
            )
        ),
        Impulse(
            lambda g, t, *, rho, momentum, epsilon, epsilon_root, **_: (
                momentum ** (t - 1) * g / (np.sqrt((1 - rho) * g**2 + epsilon_root) + epsilon)
            )
        ),
        ReducesTo("rmsprop", momentum=0.0),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.001,
        rho: Hyperparameter = 0.9,
        momentum: Hyperparameter = 0.9,
        epsilon: Hyperparameter = 1e-8,
        epsilon_root: Hyperparameter = 0.0,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, rho=rho, momentum=momentum, epsilon=epsilon, epsilon_root=epsilon_root
        )

    @staticmethod
    def update(
        w: Array, g: Array, s: Array, v: Array, *, learning_rate: float, rho: float, momentum: float,
        epsilon: float, epsilon_root: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return the new w, s and v."""
        s = rho * s + (1 - rho) * (g * g)
        v = momentum * v + learning_rate * g / (np.sqrt(s + epsilon_root) + epsilon)
        return w - v, s, v


@registry.register()
class CenteredRMSprop(Optimizer):
    """Centred RMSprop with momentum: v ← μ v + η g / (√(s − m² + ε_root) + ε); w ← w − v.

    The gradient is divided by its standard deviation, from s ← ρ s + (1 − ρ) g² and m ← ρ m + (1 − ρ) g. While
    gradients hardly change, s − m² is next to nothing; one that rounding makes negative counts as 0.

    Args:
        learning_rate: η, at least 0.
        rho: ρ, in [0, 1).
        momentum: μ, in [0, 1); 0 is the rule without momentum.
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0; it bounds a step where gradients are all alike.

    Source: Graves, Generating sequences with recurrent neural networks, 2013, equations 38 to 45.
    Differs from: Keras's and PyTorch's RMSprop(centered=True) have momentum 0, Keras ρ = 0.9, PyTorch ρ = 0.99 and ε
    outside the root; PyTorch's η multiplies the whole velocity: the same until η changes.

    >>> w, s, m, v = CenteredRMSprop.update(
    ...     np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.0]), np.array([0.5]),
    ...     learning_rate=0.5, rho=0.5, momentum=0.5, epsilon=0.0, epsilon_root=0.0)
    >>> w, s, m, v
    (array([-0.25]), array([8.]), array([2.]), array([1.25]))
    """

    slots = ("s", "m", "v")
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(momentum=0.0),
        Homogeneous(0, rho=0.95, epsilon=0.0, epsilon_root=0.0),
        FirstStep(2.0, rho=0.5, epsilon=0.0, epsilon_root=0.0),
        Coasts(),
        ConstantGradient(
            lambda g, t, *, rho, momentum, epsilon, epsilon_root, **_: sum(
                momentum ** (t - i) * g / (np.sqrt(rho**i * (1 - rho**i) * g**2 + epsilon_root) + epsilon)
                for i in range(1, t + 1)
            ),
            rho=0.95,
        ),
        Impulse(
            lambda g, t, *, rho, momentum, epsilon, epsilon_root, **_: (
                momentum ** (t - 1) * g / (np.sqrt(rho * (1 - rho) * g**2 + epsilon_root) + epsilon)
            )
        ),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 1e-4,
        rho: Hyperparameter = 0.95,
        momentum: Hyperparameter = 0.9,
        epsilon: Hyperparameter = 0.0,
        epsilon_root: Hyperparameter = 1e-4,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, rho=rho, momentum=momentum, epsilon=epsilon, epsilon_root=epsilon_root
        )

    @staticmethod
    def update(
        w: Array, g: Array, s: Array, m: Array, v: Array, *, learning_rate: float, rho: float, momentum: float,
        epsilon: float, epsilon_root: float,
    ) -> tuple[Array, Array, Array, Array]:  # fmt: skip
        """Return the new w, s, m and v."""
        s = rho * s + (1 - rho) * (g * g)
        m = rho * m + (1 - rho) * g
        variance = np.maximum(s - m * m, 0)
        v = momentum * v + learning_rate * g / (np.sqrt(variance + epsilon_root) + epsilon)
        return w - v, s, m, v


def _delta(g: Array, t: int, rho: float, epsilon: float) -> Array:
    """Return AdaDelta's t-th step along one gradient: E is then (1 − ρⁱ) g²; D has no closed form."""
    D = square = np.zeros_like(g)
    for i in range(1, t + 1):
        square = (D + epsilon) * g**2 / ((1 - rho**i) * g**2 + epsilon)
        D = rho * D + (1 - rho) * square
    return np.sign(g) * np.sqrt(square)


@registry.register()
class AdaDelta(Optimizer):
    """AdaDelta: E ← ρ E + (1 − ρ) g²; Δ = √(D + ε) / √(E + ε) · g; D ← ρ D + (1 − ρ) Δ²; w ← w − η Δ.

    Args:
        learning_rate: η, at least 0; 1 is the paper's rule, which has none.
        rho: ρ, in [0, 1).
        epsilon: ε, at least 0; with 0 no step is ever made, since D starts at 0.

    Source: Zeiler, ADADELTA: an adaptive learning rate method, 2012, Algorithm 1.
    Differs from: Keras's learning rate is 0.001 and its ε 1e-7; PyTorch's ρ is 0.9.

    >>> w, E, D = AdaDelta.update(np.array([1.0]), np.array([2.0]), np.array([0.0]), np.array([0.0]),
    ...                           learning_rate=1.0, rho=0.75, epsilon=1.0)
    >>> w.round(6), E, D
    (array([-0.414214]), array([1.]), array([0.5]))
    """

    slots = ("E", "D")
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        ConstantGradient(lambda g, t, **hyper: _delta(g, t, hyper["rho"], hyper["epsilon"])),
        Impulse(
            lambda g, t, *, rho, epsilon, **_: g * (t == 1) * np.sqrt(epsilon) / np.sqrt((1 - rho) * g**2 + epsilon)
        ),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 1.0,
        rho: Hyperparameter = 0.95,
        epsilon: Hyperparameter = 1e-6,
    ) -> None:
        super().__init__(learning_rate=learning_rate, rho=rho, epsilon=epsilon)

    @staticmethod
    def update(
        w: Array, g: Array, E: Array, D: Array, *, learning_rate: float, rho: float, epsilon: float
    ) -> tuple[Array, Array, Array]:
        """Return the new w, E and D."""
        E = rho * E + (1 - rho) * (g * g)
        delta = np.sqrt((D + epsilon) / (E + epsilon)) * g
        D = rho * D + (1 - rho) * (delta * delta)
        return w - learning_rate * delta, E, D
