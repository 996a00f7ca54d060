"""Data that are refused in the midst: model, optimizer and trainer are as after the step before."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minidl
from minidl import Sequential, Trainer, layers, metrics, optimizers

N = 22
X = np.random.default_rng(0).normal(size=(N, 3))
LABELS = (np.arange(N) * 7 + 2) % 3
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(minidl.__file__).parent.parent)}


def spoilt_later():
    """Give two good batches, then one that is refused."""
    for spoil in (False, False, True):
        y = LABELS[:8] + (100 if spoil else 0)
        yield X[:8], y


def with_buffers():
    first = layers.Dense(6, kernel_initializer="ones")
    return Sequential([first, layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(3, "softmax")], seed=0)


def test_a_batch_that_is_refused_in_the_midst_leaves_all_as_after_the_step_before():
    expected = Trainer(with_buffers(), optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    for _ in range(2):
        expected.step(X[:8], LABELS[:8])
    trainer = Trainer(with_buffers(), optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="labels must"):
        trainer.fit(spoilt_later(), verbose=0)
    for one in (expected, trainer):
        for _ in range(2):
            one.step(X[8:16], LABELS[8:16])
    states = [{name: array.tobytes() for name, array in one.model.state_dict().items()} for one in (expected, trainer)]
    assert states[0] == states[1]


def test_a_step_that_was_made_keeps_its_buffers_whatever_fails_behind_it():
    class Failing(metrics.Accuracy):
        def update(self, y_true, y_pred, sample_weight=None):
            raise RuntimeError("mine")

    results = []
    for wrong in (False, True):
        trainer = Trainer(
            with_buffers(), "adam", "sparse_categorical_crossentropy", [Failing() if wrong else "accuracy"]
        )
        with contextlib.suppress(RuntimeError):  # with "skip", metrics count behind the step
            trainer.fit(X[:8], LABELS[:8], on_nonfinite="skip", verbose=0)
        assert trainer.optimizer.iterations == 1
        results.append({name: array.tobytes() for name, array in trainer.model.state_dict().items()})
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "give",
    [
        lambda trainer: trainer.step(X, LABELS + 100),
        lambda trainer: trainer.evaluate(X, LABELS + 100),
        lambda trainer: trainer.evaluate(iter([(X, LABELS + 100)])),
        lambda trainer: trainer.fit(iter([(X, LABELS + 100)]), verbose=0),
        lambda trainer: trainer.predict(X * np.nan),
    ],
    ids=["step", "evaluate", "evaluate an iterator", "fit an iterator", "predict"],
)
def test_data_that_are_refused_do_not_build_a_model(give):
    trainer = Trainer(with_buffers(), "adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"labels must|must be finite"):
        give(trainer)
    assert not trainer.model.built
    assert trainer.optimizer.state == {}
    assert Trainer(trainer.model, "sgd", "mse").predict(X[:, :2]).shape == (N, 3)


def test_a_skipped_step_of_a_model_that_an_iterator_builds_leaves_its_statistics():
    states = []
    for spoilt in (False, True):
        batches = [(X[:8], LABELS[:8])] * 2
        if spoilt:
            batches.insert(1, (np.full((8, 3), 3e38), LABELS[:8]))  # whose sums overflow
        trainer = Trainer(with_buffers(), optimizers.Adam(0.1), "sparse_categorical_crossentropy")
        history = trainer.fit(iter(batches), on_nonfinite="skip", verbose=0)
        assert history.history["skipped"] == [int(spoilt)]
        states.append({name: array.tobytes() for name, array in trainer.model.state_dict().items()})
    assert states[0] == states[1]


# In a process of its own, which reading beyond the end of a file would kill.
CUT = """
import os, sys
import numpy as np
from minidl import Sequential, Trainer, layers
from minidl.callbacks import Lambda

which, hook = sys.argv[1:]
rng, n = np.random.default_rng(0), 4096


def map_of(array, name):
    array.tofile(name)
    return np.memmap(name, array.dtype, "r", shape=array.shape)


names = "x", "y", "x_val", "y_val"
arrays = [rng.standard_normal((n, k)) if k > 1 else rng.integers(0, 3, n) for k in (5, 1, 5, 1)]
maps = [map_of(array, name) for array, name in zip(arrays, names)]
x, y, x_val, y_val = [np.asarray(array) for array in maps] if hook == "on_epoch_end" else maps
trainer = Trainer(Sequential([layers.Dense(3, "softmax")], seed=0), "adam", "sparse_categorical_crossentropy")
states = []


def cut(*given):
    states.append([p.data.copy() for p in trainer.model.parameters])
    os.truncate(which, 8)


data = [(x[i : i + 512], y[i : i + 512]) for i in range(0, n, 512)] if hook == "on_epoch_begin" else x
try:
    if hook == "predict":
        cut()
        trainer.predict(x)
    else:
        options = {"validation_data": (x_val, y_val), "callbacks": [Lambda(**{hook: cut})]}
        trainer.fit(data, y if data is x else None, epochs=3, verbose=0, **options)
except ValueError as error:
    assert all((a == p.data).all() for a, p in zip(states[-1], trainer.model.parameters)) or which.endswith("val")
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there a mapped file can't be cut short")
@pytest.mark.parametrize(
    ("which", "hook", "named"),
    [
        ("x", "on_train_batch_end", "fit: x"),
        ("y", "on_epoch_end", "fit: y"),
        ("x", "on_epoch_begin", "fit: x"),
        ("x_val", "on_train_batch_end", "fit: validation_data: x"),
        ("y_val", "on_epoch_end", "fit: validation_data: y"),
        ("x", "predict", "predict: x"),
    ],
)
def test_a_file_that_is_cut_short_while_it_is_used_is_an_error_and_not_the_end(which, hook, named, tmp_path):
    command = [sys.executable, "-c", CUT, which, hook]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    size = 4096 * 8 * (5 if which[0] == "x" else 1)
    rule = f"{named} must be mapped from a file that isn't cut short, of at least {size} bytes. Received: "
    assert done.stdout.startswith(rule)
    assert done.stdout.endswith(", a file of 8 bytes\n")
