"""What tests/test_parallel.py runs on several ranks, and in one process: each case gives its history and its weights.

python tests/ranks.py FOLDER, or mpiexec -n N python -m mpi4py tests/ranks.py FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from minidl import Sequential, Trainer, layers, optimizers, regularizers
from minidl.callbacks import Callback, CSVLogger, ModelCheckpoint

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((43, 6)), RNG.integers(0, 3, 43)
WEIGHTS = RNG.random(43)
OPTIMIZERS = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "lamb"]


def net(dtype: str, *extra: layers.Layer, penalty: Any = None) -> Sequential:
    """Return a net of a fixed seed."""
    first = layers.Dense(8, "tanh", kernel_regularizer=penalty, activity_regularizer=penalty)
    return Sequential([first, *extra, layers.Dense(3), layers.Softmax()], seed=4, dtype=dtype)


def trained(model: Sequential, communicator: Any, optimizer: Any = "adam", **options: Any) -> dict[str, Any]:
    """Train and tell what came of it."""
    if isinstance(optimizer, str):
        optimizer = type(optimizers.registry.get(optimizer))()
    trainer = Trainer(
        model, optimizer, "sparse_categorical_crossentropy", ["accuracy", "top_k_accuracy"], communicator=communicator
    )
    given = {"batch_size": 10, "epochs": 3, "validation_data": (X[:7], Y[:7]), "verbose": 0, **options}
    history = trainer.fit(X, Y, **given)
    return {"history": history.history, "weights": model.state_dict(), "interrupted": history.interrupted}


def cases(communicator: Any) -> dict[str, dict[str, Any]]:
    """Run all cases that must be as in one process."""
    found = {f"{name} {dtype}": trained(net(dtype), communicator, name) for name in OPTIMIZERS for dtype in DTYPES}
    l2 = regularizers.L2(0.1)
    found |= {
        f"{name} {dtype}": trained(net(dtype, **more), communicator, **options)
        for dtype in DTYPES
        for name, more, options in [
            ("sample weights", {}, {"sample_weight": WEIGHTS}),
            ("class weights", {}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.0}}),
            ("accumulated", {}, {"batch_size": 4, "accumulate": 3}),
            ("penalties", {"penalty": l2}, {}),
            ("penalties accumulated", {"penalty": l2}, {"batch_size": 4, "accumulate": 3}),
            ("single samples", {}, {"batch_size": 1}),
            ("a last batch of one", {}, {"batch_size": 21}),
            ("whole", {}, {"batch_size": 43}),
            ("split", {}, {"validation_data": None, "validation_split": 0.3}),
        ]
    }
    found |= {f"dropout {dtype}": trained(net(dtype, layers.Dropout(0.5)), communicator) for dtype in DTYPES}
    found["steps"] = stepped(communicator)
    return found


DTYPES = ["float64", "float32"]


def stepped(communicator: Any) -> dict[str, Any]:
    """Make a loop of one's own."""
    model = net("float64")
    trainer = Trainer(model, optimizers.Adam(), "sparse_categorical_crossentropy", communicator=communicator)
    losses = [trainer.step(X[i : i + 5], Y[i : i + 5])["loss"] for i in range(0, 40, 5)]
    evaluated = trainer.evaluate(X, Y, batch_size=9)["loss"]
    return {"history": {"loss": [*losses, evaluated]}, "weights": model.state_dict(), "interrupted": False}


# What only several ranks can show -----------------------------------------------------------------------------------


class Signal(Callback):
    """Sends a signal to the last rank's own process, or asks it to stop."""

    def __init__(self, rank: int, epoch: int, how: str) -> None:
        self.rank, self.epoch, self.how = rank, epoch, how

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        trainer = self.trainer
        if trainer.ranks.rank == self.rank and trainer.epoch == self.epoch and batch == 2:
            if self.how == "signal":
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                self.model.stop_training = True


def together(communicator: Any, folder: Path) -> dict[str, Any]:
    """Return what this rank sees of signals, stops, files and disagreements."""
    rank, last = communicator.Get_rank(), communicator.Get_size() - 1
    seen: dict[str, Any] = {"rank": rank}
    seen["signal"] = trained(net("float64"), communicator, callbacks=[Signal(last, 1, "signal")])
    seen["stop"] = trained(net("float64"), communicator, callbacks=[Signal(last, 1, "stop")], epochs=9)
    normal = [layers.BatchNormalization()]
    seen["batch normalisation"] = trained(net("float64", *normal), communicator)
    bad = X.copy()
    bad[40] = 1e20
    skipping = {"on_nonfinite": "skip", "shuffle": False}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Sequential([layers.Dense(3)], seed=0, dtype="float32")
        trainer = Trainer(model, "sgd", "mse", communicator=communicator)
        targets = np.zeros((43, 3), np.float32)
        targets[40] = 1e38
        history = trainer.fit(bad, targets, batch_size=10, epochs=2, verbose=0, **skipping)
    seen["skipped"] = {"history": history.history, "weights": model.state_dict()}
    dtype = ["float64", "float32"][min(rank, 1)]
    seen["disagreed on the seed"] = refusal(Trainer(net("float64"), "sgd", "mse", seed=rank, communicator=communicator))
    seen["disagreed on the model"] = refusal(Trainer(net(dtype), "sgd", "mse", communicator=communicator))
    frozen = net("float64")
    frozen.layers[0].trainable = rank == 0
    own = Trainer(frozen, "sgd", "mse", communicator=communicator)
    seen["disagreed on how parameters are trained"] = refusal(own)
    rate = optimizers.SGD(0.1 + rank)
    seen["disagreed on the optimizer"] = refusal(Trainer(net("float64"), rate, "mse", communicator=communicator))
    seen["files"] = files(communicator, folder)
    return seen


def refusal(trainer: Trainer) -> str:
    """Return what a fit is refused with."""
    try:
        trainer.fit(X, np.eye(3)[Y], verbose=0)
    except ValueError as error:
        return str(error)
    return "not refused"


def files(communicator: Any, folder: Path) -> dict[str, Any]:
    """Stop a fit with checkpoints, resume it, and run one that isn't stopped."""
    own = folder / "files"
    written = [CSVLogger(folder / "log.csv"), ModelCheckpoint(str(folder / "model-{epoch}.safetensors"))]
    last = communicator.Get_size() - 1
    first = trained(
        net("float64", layers.Dropout(0.2)), communicator, epochs=4, checkpoint=own, resume=True,
        callbacks=[*written, Signal(last, 2, "signal")],
    )  # fmt: skip
    again = trained(
        net("float64", layers.Dropout(0.2)), communicator, epochs=4, checkpoint=own, resume=True,
        callbacks=[*written, Signal(last, 9, "signal")],
    )  # fmt: skip
    whole = trained(net("float64", layers.Dropout(0.2)), communicator, epochs=4, callbacks=[Signal(last, 9, "signal")])
    try:
        trained(net("float64"), communicator, checkpoint=own)
    except OSError as error:
        refused = type(error).__name__
    return {"first": first, "again": again, "whole": whole, "refused": refused}


def main() -> None:
    """Write what came of it as a pickle, a file a rank."""
    import pickle

    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        found: dict[str, Any] = {"cases": cases(None)}
        (folder / "alone.pickle").write_bytes(pickle.dumps(found))
        return
    from mpi4py import MPI

    communicator = MPI.COMM_WORLD
    found = {"cases": cases(communicator), "together": together(communicator, folder)}
    (folder / f"rank-{communicator.Get_rank()}.pickle").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()
