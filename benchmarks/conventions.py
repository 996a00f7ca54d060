"""How to write the rules of Keras, PyTorch, Optax and scikit-learn in minidl: `python -m benchmarks.conventions`.

`ROWS` is the one table. Each row is measured where its framework is installed: 100 steps in double precision, the
learning rate halved after 50. It writes docs/conventions.md; tests/test_conventions.py runs the same.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import FRAMEWORKS, Peer, missing, peer, versions
from minidl import optimizers, schedules
from minidl.optimizers import Optimizer
from minidl.parameters import Parameter

__all__ = ["PAGE", "ROWS", "TOLERANCE", "Row", "document", "largest_difference", "measure", "read"]

PAGE = Path(__file__).parents[1] / "docs" / "conventions.md"
STEPS = 100
TOLERANCE = 1e-12


class Row(NamedTuple):
    """A call of a framework, and the same in minidl.

    Attributes:
        rule: The name of the rule in minidl.
        framework: Whose call it is.
        name: The optimizer's name there.
        arguments: What it is given.
        ours: The optimizer of minidl, as code; empty if it can't be expressed.
        hooks: Its hooks, as code.
        note: What is to be said, or why it can't be expressed.
        halved: Whether the learning rate is halved half-way: in the framework, and in minidl where it is a number.
        tolerance: The largest relative difference that the test allows.
    """

    rule: str
    framework: str
    name: str
    arguments: dict[str, Any]
    ours: str
    hooks: str = ""
    note: str = ""
    halved: bool = True
    tolerance: float = TOLERANCE

    @property
    def call(self) -> str:
        """The framework's call, as code; it doesn't need the framework."""
        start = {"Keras": "keras.optimizers.", "PyTorch": "torch.optim.", "Optax": "optax.", "scikit-learn": ""}
        first = ["parameters"] if self.framework in ("PyTorch", "scikit-learn") else []
        shown = ", ".join([*first, *(f"{name}={value!r}" for name, value in self.arguments.items())])
        return f"{start[self.framework]}{self.name}({shown})"

    @property
    def written(self) -> str:
        """What to write in minidl, as code."""
        return f"optimizer = {self.ours}" + (f"; optimizer.hooks = [{self.hooks}]" if self.hooks else "")

    def optimizer(self) -> Optimizer:
        """Run the code."""
        names = {name: getattr(optimizers, name) for name in optimizers.__all__} | {"schedules": schedules}
        made: Optimizer = eval(self.ours, names)
        made.hooks = eval(f"[{self.hooks}]", names)
        return made

    def peer(self) -> Peer:
        """Make the framework's optimizer."""
        return peer(self.framework, self.name, **self.arguments)


# Rules that some of Keras, PyTorch and Optax don't have: those that do.
HAVING = {"Lion": {"Keras", "Optax"}, "LAMB": {"Keras", "Optax"}}

KERAS_EPSILON = "schedules.CorrectedEpsilon(1e-7)"
SINGLE = "on PyTorch's backend Keras computes the factor in single precision, whatever floatx is"
ADAM = "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999"
ADAMW = ADAM.replace("Adam", "AdamW")
CORRECTED = "lambda step: {0} * (1 - {0} ** step) / (1 - {0} ** (step + 1))"

