"""Data sets: the numbers of scikit-learn, one for one, and no trace in the global random state."""

import math
from functools import partial
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import datasets
from minidl.datasets import load_digits, make_moons


def test_digits_are_those_of_scikit_learn_split_in_their_order():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    source = sklearn_datasets.load_digits()
    (x_train, y_train), (x_test, y_test) = load_digits()
    assert (len(x_train), len(x_test)) == (1437, 360)
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), source.images)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), source.target)


def test_digits_have_the_announced_form():
    (x_train, y_train), (x_test, y_test) = load_digits()
    assert (x_train.shape, y_train.shape) == ((1437, 8, 8), (1437,))
    assert (x_test.shape, y_test.shape) == ((360, 8, 8), (360,))
    assert (x_train.dtype, x_test.dtype, y_train.dtype, y_test.dtype) == ("uint8", "uint8", "int64", "int64")
    assert (x_train.min(), x_train.max()) == (0, 16)
    assert set(y_train) == set(y_test) == set(range(10))
    assert np.abs(np.bincount(y_test) - 36).max() <= 3
    assert x_train[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert int(x_train.sum()) + int(x_test.sum()) == 561718


def test_each_call_gives_new_digits():
    (x_train, y_train), _ = load_digits()
    x_train[...], y_train[...] = 255, -1
    (x_again, y_again), _ = load_digits()
    assert x_again.max() == 16
    assert y_again[:3].tolist() == [0, 1, 2]


def test_the_embedded_file_is_small():
    assert len((resources.files("minidl.datasets") / "digits.npz").read_bytes()) < 100_000


@given(
    n=st.integers(2, 200),
    noise=st.none() | st.floats(0, 5),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_moons_are_those_of_scikit_learn(n, noise, shuffle, seed):
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    x, y = make_moons(n, noise=noise, shuffle=shuffle, seed=seed)
    their_x, their_y = sklearn_datasets.make_moons(n, noise=noise, shuffle=shuffle, random_state=seed)
    assert (x.dtype, y.dtype) == (np.float64, np.int64)
    np.testing.assert_array_equal(x, their_x)
    np.testing.assert_array_equal(y, their_y)


def test_pinned_moons():
    x, y = make_moons(300, noise=0.2, seed=3)
    np.testing.assert_allclose(
        x[:2], [[-0.21687013460912397, 1.0154493742029873], [0.8050501531955674, -0.5579733951321297]], rtol=1e-13
    )
    assert y[:8].tolist() == [0, 1, 1, 1, 0, 0, 1, 1]
    x, y = make_moons(5, shuffle=False)
    np.testing.assert_allclose(x, [[1, 0], [-1, 0], [0, 0.5], [1, -0.5], [2, 0.5]], atol=1e-15)
    assert y.tolist() == [0, 0, 1, 1, 1]


def test_a_random_state_goes_on():
    rng, other = np.random.RandomState(4), np.random.RandomState(4)
    first, second = make_moons(10, noise=0.1, seed=rng), make_moons(10, noise=0.1, seed=rng)
    assert not np.array_equal(first[0], second[0])
    for x, y in (first, second):
        order = np.arange(10)
        other.shuffle(order)
        np.testing.assert_array_equal(y, np.repeat([0, 1], 5)[order])
        clean, _ = make_moons(10, shuffle=False)
        np.testing.assert_array_equal(x, clean[order] + other.normal(scale=0.1, size=(10, 2)))


def test_the_global_random_state_is_neither_read_nor_written():
    before = np.random.get_state()
    np.random.seed(1)
    fresh = make_moons(20, noise=0.1)[0]
    fixed = make_moons(20, noise=0.1, seed=2)[0]
    load_digits()
    kept = np.random.get_state()
    untouched = np.random.RandomState(1).get_state()
    assert (kept[1].tolist(), kept[2:]) == (untouched[1].tolist(), untouched[2:])
    np.random.seed(1)
    assert not np.array_equal(make_moons(20, noise=0.1)[0], fresh)
    np.testing.assert_array_equal(make_moons(20, noise=0.1, seed=2)[0], fixed)
    np.random.set_state(before)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: make_moons(1), ValueError, r"make_moons: n_samples must be an integer of at least 2.* n_samples=1"),
        (lambda: make_moons(10.0), TypeError, r"make_moons: n_samples must be .* Received: n_samples=10\.0"),
        (lambda: make_moons(noise=-0.1), ValueError, r"make_moons: noise must be in \[0, inf\).* noise=-0\.1"),
        (lambda: make_moons(noise="a"), TypeError, r"make_moons: noise must be a number\. Received: noise='a'"),
        (lambda: make_moons(seed="a"), TypeError, r"make_moons: seed must be .* Received: seed='a'"),
        (lambda: make_moons(seed=True), TypeError, r"make_moons: seed must be .* Received: seed=True"),
        (
            lambda: make_moons(seed=np.random.default_rng(0)),
            TypeError,
            r"make_moons: seed must be an integer, a Random",
        ),
        (lambda: datasets.make_blobs(center_box=5), TypeError, r"make_blobs: center_box must be \(low, high\)\. .*=5"),
        (lambda: datasets.make_blobs(center_box=("a", "b")), TypeError, r"make_blobs: center_box must be a number"),
        *[
            (
                partial(make, shuffle="no"),
                TypeError,
                rf"{make.__name__}: shuffle must be True or False\. .*shuffle='no'",
            )
            for make in (make_moons, datasets.make_circles, datasets.make_spirals, datasets.make_blobs)
        ],
        (lambda: make_moons(seed=-1), ValueError, r"make_moons: seed .*Received: seed=-1"),
        (lambda: make_moons(seed=2**32), ValueError, r"make_moons: seed .*Received: seed=4294967296"),
    ],
)
def test_wrong_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_refused_call_draws_nothing():
    rng = np.random.RandomState(0)
    with pytest.raises(ValueError, match="noise"):
        make_moons(10, noise=-1, seed=rng)
    with pytest.raises(TypeError, match="shuffle"):
        datasets.make_blobs(10, shuffle="no", seed=rng)
    assert rng.random_sample() == np.random.RandomState(0).random_sample()


