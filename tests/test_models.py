"""Sequential: names, flat storage, building, seeds, weights, configs, and what it refuses."""

import contextlib
import copy
import gc
import inspect
import pickle
import weakref

import numpy as np
import pytest
from bits import COPIES
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import run_python, same_arrays
from subjects import shown

from minidl import Sequential, Trainer, layers, regularizers
from minidl.layers import Activation, Dense, Flatten, Input, LeakyReLU, ReLU, Softmax, Tanh
from minidl.randomness import PURPOSES, generator

X = np.random.default_rng(0).normal(size=(5, 4))


def small(seed=0, **options):
    return Sequential([Input((4,)), Dense(3, "relu"), ReLU(), Dense(2)], seed=seed, **options)


def nested(seed=0, **options):
    return Sequential(
        [Dense(3), Sequential([Dense(4, "tanh"), Sequential([Dense(2)])], seed=9), Dense(3)], seed=seed, **options
    )


def weights(model):
    """Return true copies of all parameters."""
    return [p.data.copy() for p in model.parameters]


def is_flat(model):
    """Check that all values lie side by side in one vector, all gradients in another, and that they are views."""
    storage = model.parameters[0].storage
    total = sum(p.size for p in model.parameters)
    assert (storage.data.shape, storage.grad.shape) == ((total,), (total,))
    assert storage.data.flags.c_contiguous
    assert not np.shares_memory(storage.data, storage.grad)
    offset = 0
    for parameter in model.parameters:
        part = slice(offset, offset + parameter.size)
        assert parameter.storage is storage
        for view, whole in ((parameter.data, storage.data), (parameter.grad, storage.grad)):
            whole[part] = np.arange(offset, offset + parameter.size)
            assert view.ravel().tolist() == list(range(offset, offset + parameter.size))
            view[...] = 7
            assert (whole[part] == 7).all()
        offset += parameter.size
    return True


# Names -------------------------------------------------------------------------------------------------


class HTTPServer2Layer(layers.Layer):
    """A class whose name has neither one case nor letters only."""


def test_layers_are_named_by_class_and_parameters_by_path():
    model = Sequential(
        [Input((4,)), Dense(3), ReLU(), Dense(3), LeakyReLU(), ReLU(), Activation("tanh"), Flatten(), Softmax()]
    )
    names = ["dense", "relu", "dense_1", "leaky_relu", "relu_1", "activation", "flatten", "softmax"]
    assert [layer.name for layer in model.layers] == names
    paths = ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert [p.name for p in model.parameters] == paths
    assert list(model.named_parameters()) == list(model.state_dict()) == paths


def test_given_names_are_kept_and_made_up_ones_avoid_them():
    model = Sequential([Dense(1, name="dense_1"), Dense(1), Dense(1), Dense(1, name="out.x-2")])
    assert [layer.name for layer in model.layers] == ["dense_1", "dense", "dense_2", "out.x-2"]
    assert Sequential([HTTPServer2Layer()]).layers[0].name.islower()


def test_nested_names_are_paths():
    model = nested()
    model.build((4,))
    assert [p.name for p in model.parameters] == [
        "dense/kernel",
        "dense/bias",
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/sequential/dense/kernel",
        "sequential/sequential/dense/bias",
        "dense_1/kernel",
        "dense_1/bias",
    ]
    assert next(iter(model.layers[1].named_parameters())) == "dense/kernel"


# Storage -----------------------------------------------------------------------------------------------

BUILT = {
    "from Input": small,
    "by build": lambda: (m := Sequential([Dense(3), Dense(2)]), m.build((4,)))[0],
    "by data": lambda: (m := Sequential([Dense(3), Dense(2)]), m.forward(X))[0],
    "after add": lambda: (m := small(), m.add(Dense(5)), m.add(Dense(2)))[0],
    "by add alone": lambda: (m := Sequential(), m.add(Input((4,))), m.add(Dense(5)), m.add(Dense(2)))[0],
    "deepcopy": lambda: copy.deepcopy(small()),
    "deepcopy, then add": lambda: (m := copy.deepcopy(small()), m.add(Dense(5)))[0],
    "pickle": lambda: pickle.loads(pickle.dumps(small())),
    "from_config": lambda: Sequential.from_config(small().get_config()),
    "float64": lambda: small(dtype="float64"),
    "loaded": lambda: (m := small(), m.load_state_dict(small(1).state_dict()))[0],
    "nested": lambda: (m := nested(), m.build((4,)))[0],
    "nested, deepcopy": lambda: (m := nested(), m.build((4,)), copy.deepcopy(m))[2],
}


