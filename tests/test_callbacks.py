"""Callbacks: when they are called, what they are told, and what the built-in ones do."""

import csv
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Sequential, Trainer, layers, load_model, losses, metrics, optimizers, schedules
from minidl.callbacks import Callback, CSVLogger, EarlyStopping, Lambda, ModelCheckpoint, Norms, ReduceOnPlateau
from minidl.saving import FileError

NAN = math.nan
HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
X = np.random.default_rng(0).normal(size=(10, 3))
Y = X[:, :1] + 1


def trainer(**options):
    model = Sequential([layers.Input((3,)), layers.Dense(1)], seed=0, dtype="float64")
    return Trainer(model, optimizers.SGD(0.01), losses.MeanSquaredError(), ["mae"], **options)


class Count(layers.Layer):
    """Counts its training batches in a buffer."""

    def build(self, input_shape, rng):
        super().build(input_shape, rng)
        self.buffers["batches"] = np.zeros(1)

    def forward(self, x, training=False):
        self.buffers["batches"] += training
        return x

    def backward(self, dy, accumulate=False):
        return dy


class Script:
    """Fits of one batch an epoch whose losses are `values`: the loss is w², and w is set before each epoch."""

    def __init__(self, *values):
        model = Sequential([layers.Input((1,)), Count(), layers.Dense(1, use_bias=False)], seed=0, dtype="float64")
        self.trainer = Trainer(model, optimizers.SGD(0.0), "mse")
        self.values = values

    def put(self, epoch):
        self.trainer.model.parameters[0].data[...] = math.sqrt(self.values[epoch])

    def fit(self, epochs, *callbacks):
        data = np.ones((2, 1)), np.zeros((2, 1))
        callbacks = [Lambda(on_epoch_begin=self.put), *callbacks]
        return self.trainer.fit(*data, epochs=epochs, validation_data=data, callbacks=callbacks, verbose=0)

    @property
    def weights(self):
        """The loss of the present weights, and the count in the buffer."""
        state = self.trainer.model.state_dict()
        return round(state["dense/kernel"].item() ** 2, 9), state["count/batches"].item()


def feed(callback, values, learning_rate=1.0):
    """Show `values` to a callback, epoch by epoch until it stops; return the learning rates that it left."""
    column = callback.monitor
    model = SimpleNamespace(stop_training=False)
    watched = [metrics.Accuracy(), metrics.MeanSquaredError(name="mse")]
    optimizer = optimizers.SGD(learning_rate)
    callback.trainer = SimpleNamespace(model=model, metrics=watched, optimizer=optimizer, columns=[column])
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {column: value, "other": 0.0})
        rates.append(callback.trainer.optimizer.learning_rate)
        if model.stop_training:
            break
    return rates


# Hooks and logs --------------------------------------------------------------------------------------------


def recorders(*names):
    events = []

    def recorder(name):
        return Lambda(**{hook: lambda *args, hook=hook: events.append((name, hook, *args)) for hook in HOOKS})

    return events, [recorder(name) for name in names]


def test_hooks_are_called_in_order_with_their_arguments():
    events, callbacks = recorders("first", "second")
    t = trainer()
    t.fit(X, Y, batch_size=4, epochs=1, verbose=0)
    history = t.fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), callbacks=callbacks, verbose=0)
    expected = [("on_train_begin",)]
    for epoch in (1, 2):
        expected.append(("on_epoch_begin", epoch))
        expected += [(f"on_train_batch_{turn}", batch) for batch in range(3) for turn in ("begin", "end")]
        expected.append(("on_epoch_end", epoch))
    expected.append(("on_train_end",))
    assert [event[:3] for event in events] == [(name, *e) for e in expected for name in ("first", "second")]

    logs = [event[3] for event in events if event[:2] == ("first", "on_epoch_end")]
    assert logs == [{name: values[i] for name, values in history.history.items()} for i in range(2)]
    columns = ["loss", "mae", "val_loss", "val_mae", "learning_rate"]
    assert list(logs[0]) == columns


