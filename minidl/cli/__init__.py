"""The command `minidl`: compare, trajectories, data."""

from minidl.cli.command import main, prepare

__all__ = ["main", "prepare"]
