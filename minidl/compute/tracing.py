"""One rule, three ways to run it: as it is written, replayed, or compiled; with the same bits.

`update` is called once with stand-ins for its arrays and numbers, which write down what is done to them. What is
done to numbers alone becomes the *prelude*, computed in Python's own numbers once a step. What is done to arrays is a
`Program`: operations on single entries, run as NumPy's functions in reused memory, or as one loop that LLVM compiles
(`minidl.compute.compiling`). A rule that can be traced is thereby elementwise.
"""

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

__all__ = ["Numbers", "Operation", "Program", "Tracing", "Untraceable", "homes", "where"]

Array = NDArray[Any]
DType = np.dtype[Any]
Numbers = Sequence[float]


def homes() -> Iterator[int]:
    """Give the places of the results of `update` among its arguments: w is the first of both, g has no result."""
    return itertools.chain((0,), itertools.count(2))


class Untraceable(Exception):  # noqa: N818  # it is an answer, and an error only where tracing was asked for
    """Why a rule can only be run as it is written."""


class _ValueNeeded(Exception):  # noqa: N818  # alike
    """A rule wants to know a number itself, not only to compute with it."""


# The stand-ins ---------------------------------------------------------------------------------------------


class _Number:
    """Stands for a number: what is computed from it becomes a line of the prelude."""

    def __init__(self, name: str, value: Any, recorder: "_Recorder") -> None:
        self.name, self.value, self.recorder = name, value, recorder

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(value, _Entries) for value in inputs):
            return NotImplemented  # that one knows what to do
        raise _ValueNeeded

    def _value_needed(self, *others: Any) -> Any:
        raise _ValueNeeded

    __bool__ = __float__ = __int__ = __index__ = __round__ = __trunc__ = __floor__ = __ceil__ = _value_needed
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _value_needed


def _arithmetic(function: Callable[..., Any], text: str) -> Callable[..., Any]:
    def method(self: _Number, *others: Any) -> Any:
        if any(type(other) not in (int, float, bool, _Number) for other in others):
            return NotImplemented
        return self.recorder.compute(function, text, self, *others)

    return method


_SIGNS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"}
for _name, _sign in _SIGNS.items():
    _function = getattr(operator, _name)
    setattr(_Number, f"__{_name}__", _arithmetic(_function, f"{{0}} {_sign} {{1}}"))
    setattr(_Number, f"__r{_name}__", _arithmetic(lambda a, b, f=_function: f(b, a), f"{{1}} {_sign} {{0}}"))
for _name, _text in {"neg": "-{0}", "pos": "+{0}", "abs": "abs({0})"}.items():
    setattr(_Number, f"__{_name}__", _arithmetic(getattr(operator, _name), _text))


