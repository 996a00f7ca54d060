"""Initializers: fans, statistics, orthogonality, dtypes, determinism and refusals."""

import math

import numpy as np
import pytest
from subjects import exported

from minidl import initializers
from minidl.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    Zeros,
    fans,
)

# Name in `__all__`: an instance, its names, then mean, variance and largest |value| for SHAPE.
SHAPE = (5, 4, 20, 100)  # 40,000 numbers; fans 400 and 2000
CUT = 2 / 0.87962566103423978  # two standard deviations of the uncut normal, in those of the cut one
CASES = {
    "Zeros": (Zeros(), ["zeros"], 0, 0, 0),
    "Ones": (Ones(), ["ones"], 1, 0, 1),
    "Constant": (Constant(-2.5), ["constant"], -2.5, 0, 2.5),
    "RandomNormal": (RandomNormal(3, 0.5), ["random_normal", "normal"], 3, 0.25, math.inf),
    "RandomUniform": (RandomUniform(-1, 2), ["random_uniform", "uniform"], 0.5, 9 / 12, 2),
    "GlorotUniform": (GlorotUniform(), ["glorot_uniform", "xavier_uniform"], 0, 1 / 1200, math.sqrt(6 / 2400)),
    "GlorotNormal": (GlorotNormal(), ["glorot_normal", "xavier_normal"], 0, 1 / 1200, CUT * math.sqrt(2 / 2400)),
    "HeUniform": (HeUniform(), ["he_uniform", "kaiming_uniform"], 0, 1 / 200, math.sqrt(6 / 400)),
    "HeNormal": (HeNormal(), ["he_normal", "kaiming_normal"], 0, 1 / 200, CUT * math.sqrt(2 / 400)),
    "LeCunUniform": (LeCunUniform(), ["lecun_uniform"], 0, 1 / 400, math.sqrt(3 / 400)),
    "LeCunNormal": (LeCunNormal(), ["lecun_normal"], 0, 1 / 400, CUT * math.sqrt(1 / 400)),
    "Orthogonal": (Orthogonal(), ["orthogonal"], 0, 1 / 400, math.inf),
}
each_case = pytest.mark.parametrize("case", CASES)


def draw(initializer, shape, dtype="float64", seed=0):
    return initializer(shape, np.random.default_rng(seed), dtype)


def test_every_exported_initializer_has_a_case_and_a_name():
    assert exported(initializers, initializers.Initializer) == set(CASES)
    known = {name for _, names, *_ in CASES.values() for name in names} | {case.lower() for case in CASES}
    assert set(initializers.registry.names()) == known


@each_case
def test_known_by_its_names(case):
    for name in [case, *CASES[case][1]]:
        assert type(initializers.registry.get(name)) is getattr(initializers, case)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((784, 500), (784, 500)),
        ((3, 3, 32, 64), (288, 576)),
        ((5, 16, 8), (80, 40)),
        ((2, 3, 4, 5, 6), (120, 144)),
        ((5,), (5, 5)),
        ((), (1, 1)),
        ((0, 3), (0, 3)),
    ],
    ids=str,
)
def test_fans(shape, expected):
    assert fans(shape) == expected


@each_case
def test_mean_variance_and_limits(case):
    initializer, _, mean, variance, limit = CASES[case]
    values = draw(initializer, SHAPE)
    # Five standard errors: of the mean, and of the variance (of a normal number at most).
    assert abs(values.mean() - mean) <= 5 * math.sqrt(variance / values.size)
    assert abs(values.var() - variance) <= 5 * variance * math.sqrt(2 / values.size)
    assert np.abs(values).max() <= limit
    if 0 < limit < math.inf:  # and the limit is reached: it isn't cut too soon
        assert np.abs(values).max() > 0.999 * limit


@pytest.mark.parametrize("initializer", [GlorotNormal(), HeNormal(), LeCunNormal()], ids=repr)
def test_the_cut_keeps_a_normals_shape(initializer):
    values = draw(initializer, SHAPE)
    uncut = np.abs(values / values.std() * 0.87962566103423978)
    inside = math.erf(2 / math.sqrt(2))
    for z in (0.5, 1.0, 1.5):
        assert (uncut < z).mean() == pytest.approx(math.erf(z / math.sqrt(2)) / inside, abs=0.012)


@pytest.mark.parametrize("shape", [(100, 40), (40, 100), (64, 64), (3, 3, 4, 20), (3, 3, 4, 50), (1, 7)], ids=str)
@pytest.mark.parametrize("gain", [1.0, -2.5])
def test_orthogonal_has_orthonormal_rows_or_columns(shape, gain):
    matrix = draw(Orthogonal(gain), shape).reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-12 * gain**2)


def test_orthogonal_favours_no_sign():
    """QR alone gives a diagonal of one sign in most LAPACKs; the uniform matrix has none."""
    corners = [draw(Orthogonal(), (2, 2), seed=seed)[0, 0] for seed in range(400)]
    assert abs(np.sign(corners).mean()) < 0.25
    assert np.mean(np.square(corners)) == pytest.approx(0.5, abs=0.09)


