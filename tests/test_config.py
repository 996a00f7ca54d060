"""Configs, reprs, registries, hints and the checks of arguments."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subjects import RULES, exported, shown

from minidl import Sequential, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from minidl.config import Checked, Configurable, Registry, describe_object
from minidl.optimizers import hooks
from minidl.validation import Interval, choice, describe, integer, nearest, number

FAMILIES = {
    "layers": (layers, layers.registry, layers.Layer),
    "losses": (losses, losses.registry, losses.Loss),
    "metrics": (metrics, metrics.registry, metrics.Metric),
    "initializers": (initializers, initializers.registry, initializers.Initializer),
    "regularizers": (regularizers, regularizers.registry, regularizers.Regularizer),
    "schedules": (schedules, schedules.registry, schedules.Schedule),
    "optimizers": (optimizers, optimizers.registry, optimizers.Optimizer),
    "hooks": (hooks, hooks.registry, hooks.Hook),
}
# Arguments other than the defaults, and what the repr shows then; of every other class the plain repr is `Name()`. That
# of an optimizer always shows all.
OTHERS = {
    layers.Activation: ({"activation": "relu"}, "Activation(activation=ReLU())"),
    layers.Dense: (
        {"units": 3, "activation": "tanh", "use_bias": False, "kernel_regularizer": "l2", "name": "out"},
        "Dense(units=3, activation=Tanh(), use_bias=False, kernel_regularizer=L2(), name='out')",
    ),
    layers.AveragePooling2D: (
        {"pool_size": 3, "padding": "same"},
        "AveragePooling2D(pool_size=(3, 3), padding='same')",
    ),
    layers.BatchNormalization: ({"momentum": 0.5, "scale": False}, "BatchNormalization(momentum=0.5, scale=False)"),
    layers.Bidirectional: (
        {"layer": {"class": "GRU", "units": 2}, "merge_mode": "sum"},
        "Bidirectional(layer=GRU(units=2), merge_mode='sum')",
    ),
    layers.Conv2D: (
        {"filters": 4, "kernel_size": 3, "strides": [2, 1], "groups": 2},
        "Conv2D(filters=4, kernel_size=(3, 3), strides=(2, 1), groups=2)",
    ),
    layers.Dropout: ({"rate": 0.25, "seed": 3}, "Dropout(rate=0.25, seed=3)"),
    layers.ELU: ({"alpha": 0.5}, "ELU(alpha=0.5)"),
    layers.Embedding: ({"input_dim": 9, "output_dim": 2}, "Embedding(input_dim=9, output_dim=2)"),
    layers.GELU: ({"approximate": True}, "GELU(approximate=True)"),
    layers.GlobalAveragePooling2D: ({"keepdims": True}, "GlobalAveragePooling2D(keepdims=True)"),
    layers.GlobalMaxPooling2D: ({"keepdims": True}, "GlobalMaxPooling2D(keepdims=True)"),
    layers.GRU: ({"units": 2, "reset_after": False}, "GRU(units=2, reset_after=False)"),
    layers.Input: ({"shape": [4, 2]}, "Input(shape=(4, 2))"),
    layers.LayerNormalization: ({"axis": 1, "center": False}, "LayerNormalization(axis=1, center=False)"),
    layers.LSTM: (
        {"units": 2, "activation": "elu", "unit_forget_bias": False},
        "LSTM(units=2, activation=ELU(), unit_forget_bias=False)",
    ),
    layers.MaxPooling2D: ({"pool_size": (2, 3), "strides": 1}, "MaxPooling2D(pool_size=(2, 3), strides=(1, 1))"),
    layers.PReLU: ({"shared_axes": [1], "name": "p"}, "PReLU(shared_axes=(1,), name='p')"),
    layers.Rescaling: ({"scale": 0.5, "offset": 1}, "Rescaling(scale=0.5, offset=1.0)"),
    layers.Reshape: ({"target_shape": [2, -1]}, "Reshape(target_shape=(2, -1))"),
    layers.SimpleRNN: ({"units": 2, "go_backwards": True}, "SimpleRNN(units=2, go_backwards=True)"),
    layers.ZeroPadding2D: ({"padding": (1, 2)}, "ZeroPadding2D(padding=((1, 1), (2, 2)))"),
    layers.LeakyReLU: ({"negative_slope": 0.1}, "LeakyReLU(negative_slope=0.1)"),
    layers.Linear: ({"a": 2}, "Linear(a=2.0)"),
    layers.Softmax: ({"axis": 1, "name": "p"}, "Softmax(axis=1, name='p')"),
    losses.BinaryCrossentropy: (
        {"from_logits": True, "label_smoothing": 0.1},
        "BinaryCrossentropy(from_logits=True, label_smoothing=0.1)",
    ),
    losses.CategoricalCrossentropy: ({"from_logits": True}, "CategoricalCrossentropy(from_logits=True)"),
    losses.CosineSimilarity: ({"axis": 1}, "CosineSimilarity(axis=1)"),
    losses.Huber: ({"delta": 2}, "Huber(delta=2.0)"),
    losses.SparseCategoricalCrossentropy: (
        {"label_smoothing": 1},
        "SparseCategoricalCrossentropy(label_smoothing=1.0)",
    ),
    metrics.BinaryAccuracy: ({"threshold": 0.25, "name": "b"}, "BinaryAccuracy(threshold=0.25, name='b')"),
    metrics.TopKAccuracy: ({"k": 3, "name": "top3"}, "TopKAccuracy(k=3, name='top3')"),
    metrics.Precision: ({"average": "micro"}, "Precision(average='micro')"),
    metrics.Recall: ({"average": "micro"}, "Recall(average='micro')"),
    metrics.F1: ({"average": "micro"}, "F1(average='micro')"),
    initializers.Constant: ({"value": 2}, "Constant(value=2.0)"),
    initializers.RandomNormal: ({"stddev": 0.5}, "RandomNormal(stddev=0.5)"),
    initializers.RandomUniform: ({"minval": -1, "maxval": 1}, "RandomUniform(minval=-1.0, maxval=1.0)"),
    initializers.Orthogonal: ({"gain": 2}, "Orthogonal(gain=2.0)"),
    regularizers.L1: ({"l1": 0.5}, "L1(l1=0.5)"),
    regularizers.L2: ({"l2": 0.5}, "L2(l2=0.5)"),
    regularizers.L1L2: ({"l1": 0.5, "l2": 0.25}, "L1L2(l1=0.5, l2=0.25)"),
    schedules.CorrectedEpsilon: ({"epsilon": 0.5, "beta_2": 0.25}, "CorrectedEpsilon(epsilon=0.5, beta_2=0.25)"),
    schedules.CosineDecay: (
        {"initial": 0.5, "decay_steps": 9, "every": "epoch"},
        "CosineDecay(initial=0.5, decay_steps=9, every='epoch')",
    ),
    schedules.CosineRestarts: (
        {"initial": 0.5, "first_decay_steps": 9, "m_mul": 0.25},
        "CosineRestarts(initial=0.5, first_decay_steps=9, m_mul=0.25)",
    ),
    schedules.ExponentialDecay: (
        {"initial": 0.5, "decay_rate": 0.25, "staircase": True},
        "ExponentialDecay(initial=0.5, decay_rate=0.25, staircase=True)",
    ),
    schedules.InverseTimeDecay: (
        {"initial": 0.5, "decay_rate": 0.25, "decay_steps": 9},
        "InverseTimeDecay(initial=0.5, decay_rate=0.25, decay_steps=9)",
    ),
    schedules.PiecewiseConstant: (
        {"values": [0.5, 0.25], "boundaries": [9]},
        "PiecewiseConstant(values=[0.5, 0.25], boundaries=[9])",
    ),
    schedules.PolynomialDecay: (
        {"initial": 0.5, "decay_steps": 9, "power": 2},
        "PolynomialDecay(initial=0.5, decay_steps=9, power=2.0)",
    ),
    schedules.StepDecay: ({"initial": 0.5, "step_size": 9}, "StepDecay(initial=0.5, step_size=9)"),
    schedules.Warmup: (
        {"after": {"class": "CosineDecay", "initial": 0.5, "decay_steps": 9}, "warmup_steps": 3},
        "Warmup(after=CosineDecay(initial=0.5, decay_steps=9), warmup_steps=3, every='step')",
    ),
    hooks.ClipByGlobalNorm: ({"max_norm": 2}, "ClipByGlobalNorm(max_norm=2.0)"),
    hooks.ClipByNorm: ({"max_norm": 2}, "ClipByNorm(max_norm=2.0)"),
    hooks.ClipByValue: ({"limit": 2}, "ClipByValue(limit=2.0)"),
    hooks.L2: ({"decay": 0.5}, "L2(decay=0.5)"),
    hooks.WeightDecay: ({"decay": 0.5}, "WeightDecay(decay=0.5)"),
    optimizers.SGD: (
        {"learning_rate": {"class": "StepDecay", "initial": 0.5, "step_size": 9}},
        "SGD(learning_rate=StepDecay(initial=0.5, step_size=9))",
    ),
}
for _rule in RULES:
    OTHERS.setdefault(_rule, ({"learning_rate": 0.5}, repr(_rule()).replace(f"={_rule().learning_rate}", "=0.5", 1)))


def public():
    """Return every exported class that can be made, with its family's registry."""
    return [
        (getattr(module, name), registry)
        for module, registry, base in FAMILIES.values()
        for name in sorted(exported(module, base, "MeanMetric", "Elementwise"))
    ]


