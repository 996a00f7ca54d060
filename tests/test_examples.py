"""Every example runs, is short, and reaches the figure that it must."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
ARGUMENTS = {
    "fashion_mnist.py": [["3000", "2", "curve.png"]],
    "trajectories.py": [["."]],
    "keras_classification.py": [["3000", "3"]],
    "keras_convnet.py": [["2000", "4"]],
    "keras_text.py": [["5"]],
    "nets.py": [["conv", "1000", "3"], *[[net, "2000", "3"] for net in ("lstm", "residual", "batchnorm")]],
}
LONG = {("nets.py", "conv"), ("nets.py", "lstm"), ("nets.py", "residual"), ("keras_convnet.py", "2000")}
LONG |= {("study.py",), ("lion.py",), ("trajectories.py", ".")}
RUNS = [
    pytest.param(
        path,
        given,
        id=" ".join([path.name, *given[:1]]),
        marks=[pytest.mark.slow] if (path.name, *given[:1]) in LONG else [],
    )
    for path in sorted(EXAMPLES.glob("*.py"))
    for given in ARGUMENTS.get(path.name, [[]])
]
PICTURES = {
    "fashion_mnist.py": ["curve.png"],
    "trajectories.py": ["beale.gif", "beale.png"],
    "decision_boundary.py": ["decision_boundary.png"],
    "study.py": ["study"],
}
NEEDS_DATA = {"fashion_mnist.py", "keras_classification.py", "keras_convnet.py", "nets.py"}


@pytest.mark.parametrize(("path", "arguments"), RUNS)
def test_the_example_reaches_its_figure(path: Path, arguments: list[str], tmp_path: Path) -> None:
    data = Path(os.environ.get("MINIDL_DATA_DIR", "nowhere")).resolve()
    if path.name in NEEDS_DATA and not (data / "fashion_mnist").is_dir():
        pytest.skip("MINIDL_DATA_DIR holds no Fashion-MNIST")
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    environment = {**os.environ, "MINIDL_DATA_DIR": str(data)}
    command = [sys.executable, "-W", "error", str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == PICTURES.get(path.name, [])