@pytest.mark.parametrize("how", BUILT)
def test_all_parameters_lie_in_one_vector(how):
    assert is_flat(BUILT[how]())


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("make", [small, nested])
def test_a_copy_is_the_same_and_independent(duplicate, make):
    model = make()
    expected = model.forward(X).copy()
    model.backward(np.ones(expected.shape, np.float32))
    model.layers[0].trainable = False
    before, grads = weights(model), [p.grad.copy() for p in model.parameters]
    other = duplicate(model)
    assert same_arrays(weights(other), before)
    assert same_arrays([p.grad for p in other.parameters], grads)
    assert [(p.name, p.trainable) for p in other.parameters] == [(p.name, p.trainable) for p in model.parameters]
    assert same_arrays([other.forward(X)], [expected])
    for parameter in other.parameters:
        parameter.data += 1
        parameter.grad += 1
    assert same_arrays(weights(model), before)
    assert same_arrays([p.grad for p in model.parameters], grads)
    assert not np.array_equal(other.forward(X), expected)  # its layers use its own storage
    assert {id(p) for layer in other.layers for p in layer.parameters} == {id(p) for p in other.parameters}


def test_a_copy_draws_for_new_layers_what_the_original_draws():
    model = small()
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), Sequential.from_config(model.get_config()), model]
    for twin in twins:
        twin.add(Dense(6))
    assert all(same_arrays(weights(twin), weights(model)) for twin in twins)
    assert weights(model)[4].any()


def test_a_new_layer_leaves_weights_and_gradients_of_the_others():
    model = small()
    for i, parameter in enumerate(model.parameters):
        parameter.grad = np.full(parameter.shape, i + 1)
    before, grads = weights(model), [p.grad.copy() for p in model.parameters]
    model.add(Dense(5))
    assert same_arrays(weights(model)[:4], before)
    assert same_arrays([p.grad for p in model.parameters[:4]], grads)
    assert not model.parameters[4].grad.any()


def test_assigning_weights_goes_through_to_the_output():
    model = Sequential([Input((2,)), Dense(1)])
    kernel, bias = model.parameters
    kernel.data, bias.data = [[2], [3]], [0.5]
    assert model.forward([[1, 10]]).tolist() == [[32.5]]
    kernel.storage.data[:] = [1, 1, 0]
    assert model.forward([[1, 10]]).tolist() == [[11]]


def test_a_forgotten_model_is_freed():
    model = small()
    model.forward(X)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


# Building ----------------------------------------------------------------------------------------------


def test_however_it_is_built_it_is_the_same_model():
    def plain():
        return Sequential([Dense(3, "relu"), ReLU(), Dense(2)], seed=0)

    by_build, by_data, by_add = plain(), plain(), Sequential([Input((4,))], seed=0)
    assert not by_build.built
    assert by_build.parameters == ()
    assert by_build.state_dict() == {}
    by_build.build((4,))
    by_data.forward(X)
    for layer in (Dense(3, "relu"), ReLU(), Dense(2)):
        by_add.add(layer)
    for model in (by_build, by_data, by_add):
        assert same_arrays(model.state_dict(), small().state_dict())
        assert model.forward(X).shape == (5, *model.output_shape) == (5, 2)


def test_forward_runs_the_layers_in_order():
    model = Sequential([Input((2, 2)), Flatten(), Dense(3, "tanh"), LeakyReLU(0.5), Dense(1)], dtype="float64", seed=1)
    x = np.random.default_rng(1).normal(size=(3, 2, 2))
    w, b, v, c = weights(model)
    h = np.tanh(x.reshape(3, 4) @ w + b)
    np.testing.assert_allclose(model.forward(x), np.where(h > 0, h, 0.5 * h) @ v + c, rtol=1e-14)
    np.testing.assert_array_equal(model(x), model.forward(x))
    np.testing.assert_allclose(model.predict(x, batch_size=2), model.forward(x), rtol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 32, 33])
