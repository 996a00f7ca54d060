"""How much memory a process takes, where the system has /proc; elsewhere None."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["forget_peak", "peak", "resident"]


def resident(process: int | None = None) -> int | None:
    """Return the bytes that a process, by default this one, takes now."""
    return _bytes(process, "VmRSS")


def peak(process: int | None = None) -> int | None:
    """Return the most bytes that a process, by default this one, has taken."""
    return _bytes(process, "VmHWM")


def forget_peak() -> None:
    """Let the peak of this process begin anew."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5", encoding="ascii")


def _bytes(process: int | None, name: str) -> int | None:
    status = Path(f"/proc/{process or os.getpid()}/status")
    if not status.exists():
        return None
    found = [line.split()[1] for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(name)]
    return int(found[0]) * 1024 if found else None
