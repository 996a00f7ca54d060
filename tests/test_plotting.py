"""Pictures: drawn without a display, with the right lines and words."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from minidl import History, Sequential, callbacks, datasets, layers, optimizers, plotting, schedules, surfaces, tuning


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
    returned, data = plotting.plot_decision_boundary(p, SQUARE, [0, 1, 0, 1], ax=ax, points=50, margin=0.25)
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
    ax, data = plotting.plot_decision_boundary(model, x, np.eye(3)[y], ax=Figure().subplots(), points=40)
    assert set(np.unique(data["class"])) == {0, 1, 2}
    assert sum(len(c.get_offsets()) for c in ax.collections if hasattr(c, "get_sizes") and len(c.get_sizes())) == 60


@pytest.mark.parametrize(
    ("model", "x", "y", "says"),
    [
        (right_half, np.ones((4, 3)), [0, 1, 0, 1], r"x must have shape \(n, 2\).*Received: x of shape \(4, 3\)"),
        (right_half, SQUARE, [0, 1], r"with as many classes. Received: x of shape \(4, 2\), 2 classes"),
        (right_half, SQUARE, [0.5, 1, 0, 1], "plot_decision_boundary: classes must be integers or one-hot rows"),
        (right_half, SQUARE, ["a", "b", "a", "b"], "plot_decision_boundary: y must be numbers"),
        (right_half, [[1.0], [1.0, 2.0]], [0, 1], "plot_decision_boundary: x must be numbers"),
        (right_half, [[1.0, np.inf]], [0], "plot_decision_boundary: x must be finite"),
        (lambda x: x, SQUARE, [0, 1, 0, 1], "predictions must be probabilities. Received: from -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, x, y, says) -> None:
    with pytest.raises(ValueError, match=says):
        plotting.plot_decision_boundary(model, x, y, ax=Figure().subplots())


def test_what_decides_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match=r"model must be a model, or a function of points. Received: 3"):
        plotting.plot_decision_boundary(3, SQUARE, [0, 1, 0, 1])


# Matrices, schedules, averages -----------------------------------------------------------------------------


def test_a_confusion_matrix_shows_counts_on_the_parts_of_their_rows() -> None:
    matrix = np.array([[3, 1], [0, 0]])
    ax, parts = plotting.plot_confusion_matrix(matrix, names=["cat", "dog"], ax=Figure().subplots())
    np.testing.assert_array_equal(parts, [[0.75, 0.25], [0, 0]])
    assert [text.get_text() for text in ax.texts] == ["3", "1", "0", "0"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cat", "dog"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    np.testing.assert_array_equal(ax.images[0].get_array(), parts)


@pytest.mark.parametrize("names", [range(3), [0, 1, 2], np.unique([2, 0, 1])])
def test_numbers_name_classes(names) -> None:
    ax, _ = plotting.plot_confusion_matrix(np.eye(3), names=names, ax=Figure().subplots())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2"]


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 3)), [[-1.0]], np.zeros((0, 0)), [[np.nan]]])
def test_what_is_no_confusion_matrix_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="matrix must be square and not negative"):
        plotting.plot_confusion_matrix(wrong)
    with pytest.raises(ValueError, match=r"there must be 2 names. Received: 1"):
        plotting.plot_confusion_matrix(np.eye(2), names=["a"])
    for names in (3, "ab"):
        with pytest.raises(TypeError, match=r"plot_confusion_matrix: names must be a list. Received: names="):
            plotting.plot_confusion_matrix(np.eye(2), names=names)
    for matrix in ("ab", [[1], [1, 2]]):
        with pytest.raises(ValueError, match=r"plot_confusion_matrix: matrix must be numbers. Received: "):
            plotting.plot_confusion_matrix(matrix)


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
    with pytest.raises(TypeError, match=r"a schedule must be callable with an index. Received: 'a': 'cosine'"):
        plotting.plot_schedules({"a": "cosine"}, 10)


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
    with pytest.raises(ValueError, match=r"plot_moving_averages: series must be numbers. Received: 'ab'"):
        plotting.plot_moving_averages("ab")
    with pytest.raises(TypeError, match=r"betas must be a list of numbers. Received: betas=0.9"):
        plotting.plot_moving_averages([1.0], 0.9)
    with pytest.raises(TypeError, match=r"corrected must be True or False. Received: corrected='yes'"):
        plotting.plot_moving_averages([1.0], corrected="yes")


# Norms, the range test ---------------------------------------------------------------------------------------


def drawn(ax) -> int:
    """Draw the picture; return how many colours it has."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return len(np.unique(np.asarray(canvas.buffer_rgba()).reshape(-1, 4), axis=0))


