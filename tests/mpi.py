"""How tests start OpenMPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def found_mpiexec() -> Path:
    """Return the command; skip the test where there is no MPI."""
    pytest.importorskip("mpi4py", reason="mpi4py isn't installed")
    found = [Path(sys.executable).with_name("mpiexec"), Path(shutil.which("mpiexec") or "mpiexec")]
    command = next((path for path in found if path.exists()), None)
    if command is None:
        pytest.skip("there is no mpiexec")
    return command


def mpiexec(processes: int, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with `arguments` on so many ranks; skip the test where there is no MPI."""
    command = found_mpiexec()
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }  # fmt: skip
    return subprocess.run(
        [str(command), "--oversubscribe", "-n", str(processes), sys.executable, *arguments],
        env=environment, capture_output=True, text=True, timeout=300, cwd=cwd,
    )  # fmt: skip
