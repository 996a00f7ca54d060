"""An epoch of Fashion-MNIST with minidl: with_minidl.py DATA [EXECUTION]."""

import sys

import numpy as np

from minidl import Sequential, layers, optimizers

data = np.load(sys.argv[1])
x, y = data["x"].astype("float32") / 255, data["y"]
model = Sequential(
    [
        layers.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(500, "relu"),
        layers.Dense(100, "relu"),
        layers.Dense(10, "softmax"),
    ],
    seed=0,
)
optimizer = optimizers.Adam(1e-3)
if len(sys.argv) > 2:
    optimizer.execution = sys.argv[2]
model.compile(optimizer, "sparse_categorical_crossentropy")
model.fit(x, y, batch_size=20, epochs=1)
print("trained", flush=True)
print((model.predict(x[:1000]).argmax(axis=1) == y[:1000]).mean())
