"""Proof that an optimizer or a layer is right: public checks, for ours and for yours."""

from minidl.testing.layers import check_layer
from minidl.testing.optimizers import check_optimizer
from minidl.testing.report import CheckFailedError, Report, Result

__all__ = ["CheckFailedError", "Report", "Result", "check_layer", "check_optimizer"]
