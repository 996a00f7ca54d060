"""The Trainer: one step, the loop around it, and what it refuses."""

import copy
import hashlib
import os
import subprocess
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bits import everything

from minidl import History, Sequential, Trainer, layers, losses, metrics, optimizers, regularizers, schedules
from minidl.callbacks import Callback, EarlyStopping, Lambda

close = partial(np.testing.assert_allclose, rtol=0, atol=1e-12)
same = np.testing.assert_array_equal

rng = np.random.default_rng(0)
N = 22
X = rng.normal(size=(N, 3))
Y = np.sin(X[:, :1]) + 0.5
LABELS = (np.arange(N) * 7 + 2) % 3
WEIGHTS = rng.uniform(0.1, 3, N)


def mlp(*last, seed=0, dtype="float64"):
    tail = last or (layers.Dense(1),)
    return Sequential([layers.Input((3,)), layers.Dense(5, "tanh"), *tail], seed=seed, dtype=dtype)


def regressor(*, seed=0, optimizer=None, **options):
    return Trainer(mlp(seed=seed), optimizer or optimizers.Adam(0.01), "mse", ["mae"], **options)


def classifier():
    return Trainer(mlp(layers.Dense(3, "softmax")), "adam", "sparse_categorical_crossentropy", ["accuracy"])


def weights(model):
    return np.concatenate([array.ravel() for array in model.get_weights()])


def own_order(epoch, n):
    return np.random.default_rng(epoch).permutation(n)


class Spy(losses.MeanSquaredError):
    """Records the targets of all samples that are trained on."""

    def __init__(self):
        self.seen = []

    def value_and_gradient(self, y_true, y_pred, sample_weight=None, gradient=True):
        if gradient:
            self.seen += np.ravel(y_true).astype(int).tolist()
        return super().value_and_gradient(y_true, y_pred, sample_weight, gradient)


def orders(*fits, seed=0, n=10, trainer_seed=None, **options):
    """Return the samples' order in each epoch of the fits, in batches of 4."""
    trainer = Trainer(mlp(seed=seed), optimizers.SGD(1e-3), Spy(), seed=trainer_seed)
    for epochs in fits:
        y = np.arange(n)[:, None]
        trainer.fit(np.ones((n, 3)), y, batch_size=4, epochs=epochs, verbose=0, **options)
    return [trainer.loss.seen[i : i + n] for i in range(0, len(trainer.loss.seen), n)]


def fingerprint():
    """Return the orders that the Trainer takes, and the bits of the weights that come out."""
    trainer = classifier()
    trainer.fit(X, LABELS, batch_size=5, epochs=3, verbose=0)
    return f"{orders(3)} {hashlib.sha256(weights(trainer.model).tobytes()).hexdigest()}"


# One step --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_step_is_the_training_step_written_by_hand(rule, weighted):
    trainer = Trainer(mlp(layers.Dense(3, "softmax")), rule, losses.SparseCategoricalCrossentropy(), ["accuracy"])
    w = [p.data.copy() for p in trainer.model.parameters]
    m, v = [np.zeros_like(a) for a in w], [np.zeros_like(a) for a in w]
    for t in range(1, 7):
        part = own_order(t, N)[:7]
        x, y, s = X[part], LABELS[part], (WEIGHTS if weighted else np.ones(N))[part]
        h = np.tanh(x @ w[0] + w[1])
        p = np.exp(h @ w[2] + w[3])
        p /= p.sum(axis=1, keepdims=True)
        share = s / s.sum()
        expected = {"loss": -(share * np.log(p[range(7), y])).sum(), "accuracy": (share * (p.argmax(1) == y)).sum()}
        dz = (p - np.eye(3)[y]) * share[:, None]
        dh = dz @ w[2].T * (1 - h**2)
        g = [x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)]
        if rule == "adam":
            m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
            v = [0.999 * a + 0.001 * b**2 for a, b in zip(v, g, strict=True)]
            g = [a / (1 - 0.9**t) / (np.sqrt(b / (1 - 0.999**t)) + 1e-8) for a, b in zip(m, v, strict=True)]
        w = [a - (0.001 if rule == "adam" else 0.01) * b for a, b in zip(w, g, strict=True)]

        logs = trainer.step(x, y, s if weighted else None)

        assert logs == pytest.approx(expected, rel=0, abs=1e-12)
        assert [type(value) for value in logs.values()] == [float, float]
        for parameter, value in zip(trainer.model.parameters, w, strict=True):
            close(parameter.data, value)
    assert len(trainer.history) == 0


@pytest.mark.parametrize("w", [None, WEIGHTS])
def test_fit_is_a_loop_of_steps_and_its_means_are_weighted_by_samples(w):
    fitted, stepped = classifier(), classifier()
    history = fitted.fit(X, LABELS, batch_size=8, epochs=2, shuffle=own_order, sample_weight=w, verbose=0)
    for epoch in range(2):
        order = own_order(epoch, N)
        parts = [order[:8], order[8:16], order[16:]]
        logs = [stepped.step(X[p], LABELS[p], None if w is None else w[p]) for p in parts]
        totals = [len(p) if w is None else w[p].sum() for p in parts]
        for name in ("loss", "accuracy"):
            mean = np.average([log[name] for log in logs], weights=totals)
            assert history.history[name][epoch] == pytest.approx(mean, rel=1e-12)
    same(weights(fitted.model), weights(stepped.model))


