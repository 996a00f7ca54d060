"""What doctests can use without importing it."""

import numpy as np
import pytest

import minidl


@pytest.fixture(autouse=True)
def _names_of_doctests(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(np=np, minidl=minidl, **{name: getattr(minidl, name) for name in minidl.__all__})