def test_batch_logs_hold_the_means_so_far_and_the_loss_of_the_step():
    events, callbacks = recorders("it")
    history = trainer().fit(X, Y, batch_size=4, callbacks=callbacks, shuffle=False, verbose=0)
    logs = [event[3] for event in events if event[1] == "on_train_batch_end"]
    steps = trainer()
    alone = [steps.step(X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)]
    assert [log["batch_loss"] for log in logs] == [log["loss"] for log in alone]
    for i, log in enumerate(logs):
        assert set(log) == {"loss", "mae", "batch_loss"}
        assert {type(value) for value in log.values()} == {float}
        for name in ("loss", "mae"):
            mean = np.average([other[name] for other in alone[: i + 1]], weights=[4, 4, 2][: i + 1])
            assert log[name] == pytest.approx(mean, rel=1e-12)
    assert logs[-1]["loss"] == history.history["loss"][0]


def test_a_batch_is_a_step_when_batches_are_accumulated():
    events, callbacks = recorders("it")
    trainer().fit(X, Y, batch_size=2, accumulate=2, callbacks=callbacks, verbose=0)
    assert [event[2] for event in events if event[1] == "on_train_batch_end"] == [0, 1, 2]


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end"])
def test_stop_training_ends_after_the_epoch_and_not_the_next_fit(hook):
    t = trainer()

    class Stop(Callback):
        pass

    setattr(Stop, hook, lambda self, *arguments: setattr(self.model, "stop_training", True))
    history = t.fit(X, Y, batch_size=4, epochs=5, callbacks=[Stop()], verbose=0)
    assert (history.epoch, t.optimizer.iterations) == ([0], 3)
    assert t.fit(X, Y, epochs=2, verbose=0).epoch == [1, 2]


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "on_train_end"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_on_train_end_is_called_also_when_an_error_ends_training(hook, error):
    def fail(*arguments):
        raise error("enough")

    ended = []
    callbacks = [Lambda(on_train_end=lambda: ended.append(True)), Lambda(**{hook: fail})]
    with pytest.raises(error, match="enough"):
        trainer().fit(X, Y, callbacks=callbacks, verbose=0)
    assert ended == [True]


def test_lambda_refuses_unknown_hooks_with_a_hint():
    with pytest.raises(ValueError, match=r"no such hook. Received: on_epoch_ends. Did you mean 'on_epoch_end'"):
        Lambda(on_epoch_ends=print)


# EarlyStopping ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values", "stopped", "best_epoch"),
    [
        ({"patience": 0}, [3, 2, 1, 2, 2, 2], 3, 2),
        ({"patience": 1}, [3, 2, 1, 2, 2, 2], 3, 2),
        ({"patience": 2}, [3, 2, 1, 2, 2, 2], 4, 2),
        ({"patience": 3}, [3, 2, 1, 2, 2, 2], 5, 2),
        ({"patience": 4}, [3, 2, 1, 2, 2, 2], None, 2),
        ({"patience": 2}, [3, 4, 2, 4, 1, 4, 4], 6, 4),
        ({}, [1, 1], 1, 0),
        ({"min_delta": 0.5, "patience": 2}, [3, 2.6, 2.4, 2.0], None, 2),
        ({"min_delta": 0.5, "patience": 1}, [3, 2.5], 1, 0),
        ({"mode": "max"}, [1, 2, 3, 2], 3, 2),
        ({"mode": "max", "min_delta": 0.5}, [1, 1.4], 1, 0),
        ({"mode": "min", "monitor": "val_accuracy"}, [3, 2, 3], 2, 1),
        ({"baseline": 1.0, "patience": 2}, [2, 1.5, 0.5], 1, 1),
        ({"baseline": 1.0, "patience": 3}, [2, 1.5, 0.5, 0.4], None, 3),
        ({"baseline": 1.0, "mode": "max"}, [2, 3, 1], 2, 1),
        ({"start_from_epoch": 2}, [0, 0, 4, 3, 4], 4, 3),
        ({"patience": 2}, [NAN, 3, NAN, 2, NAN, NAN, 1], 5, 3),
        ({"patience": 1}, [NAN, 1], 0, None),
        ({"patience": 2}, [-math.inf, 0, NAN], 2, 0),
    ],
)
def test_early_stopping_keeps_the_best_and_bears_as_many_epochs_as_told(options, values, stopped, best_epoch):
    callback = EarlyStopping(**options)
    feed(callback, values)
    assert (callback.stopped_epoch, callback.best_epoch) == (stopped, best_epoch)
    assert callback.model.stop_training == (stopped is not None)
    assert callback.best == (callback.baseline if best_epoch is None else values[best_epoch])


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20), st.integers(0, 6), st.sampled_from(["min", "max"]))
def test_early_stopping_ends_once_the_best_lies_patience_epochs_back(values, patience, mode):
    callback = EarlyStopping(patience=patience, mode=mode)
    feed(callback, values)
    first_best = np.argmin if mode == "min" else np.argmax
    ages = [e - first_best(values[: e + 1]) for e in range(len(values))]
    stopped = next((e for e, age in enumerate(ages) if age >= max(patience, 1)), None)
    seen = values if stopped is None else values[: stopped + 1]
    assert callback.stopped_epoch == stopped
    assert (callback.best_epoch, callback.best) == (first_best(seen), seen[first_best(seen)])