def test_predict_takes_any_number_of_samples(n):
    model = small()
    x = np.random.default_rng(2).normal(size=(n, 4))
    y = model.predict(x)
    assert (y.shape, y.dtype) == ((n, 2), np.float32)
    np.testing.assert_allclose(y, model.forward(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x", [X.tolist(), X.astype("float32"), np.arange(8).reshape(2, 4), np.eye(4, dtype=bool)])
def test_inputs_of_any_numbers_are_converted(x):
    model = small()
    assert model.forward(x).dtype == np.float32
    np.testing.assert_array_equal(model.forward(x), model.forward(np.asarray(x, np.float32)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((3, 5)), r"input must have shape \(batch, 4\)\. Received: float64 array of shape \(3, 5\)"),
        (np.ones((3, 4, 1)), r"input must have shape \(batch, 4\)\. Received: float64 array of shape \(3, 4, 1\)"),
        (np.ones(4), r"input must have shape \(batch, 4\)\. Received: float64 array of shape \(4,\)"),
        (3.0, r"input must have shape \(batch, 4\)\. Received: float64 array of shape \(\)"),
        ([["a", "b", "c", "d"]], r"input must be numbers\. Received: \[\['a'"),
        (np.ones((3, 4), complex), r"input must be numbers\. Received: complex128 array"),
    ],
)
def test_wrong_inputs_are_refused_by_both_shapes(x, message):
    model = small(name="mine")
    for call in (model.forward, model.forward_logits):
        with pytest.raises(ValueError, match=f"Sequential 'mine': {message}"):
            call(x)


@pytest.mark.parametrize("shape", [4, (4.0,), (-4,), (None, 4), "4"], ids=repr)
def test_wrong_shapes_are_refused_by_build_as_input_refuses_them(shape):
    model = Sequential([Dense(3)])
    with pytest.raises((TypeError, ValueError), match=r"Sequential.*shape.*Received"):
        model.build(shape)
    assert not model.built
    model.build((4,))


def test_a_model_is_built_once():
    with pytest.raises(RuntimeError, match=r"must be built once; it is, for input of shape \(4,\)"):
        small().build((4,))


def test_without_layers_or_shape_it_says_so():
    with pytest.raises(RuntimeError, match="Sequential: must have layers before forward"):
        Sequential([Input((4,))]).forward(X)
    with pytest.raises(RuntimeError, match="must be built before it has a shape"):
        Sequential().output_shape  # noqa: B018
    with pytest.raises(RuntimeError, match=r"must be built before its summary"):
        Sequential([Dense(3)]).summary()


def test_the_last_layer_can_be_taken_away_and_put_elsewhere():
    model = Sequential([Input((4,)), Dense(3), Dense(2)], seed=0)
    model.compile("sgd", "mse")
    outputs = model.forward(X)
    last = model.pop()
    assert [p.name for p in model.parameters] == ["dense/kernel", "dense/bias"]
    assert (model.output_shape, model.trainer, last.built) == ((3,), None, True)
    other = Sequential([Input((3,)), last])
    np.testing.assert_array_equal(other.forward(model.forward(X)), outputs)
    model.add(Dense(1))
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((len(X), 1)), verbose=0)
    np.testing.assert_array_equal(last.kernel.data, other.get_weights()[0])  # it has no more to do with this one
    with pytest.raises(RuntimeError, match=r"must have layers before pop"):
        Sequential().pop()
    inner = Sequential([Dense(3)])
    outer = Sequential([Input((4,)), inner])
    with pytest.raises(RuntimeError, match=r"a model inside another can't shrink once built"):
        outer.layers[0].pop()


def test_a_layer_gives_and_takes_its_own_weights():
    model = Sequential([Input((4,)), Dense(3), Dense(2)], seed=0)
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel * 2, bias + 1])
    np.testing.assert_array_equal(model.parameters[2].data, kernel * 2)
    with pytest.raises(ValueError, match=r"Dense 'dense_1': weights must be 2 arrays. Received: 1"):
        model.layers[1].set_weights([kernel])
    with pytest.raises(ValueError, match="must fit"):
        model.layers[1].set_weights([kernel.T, bias])


def test_a_build_that_fails_can_be_repeated():
    model = Sequential([Dense(3), Softmax(axis=2)], seed=0)
    with pytest.raises(ValueError, match=r"axis must be one of the 1 axes"):
        model.forward(X)
    assert not model.built
    assert not any(layer.built for layer in model.layers)
    fresh = Sequential([Dense(3), Softmax(axis=2)], seed=0)
    x = np.ones((2, 5, 6))
    assert same_arrays([model.forward(x)], [fresh.forward(x)])


def test_a_build_that_fails_leaves_a_trained_layer_alone():
    model = small()
    trained = copy.deepcopy(model.layers[0])
    other = Sequential([trained, Dense(2)], seed=1)
    with pytest.raises(ValueError, match=r"'dense' was built for input of shape \(4,\).* Received: .*\(9,\)"):
        other.forward(np.ones((2, 9)))
    assert same_arrays([p.data for p in trained.parameters], weights(model)[:2])
    assert other.forward(X).shape == (5, 2)


# Adding ------------------------------------------------------------------------------------------------


def test_a_layer_can_be_in_one_place_only():
    model, other = small(), small(1)
    before = model.state_dict()
    for layer in (model.layers[0], other.layers[1], model, Activation(model.layers[0].activation)):
        with pytest.raises(ValueError, match=r"a layer can be in one place of one model only; .*Received: .* again"):
            model.add(layer)
    with pytest.raises(ValueError, match=r"Received: Dense.* again"):
        Sequential([(lone := Dense(3)), Dense(2), lone])
    with pytest.raises(ValueError, match=r"Received: Dense.* again"):
        Sequential([Dense(3, (shared := ReLU())), Dense(2, shared)])
    assert [layer.name for layer in model.layers] == ["dense", "relu", "dense_1"]
    assert same_arrays(model.state_dict(), before)
    assert is_flat(model)


def test_a_refused_model_leaves_its_layers_free():
    first, second = Dense(3), Dense(2)
    with pytest.raises(ValueError, match=r"again") as refusal:  # its traceback holds the model, as in a notebook
        Sequential([first, second, first])
    assert len(Sequential([second, first]).layers) == 2
    assert (second.name, first.name) == ("dense", "dense_1")
    assert refusal.tb is not None
    third = Dense(3)
    with pytest.raises(ValueError, match=r"again"):
        Sequential([Input((4,)), third, third])
    assert not third.built
    assert Sequential([Input((9,)), third]).parameters[0].shape == (9, 3)


