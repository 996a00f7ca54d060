"""The command: what it prints and writes, and how it takes mistakes."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minidl import lab, optimizers, surfaces
from minidl.cli import data, main
from minidl.datasets import fashion_mnist
from minidl.lab import study
from minidl.lab.tasks import SEVEN, TASKS

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


def run_at_its_rates(name: str) -> lab.Table:
    task = TASKS[name]
    return lab.Study(task.cells({rule: (rule, task.rates[rule]) for rule in SEVEN}, [0])).run(progress=False)


def test_the_default_table_makes_sense() -> None:
    rows = run_at_its_rates("digits").rows
    assert [row["optimizer"] for row in rows] == list(SEVEN)
    for row in rows:
        assert row["train_accuracy"] > 0.98, row["optimizer"]
        assert row["test_accuracy"] > 0.88, row["optimizer"]
        assert row["diverged"] is None


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_each_task_in_the_plane_is_learned_at_its_rates(name: str) -> None:
    assert set(TASKS[name].rates) == set(SEVEN)
    assert min(row["test_accuracy"] for row in run_at_its_rates(name).rows) > 0.93


def test_out_gets_curves_and_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert main([*QUICK, "--optimizers", "sgd,adam", "--decay", "0.5", "--out", str(out)]) == 0
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((out / "results.json").read_text())
    assert len((out / "results.csv").read_text().splitlines()) == 5
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
        "tuned": False,
        "seeds": [0, 1],
        "interrupted": False,
    }
    assert (
        results["runs"][0]["schedule"]
        == "class=InverseTimeDecay, decay_rate=0.5, decay_steps=1, staircase=False, every=epoch"
    )
    kept = json.loads((out / "cells" / f"{results['runs'][0]['key']}.json").read_text())
    rates = kept["history"]["learning_rate"]
    assert rates == pytest.approx([0.1, 0.1 / 1.5], rel=1e-15)


def test_rates_for_all_and_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    main([*QUICK, "--optimizers", "sgd,adam,rmsprop", "--learning-rate", "0.02", "--learning-rate", "adam=0.005"])
    table = rows(capsys.readouterr().out)
    assert [table[name][1] for name in ("sgd", "adam", "rmsprop")] == ["0.02", "0.005", "0.02"]


def test_a_run_that_diverges_is_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", "--optimizers", "sgd,adam", "--learning-rate", "sgd=1e30", "--epochs", "1", "--seeds", "1",
          "--hidden", "8", "--out", str(tmp_path)])  # fmt: skip
    out = capsys.readouterr().out
    assert "in 1 of 1 runs (epoch 1)" in out
    assert "adam" in rows(out)
    runs = json.loads((tmp_path / "results.json").read_text())["runs"]
    assert [run["diverged"] for run in runs] == [1, None]
    assert runs[0]["test_loss"] is None


def test_a_run_whose_last_step_bursts_has_diverged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "compare --dataset moons --optimizers sgd,adam --learning-rate sgd=1e14 --epochs 1 --batch-size 1000"
    assert main([*arguments.split(), "--seeds", "1", "--out", str(tmp_path)]) == 0
    assert "in 1 of 1 runs (epoch 1)" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["runs"][0]["diverged"] == 1
    assert (tmp_path / "boundaries.png").exists()


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
        ("compare --workers 0", "--workers must be a positive integer. Received: '0'"),
        ("compare --tune --decay 1", "--tune chooses the rates. Received: --decay as well"),
        ("compare --optimizers nowhere:Lion", "--optimizers must name a module that can be imported. Received: 'nowh"),
        ("compare --optimizers minidl.layers:ReLU", "--optimizers: relu must be an optimizer. Received: "),
        ("reproduce book", "WHAT must be a known one. Received: 'book'. Did you mean 'notebook'?"),
        ("reproduce notebook --quick", "--quick is for the paper. Received: notebook"),
        (
            "reproduce notebook --epochs 10001 --out /dev/null",
            "--epochs must be at most 10000, the notebook's. Received: '10001'",
        ),
        ("reproduce paper --epochs 3", "--epochs is for the notebook. Received: paper"),
        ("reproduce paper --seeds 1,2", "--seeds must be one number. Received: '1,2'"),
        ("reproduce paper --out /dev/null", "--out must be a folder. Received: '/dev/null', a file"),
        ("compare --out /dev/null", "--out must be a folder. Received: '/dev/null', a file"),
        ("compare --speed 3", "unrecognized arguments: --speed 3"),
        ("compare --out /dev/null/x", "Not a directory"),
        ("trajectories --surface bale", "--surface must be a known one. Received: 'bale'. Did you mean 'beale'?"),
        (
            "trajectories --surface beale,beale",
            "--surface must name different ones, at least one. Received: 'beale,beale'",
        ),
        ("trajectories --surface ,", "--surface must name different ones, at least one. Received: ','"),
        ("trajectories --steps 0", "--steps must be a positive integer. Received: '0'"),
        ("trajectories --start 1", "--start must be two numbers, such as -1.5,2. Received: '1'"),
        ("trajectories --start 1,x", "--start must be two numbers, such as -1.5,2. Received: '1,x'"),
        ("trajectories --start nan,1", "--start must be two numbers, such as -1.5,2. Received: 'nan,1'"),
        ("trajectories --optimizers adm", "unknown optimizer. Received: 'adm'. Did you mean 'adam'?"),
        ("trajectories --out /dev/null", "--out must be a folder. Received: '/dev/null', a file"),
        ("check adm", "unknown optimizer. Received: 'adm'. Did you mean 'adam'?"),
        ("check nowhere:Lion", "OPTIMIZER must name a module that can be imported. Received: 'nowhere', which raises "),
        (
            "check minidl.optimizers:Lio",
            "OPTIMIZER must be in its module minidl.optimizers. Received: 'Lio'. Did you mean",
        ),
        ("check minidl.optimizers:", "OPTIMIZER must be written package.module:name. Received: 'minidl.optimizers:'"),
        ("check minidl:__version__", "OPTIMIZER must be a class or a function. Received: '0.1.0'"),
        ("check minidl.layers:ReLU", "minidl check: must be given an optimizer class, or a callable that returns opt"),
        ("check minidl.layers:Dense", "Dense: missing a required argument: 'units'"),
        ("check adam --oracle adam", "--oracle must be written package.module:name. Received: 'adam'"),
        ("check adam --examples 0", "--examples must be a positive integer. Received: '0'"),
        ("check adam --checks spli", "there must be a check of this name. Received: 'spli'. Did you mean 'split'?"),
        ("check adam --expect split", "--expect must be written check=reason. Received: 'split'"),
        ("check adam --checks ,", "there must be a check. Received: none"),
        ("check adam --expect spl=x", "there must be a check of this name. Received: 'spl'. Did you mean 'split'?"),
        ("data fetch --timeout 0", "--timeout must be greater than 0. Received: '0'"),
        ("data fetsch", "the action must be a known one. Received: 'fetsch'. Did you mean 'fetch'?"),
        ("data fetch --timeout soon", "--timeout must be a number of at least 0. Received: 'soon'"),
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


# What a run leaves, however it ends ------------------------------------------------------------------------


OUT = ["boundaries.png", "boundaries.svg", "curves.png", "curves.svg", "report.html", "results.csv", "results.json"]


def test_points_in_the_plane_get_their_boundaries(tmp_path: Path) -> None:
    main([*QUICK, "--optimizers", "sgd,momentum,adam", "--learning-rate", "sgd=1e30", "--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [*OUT[:2], "cells", *OUT[2:]]
    with Image.open(tmp_path / "boundaries.png") as picture:
        left, middle, right = (np.asarray(part.convert("RGB")).reshape(-1, 3) for part in thirds(picture))
        colourful = [len(np.unique(part, axis=0)) for part in (left, middle, right)]
    assert colourful[0] < 300 < min(colourful[1:])  # the one that diverged has an empty panel
    main(
        [
            "compare",
            "--optimizers",
            "sgd",
            "--epochs",
            "1",
            "--seeds",
            "1",
            "--hidden",
            "4",
            "--out",
            str(tmp_path / "d"),
        ]
    )
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["cells", *OUT[2:]]


def thirds(picture: Image.Image) -> list[Image.Image]:
    width, height = picture.size
    return [picture.crop((i * width // 3, 0, (i + 1) * width // 3, height)) for i in range(3)]


@pytest.mark.parametrize("done", [0, 3])
def test_an_interrupt_leaves_what_is_done(done: int, tmp_path: Path, capsys, monkeypatch) -> None:
    run, asked = study.run, []

    def interrupted(*given, **more):
        asked.append(given)
        if len(asked) > done:
            raise KeyboardInterrupt
        return run(*given, **more)

    monkeypatch.setattr(study, "run", interrupted)
    assert main([*QUICK, "--optimizers", "sgd,adam", "--out", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-2:] == [f"minidl compare: {done} of 4 runs are done", "minidl: interrupted"]
    if done:
        assert rows(captured.out)["sgd"].count("±") == 3
        assert rows(captured.out)["adam"].count("±") == 0
        results = json.loads((tmp_path / "results.json").read_text())
        assert [(run["optimizer"], run["seed"]) for run in results["runs"]] == [("sgd", 0), ("adam", 0), ("sgd", 1)]
        assert results["settings"]["interrupted"] is True
        assert (tmp_path / "boundaries.png").exists()
    else:
        assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(study, "run", run)
    assert main([*QUICK, "--optimizers", "sgd,adam", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert (f"{done} of 4 runs are done already" in out) == (done > 0)
    assert rows(out)["adam"].count("±") == 3


WAITS = """
import time
from pathlib import Path
from minidl import optimizers

