"""The learning-rate range test: its steps are a training's, and it changes nothing."""

import numpy as np
import pytest

from minidl import Sequential, Trainer, datasets, layers, optimizers, schedules
from minidl.tuning import lr_find

(X, Y), _ = datasets.load_digits()
X = X.reshape(-1, 64) / 16


def compiled(optimizer="sgd", seed=0):
    model = Sequential([layers.Input((64,)), layers.Dense(30, "relu"), layers.Dense(10, "softmax")], seed=seed)
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    return model


def everything(model):
    state = model.trainer.optimizer.state_dict()
    return model.state_dict(), [p.grad.copy() for p in model.parameters], state, model.trainer.history.to_json()


def test_it_is_the_training_with_that_schedule():
    """A fit whose schedule grows by the same factor sees the same losses, batch by batch."""
    result = lr_find(compiled(), X, Y, batch_size=20, low=1e-3, high=1.0, steps=100, smoothing=0, stop=100.0)
    assert result.complete
    np.testing.assert_allclose(result.rates, 1e-3 * 1000 ** (np.arange(100) / 99), rtol=1e-12)
    np.testing.assert_array_equal(result.smoothed, result.losses)
    model = compiled(optimizers.SGD(lambda step: result.rates[step]))
    trainer, losses = model.trainer, []
    for epoch in range(2):  # 72 batches an epoch
        order = order_of_a_fit(model.seed, epoch)
        parts = [order[start : start + 20] for start in range(0, len(X), 20)]
        losses += [trainer.step(X[part], Y[part])["loss"] for part in parts[: 100 - len(losses)]]
    assert losses == result.losses.tolist()


def order_of_a_fit(seed, epoch):
    """Return the order in which a fit of that seed goes through the samples, as a layer inside sees it."""
    seen = []

    class Spy(layers.Layer):
        def forward(self, x, training=False):
            if training:
                seen.append(x[:, 0].astype(int))
            return x

        def backward(self, dy, accumulate=False):
            return dy

    n = len(X)
    spied = Sequential([layers.Input((1,)), Spy(), layers.Dense(1)], seed=seed, dtype="float64")
    Trainer(spied, optimizers.SGD(0.0), "mse").fit(
        np.arange(n, dtype=float)[:, None], np.zeros((n, 1)), batch_size=n, epochs=epoch + 1, verbose=0
    )
    return seen[epoch]


@pytest.mark.parametrize("given", ["model", "trainer"])
@pytest.mark.parametrize("rate", [0.1, schedules.CosineDecay(0.1, decay_steps=10)])
def test_nothing_is_changed(given, rate):
    model = compiled(optimizers.Adam(rate))
    model.fit(X, Y, epochs=1, verbose=0)
    before = everything(model)
    first, second = (lr_find(getattr(model, given, model), X, Y, steps=50) for _ in range(2))
    np.testing.assert_equal(everything(model), before)
    np.testing.assert_array_equal(first.losses, second.losses)
    assert model.trainer.optimizer.learning_rate == rate
    again = compiled(optimizers.Adam(rate))
    for _ in range(2):
        again.fit(X, Y, epochs=1, verbose=0)
    model.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_equal(everything(model), everything(again))


@pytest.mark.parametrize(("name", "low", "high"), [("sgd", 0.01, 0.5), ("adam", 3e-4, 0.02), ("momentum", 2e-3, 0.1)])
def test_the_suggestion_trains(name, low, high):
    """It lies within the rates that a grid finds good, and a net trained at it learns."""
    suggestion = lr_find(compiled(name), X, Y, batch_size=20).suggestion
    assert low < suggestion < high
    model = compiled(type(optimizers.registry.get(name))(suggestion))
    assert model.fit(X, Y, batch_size=20, epochs=10, verbose=0).history["accuracy"][-1] > 0.95


def test_it_stops_where_the_loss_bursts():
    result = lr_find(compiled(), X, Y, batch_size=20, high=1e6, steps=200)
    assert not result.complete
    assert len(result.rates) == len(result.losses) == len(result.smoothed) < 200
    assert result.smoothed[-1] > result.smoothed.min() + result.losses[0]
    earlier = result.smoothed[:-6]  # the average is known five steps later
    assert (earlier <= np.minimum.accumulate(earlier) + result.losses[0]).all()
    assert result.suggestion == result.rates[result.smoothed.argmin()] / 10


def test_it_goes_on_until_the_average_is_known():
    """One large loss among the first, not yet averaged with those behind it, ends nothing."""
    model = Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")], seed=0)
    model.compile("sgd", "mse")
    zero = np.zeros((1, 1))
    batches = [(zero, zero + np.sqrt(6.0 if i == 3 else 1.0)) for i in range(60)]
    result = lr_find(model, batches, low=1e-9, high=1e-8, steps=60)
    np.testing.assert_allclose(result.losses[:5], [1, 1, 1, 6, 1], rtol=1e-6)
    assert result.complete
    assert len(result.losses) == 60


def test_a_gradient_that_is_not_finite_ends_it():
    result = lr_find(compiled(), X, Y, batch_size=20, low=1e-3, high=1e200, steps=10, stop=1e300)
    assert not result.complete
    assert len(result.losses) < 10


def test_batches_may_come_as_an_iterable_and_are_gone_through_again():
    batches = [(X[i : i + 20], Y[i : i + 20]) for i in (0, 20, 40)]
    result = lr_find(compiled(), batches, steps=7, low=1e-9, high=1e-8)
    assert len(result.losses) == 7
    np.testing.assert_allclose(result.losses[3:6], result.losses[:3], rtol=1e-5)


class NoRate(optimizers.Optimizer):
    """A rule without a learning rate."""

    @staticmethod
    def update(w, g):
        return w - g


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda m: lr_find("adam", X, Y), TypeError, "lr_find: trainer must be a Trainer or a compiled model. Rec"),
        (lambda m: lr_find(Sequential([layers.Dense(1)]), X, Y), TypeError, "lr_find: trainer must be a Trainer or a"),
        (lambda m: lr_find(compiled(NoRate()), X, Y), ValueError, "must have a learning rate. Received: NoRate()"),
        (lambda m: lr_find(m, X, Y, low=0.0), ValueError, "lr_find: low must be in (0, inf). Received: low=0.0"),
        (lambda m: lr_find(m, X, Y, low=1.0, high=1.0), ValueError, "lr_find: high must be in (1.0, inf). Received"),
        (lambda m: lr_find(m, X, Y, steps=1), ValueError, "lr_find: steps must be an integer of at least 2. Received"),
        (lambda m: lr_find(m, X, Y, smoothing=-1), ValueError, "lr_find: smoothing must be a non-negative integer. R"),
        (lambda m: lr_find(m, X, Y, stop=0), ValueError, "lr_find: stop must be in (0, inf). Received: stop=0.0"),
        (lambda m: lr_find(m, X, Y[1:]), ValueError, "lr_find: x and y must have as many samples. Received: 1437 and"),
        (lambda m: lr_find(m, X * 3e38, Y), ValueError, "lr_find: the first step's gradient must be finite. Received"),
        (lambda m: lr_find(m, iter([(X, Y)])), ValueError, "lr_find: data must be arrays, or batches that iterate"),
    ],
)
def test_mistakes_are_named(call, error, says):
    with pytest.raises(error) as caught:
        call(compiled())
    assert says in str(caught.value)
