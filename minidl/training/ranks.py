"""Several processes that train one model: each takes its share of every batch, and all make the same step.

A communicator is mpi4py's `MPI.COMM_WORLD`, or another object with its methods; minidl imports no MPI itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe

if TYPE_CHECKING:
    from minidl.parameters import Parameter
    from minidl.training.batches import Batch

__all__ = ["Alone", "Ranks", "ranks_of"]

Array = NDArray[Any]
METHODS = ("Get_rank", "Get_size", "Allreduce", "allgather", "bcast")


def ranks_of(communicator: Any) -> Alone:
    """Return who trains together: those of a communicator, or None's one process alone."""
    if communicator is None:
        return Alone()
    missing = [name for name in METHODS if not callable(getattr(communicator, name, None))]
    if missing:
        raise TypeError(
            f"Trainer: communicator must be mpi4py's, or like it. Received: {describe(communicator)}, "
            f"which has no {missing[0]}"
        )
    return Ranks(communicator)


class Alone:
    """One process alone: the batch is its own, and every sum is what it has itself.

    Attributes:
        rank: Its number, from 0; rank 0 alone shows something, and writes files.
        size: How many there are.
    """

    rank, size = 0, 1

    def share(self, batch: Batch) -> Batch:
        """Return the samples of a batch that are this rank's."""
        return batch

    def first(self, batch: Batch) -> int:
        """Return the number in the batch of its first sample that is this rank's."""
        return 0

    def add_gradients(self, parameters: Sequence[Parameter], made: bool) -> None:
        """Let every gradient be the sum of all ranks'; those of a rank that has `made` none count as 0."""

    def even_out(self, buffers: Sequence[Array], samples: int) -> None:
        """Let buffers be the same on all ranks: means, weighted by samples; integers those of rank 0."""

    def sums(self, *numbers: float) -> tuple[float, ...]:
        """Return the sums over all ranks."""
        return numbers

    def any(self, flag: bool) -> bool:
        """Tell whether it is so on any rank."""
        return flag

    def gathered(self, rows: Array | None) -> Array:
        """Return the rows of all ranks, in their order; None has none."""
        assert rows is not None
        return rows

    def told(self, thing: Any) -> Any:
        """Return what rank 0 tells."""
        return thing

    def agree(self, owner: str, facts: dict[str, Any]) -> None:
        """Raise ValueError on all ranks if facts differ between them."""


class Ranks(Alone):
    """The processes of a communicator.

    A batch of n samples is cut into shares that lie side by side, of n // size samples, the first n % size ranks with
    one more; the last ranks may have none.
    """

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.rank, self.size = communicator.Get_rank(), communicator.Get_size()
        self._sent: dict[Any, Array] = {}

    # It is the same processes, whatever is copied.
    def __deepcopy__(self, memo: dict[int, Any]) -> Ranks:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("Trainer: one with a communicator can't be pickled; its model and its optimizer can")

    def share(self, batch: Batch) -> Batch:
        start, stop = self._bounds(len(batch[0]), self.rank), self._bounds(len(batch[0]), self.rank + 1)
        x, y, weight = batch
        return x[start:stop], y[start:stop], None if weight is None else weight[start:stop]

    def first(self, batch: Batch) -> int:
        return self._bounds(len(batch[0]), self.rank)

    def _bounds(self, n: int, rank: int) -> int:
        return n // self.size * rank + min(n % self.size, rank)

    def add_gradients(self, parameters: Sequence[Parameter], made: bool) -> None:
        for parameter in parameters:
            parameter.settle()
        for gradients in _flat(parameters):
            if not made:
                gradients[...] = 0
            self._add(gradients)

    def _add(self, array: Array) -> None:
        wide = np.promote_types(array.dtype, np.float32)  # MPI has no half precision
        key = array.size, wide
        sent, received = self._sent.get((key, "sent")), self._sent.get((key, "received"))
        if sent is None or received is None:
            sent, received = self._sent[key, "sent"], self._sent[key, "received"] = np.empty((2, array.size), wide)
        np.copyto(sent, array.reshape(-1))
        self.communicator.Allreduce(sent, received)
        array[...] = received.reshape(array.shape)

    def even_out(self, buffers: Sequence[Array], samples: int) -> None:
        if not buffers:
            return
        floats = [buffer for buffer in buffers if buffer.dtype.kind == "f"]
        if floats:
            parts = [buffer.reshape(-1).astype(np.float64) * samples for buffer in floats]
            together = np.concatenate([*parts, [float(samples)]])
            self._add(together)
            means = np.split(together[:-1] / together[-1], np.cumsum([buffer.size for buffer in floats])[:-1])
            for buffer, mean in zip(floats, means, strict=True):
                buffer[...] = mean.reshape(buffer.shape)
        others = [buffer for buffer in buffers if buffer.dtype.kind != "f"]
        for buffer, value in zip(others, self.communicator.bcast(others, root=0), strict=True):
            buffer[...] = value

    def sums(self, *numbers: float) -> tuple[float, ...]:
        array = np.array(numbers, np.float64)
        self._add(array)
        return tuple(array.tolist())

    def any(self, flag: bool) -> bool:
        return self.sums(float(flag))[0] > 0

    def gathered(self, rows: Array | None) -> Array:
        parts: list[Array | None] = self.communicator.allgather(rows)
        return np.concatenate([part for part in parts if part is not None])

    def told(self, thing: Any) -> Any:
        return self.communicator.bcast(thing, root=0)

    def agree(self, owner: str, facts: dict[str, Any]) -> None:
        all_facts: list[dict[str, Any]] = self.communicator.allgather(facts)
        for name, first in all_facts[0].items():
            if any(other[name] != first for other in all_facts):
                raise ValueError(
                    f"{owner}: {name} must be the same on all ranks. "
                    f"Received: {', '.join(describe(other[name]) for other in all_facts)}"
                )


def _flat(parameters: Iterable[Parameter]) -> list[Array]:
    """Return the gradients as few arrays: of a built model one."""
    found = {}
    for parameter in parameters:
        storage = parameter.storage
        found[id(parameter if storage is None else storage)] = parameter.grad if storage is None else storage.grad
    return list(found.values())
