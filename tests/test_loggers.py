"""What tells others of a fit: lines of JSON, TensorBoard's events, whatever takes numbers."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from minidl import CheckpointPolicy, Sequential, Trainer, layers
from minidl.callbacks import Callback, JSONLogger, Logger, TensorBoard

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 2, 20)


def trainer():
    model = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2, "softmax")], seed=0)
    return Trainer(model, "adam", "sparse_categorical_crossentropy", ["accuracy"])


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fit(t, callbacks, **options):
    return t.fit(X, Y, **{"batch_size": 5, "validation_data": (X, Y), "verbose": 0, "callbacks": callbacks, **options})


# JSON ------------------------------------------------------------------------------------------------------------


def test_a_line_an_epoch_and_on_request_after_steps(tmp_path):
    path = tmp_path / "log.jsonl"
    history = fit(trainer(), [JSONLogger(path, every=2)], epochs=2)
    found = lines(path)
    assert [(row["step"], row["epoch"], "batch_loss" in row) for row in found] == [
        (2, 0, True), (4, 0, True), (4, 0, False), (6, 1, True), (8, 1, True), (8, 1, False),
    ]  # fmt: skip
    for name, values in history.history.items():
        assert [row[name] for row in found if "batch_loss" not in row] == values


def test_a_second_fit_goes_on_and_a_new_logger_begins_anew(tmp_path):
    path = tmp_path / "log.jsonl"
    t, logger = trainer(), JSONLogger(path)
    fit(t, [logger], epochs=2)
    fit(t, [logger])
    fit(t, [JSONLogger(path, append=True)])
    assert [row["epoch"] for row in lines(path)] == [0, 1, 2, 3]
    fit(t, [JSONLogger(path)])
    assert [row["epoch"] for row in lines(path)] == [4]


def test_what_json_has_no_word_for(tmp_path):
    class Spoilt(Callback):
        def on_epoch_end(self, epoch, logs):
            logs["loss"], logs["val_loss"] = float("nan"), float("-inf")

    fit(trainer(), [Spoilt(), JSONLogger(tmp_path / "log.jsonl")])
    (row,) = lines(tmp_path / "log.jsonl")
    assert (row["loss"], row["val_loss"]) == ("nan", "-inf")


class Stop(Callback):
    """Ends the process's fit as a crash would, after so many steps."""

    def __init__(self, after):
        self.after = after

    def on_train_batch_end(self, batch, logs):
        if self.trainer.optimizer.iterations == self.after:
            raise KeyError("crash")


@pytest.mark.parametrize("after", [3, 4, 6, 7, 11])
def test_a_resumed_fit_has_the_lines_of_one_that_was_not_stopped(tmp_path, after):
    options = {"epochs": 3}
    whole = tmp_path / "whole.jsonl"
    fit(trainer(), [JSONLogger(whole, every=1)], **options)
    part, policy = tmp_path / "part.jsonl", CheckpointPolicy(tmp_path / "run", every_steps=2)
    with pytest.raises(KeyError, match="crash"):
        fit(trainer(), [JSONLogger(part, every=1), Stop(after)], checkpoint=policy, **options)
    fit(trainer(), [JSONLogger(part, every=1), Stop(None)], checkpoint=policy, resume=True, **options)
    assert part.read_text() == whole.read_text()


# A function --------------------------------------------------------------------------------------------------------


class Run:
    """Like Weights & Biases' run."""

    def __init__(self):
        self.told = []

    def log(self, data, step=None, commit=None):
        self.told.append((step, dict(data)))


def log_metrics(metrics, step=None, synchronous=None, run_id=None):
    """Take what MLflow's function of this name does: numbers only."""
    assert all(isinstance(value, (int, float)) for value in metrics.values())
    log_metrics.told.append((step, metrics))


def test_anything_that_takes_numbers_and_a_step():
    run, log_metrics.told = Run(), []
    history = fit(trainer(), [Logger(run.log), Logger(log_metrics, every=3)], epochs=2)
    assert [step for step, _ in run.told] == [4, 8]
    assert [row["val_accuracy"] for _, row in run.told] == history.history["val_accuracy"]
    assert [step for step, _ in log_metrics.told] == [3, 4, 6, 8]
    with pytest.raises(TypeError, match="log must be a function"):
        Logger(run)


# TensorBoard ---------------------------------------------------------------------------------------------------------


def events(folder):
    """Return what a run's event files hold, read by their format: a length and a checksum before each record."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            found.append(event_pb2.Event.FromString(data[at + 12 : at + 12 + length]))
            at += 12 + length + 4
    return found


def scalars(folder):
    """Return a run's curves by tag, without what TensorBoard purges."""
    curves = {}
    for event in events(folder):
        if event.WhichOneof("what") == "session_log":  # it begins again at this step
            curves = {tag: {s: v for s, v in curve.items() if s < event.step} for tag, curve in curves.items()}
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return curves


def test_events_are_read_back(tmp_path):
    pytest.importorskip("tensorboardX")
    history = fit(trainer(), [TensorBoard(tmp_path, every=2, histograms=True)], epochs=3).history
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert set(train) == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate", "batch_loss"}
    assert set(validation) == {"epoch_loss", "epoch_accuracy"}
    np.testing.assert_allclose([train["epoch_loss"][i] for i in range(3)], history["loss"], rtol=1e-6)
    np.testing.assert_allclose([validation["epoch_accuracy"][i] for i in range(3)], history["val_accuracy"], rtol=1e-6)
    assert sorted(train["batch_loss"]) == [2, 4, 6, 8, 10, 12]
    drawn = {v.tag for e in events(tmp_path / "train") for v in e.summary.value if v.WhichOneof("value") == "histo"}
    assert drawn == {"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}


def test_a_resumed_fit_has_the_curves_of_one_that_was_not_stopped(tmp_path):
    pytest.importorskip("tensorboardX")
    fit(trainer(), [TensorBoard(tmp_path / "whole")], epochs=4)
    policy = CheckpointPolicy(tmp_path / "run", every_steps=3)
    with pytest.raises(KeyError, match="crash"):
        fit(trainer(), [TensorBoard(tmp_path / "part"), Stop(10)], epochs=4, checkpoint=policy)
    fit(trainer(), [TensorBoard(tmp_path / "part"), Stop(None)], epochs=4, checkpoint=policy, resume=True)
    for run in ("train", "validation"):
        assert scalars(tmp_path / "part" / run) == scalars(tmp_path / "whole" / run)


def test_without_tensorboardx_the_extra_is_named(tmp_path):
    code = (
        "import sys; sys.modules['tensorboardX'] = None; import numpy as np; import minidl\n"
        "model = minidl.Sequential([minidl.layers.Dense(1)]); model.compile('sgd', 'mse')\n"
        "model.fit(np.eye(2), np.eye(2)[:, :1], callbacks=[minidl.callbacks.TensorBoard()])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "TensorBoard: needs the extra `tensorboard`: pip install 'minidl[tensorboard]'" in done.stderr
    assert not list(tmp_path.iterdir())
