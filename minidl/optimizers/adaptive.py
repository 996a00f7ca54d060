"""Adaptive rules: each entry's step is scaled by the size of its own past gradients."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.optimizers.base import Optimizer, registry
from minidl.schedules import Hyperparameter

__all__ = ["AdaDelta", "AdaGrad", "Adam", "RMSprop"]

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
    ranges = {"initial_accumulator": "[0, inf)"}  # noqa: RUF012  # the base class declares it a ClassVar

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
        delta = np.sqrt(D + epsilon) / np.sqrt(E + epsilon) * g
        D = rho * D + (1 - rho) * (delta * delta)
        return w - learning_rate * delta, E, D


@registry.register()
class Adam(Optimizer):
    """Adam: m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w ← w − η m̂ / (√(v̂ + ε_root) + ε).

    The estimates are corrected for their start at zero: m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).

    Args:
        learning_rate: η, at least 0.
        beta_1: β₁, in [0, 1).
        beta_2: β₂, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.

    Source: Kingma, Ba, Adam: a method for stochastic optimization, 2015, Algorithm 1.
    Differs from: Keras and scikit-learn add ε to √v before its correction, which is our ε as the schedule
    ε / √(1 − β₂ᵗ): `epsilon=lambda step: 1e-7 / (1 - 0.999 ** (step + 1)) ** 0.5`. The course notebook's
    formula has ε inside the root (epsilon_root=1e-8, epsilon=0), its code outside.

    >>> w, m, v = Adam.update(np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.0]),
    ...                       learning_rate=0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0, epsilon_root=0.0, t=1)
    >>> w, m, v
    (array([0.5]), array([2.]), array([4.]))
    """

    slots = ("m", "v")

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.001,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.999,
        epsilon: Hyperparameter = 1e-8,
        epsilon_root: Hyperparameter = 0.0,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            epsilon_root=epsilon_root,
        )

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, v: Array, *, learning_rate: float, beta_1: float, beta_2: float,
        epsilon: float, epsilon_root: float, t: int,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return the new w, m and v."""
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * (g * g)
        m_hat = m / (1 - beta_1**t)
        v_hat = v / (1 - beta_2**t)
        return w - learning_rate * m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon), m, v
