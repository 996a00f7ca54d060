"""Draw who knows whom, from the imports: `python docs/imports.py [FOLDER]` writes imports.svg, else into docs/pictures.

A box is a module of the package, or a package in it. It stands above all that it imports when it is imported itself; a
line goes to those of them that no other line leads to. `validation` and `config`, which everybody uses, are left out.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import fmean

from matplotlib import rc_context
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "minidl"
EVERYBODYS = {"validation", "config"}
#: What a newcomer meets first is blue: the public modules of which training is made.
FIRST = {"callbacks", "layers", "losses", "metrics", "models", "optimizers", "schedules", "training"}

Graph = dict[str, set[str]]
Places = dict[str, tuple[float, int]]


def units() -> dict[str, list[Path]]:
    """Return the files of each module or package."""
    files = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or not path.name.startswith("__")]
    found = defaultdict(list)
    for path in sorted(files):
        found[path.relative_to(PACKAGE).parts[0].removesuffix(".py")].append(path)
    return dict(found)


def graph() -> Graph:
    """Return whom each unit imports when it is imported itself, but for what is everybody's."""
    known = {unit: files for unit, files in units().items() if unit not in EVERYBODYS}
    trees = {unit: [ast.parse(path.read_text(encoding="utf-8")) for path in files] for unit, files in known.items()}
    return {unit: set(_imported(trees[unit])) & set(known) - {unit} for unit in known}


def _imported(trees: Iterable[ast.Module]) -> Iterator[str]:
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "minidl":
            inside = (node.module or "").split(".")[1:]
            yield from inside[:1] or (alias.name for alias in node.names)


def reduced(whole: Graph) -> Graph:
    """Return the graph without the lines that others, one behind the other, lead along."""

    @cache
    def below(unit: str) -> frozenset[str]:
        return frozenset(whole[unit]).union(*(below(other) for other in whole[unit]))

    return {
        unit: {other for other in targets if not any(other in below(third) for third in targets)}
        for unit, targets in whole.items()
    }


def placed(lines: Graph) -> Places:
    """Return where each unit stands: one row above the highest that it imports, near those to whom its lines go."""

    @cache
    def row(unit: str) -> int:
        return 1 + max((row(other) for other in lines[unit]), default=-1)

    rows = defaultdict(list)
    for unit in sorted(lines):
        rows[row(unit)].append(unit)
    back = {unit: {other for other in lines if unit in lines[other]} for unit in lines}
    x = {unit: (i + 0.5) / len(row) for row in rows.values() for i, unit in enumerate(row)}
    shift = {number: 0.03 * (number % 3 - 1) for number in rows}  # else lines would run behind boxes
    for turn in range(40):  # each near the mean of its neighbours: those below, then those above
        for number in sorted(rows, reverse=bool(turn % 2)):
            near = {unit: (lines if turn % 2 == 0 else back)[unit] for unit in rows[number]}
            rows[number].sort(key=lambda unit: fmean(x[other] for other in near[unit]) if near[unit] else x[unit])
            x.update({unit: (i + 0.5) / len(rows[number]) for i, unit in enumerate(rows[number])})
    return {unit: (x[unit] + shift[number], number) for number, row in rows.items() for unit in row}


def told(lines: Graph) -> str:
    """Return the lines as a text, which the picture holds, too."""
    return "; ".join(f"{unit}: {', '.join(sorted(targets))}" for unit, targets in sorted(lines.items()))


def draw(folder: Path) -> None:
    """Write the picture."""
    lines = reduced(graph())
    places = placed(lines)
    top = max(row for _, row in places.values())
    with rc_context({"svg.hashsalt": "minidl"}):
        figure = Figure(figsize=(12, 0.85 * (top + 1)), layout="constrained")
        ax = figure.subplots()
        for unit, targets in lines.items():
            for other in sorted(targets):
                ax.plot(*zip(places[unit], places[other], strict=True), color="#b0b0b0", linewidth=1, zorder=1)
        for unit, place in places.items():
            face = "#d6e6f7" if unit in FIRST else "#f4f4f4"
            box = {"boxstyle": "round,pad=0.4", "facecolor": face, "edgecolor": "#888"}
            ax.text(*place, unit, ha="center", va="center", fontsize=9.5, zorder=2, bbox=box)
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.5, top + 0.5))
        ax.set_axis_off()
        figure.savefig(folder / "imports.svg", metadata={"Date": None, "Description": told(lines)})


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "pictures")
