"""Faults planted in the rules and in the engine, one each, and the checks of `check_optimizer` that catch it.

`python tests/faults.py` runs all checks on all faults and prints the page docs/faults.md. A row says what is faulty,
which optimizer is checked, in which function `wrong` then stands for `right`, and which checks must fail. A wrong
formula must break a law that the rule declares; what the engine does wrong must show on a rule that declares nothing.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinMethodType, CodeType
from typing import Any
from unittest import mock

from minidl import parameters, schedules, testing, validation
from minidl.optimizers import (
    LAMB,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    CenteredRMSprop,
    Lion,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
    RMSpropMomentum,
    spans,
    state,
)
from minidl.parameters import Parameter
from minidl.testing import checking
from minidl.testing.optimizers import subject

EXAMPLES = 10

# A fault must give wrong numbers, not stumble over its own text.
CRASHES = ("NameError", "UnboundLocalError", "SyntaxError")


class Plain(Adam):
    """Adam that declares nothing: what fails here is found without knowing the formula."""

    laws = ()


class PlainSGD(SGD):
    """Likewise, without slots and without a count of steps in its formula."""

    laws = ()


class PlainNadam(Nadam):
    """Likewise, with numbers that one step keeps for the next."""

    laws = ()


class PlainAdamW(AdamW):
    """Likewise, with a weight decay."""

    laws = ()


class PlainLAMB(LAMB):
    """Likewise, a rule for whole tensors."""

    laws = ()


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        what: What is faulty, in words.
        subject: What is checked.
        target: The function that is made faulty.
        right: What its source says, once.
        wrong: What it says instead.
        caught_by: The checks that must fail.
        classic: Its name in an experiment with sixteen faults, if it is one of them.
    """

    what: str
    subject: type[Optimizer]
    target: Any
    right: str
    wrong: str
    caught_by: tuple[str, ...]
    classic: str = ""


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Inside, the fault's function runs the wrong code, whoever calls it."""
    function = fault.target
    right = function.__code__
    function.__code__ = _compiled(function, fault.right, fault.wrong)
    try:
        yield
    finally:
        function.__code__ = right