each_class = pytest.mark.parametrize(
    ("cls", "registry"), [pytest.param(c, r, id=f"{r.kind} {c.__name__}") for c, r in public()]
)


def needs_arguments(cls):
    return any(p.default is p.empty for p in cls._arguments().values())


# Configs and reprs -------------------------------------------------------------------------------------


def test_every_class_has_cases():
    taking = {c for c, _ in public() if len(c._arguments()) > ("name" in c._arguments())}
    assert taking == set(OTHERS), "a class that takes arguments wants a row in OTHERS"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_registered_is_exported_and_so_checked(family):
    module, registry, _ = FAMILIES[family]
    outside = {"Residual", "Sequential"}  # models export them
    own = {cls for cls in registry.classes() if cls.__module__.startswith(f"{module.__name__}")}
    assert {cls.__name__ for cls in own} - set(module.__all__) - outside == set(), "put it into __all__"


@each_class
def test_the_config_makes_an_equal_object(cls, registry):
    variants = [cls(**OTHERS[cls][0])] if cls in OTHERS else []
    variants += [] if needs_arguments(cls) else [cls()]
    for instance in variants:
        config = instance.get_config()
        assert all(not isinstance(value, Configurable) for value in config.values())
        other = cls.from_config(config)
        assert type(other) is cls
        assert other.get_config() == config == instance.get_config()
        assert repr(other) == repr(instance)
        assert repr(registry.get({"class": cls.__name__, **config})) == repr(instance)


