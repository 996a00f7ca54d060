"""Keras's optimizers: its arguments and defaults, its places for ε, on our rules.

`tests/test_conventions.py` and `docs/conventions.md` tell of each what it is among ours, and how exactly.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from minidl import optimizers
from minidl.config import Configurable
from minidl.keras.face import Door, Doorway, defaults_only, found, missing, offered
from minidl.keras.optimizers import schedules
from minidl.schedules import CorrectedEpsilon
from minidl.validation import nearest

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "get",
    "schedules",
]


class Optimizer(Door):
    """What all of Keras's optimizers have in common.

    Every one also takes `weight_decay`, `clipnorm`, `clipvalue`, `global_clipnorm` and `name`. `use_ema` and
    `gradient_accumulation_steps` aren't supported: average with a callback, and give `fit` its `accumulate`.
    """

    makes: ClassVar[tuple[type, ...]] = (optimizers.Optimizer,)


# What every optimizer of Keras's takes beside, with defaults; the first ones are hooks of ours.
OPTIONS = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "name": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


def _finished(owner: str, optimizer: optimizers.Optimizer, options: dict[str, Any]) -> optimizers.Optimizer:
    """Put the hooks on an optimizer that stand for Keras's options; refuse what has none."""
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"keras {owner}: got an unexpected keyword argument {name!r}. {nearest(name, OPTIONS)}")
    clips = {name: options.pop(name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
    decay = options.pop("weight_decay", None)
    options.pop("name", None)
    hints = {"gradient_accumulation_steps": "minidl's own Trainer has fit(accumulate=)"}
    defaults_only(f"keras {owner}", OPTIONS, options, hints)
    if sum(value is not None for value in clips.values()) > 1:
        raise ValueError(
            f"keras {owner}: only one of clipnorm, clipvalue and global_clipnorm can be given. Received: {clips}"
        )
    hook_of: dict[str, Callable[[float], Any]] = {
        "clipnorm": optimizers.ClipByNorm,
        "clipvalue": optimizers.ClipByValue,
        "global_clipnorm": optimizers.ClipByGlobalNorm,
    }
    optimizer.hooks += [hook_of[name](value) for name, value in clips.items() if value is not None]
    if decay:
        optimizer.hooks.append(optimizers.WeightDecay(decay))
    return optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum if it isn't 0: v ← μ v − η g; w ← w + v."""

    makes = (optimizers.SGD, optimizers.Momentum, optimizers.Nesterov)

    def __new__(cls, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **options: Any) -> Any:
        if not momentum:
            return _finished("SGD", optimizers.SGD(learning_rate), options)
        rule = optimizers.Nesterov if nesterov else optimizers.Momentum
        return _finished("SGD", rule(learning_rate, momentum=momentum, learning_rate_inside=True), options)


class RMSprop(Optimizer):
    """w ← w − η g / √(s + ε), on request with momentum, or with the mean of g taken from s (`centered`)."""

    makes = (optimizers.RMSprop, optimizers.RMSpropMomentum, optimizers.CenteredRMSprop)

    def __new__(
        cls,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> Any:
        common = {"rho": rho, "epsilon": 0.0, "epsilon_root": epsilon}
        made: optimizers.Optimizer
        if centered:
            made = optimizers.CenteredRMSprop(learning_rate, momentum=momentum, **common)
        elif momentum:
            made = optimizers.RMSpropMomentum(learning_rate, momentum=momentum, **common)
        else:
            made = optimizers.RMSprop(learning_rate, **common)
        return _finished("RMSprop", made, options)


class Adagrad(Optimizer):
    """w ← w − η g / √(G + ε), G from 0.1 on."""

    makes = (optimizers.AdaGrad,)

    def __new__(
        cls,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> Any:
        made = optimizers.AdaGrad(
            learning_rate, initial_accumulator=initial_accumulator_value, epsilon=0.0, epsilon_root=epsilon
        )
        return _finished("Adagrad", made, options)


class Adadelta(Optimizer):
    """Zeiler's rule, its step times η."""

    makes = (optimizers.AdaDelta,)

    def __new__(cls, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **options: Any) -> Any:
        return _finished("Adadelta", optimizers.AdaDelta(learning_rate, rho=rho, epsilon=epsilon), options)


class Adam(Optimizer):
    """Adam, its ε added before the second moment is corrected; with `amsgrad` its maximum is kept."""

    makes = (optimizers.Adam, optimizers.AMSGrad)

    def __new__(
        cls,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> Any:
        common: dict[str, Any] = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": _late(epsilon, beta_2)}
        if amsgrad:
            return _finished("Adam", optimizers.AMSGrad(learning_rate, bias_correction=True, **common), options)
        return _finished("Adam", optimizers.Adam(learning_rate, **common), options)


class AdamW(Optimizer):
    """Adam with decoupled weight decay, by default 0.004."""

    makes = (optimizers.AdamW, optimizers.AMSGrad)

    def __new__(
        cls,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> Any:
        if amsgrad:
            return Adam(learning_rate, beta_1, beta_2, epsilon, True, weight_decay=weight_decay, **options)
        made = optimizers.AdamW(
            learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=_late(epsilon, beta_2), weight_decay=weight_decay
        )
        return _finished("AdamW", made, options)


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the second moment's root."""

    makes = (optimizers.Adamax,)

    def __new__(
        cls, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        **options: Any,
    ) -> Any:  # fmt: skip
        made = optimizers.Adamax(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        return _finished("Adamax", made, options)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum."""

    makes = (optimizers.Nadam,)

    def __new__(
        cls, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        **options: Any,
    ) -> Any:  # fmt: skip
        made = optimizers.Nadam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, momentum_decay=1.0)
        return _finished("Nadam", made, options)


class Lion(Optimizer):
    """A step of η by the sign of a mean of gradients."""

    makes = (optimizers.Lion,)

    def __new__(cls, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Any) -> Any:
        return _finished("Lion", optimizers.Lion(learning_rate, beta_1=beta_1, beta_2=beta_2), options)


class Lamb(Optimizer):
    """Adam's direction, each layer's step in proportion to its weights."""

    makes = (optimizers.LAMB,)

    def __new__(
        cls, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        **options: Any,
    ) -> Any:  # fmt: skip
        made = optimizers.LAMB(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, weight_decay=0.0)
        return _finished("Lamb", made, options)


def _late(epsilon: float, beta_2: float) -> Any:
    """Return the ε of ours that stands for one added before the correction."""
    return CorrectedEpsilon(epsilon, beta_2=beta_2) if epsilon else 0.0


def get(identifier: Any) -> Any:
    """Return the optimizer that a name such as "adam", a class or an object stands for, with Keras's defaults."""
    if isinstance(identifier, str):
        return found("optimizer", offered(globals(), Doorway, Optimizer), identifier)()
    if isinstance(identifier, Doorway):
        return identifier()
    if isinstance(identifier, dict):
        return optimizers.registry.get(identifier)
    if not isinstance(identifier, Configurable):
        raise TypeError(f"keras: an optimizer must be a name or an object. Received: {identifier!r}")
    return optimizers.registry.get(identifier)


__getattr__ = missing("keras.optimizers", __all__)
