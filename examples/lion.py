"""An optimizer of one's own: Lion, written as its paper states it, proven, and compared with Adam.

python examples/lion.py
"""

from typing import Any

import numpy as np

from minidl import Sequential, datasets, layers, optimizers, testing


class Lion(optimizers.Optimizer):
    """Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, Algorithm 2."""

    slots = ("m",)

    def __init__(self, learning_rate: float = 1e-4, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2)

    @staticmethod
    def update(w: Any, g: Any, m: Any, *, learning_rate: float, beta_1: float, beta_2: float) -> Any:
        """Return the new w and m."""
        w = w - learning_rate * np.sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g
        return w, m


def accuracy(optimizer: optimizers.Optimizer) -> float:
    """Train a small net on the digits, the same start and the same batches for each optimizer."""
    (x_train, y_train), (x_test, y_test) = datasets.load_digits()
    model = Sequential([layers.Flatten(), layers.Dense(100, "relu"), layers.Dense(10, "softmax")], seed=0)
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x_train / 16, y_train, batch_size=20, epochs=20, verbose=0)
    return float(model.evaluate(x_test / 16, y_test, return_dict=True)["accuracy"])


if __name__ == "__main__":
    print(testing.check_optimizer(Lion))
    for optimizer in (Lion(learning_rate=3e-4), optimizers.Adam(learning_rate=1e-3)):
        reached = accuracy(optimizer)
        print(f"{optimizer}: test accuracy {reached:.1%}")
        if reached < 0.88:
            raise SystemExit("less than 88 %")