class Waits(optimizers.SGD):
    def step(self, parameters):
        Path("waiting").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        super().step(parameters)
"""


@pytest.mark.parametrize(
    ("more", "first"), [([], 1), pytest.param(["--workers", "2"], 2, marks=pytest.mark.slow)], ids=["here", "processes"]
)
def test_a_real_ctrl_c_leaves_what_is_done_and_the_same_command_goes_on(
    more: list[str], first: int, tmp_path: Path
) -> None:
    (tmp_path / "mypackage.py").write_text(WAITS, encoding="utf-8")
    command = [sys.executable, "-m", "minidl", *QUICK, "--optimizers", "sgd,mypackage:Waits", *more]
    command += ["--seeds", "4", "--out", "out"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=tmp_path
    )
    cells = tmp_path / "out" / "cells"
    while len(list(cells.glob("*.json"))) < first or not (tmp_path / "waiting").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    runs = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    assert f"{len(runs)} of 8 runs are done" in err
    if more:  # what a process has just written may not be counted yet, and each may come to the end of its run
        assert 1 <= len(runs) <= 6
    else:
        assert len(runs) == 1
    assert "sgd" in rows(out)
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    already = int(done.stdout.split(" of 8 runs are done already")[0].split()[-1])
    assert already >= len(runs)
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())["runs"]) == 8


# Optimizers of one's own, and rates that are looked for --------------------------------------------------------

MINE = """
import numpy as np
from minidl import optimizers

