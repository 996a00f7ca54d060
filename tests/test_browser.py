"""Pyodide, CPython in a browser: nothing that minidl needs is missing there.

NumPy's build for it comes from a server of its own, so that no test can train a net there. What is shown instead:
minidl trains where no thread and no process can be started, as there; whatever of the standard library is loaded by
then is there; and in Pyodide itself, run by Node, every module can be imported beside a NumPy that does nothing, and
files are locked and written. `MINIDL_PYODIDE` is the folder of the npm package `pyodide`.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTHING_STARTS = """
import json, os, subprocess, sys, threading
import numpy.random, safetensors.numpy, tqdm.auto, threadpoolctl

tqdm.std.TqdmDefaultWriteLock()  # it tries for a lock between processes, and does without
before = set(sys.modules)

def refuse(*_, **__):
    raise RuntimeError("can't start new thread")

threading.Thread.start = subprocess.Popen.__init__ = refuse
os.fork = os.posix_spawn = refuse
sys.platform = "emscripten"
sys.modules["llvmlite"] = sys.modules["matplotlib"] = None  # as if they weren't installed

import minidl
from minidl import Sequential, datasets, keras, layers, losses, metrics, optimizers

(x, y), test = datasets.load_digits()
inside = [layers.Reshape((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten()]
model = Sequential([*inside, layers.Dense(10, "softmax")], seed=0)
model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
history = model.fit(x / 16, y, epochs=3, validation_split=0.2, checkpoint="run", resume=True)
again = minidl.load_model("run/best.safetensors")
assert (again.predict(x) == model.predict(x)).all() and history.history["accuracy"][-1] > 0.5
print("\\n" + json.dumps(sorted(name for name in sys.modules if sys.modules[name] and name not in before)))
"""
IN_PYODIDE = """
import importlib, pathlib, pkgutil, shutil, sys, types
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

class Idle(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, MagicMock(name=name))

class Finder:  # Pyodide's own distribution has these
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("numpy", "safetensors", "matplotlib"):
            return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Idle(spec.name)

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Finder())
for package in ("filelock", "tqdm", "threadpoolctl.py"):
    (shutil.copytree if "." not in package else shutil.copy)("/packages/" + package, "/lib/" + package)
sys.path[:0] = ["/lib", "/source"]
import minidl

for module in pkgutil.walk_packages(minidl.__path__, "minidl."):
    if not module.name.startswith(EXTRAS):
        importlib.import_module(module.name)
for name in LOADED:
    importlib.import_module(name)

from filelock import FileLock
from minidl.saving.files import place

with FileLock("/tmp/.lock", timeout=0):
    place("place", pathlib.Path("/tmp/file"), b"whole")
    assert open("/tmp/file", "rb").read() == b"whole"
"""
# What needs the extras that Pyodide lacks, at import.
EXTRAS = ("minidl.estimators", "minidl.exchange.onnx", "minidl.testing", "minidl.__main__")


PUBLIC = re.compile(r"[a-z]\w*(\.[a-z]\w*)*")  # the others are accelerators, which the public ones can do without
STANDARD = sys.stdlib_module_names


def loaded(folder: Path) -> list[str]:
    """Train a net where nothing can be started; return the modules that it has loaded."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NOTHING_STARTS], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(filter(PUBLIC.fullmatch, json.loads(done.stdout.splitlines()[-1])))


def test_minidl_trains_where_nothing_can_be_started_and_loads_no_more_than_it_needs(tmp_path) -> None:
    foreign = {name.partition(".")[0] for name in loaded(tmp_path)} - STANDARD - {"minidl"}
    assert foreign <= {"numpy", "tqdm", "safetensors", "threadpoolctl", "filelock"}


@pytest.mark.parametrize("package", ["filelock", "tqdm", "threadpoolctl"])
def test_what_it_needs_is_pure_python_where_pyodide_may_lack_it(package: str) -> None:
    assert "Tag: py3-none-any" in (importlib.metadata.distribution(package).read_text("WHEEL") or "")


def test_pyodide_has_what_it_needs(tmp_path) -> None:
    node, pyodide = shutil.which("node"), os.environ.get("MINIDL_PYODIDE")
    if node is None or pyodide is None:
        pytest.skip("there is no Node, or MINIDL_PYODIDE isn't set")
    known = json.loads((Path(pyodide) / "pyodide-lock.json").read_text(encoding="utf-8"))["packages"]
    assert int(known["numpy"]["version"].split(".")[0]) >= 2
    assert {"matplotlib", "safetensors"} <= set(known)
    standard = [name for name in loaded(tmp_path) if name.partition(".")[0] in STANDARD]
    script = tmp_path / "script.py"
    script.write_text(f"EXTRAS, LOADED = {EXTRAS!r}, {standard!r}\n{IN_PYODIDE}", encoding="utf-8")
    packages = Path(str(importlib.metadata.distribution("filelock").locate_file("")))
    done = subprocess.run(
        [node, str(Path(__file__).with_name("browser.mjs")), str(Path(pyodide) / "pyodide.mjs"), str(script),
         f"/source={ROOT}", f"/packages={packages}"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
