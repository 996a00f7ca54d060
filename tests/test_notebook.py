"""The course notebook's numbers, digit for digit."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from minidl.data import Batches

path = Path(__file__).parents[1] / "examples" / "notebook.py"
spec = importlib.util.spec_from_file_location("notebook", path)
notebook = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebook)

# What the notebook's own output cells show, once more, so that a slip in the example is seen too.
FIRST = {
    "gradient descent": ["0.690736", "0.685273"],
    "momentum": ["0.690741", "0.685341"],
    "adam": ["0.690552", "0.185567"],
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_costs_are_those_printed(name):
    costs, _ = notebook.run(name, 2000)
    assert len(costs) == 2000
    assert [f"{cost:.6f}" for cost in costs[::1000]] == FIRST[name] == notebook.PRINTED[name].split()[:2]


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_all_costs_and_the_accuracy_are_those_printed(name):
    costs, accuracy = notebook.run(name, 10_000)
    assert [f"{cost:.6f}" for cost in costs[::1000]] == notebook.PRINTED[name].split()
    assert len(notebook.PRINTED[name].split()) == 10
    assert round(accuracy, 6) == notebook.ACCURACY[name]


def test_the_mini_batches_are_the_notebooks():
    random = np.random.RandomState(1)
    x, y = random.randn(12288, 148), random.randn(1, 148) < 0.5
    batches = Batches(x.T, y.T, batch_size=64)
    order = batches.order(lambda epoch, n: np.random.RandomState(0).permutation(n), 0, 0)
    parts = list(batches.epoch(order))
    assert [(a.shape, b.shape) for a, b, _ in parts] == [((n, 12288), (n, 1)) for n in (64, 64, 20)]
    np.testing.assert_array_equal(parts[0][0][:3, 0].round(8), [0.90085595, -0.7612069, 0.2344157])
    np.testing.assert_array_equal(np.concatenate([b for _, b, _ in parts]), y.T[order])
