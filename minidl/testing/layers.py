"""The checks of layers."""

from __future__ import annotations

import contextlib
import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import checked
from minidl.layers import Layer
from minidl.models import Sequential
from minidl.testing.checking import (
    Check,
    Example,
    NotApplicableError,
    agrees,
    for_examples,
    require_hypothesis,
    run_checks,
    same,
    slopes_along,
)
from minidl.testing.report import Report
from minidl.validation import describe, integer, sample_shape

__all__ = ["check_layer"]

Array = NDArray[Any]
Draw = Callable[[np.random.Generator, tuple[int, ...]], ArrayLike]


@checked
def check_layer(
    layer_or_class: Layer | type[Layer] | Callable[[], Layer],
    input_shape: tuple[int, ...],
    *,
    inputs: Draw | None = None,
    examples: int = 20,
    raises: bool = True,
) -> Report:
    """Check a layer: its gradients, and all that a model relies on.

    Gradients are compared with central differences in double precision, in a random direction; at kinks, where the
    slopes on both sides differ, they must lie between these. What a failure shows is the smallest example that
    Hypothesis finds.

    Args:
        layer_or_class: A layer that isn't built, which stays as it is; a class that needs no arguments; or a callable
            without arguments that returns a new layer each time.
        input_shape: The shape of one sample.
        inputs: Draws a batch: called with a generator and a shape, (batch, *input_shape). By default numbers are drawn
            from a normal distribution. Where it draws integers, the gradient by the input isn't checked.
        examples: How many examples are drawn for each property, at least 1.
        raises: Whether a failed check raises.

    Returns:
        A report with one result a check; print it for a table.

    Raises:
        CheckFailedError: If a check failed; its text is the report. It is an AssertionError.
        TypeError, ValueError: If the arguments aren't as told above.
        ImportError: If the extra `check` isn't installed.

    >>> print(minidl.testing.check_layer(minidl.layers.Dense(3, "tanh"), (4,), examples=2).passed)
    True
    """
    require_hypothesis("check_layer")
    shape = sample_shape("check_layer", "input_shape", input_shape)
    case = _Case(_maker(layer_or_class), shape, inputs, integer("check_layer", "examples", examples, 1))
    return run_checks(
        repr(case.make()),
        [Check.of(check) for check in _CHECKS],
        case,
        foundation="builds_and_runs",
        broken="it can't be built and run at all",
        raises=raises,
    )


def _maker(given: Any) -> Callable[[], Any]:
    if isinstance(given, Layer):
        if given.built:
            raise ValueError(f"check_layer: the layer must not be built yet. Received: {describe(given)}")
        return lambda: copy.deepcopy(given)
    if not callable(given) or not isinstance(given(), Layer):
        raise TypeError(
            f"check_layer: must be given a layer, a class of layers or a callable that returns layers. "
            f"Received: {describe(given)}"
        )
    return given


class _Case:
    """A layer, and the batches on which it is tried."""

    def __init__(self, make: Callable[[], Layer], shape: tuple[int, ...], inputs: Draw | None, examples: int) -> None:
        self.make, self.shape, self.inputs, self.examples = make, shape, inputs, examples

    def layer(self, example: Example, dtype: str = "float64") -> Layer:
        """Return a new layer, built, whose parameters are away from where they start."""
        layer = self.make()
        layer.dtype = np.dtype(dtype)
        layer.build(self.shape, np.random.default_rng(example.seed))
        for i, parameter in enumerate(layer.parameters):
            parameter.data = (parameter.data + 0.5 * example.normal(parameter.shape, 10 + i)).astype(dtype)
            parameter.grad = example.normal(parameter.shape, 100 + i)  # what was there before must not matter
        return layer

    def input(self, example: Example, dtype: str = "float64", batch: int | None = None) -> Array:
        """Return a batch that can't be written to."""
        shape = (example.batch if batch is None else batch, *self.shape)
        if self.inputs is not None:
            drawn = np.asarray(self.inputs(_generator(example), shape))
        else:
            drawn = example.normal(shape)
        x = np.array(drawn, dtype)
        x.flags.writeable = False
        return x

    def slopes(self, example: Example, y: Array) -> Array:
        """Return a gradient by the output that can't be written to."""
        dy = example.normal(y.shape, 1).astype(y.dtype)
        dy.flags.writeable = False
        return dy

    def for_examples(self, check: Callable[[Example], None]) -> None:
        for_examples(self.examples, check)

    @property
    def takes_integers(self) -> bool:
        return (
            self.inputs is not None
            and np.asarray(self.inputs(np.random.default_rng(0), (1, *self.shape))).dtype.kind in "iu"
        )


