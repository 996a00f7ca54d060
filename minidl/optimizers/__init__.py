"""The optimizers, their base class, and the hooks that go around any of them."""

from minidl.optimizers.adaptive import AdaDelta, AdaGrad, Adam, RMSprop
from minidl.optimizers.base import Optimizer, registry
from minidl.optimizers.descent import SGD, Momentum, Nesterov
from minidl.optimizers.hooks import L2, ClipByGlobalNorm, ClipByValue, Hook, WeightDecay

__all__ = [
    "L2",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "ClipByGlobalNorm",
    "ClipByValue",
    "Hook",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "WeightDecay",
    "registry",
]
