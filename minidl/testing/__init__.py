"""Proof that an optimizer, a layer or a loss is right: public checks, for ours and for yours."""

from minidl.testing.layers import check_layer
from minidl.testing.losses import check_loss
from minidl.testing.optimizers import check_optimizer
from minidl.testing.report import CheckFailedError, Report, Result

__all__ = ["CheckFailedError", "Report", "Result", "check_layer", "check_loss", "check_optimizer"]
