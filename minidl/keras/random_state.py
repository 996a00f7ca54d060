"""Where the seeds of new models come from: `keras.utils.set_random_seed`."""

import random
from typing import Any

import numpy as np

from minidl.randomness import seed_or_fresh

__all__ = ["next_seed", "seed_all"]

_STATE: dict[str, Any] = {"generator": None}


def seed_all(seed: int) -> None:
    """Seed Python's and NumPy's global generators, as Keras does, and the models that are made from now on."""
    seed = seed_or_fresh("set_random_seed", seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # Keras's function does, and scripts draw their data from it
    _STATE["generator"] = np.random.default_rng(seed)


def next_seed() -> int:
    """Return the seed of a new model, a fresh one unless `set_random_seed` was called."""
    if _STATE["generator"] is None:
        return seed_or_fresh("keras", None)
    return int(_STATE["generator"].integers(2**32))
