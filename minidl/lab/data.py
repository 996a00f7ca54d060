"""The data of a study: to train on, and to test on; shared between processes as memory maps."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Checked
from minidl.randomness import generator
from minidl.saving.setup import digest_of
from minidl.splitting import class_labels, split_indices
from minidl.training.batches import samples
from minidl.validation import describe, number

__all__ = ["Data"]

Array = NDArray[Any]
ARRAYS = ("x", "y", "x_test", "y_test")


class Data(metaclass=Checked):
    """What a cell is trained on, and what it is tested on, as a model takes them.

    Args:
        name: What tables call it.
        x: Samples to train on, along the first axis.
        y: Their targets.
        x_test: Samples to test on.
        y_test: Their targets.

    Attributes:
        digest: A text that other arrays don't have.
        folder: Where the files are of which the arrays are memory maps; None if they are arrays.

    Raises:
        ValueError, TypeError: If an argument isn't as told above.

    >>> data = Data("corners", np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1]))
    >>> data
    Data('corners': 2 samples to train on, 2 to test on)
    """

    def __init__(self, name: str, x: ArrayLike, y: ArrayLike, x_test: ArrayLike, y_test: ArrayLike) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"Data: name must be a text. Received: name={describe(name)}")
        self.name = name
        self.x, self.y = samples("Data", "x", x), samples("Data", "y", y)
        self.x_test, self.y_test = samples("Data", "x_test", x_test), samples("Data", "y_test", y_test)
        for part, (one, other) in {"x": (self.x, self.y), "x_test": (self.x_test, self.y_test)}.items():
            if not 0 < len(one) == len(other):
                raise ValueError(
                    f"Data: {part} must have samples, and as many targets. Received: {len(one)} and {len(other)}"
                )
        self.folder: Path | None = None

    @cached_property
    def digest(self) -> str:
        """A text that other arrays don't have."""
        return digest_of({name: getattr(self, name) for name in ARRAYS})

    def held_out(self, fraction: float = 0.2, seed: int = 0) -> Data:
        """Return the data to train on alone, a part of them, drawn by `seed` and of each class its share, to test on.

        Settings chosen by these know nothing of the test data.
        """
        fraction = number("Data", "fraction", fraction, "(0, 1)")
        labels = class_labels(self.y) if self.y.dtype.kind in "iub" else None
        train, validation = split_indices(len(self.x), fraction, generator(seed, "split"), labels, "Data")
        x, y = np.asarray(self.x), np.asarray(self.y)
        return Data(f"{self.name}, validation", x[train], y[train], x[validation], y[validation])

    def placed(self, folder: str | Path) -> Data:
        """Return the same data as memory maps of files in `folder`, which are written if they aren't there."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            file = folder / f"{self.digest}-{name}.npy"
            if not file.exists():
                part = file.with_name(f".{file.name}.part")
                with part.open("wb") as stream:
                    np.save(stream, getattr(self, name), allow_pickle=False)
                part.replace(file)
        return Data._opened(self.name, self.digest, folder)

    @classmethod
    def _opened(cls, name: str, digest: str, folder: Path) -> Data:
        data = cls.__new__(cls)
        vars(data).update(name=name, digest=digest, folder=folder)
        for array in ARRAYS:
            setattr(data, array, np.load(folder / f"{digest}-{array}.npy", mmap_mode="r", allow_pickle=False))
        return data

    def __reduce__(self) -> Any:
        """Pickle memory maps as the names of their files, which another process opens too."""
        if self.folder is None:
            return super().__reduce__()
        return Data._opened, (self.name, self.digest, self.folder)

    def __repr__(self) -> str:
        return f"Data({self.name!r}: {len(self.x)} samples to train on, {len(self.x_test)} to test on)"