MONITORS = [lambda name, **options: EarlyStopping(name, patience=9, **options), ReduceOnPlateau]


@pytest.mark.parametrize("kind", MONITORS)
@pytest.mark.parametrize(
    ("column", "best"), [("loss", 1), ("val_loss", 1), ("accuracy", 3), ("val_accuracy", 3), ("mse", 1), ("val_mse", 1)]
)
def test_auto_knows_the_direction_of_losses_and_metrics(kind, column, best):
    callback = kind(column)
    feed(callback, [2, 1, 3, 2])
    assert callback.best == best


@pytest.mark.parametrize("kind", MONITORS)
@pytest.mark.parametrize(
    ("column", "match"),
    [
        ("val_los", "must be a column of the logs.* Did you mean 'val_loss'"),
        ("val_accuracy", "must be a column of the logs"),
        ("learning_rate", "mode must be 'min' or 'max'"),
    ],
)
def test_a_column_that_cannot_be_watched_is_refused_after_the_first_epoch_at_the_latest(kind, column, match):
    with pytest.raises(ValueError, match=match):
        trainer().fit(X, Y, validation_data=(X, Y), callbacks=[kind(column)], verbose=0)


@pytest.mark.parametrize("kind", MONITORS)
def test_any_column_may_be_watched_in_a_given_direction(kind):
    callback = kind("learning_rate", mode="max")
    trainer().fit(X, Y, callbacks=[callback], verbose=0)
    assert callback.best == 0.01


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: EarlyStopping(patience=-1), "patience must be a non-negative integer"),
        (lambda: EarlyStopping(min_delta=-0.1), "min_delta must be in"),
        (lambda: EarlyStopping(mode="lower"), "mode must be one of 'auto', 'min', 'max'"),
        (lambda: EarlyStopping(baseline="low"), "baseline must be a number"),
        (lambda: EarlyStopping(patince=1), "Did you mean 'patience'"),
        (lambda: ReduceOnPlateau(factor=1.0), r"factor must be in \(0, 1\)"),
        (lambda: ReduceOnPlateau(factor=0), r"factor must be in \(0, 1\)"),
        (lambda: ReduceOnPlateau(cooldown=1.5), "cooldown must be"),
        (lambda: ReduceOnPlateau(min_learning_rate=-1), "min_learning_rate must be in"),
    ],
)
def test_arguments_out_of_range_are_refused(make, match):
    with pytest.raises((ValueError, TypeError), match=match):
        make()


@pytest.mark.parametrize("monitor", ["loss", "val_loss"])
@pytest.mark.parametrize("ended_by", ["patience", "epochs", RuntimeError, KeyboardInterrupt])
def test_the_best_weights_and_buffers_come_back_however_training_ends(ended_by, monitor):
    def fail(epoch):
        if epoch == 4 and isinstance(ended_by, type):
            raise ended_by("enough")

    script = Script(4.0, 3.0, 1.0, 2.0, 5.0, 6.0)
    callback = EarlyStopping(monitor, patience=3 if ended_by == "patience" else 9, restore_best_weights=True)
    try:
        script.fit(6, callback, Lambda(on_epoch_begin=fail))
    except (RuntimeError, KeyboardInterrupt):
        assert isinstance(ended_by, type)
    assert script.weights == (1.0, 3.0)
    assert callback.best == pytest.approx(1.0)
    assert callback.stopped_epoch == (5 if ended_by == "patience" else None)
    assert script.trainer.epoch == (4 if isinstance(ended_by, type) else 6)
    assert script.trainer.evaluate(np.ones((2, 1)), np.zeros((2, 1)))["loss"] == callback.best