ROWS = (
    Row("SGD", "Keras", "SGD", {}, "SGD(learning_rate=0.01)"),
    Row("SGD", "Keras", "SGD", {"weight_decay": 0.1}, "SGD(learning_rate=0.01)", "WeightDecay(0.1)"),
    Row(
        "SGD", "Keras", "SGD", {"global_clipnorm": 1.0}, "SGD(learning_rate=0.01)", "ClipByGlobalNorm(1.0)",
        SINGLE, tolerance=1e-6,
    ),
    Row("SGD", "Keras", "SGD", {"clipvalue": 0.5}, "SGD(learning_rate=0.01)", "ClipByValue(0.5)"),
    Row("SGD", "Keras", "SGD", {"clipnorm": 1.0}, "SGD(learning_rate=0.01)", "ClipByNorm(1.0)", SINGLE, tolerance=1e-6),
    Row("SGD", "PyTorch", "SGD", {}, "SGD(learning_rate=0.001)"),
    Row("SGD", "PyTorch", "SGD", {"weight_decay": 0.1}, "SGD(learning_rate=0.001)", "L2(0.1)"),
    Row("SGD", "Optax", "sgd", {"learning_rate": 0.01}, "SGD(learning_rate=0.01)"),
    Row("SGD", "scikit-learn", "SGDOptimizer", {"momentum": 0.0, "nesterov": False}, "SGD(learning_rate=0.1)"),
    Row(
        "Momentum", "Keras", "SGD", {"momentum": 0.9},
        "Momentum(learning_rate=0.01, momentum=0.9, learning_rate_inside=True)",
    ),
    Row("Momentum", "PyTorch", "SGD", {"momentum": 0.9}, "Momentum(learning_rate=0.001, momentum=0.9)"),
    Row(
        "Momentum", "PyTorch", "SGD", {"momentum": 0.9, "dampening": 0.9},
        "Momentum(learning_rate=0.001, momentum=0.9, dampening=lambda step: 0.9 if step else 0.0)",
        note="PyTorch's dampening leaves the first gradient as it is",
    ),
    Row(
        "Momentum", "PyTorch", "SGD", {"momentum": 0.9, "weight_decay": 0.1},
        "Momentum(learning_rate=0.001, momentum=0.9)", "L2(0.1)",
    ),
    Row(
        "Momentum", "Optax", "sgd", {"learning_rate": 0.01, "momentum": 0.9},
        "Momentum(learning_rate=0.01, momentum=0.9)",
    ),
    Row(
        "Momentum", "scikit-learn", "SGDOptimizer", {"nesterov": False},
        "Momentum(learning_rate=0.1, momentum=0.9, learning_rate_inside=True)",
    ),
    Row(
        "Nesterov", "Keras", "SGD", {"momentum": 0.9, "nesterov": True},
        "Nesterov(learning_rate=0.01, momentum=0.9, learning_rate_inside=True)",
    ),
    Row(
        "Nesterov", "PyTorch", "SGD", {"momentum": 0.9, "nesterov": True},
        "Nesterov(learning_rate=0.001, momentum=0.9)",
    ),
    Row(
        "Nesterov", "PyTorch", "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        "Nesterov(learning_rate=0.001, momentum=0.9)", "L2(0.1)",
    ),
    Row(
        "Nesterov", "Optax", "sgd", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True},
        "Nesterov(learning_rate=0.01, momentum=0.9)",
    ),
    Row(
        "Nesterov", "scikit-learn", "SGDOptimizer", {},
        "Nesterov(learning_rate=0.1, momentum=0.9, learning_rate_inside=True)",
    ),
    Row(
        "AdaGrad", "Keras", "Adagrad", {},
        "AdaGrad(learning_rate=0.001, initial_accumulator=0.1, epsilon=0.0, epsilon_root=1e-7)",
    ),
    Row(
        "AdaGrad", "Keras", "Adagrad", {"initial_accumulator_value": 0.0},
        "AdaGrad(learning_rate=0.001, epsilon=0.0, epsilon_root=1e-7)",
    ),
    Row("AdaGrad", "PyTorch", "Adagrad", {}, "AdaGrad(learning_rate=0.01, epsilon=1e-10)"),
    Row(
        "AdaGrad", "PyTorch", "Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1},
        "AdaGrad(schedules.InverseTimeDecay(0.01, decay_rate=0.1, every='step'), initial_accumulator=0.1, "
        "epsilon=1e-10)",
        halved=False,
    ),
    Row(
        "AdaGrad", "Optax", "adagrad", {"learning_rate": 0.01},
        "AdaGrad(learning_rate=0.01, initial_accumulator=0.1, epsilon=0.0, epsilon_root=1e-7)",
    ),
    Row(
        "AdaGrad", "Optax", "adagrad", {"learning_rate": 0.01, "initial_accumulator_value": 0.0, "eps": 1e-10},
        "AdaGrad(learning_rate=0.01, epsilon=0.0, epsilon_root=1e-10)",
    ),
    Row("RMSprop", "Keras", "RMSprop", {}, "RMSprop(learning_rate=0.001, epsilon=0.0, epsilon_root=1e-7)"),
    Row("RMSprop", "PyTorch", "RMSprop", {}, "RMSprop(learning_rate=0.01, rho=0.99)"),
    Row("RMSprop", "PyTorch", "RMSprop", {"weight_decay": 0.1}, "RMSprop(learning_rate=0.01, rho=0.99)", "L2(0.1)"),
    Row(
        "RMSprop", "Optax", "rmsprop", {"learning_rate": 0.001},
        "RMSprop(learning_rate=0.001, epsilon=0.0, epsilon_root=1e-8)",
    ),
    Row(
        "RMSprop", "Optax", "rmsprop", {"learning_rate": 0.001, "eps_in_sqrt": False},
        "RMSprop(learning_rate=0.001)",
    ),
    Row(
        "RMSprop", "Optax", "rmsprop", {"learning_rate": 0.001, "bias_correction": True},
        "Adam(learning_rate=0.001, beta_1=0.0, beta_2=0.9, epsilon=0.0, epsilon_root=1e-8)",
    ),
    Row(
        "RMSprop", "Optax", "rmsprop", {"learning_rate": 0.001, "initial_scale": 0.1}, "",
        note="minidl's average starts at 0",
    ),
    Row("AdaDelta", "Keras", "Adadelta", {}, "AdaDelta(learning_rate=0.001, epsilon=1e-7)"),
    Row("AdaDelta", "PyTorch", "Adadelta", {}, "AdaDelta(learning_rate=1.0, rho=0.9)"),
    Row("AdaDelta", "PyTorch", "Adadelta", {"weight_decay": 0.1}, "AdaDelta(learning_rate=1.0, rho=0.9)", "L2(0.1)"),
    Row("AdaDelta", "Optax", "adadelta", {"learning_rate": 1.0}, "AdaDelta(learning_rate=1.0, rho=0.9)"),
    Row(
        "AdaDelta", "Optax", "adadelta", {"learning_rate": 1.0, "weight_decay": 0.1},
        "AdaDelta(learning_rate=1.0, rho=0.9)", "L2(0.1)", "despite the name of the argument it isn't decoupled",
    ),
    Row("Adam", "Keras", "Adam", {}, f"{ADAM}, epsilon={KERAS_EPSILON})"),
    Row("Adam", "Keras", "Adam", {"weight_decay": 0.1}, f"{ADAM}, epsilon={KERAS_EPSILON})", "WeightDecay(0.1)"),
    Row("Adam", "PyTorch", "Adam", {}, f"{ADAM})"),
    Row("Adam", "PyTorch", "Adam", {"weight_decay": 0.1}, f"{ADAM})", "L2(0.1)"),
    Row("Adam", "Optax", "adam", {"learning_rate": 0.001}, f"{ADAM})"),
    Row("Adam", "Optax", "adam", {"learning_rate": 0.001, "eps_root": 1e-8}, f"{ADAM}, epsilon_root=1e-8)"),
    Row("Adam", "Optax", "adam", {"learning_rate": 0.001, "nesterov": True},
        "Nadam(learning_rate=0.001, momentum_decay=1e6)"),
    Row("Adam", "scikit-learn", "AdamOptimizer", {}, f"{ADAM}, epsilon={KERAS_EPSILON.replace('1e-7', '1e-8')})"),
    Row("AdamW", "Keras", "AdamW", {}, f"{ADAMW}, epsilon={KERAS_EPSILON}, weight_decay=0.004)"),
    Row("AdamW", "PyTorch", "AdamW", {}, f"{ADAMW}, weight_decay=0.01)"),
    Row("AdamW", "PyTorch", "AdamW", {"weight_decay": 0.1, "eps": 1e-4}, f"{ADAMW}, epsilon=1e-4, weight_decay=0.1)"),
    Row("AdamW", "Optax", "adamw", {"learning_rate": 0.001}, f"{ADAMW}, weight_decay=0.0001)"),
    Row(
        "AMSGrad", "Keras", "Adam", {"amsgrad": True},
        f"AMSGrad(learning_rate=0.001, epsilon={KERAS_EPSILON}, bias_correction=True)",
    ),
    Row("AMSGrad", "PyTorch", "Adam", {"amsgrad": True}, "AMSGrad(learning_rate=0.001, bias_correction=True)"),
    Row(
        "AMSGrad", "Optax", "amsgrad", {"learning_rate": 0.001},
        f"AMSGrad(learning_rate=0.001, beta_1={CORRECTED.format(0.9)}, beta_2={CORRECTED.format(0.999)})",
        note="Optax takes the maximum of corrected averages; minidl's become that by these schedules",
    ),
    Row(
        "AMSGrad", "Optax", "amsgrad",
        {"learning_rate": 0.001, "bias_correction_mu": False, "bias_correction_nu": False},
        "AMSGrad(learning_rate=0.001)",
    ),
    Row("Nadam", "Keras", "Nadam", {}, "Nadam(learning_rate=0.001, epsilon=1e-7, momentum_decay=1.0)"),
    Row("Nadam", "PyTorch", "NAdam", {}, "Nadam(learning_rate=0.002)"),
    Row("Nadam", "PyTorch", "NAdam", {"weight_decay": 0.1}, "Nadam(learning_rate=0.002)", "L2(0.1)"),
    Row(
        "Nadam", "PyTorch", "NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 0.1},
        "Nadam(learning_rate=0.002, momentum_decay=0.1)", "WeightDecay(0.1)",
    ),
    Row("Nadam", "Optax", "nadam", {"learning_rate": 0.002}, "Nadam(learning_rate=0.002, momentum_decay=1e6)"),
    Row(
        "Nadam", "Optax", "nadamw", {"learning_rate": 0.002},
        "Nadam(learning_rate=0.002, momentum_decay=1e6)", "WeightDecay(0.0001)",
    ),
    Row("Adamax", "Keras", "Adamax", {}, "Adamax(learning_rate=0.001, epsilon=1e-7)"),
    Row("Adamax", "PyTorch", "Adamax", {}, "Adamax(learning_rate=0.002, epsilon=0.0, epsilon_max=1e-8)"),
    Row(
        "Adamax", "PyTorch", "Adamax", {"weight_decay": 0.1},
        "Adamax(learning_rate=0.002, epsilon=0.0, epsilon_max=1e-8)", "L2(0.1)",
    ),
    Row(
        "Adamax", "Optax", "adamax", {"learning_rate": 0.002},
        "Adamax(learning_rate=0.002, epsilon=0.0, epsilon_max=1e-8)",
    ),
    Row(
        "Adamax", "Optax", "adamaxw", {"learning_rate": 0.002},
        "Adamax(learning_rate=0.002, epsilon=0.0, epsilon_max=1e-8)", "WeightDecay(0.0001)",
    ),
    Row("Lion", "Keras", "Lion", {}, "Lion(learning_rate=0.001)"),
    Row("Lion", "Keras", "Lion", {"weight_decay": 0.1}, "Lion(learning_rate=0.001, weight_decay=0.1)"),
    Row("Lion", "Optax", "lion", {"learning_rate": 0.0001}, "Lion(learning_rate=0.0001, weight_decay=0.001)"),
    Row(
        "RMSpropMomentum", "Keras", "RMSprop", {"momentum": 0.9},
        "RMSpropMomentum(learning_rate=0.001, momentum=0.9, epsilon=0.0, epsilon_root=1e-7)",
    ),
    Row(
        "RMSpropMomentum", "PyTorch", "RMSprop", {"momentum": 0.9},
        "RMSpropMomentum(learning_rate=0.01, rho=0.99, momentum=0.9)",
        note="while the learning rate is constant: PyTorch's multiplies the whole velocity", halved=False,
    ),
    Row(
        "RMSpropMomentum", "PyTorch", "RMSprop", {"momentum": 0.9, "eps": 1e-7},
        "RMSpropMomentum(lambda step: 0.01 if step < 50 else 0.005, rho=0.99, "
        "momentum=lambda step: 0.45 if step == 50 else 0.9, epsilon=1e-7)",
        note="with its learning rate halved after 50 steps: in that step the momentum is multiplied by new / old",
    ),
    Row(
        "RMSpropMomentum", "Optax", "rmsprop", {"learning_rate": 0.001, "momentum": 0.9},
        "RMSpropMomentum(learning_rate=0.001, momentum=0.9, epsilon=0.0, epsilon_root=1e-8)",
    ),
    Row(
        "RMSpropMomentum", "Optax", "rmsprop", {"learning_rate": 0.001, "momentum": 0.9, "nesterov": True}, "",
        note="minidl's has no form of Nesterov",
    ),
    Row(
        "CenteredRMSprop", "Keras", "RMSprop", {"centered": True},
        "CenteredRMSprop(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon_root=1e-7)",
    ),
    Row(
        "CenteredRMSprop", "Keras", "RMSprop", {"centered": True, "momentum": 0.9, "rho": 0.95, "epsilon": 1e-4},
        "CenteredRMSprop(learning_rate=0.001, rho=0.95, momentum=0.9, epsilon_root=1e-4)",
    ),
    Row(
        "CenteredRMSprop", "PyTorch", "RMSprop", {"centered": True},
        "CenteredRMSprop(learning_rate=0.01, rho=0.99, momentum=0.0, epsilon=1e-8, epsilon_root=0.0)",
    ),
    Row(
        "CenteredRMSprop", "PyTorch", "RMSprop", {"centered": True, "momentum": 0.9},
        "CenteredRMSprop(learning_rate=0.01, rho=0.99, momentum=0.9, epsilon=1e-8, epsilon_root=0.0)",
        note="while the learning rate is constant, as above", halved=False,
    ),
    Row(
        "CenteredRMSprop", "Optax", "rmsprop", {"learning_rate": 0.001, "centered": True},
        "CenteredRMSprop(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon_root=1e-8)",
    ),
    Row(
        "CenteredRMSprop", "Optax", "rmsprop", {"learning_rate": 0.001, "centered": True, "bias_correction": True}, "",
        note="minidl's has no bias correction",
    ),
    Row("LAMB", "Keras", "Lamb", {}, "LAMB(learning_rate=0.001, epsilon=1e-7, weight_decay=0.0)"),
    Row(
        "LAMB", "Keras", "Lamb", {"weight_decay": 0.1},
        "LAMB(learning_rate=0.001, epsilon=1e-7, weight_decay=0.0)", "WeightDecay(0.1)",
        "Keras's weight decay stays out of the ratio",
    ),
    Row("LAMB", "Optax", "lamb", {"learning_rate": 0.001}, "LAMB(learning_rate=0.001, weight_decay=0.0)"),
    Row(
        "LAMB", "Optax", "lamb", {"learning_rate": 0.001, "weight_decay": 0.01},
        "LAMB(learning_rate=0.001, weight_decay=0.01)",
    ),
)  # fmt: skip


