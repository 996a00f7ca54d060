"""Test surfaces in the plane, and the paths that optimizers take down them.

| name | height | minimum |
|---|---|---|
| bowl | x² + y² | (0, 0) |
| valley | (x² + 30 y²) / 2, whose condition number is 30 | (0, 0) |
| rosenbrock | (1 − x)² + 100 (y − x²)², Rosenbrock 1960 | (1, 1) |
| beale | (1.5 − x + x y)² + (2.25 − x + x y²)² + (2.625 − x + x y³)², Beale 1958 | (3, 0.5) |
| saddle | x² − y² + y⁴ / 2, a saddle point at the origin between two minima | (0, 1), (0, −1) |
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Checked, checked
from minidl.optimizers import Optimizer, registry
from minidl.parameters import Parameter
from minidl.validation import describe, integer, numbers

__all__ = ["BEALE", "BOWL", "ROSENBROCK", "SADDLE", "SURFACES", "VALLEY", "Surface", "descend"]

Path = NDArray[np.float64]


@dataclass(frozen=True)
class Surface(metaclass=Checked):
    """A function of two numbers, with its slope, and how to look at it.

    Args:
        name: What pictures call it.
        function: (x, y) → the height; it must take arrays too.
        gradient: (x, y) → the two partial derivatives.
        start: Where paths begin.
        minima: The points of least height, for pictures.
        view: ((x from, x to), (y from, y to)), what pictures show.
        rates: A learning rate by an optimizer's name, chosen so that one sees how it walks.

    >>> bowl = Surface("bowl", lambda x, y: x**2 + y**2, lambda x, y: (2 * x, 2 * y), start=(3.0, 4.0))
    >>> bowl(3.0, 4.0), bowl.gradient(3.0, 4.0)
    (25.0, (6.0, 8.0))
    """

    name: str
    function: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], tuple[Any, Any]]
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...] = ()
    view: tuple[tuple[float, float], tuple[float, float]] = ((-5.0, 5.0), (-5.0, 5.0))
    rates: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, x: Any, y: Any) -> Any:
        """Return the height at (x, y)."""
        return self.function(x, y)

    axes = ("x", "y")

    def grid(self, points: int = 300) -> tuple[Path, Path, Path]:
        """Return so many coordinates in each direction of the view, and the heights, the second direction first."""
        points = integer("Surface", "points", points, 2)
        x, y = (np.linspace(*limits, points) for limits in self.view)
        return x, y, np.asarray(self(*np.meshgrid(x, y)), np.float64)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return a new optimizer for each name in `rates`, at that rate."""
        return {name: type(registry.get(name))(learning_rate=rate) for name, rate in self.rates.items()}


@checked
def descend(
    surface: Surface,
    optimizers: Mapping[str, object],
    *,
    steps: int = 200,
    start: ArrayLike | None = None,
) -> dict[str, Path]:
    """Let each optimizer walk down the surface, and return the paths by the same names.

    Each walks in double precision, alone, as a fresh copy of what was given, which stays as it is.

    Args:
        surface: Where to walk.
        optimizers: An optimizer, or its name, for each name of a path.
        steps: How many steps, at least 1.
        start: (x, y) where all begin; by default where the surface says.

    Returns:
        For each name the points from the start on, shape (steps + 1, 2). The path of one that diverges is shorter: it
        ends with the last point where its height is finite, and from which a step could be made.

    Raises:
        ValueError: If there is no optimizer, or one has made steps already.

    >>> paths = descend(BOWL, {"sgd": minidl.optimizers.SGD(0.25)}, steps=2)
    >>> paths["sgd"].tolist()
    [[-4.0, 3.0], [-2.0, 1.5], [-1.0, 0.75]]
    """
    steps = integer("descend", "steps", steps, 1)
    if not isinstance(surface, Surface):
        raise TypeError(f"descend: surface must be a Surface. Received: {describe(surface)}")
    if not isinstance(optimizers, Mapping) or not optimizers:
        raise ValueError(f"descend: optimizers must be a dict of at least one name. Received: {describe(optimizers)}")
    first = numbers("descend", "start", surface.start if start is None else start).astype(np.float64)
    if first.shape != (2,) or not np.isfinite(first).all():
        raise ValueError(f"descend: start must be two finite numbers. Received: start={start!r}")
    return {name: _path(surface, _fresh(name, given), steps, first) for name, given in optimizers.items()}


