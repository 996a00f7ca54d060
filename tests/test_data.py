"""Batches: cutting, orders, splits and the weights of classes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.splitting import class_labels, split_indices
from minidl.training.batches import Batches, Stream, grouped

counts = st.integers(1, 60)
seeds = st.integers(0, 2**64)


def column(n):
    return np.arange(n)[:, None]


@given(n=counts, batch_size=counts, seed=seeds, epoch=st.integers(0, 5), shuffle=st.booleans())
def test_an_epoch_gives_every_sample_once_in_batches_of_the_size(n, batch_size, seed, epoch, shuffle):
    batches = Batches(column(n), -column(n), sample_weight=np.arange(n), batch_size=batch_size)
    parts = list(batches.epoch(batches.order(shuffle, seed, epoch)))
    assert len(parts) == len(batches) == -(-n // batch_size)
    assert [len(x) for x, _, _ in parts[:-1]] == [batch_size] * (len(parts) - 1)
    for x, y, weight in parts:
        np.testing.assert_array_equal(x, -y)
        np.testing.assert_array_equal(x[:, 0], weight)
    seen = [int(i) for x, _, _ in parts for i in x[:, 0]]
    assert sorted(seen) == list(range(n))
    assert shuffle or seen == list(range(n))


@given(n=counts, seed=seeds, epoch=st.integers(0, 1000))
def test_the_order_is_drawn_from_seed_and_epoch_alone(n, seed, epoch):
    order = Batches(column(n), column(n)).order(True, seed, epoch)
    np.testing.assert_array_equal(
        order, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, epoch))).permutation(n)
    )


@given(n=counts, batch_size=counts, size=st.integers(1, 7))
def test_groups_are_the_batches_some_at_a_time(n, batch_size, size):
    batches = Batches(column(n), column(n), batch_size=batch_size)
    groups = list(grouped(batches.epoch(None), size))
    assert [len(group) for group in groups[:-1]] == [size] * (len(groups) - 1)
    assert 1 <= len(groups[-1]) <= size
    assert [int(i) for group in groups for x, _, _ in group for i in x[:, 0]] == list(range(n))


def test_thirty_two_samples_make_a_batch_by_default():
    assert [len(x) for x, _, _ in Batches(column(70), column(70)).epoch()] == [32, 32, 6]


def test_a_caller_may_draw_samples_again_or_leave_some_out():
    batches = Batches(column(5), column(5), batch_size=2)
    parts = batches.epoch(batches.order(lambda epoch, n: [3, 3, 0], 0, 0))
    assert [x[:, 0].tolist() for x, _, _ in parts] == [[3, 3], [0]]


def test_arrays_are_not_copied():
    x = np.zeros((4, 2), np.uint8)
    assert np.shares_memory(Batches(x, x).x, x)
    assert next(Batches(x, x).epoch())[0].dtype == np.uint8


def test_a_subset_keeps_the_samples_with_their_weights():
    whole = Batches(column(6), -column(6), sample_weight=np.arange(6) * 2.0, batch_size=2)
    part = whole.subset(np.array([1, 4, 5]))
    assert [(x.ravel().tolist(), w.tolist()) for x, _, w in part.epoch()] == [([1, 4], [2.0, 8.0]), ([5], [10.0])]
    assert (len(part), len(whole), whole.n) == (2, 3, 6)


@given(n=st.integers(2, 80), fraction=st.floats(0.01, 0.99), seed=seeds, classes=st.integers(0, 5))
def test_a_split_is_disjoint_complete_and_fair(n, fraction, seed, classes):
    size = round(n * fraction)
    labels = np.random.default_rng(seed).integers(classes, size=n) if classes else None
    split = [split_indices(n, fraction, np.random.default_rng(s), labels) for s in (seed, seed)] if 0 < size < n else []
    for rest, kept in split:
        assert len(kept) == size
        np.testing.assert_array_equal(np.sort(np.concatenate([rest, kept])), np.arange(n))
        for part in (rest, kept):
            assert (np.diff(part) > 0).all()
            np.testing.assert_array_equal(part, split[0][part is kept])
        total, chosen = Counter([] if labels is None else labels), Counter([] if labels is None else labels[kept])
        assert all(abs(chosen[c] - total[c] * size / n) < 1 for c in total)


@pytest.mark.parametrize(("n", "fraction"), [(1, 0.5), (10, 0.01), (10, 0.99), (10, 0.0), (10, 1.0)])
def test_a_split_with_an_empty_part_is_refused(n, fraction):
    with pytest.raises(ValueError, match="split"):
        split_indices(n, fraction, np.random.default_rng(0))


@pytest.mark.parametrize(
    "y", [[0, 2, 1], [0.0, 2.0, 1.0], [[0], [2], [1]], np.eye(3)[[0, 2, 1]], np.eye(3, dtype=bool)[[0, 2, 1]]]
)
def test_classes_are_read_from_integers_and_one_hot_rows(y):
    assert class_labels(np.asarray(y)).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "y", [[0.5, 1.0], [[0.3, 0.7], [0.6, 0.4]], [[1, 1], [0, 1]], [[3, 4], [5, 6]], [[[0, 1]] * 2]]
)
def test_targets_that_are_no_classes_are_refused(y):
    with pytest.raises(ValueError, match="classes must be integers or one-hot rows"):
        class_labels(np.asarray(y))


def test_class_weights_multiply_sample_weights():
    y = np.array([0, 1, 1, 0])
    plain = Batches(column(4), y, class_weight={0: 2, 1: 0.5})
    both = Batches(column(4), y, class_weight={0: 2, 1: 0.5}, sample_weight=[1, 2, 3, 4])
    assert next(plain.epoch())[2].tolist() == [2.0, 0.5, 0.5, 2.0]
    assert next(both.epoch())[2].tolist() == [2.0, 1.0, 1.5, 8.0]


def test_a_stream_gives_its_batches_as_they_are():
    stream = [([[1.0]], [[2]]), (np.ones((2, 1)), np.zeros((2, 1)), [1, 3])]
    batches = Stream(stream)
    for _ in range(2):
        first, second = batches.epoch(batches.order(True, 0, 0))
        assert (first[0].tolist(), first[1].tolist(), first[2]) == ([[1.0]], [[2]], None)
        assert second[2].tolist() == [1.0, 3.0]
    assert len(batches) == 2
    assert len(Stream(iter(stream))) == 0
