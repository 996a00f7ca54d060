"""README and docs: what they show runs and prints what they say; their commands and links are real."""

import importlib.util
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from mpi import found_mpiexec
from pages import blocks, called, run
from pages import pages as runnable
from PIL import Image

import minidl
from minidl import cli
from minidl.cli import check, compare, data, reproduce, trajectories
from minidl.lab.tasks import TASKS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{p.relative_to(ROOT / 'docs')}" for p in (ROOT / "docs").rglob("*.md")),
]

# What pages print, where that tells more than that all has run.
PRINTED = {
    "README.md": r"(?s)0\.(8[5-9]|9)\d*\]\n.*: 55 checks: 52 pass, 3 not applicable\n",
    "docs/exchange.md": r"^True\n\['0\.weight', '0\.bias', '2\.weight', '2\.bias'\]\n$",
    "docs/how-to/compare.md": r"sgd 0\.3 \(the greatest tried\), ",
    "docs/how-to/layer.md": r"(?s)20 checks: 19 pass.*20 checks: 20 pass.*\['gradient_by_input', 'ties', 'compl",
    "docs/how-to/optimizer.md": r"(?s)^Bounded: beta must be in \[0, 1\)\. .*: 5\d checks: \d\d pass, \d not a",
    "docs/how-to/pytorch.md": r"0\.(8[5-9]|9)\d*\n",
    "docs/how-to/resume.md": r"(\d\.[\de-]+)\n\1\n$",
    "docs/keras.md": r"accuracy: ",
    "docs/proofs.md": r"(?s)60 checks: 57 pass, 3 not.*give an oracle\.\nTrue\n.*1\d\d passed, \d skipped",
    "docs/saving.md": r"^\(64, 64\)\n\[22, 23\]\n$",
    "docs/tutorial.md": r"(?s)\(1437, 8, 8\) \[0 1 2 3 4\]\n.*55 checks: 52 pass, 3 not applicable\nTrue\n$",
}


# What holds when its script has run, as code behind it.
HOLDS = {
    "docs/estimators.md": "assert search.score(x_test, y_test) > 0.95",
    "docs/keras.md": "assert history.history['val_accuracy'][-1] > 0.6",
    "docs/saving.md": "print(history.epoch)",
}
AGAIN = {"docs/saving.md", "docs/lab.md"}  # what goes on where it was


LONG = {"docs/how-to/compare.md", "docs/how-to/cluster.md"}  # they start commands and processes
ELSEWHERE = {"docs/pictures.md", "docs/parallel.md"}  # run by a test below, and by test_parallel.py


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page in LONG))
        for page in runnable()
        if page not in ELSEWHERE | AGAIN
    ],
)
def test_what_a_page_shows_runs(page: str, tmp_path) -> None:
    if any("mpiexec" in block.text for block in blocks(page)):
        found_mpiexec()
    printed = run(page, tmp_path, HOLDS.get(page, ""))
    assert re.search(PRINTED.get(page, ""), printed), printed


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(AGAIN))
def test_what_a_page_shows_may_be_run_again(page: str, tmp_path) -> None:
    first, second = (run(page, tmp_path, HOLDS.get(page, "")) for _ in range(2))
    assert re.search(PRINTED.get(page, ""), first), first
    assert first == second  # the times too, in the lab: nothing was run again
    if page == "docs/lab.md":
        assert len(list((tmp_path / "study" / "cells").iterdir())) == 3 * 3 * 3 + 9 + 4
    else:
        left = {path.name for path in (tmp_path / "run").iterdir()}
        assert {"best.safetensors", "checkpoint-000000990.safetensors"} < left


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted((ROOT / "docs" / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_notebooks_run(source: Path, tmp_path) -> None:
    called([sys.executable, "-W", "error", str(source)], tmp_path)


def test_there_are_exactly_two_commands_to_set_up_and_go() -> None:
    commands = re.findall(r"^    (python3 -m venv .*)$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    assert "minidl compare" in commands[0]
    assert "pytest" in commands[1]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", text))  # from where the page is
    named = set(re.findall(r"`((?:minidl|tests|benchmarks|docs|examples)/[\w./]*)`", text))  # from the top
    assert not {path for path in linked if not (ROOT / page).parent.joinpath(path).exists()}
    assert not {path for path in named if not (ROOT / path).exists()}


def test_every_page_is_in_the_navigation_of_the_site_and_every_one_there_exists() -> None:
    """docs/website.py writes those of sections that end in a slash, of README's folder, and of notebooks."""
    targets = re.findall(r": ([\w/-]+\.md)$", (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(set(targets)) == len(targets) > 25
    docs = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    assert docs <= set(targets)
    written = {"index.md": "README.md", **{t: t.replace(".md", ".py") for t in targets if t.startswith("notebooks/")}}
    places = [(ROOT / "docs" / written.get(target, target), ROOT / written.get(target, target)) for target in targets]
    assert all(any(place.exists() for place in either) for either in places)


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


def script_of_docs(name: str) -> ModuleType:
    """Return a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["proofs.md", "surface.md"])
def test_tables_that_the_code_tells_are_those_of_the_code(page: str) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn isn't installed")  # its estimators are in one of them
    assert script_of_docs("tables").filled(page) == (ROOT / "docs" / page).read_text(encoding="utf-8"), (
        "run python docs/tables.py"
    )


def test_the_picture_of_the_imports_is_true() -> None:
    imports = script_of_docs("imports")
    drawn = (ROOT / "docs" / "pictures" / "imports.svg").read_text(encoding="utf-8")
    assert f">{imports.told(imports.reduced(imports.graph()))}<" in drawn, "run python docs/imports.py"


def test_the_walks_name_what_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walks = re.search(r"^## Four walks\n(.*?)^## ", page, flags=re.MULTILINE | re.DOTALL)
    assert walks is not None
    modules = [
        importlib.import_module(m.name)
        for m in pkgutil.walk_packages(minidl.__path__, "minidl.")
        if "__main__" not in m.name
    ]
    known = {name: value for module in modules for name, value in vars(module).items()}
    methods = {name for value in known.values() if isinstance(value, type) for name in dir(value)}
    words = set(re.findall(r"`([A-Za-z_]\w*(?:\.\w+)?)`", walks[1])) - {"kernel.grad", "seed", "epoch"}
    assert len(words) > 30
    for word in words:
        owner, _, name = word.rpartition(".")
        assert name in vars(known[owner]) if owner else (name in known or name in methods), word


@pytest.mark.slow
def test_the_page_of_pictures_draws_each_of_them(tmp_path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "docs" / "draw.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"\]\(pictures/([^)]+)\)", (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(shown)
    for path in tmp_path.iterdir():
        with Image.open(path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 50, path.name