def _compiled(function: Any, right: str, wrong: str) -> CodeType:
    """Return the code of `function` with `wrong` where its source has `right`."""
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(right) != 1:
        raise ValueError(f"{function.__qualname__} must have it once, not {source.count(right)} times: {right!r}")
    definition = ast.parse(source.replace(right, wrong)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    codes = [compile(ast.Module([definition], []), f"<{function.__qualname__}, faulty>", "exec")]
    for code in codes:  # the list grows
        if code.co_name == function.__name__:
            assert code.co_freevars == function.__code__.co_freevars
            return code
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    raise AssertionError(f"{function.__qualname__} has no code")


def failing(fault: Fault, checks: Collection[str] | None = None, stop_on_first: bool = False) -> dict[str, str]:
    """Return what the checks say that fail while the fault is planted, by their names."""
    with planted(fault):
        return failures(fault.subject, checks=checks, examples=EXAMPLES, stop_on_first=stop_on_first)


def failures(make: Any, **options: Any) -> dict[str, str]:
    """Return what the checks of an optimizer say that fail, by their names; `options` are those of check_optimizer."""
    with quick():
        report = testing.check_optimizer(make, raises=False, **options)
    return {result.check: result.detail for result in report.failures}


@contextmanager
def quick() -> Iterator[None]:
    """Inside, Hypothesis draws examples, but makes none that fails smaller, which takes most of the time."""

    def draw(examples: int, strategy: Any, take: Any) -> None:
        if isinstance(take, BuiltinMethodType):  # a list's append; else it is a check that has failed
            checking.for_all(examples, strategy, take)

    with mock.patch.object(subject, "for_all", draw):
        yield


# The rules -------------------------------------------------------------------------------------------------

BOTH_CORRECTIONS = "m_hat = 1 / (1 - beta_1**t) * m\n    v_hat = 1 / (1 - beta_2**t) * v"
MEAN_OF_SQUARES = "v = beta_2 * v + (1 - beta_2) * (g * g)"
CLOSED, IMPULSE = "law_constant_gradient", "law_impulse"

# fmt: off
RULES = [
    # Adam: nine wrong formulas
    Fault("no bias correction", Adam, Adam.update, BOTH_CORRECTIONS, "m_hat, v_hat = m, v",
          ("law_first_step", CLOSED, IMPULSE), "no bias correction"),
    Fault("v isn't corrected", Adam, Adam.update, "v_hat = 1 / (1 - beta_2**t) * v", "v_hat = v",
          ("law_first_step", CLOSED, IMPULSE), "only none on v"),
    Fault("m isn't corrected", Adam, Adam.update, "m_hat = 1 / (1 - beta_1**t) * m", "m_hat = m",
          ("law_first_step", CLOSED, IMPULSE)),
    Fault("t begins at 2", Adam, Adam.update, "m_hat = 1", "t = t + 1\n    m_hat = 1",
          ("law_first_step", CLOSED, IMPULSE), "t off by one"),
    Fault("β₁ and β₂ swapped", Adam, Adam.update, "m = beta_1 * m",
          "beta_1, beta_2 = beta_2, beta_1\n    m = beta_1 * m", (IMPULSE,), "betas swapped"),
    Fault("the step along g, not m", Adam, Adam.update, "m_hat = 1 / (1 - beta_1**t) * m", "m_hat = g",
          ("hyperparameters_used", IMPULSE), "no momentum"),
    Fault("v never decays", Adam, Adam.update, "v = beta_2 * v", "v = v", (CLOSED, IMPULSE), "v never decays"),
    Fault("v a mean of |g|", Adam, Adam.update, "(g * g)", "np.abs(g)",
          ("law_homogeneous", "law_first_step", CLOSED), "|g| for g²"),
    Fault("v of the step before", Adam, Adam.update, f"{MEAN_OF_SQUARES}\n    {BOTH_CORRECTIONS}",
          f"before = v\n    {MEAN_OF_SQUARES}\n    m_hat = 1 / (1 - beta_1**t) * m\n"
          "    v_hat = 1 / (1 - beta_2**t) * before",
          ("law_first_step", CLOSED), "stale v"),
    Fault("ε inside the root", Adam, Adam.update, "np.sqrt(v_hat + epsilon_root) + epsilon",
          "np.sqrt(v_hat + epsilon_root + epsilon)", (CLOSED, IMPULSE), "epsilon in root"),
    Fault("ε added before the correction", Adam, Adam.update, "(np.sqrt(v_hat + epsilon_root) + epsilon)",
          "(np.sqrt(v_hat + epsilon_root) + epsilon / (1 - beta_2**t) ** 0.5)", (CLOSED, IMPULSE)),
    Fault("ε forgotten", Adam, Adam.update, " + epsilon)", ")",
          ("zero_gradient_finite", "tiny_gradients_finite", "epsilon_visible", CLOSED)),
    Fault("slots returned in the wrong order", Adam, Adam.update, "+ epsilon), m, v", "+ epsilon), v, m",
          ("law_sign_symmetric", CLOSED, IMPULSE)),
    Fault("the weights of m and g swapped", Adam, Adam.update, "beta_1 * m + (1 - beta_1) * g",
          "(1 - beta_1) * m + beta_1 * g", (CLOSED, IMPULSE)),
    Fault("the root forgotten", Adam, Adam.update, "np.sqrt(v_hat + epsilon_root)", "(v_hat + epsilon_root)",
          ("law_homogeneous", "law_first_step", CLOSED)),
    Fault("v from m² instead of g²", Adam, Adam.update, "(g * g)", "(m * m)", (CLOSED, IMPULSE)),
    Fault("β₁ fixed at 0.9", Adam, Adam.update, "m = beta_1 * m", "beta_1 = 0.9\n    m = beta_1 * m",
          ("hyperparameters_used", IMPULSE)),
    Fault("entries with zero gradient are left alone", Adam, Adam.update, "m_hat = 1 / (1 - beta_1**t) * m",
          "m_hat = (g != 0) * (1 / (1 - beta_1**t) * m)", (IMPULSE,)),
    # descent
    Fault("uphill", SGD, SGD.update, "w - learning_rate * g", "w + learning_rate * g",
          ("descends_convex", "descends_ill_conditioned", "descends_noisy", "descends_cliff", "law_descent_direction",
           CLOSED)),
    Fault("the sign of the gradient only", SGD, SGD.update, "learning_rate * g", "learning_rate * np.sign(g)",
          ("law_homogeneous", "law_linear", CLOSED)),
    Fault("large gradients clipped", SGD, SGD.update, "* g", "* np.clip(g, -1e3, 1e3)",
          ("law_homogeneous", "law_linear", CLOSED)),
    Fault("weights decay though nobody asked", SGD, SGD.update, "w - learning_rate * g",
          "w - learning_rate * (g + 1e-4 * w)", ("law_rests",)),
    Fault("the rate squared", SGD, SGD.update, "learning_rate * g", "learning_rate**2 * g",
          ("law_proportional_to_rate", CLOSED)),
    Fault("a constant added to the gradient", SGD, SGD.update, "* g", "* (g + 1e-12)",
          ("law_sign_symmetric", "law_rests", "law_descent_direction")),
    Fault("dampening on the wrong term", Momentum, Momentum.update, "v = momentum * v + (1 - dampening) * g",
          "v = (1 - dampening) * momentum * v + g", (CLOSED, IMPULSE)),
    Fault("the velocity subtracted", Momentum, Momentum.update, "momentum * v + (1 - dampening) * g",
          "(1 - dampening) * g - momentum * v", (CLOSED, IMPULSE)),
    Fault("η inside the velocity where it was to be outside", Momentum, Momentum.update,
          "v = momentum * v + (1 - dampening) * g\n    return w - learning_rate * v, v",
          "v = momentum * v + (1 - dampening) * learning_rate * g\n    return w - v, v", ("law_proportional_to_rate",)),
    Fault("η twice, inside the velocity and outside", Momentum, Momentum.update, "return w - v, v",
          "return w - learning_rate * v, v", (CLOSED, IMPULSE, "law_reduces_to_2")),
    Fault("the velocity of the step before", Momentum, Momentum.update,
          "v = momentum * v + (1 - dampening) * g\n    return w - learning_rate * v, v",
          "return w - learning_rate * v, momentum * v + (1 - dampening) * g",
          ("law_descent_direction", "law_reduces_to", CLOSED, IMPULSE)),
    Fault("learning_rate_inside ignored", Momentum, Momentum.update, "if learning_rate_inside:", "if False:",
          ("hyperparameters_used",)),
    Fault("momentum fixed at 0.9", Momentum, Momentum.update, "momentum * v + (1 - dampening) * g",
          "0.9 * v + (1 - dampening) * g", ("hyperparameters_used", "law_coasts")),
    Fault("the new velocity where the old one belongs", Nesterov, Nesterov.update,
          "w - learning_rate * (g + momentum * v)", "w - learning_rate * ((1 + momentum) * g + momentum**2 * v)",
          ("law_look_ahead", CLOSED, IMPULSE)),
    Fault("no look-ahead", Nesterov, Nesterov.update, "w - learning_rate * (g + momentum * v)",
          "w - learning_rate * v", ("law_look_ahead", CLOSED, IMPULSE)),
    Fault("the look-ahead with η inside without momentum", Nesterov, Nesterov.update,
          "(learning_rate * g + momentum * v)", "(learning_rate * g + v)", ("law_reduces_to_2", CLOSED, IMPULSE)),
    Fault("the sign of g, not of c", Lion, Lion.update, "np.sign(c)", "np.sign(g)", ("hyperparameters_used", IMPULSE)),
    Fault("c with β₂", Lion, Lion.update, "c = beta_1 * m + (1 - beta_1) * g", "c = beta_2 * m + (1 - beta_2) * g",
          ("hyperparameters_used", "law_reduces_to")),
    Fault("β₁ and β₂ swapped in Lion", Lion, Lion.update, "c = beta_1",
          "beta_1, beta_2 = beta_2, beta_1\n    c = beta_1", ("law_reduces_to",)),
    Fault("c itself, without its sign", Lion, Lion.update, "np.sign(c)", "c",
          ("law_homogeneous", "law_first_step", "law_bounded_step", CLOSED)),
    Fault("Lion's decay in the gradient", Lion, Lion.update, "c = beta_1 * m + (1 - beta_1) * g",
          "g, weight_decay = g + weight_decay * w, 0.0\n    c = beta_1 * m + (1 - beta_1) * g", ("law_shrinks",)),
    Fault("Lion's decay without the rate", Lion, Lion.update, "(1 - learning_rate * weight_decay)",
          "(1 - weight_decay)", ("zero_rate_rests", "law_shrinks")),
    # adaptive
    Fault("the sum of squares forgets", AdaGrad, AdaGrad.update, "G = G + g * g", "G = g * g", (CLOSED,)),
    Fault("AdaGrad without the root", AdaGrad, AdaGrad.update, "np.sqrt(G + epsilon_root)", "(G + epsilon_root)",
          ("law_homogeneous", "law_first_step", CLOSED)),
    Fault("the initial accumulator ignored", AdaGrad, AdaGrad.init_slots,
          'np.full_like(data, self.current("initial_accumulator"))', "np.zeros_like(data)",
          ("hyperparameters_used", CLOSED, IMPULSE)),
    Fault("this step's square not yet in the sum", AdaGrad, AdaGrad.update, "G = G + g * g\n    return",
          "before, G = G, G + g * g\n    return w - learning_rate * g / (np.sqrt(before + epsilon_root) + epsilon), G\n"
          "    return", ("law_first_step", CLOSED)),
    Fault("a norm in a rule that says it is elementwise", AdaGrad, AdaGrad.update, "G + g * g",
          "G + np.mean(g * g)", ("contract",)),
    Fault("rho and 1 - rho swapped", RMSprop, RMSprop.update, "rho * s + (1 - rho) * (g * g)",
          "(1 - rho) * s + rho * (g * g)", ("law_first_step", CLOSED, IMPULSE)),
    Fault("RMSprop without the root", RMSprop, RMSprop.update, "np.sqrt(s + epsilon_root)", "(s + epsilon_root)",
          ("law_homogeneous", "law_first_step", CLOSED)),
    Fault("ε as the least divisor, not added", RMSprop, RMSprop.update, "(np.sqrt(s + epsilon_root) + epsilon)",
          "np.maximum(np.sqrt(s + epsilon_root), epsilon)", (CLOSED, IMPULSE)),
    Fault("RMSprop with Adam's bias correction", RMSpropMomentum, RMSpropMomentum.update, "np.sqrt(s + epsilon_root)",
          "np.sqrt(s / (1 - rho) + epsilon_root)", ("law_first_step", "law_reduces_to", CLOSED)),
    Fault("the rate on the whole velocity too", RMSpropMomentum, RMSpropMomentum.update, "w - v, s, v",
          "w - learning_rate * v, s, v", ("law_proportional_to_rate", "law_reduces_to")),
    Fault("s and v returned in the wrong order", RMSpropMomentum, RMSpropMomentum.update, "w - v, s, v",
          "w - v, v, s", (CLOSED, IMPULSE)),
    Fault("the variance isn't centred", CenteredRMSprop, CenteredRMSprop.update, "np.maximum(s - m * m, 0)", "s",
          ("law_first_step", CLOSED, IMPULSE)),
    Fault("m² with the wrong weight", CenteredRMSprop, CenteredRMSprop.update, "m = rho * m + (1 - rho) * g",
          "m = rho * m + rho * g", (CLOSED, IMPULSE)),
    Fault("no ε over the line", AdaDelta, AdaDelta.update, "(D + epsilon)", "D",
          ("descends_convex", "law_descent_direction", IMPULSE)),
    Fault("AdaDelta's quotient inverted", AdaDelta, AdaDelta.update, "(D + epsilon) / (E + epsilon)",
          "(E + epsilon) / (D + epsilon)", (IMPULSE,)),
    Fault("D with the rate in it", AdaDelta, AdaDelta.update, "(delta * delta)", "(learning_rate * delta) ** 2",
          ("descends_convex",)),
    # moments
    Fault("the maximum forgotten in AMSGrad", AMSGrad, AMSGrad.update, "np.maximum(v_max, v)", "v", (IMPULSE,)),
    Fault("the maximum of corrected v", AMSGrad, AMSGrad.update, "np.maximum(v_max, v)",
          "np.maximum(v_max, v / (1 - beta_2**t))", ("law_constant_gradient_2", IMPULSE)),
    Fault("AMSGrad's correction of m missing", AMSGrad, AMSGrad.update,
          "1 / (1 - beta_1**t) * m if bias_correction else m", "m", ("law_first_step", CLOSED)),
    Fault("bias_correction the wrong way round", AMSGrad, AMSGrad.update,
          "m_hat = 1 / (1 - beta_1**t) * m if",
          "bias_correction = not bias_correction\n    m_hat = 1 / (1 - beta_1**t) * m if",
          ("law_first_step", CLOSED, "law_constant_gradient_2", IMPULSE)),
    Fault("the maximum forgotten in Adamax", Adamax, Adamax.update,
          "np.maximum(beta_2 * u, np.abs(g) + epsilon_max)", "beta_2 * u + np.abs(g) + epsilon_max", (CLOSED,)),
    Fault("u never decays", Adamax, Adamax.update, "np.maximum(beta_2 * u,", "np.maximum(u,",
          ("hyperparameters_used", IMPULSE)),
    Fault("|g| without the bars", Adamax, Adamax.update, "np.abs(g)", "g", ("law_sign_symmetric", CLOSED)),
    Fault("Adamax without its correction", Adamax, Adamax.update, "learning_rate / (1 - beta_1**t)", "learning_rate",
          ("law_first_step", CLOSED, IMPULSE)),
    Fault("the product of μ not kept", Nadam, Nadam.prepare, "mu_product * mu}", "mu}", (CLOSED, IMPULSE)),
    Fault("μₜ for μₜ₊₁", Nadam, Nadam.prepare, "_mu(t + 1, beta_1", "_mu(t, beta_1", (CLOSED, IMPULSE)),
    Fault("Nadam without Nesterov", Nadam, Nadam.update, "m_bar = mu_next / (1 - mu_product * mu_next) * m "
          "+ (1 - mu) / (1 - mu_product) * g", "m_bar = m / (1 - beta_1**t)", ("hyperparameters_used", IMPULSE)),
    Fault("the decay in the gradient", AdamW, AdamW.update, "w = (1 - learning_rate * weight_decay) * w",
          "g = g + weight_decay * w", ("law_shrinks",)),
    Fault("the decay without the rate", AdamW, AdamW.update, "learning_rate * weight_decay", "weight_decay",
          ("zero_rate_rests", "law_shrinks")),
    Fault("the decay with the wrong sign", AdamW, AdamW.update, "1 - learning_rate * weight_decay",
          "1 + learning_rate * weight_decay", ("law_shrinks",)),
    Fault("the decay added once more", AdamW, AdamW.update, "weight_decay) * w", "weight_decay) ** 2 * w",
          ("law_shrinks",)),
    # layerwise
    Fault("LAMB's v from |g|", LAMB, LAMB.update, "(g * g)", "np.abs(g)", ("law_homogeneous",)),
    Fault("a variance that rounding makes negative", CenteredRMSprop, CenteredRMSprop.update,
          "np.maximum(s - m * m, 0)", "s - m * m", ("constant_gradient_finite",)),
    # laws that know w and D
    Fault("D from g², not Δ²", AdaDelta, AdaDelta.update, "(delta * delta)", "(g * g)",
          ("law_constant_gradient",)),
    Fault("the trust ratio inverted", LAMB, LAMB.update, "lengths[0] / lengths[1]", "lengths[1] / lengths[0]",
          ("law_one_step",)),
    Fault("no trust ratio", LAMB, LAMB.update, "lengths[0] / lengths[1] if all(lengths) else 1.0", "1.0",
          ("law_one_step",)),
    Fault("the trust ratio squared", LAMB, LAMB.update, "lengths[0] / lengths[1] if",
          "(lengths[0] / lengths[1]) ** 2 if", ("law_one_step",)),
    Fault("the length of the first entry alone", LAMB, LAMB.update, "np.linalg.norm(w)",
          "np.linalg.norm(w.reshape(-1)[:1])", ("law_one_step",)),
    Fault("LAMB's decay outside the ratio", LAMB, LAMB.update, "ratio * r",
          "(ratio * (r - weight_decay * w) + weight_decay * w)", ("law_one_step",)),
    Fault("LAMB's decay with the wrong sign", LAMB, LAMB.update, "+ weight_decay * w", "- weight_decay * w",
          ("law_one_step",)),
    Fault("LAMB without bias correction", LAMB, LAMB.update, BOTH_CORRECTIONS, "m_hat, v_hat = m, v",
          ("law_one_step",)),
    # a rule's manners
    Fault("a slot written in place", Adam, Adam.update, "m = beta_1 * m + (1 - beta_1) * g",
          "m *= beta_1\n    m += (1 - beta_1) * g", ("contract",)),
    Fault("a NumPy scalar that widens float32", RMSprop, RMSprop.update, "learning_rate * g",
          "np.sqrt(learning_rate**2) * g", ("contract",)),
    Fault("a slot not returned", RMSprop, RMSprop.update, "+ epsilon), s", "+ epsilon)", ("contract",)),
    Fault("the gradient written to", RMSprop, RMSprop.update, "s = rho * s", "g *= 1.0\n    s = rho * s",
          ("contract",)),
Fault("no step where w is zero", LAMB, LAMB.update, "if all(lengths) else 1.0", "if lengths[1] else 1.0",
          ("law_one_step",)),
]

# The engine ------------------------------------------------------------------------------------------------

STEP, SWEEP, BUILD, LOAD = Optimizer.step, Optimizer._sweep_one, Optimizer.build, Optimizer.load_state_dict
SPAN = spans.Span.__init__
RUN = 'span.execution.run(self._wanted("update", keywords))'
KEEP_EACH = "entries = {parameter: Entry(self._start(parameter)) for parameter in new}"
SHARED = """self._signature = signature
        first = {}
        for span in self._layout:
            twin = first.setdefault(span.data.shape, span)
            pairs = zip(span.pieces, twin.pieces)
            span.pieces = [((t[0], *T[1:]), (*i[:2], *I[2:])) for (t, i), (T, I) in pairs]
"""
COUNT, LOG = 'vars(self)["iterations"] += 1', 'vars(self)["applied"] = values'
LOOK = "huge = self._refuse_nonfinite(spans)\n"
MOVE = textwrap.dedent(inspect.getsource(STEP)).partition(LOOK)[2].partition(f"    {COUNT}")[0]
CHECK_STATE = 'check_entries(self._called, state["parameters"], self._entries)'
APPLY_STATE = 'apply_entries(state["parameters"], self._entries)'

ENGINE = [
    # counting
    Fault("t counted once a parameter, for all", Plain, SWEEP, 'keywords = {**keywords, "t": span.t + 1, **kept}',
          'vars(self)["_calls"] = vars(self).get("_calls", 0) + 1\n'
          '    keywords = {**keywords, "t": self._calls, **kept}',
          ("split", "neighbours_independent"), "t per parameter"),
    Fault("t handed over one too small", Plain, SWEEP, '"t": span.t + 1', '"t": span.t', ("descends_convex",)),
    Fault("t handed over one too large", Adam, SWEEP, '"t": span.t + 1', '"t": span.t + 2',
          ("law_first_step", CLOSED, IMPULSE)),
    Fault("the optimizer's steps for a parameter's", Plain, SWEEP, '"t": span.t + 1', '"t": self.iterations + 1',
          ("unfrozen_late",)),
    Fault("t not counted where it is kept", Plain, SWEEP, "entry.t += 1", "pass",
          ("steps_counted_once", "save_and_load")),
    Fault("t counted twice", Plain, SWEEP, "entry.t += 1", "entry.t += 2", ("steps_counted_once", "save_and_load")),
    Fault("t counted only where it is kept", Plain, SWEEP, "span.t += 1", "pass", ("save_and_load",)),
    Fault("a step of the optimizer counted once a parameter", Plain, STEP, COUNT,
          "self.iterations += len(spans)", ("steps_counted_once",)),
    Fault("prepare is told t one too small", Nadam, SWEEP, "self._prepare(keywords, span.t + 1",
          "self._prepare(keywords, span.t", (CLOSED, IMPULSE)),
    Fault("what prepare returned is forgotten", Nadam, SWEEP, "entry.kept = kept", "entry.kept = {}",
          (CLOSED, IMPULSE)),
    # memory
    Fault("slots shared by parameters of one shape", Plain, Optimizer._spans, "self._signature = signature", SHARED,
          ("neighbours_independent",), "state shared by equal shapes"),
    Fault("all that is kept shared by parameters of one shape", Plain, BUILD, KEEP_EACH,
          "kinds = {p.shape: Entry(self._start(p)) for p in new}\n    entries = {p: kinds[p.shape] for p in new}",
          ("slots_apart", "steps_counted_once")),
    Fault("what is kept found by position", Plain, Optimizer._spans, "lay_out(trained, self._entries,",
          "lay_out(trained, dict(zip(trained, self._entries.values())),", ("order_of_parameters",)),
    Fault("the gradient zeroed after the step", Plain, SWEEP, "span.t += 1", "span.t += 1\n    span.grad[...] = 0",
          ("gradient_untouched",), "gradient modified"),
    Fault("the gradient scaled in place", Plain, STEP, "span.load()", "span.load()\n        span.grad *= 0.5",
          ("gradient_untouched",)),
    Fault("a new array instead of the parameter's own", Plain, STEP, "span.store()",
          "span.store()\n        for p in span.parameters:\n            p._data = p._data.copy()",
          ("in_place", "memory_layouts"), "array rebound instead of updated"),
    Fault("slots of float32 in float64", Plain, spans.compute_dtype, "return",
          "return np.dtype(np.float64)\n    return", ("dtype_kept",), "float64 state for float32"),
    Fault("slots of float16 in float16", Plain, spans.compute_dtype, "np.dtype(np.float32) if", "parameter.dtype if",
          ("zero_gradient_finite", "dtype_kept")),
    Fault("the first parameter's dtype for all slots", Plain, Optimizer._start, "compute_dtype(parameter)",
          'vars(self).setdefault("_dtype", compute_dtype(parameter))', ("dtypes_together",)),
    Fault("the first gradient for ever", Plain, SPAN, "inputs = (self.data, self.grad, *slots)",
          "inputs = (self.data, self.grad.copy(), *slots)", ("descends_convex", "order_of_parameters")),
    Fault("the last piece of a long parameter skipped", Plain, SPAN, "range(0, self.data.size, PIECE)",
          "range(0, max(self.data.size - PIECE, 1), PIECE)", ("shapes",)),
    Fault("pieces that overlap by an entry", Plain, SPAN, "slice(start, start + PIECE)",
          "slice(start, start + PIECE + 1)", ("shapes",)),
    Fault("the last entry of each parameter left out", Plain, SPAN, "slice(start, start + PIECE)",
          "slice(start, min(start + PIECE, self.data.size - 1))", ("permutation", "split", "shapes")),
    Fault("only whole blocks of eight entries", Plain, SPAN, "slice(start, start + PIECE)",
          "slice(start, min(start + PIECE, self.data.size // 8 * 8))", ("shapes", "descends_convex")),
    Fault("matrices and higher left out", Plain, spans.lay_out, "for parameter in parameters:",
          "for parameter in parameters:\n        if len(parameter.shape) > 1:\n            continue",
          ("reshape",)),
    Fault("parameters without axes left out", Plain, spans.lay_out, "for parameter in parameters:",
          "for parameter in parameters:\n        if not parameter.shape:\n            continue", ("shapes",)),
    Fault("an empty parameter stops those behind it", Plain, spans.lay_out, "for parameter in parameters:",
          "for parameter in parameters:\n        if not parameter.size:\n            break", ("shapes",)),
    Fault("the gradient read column by column", Plain, spans._memory, "first.grad.reshape(-1)",
          'first.grad.reshape(-1, order="F")', ("memory_layouts", "flat_storage")),
    Fault("slots of neighbours over one another", Plain, spans._gather_slots, "offset += part.size", "offset += 1",
          ("slots_apart",)),
    Fault("neighbours joined into storage with gaps", Plain, parameters.flatten, "offset += parameter.size",
          "offset += parameter.size - 1", ("flat_storage",)),
    Fault("values lost on the way into flat storage", Plain, Parameter.move, "self._data[...] = data", "pass",
          ("flat_storage",)),
    Fault("gradients assigned by reference", Plain, Parameter.grad.fset, 'self._assign(self._grad, value, "grad")',
          "self._grad = np.asarray(value, self.dtype)", ("descends_convex",)),
    Fault("assigned gradients added up", Plain, Parameter.grad.fset, "self._grad, value",
          "self._grad, self._grad + value",
          ("micro_batches", "gradient_untouched", "descends_convex")),
    # which parameters, and how fast
    Fault("frozen parameters stepped", Plain, Optimizer._spans, " if parameter.trainable]", "]",
          ("frozen_untouched", "unfrozen_late")),
    Fault("steps of frozen parameters counted", Plain, STEP, COUNT,
          "self.iterations += 1\n    for p, entry in self._entries.items():\n        entry.t += not p.trainable",
          ("frozen_untouched", "unfrozen_late")),
    Fault("slots of frozen parameters decay", Plain, STEP, COUNT,
          "self.iterations += 1\n    for p, entry in self._entries.items():\n"
          "        entry.slots['m'][...] *= 1 if p.trainable else 0.9", ("frozen_untouched",)),
    Fault("freezing not noticed", Plain, Optimizer._spans, "p.trainable, ", "", ("frozen_untouched", "unfrozen_late")),
    Fault("everything forgotten when a parameter is frozen", Plain, Optimizer._spans, "self.build(parameters)",
          "self._entries.clear()\n        self.build(parameters)", ("frozen_untouched",)),
    Fault("multipliers ignored", Plain, STEP, " * span.multiplier", "", ("rate_multiplier",)),
    Fault("a parameter given twice accepted", Plain, BUILD, "if len(set(parameters)) < len(parameters):", "if False:",
          ("given_twice_refused",)),
    Fault("zero gradients skipped", Adam, SWEEP, RUN,
          f"if span.grad.any():\n        {RUN}", (IMPULSE,), "zero gradients skipped"),
    Fault("the rate drawn a little anew each step", Plain, STEP, "span.load()",
          "span.load()\n        span.learning_rate *= 1 + 1e-9 * np.random.random()", ("deterministic",)),
    # what isn't finite
    Fault("gradients that aren't finite accepted", Plain, STEP, "huge = self._refuse_nonfinite(spans)", "huge = False",
          ("nonfinite_refused", "overflow_refused")),
    Fault("NaN refused, infinity accepted", Plain, Optimizer._refuse_nonfinite,
          "not all(part.largest_square() < span.safe for part in span.parts)", "np.isnan(span.source_grad).any()",
          ("nonfinite_refused", "overflow_refused")),
    Fault("gradients looked at when it is too late", Plain, STEP, LOOK + MOVE,
          f"huge = False\n{MOVE}    self._refuse_nonfinite(spans)\n", ("nonfinite_refused",)),
    Fault("only the first parameter looked at", Plain, Optimizer._refuse_nonfinite, "for span in spans:",
          "for span in spans[:1]:", ("nonfinite_refused",)),
    Fault("overflow not looked for", Plain, STEP, "if huge:", "if False:", ("overflow_refused",)),
    Fault("overflow refused, but left as it is", Plain, spans.Span.restore, "np.copyto(target, array)", "pass",
          ("overflow_refused",)),
    Fault("overflow looked for in w alone", Plain, spans.Span.overflowed, '("w", *self.entries[0].slots)', '("w",)',
          ("overflow_refused",)),
    # hyperparameters
    Fault("assignments after construction ignored", Plain, Optimizer.__setattr__, "value = self.checked(name, value)",
          'value = vars(self)[name] if vars(self).get("_locked") else self.checked(name, value)',
          ("hyperparameters_used", "zero_rate_rests"), "lr frozen at construction"),
    Fault("hyperparameters read once", Plain, Optimizer._current, "if not callable(value):",
          'value = vars(self).setdefault("_read", {}).setdefault(name, value)\n    if not callable(value):',
          ("rate_changes_at_once", "schedule_by_index")),
    Fault("schedules given the index of the next step", Plain, Optimizer._current, "else self.iterations",
          "else self.iterations + 1", ("schedule_by_index", "rate_applied")),
    Fault("schedules of steps given epochs", Plain, Optimizer._current, '== "epoch"', '== "step"',
          ("schedule_by_index", "rate_applied")),
    Fault("a schedule that counts its calls", Plain, schedules.Schedule.__call__,
          "integer(type(self).__name__, \"index\", index)",
          'vars(self).setdefault("_calls", iter(range(10**9))).__next__()', ("rate_applied",)),
    Fault("the values of the next step logged", Plain, STEP, LOG,
          "self.applied = {name: self.current(name) for name in self._names}", ("rate_applied",)),
    Fault("the values of the first step logged for ever", Plain, STEP, LOG,
          "self.applied = self.applied or values", ("rate_applied",)),
    Fault("assignments unchecked", Plain, Optimizer.__setattr__, "if name in known:",
          'if name in known and not vars(self).get("_locked"):', ("range_refused",)),
    Fault("NaN counts as within every range", Plain, validation.number, "if result not in Interval.parse(interval):",
          "if result == result and result not in Interval.parse(interval):", ("range_refused",)),
    Fault("any attribute taken", Plain, Optimizer.__setattr__, 'vars(self).get("_locked") and', "False and",
          ("unknown_refused",)),
    Fault("NumPy's numbers kept as they are", Plain, Optimizer.checked,
          'return number(self._called, name, value, interval or "(-inf, inf)")',
          'number(self._called, name, value, interval or "(-inf, inf)")\n    return value', ("number_types",)),
    # saving and loading
    Fault("live slots in the state", Plain, state.entries_dict, "slot.copy()", "slot", ("state_is_copy",)),
    Fault("t not saved", Plain, state.entries_dict, '"t": entry.t', '"t": 0', ("save_and_load",)),
    Fault("t not loaded", Plain, state.apply_entries, 'int(source["t"])', "entry.t", ("save_and_load",)),
    Fault("what prepare returned not saved", PlainNadam, state.entries_dict, "dict(entry.kept)", "{}",
          ("save_and_load",)),
    Fault("what prepare returned not loaded", PlainNadam, state.apply_entries, 'source["kept"].items()', "()",
          ("save_and_load",)),
    Fault("slots not loaded", Plain, state.apply_entries, 'slot[...] = source["slots"][name]', "pass",
          ("save_and_load", "load_by_name")),
    Fault("slots loaded only one into the other", Plain, state.apply_entries, 'source["slots"][name]',
          'source["slots"]["m"]', ("load_by_name",)),
    Fault("loaded by position", Plain, state.apply_entries, "saved[parameter.name]",
          "list(saved.values())[list(entries).index(parameter)]", ("load_by_name",)),
    Fault("the count of steps not saved", Plain, Optimizer.state_dict, '"iterations": self.iterations',
          '"iterations": 0', ("schedule_resumes",)),
    Fault("the count of steps not loaded", Plain, LOAD, 'state["iterations"], state["epoch"]',
          'self.iterations, state["epoch"]', ("schedule_resumes",)),
    Fault("hyperparameters not loaded", Plain, LOAD, "setattr(self, name, value)", "pass",
          ("save_and_load", "schedule_resumes")),
    Fault("a schedule saved as its first value", Plain, state.described, "describe_object(value)", "value(0)",
          ("schedule_resumes",)),
    Fault("a state loaded without a look at names and shapes", Plain, LOAD,
          CHECK_STATE, "pass", ("load_all_or_nothing",)),
    Fault("a state looked at when half of it is loaded", Plain, LOAD, f"{CHECK_STATE}\n        {APPLY_STATE}",
          f"{APPLY_STATE}\n        {CHECK_STATE}", ("load_all_or_nothing",)),
    Fault("any class's state taken", Plain, state.check_state, 'choice(name, "class", given["class"], (name,))', "pass",
          ("load_all_or_nothing",)),
    Fault("a state loaded before the first step dropped", Plain, BUILD, "if self._pending:", "if False:",
          ("save_and_load",)),
    Fault("a config's values dropped", Plain, Optimizer.from_config.__func__, "cls(**config)", "cls()",
          ("config_round_trip",)),
    Fault("a copy starts anew", Plain, Optimizer.__getstate__, "**_no_layout()}", '"_entries": {}, **_no_layout()}',
          ("deepcopy_connected", "pickle_connected")),
    # growth
    Fault("a list that grows with each step", Plain, STEP, LOG,
          'self.applied = values\n    vars(self).setdefault("_history", []).append(dict(values))', ("no_growth",)),
    Fault("work that grows with t", Plain, SWEEP, "span.t += 1", "span.t += 1\n    sum(1 for _ in range(span.t))",
          ("no_growth",)),
    # what a suite of checks easily overlooks
    Fault("slots shared by parameters of one name", Plain, Optimizer._spans, "self._signature = signature",
          SHARED.replace("span.data.shape", "span.parameters[0].name"), ("neighbours_independent",)),
    Fault("float16 parameters never move", Plain, spans.Span.store, "np.copyto(self.source_data,",
          "np.copyto(self.source_data.copy(),", ("precisions_agree",)),
    Fault("the first gradient for ever, of float16", Plain, spans.Span.load, "np.copyto(self._grad, self.source_grad)",
          "pass", ("precisions_agree",)),
    Fault("a copy of what isn't contiguous is stepped", Plain, spans._memory, "first.data.flags.c_contiguous",
          "True", ("memory_layouts",)),
    Fault("neighbours joined though they don't touch", Plain, spans._equals,
          "first.offset + first.size == second.offset", "first.offset < second.offset", ("flat_storage",)),
    Fault("neighbours joined though their t differ", Plain, spans._equals, "(one.t, one.kept) == (two.t, two.kept)",
          "True", ("flat_storage",)),
    Fault("neighbours joined though their rates differ", Plain, spans._equals,
          "first.learning_rate_multiplier == second.learning_rate_multiplier", "True", ("flat_storage",)),
    Fault("neighbours joined though their decays differ", PlainAdamW, spans._equals,
          "first.weight_decay_multiplier == second.weight_decay_multiplier", "True", ("flat_storage",)),
    Fault("slots joined in the wrong order", Plain, spans._gather_slots, "for entry in entries]",
          "for entry in entries[::-1]]", ("flat_storage",)),
    Fault("a changed multiplier not noticed", Plain, Optimizer._spans, "p.learning_rate_multiplier, ", "",
          ("rate_multiplier",)),
    Fault("multipliers of the decay ignored", PlainAdamW, SWEEP, "*= span.weight_decay_multiplier", "*= 1",
          ("decay_multiplier",)),
    Fault("other parameters not noticed", Plain, Optimizer._spans, "(p, id(p.data), ", "(", ("given_in_turn",)),
    Fault("changes of parameters not counted", Plain, Optimizer._spans, "Changes.count", "0",
          ("frozen_untouched",)),
    Fault("moved memory not noticed", Plain, Optimizer._spans, "id(p.data), ", "", ("gradient_not_kept",)),
    Fault("a refused step counted", Plain, spans.Span.restore, "self.t = saved.t", "pass", ("overflow_refused",)),
    Fault("schedules of epochs given steps", Plain, Optimizer._current, 'self.epoch if', 'self.iterations if',
          ("schedule_of_epochs",)),
    Fault("the count of epochs not saved", Plain, Optimizer.state_dict, '"epoch": self.epoch', '"epoch": 0',
          ("schedule_of_epochs",)),
    Fault("a state loaded before the first step isn't saved again", Plain, Optimizer.state_dict,
          "deepcopy(self._pending) or ", "", ("save_and_load",)),
    Fault("a layout kept over a load", Plain, LOAD, "self._forget_layout()", "pass", ("rewind",)),
    Fault("a copied parameter viewed at the wrong place", Plain, Parameter.__setstate__, "self.offset, shape",
          "0, shape", ("deepcopy_connected", "pickle_connected")),
    Fault("the rate of the first parameter for all", Plain, STEP, "span.multiplier", "spans[0].multiplier",
          ("rate_multiplier",)),
]

# fmt: on

FAULTS = [*RULES, *ENGINE]


# The page --------------------------------------------------------------------------------------------------

ABOVE = """# Planted faults

{count} faults, planted one at a time in the rules and in the engine, and the checks of `testing.check_optimizer` that
catch each, with {examples} examples a property, and without an oracle.
`tests/test_faults.py` insists on the checks in bold. A star marks the sixteen faults of an experiment in which the
tests of seven frameworks, taken together, caught ten. The page is what `python tests/faults.py` prints.

| what is faulty | where | caught by |
|---|---|---|
"""


def page(found: Iterable[tuple[Fault, Collection[str]]]) -> str:
    """Return the Markdown page of the faults and the checks that caught them."""
    rows = [_row(fault, checks) for fault, checks in found]
    return ABOVE.format(count=len(rows), examples=EXAMPLES) + "\n".join(rows) + "\n"


def _row(fault: Fault, checks: Collection[str]) -> str:
    demanded = [f"**{check}**" for check in fault.caught_by]
    others = [check for check in checks if check not in fault.caught_by]
    mark = " *" if fault.classic else ""
    return f"| {title(fault)}{mark} | `{fault.target.__qualname__}` | {', '.join([*demanded, *others])} |"


def title(fault: Fault) -> str:
    """Return what the page calls a fault."""
    return fault.what.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page((fault, failing(fault)) for fault in FAULTS))
