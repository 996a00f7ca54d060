"""minidl.keras beside Keras itself (`pip install keras torch`): layers, schedules, curves, models taken over."""

import inspect
import json
import os
from pathlib import Path

import numpy as np
import pytest
from keras_cases import OPTIMIZERS, curve, dense_net, spirals, start

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="Keras isn't installed: pip install keras torch")

import minidl  # noqa: E402  # after what may skip
from minidl import keras as ours  # noqa: E402

# Keras's own arrays don't know NumPy 2's argument.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BOTH = (ours, keras)
RNG = np.random.default_rng

# One of each layer: what makes it, and the shape of a sample.
LAYERS = {
    "Dense": (lambda k: k.layers.Dense(5, "relu"), (4,)),
    "Dense of sequences": (lambda k: k.layers.Dense(5, activation=k.activations.tanh, use_bias=False), (3, 4)),
    "Conv2D": (lambda k: k.layers.Conv2D(3, 3, 2, "same", activation="elu"), (9, 8, 2)),
    "Conv2D dilated": (lambda k: k.layers.Conv2D(4, (2, 3), dilation_rate=2), (9, 8, 2)),
    "MaxPooling2D": (lambda k: k.layers.MaxPooling2D(), (7, 6, 2)),
    "AveragePooling2D": (lambda k: k.layers.AveragePooling2D(3, 2), (7, 6, 2)),  # "same" hangs on Keras's backend
    "GlobalMaxPooling2D": (lambda k: k.layers.GlobalMaxPooling2D(), (7, 6, 2)),
    "GlobalAveragePooling2D": (lambda k: k.layers.GlobalAveragePooling2D(keepdims=True), (7, 6, 2)),
    "ZeroPadding2D": (lambda k: k.layers.ZeroPadding2D(((1, 2), (0, 3))), (4, 3, 2)),
    "Flatten": (lambda k: k.layers.Flatten(), (3, 2, 2)),
    "Reshape": (lambda k: k.layers.Reshape((4, -1)), (3, 2, 2)),
    "Rescaling": (lambda k: k.layers.Rescaling(1 / 255, offset=-0.5), (3, 2)),
    "Dropout": (lambda k: k.layers.Dropout(0.5), (3,)),
    "BatchNormalization": (lambda k: k.layers.BatchNormalization(epsilon=0.01), (5, 4, 3)),
    "LayerNormalization": (lambda k: k.layers.LayerNormalization(), (6,)),
    "Embedding": (lambda k: k.layers.Embedding(11, 4), (5,)),
    "SimpleRNN": (lambda k: k.layers.SimpleRNN(4, return_sequences=True), (5, 3)),
    "LSTM": (lambda k: k.layers.LSTM(4), (5, 3)),
    "LSTM linear": (lambda k: k.layers.LSTM(4, activation=None, go_backwards=True), (5, 3)),
    "GRU": (lambda k: k.layers.GRU(4), (5, 3)),
    "GRU before": (lambda k: k.layers.GRU(4, reset_after=False, return_sequences=True), (5, 3)),
    "Bidirectional": (lambda k: k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), "sum"), (5, 3)),
    "Bidirectional GRU": (lambda k: k.layers.Bidirectional(k.layers.GRU(3)), (5, 3)),
    "ReLU": (lambda k: k.layers.ReLU(), (5,)),
    "LeakyReLU": (lambda k: k.layers.LeakyReLU(), (5,)),
    "PReLU": (lambda k: k.layers.PReLU(shared_axes=[1]), (5, 3)),
    "ELU": (lambda k: k.layers.ELU(0.7), (5,)),
    "Softmax": (lambda k: k.layers.Softmax(), (5, 3)),
}
ACTIVATIONS = [
    "elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "relu", "selu", "sigmoid",
    "silu", "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip
for name in ACTIVATIONS:
    LAYERS[f"Activation {name}"] = (lambda k, name=name: k.layers.Activation(name), (6,))


def sample(layer, shape, n=4):
    rng = RNG(0)
    return rng.integers(0, 11, (n, *shape)) if layer.startswith("Embedding") else rng.normal(size=(n, *shape))


def given_same_weights(mine, theirs, seed=0):
    """Draw weights for both; running variances stay positive."""
    rng = RNG(seed)
    weights = [np.abs(rng.normal(0.2, 0.4, np.shape(w))).astype(np.float32) for w in mine.get_weights()]
    mine.set_weights(weights)
    # Keras has counters among its weights (a seed of Dropout's); they stay.
    left = iter(weights)
    theirs.set_weights([next(left) if np.asarray(w).dtype.kind == "f" else w for w in theirs.get_weights()])
    assert next(left, None) is None


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_keras_weights_and_outputs(name):
    make, shape = LAYERS[name]
    x = sample(name, shape).astype("int32" if name.startswith("Embedding") else "float32")
    mine, theirs = (k.Sequential([k.Input(shape, dtype=str(x.dtype)), make(k)]) for k in BOTH)
    shapes = [w.shape for w in mine.get_weights()]
    assert shapes == [np.shape(w) for w in theirs.get_weights() if np.asarray(w).dtype.kind == "f"]
    given_same_weights(mine, theirs)
    np.testing.assert_allclose(mine.predict(x), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def signatures():
    """Give every class of the face that has a signature of its own, with Keras's of that name."""
    for part in ("layers", "optimizers", "optimizers.schedules", "losses", "metrics", "initializers", "callbacks"):
        mine, theirs = ours, keras
        for step in part.split("."):
            mine, theirs = getattr(mine, step), getattr(theirs, step)
        for name in mine.__all__:
            if name[0].isupper() and name not in NOT_KERAS and hasattr(theirs, name):
                yield pytest.param(getattr(mine, name), getattr(theirs, name), id=f"{part}.{name}")


# Bases, whose subclasses have signatures, and what only we have.
NOT_KERAS = {"Layer", "Optimizer", "Loss", "Metric", "Initializer", "Callback", "LearningRateSchedule", "History"}


def named(cls):
    """Return the arguments of a class by position."""
    found = inspect.signature(cls.__new__ if "__new__" in vars(cls) else cls.__init__).parameters.values()
    return [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD][1:]


@pytest.mark.parametrize(("mine", "theirs"), list(signatures()))
def test_arguments_are_keras_s_in_its_order(mine, theirs):
    own, others = named(mine), inspect.signature(theirs.__init__).parameters
    order = [name for name, p in others.items() if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
    common = order[: len(own)]
    assert own == common, order


METHODS = ["__init__", "compile", "fit", "evaluate", "predict", "summary", "save", "train_on_batch", "test_on_batch"]
FUNCTIONS = [
    "Input", "models.load_model", "utils.to_categorical", "utils.normalize", "utils.pad_sequences",
    "utils.set_random_seed",
]  # fmt: skip


@pytest.mark.parametrize("path", [f"Sequential.{name}" for name in METHODS] + FUNCTIONS)
def test_methods_and_functions_have_keras_s_arguments(path):
    mine, theirs = ours, keras
    for step in path.split("."):
        mine, theirs = getattr(mine, step), getattr(theirs, step)
    own = {
        name: p.default for name, p in inspect.signature(mine).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD
    }
    others = {
        name: p.default for name, p in inspect.signature(theirs).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD
    }
    assert list(own.items()) == list(others.items())


@pytest.mark.parametrize(("mine", "theirs"), list(signatures()))
def test_defaults_are_keras_s(mine, theirs):
    own = inspect.signature(mine.__new__ if "__new__" in vars(mine) else mine.__init__).parameters
    others = inspect.signature(theirs.__init__).parameters
    for name, parameter in own.items():
        if (
            name in others
            and name not in ("self", "cls", "name")
            and others[name].default is not inspect.Parameter.empty
        ):
            assert parameter.default == others[name].default, name


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_keras_s_as_a_function_too(name):
    x = np.linspace(-4, 4, 33, dtype=np.float32)[None]
    theirs = keras.ops.convert_to_numpy(getattr(keras.activations, name)(x))
    np.testing.assert_allclose(getattr(ours.activations, name)(x), theirs, rtol=1e-5, atol=1e-6)


SCHEDULES = [
    lambda s: s.ExponentialDecay(0.1, 7, 0.9),
    lambda s: s.ExponentialDecay(0.1, 7, 0.9, staircase=True),
    lambda s: s.InverseTimeDecay(0.1, 5, 0.5),
    lambda s: s.InverseTimeDecay(0.1, 5, 0.5, True),
    lambda s: s.PiecewiseConstantDecay([3, 10], [1.0, 0.5, 0.1]),
    lambda s: s.PolynomialDecay(0.1, 20),
    lambda s: s.PolynomialDecay(0.1, 20, 0.01, power=0.5),
    lambda s: s.CosineDecay(0.1, 20),
    lambda s: s.CosineDecay(0.0, 20, alpha=0.1, warmup_target=0.2, warmup_steps=5),
    lambda s: s.CosineDecayRestarts(0.1, 4),
    lambda s: s.CosineDecayRestarts(0.1, 5, t_mul=1.0, m_mul=0.8, alpha=0.1),
    lambda s: s.CosineDecayRestarts(0.1, 3, t_mul=1.5, m_mul=0.9),
]


@pytest.mark.parametrize("make", SCHEDULES)
def test_a_schedule_has_keras_values(make):
    mine, theirs = (make(k.optimizers.schedules) for k in BOTH)
    steps = [step for step in range(40) if step not in (7, 14, 21, 28, 35)]  # where theirs rounds a fraction down
    values = [float(keras.ops.convert_to_numpy(theirs(step))) for step in steps]
    np.testing.assert_allclose([mine(step) for step in steps], values, rtol=2e-5, atol=1e-7)


# Curves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_loss_curve_is_keras_s(name):
    """100 steps, from the same weights, on the same batches."""
    x, y = spirals()
    nets = [dense_net(k) for k in BOTH]
    weights = start(nets[0])
    curves = []
    for k, net in zip(BOTH, nets, strict=True):
        net.compile(OPTIMIZERS[name](k), "sparse_categorical_crossentropy", metrics=["accuracy"])
        curves.append(curve(k, net, weights, x, y))
    (mine, own), (theirs, other) = curves
    assert len(mine) == 100
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4)
    assert set(own) == set(other)
    np.testing.assert_allclose(own["accuracy"], other["accuracy"], atol=0.021)  # one sample of 50 at a tie


def test_weights_of_samples_count_as_in_keras():
    x, y = spirals()
    rng = RNG(2)
    weight = rng.uniform(0, 3, len(x)).astype(np.float32)
    nets = [dense_net(k) for k in BOTH]
    weights = start(nets[0], 2)
    for options in ({"sample_weight": weight}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}):
        curves = []
        for k, net in zip(BOTH, nets, strict=True):
            net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            curves.append(curve(k, net, weights, x, y, 5, **options))
        np.testing.assert_allclose(curves[0][0], curves[1][0], atol=1e-4)
        np.testing.assert_allclose(curves[0][1]["accuracy"], curves[1][1]["accuracy"], atol=0.021)


def test_a_frozen_normalisation_does_as_in_keras():
    x, y = spirals()
    nets = []
    for k in BOTH:
        norm = k.layers.BatchNormalization()
        net = k.Sequential([k.Input((2,)), k.layers.Dense(8, "relu"), norm, k.layers.Dense(3, "softmax")])
        norm.trainable = False
        nets.append(net)
    weights = [np.abs(weight) + 0.5 for weight in start(nets[0])]
    curves = []
    for k, net in zip(BOTH, nets, strict=True):
        net.compile("adam", "sparse_categorical_crossentropy")
        curves.append(curve(k, net, weights, x, y)[0])
        assert np.array_equal(net.layers[1].get_weights()[0], weights[2])
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-4)


