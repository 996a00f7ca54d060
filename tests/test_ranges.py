"""What an argument may be is declared, and held to, in the constructor and at each assignment."""

import importlib
import inspect
import math
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.callbacks import Callback
from minidl.config import Ranged, Registry
from minidl.initializers import Ones
from minidl.layers import Dense, Layer, Tanh
from minidl.optimizers import Optimizer
from minidl.regularizers import L2
from minidl.validation import Interval, within

# What constructors ask for, by the names of arguments.
NEEDED = {
    "activation": "relu", "after": 0.1, "boundaries": [1], "decay": 0.1, "decay_rate": 0.5, "decay_steps": 2,
    "epsilon": 1e-7, "filters": 4, "first_decay_steps": 2, "folder": "no folder", "initial": 0.1,
    "input_dim": 3, "kernel_size": 2, "layer": minidl.layers.LSTM(2), "limit": 1.0, "log": print, "max_norm": 1.0,
    "output_dim": 2, "path": "no file", "rate": 0.5, "scale": 2.0, "shape": (3,), "step_size": 2, "target_shape": (3,),
    "data": [1.0, 2.0], "units": 3, "values": [0.1, 0.2], "warmup_steps": 2,
}  # fmt: skip

# Arguments of numbers and flags that no text can tell the range of, and where they are looked at.
ELSEWHERE = {
    ("ModelCheckpoint", "initial_value_threshold"),  # where `best` starts
}


def public(base):
    """Return the classes of `base` that minidl exports; Keras's face, which says it in Keras's words, is left out."""
    names = [m.name for m in pkgutil.walk_packages(minidl.__path__, "minidl.") if "__main__" not in m.name]
    found = {}
    for name in names:
        if not name.startswith("minidl.keras"):
            module = importlib.import_module(name)
            for word in module.__all__:
                value = getattr(module, word)
                if isinstance(value, type) and issubclass(value, base):
                    found[f"{value.__module__.split('.')[1]}.{word}"] = value
    return found


ABSTRACT = {"Affine", "Best", "MeanMetric", "Metric", "Monitor", "Recurrent"}  # what has their ranges is there
CLASSES = {
    name: cls
    for name, cls in public(Ranged).items()
    if not issubclass(cls, Optimizer) and cls.__name__ not in ABSTRACT  # check_optimizer tries those of optimizers
}
DECLARED = [(name, argument) for name, cls in sorted(CLASSES.items()) for argument in cls.ranges]


def arguments(cls):
    return dict(inspect.signature(cls).parameters)


def made(cls, **given):
    without = [n for n, a in arguments(cls).items() if a.default is a.empty and n not in NEEDED]
    assert not without, f"give {', '.join(without)} a value in NEEDED"
    needed = {name: NEEDED[name] for name, argument in arguments(cls).items() if argument.default is argument.empty}
    return cls(**needed | given)


def wrong(allowed):
    """Return values that a range refuses."""
    kind = allowed.removesuffix(" | None")
    never = [[], "no such word", object()] + [None] * (kind == allowed)
    if kind in Registry.known:
        return [*never, 5, Dense(1)]
    if kind == "bool":
        return [*never, 1, 0.0]
    if kind.startswith("'"):
        return [*never, 1]
    integers, interval = kind.startswith("int "), Interval.parse(kind.removeprefix("int "))
    outside = [value for value in (interval.low, interval.high) if value not in interval]
    below = [] if interval.low == -math.inf else [int(interval.low) - 1]
    return [*never, True, *([0.5, 2.5] if integers else [math.nan, *outside]), *below]


def right(allowed):
    """Return values that it takes as they are."""
    kind = allowed.removesuffix(" | None")
    if kind in Registry.known:
        return [{"initializer": Ones(), "regularizer": L2()}.get(kind) or Tanh()]
    if kind == "bool":
        return [True, False]
    if kind.startswith("'"):
        return kind[1:-1].split("' | '")
    interval = Interval.parse(kind.removeprefix("int "))
    candidates = [interval.low, interval.low + 1, interval.low + 0.5, 1.0]
    if kind.startswith("int "):
        return [int(value) for value in candidates if value in interval and value == int(value)]
    return [value for value in candidates if value in interval and math.isfinite(value)]


WORDS = r"^[\w ']+: ({0} must|unknown \w+).*\. Received: {0}="


def test_there_are_ranges():
    assert len(CLASSES) > 60
    assert len(DECLARED) > 80


