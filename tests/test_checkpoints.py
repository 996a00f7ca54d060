"""Checkpoints and resuming: from any step on, a fit goes on with the bits of one that was never stopped."""

import contextlib
import csv
import errno
import itertools
import re
import subprocess
import sys
import threading
import warnings

import nets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import exported

import minidl
from minidl import CheckpointPolicy, Sequential, Trainer, callbacks, layers, load_model, metrics, optimizers, schedules
from minidl.callbacks import Callback, CSVLogger, EarlyStopping, Lambda, Norms, ReduceOnPlateau
from minidl.saving import FileError, ResumeWarning

X = np.random.default_rng(0).normal(size=(23, 6)).astype(np.float32)
LABELS = np.arange(23) % 3
SPARSE = "sparse_categorical_crossentropy"


class Halt(Exception):  # noqa: N818  # no error, but an end
    """What ends a fit in these tests, as the power does: nothing is written any more."""


class Stop(Callback):
    """Raises Halt after so many steps of all; None is never."""

    def __init__(self, after):
        self.after = after

    def on_train_batch_end(self, batch, logs):
        if self.trainer.optimizer.iterations == self.after:
            raise Halt


def trainer(optimizer="adam", seed=3, metrics=("accuracy",), **options):
    model = Sequential(
        [
            layers.Input((6,)),
            layers.Dense(7, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        ],
        seed=seed,
    )
    return Trainer(model, optimizer, SPARSE, metrics, **options)


def state(made, history):
    """Return all that a fit leaves behind."""
    return {
        "model": made.model.state_dict(),
        "optimizer": made.optimizer.state_dict(),
        "history": history.to_json(),
        "all": made.history.to_json(),
        "seed": made.seed,
        "settings": [(p.name, p.trainable, p.learning_rate_multiplier) for p in made.model.parameters],
    }


def same(a, b):
    np.testing.assert_equal(a, b)


def stopped_and_resumed(make, run, stops, folder, policy=None):
    """Stop a fit after each of some numbers of steps, each time in a new trainer, then let it end; return its state."""
    policy = policy or {"every_steps": 1, "every_epochs": None}
    for after in stops:
        made = make()
        with pytest.raises(Halt):
            run(made, [Stop(after)], checkpoint=CheckpointPolicy(folder, **policy), resume=True)
    made = make()
    return state(made, run(made, [Stop(None)], checkpoint=CheckpointPolicy(folder, **policy), resume=True))


def plain(made, more=(), **options):
    return made.fit(X, LABELS, batch_size=5, epochs=3, callbacks=list(more), verbose=0, **options)


@pytest.mark.parametrize("after", range(1, 16))
def test_a_fit_that_stops_after_any_step_ends_as_one_that_did_not(tmp_path, after):
    made = trainer()
    expected = state(made, plain(made, [Stop(None)]))
    same(stopped_and_resumed(trainer, plain, [after], tmp_path), expected)


@pytest.mark.parametrize("every", [1, 2, 3, 4, 7, 100])
@pytest.mark.parametrize("epochs", [None, 1, 2])
def test_what_was_not_written_is_done_again(tmp_path, every, epochs):
    policy = {"every_steps": every, "every_epochs": epochs}
    made = trainer()
    expected = state(made, plain(made, [Stop(None)]))
    same(stopped_and_resumed(trainer, plain, [3, 4, 9, 14], tmp_path, policy), expected)


MAKES = {
    "hooks and frozen parts": lambda: _frozen(),
    "schedules by steps": lambda: trainer(optimizers.Momentum(schedules.CosineDecay(0.1, decay_steps=12))),
    "schedules by epochs": lambda: trainer(optimizers.Nesterov(schedules.InverseTimeDecay(0.1, decay_rate=1.0))),
    "a rule that keeps numbers": lambda: trainer(optimizers.Nadam(0.01)),
    "a rule for whole tensors": lambda: trainer(optimizers.LAMB(0.01)),
    "a function as rate": lambda: trainer(optimizers.SGD(lambda step: 0.1 / (1 + step))),
    "all metrics": lambda: trainer(metrics=["accuracy", metrics.Precision(), metrics.F1("micro"), "top_k_accuracy"]),
    "plain execution": lambda: _executed("plain"),
    "replayed execution": lambda: _executed("replayed"),
    "another seed for the order": lambda: _reseeded(),
}  # fmt: skip


def _frozen():
    made = trainer(optimizers.AdamW(0.01))
    made.optimizer.hooks = [optimizers.hooks.ClipByGlobalNorm(0.5)]
    minidl.configure_parameters(made.model, "dense/kernel", trainable=False)
    minidl.configure_parameters(made.model, "*/bias", learning_rate_multiplier=2.0)
    return made


def _reseeded():
    made = trainer()
    made.seed = 11
    return made


def _executed(how):
    made = trainer()
    made.optimizer.execution = how
    return made


@pytest.mark.parametrize("name", MAKES)
def test_whatever_is_trained_goes_on(tmp_path, name):
    made = MAKES[name]()
    expected = state(made, plain(made, [Stop(None)]))
    same(stopped_and_resumed(MAKES[name], plain, [4, 11], tmp_path), expected)


def weighted(made, more, **options):
    weight = np.linspace(0.5, 2, len(X))
    return plain(made, more, sample_weight=weight, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, **options)


class Batches:
    """Batches that are given anew each epoch, of which nobody knows how many."""

    def __iter__(self):
        yield from zip(np.array_split(X, 5), np.array_split(LABELS, 5), strict=True)


RUNS = {
    "validation data": lambda m, c, **o: plain(m, c, validation_data=(X[:7], LABELS[:7]), **o),
    "a split": lambda m, c, **o: plain(m, c, validation_split=0.3, **o),
    "a stratified split": lambda m, c, **o: plain(m, c, validation_split=0.3, stratify=True, **o),
    "weights": weighted,
    "groups of batches": lambda m, c, **o: m.fit(
        X, LABELS, batch_size=2, accumulate=3, epochs=4, callbacks=c, verbose=0, **o
    ),
    "no shuffle": lambda m, c, **o: plain(m, c, shuffle=False, **o),
    "an order of one's own": lambda m, c, **o: plain(m, c, shuffle=lambda e, n: np.roll(np.arange(n), e), **o),
    "steps that may be skipped": lambda m, c, **o: plain(m, c, on_nonfinite="skip", **o),
    "a list of batches": lambda m, c, **o: m.fit(list(Batches()), epochs=3, callbacks=c, verbose=0, **o),
    "an iterable": lambda m, c, **o: m.fit(Batches(), epochs=3, callbacks=c, verbose=0, **o),
    "a batch of all": lambda m, c, **o: m.fit(X, LABELS, batch_size=23, epochs=15, callbacks=c, verbose=0, **o),
}


@pytest.mark.filterwarnings("ignore:overflow|invalid")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("stops", [(2,), (5, 6, 11)])
def test_however_it_is_trained_it_goes_on(tmp_path, name, stops):
    made = trainer()
    expected = state(made, RUNS[name](made, [Stop(None)]))
    same(stopped_and_resumed(trainer, RUNS[name], stops, tmp_path), expected)


def test_a_skipped_step_is_counted_once_however_often_one_stops(tmp_path):
    y = np.sin(X[:, :1]).astype(np.float64)
    y[4] = 1e200

    def make():
        return Trainer(Sequential([layers.Input((6,)), layers.Dense(1)], seed=0), optimizers.SGD(0.01), "mse")

    def run(made, more, **options):
        with np.errstate(all="ignore"):
            return made.fit(X, y, batch_size=4, epochs=3, on_nonfinite="skip", callbacks=more, verbose=0, **options)

    made = make()
    expected = state(made, run(made, [Stop(None)]))
    assert made.history.history["skipped"] == [1, 1, 1]
    for after in (1, 3, 5, 8):
        same(stopped_and_resumed(make, run, [after], tmp_path / str(after)), expected)


@settings(max_examples=15, deadline=None)
@given(
    stops=st.lists(st.integers(1, 19), max_size=4).map(sorted),
    batch=st.integers(3, 12),
    rule=st.sampled_from(["sgd", "momentum", "rmsprop", "adadelta", "adam", "adagrad", "nesterov"]),
    every=st.integers(1, 5),
    seed=st.integers(0, 9),
    net=st.sampled_from(list(nets.NETS)),
    split=st.sampled_from([0.0, 0.25]),
)
def test_any_fit_goes_on_from_anywhere(tmp_path_factory, stops, batch, rule, every, seed, net, split):
    x = nets.NETS[net][0]

    def make():
        return Trainer(nets.net(net, seed=seed), rule, SPARSE, ["accuracy"])

    def run(made, more, **options):
        return made.fit(
            x, nets.LABELS, batch_size=batch, epochs=4, validation_split=split, callbacks=more, verbose=0, **options
        )

    made = make()
    expected = state(made, run(made, [Stop(None)]))
    last = made.optimizer.iterations
    folder = tmp_path_factory.mktemp("run")
    stops = [after for after in stops if after <= last]
    same(stopped_and_resumed(make, run, stops, folder, {"every_steps": every}), expected)


# Callbacks -------------------------------------------------------------------------------------------------

HEARD = {
    "CSVLogger": lambda folder: CSVLogger(folder / "log.csv"),
    "EarlyStopping": lambda folder: EarlyStopping("loss", patience=2, restore_best_weights=True),
    "JSONLogger": lambda folder: callbacks.JSONLogger(folder / "log.jsonl", every=1),
    "Lambda": lambda folder: Lambda(),
    "Logger": lambda folder: callbacks.Logger(lambda metrics, *, step: None, every=1),
    "ModelCheckpoint": lambda folder: callbacks.ModelCheckpoint(
        folder / "{epoch}.safetensors", "loss", save_best_only=True
    ),
    "Norms": lambda folder: Norms(2),
    "ReduceOnPlateau": lambda folder: ReduceOnPlateau("loss", factor=0.5, patience=1, min_delta=10),
    "TensorBoard": lambda folder: callbacks.TensorBoard(folder, every=1),
    "WeightPath": lambda folder: callbacks.WeightPath(2),
}


def test_every_callback_is_among_them():
    assert set(HEARD) == exported(callbacks, Callback)


@pytest.mark.parametrize("name", HEARD)
def test_each_callback_goes_on_as_in_a_fit_that_was_not_stopped(tmp_path, name):
    if name == "TensorBoard":
        pytest.importorskip("tensorboardX")

    def run(made, folder, after, **options):
        folder.mkdir(exist_ok=True)
        one = HEARD[name](folder)
        return one, plain(made, [one, Stop(after)], **options)

    resuming = {"checkpoint": CheckpointPolicy(tmp_path / "run", every_steps=3), "resume": True}
    made, other = trainer(), trainer()
    expected, history = run(made, tmp_path / "a", None)
    for after in (4, 10):
        with pytest.raises(Halt):
            run(trainer(), tmp_path / "b", after, **resuming)
    found, again = run(other, tmp_path / "b", None, **resuming)
    same(state(other, again), state(made, history))
    same(found.state_dict(), expected.state_dict())
    if name != "TensorBoard":  # whose curves test_loggers.py compares
        whole, parts = ({path.name: path.read_bytes() for path in (tmp_path / one).iterdir()} for one in "ab")
        assert parts == whole


def test_callbacks_go_on_too(tmp_path):
    def heard(folder):
        folder.mkdir(exist_ok=True)
        return [
            EarlyStopping("loss", patience=2, restore_best_weights=True),
            EarlyStopping("val_loss", patience=9),
            ReduceOnPlateau("loss", factor=0.5, patience=1, min_delta=10),
            CSVLogger(folder / "log.csv"),
            Norms(every=2),
        ]

    def run(made, more, folder, **options):
        given = heard(folder)
        return given, plain(made, [*given, *more], validation_split=0.2, **options)

    made = trainer(optimizers.SGD(0.05))
    expected, history = run(made, [Stop(None)], tmp_path / "a")
    for after in (3, 4, 7, 10):
        with pytest.raises(Halt):
            run(
                trainer(optimizers.SGD(0.05)), [Stop(after)], tmp_path / "b",
                checkpoint=CheckpointPolicy(tmp_path / "run", every_steps=3), resume=True,
            )  # fmt: skip
    other = trainer(optimizers.SGD(0.05))
    policy = CheckpointPolicy(tmp_path / "run", every_steps=3)
    found, again = run(other, [Stop(None)], tmp_path / "b", checkpoint=policy, resume=True)
    same(state(other, again), state(made, history))
    for one, two in zip(expected, found, strict=True):
        kept = {k: v for k, v in one.state_dict().items() if k != "size"}
        same({k: v for k, v in two.state_dict().items() if k != "size"}, kept)
    assert (tmp_path / "a" / "log.csv").read_text() == (tmp_path / "b" / "log.csv").read_text()
    assert len(set(history.history["learning_rate"])) > 1


def test_a_fit_that_a_callback_has_ended_stays_ended(tmp_path):
    def run(made, **options):
        early = EarlyStopping("loss", min_delta=10, patience=1, restore_best_weights=True)
        history = made.fit(X, LABELS, epochs=9, callbacks=[early], verbose=0, checkpoint=tmp_path, **options)
        return early, history

    made = trainer()
    early, history = run(made)
    assert len(history) == 2
    other = trainer()
    again, resumed = run(other, resume=True)
    same(state(other, resumed), state(made, history))
    assert (again.stopped_epoch, again.best_epoch) == (early.stopped_epoch, early.best_epoch) == (1, 0)


def test_an_epoch_is_begun_once(tmp_path):
    begun = []
    heard = Lambda(on_epoch_begin=begun.append)
    with pytest.raises(Halt):
        plain(trainer(), [heard, Stop(7)], checkpoint=CheckpointPolicy(tmp_path, every_steps=1))
    plain(trainer(), [heard, Stop(None)], checkpoint=CheckpointPolicy(tmp_path, every_steps=1), resume=True)
    assert begun == [0, 1, 2]


def test_a_log_that_became_shorter_is_not_gone_on_with(tmp_path):
    def run(after, **options):
        log = CSVLogger(tmp_path / "log.csv")
        plain(trainer(), [log, Stop(after)], checkpoint=tmp_path / "run", **options)

    with pytest.raises(Halt):
        run(7)
    (tmp_path / "log.csv").write_text("epoch\n")
    with pytest.raises(ValueError, match=r"log\.csv must be as the fit left it, \d+ bytes\. Received: 6 bytes"):
        run(None, resume=True)
    (tmp_path / "log.csv").unlink()
    with pytest.raises(ValueError, match=r"log\.csv must be as the fit left it, \d+ bytes\. Received: 0 bytes"):
        run(None, resume=True)


def test_lines_behind_the_checkpoint_are_written_again(tmp_path):
    policy = CheckpointPolicy(tmp_path / "run", every_epochs=2)

    def run(after, **options):
        plain(trainer(), [CSVLogger(tmp_path / "log.csv"), Stop(after)], checkpoint=policy, **options)

    with pytest.raises(Halt):
        run(14)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("half a li")
    run(None, resume=True)
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


class Total(metrics.Metric):
    """A metric whose sums become other kinds of numbers than they began as."""

    def __init__(self, *, name="total"):
        super().__init__(name=name)
        self.reset()

    def update(self, y_true, y_pred, sample_weight=None):
        self.total += np.abs(y_pred).sum()
        self.count += 0.5 * len(y_pred)

    def result(self):
        return self.total / max(self.count, 1)

    def reset(self):
        self.total, self.count = 0.0, 0


def test_a_metric_of_ones_own_goes_on(tmp_path):
    def make():
        return trainer(metrics=[Total()])

    made = make()
    expected = state(made, plain(made, [Stop(None)]))
    same(stopped_and_resumed(make, plain, [7], tmp_path), expected)


def test_two_fits_may_share_a_log_and_the_first_may_be_over(tmp_path):
    def script(after):
        made, log = trainer(), CSVLogger(tmp_path / "log.csv")
        for folder, heard in (("a", [log, Stop(None)]), ("b", [log, Stop(after)])):
            plain(made, heard, checkpoint=tmp_path / folder, resume=True)

    with pytest.raises(Halt):
        script(27)
    script(None)
    script(None)
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4", "5"]


def test_a_log_that_is_appended_to_has_each_line_once(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,loss,accuracy,learning_rate\n7,1,1,1\n")
    for after in (12, None):
        log = CSVLogger(tmp_path / "log.csv", append=True)
        policy = CheckpointPolicy(tmp_path / "run", every_epochs=5)
        with pytest.raises(Halt) if after else contextlib.nullcontext():
            plain(trainer(), [log, Stop(after)], checkpoint=policy, resume=True)
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["7", "0", "1", "2"]


def test_a_state_that_no_file_can_hold_ends_no_training(tmp_path):
    class Odd(Callback):
        kept = 0

        def on_epoch_end(self, epoch, logs):
            self.kept = {1, 2} if epoch == 0 else 0

        def state_dict(self):
            return {"kept": self.kept}

    with pytest.warns(UserWarning, match=r"made of dicts.*@callbacks/0/2/kept, set \{1, 2\}; training goes on"):
        history = plain(trainer(), [Odd()], checkpoint=tmp_path)
    assert len(history) == 3


def test_one_that_raises_at_the_end_keeps_no_other_from_ending():
    ended = []

    class Raises(Callback):
        def on_train_end(self):
            raise Halt

    with pytest.raises(Halt):
        plain(trainer(), [Raises(), Lambda(on_train_end=lambda: ended.append(True))])
    assert ended == [True]


# What is in the folder -------------------------------------------------------------------------------------


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_last_and_the_best_stay(tmp_path):
    values = iter([3.0, 1.0, 2.0, 5.0])
    made = trainer()
    heard = Lambda(on_epoch_end=lambda epoch, logs: logs.update(loss=next(values)))
    weights = []
    keeper = Lambda(on_epoch_end=lambda epoch, logs: weights.append(made.model.state_dict()))
    made.fit(X, LABELS, batch_size=6, epochs=4, callbacks=[heard, keeper], verbose=0, checkpoint=tmp_path)
    assert names(tmp_path) == [
        "best.safetensors",
        "checkpoint-000000012.safetensors",
        "checkpoint-000000016.safetensors",
    ]
    same(load_model(tmp_path / "best.safetensors").state_dict(), weights[1])
    same(load_model(tmp_path / "checkpoint-000000012.safetensors").state_dict(), weights[2])
    same(load_model(tmp_path / "checkpoint-000000016.safetensors").state_dict(), weights[3])


@pytest.mark.parametrize("keep", [1, 3])
def test_as_many_stay_as_one_says(tmp_path, keep):
    plain(trainer(), checkpoint=CheckpointPolicy(tmp_path, every_steps=2, every_epochs=None, keep=keep))
    expected = [f"checkpoint-{step:09d}.safetensors" for step in (10, 12, 14, 15)][-keep:]
    assert [name for name in names(tmp_path) if name != "best.safetensors"] == expected


def test_there_is_a_checkpoint_before_the_first_step(tmp_path):
    with pytest.raises(Halt):
        plain(trainer(), [Stop(1)], checkpoint=tmp_path)
    assert names(tmp_path) == ["checkpoint-000000000.safetensors"]


def test_one_is_written_after_some_seconds(tmp_path, monkeypatch):
    clock = itertools.count(0.0, 100.0)
    monkeypatch.setattr("minidl.saving.checkpoints.time.monotonic", lambda: next(clock))
    with pytest.raises(Halt):
        plain(trainer(), [Stop(4)], checkpoint=CheckpointPolicy(tmp_path, every_seconds=250.0))
    assert names(tmp_path)[-1] == "checkpoint-000000003.safetensors"


@pytest.mark.parametrize("monitor", ["accuracy", "val_accuracy"])
def test_the_best_may_be_the_highest(tmp_path, monitor):
    made = trainer()
    best = []
    heard = Lambda(on_epoch_end=lambda epoch, logs: best.append((logs[monitor], epoch)))
    policy = CheckpointPolicy(tmp_path, monitor=monitor)
    made.fit(X, LABELS, epochs=6, validation_split=0.3, callbacks=[heard], verbose=0, checkpoint=policy)
    epoch = max(best, key=lambda pair: (pair[0], -pair[1]))[1]
    assert load_model(tmp_path / "best.safetensors").trainer.optimizer.epoch == epoch + 1


def test_a_checkpoint_is_a_model_that_can_be_trained_on(tmp_path):
    made = trainer()
    plain(made, checkpoint=tmp_path)
    model = load_model(tmp_path / names(tmp_path)[-1])
    assert (model.trainer.optimizer.iterations, model.trainer.epoch) == (15, 3)
    assert plain(model.trainer) == plain(made)
    same(model.state_dict(), made.model.state_dict())
    other = trainer(seed=9).model
    other.load_weights(tmp_path / "best.safetensors")


def test_what_no_config_describes_is_checkpointed_all_the_same(tmp_path):
    made = trainer(optimizers.SGD(lambda step: 0.1))
    plain(made, checkpoint=tmp_path)
    path = tmp_path / names(tmp_path)[-1]
    with pytest.raises(FileError, match="that no config describes; compile=False leaves them out"):
        load_model(path)
    same(load_model(path, compile=False).state_dict(), made.model.state_dict())


# Going on, or not ------------------------------------------------------------------------------------------


def test_more_epochs_may_be_asked_for(tmp_path):
    made = trainer()
    expected = state(made, made.fit(X, LABELS, batch_size=5, epochs=5, verbose=0))
    plain(trainer(), checkpoint=tmp_path)
    other = trainer()
    history = other.fit(X, LABELS, batch_size=5, epochs=5, verbose=0, checkpoint=tmp_path, resume=True)
    same(state(other, history), expected)


def test_a_fit_that_is_over_is_not_done_again(tmp_path):
    made = trainer()
    expected = state(made, plain(made, checkpoint=tmp_path))
    other = trainer()
    same(state(other, plain(other, checkpoint=tmp_path, resume=True)), expected)
    assert other.fit(X, LABELS, batch_size=5, epochs=1, verbose=0).epoch == [3]


def test_the_second_fit_of_a_trainer_has_its_own_folder(tmp_path):
    def run(after=None):
        made = trainer()
        plain(made)
        try:
            history = plain(made, [Stop(after)], checkpoint=CheckpointPolicy(tmp_path, every_steps=1), resume=True)
        except Halt:
            return None
        return state(made, history)

    made = trainer()
    plain(made)
    expected = state(made, plain(made))
    assert run(20) is None
    same(run(), expected)


def test_a_model_may_be_built_by_the_first_batch_and_have_a_fresh_seed(tmp_path):
    def make(seed):
        model = Sequential([layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(3, "softmax")], seed=seed)
        return Trainer(model, "adam", SPARSE)

    for form, run in {"arrays": plain, "iterable": RUNS["an iterable"]}.items():
        made = make(5)
        expected = state(made, run(made, [Stop(None)]))
        policy = {"checkpoint": CheckpointPolicy(tmp_path / form, every_steps=1), "resume": True}
        with pytest.raises(Halt):
            run(make(5), [Stop(3)], **policy)
        other = make(None)
        same(state(other, run(other, [Stop(None)], **policy)), expected)
        assert other.model.seed == 5


def test_an_earlier_best_is_known_after_a_stop(tmp_path):
    values = [3.0, 1.0, 2.0]
    heard = Lambda(on_epoch_end=lambda epoch, logs: logs.update(loss=values[epoch]))
    with pytest.raises(Halt):
        plain(trainer(), [heard, Stop(11)], checkpoint=tmp_path)
    before = (tmp_path / "best.safetensors").read_bytes()
    plain(trainer(), [heard, Stop(None)], checkpoint=tmp_path, resume=True)
    assert (tmp_path / "best.safetensors").read_bytes() == before


@pytest.mark.filterwarnings("ignore::minidl.saving.ResumeWarning")
@pytest.mark.parametrize("lost", ["deleted", "damaged"])
def test_the_best_serves_if_nothing_else_is_left(tmp_path, lost):
    made = trainer()
    expected = state(made, plain(made, [Stop(None)]))
    halted(tmp_path, 12)
    for path in tmp_path.glob("checkpoint-*"):
        if lost == "deleted":
            path.unlink()
        else:
            path.write_bytes(b"damaged")
    other = trainer()
    same(state(other, plain(other, [Stop(None)], checkpoint=tmp_path, resume=True)), expected)


def test_a_best_that_cannot_be_written_is_not_taken_for_one_that_is(tmp_path, monkeypatch):
    from minidl.saving import checkpoints

    usual, tries = checkpoints.place, []

    def place(owner, path, content):
        tries.append(path.name == "best.safetensors")
        if sum(tries) == 2 and tries[-1]:
            raise OSError(errno.ENOSPC, "disk full")
        usual(owner, path, content)

    values = [3.0, 1.0, 2.0]
    heard = Lambda(on_epoch_end=lambda epoch, logs: logs.update(loss=values[epoch]))
    monkeypatch.setattr(checkpoints, "place", place)
    with pytest.warns(UserWarning, match="disk full; training goes on"):
        plain(trainer(), [heard], checkpoint=tmp_path)
    assert names(tmp_path) == [
        "best.safetensors",
        "checkpoint-000000010.safetensors",
        "checkpoint-000000015.safetensors",
    ]
    assert load_model(tmp_path / "best.safetensors").trainer.optimizer.epoch == 3  # 2.0 beats 3.0


def test_another_column_to_monitor_is_warned_of_and_begins_anew(tmp_path):
    halted(tmp_path, 12, monitor="loss")
    policy = CheckpointPolicy(tmp_path, monitor="accuracy")
    with pytest.warns(ResumeWarning, match=r"best\[0\] was 'loss', is 'accuracy'; best\[1\] was 'min', is 'max'"):
        plain(trainer(), [Stop(None)], checkpoint=policy, resume=True)
    assert load_model(tmp_path / "best.safetensors").trainer.optimizer.epoch == 3


def halted(folder, after=7, run=plain, make=trainer, **policy):
    with pytest.raises(Halt):
        run(make(), [Stop(after)], checkpoint=CheckpointPolicy(folder, **{"every_steps": 1, **policy}))


CHANGED = {
    "other data": (lambda m, **o: m.fit(X + 1, LABELS, batch_size=5, epochs=3, **o), "data x was '"),
    "other labels": (lambda m, **o: m.fit(X, LABELS[::-1], batch_size=5, epochs=3, **o), "data y was '"),
    "another order": (lambda m, **o: plainly(m, shuffle=False, **o), "shuffle was True, is False"),
    "validation": (lambda m, **o: plainly(m, validation_data=(X, LABELS), **o), "validation was None, is {'samples'"),
    "skipping": (lambda m, **o: plainly(m, on_nonfinite="skip", **o), "on_nonfinite was 'raise', is 'skip'"),
}


def plainly(made, **options):
    return made.fit(X, LABELS, batch_size=5, epochs=3, **options)


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_of_what_is_trained_on_is_warned_of(tmp_path, name):
    halted(tmp_path, 5, every_steps=5)
    run, says = CHANGED[name]
    with pytest.warns(ResumeWarning, match=re.escape(says)):
        run(trainer(), callbacks=[Stop(None)], verbose=0, checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: trainer(optimizers.Adam(0.5)), "optimizer learning_rate was 0.001, is 0.5"),
        (lambda: _changed(lambda m: setattr(m.loss, "label_smoothing", 0.1)), "loss label_smoothing was 0.0, is 0.1"),
        (lambda: _changed(lambda m: setattr(m.model.layers[2], "rate", 0.4)), "model layers[3] rate was 0.3, is 0.4"),
    ],
)  # fmt: skip
def test_a_change_of_how_it_is_trained_is_warned_of(tmp_path, make, says):
    halted(tmp_path)
    with pytest.warns(ResumeWarning, match=re.escape(says)):
        plain(make(), [Stop(None)], checkpoint=tmp_path, resume=True)


