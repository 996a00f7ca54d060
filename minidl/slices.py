"""The loss of a real net, seen on a plane through its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import Checked, checked
from minidl.randomness import generator
from minidl.training.trainer import trainer_of
from minidl.validation import describe, integer, number, numbers

__all__ = ["Plane", "Slice", "around", "flat_weights", "loss_slice", "path_plane", "random_plane"]

Array = NDArray[Any]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Plane(metaclass=Checked):
    """A plane through weights: origin + a · first + b · second, each a vector of all a model's weights.

    Attributes:
        origin: The weights at (0, 0).
        first: The direction of a.
        second: The direction of b.
        shown: Which part of the paths' squared distance from the origin lies in the plane, from 0 to 1; None of a plane
            that isn't made for paths.
    """

    origin: Points
    first: Points
    second: Points
    shown: float | None = None

    def project(self, weights: ArrayLike) -> Points:
        """Return the coordinates (a, b) of the point of the plane next to each of the weights, shape (n, 2).

        >>> plane = Plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([1.0, 2, 0]))
        >>> plane.project([[3.0, 4, 5]]).round(9).tolist()
        [[1.0, 2.0]]
        """
        given, size = numbers("Plane", "weights", weights), len(self.origin)
        if given.ndim not in (1, 2) or given.shape[-1] != size:
            raise ValueError(f"Plane: weights must have shape (n, {size}). Received: shape {given.shape}")
        vectors = given.astype(np.float64) - self.origin
        directions = np.stack([self.first, self.second], axis=1)
        return np.asarray(np.linalg.lstsq(directions, vectors.T, rcond=None)[0].T, np.float64)


@dataclass(frozen=True)
class Slice(metaclass=Checked):
    """The loss on a grid of a plane; `minidl.plotting.plot_trajectories` draws it, with paths on it.

    Attributes:
        name: What pictures call it.
        plane: The plane.
        a: The grid's coordinates along the first direction.
        b: Those along the second.
        losses: At (a[j], b[i]), shape (len(b), len(a)); not finite where the loss isn't.
        minima: None; a `Surface` tells where its own lie.
        axes: What pictures call the two directions.
    """

    name: str
    plane: Plane
    a: Points
    b: Points
    losses: Points

    minima: ClassVar[tuple[tuple[float, float], ...]] = ()
    axes: ClassVar[tuple[str, str]] = ("a", "b")

    @property
    def view(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What pictures show: (from, to) of a, and of b."""
        return (self.a[0], self.a[-1]), (self.b[0], self.b[-1])

    def grid(self) -> tuple[Points, Points, Points]:
        """Return a, b and the losses."""
        return self.a, self.b, self.losses


@checked
def flat_weights(model: Any) -> Points:
    """Return all parameters of a built model as one vector, in their order.

    >>> model = minidl.Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    >>> flat_weights(model).shape
    (3,)
    """
    parameters = _parameters("flat_weights", model)
    return np.concatenate([parameter.data.ravel() for parameter in parameters]).astype(np.float64)


def _parameters(owner: str, model: Any) -> Sequence[Any]:
    """Return the parameters of a built model, or of a trainer's, or raise ValueError."""
    parameters: Sequence[Any] = getattr(getattr(model, "model", model), "parameters", ())
    if not parameters:
        raise ValueError(f"{owner}: model must be built, and have parameters. Received: {describe(model)}")
    return parameters


@checked
def random_plane(model: Any, *, seed: int = 0) -> Plane:
    """Return a plane through a model's weights in two directions that are drawn, each as large as the weights are.

    Each column of a kernel (the weights of one unit, or filter) gets a normal direction of the column's own norm, so
    that nets of other scales can be compared; vectors, such as biases, stay as they are.

    Args:
        model: A built model, or a trainer's.
        seed: Of what is drawn.

    Source: Li, Xu, Taylor, Studer, Goldstein, Visualizing the Loss Landscape of Neural Nets, 2018, section 4.
    """
    parameters = _parameters("random_plane", model)
    rng = generator(integer("random_plane", "seed", seed), "directions")
    return Plane(flat_weights(model), _drawn(parameters, rng), _drawn(parameters, rng))


