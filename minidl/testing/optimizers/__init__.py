"""The checks of optimizers: of the rule, of the engine that runs it, of settings, state, descent and laws."""

from minidl.testing.optimizers.suite import check_optimizer, parametrize_with_checks

__all__ = ["check_optimizer", "parametrize_with_checks"]