def test_validation_split_keeps_the_same_samples():
    x, y = spirals()
    nets = [dense_net(k) for k in BOTH]
    weights = nets[0].get_weights()
    found = []
    for k, net in zip(BOTH, nets, strict=True):
        net.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        found.append(curve(k, net, weights, x, y, 3, validation_split=0.3)[1])
    for column in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(found[0][column], found[1][column], atol=1e-4)


# Scripts ------------------------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parent.parent / "examples"
SMALL = {"classification": (3000, 3), "convnet": (2000, 4), "guide": (), "text": (5,)}


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning")  # the tutorial does
@pytest.mark.parametrize("name", SMALL)
def test_the_same_script_runs_on_keras_itself(name, monkeypatch):
    source = (EXAMPLES / f"keras_{name}.py").read_text(encoding="utf-8")
    script = source.replace("from minidl import keras", "import keras").replace("from minidl.keras", "from keras")
    assert "minidl" not in script.partition('"""\n\nimport')[2]
    if "load_data" in script:
        if not (Path(os.environ.get("MINIDL_DATA_DIR", "nowhere")) / "fashion_mnist").is_dir():
            pytest.skip("MINIDL_DATA_DIR holds no Fashion-MNIST")
        monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", minidl.datasets.load_fashion_mnist)
    names = {"__name__": "script"}
    exec(compile(script, name, "exec"), names)
    result = names["main"](*SMALL[name])
    assert result is None or result > {"classification": 0.75, "convnet": 0.7, "text": 0.85}[name]


