"""Ctrl-C and SIGTERM: the first lets the step be done and the fit be resumed, the second ends at once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minidl import History, Sequential, Trainer, layers, optimizers
from minidl.callbacks import Callback, EarlyStopping, Lambda

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX's signals")

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
Y = X[:, :1]
SIGNALS = [signal.SIGINT, signal.SIGTERM]


def trainer():
    model = Sequential([layers.Input((4,)), layers.Dense(5, "tanh"), layers.Dropout(0.2), layers.Dense(1)], seed=0)
    return Trainer(model, optimizers.Adam(0.01), "mse")


def fit(made, *callbacks, **options):
    options = {"epochs": 3, "batch_size": 5, "verbose": 0, **options}
    return made.fit(X, Y, callbacks=list(callbacks), **options)


class Send(Callback):
    """Sends this process a signal after so many steps."""

    def __init__(self, number, after):
        self.number, self.after = number, after

    def on_train_batch_end(self, batch, logs):
        if self.trainer.optimizer.iterations == self.after:
            os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def handlers():
    """See that a fit leaves the handlers as they were."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("after", [1, 4, 6, 12])
def test_the_first_signal_ends_the_fit_after_the_step_in_work(tmp_path, number, after):
    straight = trainer()
    expected = fit(straight)
    made = trainer()
    history = fit(made, Send(number, after), checkpoint=tmp_path)
    assert history.interrupted
    assert made.optimizer.iterations == after
    assert len(history) == (after - 1) // 4
    assert (tmp_path / f"checkpoint-{after:09d}.safetensors").exists()
    for other in (made, trainer()):  # in the same process, or in a new one
        again = fit(other, Send(number, None), checkpoint=tmp_path, resume=True)
        assert not again.interrupted
        assert again == expected
        np.testing.assert_equal(other.model.state_dict(), straight.model.state_dict())
        (tmp_path / f"checkpoint-{12:09d}.safetensors").unlink(missing_ok=after < 12)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_fit_without_checkpoints_ends_too(number):
    made = trainer()
    ended = []
    history = fit(made, Send(number, 6), Lambda(on_train_end=lambda: ended.append(True)))
    assert history.interrupted
    assert (len(history), made.optimizer.iterations, ended) == (1, 6, [True])
    assert not fit(made).interrupted


@pytest.mark.parametrize("number", SIGNALS)
def test_it_ends_in_the_middle_of_validation_too(tmp_path, number):
    straight = trainer()
    expected = fit(straight, validation_data=[(X, Y)] * 5)

    class Data:
        """Batches of validation data, in the second epoch of which a signal comes."""

        gone, asked = 0, 0

        def __iter__(self):
            self.gone += 1
            for index in range(5):
                if (self.gone, index) == (2, 2):
                    os.kill(os.getpid(), number)
                self.asked += 1
                yield X, Y

    data, made = Data(), trainer()
    history = fit(made, validation_data=data, checkpoint=tmp_path)
    assert history.interrupted
    assert data.asked == 5 + 3
    assert (len(history), made.optimizer.iterations) == (1, 8)
    other = trainer()
    with pytest.warns(UserWarning, match="validation batches was 0, is 5"):
        assert fit(other, validation_data=[(X, Y)] * 5, checkpoint=tmp_path, resume=True) == expected
    np.testing.assert_equal(other.model.state_dict(), straight.model.state_dict())


def test_a_signal_behind_the_last_step_is_told_too():
    heard = Lambda(on_epoch_end=lambda epoch, logs: os.kill(os.getpid(), signal.SIGINT) if epoch == 2 else None)
    history = fit(trainer(), heard)
    assert history.interrupted
    assert len(history) == 3


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_end"])
def test_a_signal_is_told_wherever_it_comes(hook):
    assert fit(trainer(), Lambda(**{hook: lambda: os.kill(os.getpid(), signal.SIGTERM)})).interrupted


def test_the_best_weights_come_back_at_an_interruption_and_go_on_from_the_last(tmp_path):
    straight, early = trainer(), EarlyStopping("loss", patience=9, restore_best_weights=True)
    expected = fit(straight, early)
    early = EarlyStopping("loss", patience=9, restore_best_weights=True)
    made = trainer()
    fit(made, early, Send(signal.SIGINT, 7), checkpoint=tmp_path)
    np.testing.assert_equal(made.model.state_dict(), early.best_weights)
    with pytest.warns(UserWarning, match="callbacks was"):
        assert fit(made, early, checkpoint=tmp_path, resume=True) == expected
    np.testing.assert_equal(made.model.state_dict(), straight.model.state_dict())