def _generator(example: Example) -> np.random.Generator:
    return np.random.default_rng(example.seed)


def _forward(layer: Layer, x: Array, training: bool) -> Array:
    """Return the output as if it were the first: buffers, and so random numbers, are as they were."""
    before = {name: buffer.copy() for name, buffer in layer.named_buffers().items()}
    y = layer.forward(x, training)
    for name, buffer in layer.named_buffers().items():
        buffer[...] = before[name]
    return y


def _gradients(layer: Layer) -> list[Array]:
    return [parameter.grad.copy() for parameter in layer.parameters]


def _show(x: Array) -> str:
    text = np.array2string(x, precision=4, threshold=40, separator=", ").replace("\n", "")
    return f"the input {' '.join(text.split())}"


# The checks: each one's docstring is its meaning ---------------------------------------------------------


def _builds_and_runs(case: _Case) -> None:
    """It can be built, run forwards and backwards; shapes are as declared, for batches of 0, 1 and more."""
    for batch in (2, 1, 0):
        example = Example(2, 1.0, 0)
        layer, x = case.layer(example), case.input(example, batch=batch)
        y = _forward(layer, x, True)
        expected = (batch, *layer.output_shape)
        assert y.shape == expected, f"a batch of {batch} has an output of shape {y.shape} instead of {expected}"
        dx = layer.backward(case.slopes(example, y))
        assert dx.shape == x.shape, f"a batch of {batch} has a gradient of shape {dx.shape} instead of {x.shape}"
        for parameter in layer.parameters:
            assert parameter.grad.shape == parameter.shape, f"the gradient of {parameter.name} lost its shape"


def _gradient_by_input(case: _Case) -> None:
    """The gradient by the input is the one that central differences give, in training and otherwise."""
    if case.takes_integers:
        raise NotApplicableError("its inputs are integers")
    _compare_gradients(case, by_input=True)


def _gradient_by_parameters(case: _Case) -> None:
    """The gradient by each parameter is the one that central differences give, in training and otherwise."""
    if not case.layer(Example(1, 1.0, 0)).parameters:
        raise NotApplicableError("it has no parameters")
    _compare_gradients(case, by_input=False)


def _compare_gradients(case: _Case, by_input: bool) -> None:
    def check(example: Example) -> None:
        for training in (False, True):
            layer, x = case.layer(example), case.input(example).copy()
            dy = case.slopes(example, _forward(layer, x, training))
            dx = layer.backward(dy)
            parts = [("the input", x, dx)] if by_input else [(p.name, p.data, p.grad.copy()) for p in layer.parameters]

            def objective() -> float:
                y = _forward(layer, x, training)  # noqa: B023  # called at once
                return float((dy * y).sum(dtype=np.float64)) + layer.activity_penalty()  # noqa: B023

            for i, (name, array, gradient) in enumerate(parts):
                way = np.random.default_rng((example.seed, 2 + i)).choice([-1.0, 1.0], array.shape)
                slopes = slopes_along(objective, array, way)
                exact = float((gradient * way).sum(dtype=np.float64))
                room = 1e-6 * float(np.abs(gradient).sum(dtype=np.float64)) + 1e-9 * (1 + abs(objective()))
                if not agrees(exact, slopes, room):
                    at, numeric = _worst(objective, array, gradient)
                    raise AssertionError(
                        f"{'training' if training else 'not training'}, by {name}: entry {list(at)} is "
                        f"{gradient[at]:.8g}, but central differences give {numeric:.8g}; {_show(x)}"
                    )

    case.for_examples(check)


def _worst(objective: Callable[[], float], array: Array, gradient: Array) -> tuple[tuple[int, ...], float]:
    """Return the entry of the gradient that is most wrong, and what it should be."""
    found = [((0,) * array.ndim, 0.0, -1.0)]
    for i in np.ndindex(array.shape):
        way = np.zeros(array.shape)
        way[i] = 1.0
        left, right = slopes_along(objective, array, way)
        found.append((i, (left + right) / 2, abs((left + right) / 2 - float(gradient[i]))))
    at, right, _ = max(found, key=lambda entry: entry[2])
    return at, right


