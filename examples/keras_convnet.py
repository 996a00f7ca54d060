"""Keras's way to write a small convolutional net, on Fashion-MNIST: of the script, only the imports were changed.

    python examples/keras_convnet.py [IMAGES] [EPOCHS]

With all 60,000 images (6 epochs, some two minutes) it must reach 87 % on the test images; with fewer 70 %.
"""

import sys

import numpy as np

from minidl import keras
from minidl.keras import layers


def main(images: int, epochs: int) -> float:
    """Train; return the accuracy on the test images."""
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    x_train, y_train = x_train[:images].astype("float32") / 255, y_train[:images]
    x_test = x_test.astype("float32") / 255
    x_train, x_test = np.expand_dims(x_train, -1), np.expand_dims(x_test, -1)
    y_train, y_test = keras.utils.to_categorical(y_train, 10), keras.utils.to_categorical(y_test, 10)

    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.summary()
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=epochs, validation_split=0.1, verbose=2)
    score = model.evaluate(x_test, y_test, verbose=0)
    print("Test loss:", score[0])
    print("Test accuracy:", score[1])
    return float(score[1])


if __name__ == "__main__":
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    if main(images, epochs) < (0.87 if images == 60_000 else 0.7):
        raise SystemExit("too low")
