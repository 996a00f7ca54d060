"""A cell: one training, told completely."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from minidl import losses, optimizers
from minidl.config import Checked, Configurable, describe_object
from minidl.history import json_number
from minidl.lab.data import Data
from minidl.lab.results import RESULTS, TIMES
from minidl.models import Sequential
from minidl.optimizers import Optimizer
from minidl.saving.settings import parameter_settings
from minidl.saving.setup import digest_of, without_seeds
from minidl.training import Trainer
from minidl.validation import describe, integer

__all__ = ["Cell", "checked_cells", "grid"]

FORMAT = 2  # counts the changes of what a definition holds
NAMED = ("model", "optimizer", "loss")  # what labels may call by another name
TAKEN = {"data", "arguments", "learning_rate", "schedule", "batch_size", "epochs", "seed", "setting", "diverged", "key"}
LARGE = 100  # entries of an array that a definition tells of by a digest


@dataclass(frozen=True)
class Cell(metaclass=Checked):
    """One training of a new model by a new optimizer: all that its result hangs on.

    Args:
        model: seed → a new model that has this seed: a function or a class, never a model that exists already.
        optimizer: What makes a new optimizer: a class, its name, or a function; never an optimizer that exists
            already. It is called with `learning_rate=` if there is one.
        data: What to train on, and to test on.
        epochs: At least 1.
        batch_size: Samples a batch, at least 1.
        seed: Of the model's start, and of the order of samples: cells of one seed start from the same weights, and
            see the same batches.
        learning_rate: A number, a schedule, or None for what the optimizer takes by itself.
        loss: A loss or its name.
        metrics: Metrics or their names.
        labels: What tables say of it besides, texts and numbers; nothing of it changes the training. "model",
            "optimizer" and "loss" are what tables call these.

    Raises:
        ValueError, TypeError: If an argument isn't as told above.

    >>> def net(seed):
    ...     return minidl.Sequential([layers.Input((2,)), layers.Dense(2), layers.Softmax()], seed=seed)
    >>> corners = Data("corners", np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1]))
    >>> Cell(net, optimizers.Adam, corners, epochs=3, seed=1).name
    'adam'
    >>> Cell(net(seed=1), optimizers.Adam, corners, epochs=3)
    Traceback (most recent call last):
        ...
    TypeError: Cell: model must be a function that makes a new model of a seed. Received: ...
    """

    model: Callable[[int], Sequential]
    optimizer: Callable[..., Optimizer] | str
    data: Data
    epochs: int
    batch_size: int = 32
    seed: int = 0
    learning_rate: Any = None
    loss: Any = "sparse_categorical_crossentropy"
    metrics: tuple[Any, ...] = ("accuracy",)
    labels: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.optimizer, str):
            object.__setattr__(self, "optimizer", type(optimizers.registry.get(self.optimizer)))
        for name, what in (("model", "model of a seed"), ("optimizer", "optimizer")):
            given = getattr(self, name)
            if isinstance(given, (Sequential, Optimizer)) or not callable(given):
                raise TypeError(
                    f"Cell: {name} must be a function that makes a new {what}. Received: {describe(given)}"
                    + (", which every cell would go on with" if isinstance(given, (Sequential, Optimizer)) else "")
                )
        if not isinstance(self.data, Data):
            raise TypeError(f"Cell: data must be lab.Data. Received: {describe(self.data)}")
        for name, low in {"epochs": 1, "batch_size": 1, "seed": 0}.items():
            object.__setattr__(self, name, integer("Cell", name, getattr(self, name), low))
        metrics: Any = self.metrics
        if isinstance(metrics, str) or not isinstance(metrics, Iterable):
            raise TypeError(f"Cell: metrics must be a list. Received: metrics={describe(metrics)}")
        object.__setattr__(self, "metrics", tuple(metrics))
        object.__setattr__(self, "labels", _checked_labels(self.labels))

    @property
    def name(self) -> str:
        """The optimizer's name, as tables say it: its label, or the name of its class."""
        return str(self.labels.get("optimizer") or type(self.new_optimizer()).__name__.lower())

    @property
    def work(self) -> float:
        """How much there is to do, in samples: a step costs about as much as 20 of them."""
        n = len(self.data.x)
        return self.epochs * (n + 20 * -(-n // self.batch_size))

    def new_model(self) -> Sequential:
        """Return a new model, built for the data.

        Raises:
            ValueError, TypeError: If it isn't new, isn't a model, or hasn't the seed.
        """
        model, other = self.model(self.seed), self.model(self.seed)
        if not isinstance(model, Sequential):
            raise TypeError(f"Cell: model must return a Sequential. Received: {describe(model)}")
        for one in (model, other):
            if not one.built:
                one.build(self.data.x.shape[1:])
        if model is other or {id(p) for p in model.parameters} & {id(p) for p in other.parameters}:
            raise ValueError("Cell: model must return a new model each time. Received: the same one twice")
        if model.seed != self.seed:
            raise ValueError(
                f"Cell: model must give its seed to the model. Received: a model of seed {model.seed} for {self.seed}"
            )
        if digest_of(model.named_arrays()) != digest_of(other.named_arrays()):
            raise ValueError("Cell: the weights must be a function of the seed. Received: others the second time")
        return model

    def new_optimizer(self) -> Optimizer:
        """Return a new optimizer.

        Raises:
            ValueError, TypeError: If it isn't new, or isn't an optimizer.
        """
        arguments = {} if self.learning_rate is None else {"learning_rate": self.learning_rate}
        make: Any = self.optimizer
        optimizer, other = make(**arguments), make(**arguments)
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"Cell: optimizer must return an Optimizer. Received: {describe(optimizer)}")
        if optimizer is other or optimizer.iterations or optimizer.state:
            raise ValueError(
                f"Cell: optimizer must return a new optimizer each time. Received: {optimizer!r}, "
                f"{'the same one twice' if optimizer is other else f'after {optimizer.iterations} steps'}"
            )
        return optimizer

    def new_trainer(self) -> Trainer:
        """Return a trainer of a new model, with a new optimizer."""
        return Trainer(self.new_model(), self.new_optimizer(), self.loss, self.metrics, seed=self.seed)

    @functools.cached_property
    def definition(self) -> dict[str, Any]:
        """All that the result hangs on, as JSON can hold it: configs, the initial weights, the code of own classes.

        Raises:
            TypeError: If a part of it has no config.
        """
        import minidl

        trainer = self.new_trainer()
        parts = {"model": trainer.model, "optimizer": trainer.optimizer, "loss": trainer.loss}
        try:
            told = {name: _held(describe_object(part)) for name, part in parts.items()}
            told["metrics"] = [_held(describe_object(metric)) for metric in trainer.metrics]
            told["settings"] = _held(parameter_settings(trainer.model))
        except (TypeError, AttributeError) as error:
            raise TypeError(f"Cell: {error}; what is trained must be told whole, to know what has been done") from error
        told["model"]["seed"] = self.seed
        return {
            "format": FORMAT,
            "minidl": minidl.__version__,
            **told,
            "weights": digest_of(trainer.model.named_arrays()),
            "own classes": _sources([*parts.values(), *trainer.metrics]),
            "data": self.data.digest,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "seed": self.seed,
        }

    @functools.cached_property
    def key(self) -> str:
        """A text that cells of another definition don't have."""
        return _key(self.definition)

    @functools.cached_property
    def run_key(self) -> str:
        """The same for cells that differ in their number of epochs alone: the longer run goes through the shorter."""
        return _key({**self.definition, "epochs": None})

    @functools.cached_property
    def setting_key(self) -> str:
        """The same for cells that differ at most in rate, batch size, epochs and seed, and what follows of the seed."""
        aside = dict.fromkeys(("weights", "batch_size", "epochs"))
        optimizer = {**self.definition["optimizer"], "learning_rate": None}
        return _key(without_seeds({**self.definition, **aside, "optimizer": optimizer}))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be found anew."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What a table says of a cell before it says how it went: cells that share all of it are one training."""
        optimizer: dict[str, Any] = self.definition["optimizer"]
        usual = inspect.signature(type(self.new_optimizer())).parameters
        unusual = {
            name: value for name, value in optimizer.items() if name not in usual or value != usual[name].default
        }
        rate: Any = optimizer.get("learning_rate")
        decay = ""
        if isinstance(rate, dict):
            decay = _listed(rate, "initial")
            rate = rate.get("initial", "")
        return {
            "data": self.data.name,
            **{name: value for name, value in self.labels.items() if name not in NAMED},
            "model": self.labels.get("model") or _name_of(self.model),
            "optimizer": self.name,
            "arguments": _listed(unusual, "class", "learning_rate"),
            "learning_rate": rate,
            "schedule": decay,
            "loss": self.labels.get("loss") or describe(losses.registry.get(self.loss)),
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "seed": self.seed,
            "setting": self.setting_key,
        }


def grid(**arguments: Any) -> list[Cell]:
    """Return a cell for each combination of the arguments of `Cell` that are lists, tuples or ranges.

    The first argument changes slowest. `metrics` and `labels` are no choices. A dict of models or of optimizers gives
    them names.

    >>> from minidl.lab.tasks import TASKS; task = TASKS["moons"]
    >>> cells = grid(model=task.net, optimizer={"adam": optimizers.Adam, "slow": optimizers.SGD},
    ...              learning_rate=[0.1, 0.01], data=task.data, epochs=3, seed=range(2))
    >>> len(cells), cells[0].name, cells[-1].name, cells[-1].learning_rate, cells[-1].seed
    (8, 'adam', 'slow', 0.01, 1)
    """
    labels = dict(arguments.pop("labels", {}))
    made: list[dict[str, Any]] = [{"labels": labels}]
    for name, value in arguments.items():
        if name in ("model", "optimizer") and isinstance(value, Mapping):
            made = [
                {**one, name: make, "labels": {**one["labels"], name: title}}
                for one in made
                for title, make in value.items()
            ]
        else:
            choices = value if isinstance(value, (list, tuple, range)) and name != "metrics" else [value]
            made = [{**one, name: choice} for one in made for choice in choices]
    return [Cell(**one) for one in made]


def checked_cells(owner: str, cells: Any) -> list[Cell]:
    """Return cells as a list, or raise TypeError if it isn't such."""
    if not isinstance(cells, Iterable):
        raise TypeError(f"{owner}: cells must be a list of lab.Cell. Received: {describe(cells)}")
    found = list(cells)
    for cell in found:
        if not isinstance(cell, Cell):
            raise TypeError(f"{owner}: cells must be lab.Cell. Received: {describe(cell)}")
    return found


def _key(definition: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:16]


def _held(value: Any) -> Any:
    """Return `value` as JSON can hold it, other values otherwise; raise TypeError if it can't."""
    if isinstance(value, Mapping):
        return {str(name): _held(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_held(one) for one in value]
    if isinstance(value, np.generic):
        return _held(value.item())
    if isinstance(value, np.ndarray):
        small = value.size <= LARGE or value.dtype.kind == "O"  # an object's bytes say nothing
        told = _held(value.tolist()) if small else digest_of({"": value})
        return {"dtype": str(value.dtype), "shape": list(value.shape), "array": told}
    if isinstance(value, float):
        return json_number(value)
    if value is None or isinstance(value, (str, int)):
        return value
    raise TypeError(f"a definition holds texts, numbers, arrays, lists and dicts. Received: {describe(value)}")


def _checked_labels(labels: Any) -> dict[str, Any]:
    """Return labels as JSON can hold them; raise if they aren't such, or are called as columns of a table are."""
    if not isinstance(labels, Mapping):
        raise TypeError(f"Cell: labels must be a dict. Received: labels={describe(labels)}")
    for name in labels:
        if name in (*TAKEN, *TIMES) or str(name).startswith(RESULTS):
            raise ValueError(f"Cell: labels must have names that tables don't use themselves. Received: {name!r}")
    try:
        held: dict[str, Any] = _held(labels)
    except TypeError:
        raise TypeError(f"Cell: labels must be texts and numbers. Received: labels={describe(labels)}") from None
    return held


def _listed(config: Mapping[str, Any], *aside: str) -> str:
    return ", ".join(f"{name}={value}" for name, value in config.items() if name not in aside)


def _name_of(make: Any) -> str:
    """Return what tables call what makes models: never an address in memory, which differs from run to run."""
    if isinstance(make, functools.partial):
        given = [*map(describe, make.args), *(f"{name}={describe(value)}" for name, value in make.keywords.items())]
        return f"{_name_of(make.func)}({', '.join(given)})"
    return getattr(make, "__name__", None) or (describe(make) if is_dataclass(make) else type(make).__name__)


def _sources(parts: list[Any]) -> dict[str, str]:
    """Return a digest of the code of each class that isn't minidl's own."""
    found = {}
    for cls in dict.fromkeys(cls for part in parts for kind in _classes(part) for cls in kind.__mro__):
        if cls.__module__.partition(".")[0] not in ("minidl", "builtins", "abc", "typing"):
            try:
                code = inspect.getsource(cls)
            except (OSError, TypeError):  # typed into a prompt
                code = ""
            name = cls.__qualname__ if cls.__module__ == "__main__" else f"{cls.__module__}.{cls.__qualname__}"
            found[name] = hashlib.sha256(code.encode()).hexdigest()[:16]
    return found


def _classes(part: Any) -> Iterator[type]:
    """Give the classes of which something is made."""
    if isinstance(part, (list, tuple)):
        for one in part:
            yield from _classes(one)
    elif isinstance(part, Configurable):
        yield type(part)
        for name in part._arguments():
            yield from _classes(getattr(part, name, None))
        for child in (*getattr(part, "children", ()), *getattr(part, "hooks", ())):
            yield from _classes(child)
