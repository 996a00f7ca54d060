"""Regularizers: by formula, gradients by central differences, dtypes and refusals."""

import math

import numpy as np
import pytest
from numeric import central_difference, relative_error
from subjects import exported

from minidl import regularizers
from minidl.regularizers import L1, L1L2, L2

CASES = {"L1": (L1(0.3), 0.3, 0.0), "L2": (L2(0.7), 0.0, 0.7), "L1L2": (L1L2(l1=0.25, l2=0.5), 0.25, 0.5)}
each_case = pytest.mark.parametrize(("regularizer", "l1", "l2"), CASES.values(), ids=CASES)
W = np.random.default_rng(0).normal(size=(3, 4))


def test_every_exported_regularizer_has_a_case():
    assert exported(regularizers, regularizers.Regularizer) == set(CASES)


@each_case
@pytest.mark.parametrize("w", [W, W[::2, ::3], W.T, W[0, 0], W[:0]], ids=["whole", "strided", "turned", "()", "(0, 4)"])
def test_by_formula(regularizer, l1, l2, w):
    expected = l1 * math.fsum(abs(v) for v in w.flat) + l2 * math.fsum(v * v for v in w.flat)
    value = regularizer(w)
    assert type(value) is float
    assert value == pytest.approx(expected, rel=1e-14)


@each_case
def test_gradient_is_central_differences(regularizer, l1, l2):
    w = W.copy()
    assert relative_error(regularizer.gradient(w), central_difference(lambda: regularizer(w), w)) < 1e-9
    np.testing.assert_array_equal(w, W)
    assert not regularizer.gradient(np.zeros(3)).any()


@each_case
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradient_keeps_shape_and_dtype(regularizer, l1, l2, dtype):
    w = W.astype(dtype)
    w.flags.writeable = False
    gradient = regularizer.gradient(w)
    assert (gradient.shape, gradient.dtype) == (w.shape, w.dtype)
    np.testing.assert_allclose(gradient, regularizer.gradient(w.astype(float)), rtol=2 * np.finfo(dtype).eps)


@each_case
def test_a_large_half_precision_kernel_has_a_finite_penalty(regularizer, l1, l2):
    assert regularizer(np.ones(100_000, np.float16)) == pytest.approx(100_000 * (l1 + l2), rel=1e-3)


def test_known_by_name_with_kerass_defaults():
    for name, expected in {"l1": L1(0.01), "l2": L2(0.01), "L1": L1(0.01), "l1_l2": L1L2(0.0, 0.0)}.items():
        assert repr(regularizers.registry.get(name)) == repr(expected)
        assert regularizers.registry.get(name).get_config() == expected.get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L1(-0.1), ValueError, r"L1: l1 must be in \[0, inf\)\. Received: l1=-0\.1"),
        (lambda: L2(math.inf), ValueError, r"L2: l2 must be in \[0, inf\)\. Received: l2=inf"),
        (lambda: L1L2(l2=math.nan), ValueError, r"L1L2: l2 must be .* Received: l2=nan"),
        (lambda: L1L2("0.1"), TypeError, r"L1L2: l1 must be a number\. Received: l1='0\.1'"),
        (lambda: L2(lamda=0.1), TypeError, r"L2: .*Received: lamda=0\.1"),
    ],
)
def test_wrong_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@each_case
def test_lists_are_taken_and_what_are_no_numbers_is_told(regularizer, l1, l2):
    assert regularizer(W.tolist()) == regularizer(W)
    np.testing.assert_array_equal(regularizer.gradient(W.tolist()), regularizer.gradient(W))
    for call in (regularizer, regularizer.gradient):
        with pytest.raises(ValueError, match=rf"{type(regularizer).__name__}: w must be numbers\. Received: 'ab'"):
            call("ab")


def test_a_subclass_must_give_both():
    base = regularizers.Regularizer()
    for call, method in ((base, "__call__"), (base.gradient, "gradient")):
        with pytest.raises(NotImplementedError, match=rf"Regularizer: a regularizer must give {method}\(w\)"):
            call(W)
