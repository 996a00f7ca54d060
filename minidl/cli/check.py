"""`minidl check`: prove that an optimizer is right."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from minidl import optimizers, testing
from minidl.cli import options as read
from minidl.testing.checking import selected
from minidl.testing.optimizers.suite import checks_of, subject_of

__all__ = ["EXAMPLES", "add"]

EXAMPLES = """examples:
  minidl check adam
  minidl check lab.rules:Lion
  minidl check lab.rules:Lion --oracle lab.oracles:lion --examples 1000
  minidl check lab.rules:Lion --checks split,save_and_load
  minidl check lab.rules:Noisy --expect "deterministic=it adds noise" --stop

A module is found as Python finds it, the current folder first. Status 1 says that a check failed.
"""


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = read.command(
        commands,
        "check",
        help="prove that an optimizer is right",
        description="Run all checks of an optimizer: of its rule, of what the engine makes of it, of its state, of the "
        "laws that its class declares. Print them as a table, each failure with the smallest example.",
        examples=EXAMPLES,
    )
    option = parser.add_argument
    option("optimizer", nargs="+", metavar="OPTIMIZER", help="package.module:MyOptimizer, or a built-in one's name")
    option("--oracle", metavar="FUNCTION", help="package.module:function, a calculation of your own to compare with")
    option("--examples", default="100", metavar="N", help="drawn for each property (default: 100)")
    option("--checks", metavar="NAMES", help="only these, such as split,save_and_load (default: all)")
    option("--expect", action="append", default=[], metavar="CHECK=REASON", help="a check known to fail, and why")
    option("--stop", action="store_true", help="at the first failure")
    parser.set_defaults(prepare=_prepare)


def _prepare(options: argparse.Namespace) -> Callable[[], int]:
    """Check all options; return what is then to be done."""
    arguments: dict[str, Any] = {
        "oracle": options.oracle and read.found("--oracle", options.oracle),
        "examples": read.integer("--examples", options.examples),
        "checks": options.checks and [name.strip() for name in options.checks.split(",") if name.strip()],
        "expected_failures": dict(map(_expected, options.expect)),
        "stop_on_first": options.stop,
    }
    subjects = [_optimizer(text) for text in options.optimizer]
    for make in subjects:  # wrong names are told before the first check runs
        known = checks_of(subject_of("minidl check", make, arguments["oracle"], arguments["examples"]))
        selected("--checks, --expect", known, arguments["checks"], arguments["expected_failures"])
    return partial(_check, subjects, arguments)


def _check(subjects: list[Any], arguments: dict[str, Any]) -> int:
    failed = False
    for subject in subjects:
        report = testing.check_optimizer(subject, **arguments, raises=False)
        print(report)
        failed |= not report.passed
    return int(failed)


def _optimizer(text: str) -> Any:
    return read.found("OPTIMIZER", text) if ":" in text else type(optimizers.registry.get(text))


def _expected(text: str) -> tuple[str, str]:
    name, _, reason = text.partition("=")
    if not name.strip() or not reason.strip():
        raise ValueError(f"--expect must be written check=reason. Received: {text!r}")
    return name.strip(), reason.strip()
