"""What a suite of checks found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from minidl.config import Checked

__all__ = ["STATUSES", "CheckFailedError", "Report", "Result"]

STATUSES = ("pass", "fail", "expected failure", "not applicable")


class CheckFailedError(AssertionError):
    """A check failed; its text is the report."""


@dataclass(frozen=True)
class Result(metaclass=Checked):
    """What one check found.

    Attributes:
        check: The check's name.
        meaning: What it shows, in one sentence.
        status: "pass", "fail", "expected failure" or "not applicable".
        detail: Why it failed, with the smallest example that does; why it was expected to, or why it doesn't apply.
        known: Known bugs of this kind, as project#number.
    """

    check: str
    meaning: str
    status: str
    detail: str = ""
    known: str = ""


@dataclass(frozen=True)
class Report(metaclass=Checked):
    """What all checks found; it prints as a table.

    Attributes:
        subject: What was checked.
        results: A result for each check, in order.
        notes: What else there is to say: laws that hold too, and what stays unproven.
    """

    subject: str
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed, but for those expected to."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results of the checks that failed."""
        return tuple(result for result in self.results if result.status == "fail")

    @property
    def summary(self) -> str:
        """How many checks there were, and how many ended how."""
        counts = Counter(result.status for result in self.results)
        found = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        return f"{self.subject}: {len(self.results)} check{'s' * (len(self.results) != 1)}: {found}"

    def _repr_html_(self) -> str:
        from minidl.representation import html_table

        rows = [
            [result.status, result.check, f"{result.meaning}{f' → {result.detail}' if result.detail else ''}"]
            for result in sorted(self.results, key=lambda result: result.status != "fail")
        ]
        return html_table(self.summary, ["", "check", "what it shows"], rows, self.notes)

    def __str__(self) -> str:
        width = max(len(result.check) for result in self.results)
        lines = [self.summary]
        for result in self.results:
            lines.append(f"  {result.status:<16}  {result.check:<{width}}  {result.meaning}")
            if result.detail:
                lines.append(f"  {'':<16}  {'':<{width}}  → {result.detail}")
            if result.known and result.status in ("fail", "expected failure"):
                lines.append(f"  {'':<16}  {'':<{width}}  known elsewhere: {result.known}")
        return "\n".join([*lines, *self.notes])
