"""What notebooks show: tables in HTML that hold together, with all texts escaped."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from minidl import History, Sequential, lab, layers, optimizers, schedules
from minidl.representation import curve, html_table
from minidl.testing.report import Report, Result

VOID = {"polyline"}


class Tree(HTMLParser):
    """Reads HTML whose tags must close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def words(thing):
    return Tree(thing._repr_html_()).words


def compiled():
    model = Sequential([layers.Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)], seed=0)
    model.compile(optimizers.Adam(schedules.CosineDecay(0.1, decay_steps=10)), "mse")
    model.trainer.optimizer.hooks = [optimizers.WeightDecay(0.01)]
    return model


def test_a_model_shows_its_layers_and_its_optimizer():
    model = compiled()
    assert {"dense (Dense)", "(batch, 3)", "9", "dense_1 (Dense)"} <= set(words(model))
    assert any("13 parameters" in word for word in words(model))
    assert "Sequential, not built" in words(Sequential([layers.Dense(3)]))


def test_an_optimizer_shows_what_is_in_force():
    model = compiled()
    model.fit(np.eye(2), np.eye(2)[:, :1], epochs=5, verbose=0)
    found = words(model.trainer.optimizer)
    assert {"Adam", "learning_rate", "0.05", "hooks: WeightDecay(decay=0.01)"} <= set(found)  # half the cosine
    assert any(word.startswith("5 steps") for word in found)


def test_a_history_shows_curves():
    history = compiled().fit(np.eye(2), np.eye(2)[:, :1], epochs=5, verbose=0)
    html = history._repr_html_()
    assert "5 epochs" in words(history)
    assert len(re.findall("<polyline", html)) == len(history.history)
    Tree(History()._repr_html_())


def test_a_report_shows_failures_first():
    report = Report(
        "Mine", (Result("a", "is fine", "pass"), Result("b", "isn't", "fail", "w < 0 & g > 0")), ("a note",)
    )
    found = words(report)
    assert found.index("b") < found.index("a")
    assert "isn't → w < 0 & g > 0" in found
    assert "a note" in found


def test_a_table_of_a_study_shows_means():
    rows = [{"optimizer": "adam", "seed": i, "test_accuracy": i / 2, "diverged": None, "seconds": 1.0} for i in (0, 1)]
    assert {"adam", "optimizer"} <= set(words(lab.Table(rows)))
    assert "no cell has been run" in words(lab.Table())


def test_texts_are_escaped():
    assert Tree(html_table("<script>", ["<a>"], [["<b>", 0.5]], ["&"])).words == ["<script>", "<a>", "<b>", "0.5", "&"]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [float("inf"), 1.0]])
def test_no_curve_of_less_than_two_numbers(values):
    assert curve(values) == ""


def test_a_curve_stays_within_its_picture():
    text = curve([3.0, float("nan"), -1e300, 1e300, 3.0], 100, 20)
    points = [tuple(map(float, point.split(","))) for point in re.search('points="([^"]*)"', text)[1].split()]
    assert len(points) == 4
    assert all(0 <= x <= 100 and 0 <= y <= 20 for x, y in points)
