"""Four kinds of nets on Fashion-MNIST: convolutional, recurrent, residual, batch-normalised.

    python examples/nets.py [NET] [IMAGES] [EPOCHS]

NET is conv, lstm, residual or batchnorm; by default all four are trained in full, on 60,000 images, and must have the
accuracy on the test images that LEAST says; on fewer images 50 %. For the data see examples/fashion_mnist.py.
"""

import sys
import time

from minidl import Residual, Sequential, datasets, layers, optimizers, schedules

L = layers
NETS = {
    "conv": lambda: [L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(64, 3, activation="relu"),
                     L.MaxPooling2D(), L.Flatten(), L.Dropout(0.5)],
    "lstm": lambda: [L.Reshape((28, 28)), L.LSTM(128)],
    "residual": lambda: [L.Conv2D(16, 3, 2, "same", activation="relu"), block(16), L.MaxPooling2D(), block(16),
                         L.GlobalAveragePooling2D()],
    "batchnorm": lambda: [L.Flatten(), *normalized(L.Dense(256)), *normalized(L.Dense(128))],
}  # fmt: skip
LEAST = {"conv": 0.91, "lstm": 0.87, "residual": 0.87, "batchnorm": 0.88}
EPOCHS = {"conv": 20, "lstm": 10, "residual": 10, "batchnorm": 8}


def normalized(layer: layers.Layer) -> list[layers.Layer]:
    """Return a layer whose sums are normalised before they are activated."""
    return [layer, L.BatchNormalization(momentum=0.9), L.ReLU()]


def block(filters: int) -> layers.Layer:
    """Return a residual block of two convolutions."""
    one, two = (normalized(L.Conv2D(filters, 3, padding="same", use_bias=False)) for _ in range(2))
    return Residual([*one, *two[:-1]])


def train(net: str, images: int, epochs: int) -> float:
    """Train; return the accuracy on the 10,000 test images."""
    (x, y), (x_test, y_test) = datasets.load_fashion_mnist()
    x, x_test = (part[:images, :, :, None].astype("float32") / 255 for part in (x, x_test))
    model = Sequential([L.Input((28, 28, 1)), *NETS[net](), L.Dense(10, "softmax")], seed=0)
    rate = schedules.CosineDecay(0.002, decay_steps=epochs * -(-len(x) // 128))
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    start = time.perf_counter()
    model.fit(x, y[:images], batch_size=128, epochs=epochs, verbose=2)
    accuracy = model.evaluate(x_test, y_test[:images], batch_size=500, return_dict=True)["accuracy"]
    print(
        f"{net}: test accuracy {accuracy:.1%} after {epochs} epochs, {(time.perf_counter() - start) / 60:.1f} minutes"
    )
    return float(accuracy)


if __name__ == "__main__":
    images = int(sys.argv[2]) if len(sys.argv) > 2 else 60_000
    for net in sys.argv[1:2] or NETS:
        accuracy = train(net, images, int(sys.argv[3]) if len(sys.argv) > 3 else EPOCHS[net])
        if accuracy < (LEAST[net] if images == 60_000 else 0.5):
            raise SystemExit(f"{net}: too low")
