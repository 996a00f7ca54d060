"""`minidl trajectories`: the paths of optimizers down surfaces, as pictures."""

import argparse
import contextlib
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minidl import surfaces
from minidl.callbacks import WeightPath
from minidl.cli import options as read
from minidl.lab.tasks import SEVEN, TASKS, Task
from minidl.surfaces import SURFACES, Surface

__all__ = ["EXAMPLES", "add"]

EXAMPLES = """examples:
  minidl trajectories
  minidl trajectories --surface beale --animate
  minidl trajectories --surface valley,rosenbrock --optimizers sgd,momentum,adam --steps 500
  minidl trajectories --net moons --optimizers sgd,momentum,adam --animate
  minidl trajectories --surface saddle --learning-rate 0.01 --start=-1.5,0.001 --out paths
"""

NETS = [name for name in TASKS if name != "fashion-mnist"]
FAR = 10.0  # times the first loss: a path that ends so high has left what a picture can show
Walk = tuple[Surface, dict[str, read.Chosen]]


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = read.command(
        commands,
        "trajectories",
        help="draw the paths of optimizers down test surfaces",
        description="Let each optimizer walk down test surfaces, print where it arrives and draw the paths: "
        "trajectories.png, and on request an animation of each surface.",
        examples=EXAMPLES,
    )
    option = parser.add_argument
    option("--surface", default=",".join(SURFACES), metavar="NAMES", help=f"of {', '.join(SURFACES)} (default: all)")
    option("--optimizers", default=",".join(SEVEN), metavar="NAMES", help="such as sgd,adam (default: all seven)")
    option("--learning-rate", action="append", default=[], metavar="RATE", help="for all, or for some: "
           "adam=0.1,sgd=0.01 (default: for each one that shows how it walks)")  # fmt: skip
    option("--steps", default="200", metavar="N", help="default: 200")
    option("--start", metavar="X,Y", help="where all begin (default: what suits the surface)")
    option("--net", metavar="NAME", help="instead, on the loss of a small net, on the plane that is nearest to the "
           f"paths of its weights: {', '.join(NETS)}")  # fmt: skip
    option("--animate", action="store_true", help="also write an animation of each surface, such as beale.gif")
    option("--format", default="gif", metavar="KIND", help="of animations: gif or mp4 (default: gif)")
    option("--out", type=Path, default=Path("trajectories"), metavar="DIR", help="where to write (default: "
           "trajectories)")  # fmt: skip
    parser.set_defaults(prepare=_prepare)