@each_class
def test_repr_shows_what_differs_from_the_defaults(cls, registry):
    if cls in OTHERS:
        arguments, expected = OTHERS[cls]
        assert repr(cls(**arguments)) == expected
    if not needs_arguments(cls):
        assert registry is optimizers.registry or repr(cls()) == f"{cls.__name__}()"
        assert type(registry.get(cls)) is cls


@each_class
def test_an_unknown_argument_is_refused_by_the_class_with_what_was_received(cls, registry):
    with pytest.raises(TypeError, match=rf"^{cls.__name__}: .*Received: .*nonsense=7"):
        cls(nonsense=7)
    with pytest.raises(TypeError, match=rf"^{cls.__name__}: .*Received: 1, 2, 3, 4, 5, 6, 7, 8, 9, "):
        cls(*range(1, 20))


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: layers.Dense(3, activaton="relu"), "activation"),
        (lambda: layers.Dense(unit=3), "units"),
        (lambda: losses.BinaryCrossentropy(from_logit=True), "from_logits"),
        (lambda: metrics.BinaryAccuracy(treshold=0.5), "threshold"),
        (lambda: initializers.RandomNormal(std=1), "stddev"),
        (lambda: Sequential(dtyp="float64"), "dtype"),
        (lambda: layers.Dense.from_config({"units": 3, "nam": "a"}), "name"),
    ],
)
def test_an_unknown_argument_gets_the_nearest_known(call, hint):
    with pytest.raises(TypeError, match=rf"Received: .*\. Did you mean '{hint}'\?$"):
        call()


def test_help_shows_the_constructors_arguments():
    for cls in (layers.Dense, losses.BinaryCrossentropy, initializers.RandomNormal, Sequential):
        assert list(inspect.signature(cls).parameters) == list(inspect.signature(cls.__init__).parameters)[1:]


