"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from numpy.typing import NDArray

from minidl.saving.container import START, FileError, check_start, decode
from minidl.validation import describe

__all__ = ["PART", "SUFFIX", "checked_path", "place", "read", "read_by"]

Array = NDArray[Any]
T = TypeVar("T")

SUFFIX = ".safetensors"
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
PART = ".part"  # how the name ends of a file that isn't complete yet


def checked_path(owner: str, path: Any, name: str = "path") -> Path:
    """Return `path` as a Path, or raise TypeError if it is none."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise TypeError(f"{owner}: {name} must be a path. Received: {name}={describe(path)}")
    return Path(path)


def place(owner: str, path: Path, content: bytes) -> None:
    """Let the file at `path` hold `content`: as a whole, and on the disk when this returns, or not at all.

    It is written beside it under another name, flushed to the disk and then given its name in one step; so whatever
    happens, there is the file as it was or as it is to be. A symbolic link stays one.

    Raises:
        OSError: If it can't be written, such as on a full disk; what was there before is untouched.
    """
    try:
        target = Path(os.path.realpath(path))
        part = target.with_name(f".{target.name[:40]}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try:
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666
            with open(os.open(part, NEW, mode), "wb") as file:  # noqa: PTH123  # by its number
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        _flush_folder(target.parent)
    except OSError as error:
        raise _told(owner, path, "be written", error) from error


def _flush_folder(folder: Path) -> None:
    """Let the names in `folder` be on the disk; some file systems and systems have no such thing."""
    if os.name != "posix":
        return
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # one may write into a folder that one mayn't read
        return
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(number)


def read(owner: str, path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the tensors and the document in a file; see `minidl.saving.container`.

    Raises:
        FileError: If it isn't a whole file of ours.
        OSError: If it can't be read.
    """

    def taken(file: IO[bytes]) -> tuple[dict[str, Array], dict[str, Any]]:
        check_start(file.read(START), os.fstat(file.fileno()).st_size)
        file.seek(0)
        return decode(file.read())

    return read_by(owner, path, taken)


def read_by(owner: str, path: Path, take: Callable[[IO[bytes]], T]) -> T:
    """Return what `take` makes of a file, which may raise FileError.

    Raises:
        FileError: If it does, if there is no regular file, or if that doesn't fit into memory.
        OSError: If it can't be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for a writer
            raise FileError("it must be a file. Received: a folder, or another thing that is no regular file")
        with path.open("rb") as file:
            return take(file)
    except OSError as error:
        raise _told(owner, path, "be read", error) from error
    except MemoryError as error:
        raise FileError(f"{owner}: {path}: it must fit into memory. Received: more than that") from error
    except FileError as error:
        raise type(error)(f"{owner}: {path}: {error}") from error


def _told(owner: str, path: Path, what: str, error: OSError) -> OSError:
    """Return an error of the same kind that says what couldn't be done."""
    number = error.errno or errno.EIO
    return OSError(number, f"{owner}: {path} can't {what}. Received: {error.strerror or error}")
