"""Every example runs, is short, and reaches the figure that it must."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
ARGUMENTS = {
    "notebook.py": ["1001"],
    "fashion_mnist.py": ["6000", "2", "curve.png"],
    "trajectories.py": ["."],
}
PICTURES = {
    "fashion_mnist.py": ["curve.png"],
    "trajectories.py": ["beale.gif", "beale.png"],
    "decision_boundary.py": ["decision_boundary.png"],
}
NEEDS_DATA = {"fashion_mnist.py"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_the_example_reaches_its_figure(path: Path, tmp_path: Path) -> None:
    data = Path(os.environ.get("MINIDL_DATA_DIR", "nowhere")).resolve()
    if path.name in NEEDS_DATA and not (data / "fashion_mnist").is_dir():
        pytest.skip("MINIDL_DATA_DIR holds no Fashion-MNIST")
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    environment = {**os.environ, "MINIDL_DATA_DIR": str(data)}
    command = [sys.executable, "-W", "error", str(path), *ARGUMENTS.get(path.name, [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == PICTURES.get(path.name, [])