def test_a_refused_layer_changes_nothing():
    model, same = small(), small()
    refused = {
        "different names": Dense(3, name="dense"),
        "axis must be": Softmax(axis=4),
        "built for input of shape": (wrong := Dense(2), wrong.build((9,), np.random.default_rng(0)))[0],
        "Input must be the first": Input((2,)),
    }
    for message, layer in refused.items():
        name = layer.name
        with pytest.raises(ValueError, match=message):
            model.add(layer)
        assert layer.name == name
    assert not refused["axis must be"].built
    for wrong in ("relu", None, Dense, ReLU):
        with pytest.raises(TypeError, match=r"a layer must be an instance of Layer"):
            model.add(wrong)
    assert same_arrays(model.state_dict(), same.state_dict())
    for twin in (model, same):  # and what comes next draws as if nothing had been tried
        twin.add(Dense(6))
    assert same_arrays(model.state_dict(), same.state_dict())
    Sequential([Softmax(axis=4)])


def test_layers_that_are_no_list_are_refused():
    for wrong in (Dense(3), 5):
        with pytest.raises(TypeError, match=r"Sequential: .*layers.* Received"):
            Sequential(wrong)


def test_a_copy_of_a_trained_layer_keeps_its_weights():
    model = small()
    model.parameters[0].data += 1
    kept = weights(model)
    copied = copy.deepcopy(model.layers[0])
    other = Sequential([Input((4,)), copied, Dense(2)], seed=5)
    assert same_arrays(weights(other)[:2], kept[:2])
    assert is_flat(other)
    assert same_arrays(weights(model), kept)
    with pytest.raises(ValueError, match=r"was built for input of shape \(4,\), float32\. .*\(5,\), float32"):
        Sequential([Input((5,)), copy.deepcopy(model.layers[0])])
    with pytest.raises(ValueError, match=r"was built for .* float32\. Received: .* float64"):
        Sequential([Input((4,)), copy.deepcopy(model.layers[0])], dtype="float64")


def test_a_built_model_inside_another_keeps_its_weights():
    inner = small()
    kept = weights(inner)
    outer = Sequential([Input((4,)), inner, Dense(2)], seed=3)
    assert same_arrays(weights(outer)[:4], kept)
    np.testing.assert_array_equal(outer.layers[0].forward(X), inner.forward(X))
    assert is_flat(outer)


def test_a_model_inside_another_stays_part_of_it():
    outer = Sequential([Input((4,)), Sequential([Dense(3)]), Dense(3)], seed=0)
    with contextlib.suppress(RuntimeError, ValueError):  # refusing is as good
        outer.layers[0].add(Dense(3))
    assert {id(p) for p in outer.parameters} == {id(p) for layer in outer.layers for p in layer.parameters}
    assert is_flat(outer)


def test_a_model_grows_again_once_the_one_around_it_is_gone():
    inner = small()
    outer = Sequential([Input((4,)), inner])
    del outer
    gc.collect()
    inner.add(Dense(6))
    assert inner.output_shape == (6,)
    assert is_flat(inner)


def test_a_model_cannot_be_inside_itself():
    model = Sequential([Dense(3)])
    with pytest.raises(ValueError, match=r"one place of one model only"):
        model.add(model)
    inner = Sequential()
    model.add(inner)
    with pytest.raises((RuntimeError, ValueError), match=r"one place|inside|part"):
        inner.add(model)


# Dtypes and seeds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", np.float64, np.dtype("float16")], ids=str)
def test_all_is_in_the_dtype(dtype):
    model = Sequential(
        [Input((4,)), Dense(3, "tanh", kernel_regularizer="l2"), Dense(2), Softmax()], dtype=dtype, seed=0
    )
    y = model.forward(X)
    dx = model.backward(np.ones_like(y))
    model.add_regularization_gradient()
    arrays = [y, dx, model.forward_logits(X), *(a for p in model.parameters for a in (p.data, p.grad))]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    single = Sequential([Input((4,)), Dense(3, "tanh"), Dense(2)], seed=0)
    np.testing.assert_allclose(model.parameters[0].data, single.parameters[0].data, rtol=1e-3)


@pytest.mark.parametrize("dtype", ["float8", "int32", "bfloat16", int, complex, None, "", object()], ids=shown)
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match=r"Sequential: dtype must be one of 'float32', .*Received: dtype="):
        Sequential(dtype=dtype)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.0, TypeError), (True, TypeError), ("0", TypeError)])
def test_a_seed_is_a_non_negative_integer(seed, error):
    with pytest.raises(error, match=r"Sequential: seed must be a non-negative integer\. Received: seed="):
        Sequential(seed=seed)


