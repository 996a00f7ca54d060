"""`minidl data`: which data sets there are, and whether their files are here and right."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from minidl import datasets
from minidl.cli import options as read
from minidl.datasets.fashion_mnist import MISSING, URL

__all__ = ["EXAMPLES", "add"]

EXAMPLES = """examples:
  minidl data
  minidl data fetch
  minidl data fetch --folder ~/data/fashion_mnist --timeout 120
  minidl data verify

The folder is by default fashion_mnist in the directory that the environment variable MINIDL_DATA_DIR names, or else in
the user's cache. Status 1 says that a file is missing or not what it should be.
"""

KINDS = {
    "digits": "1,797 images of 8 × 8 pixels, 10 classes; comes with minidl",
    "moons, circles, spirals, blobs": "points in the plane; made as they are needed",
    "fashion-mnist": "70,000 images of 28 × 28 pixels, 10 classes",
}


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = read.command(
        commands,
        "data",
        help="list, fetch and verify data sets",
        description="List the data sets; fetch the one that must be downloaded, Fashion-MNIST; verify its files by "
        "their checksums.",
        examples=EXAMPLES,
    )
    option = parser.add_argument
    option("action", nargs="?", default="list", metavar="ACTION", help="list, fetch or verify (default: list)")
    option("--folder", type=Path, metavar="DIR", help="where the files of Fashion-MNIST are, or go")
    option("--url", metavar="URL", help="where to fetch them from: the address of a folder (default: the official one)")
    option("--timeout", default="30", metavar="SECONDS", help="without an answer (default: 30)")
    parser.set_defaults(prepare=_prepare)


def _prepare(options: argparse.Namespace) -> Callable[[], int]:
    """Check all options; return what is then to be done."""
    timeout = read.number("--timeout", options.timeout)
    if not timeout:
        raise ValueError(f"--timeout must be greater than 0. Received: {options.timeout!r}")
    folder = options.folder and options.folder.expanduser()
    jobs: dict[str, Callable[[], int]] = {
        "list": partial(_list, folder),
        "fetch": partial(_fetch, folder, options.url, timeout),
        "verify": partial(_verify, folder),
    }
    return jobs[read.known("the action", options.action, jobs)]


def _list(folder: Path | None) -> int:
    files = datasets.verify_fashion_mnist(folder=folder)
    place, problems = next(iter(files)).parent, set(files.values())
    if problems == {""}:
        state = f"here and verified, in {place}"
    elif problems == {MISSING}:
        state = "not here; `minidl data fetch` downloads its 30 MB"
    else:
        state = f"not whole, in {place}; `minidl data verify` tells more"
    for name, kind in KINDS.items():
        print(f"{name:32}{kind}{f'; {state}' if name == 'fashion-mnist' else ''}")
    return 0


def _fetch(folder: Path | None, url: str | None, timeout: float) -> int:
    address = URL if url is None else url
    print(f"fashion-mnist is in {datasets.fetch_fashion_mnist(folder=folder, url=address, timeout=timeout)}")
    return 0


def _verify(folder: Path | None) -> int:
    files = datasets.verify_fashion_mnist(folder=folder)
    for file, problem in files.items():
        print(f"{file} {problem or 'is right'}")
    return int(any(files.values()))
