"""What is particular to each kind of layer: windows, states, buffers, masks, tables, blocks, penalties on outputs."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import central_difference, relative_error

from minidl import Residual, Sequential, Trainer, callbacks, layers, losses, optimizers, testing
from minidl.layers import LSTM, BatchNormalization, Bidirectional, Conv2D, Dense, Dropout, Embedding, Input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 6))
Y = RNG.normal(size=(12, 2))


def built(layer, shape, dtype="float64"):
    layer.dtype = np.dtype(dtype)
    layer.build(shape, np.random.default_rng(0))
    return layer


# Windows ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.sampled_from(["valid", "same"]),
)
def test_a_convolution_is_its_formula(size, kernel, strides, dilation, padding):
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "valid" and any(e > n for e, n in zip(extent, size, strict=True)):
        with pytest.raises(ValueError, match=r"a window of .* pixels must fit into the image. Received: "):
            built(Conv2D(2, kernel, strides, padding, dilation), (*size, 1))
        return
    layer = built(Conv2D(2, kernel, strides, padding, dilation), (*size, 1))
    x = np.random.default_rng(1).normal(size=(1, *size, 1))
    before = [0, 0]
    if padding == "same":
        outs = [math.ceil(n / s) for n, s in zip(size, strides, strict=True)]
        lack = [max((o - 1) * s + e - n, 0) for o, s, e, n in zip(outs, strides, extent, size, strict=True)]
        before = [number // 2 for number in lack]
    else:
        outs = [(n - e) // s + 1 for n, e, s in zip(size, extent, strides, strict=True)]
    assert layer.output_shape == (*outs, 2)
    y = layer.forward(x)
    for p in range(outs[0]):
        for q in range(outs[1]):
            for f in range(2):
                terms = []
                for i in range(kernel[0]):
                    for j in range(kernel[1]):
                        row = p * strides[0] + i * dilation[0] - before[0]
                        column = q * strides[1] + j * dilation[1] - before[1]
                        if 0 <= row < size[0] and 0 <= column < size[1]:
                            terms.append(x[0, row, column, 0] * layer.kernel.data[i, j, 0, f])
                assert y[0, p, q, f] == pytest.approx(math.fsum(terms), abs=1e-12)


def test_pools_by_hand():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    assert built(layers.MaxPooling2D(), (4, 4, 1)).forward(x).ravel().tolist() == [5, 7, 13, 15]
    assert built(layers.AveragePooling2D(), (4, 4, 1)).forward(x).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]
    same = built(layers.AveragePooling2D(3, 1, "same"), (4, 4, 1)).forward(x)
    assert same[0, 0, 0, 0] == (0 + 1 + 4 + 5) / 4  # what lies outside doesn't count
    assert built(layers.MaxPooling2D(3, 2, "same"), (4, 4, 1)).forward(-x)[0, 1, 1, 0] == -10


def test_equal_maxima_give_the_gradient_to_the_first():
    pool = built(layers.MaxPooling2D(), (2, 4, 1))
    pool.forward(np.ones((1, 2, 4, 1)))
    assert pool.backward(np.array([[[[2.0], [3.0]]]])).ravel().tolist() == [2, 0, 3, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Conv2D(3, 2, groups=2), "Conv2D: groups must divide filters. Received: groups=2, filters=3"),
        (lambda: Conv2D(2, 0), "Conv2D: kernel_size must be a positive integer. Received: kernel_size=0"),
        (lambda: Conv2D(2, (1, 2, 3)), "Conv2D: kernel_size must be one integer or two. Received: kernel_size=(1, 2, "),
        (lambda: Conv2D(2, 2, padding="full"), "Conv2D: padding must be one of 'valid', 'same'. Received: padding='fu"),
        (lambda: built(Conv2D(2, 2), (4, 4)), "Conv2D: input must have shape (batch, height, width, channels). Receiv"),
        (lambda: built(Conv2D(2, 2, groups=2), (4, 4, 3)), "Conv2D: groups must divide the channels. Received: groups"),
        (lambda: built(layers.MaxPooling2D(5), (4, 4, 1)), "MaxPooling2D: a window of (5, 5) pixels must fit into the"),
        (lambda: built(LSTM(2), (4,)), "LSTM: input must have shape (batch, steps, features). Received: samples of"),
        (lambda: built(layers.Reshape((5, -1)), (4, 3)), "Reshape: target_shape must have as many entries as a sample"),
        (lambda: built(layers.Reshape((5,)), (10,)), "Reshape: target_shape must have as many entries as a sample. Re"),
        (lambda: layers.Reshape((-1, -1)), "Reshape: target_shape must be a tuple of positive integers, one of which "),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "ZeroPadding2D: padding must be a number, two, or two pairs. Receiv"),
        (lambda: layers.ZeroPadding2D(-1), "ZeroPadding2D: padding must be a non-negative integer. Received: padding="),
        (lambda: built(BatchNormalization(2), (4,)), "BatchNormalization: axis must be one of the 1 axes behind the b"),
        (lambda: built(layers.PReLU(shared_axes=(2,)), (4,)), "PReLU: shared_axes must be in 1 .. 1. Received: shared"),
        (lambda: Dropout(1.0), "Dropout: rate must be in [0, 1). Received: rate=1.0"),
        (lambda: built(Residual([Dense(3)]), (4,)), "Residual: its layers must keep the shape of a sample. Received: "),
        (lambda: Bidirectional(LSTM(2), "max"), "Bidirectional: merge_mode must be one of 'concat', 'sum', 'mul', 'av"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(make, says):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole beginning is compared
        make()
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LSTM(2, activation="softmax"), "LSTM: activation must act on each entry by itself, without weights. "),
        (lambda: layers.GRU(2, recurrent_activation=layers.PReLU()), "GRU: recurrent_activation must act on each"),
        (lambda: Bidirectional(Dense(2)), "Bidirectional: layer must be a recurrent layer that isn't built. Received:"),
        (lambda: LSTM(2, unit_forget_bias=1), "LSTM: unit_forget_bias must be True or False. Received: unit_forget_bi"),
        (lambda: layers.PReLU(shared_axes=1), "PReLU: shared_axes must be a tuple of axes. Received: shared_axes=1"),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_refused(make, says):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value).startswith(says)


# States ----------------------------------------------------------------------------------------------------


def test_the_forget_gate_starts_open():
    assert built(LSTM(2), (3, 4)).bias.data.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert not built(LSTM(2, unit_forget_bias=False), (3, 4)).bias.data.any()


@pytest.mark.parametrize("kind", [layers.SimpleRNN, LSTM, layers.GRU])
def test_the_last_state_ends_the_sequence_and_backwards_is_the_sequence_turned(kind):
    x = RNG.normal(size=(2, 5, 3))
    last, sequence, turned = (
        built(kind(4, **options), (5, 3)) for options in ({}, {"return_sequences": True}, {"go_backwards": True})
    )
    np.testing.assert_array_equal(sequence.forward(x)[:, -1], last.forward(x))
    np.testing.assert_array_equal(turned.forward(x[:, ::-1]), last.forward(x))
    short = built(kind(4), (3, 3))
    np.testing.assert_allclose(short.forward(x[:, :3]), sequence.forward(x)[:, 2], rtol=1e-12)


def test_bidirectional_leaves_the_layer_that_it_was_given():
    given_ = LSTM(2, name="memory")
    both = built(Bidirectional(given_), (3, 2))
    assert (given_.name, given_.built) == ("memory", False)
    assert [name.split("/")[0] for name in both.named_parameters()][::3] == ["forward_memory", "backward_memory"]
    assert both.output_shape == (4,)


# Buffers ---------------------------------------------------------------------------------------------------


def test_running_statistics_follow_their_formula_and_serve_outside_training():
    layer = built(BatchNormalization(momentum=0.9), (3,))
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(4):
        x = RNG.normal(2, 3, (20, 3))
        layer.forward(x, training=True)
        mean, variance = 0.9 * mean + 0.1 * x.mean(axis=0), 0.9 * variance + 0.1 * x.var(axis=0)
    np.testing.assert_allclose(layer.buffers["moving_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(layer.buffers["moving_variance"], variance, rtol=1e-12)
    np.testing.assert_allclose(layer.forward(x), (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-10)
    np.testing.assert_allclose(layer.buffers["moving_mean"], mean, rtol=1e-12)


def test_a_frozen_normalisation_uses_and_keeps_its_running_statistics():
    layer = built(BatchNormalization(), (3,))
    layer.trainable = False
    x = RNG.normal(2, 3, (20, 3))
    np.testing.assert_array_equal(layer.forward(x, training=True), layer.forward(x))
    assert not layer.buffers["moving_mean"].any()


def test_the_best_weights_bring_their_running_statistics_back():
    model = Sequential([Input((6,)), Dense(4), BatchNormalization(), Dense(2)], seed=0)
    trainer, seen = Trainer(model, optimizers.SGD(0.5), "mse"), []
    watch = callbacks.Lambda(on_epoch_end=lambda epoch, logs: seen.append((logs["val_loss"], model.state_dict())))
    stop = callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    trainer.fit(X, Y, validation_data=(X, Y), epochs=10, callbacks=[watch, stop], verbose=0)
    best = min(seen, key=lambda pair: pair[0])[1]
    np.testing.assert_equal(model.state_dict(), best)


# Masks -----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 0.95), st.integers(0, 1000))
def test_dropout_keeps_its_share_and_the_mean(rate, seed):
    layer = built(Dropout(rate, seed=seed), (4000,))
    y = layer.forward(np.ones((1, 4000)), training=True)
    kept = (y != 0).mean()
    assert kept == pytest.approx(1 - rate, abs=0.05)
    assert set(np.unique(y)) <= {0.0, 1 / (1 - rate)}
    np.testing.assert_array_equal(layer.backward(np.ones_like(y)), y)
    np.testing.assert_array_equal(layer.forward(np.ones((1, 4000))), np.ones((1, 4000)))


def dropping(seed=0):
    model = Sequential([Input((6,)), Dense(20, "relu"), Dropout(0.5), Dropout(0.5), Dense(2)], seed=seed)
    model.compile(optimizers.SGD(0.01), "mse")
    return model


def test_masks_are_a_function_of_the_seed_differ_and_continue_from_a_saved_state():
    first, second, other = dropping(), dropping(), dropping(1)
    histories = [m.fit(X, Y, epochs=4, batch_size=4, verbose=0).history["loss"] for m in (first, second, other)]
    assert histories[0] == histories[1] != histories[2]
    one, two = (layer.forward(np.ones((1, 20)), training=True) for layer in first.layers[1:3])
    assert not np.array_equal(one, two)  # each layer draws its own
    half = dropping()
    half.fit(X, Y, epochs=2, batch_size=4, verbose=0)
    resumed = dropping()
    resumed.load_state_dict(half.state_dict())
    resumed.trainer.optimizer.load_state_dict(half.trainer.optimizer.state_dict())
    assert resumed.fit(X, Y, epochs=2, batch_size=4, verbose=0).history["loss"] == histories[0][2:]


# Tables ----------------------------------------------------------------------------------------------------


def test_embedding_takes_integers_that_single_precision_could_not_hold():
    model = Sequential([Input((2,)), Embedding(20_000_000, 1, "zeros"), layers.Flatten()], seed=0)
    table = model.parameters[0].data
    table[16_777_217] = 5
    assert model.predict(np.array([[16_777_217, 16_777_216]])).tolist() == [[5, 0]]
    with pytest.raises(ValueError, match=r"input must be integers in 0 .. 19999999. Received: .*, from -1 to 2"):
        model.predict(np.array([[-1, 2]]))
    with pytest.raises(ValueError, match="input must be integers in"):
        model.predict(np.array([[0.5, 2]]))


def test_a_row_that_comes_twice_gets_both_gradients():
    layer = built(Embedding(4, 2), (3,))
    layer.forward(np.array([[1, 1, 3]]))
    layer.backward(np.array([[[1.0, 2.0], [10.0, 20.0], [5.0, 6.0]]]))
    assert layer.embeddings.grad.tolist() == [[0, 0], [11, 22], [0, 0], [5, 6]]


# Blocks ----------------------------------------------------------------------------------------------------


def test_a_residual_block_in_a_model_trains_saves_and_describes_itself():
    def make(seed):
        block = Residual([Dense(6, "tanh"), Residual([Dense(6, activity_regularizer="l2")])], name="block")
        return Sequential([Input((6,)), block, Dense(2)], seed=seed)

    model = make(0)
    history = Trainer(model, optimizers.Adam(0.02), "mse").fit(X, Y, epochs=100, verbose=0).history["loss"]
    assert history[-1] < 0.3 * history[0]
    other = Sequential.from_config(model.get_config())
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert repr(other) == repr(model)
    assert "Residual([" in repr(model)
    assert model.parameters[0].name == "block/dense/kernel"
    assert copy.deepcopy(model).predict(X).tolist() == model.predict(X).tolist()


def test_names_are_as_in_keras():
    model = Sequential([Input((8, 8, 1)), Conv2D(2, 3), layers.MaxPooling2D(), layers.Flatten(), layers.GELU()])
    assert [layer.name for layer in model.layers] == ["conv2d", "max_pooling2d", "flatten", "gelu"]


# Penalties on outputs --------------------------------------------------------------------------------------


def regularized():
    inner = Sequential([Dense(3, activity_regularizer="l1")])
    hidden = Dense(4, "tanh", kernel_regularizer="l2", activity_regularizer={"class": "L1L2", "l1": 0.1, "l2": 0.3})
    model = Sequential([Input((6,)), hidden, inner, Residual([Dense(3, activity_regularizer="l2")]), Dense(2)], seed=0,
                       dtype="float64")  # fmt: skip
    return model, Trainer(model, optimizers.SGD(1.0), "mse")


def test_activity_penalties_are_in_the_loss_and_in_the_gradient():
    model, trainer = regularized()

    def objective():
        return trainer.evaluate(X, Y, batch_size=12)["loss"]

    hidden = model.layers[0].forward(X)
    inner = model.layers[1].forward(hidden)
    third = model.layers[2].layers[0].forward(inner)
    penalty = (
        0.1 * np.abs(hidden).sum() + 0.3 * (hidden**2).sum() + 0.01 * np.abs(inner).sum() + 0.01 * (third**2).sum()
    )
    expected = (
        losses.MeanSquaredError()(Y, model.predict(X)) + penalty / 12 + 0.01 * (model.parameters[0].data ** 2).sum()
    )
    assert objective() == pytest.approx(expected, rel=1e-12)
    numeric = [central_difference(objective, p.data, 1e-6) for p in model.parameters]
    assert trainer.step(X, Y)["loss"] == pytest.approx(expected, rel=1e-12)
    for parameter, right in zip(model.parameters, numeric, strict=True):
        assert relative_error(parameter.grad, right) < 1e-6, parameter.name


def test_a_penalty_on_probabilities_keeps_the_loss_from_the_logits():
    y = np.arange(12) % 3
    model = Sequential([Input((6,)), Dense(3, "softmax", activity_regularizer="l2")], seed=0, dtype="float64")
    trainer = Trainer(model, optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    assert model.link is None
    probabilities = model.predict(X)
    plain = losses.SparseCategoricalCrossentropy()(y, probabilities)
    assert trainer.step(X, y)["loss"] == pytest.approx(plain + 0.01 * (probabilities**2).sum() / 12, rel=1e-12)


def test_accumulated_batches_share_the_penalty_by_their_samples():
    (one, whole), (other, parts) = regularized(), regularized()
    whole.fit(X, Y, batch_size=12, shuffle=False, verbose=0)
    parts.fit(X, Y, batch_size=5, accumulate=3, shuffle=False, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


# What a reader found ---------------------------------------------------------------------------------------


def test_weights_are_in_the_order_of_keras_layer_by_layer():
    model = Sequential([Input((2,)), BatchNormalization(), Dense(1), BatchNormalization()], seed=0)
    model.set_weights([np.full(w.shape, i) for i, w in enumerate(model.get_weights())])
    values = {name: array.ravel()[0] for name, array in model.state_dict().items()}
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [values[f"batch_normalization/{name}"] for name in names] == [0, 1, 2, 3]
    assert [values["dense/kernel"], values["dense/bias"]] == [4, 5]
    assert [values[f"batch_normalization_1/{name}"] for name in names] == [6, 7, 8, 9]


def test_a_residual_block_keeps_its_shape_however_it_is_made():
    with pytest.raises(ValueError, match="must keep the shape of a sample"):
        Residual([Input((3,)), Dense(1)])
    block = Residual([Input((3,)), Dense(3)], seed=0)
    with pytest.raises(ValueError, match=r"Received: from \(3,\) to \(1,\)"):
        block.add(Dense(1))
    assert (len(block.layers), block.forward(np.ones((2, 3))).shape) == (1, (2, 3))
    assert repr(Residual.from_config(block.get_config())) == repr(block)


@pytest.mark.parametrize("batch_size", [4, 2, 1])
def test_penalties_on_outputs_count_samples_whatever_their_weights(batch_size):
    weight = np.array([1.0, 1, 3, 3])

    def make():
        layer = Dense(1, activity_regularizer="l2")
        return Trainer(Sequential([Input((6,)), layer], seed=0, dtype="float64"), optimizers.SGD(0.01), "mse")

    whole, parts = make(), make()
    expected = whole.evaluate(X[:4], Y[:4, :1], sample_weight=weight, batch_size=4)["loss"]
    found = parts.evaluate(X[:4], Y[:4, :1], sample_weight=weight, batch_size=batch_size)["loss"]
    assert found == pytest.approx(expected, rel=1e-12)
    options = {"sample_weight": weight, "shuffle": False, "verbose": 0}
    one = whole.fit(X[:4], Y[:4, :1], batch_size=4, **options).history["loss"]
    other = parts.fit(X[:4], Y[:4, :1], batch_size=batch_size, accumulate=4 // batch_size, **options).history["loss"]
    assert other == pytest.approx(one, rel=1e-12)
    np.testing.assert_allclose(parts.model.parameters[0].data, whole.model.parameters[0].data, rtol=1e-12)


def test_masks_continue_from_the_saved_state_in_a_model_of_another_seed():
    one, other = (Sequential([Input((8,)), Dropout(0.5)], seed=seed) for seed in (1, 2))
    one.forward(np.ones((1, 8)), training=True)
    other.load_state_dict(one.state_dict())
    for _ in range(2):
        x = np.ones((3, 8))
        np.testing.assert_array_equal(one.forward(x, training=True), other.forward(x, training=True))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softmax", "exponential"])
def test_what_is_done_to_an_output_changes_no_gradient(activation):
    model = Sequential([Input((6,)), Dense(3, activation, activity_regularizer="l2")], seed=0, dtype="float64")
    dy = RNG.normal(size=(12, 3))
    model.forward(X)
    expected = model.backward(dy)
    y = model.forward(X)
    y -= 5
    np.testing.assert_array_equal(model.backward(dy), expected)
    x = X.copy()
    Sequential([Input((6,)), layers.Flatten()], dtype="float64").forward(x)[...] = 7
    np.testing.assert_array_equal(x, X)


def test_whole_numbers_are_not_silently_computed_with():
    for layer in (LSTM(2), layers.LayerNormalization(), layers.MaxPooling2D(), Dense(2)):
        shape = (4, 4, 1) if isinstance(layer, layers.MaxPooling2D) else (4, 3)
        built(layer, shape)
        with pytest.raises(ValueError, match=r"input must be a floating-point array. Received: int64"):
            layer.forward(np.ones((2, *shape), np.int64))


def test_a_normalisation_without_parameters_can_be_frozen():
    model = Sequential([Input((2,)), BatchNormalization(center=False, scale=False), Dense(1)], seed=0)
    assert model.layers[0].trainable
    model.trainable = False
    assert not model.layers[0].trainable
    model.forward(np.full((4, 2), 7.0), training=True)
    assert not model.layers[0].buffers["moving_mean"].any()
    model.trainable = True
    model.forward(np.full((4, 2), 7.0), training=True)
    assert model.layers[0].buffers["moving_mean"].all()


def test_half_precision_sums_and_averages_stay_in_range():
    layer = built(BatchNormalization(momentum=0.99), (1,), "float16")
    for _ in range(2000):
        layer.forward(np.array([[0.0], [2.0]], np.float16), training=True)
    assert layer.buffers["moving_mean"] == pytest.approx(1.0, abs=1e-3)
    pool = built(layers.AveragePooling2D(), (2, 2, 1), "float16")
    assert pool.forward(np.full((1, 2, 2, 1), 20000, np.float16)).ravel().tolist() == [20000]


def test_bidirectional_takes_a_users_own_activation():
    class Cube(layers.Elementwise):
        def function(self, x):
            return x**3

        def slope(self, x, y):
            return 3 * x**2

    both = built(Bidirectional(layers.SimpleRNN(2, Cube())), (3, 2))
    assert both.forward(np.ones((1, 3, 2))).shape == (1, 4)


def test_copies_do_not_carry_what_the_last_forward_kept():
    model = Sequential([Input((6,)), Dense(3, activity_regularizer="l2")], seed=0)
    model.forward(X)
    assert model.activity_penalty() > 0
    assert copy.deepcopy(model).activity_penalty() == 0


def test_two_children_of_one_name_are_refused():
    class Two(layers.Layer):
        children = (Dense(2, name="a"), Dense(2, name="a"))

    with pytest.raises(ValueError, match=r"layers side by side must have different names. Received: \['a', 'a'\]"):
        Two().named_parameters()


@pytest.mark.parametrize("usual", [layers.Tanh, layers.Sigmoid])
@pytest.mark.parametrize("recurrent", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_a_subclass_of_a_usual_activation_is_what_it_says_also_within_a_recurrent_layer(usual, recurrent):
    class Halved(usual):
        def function(self, x):
            return super().function(x) / 2

        def slope(self, x, y):
            return super().slope(x, 2 * y) / 2

    report = testing.check_layer(lambda: recurrent(3, activation=Halved()), (3, 2), examples=5, raises=False)
    assert {failure.check for failure in report.failures} == {"config_round_trip"}  # it isn't registered
    layer, x = recurrent(3, activation=Halved()), np.ones((2, 3, 2), np.float32)
    plain = recurrent(3, activation=usual())
    for one in (layer, plain):
        one.build((3, 2), np.random.default_rng(0))
    assert not np.allclose(layer.forward(x), plain.forward(x))


class TwiceAsMuch:
    """What a class may take before its base: everything is twice as much."""

    def function(self, x):
        return 2 * super().function(x)

    def slope(self, x, y):
        return 2 * super().slope(x, y / 2)

    def per_sample(self, y_true, y_pred):
        return 2 * super().per_sample(y_true, y_pred)

    def per_sample_gradient(self, y_true, y_pred):
        return 2 * super().per_sample_gradient(y_true, y_pred)

    def linear(self, x):
        return 2 * super().linear(x)


@pytest.mark.parametrize("usual", [layers.Tanh, layers.Sigmoid, layers.ReLU])
def test_a_function_that_comes_from_another_base_is_that_of_a_recurrent_layer(usual):
    twice = type("Twice", (TwiceAsMuch, usual), {})
    assert twice.slope_by_output is False
    layer, x = layers.SimpleRNN(3, activation=twice()), np.random.default_rng(1).standard_normal((2, 4, 3))
    layer.dtype = np.dtype(np.float64)
    layer.build((4, 3), np.random.default_rng(0))
    h = np.zeros((2, 3))
    for t in range(4):
        h = 2 * usual().function(x[:, t] @ layer.kernel.data + h @ layer.recurrent_kernel.data)
    np.testing.assert_allclose(layer.forward(x), h, rtol=1e-12)


def test_a_mixin_takes_a_layer_off_the_tapes_and_a_loss_off_its_own_way():
    twice = type("Twice", (TwiceAsMuch, layers.Dense), {})
    assert layers.Dense.by_calls
    assert not twice.by_calls
    loss = type("Twice", (TwiceAsMuch, losses.SparseCategoricalCrossentropy), {})(from_logits=True)
    y, z = np.array([1, 0]), np.array([[0.5, 1.0], [2.0, -1.0]])
    assert (
        loss(y, z)
        == loss.value_and_gradient(y, z)[0]
        == 2 * losses.SparseCategoricalCrossentropy(from_logits=True)(y, z)
    )
