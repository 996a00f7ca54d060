"""`check_optimizer`: what must hold for every optimizer, whatever its formula."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.optimizers import Optimizer
from minidl.parameters import Parameter, flatten
from minidl.testing.checking import NotApplicableError, run_checks, same
from minidl.testing.report import Report
from minidl.validation import Interval, describe

__all__ = ["check_optimizer"]

Array = NDArray[Any]
Factory: TypeAlias = Callable[[], Optimizer]

SIZE = 24
STEPS = 6


def check_optimizer(cls_or_factory: type[Optimizer] | Factory, *, raises: bool = True) -> Report:
    """Check an optimizer: its rule, and what the engine makes of it.

    What passes keeps the contract: it is pure and elementwise, forgets and shares nothing, continues exactly. Whether
    its formula is the one that the author means no check can know: compare some steps with a calculation of your own.

    Args:
        cls_or_factory: An optimizer class, which is taken with its defaults, or a callable without arguments that
            returns a new optimizer each time.
        raises: Whether a failed check raises.

    Returns:
        A report with one result a check; print it for a table.

    Raises:
        CheckFailedError: If a check failed; its text is the report. It is an AssertionError.
        TypeError: If the argument doesn't give optimizers.

    >>> print(minidl.testing.check_optimizer(minidl.optimizers.Adam).passed)
    True
    """
    if not callable(cls_or_factory) or not isinstance(first := cls_or_factory(), Optimizer):
        raise TypeError(
            f"check_optimizer: must be given an optimizer class, or a callable that returns optimizers. "
            f"Received: {describe(cls_or_factory)}"
        )
    return run_checks(repr(first), _CHECKS, cls_or_factory, raises, "the rule breaks its contract")


# Pieces of which the checks are made ---------------------------------------------------------------------


def _values(size: int, dtype: DTypeLike = np.float64) -> Array:
    return np.random.default_rng(1).standard_normal(size).astype(dtype)


def _gradients(size: int, dtype: DTypeLike = np.float64, steps: int = STEPS) -> list[Array]:
    """Return gradients of all sizes: ordinary, a tenth of them zero, the last third near the usual epsilons."""
    rng = np.random.default_rng(2)
    gradients = rng.standard_normal((steps, size))
    gradients[rng.random((steps, size)) < 0.1] = 0
    gradients[:, size - size // 3 :] *= 1e-8
    return list(gradients.astype(dtype))


def _run(optimizer: Optimizer, parameters: list[Parameter], gradients: list[list[Array]]) -> None:
    """Make a step for each list of gradients."""
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient
        optimizer.step(parameters)


def _single(optimizer: Optimizer, dtype: DTypeLike = np.float64, steps: int = STEPS) -> Parameter:
    """Return a parameter after some steps, the learning rate halved in the middle of them."""
    parameter = Parameter(_values(SIZE, dtype), name="w")
    for i, gradient in enumerate(_gradients(SIZE, dtype, steps)):
        if i == steps // 2 and isinstance(getattr(optimizer, "learning_rate", None), float):
            optimizer.learning_rate = optimizer.learning_rate / 2
        _run(optimizer, [parameter], [[gradient]])
    return parameter


# The checks: each one's docstring is its meaning ---------------------------------------------------------


def _contract(make: Factory) -> None:
    """The rule stands the engine's trial: pure, as elementwise as it says, and true to its slots and dtypes."""
    make().build([Parameter(_values(SIZE, dtype), name=str(np.dtype(dtype))) for dtype in (np.float32, np.float64)])


def _elementwise(make: Factory) -> None:
    """Any permutation, split or reshape of a parameter gives the same numbers."""
    if not make().elementwise:
        raise NotApplicableError("it says elementwise = False")
    w, gradients = _values(SIZE), _gradients(SIZE)
    whole = Parameter(w.copy(), name="whole")
    _run(make(), [whole], [[g] for g in gradients])
    order = np.random.default_rng(3).permutation(SIZE)
    arrangements: list[tuple[str, Callable[[Array], list[Array]]]] = [
        ("permuted", lambda a: [a[order]]),
        ("reshaped", lambda a: [a.reshape(2, 3, 4)]),
        ("split in three", lambda a: [a[:1], a[1:10], a[10:]]),
        ("strided", lambda a: [np.repeat(a, 2)[::2]]),
    ]
    for what, arrange in arrangements:
        parts = [
            Parameter(part.copy() if what != "strided" else part, name=f"{i}") for i, part in enumerate(arrange(w))
        ]
        _run(make(), parts, [arrange(g) for g in gradients])
        for part, expected in zip(parts, arrange(whole.data), strict=True):
            same(part.data, expected, what, tolerance=1e-12)


