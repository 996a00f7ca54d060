"""Which checks of `testing.check_optimizer` do optimizers pass, ours and others'? `python -m benchmarks.compliance`.

It prints what failed and writes docs/compliance.md. What the page says of another framework is in `VERIFIED`: each
failure was reproduced with that framework's own API, without the adapters of `benchmarks/peers`. One that isn't there
is printed, and shown as a question mark. Frameworks that aren't installed are left out.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers import missing, peer, versions
from minidl import __version__, optimizers, testing
from minidl.testing import Report, Result

__all__ = ["PAGE", "THEIRS", "VERIFIED", "Finding", "document"]

PAGE = Path(__file__).parents[1] / "docs" / "compliance.md"

# Framework: the optimizers, as the page calls them, and what makes them.
THEIRS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "PyTorch": {
        "SGD": ("SGD", {}),
        "SGD, momentum": ("SGD", {"momentum": 0.9}),
        "SGD, Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
        "Adagrad": ("Adagrad", {}),
        "RMSprop": ("RMSprop", {}),
        "Adadelta": ("Adadelta", {}),
        "Adam": ("Adam", {}),
        "AdamW": ("AdamW", {}),
        "NAdam": ("NAdam", {}),
        "Adamax": ("Adamax", {}),
    },
    "Keras": {
        "SGD": ("SGD", {}),
        "SGD, momentum": ("SGD", {"momentum": 0.9}),
        "SGD, Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
        "Adagrad": ("Adagrad", {}),
        "RMSprop": ("RMSprop", {}),
        "Adadelta": ("Adadelta", {}),
        "Adam": ("Adam", {}),
        "AdamW": ("AdamW", {}),
        "Nadam": ("Nadam", {}),
        "Adamax": ("Adamax", {}),
        "Lion": ("Lion", {}),
        "Lamb": ("Lamb", {}),
    },
    "Optax": {
        "sgd": ("sgd", {"learning_rate": 0.01}),
        "sgd, momentum": ("sgd", {"learning_rate": 0.01, "momentum": 0.9}),
        "sgd, Nesterov": ("sgd", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
        "adagrad": ("adagrad", {"learning_rate": 0.01}),
        "rmsprop": ("rmsprop", {"learning_rate": 0.001}),
        "adadelta": ("adadelta", {"learning_rate": 1.0}),
        "adam": ("adam", {"learning_rate": 0.001}),
        "adamw": ("adamw", {"learning_rate": 0.001}),
        "nadam": ("nadam", {"learning_rate": 0.001}),
        "adamax": ("adamax", {"learning_rate": 0.001}),
        "lion": ("lion", {"learning_rate": 0.0001}),
        "lamb": ("lamb", {"learning_rate": 0.001}),
    },
    "scikit-learn": {
        "SGD": ("SGDOptimizer", {"nesterov": False}),
        "SGD, Nesterov": ("SGDOptimizer", {}),
        "Adam": ("AdamOptimizer", {}),
    },
}


class Finding(NamedTuple):
    """What was verified by hand of a framework's optimizers, as the page calls them; of all that fail if None."""

    framework: str
    check: str
    text: str
    which: tuple[str, ...] | None = None


HALF_ZERO = "in float16 the default ε is lost beside √v, and a zero gradient from rest makes 0 / 0 = NaN"
HALF_TINY = "in float16 a gradient of 6e-8, whose square is 0, makes NaN or -inf"
HALF_TINY_ZERO = "in float16 an entry whose gradient is zero becomes NaN, as above"
STOPS = (
    "a gradient whose square overflows (1e38 in float32) is taken; the slot stays infinite, and the entry never "
    "follows a gradient again"
)
BECOMES_NAN = "a gradient whose square overflows (1e38 in float32) is taken; the entry is NaN after the next step"
NOT_A_NUMBER = "a gradient of NaN makes the parameter NaN"
ARRAY = "an array without axes as one of its numbers raises TypeError in the step"
HIDDEN_EPSILON = "beside the accumulator's start of 0.1 ε = 1e-7 decides nothing, whatever the gradient"
LIVE = (
    "state_dict returns the live tensors and load_state_dict keeps them: who loads the state of an optimizer that "
    "goes on shares it. Through a file, or copy.deepcopy, it continues exactly"
)
LIVE_NADAM = (
    "state_dict returns the live tensors and load_state_dict keeps them. Copied or not, load_state_dict casts float64 "
    "parameters' mu_product, which was float32, to float64: what follows differs by about 1e-12"
)

