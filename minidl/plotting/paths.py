"""Pictures of paths down a surface, still and moving."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.config import checked
from minidl.plotting.frame import COLOURS, draw_line, new_axes, rgb
from minidl.slices import Slice
from minidl.surfaces import Surface
from minidl.validation import describe, integer, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

Pixels = NDArray[np.uint8]

__all__ = ["animate_trajectories", "plot_trajectories"]


@checked
def plot_trajectories(surface: Surface | Slice, paths: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Draw paths over the contour lines of a surface, and return the Axes.

    A circle is where they start, a star each minimum, the large marker where a path ends. Contour lines lie the closer,
    in height, the lower they are.

    Args:
        surface: See `minidl.surfaces`, or the slice of a net's loss, `minidl.slices.loss_slice`.
        paths: For each name in the legend its points, shape (n, 2): what `minidl.surfaces.descend` returned, or the
            `project` of a slice's plane.
        ax: Where to draw; by default a new figure.

    Raises:
        ValueError: If there is no path, or one isn't points in the plane.
    """
    points = _points("plot_trajectories", surface, paths)
    ax = new_axes("plot_trajectories", ax)
    _ground(ax, surface)
    for line, (name, path) in enumerate(points.items()):
        trail = draw_line(ax, line, path[:, 0], path[:, 1], name)
        ax.plot(
            *path[-1:].T,
            marker=trail.get_marker(),
            color=trail.get_color(),
            markersize=9,
            markeredgecolor="white",
            zorder=4,
            label=f"_end of {name}",
        )
    starts = np.unique([path[0] for path in points.values()], axis=0)
    ax.plot(*starts.T, "o", color="white", markeredgecolor="black", markersize=8, zorder=5, label="_starts")
    ax.legend(framealpha=0.85, edgecolor="none", fontsize="small")
    return ax


