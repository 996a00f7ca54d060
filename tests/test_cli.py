"""The command: what it prints and writes, and how it takes mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minidl import comparison, optimizers
from minidl.cli import main
from minidl.comparison import SEVEN

QUICK = ["compare", "--dataset", "moons", "--epochs", "2", "--hidden", "8", "--seeds", "2"]


def rows(text: str) -> dict[str, list[str]]:
    """Return the words of each line of the table, by the first."""
    return {line.split()[0]: line.split() for line in text.splitlines() if line.split()[:1]}


def test_compare_prints_a_row_for_each_of_the_seven(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(QUICK) == 0
    table = rows(capsys.readouterr().out)
    assert list(table)[-7:] == list(SEVEN)
    assert table["adam"][1] == "0.003"
    assert table["adam"].count("±") == 3


def test_the_default_table_makes_sense() -> None:
    task = comparison.TASKS["digits"]
    makers = {name: (lambda name=name: type(optimizers.registry.get(name))(task.rates[name])) for name in SEVEN}
    runs = list(comparison.compare(task, makers, [0]))
    assert [run.optimizer for run in runs] == list(SEVEN)
    for run in runs:
        assert run.train_accuracy > 0.98, run.optimizer
        assert run.test_accuracy > 0.88, run.optimizer
        assert run.diverged is None


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_each_task_in_the_plane_is_learned_at_its_rates(name: str) -> None:
    task = comparison.TASKS[name]
    assert set(task.rates) == set(SEVEN)
    makers = {rule: (lambda rule=rule: type(optimizers.registry.get(rule))(task.rates[rule])) for rule in SEVEN}
    assert min(run.test_accuracy for run in comparison.compare(task, makers, [0])) > 0.93


def test_all_start_alike_and_see_the_same_batches() -> None:
    task = comparison.TASKS["moons"]
    first, second = comparison.network(task, 5), comparison.network(task, 5)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    runs = list(comparison.compare(task, {"a": lambda: optimizers.SGD(0.0), "b": lambda: optimizers.Adam(0.0)}, [1]))
    assert runs[0].test_loss == runs[1].test_loss
    again = list(comparison.compare(task, {"a": lambda: optimizers.Adam(0.01)}, [1, 1]))
    assert again[0].history == again[1].history


def test_out_gets_curves_and_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert main([*QUICK, "--optimizers", "sgd,adam", "--decay", "0.5", "--out", str(out)]) == 0
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((out / "results.json").read_text())
    assert [(run["optimizer"], run["seed"]) for run in results["runs"]] == [
        ("sgd", 0),
        ("adam", 0),
        ("sgd", 1),
        ("adam", 1),
    ]
    assert results["settings"] == {
        "dataset": "moons",
        "hidden": [8],
        "epochs": 2,
        "batch_size": 20,
        "decay": 0.5,
        "seeds": [0, 1],
    }
    rates = results["runs"][0]["history"]["history"]["learning_rate"]
    assert rates == pytest.approx([0.1, 0.1 / 1.5], rel=1e-15)


def test_rates_for_all_and_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    main([*QUICK, "--optimizers", "sgd,adam,rmsprop", "--learning-rate", "0.02", "--learning-rate", "adam=0.005"])
    table = rows(capsys.readouterr().out)
    assert [table[name][1] for name in ("sgd", "adam", "rmsprop")] == ["0.02", "0.005", "0.02"]


def test_a_run_that_diverges_is_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", "--optimizers", "sgd,adam", "--learning-rate", "sgd=1e30", "--epochs", "1", "--seeds", "1",
          "--hidden", "8", "--out", str(tmp_path)])  # fmt: skip
    out = capsys.readouterr().out
    assert "diverged in 1 of 1 runs (epoch 1)" in out
    assert "adam" in rows(out)
    runs = json.loads((tmp_path / "results.json").read_text())["runs"]
    assert [run["diverged"] for run in runs] == [1, None]
    assert runs[0]["test_loss"] is None


def test_a_name_of_the_same_rule_gets_its_rate(capsys: pytest.CaptureFixture[str]) -> None:
    main([*QUICK, "--optimizers", "gd"])
    assert rows(capsys.readouterr().out)["sgd"][1] == "0.1"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("compare --optimizers adm", "unknown optimizer. Received: 'adm'. Did you mean 'adam'?"),
        ("compare --optimizers ,", "--optimizers must name at least one. Received: ','"),
        ("compare --dataset mnist", "--dataset must be a known one. Received: 'mnist'. Did you mean 'moons'?"),
        ("compare --learning-rate fast", "--learning-rate must be a number of at least 0. Received: 'fast'"),
        ("compare --learning-rate adam=-1", "--learning-rate must be a number of at least 0. Received: '-1'"),
        ("compare --learning-rate nan", "--learning-rate must be a number of at least 0. Received: 'nan'"),
        (
            "compare --learning-rate lion=0.1",
            "--learning-rate names an optimizer that isn't compared. Received: lion",
        ),
        ("compare --decay -1", "--decay must be a number of at least 0. Received: '-1'"),
        ("compare --epochs 0", "--epochs must be a positive integer. Received: '0'"),
        ("compare --epochs 2.5", "--epochs must be a positive integer. Received: '2.5'"),
        ("compare --batch-size x", "--batch-size must be a positive integer. Received: 'x'"),
        ("compare --hidden 5,x", "--hidden must be integers of at least 1, separated by commas. Received: '5,x'"),
        ("compare --seeds 0", "--seeds must be a positive integer. Received: '0'"),
        ("compare --seeds 1,-2", "--seeds must be integers of at least 0, separated by commas. Received: '1,-2'"),
        ("compare --seeds 1,1", "--seeds must be different. Received: '1,1'"),
        ("compare --optimizers sgd,gd", "--optimizers must be different. Received: sgd twice"),
        ("compare --learning-rate 0.1,0.2", "--learning-rate must be given once for all. Received: 0.1,0.2"),
        ("compare --out /dev/null", "--out must be a folder. Received: '/dev/null', a file"),
        ("compare --speed 3", "unrecognized arguments: --speed 3"),
        ("compare --out /dev/null/x", "Not a directory"),
        ("", "the following arguments are required: command"),
        ("train", "invalid choice: 'train'"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(arguments: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("minidl")
    assert says in captured.err


@pytest.mark.parametrize("command", [[sys.executable, "-m", "minidl"], [str(Path(sys.executable).parent / "minidl")]])
def test_the_command_runs_as_module_and_as_script(command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("minidl 0.")
    done = subprocess.run([*command, "compare", "--help"], capture_output=True, text=True, check=True)
    assert "minidl compare --out comparison" in done.stdout
