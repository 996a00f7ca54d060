"""What a figure depends on, for the head of every benchmark."""

import os
import platform
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

__all__ = ["describe"]


def describe() -> str:
    """Return the processor, the versions, and the BLAS with its kernel and threads, as lines of text."""
    lines = [
        f"processor: {_processor()}, {os.cpu_count()} cores",
        f"Python {platform.python_version()}, NumPy {np.__version__}",
        *(
            f"BLAS: {pool.get('internal_api')} {pool.get('version')}, kernel {pool.get('architecture')}, "
            f"{pool.get('num_threads')} threads"
            for pool in threadpool_info()
        ),
    ]
    if "OPENBLAS_CORETYPE" in os.environ:
        lines.append(f"OPENBLAS_CORETYPE={os.environ['OPENBLAS_CORETYPE']}: unset it for figures to be quoted")
    return "\n".join(lines)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
