"""The page: what was measured, as tables, and the figures that sum it up."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.speed.tasks import FLOOR, LOOP, OURS, SCAN

__all__ = ["COMPARISONS", "document", "is_peer", "medians", "ratios", "title"]

Cell = Mapping[str, Any]
Ratios = dict[str, float]

# How a page calls a comparison: which peers count.
COMPARISONS: dict[str, Callable[[str], bool]] = {
    "the fastest peer of all": lambda side: True,
    "the fastest peer that runs step by step": lambda side: side != SCAN,
    "PyTorch at its best": lambda side: side.startswith("PyTorch"),
    "PyTorch as it comes": lambda side: side == "PyTorch",
}
ORDER = (
    FLOOR, *OURS, LOOP, "PyTorch", "PyTorch foreach", "PyTorch fused", "PyTorch compiled", "PyTorch channels_last",
    "JAX step", SCAN, "Keras", "scikit-learn",
)  # fmt: skip

INTRODUCTION = """# Speed

Written by `python -m benchmarks`, which measures all sides in one run, in turns, each framework in a process of its
own, once it has seen that they compute the same losses from the same weights; figures are medians over the turns. Every
side shuffles its data and gathers its batches. Ours is `Trainer.fit` with history, the check that gradients are finite,
and the progress bar: `minidl` with its update compiled (the extra `fast`), `minidl replayed` with NumPy alone. "PyTorch
compiled" is the net by `torch.compile`, with the fused optimizer where there is one, else with a compiled one. JAX's
sides are jitted functions with the update written by hand and buffers donated: a step a call, or an epoch a call by
`lax.scan`. Keras runs on JAX. The floor is what no side with NumPy's BLAS can do without that writes its gradients
down: the bare matrix products of a step, then one pass of one thread over all arrays that the update reads and writes.
(For batches of up to 15 rows ours and JAX don't write down that of the first kernel; updates of ours and PyTorch's have
more than one thread.)
"""
SECTIONS = {
    "steps": "A step of the paper's net",
    "lion": "A custom rule: Lion, on the same net",
    "conv": "A convolutional net",
    "lstm": "An LSTM",
    "optimizer": "The optimizer alone",
}
TEXTS = {
    "steps": "784-500-100-10, ReLU, softmax cross-entropy, float32; µs a step. B is the batch size.",
    "lion": "Ours is the class of the README; theirs are written by hand, in eager PyTorch and in JAX. µs a step.",
    "conv": 'Keras\'s "Simple MNIST convnet", Adam, B = 64; µs a step.',
    "lstm": "LSTM(128) over the 28 rows of an image, then Dense(10), Adam, B = 64; µs a step.",
    "optimizer": "One parameter of n numbers, along a constant gradient; µs a step. PyTorch and ours have all threads.",
}


def document(results: Mapping[str, Any], picture: str) -> str:
    """Return the page."""
    parts = [INTRODUCTION, _environments(results)]
    parts += [_figures(name, results[name]["cells"]) for name in SECTIONS if name in results]
    if "steps" in results:
        parts.append(_overhead(results["steps"]["cells"]))
    parts.append(f"![Step times, ratios, growth and whole runs]({picture})\n")
    parts += [_cells(name, results[name]["cells"]) for name in SECTIONS if name in results]
    tables = {"whole": _whole, "import": _import, "growth": _growth}
    parts += [table(results[name]) for name, table in tables.items() if name in results]
    return "\n".join([*parts, _left_out(results)]).rstrip() + "\n"


def medians(cell: Cell) -> dict[str, float]:
    """Return each side's seconds a step, in the order of the page."""
    return {side: statistics.median(cell["turns"][side]) for side in ORDER if side in cell["turns"]}


def is_peer(side: str) -> bool:
    """Tell whether a side is another framework's."""
    return side not in (*OURS, LOOP, FLOOR)


def title(cell: Cell) -> str:
    """Return what a cell is called."""
    task = cell["task"]
    if task["net"] == "vector":
        return f"{task['rule']}, n = {task['parameters']:,}"
    return f"{task['rule']}, B = {task['batch_size']:,}"


def ratios(cells: Iterable[Cell], ours: str, counts: Callable[[str], bool]) -> Ratios:
    """Return by title how many times as long as ours the fastest of those peers takes, where both were measured."""
    found = {}
    for cell in cells:
        times = medians(cell)
        peers = [seconds for side, seconds in times.items() if is_peer(side) and counts(side)]
        if peers and ours in times:
            found[title(cell)] = min(peers) / times[ours]
    return found


def over_floor(cells: Iterable[Cell], ours: str) -> Ratios:
    """Return by title how many times as long as the floor ours takes."""
    timed = {title(cell): medians(cell) for cell in cells}
    return {name: times[ours] / times[FLOOR] for name, times in timed.items() if {ours, FLOOR} <= times.keys()}


def _figures(name: str, cells: Sequence[Cell]) -> str:
    """Return the means and the worst cells of a section; comparisons with the same peers are shown once."""
    rows = []
    for ours in OURS:
        shown: list[Ratios] = []
        for against, counts in COMPARISONS.items():
            found = ratios(cells, ours, counts)
            if found not in shown:
                rows += _figure(f"{against} ÷ {ours}", found, min)
                shown.append(found)
        rows += _figure(f"{ours} ÷ {FLOOR}", over_floor(cells, ours), max)
    return f"## Figures: {SECTIONS[name]}\n\n" + _table(["times", "geometric mean", "worst cell", "cells"], rows)


def _figure(text: str, found: Ratios, worst: Callable[..., str]) -> list[list[str]]:
    """Return the row of a comparison, or none where nothing is to be compared."""
    if not found:
        return []
    cell = worst(found, key=found.__getitem__)
    mean = statistics.geometric_mean(found.values())
    return [[text, f"{mean:.2f}", f"{found[cell]:.2f} ({cell})", str(len(found))]]