def _flat_storage(make: Factory) -> None:
    """Parameters that lie side by side in one storage take the same steps as parameters by themselves."""
    shapes = [(3, 4), (4,), (4, 2)]
    rng = np.random.default_rng(4)
    start = [rng.standard_normal(shape) for shape in shapes]
    gradients = [[rng.standard_normal(shape) for shape in shapes] for _ in range(STEPS)]
    apart = [Parameter(w.copy(), name=f"{i}") for i, w in enumerate(start)]
    together = [Parameter(w.copy(), name=f"{i}") for i, w in enumerate(start)]
    flatten(together)
    _run(make(), apart, gradients)
    _run(make(), together, gradients)
    for one, other in zip(together, apart, strict=True):
        same(one.data, other.data, f"parameter of shape {one.shape}", tolerance=1e-12)


def _edge_shapes(make: Factory) -> None:
    """Shapes (), (0,), (1, 0, 2) and 10,007 entries work, next to each other too."""
    shapes: list[tuple[int, ...]] = [(), (0,), (1, 0, 2), (1,), (7,), (31,), (10_007,)]
    parameters = [Parameter(np.ones(shape), name=str(shape)) for shape in shapes]
    optimizer = make()
    _run(optimizer, parameters, [[np.full(shape, 0.5) for shape in shapes]] * 2)
    for parameter, shape in zip(parameters, shapes, strict=True):
        assert parameter.shape == shape, f"shape {shape} became {parameter.shape}"
        if parameter.size and optimizer.elementwise:
            same(parameter.data, np.broadcast_to(parameters[0].data, shape), f"shape {shape}", tolerance=1e-12)


def _in_place(make: Factory) -> None:
    """A step changes the very array that the parameter was given, views of it included."""
    base = np.ones(2 * SIZE)
    array = base[::2]
    parameter = Parameter(array, name="w")
    _run(make(), [parameter], [[g] for g in _gradients(SIZE)])
    assert parameter.data is array, "parameter.data is another array after the step"
    assert not np.array_equal(array, np.ones(SIZE)), "the array wasn't changed"
    assert (base[1::2] == 1).all(), "memory beside the parameter was changed"


def _gradient_untouched(make: Factory) -> None:
    """A step leaves the gradient as it is, and what is written there afterwards changes nothing."""
    w = _values(SIZE)
    left, right = Parameter(w.copy(), name="w"), Parameter(w.copy(), name="w")
    one, other = make(), make()
    for gradient in _gradients(SIZE):
        left.grad = right.grad = gradient
        one.step([left])
        other.step([right])
        same(left.grad, gradient, "the gradient after a step")
        left.grad = np.full(SIZE, 1e3)
    same(left.data, right.data, "a parameter whose gradient was overwritten after each step")


def _slots_apart(make: Factory) -> None:
    """Slots share no memory: between parameters of one shape, between optimizers, clones and state dicts."""
    parameters = [Parameter(_values(SIZE), name="a"), Parameter(_values(SIZE), name="b")]
    flatten(parameters)
    one, other = make(), make()
    if not one.slots:
        raise NotApplicableError("it has no slots")
    gradients = [[g, -2 * g] for g in _gradients(SIZE)]
    _run(one, parameters, gradients)
    _run(other, parameters, gradients)
    clone = copy.deepcopy(one)
    arrays = [
        *(slot for optimizer in (one, other, clone) for slots in optimizer.state.values() for slot in slots.values()),
        *(slot for saved in one.state_dict()["parameters"].values() for slot in saved["slots"].values()),
        *(array for parameter in parameters for array in (parameter.data, parameter.grad)),
    ]
    for i, first in enumerate(arrays):
        for second in arrays[:i]:
            assert not np.shares_memory(first, second), "two arrays share memory"


def _neighbours_independent(make: Factory) -> None:
    """Two parameters of one shape with different gradients step as each would alone."""
    if not make().elementwise:
        raise NotApplicableError("it says elementwise = False")
    w = _values(SIZE)
    pair = [Parameter(w.copy(), name="a"), Parameter(w.copy(), name="b")]
    _run(make(), pair, [[g, -3 * g] for g in _gradients(SIZE)])
    for sign, parameter in zip((1, -3), pair, strict=True):
        alone = Parameter(w.copy(), name="alone")
        _run(make(), [alone], [[sign * g] for g in _gradients(SIZE)])
        same(parameter.data, alone.data, f"parameter {parameter.name}", tolerance=1e-12)