# Models taken over --------------------------------------------------------------------------------------------


def random_model(seed):
    """Return a Sequential of Keras's, drawn at random, and data for it."""
    rng = RNG(seed)
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    layers = keras.layers
    if seed % 2:
        shape = (int(rng.integers(8, 14)), int(rng.integers(8, 14)), int(rng.integers(1, 4)))
        body = [
            layers.Conv2D(int(rng.integers(2, 6)), 3, padding=pick("same", "valid"), activation=pick("relu", "elu")),
            pick(layers.BatchNormalization(), layers.LayerNormalization(), layers.LeakyReLU()),
            pick(layers.MaxPooling2D(), layers.AveragePooling2D(3, 2)),
            pick(layers.Flatten(), layers.GlobalAveragePooling2D()),
        ]
    else:
        shape = (int(rng.integers(4, 9)), int(rng.integers(2, 6)))
        kind = pick(layers.LSTM, layers.GRU, layers.SimpleRNN)
        body = [
            pick(kind(5, return_sequences=True), layers.Bidirectional(kind(3, return_sequences=True))),
            layers.Dropout(0.3),
            kind(4, activation=pick("tanh", "sigmoid")),
        ]
    for _ in range(int(rng.integers(0, 3))):
        body.append(layers.Dense(int(rng.integers(2, 9)), pick("relu", "swish", "gelu", None), kernel_regularizer="l2"))
    model = keras.Sequential([keras.Input(shape), *body, layers.Dense(3, activation="softmax")])
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(np.abs(rng.normal(0.1, 0.4, weight.shape)))
    return model, rng.normal(size=(6, *shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(10))
def test_a_model_of_keras_is_taken_over(seed):
    model, x = random_model(seed)
    model.compile(
        keras.optimizers.Adam(0.003, epsilon=1e-6, weight_decay=0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    taken = minidl.from_keras(model)
    assert type(taken) is minidl.Sequential
    np.testing.assert_allclose(taken.predict(x), model.predict(x, verbose=0), atol=1e-5)
    y = np.arange(len(x)) % 3
    if not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers):
        theirs = model.fit(x, y, epochs=5, batch_size=6, shuffle=False, verbose=0).history["loss"]
        mine = taken.fit(x, y, epochs=5, batch_size=6, shuffle=False, verbose=0).history["loss"]
        np.testing.assert_allclose(mine, theirs, rtol=2e-4)


def test_a_model_taken_over_can_be_saved(tmp_path):
    model, x = random_model(3)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)), "sparse_categorical_crossentropy"
    )
    taken = minidl.from_keras(model)
    taken.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(minidl.load_model(tmp_path / "m.safetensors").predict(x), taken.predict(x))


