"""The public surface: what modules export, what an import costs, what has a docstring, who knows whom."""

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import GenericAlias
from typing import TypeVar

import pytest

import minidl
from benchmarks.house import imported, measure

PACKAGE = Path(minidl.__file__).parent
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(PACKAGE)], "minidl.") if not m.name.endswith("__main__"))
HEAVY = (
    "pooch",
    "requests",
    "matplotlib",
    "tqdm",
    "pytest",
    "hypothesis",
    "sklearn",
    "torch",
    "threadpoolctl",
    "scipy",
    "llvmlite",
    "safetensors",
    "filelock",
    "distributed",
    "imageio_ffmpeg",
    "mpi4py",
    "tensorboardX",
    "onnx",
)

# Who may import whom, by the first word after "minidl."; validation and config are everybody's.
COMMON = {"validation", "config"}
KNOWS = {
    "validation": set(),
    "config": {"validation"},
    "parameters": COMMON,
    "functions": set(),
    "compute": set(),
    "randomness": COMMON,
    "schedules": COMMON,
    "initializers": COMMON,
    "regularizers": COMMON,
    "history": COMMON | {"representation"},
    "representation": set(),
    "splitting": COMMON,
    "targets": COMMON,
    "datasets": COMMON | {"randomness", "splitting"},
    "losses": COMMON | {"compute", "functions", "targets"},
    "metrics": COMMON | {"losses", "splitting", "targets"},
    "layers": COMMON | {"compute", "functions", "initializers", "parameters", "randomness", "regularizers"},
    "optimizers": COMMON | {"compute", "parameters", "representation", "schedules"},
    "callbacks": COMMON | {"history", "parameters", "saving", "training"},
    "slices": COMMON | {"randomness", "training"},
    "surfaces": COMMON | {"optimizers", "parameters"},
    "tuning": COMMON | {"functions", "training"},
    "models": COMMON
    | {
        "compute", "history", "layers", "parameters", "randomness", "regularizers", "representation", "saving",
        "training",
    },
    "saving": COMMON
    | {
        "minidl",  # its version
        "callbacks", "compute", "history", "initializers", "layers", "losses", "metrics", "models", "optimizers",
        "parameters", "training",
    },
    "training": COMMON
    | {
        "callbacks", "compute", "history", "losses", "metrics", "optimizers", "parameters", "randomness", "saving",
        "splitting", "targets",
    },
}  # fmt: skip
# What stands on top: nothing below imports it.
TOP = {"testing", "plotting", "lab", "reproduce", "cli", "keras", "estimators", "exchange"}
# Imports that only name types, or that wait until a function needs them, point upwards in these places alone.
LATE = {
    ("callbacks", "saving"),
    ("callbacks", "training"),
    ("models", "saving"),
    ("models", "training"),
    ("saving", "models"),
    ("training", "saving"),
}


@pytest.mark.parametrize("name", ["minidl", *MODULES])
def test_all_is_what_a_module_exports(name: str) -> None:
    module = importlib.import_module(name)
    public = {n: v for n, v in vars(module).items() if not n.startswith("_") and not isinstance(v, TypeVar)}
    exported = set(module.__all__)
    assert len(exported) == len(module.__all__)
    assert all(hasattr(module, n) for n in exported)
    if name.startswith("minidl.keras"):
        return  # shows Keras's names, whosever they are
    if hasattr(module, "__path__"):  # a package exports what it imports, but for its own files
        files = {m.name for m in pkgutil.iter_modules(module.__path__)}
        assert set(public) - files - {"TYPE_CHECKING", "importlib", "nearest"} <= exported
    else:
        aliases = {n for n, v in public.items() if isinstance(v, GenericAlias)}  # classes, says Python 3.10
        defined = {n for n, v in public.items() if inspect.isroutine(v) or inspect.isclass(v)} - aliases
        own = {n for n in defined if vars(module)[n].__module__ == name}
        assert own <= exported
        assert {n for n in exported if n in defined} <= own


def test_importing_minidl_loads_nothing_heavy() -> None:
    code = f"import sys, minidl; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX's")
def test_lazy_modules_are_there_on_first_use() -> None:
    code = """
import os, minidl
for name in minidl._LAZY:
    if os.fork() == 0:
        print(getattr(minidl, name).__name__, flush=True)
        os._exit(0)
    os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"minidl.{name}" for name in minidl._LAZY], done.stderr


def test_an_unknown_name_is_refused_with_a_hint() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'layer'. Did you mean 'layers'?"):
        _ = minidl.layer


def _first_word(module: str) -> str:
    return module.removeprefix("minidl.").partition(".")[0]


def _imports(word: str, wherever: bool = True) -> set[str]:
    """Return the first words of all that a module or package imports from minidl, wherever in its files."""
    found = set()
    for path in sorted((PACKAGE / word).rglob("*.py")) if (PACKAGE / word).is_dir() else [PACKAGE / f"{word}.py"]:
        found |= set(imported(ast.parse(path.read_text(encoding="utf-8")), {"minidl", *MODULES}, wherever))
    return {_first_word(name) for name in found if _first_word(name) in {"minidl", *KNOWS, *TOP}} - {word}


def test_every_module_has_its_place() -> None:
    assert sorted([*KNOWS, *TOP]) == sorted({_first_word(name) for name in MODULES})


@pytest.mark.parametrize("word", sorted(KNOWS))
def test_a_module_knows_only_whom_it_should(word: str) -> None:
    assert _imports(word) <= KNOWS[word]
    assert not KNOWS[word] & TOP


def test_upward_imports_wait() -> None:
    for word, above in LATE:
        assert above not in _imports(word, wherever=False)


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    for public in module.__all__:
        value = getattr(module, public)
        if not (inspect.isclass(value) or inspect.isfunction(value)) or value.__module__ != name:
            continue
        assert value.__doc__, public
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if not method.startswith("_") and (inspect.isfunction(function) or isinstance(function, property)):
                    assert inspect.getdoc(getattr(value, method)), f"{public}.{method}"


PUBLIC = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in (minidl, *(importlib.import_module(name) for name in MODULES))
    if module.__name__.count(".") < 2 and not module.__name__.startswith("minidl.keras")
    for name in getattr(module, "__all__", ())
    if module.__name__ == "minidl" or module.__name__.removeprefix("minidl.") in minidl.__all__
]
# Errors, a protocol, what takes any name, and an executor as the library has it.
NO_HINTS = {
    "CheckFailedError",
    "DamagedError",
    "FileError",
    "Lambda",
    "Log",
    "NonFiniteError",
    "Optimizer",
    "Processes",
}
NO_HINTS |= {"ResumeWarning", "StudyError"}
CALLED = [p for p in PUBLIC if inspect.isroutine(p.values[0]) or isinstance(p.values[0], type)]
CALLED = [
    p for p in CALLED if p.values[0].__name__ not in NO_HINTS and not p.values[0].__module__.startswith("minidl.keras")
]


@pytest.mark.parametrize("value", CALLED)
def test_whatever_is_public_tells_what_it_takes(value) -> None:
    with pytest.raises(TypeError, match=r"^\w+: .*nonsense_of_mine=7\. (Did you mean|Known: )"):
        value(nonsense_of_mine=7)


def test_no_file_and_no_function_outgrows_what_one_reads_at_a_time() -> None:
    house = measure(PACKAGE.parent)
    assert {name: lines for name, lines in house.modules.items() if lines > 450} == {}
    assert {name: lines for name, lines in house.functions.items() if lines > 75} == {}