# The order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4, 10, 31])
def test_every_sample_comes_once_an_epoch(n):
    epochs = orders(3, n=n)
    assert [sorted(order) for order in epochs] == [list(range(n))] * 3
    assert n < 10 or len({tuple(order) for order in [*epochs, range(n)]}) == 4


def test_the_order_is_a_function_of_seed_and_epoch():
    assert orders(3) == orders(1, 1, 1) == orders(1, 2)
    assert orders(1, seed=7) == orders(1, seed=1, trainer_seed=7) != orders(1, seed=1)
    assert orders(2, seed=3)[1] != orders(2)[1]


def test_unshuffled_data_stay_in_their_order():
    assert orders(2, shuffle=False) == [list(range(10))] * 2


def test_a_callable_gives_the_order():
    calls = []

    def reverse_first(epoch, n):
        calls.append((epoch, n))
        return range(n) if epoch else range(n)[::-1]

    assert orders(1, 1, shuffle=reverse_first) == [list(range(10))[::-1], list(range(10))]
    assert calls == [(0, 10), (1, 10)]


@pytest.mark.parametrize(
    "shuffle",
    [
        *(lambda epoch, n, bad=bad: bad for bad in ([], [[0, 1]], [0.0, 1.0], [0, N], [-1, 0], [True, False], None)),
        *(None, 0, "batch"),
    ],
)
def test_a_bad_order_is_refused_before_anything_changed(shuffle):
    trainer = regressor()
    before = weights(trainer.model)
    with pytest.raises((ValueError, TypeError), match="shuffle"):
        trainer.fit(X, Y, shuffle=shuffle, verbose=0)
    same(weights(trainer.model), before)


def test_another_process_takes_the_same_orders_to_the_same_bits():
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import numpy as np, test_trainer as t; np.random.seed({i}); print(t.fingerprint())",
            ],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": str(i)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in (1, 2)
    ]
    assert {process.communicate(timeout=60)[0].strip() for process in processes} == {fingerprint()}


def test_the_global_random_state_is_neither_read_nor_written():
    results = []
    for seed in (1, 2):
        np.random.seed(seed)
        before = np.random.get_state()
        trainer = regressor()
        trainer.fit(X, Y, epochs=2, batch_size=5, validation_split=0.2, verbose=0)
        np.testing.assert_equal(np.random.get_state(), before)
        results.append(weights(trainer.model))
    same(*results)


# Weights of samples and classes ----------------------------------------------------------------------------


def test_a_weight_of_two_is_the_sample_twice():
    twice = np.arange(N) % 3 == 0
    weighted, repeated = classifier(), classifier()
    first = weighted.fit(X, LABELS, sample_weight=1.0 + twice, batch_size=N, epochs=4, verbose=0)
    index = np.concatenate([np.arange(N), np.flatnonzero(twice)])
    second = repeated.fit(X[index], LABELS[index], batch_size=len(index), epochs=4, verbose=0)
    close(weights(weighted.model), weights(repeated.model))
    for name in ("loss", "accuracy"):
        close(first.history[name], second.history[name])


@pytest.mark.parametrize(
    ("last", "loss", "y"),
    [
        (3, "sparse_categorical_crossentropy", LABELS),
        (3, "categorical_crossentropy", np.eye(3)[LABELS]),
        (1, "mse", LABELS[:, None]),
    ],
    ids=["integers", "one-hot", "column"],
)
@pytest.mark.parametrize("w", [None, WEIGHTS])
def test_class_weights_multiply_the_weights_of_their_samples(last, loss, y, w):
    class_weight = {0: 0.5, 1: 3.0, 2: 0.0, 9: 7.0}
    own = np.choose(LABELS, [0.5, 3.0, 0.0]) * (1 if w is None else w)

    def run(**options):
        trainer = Trainer(mlp(layers.Dense(last, "softmax" if last > 1 else None)), "adam", loss)
        history = trainer.fit(X, y, batch_size=8, epochs=2, verbose=0, **options)
        return weights(trainer.model), history

    (by_class, first), (by_sample, second) = run(class_weight=class_weight, sample_weight=w), run(sample_weight=own)
    same(by_class, by_sample)
    assert first == second


@pytest.mark.parametrize(
    ("class_weight", "y", "match"),
    [
        ({0: 1, 2: 1}, LABELS, "class 1"),
        ({0: 1, 1: -1, 2: 1}, LABELS, r"class_weight\[1\]"),
        ({0: 1, 1: 1}, X, "classes must be integers or one-hot"),
        ({0: 1, 1: 1, 2: 1}, np.eye(3)[LABELS] * 0.5, "classes must be integers or one-hot"),
    ],
    ids=["missing", "negative", "regression", "half-hot"],
)
def test_class_weights_that_do_not_fit_are_refused(class_weight, y, match):
    loss = "sparse_categorical_crossentropy" if y is LABELS else "mse"
    trainer = Trainer(mlp(layers.Dense(3, "softmax")), "sgd", loss)
    with pytest.raises(ValueError, match=match):
        trainer.fit(X, y, class_weight=class_weight, verbose=0)


