"""A file's bytes: tensors and a JSON document in the safetensors format, under one digest.

    8 bytes    the length of the header
    header     {"__metadata__": {"minidl": "<the document>"}, "<name>": {"dtype", "shape", "data_offsets"}, ...}
    data       the tensors

The document's first entry is "sha256": the SHA-256 of the whole file, header and padding included, with its own 64
digits taken as zeros. Since nothing stands before it but what is always the same, it lies at the same place in every
file, and is verified before anything is parsed. Any reader of the format reads such a file; ours reads no others.

Source: the safetensors format, https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.validation import describe

__all__ = ["HEADER", "START", "DamagedError", "FileError", "check_start", "decode", "encode"]

Array = NDArray[Any]

LENGTH = 8  # bytes in which the header's length is told
BLANK = "0" * 64
PREFIX = b'{"__metadata__":{"minidl":"{\\"sha256\\":\\"'
PLACE = slice(LENGTH + len(PREFIX), LENGTH + len(PREFIX) + len(BLANK))
#: How many bytes tell whether a file may be one of ours.
START = PLACE.stop
#: The most bytes of a header: what a file can make its reader parse.
HEADER = 4 * 2**20


class FileError(ValueError):
    """A file that isn't what it must be: damaged, of another kind, or made by somebody who means harm."""


class DamagedError(FileError):
    """A file that isn't whole, or was none of ours from the beginning."""


def encode(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file that holds `tensors` and a `document` that JSON can hold.

    Raises:
        ValueError: If there is so much beside the tensors that no reader would take it.
    """
    from safetensors.numpy import save

    text = json.dumps({"sha256": BLANK, **document}, separators=(",", ":"), allow_nan=False)
    content = save(dict(tensors), {"minidl": text})
    if int.from_bytes(content[:LENGTH], "little") > HEADER:
        raise ValueError(f"save: names, settings and texts must fit into {HEADER:,} bytes. Received: more")
    assert content[LENGTH : PLACE.start] == PREFIX
    digits = hashlib.sha256(content).hexdigest().encode()  # the digits are zeros now
    return b"".join((content[: PLACE.start], digits, content[PLACE.stop :]))


def decode(content: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the tensors and the document, without its digest.

    Raises:
        FileError: If these aren't the bytes that `encode` returned.
    """
    view = memoryview(content)
    digest = hashlib.sha256(view[: PLACE.start])
    digest.update(BLANK.encode())
    digest.update(view[PLACE.stop :])
    if view[LENGTH : PLACE.start] != PREFIX or bytes(view[PLACE]) != digest.hexdigest().encode():
        raise DamagedError("it is damaged: its bytes must have the digest that it tells. Received: another")
    length = int.from_bytes(view[:LENGTH], "little")
    try:  # whoever can compute a digest can write any header
        from safetensors.numpy import load

        text = json.loads(json.loads(bytes(view[LENGTH : LENGTH + length]))["__metadata__"]["minidl"])
        tensors = dict(sorted(load(content).items()))
        if not isinstance(text, dict):
            raise TypeError(describe(text))
        for name, array in tensors.items():
            if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:
                raise ValueError(f"{name!r} must hold flags")
    except Exception as error:
        reason = f"{type(error).__name__} {error}"[:200]
        raise FileError(f"its header must be what save writes. Received: another ({reason})") from error
    del text["sha256"]
    return tensors, text


def check_start(start: bytes, size: int) -> None:
    """Raise FileError unless a file of `size` bytes may be one of ours, as the first `START` of them tell.

    It keeps a reader from reading what it would refuse.
    """
    length = int.from_bytes(start[:LENGTH], "little")
    if start[LENGTH : PLACE.start] != PREFIX or len(start) < START:
        raise DamagedError("it must be a file that minidl has saved. Received: another kind, or a damaged one")
    if length > min(HEADER, size - LENGTH):
        raise DamagedError(
            f"its header must fit into the file and into {HEADER:,} bytes. Received: {length:,} of {size:,} bytes"
        )