def test_norms_have_a_line_a_layer() -> None:
    norms = callbacks.Norms()
    norms.steps = [10, 20]
    norms.gradients = {"dense": [1.0, 0.5], "dense_1": [2.0, 0.1]}
    norms.weights = {"dense": [3.0, 3.5], "dense_1": [4.0, 4.1]}
    for which in ("gradients", "weights"):
        ax = plotting.plot_norms(norms, which, ax=Figure().subplots())
        assert {line.get_label(): line.get_ydata().tolist() for line in ax.get_lines()} == getattr(norms, which)
        assert [line.get_xdata().tolist() for line in ax.get_lines()] == [[10, 20]] * 2
        assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("step", f"norm of the {which}", "log")
        assert drawn(ax) > 10
    with pytest.raises(ValueError, match=r"which must be one of 'weights', 'gradients'. Received: which='bias'"):
        plotting.plot_norms(norms, "bias")
    with pytest.raises(ValueError, match=r"norms must have recorded a step. Received: none"):
        plotting.plot_norms(callbacks.Norms())
    with pytest.raises(TypeError, match=r"plot_norms: norms must be the callback Norms. Received: 'x'"):
        plotting.plot_norms("x")


def test_the_range_test_shows_losses_their_average_and_the_suggestion() -> None:
    rates = np.geomspace(1e-4, 1, 5)
    result = tuning.RangeTest(rates, np.array([2.0, 1.9, 1.0, 0.5, 50.0]), np.array([2.0, 1.7, 1.2, 0.8, 9.0]), False)
    ax = plotting.plot_lr_find(result, ax=Figure().subplots())
    points, average, line = ax.get_lines()
    np.testing.assert_array_equal(points.get_ydata(), result.losses)
    np.testing.assert_array_equal(average.get_ydata(), result.smoothed)
    assert list(line.get_xdata()) == [result.suggestion] * 2 == [rates[3] / 10] * 2
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[1] < 6  # the burst doesn't flatten what came before
    assert [text.get_text() for text in ax.get_legend().get_texts()][2] == "a tenth of the least: 0.01"
    assert drawn(ax) > 10


def test_what_is_no_range_test_is_refused() -> None:
    with pytest.raises(TypeError, match=r"plot_lr_find: result must be what lr_find returned. Received: 3"):
        plotting.plot_lr_find(3)


# Paths -------------------------------------------------------------------------------------------------------

SEVEN_PATHS = surfaces.descend(surfaces.BEALE, surfaces.BEALE.optimizers(), steps=40)


def shown(lines) -> dict[str, np.ndarray]:
    """Return the points of the lines that the legend names."""
    return {line.get_label(): np.array(line.get_data()).T for line in lines if not line.get_label().startswith("_")}


@pytest.mark.parametrize("name", surfaces.SURFACES)
def test_paths_lie_on_their_surface(name: str) -> None:
    surface = surfaces.SURFACES[name]
    paths = surfaces.descend(surface, surface.optimizers(), steps=30)
    ax = Figure(layout="constrained").subplots()
    assert plotting.plot_trajectories(surface, paths, ax=ax) is ax
    np.testing.assert_equal(shown(ax.get_lines()), paths)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(paths)
    assert (
        len({(line.get_color(), line.get_marker()) for line in ax.get_lines()[:-1] if "_" not in line.get_label()}) == 7
    )
    ends = {line.get_label(): np.array(line.get_data()).T.tolist() for line in ax.get_lines()}
    for title, path in paths.items():
        assert ends[f"_end of {title}"] == [path[-1].tolist()]
    assert ends["_starts"] == [list(surface.start)]
    assert (ax.get_xlim(), ax.get_ylim()) == surface.view
    assert ax.get_title() == surface.name
    assert drawn(ax) > 50


