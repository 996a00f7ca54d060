"""A training run that may be killed at any moment and started again: what a child process does.

`live(case, folder, out)` goes on with the run in `folder`, and writes into `out` what it came to, if it ends.
"""

import hashlib
import json
import os
import signal
from pathlib import Path

import numpy as np

from minidl import CheckpointPolicy, Sequential, callbacks, layers, optimizers, schedules

EPOCHS, BATCH = 4, 7

SCHEDULES = {
    "epochs": lambda rate: schedules.InverseTimeDecay(rate, decay_rate=0.5),
    "steps": lambda rate: schedules.CosineDecay(rate, decay_steps=30),
    "warmup": lambda rate: schedules.Warmup(
        schedules.StepDecay(rate, factor=0.5, step_size=9, every="step"), warmup_steps=5
    ),
}


def data():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, 6)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)


def model():
    return Sequential(
        [
            layers.Input((6,)),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(2, "softmax"),
        ],
        seed=3,
    )


def optimizer(case):
    made = optimizers.registry.get(case["optimizer"])
    made.learning_rate = SCHEDULES[case["schedule"]](made.learning_rate)
    made.execution = case["execution"]
    return made


def live(case, folder, out):
    """Train as the case says, with checkpoints in `folder` unless it is None, and write down the result."""
    _prepare_death(case.get("death"))
    net = model()
    net.compile(optimizer(case), "sparse_categorical_crossentropy", ["accuracy"])
    early = callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=case["restore"])
    options = {}
    if folder is not None:
        every = {"every_steps": 2, "every_epochs": None} if case["middle"] else {"every_epochs": 1}
        options = {"checkpoint": CheckpointPolicy(folder, **every), "resume": True}
    history = net.fit(
        *data(), batch_size=BATCH, epochs=EPOCHS, validation_split=0.25, callbacks=[early], verbose=0, **options
    )
    slots = net.trainer.optimizer.state_dict()["parameters"]
    result = {
        "history": history.to_json(),
        "weights": digest(net.get_weights()),
        "slots": digest([slot for one in slots.values() for slot in one["slots"].values()]),
        "best": [early.best, early.best_epoch, digest((early.best_weights or {}).values())],
    }
    part = Path(f"{out}.part")
    part.write_text(json.dumps(result))
    part.replace(out)


def live_large(folder, out, last):
    """Train a net whose rule comes to be compiled after some 580 steps; die behind step `last`, unless it is None."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1000, 784)).astype(np.float32), rng.integers(0, 10, 1000)
    tail = [layers.Dense(100, "relu"), layers.Dense(10, "softmax")]
    net = Sequential([layers.Input((784,)), layers.Dense(500, "relu"), *tail], seed=0)
    net.compile("adam", "sparse_categorical_crossentropy")

    def die(epoch):
        if net.trainer.optimizer.iterations == last:
            os.kill(os.getpid(), signal.SIGKILL)

    options = {"checkpoint": CheckpointPolicy(folder, every_steps=50), "resume": True} if folder else {}
    heard = [callbacks.Lambda(on_epoch_begin=die)]  # it doesn't listen to steps, so gradients may be promises
    history = net.fit(x, y, batch_size=10, epochs=8, callbacks=heard, verbose=0, **options)
    way = net.trainer.optimizer.executed
    Path(out).write_text(json.dumps([way, history.to_json(), digest(net.get_weights())]))


def digest(arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def _prepare_death(death):
    """Let this process kill itself at a stage of the writing of its n-th file."""
    if death is None:
        return
    stage, count = death
    from minidl.saving import files

    calls = {"n": 0}

    def die():
        calls["n"] += 1
        if calls["n"] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    class Half:
        """A file of which half is written when its process dies."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, content):
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            die()
            self.file.write(content[len(content) // 2 :])

        def flush(self):
            self.file.flush()

        def fileno(self):
            return self.file.fileno()

    def instead(owner, name):
        usual = getattr(owner, name)

        def dying(*args, **options):
            die()
            return usual(*args, **options)

        return dying

    if stage == "half":
        files.open = lambda *args: Half(open(*args))  # noqa: PTH123, SIM115  # what files.place opens is a number
    elif stage == "fsync":
        os.fsync = instead(os, "fsync")
    elif stage == "replace":
        Path.replace = instead(Path, "replace")
    else:
        Path.unlink = instead(Path, "unlink")