@pytest.mark.parametrize(("name", "argument"), DECLARED)
def test_what_is_out_of_range_is_refused_and_changes_nothing(name, argument):
    cls = CLASSES[name]
    subject = made(cls)
    before = getattr(subject, argument)
    for value in wrong(cls.ranges[argument]):
        with pytest.raises((TypeError, ValueError), match=WORDS.format(argument)):
            setattr(subject, argument, value)
        assert getattr(subject, argument) is before
        if argument in arguments(cls) and not (value is None and arguments(cls)[argument].default is None):
            with pytest.raises((TypeError, ValueError), match=WORDS.format(argument)):
                made(cls, **{argument: value})


@pytest.mark.parametrize(("name", "argument"), DECLARED)
def test_what_is_in_range_is_taken(name, argument):
    subject = made(CLASSES[name])
    for value in right(CLASSES[name].ranges[argument]):
        setattr(subject, argument, value)
        assert getattr(subject, argument) == value
        assert type(getattr(subject, argument)) is type(value)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_whatever_is_a_number_or_a_flag_has_a_range(name):
    cls = CLASSES[name]
    kinds = {"int", "float", "bool", "int | None", "float | None", "bool | None"}
    texts = {argument: str(getattr(a.annotation, "__name__", a.annotation)) for argument, a in arguments(cls).items()}
    without = {argument for argument, text in texts.items() if text in kinds} - set(cls.ranges)
    assert {(cls.__name__, argument) for argument in without} <= ELSEWHERE


def is_number(value):
    return type(value) in (int, float)


TEXTS = {
    "[0, 1)": lambda value: is_number(value) and 0 <= value < 1,
    "(0, inf) | None": lambda value: value is None or (is_number(value) and 0 < value < math.inf),
    "int [1, inf)": lambda value: type(value) is int and value >= 1,
    "int [-2, inf) | None": lambda value: value is None or (type(value) is int and value >= -2),
    "bool": lambda value: isinstance(value, bool),
    "'a' | 'b'": lambda value: value in ("a", "b"),
}


@pytest.mark.parametrize("allowed", TEXTS)
@given(value=st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from("abc")))
def test_a_value_is_taken_only_as_the_text_says(allowed, value):
    if TEXTS[allowed](value):
        assert within("Owner", "name", value, allowed) == value
    else:
        with pytest.raises((TypeError, ValueError), match=r"^Owner: name must .*\. Received: name="):
            within("Owner", "name", value, allowed)


def test_a_subclass_adds_to_the_ranges_of_its_base_and_holds_to_both():
    class Scaled(Layer):
        ranges = {"factor": "(0, 1]", "way": "'up' | 'down'"}

        def __init__(self, factor, way="up"):
            super().__init__()
            self.factor, self.way = factor, way

    class Twice(Scaled):
        ranges = {"times": "int [2, inf) | None"}

        def __init__(self, factor, times=None):
            super().__init__(factor)
            self.times = times

    layer = Twice(1)
    assert (layer.factor, layer.way, layer.times) == (1.0, "up", None)
    for argument, value in {"factor": 0, "way": "left", "times": 1}.items():
        with pytest.raises(ValueError, match=f"^Twice: {argument} must be "):
            setattr(layer, argument, value)


AMISS = [
    "0 to 1",
    "int 1",
    "int [1, 8]",
    "int (0, inf)",
    "int[1, inf)",
    "[1, inf)|None",
    "'min'|'max'",
    "initialiser",
    "",
]


@pytest.mark.parametrize("text", AMISS)
def test_a_text_that_is_no_range_is_told_with_its_class_and_name(text):
    with pytest.raises(
        ValueError, match=r"^Mine: ranges\['rate'\] must be like .*, or the kind of a registry\. Received: "
    ):
        type("Mine", (Ranged,), {"ranges": {"rate": text}})


@pytest.mark.parametrize("ranges", [{"rate": (0, 1)}, ["[0, 1]"]])
def test_ranges_are_told_by_texts(ranges):
    with pytest.raises(TypeError, match=r"^Mine: ranges must be a dict of texts"):
        type("Mine", (Ranged,), {"ranges": ranges})


def test_of_two_bases_the_first_one_counts_unless_it_says_nothing():
    class Wide(Ranged):
        ranges = {"x": "[0, 1)"}

    class Wider(Wide):
        ranges = {"x": "[0, inf)"}

    class Silent(Wide):
        pass

    assert type("Both", (Silent, Wider), {}).ranges == {"x": "[0, inf)"}


def test_an_attribute_of_a_users_own_may_be_called_ranges_and_its_assignments_reach_other_bases():
    heard = []

    class Hearing:
        def __setattr__(self, name, value):
            heard.append(name)
            super().__setattr__(name, value)

    class Own(Callback, Hearing):
        def __init__(self):
            self.ranges = [(0, 1)]
            self._owner = "me"

    own = Own()
    assert (own.ranges, own._owner, heard) == ([(0, 1)], "me", ["ranges", "_owner"])