class _Entries(NDArrayOperatorsMixin):
    """Stands for any number of an array's entries: each function of them becomes an operation of the program."""

    def __init__(self, value: int, dtype: DType, recorder: "_Recorder") -> None:
        self.value, self.dtype, self.recorder = value, dtype, recorder

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method != "__call__" or options or function.nout != 1 or function.signature is not None:
            raise Untraceable(f"it uses np.{function.__name__} in another way than entry by entry")
        result = self.recorder.operate(function, *inputs)
        return result.into(out[0]) if out else result

    def __array_function__(self, function: Any, types: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if function is np.where and len(inputs) == 3:
            return self.recorder.operate(where, *inputs)
        if function is np.clip and len(inputs) == 3 and not options:
            return np.minimum(np.maximum(inputs[0], inputs[1]), inputs[2])
        raise Untraceable(f"it uses np.{function.__name__}, which isn't known to work entry by entry")

    def into(self, target: Any) -> "_Entries":
        """Let `target`, an array of the rule's own, hold this from now on, as an operation in place does."""
        if (
            not isinstance(target, _Entries)
            or target.dtype != self.dtype
            or any(target is entries for entries in self.recorder.inputs)
        ):
            raise Untraceable("it writes into an array that isn't its own")
        target.value = self.value
        return target

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, _Number):
            raise _ValueNeeded  # for some exponents NumPy's operator takes another function: it is asked which
        function, rest = np.ones(1, self.dtype).view(_Spy) ** exponent
        return function(self, *rest)

    def __ipow__(self, exponent: Any) -> Any:
        return (self**exponent).into(self)

    def copy(self) -> "_Entries":
        return _Entries(self.value, self.dtype, self.recorder)

    def __getitem__(self, key: Any) -> "_Entries":
        return self.copy() if key is Ellipsis else self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Untraceable("it looks at the values of an array, or branches on them")

    __bool__ = __array__ = __iter__ = __len__ = _refuse

    def __hash__(self) -> int:
        return id(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Untraceable(f"it asks an array for its {name}")


class _Spy(np.ndarray[Any, Any]):
    """Tells which function an operator of NumPy's calls, and with what besides the array."""

    def __array_ufunc__(self, ufunc: Any, method: Any, *inputs: Any, **kwargs: Any) -> Any:
        return ufunc, inputs[1:]


def where(condition: Array, yes: Any, no: Any, out: Array) -> None:
    """Write `np.where(condition, yes, no)` into `out`, which must be none of them."""
    np.copyto(out, no, casting="same_kind")
    np.copyto(out, yes, where=condition, casting="same_kind")


# What they write down --------------------------------------------------------------------------------------


class Operation(NamedTuple):
    """A function of single entries.

    Operands are values (first the inputs, then the results of operations, in order) or, below 0, numbers: ~i is the
    i-th. `dtypes` are those that it computes with, the result's last.
    """

    function: Any
    operands: tuple[int, ...]
    dtypes: tuple[DType, ...]


class Program(NamedTuple):
    """Operations on the entries of `inputs` (w, g, the slots); `outputs` are the values that are the new w and slots.

    Each output is a value of its own; one that is an input is that slot, or w, unchanged.
    """

    inputs: tuple[DType, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]


class _Recorder:
    """Takes down what `update` does to stand-ins."""

    def __init__(self, dtypes: tuple[DType, ...]) -> None:
        self.inputs = [_Entries(i, dtype, self) for i, dtype in enumerate(dtypes)]
        self.operations: list[Operation] = []
        self.known: dict[Operation, int] = {}
        self.lines: dict[str, str] = {}  # of the prelude, and the names of their results
        self.names: list[str] = []  # of the program's numbers, in the prelude
        self.numbers: list[Any] = []

    def record(self, update: Callable[..., Any], keywords: dict[str, Any]) -> Program:
        """Return what `update` does."""
        results = update(*self.inputs, **keywords)
        outputs: list[int] = []
        for home, result in zip(homes(), results if isinstance(results, tuple) else (results,), strict=False):
            if not isinstance(result, _Entries) or result.dtype != self.inputs[home].dtype:
                raise Untraceable("it returns an array that isn't computed from its arguments")
            value = result.value
            if value in outputs or (value < len(self.inputs) and value != home):
                value = self._take_down(Operation(np.positive, (value,), (result.dtype, result.dtype)))
            outputs.append(value)
        return Program(tuple(entries.dtype for entries in self.inputs), tuple(self.operations), tuple(outputs))

    def compute(self, function: Callable[..., Any], text: str, *operands: Any) -> _Number:
        """Return what `function` makes of numbers, as a line of the prelude; an equal line is there once."""
        line = text.format(*map(_written, operands))
        name = self.lines.setdefault(line, f"_{len(self.lines)}")
        return _Number(name, function(*map(_value, operands)), self)

    def operate(self, function: Any, *inputs: Any) -> _Entries:
        """Return the result of an operation; an equal one is there once."""
        kinds = [_kind(value) for value in inputs]
        if function is where:
            result = np.result_type(*(kind if isinstance(kind, np.dtype) else kind(1) for kind in kinds[1:]))
            dtypes: tuple[DType, ...] = (np.dtype(bool), result, result, result)
        else:
            dtypes = function.resolve_dtypes((*kinds, None))
        operands = tuple(value.value if isinstance(value, _Entries) else ~self._place(value) for value in inputs)
        operation = Operation(function, operands, dtypes)
        value = self.known[operation] if operation in self.known else self._take_down(operation)
        return _Entries(value, dtypes[-1], self)

    def _take_down(self, operation: Operation) -> int:
        self.operations.append(operation)
        self.known[operation] = len(self.inputs) + len(self.operations) - 1
        return self.known[operation]

    def _place(self, number: Any) -> int:
        """Return the place of a number among the program's; each constant has its own, equal ones too."""
        name = _written(number)
        if not isinstance(number, _Number) or name not in self.names:
            self.names.append(name)
            self.numbers.append(_value(number))
            return len(self.names) - 1
        return self.names.index(name)


def _value(number: Any) -> Any:
    return number.value if isinstance(number, _Number) else number


def _written(number: Any) -> str:
    """Return a number as the prelude has it."""
    return number.name if isinstance(number, _Number) else f"({number!r})"  # of -1 ** t, the minus comes last


def _kind(value: Any) -> Any:
    """Return what NumPy's promotion goes by: a dtype, or for Python's numbers their type."""
    if isinstance(value, (_Entries, np.generic)):
        return value.dtype
    kind = type(_value(value))
    if kind not in (int, float, bool):
        raise Untraceable("it computes with an array that isn't one of its arguments")
    return np.dtype(bool) if kind is bool else kind


class Tracing:
    """What a rule does at any step to arrays of these dtypes (w, g, the slots): a program, and the numbers for it.

    The keywords are those of one step; flags among them count as they are. Mostly that is one program and one prelude;
    a rule that looks at its numbers (`if t > 5`, `math.sqrt(t)`) is traced at every step instead.

    Raises:
        Untraceable: If the rule isn't made of functions of single entries.
    """

    def __init__(self, update: Callable[..., Any], dtypes: tuple[DType, ...], keywords: dict[str, Any]) -> None:
        self.update, self.dtypes = update, dtypes
        self.prelude: Callable[..., Numbers] | None = None
        recorder = _Recorder(dtypes)
        stand_ins = {
            name: value if isinstance(value, bool) else _Number(name, value, recorder)
            for name, value in keywords.items()
        }
        try:
            self.program = recorder.record(update, stand_ins)
            self.prelude = _prelude(recorder, list(keywords))
        except _ValueNeeded:
            self.at(keywords)

    def at(self, keywords: dict[str, Any]) -> tuple[Program, Numbers]:
        """Return the program and the numbers of a step."""
        if self.prelude is not None:
            return self.program, self.prelude(**keywords)
        recorder = _Recorder(self.dtypes)
        return recorder.record(self.update, keywords), recorder.numbers


def _prelude(recorder: _Recorder, keywords: list[str]) -> Callable[..., Numbers]:
    """Return the function of the keywords that gives the program's numbers."""
    lines = [f"{name} = {line}" for line, name in recorder.lines.items()]
    result = "".join(f"{name}, " for name in recorder.names)
    source = "\n    ".join([f"def prelude({', '.join(keywords)}):", *lines, f"return ({result})"])
    namespace: dict[str, Any] = {"inf": np.inf, "nan": np.nan, "np": np}
    exec(source, namespace)
    return namespace["prelude"]
