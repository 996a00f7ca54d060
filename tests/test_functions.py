"""The shared functions: by formula, and with no finite input that overflows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minidl.functions import log_softmax, sigmoid, softmax, softplus

DTYPES = ("float16", "float32", "float64")
moderate = arrays(np.float64, st.integers(1, 6), elements=st.floats(-30, 30))


def finite(share=1.0):
    """Return arrays of any finite numbers up to a share of the largest, in each dtype."""

    def of(dtype):
        largest = float(np.finfo(dtype).max) * share
        return arrays(dtype, st.integers(1, 6), elements=st.floats(-largest, largest).map(np.dtype(dtype).type))

    return st.sampled_from(DTYPES).flatmap(of)


def logistic(v):
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


@given(moderate)
def test_by_formula(x):
    total = math.fsum(math.exp(v - x.max()) for v in x)
    for function, expected in {
        sigmoid: [logistic(v) for v in x],
        softplus: [max(v, 0) + math.log1p(math.exp(-abs(v))) for v in x],
        softmax: [math.exp(v - x.max()) / total for v in x],
        log_softmax: [v - x.max() - math.log(total) for v in x],
    }.items():
        np.testing.assert_allclose(function(x), expected, rtol=1e-13, atol=1e-14, err_msg=function.__name__)


@given(finite())
def test_no_finite_input_overflows_in_a_function_that_is_bounded(x):
    for function in (sigmoid, softmax):
        y = function(x)
        assert y.dtype == x.dtype
        assert ((y >= 0) & (y <= 1)).all()
    assert abs(float(softmax(x).sum(dtype=float)) - 1) < 8 * np.finfo(x.dtype).eps
    y = softplus(x)
    assert y.dtype == x.dtype
    assert (np.isfinite(y) & (y >= np.maximum(x, 0))).all()


@given(finite(0.45))
def test_log_softmax_is_finite_where_its_value_is(x):
    y = log_softmax(x)
    assert y.dtype == x.dtype
    assert (np.isfinite(y) & (y <= 0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_are_exact(dtype):
    x = np.array([-1e4, 0, 1e4], dtype)
    assert sigmoid(x).tolist() == [0, 0.5, 1]
    assert softplus(x[[0, 2]]).tolist() == [0, 10000]
    assert softmax(x).tolist() == [0, 0, 1]
    assert log_softmax(x).tolist() == [-20000, -10000, 0]


def test_small_probabilities_keep_their_digits():
    x = np.array([-40.0, -700.0])
    np.testing.assert_allclose(sigmoid(x), [math.exp(-40), math.exp(-700)], rtol=1e-13)
    np.testing.assert_allclose(softplus(x), [math.exp(-40), math.exp(-700)], rtol=1e-13)


@given(moderate, st.floats(-100, 100))
def test_a_shift_of_all_logits_changes_nothing(x, shift):
    np.testing.assert_allclose(softmax(x + shift), softmax(x), rtol=1e-11)
    np.testing.assert_allclose(log_softmax(x + shift), log_softmax(x), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, 0, 1, 2, -2])
def test_axis_says_what_is_summed_over(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    y = softmax(x, axis)
    np.testing.assert_allclose(y.sum(axis=axis), 1, rtol=1e-14)
    np.testing.assert_allclose(np.moveaxis(y, axis, -1), softmax(np.moveaxis(x, axis, -1)), rtol=1e-14)
    np.testing.assert_allclose(np.exp(log_softmax(x, axis)), y, rtol=1e-13)


@pytest.mark.parametrize("function", [sigmoid, softplus, softmax, log_softmax])
def test_inputs_are_left_alone_and_a_batch_of_0_is_fine(function):
    x = np.random.default_rng(1).normal(size=(3, 4))
    x.flags.writeable = False
    assert not np.shares_memory(function(x), x)
    assert function(np.zeros((0, 4), np.float32)).shape == (0, 4)
