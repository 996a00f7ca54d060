"""Bugs that lived in other frameworks, made anew: each fails exactly the checks that should catch it."""

from collections import defaultdict

import numpy as np
import pytest
from faults import failures

from minidl.optimizers import Adam, Nesterov, Optimizer
from minidl.optimizers.laws import ProportionalToRate

EXAMPLES = 5


# Rules -----------------------------------------------------------------------------------------------------


class NewVelocity(Nesterov):
    """The velocity after the step where the equation has the one before it: chainer#4274."""

    @staticmethod
    def update(w, g, v, *, learning_rate, momentum, learning_rate_inside):
        inside, outside = (learning_rate, 1.0) if learning_rate_inside else (1.0, learning_rate)
        v = momentum * v + inside * g
        return w - outside * ((1 + momentum) * inside * g + momentum**2 * v), v


class Uncorrected(Adam):
    """Adam without a bias correction, which is MLX's default."""

    @staticmethod
    def update(w, g, m, v, *, learning_rate, beta_1, beta_2, epsilon, epsilon_root):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * (g * g)
        return w - learning_rate * m / (np.sqrt(v + epsilon_root) + epsilon), m, v


class RateInside(Optimizer):
    """The rate inside the velocity, said to be outside: a new rate doesn't hold for the old velocity."""

    slots = ("v",)
    laws = (ProportionalToRate(),)

    def __init__(self, learning_rate=0.01, momentum=0.9):
        super().__init__(learning_rate=learning_rate, momentum=momentum)

    @staticmethod
    def update(w, g, v, *, learning_rate, momentum):
        v = momentum * v + learning_rate * g
        return w - v, v


class StrongScalar(Optimizer):
    """NumPy's scalars of float64 in the formula, which widen float32: netket#1218."""

    slots = ("v",)

    def __init__(self, learning_rate=0.01, beta_2=0.9):
        super().__init__(learning_rate=learning_rate, beta_2=beta_2)

    @staticmethod
    def update(w, g, v, *, learning_rate, beta_2, t):
        v = beta_2 * v + (1 - beta_2) * (g * g)
        return w - learning_rate * np.sqrt(1 - beta_2**t) * g / (np.sqrt(v) + 1e-8), v


# Optimizers that aren't minidl's ---------------------------------------------------------------------------


class Own:
    """Another Adam, with `step(parameters)` and no more; it does well all that the bugs below aren't about."""

    __slots__ = ("memory",)

    def __init__(self):
        self.memory = defaultdict(dict)

    def step(self, parameters):
        if len(set(parameters)) < len(parameters):
            raise ValueError("a parameter is given twice")
        trained = [parameter for parameter in parameters if parameter.trainable]
        if not all(np.isfinite(parameter.grad).all() for parameter in trained):
            raise FloatingPointError("a gradient isn't finite")
        for parameter in trained:
            self.move(parameter, self.memory[self.key(parameter)])

    def key(self, parameter):
        return parameter

    def move(self, parameter, memory):
        m, v, t = memory.get("m", 0), memory.get("v", 0), memory.get("t", 0) + 1
        dtype = self.dtype(parameter)
        g = parameter.grad.astype(dtype)
        m = np.asarray(0.9 * m + 0.1 * g, dtype)
        v = np.asarray(0.99 * v + 0.01 * g * g, dtype)
        if not np.isfinite(v).all():
            raise FloatingPointError("a gradient is too large")
        memory.update(m=m, v=v, t=t)
        self.subtract(parameter, 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + dtype.type(1e-8)))

    def dtype(self, parameter):
        return np.promote_types(parameter.dtype, np.float32)

    def subtract(self, parameter, step):
        parameter.data = parameter.data - step


class HalfPrecision(Own):
    """Half precision computed in itself, where ε = 1e-8 is 0 and a zero gradient makes 0 / 0: optax#1754."""

    __slots__ = ()

    def dtype(self, parameter):
        return parameter.dtype


class DoublePrecision(Own):
    """Slots in float64 whatever the parameter is in."""

    __slots__ = ()

    def dtype(self, parameter):
        return np.dtype(np.float64)

    @property
    def state(self):
        return {parameter: {name: memory[name] for name in "mv"} for parameter, memory in self.memory.items()}


class ByShape(Own):
    """What is kept is found by the parameter's shape."""

    __slots__ = ()

    def key(self, parameter):
        return parameter.shape


class ByName(Own):
    """What is kept is found by the parameter's bare name, as in numpy-ml, where two layers have a "W" each."""

    __slots__ = ()

    def key(self, parameter):
        return parameter.name


class Rebinding(Own):
    """`w -= step` where w, of a parameter without axes, is a number: it is rebound, and the parameter stays."""

    __slots__ = ()

    def subtract(self, parameter, step):
        w = parameter.data[()]
        w -= step.astype(parameter.dtype)


class CountingTwice(Own):
    """A step counted where it begins and once more in the rule, as in Thinc's RAdam."""

    __slots__ = ("iterations",)

    def __init__(self):
        super().__init__()
        self.iterations = 0

    def step(self, parameters):
        super().step(parameters)
        self.iterations += 1

    def move(self, parameter, memory):
        super().move(parameter, memory)
        memory["t"] += 1

    def steps(self, parameter):
        return self.memory[parameter].get("t", 0)


KNOWN = {
    NewVelocity: {
        "descends_ill_conditioned",
        "law_look_ahead",
        "law_constant_gradient",
        "law_impulse",
        "law_reduces_to_2",  # Nesterov itself, with the rate outside
    },
    Uncorrected: {"law_first_step", "law_constant_gradient", "law_impulse"},
    RateInside: {"law_proportional_to_rate"},
    StrongScalar: {"contract"},
    HalfPrecision: {"zero_gradient_finite", "tiny_gradients_finite"},
    DoublePrecision: {"dtype_kept"},
    ByShape: {
        "given_in_turn",
        "split",
        "neighbours_independent",
        "order_of_parameters",
        "frozen_untouched",
        "unfrozen_late",
        "dtypes_together",
    },
    Rebinding: {"shapes"},
    CountingTwice: {"steps_counted_once"},
}


@pytest.mark.parametrize("optimizer", KNOWN)
def test_a_known_bug_fails_exactly_the_checks_that_should_catch_it(optimizer):
    assert set(failures(optimizer, examples=EXAMPLES)) == KNOWN[optimizer]


def test_slots_found_by_a_bare_name_are_told():
    assert set(failures(ByName, examples=EXAMPLES)) == {"neighbours_independent"}


def test_without_its_bug_an_optimizer_of_another_kind_passes():
    assert set(failures(Own, examples=EXAMPLES)) == set()
