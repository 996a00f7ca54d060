"""What may be given in a trainer's place."""

from typing import Any

from minidl.training.trainer import Trainer
from minidl.validation import describe

__all__ = ["trainer_of"]


def trainer_of(owner: str, given: Any) -> Trainer:
    """Return a trainer, or that of a compiled model, or raise TypeError."""
    trainer = getattr(given, "trainer", given)
    if not isinstance(trainer, Trainer):
        raise TypeError(f"{owner}: trainer must be a Trainer or a compiled model. Received: {describe(given)}")
    return trainer
