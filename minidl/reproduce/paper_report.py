"""What came of the paper's tables: ours beside theirs, cell by cell, and why they differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from minidl.lab import Result, Study
from minidl.lab.page import Page, Sheet
from minidl.lab.results import mean_sd
from minidl.reproduce.paper import ENTRIES, FIGURES, MAIN, READINGS, TITLES, Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Line", "cost", "differences", "figures", "fits", "headlines", "lines", "report", "sheet"]

CHANCE = 10.0  # per cent: what a net that has diverged, or never learned, has of ten classes
APART = 20.0  # points between seeds that ended in different ways
LIMIT = 1.5  # points of test accuracy beyond which a difference is named


@dataclass(frozen=True)
class Line:
    """An entry of the paper, and our runs of it by one reading, in per cent.

    Attributes:
        train: Training accuracy, of each seed; chance where it diverged.
        test: Test accuracy alike.
        best: The highest test accuracy after any epoch, of each seed: what a run shows on its way.
        diverged: The epochs in which runs did.
        arrives: The first epoch, from 1, in which seed 0's running training accuracy is the paper's; None if there is
            none.
    """

    entry: Entry
    reading: str
    train: list[float]
    test: list[float]
    best: list[float]
    diverged: list[int]
    arrives: int | None

    @property
    def gap(self) -> float:
        """How many points our test accuracy, of the median seed, is above theirs."""
        assert self.entry.test is not None
        return statistics.median(self.test) - self.entry.test


def lines(study: Study) -> list[Line]:
    """Return a line for each entry and reading that has been run, in the paper's order."""
    runs: dict[tuple[Entry, str], list[Result]] = {}
    entries = {(e.place, e.rule, e.rate, e.batch, e.epochs): e for e in ENTRIES}
    for cell in study.cells:
        result = study.results.get(cell.key)
        if result is not None:
            told = cell.labels
            rate = getattr(cell.learning_rate, "initial", cell.learning_rate)
            entry = entries[told["place"], told["optimizer"], rate, told["paper_batch"], cell.epochs]
            runs.setdefault((entry, told["reading"]), []).append(result)
    order = {reading.name: i for i, reading in enumerate(READINGS)}
    found = [_line(entry, reading, results) for (entry, reading), results in runs.items()]
    return sorted(found, key=lambda line: (ENTRIES.index(line.entry), order[line.reading]))


def _line(entry: Entry, reading: str, results: Sequence[Result]) -> Line:
    arrives = None
    if entry.train is not None:
        accuracies = results[0].history.history["accuracy"]
        arrives = next((i for i, value in enumerate(accuracies, 1) if 100 * value >= entry.train), None)
    return Line(
        entry,
        reading,
        [100 * result.values["train_accuracy"] if result.diverged is None else CHANCE for result in results],
        [100 * result.values["test_accuracy"] if result.diverged is None else CHANCE for result in results],
        [100 * max(result.history.history.get("val_accuracy") or [CHANCE / 100]) for result in results],
        [result.diverged for result in results if result.diverged is not None],
        arrives,
    )


# Tables ------------------------------------------------------------------------------------------------------------


def sheet(place: str, found: Sequence[Line]) -> Sheet:
    """Return one of the paper's tables with ours beside theirs."""
    here = [line for line in found if line.entry.place == place]
    others = list(dict.fromkeys(line.reading for line in here if line.reading != MAIN))
    rows = []
    for entry in (entry for entry in ENTRIES if entry.place == place):
        by_reading = {line.reading: line for line in here if line.entry == entry}
        main = by_reading.get(MAIN)
        rows.append([*_head(entry), *_own(entry, main), *(_other(by_reading.get(name)) for name in others)])
    counts = sorted({len(line.test) for line in here if line.reading == MAIN}) or [0]
    seeds = f"{counts[0]} seed{'s' * (counts[0] != 1)}" + (f", {counts[-1]} where each stands" if counts[1:] else "")
    keras = place in ("VIII", "IX")
    heads = ["learning rate", "batch size", "iterations"]
    if keras:  # Table IX doesn't tell the batch size
        heads = ["rule", *(["batch size"] if place == "VIII" else []), "epochs", "learning rate"]
    own = ["theirs, test", "ours, test", "difference"]
    if keras:
        own.append("ours, best epoch")
    else:
        own = ["theirs, train", "ours, train", *own, "their training accuracy reached in epoch"]
    caption = f"Table {place}. {TITLES[place]}. Accuracy in %; ours: {seeds}"
    return Sheet(caption, [*heads, *own, *others], rows)


