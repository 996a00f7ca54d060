"""The loss on planes through a net's weights, and the paths seen on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minidl import Sequential, Trainer, layers, optimizers, plotting, surfaces
from minidl.callbacks import WeightPath
from minidl.cli import main
from minidl.slices import Plane, Slice, around, flat_weights, loss_slice, path_plane, random_plane

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((30, 3)), RNG.integers(0, 2, 30)


def net(**more) -> Sequential:
    inside = [layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(2), layers.Softmax()]
    return Sequential([layers.Input((3,)), *inside], seed=1, dtype="float64", **more)


def trainer(model: Sequential | None = None, optimizer: str = "sgd") -> Trainer:
    return Trainer(model or net(), optimizer, "sparse_categorical_crossentropy", ["accuracy"])


# Slices ------------------------------------------------------------------------------------------------------------


def test_the_loss_of_a_linear_model_is_the_quadratic_that_it_is() -> None:
    model = Sequential([layers.Input((3,)), layers.Dense(1)], seed=0, dtype="float64")
    targets = RNG.standard_normal((30, 1))
    plane = Plane(flat_weights(model), *RNG.standard_normal((2, 4)))
    found = loss_slice(Trainer(model, "sgd", "mse"), X, targets, plane, view=((-2, 1), (0, 3)), points=7)
    assert (found.a.tolist(), found.b.tolist()) == (np.linspace(-2, 1, 7).tolist(), np.linspace(0, 3, 7).tolist())
    design = np.column_stack([X, np.ones(30)])
    for i, b in enumerate(found.b):
        for j, a in enumerate(found.a):
            residual = design @ (plane.origin + a * plane.first + b * plane.second)[:, None] - targets
            assert found.losses[i, j] == pytest.approx((residual**2).mean(), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_model_stays_as_it_is_bit_for_bit(dtype: str) -> None:
    model = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(2),
                        layers.Softmax()], seed=1, dtype=dtype)  # fmt: skip
    made = trainer(model, "adam")
    made.fit(X, Y, epochs=2, verbose=0)
    before, state = model.state_dict(), made.optimizer.state_dict()
    plane = random_plane(model, seed=3)
    found = loss_slice(made, X, Y, plane, points=3)
    after = model.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert repr(made.optimizer.state_dict()) == repr(state)
    assert found.losses[1, 1] == pytest.approx(made.evaluate(X, Y)["loss"], rel=1e-6)
    with pytest.raises(ValueError, match=r"input must have shape"):
        loss_slice(made, X[:, :2], Y, plane, points=3)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_a_loss_that_is_not_finite_is_one_of_the_slice_and_is_drawn() -> None:
    model = Sequential([layers.Input((3,)), layers.Dense(1)], seed=0, dtype="float32")
    plane = Plane(flat_weights(model), np.ones(4), np.eye(4)[0])
    found = loss_slice(
        Trainer(model, "sgd", "mse"), X.astype("float32"), X[:, :1], plane, view=((0, 1e39), (0, 1)), points=3
    )
    assert not np.isfinite(found.losses).all()
    assert np.isfinite(found.losses).any()
    plotting.plot_trajectories(found, {"none": [(0.0, 0.0), (1.0, 0.5)]})


def test_a_drawn_direction_has_the_norm_of_each_column_and_leaves_vectors() -> None:
    model = net()
    plane = random_plane(model, seed=0)
    assert np.array_equal(plane.origin, flat_weights(model))
    start = 0
    for parameter in model.parameters:
        for direction in (plane.first, plane.second):
            part = direction[start : start + parameter.size].reshape(parameter.shape)
            if parameter.data.ndim == 1:
                assert not part.any()
            else:
                norms = np.linalg.norm(parameter.data, axis=0)
                np.testing.assert_allclose(np.linalg.norm(part, axis=0), norms, rtol=1e-12)
        start += parameter.size
    assert not np.array_equal(plane.first, plane.second)
    assert np.array_equal(plane.first, random_plane(model, seed=0).first)
    assert not np.array_equal(plane.first, random_plane(model, seed=1).first)


def test_a_filters_direction_has_its_norm() -> None:
    model = Sequential([layers.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(1)], seed=0)
    kernel = model.parameters[0]
    part = random_plane(model).first[: kernel.size].reshape(kernel.shape)
    np.testing.assert_allclose(
        (part**2).sum(axis=(0, 1, 2)), (kernel.data.astype(float) ** 2).sum(axis=(0, 1, 2)), rtol=1e-6
    )


# Paths -------------------------------------------------------------------------------------------------------------


@given(st.integers(2, 20), st.integers(3, 30), st.integers(0, 1000))
def test_paths_in_a_plane_are_seen_as_they_are(points: int, size: int, seed: int) -> None:
    """Distances from the start stay what they are, and all is shown."""
    rng = np.random.default_rng(seed)
    origin, directions = rng.standard_normal(size), rng.standard_normal((2, size))
    steps = np.vstack([np.zeros(2), rng.standard_normal((points, 2))])
    path = origin + steps @ directions
    path[0] = origin
    plane = path_plane([path])
    seen = plane.project(path)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), np.linalg.norm(path - origin, axis=1), atol=1e-9)
    back = plane.origin + seen @ np.stack([plane.first, plane.second])
    np.testing.assert_allclose(back, path, atol=1e-9)
    assert plane.shown == pytest.approx(1.0)


def test_no_plane_through_the_start_is_nearer_and_what_is_lost_is_told() -> None:
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.standard_normal((40, 12)), axis=0)
    plane = path_plane({"a": path})
    steps = path - path[0]

    def lost(directions: np.ndarray) -> float:
        basis, _ = np.linalg.qr(directions.T)
        return float(((steps - steps @ basis @ basis.T) ** 2).sum())

    least = lost(np.stack([plane.first, plane.second]))
    assert plane.shown == pytest.approx(1 - least / (steps**2).sum(), rel=1e-9)
    assert all(lost(rng.standard_normal((2, 12))) > least for _ in range(100))
    assert np.linalg.norm(plane.first) == pytest.approx(1)
    assert plane.first @ plane.second == pytest.approx(0, abs=1e-9)


def test_a_straight_path_has_a_plane() -> None:
    plane = path_plane([np.outer(np.arange(4.0), [1.0, 2.0, 2.0])])
    np.testing.assert_allclose(np.abs(plane.project([[1.0, 2.0, 2.0]])), [[3.0, 0.0]], atol=1e-9)
    assert np.linalg.norm(plane.second) == pytest.approx(1)


@pytest.mark.parametrize(("points", "size"), [(100, 1000), (50, 5000), (5, 2), (1, 3)])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_the_directions_of_a_straight_path_are_orthonormal(points: int, size: int, scale: float) -> None:
    for seed in range(3):
        direction = np.random.default_rng(seed).standard_normal(size) * scale
        plane = path_plane([np.outer(np.arange(points + 1.0), direction)])
        both = np.stack([plane.first, plane.second])
        np.testing.assert_allclose(both @ both.T, np.eye(2), atol=1e-12)
        assert plane.shown == pytest.approx(1)


def test_what_lies_far_less_across_a_path_than_along_it_is_found() -> None:
    along, across = np.linalg.qr(np.random.default_rng(0).standard_normal((1000, 2)))[0].T
    steps = np.arange(101.0)
    plane = path_plane([np.outer(steps, along) + np.outer(1e-10 * np.sin(steps), across)])
    assert abs(plane.second @ across) > 0.999
    assert plane.first @ plane.second == pytest.approx(0, abs=1e-12)


def test_a_single_weight_has_a_line() -> None:
    plane = path_plane([[[1.0], [3.0]]])
    assert np.abs(plane.project([[5.0]])).tolist() == [[4.0, 0.0]]


def test_weights_are_recorded_from_the_start_on() -> None:
    made, path = trainer(), WeightPath(every=2)
    start = flat_weights(made)
    made.fit(X, Y, batch_size=10, epochs=2, callbacks=[path], verbose=0)
    assert path.steps == [0, 2, 4, 6]
    np.testing.assert_array_equal(path.weights[0], start)
    np.testing.assert_array_equal(path.weights[-1], flat_weights(made))
    made.fit(X, Y, batch_size=10, epochs=1, callbacks=[path], verbose=0)
    assert path.steps == [0, 2, 4, 6, 8]
    other = WeightPath()
    other.load_state_dict(path.state_dict())
    assert other.steps == path.steps
    assert all(np.array_equal(a, b) for a, b in zip(other.weights, path.weights, strict=True))
    with pytest.raises(ValueError, match=r"WeightPath: each model needs one of its own. Received: 8 weights, after"):
        Trainer(Sequential([layers.Input((3,)), layers.Dense(2)], seed=0), "sgd", "mse").fit(
            X, X[:, :2], callbacks=[path], verbose=0
        )
    with pytest.raises(ValueError, match=r"WeightPath: model must be built"):
        Trainer(Sequential([layers.Dense(2)], seed=0), "sgd", "mse").fit(
            iter([(X, X[:, :2])]), callbacks=[WeightPath()]
        )
    with pytest.raises(ValueError, match=r"WeightPath: there must be weights for each step"):
        path.load_state_dict({"steps": [1], "weights": []})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: flat_weights(Sequential([layers.Dense(2)], seed=0)), r"flat_weights: model must be built"),
        (lambda: flat_weights("a"), r"flat_weights: model must be built, and have parameters. Received: 'a'"),
        (lambda: random_plane(Sequential([layers.Dense(2)])), r"random_plane: model must be built"),
        (lambda: random_plane("a"), r"random_plane: model must be built, and have parameters. Received: 'a'"),
        (lambda: random_plane(net()).project([[1, 2, 3]]), r"Plane: weights must have shape \(n, 34\). Received"),
        (lambda: random_plane(net()).project("a"), r"Plane: weights must be numbers. Received: 'a'"),
        (lambda: path_plane(3), r"path_plane: paths must be a dict or a list. Received: 3"),
        (lambda: path_plane("ab"), r"path_plane: paths must be a dict or a list. Received: 'ab'"),
        (lambda: path_plane([[[1.0], [1.0, 2.0]]]), r"path_plane: paths must be numbers"),
        (lambda: path_plane([]), r"path_plane: paths must be weights of shape"),
        (lambda: path_plane([np.ones(3)]), r"path_plane: paths must be weights of shape"),
        (lambda: path_plane([np.zeros((2, 3)), np.ones((2, 3))]), r"path_plane: paths must have one start"),
        (lambda: path_plane([np.ones((3, 3))]), r"path_plane: paths must be finite, and move"),
        (lambda: loss_slice(3, X, Y, random_plane(net())), r"loss_slice: trainer must be a Trainer"),
        (lambda: loss_slice(trainer(), X, Y, 3), r"loss_slice: plane must be one of \d+ weights. Received: 3"),
        (lambda: loss_slice(trainer(), X, Y, Plane(*np.zeros((3, 4)))), r"plane must be one of \d+ weights"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), points=1), r"loss_slice: points must be"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), view=((1, 0), (0, 1))), r"must be \(from, to\)"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), view=(0, 1)), r"view must be .* view=\(0, 1\)"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), view=((0, 1),)), r"must be .* view=\(\(0, 1\),\)"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), view=((0, np.inf), (0, 1))), r"of b, finite"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), view="ab"), r"loss_slice: view must be numbers"),
        (lambda: loss_slice(trainer(), X, Y, random_plane(net()), batch_size=0), r"loss_slice: batch_size must be"),
        (lambda: around([]), r"around: paths must be points of shape \(n, 2\). Received: \[\]"),
        (lambda: around(3), r"around: paths must be a dict or a list. Received: 3"),
        (lambda: around([np.ones((2, 3))]), r"around: paths must be points of shape \(n, 2\). Received: \[\(2, 3\)\]"),
        (lambda: around(np.ones((2, 2))), r"around: paths must be points of shape \(n, 2\)"),
        (lambda: around([[[0.0, np.nan]]]), r"around: paths must be finite"),
        (lambda: around([[[0.0, 1.0]]], margin=-1), r"around: margin must be in \[0, inf\). Received: margin=-1.0"),
        (lambda: random_plane(net(), seed=-1), r"random_plane: seed must be"),
        (lambda: plotting.plot_trajectories(3, {}), r"surface must be a Surface or a Slice. Received: 3"),
    ],
)  # fmt: skip
def test_mistakes(make, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        make()


def test_a_view_is_around_the_paths_of_a_list_or_a_dict() -> None:
    path, far = [[0.0, 0.0], [10.0, 5.0]], np.array([[20.0, -5.0]])
    assert around([path, far]) == around({"a": path, "b": far}) == ((-4.0, 24.0), (-7.0, 7.0))
    assert around([path], margin=0) == ((0.0, 10.0), (0.0, 5.0))


def test_weights_are_projected_alone_or_many() -> None:
    plane = Plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    np.testing.assert_allclose(plane.project([3, 4, 5]), [3, 4], atol=1e-12)
    np.testing.assert_allclose(plane.project([[3, 4, 5]]), [[3, 4]], atol=1e-12)


# Pictures ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ground() -> tuple[Slice, dict[str, np.ndarray]]:
    recorded = {}
    for name in ("sgd", "adam"):
        path = WeightPath()
        trainer(optimizer=name).fit(X, Y, batch_size=10, epochs=5, callbacks=[path], verbose=0)
        recorded[name] = np.array(path.weights)
    plane = path_plane(recorded)
    seen = {name: plane.project(path) for name, path in recorded.items()}
    return loss_slice(trainer(), X, Y, plane, view=around(seen), points=9, name="a slice"), seen


def test_the_paths_are_drawn_on_the_slice(ground: tuple[Slice, dict[str, np.ndarray]]) -> None:
    ax = plotting.plot_trajectories(*ground)
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("a slice", "a", "b")
    lines = {line.get_label(): line for line in ax.get_lines()}
    for name, path in ground[1].items():
        np.testing.assert_array_equal(np.column_stack(lines[name].get_data()), path)
    low, high = np.array(ground[0].view).T
    for path in ground[1].values():
        assert (path > low).all()
        assert (path < high).all()


def test_an_mp4_has_its_frames(ground: tuple[Slice, dict[str, np.ndarray]], tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg isn't installed")
    for name, (surface, paths) in {
        "slice": ground,
        "bowl": (surfaces.BOWL, surfaces.descend(surfaces.BOWL, {"sgd": optimizers.SGD(0.1)}, steps=15)),
    }.items():
        file = tmp_path / f"{name}.mp4"
        plotting.animate_trajectories(surface, paths, file, fps=10)
        frames, seconds = ffmpeg.count_frames_and_secs(str(file))
        assert (frames, seconds) == (16, pytest.approx(1.6))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bowl.mp4", "slice.mp4"]


def test_an_mp4_without_its_writer_names_the_extra(ground, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(ImportError, match=r"an MP4 needs imageio-ffmpeg: pip install 'minidl\[video\]'"):
        plotting.animate_trajectories(*ground, tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_shows_a_nets_paths(tmp_path: Path, capsys) -> None:
    command = "trajectories --net moons --optimizers sgd,adam --steps 30 --animate --learning-rate adam=0.01"
    assert main([*command.split(), "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["sgd", "0.1"], ["adam", "0.01"]]
    assert "of the paths' squared length" in lines[5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moons.gif", "moons.png"]
    with Image.open(tmp_path / "moons.gif") as gif:
        assert gif.n_frames == 31
    with pytest.raises(SystemExit):
        main(["trajectories", "--net", "moon"])
    assert "--net must be a known one. Received: 'moon'. Did you mean 'moons'?" in capsys.readouterr().err


def test_a_path_that_diverges_is_told_and_left_out(tmp_path: Path, capsys) -> None:
    command = ["trajectories", "--net", "moons", "--steps", "20", "--out", str(tmp_path)]
    assert main([*command, "--optimizers", "sgd,adam", "--learning-rate", "sgd=1e30"]) == 0
    out = capsys.readouterr().out
    assert "sgd 1e+30: diverged, and isn't drawn" in out
    assert "adam 0.003" in out
    assert main([*command, "--optimizers", "momentum", "--learning-rate", "1e38"]) == 1
    assert "every optimizer diverged; --learning-rate gives them others" in capsys.readouterr().err
