"""What training recorded."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minidl.config import Checked
from minidl.validation import checked_state, describe, flag, integer, number

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["History", "json_number"]


class History(metaclass=Checked):
    """What a `fit` recorded: for every epoch its loss, metrics and learning rate, as plain Python numbers.

    Attributes:
        epoch: The epochs' numbers, from 0.
        history: A list for each column, as in Keras: "loss", each metric, "val_loss" and so on, "learning_rate".
        interrupted: Whether Ctrl-C or SIGTERM ended the fit.

    The loss and the metrics of an epoch are means over its samples, each taken before the update that its batch
    made; validation columns are of the weights at the end of the epoch; "learning_rate" is that of its last step.

    >>> history = History()
    >>> history.append(0, {"loss": 0.5})
    >>> history.history["loss"], History.from_json(history.to_json()) == history
    ([0.5], True)
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.interrupted = False

    def append(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Record an epoch, all of it or, if it is refused, nothing.

        Raises:
            TypeError: If `epoch` is no integer, or `logs` no dict of numbers.
            ValueError: If `epoch` is negative, or its columns aren't those of the epochs before.
        """
        epoch = integer("History", "epoch", epoch)
        if not isinstance(logs, Mapping):
            raise TypeError(f"History: logs must be a dict. Received: {describe(logs)}")
        row = {name: _value(name, value) for name, value in logs.items()}
        if self.epoch and set(logs) != set(self.history):
            raise ValueError(f"History: an epoch must have the columns {list(self.history)}. Received: {list(logs)}")
        self.epoch.append(epoch)
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)

    def extend(self, other: History) -> None:
        """Record the epochs of `other` behind these; columns that only one of the two has are filled with NaN."""
        if not isinstance(other, History):
            raise TypeError(f"History: other must be a History. Received: {describe(other)}")
        for name in other.history:
            self.history.setdefault(name, [math.nan] * len(self))
        for name, values in self.history.items():
            values += other.history.get(name, [math.nan] * len(other))
        self.epoch += other.epoch

    def last(self) -> History:
        """Return a history of the last epoch alone."""
        history = History()
        history.append(self.epoch[-1], {name: values[-1] for name, values in self.history.items()})
        return history

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the history as JSON text, and write it to `path` if one is given.

        JSON has no word for numbers that aren't finite: they are written as "nan", "inf" and "-inf".
        """
        import json

        columns = {name: [json_number(value) for value in values] for name, values in self.history.items()}
        interrupted = {"interrupted": True} if self.interrupted else {}
        text = json.dumps({"epoch": self.epoch, "history": columns, **interrupted}, indent=1, allow_nan=False)
        if path is not None:
            from pathlib import Path

            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, text: str) -> History:
        """Return the history that `to_json` described.

        Raises:
            ValueError: If the text is none.
        """
        import json

        try:
            loaded = dict(json.loads(text))
            loaded.setdefault("interrupted", False)
            columns = {name: [float(value) for value in column] for name, column in dict(loaded["history"]).items()}
            return cls.from_state_dict({**loaded, "history": columns})
        except (TypeError, ValueError, KeyError, OverflowError):
            raise ValueError(f"History: the text must be what to_json returned. Received: {describe(text)}") from None

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of it as a dict."""
        return {"epoch": list(self.epoch), "history": copy.deepcopy(self.history), "interrupted": self.interrupted}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> History:
        """Return the history of which `state_dict` told.

        Raises:
            ValueError, TypeError: If it is no such state.
        """
        history = cls()
        own = checked_state("History", state, history.state_dict())
        history.epoch = [integer("History", "epoch", epoch) for epoch in own["epoch"]]
        history.history = {
            str(name): [_value(name, value) for value in column] for name, column in dict(own["history"]).items()
        }
        history.interrupted = flag("History", "interrupted", own["interrupted"])
        lengths = {len(column) for column in history.history.values()}
        if lengths - {len(history)}:
            raise ValueError(
                f"History: columns must be as long as there are epochs. Received: {lengths}, {len(history)}"
            )
        return history

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # a history grows, so it can't be hashed

    def __len__(self) -> int:
        return len(self.epoch)

    def _repr_html_(self) -> str:
        from minidl.representation import curve, html_table

        rows = [
            [name, values[0], values[-1], min(values), max(values), curve(values)]
            for name, values in self.history.items()
            if values
        ]
        ended = ", interrupted" if self.interrupted else ""
        return html_table(f"{len(self)} epochs{ended}", ["column", "first", "last", "least", "largest", ""], rows)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={values[-1]:.4g}" for name, values in self.history.items() if values)
        return f"History({len(self)} epochs; last: {last})" if self.epoch else "History(0 epochs)"


def json_number(value: float) -> float | str:
    """Return `value` as JSON can hold it, which has no word for numbers that aren't finite: "nan", "inf", "-inf".

    >>> json_number(0.5), json_number(math.inf)
    (0.5, 'inf')
    """
    return value if math.isfinite(value) else str(value)


def _value(name: str, value: object) -> float:
    """Return `value` as a Python float, which may be infinite or NaN, or raise TypeError."""
    try:
        return number("History", name, value, "[-inf, inf]")
    except ValueError:  # only NaN is outside
        return math.nan