def _head(entry: Entry) -> list[Any]:
    if entry.full:
        return [entry.rule, *([entry.batch] if entry.place == "VIII" else []), entry.epochs, entry.rate]
    return [entry.rate, entry.batch, entry.epochs]


def _own(entry: Entry, line: Line | None) -> list[Any]:
    train = [] if entry.full else [entry.train, None if line is None else _accuracy(line.train, line.diverged)]
    if line is None:
        return [*train, entry.test, None, None, None]
    own = [*train, entry.test, _accuracy(line.test, line.diverged), (f"{line.gap:+.1f}", round(line.gap, 4))]
    return [*own, _accuracy(line.best, []) if entry.full else line.arrives]


def _accuracy(values: Sequence[float], diverged: Sequence[int]) -> tuple[str, float]:
    """Return the mean ± standard deviation; where seeds end in different ways, which a mean would hide, each of them."""
    text = mean_sd(values, 1)
    if max(values) - min(values) > APART:
        text = ", ".join(f"{value:.1f}" for value in values)
    if diverged:
        text += f" (diverged in epoch {', '.join(map(str, diverged))})"
    return text, round(statistics.median(values), 4)


def _other(line: Line | None) -> tuple[str, float] | None:
    if line is None:
        return None
    test, key = _accuracy(line.test, line.diverged)
    return (test if line.entry.full else f"{mean_sd(line.train, 1)} / {test}"), key


# What the tables tell ----------------------------------------------------------------------------------------------


def fits(found: Sequence[Line]) -> Sheet:
    """Return how far each reading is from the paper over Tables I to VII, and which way accuracy goes with batch size."""
    rows = []
    for reading in READINGS[:4]:
        here = [line for line in found if line.reading == reading.name and line.entry.train is not None]
        if not here:
            continue
        train = statistics.fmean(abs(statistics.fmean(line.train) - _known(line.entry.train)) for line in here)
        test = statistics.fmean(abs(line.gap) for line in here)
        rows.append(
            [reading.name, len(here), (f"{train:.1f}", train), (f"{test:.1f}", test), *_trends(here, lambda e, v: v)]
        )
    theirs = [line for line in found if line.reading == MAIN and line.entry.train is not None]
    rows.append(["the paper", None, None, None, *_trends(theirs, lambda entry, value: entry.train)])
    return Sheet(
        "How far each reading is from the paper's Tables I to VII: mean distance in points; and how training accuracy "
        "goes from batch size 10 to 20, in points, over the rows of a table",
        ["reading", "rows", "training", "test", "V, 10 to 20", "VI, 10 to 20", "VII, 10 to 20"],
        rows,
    )


def headlines(found: Sequence[Line]) -> list[str]:
    """Return what all tables come to."""
    here = [line for line in found if line.reading == MAIN and line.entry.test is not None and line.entry.place != "IX"]
    small = [line for line in here if not line.entry.full]
    told = []
    if small:
        best = max(small, key=lambda line: statistics.median(line.test))
        theirs = max((line.entry for line in small), key=lambda entry: _known(entry.test))
        told.append(
            f"Tables I to VII, best test accuracy: ours {_accuracy(best.test, best.diverged)[0]} % ({_words(best.entry)}), "
            f"theirs {theirs.test:g} % ({_words(theirs)})."
        )
    for name, lines_of in {
        "Tables I to VII": small,
        "Table VIII (IX has the same runs)": [line for line in here if line.entry.full],
    }.items():
        if lines_of:
            near = sum(abs(line.gap) <= LIMIT for line in lines_of)
            told.append(f"{name}: {near} of {len(lines_of)} test accuracies are within {LIMIT:g} points of theirs.")
    return told


def _words(entry: Entry) -> str:
    return f"Table {entry.place}, {entry.rule}, learning rate {entry.rate:g}, batch size {entry.batch}, {entry.epochs} epochs"


def _trends(found: Sequence[Line], value: Any) -> Iterator[tuple[str, float] | None]:
    for place in ("V", "VI", "VII"):
        values = {
            (line.entry.batch, line.entry.epochs): value(line.entry, statistics.fmean(line.train))
            for line in found
            if line.entry.place == place
        }
        rises = [
            values[20, epochs] - low
            for (batch, epochs), low in values.items()
            if batch == 10 and (20, epochs) in values
        ]
        yield (f"{statistics.fmean(rises):+.1f}", statistics.fmean(rises)) if rises else None


