"""A classifier of two spirals, and the boundary that it drew.

python examples/decision_boundary.py [PICTURE]
"""

import sys

from matplotlib.figure import Figure

from minidl import Sequential, datasets, layers, optimizers, plotting


def main(picture: str) -> float:
    """Train, draw before and after; return the accuracy on the test points."""
    x, y = datasets.make_spirals(1000, classes=3, noise=0.03, seed=0)
    x_train, x_test, y_train, y_test = datasets.train_test_split(x, y, test_size=0.3, stratify=y, seed=0)
    model = Sequential(
        [layers.Input((2,)), layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(3), layers.Softmax()],
        seed=0,
    )
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for ax, epochs in zip(figure.subplots(1, 2), (3, 60), strict=True):
        model.fit(x_train, y_train, batch_size=20, epochs=epochs, verbose=0)
        plotting.plot_decision_boundary(model, x_test, y_test, ax=ax)
        ax.set_title(f"after {model.trainer.epoch} epochs" if model.trainer else "")
    figure.savefig(picture)
    return float(model.evaluate(x_test, y_test, return_dict=True)["accuracy"])


if __name__ == "__main__":
    file = sys.argv[1] if len(sys.argv) > 1 else "decision_boundary.png"
    accuracy = main(file)
    print(f"test accuracy {accuracy:.1%}; the boundary is in {file}")
    if accuracy < 0.95:
        raise SystemExit("less than 95 %")
