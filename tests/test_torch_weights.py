"""Weights in PyTorch's names, orders and shapes: there and back; with PyTorch, modules that compute the same."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from minidl import Residual, Sequential, exchange, layers
from minidl.saving import FileError

L = layers


def random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([np.abs(rng.normal(0.2, 0.5, weight.shape)) for weight in model.get_weights()])
    return model


def recurrent(kind):
    return lambda: Sequential([L.Input((5, 3)), kind(4, return_sequences=True)])


def both_ways(kind):
    return lambda: Sequential([L.Input((5, 3)), L.Bidirectional(kind(4, return_sequences=True))])


def Doubled(nn):  # noqa: N802  # it makes a module
    class Module(nn.Module):
        def forward(self, x):
            return x + x.tanh()

    return Module()


# What makes a model, and the PyTorch module whose state it has: each in words of its own framework.
CASES = {
    "dense": (
        lambda: Sequential([L.Input((3,)), L.Dense(4, "relu"), L.Dense(2, use_bias=False)]),
        lambda nn: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False)),
        ["0", "2"],
    ),
    "images": (
        lambda: Sequential(
            [
                L.Input((7, 6, 2)), L.Conv2D(4, (3, 2), activation="relu", groups=2),
                L.BatchNormalization(epsilon=1e-5),
                L.MaxPooling2D(), L.Flatten(), L.Dropout(0.5), L.Dense(5, "tanh"), L.Dense(2),
            ]
        ),
        lambda nn: nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), groups=2), nn.ReLU(), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 2),
        ),
        ["0", "2", "6", "8"],
    ),
    "images, normalised": (
        lambda: Sequential(
            [
                L.Input((3, 2, 4)), L.Flatten(), L.BatchNormalization(epsilon=1e-5), L.ReLU(),
                L.LayerNormalization(epsilon=1e-5), L.Dense(5), L.Dense(5),
            ]
        ),
        lambda nn: nn.Sequential(
            nn.Flatten(), nn.BatchNorm1d(24), nn.ReLU(), nn.LayerNorm(24), nn.Linear(24, 5), nn.Linear(5, 5),
        ),
        ["1", "3", "4", "5"],
    ),
    "images into a model inside": (
        lambda: Sequential([L.Input((3, 2, 4)), L.Flatten(), Sequential([L.Tanh(), L.Dense(5)]), L.Dense(24)]),
        lambda nn: nn.Sequential(nn.Flatten(), nn.Tanh(), nn.Linear(24, 5), nn.Linear(5, 24)),
        ["2", "3"],
    ),
    "images out of a model inside": (
        lambda: Sequential([L.Input((3, 2, 4)), Sequential([L.Flatten()]), Residual([L.Tanh()]), L.Dense(24)]),
        lambda nn: nn.Sequential(nn.Flatten(), Doubled(nn), nn.Linear(24, 24)),
        ["2"],
    ),
    "flat, and images again": (
        lambda: Sequential([L.Input((3, 2, 4)), L.Flatten(), L.Reshape((3, 2, 4)), L.Conv2D(2, (3, 2)), L.Flatten()]),
        lambda nn: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (4, 3, 2)), nn.Conv2d(4, 2, (3, 2)), nn.Flatten()),
        ["2"],
    ),
    "normalised": (
        lambda: Sequential([L.Input((6,)), L.LayerNormalization(epsilon=1e-5), L.BatchNormalization(epsilon=1e-5)]),
        lambda nn: nn.Sequential(nn.LayerNorm(6), nn.BatchNorm1d(6)),
        ["0", "1"],
    ),
    "embedding": (
        lambda: Sequential([L.Input((4,)), L.Embedding(9, 3)]), lambda nn: nn.Sequential(nn.Embedding(9, 3)), ["0"],
    ),
    "rnn": (recurrent(L.SimpleRNN), lambda nn: nn.RNN(3, 4, batch_first=True), [""]),
    "lstm": (recurrent(L.LSTM), lambda nn: nn.LSTM(3, 4, batch_first=True), [""]),
    "gru": (recurrent(L.GRU), lambda nn: nn.GRU(3, 4, batch_first=True), [""]),
    "two lstms": (both_ways(L.LSTM), lambda nn: nn.LSTM(3, 4, batch_first=True, bidirectional=True), [""]),
    "two grus": (both_ways(L.GRU), lambda nn: nn.GRU(3, 4, batch_first=True, bidirectional=True), [""]),
}  # fmt: skip


def batch_of(model, n=3):
    rng = np.random.default_rng(1)
    if model.takes_integers:
        return rng.integers(0, 9, (n, *model.input_shape))
    return rng.normal(size=(n, *model.input_shape)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_there_and_back_by_a_file(name, tmp_path):
    make, _, _ = CASES[name]
    model, twin = random_weights(make()), random_weights(make(), 1)
    exchange.save_torch(model, tmp_path / "w.safetensors")
    exchange.load_torch(twin, tmp_path / "w.safetensors")
    for mine, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7)
    assert set(load_file(tmp_path / "w.safetensors")) == set(exchange.to_torch(model))


def module_of(torch, name):
    """Return the module, its state's prefix taken off where it is a layer itself."""
    module = CASES[name][1](torch.nn)
    return module.eval(), CASES[name][2]


