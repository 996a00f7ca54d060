"""From the second step on, training needs no new memory, and nobody else sees the memory that it uses again."""

import threading
import tracemalloc

import numpy as np
import pytest
from bits import COPIES

from minidl import Residual, Sequential, Trainer, callbacks, layers, losses, metrics, optimizers
from minidl.compute.reuse import Reuse
from minidl.optimizers.spans import PIECE

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2100, 100)).astype(np.float32)
Y = RNG.integers(0, 10, len(X))
MOST = 4 * PIECE  # bytes of a piece in float32


def dense(activation="relu", inner=()):
    return Sequential(
        [layers.Input((100,)), layers.Dense(300, activation), *inner, layers.Dense(10, "softmax")], seed=0
    )


def peak(job):
    """Return the most bytes that `job` needs at once beyond what there was."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        job()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


class Watched(callbacks.Callback):
    """Notes the most that steps need, from the third on."""

    def __init__(self):
        self.most = []

    def on_train_batch_begin(self, batch):
        if batch >= 2:
            tracemalloc.start()
            self.before = tracemalloc.get_traced_memory()[0]

    def on_train_batch_end(self, batch, logs):
        if batch >= 2:
            self.most.append(tracemalloc.get_traced_memory()[1] - self.before)
            tracemalloc.stop()


@pytest.mark.parametrize("execution", ["replayed", "compiled"])
@pytest.mark.parametrize("size", [20, 500])
@pytest.mark.parametrize("optimizer", [optimizers.SGD, optimizers.Adam])
def test_a_fit_allocates_nothing_of_the_size_of_a_piece(optimizer, size, execution):
    watched, rule = Watched(), optimizer()
    rule.execution = execution
    trainer = Trainer(dense(), rule, losses.SparseCategoricalCrossentropy(), ["accuracy"])
    trainer.fit(X[:2000], Y[:2000], batch_size=size, callbacks=[watched], verbose=0)
    assert len(watched.most) == 2000 // size - 2
    assert max(watched.most) < MOST


def test_a_step_by_hand_allocates_nothing_of_the_size_of_a_piece():
    trainer = Trainer(dense(), optimizers.Adam(), losses.SparseCategoricalCrossentropy())
    for _ in range(2):
        trainer.step(X[:1000], Y[:1000])
    assert peak(lambda: trainer.step(X[:1000], Y[:1000])) < MOST


def test_bytes_are_scaled_batch_by_batch():
    x = (np.abs(X) * 50).clip(0, 255).astype(np.uint8)
    ends = []
    start = dense().get_weights()
    for data, first in ((x, [layers.Rescaling(1 / 255)]), (x.astype(np.float32) / np.float32(255), [])):
        model = Sequential(
            [layers.Input((100,)), *first, layers.Dense(300, "relu"), layers.Dense(10, "softmax")], seed=0
        )
        model.set_weights(start)
        watched = Watched()
        trainer = Trainer(model, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy(), seed=0)
        trainer.fit(data[:2000], Y[:2000], batch_size=500, callbacks=[watched], verbose=0, epochs=2)
        assert max(watched.most) < MOST
        ends.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    np.testing.assert_allclose(*ends, rtol=1e-4, atol=1e-6)


def test_a_memory_map_takes_the_steps_of_its_array(tmp_path):
    np.save(tmp_path / "x.npy", X)
    ends = []
    for data in (X, np.load(tmp_path / "x.npy", mmap_mode="r")):
        model = dense()
        Trainer(model, optimizers.Adam(), losses.SparseCategoricalCrossentropy()).fit(data, Y, batch_size=64, verbose=0)
        ends.append([weight.tobytes() for weight in model.get_weights()])
    assert ends[0] == ends[1]


# The same numbers as without --------------------------------------------------------------------------------

NETS = {
    "dense": dense,
    "tanh": lambda: dense("tanh"),
    "nested": lambda: dense(inner=[Sequential([layers.Dense(20, "relu"), layers.Dropout(0.3)])]),
    "residual": lambda: dense(inner=[Residual([layers.Dense(300, "sigmoid"), layers.LayerNormalization()])]),
    "normalised": lambda: dense(inner=[layers.BatchNormalization(), layers.ELU()]),
    "linear and penalised": lambda: dense(
        "linear", [layers.Dense(5, activity_regularizer="l2", kernel_regularizer="l1")]
    ),
    "images": lambda: Sequential(
        [
            layers.Input((100,)),
            layers.Reshape((10, 10, 1)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Conv2D(3, 2, strides=2),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ],
        seed=0,
    ),
    "sequences": lambda: Sequential(
        [
            layers.Input((100,)),
            layers.Reshape((10, 10)),
            layers.LSTM(7, return_sequences=True),
            layers.GRU(6, return_sequences=True),
            layers.SimpleRNN(5),
            layers.Dense(10, "softmax"),
        ],
        seed=0,
    ),
}


def trained(make, accumulate):
    model = make()
    trainer = Trainer(model, optimizers.Adam(0.01), losses.SparseCategoricalCrossentropy(), ["accuracy"])
    history = trainer.fit(
        X[:210], Y[:210], batch_size=20, epochs=2, validation_split=0.1, accumulate=accumulate, verbose=0
    )
    return history.history, [weight.tobytes() for weight in model.get_weights()]


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("net", NETS)
def test_memory_that_is_used_again_changes_no_bit(net, accumulate, monkeypatch):
    found = trained(NETS[net], accumulate)
    monkeypatch.setattr(Reuse, "on", property(lambda self: False, lambda self, value: None), raising=False)
    assert trained(NETS[net], accumulate) == found


# Nobody else sees it ----------------------------------------------------------------------------------------


class Collector(metrics.Metric):
    """Keeps what it is given."""

    def __init__(self, *, name="collector"):
        super().__init__(name=name)
        self.reset()

    def update(self, y_true, y_pred, sample_weight=None):
        self.kept.append((y_true, y_pred))
        self.copies.append((y_true.copy(), y_pred.copy()))

    def result(self):
        for kept, copied in zip(self.kept, self.copies, strict=True):
            np.testing.assert_array_equal(kept[0], copied[0])
            np.testing.assert_array_equal(kept[1], copied[1])
        return 0.0

    def reset(self):
        self.kept, self.copies = [], []


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mean_squared_error"])
def test_what_a_metric_keeps_stays_as_it_was(loss):
    y = Y if loss.startswith("sparse") else np.eye(10, dtype=np.float32)[Y]
    trainer = Trainer(dense(), optimizers.SGD(0.1), loss, [Collector()])
    trainer.fit(X[:200], y[:200], batch_size=20, epochs=2, validation_data=(X[:50], y[:50]), verbose=0)


def test_outputs_that_were_given_away_stay_as_they_were():
    model = dense(inner=[layers.Dense(30, "relu")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    given = []

    def look(batch, logs):
        outputs = [
            model.forward(X[:7]),
            model.predict(X[:7]),
            model.layers[0].forward(X[:20], training=True),
            model.layers[0].activation.forward(np.ones((20, 300), np.float32)),
            model.forward_logits(X[:20]),
        ]
        given.extend((output, output.copy()) for output in outputs)

    model.fit(X[:200], Y[:200], batch_size=20, verbose=0, callbacks=[callbacks.Lambda(on_train_batch_end=look)])
    assert len(given) == 50
    for output, copied in given:
        np.testing.assert_array_equal(output, copied)


def test_batches_of_a_shorter_and_a_longer_kind_take_turns():
    model, other = dense(), dense()
    trainer = Trainer(model, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy())
    for size in (20, 7, 20, 50, 1, 50, 20):
        trainer.step(X[:size], Y[:size])
        Trainer(other, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy()).step(X[:size], Y[:size])
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_error_in_a_step_leaves_the_memory_to_nobody():
    model = dense()
    trainer = Trainer(model, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy())
    trainer.step(X[:20], Y[:20])
    with pytest.raises(ValueError, match="labels must"):
        trainer.step(X[:20], Y[:20] + 100)
    first = model.layers[0].forward(X[:20])
    assert first is not model.layers[0].forward(X[:20])
    assert not model.reuse.on


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_has_memory_of_its_own(duplicate):
    model = dense(inner=[Sequential([layers.Dense(4)])])
    Trainer(model, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy()).step(X[:20], Y[:20])
    other = duplicate(model)
    parts = [other, *other.layers, *other.layers[1].layers, other.layers[0].activation]
    assert {id(part.reuse) for part in parts} == {id(other.reuse)} != {id(model.reuse)}
    assert not any(part._scratch for part in parts)


def test_models_in_two_threads_do_not_disturb_each_other():
    def train(found, place):
        found[place] = trained(NETS["nested"], 1)

    found = [None] * 3
    for turn in ([0], [1, 2]):
        threads = [threading.Thread(target=train, args=(found, place)) for place in turn]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found[0] == found[1] == found[2]
