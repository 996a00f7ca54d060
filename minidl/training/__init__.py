"""Training: the loop, the step, and what they need: batches, where a fit stands, what keeps, shows and ends it."""

from minidl.training.step import predict
from minidl.training.trainer import Trainer

__all__ = ["Trainer", "predict"]