# The other generators --------------------------------------------------------------------------------------

SEEDS = [0, 1, 7, 2**32 - 1]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [2, 3, 10, 101])
@pytest.mark.parametrize(
    "options", [{}, {"noise": 0.1}, {"shuffle": False, "factor": 0.3}, {"noise": 0.2, "factor": 0.0}]
)
def test_circles_are_scikit_learns(n, options, seed):
    sklearn = pytest.importorskip("sklearn.datasets")
    x, y = datasets.make_circles(n, **options, seed=seed)
    expected_x, expected_y = sklearn.make_circles(n, **options, random_state=seed)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [5, 10, 101])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"centers": 5, "n_features": 4, "cluster_std": 0.5, "center_box": (0.0, 1.0)},
        {"centers": [[0.0, 1.0], [5.0, 5.0]], "shuffle": False},
    ],
)
def test_blobs_are_scikit_learns(n, options, seed):
    sklearn = pytest.importorskip("sklearn.datasets")
    x, y = datasets.make_blobs(n, **options, seed=seed)
    expected_x, expected_y = sklearn.make_blobs(n, **{"centers": 3, **options}, random_state=seed)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)


def test_spirals_wind_by_their_formula():
    x, y = datasets.make_spirals(10, classes=3, turns=1.5, shuffle=False)
    assert y.tolist() == [0] * 4 + [1] * 3 + [2] * 3
    for (a, b), label, place in zip(x, y, [1, 2, 3, 4, 1, 2, 3, 1, 2, 3], strict=True):
        r = place / (4 if label == 0 else 3)
        angle = 2 * math.pi * (1.5 * r + label / 3)
        assert (a, b) == pytest.approx((r * math.cos(angle), r * math.sin(angle)), abs=1e-12)
    shuffled, labels = datasets.make_spirals(10, classes=3, turns=1.5, seed=1)
    assert sorted(map(tuple, np.c_[shuffled, labels])) == sorted(map(tuple, np.c_[x, y]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: datasets.make_circles(factor=1.0), r"make_circles: factor must be in \[0, 1\). Received: factor=1.0"),
        (lambda: datasets.make_spirals(2, classes=3), "make_spirals: n_samples must be an integer of at least 3"),
        (lambda: datasets.make_blobs(2), "make_blobs: n_samples must be an integer of at least 3"),
        (lambda: datasets.make_blobs(centers=[1.0, 2.0]), r"make_blobs: centers must have shape .*shape \(2,\)"),
        (lambda: datasets.make_blobs(centers=np.zeros((0, 2))), r"at least one of each\. Received: shape \(0, 2\)"),
        (lambda: datasets.make_blobs(centers=[[1.0, 2.0], [3.0]]), r"centers must be numbers\. Received: \[\[1\.0, 2"),
        (lambda: datasets.make_blobs(centers=[["a", "b"]]), r"centers must be numbers\. Received: \[\['a'"),
        (
            lambda: datasets.make_blobs(centers=[[math.nan, 0.0]]),
            r"make_blobs: centers must be finite\. Received: \[\[nan",
        ),
        (lambda: datasets.make_blobs(center_box=(10, -10)), r"center_box must be \(low, high\)\. .*=\(10, -10\)"),
        (lambda: datasets.make_blobs(center_box=(1, 2, 3)), r"center_box must be \(low, high\)\. .*=\(1, 2, 3\)"),
        (lambda: datasets.make_blobs(center_box=(0, math.inf)), r"center_box must be finite"),
        (lambda: datasets.make_blobs(seed=-1), r"make_blobs: seed must be in \[0, 2\*\*32\)"),
    ],
)
def test_the_other_generators_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Splitting -------------------------------------------------------------------------------------------------


