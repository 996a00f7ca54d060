"""What the terminal shows while a model trains."""

import io
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from minidl import Sequential, Trainer, layers, metrics, optimizers
from minidl.callbacks import Lambda

X = np.random.default_rng(0).normal(size=(20, 3))


def trainer(metric="mae"):
    model = Sequential([layers.Input((3,)), layers.Dense(1)], seed=0)
    return Trainer(model, optimizers.SGD(0.015), "mse", [metric])


def test_verbose_0_prints_nothing(capfd):
    trainer().fit(X, X[:, :1], epochs=3, validation_split=0.2, verbose=0)
    assert capfd.readouterr() == ("", "")


def test_verbose_2_prints_a_line_an_epoch(capfd):
    t = trainer()
    for _ in range(2):
        history = t.fit(X, X[:, :1], epochs=3, validation_data=(X, X[:, :1]), verbose=2).history
        out, err = capfd.readouterr()
        assert err == ""
        lines = out.splitlines()
        assert len(lines) == 3
        for i, line in enumerate(lines):
            assert line.startswith(f"Epoch {i + 1}/3: loss={history['loss'][i]:.4g}, ")
            for name in ("mae", "val_loss", "val_mae", "learning_rate"):
                assert f"{name}={history[name][i]:.4g}" in line


@pytest.mark.parametrize("form", ["arrays", "batches", "iterator"])
def test_verbose_1_draws_a_bar_on_stderr_with_the_loss_and_the_rate(capfd, form):
    batches = [(X[i : i + 5], X[i : i + 5, :1]) for i in range(0, 20, 5)]
    options = {"arrays": {"batch_size": 5, "epochs": 2}, "batches": {"epochs": 2}, "iterator": {}}[form]
    data = {"arrays": (X, X[:, :1]), "batches": (batches,), "iterator": (iter(batches),)}[form]
    history = trainer().fit(*data, accumulate=2, **options).history  # a bar is the default
    out, err = capfd.readouterr()
    assert out == ""
    epochs = len(history["loss"])
    steps = "4batch" if form == "iterator" else f"100% {4 * epochs}/{4 * epochs} "
    bar = next(drawing for drawing in err.replace("\r", "\n").splitlines() if steps in drawing)
    assert bar.startswith(f"Epoch {epochs}/{epochs}: ")
    assert "learning_rate=0.015" in bar
    for epoch in (1, epochs):  # the first and the last are always told, those between if there is time
        logs = [f"{name}={history[name][epoch - 1]:.4g}" for name in ("loss", "mae", "learning_rate")]
        assert f"Epoch {epoch}/{epochs}: {', '.join(logs)}\n" in err


def test_lines_of_fast_epochs_are_told_now_and_then(capfd):
    trainer().fit(X, X[:, :1], epochs=300)
    lines = [
        line
        for line in capfd.readouterr().err.replace("\r", "\n").splitlines()
        if re.match(r"Epoch \d+/300: loss", line)
    ]
    assert 2 <= len(lines) < 50
    assert lines[-1].startswith("Epoch 300/300: loss=")


def test_the_bar_of_a_training_that_stops_early_shows_its_last_epoch(capfd):
    t = trainer()

    def stop(epoch, logs):
        t.model.stop_training = True

    history = t.fit(X, X[:, :1], epochs=5, callbacks=[Lambda(on_epoch_end=stop)]).history
    err = capfd.readouterr().err
    assert re.search(r"Epoch 1/5:\s+20%.*1/5", err)
    assert f"Epoch 1/5: loss={history['loss'][-1]:.4g}" in err


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_batch_end", "on_epoch_end"])
def test_an_error_leaves_the_bar_closed(capfd, hook):
    def fail(*arguments):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough") as error:  # the traceback keeps the bar alive
        trainer().fit(X, X[:, :1], callbacks=[Lambda(**{hook: fail})])
    err = capfd.readouterr().err
    assert err.split("\r")[-1].strip() == ""
    assert error.traceback


class Counting(io.StringIO):
    """Counts what is written to it."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.writes = terminal, 0

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.writes += bool(text.strip())
        return super().write(text)


@pytest.mark.parametrize(("terminal", "most"), [(False, 20), (True, 300)])
def test_the_bar_is_drawn_seldom(monkeypatch, terminal, most):
    stream = Counting(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    asked = []

    class Asked(metrics.MeanAbsoluteError):
        def result(self):
            asked.append(1)
            return super().result()

    t = trainer(Asked())
    x = np.repeat(X, 100, axis=0)
    t.fit(x, x[:, :1], batch_size=1)
    assert "2000/2000" in stream.getvalue()
    assert stream.writes < most
    assert 0 < len(asked) < most


def test_tqdm_is_loaded_for_a_bar_only():
    code = """
import sys, numpy as np
from minidl import Sequential, Trainer, layers
t = Trainer(Sequential([layers.Dense(1)]), "sgd", "mse")
for verbose in (0, 2, 1):
    t.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=verbose)
    print("tqdm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if "Epoch" not in line] == ["False", "False", "True"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
@pytest.mark.parametrize(("verbose", "place"), [(0, None), (1, 1), (2, 0)])
def test_an_interrupted_fit_says_so(capfd, tmp_path, verbose, place):
    stop = Lambda(on_train_batch_end=lambda batch, logs: os.kill(os.getpid(), signal.SIGINT) if batch == 2 else None)
    for options, says in (
        ({}, "after step 3"),
        ({"checkpoint": tmp_path}, f"after step 3; resume=True goes on from {tmp_path}"),
    ):
        trainer().fit(X, X[:, :1], batch_size=5, epochs=3, callbacks=[stop], verbose=verbose, **options)
        shown = capfd.readouterr()
        assert "".join(shown).count("Interrupted") == (place is not None)
        if place is not None:
            assert f"Interrupted {says}\n" in shown[place]


def test_a_resumed_fit_shows_what_is_done(capfd, tmp_path):
    trainer().fit(X, X[:, :1], batch_size=5, epochs=2, verbose=0, checkpoint=tmp_path)
    trainer().fit(X, X[:, :1], batch_size=5, epochs=3, checkpoint=tmp_path, resume=True)
    err = capfd.readouterr().err
    assert "Epoch 3/3: " in err
    assert " 8/12 " in err
    assert "100% 12/12 " in err
