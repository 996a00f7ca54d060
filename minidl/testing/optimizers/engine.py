"""The checks of what runs the rule: memory, bookkeeping, parameters beside each other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.parameters import Parameter, flatten
from minidl.testing.checking import NotApplicableError, same
from minidl.testing.optimizers.subject import FLOATS, Array, Subject, slots_of, steps, walk

if TYPE_CHECKING:
    from minidl.testing.strategies import Run

__all__ = ["CHECKS"]

ROUNDING = 1e-12


def _shapes(subject: Subject) -> None:
    """Shapes (), (0,), (1, 0, 2), and 1, 7, 31, 10,007 and 70,001 entries work, next to each other.

    Known: pytorch#96776, pytorch#100701, TransformerEngine#3207
    """
    shapes: list[tuple[int, ...]] = [(), (0,), (1, 0, 2), (1,), (7,), (31,), (10_007,), (70_001,)]
    pattern = np.array([0.5, -1.0, 0.25, 2.0, 0.0])
    wholes = [Parameter(np.resize(pattern + 1, shape), name=str(shape)) for shape in shapes]
    gradients = [[np.resize(factor * pattern, shape) for shape in shapes] for factor in (1.0, -0.5, 3.0)]
    steps(subject.make(), wholes, gradients)
    single = walk(subject.make(), pattern + 1, [factor * pattern for factor in (1.0, -0.5, 3.0)])
    for parameter, shape in zip(wholes, shapes, strict=True):
        assert parameter.shape == shape, f"shape {shape} became {parameter.shape}"
        assert np.isfinite(parameter.data).all(), f"numbers that aren't finite in shape {shape}"
        if subject.elementwise:
            same(parameter.data, np.resize(single.data, shape), f"shape {shape}", ROUNDING)


def _memory_layouts(subject: Subject) -> None:
    """Strided, reversed, transposed and Fortran-ordered arrays take the steps of contiguous ones, in place.

    Known: bitsandbytes#1187, pytorch#106951
    """
    rng = np.random.default_rng(5)
    start = rng.standard_normal((3, 4))
    gradients = [rng.standard_normal((3, 4)) for _ in range(4)]
    plain = Parameter(start.copy(), name="plain")
    steps(subject.make(), [plain], ([g] for g in gradients))
    layouts: dict[str, Callable[[], tuple[Array, Array]]] = {
        "Fortran-ordered": lambda: _whole(np.asfortranarray(start.copy())),
        "strided": lambda: _inside(np.zeros((3, 9)), lambda a: a[:, :8:2]),
        "reversed": lambda: _inside(np.zeros((3, 4)), lambda a: a[::-1, ::-1]),
        "transposed": lambda: _inside(np.zeros((4, 3)), lambda a: a.T),
    }
    for what, lay in layouts.items():
        base, array = lay()
        array[...] = start
        parameter = Parameter(array, name=what)
        steps(subject.make(), [parameter], ([g] for g in gradients))
        same(parameter.data, plain.data, what, ROUNDING)
        same(array, plain.data, f"the {what} array that was given", ROUNDING)
        if base.size > array.size:
            assert (base[:, 1::2] == 0).all(), f"memory between the entries of a {what} array was changed"


def _whole(array: Array) -> tuple[Array, Array]:
    return array, array


def _inside(base: Array, view: Callable[[Array], Array]) -> tuple[Array, Array]:
    return base, view(base)


def _flat_storage(subject: Subject) -> None:
    """Parameters that lie side by side in one storage take the same steps as parameters by themselves."""
    shapes = [(3, 4), (4,), (4, 2), (2,), (3,)]
    rng = np.random.default_rng(4)
    start = [rng.standard_normal(shape) for shape in shapes]
    gradients = [[rng.standard_normal(shape) for shape in shapes] for _ in range(6)]
    apart = [Parameter(w.copy(), name=f"{i}") for i, w in enumerate(start)]
    together = [Parameter(w.copy(), name=f"{i}") for i, w in enumerate(start)]
    flatten(together)
    for parameters in (apart, together):
        optimizer = subject.make()
        steps(optimizer, parameters, gradients[:1])
        parameters[1].trainable = False  # what lies on both sides of it doesn't touch
        steps(optimizer, parameters, gradients[1:3])
        parameters[1].trainable = True  # its t is smaller than its neighbours'
        steps(optimizer, parameters, gradients[3:4])
        if "learning_rate" in getattr(optimizer, "hyperparameters", {}):
            parameters[3].learning_rate_multiplier = 0.25
        parameters[4].weight_decay_multiplier = 0.0
        steps(optimizer, parameters, gradients[4:5])
        parameters[3].learning_rate_multiplier = 1.0
        steps(optimizer, parameters, gradients[5:])
    for one, other in zip(together, apart, strict=True):
        same(one.data, other.data, f"parameter of shape {one.shape}", ROUNDING)


def _in_place(subject: Subject) -> None:
    """A step changes the very array that the parameter was given, views of it included.

    Known: bitsandbytes#1187
    """
    base = np.ones(6)
    array = base[::2]
    parameter = Parameter(array, name="w")
    steps(subject.make(), [parameter], [[np.array([1.0, -2.0, 0.5])]] * 3)
    assert parameter.data is array, "parameter.data is another array after the step"
    assert not np.array_equal(array, np.ones(3)), "the array wasn't changed"
    assert (base[1::2] == 1).all(), "memory beside the parameter was changed"


def _gradient_untouched(subject: Subject) -> None:
    """A step leaves the gradient as it is, to the bit.

    Known: diffGrad#2, jettify/pytorch-optimizer#55, Adabelief#61
    """

    def check(run: Run) -> None:
        optimizer, parameter = run.optimizer(), run.parameter()
        for gradient in run.gradients:
            steps(optimizer, [parameter], [[gradient]])
            same(parameter.grad, gradient, "the gradient after a step")

    subject.for_runs(check)


def _gradient_not_kept(subject: Subject) -> None:
    """What is written into the gradient after a step changes nothing later.

    Known: pytorch#194664
    """

    def check(run: Run) -> None:
        one, other = run.optimizer(), run.optimizer()
        left, right = run.parameter(), run.parameter()
        for gradient in run.gradients:
            steps(one, [left], [[gradient]])
            steps(other, [right], [[gradient]])
            old = left.grad
            flatten([left])  # else the next gradient would be written over it
            old[...] = 1e3
        same(left.data, right.data, "a parameter whose gradient was overwritten after each step")

    subject.for_runs(check)


def _slots_apart(subject: Subject) -> None:
    """Slots share no memory: between parameters of one shape, optimizers, deepcopies, values and gradients.

    Known: pytorch#196083, mlverse/torch#1028, astnn#8
    """
    subject.needs("state")
    parameters = [Parameter(np.ones(5), name="a"), Parameter(np.ones(5), name="b")]
    flatten(parameters)
    one, other = subject.make(), subject.make()
    for optimizer in (one, other):
        steps(optimizer, parameters, [[np.full(5, 0.5), np.full(5, -1.0)]] * 2)
    if not slots_of(one, parameters[0]):
        raise NotApplicableError("it has no slots")
    arrays = [slot for optimizer in (one, other) for p in parameters for slot in slots_of(optimizer, p).values()]
    arrays += [slot for slots in copy.deepcopy(one).state.values() for slot in slots.values()]
    arrays += [array for parameter in parameters for array in (parameter.data, parameter.grad)]
    for i, first in enumerate(arrays):
        for second in arrays[:i]:
            assert not np.shares_memory(first, second), "two arrays share memory"


def _neighbours_independent(subject: Subject) -> None:
    """Two parameters of one shape with different gradients step as each would alone.

    Known: numpy-ml (state by bare name), keras#15298
    """

    def check(run: Run) -> None:
        pair = [run.parameter(), run.parameter()]  # of one name
        factors = (1.0, -3.0)
        steps(run.optimizer(), pair, [[factor * g for factor in factors] for g in run.gradients])
        for factor, parameter in zip(factors, pair, strict=True):
            alone = walk(run.optimizer(), run.start, [factor * g for g in run.gradients])
            same(parameter.data, alone.data, f"parameter {parameter.name!r}", ROUNDING)

    subject.for_runs(check)


def _order_of_parameters(subject: Subject) -> None:
    """In which order the parameters are given, and that it changes between steps, doesn't matter."""

    def check(run: Run) -> None:
        straight, crossed = ([run.parameter(name=name) for name in "ab"] for _ in range(2))
        one, other = run.optimizer(), run.optimizer()
        for i, g in enumerate(run.gradients):
            gradients = [g, -2 * g]
            order = slice(None) if i % 2 else slice(None, None, -1)
            steps(one, straight, [gradients])
            steps(other, crossed[order], [gradients[order]])
        for first, second in zip(straight, crossed, strict=True):
            same(second.data, first.data, f"parameter {first.name!r}", ROUNDING)

    subject.for_runs(check)


