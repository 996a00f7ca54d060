"""Parameters, and the flat storage in which a model keeps them side by side."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Checked
from minidl.validation import cast, describe, flag, nearest, number, numbers

__all__ = ["Parameter", "Storage", "flatten"]


PUBLIC = ("name", "data", "grad", "trainable", "learning_rate_multiplier", "storage", "offset")


class Storage:
    """The memory that parameters share: one contiguous vector of values, one of gradients."""

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        self.data = np.zeros(size, dtype)
        self.grad = np.zeros(size, dtype)


class Parameter(metaclass=Checked):
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

    Raises:
        TypeError: If `data` isn't floating point, in this machine's byte order, or `name` is no text.
        ValueError: If `data` aren't numbers, or read-only.

    >>> kernel = Parameter(np.ones((2, 3)), name="kernel")
    >>> kernel.grad = [[1, 2, 3], [4, 5, 6]]
    >>> kernel
    Parameter('kernel', shape=(2, 3), dtype=float64)
    """

    def __init__(
        self,
        data: ArrayLike,
        name: str = "parameter",
        *,
        trainable: bool = True,
        learning_rate_multiplier: float = 1.0,
    ) -> None:
        self.name = name
        array = numbers(f"Parameter {name!r}", "data", data)
        if array.dtype.kind != "f":
            raise TypeError(f"Parameter {name!r}: data must be floating point. Received: {describe(array)}")
        if not array.dtype.isnative:
            raise TypeError(
                f"Parameter {name!r}: data must be in this machine's byte order. Received: {describe(array)}"
            )
        if not array.flags.writeable:
            raise ValueError(f"Parameter {name!r}: data must be writable. Received: read-only {describe(array)}")
        self.trainable = trainable
        self.learning_rate_multiplier = learning_rate_multiplier
        self.storage: Storage | None = None
        self.offset = 0
        self._data: NDArray[Any] = array
        self._grad: NDArray[Any] = np.zeros_like(array)

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
        return self._grad

    @grad.setter
    def grad(self, value: ArrayLike) -> None:
        self._assign(self._grad, value, "grad")

    def _assign(self, target: NDArray[Any], value: ArrayLike, what: str) -> None:
        owner = f"Parameter {self.name!r}"
        array = numbers(owner, what, value)
        if array.shape != target.shape:
            raise ValueError(f"{owner}: {what} must have shape {target.shape}. Received: shape {array.shape}")
        target[...] = array if array.dtype == target.dtype else cast(owner, what, array, target.dtype)

    @property
    def trainable(self) -> bool:
        """Whether optimizers step it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = flag(f"Parameter {self.name!r}", "trainable", value)

    @property
    def learning_rate_multiplier(self) -> float:
        """What multiplies the learning rate for this parameter."""
        return self._learning_rate_multiplier

    @learning_rate_multiplier.setter
    def learning_rate_multiplier(self, value: float) -> None:
        owner = f"Parameter {self.name!r}"
        self._learning_rate_multiplier = number(owner, "learning_rate_multiplier", value, "[0, inf)")

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
        data, grad = self._data, self._grad
        self._attach(storage, offset, self.shape)
        self._data[...] = data
        self._grad[...] = grad

    def _attach(self, storage: Storage, offset: int, shape: tuple[int, ...]) -> None:
        part = slice(offset, offset + math.prod(shape))
        self.storage, self.offset = storage, offset
        self._data = storage.data[part].reshape(shape)
        self._grad = storage.grad[part].reshape(shape)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "name" and not isinstance(value, str):
            raise TypeError(f"Parameter: name must be a text. Received: name={describe(value)}")
        if not name.startswith("_") and name not in PUBLIC:
            raise AttributeError(
                f"Parameter {self.name!r}: no such attribute. Received: {name}={describe(value)}. "
                f"{nearest(name, PUBLIC)}"
            )
        object.__setattr__(self, name, value)

    # A copied or pickled view would be cut off from its storage: keep the place, and view it again.
    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self.storage is not None:
            state["_shape"] = self.shape
            del state["_data"], state["_grad"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        shape = state.pop("_shape", None)
        self.__dict__.update(state)
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
    given = parameters
    parameters = tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(parameter, Parameter) for parameter in parameters):
        raise TypeError(f"flatten: needs a list of parameters. Received: {describe(given)}")
    if len(set(parameters)) < len(parameters):
        raise ValueError(f"flatten: a parameter must be given once. Received: {[p.name for p in parameters]}")
    dtypes = {parameter.dtype for parameter in parameters}
    if len(dtypes) > 1:
        received = ", ".join(f"{p.name}: {p.dtype}" for p in parameters)
        raise TypeError(f"flatten: parameters must have one dtype. Received: {received}")
    if dtypes:
        storage = Storage(sum(parameter.size for parameter in parameters), dtypes.pop())
        offset = 0
        for parameter in parameters:
            parameter.move(storage, offset)
            offset += parameter.size
