"""An LSTM that learns to write, letter by letter, as Keras's text generation does: only the imports were changed.

    python examples/keras_text.py [EPOCHS]

The text is generated: sentences of a small grammar. It must get 85 % of the next letters right (5 epochs, 5 seconds).
"""

import random
import sys

import numpy as np

from minidl import keras
from minidl.keras import layers

LENGTH = 20


def text_of(sentences: int) -> str:
    """Return sentences of a grammar."""
    draw = random.Random(0).choice
    who, does, what = ["a cat", "the bird", "my dog"], ["sees", "hears", "follows"], ["the moon", "a river", "the wind"]
    return "".join(f"{draw(who)} {draw(does)} {draw(what)}. " for _ in range(sentences))


def main(epochs: int) -> float:
    """Train; print what it writes; return the share of letters that are right."""
    keras.utils.set_random_seed(0)
    text = text_of(300)
    chars = sorted(set(text))
    index = {char: i for i, char in enumerate(chars)}
    starts = range(0, len(text) - LENGTH, 3)
    x = np.zeros((len(starts), LENGTH, len(chars)), dtype="bool")
    y = np.zeros((len(starts), len(chars)), dtype="bool")
    for i, start in enumerate(starts):
        for t, char in enumerate(text[start : start + LENGTH]):
            x[i, t, index[char]] = True
        y[i, index[text[start + LENGTH]]] = True

    model = keras.Sequential(
        [keras.Input(shape=(LENGTH, len(chars))), layers.LSTM(64), layers.Dense(len(chars), activation="softmax")]
    )
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(0.01), metrics=["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=epochs, verbose=2)
    written = text[:LENGTH]
    for _ in range(100):
        window = np.zeros((1, LENGTH, len(chars)))
        for t, char in enumerate(written[-LENGTH:]):
            window[0, t, index[char]] = 1
        written += chars[int(np.argmax(model.predict(window, verbose=0)[0]))]
    print(written)
    return history.history["accuracy"][-1]


if __name__ == "__main__":
    if main(int(sys.argv[1]) if len(sys.argv) > 1 else 5) < 0.85:
        raise SystemExit("too low")
