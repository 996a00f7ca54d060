"""Studies: what a cell is, that nothing is used twice, what is kept, and what tables say."""

from __future__ import annotations

import csv
import io
import json
import math
import pickle
import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import studies
from hypothesis import given
from hypothesis import strategies as st

from minidl import Sequential, Trainer, layers, losses, optimizers, schedules
from minidl.lab import Cell, Data, Sheet, Study, StudyError, Summary, Table, grid, report, tune
from minidl.lab import study as study_module
from minidl.lab.running import run

SGD = optimizers.SGD


@pytest.fixture(scope="module")
def data() -> Data:
    return studies.data()


@pytest.fixture
def cell(data: Data) -> Cell:
    return Cell(studies.net, SGD, data, epochs=3, batch_size=20, seed=5, learning_rate=0.1)


def counted(monkeypatch) -> list[list[Cell]]:
    """Return a list that gets the cells of each run from now on."""
    calls: list[list[Cell]] = []

    def noted(cells, *more, **named):
        calls.append(cells)
        return run(cells, *more, **named)

    monkeypatch.setattr(study_module, "run", noted)
    return calls


def plain(seed: int, units: int = 0) -> Sequential:
    hidden = [layers.Dense(units, "relu")] if units else []
    return Sequential([layers.Input((2,)), *hidden, layers.Dense(2), layers.Softmax()], seed=seed)


def small(seed: int) -> Sequential:
    return plain(seed, 2)


def big(seed: int) -> Sequential:
    return plain(seed, 16)


def slow_adam(**arguments: float) -> optimizers.Adam:
    return optimizers.Adam(beta_1=0.1, **arguments)


class Weighted(losses.SparseCategoricalCrossentropy):
    """A loss of one's own, with an argument that may be anything."""

    def __init__(self, weights: object) -> None:
        super().__init__()
        self.weights = weights


def weighted(cell: Cell, weights: object) -> Cell:
    return replace(cell, loss=Weighted(weights), metrics=())


# Cells -------------------------------------------------------------------------------------------------------------


def test_a_cell_is_what_fit_does_by_hand(cell: Cell) -> None:
    model = studies.net(5)
    trainer = Trainer(model, SGD(0.1), "sparse_categorical_crossentropy", ["accuracy"])
    x, y, x_test, y_test = cell.data.x, cell.data.y, cell.data.x_test, cell.data.y_test
    history = trainer.fit(x, y, batch_size=20, epochs=3, validation_data=(x_test, y_test), verbose=0)
    (result,) = run([cell], keep_weights=True)
    assert result.history == history
    assert result.values["test_loss"] == pytest.approx(trainer.evaluate(x_test, y_test)["loss"], rel=1e-12)
    assert result.values["train_accuracy"] == pytest.approx(trainer.evaluate(x, y)["accuracy"], rel=1e-12)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(result.weights[name], array)


def test_siblings_start_alike_and_see_the_same_batches(data: Data) -> None:
    standing = grid(model=studies.net, optimizer=["sgd", "adam"], learning_rate=0.0, data=data, epochs=2)
    one, other = (run([cell])[0] for cell in standing)
    assert one.history.history["loss"] == other.history.history["loss"]  # dropout's draws too
    assert run([replace(standing[0], seed=1)])[0].history != one.history


def test_a_shorter_cell_is_gone_through_by_a_longer_one_bit_for_bit(cell: Cell, monkeypatch) -> None:
    lengths = [replace(cell, epochs=epochs) for epochs in (1, 4, 2, 4)]
    calls = []
    monkeypatch.setattr(
        study_module, "run", lambda cells, *more, **named: calls.append(cells) or run(cells, *more, **named)
    )
    together = Study(lengths).run(progress=False).without_times()
    assert [sorted(c.epochs for c in cells) for cells in calls] == [[1, 2, 4]]
    alone = [Study([one]).run(progress=False).without_times().rows[0] for one in lengths]
    assert together.rows == alone