DRAW = """
import hashlib, numpy as np
np.random.seed({noise})
from minidl import Sequential, layers
L = layers
model = Sequential([L.Input((4,)), L.Dense(7, "relu", kernel_initializer="he_normal"), L.ReLU(), L.LeakyReLU(),
    L.Dense(9, bias_initializer="random_normal"), L.Dense(3, kernel_initializer="orthogonal")], seed=42)
print([p.name for p in model.parameters], [layer.name for layer in model.layers])
print(hashlib.sha256(model.parameters[0].storage.data.tobytes()).hexdigest())
"""


def test_one_seed_gives_the_same_names_and_bits_in_every_process():
    first = run_python(DRAW.format(noise=1), hash_seed="1")
    assert first == run_python(DRAW.format(noise=2), hash_seed="2")
    names, digest = first.splitlines()
    assert "['dense', 'relu', 'leaky_relu', 'dense_1', 'dense_2']" in names
    assert len(digest) == 64


def test_the_global_random_state_is_neither_read_nor_written():
    before = np.random.get_state()
    np.random.seed(1)
    first = small()
    first.forward(X)
    first.add(Dense(3))
    first.compile("adam", "mse")
    first.fit(X, np.ones((5, 3)), epochs=2, verbose=0)
    kept, untouched = np.random.get_state(), np.random.RandomState(1).get_state()
    np.random.seed(2)
    same = small()
    np.random.set_state(before)
    assert (kept[1].tolist(), kept[2:]) == (untouched[1].tolist(), untouched[2:])
    assert same_arrays(same.state_dict(), small().state_dict())


