"""The command `minidl`: compare, reproduce, trajectories, check, data."""

from minidl.cli.command import main, prepare

__all__ = ["main", "prepare"]