def _fresh(name: str, given: object) -> Optimizer:
    optimizer = deepcopy(registry.get(given))
    if optimizer.iterations:
        raise ValueError(
            f"descend: an optimizer must be new. Received: {name!r}, an optimizer after {optimizer.iterations} steps"
        )
    return optimizer


def _path(surface: Surface, optimizer: Optimizer, steps: int, start: Path) -> Path:
    point = Parameter(start.copy(), name="point")
    path = [start.copy()]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            point.grad = surface.gradient(*point.data)
            try:
                optimizer.step([point])
            except FloatingPointError:
                break
            if not np.isfinite([*point.data, surface(*point.data)]).all():
                break
            path.append(point.data.copy())
    return np.array(path)


def _beale_parts(x: Any, y: Any) -> tuple[Any, Any, Any]:
    return 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3


def _beale(x: Any, y: Any) -> Any:
    a, b, c = _beale_parts(x, y)
    return a**2 + b**2 + c**2


def _beale_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    a, b, c = _beale_parts(x, y)
    by_x = 2 * (a * (y - 1) + b * (y**2 - 1) + c * (y**3 - 1))
    by_y = 2 * x * (a + 2 * b * y + 3 * c * y**2)
    return by_x, by_y


BOWL = Surface(
    "quadratic bowl",
    lambda x, y: x**2 + y**2,
    lambda x, y: (2 * x, 2 * y),
    start=(-4.0, 3.0),
    minima=((0.0, 0.0),),
    rates={
        "sgd": 0.05,
        "momentum": 0.01,
        "nesterov": 0.01,
        "adagrad": 1.0,
        "rmsprop": 0.1,
        "adadelta": 10.0,
        "adam": 0.2,
    },
)

VALLEY = Surface(
    "ill-conditioned valley",
    lambda x, y: (x**2 + 30 * y**2) / 2,
    lambda x, y: (x, 30 * y),
    start=(-9.0, 2.0),
    minima=((0.0, 0.0),),
    view=((-10.0, 4.0), (-3.0, 3.0)),
    rates={
        "sgd": 0.06,
        "momentum": 0.01,
        "nesterov": 0.01,
        "adagrad": 2.0,
        "rmsprop": 0.2,
        "adadelta": 20.0,
        "adam": 0.5,
    },
)

ROSENBROCK = Surface(
    "Rosenbrock",
    lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    lambda x, y: (-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)),
    start=(-1.2, 1.0),
    minima=((1.0, 1.0),),
    view=((-2.0, 2.0), (-1.0, 4.0)),
    rates={
        "sgd": 0.005,
        "momentum": 0.002,
        "nesterov": 0.002,
        "adagrad": 1.0,
        "rmsprop": 0.1,
        "adadelta": 20.0,
        "adam": 0.5,
    },
)

BEALE = Surface(
    "Beale",
    _beale,
    _beale_gradient,
    start=(1.0, 1.5),
    minima=((3.0, 0.5),),
    view=((-1.0, 4.5), (-2.0, 2.0)),
    rates={
        "sgd": 0.02,
        "momentum": 0.005,
        "nesterov": 0.005,
        "adagrad": 1.0,
        "rmsprop": 0.05,
        "adadelta": 10.0,
        "adam": 0.2,
    },
)

SADDLE = Surface(
    "saddle",
    lambda x, y: x**2 - y**2 + y**4 / 2,
    lambda x, y: (2 * x, -2 * y + 2 * y**3),
    start=(-1.5, 0.01),
    minima=((0.0, 1.0), (0.0, -1.0)),
    view=((-2.0, 2.0), (-1.5, 1.5)),
    rates={
        "sgd": 0.05,
        "momentum": 0.02,
        "nesterov": 0.02,
        "adagrad": 0.3,
        "rmsprop": 0.02,
        "adadelta": 5.0,
        "adam": 0.1,
    },
)

SURFACES = {
    "bowl": BOWL,
    "valley": VALLEY,
    "rosenbrock": ROSENBROCK,
    "beale": BEALE,
    "saddle": SADDLE,
}
