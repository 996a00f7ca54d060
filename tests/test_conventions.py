"""How to write other frameworks' rules: every row of the table is measured, and the page agrees with the table."""

import warnings

import pytest
from subjects import RULES

from benchmarks import conventions
from benchmarks.conventions import PAGE, ROWS, TOLERANCE, document, largest_difference, measure, read
from benchmarks.peers import missing

EXPRESSED = [row for row in ROWS if row.ours]


def label(row):
    return f"{row.rule}: {row.call}"


@pytest.mark.parametrize("row", EXPRESSED, ids=label)
def test_row_is_the_same_rule(row):
    absent = missing(row.framework)
    if absent:
        pytest.skip(f"{row.framework} isn't installed: {', '.join(absent)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what others warn of on import isn't ours to raise
        difference = measure(row)
    assert difference <= row.tolerance


@pytest.mark.parametrize("row", {row.written: row for row in EXPRESSED}.values(), ids=lambda row: row.written)
def test_a_slip_in_any_number_is_seen(row):
    slips = {"the hooks": lambda other: setattr(other, "hooks", [])} if row.hooks else {}
    for name, value in row.optimizer().hyperparameters.items():
        if not callable(value) and not isinstance(value, bool) and value not in (0, 1e6):  # 1e6 stands for ever
            slips[name] = lambda other, name=name, value=value: setattr(other, name, 0.9 * value)
    assert slips
    for what, slip in slips.items():
        other = row.optimizer()
        slip(other)
        assert largest_difference(row.optimizer(), other) > 10 * TOLERANCE, what


def test_what_cannot_be_expressed_says_why():
    assert all(row.note for row in ROWS if not row.ours)


def test_rows_differ():
    calls = [(row.rule, row.call) for row in ROWS]
    assert len(set(calls)) == len(calls)


def test_page_agrees_with_table():
    assert read(PAGE.read_text(encoding="utf-8")) == read(document()), "run python -m benchmarks.conventions"


def test_every_rule_has_each_framework_that_has_it():
    for rule in (rule.__name__ for rule in RULES):
        frameworks = {row.framework for row in ROWS if row.rule == rule}
        assert frameworks >= conventions.HAVING.get(rule, {"Keras", "PyTorch", "Optax"}), rule
