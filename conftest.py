"""What doctests can use without importing it, what tests share, and how many examples a thorough proof draws."""

import numpy as np
import pytest
from hypothesis import find, settings

import minidl

settings.register_profile("thorough", max_examples=10_000)


@pytest.fixture(scope="session")
def llvm() -> None:
    """LLVM is in memory, as it must be for what runs in machine code; without the extra `fast` the test is skipped."""
    pytest.importorskip("llvmlite.binding")


@pytest.fixture(autouse=True)
def _names_of_doctests(doctest_namespace: dict[str, object]) -> None:
    examples = {"find": find, "strategies": minidl.testing.strategies}  # for the strategies' own
    doctest_namespace.update(
        np=np, minidl=minidl, **examples, **{name: getattr(minidl, name) for name in minidl.__all__}
    )