def outputs(torch, module, x):
    """Return what a module makes of a batch with channels last, the channels last again."""
    given = torch.from_numpy(np.moveaxis(x, -1, 1).copy() if x.ndim == 4 else x)
    with torch.no_grad():
        found = module(given)
    return (found[0] if isinstance(found, tuple) else found).numpy()


@pytest.mark.parametrize("name", CASES)
def test_pytorch_reads_ours_and_computes_the_same(name, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch isn't installed")
    from safetensors.torch import load_file as load_tensors

    model = random_weights(CASES[name][0]())
    module, names = module_of(torch, name)
    exchange.save_torch(model, tmp_path / "w.safetensors", [one or "module" for one in names])
    state = {key.removeprefix("module."): t for key, t in load_tensors(tmp_path / "w.safetensors").items()}
    missing, unknown = module.load_state_dict(state, strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing)
    assert not unknown
    x = batch_of(model)
    np.testing.assert_allclose(model.predict(x), outputs(torch, module, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_ours_reads_pytorch_s_and_computes_the_same(name, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch isn't installed")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    module, names = module_of(torch, name)
    state = {f"module.{key}" if names == [""] else key: value for key, value in module.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    model = CASES[name][0]()
    exchange.load_torch(model, tmp_path / "w.safetensors", [one or "module" for one in names])
    x = batch_of(model)
    np.testing.assert_allclose(model.predict(x), outputs(torch, module, x), rtol=1e-4, atol=1e-5)
    exchange.from_torch(model, state, [one or "module" for one in names])  # tensors will do too


def test_names_are_of_layers_with_weights():
    model = Sequential([L.Input((3,)), L.Dense(4, name="first"), Sequential([L.ReLU(), L.Dense(2)], name="block")])
    assert list(exchange.to_torch(model)) == ["first.weight", "first.bias", "block.dense.weight", "block.dense.bias"]
    assert list(exchange.to_torch(model, {"first": "a.0", "block/dense": "b"}))[::2] == ["a.0.weight", "b.weight"]
    for wrong in (["a"], ["a", "a"], {"first": "a"}, "ab"):
        with pytest.raises(ValueError, match="names must be"):
            exchange.to_torch(model, wrong)


@pytest.mark.parametrize("more", [[L.Reshape((4, 6)), L.LSTM(2)], [Residual([L.Dense(24)])]])
def test_an_order_that_can_not_be_had_is_refused(more):
    with pytest.raises(NotImplementedError, match=r"^to_torch: .*behind a Flatten of "):
        exchange.to_torch(Sequential([L.Input((3, 2, 4)), L.Flatten(), *more]))
    assert exchange.to_torch(Sequential([L.Input((6, 4, 1)), L.Flatten(), *more]))  # one channel has one order


def test_what_does_not_fit_changes_nothing():
    model = random_weights(CASES["dense"][0]())
    before = model.get_weights()
    state = exchange.to_torch(model, ["0", "2"])
    for wrong, message in (
        ({**state, "0.bias": np.zeros(3)}, r"other shapes: 0.bias \(3,\) for \(4,\)"),
        ({k: v for k, v in state.items() if k != "2.weight"}, r"missing 2.weight \(2, 4\)"),
        ({**state, "3.weight": np.zeros(1)}, r"unknown 3.weight \(1,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            exchange.from_torch(model, wrong, ["0", "2"])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    "layer",
    [
        L.GRU(3, reset_after=False),
        L.Bidirectional(L.LSTM(3), "sum"),
        L.Bidirectional(L.GRU(3, reset_after=False)),
        L.Dense(3, L.PReLU()),
        L.PReLU(),
    ],
    ids=repr,
)
def test_what_pytorch_does_not_have_is_refused(layer):
    with pytest.raises(NotImplementedError, match="PyTorch has no such layer"):
        exchange.to_torch(Sequential([L.Input((4, 3)), layer]))
    with pytest.raises(RuntimeError, match="must be built"):
        exchange.to_torch(Sequential([L.Dense(3)]))


def test_what_is_no_file_or_no_state_is_told(tmp_path):
    model = CASES["dense"][0]()
    (tmp_path / "garbage").write_bytes(b"garbage" * 9)
    for path, message in (("garbage", r"must be a safetensors file"), ("", r"must be a file\. Received: a folder")):
        with pytest.raises(FileError, match=f"^load_torch: .*{message}"):
            exchange.load_torch(model, tmp_path / path)
    with pytest.raises(FileNotFoundError, match=r"load_torch: .*none can't be read"):
        exchange.load_torch(model, tmp_path / "none")
    with pytest.raises(TypeError, match=r"^from_torch: state must be a dict of tensors or arrays\. Received: 3"):
        exchange.from_torch(model, 3)
    with pytest.raises(TypeError, match=r"^from_torch: model must be a Sequential\. Received: 3"):
        exchange.from_torch(3, {})
    exchange.save_torch(model, tmp_path / "other")
    with pytest.raises(ValueError, match=r"^load_torch: the state must fit the model"):
        exchange.load_torch(CASES["normalised"][0](), tmp_path / "other")
