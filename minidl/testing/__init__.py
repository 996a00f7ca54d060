"""Proof that an optimizer, a layer or a loss is right: public checks, for ours and for yours."""

import importlib
from typing import TYPE_CHECKING

from minidl.testing.layers import check_layer
from minidl.testing.losses import check_loss
from minidl.testing.optimizers import check_optimizer, parametrize_with_checks
from minidl.testing.report import CheckFailedError, Report, Result
from minidl.validation import nearest

if TYPE_CHECKING:
    from minidl.testing import strategies

__all__ = [
    "CheckFailedError",
    "Report",
    "Result",
    "check_layer",
    "check_loss",
    "check_optimizer",
    "parametrize_with_checks",
    "strategies",
]


def __getattr__(name: str) -> object:
    """Import the strategies on first use: they need Hypothesis."""
    if name == "strategies":
        from minidl.testing.checking import require_hypothesis

        require_hypothesis("minidl.testing.strategies")
        return importlib.import_module("minidl.testing.strategies")
    raise AttributeError(f"module 'minidl.testing' has no attribute {name!r}. {nearest(name, __all__)}")