def _dtype_kept(make: Factory) -> None:
    """Parameters and slots keep their dtype; those of float16 have float32 slots."""
    for dtype, slot_dtype in ((np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)):
        optimizer = make()
        parameter = _single(optimizer, dtype)
        assert parameter.dtype == dtype, f"a {np.dtype(dtype)} parameter became {parameter.dtype}"
        for name, slot in optimizer.state[parameter].items():
            assert slot.dtype == slot_dtype, f"slot {name} of a {np.dtype(dtype)} parameter is {slot.dtype}"


def _hyperparameters_used(make: Factory) -> None:
    """Each hyperparameter changes the numbers when it is changed."""
    expected = _single(make()).data
    for name in make().hyperparameters:
        changed = [_single(optimizer).data for optimizer in _variations(make, name)]
        if changed and all(np.array_equal(data, expected) for data in changed):
            raise AssertionError(f"{name} is never used: {STEPS} steps are the same whatever its value")


def _variations(make: Factory, name: str) -> Iterator[Optimizer]:
    """Give optimizers that differ in one hyperparameter; none if it is a schedule."""
    value = make().hyperparameters[name]
    if callable(value):
        return
    if isinstance(value, bool):
        others: list[float] = [not value]
    else:
        interval = Interval.parse(make().ranges.get(name, "(-inf, inf)"))
        candidates = (value / 2, value * 2, (1 + value) / 2, value + 1e-3)
        others = [other for other in candidates if other != value and other in interval]
    for other in others:
        optimizer = make()
        setattr(optimizer, name, other)
        yield optimizer


def _zero_gradient_finite(make: Factory) -> None:
    """Zero gradients, from rest and after motion, never make a number that isn't finite."""
    for dtype in (np.float16, np.float32, np.float64):
        for moving in (0, 2):
            optimizer = make()
            parameter = Parameter(_values(SIZE, dtype), name="w")
            gradients = [*_gradients(SIZE, dtype)[:moving], *[np.zeros(SIZE, dtype)] * STEPS]
            _run(optimizer, [parameter], [[g] for g in gradients])
            for what, array in {"parameter": parameter.data, **optimizer.state[parameter]}.items():
                assert np.isfinite(array).all(), f"{what} isn't finite in {np.dtype(dtype)}, {moving} steps after rest"


def _save_and_load(make: Factory) -> None:
    """Saved and loaded after any step, the first included, it continues bit for bit."""
    gradients = _gradients(SIZE)
    for done in (0, 1, 3):
        parameter = Parameter(_values(SIZE), name="w")
        original = make()
        original.build([parameter])
        _run(original, [parameter], [[g] for g in gradients[:done]])
        twin = Parameter(parameter.data.copy(), name="w")
        loaded = make()
        loaded.load_state_dict(original.state_dict())
        _run(original, [parameter], [[g] for g in gradients[done:]])
        _run(loaded, [twin], [[g] for g in gradients[done:]])
        same(twin.data, parameter.data, f"loaded after step {done}")


def _copies_continue(make: Factory) -> None:
    """A deepcopy of parameters and optimizer together continues bit for bit, apart from the original."""
    gradients = _gradients(SIZE)
    parameters = [Parameter(_values(SIZE), name="w")]
    optimizer = make()
    _run(optimizer, parameters, [[g] for g in gradients[:3]])
    before = parameters[0].data.copy()
    twins, clone = copy.deepcopy((parameters, optimizer))
    _run(clone, twins, [[g] for g in gradients[3:]])
    same(parameters[0].data, before, "the original after steps of its copy")
    _run(optimizer, parameters, [[g] for g in gradients[3:]])
    same(twins[0].data, parameters[0].data, "the copy")


def _config_round_trip(make: Factory) -> None:
    """An optimizer made from the config of another takes the same steps."""
    optimizer = make()
    try:
        config = optimizer.get_config()
    except TypeError as error:
        raise NotApplicableError(str(error)) from None
    again = type(optimizer).from_config(pickle.loads(pickle.dumps(config)))
    same(_single(again).data, _single(optimizer).data, "made from its config")


_CHECKS: tuple[Callable[[Factory], None], ...] = (
    _contract,
    _elementwise,
    _flat_storage,
    _edge_shapes,
    _in_place,
    _gradient_untouched,
    _slots_apart,
    _neighbours_independent,
    _dtype_kept,
    _hyperparameters_used,
    _zero_gradient_finite,
    _save_and_load,
    _copies_continue,
    _config_round_trip,
)
