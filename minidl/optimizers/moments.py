"""Adam and its kin: a mean of gradients, divided by the size of past gradients, entry by entry."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.optimizers.base import Optimizer, registry
from minidl.optimizers.laws import (
    BoundedStep,
    ConstantGradient,
    DescentDirection,
    FirstStep,
    Homogeneous,
    Impulse,
    ProportionalToRate,
    ReducesTo,
    Rests,
    Shrinks,
    SignSymmetric,
)
from minidl.schedules import Hyperparameter

__all__ = ["AMSGrad", "Adam", "AdamW", "Adamax", "Nadam"]

Array = NDArray[Any]


def _shrunk(beta: float, t: int) -> float:
    """Return what a corrected mean at step t makes of a one at the first step and zeros since."""
    return (1 - beta) * beta ** (t - 1) / (1 - beta**t)


# A corrected mean of equal numbers is that number, from the first step on.
_UNCHANGING = ConstantGradient(lambda g, t, *, epsilon, epsilon_root, **_: g / (np.sqrt(g**2 + epsilon_root) + epsilon))


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
    ε / √(1 − β₂ᵗ): `epsilon=schedules.CorrectedEpsilon(1e-7)`. The course notebook's
    formula has ε inside the root (epsilon_root=1e-8, epsilon=0), its code outside.

    >>> w, m, v = Adam.update(np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.0]),
    ...                       learning_rate=0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0, epsilon_root=0.0, t=1)
    >>> w, m, v
    (array([0.5]), array([2.]), array([4.]))
    """

    slots = ("m", "v")
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(0, epsilon=0.0, epsilon_root=0.0),
        FirstStep(1.0, epsilon=0.0, epsilon_root=0.0),
        BoundedStep(7.28, beta_1=0.9, beta_2=0.999),
        _UNCHANGING,
        Impulse(
            lambda g, t, *, beta_1, beta_2, epsilon, epsilon_root, **_: (
                _shrunk(beta_1, t) * g / (np.sqrt(_shrunk(beta_2, t) * g**2 + epsilon_root) + epsilon)
            )
        ),
    )

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
        m_hat = 1 / (1 - beta_1**t) * m
        v_hat = 1 / (1 - beta_2**t) * v
        return w - learning_rate * m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon), m, v


@registry.register()
class AdamW(Optimizer):
    """Adam with decoupled weight decay: w ← (1 − η λ) w; then Adam's step.

    The decay isn't part of the gradient, so Adam doesn't divide it by the gradient's size. A parameter's
    `weight_decay_multiplier` multiplies λ; 0 is usual for biases.

    Args:
        learning_rate: η, at least 0.
        beta_1: β₁, in [0, 1).
        beta_2: β₂, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.
        weight_decay: λ, at least 0.

    Source: Loshchilov, Hutter, Decoupled weight decay regularization, 2019, Algorithm 2.
    Differs from: in the paper the schedule alone multiplies λ, not η; PyTorch is as here; Keras's λ is 0.004, Optax's
    0.0001. Keras adds ε as in its Adam.

    >>> w, m, v = AdamW.update(np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.0]), weight_decay=0.5,
    ...                        learning_rate=0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0, epsilon_root=0.0, t=1)
    >>> w, m, v
    (array([0.25]), array([2.]), array([4.]))
    """

    slots = ("m", "v")
    laws = (
        SignSymmetric(),
        Rests(weight_decay=0.0),
        DescentDirection(weight_decay=0.0),
        ProportionalToRate(),
        Homogeneous(0, epsilon=0.0, epsilon_root=0.0),
        BoundedStep(7.28, beta_1=0.9, beta_2=0.999, weight_decay=0.0),
        Shrinks(),
        ReducesTo("adam", weight_decay=0.0),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.001,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.999,
        epsilon: Hyperparameter = 1e-8,
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
        w: Array, g: Array, m: Array, v: Array, *, weight_decay: float, learning_rate: float, **rest: Any
    ) -> tuple[Array, Array, Array]:
        """Return the new w, m and v."""
        w = (1 - learning_rate * weight_decay) * w
        return Adam.update(w, g, m, v, learning_rate=learning_rate, **rest)


