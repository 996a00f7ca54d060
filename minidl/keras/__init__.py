"""Keras's names, signatures and defaults on minidl's classes: `import minidl.keras as keras`.

For scripts that are to run unchanged. What isn't supported raises an error that says so; how this differs from Keras,
and from `minidl` itself, is in docs/keras.md.

>>> from minidl import keras
>>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(1)])
>>> model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="mse")
>>> model.fit(np.eye(4), np.ones(4), epochs=2, verbose=0).epoch
[0, 1]
"""

from minidl.keras import (
    activations,
    callbacks,
    config,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    regularizers,
    saving,
    utils,
)
from minidl.keras.face import missing
from minidl.keras.models import Model, Sequential
from minidl.keras.taking import from_keras
from minidl.keras.tensors import Input, KerasTensor

__all__ = [
    "Input",
    "KerasTensor",
    "Model",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "config",
    "datasets",
    "from_keras",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "regularizers",
    "saving",
    "utils",
]

backend = config
#: The version of Keras whose signatures these are.
__version__ = "3.15.1"

__getattr__ = missing("keras", __all__)