class Lion(optimizers.Optimizer):
    slots = ("m",)

    def __init__(self, learning_rate=1e-4, beta_1=0.9, beta_2=0.99):
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2)

    @staticmethod
    def update(w, g, m, *, learning_rate, beta_1, beta_2):
        w = w - learning_rate * np.sign(beta_1 * m + (1 - beta_1) * g)
        return w, beta_2 * m + (1 - beta_2) * g

class Adam(Lion):
    pass

def none(learning_rate=0.1):
    return None
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--workers", "2"]], ids=["here", "processes"])
def test_a_users_optimizer_is_compared_from_any_folder(more: list[str], tmp_path: Path) -> None:
    (tmp_path / "mypackage.py").write_text(MINE, encoding="utf-8")
    command = [sys.executable, "-m", "minidl", *QUICK, "--optimizers", "adam,mypackage:Lion,mypackage:Adam", *more]
    command += ["--learning-rate", "lion=0.002", "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    table = rows(done.stdout)
    assert {name: table[name][1] for name in ("adam", "lion", "mypackage:Adam")} == {
        "adam": "0.003", "lion": "0.002", "mypackage:Adam": "0.0001",
    }  # fmt: skip
    again = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "6 of 6 runs are done already" in again.stdout
    changed = MINE.replace("0.99)", "0.95)").replace("np.sign(", "0.5 * np.sign(")
    (tmp_path / "mypackage.py").write_text(changed, encoding="utf-8")
    again = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "2 of 6 runs are done already" in again.stdout  # its code is part of what defines a run


def test_rates_are_looked_for_on_a_part_of_the_training_data(tmp_path: Path, capsys) -> None:
    assert main([*QUICK, "--optimizers", "sgd,adam", "--tune", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    said = out.split("kept for validation: ")[1].splitlines()[0]
    rates = dict(part.split()[:2] for part in said.split(", "))
    assert {name: rows(out)[name][1] for name in rates} == rates
    assert json.loads((tmp_path / "results.json").read_text())["settings"]["tuned"] is True
    assert len(list((tmp_path / "cells").glob("*.json"))) == 2 * 2 * 11 + 4


# Trajectories ----------------------------------------------------------------------------------------------


def test_trajectories_tell_where_each_arrives_and_draw_it(tmp_path: Path, capsys) -> None:
    arguments = ["--surface", "bowl,saddle", "--optimizers", "sgd,adam", "--steps", "20", "--start=1,-0.5", "--animate"]
    assert main(["trajectories", *arguments, "--learning-rate", "sgd=0.25", "--out", str(tmp_path / "t")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[2:6]] == [
        ["bowl", "sgd", "0.25"],
        ["bowl", "adam", "0.2"],
        ["saddle", "sgd", "0.25"],
        ["saddle", "adam", "0.1"],
    ]
    path = surfaces.descend(surfaces.BOWL, {"": optimizers.SGD(0.25)}, steps=20, start=(1, -0.5))[""]
    assert lines[2].endswith(f"(0.000, -0.000){surfaces.BOWL(*path[-1]):18.2g}")
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["bowl.gif", "saddle.gif", "trajectories.png"]
    with Image.open(tmp_path / "t" / "bowl.gif") as gif:
        assert gif.n_frames == 21


def test_a_path_that_diverges_is_told(tmp_path: Path, capsys) -> None:
    arguments = ["--surface", "rosenbrock", "--optimizers", "sgd", "--learning-rate", "10", "--out", str(tmp_path)]
    assert main(["trajectories", *arguments]) == 0
    assert "diverged in step " in capsys.readouterr().out


# Check -----------------------------------------------------------------------------------------------------

RULES = """
import numpy as np
from minidl.optimizers import Optimizer

class Signs(Optimizer):
    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate=learning_rate)

    @staticmethod
    def update(w, g, *, learning_rate):
        return w - learning_rate * np.sign(g)

class Noisy(Signs):
    @staticmethod
    def update(w, g, *, learning_rate):
        return w - learning_rate * np.sign(g) * (1 + 1e-15 * float(np.random.random() > 0.5))

def signs(w, gradients, rates):
    return w - sum(rate * np.sign(g) for rate, g in zip(rates, gradients))

def steps(w, gradients, rates):
    return w - sum(rate * g for rate, g in zip(rates, gradients))
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lab_of_mine.py").write_text(RULES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "lab_of_mine", raising=False)
    return tmp_path


def test_check_prints_the_table_of_a_users_rule_and_says_by_its_status_whether_all_passed(mine: Path, capsys) -> None:
    assert main(["check", "lab_of_mine:Signs", "--oracle", "lab_of_mine:signs", "--examples", "5"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Signs(learning_rate=0.1): 55 checks: ")
    assert "oracle" not in out[out.index("not applicable  ") :].split("→")[0]
    assert "It also seems to be: SignSymmetric()" in out
    some = ["--examples", "5", "--checks", "oracle,split"]
    assert main(["check", "lab_of_mine:Signs", "--oracle", "lab_of_mine:steps", *some]) == 1
    out = capsys.readouterr().out
    assert "1 pass, 1 fail" in out
    assert "→ w of 'one': entry [0] is " in out


def test_check_takes_several_rules_and_expected_failures_and_stops_on_request(mine: Path, capsys) -> None:
    some = ["--examples", "20", "--checks", "deterministic,split"]
    assert main(["check", "lab_of_mine:Signs", "lab_of_mine:Noisy", *some]) == 1
    out = capsys.readouterr().out
    assert "2 checks: 2 pass" in out
    assert "2 checks: 1 pass, 1 fail" in out
    assert main(["check", "lab_of_mine:Noisy", *some, "--expect", "deterministic=it adds noise"]) == 0
    assert "→ it adds noise (" in capsys.readouterr().out
    assert main(["check", "lab_of_mine:Noisy", *some, "--stop"]) == 1
    assert "1 check: 1 fail" in capsys.readouterr().out


# Data ------------------------------------------------------------------------------------------------------


def test_data_lists_what_there_is(tmp_path: Path, capsys) -> None:
    for arguments in (["data"], ["data", "list"]):
        assert main([*arguments, "--folder", str(tmp_path)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("  ")[0] for line in lines] == ["digits", "moons, circles, spirals, blobs", "fashion-mnist"]
        assert lines[-1].endswith("not here; `minidl data fetch` downloads its 30 MB")


def test_data_verifies_and_says_so_in_its_status(tmp_path: Path, capsys) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"damaged")
    assert main(["data", "verify", "--folder", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert f"{tmp_path / 'train-images-idx3-ubyte.gz'} isn't Fashion-MNIST: its SHA-256 checksum must be" in lines[0]
    assert lines[1] == f"{tmp_path / 'train-labels-idx1-ubyte.gz'} isn't there"
    main(["data", "--folder", str(tmp_path)])
    assert "not whole, in" in capsys.readouterr().out


@pytest.mark.skipif(not os.environ.get("MINIDL_DATA_DIR"), reason="MINIDL_DATA_DIR holds no Fashion-MNIST")
def test_the_real_files_are_right(capsys) -> None:
    assert main(["data", "verify"]) == main(["data", "fetch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith(".gz is right") for line in lines[:4]] == [True] * 4
    assert lines[4].startswith("fashion-mnist is in ")
    main(["data"])
    assert "here and verified, in" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["data", "fetch", "--timeout", "1"], ["compare", "--dataset", "fashion-mnist"]])
def test_data_that_cannot_be_had_are_one_line_and_status_1(arguments, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("MINIDL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(data, "URL", "http://127.0.0.1:1/")
    load = inspect.unwrap(fashion_mnist.load_fashion_mnist)
    monkeypatch.setattr(load, "__kwdefaults__", {**load.__kwdefaults__, "url": "http://127.0.0.1:1/"})
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("minidl: ")
    assert captured.err.endswith("needs no network\n")
    assert captured.err.count("\n") == 1


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m minidl trajectories --surface bowl --steps 5 --out {tmp_path} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""