def _ties(case: _Case) -> None:
    """At equal inputs, and at zeros, the gradient of each output lies between the slopes of both sides."""
    if case.inputs is not None:
        raise NotApplicableError("its inputs are drawn by the caller")
    if case.layer(Example(1, 1.0, 0)).children:
        raise NotApplicableError("there are layers inside, whose kinks may add up")

    def check(example: Example) -> None:
        layer, drawn = case.layer(example), case.input(example, batch=1)
        x = np.sign(drawn) if example.seed % 2 else np.zeros_like(drawn)
        y = _forward(layer, x, False)
        dy = np.zeros_like(y)
        dy.flat[example.seed % dy.size] = 1.0
        dx = layer.backward(dy)
        way = np.random.default_rng((example.seed, 2)).choice([-1.0, 1.0], x.shape)
        slopes = slopes_along(lambda: float((dy * _forward(layer, x, False)).sum()), x, way)
        exact = float((dx * way).sum())
        assert agrees(exact, slopes, 1e-4 * (1 + abs(exact))), f"{exact:.8g}, not between {slopes}; {_show(x)}"

    case.for_examples(check)


def _complex_step(case: _Case) -> None:
    """Where the formula is analytic, the gradient by the input is that of a complex step, to rounding."""
    if case.takes_integers:
        raise NotApplicableError("its inputs are integers")

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        dy = case.slopes(example, _forward(layer, x, False))
        _refuse_penalty(layer)
        dx = layer.backward(dy)
        way = np.random.default_rng((example.seed, 2)).choice([-1.0, 1.0], x.shape)
        for part in _inside(layer):
            object.__setattr__(part, "check_input", lambda x: None)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # where the imaginary part is dropped
                exact = float((dy * np.imag(_forward(layer, x + 1e-30j * way, False))).sum()) / 1e-30
        except (TypeError, ValueError, Warning) as error:
            raise NotApplicableError(f"it doesn't take complex numbers: {error}") from None
        moved = x.copy()
        slopes = slopes_along(lambda: float((dy * _forward(layer, moved, False)).sum()), moved, way)
        size = float(np.abs(dx).sum()) + 1e-12
        if max(abs(slope - exact) for slope in slopes) > 1e-3 * size + 1e-6:
            raise NotApplicableError("its formula isn't analytic as it is written")
        found = float((dx * way).sum())
        room = 1e-11 * size + 1e-14 * float(np.abs(dy).sum())  # a saturated slope, 1 - y², is rounded at the size of 1
        assert abs(found - exact) <= room, f"{found!r} instead of {exact!r}; {_show(x)}"

    case.for_examples(check)


def _inside(layer: Layer) -> Iterator[Layer]:
    yield layer
    for child in layer.children:
        yield from _inside(child)


def _refuse_penalty(layer: Layer) -> None:
    if layer.activity_penalty():
        raise NotApplicableError("a layer inside adds the slope of a penalty on its outputs")


def _linear_backward(case: _Case) -> None:
    """`backward` is linear: of a sum it is the sum, of a multiple the multiple."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        y = _forward(layer, x, True)
        _refuse_penalty(layer)
        one, other = example.normal(y.shape, 3), example.normal(y.shape, 4)
        found = [[layer.backward(dy).copy(), *_gradients(layer)] for dy in (one, other, 2 * one - 3 * other)]
        for a, b, both in zip(*found, strict=True):
            size = float(np.abs(a).sum() + np.abs(b).sum())
            assert np.abs(2 * a - 3 * b - both).max(initial=0) <= 1e-11 * (1 + size), f"it isn't; {_show(x)}"

    case.for_examples(check)


def _accumulate(case: _Case) -> None:
    """With accumulate=True the parameters' gradients are added to, without it they are written anew."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        dy = case.slopes(example, _forward(layer, x, True))
        dx, once = layer.backward(dy).copy(), _gradients(layer)
        same(layer.backward(dy, accumulate=True), dx, "the gradient by the input, accumulated")
        for parameter, gradient in zip(layer.parameters, once, strict=True):
            same(parameter.grad, 2 * gradient, f"the gradient of {parameter.name}, accumulated", 1e-11)
        layer.backward(dy)
        for parameter, gradient in zip(layer.parameters, once, strict=True):
            same(parameter.grad, gradient, f"the gradient of {parameter.name}, written anew", 1e-11)

    case.for_examples(check)