# Measuring ------------------------------------------------------------------------------------------------


def measure(row: Row) -> float:
    """Return by how much the two optimizers of a row differ; see `largest_difference`."""
    theirs = row.peer()  # imports PyTorch, if it is that
    with _double():
        return largest_difference(row.optimizer(), theirs, row.halved)


def largest_difference(ours: Optimizer, theirs: Optimizer | Peer, halved: bool = True) -> float:
    """Return by how much an entry differs at most, over all steps, relative to the largest size that it has had."""
    left, right = _start(), _start()
    largest = [np.abs(parameter.data) for parameter in left]
    differences = [np.zeros(parameter.shape) for parameter in left]
    gradients = _gradients()
    for step in range(STEPS):
        if step == STEPS // 2 and halved:
            _halve_rate(ours, theirs)
        for optimizer, parameters in ((ours, left), (theirs, right)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient[step]
            optimizer.step(parameters)
        for i, (one, other) in enumerate(zip(left, right, strict=True)):
            largest[i] = np.maximum(largest[i], np.abs(other.data))
            differences[i] = np.maximum(differences[i], np.abs(one.data - other.data))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = [
            np.where(difference == 0, 0, difference / size)
            for difference, size in zip(differences, largest, strict=True)
        ]
    return max(float(array.max()) for array in relative)


SHAPES = ((3, 4), (4,), (5, 2))


def _start() -> list[Parameter]:
    """Return parameters half of whose entries start at 0, where a difference in a tiny step can't hide."""
    rng = np.random.default_rng(1)
    parameters = []
    for i, shape in enumerate(SHAPES):
        data = rng.standard_normal(shape)
        data.reshape(-1)[::2] = 0
        parameters.append(Parameter(data, name=f"w{i}"))
    return parameters


def _gradients() -> list[NDArray[Any]]:
    """Return gradients of all sizes, a tenth of them zero; a third of the entries have tiny ones, some only zeros."""
    rng = np.random.default_rng(2)
    gradients = []
    for shape in SHAPES:
        steps = rng.standard_normal((STEPS, *shape)) * 10.0 ** rng.uniform(-2, 2, (STEPS, *shape))
        steps[rng.random(steps.shape) < 0.1] = 0
        flat = steps.reshape(STEPS, -1)
        flat[:, 2::3] *= 1e-9
        flat[:, -1] = 0
        flat[: STEPS // 3, 1] = 0
        gradients.append(steps)
    return gradients


def _halve_rate(*given: Any) -> None:
    for optimizer in given:
        if not callable(optimizer.learning_rate):
            optimizer.learning_rate = optimizer.learning_rate / 2


@contextmanager
def _double() -> Iterator[None]:
    """Let PyTorch keep the numbers of its own in double precision too: NAdam's product over steps is one."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# Writing --------------------------------------------------------------------------------------------------

HEAD = f"""# Conventions

The frameworks silently differ on every rule: where ε stands, whether the velocity holds the learning rate, what the
defaults are. This page says how to write each of theirs in minidl. It is written by `python -m benchmarks.conventions`
from the table in `benchmarks/conventions.py`, and `tests/test_conventions.py` runs every row.

Names of minidl are those of `minidl.optimizers`, and `schedules` is `minidl.schedules`. The last column is the largest
relative difference of any entry over {STEPS} steps in double precision, rounded up to a power of ten; gradients are
ordinary, zero, and about 1e-9. The learning rate is halved after {STEPS // 2} steps, unless it is a schedule or the
row says that it is constant. PyTorch's default dtype, Keras's floatx and JAX's x64 are set to double precision; Keras's
backend is PyTorch. scikit-learn's two optimizers are a private part of its multi-layer perceptrons.
"""


def document(measured: Mapping[tuple[str, str], str] | None = None) -> str:
    """Return the page, with what was `measured`."""
    parts = [HEAD]
    for rule in dict.fromkeys(row.rule for row in ROWS):
        parts += [f"## {rule}", "", "| framework | its call | minidl | difference |", "|---|---|---|---|"]
        for row in (row for row in ROWS if row.rule == rule):
            ours = f"`{row.written}`" if row.ours else "can't be expressed"
            ours += f": {row.note}" if row.note else ""
            found = (measured or {}).get((row.rule, row.call), "")
            parts.append(f"| {row.framework} | `{row.call}` | {ours} | {found} |")
        absent = [name for name in ("Keras", "PyTorch", "Optax") if name not in HAVING.get(rule, {name})]
        parts += ["", f"{' and '.join(absent)} has none.", ""] if absent else [""]
    return "\n".join(parts)


def read(text: str) -> list[tuple[str, ...]]:
    """Return the cells of a page's tables, without what was measured."""
    lines = [line for line in text.splitlines() if line.startswith(("| ", "## "))]
    return [tuple(line.strip("| ").split(" | ")[:3]) for line in lines]


def rounded(difference: float) -> str:
    """Return the next power of ten, or that there is no difference.

    >>> rounded(3e-15), rounded(0.0)
    ('1e-14', 'none')
    """
    return "none" if difference == 0 else f"1e{math.ceil(math.log10(difference))}"


def main() -> None:
    """Measure all rows, print what was found, and write the page."""
    absent = [package for framework in FRAMEWORKS for package in missing(framework)]
    if absent:
        sys.exit(f"The page needs every framework. Missing: {', '.join(absent)}")
    measured = {}
    for row in ROWS:
        found = rounded(measure(row)) if row.ours else ""
        measured[row.rule, row.call] = found
        print(f"{row.rule:16} {found:8} {row.call}")
    page = document(measured) + "Measured with " + "; ".join(versions(framework) for framework in FRAMEWORKS) + ".\n"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
