"""What studies of the tests are made of: importable, so that other processes find it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import Sequential, datasets, layers, optimizers
from minidl.lab import Cell, Data, Study, Table, grid


def data(name: str = "moons") -> Data:
    """Return 200 points to train on, and 100 to test on."""
    x, y = datasets.make_moons(300, noise=0.2, seed=1)
    x = x.astype(np.float32)
    return Data(name, x[:200], y[:200], x[200:], y[200:])


def net(seed: int) -> Sequential:
    """Return a net with everything that draws: weights and dropout."""
    inside = [layers.Dense(8, "relu"), layers.Dropout(0.2), layers.BatchNormalization()]
    return Sequential([layers.Input((2,)), *inside, layers.Dense(2), layers.Softmax()], seed=seed)


def cells(**more: Any) -> list[Cell]:
    """Return sixteen cells, one of which diverges."""
    first = grid(
        model=net, optimizer={"sgd": optimizers.SGD, "adam": optimizers.Adam, "own": Signs}, learning_rate=[0.1, 0.01],
        data=data(), epochs=[2, 3], batch_size=20, seed=0, **more,
    )  # fmt: skip
    return [
        *first,
        *grid(model=net, optimizer="momentum", learning_rate=[1e30, 0.01, 0.02, 0.03], data=data(), epochs=2, **more),
    ]


class Signs(optimizers.Optimizer):
    """A rule of one's own: w ← w − η sign(g)."""

    def __init__(self, learning_rate: float = 0.01) -> None:
        super().__init__(learning_rate=learning_rate)

    @staticmethod
    def update(w: Any, g: Any, *, learning_rate: float) -> Any:
        """Return the new w."""
        return w - learning_rate * np.sign(g)


@dataclass(frozen=True)
class Deadly:
    """Makes nets; in another process it writes down each call, and the first call for `victim` ends that process."""

    log: str
    victim: int

    def __call__(self, seed: int) -> Sequential:
        """Return a net, or never return."""
        if multiprocessing.parent_process() is not None:
            with Path(self.log).open("a", encoding="utf-8") as file:
                file.write(f"{seed}\n")
            if seed == self.victim and not Path(f"{self.log}.killed").exists():
                Path(f"{self.log}.killed").touch()
                time.sleep(0.3)  # the others are in the middle of theirs
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.05)
        return net(seed)


def table(text: str) -> Table:
    """Return the table that to_json has written, without the columns of times."""
    import json

    return Table(json.loads(text)).without_times()


def on_mpi(folder: str) -> None:
    """Run the sixteen cells on an MPI world, and write the table there."""
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as executor:
        Study(cells(), folder).run(executor, progress=False).to_json(Path(folder) / "table.json")
