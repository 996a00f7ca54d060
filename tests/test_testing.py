"""`check_optimizer`: what is right passes, what is wrong fails the check that should catch it."""

from typing import Any

import numpy as np
import pytest

from minidl import optimizers, schedules, testing
from minidl.optimizers import Optimizer

SEVEN = [
    optimizers.SGD,
    optimizers.Momentum,
    optimizers.Nesterov,
    optimizers.AdaGrad,
    optimizers.RMSprop,
    optimizers.AdaDelta,
    optimizers.Adam,
]


def failures(make: Any) -> set[str]:
    return {result.check for result in testing.check_optimizer(make, raises=False).failures}


@pytest.mark.parametrize("rule", SEVEN)
def test_the_seven_rules_pass(rule: type[Optimizer]) -> None:
    report = testing.check_optimizer(rule)
    assert report.passed
    assert len(report.results) == 14


def test_every_exported_rule_is_among_the_seven() -> None:
    exported = [getattr(optimizers, name) for name in optimizers.__all__]
    rules = {c for c in exported if isinstance(c, type) and issubclass(c, Optimizer) and c is not Optimizer}
    assert rules == set(SEVEN)


def test_factories_schedules_and_variants_pass() -> None:
    testing.check_optimizer(lambda: optimizers.Momentum(learning_rate_inside=True, dampening=0.5))
    testing.check_optimizer(lambda: optimizers.Adam(schedules.CosineDecay(0.1, decay_steps=4)))
    report = testing.check_optimizer(lambda: optimizers.SGD(lambda step: 0.1 / (1 + step)))
    assert {r.check for r in report.results if r.status == "not applicable"} == {"slots_apart", "config_round_trip"}


def test_a_rule_for_whole_tensors_passes_and_says_what_does_not_apply() -> None:
    class Normalized(Optimizer):
        elementwise = False

        def __init__(self, learning_rate: float = 0.1) -> None:
            super().__init__(learning_rate=learning_rate)

        @staticmethod
        def update(w: Any, g: Any, *, learning_rate: float) -> Any:
            return w - learning_rate * g / (float(np.linalg.norm(g)) + 1e-3)

    report = testing.check_optimizer(Normalized)
    assert {r.check for r in report.results if r.status == "not applicable"} >= {
        "elementwise",
        "neighbours_independent",
    }


class Faulty(optimizers.Adam):
    """Adam, to be broken."""


def unused_hyperparameter() -> type[Optimizer]:
    class Fault(Faulty):
        @staticmethod
        def update(w: Any, g: Any, m: Any, v: Any, **given: Any) -> Any:
            return optimizers.Adam.update(w, g, m, v, **{**given, "epsilon_root": 0.0})

    return Fault


def whole_tensor() -> type[Optimizer]:
    class Fault(Faulty):
        @staticmethod
        def update(w: Any, g: Any, m: Any, v: Any, **rest: Any) -> Any:
            return optimizers.Adam.update(w, g - g.mean(), m, v, **rest)

    return Fault


def widened() -> type[Optimizer]:
    class Fault(Faulty):
        @staticmethod
        def update(w: Any, g: Any, m: Any, v: Any, **rest: Any) -> Any:
            w, m, v = optimizers.Adam.update(w, g, m, v, **rest)
            return w * np.sqrt(1.0), m, v

    return Fault


def no_epsilon() -> type[Optimizer]:
    class Fault(Optimizer):
        slots = ("s",)

        def __init__(self, learning_rate: float = 0.1) -> None:
            super().__init__(learning_rate=learning_rate)

        @staticmethod
        def update(w: Any, g: Any, s: Any, *, learning_rate: float) -> Any:
            s = 0.9 * s + 0.1 * g * g
            return w - learning_rate * g / np.sqrt(s), s

    return Fault


def shared_slots() -> type[Optimizer]:
    class Fault(Faulty):
        pool: dict[Any, Any] = {}  # noqa: RUF012  # the fault itself

        def _spans(self, parameters: Any) -> Any:
            spans = super()._spans(parameters)
            for parameter in parameters:
                self._entries[parameter].slots = self.pool.setdefault(parameter.shape, self._entries[parameter].slots)
            return spans

    return Fault


def zeroes_the_gradient() -> type[Optimizer]:
    class Fault(Faulty):
        def step(self, parameters: Any) -> None:
            parameters = list(parameters)
            super().step(parameters)
            for parameter in parameters:
                parameter.grad[...] = 0

    return Fault


def forgets_t_when_saved() -> type[Optimizer]:
    class Fault(Faulty):
        def state_dict(self) -> Any:
            state = super().state_dict()
            for saved in state["parameters"].values():
                saved["t"] = 0
            return state

    return Fault


def shares_slots_with_its_state() -> type[Optimizer]:
    class Fault(Faulty):
        def state_dict(self) -> Any:
            state = super().state_dict()
            for parameter, slots in self.state.items():
                state["parameters"][parameter.name]["slots"] = slots
            return state

    return Fault


def forgets_the_rate_in_its_config() -> type[Optimizer]:
    class Fault(Faulty):
        def get_config(self) -> Any:
            return {k: v for k, v in super().get_config().items() if k != "beta_2"}

    return Fault


def rebinds() -> type[Optimizer]:
    class Fault(Faulty):
        def step(self, parameters: Any) -> None:
            parameters = list(parameters)
            for parameter in parameters:
                if parameter.storage is None:
                    parameter._data = parameter._data.copy()
            super().step(parameters)

    return Fault


@pytest.mark.parametrize(
    ("fault", "caught_by"),
    [
        (unused_hyperparameter, "hyperparameters_used"),
        (whole_tensor, "contract"),
        (widened, "contract"),
        (no_epsilon, "zero_gradient_finite"),
        (shared_slots, "slots_apart"),
        (zeroes_the_gradient, "gradient_untouched"),
        (forgets_t_when_saved, "save_and_load"),
        (shares_slots_with_its_state, "slots_apart"),
        (rebinds, "in_place"),
    ],
)
def test_a_fault_is_caught_by_its_check(fault: Any, caught_by: str) -> None:
    assert caught_by in failures(fault())


def test_a_config_that_forgets_is_caught() -> None:
    assert "config_round_trip" in failures(lambda: forgets_the_rate_in_its_config()(beta_2=0.5))


def test_a_broken_contract_is_told_once() -> None:
    report = testing.check_optimizer(whole_tensor(), raises=False)
    assert [result.check for result in report.failures] == ["contract"]
    assert str(report).count("isn't elementwise") == 1


def test_a_failure_raises_and_prints_the_table() -> None:
    with pytest.raises(testing.CheckFailedError, match="hyperparameters_used") as caught:
        testing.check_optimizer(unused_hyperparameter())
    assert "epsilon_root is never used" in str(caught.value)
    assert isinstance(caught.value, AssertionError)


@pytest.mark.parametrize("wrong", [3, "adam", optimizers.Adam(), dict])
def test_what_gives_no_optimizers_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="check_optimizer: must be given an optimizer class"):
        testing.check_optimizer(wrong)
