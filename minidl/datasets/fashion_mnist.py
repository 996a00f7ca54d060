"""Fashion-MNIST: found in a folder of yours or in the cache, else downloaded; never used unverified."""

import gzip
import hashlib
import math
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.config import checked
from minidl.validation import describe, number

__all__ = ["FASHION_MNIST_CLASSES", "fetch_fashion_mnist", "load_fashion_mnist", "verify_fashion_mnist"]

FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# The address that the data set's own README gives.
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}

MISSING = "isn't there"

# MNIST's files have the same names; the address above once served them.
MNIST = {
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}

Data = tuple[NDArray[Any], NDArray[Any]]


@checked
def load_fashion_mnist(
    *, folder: str | Path | None = None, url: str = URL, timeout: float = 30.0, progress: bool = True
) -> tuple[Data, Data]:
    """Return 70,000 images of clothing, 28 × 28 pixels, as (x_train, y_train), (x_test, y_test).

    Images are uint8 of shape (60000, 28, 28) and (10000, 28, 28) with grey levels 0 to 255; labels are int64 in
    0 .. 9, named by `FASHION_MNIST_CLASSES`.

    The four files are looked for in `folder`; by default in the folder `fashion_mnist` of the directory that the
    environment variable MINIDL_DATA_DIR names, or else of the user's cache. What is missing is downloaded there, to a
    temporary name first; it gets its own name once its SHA-256 checksum is right. The checksums of files that are there
    are verified each time.

    Args:
        folder: Where the files are kept.
        url: Where to download them from, a folder's address; by default the official one.
        timeout: After how many seconds without an answer a download is given up; greater than 0.
        progress: Whether downloads show a bar.

    Raises:
        ValueError: If a file isn't what it should be; the message says if it is MNIST.
        ConnectionError: If a download failed.
        ImportError: If a download is needed and the extra `data` isn't installed.

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms, 2017; MIT licence.
    """
    place = _complete("load_fashion_mnist", folder, url, timeout, progress)
    x_train, y_train, x_test, y_test = (_parse(gzip.decompress((place / name).read_bytes())) for name in SHA256)
    return (x_train, y_train.astype(np.int64)), (x_test, y_test.astype(np.int64))


@checked
def fetch_fashion_mnist(
    *, folder: str | Path | None = None, url: str = URL, timeout: float = 30.0, progress: bool = True
) -> Path:
    """See that the four files are there and right, download what is missing, and return their folder.

    The arguments and errors are those of `load_fashion_mnist`.
    """
    return _complete("fetch_fashion_mnist", folder, url, timeout, progress)


@checked
def verify_fashion_mnist(*, folder: str | Path | None = None) -> dict[Path, str]:
    """Return the four files, each with what is wrong with it: "" if nothing is. Nothing is downloaded.

    They are looked for where `load_fashion_mnist` does.
    """
    files = {_place(folder) / name: expected for name, expected in SHA256.items()}
    return {
        path: _problem(path.read_bytes(), expected) if path.exists() else MISSING for path, expected in files.items()
    }


def _complete(owner: str, folder: str | Path | None, url: str, timeout: float, progress: bool) -> Path:
    """Return the folder, once all files are there and right."""
    timeout = number(owner, "timeout", timeout, "(0, inf)")
    place = _place(folder)
    for name, expected in SHA256.items():
        path = place / name
        if not path.exists():
            _download(owner, f"{url.rstrip('/')}/{name}", path, expected, timeout, progress)
        problem = _problem(path.read_bytes(), expected)
        if problem:
            raise ValueError(f"{owner}: {path} {problem}. Remove it, and the next call downloads it anew")
    return place


def _place(folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder)
    if os.environ.get("MINIDL_DATA_DIR"):
        return Path(os.environ["MINIDL_DATA_DIR"]) / "fashion_mnist"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "minidl" / "fashion_mnist"


def _download(owner: str, url: str, path: Path, expected: str, timeout: float, progress: bool) -> None:
    """Download `url` to `path`, which exists only once its content is right."""
    try:
        import pooch
        import requests
    except ImportError:
        raise ImportError(
            f"{owner}: {path} isn't there, and downloading needs the extra `data`: "
            f"pip install 'minidl[data]'. Or put the file there yourself, from {url}"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        try:
            pooch.HTTPDownloader(progressbar=progress, timeout=timeout)(url, str(temporary), None)
        except (requests.RequestException, OSError) as error:
            raise ConnectionError(
                f"{owner}: {path.name} could not be downloaded. Received: {_short(error)}. "
                f"With the four files in a folder, load_fashion_mnist(folder=...) needs no network"
            ) from None
        problem = _problem(temporary.read_bytes(), expected)
        if problem:
            raise ValueError(f"{owner}: {url} {problem}. Nothing was kept; try another url")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {describe(str(error))}"


def _problem(content: bytes, expected: str) -> str:
    """Say what is wrong with a file's content, or nothing."""
    found = hashlib.sha256(content).hexdigest()
    if found == expected:
        return ""
    if found in MNIST:
        return "is the file of this name from MNIST, handwritten digits, not Fashion-MNIST"
    return (
        f"isn't Fashion-MNIST: its SHA-256 checksum must be {expected[:16]}…. "
        f"Received: {found[:16]}…, {len(content)} bytes"
    )


def _parse(content: bytes) -> NDArray[Any]:
    """Return the array of an IDX file: two zeros, a type (8 is uint8), the number of axes, their sizes, the bytes."""
    axes = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", count=axes, offset=4))
    return np.frombuffer(content, np.uint8, count=math.prod(shape), offset=4 + 4 * axes).reshape(shape).copy()
