"""A step's calls are written down once and made again; whatever changes in between counts all the same."""

import copy
import subprocess
import sys

import numpy as np
import pytest
from bits import COPIES

from minidl import Sequential, Trainer, callbacks, layers, losses, optimizers
from minidl.compute.reuse import Reuse

RNG = np.random.default_rng(0)
X = RNG.standard_normal((210, 30)).astype(np.float32)
Y = RNG.integers(0, 10, len(X))


class Doubling(layers.Layer):
    """A layer of a user's own, which keeps count."""

    def __init__(self):
        super().__init__()
        self.forwards = self.backwards = 0

    def forward(self, x, training=False):
        self.__dict__["forwards"] += training
        return 2 * x

    def backward(self, dy, accumulate=False):
        self.__dict__["backwards"] += 1
        return 2 * dy


class Cube(layers.Elementwise):
    """An activation that looks at more than one entry."""

    def function(self, x):
        return x**3 - x.mean()

    def slope(self, x, y):
        return 3 * x**2


class Watched(layers.Dense):
    """A Dense layer that counts how often it is asked."""

    by_calls = True

    def linear(self, x):
        self.__dict__["asked"] = self.__dict__.get("asked", 0) + self.reuse.on
        return super().linear(x)


def model_of(*inner, first=None):
    first = layers.Dense(20) if first is None else first
    return Sequential([layers.Input((30,)), first, *inner, layers.Dense(10, "softmax")], seed=0)


def fitted(make, during=lambda batch, trainer: None, x=X, y=Y, loss=None, **options):
    """Return the bits of the weights after a fit, in which `during` is called after each step."""
    model = make()
    trainer = Trainer(model, optimizers.Momentum(0.01), loss or losses.SparseCategoricalCrossentropy(), seed=0)
    step = callbacks.Lambda(on_train_batch_end=lambda batch, logs: during(batch, trainer))
    options = {"batch_size": 20, "epochs": 3, "verbose": 0, "callbacks": [step], **options}
    trainer.fit(x, y, **options)
    return [array.tobytes() for array in model.get_weights()], model


