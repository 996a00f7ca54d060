"""The checks of the rule itself: what `update` makes of numbers. Each one's docstring is its meaning."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.parameters import Parameter
from minidl.testing.checking import NotApplicableError, same
from minidl.testing.optimizers.subject import FLOATS, Array, Subject, is_ours, slots_of, steps, walk
from minidl.validation import Interval

if TYPE_CHECKING:
    from minidl.testing.strategies import Run

__all__ = ["CHECKS"]

ROUNDING = 1e-12


def _contract(subject: Subject) -> None:
    """The rule stands the engine's trial: pure, as elementwise as it says, and true to its slots and dtypes."""
    for dtype in (np.float32, np.float64):
        optimizer, parameter = subject.make(), Parameter(np.ones(4, dtype), name="w")
        if is_ours(optimizer):
            optimizer.build([parameter])
        else:
            steps(optimizer, [parameter], [[np.full(4, 0.5, dtype)]])


def _deterministic(subject: Subject) -> None:
    """The same run gives the same bits, traced or not, whatever NumPy's global generator does, and leaves it alone."""

    def check(run: Run) -> None:
        one = walk(run.optimizer(), run.start, run.gradients)
        before = pickle.dumps(np.random.get_state())  # noqa: NPY002  # it is what mustn't be used
        again = run.optimizer()
        if hasattr(again, "execution"):
            again.execution = "plain"
        other = walk(again, run.start, run.gradients)
        after = pickle.dumps(np.random.get_state())  # noqa: NPY002
        same(other.data, one.data, "run again")
        assert before == after, "a step draws from NumPy's global generator"

    subject.for_runs(check)


def _rearranged(subject: Subject, what: str, arrange: Callable[[Array], list[Array]]) -> None:
    """Compare one parameter with the pieces that `arrange` makes of it."""
    subject.needs_elementwise()

    def check(run: Run) -> None:
        whole = walk(run.optimizer(), run.start, run.gradients)
        parts = [Parameter(part.copy(), name=f"w{i}") for i, part in enumerate(arrange(run.start))]
        steps(run.optimizer(), parts, [arrange(gradient) for gradient in run.gradients])
        for part, expected in zip(parts, arrange(whole.data), strict=True):
            same(part.data, expected, what, ROUNDING)

    subject.for_runs(check)


def _permutation(subject: Subject) -> None:
    """Entries in another order take the same steps.

    Known: pytorch#191763, bitsandbytes#1187
    """
    _rearranged(subject, "in reverse order", lambda array: [array[::-1]])


def _reshape(subject: Subject) -> None:
    """A parameter in another shape takes the same steps."""
    _rearranged(subject, "as a column", lambda array: [array.reshape(-1, 1, 1)])


