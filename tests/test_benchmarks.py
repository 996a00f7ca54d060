"""The speed benchmarks: what they compare is the same, what they report is right. How fast, no test says."""

import json
import math

import numpy as np
import pytest

from benchmarks.speed import command, picture, report
from benchmarks.speed.floor import Floor, products
from benchmarks.speed.measure import Effort, compare, measure, rotated
from benchmarks.speed.tasks import FLOOR, HYPERPARAMETERS, LOOP, OURS, SAMPLES, Task
from benchmarks.speed.with_minidl import RULES, sides
from benchmarks.speed.workers import Worker, Workers

NETS = {
    "dense": Task("Adam", 4, 3, widths=(8,)),
    "conv": Task("Adam", 2, 2, net="conv"),
    "lstm": Task("Adam", 2, 2, net="lstm"),
    "vector": Task("Adam", 1, 4, net="vector", widths=(50,)),
}


@pytest.fixture(autouse=True)
def _made_up_images(monkeypatch):
    monkeypatch.delenv("MINIDL_DATA_DIR", raising=False)


def cell(rule, batch_size, net="dense", **microseconds):
    """Return a cell as `measure` does, with two turns of each side."""
    turns = {side.replace("_", " "): [t * 0.9e-6, t * 1.1e-6] for side, t in microseconds.items()}
    task = {"rule": rule, "batch_size": batch_size, "net": net, "parameters": 100}
    return {"task": task, "turns": turns, "peaks": {"minidl": 5_000_000}, "left_out": {}}


STEPS = [
    cell(
        "SGD", 20, floor=50, minidl=100, minidl_replayed=200, PyTorch=400, PyTorch_fused=200, JAX_step=150, JAX_scan=50
    ),
    cell("Adam", 20, floor=50, minidl=100, minidl_replayed=400, PyTorch=800, JAX_step=300, JAX_scan=200),
]


def test_a_task_is_the_same_each_time():
    for task in NETS.values():
        for first, second in zip(task.weights(), task.weights(), strict=True):
            np.testing.assert_array_equal(first, second)
    x, y = NETS["conv"].data()
    assert (x.shape, x.dtype, y.shape) == ((4, *SAMPLES["conv"]), np.float32, (4,))
    batches = list(NETS["dense"].batches(3))
    np.testing.assert_array_equal(np.concatenate([batch[0] for batch in batches]), NETS["dense"].data()[0])


def test_the_papers_net_has_its_parameters():
    assert Task("Adam", 20, 1).parameters == 443_610


@pytest.mark.parametrize("rule", HYPERPARAMETERS)
def test_ours_begins_anew_with_the_tasks_weights(rule):
    task = Task(rule, 4, 2, widths=(8,))
    first, second = (sides(task)[OURS[1]]().losses(2) for _ in range(2))
    assert first == second
    assert first[0] != first[1]


