"""`check_layer`: what is right passes, and a fault planted in any `backward` is caught."""

import copy
import importlib.util
import inspect
import sys
import textwrap
from functools import partial
from unittest import mock

import numpy as np
import pytest
from faults import CRASHES
from test_layers import CASES

import minidl
from minidl import layers, losses, testing
from minidl.compute import pooling
from minidl.layers import GRU, LSTM, Bidirectional, Conv2D, Dense, Embedding, Layer, PReLU, SimpleRNN
from minidl.testing import layers as suite
from minidl.testing.checking import Check

CHECKS = 20
SOME = {
    **CASES,
    "BinaryStep": (layers.BinaryStep, (3,)),
    "Dense prelu": (partial(Dense, 3, "prelu"), (4,)),
    "penalties inside": (
        lambda: minidl.Residual([Dense(4, "swish", activity_regularizer="l2"), Dense(4)], seed=1),
        (4,),
    ),
}


@pytest.mark.parametrize("case", SOME)
def test_our_layers_pass(case):
    report = testing.check_layer(*SOME[case], examples=3)
    assert len(report.results) == CHECKS


def integers(rng, shape):
    return rng.integers(0, 7, shape)


def test_an_embedding_passes_on_integers():
    report = testing.check_layer(Embedding(7, 3), (4,), inputs=integers)
    assert {r.check for r in report.results if r.status == "not applicable"} == {
        "gradient_by_input",
        "complex_step",
        "extremes",
        "ties",
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", SOME)
def test_our_layers_pass_with_a_hundred_examples_a_property(case):
    testing.check_layer(*SOME[case], examples=100)


@pytest.mark.slow
def test_an_embedding_passes_with_a_hundred_examples_a_property():
    testing.check_layer(Embedding(7, 3), (4,), inputs=integers, examples=100)


def told(check, layer, shape, inputs=None, examples=3):
    """Return what this check alone says of the layer; nothing if it passes."""
    (alone,) = [each for each in suite._CHECKS if Check.of(each).name == check]
    with mock.patch.object(suite, "_CHECKS", (alone,)):
        (result,) = testing.check_layer(layer, shape, inputs=inputs, examples=examples, raises=False).results
    assert result.status in ("pass", "fail")
    return result.detail


# Planted faults --------------------------------------------------------------------------------------------


def planted(cls, method, right, wrong):
    """Return a class like `cls` whose method has `wrong` where the source has `right`, once."""
    owner = next(c for c in cls.__mro__ if method in vars(c))
    source = textwrap.dedent(inspect.getsource(vars(owner)[method]))
    assert right in source, f"{owner.__name__}.{method} has no {right!r}"
    namespace = dict(vars(sys.modules[owner.__module__]))
    exec(source.replace(right, wrong, 1), namespace)
    return type(cls.__name__, (cls,), {method: namespace[method]})


def one(cls, *arguments, **options):
    return cls, arguments, options


SQUARE = one(Dense, 4), (4,)
IMAGE = (4, 4, 3)
SEQUENCE = (4, 3)
CONV, SAME = one(Conv2D, 3, 2, activation="tanh"), one(Conv2D, 3, 3, 2, "same")
GROUPS = one(Conv2D, 4, 2, groups=2)
RNN, LSTM_, GRU_ = (one(kind, 3, return_sequences=True) for kind in (SimpleRNN, LSTM, GRU))
GRU_BEFORE = one(GRU, 3, reset_after=False)
BATCH, LAYER = one(layers.BatchNormalization), one(layers.LayerNormalization)

# What is planted where: (layer, shape), method, the right source, the wrong one, the check that must catch it.
INPUT, PARAMETERS, ACCUMULATE = "gradient_by_input", "gradient_by_parameters", "accumulate"
# fmt: off
FAULTS = [
    # a missing or needless transpose, a wrong axis, a missing term
    (SQUARE, "linear_backward", "times_transposed(slopes, self.kernel.data", "times(slopes, self.kernel.data", INPUT),
    (SQUARE, "linear_backward", "outer_sum(rows, slopes", "outer_sum(slopes, rows", ACCUMULATE),
    (SQUARE, "linear_backward", "self.write_gradient(self.kernel, gradient, accumulate)", "pass", ACCUMULATE),
    (SQUARE, "backward_part", "row_sum(rows, ", "row_sum(2 * rows, ", PARAMETERS),
    (SQUARE, "backward_part", ".sum(axis=0), accumulate)", ".sum(axis=0), False)", ACCUMULATE),
    ((one(Dense, 4, "tanh"), (4,)), "backward_part", "self.activation.backward(dy, accumulate)", "dy", INPUT),
    ((CONV, IMAGE), "_input_gradient", "views(padded)), by_place)", "views(padded)), -by_place)", INPUT),
    ((CONV, IMAGE), "_input_gradient", "views(padded)), by_place)", "views(padded))[:-1], by_place[:-1])", INPUT),
    ((CONV, IMAGE), "_input_gradient", "views(padded)), by_place)", "views(padded)), by_place[::-1])", INPUT),
    ((CONV, IMAGE), "linear_backward", "rows.swapaxes(1, 2), slopes", "-rows.swapaxes(1, 2), slopes", PARAMETERS),
    ((CONV, IMAGE), "linear_backward", "gradient, accumulate)", "gradient, False)", ACCUMULATE),
    ((SAME, IMAGE), "_input_gradient", "self.windows.cropped(padded, self.scratch)", "padded[:, 1:5, 1:5]", INPUT),
    ((GROUPS, (3, 3, 4)), "linear_backward", "self._by_group(dz)", "self._by_group(dz)[::-1]", INPUT),
    ((GROUPS, (3, 3, 4)), "_input_gradient", "np.matmul(slopes, kernels",
     "np.matmul(slopes, kernels[:, :, ::-1]", INPUT),
    ((one(layers.MaxPooling2D), IMAGE), "backward", "np.equal(winner", "np.not_equal(winner", INPUT),
    ((one(layers.MaxPooling2D), IMAGE), "_pool", "np.greater(view", "np.less(view", INPUT),
    ((one(layers.MaxPooling2D, 3, 1), IMAGE), "backward", "if self.windows.apart:", "if True:", INPUT),
    ((one(layers.AveragePooling2D), IMAGE), "backward", "self._counts()", "1", INPUT),
    ((one(layers.AveragePooling2D, 3, 1, "same"), IMAGE), "backward", "self._counts()", "9", INPUT),
    ((one(layers.GlobalAveragePooling2D), IMAGE), "backward", "(height * width)", "height", INPUT),
    ((one(layers.GlobalMaxPooling2D), IMAGE), "backward", 'self.remembered("winner")',
     '0 * self.remembered("winner")', INPUT),
    (SQUARE, "linear_backward", "self._write_outer(rows, slopes)",
     "self._write_outer(rows, slopes if input_gradient else slopes[::-1])", "without_input_gradient"),
    (SQUARE, "linear_backward", "self._write_outer(rows, slopes)", "input_gradient and self._write_outer(rows, slopes)",
     "without_input_gradient"),
    # through time
    ((RNN, SEQUENCE), "backward_part", "joint[-u:].T", "-joint[-u:].T", INPUT),
    ((RNN, SEQUENCE), "backward_part", "np.add(dh, dy[:, t], out=dh)", "np.copyto(dh, dy[:, t])", INPUT),
    ((RNN, SEQUENCE), "backward_part", "matrix(rows[:-1])", "matrix(rows[1:])", PARAMETERS),
    ((RNN, SEQUENCE), "write_gradients", "u], accumulate)", "u], False)", ACCUMULATE),
    ((RNN, SEQUENCE), "backward_part", "joint[:features].T", "-joint[:features].T", INPUT),
    ((one(SimpleRNN, 3, go_backwards=True), SEQUENCE), "backward_part", ":: -1 if self.go_backwards else 1",
     ":", INPUT),
    ((one(SimpleRNN, 3), SEQUENCE), "backward_part", "if t == steps - 1:", "if t == steps:", INPUT),
    ((LSTM_, SEQUENCE), "step_back", "np.multiply(dc, f, out=dc)", "pass", INPUT),
    ((LSTM_, SEQUENCE), "step_back", "np.multiply(dc, now[3:5]", "np.multiply(dc, now[4:6]", INPUT),
    ((LSTM_, SEQUENCE), "step_back", "np.add(dc, back[0], out=dc)", "np.copyto(dc, back[0])", INPUT),
    ((LSTM_, SEQUENCE), "step_back", "self.activation.write_slope(back[3]", "Sigmoid().write_slope(back[3]", INPUT),
    ((LSTM_, SEQUENCE), "write_gradients", "part * u : (part + 1)", "gate * u : (gate + 1)", PARAMETERS),
    ((GRU_, SEQUENCE), "step_back", "(before, candidate,", "(candidate, before,", INPUT),
    ((GRU_, SEQUENCE), "step_back", "np.multiply(dz[2], reset", "np.multiply(dz[2], update", INPUT),
    ((GRU_, SEQUENCE), "step_back", "np.add(dh, carry, out=dh)", "pass", INPUT),
    ((GRU_, SEQUENCE), "step_back", "inner, out=back[1]", "before, out=back[1]", INPUT),
    ((GRU_, SEQUENCE), "step_back", "np.subtract(dh, carry, out=back[2])", "np.copyto(back[2], dh)", INPUT),
    ((GRU_BEFORE, SEQUENCE), "step_back", "(by_product, before", "(by_product, reset", INPUT),
    ((GRU_BEFORE, SEQUENCE), "step_back", "np.multiply(by_product, reset, out=by_product)", "pass", INPUT),
    ((one(Bidirectional, GRU(2, return_sequences=True)), SEQUENCE), "backward_part", "self._turned(second)",
     "second", INPUT),
    ((one(Bidirectional, GRU(2), "mul"), SEQUENCE), "backward_part", "np.multiply(dy, other",
     "np.multiply(dy, one", INPUT),
    ((one(Bidirectional, GRU(2), "ave"), SEQUENCE), "backward_part", "np.divide(dy, 2", "np.divide(dy, 1", INPUT),
    # normalisation
    ((BATCH, (3, 2)), "_write_gradients", "share.reshape", "total.reshape", PARAMETERS),
    ((BATCH, (3, 2)), "backward", "inverse * self.gamma.data.reshape(self._along)", "inverse", INPUT),
    ((BATCH, (3, 2)), "backward", "self._slope(dy, normal, sums, axes, factor)", "dy * factor", INPUT),
    ((BATCH, (3, 2)), "backward", "np.multiply(dy, factor", "np.multiply(dy, inverse", INPUT),
    ((BATCH, (3, 2)), "forward", "if of_batch else None", "", INPUT),
    ((LAYER, (3, 4)), "backward", "(self._axis,)", "(1,)", INPUT),
    ((LAYER, (3, 4)), "backward", "self._write_gradients(dy, normal, accumulate)", "pass", PARAMETERS),
    # activations and the rest
    ((one(layers.Sigmoid), (4,)), "slope", "(1 - y)", "(1 + y)", INPUT),
    ((one(layers.Tanh), (4,)), "slope", "1 - y * y", "1 - y", INPUT),
    ((one(layers.Softmax), (4,)), "backward", "axis=self.axis", "axis=0", INPUT),
    ((one(layers.LogSoftmax), (4,)), "backward", "dy - np.exp", "dy + np.exp", INPUT),
    ((one(layers.GELU), (4,)), "slope", "share + near * density", "share", INPUT),
    ((one(layers.Swish), (4,)), "slope", "(1 - s)", "s", INPUT),
    ((one(layers.ELU, 2.0), (4,)), "slope", "self.alpha * np.exp", "np.exp", INPUT),
    ((one(layers.SELU), (4,)), "slope", "self.SCALE * ", "", INPUT),
    ((one(layers.Softplus), (4,)), "slope", "sigmoid(x)", "sigmoid(-x)", INPUT),
    ((one(layers.HardSigmoid), (4,)), "slope", "/ 6", "/ 5", INPUT),
    ((one(layers.LeakyReLU), (4,)), "slope", "self.negative_slope", "-self.negative_slope", INPUT),
    ((one(PReLU, shared_axes=(1,)), (3, 2)), "backward", "np.minimum(x, 0) * dy", "x * dy", PARAMETERS),
    ((one(PReLU), (3, 2)), "backward", "self.alpha.data * dy", "dy", INPUT),
    ((one(layers.Dropout, 0.5), (6,)), "backward", "np.multiply(dy, mask", "np.multiply(dy, 1", INPUT),
    ((one(layers.Rescaling, 0.5), (3,)), "backward", "dy, self.scale", "dy, 1.0", INPUT),
    ((one(layers.ZeroPadding2D, ((1, 0), (0, 2))), IMAGE), "backward", "self._inside(dy)", "dy[:, :4, :4]", INPUT),
    ((one(Embedding, 7, 3), (4,)), "backward", "np.add.at(table, entries, dy.reshape(-1))",
     "table[entries] += dy.reshape(-1)", PARAMETERS),
    ((one(Embedding, 7, 3), (4,)), "backward", "if not accumulate", "if accumulate", PARAMETERS),
]
# fmt: on


SEEN = set()  # which cases pass which checks as they are


@pytest.mark.parametrize(
    ("case", "method", "right", "wrong", "check"),
    FAULTS,
    ids=[f"{row[0][0][0].__name__}: {row[3]}" for row in FAULTS],
)
def test_a_planted_fault_is_caught(case, method, right, wrong, check, monkeypatch):
    monkeypatch.setattr(pooling, "is_loaded", lambda: False)  # what is planted is in NumPy's way
    (cls, arguments, options), shape = case
    inputs = integers if cls is Embedding else None
    if (seen := (repr(case), check)) not in SEEN:
        assert told(check, lambda: cls(*arguments, **options), shape, inputs=inputs) == ""
        SEEN.add(seen)
    faulty = planted(cls, method, right, wrong)
    detail = told(check, lambda: faulty(*arguments, **options), shape, inputs=inputs)
    assert detail
    assert not any(error in detail for error in CRASHES)


def test_there_are_many_faults_in_all_kinds_of_layers():
    assert len(FAULTS) >= 60
    assert len({row[0][0][0] for row in FAULTS}) >= 25


def test_a_fault_in_a_containers_backward_is_caught():
    class Forgets(minidl.Residual):
        def backward_part(self, dy, accumulate=False, **options):
            return minidl.Sequential.backward_part(self, dy, accumulate, **options)

    report = testing.check_layer(lambda: Forgets([Dense(3)], seed=0), (3,), raises=False)
    assert {r.check for r in report.failures} >= {"gradient_by_input"}


# What each other check catches -----------------------------------------------------------------------------


class Good(Layer):
    """y = x²."""

    def forward(self, x, training=False):
        self.remember(x=x)
        return x * x

    def backward(self, dy, accumulate=False):
        return 2 * self.remembered("x") * dy


class Mutates(Good):
    """Writes to the gradient that it is given, where that may be written to."""

    def backward(self, dy, accumulate=False):
        return np.multiply(dy, 2 * self.remembered("x"), out=dy if dy.flags.writeable else None)


class Imprecise(Good):
    """Gives a gradient that is wrong in its eighth digit."""

    def backward(self, dy, accumulate=False):
        return super().backward(dy) * (1 + 1e-8)


class Clips(Good):
    """Gives a gradient within bounds."""

    def backward(self, dy, accumulate=False):
        return np.clip(super().backward(dy), -5, 5)


class TakesMemoryAsItLies(Good):
    """Squares numbers in the order that they have in memory."""

    def forward(self, x, training=False):
        self.remember(x=x)
        return np.square(x.ravel("K")).reshape(x.shape)


class CopiesByHalf(Dense):
    """Shares its parameters with its copies."""

    def __deepcopy__(self, memo):
        return copy.copy(self)


class KeepsItsOutput(Good):
    """Returns the same memory each time."""

    def forward(self, x, training=False):
        if getattr(self, "kept", np.empty(0)).shape != x.shape or self.kept.dtype != x.dtype:
            self.kept = np.empty_like(x)
        self.remember(x=x)
        return np.multiply(x, x, out=self.kept)


class Widens(Good):
    """Returns double precision."""

    def forward(self, x, training=False):
        return super().forward(x, training) * np.float64(1.0)


class LooksAtItsMates(Good):
    """Depends on the other samples."""

    def forward(self, x, training=False):
        return super().forward(x, training) * (1 + 0 * len(x)) + x.sum() * 1e-3


class Forgetful(Good):
    """Its buffer changes outside training."""

    def build(self, input_shape, rng):
        super().build(input_shape, rng)
        self.buffers["seen"] = np.zeros(())

    def forward(self, x, training=False):
        self.buffers["seen"] += 1
        return super().forward(x, training)


class Random(Good):
    """Draws from NumPy's global state."""

    def forward(self, x, training=False):
        return super().forward(x, training) + (1e-3 * np.random.random() if training else 0)


class NoForwardNeeded(Good):
    """Makes up an answer."""

    def backward(self, dy, accumulate=False):
        return dy if "x" not in self._remembered else super().backward(dy)


class WrongShape(Good):
    """Declares another shape than it has."""

    @property
    def output_shape(self):
        return (*self._shape(), 1)


class Overflows(Good):
    """(√x⁴ + ...) by a detour that is NaN for large numbers."""

    def forward(self, x, training=False):
        self.remember(x=x)
        large = np.exp(x * 0 + np.abs(x))
        return x * x * (large / large)


class SharesTies(Good):
    """Gives the whole gradient of a maximum to every entry that has it."""

    @property
    def output_shape(self):
        return (1,)

    def forward(self, x, training=False):
        y = x.max(axis=1, keepdims=True)
        self.remember(x=x, y=y)
        return y + 0

    def backward(self, dy, accumulate=False):
        return (self.remembered("x") == self.remembered("y")) * dy


class StaleMask(Good):
    """Forgets, outside training, that it dropped something before."""

    def forward(self, x, training=False):
        if training:
            self.mask = np.arange(x.size).reshape(x.shape) % 2.0
        self.remember(seen=True)
        return x * self.mask.astype(x.dtype) if training else x.copy()

    def backward(self, dy, accumulate=False):
        self.remembered("seen")
        return dy * self.mask if getattr(self, "mask", dy).shape == dy.shape and hasattr(self, "mask") else dy


class OwnGenerator(Dense):
    """Draws its kernel from a generator of its own."""

    def build(self, input_shape, rng):
        super().build(input_shape, np.random.default_rng(0))


class Normalizes(Good):
    """x / ‖x‖, also where that is 0 / 0."""

    def forward(self, x, training=False):
        self.remember(x=x)
        return x / np.sqrt((x * x).sum(axis=1, keepdims=True))

    def backward(self, dy, accumulate=False):
        x = self.remembered("x")
        n = np.sqrt((x * x).sum(axis=1, keepdims=True))
        return dy / n - x * (x * dy).sum(axis=1, keepdims=True) / n**3


class Coarse(Good):
    """Rounds its gradient to half precision, unless it is asked in double."""

    def backward(self, dy, accumulate=False):
        dx = super().backward(dy)
        return dx if dx.dtype == np.float64 else dx.astype(np.float16).astype(dx.dtype)


class NoConfig(Good):
    """Becomes something else."""

    def __init__(self, factor=3, *, name=None):
        super().__init__(name=name)
        self.factor = 1

    def forward(self, x, training=False):
        return super().forward(x, training)

    @classmethod
    def from_config(cls, config):  # noqa: ARG003
        return Dense(2)


KINDS = [
    (Mutates, "arguments_untouched"),
    (Imprecise, "complex_step"),
    (Clips, "linear_backward"),
    (TakesMemoryAsItLies, "layouts"),
    (lambda: CopiesByHalf(3), "copies"),
    (KeepsItsOutput, "outputs_stay"),
    (Widens, "dtypes"),
    (LooksAtItsMates, "batch_mates"),
    (Forgetful, "modes"),
    (Random, "deterministic"),
    (NoForwardNeeded, "backward_needs_forward"),
    (WrongShape, "builds_and_runs"),
    (Overflows, "extremes"),
    (SharesTies, "ties"),
    (StaleMask, "last_forward_counts"),
    (lambda: OwnGenerator(3), "deterministic"),
    (Normalizes, "extremes"),
    (Coarse, "dtypes"),
    (NoConfig, "config_round_trip"),
]


@pytest.mark.parametrize(("layer", "check"), KINDS)
def test_each_kind_of_fault_has_its_check(layer, check):
    report = testing.check_layer(layer, (3,), raises=False)
    assert check in {r.check for r in report.failures}


def test_what_the_kinds_of_faults_are_planted_in_passes():
    for layer in (Good, Dense(3)):
        assert testing.check_layer(layer, (3,)).passed


def test_every_check_has_a_fault_that_it_must_catch():
    demanded = {row[-1] for row in FAULTS} | {check for _, check in KINDS}
    assert demanded == {Check.of(check).name for check in suite._CHECKS}


def test_a_failure_shows_the_smallest_example():
    faulty = planted(layers.Tanh, "slope", "1 - y * y", "1 - y")
    with pytest.raises(
        testing.CheckFailedError, match=r"(?s)gradient_by_input .*entry \[0, 0\] is .* the input \[\["
    ) as e:
        testing.check_layer(faulty, (1,))
    assert str(e.value).startswith("Tanh(): ")


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            (5, (3,)),
            TypeError,
            "must be given a layer, a class of layers or a callable that returns layers. Received: 5",
        ),
        ((lambda: 5, (3,)), TypeError, "must be given a layer, a class of layers or a callable that returns layers"),
        ((Dense(3), 3), TypeError, "check_layer: input_shape must be a tuple"),
        ((partial(Dense, 3), (3,), "x"), TypeError, "positional"),
    ],
)
def test_mistakes_are_named(arguments, error, says):
    with pytest.raises(error, match=says):
        testing.check_layer(*arguments)
    built = Dense(3)
    built.build((2,), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"the layer must not be built yet. Received: Dense"):
        testing.check_layer(built, (2,))
    with pytest.raises(ValueError, match="examples must be a positive integer"):
        testing.check_layer(Dense(3), (2,), examples=0)


def test_without_hypothesis_the_extra_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "hypothesis" else find(name, *rest)
    )
    for call in (
        lambda: testing.check_layer(layers.ReLU, (3,)),
        lambda: testing.check_loss(losses.MeanSquaredError, [1, 2], [1, 2]),
    ):
        with pytest.raises(
            ImportError, match=r"drawing examples needs the extra `check`: pip install 'minidl\[check\]'$"
        ):
            call()
