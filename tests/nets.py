"""Small nets that together have every layer in them, with data, for tests of what holds for all."""

import numpy as np
from subjects import exported

from minidl import Residual, Sequential, layers

IMAGES = np.random.default_rng(1).normal(size=(12, 6, 6, 2)).astype(np.float32)
WORDS = np.random.default_rng(2).integers(0, 9, size=(12, 5))
ROWS = np.random.default_rng(3).normal(size=(12, 6)).astype(np.float32)
LABELS = np.arange(12) % 3


ELEMENTWISE = sorted(exported(layers, layers.Elementwise))


def tail():
    return [layers.Dense(3, "softmax")]


NETS = {
    "dense": (
        ROWS,
        lambda: [
            layers.Dense(8, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.LayerNormalization(),
            layers.PReLU(),
            *tail(),
        ],
    ),
    "images": (
        IMAGES,
        lambda: [
            layers.Rescaling(0.5),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.AveragePooling2D((2, 1), padding="same"),
            layers.BatchNormalization(center=False, scale=False),
            layers.Conv2D(3, 2),
            layers.GlobalMaxPooling2D(keepdims=True),
            layers.GlobalAveragePooling2D(),
            *tail(),
        ],
    ),
    "sequences": (
        WORDS,
        lambda: [
            layers.Embedding(9, 4),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(4, return_sequences=True),
            layers.SimpleRNN(3),
            *tail(),
        ],
    ),
    "blocks": (
        ROWS,
        lambda: [
            Residual([layers.Dense(6, "gelu"), layers.Dropout(0.2), Residual([layers.Dense(6)])]),
            Sequential([layers.Dense(4), layers.Reshape((2, 2)), layers.Flatten()]),
            *tail(),
        ],
    ),
    "activations": (
        ROWS,
        lambda: [
            layers.Dense(4),
            *[Residual([layers.LayerNormalization(), getattr(layers, name)()]) for name in ELEMENTWISE],
            layers.Activation("log_softmax"),
            *tail(),
        ],
    ),
}


def kinds(parts):
    """Return the names of the classes of layers, and of those in them."""
    return {type(part).__name__ for part in parts}.union(*(kinds(part.children) for part in parts))


def net(name, seed=4, **options):
    x, inside = NETS[name]
    return Sequential([layers.Input(x.shape[1:]), *inside()], seed=seed, **options)
