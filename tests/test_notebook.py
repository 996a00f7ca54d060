"""The course notebook's numbers, digit for digit."""

import numpy as np
import pytest

from minidl.reproduce import notebook
from minidl.training.batches import Batches

# What the notebook's own output cells show, once more, so that a slip in the module is seen too.
FIRST = {
    "sgd": ["0.690736", "0.685273"],
    "momentum": ["0.690741", "0.685341"],
    "adam": ["0.690552", "0.185567"],
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_costs_are_those_printed(name):
    run = notebook.run(name, 1001)
    assert len(run.costs) == 1001
    assert run.printed == FIRST[name] == notebook.PRINTED[name][:2]
    assert run.differences == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_all_costs_and_the_accuracy_are_those_printed(name):
    run = notebook.run(name)
    assert run.printed == notebook.PRINTED[name]
    assert len(run.printed) == 10
    assert abs(run.accuracy - float(notebook.ACCURACY[name])) < 1e-6
    assert run.differences == []


def test_a_digit_that_differs_is_told():
    run = notebook.Run("sgd", [0.690736, 0.5], 0.5, None)
    assert run.differences == []
    run = notebook.Run("sgd", [0.690735, *[0.0] * 9999], 0.5, None)
    assert run.differences[0] == "sgd, epoch 0: 0.690735 for 0.690736"
    assert run.differences[-1] == "sgd: accuracy 0.500000 for 0.796666666667"
    assert len(run.differences) == 11


def test_costs_are_counted_for_themselves():
    right = notebook.Run("sgd", [float(notebook.PRINTED["sgd"][0])], 0.5, None)
    wrong = notebook.Run("adam", [float(notebook.PRINTED["adam"][i // 1000]) for i in range(10_000)], 0.5, None)
    other = notebook.Run("nesterov", [0.0] * 10_000, 0.5, None)
    assert len(wrong.differences) == 1  # its accuracy, which is no cost
    assert notebook.compared([right, wrong, other]) == "11 of 11 printed costs are the same to six digits"
    wrong.costs[1000] += 1e-5
    assert notebook.compared([right, wrong, other]) == "10 of 11 printed costs are the same to six digits"


def test_the_mini_batches_are_the_notebooks():
    random = np.random.RandomState(1)
    x, y = random.randn(12288, 148), random.randn(1, 148) < 0.5
    batches = Batches(x.T, y.T, batch_size=64)
    order = batches.order(lambda epoch, n: np.random.RandomState(0).permutation(n), 0, 0)
    parts = list(batches.epoch(order))
    assert [(a.shape, b.shape) for a, b, _ in parts] == [((n, 12288), (n, 1)) for n in (64, 64, 20)]
    np.testing.assert_array_equal(parts[0][0][:3, 0].round(8), [0.90085595, -0.7612069, 0.2344157])
    np.testing.assert_array_equal(np.concatenate([b for _, b, _ in parts]), y.T[order])
