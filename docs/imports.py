"""Draw who knows whom, from the imports: `python docs/imports.py [FOLDER]` writes imports.svg, else into docs/pictures.

A box is a module of the package, or a package in it. It stands above all that it imports when it is imported itself; a
line goes to those of them that no other line leads to. `validation` and `config`, which everybody uses, are left out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from statistics import fmean

from matplotlib import rc_context
from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.house import measure

HERE = Path(__file__).parent
LEFT_OUT = {"validation", "config", "__main__", ""}
#: What a newcomer meets first is blue: the public modules of which training is made.
FIRST = {"callbacks", "layers", "losses", "metrics", "models", "optimizers", "schedules", "training"}

Graph = dict[str, set[str]]
Places = dict[str, tuple[float, int]]


def graph() -> Graph:
    """Return whom each unit imports when it is imported itself, but for what is everybody's."""
    imports = measure(HERE.parent).imports
    whole: Graph = {unit(name): set() for name in imports}
    for name, targets in imports.items():
        whole[unit(name)] |= {unit(target) for target in targets} - {unit(name)}
    return {one: targets - LEFT_OUT for one, targets in whole.items() if one not in LEFT_OUT}


def unit(module: str) -> str:
    """Return the module or package of minidl in which a module is."""
    return f"{module}.".split(".")[1]


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