def _changed(change):
    made = trainer()
    change(made)
    return made


def test_another_machine_is_warned_of(tmp_path, monkeypatch):
    halted(tmp_path)
    monkeypatch.setattr("minidl.saving.setup.blas_threads", lambda: 96)
    with pytest.warns(ResumeWarning, match=r"BLAS threads was .*, is 96"):
        plain(trainer(), [Stop(None)], checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize("door", ["trainer", "model"])
def test_a_warning_is_in_the_name_of_the_callers_line(tmp_path, door):
    halted(tmp_path)
    made = trainer(optimizers.Adam(0.5))
    made.model.trainer = made
    fit = made.fit if door == "trainer" else made.model.fit
    with pytest.warns(ResumeWarning) as caught:
        fit(X, LABELS, batch_size=5, epochs=3, callbacks=[Stop(None)], verbose=0, checkpoint=tmp_path, resume=True)
    assert [warning.filename for warning in caught] == [__file__]


def test_nothing_is_warned_of_if_nothing_changed(tmp_path):
    halted(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain(trainer(), [Stop(None)], checkpoint=tmp_path, resume=True)


REFUSED = {
    "another batch size": (
        lambda m, f: m.fit(X, LABELS, batch_size=6, epochs=3, checkpoint=f, resume=True, callbacks=[Stop(None)]),
        FileError,
        "it must be of a fit like this one. Received: other batches, in the middle of an epoch: "
        "data batch_size was 5, is 6",
    ),
    "fewer samples": (
        lambda m, f: m.fit(X[:20], LABELS[:20], batch_size=5, epochs=3, checkpoint=f, resume=True),
        FileError,
        "in the middle of an epoch: data samples was 23, is 20",
    ),
    "another model": (
        lambda m, f: plain(
            Trainer(Sequential([layers.Input((6,)), layers.Dense(3, "softmax")], seed=0), "adam", SPARSE, ["accuracy"]),
            [Stop(None)], checkpoint=f, resume=True,
        ),
        FileError,
        "Sequential: the state must fit the model. Received: unknown ",
    ),
    "another optimizer": (
        lambda m, f: plain(trainer("sgd"), [Stop(None)], checkpoint=f, resume=True),
        FileError,
        "SGD: class must be one of 'SGD'. Received: class='Adam'",
    ),
    "other metrics": (
        lambda m, f: plain(trainer(metrics=()), [Stop(None)], checkpoint=f, resume=True),
        FileError,
        "Means: there must be a state for each of 0 metrics. Received: others",
    ),
    "validation that wasn't there": (
        lambda m, f: plain(m, [Stop(None)], validation_data=(X, LABELS), checkpoint=f, resume=True),
        FileError,
        "Received: the columns ['loss', 'accuracy', 'learning_rate'], where this fit has ['loss', 'accuracy', 'val_lo",
    ),
    "a trainer that is elsewhere": (
        lambda m, f: (plain(m), plain(m, [Stop(None)], checkpoint=f, resume=True)),
        RuntimeError,
        "fit: resume goes on from a trainer that is new, or as it was then. Received: one after 15 steps; ",
    ),
    "no resume": (
        lambda m, f: plain(m, checkpoint=f),
        FileExistsError,
        "fit: a folder belongs to one fit: resume=True goes on with it, another folder begins anew. Received: ",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::minidl.saving.ResumeWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_going_on_is_refused_and_changes_nothing(tmp_path, name):
    halted(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    run, kind, says = REFUSED[name]
    made = trainer()
    with pytest.raises(kind) as caught:
        run(made, tmp_path)
    assert says in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    if made.optimizer.iterations == 0:
        same(made.model.state_dict(), trainer().model.state_dict())
        assert made.optimizer.state_dict()["parameters"] == {}
        assert (made.columns, made.split) == ([], None)


def test_a_fit_that_is_over_is_not_begun_again_by_its_own_trainer(tmp_path):
    made = trainer()
    plain(made, checkpoint=tmp_path)
    with pytest.raises(
        RuntimeError, match=r"fit: this fit is over; ask for more epochs.*epochs=3, of which 3 are done"
    ):
        plain(made, checkpoint=tmp_path, resume=True)


def test_a_refused_checkpoint_leaves_an_unbuilt_model_unbuilt(tmp_path):
    halted(tmp_path)
    model = Sequential([layers.Dense(3, "softmax")], seed=0)
    with pytest.raises(FileError), pytest.warns(ResumeWarning):
        plain(Trainer(model, "adam", SPARSE, ["accuracy"]), [Stop(None)], checkpoint=tmp_path, resume=True)
    assert not model.built
    assert model.seed == 0


# Two at a time ---------------------------------------------------------------------------------------------


def test_a_folder_is_one_fit_s_at_a_time(tmp_path):
    inside = []

    def second(epoch):
        with pytest.raises(BlockingIOError) as caught:
            plain(trainer(), checkpoint=tmp_path, resume=True)
        assert caught.value.errno == errno.EWOULDBLOCK
        inside.append(str(caught.value))

    plain(trainer(), [Lambda(on_epoch_begin=second)], checkpoint=tmp_path)
    assert len(inside) == 3
    assert f"fit: the folder {tmp_path} must be this fit's alone. Received: another fit is on it" in inside[0]
    plain(trainer(), [Lambda(on_epoch_begin=second)], checkpoint=tmp_path, resume=True)


def test_a_folder_is_one_process_s_at_a_time(tmp_path):
    code = (
        "import numpy as np, sys\n"
        "from minidl import *\n"
        "model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)\n"
        "wait = callbacks.Lambda(on_epoch_begin=lambda epoch: (print('in', flush=True), sys.stdin.readline()))\n"
        "Trainer(model, 'sgd', 'mse').fit(np.ones((3, 2)), np.ones((3, 1)), callbacks=[wait], checkpoint=sys.argv[1])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline().strip() == b"in"
        with pytest.raises(BlockingIOError):
            plain(trainer(), checkpoint=tmp_path, resume=True)
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(FileError, match="it must be of a fit like this one"), pytest.warns(ResumeWarning):
        plain(trainer(), checkpoint=tmp_path, resume=True)  # who was killed doesn't hold it


def test_two_fits_in_two_threads_have_two_folders(tmp_path):
    results = {}

    def run(name):
        made = trainer()
        results[name] = state(made, plain(made, checkpoint=CheckpointPolicy(tmp_path / name, every_steps=1)))

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = trainer()
    same(results["a"], state(made, plain(made)))
    same(results["b"], results["a"])