def _drawn(parameters: Sequence[Any], rng: np.random.Generator) -> Points:
    parts = []
    for parameter in parameters:
        data = parameter.data.astype(np.float64)
        direction = np.zeros_like(data)
        if data.ndim > 1:
            direction = rng.standard_normal(data.shape)
            axes = tuple(range(data.ndim - 1))
            direction *= np.sqrt((data**2).sum(axis=axes) / (direction**2).sum(axis=axes))
        parts.append(direction.ravel())
    return np.concatenate(parts)


@checked
def path_plane(paths: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> Plane:
    """Return the plane through the start of paths that is nearest to all their points.

    Its directions, of length 1, are the first two principal components of the steps from the start: so far away from it
    as (a, b) is in a picture, so far away in the plane are the weights. `shown` tells what is lost.

    Args:
        paths: For each name, or in a list, weights of shape (n, number of weights): what
            `callbacks.WeightPath` has recorded. All must have one start.

    Raises:
        ValueError: If there is no path, one isn't such weights, or no path moves.

    Source: Li and others, 2018, section 7, who take the end as the origin.
    """
    arrays = _arrays("path_plane", paths, "weights")
    origin = arrays[0][0]
    if any(not np.array_equal(path[0], origin) for path in arrays):
        raise ValueError("path_plane: paths must have one start. Received: others")
    steps = np.concatenate(arrays) - origin
    if not np.isfinite(steps).all() or not steps.any():
        raise ValueError("path_plane: paths must be finite, and move. Received: some that aren't, or don't")
    steps /= np.abs(steps).max()  # so that no square leaves the range of the numbers
    first, length = _principal(steps)
    second, width = _principal(steps - np.outer(steps @ first, first))
    if width <= np.finfo(np.float64).eps * max(steps.shape) * length:  # a straight path: any direction across it
        second = np.zeros_like(first)
        second[np.abs(first).argmin()] = len(first) > 1  # a single weight has none
    second, _ = _unit(second - (second @ first) * first)
    return Plane(origin, first, second, min(float((length**2 + width**2) / np.vdot(steps, steps)), 1.0))


def _arrays(owner: str, paths: object, what: str, width: int | None = None) -> list[Points]:
    """Return paths, of a dict or a list, as arrays whose points are of so many numbers, all of as many if None."""
    if isinstance(paths, str) or not isinstance(paths, Iterable):
        raise TypeError(f"{owner}: paths must be a dict or a list. Received: {describe(paths)}")
    given = paths.values() if isinstance(paths, Mapping) else paths
    arrays = [numbers(owner, "paths", path).astype(np.float64, copy=False) for path in given]
    if not arrays or any(
        path.ndim != 2 or not len(path) or path.shape[1] != (width or arrays[0].shape[-1]) for path in arrays
    ):
        raise ValueError(
            f"{owner}: paths must be {what} of shape (n, {width or 'number of weights'}). "
            f"Received: {describe([path.shape for path in arrays])}"
        )
    return arrays


def _principal(steps: Points) -> tuple[Points, float]:
    """Return the direction in which steps, in rows, go farthest, of length 1, and how far they go in all.

    It is the first vector of their singular value decomposition, by the small matrix of their products: there are far
    fewer steps than weights. What is far shorter than the longest is lost in its squares, so each direction is looked
    for in what the one before has left.
    """
    _, mixtures = np.linalg.eigh(steps @ steps.T)
    return _unit(mixtures[:, -1] @ steps)


def _unit(vector: Points) -> tuple[Points, float]:
    """Return a vector with length 1, unless it is 0, and the length that it had."""
    length = float(np.linalg.norm(vector))
    return vector / (length or 1.0), length


@checked
def loss_slice(
    trainer: Any,
    x: Any,
    y: Any,
    plane: Plane,
    *,
    view: tuple[tuple[float, float], tuple[float, float]] = ((-1.0, 1.0), (-1.0, 1.0)),
    points: int = 41,
    batch_size: int = 1000,
    name: str = "loss",
) -> Slice:
    """Evaluate the loss on a grid of a plane through the weights; the model stays as it is, bit for bit.

    It is what `evaluate` returns, penalties included, with each grid point's weights in place; buffers, such as running
    statistics, stay those of the model.

    Args:
        trainer: A `Trainer`, or a compiled `Sequential`; its model must be built.
        x: The samples.
        y: Their targets.
        plane: See `random_plane` and `path_plane`; or any `Plane` of vectors as `flat_weights` returns them.
        view: (from, to) of a, and of b. A line has one b: (0, 0).
        points: In each direction, at least 2.
        batch_size: Samples that are evaluated at once.
        name: What pictures call it.

    Raises:
        ValueError, TypeError: If an argument isn't as told above, or the plane is another model's.

    >>> model = minidl.Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    >>> model.compile("sgd", "mse")
    >>> line = Plane(np.array([1.0]), np.array([1.0]), np.array([0.0]))
    >>> x = np.ones((4, 1)); y = 3 * x
    >>> loss_slice(model, x, y, line, view=((0, 4), (0, 0)), points=5).losses.tolist()  # (1 + a − 3)²
    [[4.0, 1.0, 0.0, 1.0, 4.0]]
    """
    given = trainer_of("loss_slice", trainer)
    a, b = _coordinates(view, integer("loss_slice", "points", points, 2))
    batch_size = integer("loss_slice", "batch_size", batch_size, 1)
    model = given.model
    before = [parameter.data.copy() for parameter in model.parameters]
    size = sum(array.size for array in before)
    if not isinstance(plane, Plane) or any(v.shape != (size,) for v in (plane.origin, plane.first, plane.second)):
        raise ValueError(f"loss_slice: plane must be one of {size} weights. Received: {describe(plane)}")
    losses = np.empty((len(b), len(a)))
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            for (i, j), _ in np.ndenumerate(losses):
                _put(model, plane.origin + a[j] * plane.first + b[i] * plane.second)
                losses[i, j] = given.evaluate(x, y, batch_size=batch_size)["loss"]
    finally:
        for parameter, array in zip(model.parameters, before, strict=True):
            parameter.data[...] = array
    return Slice(name, plane, a, b, losses)


def _coordinates(view: object, points: int) -> list[Points]:
    """Return the coordinates of a, and of b, that a view has; raise ValueError if it is none."""
    limits = numbers("loss_slice", "view", view).astype(np.float64)
    if limits.shape != (2, 2) or not np.isfinite(limits).all() or (limits[:, 0] > limits[:, 1]).any():
        raise ValueError(f"loss_slice: view must be (from, to) of a and of b, finite. Received: view={describe(view)}")
    return [np.linspace(low, high, points if low < high else 1) for low, high in limits]


def _put(model: Any, vector: Points) -> None:
    start = 0
    for parameter in model.parameters:
        parameter.data[...] = vector[start : start + parameter.size].reshape(parameter.shape)
        start += parameter.size


@checked
def around(
    paths: Mapping[str, ArrayLike] | Sequence[ArrayLike], *, margin: float = 0.2
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return a view that has all points of the plane in it, with a margin around them.

    Args:
        paths: For each name, or in a list, points of shape (n, 2): what `Plane.project` returned.
        margin: By which part of their extent the view exceeds the points, at least 0.

    Raises:
        ValueError, TypeError: If there is no path, or one isn't finite points in the plane.

    >>> around({"SGD": [[0.0, 0.0], [10.0, 5.0]]})
    ((-2.0, 12.0), (-1.0, 6.0))
    """
    together = np.concatenate(_arrays("around", paths, "points", 2))
    if not np.isfinite(together).all():
        raise ValueError("around: paths must be finite. Received: some that aren't")
    low, high = together.min(axis=0), together.max(axis=0)
    extra = number("around", "margin", margin, "[0, inf)") * np.maximum(high - low, 1e-6)
    (a, b), (c, d) = (low - extra).tolist(), (high + extra).tolist()
    return (a, c), (b, d)
