"""What is measured side by side: steps of nets, optimizers alone, and how both grow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.speed.measure import Effort, measure
from benchmarks.speed.tasks import FLOOR, HYPERPARAMETERS, OURS, Task
from benchmarks.speed.workers import FRAMEWORKS, Workers

__all__ = ["SECTIONS", "conv", "growth", "lion", "lstm", "optimizer", "steps"]

RULES = [rule for rule in HYPERPARAMETERS if rule != "Lion"]
STEPS = {1: 500, 10: 300, 20: 300, 100: 100, 1000: 20}  # an epoch, by batch size
QUICK = {1: 50, 20: 50, 1000: 5}
PAPER = 443_610  # parameters of the paper's net

# Each in a process of its own, whose memory is then its own too.
GROWING = [(FLOOR, FLOOR), *(("minidl", side) for side in OURS), ("PyTorch", "PyTorch fused"), ("JAX", "JAX step")]
WIDTHS = {(12, 12): 1000, (111, 111): 300, (680, 680): 50, (2780, 2780): 5, (9600, 9600): 2}  # steps, by hidden layers
BATCHES = {1: 500, 10: 300, 100: 100, 1000: 20, 10_000: 5}


def steps(effort: Effort) -> dict[str, Any]:
    """Measure the paper's net by seven rules and five batch sizes."""
    rules, sizes = (["SGD", "Adam"], QUICK) if effort.quick else (RULES, STEPS)
    return _cells(effort, [Task(rule, size, n) for rule in rules for size, n in sizes.items()])


def lion(effort: Effort) -> dict[str, Any]:
    """Measure the paper's net by a rule that no library but Keras has."""
    return _cells(effort, [Task("Lion", size, n) for size, n in (QUICK if effort.quick else STEPS).items()])


def conv(effort: Effort) -> dict[str, Any]:
    """Measure Keras's "Simple MNIST convnet"."""
    return _cells(effort, [Task("Adam", 64, 5 if effort.quick else 20, net="conv", dropout=0.5)])


def lstm(effort: Effort) -> dict[str, Any]:
    """Measure an LSTM that reads an image row by row."""
    return _cells(effort, [Task("Adam", 64, 5 if effort.quick else 20, net="lstm")])


def optimizer(effort: Effort) -> dict[str, Any]:
    """Measure optimizers alone."""
    sizes = {PAPER: 50} if effort.quick else {PAPER: 200, 10_000_000: 10}
    tasks = [Task(rule, 1, n, net="vector", widths=(size,)) for rule in ("Adam", "Lion") for size, n in sizes.items()]
    return _cells(effort, tasks, ["minidl", "floor", "PyTorch"])


def growth(effort: Effort) -> dict[str, Any]:
    """Measure time and memory by the number of parameters and by the batch size."""
    wider = [Task("Adam", 20, n, widths=widths) for widths, n in WIDTHS.items()]
    larger = [Task("Adam", size, n) for size, n in BATCHES.items()]
    if effort.quick:
        wider, larger = wider[:2], larger[:1]
    return {
        "parameters": [_growing(effort, task) for task in wider],
        "batch_size": [_growing(effort, task) for task in larger],
    }


SECTIONS = {"steps": steps, "lion": lion, "conv": conv, "lstm": lstm, "optimizer": optimizer, "growth": growth}


def _cells(effort: Effort, tasks: list[Task], frameworks: Iterable[str] = FRAMEWORKS) -> dict[str, Any]:
    """Return a cell for each task."""
    with Workers((framework, "") for framework in frameworks) as workers:
        return {"cells": [measure(workers, task, effort) for task in tasks], "absent": workers.absent}


def _growing(effort: Effort, task: Task) -> dict[str, Any]:
    """Return a cell with memory too, from processes that have done nothing else."""
    with Workers(GROWING) as workers:
        return {**measure(workers, task, effort, memory=True), "absent": workers.absent}
