"""The command: measure what is asked for, keep it beside what was measured before, and write the report of all."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.environment import describe
from benchmarks.speed import packages, picture, report, sections, whole_runs
from benchmarks.speed.measure import Effort
from benchmarks.speed.tasks import data_name

__all__ = ["main"]

MEASURES: dict[str, Callable[[Effort], dict[str, Any]]] = {
    **sections.SECTIONS,
    "whole": whole_runs.whole,
    "import": packages.imports,
}
PACKAGES = ("minidl", "llvmlite", "numba", "torch", "jax", "jaxlib", "keras", "scikit-learn")
RESULTS, PAGE, PICTURE = "results.json", "RESULTS.md", "results.png"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write results.json, RESULTS.md and results.png."""
    options = _parser().parse_args(arguments)
    effort = Effort(2, 0.05, quick=True) if options.quick else Effort()
    effort = Effort(options.turns or effort.turns, effort.seconds, effort.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    stored = options.out / RESULTS
    results = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    for name in options.only:
        start = time.perf_counter()
        print(f"{name} ...", flush=True)
        results[name] = {**MEASURES[name](effort), "environment": environment(effort)}
        print(f"{name}: {time.perf_counter() - start:.0f} seconds", flush=True)
        stored.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    picture.draw(results, options.out / PICTURE)
    (options.out / PAGE).write_text(report.document(results, PICTURE), encoding="utf-8")
    print(f"{options.out / PAGE}")


def environment(effort: Effort) -> str:
    """Return what the figures depend on, as lines of text."""
    how = f"{effort.turns} turns of about {effort.seconds} s" + (", a few cells only (--quick)" if effort.quick else "")
    return f"{describe()}\n{', '.join(map(_version, PACKAGES))}\ndata: {data_name()}; medians of {how}"


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few cells and turns, to try it")
    parser.add_argument("--only", type=_names, default=list(MEASURES), help=f"some of {','.join(MEASURES)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1], help="the folder for what is written")
    parser.add_argument("--turns", type=int, help="how often each side is measured (5)")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise argparse.ArgumentTypeError(f"must be some of {','.join(MEASURES)}. Received: {unknown[0]}")
    return names
