"""minidl.keras: Keras's scripts, spellings and defaults on our classes. Beside Keras itself: test_keras_peer.py."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras_cases import OPTIMIZERS, curve, dense_net, spirals, start

import minidl
from minidl import keras, losses, metrics, optimizers, schedules
from minidl.keras import layers

CURVES = json.loads((Path(__file__).parent / "keras_curves.json").read_text(encoding="utf-8"))["curves"]
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 40)


def net(*more, **options):
    model = keras.Sequential([keras.Input((4,)), *more, layers.Dense(3, activation="softmax")])
    model.compile(
        **{"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options}
    )
    return model


@pytest.fixture(autouse=True)
def _seeded():
    """Leave the global states as they were."""
    before = np.random.get_state()
    yield
    np.random.set_state(before)
    keras.config.set_floatx("float32")


# The curves that Keras recorded -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_loss_curve_is_the_one_that_keras_recorded(name):
    """100 steps, from the same weights, on the same batches, in float32."""
    x, y = spirals()
    model = dense_net(keras)
    model.compile(OPTIMIZERS[name](keras), "sparse_categorical_crossentropy", metrics=["accuracy"])
    losses_of_steps, history = curve(keras, model, start(model), x, y)
    assert len(losses_of_steps) == 100
    np.testing.assert_allclose(losses_of_steps, CURVES[name], rtol=0, atol=1e-4)
    assert list(history) == ["loss", "accuracy"]
    assert np.ptp(CURVES[name]) > 0.1  # there is something to agree on


# Training ------------------------------------------------------------------------------------------------------


def test_history_counts_each_fit_from_0_and_has_keras_columns():
    model = net()
    first = model.fit(X, Y, epochs=2, verbose=0)
    second = model.fit(X, Y, epochs=3, verbose=0, validation_split=0.25)
    assert (first.epoch, second.epoch) == ([0, 1], [0, 1, 2])
    assert list(second.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert model.fit(X, Y, epochs=5, initial_epoch=3, verbose=0).epoch == [3, 4]
    assert model.optimizer.iterations == 2 * 2 + 3 * 1 + 2 * 2


def test_a_checkpoint_says_what_it_does_if_it_is_asked_to(tmp_path, capsys):
    path = str(tmp_path / "best.keras")
    best = keras.callbacks.ModelCheckpoint(path, monitor="loss", verbose=1, save_best_only=True)
    keras.callbacks.ModelCheckpoint(path)  # is silent
    model = net(optimizer=keras.optimizers.SGD(0.01))
    first = model.fit(X, Y, verbose=0, callbacks=[best]).history["loss"][0]
    best.best = 0.0
    model.fit(X, Y, verbose=0, callbacks=[best])
    always = keras.callbacks.ModelCheckpoint(path, verbose=1)
    model.fit(X, Y, verbose=0, callbacks=[always])
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: loss improved from None to {first}, saving model to {path}",
        "Epoch 1: loss did not improve from 0.0",
        f"Epoch 1: saving model to {path}",
    ]
    assert always.saved == best.saved == tmp_path / "best.keras"
    numbered = keras.callbacks.ModelCheckpoint(str(tmp_path / "model-{epoch}.keras"))
    model.fit(X, Y, epochs=5, initial_epoch=3, verbose=0, callbacks=[numbered])
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[numbered])
    assert {p.name for p in tmp_path.glob("model-*")} == {"model-1.keras", "model-4.keras", "model-5.keras"}


def test_validation_split_is_the_end_as_it_comes():
    model = net(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(X, Y, validation_split=0.25, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X[30:], Y[30:], verbose=0)[0], rel=1e-6)
    assert history["loss"][0] == pytest.approx(model.evaluate(X[:30], Y[:30], verbose=0)[0], rel=1e-6)


def test_evaluate_says_a_list_or_a_dict(capsys):
    model = net()
    values = model.evaluate(X, Y)
    assert isinstance(values, list)
    assert "accuracy: " in capsys.readouterr().out
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True).values()) == values
    assert capsys.readouterr().out == ""
    assert isinstance(net(metrics=None).evaluate(X, Y, verbose=0), float)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("sparse_categorical_crossentropy", Y[:, None]),
        ("sparse_categorical_crossentropy", Y.astype(np.float32)),
        ("categorical_crossentropy", keras.utils.to_categorical(Y)),
        ("categorical_crossentropy", np.eye(3, dtype=int)[Y]),
        (keras.losses.CategoricalCrossentropy(), np.eye(3, dtype=bool)[Y]),
        (keras.losses.sparse_categorical_crossentropy, Y.astype(np.uint8)),
    ],
)
def test_targets_come_as_keras_takes_them(loss, y):
    assert net(loss=loss).fit(X, y, verbose=0).history["loss"][0] > 0


@pytest.mark.parametrize("y", [X[:, 0], X[:, :1], (X[:, 0] > 0), (X[:, 0] > 0).astype(int)])
def test_one_output_takes_a_number_a_sample(y):
    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", loss="mse", metrics=["mae"])
    before = model.evaluate(X, y, verbose=0)
    assert before[0] == pytest.approx(float(np.mean((model.predict(X)[:, 0] - np.ravel(y)) ** 2)), rel=1e-5)


def test_batches_come_from_iterables_and_data_sets():
    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            part = slice(10 * index, 10 * index + 10)
            return X[part], Y[part]

    model, twin = net(optimizer="sgd"), net(optimizer="sgd")
    twin.set_weights(model.get_weights())
    by_items = model.fit(Data(), epochs=2, verbose=0).history
    in_order = twin.fit(X, Y, epochs=2, batch_size=10, shuffle=False, verbose=0).history
    assert by_items == in_order
    model.fit(iter([(X, Y)]), verbose=0)
    assert model.evaluate(Data(), verbose=0)[0] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-6)


def test_a_data_set_is_told_where_epochs_begin_and_end():
    told = []

    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            told.append(index)
            return X, Y

        def on_epoch_begin(self):
            told.append("begin")

        def on_epoch_end(self):
            told.append("end")

    model = net()
    model.fit(Data(), epochs=2, verbose=0)
    assert told == ["begin", 0, 1, "end"] * 2
    del told[:]
    model.evaluate(Data(), verbose=0)
    assert told == ["begin", 0, 1, "end"]


@pytest.mark.parametrize("method", ["evaluate", "fit"])
@pytest.mark.parametrize(
    ("name", "value"), [("validation_split", 0.5), ("sample_weight", np.ones(40)), ("batch_size", 10)]
)
def test_what_is_of_arrays_is_refused_with_batches(method, name, value):
    if (method, name) != ("evaluate", "validation_split"):
        for batches in ([(X, Y)], iter([(X, Y)])):
            with pytest.raises(NotImplementedError, match=f"keras {method}: {name} isn't supported; batches come as"):
                getattr(net(), method)(batches, verbose=0, **{name: value})


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_what_is_not_compiled_says_so_and_is_not_built(method):
    model = keras.Sequential([layers.Dense(3)])
    with pytest.raises(RuntimeError, match=f"must be compiled before {method}"):
        getattr(model, method)(X, Y)
    assert not model.built


def test_steps_by_hand():
    model, twin = net(), net()
    twin.set_weights(model.get_weights())
    loss, accuracy = model.train_on_batch(X, Y)
    history = twin.fit(X, Y, batch_size=40, shuffle=False, verbose=0).history
    assert (loss, accuracy) == (history["loss"][0], history["accuracy"][0])
    np.testing.assert_array_equal(model.get_weights()[0], twin.get_weights()[0])
    assert model.test_on_batch(X, Y, return_dict=True).keys() == {"loss", "accuracy"}
    np.testing.assert_array_equal(model.predict_on_batch(X), model.predict(X, batch_size=40))


def test_a_seed_decides_all():
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = net(layers.Dropout(0.5), layers.Dense(8, "relu"))
        x = np.random.rand(40, 4)  # the global generator is seeded too
        model.fit(x, Y, verbose=0)
        weights.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert not np.array_equal(net().get_weights()[0], net().get_weights()[0])


# Callbacks -----------------------------------------------------------------------------------------------------


def test_a_callback_of_ones_own_is_called_as_in_keras():
    calls = []

    class Own(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            calls.append(("begin", self.params["epochs"], self.params["steps"], self.model is model))

        def on_epoch_begin(self, epoch, logs=None):
            calls.append(("epoch", epoch))

        def on_train_batch_end(self, batch, logs=None):
            calls.append(("batch", batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            calls.append(("end", epoch, sorted(logs)))
            if epoch == 1:
                self.model.stop_training = True

        def on_train_end(self, logs=None):
            calls.append(("over",))

    model = net()
    model.fit(X, Y, batch_size=20, epochs=5, verbose=0, callbacks=[Own()])
    batch = [("batch", i, ["accuracy", "loss"]) for i in (0, 1)]
    one = lambda epoch: [("epoch", epoch), *batch, ("end", epoch, ["accuracy", "loss"])]  # noqa: E731
    assert calls == [("begin", 5, 2, True), *one(0), *one(1), ("over",)]


def test_early_stopping_begins_anew_with_each_fit(capsys):
    model = net(optimizer=keras.optimizers.SGD(0.0))
    stop = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True, verbose=1)
    assert len(model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop]).epoch) == 3
    assert "Epoch 3: early stopping" in capsys.readouterr().out
    assert len(model.fit(X, Y, epochs=9, verbose=0, callbacks=stop).epoch) == 3


def test_rates_by_callbacks_are_in_the_history():
    halved = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = net(optimizer=keras.optimizers.SGD(0.8)).fit(X, Y, epochs=3, verbose=0, callbacks=[halved]).history
    assert history["learning_rate"] == [0.4, 0.2, 0.1]
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_lr=0.2, min_delta=100.0)
    history = net(optimizer=keras.optimizers.SGD(0.8)).fit(X, Y, epochs=5, verbose=0, callbacks=[plateau]).history
    assert history["learning_rate"][-1] == 0.2


def test_a_schedule_may_look_at_the_epoch_alone():
    by_epoch = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 * (epoch + 1))
    history = net(optimizer=keras.optimizers.SGD(0.8)).fit(X, Y, epochs=2, verbose=0, callbacks=[by_epoch]).history
    assert history["learning_rate"] == [0.1, 0.2]


def test_what_a_callback_puts_into_the_logs_the_next_ones_and_the_history_have():
    seen = []

    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = 10.0 + epoch

    class Sees(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["mine"])

    history = net().fit(X, Y, epochs=2, verbose=0, callbacks=[Adds(), Sees()]).history
    assert seen == history["mine"] == [10.0, 11.0]
    assert list(history) == ["loss", "accuracy", "mine"]


def test_hooks_that_nothing_calls_are_refused():
    with pytest.raises(
        TypeError, match=r"^keras Own: no such hook\. Received: on_epoch_ends\. Did you mean 'on_epoch_end'"
    ):
        type("Own", (keras.callbacks.Callback,), {"on_epoch_ends": lambda self, epoch, logs=None: None})
    for name in ("on_test_end", "on_predict_batch_begin", "on_batch_end"):
        with pytest.raises(NotImplementedError, match=f"keras Own: {name} isn't supported; only fit calls"):
            type("Own", (keras.callbacks.Callback,), {name: lambda self, logs=None: None})


def test_callbacks_go_on_with_a_fit_that_is_resumed(tmp_path):
    epochs = []

    class Own(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(epoch)

    def run(model, in_all, **options):
        given = [
            keras.callbacks.EarlyStopping("loss", min_delta=1e-3, patience=3, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
            keras.callbacks.TensorBoard(tmp_path / "logs"),
            Own(),
        ]
        told = keras.callbacks.adapted(given, model, {}, 0)
        model.trainer.fit(
            X, Y, epochs=in_all, verbose=0, callbacks=told, checkpoint=tmp_path / "run", **options
        )  # fmt: skip
        return given

    pytest.importorskip("tensorboardX")
    model, again = (net(optimizer=keras.optimizers.SGD(0.0)) for _ in range(2))
    model.fit(X, Y, epochs=2, verbose=0)
    run(model, 2)
    stopping, _, board, _ = run(again, 9, resume=True)
    assert epochs == [0, 1, 2, 3]  # counted from where the fit began, and ended by all of its epochs
    assert {p.stem for p in tmp_path.glob("*.keras")} == {"1", "2", "3", "4"}
    assert (stopping.best_epoch, stopping.stopped_epoch, board.state_dict()["epoch"]) == (0, 3, 4)
    assert again.fit(X, Y, epochs=1, verbose=0, callbacks=[stopping]).epoch == [0]
    assert stopping.best_epoch == 0  # each fit begins anew


def test_files_of_callbacks(tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv", separator=";")
    best = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch:02d}.keras"), save_best_only=True, monitor="loss")
    model = net()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[log, best])
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(";")[0] for line in lines] == ["epoch", "0", "1"]
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "02.keras").predict(X), model.predict(X))


def test_terminate_on_nan_ends_the_fit(capsys):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.set_weights([np.full_like(weight, 1e18) for weight in model.get_weights()])
    y = np.zeros((40, 1))
    with pytest.raises(FloatingPointError):
        model.fit(X, y, epochs=9, verbose=0)
    assert model.fit(X, y, epochs=9, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]).epoch == []
    assert "terminating training" in capsys.readouterr().out


# Models and layers -------------------------------------------------------------------------------------------------


def test_a_chain_written_functionally_is_a_model():
    inputs = keras.Input((4,))
    outputs = layers.Dense(3, activation="softmax", name="out")(layers.Dense(5, "relu")(inputs))
    model = keras.Model(inputs, outputs)
    assert isinstance(model, keras.Model)
    assert isinstance(model, minidl.Sequential)
    model.compile("adam", "sparse_categorical_crossentropy")
    assert model.fit(X, Y, epochs=2, verbose=0).history["loss"][1] > 0
    assert [weight.path for weight in model.weights] == ["dense/kernel", "dense/bias", "out/kernel", "out/bias"]


def test_the_length_of_sequences_may_be_told_by_the_data():
    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Bidirectional(layers.LSTM(3))(layers.Embedding(20, 4)(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    rows = keras.utils.pad_sequences([[1, 2], [3, 4, 5], [6]] * 4, maxlen=5)
    model.fit(rows, np.arange(12) % 2, verbose=0)
    assert model.predict(rows).shape == (12, 1)


def test_outputs_of_layers_inside_can_be_read():
    model = net(layers.Dense(6, "relu", name="features"))
    features = keras.Model(inputs=model.inputs, outputs=model.get_layer("features").output)
    np.testing.assert_array_equal(features(X), model.layers[0](X))
    np.testing.assert_array_equal(features.predict(X, batch_size=7), features(X))
    every = keras.Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers])
    assert [one.shape for one in every(X)] == [(40, 6), (40, 3)]
    before = features(X)
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before, features(X))
    with pytest.raises(NotImplementedError, match="can't be trained"):
        features.compile("adam", "mse")


def test_weights_are_asked_for_and_assigned():
    layer = layers.Dense(3)
    assert layer.weights == []
    layer(np.ones((2, 4)))
    kernel, bias = layer.weights
    kernel.assign(np.full((4, 3), 2.0))
    bias.assign([1, 2, 3])
    assert layer(np.ones((1, 4))).tolist() == [[9.0, 10.0, 11.0]]
    assert (kernel.numpy().sum(), np.asarray(bias).tolist(), layer.count_params()) == (24.0, [1, 2, 3], 15)
    with pytest.raises(ValueError, match=r"must have shape \(3,\)"):
        bias.assign([1.0])
    layer.set_weights([np.zeros((4, 3)), np.ones(3)])
    assert layer.get_weights()[1].tolist() == [1, 1, 1]


def test_layers_are_frozen_before_or_after():
    model = net(layers.Dense(5, trainable=False), layers.BatchNormalization())
    assert [weight.path for weight in model.non_trainable_weights] == [
        "dense/kernel", "dense/bias", "batch_normalization/moving_mean", "batch_normalization/moving_variance",
    ]  # fmt: skip
    before = model.layers[0].get_weights()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(before[0], model.layers[0].get_weights()[0])


@pytest.mark.parametrize("given", [None, "linear", keras.activations.linear])
def test_no_activation_by_any_name(given):
    x = X[:, None]
    for layer in (layers.Activation(given), layers.Dense(4, given, kernel_initializer=minidl.initializers.Ones())):
        assert layer(X).shape == (40, 4)
    np.testing.assert_array_equal(layers.Activation(given)(X), X)
    assert layers.SimpleRNN(2, activation=given)(x).shape == (40, 2)


def test_pop_and_add_again():
    model = net(layers.Dense(5))
    last = model.pop()
    assert model.output_shape == (5,)
    assert model.trainer is None
    model.add(layers.Dense(2))
    assert model.predict(X).shape == (40, 2)
    keras.Sequential([keras.Input((5,)), last])  # it belongs to nobody


def test_a_model_inside_a_model():
    model = net(loss=keras.losses.SparseCategoricalCrossentropy())
    model.fit(X, Y, verbose=0)
    outer = keras.Sequential([model, layers.Softmax()])
    np.testing.assert_allclose(outer.predict(X), keras.activations.softmax(model.predict(X)), rtol=1e-6)
    model.fit(X, Y, verbose=0)  # it can still be trained by itself
    np.testing.assert_allclose(outer.predict(X), keras.activations.softmax(model.predict(X)), rtol=1e-6)


def test_saved_and_loaded_it_goes_on(tmp_path):
    model = net(layers.Dense(5, "relu"), optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0))
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    back = keras.models.load_model(tmp_path / "m.keras")
    assert type(back) is keras.Sequential
    assert type(back.layers[0]) is layers.Dense
    for one in (model, back):
        one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    for mine, theirs in zip(model.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    copied = keras.models.clone_model(model)
    assert [w.shape for w in copied.get_weights()] == [w.shape for w in model.get_weights()]
    assert not np.array_equal(copied.get_weights()[0], model.get_weights()[0])
    assert type(minidl.load_model(tmp_path / "m.keras")) is minidl.Sequential


def test_a_chain_written_functionally_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(5, "relu")(inputs)))
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    keras.Sequential([keras.Input((4,)), model]).save(tmp_path / "outer.keras")
    for name, load in (("m", keras.models.load_model), ("m", minidl.load_model), ("outer", keras.models.load_model)):
        np.testing.assert_array_equal(load(tmp_path / f"{name}.keras").predict(X), model.predict(X))
    again = keras.Model.from_config(model.get_config())
    assert isinstance(again, keras.Model)
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]


def test_a_model_class_of_ones_own_is_described_by_its_own_name():
    class Mine(keras.Sequential):
        pass

    assert (keras.Model.described_as, keras.Sequential.described_as, Mine.described_as) == (*["Sequential"] * 2, "Mine")


def test_metrics_that_only_keras_has_are_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])
    given = [keras.metrics.Precision(0.4), keras.metrics.Recall(name="found"), keras.metrics.RootMeanSquaredError()]
    assert repr(given[0]) == "Precision(thresholds=0.4)"
    model.compile("sgd", "mse", metrics=given)
    model.fit(X, Y > 0, verbose=0)
    model.save(tmp_path / "m.keras")
    for load in (keras.models.load_model, minidl.load_model):
        back = load(tmp_path / "m.keras")
        assert [type(one) for one in back.trainer.metrics] == [type(one) for one in given]
        assert back.trainer.metrics[0].thresholds == 0.4
        assert back.trainer.evaluate(X, Y[:, None] > 0) == model.trainer.evaluate(X, Y[:, None] > 0)
    assert isinstance(metrics.registry.get("precision"), metrics.Precision)
    code = f"import sys, minidl; minidl.load_model({str(tmp_path / 'm.keras')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "It is known once minidl.keras was imported" in done.stderr


def test_how_weights_count_is_saved_and_loaded(tmp_path):
    weight = np.linspace(0, 3, 40)
    model = net(metrics=["accuracy"], weighted_metrics=[metrics.Accuracy(name="weighted")])
    model.save(tmp_path / "m.keras")
    told = model.trainer.evaluate(X, Y, sample_weight=weight)
    assert told["accuracy"] != told["weighted"]
    for load in (keras.models.load_model, minidl.load_model):
        back = load(tmp_path / "m.keras").trainer
        assert back.evaluate(X, Y, sample_weight=weight) == told
        assert back.seed == model.trainer.seed


def test_a_fit_that_is_resumed_with_another_way_of_weighing_warns(tmp_path):
    model = net()
    model.trainer.fit(X, Y, verbose=0, checkpoint=tmp_path)
    again = keras.Sequential.from_config(model.get_config())
    plain = minidl.Trainer(again, keras.optimizers.Adam(), "sparse_categorical_crossentropy", ["accuracy"])
    told = r"loss mean_over was 'samples', is None; metrics\[0\] weighted was False, is None"
    with pytest.warns(minidl.saving.ResumeWarning, match=told):
        plain.fit(X, Y, verbose=0, epochs=2, checkpoint=tmp_path, resume=True)


def test_compile_takes_the_callers_own_objects_and_gives_them_kerass_conventions():
    loss, metric = losses.SparseCategoricalCrossentropy(), metrics.Accuracy()
    model = net(loss=loss, metrics=[metric])
    assert model.trainer.loss is loss
    assert model.trainer.metrics[0] is metric
    assert (loss.mean_over, metric.weighted) == ("samples", False)


def test_a_loss_that_changes_while_training_changes_what_is_trained():
    class Scaled(losses.MeanSquaredError):
        factor = 1.0

        def per_sample(self, y_true, y_pred):
            return self.factor * super().per_sample(y_true, y_pred)

    loss = Scaled()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    assert model.evaluate(np.ones((4, 2)), np.full((4, 1), 9.0), verbose=0) > 0
    loss.factor = 0.0
    assert model.evaluate(np.ones((4, 2)), np.full((4, 1), 9.0), verbose=0) == 0


def test_a_frozen_layer_is_frozen_when_it_is_loaded(tmp_path):
    model = net(layers.Dense(5, "relu", trainable=False))
    model.save(tmp_path / "m.keras")
    assert [w.trainable for w in keras.models.load_model(tmp_path / "m.keras").weights] == [False] * 2 + [True] * 2


def test_float64_for_all():
    keras.config.set_floatx("float64")
    assert net().predict(X).dtype == np.float64
    assert layers.Dense(2)(X).dtype == np.float64


# What the names stand for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "cls"),
    [
        (keras.optimizers.SGD(), optimizers.SGD),
        (keras.optimizers.SGD(momentum=0.9), optimizers.Momentum),
        (keras.optimizers.SGD(momentum=0.9, nesterov=True), optimizers.Nesterov),
        (keras.optimizers.get("Adagrad"), optimizers.AdaGrad),
        (keras.optimizers.get("rmsprop"), optimizers.RMSprop),
        (keras.optimizers.Adam(amsgrad=True), optimizers.AMSGrad),
        (keras.losses.get("mse"), losses.MeanSquaredError),
        (keras.losses.get("KLDivergence"), losses.KLDivergence),
        (keras.metrics.get("acc"), metrics.Accuracy),
        (keras.optimizers.schedules.CosineDecay(0.1, 10), schedules.CosineDecay),
    ],
)
def test_what_is_made_is_ours(made, cls):
    assert type(made) is cls


def test_what_is_made_is_an_instance_of_keras_class_too():
    assert isinstance(keras.optimizers.SGD(momentum=0.9), keras.optimizers.SGD)
    assert not isinstance(keras.optimizers.Adam(), keras.optimizers.SGD)
    assert isinstance(keras.optimizers.Adam(), keras.optimizers.Optimizer)
    assert isinstance(layers.Dense(1), minidl.layers.Dense)


def test_precision_and_recall_are_of_a_threshold():
    precision, recall = keras.metrics.Precision(), keras.metrics.Recall(thresholds=0.25)
    for metric in (precision, recall):
        metric.update([1, 0, 1, 1], [0.9, 0.8, 0.3, 0.1])
    assert (precision.result(), recall.result()) == (0.5, pytest.approx(2 / 3))
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["precision", keras.metrics.Recall(), keras.metrics.AUC()])
    history = model.fit(X, X[:, 0] > 0, verbose=0).history
    assert list(history) == ["loss", "precision", "recall", "auc"]


def test_samples_weights_do_not_count_in_metrics_unless_asked():
    weight = np.where(Y == 0, 5.0, 0.0)
    plain, weighted = net(), net(metrics=None, weighted_metrics=["accuracy"])
    weighted.set_weights(plain.get_weights())
    share = (np.argmax(plain.predict(X), axis=1) == Y).mean()
    own = (np.argmax(plain.predict(X), axis=1) == Y)[Y == 0].mean()
    found = plain.evaluate(X, Y, verbose=0, sample_weight=weight)
    assert found[1] == pytest.approx(share)
    assert weighted.evaluate(X, Y, verbose=0, sample_weight=weight)[1] == pytest.approx(own)
    each = losses.SparseCategoricalCrossentropy()
    alone = [each(Y[i : i + 1], plain.predict(X[i : i + 1])) for i in range(40)]
    assert found[0] == pytest.approx(float(np.mean(weight * alone)), rel=1e-5)


# What isn't supported -------------------------------------------------------------------------------------------

REFUSED = {
    "a constraint": (lambda: layers.Dense(3, kernel_constraint="max_norm"), "keras Dense: kernel_constraint isn't"),
    "channels first": (lambda: layers.Conv2D(3, 3, data_format="channels_first"), "data_format isn't supported"),
    "masks": (lambda: layers.Embedding(3, 4, mask_zero=True), "mask_zero isn't supported"),
    "dropout inside": (lambda: layers.LSTM(3, dropout=0.5), "keras LSTM: dropout isn't supported"),
    "a seeded initializer": (lambda: keras.initializers.RandomNormal(seed=3), "seed isn't supported"),
    "averages of weights": (lambda: keras.optimizers.Adam(use_ema=True), "use_ema isn't supported"),
    "a sum": (lambda: keras.losses.MeanSquaredError(reduction="sum"), "reduction isn't supported"),
    "a function as loss": (lambda: net(loss=lambda y, p: 0), "minidl.losses.Loss with its gradient"),
    "a function as metric": (lambda: net(metrics=[lambda y, p: 0]), "minidl.metrics.Metric"),
    "a function as activation": (lambda: layers.Dense(3, activation=lambda x: x), "with its slope"),
    "two losses": (lambda: net(loss=["mse", "mse"]), "a model has one loss"),
    "steps": (lambda: net().fit(X, Y, steps_per_epoch=3), "steps_per_epoch isn't supported"),
    "steps of an evaluation": (lambda: net().evaluate(X, Y, steps=0), "evaluate: steps isn't supported. .*: steps=0"),
    "a threshold of F1": (lambda: keras.metrics.F1Score("macro", 0.5), "keras F1Score: threshold isn't supported"),
    "workers": (lambda: keras.utils.PyDataset(workers=2), "workers isn't supported"),
    "a list of inputs": (lambda: layers.Dense(3)([keras.Input((3,)), keras.Input((3,))]), "a list of inputs isn't"),
    "two inputs": (lambda: keras.Model([keras.Input((3,)), keras.Input((3,))], keras.Input((3,))), "one of each is"),
    "another callback": (lambda: net().fit(X, Y, callbacks=[object()]), r"subclass keras.callbacks.Callback"),
    "clipping twice": (lambda: keras.optimizers.SGD(clipnorm=1, clipvalue=1), "only one of clipnorm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_says_so(name):
    call, message = REFUSED[name]
    with pytest.raises((NotImplementedError, ValueError), match=message):
        call()


def test_layers_and_models_with_a_call_of_their_own_are_refused():
    with pytest.raises(NotImplementedError, match=r"subclass minidl.layers.Layer and give forward and backward"):
        type("Own", (layers.Layer,), {"call": lambda self, x: x})
    with pytest.raises(NotImplementedError, match=r"see minidl.Trainer.step"):
        type("Own", (keras.Model,), {"call": lambda self, x: x})


@pytest.mark.parametrize(
    "name", ["layers.Conv1D", "optimizers.Ftrl", "losses.Dice", "datasets.mnist", "applications", "metrics.MeanIoU"]
)
def test_names_that_are_not_there_say_so(name):
    thing = keras
    *path, last = name.split(".")
    for step in path:
        thing = getattr(thing, step)
    with pytest.raises(AttributeError, match=f"{last} isn't supported"):
        getattr(thing, last)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Dense(), "missing a required argument: 'units'"),
        (lambda: layers.Dense(3, unit=4), "unexpected keyword argument 'unit'.*Did you mean 'units'"),
        (lambda: keras.optimizers.Adam(lr=0.1), "unexpected keyword argument 'lr'"),
        (lambda: keras.optimizers.Adam(clip_norm=1.0), "Did you mean 'clipnorm'"),
        (lambda: keras.losses.Huber(beta=2), "unexpected keyword argument 'beta'"),
    ],
)
def test_wrong_arguments_are_told_with_what_is_known(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("get", [keras.optimizers.get, keras.losses.get, keras.metrics.get, keras.activations.get])
def test_unknown_names_are_told(get):
    with pytest.raises(ValueError, match="unknown"):
        get("nonsense")


def test_what_says_no_is_as_by_default():
    model = net(loss_weights=[])
    model.evaluate(X, Y, verbose=0, callbacks=[])
    keras.Input((3,), sparse=False, ragged=None)
    keras.optimizers.Adam(use_ema=None, ema_momentum=0.99)
    model.fit(X, Y, verbose=0, validation_freq=1.0)


# Helpers ------------------------------------------------------------------------------------------------------------


def test_one_hot_rows():
    assert keras.utils.to_categorical([[1], [0]], 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(ValueError, match=r"labels must be in 0 .. 1"):
        keras.utils.to_categorical([0, 2], 2)
    with pytest.raises(ValueError, match="must be integers"):
        keras.utils.to_categorical([0.5])
    with pytest.raises(ValueError, match=r"^to_categorical: num_classes must be"):
        keras.utils.to_categorical([0], 0)


def test_sequences_are_padded_and_cut():
    pad = keras.utils.pad_sequences
    assert pad([[1, 2, 3], [4]], 2, padding="post", truncating="post").tolist() == [[1, 2], [4, 0]]
    assert pad([[1.5], []], value=-1.0, dtype="float32").tolist() == [[1.5], [-1.0]]
    assert pad([]).shape == (0, 0)
    with pytest.raises(ValueError, match=r"^pad_sequences: maxlen must be"):
        pad([[1]], 0)


def test_submodules_can_be_imported_from():
    code = (
        "from minidl.keras.layers import Dense; from minidl.keras.optimizers.schedules import ExponentialDecay; "
        "from minidl.keras.datasets import fashion_mnist; from minidl.keras.utils import to_categorical; "
        "import minidl.keras.callbacks; import sys; print('keras' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
