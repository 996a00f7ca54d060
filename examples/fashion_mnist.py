"""The paper's net on Fashion-MNIST: 784-500-100-10, Adam at 0.0007 / (1 + epoch / 2), batches of 20.

    python examples/fashion_mnist.py [IMAGES] [EPOCHS] [PICTURE]

All 60,000 images for 5 epochs by default, which must reach 88 % on the test images; fewer must reach 75 %. The curve
goes to fashion_mnist.png. The data are downloaded (`pip install 'minidl[data]'`), or found in the directory that
MINIDL_DATA_DIR names.
"""

import sys
import time

from matplotlib.figure import Figure

from minidl import Sequential, datasets, layers, optimizers, plotting, schedules


def main(images: int, epochs: int, picture: str) -> float:
    """Train and draw; return the accuracy on the 10,000 test images."""
    (x_train, y_train), (x_test, y_test) = datasets.load_fashion_mnist()
    x_train, x_test = x_train[:images].astype("float32") / 255, x_test.astype("float32") / 255
    model = Sequential(
        [
            layers.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(500, "relu"),
            layers.Dense(100, "relu"),
            layers.Dense(10),
            layers.Softmax(),
        ],
        seed=0,
    )
    model.summary()
    rate = schedules.InverseTimeDecay(7e-4, decay_rate=0.5)
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    start = time.perf_counter()
    history = model.fit(
        x_train, y_train[:images], batch_size=20, epochs=epochs, validation_data=(x_test, y_test), verbose=2
    )
    print(f"{time.perf_counter() - start:.0f} seconds")
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = plotting.plot_curves(history, ["accuracy", "val_accuracy"], ax=figure.subplots())
    ax.set_title("Fashion-MNIST, 784-500-100-10, Adam")
    figure.savefig(picture, dpi=100)
    return float(model.evaluate(x_test, y_test, return_dict=True)["accuracy"])


if __name__ == "__main__":
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    picture = sys.argv[3] if len(sys.argv) > 3 else "fashion_mnist.png"
    accuracy, least = main(images, epochs, picture), 0.88 if images == 60_000 else 0.75
    print(f"test accuracy {accuracy:.1%}")
    if accuracy < least:
        raise SystemExit(f"less than {least:.0%}")
