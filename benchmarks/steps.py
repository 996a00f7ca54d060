"""The time of a training step: `python -m benchmarks.steps`.

The paper's net, 784-500-100-10 in float32, through `Trainer.fit` with history, for each of the seven optimizers; with
PyTorch (as it comes, two lines a step) beside it in the same run if it is installed. The two take turns, five times;
the figures are medians.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.environment import describe
from minidl import Sequential, Trainer, layers, losses, optimizers

BATCH_SIZE = 20
STEPS = 200
TURNS = 5

OPTIMIZERS: dict[str, tuple[Callable[[], optimizers.Optimizer], str, dict[str, float | bool]]] = {
    "SGD": (optimizers.SGD, "SGD", {"lr": 0.01}),
    "Momentum": (optimizers.Momentum, "SGD", {"lr": 0.01, "momentum": 0.9}),
    "Nesterov": (optimizers.Nesterov, "SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "AdaGrad": (optimizers.AdaGrad, "Adagrad", {"lr": 0.01}),
    "RMSprop": (optimizers.RMSprop, "RMSprop", {"lr": 0.001}),
    "AdaDelta": (optimizers.AdaDelta, "Adadelta", {"lr": 1.0}),
    "Adam": (optimizers.Adam, "Adam", {"lr": 0.001}),
}


def ours(make: Callable[[], optimizers.Optimizer], x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """Return what makes STEPS steps of minidl."""
    model = Sequential(
        [layers.Input((784,)), layers.Dense(500, "relu"), layers.Dense(100, "relu"), layers.Dense(10, "softmax")],
        seed=0,
    )
    trainer = Trainer(model, make(), losses.SparseCategoricalCrossentropy())

    def run() -> None:
        trainer.fit(x, y, batch_size=BATCH_SIZE, epochs=1, verbose=0)

    return run


def theirs(name: str, arguments: dict[str, float | bool], x: np.ndarray, y: np.ndarray) -> Callable[[], None] | None:
    """Return what makes STEPS steps of PyTorch, or None where it isn't installed."""
    try:
        import torch
    except ImportError:
        return None
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = getattr(torch.optim, name)(model.parameters(), **arguments)
    loss = nn.CrossEntropyLoss()
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)

    def run() -> None:
        order = torch.randperm(len(xs))
        for start in range(0, len(xs), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            optimizer.zero_grad()
            loss(model(xs[batch]), ys[batch]).backward()
            optimizer.step()

    return run


def microseconds(run: Callable[[], None]) -> float:
    """Return the time of a step."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / STEPS * 1e6


def main() -> None:
    """Print the table."""
    print(f"{describe()}\n\nµs a step, 784-500-100-10, batches of {BATCH_SIZE}, medians of {TURNS} turns\n")
    rng = np.random.default_rng(0)
    x = rng.random((STEPS * BATCH_SIZE, 784), np.float32)
    y = rng.integers(0, 10, STEPS * BATCH_SIZE)
    print(f"{'':10}{'minidl':>10}{'PyTorch':>10}{'ratio':>8}")
    for title, (make, name, arguments) in OPTIMIZERS.items():
        sides = [ours(make, x, y), theirs(name, arguments, x, y)]
        for side in sides:
            if side is not None:
                side()
        times = [[microseconds(side) for side in sides if side is not None] for _ in range(TURNS)]
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        peer = f"{medians[1]:10.0f}{medians[1] / medians[0]:8.2f}" if len(medians) > 1 else f"{'none':>10}"
        print(f"{title:10}{medians[0]:10.0f}{peer}")


if __name__ == "__main__":
    main()
