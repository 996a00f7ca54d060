"""The optimizers, their base class, and the hooks that go around any of them."""

from minidl.optimizers import laws
from minidl.optimizers.adaptive import AdaDelta, AdaGrad, CenteredRMSprop, RMSprop, RMSpropMomentum
from minidl.optimizers.base import NonFiniteError, Optimizer, registry
from minidl.optimizers.descent import SGD, Lion, Momentum, Nesterov
from minidl.optimizers.hooks import L2, ClipByGlobalNorm, ClipByNorm, ClipByValue, Hook, WeightDecay
from minidl.optimizers.layerwise import LAMB
from minidl.optimizers.moments import Adam, Adamax, AdamW, AMSGrad, Nadam

__all__ = [
    "L2",
    "LAMB",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adamax",
    "CenteredRMSprop",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "Hook",
    "Lion",
    "Momentum",
    "Nadam",
    "Nesterov",
    "NonFiniteError",
    "Optimizer",
    "RMSprop",
    "RMSpropMomentum",
    "WeightDecay",
    "laws",
    "registry",
]
