"""The notebook and the paper tried again: every cell of the paper's tables, and what the report says of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import losses, optimizers, schedules
from minidl.cli import main
from minidl.lab import Study
from minidl.reproduce import paper, paper_report

needs_data = pytest.mark.skipif(
    not (Path(os.environ.get("MINIDL_DATA_DIR", "nowhere")) / "fashion_mnist").is_dir(),
    reason="MINIDL_DATA_DIR holds no Fashion-MNIST",
)


# The paper ---------------------------------------------------------------------------------------------------------


def test_the_entries_are_the_papers() -> None:
    """Counted, and some read off once more from the paper's page."""
    assert Counter(entry.place for entry in paper.ENTRIES if not entry.place.startswith("figure")) == {
        "I": 3, "II": 3, "III": 4, "IV": 3, "V": 6, "VI": 6, "VII": 6, "VIII": 20, "IX": 20,
    }  # fmt: skip
    known = {(e.place, e.rule, e.rate, e.batch, e.epochs): (e.train, e.test) for e in paper.ENTRIES}
    assert known["I", "sgd", 0.07, 10, 300] == (88.80, 85.20)
    assert known["III", "rmsprop", 0.0001, 10, 300] == (88.50, 85.40)
    assert known["IV", "adam", 0.0007, 10, 300] == (99.43, 86.90)
    assert known["V", "sgd", 0.1, 15, 700] == (97.40, 86.60)
    assert known["VI", "momentum", 0.1, 20, 500] == (86.61, 85.40)
    assert known["VII", "rmsprop", 0.00007, 20, 700] == (89.30, 81.50)
    for place in ("VIII", "IX"):
        assert known[place, "nesterov", 0.00005, 1000, 100] == (None, 22.88)
        assert known[place, "rmsprop", 0.00005, 100, 100] == (None, 89.10)
        assert known[place, "adam", 0.5, 100, 100] == (None, 10)
    assert max(e.test for e in paper.ENTRIES if not e.full and e.test) == 86.90


@needs_data
def test_every_entry_has_a_cell_and_readings_differ_in_one_thing() -> None:
    cells = paper.cells()
    by_reading: dict[str, dict[tuple[Any, ...], Any]] = {}
    for cell in (cell for cell in cells if cell.seed == 0):
        told = cell.labels
        key = told["place"], told["optimizer"], getattr(cell.learning_rate, "initial", cell.learning_rate), \
            told["paper_batch"], cell.epochs  # fmt: skip
        by_reading.setdefault(told["reading"], {})[key] = cell
    main_cells = by_reading.pop("as its code")
    assert set(main_cells) == {(e.place, e.rule, e.rate, e.batch, e.epochs) for e in paper.ENTRIES}
    for name, others in by_reading.items():
        for key, cell in others.items():
            one, other = main_cells[key].definition, cell.definition
            assert {field for field in one if one[field] != other[field]} == {
                "images a batch": {"batch_size"}, "exact loss": {"loss"}, "6,000 images": {"data"},
            }.get(name, {"optimizer"}), name  # fmt: skip
    seeds = Counter(cell.labels["place"] for cell in cells if cell.labels["reading"] == "as its code")
    assert seeds["I"] == 9
    assert seeds["V"] == 6


@needs_data
@pytest.mark.parametrize(("batch", "size"), [(10, 600), (15, 400), (20, 300)])
def test_a_batch_size_is_so_many_batches_an_epoch_or_so_many_images(batch: int, size: int) -> None:
    entry = next(e for e in paper.ENTRIES if e.place == "V" and e.batch == batch)
    main_reading, decayed, _, images, *_ = paper.READINGS
    cell = paper.cell(entry, main_reading, 0)
    assert cell.batch_size == size
    assert (len(cell.data.x), len(cell.data.x_test)) == (6000, 1000)
    assert paper.cell(entry, images, 0).batch_size == batch
    rate = paper.cell(entry, decayed, 0).learning_rate
    assert isinstance(rate, schedules.InverseTimeDecay)
    assert rate(100) == pytest.approx(0.1 / 2, rel=1e-15)


def test_kerass_adam_is_ours_with_its_epsilon() -> None:
    """Keras: w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) m / (√v + ε)."""
    from minidl import Parameter

    rng = np.random.default_rng(0)
    start, m, v = rng.standard_normal(5), np.zeros(5), np.zeros(5)
    w, ours = start.copy(), Parameter(start.copy(), name="w")
    optimizer = paper.READINGS[0].optimizer("adam", keras=True)(learning_rate=0.01)
    for t in range(1, 30):
        g = 1e-6 * rng.standard_normal(5)  # so small that ε matters
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        ours.grad = g
        optimizer.step([ours])
        np.testing.assert_allclose(ours.data, w, rtol=1e-12)


def test_kerass_cut_loss_is_its_formula_and_beyond_the_cut_it_is_flat() -> None:
    loss = paper.CutCrossentropy()
    p = np.array([[0.5, 0.3, 0.2], [1 - 1e-12, 5e-13, 5e-13], [0.2, 0.3, 0.5], [1e-9, 0.4, 0.6]])
    y = np.array([1, 0, 2, 0])
    assert loss(y, p) == pytest.approx(np.mean(-np.log([0.3, 1 - 1e-7, 0.5, 1e-7])), rel=1e-12)
    slopes = np.zeros((4, 3))
    slopes[0, 1], slopes[2, 2] = -1 / 0.3 / 4, -1 / 0.5 / 4
    np.testing.assert_allclose(loss.gradient(y, p), slopes, rtol=1e-12)
    for i in (0, 2):  # where it isn't cut, it is the exact one
        exact = losses.SparseCategoricalCrossentropy()
        assert loss(y[i : i + 1], p[i : i + 1]) == pytest.approx(exact(y[i : i + 1], p[i : i + 1]), rel=1e-12)