def test_the_bare_loop_takes_the_trainers_steps():
    task = Task("SGD", 20, 1, widths=(8,))
    pytest.importorskip("llvmlite")
    fit, loop = sides(task)[OURS[0]](), sides(task)[LOOP]()
    fit.train(2)
    loop.train(2)  # one batch an epoch: the order of its samples makes no difference but rounding
    for ours, bare in zip(fit.model.get_weights(), loop.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, bare, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", NETS)
def test_the_floor_moves_weights_and_gradients(name):
    floor = Floor(NETS[name])
    before = [vector.copy() for vector in floor.vectors]
    floor.train(1)
    assert len(floor.vectors) == 2 + len(RULES["Adam"].slots)
    moved = [not np.array_equal(*pair) for pair in zip(before, floor.vectors, strict=True)]
    assert moved[1] == (name != "vector")  # without a net the gradient stays


def test_the_floors_products_are_the_nets_multiplications():
    def multiplications(task):
        parts = products(task)
        return sum(p.rows * p.inputs * p.outputs * p.times * (2 + p.walks) for p in parts)

    assert multiplications(Task("SGD", 20, 1)) == 20 * (784 * 500 * 2 + 500 * 100 * 3 + 100 * 10 * 3)
    for name in ("conv", "lstm"):
        kernels = [math.prod(shape) for shape in NETS[name].shapes if len(shape) > 1]
        assert [p.inputs * p.outputs for p in products(NETS[name])] == kernels


def test_losses_that_differ_are_told_by_the_side():
    assert not compare({"a": [1.0, 2.0], "b": [1.0, 2.0001], "c": [1.0, 2.0]})
    found = compare({"a": [1.0, 2.0], "b": [1.0, 2.1], "c": [1.0, 2.0]})
    assert found == {"b": "its loss in step 2 is 2.1, the median 2"}
    assert set(compare({"a": [1.0], "b": [1.0], "c": [math.nan]})) == {"c"}


def test_each_side_begins_once():
    assert [rotated("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert rotated([], 3) == []


def test_sides_take_turns_in_processes_of_their_own():
    with Workers([("minidl", OURS[1]), ("floor", FLOOR)]) as workers:
        assert not workers.absent
        found = measure(workers, NETS["dense"], Effort(2, 0.001), memory=True)
    assert found["turns"].keys() == {OURS[1], FLOOR}
    assert all(len(turns) == 2 and min(turns) > 0 for turns in found["turns"].values())
    assert found["task"]["parameters"] == NETS["dense"].parameters
    assert json.loads(json.dumps(found))["left_out"] == {}


def test_a_side_that_fails_is_left_out_with_the_reason():
    with Workers([("minidl", OURS[1])]) as workers:
        found = measure(workers, Task("Adam", 4, 3, net="dense", widths=(0,)), Effort(1, 0.001))
    assert found["turns"] == {}
    assert "units must be" in found["left_out"][OURS[1]]


def test_a_framework_that_is_absent_is_named(monkeypatch):
    monkeypatch.setattr("benchmarks.speed.workers.FRAMEWORKS", {"none": "benchmarks.speed.with_none"})
    with Workers([("none", "")]) as workers:
        assert list(workers) == []
    assert "with_none" in workers.absent["none"]


def test_ratios_are_of_the_peers_that_count():
    all_peers, stepping, best, default = report.COMPARISONS.values()
    for counts, expected in (
        (all_peers, [0.5, 2.0]),
        (stepping, [1.5, 3.0]),
        (best, [2.0, 8.0]),
        (default, [4.0, 8.0]),
    ):
        assert list(report.ratios(STEPS, "minidl", counts).values()) == pytest.approx(expected)
    assert report.ratios([cell("SGD", 1, minidl=1, floor=1)], "minidl", all_peers) == {}


def test_the_page_tells_means_worst_cells_and_who_was_left_out():
    left = {**STEPS[1], "left_out": {"PyTorch compiled": "no compiler"}}
    page = report.document({"steps": {"cells": [STEPS[0], left], "absent": {}, "environment": "one machine"}}, "p.png")
    assert "| the fastest peer of all ÷ minidl | 1.00 | 0.50 (SGD, B = 20) | 2 |" in page
    assert "| minidl replayed ÷ floor | 5.66 | 8.00 (Adam, B = 20) | 2 |" in page
    assert "* PyTorch compiled: no compiler" in page
    assert page.count("one machine") == 1


def test_parts_measured_elsewhere_are_told_apart():
    part = {"cells": STEPS, "absent": {}}
    page = report.document({"steps": {**part, "environment": "a"}, "lion": {**part, "environment": "b"}}, "p.png")
    assert "steps:\n\n```text\na\n```" in page
    assert "lion:\n\n```text\nb\n```" in page


def test_a_partial_run_keeps_what_was_measured_before(tmp_path, monkeypatch):
    growing = {"parameters": STEPS, "batch_size": STEPS}
    whole = {"seconds": {"minidl": [1.0]}, "peaks": {"minidl": [10**8]}, "left_out": {}}
    made = {"steps": {"cells": STEPS, "absent": {}}, "growth": growing, "whole": whole}
    for name, found in made.items():
        monkeypatch.setitem(command.MEASURES, name, lambda effort, found=found: found)
    for name in made:
        command.main(["--only", name, "--turns", "1", "--out", str(tmp_path)])
    page = (tmp_path / command.PAGE).read_text(encoding="utf-8")
    assert all(title in page for title in ("paper's net", "Growth", "Whole runs"))
    assert json.loads((tmp_path / command.RESULTS).read_text(encoding="utf-8")).keys() == made.keys()
    assert (tmp_path / command.PICTURE).stat().st_size > 10_000


def test_a_part_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--only", "stpes"])
    assert "Received: stpes" in capsys.readouterr().err


def test_a_picture_needs_no_part(tmp_path):
    picture.draw({}, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").exists()


@pytest.mark.parametrize(
    ("framework", "module"), [("PyTorch", "torch"), ("JAX", "jax"), ("Keras", "keras"), ("scikit-learn", "sklearn")]
)
def test_a_peer_computes_the_same_losses(framework, module):
    pytest.importorskip(module)
    task = NETS["dense"]
    with Workers([("minidl", OURS[1]), (framework, "")]) as workers:
        assert not workers.absent
        found = measure(workers, task, Effort(1, 0.001))  # which compares them
    assert not found["left_out"]
    assert any(side.startswith(("PyTorch", "JAX", "Keras", "scikit-learn")) for side in found["turns"])


def test_a_worker_ends_with_its_parent():
    worker = Worker("floor")
    worker.close()
    assert not worker.process.is_alive()