def test_an_animation_shows_the_paths_as_they_come_about(tmp_path) -> None:
    file = tmp_path / "beale.gif"
    figure = Figure(figsize=(4, 3), layout="constrained")
    canvas = figure.canvas
    ax = plotting.animate_trajectories(surfaces.BEALE, SEVEN_PATHS, file, ax=figure.subplots(), frames=9, fps=10)
    assert [path.name for path in tmp_path.iterdir()] == ["beale.gif"]
    np.testing.assert_equal(shown(ax.get_lines()), SEVEN_PATHS)
    assert figure.canvas is canvas
    assert ax.get_title() == "Beale"
    with Image.open(file) as gif:
        assert gif.n_frames == 9
        assert gif.info["duration"] == 100
        assert gif.size == (400, 300)
        images = []
        for frame in range(9):
            gif.seek(frame)
            images.append(np.asarray(gif.convert("RGB")).astype(int))
    for one, other in itertools.pairwise(images):
        assert (one != other).any()
    # The last frame is the still picture, in its very colours but for the title and the rounding of greys.
    still = FigureCanvasAgg(figure)
    still.draw()
    picture = np.asarray(still.buffer_rgba())[..., :3].astype(int)
    inside = slice(60, 240), slice(80, 300)
    assert np.abs(images[-1][inside] - picture[inside]).mean() < 2
    for colour in plotting.frame.COLOURS:
        exact = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        assert (images[-1] == exact).all(axis=-1).any(), colour


def test_a_short_path_waits_at_its_end_while_others_go_on(tmp_path) -> None:
    paths = {"short": [[0.0, 0.0]], "long": [[0.0, 0.0], [1.0, 1.0], [2.0, 1.0]]}
    plotting.animate_trajectories(surfaces.BOWL, paths, tmp_path / "a.gif", ax=Figure(figsize=(3, 2)).subplots())
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3


def test_an_error_while_drawing_leaves_no_file_and_the_axes_as_they_are(tmp_path, monkeypatch) -> None:
    ax = Figure(figsize=(3, 2)).subplots()
    folder = tmp_path / "a.gif"
    folder.mkdir()
    with pytest.raises(OSError, match=r"a\.gif"):
        plotting.animate_trajectories(surfaces.BOWL, SEVEN_PATHS, folder, ax=ax, frames=2)
    assert not any(line.get_animated() for line in ax.get_lines())
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_a_missing_folder_is_told_by_the_given_path(name: str, tmp_path) -> None:
    path = tmp_path / "none" / name
    with pytest.raises(FileNotFoundError) as caught:
        plotting.animate_trajectories(surfaces.BOWL, SEVEN_PATHS, path, ax=Figure().subplots(), frames=2)
    assert str(caught.value) == f"animate_trajectories: path must be in a folder that exists. Received: {str(path)!r}"