VERIFIED = (
    Finding(
        "PyTorch", "zero_gradient_finite", HALF_ZERO, ("Adagrad", "RMSprop", "Adam", "AdamW", "NAdam", "Adamax")
    ),
    Finding("PyTorch", "tiny_gradients_finite", HALF_TINY, ("Adagrad", "RMSprop", "Adam", "AdamW", "NAdam")),
    Finding("PyTorch", "tiny_gradients_finite", HALF_TINY_ZERO, ("Adamax",)),
    Finding(
        "PyTorch", "number_types", "an array without axes as one of betas raises ValueError in the constructor",
        ("Adam", "AdamW"),
    ),
    Finding(
        "PyTorch", "number_types", ARRAY,
        ("SGD, momentum", "SGD, Nesterov", "Adagrad", "RMSprop", "Adadelta", "NAdam", "Adamax"),
    ),
    Finding(
        "PyTorch", "overflow_refused", STOPS, ("Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "NAdam")
    ),
    Finding("PyTorch", "given_twice_refused", "it warns, and steps the parameter twice"),
    Finding("PyTorch", "nonfinite_refused", NOT_A_NUMBER),
    Finding(
        "PyTorch", "unknown_refused",
        "an unknown key in param_groups is taken, and an unknown attribute; the constructor refuses unknown arguments",
    ),
    Finding(
        "PyTorch", "range_refused", "the constructor takes lr=nan and lr=inf, and param_groups takes -1",
        ("SGD", "SGD, momentum", "SGD, Nesterov"),
    ),
    Finding("PyTorch", "range_refused", "the constructor takes lr=inf, and param_groups takes -1"),
    Finding("PyTorch", "rate_changes_at_once", LIVE_NADAM, ("NAdam",)),
    Finding("PyTorch", "save_and_load", LIVE_NADAM, ("NAdam",)),
    Finding("PyTorch", "rate_changes_at_once", LIVE),
    Finding("PyTorch", "save_and_load", LIVE),
    Finding("PyTorch", "state_is_copy", LIVE),
    Finding("PyTorch", "rewind", LIVE),
    Finding(
        "Keras", "given_in_turn", "an optimizer steps the variables with which it was built, and raises for others"
    ),
    Finding(
        "PyTorch", "load_by_name", "a state goes to parameters by their order, even where they were given with names"
    ),
    Finding(
        "PyTorch", "load_all_or_nothing",
        "a state with an unknown key or of another shape is taken; the shape shows as a RuntimeError in the next step",
    ),
    Finding("Keras", "zero_gradient_finite", HALF_ZERO, ("Adamax",)),
    Finding("Keras", "tiny_gradients_finite", HALF_TINY, ("Adamax",)),
    Finding(
        "Keras", "number_types", f"on PyTorch's backend {ARRAY}",
        (
            "SGD, momentum", "SGD, Nesterov", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Nadam", "Adamax",
            "Lion",
        ),
    ),
    Finding("Keras", "epsilon_visible", HIDDEN_EPSILON, ("Adagrad",)),
    Finding(
        "Keras", "overflow_refused", STOPS, ("Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Nadam")
    ),
    Finding("Keras", "overflow_refused", BECOMES_NAN, ("Lamb",)),
    Finding("Keras", "given_twice_refused", "a variable given twice is stepped twice"),
    Finding("Keras", "unfrozen_late", "a variable for which it wasn't built raises ValueError"),
    Finding("Keras", "nonfinite_refused", NOT_A_NUMBER),
    Finding(
        "Keras", "dtypes_together",
        "on PyTorch's backend the numbers of a step are cast to the precision of the first variable: behind a "
        "float16 one a float32 one takes other steps",
        ("Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Nadam", "Adamax", "Lion"),
    ),
    Finding("Keras", "unknown_refused", "an unknown attribute is taken; the constructor refuses an unknown argument"),
    Finding("Keras", "range_refused", "a learning rate of NaN or -1 is taken"),
    Finding("Keras", "load_by_name", "a state goes to variables by their order"),
    Finding(
        "Keras", "load_all_or_nothing",
        "a state with a variable too many, or without any, is no error: it warns and loads nothing",
    ),
    Finding("Keras", "deepcopy_connected", "a copy warns and starts anew: its slots and count of steps are gone"),
    Finding("Keras", "pickle_connected", "a copy warns and starts anew: its slots and count of steps are gone"),
    Finding(
        "Optax", "zero_gradient_finite", HALF_ZERO, ("rmsprop", "adam", "adamw", "nadam", "adamax")
    ),
    Finding("Optax", "tiny_gradients_finite", HALF_TINY, ("rmsprop", "adam", "adamw", "nadam")),
    Finding("Optax", "tiny_gradients_finite", HALF_TINY_ZERO, ("adamax",)),
    Finding("Optax", "epsilon_visible", HIDDEN_EPSILON, ("adagrad",)),
    Finding(
        "Optax", "overflow_refused", STOPS, ("adagrad", "rmsprop", "adadelta", "adam", "adamw", "lamb")
    ),
    Finding("Optax", "overflow_refused", BECOMES_NAN, ("nadam",)),
    Finding("Optax", "nonfinite_refused", NOT_A_NUMBER),
    Finding("Optax", "range_refused", "a text, NaN or -1 as learning rate is taken when the optimizer is made"),
    Finding("scikit-learn", "zero_gradient_finite", HALF_ZERO, ("Adam",)),
    Finding("scikit-learn", "tiny_gradients_finite", HALF_TINY, ("Adam",)),
    Finding("scikit-learn", "overflow_refused", STOPS, ("Adam",)),
    Finding(
        "scikit-learn", "number_types",
        "numpy.float64 as momentum makes the velocities of float32 parameters float64", ("SGD", "SGD, Nesterov"),
    ),
    Finding("scikit-learn", "given_twice_refused", "an array given twice is stepped twice"),
    Finding("scikit-learn", "nonfinite_refused", NOT_A_NUMBER),
    Finding("scikit-learn", "unknown_refused", "an unknown attribute is taken"),
)  # fmt: skip


# Running --------------------------------------------------------------------------------------------------


def makers(framework: str) -> dict[str, Callable[[], Any]]:
    """Return what makes each optimizer of a framework, "minidl" among them, by its title on the page."""
    if framework == "minidl":
        known = [getattr(optimizers, name) for name in optimizers.__all__]
        rules = [thing for thing in known if isinstance(thing, type) and issubclass(thing, optimizers.Optimizer)]
        return {rule.__name__: rule for rule in rules if rule is not optimizers.Optimizer}
    return {
        title: functools.partial(peer, framework, name, **arguments)
        for title, (name, arguments) in THEIRS[framework].items()
    }


def run(make: Callable[[], Any], examples: int) -> Report:
    """Return the report of an optimizer; what its adapter can't show doesn't apply."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = testing.check_optimizer(make, examples=examples, raises=False)
        hidden = dict(getattr(make(), "hidden", {}))
    results = tuple(
        Result(result.check, result.meaning, "not applicable", hidden[result.check])
        if result.check in hidden
        else result
        for result in report.results
    )
    return Report(report.subject, results)


def run_framework(framework: str, examples: int) -> dict[str, Report]:
    """Return the report of each optimizer of a framework."""
    return {title: run(make, examples) for title, make in makers(framework).items()}


def found_by_hand(findings: Iterable[Finding], framework: str, title: str, check: str) -> str | None:
    """Return what was found of an optimizer, or None."""
    for finding in findings:
        if (finding.framework, finding.check) == (framework, check) and title in (finding.which or (title,)):
            return finding.text
    return None


# Writing --------------------------------------------------------------------------------------------------

HEAD = """# Compliance

Which checks of `minidl.testing.check_optimizer` do optimizers pass, ours and those of others? The checks are minidl's
contract, and no other framework promises it: that a check fails says that the framework decided otherwise, or did not
decide. "n/a" is a check that needs what isn't there, or whose answer would be that of an adapter in `benchmarks/peers`.
Every failure of another framework was reproduced with its own API, without the adapter; "?" is one that wasn't yet.
[What each check shows](proofs.md) is told on another page.

Written by `python -m benchmarks.compliance`, with {examples} drawn examples a property.
"""


class Notes:
    """Numbered footnotes; the same text has one number."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, text: str) -> str:
        """Return the number of a note, as it is shown."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def cell(framework: str, title: str, result: Result | None, notes: Notes) -> str:
    """Return what the table shows of a result."""
    if result is None:
        return ""
    if result.status == "pass":
        return "pass"
    if result.status == "not applicable":
        return f"n/a {notes.number(result.detail)}"
    detail = result.detail if framework == "minidl" else found_by_hand(VERIFIED, framework, title, result.check)
    return "?" if detail is None else f"FAIL {notes.number(detail)}"


def table(framework: str, reports: Mapping[str, Report]) -> list[str]:
    """Return the lines of a framework's table, and of its notes."""
    notes = Notes()
    names = dict.fromkeys(result.check for report in reports.values() for result in report.results)
    by_name = {title: {result.check: result for result in report.results} for title, report in reports.items()}
    lines = ["| check | " + " | ".join(reports) + " |", "|---" * (len(reports) + 1) + "|"]
    for name in names:
        cells = [cell(framework, title, results.get(name), notes) for title, results in by_name.items()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    lines.append("")
    lines += [f"{i}. {' '.join(text.split())}" for i, text in enumerate(notes.texts, start=1)]
    return lines


def document(everything: Mapping[str, Mapping[str, Report]], left_out: Mapping[str, str], examples: int) -> str:
    """Return the page."""
    parts = [HEAD.format(examples=examples)]
    parts += ["| framework | optimizers | pass | FAIL | n/a |", "|---|---|---|---|---|"]
    for framework, reports in everything.items():
        counts = Counter(result.status for report in reports.values() for result in report.results)
        shown = " | ".join(str(counts[status]) for status in ("pass", "fail", "not applicable"))
        parts.append(f"| {_version(framework)} | {len(reports)} | {shown} |")
    parts += ["", *(f"{framework} is left out: {why}." for framework, why in left_out.items())]
    for framework, reports in everything.items():
        parts += ["", f"## {framework}", "", *table(framework, reports)]
    return "\n".join(parts) + "\n"


def _version(framework: str) -> str:
    return f"minidl {__version__}" if framework == "minidl" else f"{framework} ({versions(framework)})"


def main() -> None:
    """Run all checks, print what failed, and write the page."""
    parser = argparse.ArgumentParser(description="Run minidl's checks of optimizers on those of other frameworks.")
    parser.add_argument("--examples", type=int, default=10, help="how many examples are drawn for each property")
    examples = parser.parse_args().examples
    left_out = {framework: f"{', '.join(absent)} missing" for framework in THEIRS if (absent := missing(framework))}
    chosen = ["minidl", *(framework for framework in THEIRS if framework not in left_out)]
    with ProcessPoolExecutor(len(chosen), mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(run_framework, chosen, [examples] * len(chosen))
        everything = dict(zip(chosen, found, strict=True))
    for framework, reports in everything.items():
        for title, report in reports.items():
            for result in report.failures:
                known = framework == "minidl" or found_by_hand(VERIFIED, framework, title, result.check) is not None
                print(f"{'' if known else 'NOT VERIFIED '}{framework} {title}: {result.check}: {result.detail[:160]}")
    PAGE.write_text(document(everything, left_out, examples), encoding="utf-8")


if __name__ == "__main__":
    main()
