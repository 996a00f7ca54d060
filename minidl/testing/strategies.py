"""Hypothesis strategies for what optimizers, layers and losses work on, to write properties of your own with.

    from hypothesis import given
    from minidl import optimizers
    from minidl.testing import strategies

    @given(strategies.runs(optimizers.Adam))
    def test_no_step_is_longer_than_ten_rates(run):
        w = run.parameter()
        optimizer = run.optimizer()
        for gradient in run.gradients:
            before, w.grad = w.data.copy(), gradient
            optimizer.step([w])
            assert abs(w.data - before).max() <= 10 * optimizer.learning_rate

What fails shrinks to few steps of one entry with short decimals. It needs the extra `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import DTypeLike, NDArray

from minidl import layers
from minidl.config import checked
from minidl.models import Sequential
from minidl.parameters import Parameter
from minidl.schedules import CosineDecay, PiecewiseConstant, PolynomialDecay, Schedule, Warmup
from minidl.validation import Interval, choice

__all__ = [
    "KINDS",
    "Run",
    "datasets",
    "gradients",
    "hyperparameters",
    "models",
    "parameters",
    "runs",
    "schedules",
    "values",
]

Array = NDArray[Any]

# What multiplies numbers between −4 and 4, one for each entry.
KINDS: dict[str, Sequence[float]] = {
    "ordinary": (1.0,),
    "sparse": (1.0, 0.0, 0.0),
    "tiny": (1e-8,),
    "huge": (1e6,),
    "mixed": (1.0, 1e-8, 1e-4, 1e3, 0.0),
}

# What hyperparameters may be beside their defaults. ε is never 0 unless it is by default: 0 / 0 is no number.
CHOICES = {
    "learning_rate": (0.1, 1.0, 10.0, 0.001),
    "epsilon": (0.3, 1e-3, 1e-8),
    "weight_decay": (0.0, 0.1),
}
FRACTIONS = (0.5, 0.9, 0.0, 0.99)


@checked
def values(shape: int | tuple[int, ...] = 3, dtype: DTypeLike = np.float64) -> st.SearchStrategy[Array]:
    """Arrays of numbers between −4 and 4 with two decimals.

    >>> find(strategies.values((2, 2)), lambda array: (array > 1).all())
    array([[1.01, 1.01],
           [1.01, 1.01]])
    """
    return _decimals(shape).map(lambda array: array.astype(dtype))


@checked
def gradients(
    shape: int | tuple[int, ...] = 3, dtype: DTypeLike = np.float64, kinds: Sequence[str] = tuple(KINDS)
) -> st.SearchStrategy[Array]:
    """Arrays of one of these kinds: "ordinary" (up to 4), "sparse" (most are 0), "tiny" (1e-8), "huge" (1e6), "mixed".

    Raises:
        ValueError: If there is no kind, or one isn't one of these.

    >>> find(strategies.gradients(2, kinds=["tiny"]), lambda array: array.any())
    array([0.e+00, 1.e-10])
    """
    return (
        _kinds("gradients", kinds)
        .flatmap(lambda kind: _scaled(shape, KINDS[kind]))
        .map(lambda array: array.astype(dtype))
    )


@checked
def parameters(
    shapes: st.SearchStrategy[tuple[int, ...]] | None = None, dtype: DTypeLike = np.float64
) -> st.SearchStrategy[Parameter]:
    """Parameters with values and a gradient, by default of up to three axes of up to four entries.

    >>> find(strategies.parameters(dtype="float32"), lambda w: w.size > 2)
    Parameter('w', shape=(3,), dtype=float32)
    """

    @st.composite
    def draw_one(draw: Callable[..., Any]) -> Parameter:
        shape = draw(shapes if shapes is not None else hnp.array_shapes(min_dims=0, max_dims=3, max_side=4))
        parameter = Parameter(draw(values(shape, dtype)), name=draw(st.sampled_from(["w", "kernel", "bias"])))
        parameter.grad = draw(gradients(shape, dtype))
        return parameter

    return draw_one()


@checked
def hyperparameters(rule: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Values, within their ranges, for the numbers and flags of an optimizer (or of a class, with its defaults).

    Schedules and other callables among its hyperparameters are left out.

    >>> find(strategies.hyperparameters(minidl.optimizers.AdaDelta), lambda drawn: drawn["rho"] < 0.6)
    {'learning_rate': 1.0, 'rho': 0.5, 'epsilon': 1e-06}
    """
    optimizer = rule() if isinstance(rule, type) else rule
    ranges = getattr(optimizer, "ranges", {})
    return st.fixed_dictionaries(
        {
            name: st.sampled_from(_choices(name, value, ranges.get(name)))
            for name, value in getattr(optimizer, "hyperparameters", {}).items()
            if not callable(value)
        }
    )


@dataclass(frozen=True)
class Run:
    """A start, the gradient of each step, and hyperparameters: what `runs` draws.

    Attributes:
        start: The values before the first step, a vector.
        gradients: A gradient for each step.
        settings: Hyperparameters by name.
        make: Makes the optimizer.
    """

    start: Array
    gradients: list[Array]
    settings: dict[str, Any]
    make: Callable[[], Any] = field(repr=False)

    def parameter(self, dtype: DTypeLike = np.float64, name: str = "w") -> Parameter:
        """Return a new parameter at the start."""
        return Parameter(self.start.astype(dtype), name=name)

    def optimizer(self, **settings: Any) -> Any:
        """Return a new optimizer with the run's hyperparameters; those given here replace them."""
        optimizer = self.make()
        for name, value in {**self.settings, **settings}.items():
            setattr(optimizer, name, value)
        return optimizer

    def __str__(self) -> str:
        shown = [f"w = {self.start.tolist()}", f"gradients = {[g.tolist() for g in self.gradients]}"]
        return ", ".join([*shown, *(f"{name} = {value!r}" for name, value in self.settings.items())])


