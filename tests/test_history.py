"""What training recorded: plain numbers that survive a file."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import History, Sequential, Trainer, layers, optimizers, regularizers, schedules


def record(*rows, start=0):
    history = History()
    for epoch, row in enumerate(rows, start):
        history.append(epoch, row)
    return history


def test_a_row_an_epoch_and_a_list_a_column():
    history = record({"loss": 2.0, "accuracy": 0.5}, {"accuracy": 0.75, "loss": 1.0})
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [2.0, 1.0], "accuracy": [0.5, 0.75]}
    assert len(history) == 2


def test_values_become_plain_python_numbers():
    history = History()
    history.append(np.int64(3), {"loss": np.float32(0.5), "count": 2})
    assert [type(history.epoch[0]), *(type(v[0]) for v in history.history.values())] == [int, float, float]


@pytest.mark.parametrize("row", [{"loss": 1.0}, {"loss": 1.0, "mae": 1.0, "new": 1.0}, {}])
def test_another_set_of_columns_is_refused_and_nothing_is_recorded(row):
    history = record({"loss": 2.0, "mae": 0.5})
    with pytest.raises(ValueError, match=r"columns \['loss', 'mae'\]"):
        history.append(1, row)
    assert history == record({"loss": 2.0, "mae": 0.5})


@pytest.mark.parametrize(
    ("epoch", "row", "message"),
    [
        (1, {"loss": 1.0, "mae": "high"}, "History: mae must be a number. Received: mae='high'"),
        (1, {"loss": None, "mae": 1.0}, "History: loss must be a number. Received: loss=None"),
        (1, {"loss": 1.0, "mae": [1.0]}, r"History: mae must be a number. Received: mae=\[1.0\]"),
        (1.5, {"loss": 1.0, "mae": 1.0}, "History: epoch must be a non-negative integer. Received: epoch=1.5"),
        (1, 5, "History: logs must be a dict. Received: 5"),
    ],
)
def test_what_is_no_number_is_refused_and_nothing_is_recorded(epoch, row, message):
    history = record({"loss": 2.0, "mae": 0.5})
    with pytest.raises(TypeError, match=message):
        history.append(epoch, row)
    assert history == record({"loss": 2.0, "mae": 0.5})
    with pytest.raises(TypeError, match=r"History: other must be a History. Received: "):
        history.extend(row)


rows = st.lists(st.fixed_dictionaries({"loss": st.floats(), "val_loss": st.floats()}), max_size=4)


@given(rows)
def test_json_gives_the_same_history_back(given_rows):
    history = record(*given_rows)
    again = History.from_json(history.to_json())
    assert again == history
    assert again.epoch == history.epoch
    np.testing.assert_array_equal(list(again.history.values()), list(history.history.values()))


def test_json_is_written_to_a_file(tmp_path):
    history = record({"loss": 0.1})
    text = history.to_json(tmp_path / "history.json")
    assert json.loads((tmp_path / "history.json").read_text()) == json.loads(text)
    assert History.from_json((tmp_path / "history.json").read_text()) == history


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"epoch": [0]}',
        '{"epoch": [0], "history": {}, "more": 1}',
        '{"epoch": 3, "history": 4}',
        '{"epoch": [0, 1], "history": {"loss": [1.0]}}',
        '{"epoch": [0], "history": {"loss": ["low"]}}',
        '{"epoch": [0.5], "history": {"loss": [1.0]}}',
        '{"epoch": [Infinity], "history": {"loss": [1.0]}}',
        f'{{"epoch": [0], "history": {{"loss": [1{"0" * 400}]}}}}',
        5,
        None,
    ],
)
def test_damaged_text_is_refused(text):
    with pytest.raises(ValueError, match=r"History: the text must be what to_json returned\. Received: "):
        History.from_json(text)


def test_extending_fills_missing_columns_with_nan():
    history = record({"loss": 2.0, "mae": 1.0})
    more = record({"loss": 1.0, "val_loss": 3.0}, {"loss": 0.5, "val_loss": 4.0}, start=1)
    history.extend(more)
    nan = math.nan
    assert history.epoch == [0, 1, 2]
    expected = {"loss": [2.0, 1.0, 0.5], "mae": [1.0, nan, nan], "val_loss": [nan, 3.0, 4.0]}
    np.testing.assert_equal(history.history, expected)
    assert more == record({"loss": 1.0, "val_loss": 3.0}, {"loss": 0.5, "val_loss": 4.0}, start=1)


def test_extending_copies():
    history, more = record({"loss": 2.0}), record({"loss": 1.0}, start=1)
    for _ in range(2):
        empty = History()
        empty.extend(history)
        empty.extend(more)
        assert (len(empty), len(history), len(more)) == (2, 1, 1)


def test_equality_and_repr():
    assert record({"loss": 1.0}) == record({"loss": 1.0})
    assert record({"loss": 1.0}) != record({"loss": 1.5})
    assert record({"loss": 1.0}) != record({"loss": 1.0}, start=1)
    assert record() != "history"
    assert repr(record({"loss": 1.0, "mae": 3.0}, {"loss": 0.123456, "mae": 2.0})) == (
        "History(2 epochs; last: loss=0.1235, mae=2)"
    )
    assert repr(record()) == "History(0 epochs)"
    with pytest.raises(TypeError, match="unhashable"):
        hash(record())


def test_the_history_of_a_fit_with_everything_on_is_plain_json():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.integers(2, size=30)
    model = Sequential(
        [
            layers.Input((3,)),
            layers.Dense(4, "relu", kernel_regularizer=regularizers.L2(0.1)),
            layers.Dense(2, "softmax"),
        ]
    )
    rate = schedules.InverseTimeDecay(0.1, decay_rate=1.0)
    trainer = Trainer(model, optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    options = {"sample_weight": rng.uniform(1, 2, 30), "class_weight": {0: 1, 1: 2}, "stratify": True}
    history = trainer.fit(x, y, batch_size=8, epochs=2, validation_split=0.2, accumulate=2, verbose=0, **options)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
    assert {type(value) for values in history.history.values() for value in values} == {float}
    assert json.loads(history.to_json()) == {"epoch": [0, 1], "history": history.history}
    assert trainer.history == history
    assert trainer.history is not history