def test_arguments_unlike_any_known_get_all_of_them():
    with pytest.raises(TypeError, match=r"Received: 3, zzz=1\. Known: activation, activity_.*, units, use_bias"):
        layers.Dense(3, zzz=1)


def test_a_users_class_gets_config_repr_and_hints_for_nothing():
    class Mine(Configurable):
        def __init__(self, width, rate=1.0, parts=(), *, mode="same", **more):
            self.width, self.rate, self.parts, self.mode = width, rate, parts, mode

        def _constructed(self):
            self.complete = (self.width, self.rate)

    mine = Mine(3, parts=[losses.MeanSquaredError(), (1,)], mode="other")
    assert mine.complete == (3, 1.0)
    assert repr(mine) == "Mine(width=3, parts=[MeanSquaredError(), (1,)], mode='other')"
    assert mine.get_config() == {
        "width": 3,
        "rate": 1.0,
        "parts": [{"class": "MeanSquaredError"}, (1,)],
        "mode": "other",
    }
    assert repr(Mine(3, 1)) == "Mine(width=3, rate=1)"
    with pytest.raises(TypeError, match=r"Mine: missing a required argument: 'width'\. Received: rate=1$"):
        Mine(rate=1)


@pytest.mark.parametrize("wrong", [5, "units", [("units", 3)], {5: 3}, None], ids=repr)
def test_what_is_no_config(wrong):
    for cls in (layers.Dense, losses.MeanSquaredError, schedules.CosineDecay, optimizers.ClipByValue, Sequential):
        with pytest.raises(TypeError) as caught:
            cls.from_config(wrong)
        assert str(caught.value) == f"{cls.__name__}: the config must be a dict. Received: {wrong!r}"


def test_checked_leaves_the_constructors_own_errors_alone():
    class Strict(metaclass=Checked):
        def __init__(self, value):
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        Strict(1)


# Registries --------------------------------------------------------------------------------------------


@each_class
def test_a_class_is_known_by_its_name_in_any_case(cls, registry):
    if not needs_arguments(cls):
        for name in (cls.__name__, cls.__name__.lower(), cls.__name__.upper()):
            assert type(registry.get(name)) is cls
    arguments = OTHERS.get(cls, ({}, ""))[0]
    instance = cls(**arguments)
    assert registry.get(instance) is instance


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_registry_does_not_know(family):
    _, registry, base = FAMILIES[family]
    some = registry.names()[0]
    with pytest.raises(ValueError, match=rf"unknown {registry.kind}\. Received: '{some}_'\. Did you mean '{some}'\?"):
        registry.get(f"{some}_")
    with pytest.raises(ValueError, match=rf"unknown {registry.kind}\. Received: '@@@@'\. Known: .*{some}.*\.$"):
        registry.get("@@@@")
    with pytest.raises(ValueError, match=rf"unknown {registry.kind}"):
        registry.get({"class": "Nonsense"})
    for wrong in (3, None, object, {"units": 3}, {"class": 3}, [some], np.zeros(2)):
        with pytest.raises(TypeError, match=rf"{registry.kind} must be a name or an instance of {base.__name__}\. Rec"):
            registry.get(wrong)


def test_a_registry_of_ones_own():
    class Base(Configurable):
        pass

    registry = Registry("thing", Base)
    with pytest.raises(ValueError, match=r"^Registry: each kind must have one\. Received: kind='thing' again$"):
        Registry("thing", Base)
    with pytest.raises(TypeError, match=r"^registry of things: needs a subclass of Base\. Received: <class 'int'>$"):
        registry.register()(int)
    with pytest.raises(ValueError, match=r"unknown thing\. Received: 'a'\. Known: none\."):
        registry.get("a")

    @registry.register("Short", "s")
    class LongName(Base):
        def __init__(self, size=1):
            self.size = size

    with pytest.raises(ValueError, match=r"^Owner: unknown thing\. Received: 'shirt'\. Did you mean 'short'\?$"):
        registry.get("shirt", "Owner")
    with pytest.raises(ValueError, match=r"^Owner: unknown thing\. Received: 'shirt'"):
        registry.get({"class": "shirt"}, "Owner")
    with pytest.raises(TypeError, match=r"^Owner: thing must be a name or an instance of Base\. Received: 3$"):
        registry.get(3, "Owner")
    assert registry.names() == ["longname", "s", "short"]
    assert registry.get("SHORT").size == 1
    assert registry.get({"class": "LongName", "size": 4}).size == 4
    with pytest.raises(TypeError, match=r"LongName: .*Did you mean 'size'"):
        registry.get({"class": "s", "siz": 4})