@pytest.mark.parametrize(
    ("surface", "paths", "file", "error", "says"),
    [
        ("bowl", SEVEN_PATHS, "a.gif", TypeError, "surface must be a Surface or a Slice. Received: 'bowl'"),
        (surfaces.BOWL, {}, "a.gif", ValueError, "paths must be a dict of at least one name. Received: {}"),
        (surfaces.BOWL, {"a": np.ones((3, 3))}, "a.gif", ValueError, "finite points of shape (n, 2). Received: 'a'"),
        (surfaces.BOWL, {"a": [[0, np.nan]]}, "a.gif", ValueError, "finite points of shape (n, 2). Received: 'a'"),
        (surfaces.BOWL, {"a": np.ones((0, 2))}, "a.gif", ValueError, "Received: 'a': float64 array of shape (0, 2)"),
        (surfaces.BOWL, {"a": "ab"}, "a.gif", ValueError, "path 'a' must be numbers. Received: 'ab'"),
        (surfaces.BOWL, {"a": [[0], [0, 1]]}, "a.gif", ValueError, "path 'a' must be numbers. Received: [[0], [0, 1]]"),
        (surfaces.BOWL, SEVEN_PATHS, "a.mov", ValueError, "path must end in .gif or .mp4. Received: 'a.mov'"),
    ],
)
def test_what_is_no_path_is_refused(surface, paths, file, error, says, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        plotting.animate_trajectories(surface, paths, file)
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    if "must end in" not in says:
        with pytest.raises(error, match="plot_trajectories: "):
            plotting.plot_trajectories(surface, paths)


# Colours -----------------------------------------------------------------------------------------------------

# What the three kinds of colour blindness see of linear red, green and blue (Machado and others, 2009, severity 1).
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(linear: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of linear RGB: distances in it are as people see them."""
    xyz = np.clip(linear, 0, 1) @ np.array(
        [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    )
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    f = np.where(xyz / [0.9505, 1.0, 1.089] > 0.008856, f, 7.787 * xyz / [0.9505, 1.0, 1.089] + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colour_blind_readers_tell_the_seven_colours_apart(kind: str) -> None:
    rgb = plotting.frame.rgb(plotting.frame.COLOURS)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = lab(linear @ np.array(BLINDNESS[kind]).T)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(7, 1)]
    assert distances.min() > 10  # a difference of 2.3 is just noticeable


# Activations -------------------------------------------------------------------------------------------------


def test_each_activation_has_a_panel_with_its_values_and_slopes() -> None:
    figure, data = plotting.plot_activations(figure=Figure(layout="constrained"))
    panels = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == list(data)
    assert {"ReLU", "Tanh", "GELU", "BinaryStep", "Swish"} <= set(data)
    x = np.linspace(-4, 4, 401)
    for ax, (y, slopes) in zip(panels, data.values(), strict=True):
        for line, values in zip(ax.get_lines(), (y, slopes), strict=True):
            np.testing.assert_array_equal(line.get_data(), (x, values))
    np.testing.assert_allclose(data["Tanh"], (np.tanh(x), 1 / np.cosh(x) ** 2), rtol=1e-12)
    assert [text.get_text() for text in panels[0].get_legend().get_texts()] == ["f(x)", "f'(x)"]
    assert drawn(panels[0]) > 50


def test_chosen_activations_and_mistakes() -> None:
    figure, data = plotting.plot_activations(["relu", layers.ELU(0.5)], limit=2, figure=Figure())
    assert (list(data), len(figure.axes)) == (["ReLU", "ELU(alpha=0.5)"], 2)
    with pytest.raises(ValueError, match=r"unknown activation. Received: .*'rleu'"):
        plotting.plot_activations(["rleu"])
    with pytest.raises(TypeError, match=r"must act on each entry by itself. Received: Softmax\(\)"):
        plotting.plot_activations(["softmax"])
    with pytest.raises(ValueError, match="at least one activation"):
        plotting.plot_activations([])
    with pytest.raises(TypeError, match=r"activations must be a list. Received: 3"):
        plotting.plot_activations(3)
    with pytest.raises(TypeError, match=r"plot_activations: figure must be a Figure. Received: figure='x'"):
        plotting.plot_activations(["relu"], figure="x")


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 4, 1), (4, 4, 1), (5, 4, 2), (3, 1, 3)])
def test_panels_stand_in_rows_and_the_rest_is_empty(count: int, columns: int, rows: int) -> None:
    figure, axes = plotting.frame.panels(count, columns, (2.0, 1.5), sharex=True)
    wide = min(count, columns)
    assert len(axes) == count
    assert len(figure.axes) == wide * rows
    assert tuple(figure.get_size_inches()) == (2.0 * wide, 1.5 * rows)
    assert [ax.axison for ax in figure.axes] == [True] * count + [False] * (wide * rows - count)
    axes[0].set_xlim(0, 7)
    assert axes[-1].get_xlim() == (0, 7)
    own = Figure(figsize=(9, 9))
    assert plotting.frame.panels(count, columns, None, figure=own)[0] is own
    assert tuple(own.get_size_inches()) == (9, 9)


AXES = {
    "plot_curves": (history(1),),
    "plot_lr_find": (tuning.RangeTest(np.ones(2), np.ones(2), np.ones(2), True),),
    "plot_schedules": ({"a": schedules.CosineDecay(0.1, decay_steps=8)}, 3),
    "plot_moving_averages": ([1.0],),
    "plot_decision_boundary": (right_half, SQUARE, [0, 1, 0, 1]),
    "plot_confusion_matrix": (np.eye(2),),
    "plot_trajectories": (surfaces.BOWL, {"a": [[0.0, 0.0]]}),
}


@pytest.mark.parametrize("name", AXES)
def test_what_is_no_axes_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}: ax must be Axes. Received: ax='x'"):
        getattr(plotting, name)(*AXES[name], ax="x")


def test_columns_are_names() -> None:
    for wrong in (3, []):
        with pytest.raises(ValueError, match="plot_curves: columns must be a name, or a list of names"):
            plotting.plot_curves(history(1), wrong)


def test_betas_of_many_digits_and_paths_of_any_name(tmp_path) -> None:
    ax, averages = plotting.plot_moving_averages(
        [1.0, 2.0], (b for b in (0.1234567, 0.12345678)), ax=Figure().subplots()
    )
    assert len(averages) == 4
    assert len({line.get_color() for line in ax.get_lines()[1:]}) == 2
    paths = {"starts": [[0.0, 0.0], [1.0, 1.0]], "end of starts": [[0.0, 0.0], [2.0, 2.0]]}
    shown_at = plotting.animate_trajectories(
        surfaces.BOWL, paths, tmp_path / "a.gif", ax=Figure(figsize=(3, 2)).subplots(), frames=2
    )
    np.testing.assert_equal(shown(shown_at.get_lines()), {name: np.array(path) for name, path in paths.items()})
    with pytest.raises(TypeError, match=r"activations must be a list. Received: 'relu'"):
        plotting.plot_activations("relu")
