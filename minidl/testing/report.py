"""What a suite of checks found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CheckFailedError", "Report", "Result"]


class CheckFailedError(AssertionError):
    """A check failed; its text is the report."""


@dataclass(frozen=True)
class Result:
    """What one check found.

    Attributes:
        check: The check's name.
        meaning: What it shows, in one sentence.
        status: "pass", "fail" or "not applicable".
        detail: Why it failed, or doesn't apply.
    """

    check: str
    meaning: str
    status: str
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """What all checks found; it prints as a table.

    Attributes:
        subject: What was checked.
        results: A result for each check, in order.
    """

    subject: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results of the checks that failed."""
        return tuple(result for result in self.results if result.status == "fail")

    def __str__(self) -> str:
        width = max(len(result.check) for result in self.results)
        lines = [
            f"{self.subject}: {len(self.results) - len(self.failures)} of {len(self.results)} checks without a fault"
        ]
        for result in self.results:
            lines.append(f"  {result.status:<14}  {result.check:<{width}}  {result.meaning}")
            if result.detail:
                lines.append(f"  {'':<14}  {'':<{width}}  → {result.detail}")
        return "\n".join(lines)