def test_what_is_described_under_another_name_is_found_by_it():
    class Base(Configurable):
        level = 0
        described_settings = ("level",)

    registry = Registry("described thing", Base)

    @registry.register()
    class Inner(Base):
        described_as = "some.Inner"

    class Derived(Inner):
        pass

    inner = Inner()
    assert describe_object(inner) == {"class": "some.Inner"}
    inner.level = 2  # beside the arguments, and told only where it isn't the class's own
    assert describe_object(inner) == {"class": "some.Inner", "level": 2}
    back = registry.get(describe_object(inner))
    assert (type(back), back.level) == (Inner, 2)
    assert describe_object(Derived()) == {"class": "Derived"}
    assert registry.names() == ["some.inner"]


# Validation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.0, -0.0, 0.5, 1 - 2**-53], [1, -(2**-1074), 1.5, math.nan]),
        ("(0, 1]", [2**-1074, 1, 1.0], [0, -0.0, 1 + 2**-52]),
        ("(-1,1)", [0], [-1, 1]),
        ("[2, 2]", [2], [1.999, 2.001]),
        ("(-inf, inf)", [0, 1e308, -1e308], [math.inf, -math.inf, math.nan]),
        ("[0, inf]", [0, math.inf], [-1, math.nan]),
    ],
)
def test_an_interval_holds_its_ends_as_written(text, inside, outside):
    interval = Interval.parse(text)
    assert interval.text == text
    assert all(value in interval for value in inside)
    assert not any(value in interval for value in outside)
    assert "0" not in interval
    assert None not in interval


@given(st.floats(-100, 100), st.floats(-100, 100), st.sampled_from("[("), st.sampled_from("])"), st.floats(-100, 100))
def test_an_interval_is_what_it_reads(low, high, left, right, value):
    interval = Interval.parse(f"{left}{low!r}, {high!r}{right}")
    assert (interval.low, interval.high) == (low, high)
    assert (value in interval) == ((low < value < high) or (value == low < high and left == "[")
                                   or (value == high > low and right == "]")
                                   or (value == low == high and left + right == "[]"))  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "0, 1", "[0; 1]", "[0 1]", "{0, 1}", "[0, 1", "0, 1]", "[]", "[a, b]", "[0, 1, 2]"]
)
def test_what_is_no_interval_is_refused_as_such(text):
    with pytest.raises(ValueError, match=r'Interval: must be written like "\[0, 1\)"\. Received: '):
        Interval.parse(text)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.float16(3), np.int8(3), np.array(3), np.array(3.0)])
def test_number_gives_a_python_float(value):
    result = number("Thing", "size", value, "[3, 4)")
    assert type(result) is float
    assert result == 3


@pytest.mark.parametrize(
    ("value", "interval", "error", "message"),
    [
        (-1, "[0, 1)", ValueError, r"must be in \[0, 1\)\. Received: size=-1\.0"),
        (1, "[0, 1)", ValueError, r"must be in \[0, 1\)\. Received: size=1\.0"),
        (math.nan, "[0, 1)", ValueError, r"must be in \[0, 1\)\. Received: size=nan"),
        (math.nan, "(-inf, inf)", ValueError, r"must be finite\. Received: size=nan"),
        (-math.inf, "(-inf, inf)", ValueError, r"must be finite\. Received: size=-inf"),
        (10**400, "(-inf, inf)", ValueError, r"must be finite\. Received: size="),
        (True, "[0, 1]", TypeError, r"must be a number\. Received: size=True"),
        (np.True_, "[0, 1]", TypeError, r"must be a number\. Received: size=np\.True_"),
        ("1", "[0, 1]", TypeError, r"must be a number\. Received: size='1'"),
        (b"1", "[0, 1]", TypeError, r"must be a number\. Received: size=b'1'"),
        (None, "[0, 1]", TypeError, r"must be a number\. Received: size=None"),
        (1j, "[0, 1]", TypeError, r"must be a number\. Received: size=1j"),
        ([1], "[0, 1]", TypeError, r"must be a number\. Received: size=\[1\]"),
        ([[1], [1, 2]], "[0, 1]", TypeError, r"must be a number\. Received: size=\[\[1\], \[1, 2\]\]"),
        (np.ones((2, 3)), "[0, 1]", TypeError, r"must be a number\. Received: size=float64 array of shape \(2, 3\)"),
        (number, "[0, 1]", TypeError, r"must be a number\. Received: size=<function number"),
    ],
    ids=lambda v: shown(v)[:30],
)
def test_number_refuses(value, interval, error, message):
    with pytest.raises(error, match=f"^Thing: size {message}"):
        number("Thing", "size", value, interval)


