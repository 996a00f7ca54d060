"""Models and weights in files: what comes back is what was saved, bit for bit; any reader of the format reads it."""

import json
import math
import os
import re
import stat

import nets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from subjects import RULES, exported

import minidl
from minidl import Sequential, initializers, layers, losses, metrics, optimizers, regularizers, saving, schedules
from minidl.saving import FileError, container, load_model, trees
from minidl.saving.models import REGISTRIES

same = np.testing.assert_array_equal
OPTIMIZERS = [rule.__name__ for rule in RULES]


def compiled(name="dense", optimizer="adam", **options):
    model = nets.net(name, **options)
    model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
    return model


def trained(name="dense", optimizer="adam", epochs=2):
    model = compiled(name, optimizer)
    fit(model, name, epochs)
    return model


def fit(model, name="dense", epochs=2):
    return model.fit(nets.NETS[name][0], nets.LABELS, batch_size=5, epochs=epochs, verbose=0)


def equal(a, b):
    """Tell whether two models have the same names and bits."""
    one, other = a.state_dict(), b.state_dict()
    return list(one) == list(other) and all(
        one[k].dtype == other[k].dtype and one[k].tobytes() == other[k].tobytes() for k in one
    )


# Models ----------------------------------------------------------------------------------------------------


def test_the_nets_have_every_layer_in_them():
    found = set().union(*(nets.kinds(nets.net(name).layers) for name in nets.NETS))
    assert found - {"Residual", "Sequential"} == exported(layers, layers.Layer, "Elementwise", "Input")


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_a_model_comes_back_with_every_layer_and_bit(tmp_path, name, dtype):
    model = nets.net(name, dtype=dtype)
    model.save(tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    assert repr(back) == repr(model)
    assert back.get_config() == model.get_config()
    assert equal(back, model)
    same(back.predict(nets.NETS[name][0]), model.predict(nets.NETS[name][0]))
    assert back.trainer is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["dense", "sequences"])