def test_the_last_weights_stay_if_no_others_are_wanted():
    script = Script(4.0, 1.0, 2.0)
    script.fit(3, EarlyStopping(patience=5))
    assert script.weights == (2.0, 3.0)


def test_the_best_weights_come_back_even_if_none_beat_the_baseline():
    script = Script(4.0, 2.0, 3.0)
    script.fit(3, EarlyStopping(patience=5, baseline=1.0, restore_best_weights=True))
    assert script.weights == (2.0, 2.0)


def test_a_loaded_count_goes_on_in_the_next_fit_and_no_further():
    script = Script(1.0, *[2.0] * 20)
    callback = EarlyStopping(patience=5)
    script.fit(5, callback)
    resumed = EarlyStopping(patience=5)
    resumed.load_state_dict(callback.state_dict())
    assert script.fit(9, resumed).epoch == [5]
    assert script.fit(9, resumed).epoch == [6, 7, 8, 9, 10]


def test_one_callback_does_not_watch_two_trainers():
    callback = EarlyStopping(patience=3)
    Script(1.0, 2.0).fit(1, callback)
    with pytest.raises(ValueError, match="EarlyStopping: each trainer needs one of its own"):
        Script(1.0, 2.0).fit(1, callback)


def test_a_missing_validation_is_told_before_the_first_step():
    t = trainer()
    with pytest.raises(
        ValueError, match=r"Received: monitor='val_loss'. Give fit validation_data or a validation_split"
    ):
        t.fit(X, Y, callbacks=[EarlyStopping()], verbose=0)
    assert t.optimizer.iterations == 0


def test_a_misspelt_hook_is_refused_where_it_is_written():
    with pytest.raises(TypeError, match=r"Mine: no such hook. Received: on_batch_end. Did you mean 'on_train_batch_"):

        class Mine(Callback):
            def on_batch_end(self, batch, logs):
                pass


def test_only_what_began_is_ended():
    ended = []

    class Fails(Callback):
        def on_train_begin(self):
            raise OSError("no folder")

        def on_train_end(self):
            raise AssertionError("must not hide the first error")

    with pytest.raises(OSError, match="no folder"):
        trainer().fit(X, Y, callbacks=[Lambda(on_train_end=lambda: ended.append(1)), Fails()], verbose=0)
    assert ended == [1]


def test_the_best_survives_a_second_fit_which_has_its_full_patience():
    script = Script(4.0, 1.0, 2.0, 3.0, 2.0, 2.0, 2.0)
    callback = EarlyStopping(patience=2, restore_best_weights=True)
    assert script.fit(9, callback).epoch == [0, 1, 2, 3]
    assert script.weights == (1.0, 2.0)
    assert script.fit(1, callback).epoch == [4]
    assert callback.stopped_epoch is None
    assert (callback.best_epoch, script.weights) == (1, (1.0, 2.0))
    assert script.fit(2, callback).epoch == [5, 6]
    assert (callback.stopped_epoch, script.weights) == (6, (1.0, 2.0))


def test_early_stoppings_state_is_a_copy_and_goes_on():
    script = Script(4.0, 1.0, 2.0, 3.0)
    callback = EarlyStopping(patience=9, restore_best_weights=True)
    script.fit(3, callback)
    state = callback.state_dict()
    for other in (EarlyStopping(patience=9, restore_best_weights=True) for _ in range(2)):
        other.load_state_dict(state)
        assert (other.best, other.best_epoch, other.wait) == (callback.best, 1, 1)
        assert other.best_weights["dense/kernel"].item() == 1.0
        other.best_weights["dense/kernel"][...] = 7  # neither the state's nor the first callback's
    state["best_weights"]["dense/kernel"][...] = 8
    script.fit(1, callback)
    assert script.weights == (1.0, 2.0)