@registry.register()
class AMSGrad(Optimizer):
    """AMSGrad: Adam's m and v; v_max ← max(v_max, v); w ← w − η m / (√(v_max + ε_root) + ε).

    With `bias_correction`: w ← w − η m̂ / (√(v̂_max + ε_root) + ε), m̂ = m / (1 − β₁ᵗ), v̂_max = v_max / (1 − β₂ᵗ).

    Args:
        learning_rate: η, at least 0.
        beta_1: β₁, in [0, 1).
        beta_2: β₂, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.
        bias_correction: Whether m and v_max are corrected for their start at zero.

    Source: Reddi, Kale, Kumar, On the convergence of Adam and beyond, 2018, Algorithm 2, which has no ε.
    Differs from: PyTorch's Adam(amsgrad=True) has the bias correction; so has Keras's, with ε as in its Adam. Optax
    takes the maximum of corrected v: without `bias_correction`, β₁ and β₂ as the schedules β (1 − βᵗ⁻¹) / (1 − βᵗ).

    >>> w, m, v, v_max = AMSGrad.update(
    ...     np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.0]), np.array([16.0]), learning_rate=0.5,
    ...     beta_1=0.5, beta_2=0.75, epsilon=0.0, epsilon_root=0.0, bias_correction=False, t=1)
    >>> w, m, v, v_max
    (array([0.75]), array([2.]), array([4.]), array([16.]))
    """

    slots = ("m", "v", "v_max")
    ranges = {"bias_correction": "bool"}
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(0, epsilon=0.0, epsilon_root=0.0),
        FirstStep(1.0, epsilon=0.0, epsilon_root=0.0, bias_correction=True),
        BoundedStep(7.28, beta_1=0.9, beta_2=0.999),
        ConstantGradient(_UNCHANGING.step, bias_correction=True),
        ConstantGradient(
            lambda g, t, *, beta_1, beta_2, epsilon, epsilon_root, **_: (
                (1 - beta_1**t) * g / (np.sqrt((1 - beta_2**t) * g**2 + epsilon_root) + epsilon)
            ),
            bias_correction=False,
        ),
        Impulse(
            lambda g, t, *, beta_1, beta_2, epsilon, epsilon_root, **_: (
                (1 - beta_1) * beta_1 ** (t - 1) * g / (np.sqrt((1 - beta_2) * g**2 + epsilon_root) + epsilon)
            ),
            bias_correction=False,
        ),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.001,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.999,
        epsilon: Hyperparameter = 1e-8,
        epsilon_root: Hyperparameter = 0.0,
        bias_correction: bool = False,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            epsilon_root=epsilon_root,
            bias_correction=bias_correction,
        )

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, v: Array, v_max: Array, *, learning_rate: float, beta_1: float, beta_2: float,
        epsilon: float, epsilon_root: float, bias_correction: bool, t: int,
    ) -> tuple[Array, Array, Array, Array]:  # fmt: skip
        """Return the new w, m, v and v_max."""
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * (g * g)
        v_max = np.maximum(v_max, v)
        m_hat = 1 / (1 - beta_1**t) * m if bias_correction else m
        v_hat = 1 / (1 - beta_2**t) * v_max if bias_correction else v_max
        return w - learning_rate * m_hat / (np.sqrt(v_hat + epsilon_root) + epsilon), m, v, v_max


