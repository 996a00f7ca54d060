"""The course notebook's three runs, number for number: gradient descent, momentum and Adam on two moons.

    python examples/notebook.py [EPOCHS]

Prints our costs beside the notebook's, which it printed every 1,000 of its 10,000 epochs (a few seconds a run).
"""

import sys
from collections.abc import Callable

import numpy as np

from minidl import Sequential, Trainer, callbacks, datasets, layers, losses, optimizers

PRINTED = {
    "gradient descent": "0.690736 0.685273 0.647072 0.619525 0.576584 0.607243 0.529403 0.460768 0.465586 0.464518",
    "momentum": "0.690741 0.685341 0.647145 0.619594 0.576665 0.607324 0.529476 0.460936 0.465780 0.464740",
    "adam": "0.690552 0.185567 0.150852 0.074454 0.125936 0.104235 0.100552 0.031601 0.111709 0.197648",
}
ACCURACY = {"gradient descent": 0.796667, "momentum": 0.796667, "adam": 0.94}
OPTIMIZERS: dict[str, Callable[[], optimizers.Optimizer]] = {
    "gradient descent": lambda: optimizers.SGD(0.0007),
    "momentum": lambda: optimizers.Momentum(0.0007, momentum=0.9, dampening=0.9),  # the averaged form
    "adam": lambda: optimizers.Adam(0.0007),
}


def run(name: str, epochs: int) -> tuple[list[float], float]:
    """Train as the notebook did; return the cost of the last mini-batch of every epoch, and the accuracy."""
    x, y = datasets.make_moons(300, noise=0.2, seed=3)
    y = y[:, None]
    dense = layers.Dense
    model = Sequential(
        [layers.Input((2,)), dense(5, "relu"), dense(2, "relu"), dense(1, "sigmoid")], seed=3, dtype="float64"
    )
    rng = np.random.RandomState(3)
    for kernel in model.parameters[::2]:  # the notebook's kernels are (outputs, inputs), ours the other way
        n_in, n_out = kernel.shape
        kernel.data = (rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in)).T  # randn's numbers
    costs: list[float] = []
    record = callbacks.Lambda(on_train_batch_end=lambda batch, logs: costs.append(logs["batch_loss"]))
    trainer = Trainer(model, OPTIMIZERS[name](), losses.BinaryCrossentropy(), ["accuracy"])
    trainer.fit(
        x, y, batch_size=64, epochs=epochs, callbacks=[record], verbose=0,
        shuffle=lambda epoch, n: np.random.RandomState(11 + epoch).permutation(n),
    )  # fmt: skip
    return costs[4::5], trainer.evaluate(x, y)["accuracy"]


if __name__ == "__main__":
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for name, printed in PRINTED.items():
        costs, accuracy = run(name, epochs)
        print(f"{name}: accuracy {accuracy:.6f}, the notebook's {ACCURACY[name]:.6f} after 10000 epochs")
        for epoch, theirs in zip(range(0, epochs, 1000), printed.split(), strict=False):
            print(f"  epoch {epoch:5d}   ours {costs[epoch]:.6f}   the notebook's {theirs}")
            if f"{costs[epoch]:.6f}" != theirs:
                sys.exit(f"{name}, epoch {epoch}: a digit differs")