@checked
def animate_trajectories(
    surface: Surface | Slice,
    paths: Mapping[str, ArrayLike],
    path: str | Path,
    *,
    ax: Axes | None = None,
    frames: int = 100,
    fps: int = 20,
) -> Axes:
    """Draw the paths as they come about, into an animated GIF or MP4, and return the Axes, which show the last frame.

    Args:
        surface: See `minidl.surfaces`, or the slice of a net's loss.
        paths: For each name in the legend its points, shape (n, 2).
        path: Where it goes, .gif or .mp4; it has its name once it is whole. (MP4 needs the extra `video`.)
        ax: Where to draw; by default a new figure.
        frames: How many pictures at most; the longest path has at least one step from each to the next.
        fps: Pictures a second.

    Raises:
        ValueError: If there is no path, one isn't points in the plane, or the file's name doesn't end in .gif or .mp4.
        FileNotFoundError: If there is no such folder.
        ImportError: If it is to be an MP4, and imageio-ffmpeg isn't installed.
    """
    points = _points("animate_trajectories", surface, paths)
    frames, fps = integer("animate_trajectories", "frames", frames, 2), integer("animate_trajectories", "fps", fps, 1)
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise ValueError(f"animate_trajectories: path must end in .gif or .mp4. Received: {str(path)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"animate_trajectories: path must be in a folder that exists. Received: {str(path)!r}")
    ax = plot_trajectories(surface, points, ax=ax)
    last = max(map(len, points.values())) - 1
    steps = np.unique(np.linspace(0, last, frames).round().astype(int))
    pictures = _frames(ax, surface, points, [int(step) for step in steps])
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        WRITERS[path.suffix.lower()](unfinished, pictures, fps)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return ax


def _write_gif(file: Path, pictures: Iterator[Pixels], fps: int) -> None:
    first, *others = map(_indexed, pictures)
    first.save(file, save_all=True, append_images=others, duration=1000 / fps, loop=0)


def _write_mp4(file: Path, pictures: Iterator[Pixels], fps: int) -> None:
    try:
        from imageio_ffmpeg import write_frames
    except ImportError as error:
        raise ImportError("animate_trajectories: an MP4 needs imageio-ffmpeg: pip install 'minidl[video]'") from error
    first = next(pictures)
    height, width = (length - length % 2 for length in first.shape[:2])  # the codec has pixels in pairs
    video = write_frames(str(file), (width, height), fps=fps, macro_block_size=2)
    video.send(None)
    for picture in itertools.chain([first], pictures):
        video.send(np.ascontiguousarray(picture[:height, :width]))
    video.close()


WRITERS = {".gif": _write_gif, ".mp4": _write_mp4}


def _frames(
    ax: Axes, surface: Surface | Slice, points: Mapping[str, NDArray[np.float64]], steps: list[int]
) -> Iterator[Pixels]:
    """Give the picture after each of the steps; what doesn't move is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    lines = {str(line.get_label()): line for line in ax.get_lines()}
    moving = [
        *(artist for name in points for artist in (lines[name], lines[f"_end of {name}"])),
        lines["_starts"],
        ax.title,
    ]
    figure, shown_on = ax.figure.get_figure(root=True), ax.figure.canvas
    canvas = FigureCanvasAgg(figure)
    try:
        for artist in moving:
            artist.set_animated(True)
        canvas.draw()
        still = canvas.copy_from_bbox(figure.bbox)
        for step in steps:
            ax.set_title(f"{surface.name}, step {step}")
            for name, path in points.items():
                lines[name].set_data(*path[: step + 1].T)
                lines[f"_end of {name}"].set_data(*path[: step + 1][-1:].T)
            canvas.restore_region(still)
            for artist in moving:
                ax.draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[..., :3]
    finally:
        for artist in moving:
            artist.set_animated(False)
        ax.set_title(surface.name)
        figure.set_canvas(shown_on)


def _indexed(pixels: NDArray[np.uint8]) -> Image:
    """Return the picture in at most 256 colours: greys, and the lines' colours with their blends into white.

    One palette for all frames, so that a file holds of each frame only what has changed. (Pillow's own search for
    the nearest colour is coarse: its white would be grey.)
    """
    from PIL.Image import frombytes

    blends = np.linspace(0, 1, 16, endpoint=False)[:, None, None]
    coloured = (1 - blends) * rgb(COLOURS) * 255 + blends * 255
    greys = np.repeat(np.linspace(0, 255, 256 - len(coloured) * len(COLOURS)), 3)
    palette = np.concatenate([greys.reshape(-1, 3), coloured.reshape(-1, 3)]).round()
    codes, where = np.unique(pixels @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
    there = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    nearest = ((there[:, None] - palette) ** 2).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    image = frombytes("P", pixels.shape[1::-1], nearest[where].tobytes())
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


def _points(owner: str, surface: object, paths: object) -> dict[str, NDArray[np.float64]]:
    """Return the paths as arrays, or raise."""
    if not isinstance(surface, (Surface, Slice)):
        raise TypeError(f"{owner}: surface must be a Surface or a Slice. Received: {describe(surface)}")
    if not isinstance(paths, Mapping) or not paths:
        raise ValueError(f"{owner}: paths must be a dict of at least one name. Received: {describe(paths)}")
    points = {str(name): numbers(owner, f"path {name!r}", path).astype(np.float64) for name, path in paths.items()}
    for name, path in points.items():
        if path.ndim != 2 or path.shape[1] != 2 or not len(path) or not np.isfinite(path).all():
            raise ValueError(
                f"{owner}: a path must be finite points of shape (n, 2). Received: {name!r}: {describe(path)}"
            )
    return points


def _ground(ax: Axes, surface: Surface | Slice) -> None:
    """Draw the contour lines, in grey so that paths stand out, and the minima."""
    from matplotlib.ticker import MaxNLocator

    x, y, heights = surface.grid()
    heights = np.ma.masked_invalid(heights)
    low, high = heights.min(), heights.max()
    levels = low + (high - low) * np.linspace(0, 1, 25) ** 4
    ax.contourf(x, y, heights, levels=levels, cmap="Greys", alpha=0.35, vmin=low, vmax=high)
    ax.contour(x, y, heights, levels=levels[1:], colors="#999999", linewidths=0.5)
    for minimum in surface.minima:
        ax.plot(*minimum, "*", color="white", markeredgecolor="black", markersize=15, zorder=3)
    ax.set(
        xlim=surface.view[0], ylim=surface.view[1], xlabel=surface.axes[0], ylabel=surface.axes[1], title=surface.name
    )
    ax.xaxis.set_major_locator(MaxNLocator(6))
