"""What there is to be tested: whatever minidl exports is found here, by every test that goes over all of a kind."""

import re

import numpy as np

from minidl import Parameter, optimizers
from minidl.parameters import flatten


def exported(module, base, *abstract):
    """Return the names in `module.__all__` that are classes of `base`, the abstract ones left out."""
    values = {name: getattr(module, name) for name in module.__all__}
    return {n for n, v in values.items() if isinstance(v, type) and issubclass(v, base)} - {base.__name__, *abstract}


def shown(value):
    """Return what a test's name says of a value; unlike `repr`, the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


RULES = [getattr(optimizers, name) for name in sorted(exported(optimizers, optimizers.Optimizer))]
ELEMENTWISE = [rule for rule in RULES if rule.elementwise]


def parameters_of(shapes, seed=0, dtype="f8", flat=False, scale=0.0):
    """Return parameters of these shapes, none of whose values is 0; their gradients have the scale."""
    rng = np.random.default_rng(seed)
    parameters = [Parameter(np.asarray(rng.standard_normal(shape), dtype), f"p{i}") for i, shape in enumerate(shapes)]
    for parameter in parameters if scale else ():
        parameter.grad = scale * rng.standard_normal(parameter.shape)
    if flat:
        flatten(parameters)
    return parameters
