"""One seed owns all randomness: every generator is a function of the seed and what it is for.

NumPy's global random state is neither read nor written.
"""

from __future__ import annotations

import os

import numpy as np

from minidl.validation import integer

__all__ = ["generator", "seed_or_fresh"]

# The position of a purpose is part of its stream: append, never reorder.
PURPOSES = ("initialization", "order", "split", "dropout", "directions")


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the generator of `seed` for a purpose; `index` tells its uses apart, such as epochs.

    Each is a stream of its own, apart also from `np.random.default_rng(seed)`, from which users draw their data.

    >>> generator(7, "order", 3).permutation(5).tolist() == generator(7, "order", 3).permutation(5).tolist()
    True
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PURPOSES.index(purpose), index)))


def seed_or_fresh(owner: str, seed: int | None) -> int:
    """Return `seed`, checked, or a fresh one drawn from the operating system."""
    return int.from_bytes(os.urandom(4), "little") if seed is None else integer(owner, "seed", seed)
