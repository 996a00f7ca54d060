"""Whole scripts, from the start of the process to the trained model, with the most memory that they take."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed import memory
from benchmarks.speed.measure import Effort, rotated
from benchmarks.speed.tasks import OURS, data_name, images

__all__ = ["IMAGES", "whole"]

SCRIPTS = Path(__file__).parent / "scripts"
IMAGES = 6000
LEAST = 0.5  # of the images right, or it didn't train

# By side: the script and its arguments. minidl's first chooses for itself when compiling pays, as it does for anyone.
COMMANDS = {
    OURS[0]: ("with_minidl.py",),
    OURS[1]: ("with_minidl.py", "replayed"),
    "PyTorch": ("with_torch.py",),
    "Keras": ("with_keras.py",),
}


class Run(NamedTuple):
    """What a run took."""

    seconds: float
    peak: int | None


def whole(effort: Effort) -> dict[str, Any]:
    """Return each script's seconds and peaks of memory, run by run, and which failed and why."""
    runs: dict[str, list[Run]] = {side: [] for side in COMMANDS}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        x, y = images()
        np.savez(data, x=x[:IMAGES], y=y[:IMAGES])
        for turn in range(-1, effort.turns):  # the first fills the caches of files and of what is compiled
            for side in rotated(list(COMMANDS), turn):
                if side in left_out:
                    continue
                try:
                    run = _run(side, data)
                except RuntimeError as error:
                    left_out[side] = str(error)
                else:
                    runs[side] += [run] if turn >= 0 else []
    timed = {side: found for side, found in runs.items() if side not in left_out}
    return {
        "seconds": {side: [run.seconds for run in found] for side, found in timed.items()},
        "peaks": {side: [run.peak for run in found] for side, found in timed.items()},
        "left_out": left_out,
    }


def _run(side: str, data: Path) -> Run:
    """Run a side's script.

    Raises:
        RuntimeError: If it fails, or its model has learned nothing.
    """
    script, *arguments = COMMANDS[side]
    command = [sys.executable, str(SCRIPTS / script), str(data), *arguments]
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process,
    ):
        assert process.stdout is not None
        trained = process.stdout.readline()
        seconds, peak = time.perf_counter() - start, memory.peak(process.pid)
        accuracy = process.stdout.read()  # `communicate` wouldn't know of what `readline` has read ahead
        process.wait()
        errors.seek(0)
        told = errors.read()
    if process.returncode or trained.strip() != "trained":
        raise RuntimeError((told.strip() or "no message").splitlines()[-1][:200])
    if float(accuracy) < LEAST and data_name() == "Fashion-MNIST":
        raise RuntimeError(f"it has learned nothing: accuracy {accuracy.strip()}")
    return Run(seconds, peak)
