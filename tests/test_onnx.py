"""ONNX: every layer, run by onnxruntime, gives what ours gives."""

import subprocess
import sys

import nets
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx isn't installed: pip install 'minidl[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime isn't installed: pip install onnxruntime")

from minidl import Residual, Sequential, exchange, keras, layers  # noqa: E402  # after what may skip

L = layers
ACTIVATIONS = [
    L.BinaryStep(), L.Linear(0.5), L.Sigmoid(), L.HardSigmoid(), L.Tanh(), L.Softsign(), L.ReLU(), L.LeakyReLU(0.2),
    L.ELU(0.7), L.SELU(), L.Softplus(), L.Swish(), L.GELU(), L.GELU(approximate=True), L.Exponential(), L.Softmax(),
    L.LogSoftmax(), L.PReLU("random_uniform"), L.Activation("tanh"),
]  # fmt: skip
CASES = [
    *[((5,), layer) for layer in ACTIVATIONS],
    ((4, 3), L.Softmax(axis=1)),
    ((4, 3, 2), L.PReLU("random_uniform", shared_axes=[1, 2])),
    ((5,), L.Dense(3, "relu")),
    ((4, 5), L.Dense(3, use_bias=False)),
    ((7, 8, 4), L.Conv2D(6, (3, 2), activation="elu")),
    ((7, 8, 4), L.Conv2D(6, 3, strides=(2, 3), padding="same", groups=2)),
    ((9, 8, 2), L.Conv2D(3, 3, dilation_rate=2, padding="same", use_bias=False)),
    ((7, 8, 2), L.MaxPooling2D()),
    ((7, 8, 2), L.MaxPooling2D(3, 2, "same")),
    ((7, 8, 2), L.AveragePooling2D((2, 3), 1)),
    ((7, 8, 2), L.AveragePooling2D(3, 2, "same")),
    ((7, 8, 2), L.GlobalMaxPooling2D()),
    ((7, 8, 2), L.GlobalAveragePooling2D(keepdims=True)),
    ((2, 3, 2), L.Flatten()),
    ((2, 3, 2), L.Reshape((4, -1))),
    ((2, 3, 2), L.ZeroPadding2D(((1, 0), (2, 3)))),
    ((2, 3), L.Rescaling(0.1, 3.0)),
    ((5,), L.Dropout(0.5)),
    ((5,), L.BatchNormalization()),
    ((4, 3, 2), L.BatchNormalization(axis=1, center=False, epsilon=0.1)),
    ((5,), L.LayerNormalization(scale=False)),
    ((4, 3), L.LayerNormalization(axis=1, epsilon=0.01)),
    ((6,), L.Embedding(9, 4)),
    ((6, 3), L.SimpleRNN(4, "relu", return_sequences=True)),
    ((6, 3), L.SimpleRNN(4, go_backwards=True, use_bias=False)),
    ((6, 3), L.LSTM(4)),
    ((6, 3), L.LSTM(4, "gelu", "hard_sigmoid", return_sequences=True, go_backwards=True)),
    ((6, 3), L.GRU(4)),
    ((6, 3), L.GRU(4, "softsign", return_sequences=True, use_bias=False)),
    ((6, 3), L.GRU(4, reset_after=False)),
    *[((6, 3), L.Bidirectional(L.GRU(4, return_sequences=True), mode)) for mode in ("concat", "sum", "mul", "ave")],
    ((6, 3), L.Bidirectional(L.LSTM(4))),
    ((5,), Residual([L.Dense(5, "tanh")], seed=0)),
    ((5,), Sequential([L.Dense(4), Sequential([L.Dense(2)], seed=0)], seed=0)),
]


def model_of(shape, layer, dtype="float32"):
    """Return a model of that layer alone, its weights and running statistics far from where they start."""
    model = Sequential([L.Input(shape), layer.from_config(layer.get_config())], seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(rng.normal(0.2, 0.5, weight.shape)) for weight in model.get_weights()])
    return model


def batch_of(model, n=3):
    rng = np.random.default_rng(1)
    if model.takes_integers:
        return rng.integers(0, 9, (n, *model.input_shape))
    return rng.normal(size=(n, *model.input_shape)).astype(model.dtype)


def run(made, x):
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x})[0]


@pytest.mark.parametrize(("shape", "layer"), CASES, ids=lambda value: repr(value) if isinstance(value, L.Layer) else "")
def test_a_layer_gives_what_it_gives_here(shape, layer):
    model = model_of(shape, layer)
    x = batch_of(model)
    found = run(exchange.to_onnx(model), x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-5, atol=1e-5)
    assert np.ptp(found) > 0


def test_there_is_a_case_for_every_layer():
    inside = {type(part) for _, layer in CASES for part in (layer, *getattr(layer, "layers", ()))}
    assert set(layers.registry.classes()) - inside == {L.Input}


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize("n", [1, 12])
def test_a_net_and_any_number_of_samples(name, n, tmp_path):
    model = nets.net(name)
    x = nets.NETS[name][0][:n]
    exchange.to_onnx(model, tmp_path / "net.onnx")
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    found = session.run(["output"], {"input": x})[0]
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [L.Dense(3, "tanh"), L.BatchNormalization(), L.LayerNormalization()], ids=repr)
def test_a_model_in_double_precision_stays_so(layer):
    model = model_of((4,), layer, "float64")
    x = batch_of(model)
    found = run(exchange.to_onnx(model), x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-12)


def test_a_model_of_keras_s_face_can_be_exported_too():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Softmax()])
    x = batch_of(model)
    np.testing.assert_allclose(run(exchange.to_onnx(model), x), model.predict(x), rtol=1e-5)


class Cube(L.Elementwise):
    """An activation of one's own."""

    def function(self, x):
        return x**3

    def slope(self, x, y):
        return 3 * x**2


class Doubled(L.Dense):
    """A subclass that computes something else."""

    def linear(self, x):
        return 2 * super().linear(x)


@pytest.mark.parametrize("layer", [Cube(), Doubled(3), L.Dense(3, Cube())], ids=repr)
def test_layers_of_ones_own_are_refused(layer):
    model = Sequential([L.Input((4,)), layer])
    with pytest.raises(NotImplementedError, match=r"only minidl's own layers .* Received: (Cube|Doubled)"):
        exchange.to_onnx(model)


def test_what_is_no_built_model_is_refused():
    with pytest.raises(RuntimeError, match=r"must be built"):
        exchange.to_onnx(Sequential([L.Dense(3)]))
    with pytest.raises(TypeError, match=r"model must be a Sequential"):
        exchange.to_onnx(L.Dense(3))


def test_without_onnx_the_extra_is_named():
    code = (
        "import sys; sys.modules['onnx'] = None; import minidl; from minidl import layers\n"
        "minidl.exchange.to_onnx(minidl.Sequential([layers.Input((2,)), layers.Dense(1)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "to_onnx: needs the extra `onnx`: pip install 'minidl[onnx]'" in done.stderr