def _split(subject: Subject) -> None:
    """A parameter in two pieces, or two parameters in one piece, take the same steps.

    Known: pytorch#119885
    """
    _rearranged(subject, "in two pieces", lambda array: [array[: len(array) // 2], array[len(array) // 2 :]])


def _zero_gradient_finite(subject: Subject) -> None:
    """Zero gradients, from rest and after motion, never make a number that isn't finite, in any precision.

    Known: optax#1754, chainer#6299, Optimisers.jl#167
    """
    own = getattr(subject.sample, "hyperparameters", {})
    for dtype in FLOATS:

        def check(run: Run, dtype: Any = dtype) -> None:
            for moving in (0, len(run.gradients)):
                optimizer = run.optimizer()
                zeros = [np.zeros_like(run.start)] * 3
                parameter = walk(optimizer, run.start, [*run.gradients[:moving], *zeros], dtype)
                _finite(optimizer, parameter, f"after zero gradients in {np.dtype(dtype)}, {moving} steps from rest")

        # At drawn hyperparameters a rule may well leave float16's range: Adam that coasts with β₂ = 0 does.
        subject.for_runs(check, share=0.3, kinds=("ordinary",), **own)


def _zero_rate_rests(subject: Subject) -> None:
    """From the start, a learning rate of 0 moves nothing, to the bit."""
    subject.needs_hyperparameters("learning_rate")

    def check(run: Run) -> None:
        moved = walk(run.optimizer(learning_rate=0.0), run.start, run.gradients)
        same(moved.data, run.start, "at learning rate 0")

    subject.for_runs(check)


def _hyperparameters_used(subject: Subject) -> None:
    """Each hyperparameter changes the numbers when it is changed."""
    rng = np.random.default_rng(2)
    start, gradients = rng.standard_normal(24), rng.standard_normal((6, 24))
    gradients[rng.random((6, 24)) < 0.1] = 0
    gradients[:, 16:] *= 1e-8

    def run(optimizer: Any) -> Array:
        first = walk(optimizer, start, gradients[:3])
        if isinstance(getattr(optimizer, "learning_rate", None), float):
            optimizer.learning_rate = optimizer.learning_rate / 2
        steps(optimizer, [first], ([g] for g in gradients[3:]))
        return first.data

    expected = run(subject.make())
    for name in subject.hyperparameters:
        changed = [run(optimizer) for optimizer in _variations(subject, name)]
        if changed and all(np.array_equal(data, expected, equal_nan=True) for data in changed):
            raise AssertionError(f"{name} is never used: six steps are the same whatever its value")


def _variations(subject: Subject, name: str) -> Iterator[Any]:
    """Give optimizers that differ in one hyperparameter; none if it is a schedule."""
    value = subject.hyperparameters[name]
    if callable(value):
        return
    if isinstance(value, bool):
        others: list[float] = [not value]
    else:
        interval = Interval.parse(getattr(subject.sample, "ranges", {}).get(name, "(-inf, inf)"))
        candidates = (value / 2, value * 2, (1 + value) / 2, value + 1e-3)
        others = [other for other in candidates if other != value and other in interval]
    for other in others:
        optimizer = subject.make()
        setattr(optimizer, name, other)
        yield optimizer


def _epsilon_visible(subject: Subject) -> None:
    """An ε decides about steps along gradients near its own size, in single precision too.

    Known: keras#15710
    """
    names = [name for name in subject.numbers if name.startswith("epsilon")]
    if not names:
        raise NotApplicableError("it has no hyperparameter epsilon that is a number")
    for name in names:
        size = subject.hyperparameters[name] or 1e-4
        others = {other: 0.0 for other in names if other != name}
        for dtype in (np.float32, np.float64):
            largest = 0.0
            for power in range(-16, 3):
                gradient = 10.0**power * np.array([1.0, -0.25])
                once = _first_step(subject, gradient, dtype, **others, **{name: size})
                twice = _first_step(subject, gradient, dtype, **others, **{name: 2 * size})
                largest = max(largest, float((np.abs(twice - once) / np.fmax(np.abs(once), 1e-300)).max()))
            assert largest > 0.01, (
                f"{name} = {size!r} twice as large changes the first step by {largest:.1e} of itself at most, whatever "
                f"the gradient's size, in {np.dtype(dtype)}"
            )


def _first_step(subject: Subject, gradient: Array, dtype: Any, **settings: float) -> Array:
    optimizer = subject.make()
    for name, value in settings.items():
        setattr(optimizer, name, value)
    # From zero the step itself is seen, not what is left of it beside w; a rule that takes w's norm would rest there.
    start = np.zeros(2) if subject.elementwise else np.ones(2)
    return walk(optimizer, start, [gradient], dtype).data - start.astype(dtype)


def _nudged(
    start: Array, gradients: list[Array], rates: list[float]
) -> Iterator[tuple[Array, list[Array], list[float]]]:
    """Yield what an oracle is given, sixteen times, with other last digits."""
    rng = np.random.default_rng(0)

    def nudge(numbers: Array) -> Array:
        return numbers * (1 + rng.integers(-1, 2, numbers.shape) * np.finfo(np.float64).eps)

    for _ in range(16):
        yield nudge(start), [nudge(g) for g in gradients], nudge(np.array(rates)).tolist()


def _between(array: Array, answers: list[Array]) -> bool:
    """Tell whether an array lies among answers that differ by rounding alone, or half as far again."""
    if any(answer.shape != array.shape or not np.isfinite(answer).all() for answer in answers):
        return False
    least, most = np.min(answers, axis=0), np.max(answers, axis=0)
    room = (most - least) / 2
    return bool(((array >= least - room) & (array <= most + room)).all())


def _oracle(subject: Subject) -> None:
    """The numbers are those of the author's own calculation: 1e-12 over up to fifty steps, rates absurd ones too.

    Known: swift-apis#733, nntrainer#3565, pennylane#53, keras#15710
    """
    if subject.oracle is None:
        raise NotApplicableError("no oracle was given")
    oracle = subject.oracle

    def check(run: Run) -> None:
        optimizer = run.optimizer()
        settings = {name: value for name, value in optimizer.hyperparameters.items() if name != "learning_rate"}
        base = run.settings.get("learning_rate", 1.0)
        rates = [(base, base / 2, 0.001, 10.0, 0.0)[i % 5] for i in range(len(run.gradients))]
        factors, starts = (1.0, -3.0, 2.0), (run.start, -2 * run.start, 0 * run.start)
        trio = [Parameter(w.copy(), name=name) for w, name in zip(starts, ("one", "other", "zero"), strict=True)]
        # What cancels to almost nothing was rounded at the size that it had.
        farthest: dict[tuple[str, str], float] = defaultdict(float)
        for rate, gradient in zip(rates, run.gradients, strict=True):
            if "learning_rate" in run.settings:
                optimizer.learning_rate = rate
            steps(optimizer, trio, [[factor * gradient for factor in factors]])
            for parameter in trio:
                for what, array in {"w": parameter.data, **slots_of(optimizer, parameter)}.items():
                    key = (parameter.name, what)
                    farthest[key] = max(farthest[key], float(np.abs(array).max(initial=0)))
        for parameter, start, factor in zip(trio, starts, factors, strict=True):

            def told(w: Array, gradients: list[Array], rates: list[float]) -> list[Array]:
                with np.errstate(all="ignore"):
                    given = oracle(w, gradients, rates, **settings)
                return [np.asarray(a, np.float64) for a in (given if isinstance(given, (tuple, list)) else (given,))]

            gradients = [factor * g for g in run.gradients]
            found = {"w": parameter.data, **slots_of(optimizer, parameter)}
            for i, ((what, array), expected) in enumerate(
                zip(found.items(), told(start.copy(), gradients, list(rates)), strict=False)
            ):
                scale = farthest[parameter.name, what] + (float(np.abs(start).max(initial=0)) if what == "w" else 0.0)
                try:
                    same(array, expected, f"{what} of {parameter.name!r}", ROUNDING, scale)
                except AssertionError:  # where a last digit decides, the oracle itself gives this or that
                    if not _between(array, [told(*nudged)[i] for nudged in _nudged(start, gradients, rates)]):
                        raise

    subject.for_runs(check, steps=50)


def _dtype_kept(subject: Subject) -> None:
    """Parameters and slots keep their dtype; those of float16 have float32 slots or their own."""
    for dtype in FLOATS:
        optimizer = subject.make()
        parameter = walk(optimizer, np.ones(3), [np.full(3, 0.5), np.zeros(3)], dtype)
        assert parameter.dtype == dtype, f"a {np.dtype(dtype)} parameter became {parameter.dtype}"
        for name, slot in slots_of(optimizer, parameter).items():
            allowed: tuple[Any, ...] = (dtype,)
            if dtype == np.float16:
                allowed = (np.float32,) if is_ours(optimizer) else (np.float16, np.float32)
            assert slot.dtype in allowed or slot.dtype.kind != "f", (
                f"slot {name} of a {np.dtype(dtype)} parameter is {slot.dtype}"
            )


def _number_types(subject: Subject) -> None:
    """Hyperparameters given as Python's or NumPy's numbers give the same bits, and never widen float32.

    Known: netket#1218
    """
    gradients = [np.linspace(-1.7, 1.3, 31) * scale for scale in (1.0, 0.3, 7.0)]

    def run(wrap: Callable[[float], Any]) -> Array:
        optimizer = subject.make()
        for name in subject.numbers:
            setattr(optimizer, name, wrap(subject.hyperparameters[name]))
        return walk(optimizer, np.zeros(31), gradients, np.float32).data

    expected = run(float)
    kinds: dict[str, Callable[[float], Any]] = {"numpy.float64": np.float64, "an array without axes": np.array}
    for what, wrap in kinds.items():
        found = run(wrap)
        assert found.dtype == np.float32, f"a float32 parameter became {found.dtype} with hyperparameters as {what}"
        same(found, expected, f"hyperparameters as {what}")


def _tiny_gradients_finite(subject: Subject) -> None:
    """Gradients as small as a precision can hold, whose squares are zero in it, make finite numbers."""
    for dtype in FLOATS:
        info = np.finfo(dtype)
        for size in (info.smallest_subnormal, info.tiny, np.sqrt(info.tiny)):
            optimizer = subject.make()
            gradient = np.array([size, -size, 0.0])
            parameter = walk(optimizer, np.ones(3), [gradient, gradient, -gradient], dtype)
            _finite(optimizer, parameter, f"after gradients of {float(size):.0e} in {np.dtype(dtype)}")


def _overflow_refused(subject: Subject) -> None:
    """Gradients too large for a slot raise and change nothing, instead of a weight that silently stops for ever."""
    for dtype in FLOATS:
        largest = float(np.finfo(dtype).max)
        for size in (largest**0.5 * 4, largest / 4):
            optimizer = subject.make()
            parameter = walk(optimizer, np.ones(2), [np.array([0.5, -0.5])], dtype)
            before = [array.copy() for array in (parameter.data, *slots_of(optimizer, parameter).values())]
            what = f"after gradients of {size:.0e} in {np.dtype(dtype)}"
            try:
                steps(optimizer, [parameter], [[np.array([size, -size], dtype)]])
            except FloatingPointError:
                after = [parameter.data, *slots_of(optimizer, parameter).values()]
                for array, kept in zip(after, before, strict=True):
                    same(array, kept, f"{what}, which were refused")
                other = subject.make()
                twin = walk(other, np.ones(2), [np.array([0.5, -0.5])], dtype)
                for each, w in ((optimizer, parameter), (other, twin)):
                    steps(each, [w], [[np.array([1.0, -2.0], dtype)]])
                same(parameter.data, twin.data, f"the step {what}, which were refused")
            else:
                _finite(optimizer, parameter, what)
                steps(optimizer, [parameter], [[np.array([1.0, -1.0], dtype)]] * 2)
                _finite(optimizer, parameter, f"two steps {what}")


def _constant_gradient_finite(subject: Subject) -> None:
    """A thousand steps along one gradient, in single precision too, make finite numbers."""
    gradient = 1e4 * np.random.default_rng(0).standard_normal(8)
    for dtype in (np.float32, np.float64):
        optimizer = subject.make()
        parameter = walk(optimizer, np.zeros(8), [gradient] * 1000, dtype)
        _finite(optimizer, parameter, f"after a thousand equal gradients in {np.dtype(dtype)}")


def _finite(optimizer: Any, parameter: Parameter, when: str) -> None:
    for what, array in {"w": parameter.data, **slots_of(optimizer, parameter)}.items():
        assert np.isfinite(array).all(), f"{what} isn't finite {when}: {array.tolist()}"


CHECKS = (
    _contract,
    _deterministic,
    _permutation,
    _reshape,
    _split,
    _zero_gradient_finite,
    _zero_rate_rests,
    _hyperparameters_used,
    _epsilon_visible,
    _oracle,
    _dtype_kept,
    _number_types,
    _tiny_gradients_finite,
    _overflow_refused,
    _constant_gradient_finite,
)