@given(st.lists(st.integers(1, 6), min_size=4, max_size=4), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_what_a_layer_draws_does_not_depend_on_the_others(sizes, at):
    """Layer `at` keeps its shape and its draw, whatever the sizes before and behind it."""

    def drawn(units, before, extra):
        model = Sequential(seed=3)
        for i, size in enumerate(before):
            model.add(Dense(units if i == at else size, bias_initializer="random_normal"))
            if i + 1 == at:  # an input of 5 for layer `at`
                model.layers[-1].units = 5
        for _ in range(extra):
            model.add(Dense(2))
        model.build((5,))
        return [p.data.copy() for p in model.layers[at].parameters]

    assert same_arrays(drawn(3, sizes, 0), drawn(3, [1, 2, 3, 4], 2))


def test_layers_of_one_shape_and_models_of_two_seeds_differ():
    model = Sequential([Input((4,)), Dense(4), Dense(4)], seed=0)
    assert not np.array_equal(model.parameters[0].data, model.parameters[2].data)
    seen = {tuple(small(seed).parameters[0].data.ravel()) for seed in (0, 1, 2, 2**32, 2**32 + 1, 2**64, 10**30)}
    assert len(seen) == 7


def test_no_two_streams_are_alike_nor_any_that_of_numpys_own_generator():
    """Data drawn from `default_rng(0)` must have nothing to do with the kernel of a model of seed 0."""
    seeds = (0, 1, 5, 2**32 + 5, 2 * 2**32 + 5, 2**64)
    streams = [generator(s, purpose, i) for s in seeds for purpose in PURPOSES for i in (0, 1, 7)]
    streams += [np.random.default_rng(s) for s in seeds]
    assert len({stream.random() for stream in streams}) == len(streams)
    data = np.random.default_rng(0).uniform(-1, 1, (4, 3))
    kernel = Sequential([Input((4,)), Dense(3)], seed=0).parameters[0].data
    assert np.ptp(kernel / data) > 0.1


def test_without_a_seed_a_fresh_one_is_drawn_and_told():
    first, second = small(None), small(None)
    assert first.seed != second.seed
    assert isinstance(first.seed, int)
    assert not np.array_equal(first.parameters[0].data, second.parameters[0].data)
    assert same_arrays(first.state_dict(), small(first.seed).state_dict())


# Weights -----------------------------------------------------------------------------------------------


class _Counting(layers.Layer):
    """A layer with a parameter and a buffer."""

    def build(self, input_shape, rng):
        super().build(input_shape, rng)
        self.scale = self.add_parameter("scale", input_shape, "ones", rng)
        self.buffers["seen"] = np.zeros((), np.int64)

    def forward(self, x, training=False):
        self.x = x
        if training:
            self.buffers["seen"] += len(x)
        return x * self.scale.data

    def backward(self, dy, accumulate=False):
        self.write_gradient(self.scale, (self.remembered("x") * dy).sum(axis=0), accumulate)
        return dy * self.scale.data


def counting(seed=0):
    return Sequential([Input((4,)), Dense(3), _Counting(), Dense(2)], seed=seed)


def test_state_dict_holds_copies_of_parameters_and_buffers():
    model = counting()
    model.forward(X, training=True)
    state = model.state_dict()
    parameters = ["dense/kernel", "dense/bias", "_counting/scale", "dense_1/kernel", "dense_1/bias"]
    assert list(state) == [*parameters, "_counting/seen"]
    assert state["_counting/seen"] == 5
    before = model.state_dict()
    for array in state.values():
        array[...] = 7
    for array in model.get_weights():
        array[...] = 8
    assert same_arrays(model.state_dict(), before)


@pytest.mark.parametrize("make", [small, counting, nested])
def test_loading_copies_and_views_stay(make):
    model, other = make(), make(1)
    for m in (model, other):
        m.forward(X, training=True)
    other.forward(X, training=True)
    views = [p.data for p in model.parameters]
    state = other.state_dict()
    model.load_state_dict(state)
    assert same_arrays(model.state_dict(), other.state_dict())
    assert same_arrays([model.forward(X)], [other.forward(X)])
    assert all(p.data is view for p, view in zip(model.parameters, views, strict=True))
    for array in state.values():
        array[...] = 0
    assert same_arrays(model.state_dict(), other.state_dict())
    third = make(2)
    third.forward(X)
    counters = {name: array for name, array in third.state_dict().items() if array.dtype.kind != "f"}
    third.set_weights(other.get_weights())
    assert same_arrays(third.get_weights(), other.get_weights())
    assert len(third.get_weights()) == len(third.state_dict()) - len(counters)
    assert same_arrays({name: third.state_dict()[name] for name in counters}, counters)  # as Keras has it


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("dense_1/bias"), ValueError, r"missing dense_1/bias \(2,\)$"),
        (lambda s: s.pop("_counting/seen"), ValueError, r"missing _counting/seen \(\)$"),
        (lambda s: s.update(kernel=1), ValueError, r"Received: unknown kernel \(\)$"),
        (lambda s: s.update({"dense_1/bias": [1, 2, 3]}), ValueError, r"other shapes: dense_1/bias \(3,\) for \(2,\)$"),
        (lambda s: s.update({"dense_1/bias": 1.0}), ValueError, r"other shapes: dense_1/bias \(\) for \(2,\)$"),
        (lambda s: s.update({"_counting/seen": [1]}), ValueError, r"other shapes: _counting/seen \(1,\) for \(\)$"),
        (lambda s: s.update({"dense_1/bias": ["a", "b"]}), (TypeError, ValueError), r"dense_1/bias"),
        (lambda s: s.update({"dense_1/bias": [None, None]}), (TypeError, ValueError), r"dense_1/bias"),
        (lambda s: s.update({"dense_1/bias": [1j, 2]}), (TypeError, ValueError), r"dense_1/bias"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(change, error, message):
    model = counting()
    before = model.state_dict()
    state = {name: array + 1 for name, array in model.state_dict().items()}
    change(state)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    assert same_arrays(model.state_dict(), before)


def test_a_state_beyond_the_dtypes_range_is_refused_whole():
    model = small(dtype="float16")
    before = model.state_dict()
    state = {name: array.astype(float) + 1 for name, array in before.items()}
    state["dense_1/bias"] = np.array([1.0, 1e6])
    with pytest.raises((ValueError, RuntimeWarning), match=r"dense_1/bias|overflow"):
        model.load_state_dict(state)
    assert same_arrays(model.state_dict(), before)


def test_weights_that_do_not_fit_are_refused_whole():
    model = small()
    before = model.state_dict()
    new = [w + 1 for w in model.get_weights()]
    with pytest.raises(ValueError, match=r"weights must be 4 arrays\. Received: 3"):
        model.set_weights(new[:3])
    with pytest.raises(ValueError, match=r"other shapes: dense_1/bias \(4,\) for \(2,\)$"):
        model.set_weights([*new[:3], np.ones(4)])
    assert same_arrays(model.state_dict(), before)


def test_weights_of_two_layers_can_be_swapped_by_their_own_views():
    model = Sequential([Input((3,)), Dense(3), Dense(3)], seed=0)
    a, b, c, d = model.get_weights()
    live = [p.data for p in model.parameters]
    model.set_weights([live[2], live[3], live[0], live[1]])
    assert same_arrays(model.get_weights(), [c, d, a, b])


def test_buffers_are_copied_with_the_model():
    model = counting()
    model.forward(X, training=True)
    twin = copy.deepcopy(model)
    twin.forward(X, training=True)
    assert (model.state_dict()["_counting/seen"], twin.state_dict()["_counting/seen"]) == (5, 10)
    outer = Sequential([Input((4,)), copy.deepcopy(model)])
    assert outer.named_buffers()["sequential/_counting/seen"] == 5


def test_freezing_a_layer():
    model = small()
    model.layers[0].trainable = False
    assert [p.trainable for p in model.parameters] == [False, False, True, True]
    lines = []
    model.summary(lines.append)
    assert lines[-1].endswith("of which 15 frozen")
    before = model.state_dict()
    model.compile("sgd", "mse")
    model.fit(X, np.ones((5, 2)), verbose=0)
    changed = {name for name, array in model.state_dict().items() if not np.array_equal(array, before[name])}
    assert changed == {"dense_1/kernel", "dense_1/bias"}
    model.trainable = True
    assert all(p.trainable for p in model.parameters)


# Configs and texts -------------------------------------------------------------------------------------

RICH = [
    lambda: Dense(3, LeakyReLU(0.1), kernel_initializer="he_normal", kernel_regularizer=regularizers.L1L2(0.1, 0.2)),
    lambda: Activation("tanh"),
    lambda: Dense(4, use_bias=False, name="middle"),
    lambda: layers.Linear(2.0),
    lambda: Softmax(axis=1),
    lambda: Dense(2, "sigmoid", bias_initializer="random_normal", bias_regularizer="l2"),
]
CONFIGS = {
    "small": small,
    "rich": lambda: Sequential([Input((4,)), *(make() for make in RICH)], seed=5, dtype="float64", name="rich"),
    "by data": lambda: (m := Sequential([make() for make in RICH], seed=5), m.forward(X))[0],
    "not built": lambda: Sequential([make() for make in RICH], seed=5),
    "fresh seed": lambda: small(None),
    "empty": lambda: Sequential(seed=1),
    "nested": lambda: (m := nested(), m.forward(X))[0],
    "nested, not built": nested,
}


@pytest.mark.parametrize("which", CONFIGS)
def test_a_model_from_its_config_is_equal_and_starts_alike(which):
    model = CONFIGS[which]()
    config = model.get_config()
    kept = copy.deepcopy(config)
    other = Sequential.from_config(config)
    assert config == kept
    assert other.get_config() == kept
    assert repr(other) == repr(model)
    assert (other.built, other.seed, other.dtype, other.name) == (model.built, model.seed, model.dtype, model.name)
    for m in (model, other):
        if m.layers:
            m.forward(X)
    assert same_arrays(other.state_dict(), model.state_dict())
    assert other.regularization() == model.regularization()


def test_repr_tells_layers_and_seed():
    assert repr(Sequential([Dense(2, "relu"), Softmax()], seed=3)) == (
        "Sequential([Dense(units=2, activation=ReLU(), name='dense'), Softmax(name='softmax')], seed=3)"
    )


def test_the_summary(capsys):
    model = Sequential([Input((4, 4)), Flatten(), Dense(100, "relu"), Sequential([Dense(9)]), Softmax()])
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "(batch" in line] == [
        ["flatten", "(Flatten)", "(batch,", "16)", "0"],
        ["dense", "(Dense)", "(batch,", "100)", "1,700"],
        ["sequential", "(Sequential)", "(batch,", "9)", "909"],
        ["softmax", "(Softmax)", "(batch,", "9)", "0"],
    ]
    assert lines[0].split() == ["Layer", "Output", "shape", "Parameters"]
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[-1] == "2,609 parameters (0.01 MB, float32), of which 0 frozen"
    printed = []
    model.summary(print_fn=printed.append)
    assert printed == lines
    model.compile("sgd", "mse")
    model.summary(print_fn=printed.append)
    assert printed[-1] == "SGD(learning_rate=0.01)"
    model.fit(np.ones((2, 4, 4)), np.ones((2, 9)), verbose=0)
    model.summary(print_fn=printed.append)
    assert printed[-1] == "SGD(learning_rate=0.01), its last step replayed"