def _given_twice_refused(subject: Subject) -> None:
    """A parameter given twice is refused, or stepped once: never twice."""
    once = walk(subject.make(), np.ones(3), [np.full(3, 0.5)])
    parameter = Parameter(np.ones(3), name="w")
    parameter.grad = np.full(3, 0.5)
    try:
        subject.make().step([parameter, parameter])
    except (ValueError, TypeError):
        same(parameter.data, np.ones(3), "a parameter given twice, which was refused")
    else:
        same(parameter.data, once.data, "a parameter given twice")


def _frozen_untouched(subject: Subject) -> None:
    """A frozen parameter, and all that is kept for it, stays as it is to the byte, while its neighbours step.

    Known: Muon#54, ocannl#673
    """

    def check(run: Run) -> None:
        optimizer = run.optimizer()
        trio = [run.parameter(name=name) for name in "abc"]
        steps(optimizer, trio, [[g, g, g] for g in run.gradients])
        kept = {"w": trio[1].data, **slots_of(optimizer, trio[1])}
        before = {what: array.copy() for what, array in kept.items()}
        t = _count(optimizer, trio[1])
        trio[1].trainable = False
        steps(optimizer, trio, [[g, np.full_like(g, np.nan), g] for g in run.gradients])
        now = {"w": trio[1].data, **slots_of(optimizer, trio[1])}
        for what, array in now.items():
            same(array, before[what], f"{what} of a frozen parameter")
        assert _count(optimizer, trio[1]) == t, "the steps of a frozen parameter were counted"
        free = walk(run.optimizer(), run.start, [*run.gradients, *run.gradients])
        same(trio[2].data, free.data, "the neighbour of a frozen parameter", ROUNDING)

    subject.for_runs(check)