def _without_input_gradient(case: _Case) -> None:
    """Asked for the parameters' gradients alone, it gives the same."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        dy = case.slopes(example, _forward(layer, x, True))
        layer.backward(dy)
        expected = _gradients(layer)
        for parameter in layer.parameters:
            parameter.grad = np.full_like(parameter.grad, np.nan)  # what is there already must not pass for written
        layer.backward_part(dy, input_gradient=False)
        for parameter, gradient in zip(layer.parameters, expected, strict=True):
            same(parameter.grad, gradient, f"the gradient of {parameter.name}", 1e-11)

    case.for_examples(check)


def _last_forward_counts(case: _Case) -> None:
    """`backward` belongs to the last `forward`, whatever went before it and in whichever mode."""

    def check(example: Example) -> None:
        layer, fresh, x = case.layer(example), case.layer(example), case.input(example)
        other = case.input(Example(example.batch, example.scale, example.seed + 1))
        for first, last in ((True, False), (False, True)):
            _forward(layer, other, first)
            dy = case.slopes(example, _forward(layer, x, last))
            _forward(fresh, x, last)
            same(layer.backward(dy), fresh.backward(dy), "the gradient after another forward", 1e-11)
            for parameter, expected in zip(layer.parameters, fresh.parameters, strict=True):
                same(parameter.grad, expected.grad, f"the gradient of {parameter.name} after another forward", 1e-11)

    case.for_examples(check)


def _arguments_untouched(case: _Case) -> None:
    """Neither the input nor the gradient that it is given is changed."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example).copy()
        kept = x.copy()
        y = _forward(layer, x, True)
        same(x, kept, "the input after forward")
        dy = case.slopes(example, y).copy()
        kept_dy = dy.copy()
        layer.backward(dy)
        same(x, kept, "the input after backward")
        same(dy, kept_dy, "the gradient after backward")

    case.for_examples(check)


def _outputs_stay(case: _Case) -> None:
    """What `forward` and `backward` returned isn't overwritten by the next call."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        y = _forward(layer, x, True)
        kept = y.copy()
        dx = layer.backward(case.slopes(example, y))
        kept_dx = dx.copy()
        other = case.input(Example(example.batch, example.scale, example.seed + 1))
        layer.backward(2 * case.slopes(example, _forward(layer, other, True)))
        same(y, kept, "the first output after a second forward")
        same(dx, kept_dx, "the first gradient after a second backward")

    case.for_examples(check)


def _batch_mates(case: _Case) -> None:
    """Outside training, each sample's output and gradient are those that it would have alone."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example, batch=3)
        y = _forward(layer, x, False).copy()
        _refuse_penalty(layer)
        dy = case.slopes(example, y)
        dx, total = layer.backward(dy).copy(), _gradients(layer)
        for i in range(3):
            one = slice(i, i + 1)
            same(_forward(layer, x[one], False), y[one], f"the output of sample {i} alone", 1e-11)
            same(layer.backward(dy[one], accumulate=i > 0), dx[one], f"the gradient of sample {i} alone", 1e-10)
        for parameter, gradient in zip(layer.parameters, total, strict=True):
            same(parameter.grad, gradient, f"the gradient of {parameter.name}, sample by sample", 1e-9)

    case.for_examples(check)


