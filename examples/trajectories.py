"""Four optimizers on their way down Beale's surface, as a picture and as an animation.

python examples/trajectories.py [FOLDER]
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from minidl import optimizers, plotting, surfaces


def main(folder: Path) -> float:
    """Walk and draw; return the greatest height at which one of them ends."""
    walkers = {
        "SGD": optimizers.SGD(0.02),
        "Momentum": optimizers.Momentum(0.005),
        "RMSprop": optimizers.RMSprop(0.05),
        "Adam": optimizers.Adam(0.2),
    }
    paths = surfaces.descend(surfaces.BEALE, walkers, steps=200)
    for name, path in paths.items():
        print(f"{name:9} ends at ({path[-1, 0]:.3f}, {path[-1, 1]:.3f}), height {surfaces.BEALE(*path[-1]):.2g}")
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    plotting.plot_trajectories(surfaces.BEALE, paths, ax=figure.subplots())
    figure.savefig(folder / "beale.png")
    plotting.animate_trajectories(
        surfaces.BEALE, paths, folder / "beale.gif", ax=Figure(figsize=(6, 4.5), layout="constrained").subplots()
    )
    return max(float(surfaces.BEALE(*path[-1])) for path in paths.values())


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    highest = main(folder)
    print(f"drawn: {folder / 'beale.png'}, {folder / 'beale.gif'}")
    if highest > 0.05:
        raise SystemExit("one of them hasn't come down")