def _count(optimizer: Any, parameter: Parameter) -> int | None:
    return optimizer.steps(parameter) if hasattr(optimizer, "steps") else None


def _unfrozen_late(subject: Subject) -> None:
    """A parameter whose first step comes late starts like a new one: its own count, its own slots."""

    def check(run: Run) -> None:
        optimizer = run.optimizer()
        pair = [run.parameter(name=name) for name in "ab"]
        pair[1].trainable = False
        steps(optimizer, pair, [[g, g] for g in run.gradients])
        pair[1].trainable = True
        steps(optimizer, pair, [[g, g] for g in run.gradients])
        fresh = walk(run.optimizer(), run.start, run.gradients)
        same(pair[1].data, fresh.data, "a parameter unfrozen late", ROUNDING)

    subject.needs_no_schedule()
    subject.for_runs(check)


def _steps_counted_once(subject: Subject) -> None:
    """A step counts once for the optimizer and once for each parameter, however many there are.

    Known: Thinc's RAdam (a step counted twice), nntrainer#3565
    """
    subject.needs("iterations", "steps")
    optimizer = subject.make()
    parameters = [Parameter(np.ones(3), name=name) for name in "abc"]
    for i in range(1, 4):
        steps(optimizer, parameters, [[np.full(3, 0.5)] * 3])
        counts = [optimizer.iterations, *(optimizer.steps(parameter) for parameter in parameters)]
        assert counts == [i] * 4, f"after {i} steps the optimizer counts {counts[0]}, its parameters {counts[1:]}"


def _nonfinite_refused(subject: Subject) -> None:
    """One entry of a gradient that isn't finite raises, changes nothing at all, and leaves the next step as it was.

    Known: ray#47452
    """

    def check(run: Run) -> None:
        for bad in (np.nan, np.inf):
            spoilt, good = run.optimizer(), run.optimizer()
            pair, twins = ([run.parameter(name=name) for name in "ab"] for _ in range(2))
            wrong = run.gradients[0].copy()
            wrong[-1] = bad
            for i, g in enumerate(run.gradients):
                if i == len(run.gradients) - 1:
                    before = [parameter.data.copy() for parameter in pair]
                    try:
                        steps(spoilt, pair, [[g, wrong]])
                    except FloatingPointError:
                        pass
                    else:
                        raise AssertionError(f"a gradient with {bad} was taken without an error")
                    for parameter, kept in zip(pair, before, strict=True):
                        same(parameter.data, kept, f"parameter {parameter.name!r} after a gradient with {bad}")
                steps(spoilt, pair, [[g, -g]])
                steps(good, twins, [[g, -g]])
            for parameter, twin in zip(pair, twins, strict=True):
                same(parameter.data, twin.data, f"the step after a gradient with {bad}")

    subject.for_runs(check, share=0.5)


