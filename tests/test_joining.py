"""Calls that are joined give NumPy's bits, keep what they need, and leave alone what they don't know."""

import gc
import weakref

import numpy as np
import pytest

from minidl.compute import joining
from minidl.compute.fusing import Fused
from minidl.compute.joining import MOST, joined
from minidl.compute.reuse import make
from minidl.losses import MeanSquaredError, SparseCategoricalCrossentropy

pytestmark = pytest.mark.usefixtures("llvm")

RNG = np.random.default_rng(0)
FUNCTIONS = [
    np.add, np.subtract, np.multiply, np.divide, np.exp, np.tanh, np.log, np.sqrt, np.square,
    np.absolute, np.negative, np.positive, np.sign, np.reciprocal, np.copysign, np.power,
]  # fmt: skip


def drawn(*shape, dtype="f4"):
    return RNG.standard_normal(shape).astype(dtype)


def same_when_joined(calls, count=1):
    """See that calls become `count` calls, which give the same bits on other numbers too."""
    with np.errstate(all="ignore"):
        make(calls)
        together = joined(calls)
        assert len(together) == count < len(calls)
        inputs = {
            id(a): a for _, arguments in calls for a in arguments[:-1] if isinstance(a, np.ndarray) and a.base is None
        }
        for array in inputs.values():
            array[...] = RNG.standard_normal(array.shape)
        before = {i: array.copy() for i, array in inputs.items()}
        targets = [arguments[-1] for _, arguments in calls]
        make(calls)
        expected = [target.tobytes() for target in targets]
        for i, array in inputs.items():
            array[...] = before[i]
        for target in targets:
            if not any(target is array for array in inputs.values()):
                target[...] = np.nan
        make(together)
    assert [target.tobytes() for target in targets] == expected


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_of_single_entries(function, dtype):
    arrays = [drawn(7, 33, dtype=dtype) for _ in range(function.nin + 1)]
    more = [drawn(5, dtype=dtype) for _ in range(function.nin + 1)]
    same_when_joined([(function, tuple(arrays)), (function, tuple(more))])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "shape", [(1, 784, 500), (10, 784, 96), (20, 500, 100), (3, 1, 4), (5, 6, 1), (1, 7, 1), (64, 9, 32)]
)
def test_products_of_matrices(shape, dtype):
    rows, n, m = shape
    x, w, y, slopes = (drawn(*s, dtype=dtype) for s in ((rows, n), (n, m), (rows, m), (rows, m)))
    dx, dw = np.empty((rows, n), dtype), np.empty((n, m), dtype)
    same_when_joined([(np.matmul, (x, w, y)), (np.matmul, (slopes, w.T, dx)), (np.matmul, (x.T, slopes, dw))])


def test_products_of_vectors_and_of_parts():
    x, w, y, ones, s = (
        drawn(10, 784),
        drawn(784, 500),
        np.empty((10, 500), "f4"),
        np.ones(10, "f4"),
        np.empty(500, "f4"),
    )
    calls = [(np.matmul, (x, w[:, part], y[:, part])) for part in (slice(0, 300), slice(300, 500))]
    same_when_joined([*calls, (np.matmul, (ones, y, s)), (np.matmul, (y, s, np.empty(10, "f4")))])


@pytest.mark.parametrize("shape", [(20, 30), (1, 30), (20, 1), (9, 1), (200, 3)])
def test_a_row_added_to_each_row_and_reductions_of_columns(shape):
    z, bias = drawn(*shape), drawn(shape[1])
    sums, tops = (np.empty(shape[1], "f4") for _ in range(2))
    calls = [(np.positive, (drawn(*shape), z)), (np.add, (z, bias, z)), (np.add.reduce, (z, 0, None, sums))]
    same_when_joined([*calls, (np.maximum.reduce, (z, 0, None, tops))])


def test_a_sum_of_negative_zeros_is_numpys():
    x, sums, more = np.full((1, 5), -0.0, "f4"), np.empty(5, "f4"), drawn(5)
    calls = [(np.add.reduce, (x, 0, None, sums)), (np.positive, (drawn(5), more))]
    make(calls)
    expected = np.signbit(sums).copy()
    make(joined(calls))
    assert len(joined(calls)) == 1
    np.testing.assert_array_equal(np.signbit(sums), expected)


def test_transposed_and_strided_operands():
    turned, out, wide = drawn(50, 6), np.empty((6, 50), "f4"), drawn(6, 100)
    same_when_joined([(np.positive, (turned.T, out)), (np.add, (out, wide[:, ::2], out)), (np.negative, (out, out))])