def _overhead(cells: Iterable[Cell]) -> str:
    rows = []
    for cell in cells:
        times = medians(cell)
        if {OURS[0], LOOP} <= times.keys():
            fit, loop = times[OURS[0]], times[LOOP]
            rows.append([title(cell), _micro(fit), _micro(loop), f"{_micro(fit - loop)} ({fit / loop - 1:+.1%})"])
    if not rows:
        return ""
    text = "`Trainer.fit` against a bare loop of shuffle, gather, forward, loss, backward and step; µs a step."
    return f"## What the Trainer costs\n\n{text}\n\n" + _table(["", "fit", "bare loop", "more"], rows)


def _cells(name: str, cells: Sequence[Cell]) -> str:
    timed = [(cell, medians(cell)) for cell in cells]
    sides = [side for side in ORDER if any(side in times for _, times in timed) and side != LOOP]
    rows = [[title(cell), *(_micro(times.get(side)) for side in sides)] for cell, times in timed]
    return f"## {SECTIONS[name]}\n\n{TEXTS[name]}\n\n" + _table(["", *sides], rows)


def _whole(found: Mapping[str, Any]) -> str:
    ours = statistics.median(found["seconds"][OURS[0]]) if OURS[0] in found["seconds"] else None
    rows = []
    for side, runs in found["seconds"].items():
        seconds, peaks = statistics.median(runs), [peak for peak in found["peaks"][side] if peak is not None]
        ratio = f"{seconds / ours:.2f}" if ours else ""
        rows.append([side, f"{seconds:.2f}", ratio, _mega(statistics.median(peaks) if peaks else None)])
    text = (
        "An epoch over 6,000 images of Fashion-MNIST, B = 20, Adam: the scripts in `benchmarks/speed/scripts`, from "
        "the start of the process to the trained model, imports included, and the most memory up to there."
    )
    return f"## Whole runs\n\n{text}\n\n" + _table(["", "seconds", "÷ minidl", "peak MB"], rows)


def _import(found: Mapping[str, Any]) -> str:
    times = [[f"`import {name}`", f"{statistics.median(runs):.3f}"] for name, runs in found["seconds"].items()]
    steps = {way: [statistics.median(step) for step in zip(*runs, strict=True)] for way, runs in found["first"].items()}
    first = [[way, *(f"{seconds:.3f}" for seconds in times)] for way, times in steps.items()]
    sizes = [[name, _mega(size["own"]), _mega(size["all"])] for name, size in found["sizes"].items()]
    return (
        "## Imports and sizes\n\nSeconds of an import once NumPy is there, and megabytes on the disk.\n\n"
        + _table(["", "seconds"], times)
        + "\nSeconds of the first step of an optimizer, with its trial and its tracing.\n\n"
        + _table(["its rule", "the first of a process", "of another rule after it"], first)
        + "\n"
        + _table(["", "its own MB", "with all that it requires"], sizes)
    )


def _growth(found: Mapping[str, Any]) -> str:
    text = (
        "Adam. Memory is the peak while an epoch is trained, beyond what the process took after its imports and with "
        "its data; what compiling takes counts."
    )
    parts = [f"## Growth\n\n{text}\n"]
    for key, label in {"parameters": "parameters (B = 20)", "batch_size": "batch size (the paper's net)"}.items():
        cells = found[key]
        sides = [side for side in ORDER if any(side in cell["turns"] for cell in cells)]
        times = [[_size(cell, key), *(_micro(medians(cell).get(side)) for side in sides)] for cell in cells]
        weighed = [side for side in sides if side != FLOOR]
        peaks = [[_size(cell, key), *(_mega(cell["peaks"].get(side)) for side in weighed)] for cell in cells]
        parts += [f"µs a step by {label}:\n", _table([key.replace("_", " "), *sides], times)]
        parts += [f"MB by {label}:\n", _table([key.replace("_", " "), *weighed], peaks)]
    return "\n".join(parts)


def _size(cell: Cell, key: str) -> str:
    return f"{cell['task'][key]:,}"


def _environments(results: Mapping[str, Any]) -> str:
    """Return what the figures depend on; more than once where sections were measured in different surroundings."""
    sections: dict[str, list[str]] = {}
    for name, found in results.items():
        sections.setdefault(found["environment"], []).append(name)
    heads = [
        (f"{', '.join(names)}:\n\n" if len(sections) > 1 else "") + f"```text\n{environment}\n```\n"
        for environment, names in sections.items()
    ]
    return "\n".join(heads)


def _left_out(results: Mapping[str, Any]) -> str:
    """Return who didn't take part somewhere, with the reason."""
    lines: dict[str, None] = {}
    for found in results.values():
        cells = [*found.get("cells", []), *found.get("parameters", []), *found.get("batch_size", [])]
        for part in [found, *cells]:
            reasons = {**dict(part.get("left_out", {})), **_reasons(part.get("absent", {}))}
            lines.update(dict.fromkeys(f"* {side}: {reason}" for side, reason in reasons.items()))
    return "## Left out\n\n" + "\n".join(lines) + "\n" if lines else ""


def _reasons(absent: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    return dict(absent) if isinstance(absent, Mapping) else dict.fromkeys(absent, "not installed")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _micro(seconds: float | None) -> str:
    """Return microseconds, to three digits where there are fewer."""
    if seconds is None:
        return "-"
    micro = seconds * 1e6
    return f"{micro:,.0f}" if abs(micro) >= 100 else f"{micro:.3g}"


def _mega(size: float | None) -> str:
    if size is None:
        return "-"
    return f"{size / 1e6:,.0f}" if size >= 1e7 else f"{size / 1e6:.1f}"