def test_training_goes_on_as_if_it_had_not_been_saved(tmp_path, optimizer, name):
    model = trained(name, optimizer)
    model.save(tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    assert back.trainer.optimizer.iterations == model.trainer.optimizer.iterations
    assert fit(back, name) == fit(model, name)
    assert equal(back, model)


def test_a_compiled_model_inside_another_is_saved_as_itself(tmp_path):
    model = trained("dense")
    Sequential([model, layers.Softmax()], seed=0)
    model.save(tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    fit(model)
    fit(back)
    assert equal(model, back)


def test_how_it_is_trained_comes_back_too(tmp_path):
    model = nets.net("dense", seed=9)
    optimizer = optimizers.Momentum(schedules.CosineDecay(0.1, decay_steps=7), momentum=0.8)
    optimizer.hooks = [optimizers.hooks.ClipByGlobalNorm(1.0), optimizers.hooks.WeightDecay(0.01)]
    model.compile(
        optimizer, losses.SparseCategoricalCrossentropy(label_smoothing=0.1), [metrics.TopKAccuracy(k=2, name="top2")]
    )
    fit(model)
    minidl.configure_parameters(model, "*/bias", weight_decay_multiplier=0)
    minidl.configure_parameters(model, "dense/kernel", learning_rate_multiplier=0.5, trainable=False)
    model.save(tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    assert repr(back.trainer.optimizer) == repr(optimizer)
    assert repr(back.trainer.loss) == repr(model.trainer.loss)
    assert [repr(metric) for metric in back.trainer.metrics] == [repr(metric) for metric in model.trainer.metrics]
    assert (back.seed, back.trainer.seed) == (9, 9)
    for mine, other in zip(model.parameters, back.parameters, strict=True):
        for setting in ("name", "trainable", "learning_rate_multiplier", "weight_decay_multiplier"):
            assert getattr(mine, setting) == getattr(other, setting)
    assert fit(back) == fit(model)
    assert equal(back, model)


def test_a_frozen_layer_without_parameters_stays_frozen(tmp_path):
    model = compiled("images")
    frozen = model.layers[5]
    frozen.trainable = False
    model.save(tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    assert [layer.trainable for layer in back.layers] == [layer.trainable for layer in model.layers]
    fit(back, "images")
    same(back.state_dict()["batch_normalization/moving_mean"], np.zeros(4))


def test_parts_can_be_left_out(tmp_path):
    model = trained()
    model.save(tmp_path / "bare.safetensors", include_optimizer=False)
    model.save(tmp_path / "whole.safetensors")
    assert load_model(tmp_path / "bare.safetensors").trainer is None
    assert load_model(tmp_path / "whole.safetensors", compile=False).trainer is None
    assert equal(load_model(tmp_path / "bare.safetensors"), model)


def test_a_model_that_is_not_built_can_be_saved(tmp_path):
    model = Sequential([layers.Dense(3)], seed=2)
    model.save(tmp_path / "m.safetensors")
    back = load_model(tmp_path / "m.safetensors")
    assert not back.built
    model.build((4,))
    back.build((4,))
    assert equal(back, model)


def test_a_model_without_any_array_can_be_saved(tmp_path):
    Sequential([layers.Input((2,)), layers.ReLU()], seed=0).save(tmp_path / "m.safetensors")
    same(load_model(tmp_path / "m.safetensors").predict(np.array([[-1.0, 2.0]])), [[0, 2]])


def test_a_subclass_is_known_once_it_is_registered(tmp_path):
    class Twice(layers.Layer):
        def forward(self, x, training=False):
            return 2 * x

        def backward(self, dy, accumulate=False):
            return 2 * dy

    Sequential([layers.Input((2,)), Twice()], seed=0).save(tmp_path / "m.safetensors")
    with pytest.raises(
        FileError, match=r"unknown layer\. Received: 'Twice'.*decorate it with @minidl\.layers\.registry"
    ):
        load_model(tmp_path / "m.safetensors")
    known = dict(layers.registry._classes)
    try:
        layers.registry.register()(Twice)
        same(load_model(tmp_path / "m.safetensors").predict(np.ones((1, 2))), [[2, 2]])
    finally:
        layers.registry._classes.clear()
        layers.registry._classes.update(known)


def test_a_hook_that_is_not_known_has_a_registry_of_its_own(tmp_path):
    class Own(optimizers.Hook):
        pass

    optimizer = optimizers.SGD()
    optimizer.hooks.append(Own())
    compiled(optimizer=optimizer).save(tmp_path / "m.safetensors")
    with pytest.raises(FileError, match=r"decorate it with @minidl\.optimizers\.hooks\.registry\.register\(\)"):
        load_model(tmp_path / "m.safetensors")
    known = dict(optimizers.hooks.registry._classes)
    try:
        optimizers.hooks.registry.register()(Own)
        assert type(load_model(tmp_path / "m.safetensors").trainer.optimizer.hooks[0]) is Own
    finally:
        optimizers.hooks.registry._classes.clear()
        optimizers.hooks.registry._classes.update(known)


@pytest.mark.parametrize("name", REGISTRIES)
def test_every_registry_is_where_the_message_says(name):
    found = minidl
    for part in REGISTRIES[name].split(".")[1:]:
        found = getattr(found, part)
    assert found.kind == name


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("layer", lambda own: own()),
        ("activation", lambda own: layers.Dense(2, own())),
        ("initializer", lambda own: layers.Dense(2, kernel_initializer=own())),
        ("regularizer", lambda own: layers.Dense(2, kernel_regularizer=own())),
    ],
)
def test_what_is_not_known_is_told_with_the_registry_that_it_needs(kind, made, tmp_path):
    bases = {"initializer": initializers.Ones, "regularizer": regularizers.L2}
    own = type("Unheard", (bases.get(kind, layers.Tanh),), {})
    Sequential([layers.Input((2,)), made(own)]).save(tmp_path / "m.safetensors")
    told = re.escape(f"decorate it with @{REGISTRIES[kind]}.register() and import it first")
    with pytest.raises(FileError, match=rf"unknown {kind}\. Received: .*'Unheard'.*{told}"):
        load_model(tmp_path / "m.safetensors")


def test_a_function_that_saves_does_what_the_method_does(tmp_path):
    model = trained()
    saving.save_model(model, tmp_path / "a.safetensors")
    model.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    saving.save_model(model, tmp_path / "a.safetensors", include_optimizer=False)
    assert load_model(tmp_path / "a.safetensors").trainer is None
    for name in ("save_model", "save_weights", "load_weights"):
        with pytest.raises(TypeError, match=f"^{name}: model must be a Sequential. Received: 3$"):
            getattr(saving, name)(3, tmp_path / "c.safetensors")


def test_what_no_file_can_hold_is_told_before_anything_is_written(tmp_path):
    model = compiled(optimizer=optimizers.SGD(lambda step: 0.1))
    with pytest.raises(TypeError, match=r"SGD: only a minidl\.schedules\.Schedule can be described by a config"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []
    model.save(tmp_path / "m.safetensors", include_optimizer=False)
    assert equal(load_model(tmp_path / "m.safetensors"), model)


# Weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", nets.NETS)
def test_weights_come_back(tmp_path, name):
    model, other = trained(name), compiled(name, seed=5)
    model.save_weights(tmp_path / "w.safetensors")
    other.load_weights(tmp_path / "w.safetensors")
    assert equal(model, other)


def test_weights_are_taken_from_a_model_too_and_in_another_precision(tmp_path):
    model = trained()
    model.save(tmp_path / "m.safetensors")
    double = nets.net("dense", seed=5, dtype="float64")
    double.load_weights(tmp_path / "m.safetensors")
    for name, array in model.state_dict().items():
        same(double.state_dict()[name], array)


def test_weights_that_do_not_fit_are_refused_whole_with_all_differences(tmp_path):
    model = Sequential([layers.Input((4,)), layers.Dense(5), layers.Dense(2, name="last")], seed=0)
    model.save_weights(tmp_path / "w.safetensors")
    other = Sequential([layers.Input((4,)), layers.Dense(5), layers.Dense(3), layers.Dense(2)], seed=0)
    before = other.state_dict()
    with pytest.raises(FileError) as caught:
        other.load_weights(tmp_path / "w.safetensors")
    assert str(caught.value) == (
        f"load_weights: {tmp_path / 'w.safetensors'}: Sequential: the state must fit the model. Received: missing "
        "dense_1/kernel (5, 3), dense_1/bias (3,), dense_2/kernel (3, 2), dense_2/bias (2,); "
        "unknown last/bias (2,), last/kernel (5, 2)"
    )
    for name, array in before.items():
        same(other.state_dict()[name], array)


def test_a_count_is_not_taken_for_a_weight(tmp_path):
    content = container.encode({"a/w": np.ones(2, np.int64)}, {"format": 1, "kind": "weights"})
    (tmp_path / "w.safetensors").write_bytes(content)

    class Weights(layers.Layer):
        def build(self, input_shape, rng):
            super().build(input_shape, rng)
            self.add_parameter("w", (2,), "ones", rng)

    model = Sequential([layers.Input((2,)), Weights(name="a")], seed=0)
    with pytest.raises(FileError, match=r"a/w must be of a kind with float32\. Received: int64 array of shape \(2,\)"):
        model.load_weights(tmp_path / "w.safetensors")


# The format ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", nets.NETS)
def test_plain_safetensors_reads_the_weights_by_their_names(tmp_path, name):
    from safetensors.numpy import load_file

    model = trained(name)
    model.save_weights(tmp_path / "w.safetensors")
    model.save(tmp_path / "m.safetensors")
    for read, more in ((load_file(tmp_path / "w.safetensors"), False), (load_file(tmp_path / "m.safetensors"), True)):
        own = {key: array for key, array in read.items() if not key.startswith("@")}
        assert (len(own) < len(read)) == more
        assert set(own) == set(model.state_dict())
        for key, array in model.state_dict().items():
            same(own[key], array)
            assert own[key].dtype == array.dtype


def test_pytorch_reads_a_model_and_computes_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    model = Sequential([layers.Input((6,)), layers.Dense(8, "relu"), layers.Dense(3)], seed=0)
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model)
    model.save(tmp_path / "m.safetensors")
    read = load_file(tmp_path / "m.safetensors")
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    with torch.no_grad():
        for i, name in ((0, "dense"), (2, "dense_1")):
            net[i].weight.copy_(read[f"{name}/kernel"].T)
            net[i].bias.copy_(read[f"{name}/bias"])
        theirs = net(torch.from_numpy(nets.ROWS)).numpy()
    np.testing.assert_allclose(model.predict(nets.ROWS), theirs, rtol=1e-5, atol=1e-6)


def test_the_header_is_as_the_docs_say(tmp_path):
    import hashlib

    model = trained()
    model.save(tmp_path / "m.safetensors")
    content = (tmp_path / "m.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    document = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["minidl"])
    assert (document["kind"], document["format"], document["minidl"]) == ("model", 1, minidl.__version__)
    blank = content.replace(document["sha256"].encode(), b"0" * 64, 1)
    assert hashlib.sha256(blank).hexdigest() == document["sha256"]


def test_a_model_has_one_file(tmp_path):
    for name in "ab":
        trained().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


DTYPES = st.sampled_from(trees.DTYPES)
ARRAYS = arrays_of.arrays(DTYPES, arrays_of.array_shapes(min_dims=0, min_side=0, max_side=3))
SCALARS = arrays_of.arrays(DTYPES, ()).map(lambda array: array[()])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | ARRAYS | SCALARS
KEYS = st.text(max_size=4) | st.integers() | st.sampled_from(["@tensor", "@", "a/b", "~1"])
TREES = st.recursive(
    LEAVES,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.lists(inside, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inside, max_size=4)
    ),
    max_leaves=12,
)


def exactly(a, b):
    """Tell whether two trees are the same in kinds and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(exactly(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(exactly, a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@given(TREES)
def test_any_state_comes_back_exactly(tree):
    tensors, used = {}, set()
    plain = trees.pack(tree, "@state", tensors)
    content = container.encode(tensors, {"state": plain})
    read, document = container.decode(content)
    assert exactly(trees.unpack(document["state"], read, used), tree)
    assert used == set(read)


@pytest.mark.parametrize("kind", [float, int])
def test_long_lists_are_arrays(kind):
    tensors, numbers = {}, [kind(i) for i in range(1000)]
    assert trees.pack(numbers, "n", tensors) == {"@list": "n"}
    assert exactly(trees.unpack({"@list": "n"}, tensors, set()), numbers)
    assert trees.pack([2**80] * 100, "n", {}) == [2**80] * 100


@pytest.mark.parametrize("thing", [{1, 2}, object(), b"bytes", 1j, np.array(["a"]), np.array([None]), np.longdouble(1)])
def test_what_is_no_state_is_refused_by_its_path(thing):
    with pytest.raises(TypeError, match=r"Received: @optimizer/a/0, "):
        trees.pack({"a": [thing]}, "@optimizer", {})


# Files -----------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_in_one_step_and_keeps_what_points_at_it(tmp_path):
    model = trained()
    place, link = tmp_path / "m.safetensors", tmp_path / "link.safetensors"
    model.save(place)
    link.symlink_to(place)
    older = place.open("rb")
    fit(model)
    model.save(link)
    assert link.is_symlink()
    assert equal(load_model(place), model)
    with older:  # who has it open still reads the one of before
        assert container.decode(older.read())
    assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors", "link.safetensors"}


@pytest.mark.skipif(os.name != "posix", reason="POSIX's permissions")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_file_has_the_permissions_that_the_user_gives_files(tmp_path, mask):
    before = os.umask(mask)
    try:
        trained().save(tmp_path / "m")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o666 & ~mask


@pytest.mark.skipif(os.name != "posix", reason="POSIX's permissions")
def test_a_private_file_stays_private(tmp_path):
    trained().save(tmp_path / "m")
    (tmp_path / "m").chmod(0o600)
    trained().save(tmp_path / "m")
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["ünïcode — ∂.safetensors", "x" * 240, "∂" * 80, "with space", ".hidden"])
def test_any_name_will_do(tmp_path, name):
    model = trained()
    model.save(str(tmp_path / name))
    assert equal(load_model(str(tmp_path / name)), model)
