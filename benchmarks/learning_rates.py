"""Choose a learning rate for each optimizer of `minidl compare`: `python -m benchmarks.learning_rates [DATASET …]`.

A fifth of the training data, drawn at random and stratified, is kept for validation; the test data aren't touched.
The rate with the least validation loss after the last epoch, mean over the seeds, is the one to write into
`minidl/comparison.py`. Fashion-MNIST, where a run takes half a minute, is tried with one seed.
"""

import dataclasses
import math
import statistics
import sys

from tqdm import tqdm

from minidl import comparison, optimizers
from minidl.randomness import generator
from minidl.splitting import split_indices

GRID = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SEEDS = {"fashion-mnist": (100,)}
USUAL_SEEDS = (100, 101, 102)


def held_out(task: comparison.Task, seed: int) -> comparison.Task:
    """Return the same task with a fifth of the training data in the place of the test data."""
    x, y = task.train
    train, validation = split_indices(len(x), 0.2, generator(seed, "split"), y)
    return dataclasses.replace(task, load=lambda: ((x[train], y[train]), (x[validation], y[validation])))


def choose(task: comparison.Task, name: str) -> dict[float, float]:
    """Return the mean validation loss at each rate of the grid; infinite where a run diverged."""
    losses = {}
    for rate in GRID:
        results = []
        for seed in SEEDS.get(task.name, USUAL_SEEDS):
            part = held_out(task, seed)
            optimizer = type(optimizers.registry.get(name))(learning_rate=rate)
            run = comparison.train(part, name, optimizer, seed)
            results.append(math.inf if run.diverged else run.test_loss)
        losses[rate] = statistics.mean(results)
    return losses


def main() -> None:
    """Print the losses over the grid, and the best rate of each optimizer."""
    for dataset in sys.argv[1:] or comparison.TASKS:
        task = comparison.TASKS[dataset]
        chosen = {}
        print(
            f"{dataset}: mean validation loss over seeds {SEEDS.get(dataset, USUAL_SEEDS)}\n{'':10}"
            + "".join(f"{rate:>9g}" for rate in GRID)
        )
        for name in tqdm(comparison.SEVEN, disable=None, leave=False):
            losses = choose(task, name)
            chosen[name] = min(losses, key=lambda rate: losses[rate])
            print(f"{name:10}" + "".join(f"{loss:9.4f}" for loss in losses.values()), flush=True)
        print(f"rates = {chosen}\n")


if __name__ == "__main__":
    main()