def test_momentum_is_averaged_or_classical() -> None:
    averaged, classical = (paper.READINGS[i].optimizer("momentum", keras=False)(learning_rate=0.1) for i in (0, 2))
    assert (averaged.momentum, averaged.dampening) == (0.9, 0.9)
    assert (classical.momentum, classical.dampening) == (0.9, 0.0)
    assert isinstance(paper.READINGS[0].optimizer("nesterov", keras=True)(learning_rate=0.1), optimizers.Nesterov)


@pytest.fixture
def short_paper(monkeypatch) -> None:
    """Let the paper have epochs of a hundredth, and its data be few images."""
    monkeypatch.setattr(paper, "FULL", (300, 100))
    monkeypatch.setattr(paper, "SMALL", (240, 100))
    paper.paper_data.cache_clear()
    entries = {entry: Entry(entry) for entry in paper.ENTRIES}
    for module in (paper, paper_report):
        monkeypatch.setattr(module, "ENTRIES", tuple(entries.values()))
    yield
    paper.paper_data.cache_clear()


def Entry(entry: paper.Entry) -> paper.Entry:  # noqa: N802
    return paper.Entry(
        entry.place, entry.rule, entry.rate, entry.batch, max(entry.epochs // 100, 1), entry.train, entry.test
    )


@needs_data
@pytest.mark.slow
def test_the_whole_command_in_small(short_paper, tmp_path: Path, capsys) -> None:
    assert main(["reproduce", "paper", "--out", str(tmp_path), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    for place, title in paper.TITLES.items():
        assert f"Table {place}. {title}" in out
    rows = json.loads((tmp_path / "results.json").read_text())
    assert len(rows) == len(paper.cells())
    found = paper_report.lines(Study(paper.cells(), tmp_path))
    here = [line for line in found if line.reading == "as its code"]
    assert {line.entry for line in here} == set(paper.ENTRIES)
    for place in paper.TITLES:
        sheet = paper_report.sheet(place, found)
        column = list(sheet.columns).index("ours, test")
        assert all(row[column] is not None for row in sheet.rows), place
    tables = (tmp_path / "tables.md").read_text()
    assert tables.count("| --- |") + tables.count("---:") > 50
    page = (tmp_path / "report.html").read_text()
    for text in paper_report.differences(found):
        assert text.split(". ")[0].split(":")[0] in page
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"figure-{n}.{kind}" for n in range(2, 9) for kind in ("png", "svg")} <= names


@needs_data
@pytest.mark.slow
def test_the_command_in_its_quick_form(short_paper, tmp_path: Path, capsys) -> None:
    command = ["reproduce", "paper", "--quick", "--out", str(tmp_path), "--workers", "1"]
    assert main(command) == 0
    assert "5 cells of the tables, 5 of them different: 5 runs with 1 process\n" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "results.json").read_text())) == 5
    assert "Tables I to VII, best test accuracy: ours " in (tmp_path / "report.html").read_text()
    assert main(command) == 0
    assert ": 0 runs with 1 process" in capsys.readouterr().out


def line(entry: paper.Entry, test: list[float], train: list[float], **more: Any) -> paper_report.Line:
    best = more.get("best", test)
    return paper_report.Line(entry, "as its code", train, test, best, more.get("diverged", []), more.get("arrives"))


def test_seeds_that_end_in_different_ways_stand_each_and_the_median_counts() -> None:
    entry = next(
        e for e in paper.ENTRIES if e.place == "VIII" and e.rate == 0.5 and e.rule == "sgd" and e.batch == 1000
    )
    assert paper.READINGS[0].seeds(entry) == 5
    sheet = paper_report.sheet("VIII", [line(entry, [88.2, 10.0, 88.9], [90.0] * 3, best=[89.0, 88.0, 89.2])])
    row = next(row for row in sheet.rows if row[:4] == ["sgd", 1000, 100, 0.5])
    assert row[4:] == [88.99, ("88.2, 10.0, 88.9", 88.2), ("-0.8", -0.79), ("88.7 ± 0.6", 89.0)]


def test_differences_are_named_with_a_reason_and_no_others() -> None:
    entries = {(e.place, e.rule, e.rate, e.batch, e.epochs): e for e in paper.ENTRIES}
    near = line(entries["I", "sgd", 0.1, 10, 300], [86.8], [99.0])
    far = line(entries["I", "sgd", 0.07, 10, 300], [87.0, 87.2], [99.0, 99.0], arrives=50)
    theirs = line(entries["VIII", "rmsprop", 0.005, 100, 50], [80.0], [80.0])
    same = line(entries["IX", "rmsprop", 0.005, 100, 50], [80.0], [80.0])
    told = paper_report.differences([near, far, theirs, same])
    assert len(told) == 2
    assert told[0].startswith(
        "Table I, sgd, learning rate 0.07, batch size 10, 300 epochs: ours 87.1 ± 0.1, theirs 85.2 (+1.9)"
    )
    assert "in epoch 50" in told[0]
    assert told[1].startswith("Tables VIII and IX, rmsprop, learning rate 0.005")


def test_a_run_that_diverged_counts_as_chance_and_says_when() -> None:
    entry = next(e for e in paper.ENTRIES if e.place == "VIII" and e.rate == 0.5 and e.rule == "adam")
    sheet = paper_report.sheet("VIII", [line(entry, [10.0], [10.0], diverged=[3])])
    row = next(row for row in sheet.rows if row[0] == "adam" and row[3] == 0.5 and row[1] == entry.batch)
    assert row[5:7] == [("10.0 (diverged in epoch 3)", 10.0), ("+0.0", 0.0)]