# Gradients of several batches, fused losses, penalties -----------------------------------------------------


@pytest.mark.parametrize("n", [N, 12], ids=["last group short", "whole group"])
@pytest.mark.parametrize("some_without_weight", [False, True])
def test_accumulated_batches_are_one_batch(n, some_without_weight):
    w = WEIGHTS[:n].copy()
    if some_without_weight:
        w[:3] = 0

    def run(**options):
        penalized = partial(layers.Dense, kernel_regularizer=regularizers.L2(0.01))
        model = Sequential([layers.Input((3,)), penalized(5, "tanh"), penalized(3, "softmax")], seed=0, dtype="float64")
        optimizer = optimizers.Adam(0.01)
        optimizer.hooks += [optimizers.ClipByGlobalNorm(0.2), optimizers.WeightDecay(0.1)]
        trainer = Trainer(model, optimizer, "sparse_categorical_crossentropy", ["accuracy"])
        history = trainer.fit(X[:n], LABELS[:n], sample_weight=w, epochs=3, shuffle=False, verbose=0, **options)
        return trainer, history

    (many, first), (one, second) = run(batch_size=3, accumulate=4), run(batch_size=12)
    assert many.optimizer.iterations == one.optimizer.iterations == 3 * -(-n // 12)
    close(weights(many.model), weights(one.model))
    for name in first.history:
        close(first.history[name], second.history[name])


ENDS = {
    "layer": lambda units, name: [layers.Dense(units), layers.Softmax() if units > 1 else layers.Sigmoid()],
    "argument": lambda units, name: [layers.Dense(units, name)],
    "by name": lambda units, name: [layers.Dense(units), layers.Activation(name)],
    "model": lambda units, name: [Sequential([layers.Dense(units, name)])],
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (losses.SparseCategoricalCrossentropy, LABELS),
        (losses.CategoricalCrossentropy, np.eye(3)[LABELS]),
        (losses.BinaryCrossentropy, LABELS[:, None] % 2),
    ],
)
def test_a_last_activation_is_trained_as_from_logits(end, loss, y):
    units, name = (1, "sigmoid") if loss is losses.BinaryCrossentropy else (3, "softmax")
    # Of logits, 0.3 would be another threshold than of probabilities.
    metric = metrics.BinaryAccuracy(0.3) if units == 1 else metrics.Accuracy()
    fused, plain = mlp(*ENDS[end](units, name)), mlp(layers.Dense(units))
    plain.set_weights(fused.get_weights())
    on_probabilities = Trainer(fused, "adam", loss(), [metric])
    on_logits = Trainer(plain, "adam", loss(from_logits=True), [copy.deepcopy(metric)])
    histories = [t.fit(X, y, batch_size=8, epochs=3, verbose=0) for t in (on_probabilities, on_logits)]
    assert histories[0] == histories[1]
    same(weights(fused), weights(plain))
    assert on_probabilities.evaluate(X, y) == on_logits.evaluate(X, y)

    e = np.exp(plain.predict(X))
    p = e / (1 + e) if units == 1 else e / e.sum(axis=1, keepdims=True)
    close(fused.predict(X), p)
    hits = (p > 0.3) == y if units == 1 else p.argmax(axis=1) == LABELS
    assert on_logits.evaluate(X, y)[metric.name] == pytest.approx(hits.mean())


@pytest.mark.parametrize("end", ["layer", "argument", "by name"])
def test_from_logits_is_refused_for_a_model_that_ends_in_probabilities(end):
    with pytest.raises(ValueError, match="from_logits=True is for a model that ends without softmax"):
        Trainer(mlp(*ENDS[end](3, "softmax")), "sgd", losses.SparseCategoricalCrossentropy(from_logits=True))


def test_a_penalty_is_in_the_loss_and_in_the_gradient():
    def make(optimizer, **options):
        dense = [layers.Dense(5, "tanh", False, **options), layers.Dense(1, None, False, **options)]
        return Trainer(Sequential([layers.Input((3,)), *dense], seed=0, dtype="float64"), optimizer, "mse")

    penalized, hooked = make("adam", kernel_regularizer=regularizers.L2(0.05)), make("adam")
    hooked.optimizer.hooks.append(optimizers.L2(0.1))
    for _ in range(4):
        penalty = 0.05 * (weights(penalized.model) ** 2).sum()
        assert penalty > 0.1
        close(penalized.evaluate(X, Y, batch_size=4)["loss"], hooked.evaluate(X, Y)["loss"] + penalty)
        close(penalized.step(X, Y)["loss"], hooked.step(X, Y)["loss"] + penalty)
        close(weights(penalized.model), weights(hooked.model))


# Validation ------------------------------------------------------------------------------------------------

XV, YV, WV = X[:9] + 0.3, Y[:9] - 0.2, WEIGHTS[:9]