def _rate_multiplier(subject: Subject) -> None:
    """A parameter's learning-rate multiplier is the same as an optimizer with that rate."""
    subject.needs("ranges")
    subject.needs_hyperparameters("learning_rate")

    def check(run: Run) -> None:
        one, other, pair, alone = run.optimizer(), run.optimizer(), [run.parameter(), run.parameter()], run.parameter()
        for multiplier in (1.0, 0.25):
            pair[1].learning_rate_multiplier = multiplier
            other.learning_rate = run.settings["learning_rate"] * multiplier
            steps(one, pair, ([g, g] for g in run.gradients))
            steps(other, [alone], ([g] for g in run.gradients))
            same(pair[1].data, alone.data, f"with a multiplier of {multiplier}", ROUNDING)

    if callable(subject.hyperparameters["learning_rate"]):
        raise NotApplicableError("its learning rate is a schedule")
    subject.for_runs(check)


def _decay_multiplier(subject: Subject) -> None:
    """A parameter's weight-decay multiplier is the same as an optimizer with that decay."""
    subject.needs("ranges")
    subject.needs_hyperparameters("weight_decay")

    def check(run: Run) -> None:
        parameter = run.parameter()
        parameter.weight_decay_multiplier = 0.25
        steps(run.optimizer(weight_decay=0.1), [parameter], ([g] for g in run.gradients))
        same(parameter.data, walk(run.optimizer(weight_decay=0.025), run.start, run.gradients).data, "a quarter of it")

    subject.for_runs(check)


def _given_in_turn(subject: Subject) -> None:
    """Parameters that one optimizer is given in turn step as each would with its own."""
    subject.needs_no_schedule()

    def check(run: Run) -> None:
        optimizer, pair = run.optimizer(), [run.parameter(name=name) for name in "ab"]
        for g in run.gradients:
            steps(optimizer, pair[:1], [[g]])
            steps(optimizer, pair[1:], [[-3 * g]])
        for factor, parameter in zip((1.0, -3.0), pair, strict=True):
            alone = walk(run.optimizer(), run.start, [factor * g for g in run.gradients])
            same(parameter.data, alone.data, f"parameter {parameter.name!r}", ROUNDING)

    subject.for_runs(check, share=0.5)


def _precisions_agree(subject: Subject) -> None:
    """Steps in half and single precision are those in double precision, to rounding."""
    gradients = [factor * np.array([0.5, -1.0, 0.25]) for factor in (1.0, -0.5, 3.0, 2.0)]
    exact = walk(subject.make(), np.zeros(3), gradients).data
    for dtype in FLOATS:
        found = walk(subject.make(), np.zeros(3), gradients, dtype).data.astype(np.float64)
        size = np.abs(exact).max()
        same(found / size, exact / size, f"in {np.dtype(dtype)}", 64 * float(np.finfo(dtype).eps), 1.0)


def _micro_batches(subject: Subject) -> None:
    """Gradients of k micro-batches, added up in the parameter's own array, make the step of one batch.

    Known: keras#19990, aprender#2123
    """
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((12, 3)), rng.standard_normal(12)

    def slope(w: Array, part: slice) -> Array:
        return x[part].T @ (x[part] @ w - y[part]) / len(x)

    whole, pieces = (Parameter(np.array([0.3, -0.2, 0.9]), name="w") for _ in range(2))
    one, other = subject.make(), subject.make()
    for _ in range(5):
        steps(one, [whole], [[slope(whole.data, slice(None))]])
        pieces.grad[...] = 0
        for first in range(0, 12, 4):
            pieces.grad += slope(pieces.data, slice(first, first + 4))
        other.step([pieces])
    same(pieces.data, whole.data, "three micro-batches of four", 1e-9)


def _dtypes_together(subject: Subject) -> None:
    """Parameters of several precisions step together as each would alone."""
    trio = [Parameter(np.ones(3, dtype), name=str(np.dtype(dtype))) for dtype in FLOATS]
    gradient = np.array([0.5, -1.0, 0.25])
    steps(subject.make(), trio, [[gradient.astype(dtype) for dtype in FLOATS]] * 3)
    for parameter, dtype in zip(trio, FLOATS, strict=True):
        same(parameter.data, walk(subject.make(), np.ones(3), [gradient] * 3, dtype).data, parameter.name)


CHECKS = (
    _shapes,
    _memory_layouts,
    _flat_storage,
    _in_place,
    _gradient_untouched,
    _gradient_not_kept,
    _slots_apart,
    _neighbours_independent,
    _order_of_parameters,
    _given_twice_refused,
    _frozen_untouched,
    _unfrozen_late,
    _steps_counted_once,
    _nonfinite_refused,
    _rate_multiplier,
    _decay_multiplier,
    _given_in_turn,
    _precisions_agree,
    _micro_batches,
    _dtypes_together,
)