def test_a_split_keeps_samples_together_and_is_a_function_of_the_seed():
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    x_train, x_test, y_train, y_test = datasets.train_test_split(x, y, test_size=0.3, seed=5)
    np.testing.assert_array_equal(x_train, x[y_train])
    np.testing.assert_array_equal(x_test, x[y_test])
    assert sorted([*y_train, *y_test]) == list(range(10))
    assert len(y_test) == 3
    again = datasets.train_test_split(y, test_size=0.3, seed=5)
    np.testing.assert_array_equal(again[1], y_test)
    others = {tuple(datasets.train_test_split(y, test_size=0.3, seed=s)[1]) for s in range(9)}
    assert len(others) > 5


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_stratified_split_gives_each_class_its_share_of_both_parts(one_hot):
    y = np.repeat([0, 1, 2], [60, 30, 10])
    classes = np.eye(3)[y] if one_hot else y
    train, test = datasets.train_test_split(y, test_size=0.2, seed=0, stratify=classes)
    assert [np.bincount(part).tolist() for part in (train, test)] == [[48, 24, 8], [12, 6, 2]]


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ((), {}, "arrays must have as many samples, at least one"),
        ((np.ones(3), np.ones(4)), {}, r"arrays must have as many samples, at least one. Received: \[3, 4\]"),
        ((np.ones(3),), {"test_size": 1.0}, r"test_size must be in \(0, 1\)"),
        ((np.ones(3),), {"test_size": 0.01}, "both parts must have samples. Received: 0 of 3 samples, test_size=0.01"),
        ((np.ones(3),), {"stratify": [0, 1]}, "stratify must have a class for each sample. Received: 2 for 3"),
        ((np.ones(3),), {"stratify": [0.5, 1, 2]}, "must be integers or one-hot rows. Received: stratify=float64"),
        ((np.ones(3),), {"stratify": [0, 1, math.nan]}, "train_test_split: classes must be integers or one-hot rows"),
        ((np.ones(3),), {"stratify": True}, "stratify must be an array of classes. Received: stratify=True"),
        ((np.ones(3),), {"stratify": ["a", "b", "a"]}, "train_test_split: stratify must be numbers. Received"),
        ((np.ones(3),), {"stratify": [[0], [1, 0], [1]]}, "train_test_split: stratify must be numbers. Received"),
        ((5,), {}, "train_test_split: arrays must have one entry a sample. Received: 5"),
        (([[1], [1, 2]],), {}, r"arrays must have one entry a sample. Received: \[\[1\], \[1, 2\]\]"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        datasets.train_test_split(*arrays, **options)