# ReduceOnPlateau -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        ({"patience": 2}, [1, 1, 1, 1, 1], [1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 1}, [1, 1, 1], [1, 0.5, 0.25]),
        ({"patience": 0}, [1, 1, 0.5, 1], [1, 0.5, 0.5, 0.25]),
        ({"patience": 2}, [3, 4, 2, 3, 3], [1, 1, 1, 1, 0.5]),
        ({"patience": 1}, [1, 0.99995, 0.9998], [1, 0.5, 0.5]),
        ({"patience": 1, "min_delta": 0.0}, [1, 0.99995, 0.99995], [1, 1, 0.5]),
        ({"patience": 1, "mode": "max"}, [1, 2, 2, 3], [1, 1, 0.5, 0.5]),
        ({"patience": 1, "cooldown": 1}, [1] * 6, [1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 1, "cooldown": 2}, [1] * 8, [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]),
        ({"patience": 2, "cooldown": 1}, [1] * 6, [1, 1, 0.5, 0.5, 0.5, 0.25]),
        ({"patience": 1, "cooldown": 2}, [4, 4, 3, 3.5, 3.5], [1, 0.5, 0.5, 0.5, 0.25]),
        ({"patience": 1, "min_learning_rate": 0.3}, [1] * 4, [1, 0.5, 0.3, 0.3]),
        ({"patience": 1, "min_learning_rate": 2.0}, [1] * 3, [1, 1, 1]),
        ({"patience": 2}, [NAN, NAN, 1, NAN, NAN], [1, 0.5, 0.5, 0.5, 0.25]),
    ],
)
def test_the_rate_is_reduced_on_a_plateau(options, values, rates):
    assert feed(ReduceOnPlateau(factor=0.5, **options), values) == rates


def test_a_reduced_rate_is_used_from_the_next_epoch_on():
    model = Sequential([layers.Input((1,)), layers.Dense(1)], seed=0)
    t = Trainer(model, optimizers.SGD(1.0), "mse")
    model.parameters[0].data = [[0.0]]
    plateau = ReduceOnPlateau("loss", factor=0.5, patience=1)
    zeros = np.zeros((4, 1))
    t.fit(zeros, zeros, epochs=2, callbacks=[plateau], verbose=0)
    t.fit(zeros, zeros, epochs=2, callbacks=[plateau], verbose=0)
    assert t.history.history["learning_rate"] == [1.0, 1.0, 0.5, 0.25]


@pytest.mark.parametrize("rate", [schedules.InverseTimeDecay(0.1, decay_rate=1.0), lambda step: 0.1])
def test_a_schedule_is_not_ruled_by_a_plateau(rate):
    t = trainer()
    t.optimizer.learning_rate = rate
    with pytest.raises(TypeError, match="learning rate must be a number, not a schedule"):
        t.fit(X, Y, callbacks=[ReduceOnPlateau("loss")], verbose=0)
    assert t.optimizer.iterations == 0


def test_plateaus_state_goes_on():
    def make():
        return ReduceOnPlateau(factor=0.5, patience=2, cooldown=2)

    values = [1.0] * 9
    expected = feed(make(), values)
    for cut in range(1, 9):
        first, second = make(), make()
        rates = feed(first, values[:cut])
        second.load_state_dict(first.state_dict())
        assert rates + feed(second, values[cut:], rates[-1]) == expected


# CSVLogger -------------------------------------------------------------------------------------------------


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def table(history):
    return [{"epoch": e, **{k: v[i] for k, v in history.history.items()}} for i, e in enumerate(history.epoch)]