@each_case
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_narrower_draw_is_the_rounded_double_draw(case, dtype):
    initializer = CASES[case][0]
    narrow, double = draw(initializer, (30, 20), dtype), draw(initializer, (30, 20))
    assert (narrow.dtype, double.dtype) == (dtype, np.float64)
    np.testing.assert_array_equal(narrow, double.astype(dtype))
    assert initializer((2, 3), np.random.default_rng(0)).dtype == np.float32


@each_case
def test_the_generator_alone_decides_and_global_state_is_left_alone(case):
    initializer = CASES[case][0]
    before = np.random.get_state()
    first = draw(initializer, (6, 7))
    np.random.seed(5)
    np.testing.assert_array_equal(draw(initializer, (6, 7)), first)
    kept, untouched = np.random.get_state(), np.random.RandomState(5).get_state()
    np.random.set_state(before)
    assert (kept[1].tolist(), kept[2:]) == (untouched[1].tolist(), untouched[2:])
    other, again = draw(initializer, (6, 7), seed=1), draw(initializer, (6, 7))
    again += 1  # a new array each time
    np.testing.assert_array_equal(draw(initializer, (6, 7)), first)
    assert np.array_equal(other, first) == (CASES[case][3] == 0)


@each_case
@pytest.mark.parametrize("shape", [(), (0,), (1, 0, 2), (7,), (1, 1)], ids=str)
def test_every_shape_comes_out(case, shape):
    if case == "Orthogonal" and len(shape) < 2:
        with pytest.raises(ValueError, match=r"Orthogonal: shape must have at least two axes\. Received: shape=\("):
            draw(Orthogonal(), shape)
        return
    values = draw(CASES[case][0], shape)
    assert values.shape == shape
    assert values.flags.writeable


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Constant("1"), TypeError, r"Constant: value must be a number\. Received: value='1'"),
        (lambda: Constant(math.inf), ValueError, r"Constant: value must be finite\. Received: value=inf"),
        (lambda: RandomNormal(stddev=-1), ValueError, r"RandomNormal: stddev must be in \[0, inf\).* stddev=-1\.0"),
        (lambda: RandomNormal(mean=math.nan), ValueError, r"RandomNormal: mean must be finite\. Received: mean=nan"),
        (lambda: RandomUniform(1, 0), ValueError, r"RandomUniform: maxval must be in \[1\.0, inf\).* maxval=0\.0"),
        (lambda: RandomUniform(min=0), TypeError, r"RandomUniform: .*Received: min=0\. Did you mean 'minval'\?"),
        (lambda: Orthogonal(gain=[1]), TypeError, r"Orthogonal: gain must be a number\. Received: gain=\[1\]"),
        (lambda: Zeros(3), TypeError, r"Zeros: .*Received: 3"),
        (lambda: HeNormal(seed=3), TypeError, r"HeNormal: .*Received: seed=3"),
        (lambda: initializers.registry.get("he_norma"), ValueError, r"unknown initializer.*Did you mean 'he_normal'\?"),
        (lambda: initializers.registry.get(0.1), TypeError, r"initializer must be a name or an instance .* 0\.1"),
    ],
)
def test_wrong_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("values", [["a"], [1j], np.array([None]), [[1.0], [1.0, 2.0]]], ids=str)
def test_what_is_drawn_must_be_numbers(values):
    class Own(initializers.Initializer):
        def draw(self, shape, rng):
            return values

    with pytest.raises(ValueError, match=r"Own: what draw returns must be numbers\. Received: "):
        draw(Own(), (2,))


@each_case
@pytest.mark.parametrize(
    ("shape", "rng", "error", "message"),
    [
        (3, np.random.default_rng(0), TypeError, r"shape must be a tuple, such as \(784, 500\)\. Received: shape=3"),
        ("ab", np.random.default_rng(0), TypeError, r"shape must be a tuple, .* Received: shape='ab'"),
        ((2, -1), np.random.default_rng(0), ValueError, r"shape\[1\] must be a non-negative integer\. Received: .*-1"),
        ((2.5, 3), np.random.default_rng(0), TypeError, r"shape\[0\] must be a non-negative integer\. Rec.*2\.5"),
        ((2, 3), 0, TypeError, r"rng must be a numpy\.random\.Generator\. Received: rng=0"),
    ],
)
def test_a_wrong_shape_or_generator_is_refused(case, shape, rng, error, message):
    with pytest.raises(error, match=f"{case}: {message}"):
        CASES[case][0](shape, rng)


def test_fans_need_a_shape():
    with pytest.raises(TypeError, match=r"fans: shape must be a tuple, such as \(784, 500\)\. Received: shape=3"):
        fans(3)


def test_a_list_is_a_shape_too():
    np.testing.assert_array_equal(draw(HeNormal(), [2, np.int64(3)]), draw(HeNormal(), (2, 3)))
    assert fans([2, 3]) == (2, 3)


def test_a_subclass_must_draw():
    with pytest.raises(NotImplementedError, match=r"Initializer: an initializer must give draw\(shape, rng\)"):
        draw(initializers.Initializer(), (2,))
