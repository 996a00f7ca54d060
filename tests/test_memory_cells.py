"""An LSTM's steps as one table: the bits of the layer's own code, whatever the shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Sequential, Trainer
from minidl.compute import memory_cells, tables
from minidl.layers import LSTM, Bidirectional, Dense, Input

pytestmark = pytest.mark.usefixtures("llvm")


def trained(shape, around, batch_size, dtype="float32", **options):
    """Return the bits of a net's weights after two epochs, the last batches of which are shorter."""
    n, steps, features = shape
    wide = 3 * batch_size if around is None else 2 * batch_size
    lstm = LSTM(4, **options)
    inside = [around(lstm) if around is not None else lstm, LSTM(3)] if options.get("return_sequences") else [lstm]
    model = Sequential([Input((steps, features)), *inside, Dense(2)], seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, steps, features)), rng.standard_normal((n, 2))
    Trainer(model, "adam", "mse").fit(x.astype(dtype), y.astype(dtype), batch_size=min(wide, n), epochs=2, verbose=0)
    return b"".join(parameter.data.tobytes() for parameter in model.parameters)


@settings(deadline=None, max_examples=20)
@given(
    shape=st.tuples(st.integers(2, 12), st.integers(1, 4), st.integers(1, 3)),
    around=st.sampled_from([None, Bidirectional]),
    batch_size=st.integers(1, 4),
    options=st.fixed_dictionaries({k: st.booleans() for k in ("return_sequences", "go_backwards", "use_bias")}),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_weights_have_the_bits_of_the_layers_own_code(shape, around, batch_size, options, dtype):
    ours = trained(shape, around, batch_size, dtype, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_cells, "is_loaded", lambda: False)
        assert trained(shape, around, batch_size, dtype, **options) == ours


def test_large_batches_are_shared_between_threads_with_the_same_bits(monkeypatch):
    def bits():
        model = Sequential([Input((5, 3)), LSTM(64, return_sequences=True), LSTM(64)], seed=0)
        x, y = np.random.default_rng(0).standard_normal((300, 5, 3)), np.zeros((300, 64))
        Trainer(model, "sgd", "mse").fit(x, y, batch_size=200, epochs=2, verbose=0)
        return b"".join(parameter.data.tobytes() for parameter in model.parameters)

    tables._KNOWN.clear()
    ours = bits()
    assert any(table is not None for table in tables._KNOWN.values())
    monkeypatch.setattr(memory_cells, "is_loaded", lambda: False)
    assert bits() == ours


def test_other_activations_and_half_precision_go_their_own_way():
    for options, dtype in (({"activation": "relu"}, "float32"), ({}, "float16")):
        tables._KNOWN.clear()
        model = Sequential([Input((3, 2)), LSTM(4, **options), Dense(1)], seed=0, dtype=dtype)
        x, y = np.ones((8, 3, 2), dtype), np.zeros((8, 1), dtype)
        Trainer(model, "sgd", "mse").fit(x, y, verbose=0)
        assert not any(tables._KNOWN.values())