def differences(found: Sequence[Line]) -> list[str]:
    """Return each difference of more than 1.5 points of test accuracy with its likeliest reason."""
    told = []
    for line in found:
        entry = line.entry
        if line.reading != MAIN or entry.test is None or entry.place == "IX" or abs(line.gap) <= LIMIT:
            continue
        place = "Tables VIII and IX" if entry.place == "VIII" else f"Table {entry.place}"
        others = {other.reading: other for other in found if other.entry == entry and other is not line}
        told.append(
            f"{place}, {entry.rule}, learning rate {entry.rate:g}, batch size {entry.batch}, {entry.epochs} epochs: "
            f"ours {_accuracy(line.test, line.diverged)[0]}, theirs {entry.test:g} ({line.gap:+.1f}). "
            + (_reason_by_keras(line, others) if entry.full else _reason(line))
        )
    return told


def _reason(line: Line) -> str:
    entry, ours = line.entry, statistics.fmean(line.train)
    theirs = _known(entry.train)
    if line.arrives is not None and line.arrives < 0.8 * entry.epochs and ours > theirs + 1:
        return (
            f"Ours is trained further: it has their training accuracy in epoch {line.arrives}, and {ours:.1f} % at the end, "
            f"theirs {theirs:g} %; the paper tells neither its start nor how its pixels are scaled."
        )
    if ours < theirs - 1:
        return (
            f"Ours is trained less far ({ours:.1f} % of the training images, theirs {theirs:g} %): with one rate and as "
            "many epochs it is the start or the scale of the pixels, which the paper doesn't tell."
        )
    return (
        "The training accuracies are alike; a single run's test accuracy on 1,000 images has a standard error of 1.1 points, "
        "and from epoch to epoch it goes up and down by as much."
    )


def _reason_by_keras(line: Line, others: Mapping[str, Line]) -> str:
    entry = line.entry
    few = others.get("6,000 images")
    on_few = "" if few is None else f" (on 6,000 images ours is {statistics.fmean(few.test):.1f})"
    if entry.rule in ("sgd", "nesterov") and entry.rate < 0.001:
        return (
            "At so small a rate plain descent is still on its way, and theirs is not so far as this many steps go: the "
            f"likeliest is fewer steps, as on the 6,000 images of its other runs{on_few}."
        )
    if entry.rule in ("sgd", "nesterov"):
        return (
            "At this rate and batch size plain descent isn't stable: now and then a step throws the loss up, from which some "
            "seeds come back, later or sooner, and others don't. The likeliest is a luckier run, or the best epoch of one: "
            f"ours have {_accuracy(line.best, [])[0]} there."
        )
    if entry.test == CHANCE:
        ours = "Ours did so, too, in another epoch." if line.diverged else "Ours didn't, with this start."
        return f"Theirs is chance: its ReLUs died, or it diverged. {ours}"
    return f"Both have learned; ours has {_accuracy(line.best, [])[0]} in its best epoch{on_few}."


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def cost(study: Study) -> dict[str, Any]:
    """Return what the study's runs have cost; a run that goes through shorter ones is counted once."""
    longest: dict[str, Result] = {}
    for cell in study.cells:
        result = study.results.get(cell.key)
        if result is not None:
            before = longest.get(cell.run_key)
            if before is None or result.seconds > before.seconds:
                longest[cell.run_key] = result
    seconds = sum(result.seconds for result in longest.values())
    cpu = sum(result.cpu_seconds for result in longest.values())
    distinct = len({cell.key for cell in study.cells if cell.key in study.results})
    return {
        "cells": f"{distinct}, by {len(longest)} runs",
        "seconds a cell": f"{seconds / max(distinct, 1):.0f}",
        "hours of one core": f"{seconds / 3600:.2f} by the clock, {cpu / 3600:.2f} of the processor's own time",
        "cells an hour and core": f"{3600 * distinct / max(seconds, 1e-9):.0f}",
    }


# The report --------------------------------------------------------------------------------------------------------


def figures(study: Study) -> dict[int, Figure]:
    """Return the paper's figures 2 to 8: loss over the epochs, of seed 0, by the first reading."""
    from matplotlib.figure import Figure

    from minidl import plotting

    tables = {2: "I", 3: "II", 4: "III", 5: "IV"}
    drawn = {}
    for number in FIGURES:
        place = tables.get(number, f"figure {number}")
        histories = {}
        for cell in study.cells:
            result = study.results.get(cell.key)
            told = cell.labels
            if result is not None and (told["place"], told["reading"], cell.seed) == (place, MAIN, 0):
                histories[f"learning rate {cell.learning_rate:g}"] = result.history
        if histories:
            figure = Figure(figsize=(10, 3.8), layout="constrained")
            left, right = figure.subplots(1, 2)
            plotting.plot_curves(histories, "loss", ax=left, log=True)
            plotting.plot_curves(histories, "val_loss", ax=right, label="test loss", log=True)
            drawn[number] = figure
    return drawn