def _layouts(case: _Case) -> None:
    """Inputs and gradients in another memory layout, strided or Fortran-ordered, give the same."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        y = _forward(layer, x, True).copy()
        dy = case.slopes(example, y)
        expected = [y, layer.backward(dy).copy(), *_gradients(layer)]
        arrangements: tuple[Callable[[Array], Array], ...] = (np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2])
        for arrange in arrangements:
            found = [_forward(layer, arrange(x), True), layer.backward(arrange(dy)), *_gradients(layer)]
            for one, other in zip(found, expected, strict=True):
                same(one, other, "in another layout", 1e-10)

    case.for_examples(check)


def _modes(case: _Case) -> None:
    """Outside training no buffer changes, and the same input gives the same output."""

    def check(example: Example) -> None:
        layer, x = case.layer(example), case.input(example)
        before = {name: buffer.copy() for name, buffer in layer.named_buffers().items()}
        first = layer.forward(x, False).copy()
        for name, buffer in layer.named_buffers().items():
            same(buffer, before[name], f"the buffer {name} outside training")
        same(layer.forward(x, False), first, "the output of the same input")

    case.for_examples(check)


def _deterministic(case: _Case) -> None:
    """Two layers built from one seed are one and the same, in training too; another seed starts other weights."""

    def check(example: Example) -> None:
        one, other, x = case.layer(example), case.layer(example), case.input(example)
        for _ in range(2):
            same(one.forward(x, True), other.forward(x, True), "the output of a layer built from the same seed")

    case.for_examples(check)
    starts = []
    for seed in (0, 1):
        layer = case.make()
        layer.build(case.shape, np.random.default_rng(seed))
        starts.append([parameter.data for parameter in layer.parameters])
    drawn = [pair for pair in zip(*starts, strict=True) if np.ptp(pair[0]) > 0 and len(np.unique(pair[0])) > 2]
    alike = drawn and all(np.array_equal(one, other) for one, other in drawn)
    assert not alike, "its start doesn't depend on the generator that build is given"


def _dtypes(case: _Case) -> None:
    """float16, float32 and float64 stay what they are, and single precision gives the numbers of double."""
    for dtype in ("float16", "float32", "float64"):
        example = Example(2, 1.0, 0)
        layer, x = case.layer(example, dtype), case.input(example, dtype)
        y = _forward(layer, x, True)
        dx = layer.backward(case.slopes(example, y))
        layer.backward(case.slopes(example, y), accumulate=True)
        arrays = {"the output": y, "the gradient by the input": dx}
        arrays |= {f"the gradient of {p.name}": p.grad for p in layer.parameters}
        for what, array in arrays.items():
            assert array.dtype == dtype, f"{what} of {dtype} is {array.dtype}"

    def check(example: Example) -> None:
        single, double = case.layer(example, "float32"), case.layer(example)
        for one, other in zip(single.parameters, double.parameters, strict=True):
            other.data = one.data
        x = case.input(example, "float32")
        y, expected = _forward(single, x, False), _forward(double, x.astype(np.float64), False)
        dy = case.slopes(example, y)
        pairs = [(y, expected), (single.backward(dy), double.backward(dy.astype(np.float64)))]
        pairs += [(one.grad, other.grad) for one, other in zip(single.parameters, double.parameters, strict=True)]
        for found, right in pairs:
            size = float(np.abs(right).max(initial=0))
            assert np.abs(found - right).max(initial=0) <= 1e-4 * (1 + size), f"float32 is too coarse; {_show(x)}"

    case.for_examples(check)


def _backward_needs_forward(case: _Case) -> None:
    """`backward` without a `forward` before it is refused with RuntimeError."""
    layer = case.layer(Example(1, 1.0, 0))
    try:
        layer.backward(np.ones((2, *layer.output_shape)))
    except RuntimeError:
        return
    raise AssertionError("it isn't refused")


def _extremes(case: _Case) -> None:
    """Samples of zeros, of equal numbers, and of ±1e4 give no NaN in float32, forwards and backwards."""
    if case.inputs is not None:
        raise NotApplicableError("its inputs are drawn by the caller")
    example = Example(2, 1.0, 0)
    layer = case.layer(example, "float32")
    signs = np.sign(case.input(example, "float32"))
    for what, x in {"zeros": 0 * signs, "ones": signs * signs, "±1e4": 1e4 * signs}.items():
        y = _forward(layer, x.astype(np.float32), False)
        dx = layer.backward(np.ones_like(y))
        bad = [name for name, array in {"output": y, "gradient": dx}.items() if np.isnan(array).any()]
        assert not bad, f"the {bad[0]} holds NaN for a batch of {what}"


def _config_round_trip(case: _Case) -> None:
    """A layer made from its config, with its arrays loaded, gives the same output."""
    example = Example(2, 1.0, 0)
    first = case.make()
    try:
        again = type(first).from_config(pickle.loads(pickle.dumps(first.get_config())))
    except TypeError as error:
        raise NotApplicableError(f"it can't be described: {error}") from None
    one, other = (Sequential([layer], seed=seed, dtype="float64") for seed, layer in enumerate((first, again)))
    for model in (one, other):
        model.build(case.shape)
    one.forward(case.input(example), True)
    other.load_state_dict(pickle.loads(pickle.dumps(one.state_dict())))
    for training in (False, True):
        expected = one.forward(case.input(example), training)
        same(other.forward(case.input(example), training), expected, "the output after the round trip")


def _copies(case: _Case) -> None:
    """A deepcopy and a pickle give the same output, and share nothing with the original."""
    example = Example(2, 1.0, 0)
    layer, x = case.layer(example), case.input(example)
    expected = _forward(layer, x, False).copy()
    copies = [copy.deepcopy(layer)]
    with contextlib.suppress(pickle.PicklingError, AttributeError, TypeError):  # a class in a function has no pickle
        copies.append(pickle.loads(pickle.dumps(layer)))
    for other in copies:
        same(_forward(other, x, False), expected, "the output of a copy")
        for parameter in other.parameters:
            parameter.data = parameter.data + 1
    same(_forward(layer, x, False), expected, "the output after its copies changed")


_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _builds_and_runs,
    _gradient_by_input,
    _gradient_by_parameters,
    _ties,
    _complex_step,
    _linear_backward,
    _accumulate,
    _without_input_gradient,
    _last_forward_counts,
    _arguments_untouched,
    _outputs_stay,
    _batch_mates,
    _layouts,
    _modes,
    _deterministic,
    _dtypes,
    _backward_needs_forward,
    _extremes,
    _config_round_trip,
    _copies,
)
