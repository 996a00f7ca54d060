"""Is a step as fast as it was: `python -m benchmarks.pair REVISION [--rules SGD Adam] [--turns 4]`.

It trains the paper's net (784-500-100-10, random data) with the code of a revision of git and with that of the working
tree, each in a process of its own, one after the other in turns, and prints the time of a step of each and their ratio,
for each rule and batch size. A figure is the least of all turns: what else runs on a machine only adds. Updates are
compiled (the extra `fast`). Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.environment import describe
from benchmarks.house import ROOT, at

RULES = ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "AdaDelta", "Adam")
BATCHES = {1: (600, 1), 20: (4000, 1), 100: (4000, 2), 1000: (4000, 4)}  # size: samples, epochs
REPEATS = 4

# Reads rule, batch size, samples and epochs from each line; answers with the seconds of a step.
WORKER = """
import contextlib, io, sys, time
import numpy as np
from minidl import Sequential, Trainer, layers, losses, optimizers
rng = np.random.default_rng(0)
x, y = rng.random((4000, 784), dtype=np.float32), rng.integers(0, 10, 4000)
trainers = {}
for line in sys.stdin:
    rule, *numbers = line.split()
    size, samples, epochs = map(int, numbers)
    if (rule, size) not in trainers:
        net = [layers.Input((784,)), layers.Dense(500, "relu"), layers.Dense(100, "relu"), layers.Dense(10, "softmax")]
        optimizer = getattr(optimizers, rule)()
        optimizer.execution = "compiled"
        trainers[rule, size] = Trainer(Sequential(net, seed=0), optimizer, losses.SparseCategoricalCrossentropy())
    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        trainers[rule, size].fit(x[:samples], y[:samples], batch_size=size, epochs=epochs)
    print((time.perf_counter() - start) / (epochs * -(-samples // size)), flush=True)
"""


def measure(folder: Path, rules: list[str]) -> dict[tuple[str, int], float]:
    """Return the least seconds of a step for each rule and batch size, with the package in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.pop("OPENBLAS_CORETYPE", None)
    found = {}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        for rule in rules:
            for size, (samples, epochs) in BATCHES.items():
                times = []
                for _ in range(REPEATS):
                    print(rule, size, samples, epochs, file=worker.stdin, flush=True)
                    times.append(float(worker.stdout.readline()))
                found[rule, size] = min(times)
        worker.stdin.close()
    return found


def main() -> None:
    """Measure in turns, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("revision", help="what to compare with")
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=RULES)
    parser.add_argument("--turns", type=int, default=4)
    options = parser.parse_args()
    print(f"{describe()}\n")
    with at(options.revision) as folder:
        places = {options.revision: folder, "now": ROOT}
        turns: dict[str, list[dict[tuple[str, int], float]]] = {name: [] for name in places}
        for turn in range(options.turns):
            for name in list(places) if turn % 2 else [*places][::-1]:
                turns[name].append(measure(places[name], options.rules))
    least = {name: {key: min(one[key] for one in found) for key in found[0]} for name, found in turns.items()}
    before, now = least[options.revision], least["now"]
    print(f"{'µs a step':10}{'batch':>7}{options.revision:>12}{'now':>12}{'ratio':>8}")
    for (rule, size), seconds in now.items():
        was = before[rule, size]
        print(f"{rule:10}{size:7}{was * 1e6:12.0f}{seconds * 1e6:12.0f}{seconds / was:8.2f}")
    print(f"\ngeometric mean of the ratios {statistics.geometric_mean(now[key] / before[key] for key in now):.3f}")


if __name__ == "__main__":
    main()