@registry.register()
class Nadam(Optimizer):
    """Nadam, Adam with Nesterov's momentum: w ← w − η m̄ / (√(v̂ + ε_root) + ε).

    With Adam's m, v and v̂, m̄ = μₜ₊₁ m / (1 − μ₁ ⋯ μₜ₊₁) + (1 − μₜ) g / (1 − μ₁ ⋯ μₜ), where the momentum grows towards
    β₁: μₜ = β₁ (1 − 0.5 · 0.96^(δ t)).

    Args:
        learning_rate: η, at least 0.
        beta_1: β₁, in [0, 1).
        beta_2: β₂, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_root: ε_root, at least 0.
        momentum_decay: δ, at least 0; where it is very large (1e6), μ is β₁ from the start.

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016. The paper prints one more factor β₂ in v̂, which
    no framework computes.
    Differs from: Keras's δ is 1 and its ε 1e-7; PyTorch is as here; Optax's nadam has a constant μ (δ = 1e6).

    >>> update = dict(learning_rate=0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0, epsilon_root=0.0, t=1)
    >>> w, m, v = Nadam.update(np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([0.0]),
    ...                        mu=0.5, mu_next=0.5, mu_product=0.5, **update)
    >>> w.round(6), m, v  # m̄ = 0.5 · 2 / 0.75 + 0.5 · 4 / 0.5, over 4
    (array([0.333333]), array([2.]), array([4.]))
    """

    slots = ("m", "v")
    ranges = {"momentum_decay": "[0, inf)"}
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(0, epsilon=0.0, epsilon_root=0.0),
        ConstantGradient(
            lambda g, t, *, beta_1, epsilon, epsilon_root, momentum_decay, **_: (
                ((1 - beta_1**t) * _ahead(t, beta_1, momentum_decay) + _now(t, beta_1, momentum_decay))
                * g
                / (np.sqrt(g**2 + epsilon_root) + epsilon)
            )
        ),
        Impulse(
            lambda g, t, *, beta_1, beta_2, epsilon, epsilon_root, momentum_decay, **_: (
                (
                    (1 - beta_1) * beta_1 ** (t - 1) * _ahead(t, beta_1, momentum_decay)
                    + (t == 1) * _now(t, beta_1, momentum_decay)
                )
                * g
                / (np.sqrt(_shrunk(beta_2, t) * g**2 + epsilon_root) + epsilon)
            )
        ),
        ReducesTo("adam", beta_1=0.0),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.002,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.999,
        epsilon: Hyperparameter = 1e-8,
        epsilon_root: Hyperparameter = 0.0,
        momentum_decay: Hyperparameter = 0.004,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            epsilon_root=epsilon_root,
            momentum_decay=momentum_decay,
        )

    @staticmethod
    def prepare(t: int, beta_1: float, momentum_decay: float, mu_product: float = 1.0) -> dict[str, float]:
        """Return μₜ, μₜ₊₁ and the product of all μ up to μₜ."""
        mu, mu_next = _mu(t, beta_1, momentum_decay), _mu(t + 1, beta_1, momentum_decay)
        return {"mu": mu, "mu_next": mu_next, "mu_product": mu_product * mu}

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, v: Array, *, learning_rate: float, beta_1: float, beta_2: float,
        epsilon: float, epsilon_root: float, t: int, mu: float, mu_next: float, mu_product: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return the new w, m and v."""
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * (g * g)
        m_bar = mu_next / (1 - mu_product * mu_next) * m + (1 - mu) / (1 - mu_product) * g
        v_hat = 1 / (1 - beta_2**t) * v
        return w - learning_rate * m_bar / (np.sqrt(v_hat + epsilon_root) + epsilon), m, v


@registry.register()
class Adamax(Optimizer):
    """Adamax: m ← β₁ m + (1 − β₁) g; u ← max(β₂ u, |g| + ε_max); w ← w − η / (1 − β₁ᵗ) · m / (u + ε).

    Args:
        learning_rate: η, at least 0.
        beta_1: β₁, in [0, 1).
        beta_2: β₂, in [0, 1).
        epsilon: ε, at least 0. If both are 0, an entry whose gradients were all 0 becomes 0 / 0 = NaN.
        epsilon_max: ε_max, inside the maximum, at least 0.

    Source: Kingma, Ba, Adam: a method for stochastic optimization, 2015, Algorithm 2, which has no ε.
    Differs from: PyTorch and Optax have ε inside the maximum (epsilon_max=1e-8, epsilon=0); Keras has it outside,
    ε = 1e-7.

    >>> w, m, u = Adamax.update(np.array([1.0]), np.array([4.0]), np.array([0.0]), np.array([16.0]),
    ...                         learning_rate=0.5, beta_1=0.5, beta_2=0.5, epsilon=0.0, epsilon_max=0.0, t=1)
    >>> w, m, u
    (array([0.75]), array([2.]), array([8.]))
    """

    slots = ("m", "u")
    ranges = {"epsilon_max": "[0, inf)"}
    laws = (
        SignSymmetric(),
        Rests(),
        DescentDirection(),
        ProportionalToRate(),
        Homogeneous(0, epsilon=0.0, epsilon_max=0.0),
        FirstStep(1.0, epsilon=0.0, epsilon_max=0.0),
        BoundedStep(1.01, beta_1=0.9, beta_2=0.999),
        ConstantGradient(lambda g, t, *, epsilon, epsilon_max, **_: g / (np.abs(g) + epsilon_max + epsilon)),
        Impulse(
            lambda g, t, *, beta_1, beta_2, epsilon, epsilon_max, **_: (
                _shrunk(beta_1, t)
                * g
                / (np.maximum(beta_2 ** (t - 1) * (np.abs(g) + epsilon_max), epsilon_max) + epsilon)
            )
        ),
        ReducesTo("adam", there={"epsilon_root": 0.0}, beta_2=0.0, epsilon_max=0.0),
    )

    def __init__(
        self,
        learning_rate: Hyperparameter = 0.002,
        beta_1: Hyperparameter = 0.9,
        beta_2: Hyperparameter = 0.999,
        epsilon: Hyperparameter = 1e-8,
        epsilon_max: Hyperparameter = 0.0,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, epsilon_max=epsilon_max
        )

    @staticmethod
    def update(
        w: Array, g: Array, m: Array, u: Array, *, learning_rate: float, beta_1: float, beta_2: float,
        epsilon: float, epsilon_max: float, t: int,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return the new w, m and u."""
        m = beta_1 * m + (1 - beta_1) * g
        u = np.maximum(beta_2 * u, np.abs(g) + epsilon_max)
        return w - learning_rate / (1 - beta_1**t) * m / (u + epsilon), m, u


def _mu(t: int, beta_1: float, momentum_decay: float) -> float:
    return beta_1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))


def _ahead(t: int, beta_1: float, momentum_decay: float) -> float:
    """Return what multiplies m at step t, from all μ so far and the next."""
    mus = [_mu(i, beta_1, momentum_decay) for i in range(1, t + 2)]
    return mus[-1] / (1 - math.prod(mus))


def _now(t: int, beta_1: float, momentum_decay: float) -> float:
    """Return what multiplies g at step t, from all μ so far."""
    mus = [_mu(i, beta_1, momentum_decay) for i in range(1, t + 1)]
    return (1 - mus[-1]) / (1 - math.prod(mus))