def test_a_history_tells_in_json_that_it_was_interrupted():
    history = fit(trainer(), Send(signal.SIGINT, 6))
    assert json.loads(history.to_json())["interrupted"] is True
    assert History.from_json(history.to_json()).interrupted
    assert "interrupted" not in json.loads(fit(trainer()).to_json())


def test_the_second_signal_ends_at_once():
    made, ended = trainer(), []

    def twice(batch, logs):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fit(made, Lambda(on_train_batch_end=twice, on_train_end=lambda: ended.append(True)))
    assert time.monotonic() - start < 5
    assert (made.optimizer.iterations, ended) == (1, [True])


def test_a_handler_of_one_s_own_stays_in_force():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        history = fit(trainer(), Send(signal.SIGINT, 3))
    finally:
        signal.signal(signal.SIGINT, before)
    assert not history.interrupted
    assert (len(history), heard) == (3, [signal.SIGINT])


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert not fit(trainer(), Send(signal.SIGTERM, 3)).interrupted
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_fit_in_another_thread_leaves_signals_alone():
    found = []
    thread = threading.Thread(target=lambda: found.append(fit(trainer(), Lambda(on_epoch_begin=see))))

    def see(epoch):
        found.append(signal.getsignal(signal.SIGINT))

    thread.start()
    thread.join()
    assert found[0] is signal.default_int_handler
    assert not found[-1].interrupted


def test_a_fit_inside_a_fit_leaves_the_signal_to_the_outer_one():
    inner = []
    heard = Lambda(on_epoch_begin=lambda epoch: inner.append(fit(trainer(), Send(signal.SIGINT, 2))))
    assert fit(trainer(), heard).interrupted
    assert [history.interrupted for history in inner] == [False]


SCRIPT = """
import sys, time, numpy as np
from minidl import *
folder, out, batch, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
x = np.random.default_rng(0).normal(size=(2000, 50)).astype(np.float32)
y = (x[:, 0] > 0).astype(int)
inside = [layers.Dense(40, "relu"), layers.Dropout(0.3), layers.Dense(2, "softmax")]
model = Sequential([layers.Input((50,)), *inside], seed=1)
rate = schedules.CosineDecay(0.01, decay_steps=900)
model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
def say(number, logs):
    if number == batch:
        print("step", flush=True)
        time.sleep(seconds)
options = {} if folder == "none" else {"checkpoint": folder, "resume": True}
heard = [callbacks.Lambda(on_train_batch_end=say)]
history = model.fit(x, y, batch_size=20, epochs=4, callbacks=heard, verbose=0, **options)
model.save_weights(out)
print(history.interrupted, history.to_json().replace("\\n", ""), flush=True)
"""


def script(folder, out, batch, seconds):
    """Start a fit that tells of a batch of each epoch, and waits there."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(out), str(batch), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_a_real_process_is_stopped_again_and_again_and_ends_as_if_it_had_not_been(tmp_path, number):
    out, _ = script("none", tmp_path / "straight", -1, 0).communicate(timeout=120)
    expected = out.splitlines()[-1]
    for batch in (17, 80, 99):
        process = script(tmp_path / "run", tmp_path / "out", batch, 0.2)
        assert process.stdout.readline() == "step\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.startswith("True ")
    out, _ = script(tmp_path / "run", tmp_path / "out", -1, 0).communicate(timeout=120)
    assert out.splitlines()[-1] == expected
    assert (tmp_path / "out").read_bytes() == (tmp_path / "straight").read_bytes()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_real_process_dies_of_the_second_signal(tmp_path, number):
    process = script(tmp_path / "run", tmp_path / "out", 3, 30)
    assert process.stdout.readline() == "step\n"
    process.send_signal(number)
    time.sleep(0.3)
    assert process.poll() is None  # it waits for the step
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == -number
    assert ("KeyboardInterrupt" in err) == (number == signal.SIGINT)
