"""What is in a file of minidl's: a model's arrays under their own names, and nested states beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from minidl.saving.container import FileError, encode
from minidl.saving.files import read
from minidl.saving.trees import pack, unpack
from minidl.validation import describe

__all__ = ["pack_document", "unpack_document"]

Array = NDArray[Any]

FORMAT = 1  # counts the changes of what a document holds
#: What begins with it is no array of a model's.
MARK = "@"


def pack_document(kind: str, arrays: dict[str, Array], parts: dict[str, Any]) -> bytes:
    """Return the bytes of a file with a model's `arrays`, under their own names, and with nested states as `parts`."""
    import minidl

    tensors = dict(arrays)
    plain = {name: pack(part, f"{MARK}{name}", tensors) for name, part in parts.items()}
    return encode(tensors, {"minidl": minidl.__version__, "format": FORMAT, "kind": kind, **plain})


def unpack_document(path: Path, owner: str, kinds: tuple[str, ...]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return a model's arrays and the parts in a file.

    Raises:
        FileError: If it isn't a file of one of the `kinds`.
        OSError: If it can't be read.
    """
    tensors, document = read(owner, path)
    kind, version = document.pop("kind", None), document.pop("format", None)
    document.pop("minidl", None)
    if kind not in kinds:
        raise FileError(
            f"{owner}: {path}: it must hold a {' or a '.join(kinds)}. Received: a file that says kind={describe(kind)}"
        )
    if version != FORMAT:
        raise FileError(f"{owner}: {path}: its format must be {FORMAT}. Received: {describe(version)}")
    used: set[str] = set()
    try:
        parts = {name: unpack(part, tensors, used) for name, part in document.items()}
        left = sorted({name for name in tensors if name.startswith(MARK)} - used)
        if left:
            raise ValueError(f"every array must be used. Received: {left[:3]} beside")
        if any(not name.startswith(MARK) for name in used):
            raise ValueError("a state's arrays must be its own. Received: one of the model's")
    except (ValueError, TypeError, RecursionError) as error:
        raise FileError(
            f"{owner}: {path}: its document must be what save writes. Received: another ({error})"
        ) from error
    return {name: array for name, array in tensors.items() if not name.startswith(MARK)}, parts
