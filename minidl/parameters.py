"""Parameters, and the flat storage in which a model keeps them side by side."""

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Ranged, checked
from minidl.validation import cast, describe, flag, nearest, number, numbers

__all__ = ["Changes", "Outer", "Parameter", "Storage", "configure_parameters", "flatten"]


PUBLIC = (
    "name",
    "data",
    "grad",
    "trainable",
    "learning_rate_multiplier",
    "weight_decay_multiplier",
    "storage",
    "offset",
)


class Changes:
    """How often any parameter has come to be trained in another way, or to lie elsewhere."""

    count = 0
    _lock = threading.Lock()

    @classmethod
    def note(cls) -> None:
        """Count one more, also if another thread does at the same time: no count comes twice."""
        with cls._lock:
            cls.count += 1


class Storage:
    """The memory that parameters share: one contiguous vector of values, one of gradients."""

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        self.data = np.zeros(size, dtype)
        self.grad = np.zeros(size, dtype)


@dataclass(frozen=True, eq=False)
class Outer:
    """What is known of a gradient that is x.T @ y: a sum of outer products, one a row, of far fewer numbers.

    Attributes:
        x: Shape (rows, n).
        y: Shape (rows, m).
        write: Writes the product into an array of shape (n, m).
        written: Whether it is in the gradient's memory already; if not, it is a promise.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    write: Callable[[NDArray[Any]], object]
    written: bool

    def bound(self) -> float:
        """Return what the sum of the squares of all entries can't exceed (Cauchy and Schwarz)."""
        return float(np.vdot(self.x, self.x)) * float(np.vdot(self.y, self.y))


