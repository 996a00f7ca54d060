"""How tests run what stands on a page of the docs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: `python` or `sh`, and the file that it is to be, if it says so."""

    language: str
    title: str | None
    text: str


def pages() -> list[str]:
    """Return the paths of all pages that have a block which can be run."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found if blocks(path.relative_to(ROOT).as_posix())]


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page that can be run, in order."""
    found = FENCE.finditer((ROOT / page).read_text(encoding="utf-8"))
    return [Block(**block.groupdict()) for block in found if block["language"] in ("python", "sh")]


def run(page: str, folder: Path, more: str = "") -> str:
    """Do in `folder` what a reader of the page does: write its files, run its script, its tests and its commands.

    What has no title is one script from the page's start to its end, and then `more`. Installing is left out. Returns
    what all print.
    """
    found = blocks(page)
    for block in found:
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
    script = "\n".join(block.text for block in found if block.language == "python" and not block.title)
    (folder / "page.py").write_text(f"{script}\n{more}\n", encoding="utf-8")
    printed = called([sys.executable, "-W", "error", "page.py"], folder) if script else ""
    if any(block.title and block.title.startswith("test_") for block in found):
        printed += called([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], folder)
    for block in found:
        if block.language == "sh":
            commands = re.sub(r"^pip install .*$", "", block.text, flags=re.MULTILINE)
            printed += called(["bash", "-e", "-c", commands], folder)
    return printed


def called(command: list[str], folder: Path) -> str:
    """Return what a command prints; fail with what it says if it fails."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "MPLBACKEND": "Agg",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