def _prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check all options; return what is then to be done."""
    kind = read.known("--format", options.format, ("gif", "mp4"))
    if options.net is not None:
        return _prepare_net(options, kind)
    names = [part.strip() for part in options.surface.split(",") if part.strip()]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"--surface must name different ones, at least one. Received: {options.surface!r}")
    steps = read.integer("--steps", options.steps)
    start = None if options.start is None else _point(options.start)
    rates = read.rates(options.learning_rate)
    walks = {}
    for name in names:
        surface = SURFACES[read.known("--surface", name, SURFACES)]
        walks[name] = surface, read.optimizers_of(options.optimizers, rates, surface.rates)
    return partial(_draw, walks, steps, start, kind if options.animate else None, read.folder(options.out))


def _prepare_net(options: argparse.Namespace, kind: str) -> Callable[[], None]:
    task = TASKS[read.known("--net", options.net, NETS)]
    if options.start is not None:
        raise ValueError("--start is for surfaces; nets start from their weights. Received: --net as well")
    steps = read.integer("--steps", options.steps)
    chosen = read.optimizers_of(options.optimizers, read.rates(options.learning_rate), task.rates)
    return partial(_walk_net, task, chosen, steps, kind if options.animate else None, read.folder(options.out))


def _point(text: str) -> tuple[float, ...]:
    try:
        point = tuple(float(part) for part in text.split(","))
    except ValueError:
        point = ()
    if len(point) != 2 or not all(math.isfinite(number) for number in point):
        raise ValueError(f"--start must be two numbers, such as -1.5,2. Received: {text!r}")
    return point


def _draw(walks: dict[str, Walk], steps: int, start: tuple[float, ...] | None, animate: str | None, out: Path) -> None:
    """Walk, print where each arrives, and draw."""
    from matplotlib.figure import Figure
    from tqdm import tqdm

    from minidl import plotting
    from minidl.plotting.frame import panels

    figure, axes = panels(len(walks), 3, (5.0, 4.2))
    written = [out / "trajectories.png"]
    head = ("surface", "optimizer", "learning rate", "arrives at", "above the least")
    print(f"{head[0]:12}{head[1]:12}{head[2]:>13}{head[3]:>20}{head[4]:>18}\n{'─' * 75}")
    for name, (surface, chosen) in tqdm(walks.items(), unit="surface", leave=False, disable=None):
        made = {title: one.new() for title, one in chosen.items()}
        paths = surfaces.descend(surface, made, steps=steps, start=start)
        labels = {title: f"{title} {optimizer.learning_rate:g}" for title, optimizer in made.items()}
        least = min(float(surface(*minimum)) for minimum in surface.minima)
        for title, path in paths.items():
            arrived = f"({path[-1][0]:.3f}, {path[-1][1]:.3f})"
            rest = f"{arrived:>20}{float(surface(*path[-1])) - least:18.2g}"
            if len(path) <= steps:
                labels[title] += ", diverged"
                rest = f"{f'diverged in step {len(path)}':>38}"
            tqdm.write(f"{name:12}{title:12}{made[title].learning_rate:13g}{rest}")
        named = {labels[title]: path for title, path in paths.items()}
        plotting.plot_trajectories(surface, named, ax=axes.pop(0))
        if animate:
            written.append(out / f"{name}.{animate}")
            own = Figure(figsize=(6, 4.5), layout="constrained").subplots()
            plotting.animate_trajectories(surface, named, written[-1], ax=own)
    figure.savefig(written[0], dpi=100)
    print(f"\nwritten: {', '.join(map(str, written))}")


def _walk_net(task: Task, chosen: dict[str, read.Chosen], steps: int, animate: str | None, out: Path) -> None:
    """Train a net with each optimizer, from the same start on the same batches; draw the paths of its weights."""
    from matplotlib.figure import Figure

    from minidl import plotting, slices

    data = task.data
    paths: dict[str, Any] = {}
    losses: dict[str, float] = {}
    cells = task.cells(chosen, [0])
    trainers = [cell.new_trainer() for cell in cells]
    for cell, trainer in zip(cells, trainers, strict=True):
        recorded = WeightPath(every=max(steps // 200, 1))
        x, y = _for_steps(steps, task)
        first = trainer.evaluate(data.x, data.y, batch_size=1000)["loss"]
        with np.errstate(over="ignore", invalid="ignore"), contextlib.suppress(FloatingPointError):
            trainer.fit(x, y, batch_size=task.batch_size, epochs=-(-steps // (len(x) // task.batch_size)), verbose=0,
                        callbacks=[recorded])  # fmt: skip
        label = f"{cell.name} {trainer.optimizer.learning_rate:g}"
        with np.errstate(over="ignore", invalid="ignore"):
            loss = trainer.evaluate(data.x, data.y, batch_size=1000)["loss"]
        if trainer.optimizer.iterations < steps or not loss < FAR * first:
            print(f"{label}: diverged, and isn't drawn")
            continue
        paths[label], losses[label] = np.array(recorded.weights), loss
    if not paths:
        raise ValueError("every optimizer diverged; --learning-rate gives them others")
    plane = slices.path_plane(paths)
    seen = {name: plane.project(path) for name, path in paths.items()}
    title = f"{task.name}: loss, and paths' projections ({plane.shown:.0%} of their squared length)"
    ground = slices.loss_slice(trainers[-1], data.x, data.y, plane, view=slices.around(seen), name=title)
    print(f"{'optimizer':24}{'arrives at':>20}{'loss there':>14}{'on the plane':>14}\n{'─' * 72}")
    for name, path in seen.items():
        a, b = map(float, path[-1])
        below = slices.loss_slice(trainers[-1], data.x, data.y, plane, view=((a, a), (b, b))).losses[0, 0]
        print(f"{name:24}{f'({a:.2f}, {b:.2f})':>20}{losses[name]:14.4f}{below:14.4f}")
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    plotting.plot_trajectories(ground, seen, ax=figure.subplots())
    written = [out / f"{task.name}.png"]
    figure.savefig(written[0], dpi=110)
    if animate is not None:
        written.append(out / f"{task.name}.{animate}")
        own = Figure(figsize=(7, 5.5), layout="constrained").subplots()
        plotting.animate_trajectories(ground, seen, written[-1], ax=own)
    print(f"\nthe plane shows {plane.shown:.0%} of the paths' squared length\nwritten: {', '.join(map(str, written))}")


def _for_steps(steps: int, task: Task) -> tuple[Any, Any]:
    """Return whole batches of the data, not more than there are steps; the last epoch is a whole one, too."""
    samples = min(len(task.data.x) // task.batch_size, steps) * task.batch_size
    return task.data.x[:samples], task.data.y[:samples]
