"""A training loop written by hand around `Trainer.step`: it shows the hard samples more often.

python examples/own_loop.py
"""

import numpy as np

from minidl import Sequential, Trainer, datasets, layers, losses, optimizers


def main() -> float:
    """Train on the digits; return the test accuracy."""
    (x_train, y_train), (x_test, y_test) = datasets.load_digits()
    x_train, x_test = x_train.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16
    model = Sequential([layers.Dense(100, "relu"), layers.Dense(10), layers.Softmax()], seed=0)
    optimizer = optimizers.Nesterov(0.05)
    trainer = Trainer(model, optimizer, losses.SparseCategoricalCrossentropy(), ["accuracy"])
    rng = np.random.default_rng(0)
    chances = np.full(len(x_train), 1 / len(x_train))

    for step in range(1, 1201):
        if step == 900:
            optimizer.learning_rate = 0.01
        batch = rng.choice(len(x_train), size=20, p=chances)
        logs = trainer.step(x_train[batch], y_train[batch])
        if step % 300 == 0:
            p_right = trainer.predict(x_train)[np.arange(len(x_train)), y_train]
            chances = (1.1 - p_right) / (1.1 - p_right).sum()
            print(f"step {step:4d}  batch loss {logs['loss']:.4f}  training accuracy {(p_right > 0.5).mean():.1%}")

    return trainer.evaluate(x_test, y_test)["accuracy"]


if __name__ == "__main__":
    accuracy = main()
    print(f"test accuracy {accuracy:.1%}")
    if accuracy < 0.88:
        raise SystemExit("less than 88 %")
