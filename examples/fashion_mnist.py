"""The paper's net on Fashion-MNIST: 784-500-100-10, Adam at 0.0007 / (1 + epoch / 2), batches of 20.

    python examples/fashion_mnist.py [IMAGES] [EPOCHS]

All 60,000 images for 5 epochs by default, which must reach 88 % on the test images; fewer must reach 75 %. The data are
downloaded (`pip install 'minidl[data]'`), or found in the directory that MINIDL_DATA_DIR names.
"""

import sys
import time

from minidl import Sequential, datasets, layers, optimizers, schedules


def main(images: int, epochs: int) -> float:
    """Train; return the accuracy on the 10,000 test images."""
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
    model.fit(x_train, y_train[:images], batch_size=20, epochs=epochs, validation_data=(x_test, y_test), verbose=2)
    print(f"{time.perf_counter() - start:.0f} seconds")
    return float(model.evaluate(x_test, y_test, return_dict=True)["accuracy"])


if __name__ == "__main__":
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    accuracy, least = main(images, epochs), 0.88 if images == 60_000 else 0.75
    print(f"test accuracy {accuracy:.1%}")
    if accuracy < least:
        raise SystemExit(f"less than {least:.0%}")