@pytest.mark.parametrize(
    ("data", "weighted"),
    [
        ((XV, YV), False),
        ((XV.tolist(), YV.tolist(), WV.tolist()), True),
        ([(XV[:4], YV[:4]), (XV[4:], YV[4:])], False),
        ([(XV[:4], YV[:4], WV[:4]), [XV[4:], YV[4:], WV[4:]]], True),
    ],
    ids=["arrays", "weighted arrays", "batches", "weighted batches"],
)
def test_validation_is_of_the_weights_at_the_end_of_the_epoch_and_by_its_own_weights(data, weighted):
    trainer = regressor()
    expected = []

    class Expect(Callback):
        def on_epoch_end(self, epoch, logs):
            error = (self.model.predict(XV) - YV)[:, 0]
            share = WV / WV.sum() if weighted else np.full(9, 1 / 9)
            expected.append([(share * error**2).sum(), (share * abs(error)).sum()])

    options = {"sample_weight": WEIGHTS, "batch_size": 7, "epochs": 3, "callbacks": [Expect()]}
    history = trainer.fit(X, Y, validation_data=data, verbose=0, **options)
    close(np.transpose([history.history["val_loss"], history.history["val_mae"]]), expected)
    alone = regressor()
    alone.fit(X, Y, verbose=0, **options)
    same(weights(trainer.model), weights(alone.model))