def test_the_file_holds_the_history_each_line_at_once(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("something old\n")
    lengths = []
    callbacks = [CSVLogger(path), Lambda(on_epoch_end=lambda epoch, logs: lengths.append(len(rows(path))))]
    t = trainer()
    history = t.fit(X, Y, epochs=3, validation_data=(X, Y), callbacks=callbacks, verbose=0)
    assert lengths == [1, 2, 3]
    assert rows(path) == table(history)
    header = path.read_text().splitlines()[0]
    assert header == "epoch,loss,mae,val_loss,val_mae,learning_rate"


@pytest.mark.parametrize("again", [False, True], ids=["same logger", "append"])
def test_a_second_fit_goes_on_in_the_file(tmp_path, again):
    path = tmp_path / "log.csv"
    t, logger = trainer(), CSVLogger(str(path), append=again)
    for epochs in (2, 1):
        t.fit(X, Y, epochs=epochs, callbacks=[logger], verbose=0)
        logger = CSVLogger(path, append=True) if again else logger
    assert rows(path) == table(t.history)
    assert path.read_text().count("loss") == 1
    if not again:
        t.fit(X, Y, callbacks=[CSVLogger(path)], verbose=0)
        assert [row["epoch"] for row in rows(path)] == [3]


def test_another_set_of_columns_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    t, logger = trainer(), CSVLogger(path)
    t.fit(X, Y, callbacks=[logger], verbose=0)
    before = path.read_text()
    for other in (logger, CSVLogger(path, append=True)):
        with pytest.raises(ValueError, match=r"log.csv has the columns .* Received: .*val_loss"):
            t.fit(X, Y, validation_data=(X, Y), callbacks=[other], verbose=0)
    assert path.read_text() == before


def test_the_folder_must_exist(tmp_path):
    with pytest.raises(FileNotFoundError):
        trainer().fit(X, Y, callbacks=[CSVLogger(tmp_path / "no" / "log.csv")], verbose=0)


# Norms -----------------------------------------------------------------------------------------------------


def two_layers():
    return Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)], seed=0)


def root_of_squares(arrays):
    return math.sqrt(math.fsum(float(v) ** 2 for array in arrays for v in array.ravel()))


@pytest.mark.parametrize("every", [1, 3])
def test_norms_are_those_of_each_step(every):
    """The same steps, made by hand, have the same norms."""
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    model, again = two_layers(), two_layers()
    norms = Norms(every=every)
    optimizer = optimizers.Adam(0.05)
    optimizer.hooks = [optimizers.ClipByGlobalNorm(1e-3)]
    Trainer(model, optimizer, "mse").fit(
        x, x[:, :1], batch_size=4, epochs=2, shuffle=False, callbacks=[norms], verbose=0
    )
    assert norms.steps == list(range(every, 11, every))
    other = optimizers.Adam(0.05)
    other.hooks = [optimizers.ClipByGlobalNorm(1e-3)]
    trainer = Trainer(again, other, "mse")
    seen = 0
    for step in range(1, 11):
        part = slice((step - 1) % 5 * 4, (step - 1) % 5 * 4 + 4)
        trainer.step(x[part], x[part, :1])
        if step % every == 0:
            for layer in again.layers:
                gradients = root_of_squares([p.grad for p in layer.parameters])
                weights = root_of_squares([p.data for p in layer.parameters])
                assert norms.gradients[layer.name][seen] == pytest.approx(gradients, rel=1e-12)
                assert norms.weights[layer.name][seen] == pytest.approx(weights, rel=1e-12)
            seen += 1
    assert len(norms.steps) == seen


def test_a_frozen_layer_has_weights_and_no_gradient():
    model = two_layers()
    first, second = model.layers
    for parameter in first.parameters:
        parameter.trainable = False
    norms = Norms()
    Trainer(model, "sgd", "mse").fit(np.ones((4, 3)), np.ones((4, 1)), callbacks=[norms], verbose=0)
    assert math.isnan(norms.gradients[first.name][0])
    assert norms.weights[first.name][0] > 0
    assert norms.gradients[second.name][0] > 0