def report(study: Study, environment: Mapping[str, Any], command: str) -> tuple[Page, list[Sheet]]:
    """Return the page, and the tables on it that stand for themselves."""
    found = lines(study)
    total, done = len(study.cells), len(study.table().rows)
    page = Page(
        "The paper's tables and figures, tried again",
        "A. V. Malarkkan, B. Gokulakrishnan, G. Sekkilar and R. Ramakrishnan, Evaluation of Gradient Descent Optimization "
        "Techniques in Deep Neural Networks: the net 784-500-100-10 on Fashion-MNIST, by plain descent, Polyak's momentum, "
        "RMSprop and Adam, and by Keras's optimizers. Each cell of its nine tables, ours beside theirs.",
    )
    page.section("What was run")
    page.text(
        f"{done} of {total} cells have been run."
        + ("" if done == total else " The others are empty below; the same command runs them.")
        + " Tables I to VII are on the first 6,000 training and 1,000 test images, Tables VIII and IX on all 60,000 and "
        "10,000. The start is normal of variance 2 / n, cut at two standard deviations (in VIII and IX Glorot's uniform one, "
        "Keras's default), pixels are from 0 to 1.",
        "What the paper leaves open is tried in several readings. The first, `as its code`: a batch size of 10, 15 or 20 is "
        "so many batches an epoch (of 600, 400 or 300 images), an iteration is an epoch (Tables I to IV don't tell how many: "
        "300 here), the rate doesn't decay (its code computes a decayed one, but steps with the other), momentum is "
        "averaged (v ← μ v + (1 − μ) g), Keras's Nesterov has Keras's default momentum of 0, its loss cuts probabilities to "
        "[1e-7, 1 − 1e-7], as Keras 2 did, so that samples beyond have no gradient. The others change one thing "
        "each: `decayed rate` steps with rate / (1 + 0.01 · epoch); `classical momentum` has v ← μ v + g; in `images a batch` "
        "a batch size is a number of images; in `Nesterov 0.9` Keras's Nesterov has momentum 0.9; `exact loss` doesn't cut (tried where it matters: plain descent at the rate 0.5); `6,000 images` has Keras's runs on the images of the others.",
        "A run that diverged is a result: it counts as 10 %, chance, with the epoch in which a gradient wasn't finite any "
        "more. ± is the standard deviation over the seeds; where seeds ended in different ways, each one stands. The difference is that of the median seed. The best epoch is the highest test accuracy after any epoch, which a run shows on its way but no honest figure is. Of other readings training and test accuracy stand as "
        "training / test, with seed 0.",
    )
    page.section("What came of it")
    page.points(headlines(found))
    sheets = [sheet(place, found) for place in TITLES]
    for place, one in zip(TITLES, sheets, strict=True):
        page.section(f"Table {place}")
        page.table(one, partial(_exceeds, one))
    fit = fits(found)
    page.section("Which reading fits")
    page.table(fit)
    page.section("Differences of more than 1.5 points, and the likeliest reasons")
    page.points(differences(found) or ["None."])
    page.section("Figures 2 to 8: loss over the epochs")
    for number, figure in figures(study).items():
        page.figure(f"figure-{number}", figure, f"Figure {number}. {FIGURES[number]}: loss on the training images, a mean "
                    f"over each epoch, and on the test images, after each epoch (seed 0).")  # fmt: skip
    page.section("What it cost, with what, and how to run it again")
    page.facts("Cost", cost(study))
    for i, one_environment in enumerate(study.environments or [dict(environment)]):
        page.facts(f"Environment {i + 1}" if len(study.environments) > 1 else "Environment", one_environment)
    page.code(command)
    page.text("`cells/` beside this page holds each run: its settings, its results, and its history by epochs.")
    return page, [*sheets, fit]


def _exceeds(sheet: Sheet, row: int, column: int) -> bool:
    value = sheet.rows[row][column]
    return sheet.columns[column] == "difference" and isinstance(value, tuple) and abs(value[1]) > LIMIT