def one_output(**options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", **{"loss": "mse", **options})
    return model


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.Huber(0.1),
        keras.losses.huber,
        keras.losses.BinaryCrossentropy(label_smoothing=0.2),
        keras.losses.mean_absolute_error,
        ["log_cosh"],
    ],
)
def test_losses_are_taken_over_with_what_they_were_given(loss):
    model = one_output(
        loss=loss,
        metrics=[keras.metrics.MeanAbsoluteError(name="mine"), "mse", keras.losses.mean_squared_error],
        weighted_metrics=[keras.metrics.Precision(thresholds=0.6), keras.metrics.RootMeanSquaredError()],
    )
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(20, 4)), rng.integers(0, 2, (20, 1)), rng.uniform(0, 3, 20)
    theirs = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    mine = minidl.from_keras(model).evaluate(x, y, sample_weight=weight, return_dict=True)
    assert sorted(mine) == sorted(theirs)
    np.testing.assert_allclose([mine[name] for name in theirs], list(theirs.values()), rtol=1e-5)


def test_a_model_compiled_without_a_loss_is_taken_over_without_training():
    assert minidl.from_keras(one_output(loss=None)).trainer is None


class OwnLoss(keras.losses.Loss):
    """A user's."""

    def call(self, y_true, y_pred):
        return y_pred - y_true