@pytest.mark.parametrize(
    ("value", "low", "error", "rule"),
    [
        (-1, 0, ValueError, "a non-negative integer"),
        (0, 1, ValueError, "a positive integer"),
        (1, 2, ValueError, "an integer of at least 2"),
        (1.0, 0, TypeError, "a non-negative integer"),
        (np.float64(1), 0, TypeError, "a non-negative integer"),
        (True, 0, TypeError, "a non-negative integer"),
        (np.True_, 0, TypeError, "a non-negative integer"),
        ("1", 1, TypeError, "a positive integer"),
        (None, 1, TypeError, "a positive integer"),
        (np.array([1]), 1, TypeError, "a positive integer"),
    ],
)
def test_integer_refuses(value, low, error, rule):
    with pytest.raises(error, match=rf"^Thing: size must be {rule}\. Received: size="):
        integer("Thing", "size", value, low)


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2), 10**30])
def test_integer_gives_a_python_int(value):
    result = integer("Thing", "size", value, 2)
    assert type(result) is int
    assert result == value


def test_choice():
    assert choice("Thing", "mode", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match=r"^Thing: mode must be one of 'a', 'b'\. Received: mode='c'$"):
        choice("Thing", "mode", "c", ("a", "b"))


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("adm", ["sgd", "adam"], "Did you mean 'adam'?"),
        ("ADAM", ["sgd", "adam"], "Did you mean 'adam'?"),
        ("lr", ["learning_rate", "l1"], "Did you mean 'learning_rate'?"),
        ("lr", ["b", "a"], "Known: a, b."),
        ("eps", ["epsilon", "steps"], "Did you mean 'epsilon'?"),
        ("xyz", [], "Known: none."),
        ("xyz", iter(["b", "a"]), "Known: a, b."),
    ],
)
def test_nearest(name, known, hint):
    assert nearest(name, known) == hint


def test_describe_is_short():
    assert describe(np.zeros((2, 0), np.int8)) == "int8 array of shape (2, 0)"
    assert describe([1, "a"]) == "[1, 'a']"
    assert describe("x" * 118) == repr("x" * 118)
    assert len(describe(list(range(10_000)))) == 120
    assert describe(list(range(10_000))).endswith("...")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: optimizers.SGD(momentum=0.9), "See the classes Momentum, Nesterov and RMSpropMomentum"),
        (
            lambda: optimizers.Adam(weight_decay=0.1),
            r"Put the hook WeightDecay \(or L2\) into the optimizer's hooks, or take AdamW\.$",
        ),
        (lambda: optimizers.Adam(clipnorm=1.0), "Put the hook ClipByGlobalNorm"),
        (lambda: schedules.CosineDecay(0.1, 50), "By keyword only: decay_steps, final, every"),
        (lambda: regularizers.L2(0.1, 0.2), r"Received: 0\.1, 0\.2\. Known: l2\.$"),
        (lambda: metrics.MeanSquaredError("a", "b"), r"Received: 'a', 'b'\. (Known: name\.|By keyword only: name)$"),
        (lambda: losses.MeanSquaredError(1), r"Received: 1\. Known: none\.$"),
    ],
)
def test_habits_from_elsewhere_are_shown_the_way(make, says):
    with pytest.raises(TypeError, match=says):
        make()


def test_a_setting_that_a_class_takes_as_an_argument_is_one():
    class Own(losses.MeanSquaredError):
        def __init__(self, mean_over):
            self.mean_over = mean_over

    config = Own("samples").get_config()
    assert config == {"mean_over": "samples"}
    assert Own.from_config(config).mean_over == "samples"


@each_class
def test_every_class_shows_an_example(cls, registry):
    if registry is not layers.registry:  # of which many are like their neighbours
        assert ">>>" in inspect.getdoc(cls)