def test_regularization_of_a_model_is_the_sum_of_its_layers():
    model = Sequential(
        [Dense(3, kernel_regularizer="l2"), Sequential([Dense(2, bias_regularizer=regularizers.L1(1))])],
        dtype="float64",
        seed=0,
    )
    assert model.regularization() == 0
    model.build((4,))
    kernel, bias = model.parameters[0], model.parameters[3]
    bias.data = [1, -2]
    assert model.regularization() == pytest.approx(0.01 * (kernel.data**2).sum() + 3, rel=1e-14)
    for parameter in model.parameters:
        parameter.grad = np.ones(parameter.shape)
    model.add_regularization_gradient()
    np.testing.assert_allclose(kernel.grad, 1 + 0.02 * kernel.data, rtol=1e-14)
    assert bias.grad.tolist() == [2, 0]
    assert (model.parameters[1].grad == 1).all()


# Training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["fit", "evaluate"])
def test_training_before_compile_is_refused(what):
    model = small()
    before = model.state_dict()
    with pytest.raises(RuntimeError, match=rf"Sequential: must be compiled before {what}: compile\(optimizer, loss\)"):
        getattr(model, what)(X, np.ones((5, 2)))
    assert same_arrays(model.state_dict(), before)


def test_the_keras_door():
    model = small(dtype="float64")
    before = model.state_dict()
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    assert same_arrays(model.state_dict(), before)
    y = np.ones((5, 2))
    loss, mae = model.evaluate(X, y)
    difference = model.predict(X) - y
    assert loss == pytest.approx((difference**2).mean(), rel=1e-12)
    assert mae == pytest.approx(np.abs(difference).mean(), rel=1e-12)
    assert model.evaluate(X, y, return_dict=True) == {"loss": loss, "mae": mae}
    history = model.fit(X, y, epochs=3, verbose=0)
    assert history.history["loss"][0] == pytest.approx(loss, rel=1e-12)
    assert model.evaluate(X, y)[0] < history.history["loss"][-1] < loss


