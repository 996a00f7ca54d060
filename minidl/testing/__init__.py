"""Proof that an optimizer is right: public checks, for ours and for yours."""

from minidl.testing.optimizers import check_optimizer
from minidl.testing.report import CheckFailedError, Report, Result

__all__ = ["CheckFailedError", "Report", "Result", "check_optimizer"]
