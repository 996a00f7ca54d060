"""What all commands share: the parser, the exit status, and how errors are told."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import minidl
from minidl.cli import check, compare, data, reproduce, trajectories

__all__ = ["main", "prepare"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and exit with status 2."""
        sys.stderr.write(f"{self.prog}: {' '.join(message.split())}\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process; return its exit status."""
    job = prepare(arguments)
    try:
        return job() or 0
    except KeyboardInterrupt:
        sys.stderr.write("minidl: interrupted\n")
        return 130
    except BrokenPipeError:  # `minidl ... | head`: nobody reads on, and that is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (OSError, ImportError, ValueError) as error:  # a file or a download: the messages are made to be read
        sys.stderr.write(f"minidl: {error}\n")
        return 1


def prepare(arguments: Sequence[str] | None = None) -> Callable[[], int | None]:
    """Check `arguments` and return what they ask to be done; wrong ones end the process with status 2."""
    parser = _Parser(prog="minidl", description=minidl.__doc__)
    parser.add_argument("--version", action="version", version=f"minidl {minidl.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for module in (compare, reproduce, trajectories, check, data):
        module.add(commands)
    options = parser.parse_args(arguments)
    try:
        job: Callable[[], int | None] = options.prepare(options)
    except (ValueError, TypeError, OSError) as error:
        commands.choices[options.command].error(str(error))
    return job
