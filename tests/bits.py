"""Copies, and all that something is, down to the bits, so that `==` compares it."""

import copy
import pickle

import numpy as np

from minidl import Trainer

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


def bits(value):
    """Return a true copy of a nest of dicts, lists and arrays that `==` compares to the last bit."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value] if isinstance(value, (list, tuple)) else value


def everything(thing):
    """Return the bits of all that a model, or a trainer with its model and its optimizer, is."""
    if isinstance(thing, Trainer):
        rule = thing.optimizer
        own = rule.state_dict(), rule.applied, repr(rule), thing.history.state_dict(), thing.epoch, thing.columns
        return everything(thing.model), bits(own), thing.seed
    settings = [
        (p.name, p.trainable, p.learning_rate_multiplier, p.weight_decay_multiplier, p.grad) for p in thing.parameters
    ]
    return bits([thing.state_dict(), settings]), repr(thing), thing.built, thing.seed, thing.stop_training