def test_norms_go_on_over_fits_and_their_state_is_a_copy():
    norms, model = Norms(), two_layers()
    trainer = Trainer(model, "sgd", "mse")
    trainer.fit(np.ones((4, 3)), np.ones((4, 1)), batch_size=2, callbacks=[norms], verbose=0)
    state = norms.state_dict()
    loaded = Norms()
    loaded.load_state_dict(state)
    trainer.fit(np.ones((4, 3)), np.ones((4, 1)), batch_size=2, callbacks=[norms], verbose=0)
    assert norms.steps == [1, 2, 3, 4]
    assert state["steps"] == loaded.steps == [1, 2]
    assert loaded.weights == {name: values[:2] for name, values in norms.weights.items()}
    state["weights"].clear()
    assert loaded.weights
    with pytest.raises(
        ValueError, match=r"Norms: each model needs one of its own. Received: layers \['dense'\], after"
    ):
        Trainer(Sequential([layers.Input((3,)), layers.Dense(1)], seed=0), "sgd", "mse").fit(
            np.ones((4, 3)), np.ones((4, 1)), callbacks=[norms], verbose=0
        )
    with pytest.raises(ValueError, match="Norms: every must be a positive integer"):
        Norms(every=0)


# A fit that is refused -------------------------------------------------------------------------------------


def test_a_refused_fit_leaves_callbacks_and_their_files_alone(tmp_path):
    path, early = tmp_path / "log.csv", EarlyStopping("loss")
    first, second = trainer(), trainer()
    first.fit(X, Y, callbacks=[CSVLogger(path), early], verbose=0)
    before = path.read_text()
    for refused in ([CSVLogger(path), EarlyStopping("val_loss")], [CSVLogger(path), early]):
        with pytest.raises(ValueError, match="EarlyStopping: "):
            second.fit(X, Y, callbacks=refused, verbose=0)
        assert path.read_text() == before
    assert early.trainer is first
    fresh = EarlyStopping("val_loss")
    with pytest.raises(ValueError, match="monitor must be a column of the logs"):
        first.fit(X, Y, callbacks=[fresh], verbose=0)
    second.fit(X, Y, validation_data=(X, Y), callbacks=[fresh], verbose=0)  # it has watched nobody yet


def test_other_columns_and_directions_are_told_before_the_first_step(tmp_path):
    path = tmp_path / "log.csv"
    trainer().fit(X, Y, callbacks=[CSVLogger(path)], verbose=0)
    other = trainer()
    for callback, says in {
        CSVLogger(path, append=True): "CSVLogger: .* has the columns",
        EarlyStopping("learning_rate"): "EarlyStopping: mode must be 'min' or 'max' for a column that isn't the loss",
    }.items():
        with pytest.raises(ValueError, match=says):
            other.fit(X, Y, validation_data=(X, Y), callbacks=[callback], verbose=0)
        assert other.optimizer.iterations == 0


# ModelCheckpoint -------------------------------------------------------------------------------------------


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_saved_after_each_epoch_under_the_name_that_is_given(tmp_path):
    made, weights = trainer(), []
    saving = ModelCheckpoint(tmp_path / "new" / "m-{epoch:02d}-{val_loss:.3f}.safetensors")
    keep = Lambda(on_epoch_end=lambda epoch, logs: weights.append(made.model.state_dict()))
    history = made.fit(X, Y, epochs=3, validation_data=(X, Y), callbacks=[saving, keep], verbose=0)
    expected = [f"m-{i + 1:02d}-{loss:.3f}.safetensors" for i, loss in enumerate(history.history["val_loss"])]
    assert files(tmp_path / "new") == sorted(expected)
    assert saving.saved == tmp_path / "new" / expected[-1]
    for name, state in zip(expected, weights, strict=True):
        back = load_model(tmp_path / "new" / name)
        np.testing.assert_equal(back.state_dict(), state)
        assert repr(back.trainer.optimizer) == repr(made.optimizer)


@pytest.mark.parametrize(
    ("values", "options", "saved"),
    [
        ([3.0, 1.0, 2.0, NAN, 0.5], {}, [0, 1, 4]),
        ([3.0, 1.0, 2.0, NAN, 0.5], {"mode": "max"}, [0]),
        ([3.0, 1.0, 2.0, 0.5, 0.9], {"initial_value_threshold": 1.5}, [1, 3]),
        ([1.0, 1.0], {}, [0]),
    ],
)
def test_only_the_best_is_saved_if_one_says_so(tmp_path, values, options, saved):
    script = Script(*[1.0 if math.isnan(value) else value for value in values])
    put = Lambda(on_epoch_end=lambda epoch, logs: logs.update(val_loss=values[epoch]))
    best = ModelCheckpoint(tmp_path / "m-{epoch}", save_best_only=True, **options)
    script.fit(len(values), put, best)
    assert files(tmp_path) == [f"m-{epoch + 1}" for epoch in saved]
    assert best.best == values[saved[-1]]


