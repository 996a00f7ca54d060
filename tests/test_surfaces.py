"""Test surfaces: their slopes, their minima, and the paths down them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import optimizers, surfaces
from minidl.lab.tasks import SEVEN
from minidl.surfaces import BOWL, ROSENBROCK, SADDLE, SURFACES, VALLEY, Surface, descend

coordinate = st.floats(-4, 4)


@pytest.mark.parametrize("name", SURFACES)
@given(x=coordinate, y=coordinate)
def test_the_gradient_is_that_of_the_height(name, x, y):
    surface, h = SURFACES[name], 1e-5
    by_x = (surface(x + h, y) - surface(x - h, y)) / (2 * h)
    by_y = (surface(x, y + h) - surface(x, y - h)) / (2 * h)
    scale = 1 + abs(surface(x, y)) + abs(by_x) + abs(by_y)
    np.testing.assert_allclose(surface.gradient(x, y), (by_x, by_y), atol=1e-6 * scale)


@pytest.mark.parametrize("name", SURFACES)
def test_nothing_in_view_lies_below_the_minima(name):
    surface = SURFACES[name]
    x, y = np.meshgrid(*(np.linspace(*limits, 401) for limits in surface.view))
    least = {float(surface(*minimum)) for minimum in surface.minima}
    assert len(least) == 1
    assert surface(x, y).min() >= least.pop() - 1e-12
    for minimum in surface.minima:
        assert surface.gradient(*minimum) == pytest.approx((0, 0), abs=1e-12)
    for point in (surface.start, *surface.minima):
        assert all(low < c < high for c, (low, high) in zip(point, surface.view, strict=True))


def test_heights_known_from_the_literature():
    assert (ROSENBROCK(-1.2, 1.0), ROSENBROCK(1, 1)) == (pytest.approx(24.2), 0)
    assert SURFACES["beale"](0, 0) == 1.5**2 + 2.25**2 + 2.625**2
    assert SADDLE.gradient(0.0, 0.0) == (0, 0)
    assert SADDLE(0.1, 0) > SADDLE(0, 0) > SADDLE(0, 0.1)
    assert VALLEY(0, 1) == 30 * VALLEY(1, 0)


@pytest.mark.parametrize("name", SURFACES)
def test_at_its_rates_every_optimizer_descends(name):
    surface = SURFACES[name]
    made = surface.optimizers()
    assert tuple(made) == SEVEN
    for title, path in descend(surface, made).items():
        assert path.shape == (201, 2)
        assert path[0].tolist() == list(surface.start)
        heights = surface(*path.T) - surface(*surface.minima[0])
        assert heights[-1] < 0.1 * heights[0], title


def test_a_path_is_what_the_rule_says():
    (path,) = descend(BOWL, {"momentum": optimizers.Momentum(0.1, momentum=0.5)}, steps=3, start=(1.0, -2.0)).values()
    w, v, expected = np.array([1.0, -2.0]), np.zeros(2), [(1.0, -2.0)]
    for _ in range(3):
        v = 0.5 * v + 2 * w
        w = w - 0.1 * v
        expected.append(tuple(w))
    np.testing.assert_allclose(path, expected, rtol=1e-15)


def test_what_is_given_stays_as_it_is_and_each_walks_alone():
    adam, start = optimizers.Adam(0.1), np.array([3.0, 3.0])
    first = descend(BOWL, {"a": adam, "b": adam, "c": "adam"}, steps=5, start=start)
    assert adam.iterations == 0
    assert start.tolist() == [3, 3]
    np.testing.assert_array_equal(first["a"], first["b"])
    np.testing.assert_array_equal(descend(BOWL, {"b": adam}, steps=5, start=start)["b"], first["b"])
    assert not np.array_equal(first["a"], first["c"])
    assert len({id(path.base if path.base is not None else path) for path in first.values()}) == 3


def test_schedules_go_by_the_step():
    first_alone = optimizers.SGD(lambda step: 0.25 if step < 1 else 0.0)
    assert descend(BOWL, {"sgd": first_alone}, steps=3, start=(4, 0))["sgd"][:, 0].tolist() == [4, 2, 2, 2]


@pytest.mark.parametrize("rate", [10.0, 1e200])
def test_one_that_diverges_has_a_shorter_path_of_finite_points(rate):
    paths = descend(ROSENBROCK, {"sgd": optimizers.SGD(rate), "adam": optimizers.Adam(0.1)}, steps=50)
    assert 1 <= len(paths["sgd"]) < 51
    assert np.isfinite(paths["sgd"]).all()
    assert np.isfinite(ROSENBROCK(*paths["sgd"].T)).all()
    assert len(paths["adam"]) == 51


def test_each_surface_is_exported_by_its_name():
    for name, surface in SURFACES.items():
        assert getattr(surfaces, name.upper()) is surface
        assert name.upper() in surfaces.__all__


def test_a_surface_of_ones_own():
    slope = Surface("slope", lambda x, y: x + y, lambda x, y: (1.0, 1.0), start=(0.0, 0.0))
    assert descend(slope, {"sgd": optimizers.SGD(1.0)}, steps=2)["sgd"].tolist() == [[0, 0], [-1, -1], [-2, -2]]
    assert slope.optimizers() == {}


def stepped():
    optimizer = optimizers.SGD(0.1)
    optimizer.iterations = 3
    return optimizer


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: descend("bowl", {"a": "sgd"}), TypeError, "descend: surface must be a Surface. Received: 'bowl'"),
        (lambda: descend(BOWL, {}), ValueError, "descend: optimizers must be a dict of at least one name. Received"),
        (lambda: descend(BOWL, ["sgd"]), ValueError, "must be a dict of at least one name. Received: ['sgd']"),
        (lambda: descend(BOWL, {"a": "sdg"}), ValueError, "unknown optimizer. Received: 'sdg'. Did you mean 'sgd'?"),
        (lambda: descend(BOWL, {"a": stepped()}), ValueError, "descend: an optimizer must be new. Received: 'a', an"),
        (lambda: descend(BOWL, {"a": "sgd"}, steps=0), ValueError, "descend: steps must be a positive integer. Rec"),
        (lambda: descend(BOWL, {"a": "sgd"}, start=(1,)), ValueError, "descend: start must be two finite numbers. Rec"),
        (lambda: descend(BOWL, {"a": "sgd"}, start=(1, np.inf)), ValueError, "Received: start=(1, inf)"),
        (lambda: descend(BOWL, {"a": "sgd"}, start="ab"), ValueError, "descend: start must be numbers. Received: 'ab'"),
        (lambda: descend(BOWL, {"a": "sgd"}, start=[[1], [1, 2]]), ValueError, "descend: start must be numbers. Recei"),
        (lambda: BOWL.grid("a"), TypeError, "Surface: points must be an integer of at least 2. Received: points='a'"),
    ],
)
def test_mistakes_are_named(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