class Huber(OwnLoss):
    """Not Keras's."""


class OwnMetric(keras.metrics.Metric):
    """A user's."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return 0.0


def own_function(y_true, y_pred):
    return y_pred - y_true


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": own_function}, "the loss isn't supported"),
        ({"loss": OwnLoss()}, "the loss isn't supported"),
        ({"loss": Huber()}, "the loss isn't supported"),
        ({"loss": keras.losses.MeanSquaredError(reduction="sum")}, "reduction isn't supported"),
        ({"loss_weights": [2.0]}, "loss_weights aren't supported"),
        ({"metrics": [OwnMetric()]}, "the metric isn't supported"),
        ({"metrics": [keras.metrics.Precision(class_id=0)]}, "class_id isn't supported"),
    ],
)
def test_training_that_cannot_be_taken_over_is_refused(options, message):
    with pytest.raises(NotImplementedError, match=message):
        minidl.from_keras(one_output(**options))


def test_what_cannot_be_taken_over_is_refused():
    with pytest.raises(ValueError, match="must be built"):
        minidl.from_keras(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(NotImplementedError, match="Conv1D isn't supported"):
        minidl.from_keras(keras.Sequential([keras.Input((5, 2)), keras.layers.Conv1D(3, 2)]))
    inputs = keras.Input((3,))
    with pytest.raises(NotImplementedError, match="only a Sequential"):
        minidl.from_keras(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    with pytest.raises(TypeError, match=r"must be a keras.Sequential"):
        minidl.from_keras("model")


# What test_keras.py compares with, without Keras: python tests/test_keras_peer.py
def record():
    """Write the losses of the steps that Keras itself makes."""
    x, y = spirals()
    curves = {}
    for name, optimizer in OPTIMIZERS.items():
        net = dense_net(keras)
        net.compile(optimizer(keras), "sparse_categorical_crossentropy", metrics=["accuracy"])
        curves[name] = [round(float(loss), 6) for loss in curve(keras, net, start(net), x, y)[0]]
    text = json.dumps({"keras": keras.__version__, "backend": keras.backend.backend(), "curves": curves})
    (Path(__file__).parent / "keras_curves.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