class Parameter(Ranged):
    """An array that training changes, its gradient, and how it is to be trained.

    The array is adopted, not copied: a step changes the caller's own array, be it a view, strided or
    of shape `()`. When a model is built it moves the values into its flat storage; `data` and `grad`
    are views into that memory from then on. Assigning to `data` or `grad` copies into place, so that
    no view ever goes stale.

    Args:
        data: A floating-point array of any shape (a list of floats becomes one).
        name: What errors, states and files call it. Within a model a path such as `dense_1/kernel`.
        trainable: False freezes it: an optimizer then leaves it, and its state, untouched.
        learning_rate_multiplier: Multiplies the learning rate for this parameter; at least 0.
        weight_decay_multiplier: Multiplies any weight decay for this parameter; at least 0. It reaches the hooks
            WeightDecay and L2, and rules with a `weight_decay` of their own; not a layer's regularizers.

    Raises:
        TypeError: If `data` isn't floating point, in this machine's byte order, or `name` is no text.
        ValueError: If `data` aren't numbers, or read-only.

    >>> kernel = Parameter(np.ones((2, 3)), name="kernel")
    >>> kernel.grad = [[1, 2, 3], [4, 5, 6]]
    >>> kernel
    Parameter('kernel', shape=(2, 3), dtype=float64)
    """

    ranges = {"trainable": "bool", "learning_rate_multiplier": "[0, inf)", "weight_decay_multiplier": "[0, inf)"}

    def __init__(
        self,
        data: ArrayLike,
        name: str = "parameter",
        *,
        trainable: bool = True,
        learning_rate_multiplier: float = 1.0,
        weight_decay_multiplier: float = 1.0,
    ) -> None:
        self.name = name
        array = numbers(self._called, "data", data)
        if array.dtype.kind != "f":
            raise TypeError(f"{self._called}: data must be floating point. Received: {describe(array)}")
        if not array.dtype.isnative:
            raise TypeError(f"{self._called}: data must be in this machine's byte order. Received: {describe(array)}")
        if not array.flags.writeable:
            raise ValueError(f"{self._called}: data must be writable. Received: read-only {describe(array)}")
        self.trainable = trainable
        self.learning_rate_multiplier = learning_rate_multiplier
        self.weight_decay_multiplier = weight_decay_multiplier
        self.storage: Storage | None = None
        self.offset = 0
        self._data: NDArray[Any] = array
        self._grad: NDArray[Any] = np.zeros_like(array)
        self._outer: Outer | None = None

    @property
    def _called(self) -> str:
        return f"Parameter {self.name!r}"

    @property
    def data(self) -> NDArray[Any]:
        """The values; assigning copies into place, or raises ValueError and changes nothing."""
        return self._data

    @data.setter
    def data(self, value: ArrayLike) -> None:
        self._assign(self._data, value, "data")

    @property
    def grad(self) -> NDArray[Any]:
        """The gradient of the loss, in the shape of `data`; assigning copies into place."""
        if self._outer is not None:
            self.settle()
        return self._grad

    @grad.setter
    def grad(self, value: ArrayLike) -> None:
        self._assign(self._grad, value, "grad")
        self._outer = None

    @property
    def outer(self) -> Outer | None:
        """What is known of the gradient as a product; None once somebody may have written to it."""
        return self._outer

    def promise(self, outer: Outer) -> None:
        """Let it be known that the gradient is that product, whose arrays must stay as they are until the next one.

        If it isn't `written`, it is a promise, which is kept when somebody looks.
        """
        vars(self)["_outer"] = outer

    def settle(self) -> None:
        """Write down what is promised; what is known of the gradient is forgotten."""
        outer, vars(self)["_outer"] = self._outer, None
        if outer is not None and not outer.written:
            outer.write(self._grad)

    def _assign(self, target: NDArray[Any], value: ArrayLike, what: str) -> None:
        array = numbers(self._called, what, value)
        if array.shape != target.shape:
            raise ValueError(f"{self._called}: {what} must have shape {target.shape}. Received: shape {array.shape}")
        target[...] = array if array.dtype == target.dtype else cast(self._called, what, array, target.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        return self._data.shape

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of `data` and of `grad`."""
        return self._data.dtype

    def move(self, storage: Storage, offset: int) -> None:
        """Move values and gradient into `storage`, from entry `offset` on."""
        data, grad = self._data, self.grad
        self._attach(storage, offset, self.shape)
        self._data[...] = data
        self._grad[...] = grad

    def _attach(self, storage: Storage, offset: int, shape: tuple[int, ...]) -> None:
        Changes.note()
        part = slice(offset, offset + math.prod(shape))
        self.storage, self.offset = storage, offset
        self._data = storage.data[part].reshape(shape)
        self._grad = storage.grad[part].reshape(shape)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "name" and not isinstance(value, str):
            raise TypeError(f"Parameter: name must be a text. Received: name={describe(value)}")
        if not name.startswith("_") and name not in PUBLIC:
            raise AttributeError(
                f"{self._called}: no such attribute. Received: {name}={describe(value)}. {nearest(name, PUBLIC)}"
            )
        super().__setattr__(name, value)
        if name in self.ranges:
            Changes.note()

    # A copied or pickled view would be cut off from its storage: keep the place, and view it again.
    def __getstate__(self) -> dict[str, Any]:
        self.settle()
        state = vars(self).copy()
        if self.storage is not None:
            state["_shape"] = self.shape
            del state["_data"], state["_grad"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        shape = state.pop("_shape", None)
        vars(self).update(state)
        if self.storage is not None:
            self._attach(self.storage, self.offset, shape)

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Parameter({self.name!r}, shape={self.shape}, dtype={self.dtype}{frozen})"


def flatten(parameters: Iterable[Parameter]) -> None:
    """Move `parameters`, in their order, into one new storage, side by side.

    Raises:
        TypeError: If they are no parameters, or of different dtypes.
        ValueError: If one is given twice.
    """
    given: tuple[Any, ...] = tuple(parameters) if isinstance(parameters, Iterable) else (None,)
    if not all(isinstance(parameter, Parameter) for parameter in given):
        raise TypeError(f"flatten: needs a list of parameters. Received: {describe(parameters)}")
    if len(set(given)) < len(given):
        raise ValueError(f"flatten: a parameter must be given once. Received: {[p.name for p in given]}")
    dtypes = {parameter.dtype for parameter in given}
    if len(dtypes) > 1:
        received = ", ".join(f"{p.name}: {p.dtype}" for p in given)
        raise TypeError(f"flatten: parameters must have one dtype. Received: {received}")
    if dtypes:
        storage = Storage(sum(parameter.size for parameter in given), dtypes.pop())
        offset = 0
        for parameter in given:
            parameter.move(storage, offset)
            offset += parameter.size


@checked
def configure_parameters(
    parameters: Any,
    which: str | Iterable[str] | Callable[[Parameter], bool],
    *,
    trainable: bool | None = None,
    learning_rate_multiplier: float | None = None,
    weight_decay_multiplier: float | None = None,
) -> list[Parameter]:
    """Set how some parameters are to be trained, all or nothing; the next step goes by it.

    Args:
        parameters: A built model or layer, or an iterable of parameters.
        which: A name such as "dense/bias", a pattern such as "*/bias" (`*` is any text, slashes too; `?` one
            character), a list of these, or a function that tells of a parameter whether it is meant.
        trainable: False freezes them; None leaves this, as None does each of the following, as it is.
        learning_rate_multiplier: Multiplies the learning rate for them; at least 0.
        weight_decay_multiplier: Multiplies any weight decay for them; at least 0.

    Returns:
        Those that were meant, in their order.

    Raises:
        ValueError: If a name or pattern meets no parameter, a number is out of range, or the model isn't built.
        TypeError: If `parameters` or `which` is something else.

    No decay on biases:

    >>> model = minidl.Sequential([minidl.layers.Dense(3), minidl.layers.Dense(2)])
    >>> model.build((4,))
    >>> minidl.configure_parameters(model, "*/bias", weight_decay_multiplier=0)
    [Parameter('dense/bias', shape=(3,), dtype=float32), Parameter('dense_1/bias', shape=(2,), dtype=float32)]
    """
    listed = _listed(parameters)
    meant = _meant(listed, which)
    settings = {
        "trainable": trainable,
        "learning_rate_multiplier": learning_rate_multiplier,
        "weight_decay_multiplier": weight_decay_multiplier,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        if name == "trainable":
            flag("configure_parameters", name, value)
        else:
            number("configure_parameters", name, value, "[0, inf)")
    for parameter in meant:
        for name, value in given.items():
            setattr(parameter, name, value)
    return meant


def _listed(given: Any) -> list[Parameter]:
    """Return the parameters of a model or layer, or those that are given themselves."""
    owner = "configure_parameters"
    if getattr(given, "built", True) is False:
        raise ValueError(f"{owner}: the model must be built, or it has no parameters yet. Received: {describe(given)}")
    parameters = getattr(given, "parameters", given)
    listed: list[Any] = list(parameters) if isinstance(parameters, Iterable) else [None]
    if not all(isinstance(parameter, Parameter) for parameter in listed):
        raise TypeError(f"{owner}: needs a model, a layer or a list of parameters. Received: {describe(given)}")
    return listed


def _meant(parameters: list[Parameter], which: Any) -> list[Parameter]:
    """Return the `parameters` that `which` means; raise if these are none."""
    owner = "configure_parameters"
    names = [parameter.name for parameter in parameters]
    if callable(which):
        meant = [parameter for parameter in parameters if which(parameter)]
        if not meant:
            raise ValueError(
                f"{owner}: which must be true of a parameter. Received: which={describe(which)}. {nearest('', names)}"
            )
        return meant
    patterns: list[Any] = [which] if isinstance(which, str) else list(which) if isinstance(which, Iterable) else [None]
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(
            f"{owner}: which must be a name, a pattern, a list of these or a function. "
            f"Received: which={describe(which)}"
        )
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in names):
            raise ValueError(
                f"{owner}: no parameter has such a name. Received: which={pattern!r}. {nearest(pattern, names)}"
            )
    return [parameter for parameter in parameters if any(_fits(parameter.name, pattern) for pattern in patterns)]


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)