@pytest.mark.parametrize("function", [lambda x: x * x + 1, lambda x: np.maximum(x, 0)])
def test_traced_functions(function):
    fused, x = Fused(function), drawn(9, 11)
    y, z, negative = (np.empty_like(x) for _ in range(3))
    calls = [(fused, (y, x)), (fused, (z, y)), (np.negative, (z, negative))]
    make(calls)
    together = joined(calls)
    assert len(together) == 1
    x[...] = drawn(9, 11)
    make(together)
    assert z.tobytes() == function(function(x)).tobytes()
    assert negative.tobytes() == (-z).tobytes()


# What stays as it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        (list, ()),
        (np.add, (np.ones(3, np.int64), np.ones(3, np.int64), np.ones(3, np.int64))),
        (np.add, (np.ones(3, np.float16),) * 3),
        (np.multiply, (np.ones(3), 2.0, np.ones(3))),
        (np.add, (np.ones(3, "f4"), np.ones(3), np.ones(3))),
        (np.positive, (np.ones((2, 3, 4)), np.ones((4, 3, 2)).T)),
        (np.add.reduce, (np.ones((3, 2)), 1, None, np.ones(3))),
        (np.add, (np.ones((MOST + 1, 2)), np.ones(2), np.ones((MOST + 1, 2)))),
    ],
    ids=["Python's", "integers", "half precision", "a number", "two dtypes", "three axes", "along rows", "many rows"],
)
def test_a_call_of_another_kind_stays_between_what_is_joined(call):
    x, y = drawn(4), np.empty(4, "f4")
    joinable = (np.exp, (x, y))
    make([joinable, call])
    together = joined([joinable, joinable, call, joinable, joinable])
    assert [one == call for one in together] == [False, True, False]


def test_one_call_alone_stays():
    calls = [(np.exp, (drawn(4), np.empty(4, "f4")))]
    make(calls)
    assert joined(calls) == calls


def test_a_group_that_overwrites_what_it_reads_first_stays():
    x, y = drawn(4), np.empty(4, "f4")
    calls = [(np.exp, (x, y)), (np.negative, (x, x))]
    make(calls)
    expected = x.copy()
    assert joined(calls) == calls
    np.testing.assert_array_equal(x, expected)


def test_what_gives_other_bits_is_put_back(monkeypatch):
    x, y = drawn(4), np.empty(4, "f4")
    calls = [(np.exp, (x, y)), (np.exp, (x, y))]
    make(calls)
    expected = y.copy()
    cosine = joining._loop(np.cos, ("f", "f"))
    monkeypatch.setattr(joining, "_loop", lambda function, dtypes: cosine)
    assert joined(calls) == calls
    np.testing.assert_array_equal(y, expected)


def test_a_numpy_that_lies_otherwise_in_memory_is_left_alone(monkeypatch):
    joining._loop.cache_clear()
    monkeypatch.setattr(joining, "_is_known", lambda function: False)
    calls = [(np.exp, (drawn(4), np.empty(4, "f4")))] * 2
    make(calls)
    assert joined(calls) == calls
    joining._loop.cache_clear()


def test_its_arrays_live_as_long_as_the_call():
    x, y = drawn(4), np.empty(4, "f4")
    alive = weakref.ref(y)
    calls = [(np.exp, (x, y)), (np.exp, (x, y))]
    make(calls)
    together = joined(calls)
    del x, y, calls
    gc.collect()
    make(together)
    assert alive() is not None
    del together
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("batch", [1, 7, 300])
def test_the_crossentropy_of_a_trainers_steps_is_that_of_the_loss(batch, dtype):
    loss, logits = SparseCategoricalCrossentropy(from_logits=True), drawn(batch, 10, dtype=dtype)
    run = loss.bound(logits)
    for kind in (np.int64, np.uint8, np.int16, np.uint64):
        logits[...] = 10 * drawn(batch, 10, dtype=dtype)
        labels = RNG.integers(0, 10, batch).astype(kind)
        value, slopes = run(labels)
        expected = loss.unchecked(labels, logits, None)
        assert value == expected[0]
        assert slopes.tobytes() == expected[1].tobytes()
    assert len(run.calls) == (1 if batch <= MOST else 3)


def test_losses_that_have_no_such_thing_say_so():
    for loss in (SparseCategoricalCrossentropy(), SparseCategoricalCrossentropy(True, 0.1), MeanSquaredError()):
        assert loss.bound(drawn(3, 4)) is None
    assert SparseCategoricalCrossentropy(True).bound(drawn(3, 4).astype("f2")) is None
