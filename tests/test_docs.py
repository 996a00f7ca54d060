"""README and CONTRIBUTING: their scripts run, their commands and links are real."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from minidl import cli
from minidl.cli import check, compare, data, reproduce, trajectories
from minidl.lab.tasks import TASKS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("script", SCRIPTS, ids=["first script", "own optimizer"])
def test_the_readmes_script_runs(script: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = re.findall(r"0\.\d+(?=\])", done.stdout)
    # checks of the one, accuracy of the other
    assert "55 checks: 52 pass, 3 not applicable" in done.stdout or float(figures[-1]) > 0.85


def test_there_are_exactly_two_commands_to_set_up_and_go() -> None:
    commands = re.findall(r"^    (python3 -m venv .*)$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    assert "minidl compare" in commands[0]
    assert "pytest" in commands[1]


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/data.md",
        "docs/estimators.md",
        "docs/exchange.md",
        "docs/keras.md",
        "docs/pictures.md",
        "docs/proofs.md",
        "docs/lab.md",
        "docs/paper.md",
        "docs/parallel.md",
        "docs/saving.md",
        "docs/faults.md",
        "docs/conventions.md",
        "docs/compliance.md",
    ],
)
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", text))  # from where the page is
    named = set(re.findall(r"`((?:minidl|tests|benchmarks|docs|examples)/[\w./]*)`", text))  # from the top
    assert not {path for path in linked if not (ROOT / page).parent.joinpath(path).exists()}
    assert not {path for path in named if not (ROOT / path).exists()}


def test_the_readmes_table_is_one_that_the_command_prints() -> None:
    """The head, the optimizers and their rates, not the figures, which depend on the machine's arithmetic."""
    block = re.search(r"```text\n(.*?)```", README, flags=re.DOTALL)
    assert block is not None
    lines = block.group(1).splitlines()
    head = "optimizer  learning rate  train accuracy %  test accuracy %  test loss  seconds a run"
    assert re.split(r"  +", lines[0]) == re.split(r"  +", head)
    task = TASKS["digits"]
    assert {line.split()[0]: float(line.split()[1]) for line in lines[2:]} == task.rates


@pytest.mark.parametrize("command", [compare, reproduce, trajectories, check, data], ids=lambda module: module.__name__)
def test_the_examples_in_the_help_are_accepted(command, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "rules.py").write_text("from minidl.optimizers import Lion, SGD as Noisy", encoding="utf-8")
    (tmp_path / "lab" / "oracles.py").write_text("def lion(*given): pass", encoding="utf-8")
    lines = [shlex.split(line)[1:] for line in command.EXAMPLES.splitlines() if line.startswith("  minidl")]
    assert len(lines) >= 4
    for arguments in lines:
        cli.prepare(arguments)


PROOFS = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")


def test_the_tables_of_checks_and_laws_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    assert tables.filled(PROOFS) == PROOFS, "run python docs/tables.py"


def test_the_scripts_of_the_page_of_proofs_run(tmp_path) -> None:
    script, *tests = re.findall(r"```python\n(.*?)```", PROOFS, flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("give an oracle.\nTrue\n")
    assert re.match(r"Signum\(.*\): 60 checks: 57 pass, 3 not applicable\n", done.stdout)
    for number, module in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(module, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(r"1\d\d passed, \d skipped", done.stdout)


def test_the_script_of_the_page_of_saving_runs_and_may_be_run_again(tmp_path) -> None:
    page = (ROOT / "docs" / "saving.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    for _ in range(2):
        command = [sys.executable, "-W", "error", "-c", script + "print(history.epoch)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "(64, 64)\n[22, 23]\n"
    assert {"best.safetensors", "checkpoint-000000990.safetensors"} < {
        path.name for path in (tmp_path / "run").iterdir()
    }


def test_the_script_of_the_page_of_the_lab_runs_and_goes_on(tmp_path) -> None:
    page = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
    script = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)[0]
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "-W", "error", "script.py"]
    first, second = (
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert first.stdout == second.stdout  # the times too: nothing was run again
    assert len(list((tmp_path / "study" / "cells").iterdir())) == 3 * 3 * 3 + 9 + 4


def test_the_script_of_the_page_of_keras_runs(tmp_path) -> None:
    page = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", script + "assert history.history['val_accuracy'][-1] > 0.6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy: " in done.stdout


def test_the_script_of_the_page_of_exchange_runs(tmp_path) -> None:
    page = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n['0.weight', '0.bias', '2.weight', '2.bias']\n"


def test_the_script_of_the_page_of_estimators_runs(tmp_path) -> None:
    page = (ROOT / "docs" / "estimators.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", script + "assert search.score(x_test, y_test) > 0.95"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_page_of_pictures_draws_each_of_them(tmp_path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "docs" / "draw.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"\]\(pictures/([^)]+)\)", (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(shown)
    for path in tmp_path.iterdir():
        with Image.open(path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 50, path.name
