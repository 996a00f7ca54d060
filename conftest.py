"""What doctests can use without importing it, and how many examples a thorough proof draws."""

import numpy as np
import pytest
from hypothesis import find, settings

import minidl

settings.register_profile("thorough", max_examples=10_000)


@pytest.fixture(autouse=True)
def _names_of_doctests(doctest_namespace: dict[str, object]) -> None:
    examples = {"find": find, "strategies": minidl.testing.strategies}  # for the strategies' own
    doctest_namespace.update(
        np=np, minidl=minidl, **examples, **{name: getattr(minidl, name) for name in minidl.__all__}
    )