@checked
def runs(
    rule: Callable[[], Any],
    *,
    steps: int = 6,
    entries: int = 4,
    kinds: Sequence[str] = tuple(KINDS),
    nonzero: bool = False,
    **pinned: Any,
) -> st.SearchStrategy[Run]:
    """Runs of an optimizer: of up to so many steps, entries and kinds of gradients, which are never 0 if `nonzero`.

    Args:
        rule: An optimizer class, or a callable without arguments that returns an optimizer.
        steps: At most so many.
        entries: At most so many.
        kinds: As for `gradients`.
        nonzero: Whether every entry of every gradient is at least a hundredth of its kind's size.
        **pinned: Hyperparameters that aren't drawn.

    Raises:
        ValueError: If there is no kind, or one isn't one of those.

    >>> run = find(strategies.runs(minidl.optimizers.SGD), lambda run: abs(run.gradients[-1]).max() > 3)
    >>> len(run.gradients), run.gradients[-1].shape
    (1, (1,))
    """
    settings, sampled = hyperparameters(rule()), _kinds("runs", kinds)

    @st.composite
    def draw_one(draw: Callable[..., Any]) -> Run:
        shape = (draw(st.integers(1, steps)), draw(st.integers(1, entries)))
        scales = [scale for scale in KINDS[draw(sampled)] if scale or not nonzero]
        drawn = draw(_scaled(shape, scales, nonzero))
        return Run(draw(_decimals(shape[1])), list(drawn), {**draw(settings), **pinned}, rule)

    return draw_one()


@checked
def schedules(low: float = 0.001, high: float = 0.5) -> st.SearchStrategy[Schedule]:
    """Schedules of steps whose values stay between `low` and `high`.

    >>> find(strategies.schedules(), lambda rate: rate(0) != rate(9))(9)
    0.001
    """
    numbers = st.sampled_from([high, low, (low * high) ** 0.5])
    counts = st.integers(1, 4)
    return st.one_of(
        st.builds(
            lambda one, two, boundary: PiecewiseConstant([one, two], boundaries=[boundary]),
            numbers, numbers, counts,
        ),
        st.builds(lambda n: CosineDecay(high, decay_steps=n, final=low), counts),
        st.builds(lambda n: PolynomialDecay(high, decay_steps=n, final=low), counts),
        st.builds(lambda n: Warmup(high, warmup_steps=n, start=low), counts),
    )  # fmt: skip


@st.composite
def models(draw: Callable[..., Any], features: int = 3, classes: int = 2) -> Sequential:
    """Small built models in double precision: up to two hidden layers, then a softmax over the classes.

    >>> find(strategies.models(features=5), lambda model: len(model.layers) > 2).output_shape
    (2,)
    """
    stack: list[Any] = []
    for _ in range(draw(st.integers(0, 2))):
        activation = draw(st.sampled_from(["tanh", "relu", "sigmoid", "swish"]))
        stack.append(layers.Dense(draw(st.integers(1, 4)), activation))
    stack += [layers.Dense(classes), layers.Softmax()]
    model = Sequential(stack, seed=draw(st.integers(0, 99)), dtype="float64")
    model.build((features,))
    return model


@st.composite
def datasets(draw: Callable[..., Any], samples: int = 8, features: int = 3, classes: int = 2) -> tuple[Array, Array]:
    """Inputs and labels of up to so many samples.

    >>> x, y = find(strategies.datasets(features=1), lambda data: data[1].any())
    >>> x.tolist(), len(y)
    ([[0.0], [0.0]], 2)
    """
    n = draw(st.integers(2, samples))
    return draw(values((n, features))), draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))


def _kinds(owner: str, kinds: Sequence[str]) -> st.SearchStrategy[str]:
    """One of these kinds of gradients; raises ValueError if they aren't."""
    if isinstance(kinds, str) or not kinds:
        raise ValueError(f"{owner}: kinds must be a list of at least one. Received: kinds={kinds!r}")
    return st.sampled_from([choice(owner, "kinds", kind, tuple(KINDS)) for kind in kinds])


def _decimals(shape: int | tuple[int, ...], nonzero: bool = False) -> st.SearchStrategy[Array]:
    hundredths = st.integers(-400, 400)
    if nonzero:
        hundredths = hundredths.filter(bool)
    return hnp.arrays(np.int16, shape, elements=hundredths, fill=st.nothing()).map(lambda array: array / 100)


def _scaled(shape: int | tuple[int, ...], scales: Sequence[float], nonzero: bool = False) -> st.SearchStrategy[Array]:
    numbers = _decimals(shape, nonzero)
    if len(scales) == 1:
        return numbers.map(lambda array: array * scales[0])
    picked = hnp.arrays(np.int8, shape, elements=st.integers(0, len(scales) - 1), fill=st.nothing())
    return st.tuples(numbers, picked).map(lambda pair: pair[0] * np.asarray(scales)[pair[1]])


def _choices(name: str, value: Any, interval: str | None) -> list[Any]:
    """Return the default, then other values in its range."""
    if isinstance(value, bool) or interval == "bool":
        return [value, not value]
    if interval is None:
        return list(dict.fromkeys([value, value / 2, value * 2]))
    span = Interval.parse(interval)
    family = name.partition("_")[0] if name.startswith("epsilon") else name
    others = CHOICES.get(family, FRACTIONS if span.high <= 1 else (value / 2, value * 2, 0.5))
    return list(dict.fromkeys([value, *(other for other in others if other in span)]))