@pytest.fixture
def untaped(monkeypatch):
    """A fit in which layers are asked at each step."""

    def run(*arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(Reuse, "taping", property(lambda self: False, lambda self, value: None), raising=False)
            return fitted(*arguments, **options)

    return run


def test_layers_are_asked_once_for_each_size_of_batch():
    _, model = fitted(lambda: model_of(first=Watched(20, "relu")))
    assert model.layers[0].asked <= 4  # 20 and 10 samples; again once LLVM is in memory


def test_of_data_without_an_order_too(untaped):
    _, model = fitted(lambda: model_of(first=Watched(20, "relu")), shuffle=False)
    assert model.layers[0].asked <= 4
    for options in ({"shuffle": False}, {"x": [(X[i : i + 20], Y[i : i + 20]) for i in range(0, 210, 20)], "y": None}):
        given = {**options, "batch_size": None} if "x" in options else options
        assert fitted(model_of, **given)[0] == untaped(model_of, **given)[0]


def leak(batch, trainer):
    trainer.model.layers[1].negative_slope = 0.01 * batch


def freeze(batch, trainer):
    trainer.model.layers[0].kernel.trainable = batch % 2 == 0


def move(batch, trainer):
    trainer.model.set_weights([weight * 0.9 for weight in trainer.model.get_weights()])


def unbias(batch, trainer):
    trainer.model.layers[2].use_bias = batch % 3 > 0


def look(batch, trainer):
    trainer.evaluate(X[:50], Y[:50])
    trainer.model.layers[0].forward(X[:20])


def borrow(batch, trainer):
    trainer.model.forward(X[:20], training=True)
    trainer.model.backward(np.ones((20, 10), np.float32))


@pytest.mark.parametrize("during", [leak, freeze, move, unbias, look, borrow])
def test_what_happens_between_steps_counts(during, untaped):
    def make():
        return model_of(layers.LeakyReLU(0.3), layers.Dense(15, "tanh"))

    assert fitted(make, during)[0] == untaped(make, during)[0]
    if during is not look:
        assert fitted(make, during)[0] != fitted(make)[0] or during is borrow


def grow(batch, trainer):
    if batch == 3 and len(trainer.model.layers) == 2:
        trainer.model.add(layers.Dense(10))


def test_a_model_that_grows(untaped):
    def make():
        return Sequential([layers.Input((30,)), layers.Dense(10), layers.Dense(10)], seed=0)

    options = {"loss": "mse", "y": np.eye(10, dtype=np.float32)[Y]}
    grown, _ = fitted(make, grow, **options)
    assert len(grown) == 6
    assert grown == untaped(make, grow, **options)[0]


@pytest.mark.parametrize("inner", [Doubling, Cube, lambda: layers.Dropout(0.4), layers.BatchNormalization])
def test_layers_of_every_kind_take_part(inner, untaped):
    assert fitted(lambda: model_of(inner()))[0] == untaped(lambda: model_of(inner()))[0]


def test_a_layer_of_a_users_own_is_asked_once_a_step():
    _, model = fitted(lambda: model_of(Doubling()))
    assert (model.layers[1].forwards, model.layers[1].backwards) == (33, 33)


def test_a_subclass_that_overrides_a_step_has_to_say_that_it_is_made_of_calls():
    class Shifted(layers.Dense):
        def linear(self, x):
            return super().linear(x) + np.float32(1)

    class Renamed(layers.Dense):
        def get_config(self):
            return super().get_config()

    assert (layers.Dense.by_calls, Shifted.by_calls, Renamed.by_calls, Watched.by_calls) == (True, False, True, True)


def test_an_error_on_the_way_leaves_no_tape_behind(untaped):
    class Failing(Doubling):
        def backward(self, dy, accumulate=False):
            if self.backwards == 0:
                self.__dict__["backwards"] += 1
                raise ZeroDivisionError
            return super().backward(dy, accumulate)

    model = model_of(Failing())
    trainer = Trainer(model, optimizers.Momentum(0.01), losses.SparseCategoricalCrossentropy(), seed=0)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(X, Y, batch_size=20, verbose=0)
    assert model.reuse.recording is None
    trainer.fit(X, Y, batch_size=20, epochs=3, verbose=0)
    expected, _ = untaped(lambda: model_of(Doubling()))
    assert [array.tobytes() for array in model.get_weights()] == expected


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_has_no_tape(duplicate):
    _, model = fitted(model_of)
    other = duplicate(model)
    before = [weight.copy() for weight in model.get_weights()]
    Trainer(other, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy(), seed=0).fit(X, Y, verbose=0)
    for weight, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_two_trainers_of_one_model_take_turns(untaped):
    def turns(batch, trainer):
        if batch % 3 == 0:
            x, y = X[batch : batch + 20], Y[batch : batch + 20]
            Trainer(trainer.model, optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy()).step(x, y)

    assert fitted(model_of, turns)[0] == untaped(model_of, turns)[0]


def test_more_shapes_than_tapes_are_kept_for():
    model = model_of()
    trainer = Trainer(model, optimizers.SGD(0.01), losses.SparseCategoricalCrossentropy(), seed=0)
    for size in [*range(1, 30), *range(1, 30)]:
        trainer.step(X[:size], Y[:size])
    assert len(model._tapes.known) <= 16


def test_a_way_back_that_is_asked_for_otherwise_is_another():
    model = model_of(layers.LeakyReLU(0.3))
    trainer = Trainer(model, optimizers.SGD(0.01), losses.SparseCategoricalCrossentropy(), seed=0)
    trainer.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    model.reuse.on = model.reuse.taping = True
    dy, x = RNG.standard_normal((20, 10)).astype(np.float32), X[:20]
    for _ in range(2):
        model.forward_logits(X[20:40], training=True)
        model.backward_part(dy, from_logits=True, input_gradient=False)
    model.forward_logits(x, training=True)
    dx = model.backward_part(dy, from_logits=True).copy()
    gradients = [parameter.grad.copy() for parameter in model.parameters]
    model.reuse.on = model.reuse.taping = False
    model.forward_logits(x, training=True)
    np.testing.assert_array_equal(model.backward_part(dy, from_logits=True), dx)
    for parameter, gradient in zip(model.parameters, gradients, strict=True):
        np.testing.assert_array_equal(parameter.grad, gradient)


def test_labels_that_change_to_what_they_must_not_be_are_refused():
    labels = Y.copy()

    def spoil(batch, trainer):
        if batch == 5:
            labels[:] = 1000

    with pytest.raises((FloatingPointError, IndexError)):
        fitted(model_of, spoil, y=labels)


@pytest.mark.usefixtures("llvm")  # calls are joined, then
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_trainer_goes_on_as_the_trainer_does(duplicate):
    trainer = Trainer(model_of(layers.ReLU()), "adam", "sparse_categorical_crossentropy", seed=0)
    trainer.fit(X, Y, batch_size=20, epochs=3, verbose=0)
    other = duplicate(trainer)
    ends = []
    for one in (trainer, other):
        history = one.fit(X, Y, batch_size=20, epochs=2, verbose=0)
        ends.append((history.history, [weight.tobytes() for weight in one.model.get_weights()]))
    assert ends[0] == ends[1]


def test_integers_of_several_kinds_take_turns():
    model = Sequential(
        [layers.Input((5,)), layers.Embedding(300, 4), layers.Flatten(), layers.Dense(10, "softmax")], seed=0
    )
    trainer = Trainer(model, optimizers.SGD(0.01), losses.SparseCategoricalCrossentropy(), seed=0)
    x = RNG.integers(0, 300, (20, 5))
    low, high = x % 100, x
    for kind, given in ((np.uint8, low), (np.int64, high), (np.uint8, low), (np.int16, high)):
        found = trainer.step(given.astype(kind), Y[:20])["loss"]
        other = copy.deepcopy(model)
        assert np.isfinite(found)
        assert other.layers[0].embeddings.grad.any(axis=1).sum() == len(np.unique(given))


LOADED_ON_THE_WAY = """
import sys
import numpy as np
from minidl import Sequential, Trainer, layers
model = Sequential([layers.Input((9,)), layers.Dense(700, "relu"), layers.Dense(2, "softmax")], seed=0)
trainer = Trainer(model, "sgd", "mse")
assert "llvmlite.binding" not in sys.modules
x = np.ones((400, 9), np.float32)
trainer.fit(x, x[:, :2], batch_size=200, epochs=2, verbose=0)
assert "llvmlite.binding" in sys.modules
(tape,) = model._tapes.known.values()
print([type(function).__name__ for function, _ in tape.forward])
"""


def test_a_tape_made_while_a_layer_loads_llvm_is_made_anew():
    pytest.importorskip("llvmlite")
    run = subprocess.run([sys.executable, "-c", LOADED_ON_THE_WAY], capture_output=True, text=True, check=True)
    assert "Biased" in run.stdout