def test_a_nested_model_computes_what_the_flat_one_does():
    deep, flat = nested(dtype="float64"), Sequential(
        [Dense(3), Dense(4, "tanh"), Dense(2), Dense(3)], dtype="float64", seed=0
    )  # fmt: skip
    deep.build((4,))
    flat.build((4,))
    flat.set_weights(deep.get_weights())
    y = deep.forward(X)
    np.testing.assert_array_equal(y, flat.forward(X))
    np.testing.assert_array_equal(deep.backward(y), flat.backward(y))
    for a, b in zip(deep.parameters, flat.parameters, strict=True):
        np.testing.assert_array_equal(a.grad, b.grad)
    deep.backward_part(y, accumulate=True, input_gradient=False)
    for a, b in zip(deep.parameters, flat.parameters, strict=True):
        np.testing.assert_allclose(a.grad, 2 * b.grad, rtol=1e-14)


def test_inner_models_do_not_lose_input_gradients_that_others_need():
    """Without its own input's gradient, a model still needs that of every layer behind the first with parameters."""
    inner = [Flatten(), Tanh(), Sequential([Tanh(), Dense(3)]), Sequential([Tanh()]), Dense(2)]
    model = Sequential(inner, dtype="float64", seed=0)
    x = X.reshape(5, 2, 2)
    dy = model.forward(x)
    model.backward(dy)
    expected = [p.grad.copy() for p in model.parameters]
    for parameter in model.parameters:
        parameter.grad = np.full(parameter.shape, np.nan)
    model.backward_part(dy, input_gradient=False)
    assert same_arrays([p.grad for p in model.parameters], expected)


def test_a_shallow_copy_is_refused():
    with pytest.raises(TypeError, match=r"Sequential: a shallow copy would share its parameters; use copy.deepcopy"):
        copy.copy(small())


def test_the_layers_are_changed_by_add_alone():
    model = small()
    with pytest.raises(AttributeError):
        model.layers.pop()
    with pytest.raises(AttributeError):
        model.layers = []


def test_a_copy_of_a_layer_gets_a_free_name_unless_it_was_named_by_hand():
    other = Sequential([Input((4,)), Dense(4), Dense(4, name="mine")])
    other.add(copy.deepcopy(other.layers[0]))
    assert [layer.name for layer in other.layers] == ["dense", "mine", "dense_1"]
    with pytest.raises(ValueError, match=r"different names. Received: 'mine' again"):
        other.add(copy.deepcopy(other.layers[1]))


def test_a_multiplier_can_be_set_for_a_whole_layer():
    model = small()
    model.layers[0].learning_rate_multiplier = 0.25
    assert [p.learning_rate_multiplier for p in model.parameters][:2] == [0.25, 0.25]
    assert model.layers[0].learning_rate_multiplier == 0.25
    with pytest.raises(ValueError, match=r"different multipliers"):
        _ = model.learning_rate_multiplier
    with pytest.raises(RuntimeError, match=r"must be built before it gets a multiplier"):
        Dense(3).learning_rate_multiplier = 2.0


def test_softmax_over_one_output_is_refused():
    with pytest.raises(ValueError, match=r"softmax over one entry is always 1; for one output use sigmoid"):
        Sequential([Input((4,)), Dense(1, "softmax")])


def test_what_a_layer_remembers_is_not_copied_with_it():
    model = Sequential([Input((4,)), Dense(3, "relu")], seed=0)
    small_size = len(pickle.dumps(model))
    model.forward(np.ones((10_000, 4)))
    assert len(pickle.dumps(model)) == small_size
    with pytest.raises(RuntimeError, match=r"backward needs a forward before it"):
        copy.deepcopy(model).backward(np.ones((10_000, 3)))


@pytest.mark.parametrize("name", ["fit", "evaluate", "predict"])
def test_a_model_takes_the_arguments_of_its_trainer(name):
    own, trainers = (dict(inspect.signature(getattr(cls, name)).parameters) for cls in (Sequential, Trainer))
    if name == "evaluate":
        del own["return_dict"]
    assert {n: (p.kind, p.default) for n, p in own.items()} == {n: (p.kind, p.default) for n, p in trainers.items()}


def test_each_argument_of_fit_reaches_the_trainer():
    class Told(Trainer):
        def fit(self, x, y=None, **options):
            return x, y, options

    model = Sequential([layers.Dense(1)], seed=0)
    model.trainer = Told(model, "sgd", "mse")
    arguments = {name: object() for name in list(inspect.signature(Trainer.fit).parameters)[1:]}
    x, y, options = model.fit(**arguments)
    assert {"x": x, "y": y, **options} == arguments
