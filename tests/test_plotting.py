"""Pictures: drawn without a display, with the right lines and words."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from minidl import History, Sequential, datasets, layers, optimizers, plotting, schedules


def history(*losses: float) -> History:
    made = History()
    for epoch, loss in enumerate(losses):
        made.append(epoch, {"loss": loss, "val_accuracy": 1 - loss})
    return made


def test_curves_have_a_line_a_name_and_the_right_numbers() -> None:
    ax = Figure().subplots()
    assert plotting.plot_curves({"a": history(3, 2, 1), "b": history(4, 3)}, "loss", ax=ax) is ax
    lines = ax.get_lines()
    assert [line.get_label() for line in lines] == ["a", "b"]
    assert lines[0].get_xdata().tolist() == [1, 2, 3]
    assert lines[1].get_ydata().tolist() == [4, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "training loss")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert len({line.get_color() for line in lines}) == len({line.get_marker() for line in lines}) == 2


def test_several_seeds_give_their_mean_and_their_range() -> None:
    ax = plotting.plot_curves({"a": [history(3, 1), history(5, 2)]}, "loss", ax=Figure().subplots(), log=True)
    assert ax.get_lines()[0].get_ydata().tolist() == [4, 1.5]
    assert len(ax.collections) == 1
    assert ax.get_yscale() == "log"


def test_seven_lines_are_told_apart_and_the_picture_is_not_blank() -> None:
    figure = Figure()
    ax = plotting.plot_curves({str(i): history(i, i + 1) for i in range(7)}, "loss", ax=figure.subplots())
    assert len({(line.get_color(), line.get_marker()) for line in ax.get_lines()}) == 7
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert len(np.unique(np.asarray(canvas.buffer_rgba()).reshape(-1, 4), axis=0)) > 10


def test_without_axes_a_new_figure_is_made() -> None:
    from matplotlib import pyplot

    ax = plotting.plot_curves({"a": history(1, 2)}, "val_accuracy")
    assert ax.get_ylabel() == "validation accuracy"
    pyplot.close(ax.figure)


def test_mistakes_are_named() -> None:
    with pytest.raises(
        ValueError, match=r"column must be one of the history. Received: column='los'.*Did you mean 'loss'"
    ):
        plotting.plot_curves({"a": history(1)}, "los", ax=Figure().subplots())
    with pytest.raises(ValueError, match=r"must be a History, or a dict of at least one name. Received: \{\}"):
        plotting.plot_curves({})
    for wrong in ({"a": []}, {"a": {"loss": [1]}}, {"a": [history(1), 3]}):
        with pytest.raises(ValueError, match=r"each name must have a History, or a list of them. Received: 'a'"):
            plotting.plot_curves(wrong)


def test_two_columns_of_one_history_are_told_apart() -> None:
    made = History()
    made.append(0, {"loss": 2.0, "val_loss": 3.0})
    ax = plotting.plot_curves(made, ["loss", "val_loss"], ax=Figure().subplots())
    lines = ax.get_lines()
    assert [line.get_label() for line in lines] == ["training loss", "validation loss"]
    assert ax.get_ylabel() == "loss"
    assert lines[0].get_color() != lines[1].get_color()
    plotting.plot_curves({"another": made}, "loss", ax=ax)
    assert len({line.get_color() for line in ax.get_lines()}) == 3


# Decision boundaries ---------------------------------------------------------------------------------------

SQUARE = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])


def right_half(points: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-4 * points[:, :1]))


@pytest.mark.parametrize("form", ["column", "vector", "two columns"])
def test_a_boundary_lies_where_the_classifier_changes_its_mind(form: str) -> None:
    p = {
        "column": right_half,
        "vector": lambda x: right_half(x)[:, 0],
        "two columns": lambda x: np.concatenate([1 - right_half(x), right_half(x)], axis=1),
    }[form]
    figure = Figure()
    ax = figure.subplots()
    returned, data = plotting.plot_decision_boundary(p, SQUARE, [0, 1, 0, 1], ax=ax, resolution=50, margin=0.25)
    assert returned is ax
    assert (data["x"][0], data["x"][-1]) == (-1.5, 1.5)
    np.testing.assert_array_equal(data["class"], np.broadcast_to(data["x"] > 0, (50, 50)))
    expected = 1 / (1 + np.exp(-4 * np.abs(data["x"])))
    np.testing.assert_allclose(data["probability"], np.broadcast_to(expected, (50, 50)), rtol=1e-12)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["class 0", "class 1"]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert len(np.unique(np.asarray(canvas.buffer_rgba()).reshape(-1, 4), axis=0)) > 50


def test_a_trained_model_is_drawn_with_its_points() -> None:
    x, y = datasets.make_blobs(60, centers=[[0, 0], [6, 0], [0, 6]], cluster_std=0.5, seed=0)
    model = Sequential([layers.Dense(3, "softmax")], seed=0)
    model.compile(optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=30, verbose=0)
    ax, data = plotting.plot_decision_boundary(model, x, np.eye(3)[y], ax=Figure().subplots(), resolution=40)
    assert set(np.unique(data["class"])) == {0, 1, 2}
    assert sum(len(c.get_offsets()) for c in ax.collections if hasattr(c, "get_sizes") and len(c.get_sizes())) == 60


@pytest.mark.parametrize(
    ("model", "x", "y", "says"),
    [
        (right_half, np.ones((4, 3)), [0, 1, 0, 1], r"x must have shape \(n, 2\).*Received: x of shape \(4, 3\)"),
        (right_half, SQUARE, [0, 1], r"with as many classes. Received: x of shape \(4, 2\), 2 classes"),
        (right_half, SQUARE, [0.5, 1, 0, 1], "plot_decision_boundary: classes must be integers or one-hot rows"),
        (lambda x: x, SQUARE, [0, 1, 0, 1], "predictions must be probabilities. Received: from -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, x, y, says) -> None:
    with pytest.raises(ValueError, match=says):
        plotting.plot_decision_boundary(model, x, y, ax=Figure().subplots())


# Matrices, schedules, averages -----------------------------------------------------------------------------


def test_a_confusion_matrix_shows_counts_on_the_parts_of_their_rows() -> None:
    matrix = np.array([[3, 1], [0, 0]])
    ax, parts = plotting.plot_confusion_matrix(matrix, names=["cat", "dog"], ax=Figure().subplots())
    np.testing.assert_array_equal(parts, [[0.75, 0.25], [0, 0]])
    assert [text.get_text() for text in ax.texts] == ["3", "1", "0", "0"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cat", "dog"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    np.testing.assert_array_equal(ax.images[0].get_array(), parts)


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 3)), [[-1.0]], np.zeros((0, 0))])
def test_what_is_no_confusion_matrix_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="matrix must be square and not negative"):
        plotting.plot_confusion_matrix(wrong)
    with pytest.raises(ValueError, match=r"there must be 2 names. Received: 1"):
        plotting.plot_confusion_matrix(np.eye(2), names=["a"])


def test_schedules_are_drawn_with_the_values_they_have() -> None:
    named = {"cosine": schedules.CosineDecay(0.1, decay_steps=8), "own": lambda step: 0.1 / (1 + step)}
    ax, values = plotting.plot_schedules(named, 10, ax=Figure().subplots())
    for line, (name, schedule) in zip(ax.get_lines(), named.items(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), [schedule(i) for i in range(10)])
        np.testing.assert_array_equal(values[name], line.get_ydata())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "learning rate")
    by_epoch = {"decay": schedules.InverseTimeDecay(0.1, decay_rate=1.0)}
    assert plotting.plot_schedules(by_epoch, 3, ax=Figure().subplots())[0].get_xlabel() == "epoch"
    with pytest.raises(ValueError, match="length must be a positive integer"):
        plotting.plot_schedules(named, 0)
    with pytest.raises(ValueError, match="there must be a dict of at least one name"):
        plotting.plot_schedules({}, 3)


@pytest.mark.parametrize(("corrected", "lines"), [(None, 5), (True, 3), (False, 3)])
def test_averages_are_the_weighted_sums_that_their_formula_unrolls_to(corrected, lines) -> None:
    series = np.random.default_rng(0).standard_normal(30)
    ax, averages = plotting.plot_moving_averages(series, (0.5, 0.9), corrected=corrected, ax=Figure().subplots())
    assert len(ax.get_lines()) == lines
    for name, values in averages.items():
        beta = float(name.split()[2].rstrip(","))
        for t in (1, 2, 30):
            weights = (1 - beta) * beta ** np.arange(t - 1, -1, -1)
            expected = weights @ series[:t] / (weights.sum() if "corrected" in name else 1)
            assert values[t - 1] == pytest.approx(expected, rel=1e-12)


def test_the_corrected_average_of_equal_numbers_is_that_number() -> None:
    _, averages = plotting.plot_moving_averages(np.full(5, 3.0), (0.9,), corrected=True, ax=Figure().subplots())
    np.testing.assert_allclose(averages["β = 0.9, corrected"], 3.0, rtol=1e-12)
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\). Received: beta=1.0"):
        plotting.plot_moving_averages([1.0], (1.0,))
    with pytest.raises(ValueError, match="series must be numbers in one axis"):
        plotting.plot_moving_averages([])