def test_a_longer_run_may_diverge_beyond_a_shorter_one(data: Data) -> None:
    rate = schedules.PiecewiseConstant([0.1, 1e30], boundaries=[2], every="epoch")
    cells = [Cell(studies.net, SGD, data, epochs, 20, learning_rate=rate) for epochs in (2, 5)]
    short, long = Study(cells).run(progress=False).rows
    assert short["diverged"] is None
    assert short["test_accuracy"] > 0.5
    assert long["diverged"] == 3
    assert long["test_accuracy"] is None


def shared() -> Sequential:
    return studies.net(0)


SHARED, OPTIMIZER, LAYER = shared(), SGD(0.1), layers.Dense(2)


def ones(seed: int) -> Sequential:
    model = studies.net(seed)
    model.parameters[0].data = np.random.default_rng().random(model.parameters[0].shape)
    return model


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": SHARED}, r"model must be a function that makes a new model of a seed. Received: .*go on with"),
        ({"optimizer": OPTIMIZER}, r"optimizer must be a function that makes a new optimizer. Received: .*go on with"),
        ({"model": lambda seed: SHARED, "seed": 0}, r"a new model each time. Received: the same one twice"),
        ({"optimizer": lambda learning_rate: OPTIMIZER}, r"a new optimizer each time. Received: .*the same one twice"),
        ({"model": lambda seed: studies.net(0)}, r"must give its seed to the model. Received: a model of seed 0 for 5"),
        ({"model": lambda seed: 3}, r"model must return a Sequential. Received: 3"),
        ({"model": ones}, r"weights must be a function of the seed. Received: others the second time"),
        ({"optimizer": lambda learning_rate: None}, r"optimizer must return an Optimizer. Received: None"),
        ({"optimizer": partial(SGD, momentum=0.9)}, r"SGD: .*momentum"),
        ({"optimizer": "sdg"}, r"unknown optimizer. Received: 'sdg'. Did you mean 'sgd'"),
        ({"learning_rate": lambda step: 0.1}, r"what is trained must be told whole"),
        ({"epochs": 0}, r"Cell: epochs must be a positive integer. Received: epochs=0"),
        ({"batch_size": 2.5}, r"Cell: batch_size must be a positive integer"),
        ({"data": (1, 2)}, r"Cell: data must be lab.Data. Received: "),
        ({"metrics": "accuracy"}, r"Cell: metrics must be a list. Received: metrics='accuracy'"),
        ({"metrics": 3}, r"Cell: metrics must be a list. Received: metrics=3"),
        ({"labels": 3}, r"Cell: labels must be a dict. Received: labels=3"),
        ({"labels": {"what": {1, 2}}}, r"Cell: labels must be texts and numbers. Received: labels={'what'"),
        ({"labels": {"seed": 3}}, r"Cell: labels must have names that tables don't use themselves. Received: 'seed'"),
        ({"labels": {"test_size": 3}}, r"Cell: labels must have names that tables don't use .* Received: 'test_size'"),
    ],
)  # fmt: skip
def test_what_is_not_new_or_not_told_is_refused(cell: Cell, change: dict, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        Study([replace(cell, **change)])


def test_a_shared_layer_is_refused(cell: Cell) -> None:
    def nets(seed: int) -> Sequential:
        return Sequential([layers.Input((2,)), LAYER, layers.Softmax()], seed=seed)

    with pytest.raises(ValueError, match=r"a layer can be in one place of one model only"):
        Study([replace(cell, model=nets)])


def test_the_key_knows_everything_that_defines_a_cell(cell: Cell, data: Data) -> None:
    other = Data(data.name, data.x, 1 - data.y, data.x_test, data.y_test)
    changed = [
        replace(cell, epochs=4), replace(cell, batch_size=21), replace(cell, seed=6), replace(cell, learning_rate=0.2),
        replace(cell, learning_rate=schedules.InverseTimeDecay(0.1, decay_rate=0.1)), replace(cell, data=other),
        replace(cell, optimizer=optimizers.Momentum), replace(cell, metrics=()), replace(cell, loss="mse"),
        replace(cell, model=plain),
    ]  # fmt: skip
    assert len({cell.key, *(one.key for one in changed)}) == len(changed) + 1
    assert replace(cell, labels={"table": "I"}).key == cell.key
    assert Cell(lambda seed: studies.net(seed), "sgd", studies.data("x"), 3, 20, 5, 0.1).key == cell.key


def test_the_key_knows_how_parameters_are_trained(cell: Cell) -> None:
    def net(seed: int, change: str = "") -> Sequential:
        model = plain(seed, 4)
        if change == "frozen":
            model.layers[0].trainable = False
        elif change:
            setattr(model.layers[0].parameters[0], change, 0.5)
        return model

    changes = ("frozen", "learning_rate_multiplier", "weight_decay_multiplier")
    cells = [replace(cell, model=net), *(replace(cell, model=partial(net, change=change)) for change in changes)]
    assert len({one.key for one in cells}) == 4
    results = Study(cells[:2]).run(progress=False).rows
    assert results[0]["train_loss"] != results[1]["train_loss"]


def test_arrays_are_part_of_the_key_with_all_their_entries(cell: Cell, tmp_path: Path) -> None:
    many = np.zeros(5000)
    other = many.copy()
    other[2500] = 1e-300
    given = [[0.5, np.inf], np.array([0.5, 1.0]), np.array([0.5, 1.0], np.float32), np.float32(2), many, other]
    cells = [weighted(cell, weights) for weights in given]
    assert len({one.key for one in cells}) == len(cells)
    assert weighted(cell, many.copy()).key == cells[4].key
    assert len(Study(cells, tmp_path).run(progress=False).rows) == len(cells)
    assert Study(cells, tmp_path).missing == []


@pytest.mark.parametrize("weights", [{1, 2}, 1j, np.array([object()] * 200), np.dtype("float32")])
def test_what_no_definition_can_hold_is_told_before_anything_is_trained(cell: Cell, weights: object) -> None:
    with pytest.raises(TypeError, match=r"what is trained must be told whole"):
        Study([weighted(cell, weights)])


def test_the_code_of_ones_own_rule_is_part_of_the_key(cell: Cell, monkeypatch) -> None:
    own = replace(cell, optimizer=studies.Signs)
    assert list(own.definition["own classes"]) == ["studies.Signs"]
    before = own.key
    monkeypatch.setattr("inspect.getsource", lambda cls: "another")
    assert replace(own).key != before
    assert cell.definition["own classes"] == {}


def test_grid_gives_every_combination_the_first_slowest(data: Data) -> None:
    cells = grid(model=studies.net, optimizer={"a": SGD, "b": "adam"}, learning_rate=[0.1, 0.2], data=data, epochs=1,
                 seed=range(3), metrics=["accuracy"], labels={"what": 1})  # fmt: skip
    assert [(c.name, c.learning_rate, c.seed) for c in cells] == [
        (name, rate, seed) for name in "ab" for rate in (0.1, 0.2) for seed in range(3)
    ]
    assert all(cell.labels["what"] == 1 and cell.metrics == ("accuracy",) for cell in cells)
    named = grid(model={"one": studies.net, "two": plain}, optimizer="sgd", data=data, epochs=1)
    assert [cell.settings["model"] for cell in named] == ["one", "two"]


# Data --------------------------------------------------------------------------------------------------------------


def test_memory_maps_are_pickled_by_their_names(data: Data, tmp_path: Path) -> None:
    placed = data.placed(str(tmp_path))
    text = pickle.dumps(placed)
    assert len(text) < 1000 < len(pickle.dumps(data))
    again = pickle.loads(text)
    assert isinstance(again.x, np.memmap)
    assert again.digest == data.digest == Data("other", data.x, data.y, data.x_test, data.y_test).digest
    for name in ("x", "y", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data, name))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    data.placed(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_part_is_held_out_of_what_is_trained_on_and_the_test_part_is_not_seen(data: Data) -> None:
    part = data.held_out(0.25, seed=1)
    rows = {tuple(row) for row in data.x.tolist()}
    train, validation = ({tuple(row) for row in array.tolist()} for array in (part.x, part.x_test))
    assert (len(part.x), len(part.x_test)) == (150, 50)
    assert train | validation == rows
    assert not train & validation
    assert np.bincount(part.y_test).tolist() == [25, 25]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("", np.eye(2), [0, 1], np.eye(2), [0, 1]), r"Data: name must be a text"),
        (
            ("d", np.eye(2), [0], np.eye(2), [0, 1]),
            r"Data: x must have samples, and as many targets. Received: 2 and 1",
        ),
        (("d", np.eye(2), [0, 1], np.eye(2)[:0], []), r"Data: x_test must have samples, .* Received: 0 and 0"),
        (("d", np.eye(2) * np.nan, [0, 1], np.eye(2), [0, 1]), r"Data: x must be finite"),
    ],
)
def test_data_that_are_none(arguments: tuple, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        Data(*arguments)


# Studies -----------------------------------------------------------------------------------------------------------


def test_finished_cells_are_not_run_again(cell: Cell, tmp_path: Path, monkeypatch) -> None:
    cells = [replace(cell, seed=seed) for seed in range(4)]
    first = Study(cells[:3], tmp_path).run(progress=False)
    calls = []
    monkeypatch.setattr(
        study_module, "run", lambda cells, *more, **named: calls.append(cells) or run(cells, *more, **named)
    )
    whole = Study(cells, tmp_path).run(progress=False)
    assert [one.seed for (one,) in calls] == [3]
    assert whole.rows[:3] == first.rows  # the times too
    assert whole.without_times() == Study(cells).run(progress=False).without_times()


def test_a_study_stopped_in_the_middle_goes_on(cell: Cell, tmp_path: Path, monkeypatch) -> None:
    cells = [replace(cell, seed=seed) for seed in range(4)]
    left = [None, None, KeyboardInterrupt]

    def stopped(*given, **named):
        if (error := left.pop(0)) is not None:
            raise error
        return run(*given, **named)

    monkeypatch.setattr(study_module, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        Study(cells, tmp_path).run(progress=False)
    left[:] = [None, None]
    assert len(Study(cells, tmp_path).run(progress=False).rows) == 4
    assert left == []


def test_a_file_that_is_not_whole_is_told_and_its_cell_run_again(cell: Cell, tmp_path: Path) -> None:
    table = Study([cell], tmp_path).run(progress=False).without_times()
    file = tmp_path / "cells" / f"{cell.key}.json"
    whole = file.read_text()
    for damaged in (whole[: len(whole) // 2], "[]", whole.replace(cell.key, "0" * 16)):
        file.write_text(damaged)
        with pytest.warns(UserWarning, match=rf"{cell.key}.json isn't whole, its cell is run again"):
            study = Study([cell], tmp_path)
        assert study.run(progress=False).without_times() == table


def test_a_cell_that_raises_stops_no_other(data: Data, tmp_path: Path) -> None:
    cells = grid(model=studies.net, optimizer=["sgd"], data=data, epochs=1, seed=range(3), loss=["mse"])
    good = grid(model=studies.net, optimizer=["sgd"], data=data, epochs=1, seed=range(3))
    study = Study([*cells, *good], tmp_path)
    with pytest.raises(
        StudyError, match=r"Received: 3 with errors, the first of them sgd, seed 0: ValueError: "
    ) as caught:
        study.run(progress=False)
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(study.table().rows) == 3


def test_a_result_that_cannot_be_written_stops_no_other(cell: Cell, tmp_path: Path, monkeypatch) -> None:
    place = study_module.place

    def full(owner: str, path: Path, content: bytes) -> None:
        if path.stem == cell.key:
            raise OSError("no space left")
        place(owner, path, content)

    monkeypatch.setattr(study_module, "place", full)
    study = Study([cell, replace(cell, seed=6)], tmp_path)
    with pytest.raises(StudyError, match=r"1 with errors, the first of them sgd, seed 5: OSError: no space left"):
        study.run(progress=False)
    assert [row["seed"] for row in study.table().rows] == [6]


@pytest.mark.parametrize("folder", [None, "here"])
def test_what_was_learned_is_kept_on_request(cell: Cell, tmp_path: Path, folder: str | None) -> None:
    where = None if folder is None else tmp_path / folder
    study = Study([cell], where, keep_weights=True)
    study.run(progress=False)
    model = study.model(cell)
    assert model.evaluate is not None
    loss = Trainer(model, "sgd", cell.loss, ["accuracy"]).evaluate(cell.data.x_test, cell.data.y_test)
    assert loss["accuracy"] == study.result(cell).values["test_accuracy"]
    if where is not None:
        again = Study([cell], where, keep_weights=True)
        np.testing.assert_array_equal(again.model(cell).get_weights()[0], model.get_weights()[0])
    without = Study([cell])
    without.run(progress=False)
    with pytest.raises(ValueError, match=r"keep_weights=True keeps what is learned"):
        without.model(cell)
    for asked in (without.result, without.model):
        with pytest.raises(
            ValueError, match=r"Study: the cell must have been run. Received: sgd, seed 6, which hasn't"
        ):
            asked(replace(cell, seed=6))
        with pytest.raises(TypeError, match=r"Study: the cell must be a lab.Cell. Received: 'x'"):
            asked("x")


def test_what_was_recorded_is_a_history_that_can_be_drawn(cell: Cell, tmp_path: Path) -> None:
    from minidl.plotting import plot_curves

    study = Study([cell, replace(cell, epochs=2)], tmp_path)
    study.run(progress=False)
    again = Study(study.cells, tmp_path)
    for one in study.cells:
        history = study.result(one).history
        assert again.result(one).history == history
        assert history.epoch == list(range(one.epochs))
    plot_curves(history)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Study([]), r"there must be a cell. Received: none"),
        (lambda: Study([1]), r"cells must be lab.Cell. Received: 1"),
        (lambda: Study(3), r"Study: cells must be a list of lab.Cell. Received: 3"),
        (lambda: tune(3), r"tune: cells must be a list of lab.Cell. Received: 3"),
        (lambda: tune([3]), r"tune: cells must be lab.Cell. Received: 3"),
        (lambda: tune(studies.cells(), 0.1), r"tune: rates must be a list. Received: rates=0.1"),
        (lambda: Sheet("", ["a", "b"], [[1, 2], [3]]), r"Sheet: each row must have .* 2 columns. Received: \[3\]"),
        (lambda: Study(studies.cells()).run(2), r"executor must be a concurrent.futures.Executor. Received: 2"),
        (lambda: Study(studies.cells()).run(object(), workers=2), r"give an executor or workers. Received: both"),
        (
            lambda: Study(studies.cells()).run(workers=0),
            r"workers must be a positive integer. Received",
        ),
        (lambda: tune(studies.cells(), []), r"there must be a rate. Received: none"),
        (lambda: tune(studies.cells(), [0.0]), r"tune: rates must be in \(0, inf\). Received: rates=0.0"),
    ],
)
def test_mistakes_with_studies(make, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        make()


def test_the_bar_tells_how_many_cells_and_how_long_it_takes(cell: Cell, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    Study([replace(cell, seed=seed) for seed in range(3)]).run()
    shown = capsys.readouterr().err
    assert "0 of 3 cells: " in shown
    assert "3 of 3 cells: 100%" in shown
    assert " left" in shown


# Rates -------------------------------------------------------------------------------------------------------------


def test_a_rate_is_chosen_by_the_validation_loss_and_never_one_that_diverges(data: Data) -> None:
    cells = grid(model=studies.net, optimizer=["sgd", "adam"], data=data, epochs=4, batch_size=20, seed=range(2))
    rates = [1e-6, 0.03, 1e30]
    tuning = tune(cells, rates, progress=False)
    part = data.held_out(0.2)
    for name in ("sgd", "adam"):
        losses = {}
        for rate in rates:
            found = [run([Cell(studies.net, name, part, 4, 20, seed, rate)])[0] for seed in range(2)]
            diverged = any(result.diverged for result in found)
            losses[rate] = math.inf if diverged else statistics.fmean(r.values["test_loss"] for r in found)
        assert tuning.losses[name] == losses
        assert tuning.rates[name] == min(losses, key=losses.get) == 0.03
    assert [c.learning_rate for c in tuning.cells] == [0.03] * 4
    assert [c.data is data for c in tuning.cells] == [True] * 4
    assert len(tuning.table.rows) == 12
    assert str(tuning) == "sgd 0.03, adam 0.03"
    ends = tune(cells[:2], [0.03, 1e-6], progress=False), tune(cells[:2], [0.03, 1e30], progress=False)
    assert [str(end) for end in ends] == ["sgd 0.03 (the greatest tried)", "sgd 0.03 (the least tried)"]
    assert str(tune(cells[:2], [0.03], progress=False)) == "sgd 0.03"


def test_each_setting_is_tuned_for_itself(data: Data) -> None:
    nets = {"small": small, "big": big}
    cells = grid(model=nets, optimizer=optimizers.Adam, data=data, epochs=2, seed=range(2))
    rates = [0.3, 0.01, 1e-6]
    tuning = tune(cells, rates, progress=False)
    assert list(tuning.rates) == ["adam, model small", "adam, model big"]
    for name, net in nets.items():
        alone = tune(grid(model=net, optimizer="adam", data=data, epochs=2, seed=range(2)), rates, progress=False)
        assert tuning.losses[f"adam, model {name}"] == alone.losses["adam"]
    one = tune([cells[0], replace(cells[1], learning_rate=0.5)], rates, progress=False)
    assert list(one.rates) == ["adam"]  # seed and rate alone differ


def test_the_test_data_change_nothing_in_what_is_chosen(data: Data) -> None:
    other = Data(data.name, data.x, data.y, -data.x_test, 1 - data.y_test)
    choices = [tune(grid(model=studies.net, optimizer="sgd", data=d, epochs=1, seed=0), [0.01, 0.1], progress=False)
               for d in (data, other)]  # fmt: skip
    assert choices[0].losses == choices[1].losses


def test_no_rate_that_works_is_an_error(data: Data) -> None:
    with pytest.raises(ValueError, match=r"there must be a rate at which sgd doesn't diverge"):
        tune(grid(model=studies.net, optimizer="sgd", data=data, epochs=1), [1e30], progress=False)
    schedule = schedules.InverseTimeDecay(0.1, decay_rate=1.0)
    decaying = grid(model=studies.net, optimizer="sgd", learning_rate=schedule, data=data, epochs=1)
    with pytest.raises(ValueError, match=r"a learning rate that is chosen must be a number"):
        tune(decaying)


# Tables ------------------------------------------------------------------------------------------------------------


def test_a_table_goes_through_csv_and_json(data: Data, tmp_path: Path) -> None:
    cells = grid(model=studies.net, optimizer=["sgd"], learning_rate=[0.1, 1e30], data=data, epochs=1, seed=range(2),
                 labels={"table": "I"})  # fmt: skip
    table = Study(cells).run(progress=False)
    assert table.columns[:12] == [
        "data", "table", "model", "optimizer", "arguments", "learning_rate", "schedule", "loss", "batch_size", "epochs",
        "seed", "setting",
    ]  # fmt: skip
    assert table.columns[-4:] == ["diverged", "seconds", "cpu_seconds", "key"]
    text = table.to_csv(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == text
    read = list(csv.DictReader(io.StringIO(text)))
    assert [row["diverged"] for row in read] == ["", "", "1", "1"]
    assert [float(row["test_loss"]) for row in read[:2]] == [row["test_loss"] for row in table.rows[:2]]  # every bit
    assert json.loads(table.to_json(tmp_path / "table.json")) == table.rows
    assert len(table.where(learning_rate=0.1, seed=1).rows) == 1
    with pytest.raises(ValueError, match=r"no such column. Received: 'sed'. Did you mean 'seed'"):
        table.where(sed=1)
    with pytest.raises(ValueError, match=r"no such column. Received: 'accuracy'"):
        table.summary("accuracy")
    lines = str(table).splitlines()
    assert lines[2].split()[:2] == ["sgd", "0.1"]
    assert lines[3].endswith("  in 2 of 2 runs (epoch 1, 1)")


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
def test_mean_deviation_and_interval_are_students(values: list[float]) -> None:
    summary = Summary({}, "test_loss", values, [])
    assert summary.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert summary.sd == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-6)
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * summary.sd / math.sqrt(len(values))
    assert summary.interval == pytest.approx(half, rel=1e-4, abs=1e-9)


def test_a_summary_is_over_seeds_alone(data: Data) -> None:
    cells = grid(model=studies.net, optimizer=["sgd", "adam"], data=data, epochs=1, seed=range(3))
    table = Study(cells).run(progress=False)
    first, second = table.summary("test_loss")
    assert (first.settings["optimizer"], second.settings["optimizer"]) == ("sgd", "adam")
    assert first.values == [row["test_loss"] for row in table.where(optimizer="sgd").rows]
    assert math.isnan(Summary({}, "x", [1.0], []).sd)
    assert math.isnan(Summary({}, "x", [], [3]).mean)
    assert str(Table([])) == "no cell has been run"


@pytest.mark.parametrize(
    ("choices", "column", "told"),
    [
        ({"model": [small, big], "optimizer": "adam"}, "model", ["small", "big"]),
        ({"model": small, "optimizer": [optimizers.Adam, slow_adam]}, "arguments", ["", "beta_1=0.1"]),
        (
            {"model": small, "optimizer": "adam", "loss": [losses.SparseCategoricalCrossentropy(label_smoothing=s) for s
                                                           in (0.0, 0.1)]},
            "loss",
            ["SparseCategoricalCrossentropy()", "SparseCategoricalCrossentropy(label_smoothing=0.1)"],
        ),
        ({"model": [lambda seed: small(seed), lambda seed: big(seed)], "optimizer": "adam"}, "setting", None),
        ({"model": partial(plain, units=2), "optimizer": "adam", "batch_size": [20, 30]}, "batch_size", ["20", "30"]),
    ],
)  # fmt: skip
def test_only_runs_that_differ_in_their_seed_are_told_as_one(data: Data, choices, column: str, told) -> None:
    study = Study(grid(**choices, data=data, epochs=1, learning_rate=0.1, seed=range(2)))
    table = study.run(progress=False)
    summary = table.summary("test_loss")
    for one in summary:
        assert one.values == [row["test_loss"] for row in table.where(**{column: one.settings[column]}).rows]
    assert [len(one.values) for one in summary] == [2, 2]
    sheet = table.sheet()
    shown = [row[list(sheet.columns).index(column.replace("_", " "))] for row in sheet.shown]
    assert len(set(shown)) == 2
    assert told is None or shown == told
    page = report(study).html()
    assert all(f"{100 * one.mean:.2f}" in page for one in table.summary())
    assert len(table.summary("test_loss", "learning_rate")) == 4  # each seed for itself
    assert [len(one.values) for one in table.summary("test_loss", ["learning_rate", "seed"])] == [2, 2]
    with pytest.raises(ValueError, match=r"Table: no such column. Received: 'sed'. Did you mean 'seed'"):
        table.summary("test_loss", "sed")


def test_a_table_of_which_every_run_diverged_says_so(data: Data) -> None:
    table = Study(grid(model=small, optimizer="sgd", learning_rate=1e30, data=data, epochs=1)).run(progress=False)
    assert table.text().endswith("  in 1 of 1 runs (epoch 1)")
    assert "in 1 of 1 runs (epoch 1)" in table._repr_html_()


def test_a_table_without_times_is_shown_without_them(cell: Cell) -> None:
    table = Study([cell]).run(progress=False)
    assert "seconds" in str(table)
    assert "seconds" not in str(table.without_times())
    assert str(table).splitlines()[2].startswith(str(table.without_times()).splitlines()[2])


def test_runs_of_which_some_lack_a_metric_have_a_mean_of_the_others(cell: Cell) -> None:
    table = Study([cell, replace(cell, metrics=())]).run(progress=False)
    assert [len(one.values) for one in table.summary("test_accuracy")] == [1, 0]
    assert len(str(table).splitlines()) == 4