def test_a_split_is_disjoint_complete_seeded_and_kept():
    n = 40
    x, y = np.ones((n, 3)) * np.arange(n)[:, None] / n, np.arange(n)[:, None]
    trainer = Trainer(mlp(), optimizers.SGD(1e-4), Spy(), ["mae"])
    for _ in range(2):
        history = trainer.fit(x, y, sample_weight=1.0 + y[:, 0], validation_split=0.25, batch_size=8, verbose=0)
        train, kept = trainer.split
        assert (len(train), len(kept)) == (30, 10)
        same(np.sort(np.concatenate([train, kept])), np.arange(n))
        assert sorted(trainer.loss.seen[-30:]) == train.tolist()
        value = trainer.evaluate(x[kept], y[kept], sample_weight=1.0 + y[kept, 0])
        assert history.history["val_loss"] == pytest.approx([value["loss"]], rel=1e-12)
    assert sorted(trainer.loss.seen[:30]) == train.tolist()
    kept_by_seed = []
    for seed in (0, 1):
        other = Trainer(mlp(seed=5), "sgd", "mse", seed=seed)
        other.fit(x, y / n, validation_split=0.25, verbose=0)
        kept_by_seed.append(other.split[1].tolist())
    assert kept_by_seed[0] == kept.tolist() != kept_by_seed[1]


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_stratified_split_gives_each_class_its_share(one_hot):
    labels = np.repeat([0, 1, 2], [28, 8, 4])
    loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
    trainer = Trainer(mlp(layers.Dense(3, "softmax")), "sgd", loss)
    y = np.eye(3)[labels] if one_hot else labels
    trainer.fit(np.ones((40, 3)), y, validation_split=0.25, stratify=True, verbose=0)
    assert [np.bincount(labels[part]).tolist() for part in trainer.split] == [[21, 6, 3], [7, 2, 1]]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"validation_split": 1.0}, r"validation_split must be in \[0, 1\)"),
        ({"validation_split": -0.1}, r"validation_split must be in \[0, 1\)"),
        ({"validation_split": 0.01}, "fit: both parts must have samples"),
        ({"validation_split": 0.5, "validation_data": (X, Y)}, "both"),
        ({"stratify": True}, "stratify needs a validation_split"),
        ({"stratify": True, "validation_split": 0.5}, "classes must be integers or one-hot"),
        ({"validation_data": (X,)}, "1 entries"),
        ({"validation_data": (X, Y[:-1])}, "as many samples"),
        ({"validation_data": X}, "iterable of batches"),
        ({"validation_data": []}, "at least one"),
        ({"validation_data": iter([(X, Y)]), "epochs": 2}, "iterator"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_validation_is_refused_before_anything_changed(options, match):
    trainer = regressor()
    before = weights(trainer.model)
    with pytest.raises(ValueError, match=match):
        trainer.fit(X, Y, verbose=0, **options)
    same(weights(trainer.model), before)


def test_a_second_fit_goes_on_counting():
    trainer, whole = regressor(), regressor()
    first = trainer.fit(X, Y, batch_size=5, epochs=2, verbose=0)
    second = trainer.fit(X, Y, batch_size=5, epochs=3, verbose=0)
    whole.fit(X, Y, batch_size=5, epochs=5, verbose=0)
    assert (first.epoch, second.epoch, trainer.epoch) == ([0, 1], [2, 3, 4], 5)
    assert trainer.history == whole.history
    assert trainer.history.history["loss"] == first.history["loss"] + second.history["loss"]
    same(weights(trainer.model), weights(whole.model))


# Kinds of data ---------------------------------------------------------------------------------------------

SMALL = rng.integers(0, 4, (N, 3))


def on_disk(array, path):
    written = np.memmap(path, array.dtype, "w+", shape=array.shape)
    written[:] = array
    written.flush()
    return np.memmap(path, array.dtype, "r", shape=array.shape)


FORMS = {
    "lists": lambda x, y, folder: (x.tolist(), y.tolist()),
    "memory maps": lambda x, y, folder: (on_disk(x.astype("uint8"), folder / "x"), on_disk(y, folder / "y")),
    "strided": lambda x, y, folder: (np.repeat(x * 1.0, 2, axis=0)[::2], y[::-1].copy()[::-1]),
    "column by column": lambda x, y, folder: (np.asfortranarray(x), y),
    "bytes": lambda x, y, folder: (x.astype("uint8"), y),
    "read-only": lambda x, y, folder: (np.broadcast_to(x, x.shape), y),
}


@pytest.mark.parametrize("form", FORMS)
def test_data_may_come_in_any_form(form, tmp_path):
    trainer, plain = regressor(), regressor()
    x, y = FORMS[form](SMALL, Y, tmp_path)
    trainer.fit(x, y, batch_size=5, epochs=2, verbose=0)
    plain.fit(SMALL.astype(float), Y, batch_size=5, epochs=2, verbose=0)
    close(weights(trainer.model), weights(plain.model))
    close(trainer.predict(x), plain.predict(SMALL))
    assert trainer.evaluate(x, y) == pytest.approx(plain.evaluate(SMALL, Y))


class Stream:
    """Gives its batches anew whenever it is gone through."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize("kind", [list, Stream])
@pytest.mark.parametrize("w", [None, WEIGHTS])
def test_batches_may_come_from_an_iterable(kind, w):
    streamed, cut = regressor(), regressor()
    arrays = [X, Y] if w is None else [X, Y, w]
    batches = kind([tuple(array[i : i + 5] for array in arrays) for i in range(0, N, 5)])
    first = streamed.fit(batches, epochs=2, accumulate=2, verbose=0)
    options = {"batch_size": 5, "sample_weight": w}
    assert first == cut.fit(X, Y, epochs=2, accumulate=2, shuffle=False, verbose=0, **options)
    same(weights(streamed.model), weights(cut.model))
    assert streamed.evaluate(batches) == cut.evaluate(X, Y, **options)


def test_class_weights_reach_streamed_batches():
    streamed, cut = classifier(), classifier()
    options = {"class_weight": {0: 1, 1: 2, 2: 0.5}, "verbose": 0}
    streamed.fit([(X, LABELS, WEIGHTS)], **options)
    cut.fit(X, LABELS, sample_weight=WEIGHTS, batch_size=N, shuffle=False, **options)
    same(weights(streamed.model), weights(cut.model))


def test_an_iterator_serves_one_epoch():
    trainer, plain = regressor(), regressor()
    batches = ((X[i : i + 5], Y[i : i + 5]) for i in range(0, N, 5))
    with pytest.raises(ValueError, match=r"iterator can be read once only.*epochs=2"):
        trainer.fit(batches, epochs=2, verbose=0)
    assert trainer.fit(batches, verbose=0) == plain.fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match="at least one"):
        trainer.fit(batches, verbose=0)
    assert len(trainer.history) == 1


@pytest.mark.parametrize(
    ("x", "y", "options", "match"),
    [
        (X, Y[:-1], {}, "as many samples. Received: 22 and 21"),
        (X[:0], Y[:0], {}, "at least one sample"),
        ([], None, {}, "at least one"),
        (X, None, {}, "x and y, or an iterable of batches"),
        ("abc", None, {}, "x and y, or an iterable of batches"),
        (X, Y, {"batch_size": 0}, "batch_size must be a positive integer. Received: batch_size=0"),
        (X, Y, {"batch_size": 2.5}, "batch_size must be a positive integer"),
        (X, Y, {"batch_size": True}, "batch_size must be a positive integer"),
        (X, Y, {"epochs": 0}, "epochs must be a positive integer"),
        (X, Y, {"accumulate": 0}, "accumulate must be a positive integer"),
        (X, Y, {"verbose": 3}, "verbose must be one of"),
        (X.astype(object), Y, {}, "x must be numbers.* object array"),
        (X.astype(str), Y, {}, "x must be numbers"),
        (X, ["a"] * N, {}, "y must be numbers"),
        (X * 1j, Y, {}, "x must be numbers.* complex128"),
        ([[1.0, 2.0, 3.0], [1.0]], [[1.0], [2.0]], {}, "fit: x must"),
        (3.0, 4.0, {}, "x must have one entry a sample. Received: 3.0"),
        (X[:, :2], Y, {}, r"input must have shape \(batch, 3\)"),
        (X, Y[:, 0], {}, "targets must have the shape of the predictions"),
        (X, Y, {"sample_weight": WEIGHTS[:, None]}, r"sample_weight must have shape \(22,\)"),
        (X, Y, {"sample_weight": -WEIGHTS}, "finite and not negative"),
        (X, Y, {"sample_weight": np.full(N, np.nan)}, "finite and not negative"),
        (X, Y, {"callbacks": [print]}, "must be an instance of Callback"),
        ([(X, Y)], None, {"batch_size": 4}, "batch_size is for arrays"),
        ([(X, Y)], None, {"sample_weight": WEIGHTS}, "sample_weight is for arrays"),
        ([(X,)], None, {}, "a batch must be"),
        ([(X, Y[:-1])], None, {}, "as many x as y"),
        ([(X[:0], Y[:0])], None, {}, "at least one"),
    ],
)
def test_bad_data_and_arguments_are_refused_before_anything_changed(x, y, options, match):
    trainer = regressor()
    before = weights(trainer.model)
    with pytest.raises((ValueError, TypeError), match=match):
        trainer.fit(x, y, **{"verbose": 0, **options})
    same(weights(trainer.model), before)
    assert (len(trainer.history), trainer.epoch, trainer.optimizer.iterations) == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("accuracy", "metrics must be a list"),
        (["accuracy", "accuracy"], "names of their own"),
        ([metrics.Accuracy(name="loss")], "names of their own"),
        (["accurracy"], "Did you mean 'accuracy'"),
    ],
)
def test_bad_metrics_are_refused(given, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Trainer(mlp(), "sgd", "mse", given)


# Evaluating and predicting ---------------------------------------------------------------------------------


def test_evaluate_and_predict_change_nothing():
    trainer, alone = regressor(), regressor()
    for t in (trainer, alone):
        t.fit(X, Y, epochs=2, batch_size=5, verbose=0)
    before = everything(trainer)
    trainer.evaluate(XV, YV, batch_size=2, sample_weight=WV)
    trainer.predict(XV)
    assert everything(trainer) == before
    for t in (trainer, alone):
        t.fit(X, Y, batch_size=5, verbose=0)
    assert everything(trainer) == everything(alone)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end"])
def test_evaluating_in_a_callback_leaves_the_epochs_means_alone(hook):
    trainer, alone = regressor(), regressor()
    look = Lambda(**{hook: lambda *arguments: trainer.evaluate(XV, YV)})
    history = trainer.fit(X, Y, epochs=2, batch_size=5, callbacks=[look], verbose=0)
    assert history == alone.fit(X, Y, epochs=2, batch_size=5, verbose=0)


@pytest.mark.parametrize("batch_size", [1, 4, 9, None])
def test_evaluate_is_the_weighted_mean_over_all_samples(batch_size):
    trainer = regressor()
    error = (trainer.model.forward(XV) - YV)[:, 0]
    logs = trainer.evaluate(XV, YV, batch_size=batch_size, sample_weight=WV)
    expected = {"loss": np.average(error**2, weights=WV), "mae": np.average(abs(error), weights=WV)}
    assert logs == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [0, 1, N])
@pytest.mark.parametrize("batch_size", [1, 5, None])
def test_predict_is_forward_in_batches(n, batch_size):
    sizes = []

    class Sizes(layers.Layer):
        def forward(self, x, training=False):
            assert not training
            sizes.append(len(x))
            return x

    trainer = Trainer(mlp(Sizes(), layers.Dense(3, "softmax")), "sgd", "categorical_crossentropy")
    predicted = trainer.predict(X[:n], batch_size=batch_size)
    assert max(sizes) <= (batch_size or 32)
    assert sum(sizes) == n
    assert (predicted.shape, predicted.dtype) == ((n, 3), np.float64)
    close(predicted, trainer.model.forward(X[:n]))


@pytest.mark.parametrize(
    ("x", "options", "match"),
    [
        (X, {"batch_size": 0}, "batch_size must be a positive integer"),
        (1.0, {}, "one entry a sample"),
        (X[:, :2], {}, r"input must have shape \(batch, 3\)"),
        (X.astype(str), {}, "must be numbers"),
    ],
)
def test_predict_refuses_what_does_not_fit(x, options, match):
    with pytest.raises(ValueError, match=match):
        regressor().predict(x, **options)


def test_evaluating_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        regressor().evaluate([])


def test_a_compiled_model_has_kerass_shape():
    model, trainer = mlp(), regressor()
    model.compile(optimizers.Adam(0.01), "mse", ["mae"])
    assert model.fit(X, Y, epochs=2, batch_size=5, verbose=0) == trainer.fit(X, Y, epochs=2, batch_size=5, verbose=0)
    logs = trainer.evaluate(X, Y)
    assert model.evaluate(X, Y) == [logs["loss"], logs["mae"]]
    same(model.predict(X, batch_size=7), trainer.predict(X, batch_size=7))
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y) == logs["loss"]


# Numbers that aren't finite --------------------------------------------------------------------------------


def test_a_gradient_that_is_not_finite_ends_training_with_the_weights_of_the_step_before():
    trainer = regressor(optimizer=optimizers.SGD(lambda step: 0.01 if step < 12 else 1e200))
    after_steps, ended = [weights(trainer.model)], []
    callbacks = [
        Lambda(on_train_batch_end=lambda batch, logs: after_steps.append(weights(trainer.model))),
        Lambda(on_train_end=lambda: ended.append(True)),
    ]
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"of 'dense(_1)?/(kernel|bias)' not"):
        trainer.fit(X, Y, batch_size=5, epochs=5, callbacks=callbacks, verbose=0)
    same(weights(trainer.model), after_steps[-1])
    assert len(after_steps) > 10
    assert np.isfinite(after_steps[-1]).all()
    assert (trainer.history.epoch, trainer.epoch, ended) == ([0, 1], 2, [True])


# The optimizer ---------------------------------------------------------------------------------------------


def test_an_optimizer_that_trained_another_model_is_refused():
    first, optimizer = mlp(), optimizers.Adam()
    trainer, early = Trainer(first, optimizer, "mse"), Trainer(mlp(), optimizer, "mse")
    trainer.fit(X, Y, verbose=0)
    Trainer(first, optimizer, "mae")
    with pytest.raises(ValueError, match="trained another model"):
        Trainer(mlp(), optimizer, "mse")
    with pytest.raises(ValueError, match="trained another model"):
        early.fit(X, Y, verbose=0)


@pytest.mark.parametrize("load_first", [False, True])
def test_a_saved_optimizer_goes_on_in_a_new_trainer(load_first):
    trainer = regressor()
    trainer.fit(X, Y, batch_size=5, verbose=0)
    model, optimizer = mlp(seed=9), optimizers.Adam()
    model.load_state_dict(trainer.model.state_dict())
    if load_first:
        optimizer.load_state_dict(trainer.optimizer.state_dict())
    other = Trainer(model, optimizer, "mse")
    if not load_first:
        optimizer.load_state_dict(trainer.optimizer.state_dict())
    for t in (trainer, other):
        t.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    same(weights(model), weights(trainer.model))


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(
    ("rate", "every"),
    [
        (schedules.InverseTimeDecay(0.1, decay_rate=0.5, every="step"), "step"),
        (schedules.InverseTimeDecay(0.1, decay_rate=0.5), "epoch"),
        (lambda step: 0.1 / (1 + 0.5 * step), "step"),
        (0.1, None),
    ],
)
def test_history_holds_the_learning_rate_of_the_epochs_last_step(rate, every, accumulate):
    trainer = regressor(optimizer=optimizers.SGD(rate))
    for epochs in (2, 1):
        trainer.fit(X, Y, batch_size=8, epochs=epochs, accumulate=accumulate, verbose=0)
    steps = 3 if accumulate == 1 else 2
    index = {"step": [steps * (e + 1) - 1 for e in range(3)], "epoch": range(3), None: [0] * 3}[every]
    assert trainer.history.history["learning_rate"] == [0.1 / (1 + 0.5 * i) for i in index]


# Epochs, own steps and blame -------------------------------------------------------------------------------


def test_epochs_go_on_in_a_new_trainer_with_the_optimizers_state():
    rate = schedules.InverseTimeDecay(0.1, decay_rate=1.0)
    whole, first = regressor(optimizer=optimizers.Adam(rate)), regressor(optimizer=optimizers.Adam(rate))
    whole.fit(X, Y, batch_size=5, epochs=4, verbose=0)
    first.fit(X, Y, batch_size=5, epochs=2, verbose=0)
    model, optimizer = mlp(seed=1), optimizers.Adam()
    model.load_state_dict(first.model.state_dict())
    optimizer.load_state_dict(first.optimizer.state_dict())
    second = Trainer(model, optimizer, "mse", ["mae"], seed=first.seed)
    history = second.fit(X, Y, batch_size=5, epochs=2, verbose=0)
    assert (history.epoch, second.epoch, optimizer.epoch) == ([2, 3], 4, 4)
    same(weights(model), weights(whole.model))
    assert first.history.history["loss"] + history.history["loss"] == whole.history.history["loss"]
    again = Trainer(model, optimizer, "mse")  # as compiling anew does
    assert again.epoch == 4


def test_a_step_in_a_callback_leaves_the_epochs_means_alone():
    trainer, alone = regressor(optimizer=optimizers.SGD(0.0)), regressor(optimizer=optimizers.SGD(0.0))
    look = Lambda(on_train_batch_end=lambda *arguments: trainer.step(XV, YV))
    history = trainer.fit(X, Y, batch_size=5, callbacks=[look], verbose=0)
    assert history == alone.fit(X, Y, batch_size=5, verbose=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["x", "y"])
def test_data_that_are_not_finite_are_refused_before_anything_is_touched(name, value):
    data = {"x": X.copy(), "y": Y.copy()}
    data[name][-1] = value
    refused = pytest.raises(ValueError, match=rf"{name} must be finite. Received: {value} at \[{N - 1}, 0\], ")
    trainer = regressor()
    trainer.fit(X, Y, verbose=0)
    before = [p.grad.copy() for p in trainer.model.parameters], weights(trainer.model)
    for call in (trainer.fit, trainer.evaluate, trainer.step):
        with refused:
            call(**data)
    with refused:
        trainer.fit([(X, Y), (data["x"], data["y"])], verbose=0)
    with refused:
        trainer.fit(X, Y, validation_data=(data["x"], data["y"]), verbose=0)
    np.testing.assert_equal([[p.grad for p in trainer.model.parameters], weights(trainer.model)], list(before))


def test_large_finite_numbers_whose_sum_overflows_are_finite():
    x = np.full((4, 2), 3e38, np.float32)
    assert trainer_of_zeros().evaluate(x, np.zeros((4, 1)))["loss"] == 0


def trainer_of_zeros():
    return Trainer(Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="zeros")], seed=0), "sgd", "mse")


def test_a_memory_map_is_looked_at_batch_by_batch(tmp_path):
    x = np.memmap(tmp_path / "x.bin", np.float64, "w+", shape=X.shape)
    x[:] = X
    x[-1, 1] = np.nan
    trainer, steps = regressor(), []
    count = Lambda(on_train_batch_end=lambda batch, logs: steps.append(batch))
    with pytest.raises(
        ValueError, match=r"fit: x of a batch must be finite. Received: nan at \[\d, 1\], 1 such in all"
    ):
        trainer.fit(x, Y, batch_size=5, shuffle=False, callbacks=[count], verbose=0)
    assert len(steps) == (N - 1) // 5


def test_class_weights_do_not_reach_the_validation_part():
    options = {"validation_split": 0.5, "shuffle": False, "verbose": 0}
    plain = Trainer(mlp(layers.Dense(3, "softmax")), optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    weighted = Trainer(mlp(layers.Dense(3, "softmax")), optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    first = plain.fit(X, LABELS, **options).history
    second = weighted.fit(X, LABELS, class_weight={0: 9, 1: 1, 2: 1}, **options).history
    assert first["val_loss"] == second["val_loss"]
    assert first["loss"] != second["loss"]


def test_a_split_of_a_memory_map_is_not_read_into_memory(tmp_path):
    path = tmp_path / "x.bin"
    np.memmap(path, np.float32, "w+", shape=(200_000, 50)).flush()
    x = np.memmap(path, np.float32, "r", shape=(200_000, 50))
    model = Sequential([layers.Input((50,)), layers.Dense(1)], seed=0)
    trainer = Trainer(model, "sgd", "mse")
    tracemalloc.start()
    trainer.fit(x, np.zeros((200_000, 1), np.float32), batch_size=5_000, validation_split=0.1, verbose=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 4


def test_metrics_may_be_none_as_in_keras():
    model = mlp()
    model.compile("sgd", "mse", metrics=None)
    assert isinstance(model.fit(X, Y, verbose=0), History)


def test_validation_data_that_do_not_fit_are_refused_before_the_first_step():
    trainer = regressor()
    with pytest.raises(ValueError, match="targets must have the shape of the predictions"):
        trainer.fit(X, Y, validation_data=(XV, YV[:, 0]), verbose=0)
    assert trainer.optimizer.iterations == 0


# A fit that is refused -------------------------------------------------------------------------------------


def test_a_model_that_a_refused_fit_would_have_built_is_not_built_and_keeps_what_was():
    trained = layers.Dense(4)
    trained.build((3,), np.random.default_rng(5))
    model = Sequential([trained, layers.Dense(3, "softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    kernel = trained.kernel.data.copy()
    with pytest.raises(ValueError, match=r"labels must be in 0 \.\. 2"):
        model.fit(X, np.arange(N), verbose=0)
    assert (model.built, trained.built, model.layers[1].built) == (False, True, False)
    np.testing.assert_array_equal(trained.kernel.data, kernel)
    again = Sequential([copy.deepcopy(trained), layers.Dense(3, "softmax")], seed=0)
    again.compile("sgd", "sparse_categorical_crossentropy")
    for one in (model, again):
        one.fit(X, LABELS, verbose=0)
    same(weights(model), weights(again))


def test_a_label_anywhere_is_looked_at_before_the_first_step():
    for place in ("x", "validation_data", "list"):
        wrong = LABELS.copy()
        wrong[-1] = 3
        trainer = Trainer(mlp(layers.Dense(3, "softmax")), optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        before = weights(trainer.model)
        arguments = {"x": (X, wrong), "validation_data": (X, LABELS), "list": ([(X, LABELS), (X, wrong)],)}[place]
        options = {"validation_data": (X, wrong)} if place == "validation_data" else {}
        with pytest.raises(
            ValueError, match=r"labels must be in 0 \.\. 2, for 3 outputs. Received: labels from 0 to 3"
        ):
            trainer.fit(*arguments, **options, verbose=0)
        same(weights(trainer.model), before)
        assert (trainer.epoch, trainer.columns, trainer.optimizer.iterations) == (0, [], 0)


def test_a_refused_fit_leaves_the_record_of_the_last_one():
    trainer = regressor()
    trainer.fit(X, Y, validation_split=0.25, verbose=0)
    columns, split = trainer.columns, trainer.split
    for wrong in ({"callbacks": 5}, {"shuffle": lambda epoch, n: None}, {"callbacks": [EarlyStopping("val_loss")]}):
        with pytest.raises((TypeError, ValueError)):
            trainer.fit(X, Y, verbose=0, **wrong)
        assert trainer.columns is columns
        assert trainer.split is split


@pytest.mark.parametrize("model", [5, "model", layers.Dense(3), Sequential])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(TypeError, match=r"Trainer: model must be a Sequential or like one. Received: .*, which has no"):
        Trainer(model, "sgd", "mse")