def test_weights_alone_are_saved_if_one_says_so(tmp_path):
    made = trainer()
    made.fit(X, Y, callbacks=[ModelCheckpoint(tmp_path / "w", save_weights_only=True)], verbose=0)
    with pytest.raises(FileError, match="it must hold a model or a checkpoint"):
        load_model(tmp_path / "w")
    other = trainer().model
    other.load_weights(tmp_path / "w")
    np.testing.assert_equal(other.state_dict(), made.model.state_dict())


def test_a_model_is_saved_after_steps_over_all_epochs_and_fits(tmp_path):
    made = trainer()
    saving = ModelCheckpoint(tmp_path / "m-{epoch}-{loss:.6f}", every=3)
    for _ in range(2):
        made.fit(X, Y, batch_size=5, epochs=2, callbacks=[saving], verbose=0)
    assert [name.split("-")[1] for name in files(tmp_path)] == ["2", "3"]


def test_saving_after_epochs_does_not_listen_to_steps():
    from minidl.callbacks.base import Listeners

    assert not Listeners(trainer(), [ModelCheckpoint("m")]).hear_ends
    assert Listeners(trainer(), [ModelCheckpoint("m", every=2)]).hear_ends


def test_a_saving_callback_goes_on(tmp_path):
    made = trainer()
    saving = ModelCheckpoint(tmp_path / "a-{epoch}", "loss", save_best_only=True, every=2)
    made.fit(X, Y, batch_size=2, callbacks=[saving], verbose=0)
    other = ModelCheckpoint(tmp_path / "b-{epoch}", "loss", save_best_only=True, every=2)
    other.load_state_dict(saving.state_dict())
    assert other.state_dict() == saving.state_dict() == {"best": saving.best, "wait": 0, "steps": 5, "epoch": 0}


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda: ModelCheckpoint(5), TypeError, "path must be a path. Received: path=5"),
        (lambda: ModelCheckpoint("m", every="epoch"), TypeError, "every must be a positive integer. Received: "),
        (lambda: ModelCheckpoint("m", every=0), ValueError, "every must be a positive integer. Received: "),
        (lambda: ModelCheckpoint("m", mode="best"), ValueError, "mode must be one of 'auto', 'min', 'max'. Received: "),
        (lambda: ModelCheckpoint("m", save_best_only=1), TypeError, "save_best_only must be True or False. Received: "),
    ],
)  # fmt: skip
def test_a_saving_callback_that_cannot_be_is_refused(make, kind, says):
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value).startswith(f"ModelCheckpoint: {says}")


@pytest.mark.parametrize(
    ("callback", "says"),
    [
        (ModelCheckpoint("m-{val_loss}"), "path can have {epoch} and loss, mae, learning_rate in it. Received: "),
        (ModelCheckpoint("m-{}"), "path can have {epoch} and "),
        (ModelCheckpoint("m-{epoch"), "path can have {epoch} and "),
        (ModelCheckpoint("m", save_best_only=True), "monitor must be a column of the logs. Received: "),
        (ModelCheckpoint("m", "val_mae", save_best_only=True, every=2), "monitor must be a column of the logs. Re"),
        (ModelCheckpoint("m-{learning_rate}", every=2), "path can have {epoch} and loss, mae, batch_loss "),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_told_before_the_first_step(callback, says):
    made = trainer()
    with pytest.raises(ValueError, match=re.escape(f"ModelCheckpoint: {says}")):
        made.fit(X, Y, callbacks=[callback], verbose=0)
    assert made.optimizer.iterations == 0


def test_a_file_that_cannot_be_written_ends_the_fit(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        trainer().fit(X, Y, callbacks=[ModelCheckpoint(tmp_path / "file" / "m")], verbose=0)
