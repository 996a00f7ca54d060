"""Fashion-MNIST: every way in which its files are, or aren't, there, against a real server on this machine."""

import gzip
import hashlib
import http.server
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from minidl.datasets import (
    FASHION_MNIST_CLASSES,
    fashion_mnist,
    fetch_fashion_mnist,
    load_fashion_mnist,
    verify_fashion_mnist,
)


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


RNG = np.random.default_rng(0)
ARRAYS = {
    "train-images-idx3-ubyte.gz": RNG.integers(0, 256, (6, 28, 28), np.uint8),
    "train-labels-idx1-ubyte.gz": RNG.integers(0, 10, 6, np.uint8),
    "t10k-images-idx3-ubyte.gz": RNG.integers(0, 256, (4, 28, 28), np.uint8),
    "t10k-labels-idx1-ubyte.gz": RNG.integers(0, 10, 4, np.uint8),
}
FILES = {name: idx(array) for name, array in ARRAYS.items()}
WRONG = "t10k-images-idx3-ubyte.gz"  # the third file that is asked for


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file in the way that the server's mode says, the others well."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        mode = self.server.mode if name == WRONG else "good"
        content = self.server.files[name]
        if mode == "404":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if mode == "truncated":
            self.wfile.write(content[:100])
        elif mode == "slow":
            self.wfile.write(content[:100])
            self.wfile.flush()
            self.server.released.wait(10)
        else:
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fashion_mnist, "SHA256", {n: hashlib.sha256(c).hexdigest() for n, c in FILES.items()})
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.mode, serving.asked, serving.files, serving.released = "good", [], dict(FILES), threading.Event()
    serving.url = f"http://127.0.0.1:{serving.server_port}/folder"
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
    thread.start()
    yield serving
    serving.released.set()
    serving.shutdown()
    thread.join()
    serving.server_close()


def check(loaded) -> None:
    (x_train, y_train), (x_test, y_test) = loaded
    for found, expected in zip((x_train, y_train, x_test, y_test), ARRAYS.values(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [a.dtype for a in (x_train, y_train)] == [np.uint8, np.int64]
    assert x_train.flags.writeable


def test_good_files_are_downloaded_once_and_then_read_from_the_folder(server, tmp_path, capfd):
    folder = tmp_path / "deep" / "folder"
    check(load_fashion_mnist(folder=folder, url=server.url))
    assert "100%" in capfd.readouterr().err  # the bar
    assert files(folder) == sorted(FILES)
    assert server.asked == [f"/folder/{name}" for name in FILES]
    check(load_fashion_mnist(folder=folder, url=server.url + "/"))
    assert len(server.asked) == 4


def test_without_a_network_the_kept_files_serve(server, tmp_path):
    load_fashion_mnist(folder=tmp_path, url=server.url, progress=False)
    check(load_fashion_mnist(folder=tmp_path, url="http://127.0.0.1:1/"))


@pytest.mark.parametrize(
    ("mode", "error", "says"),
    [
        ("404", ConnectionError, rf"{WRONG} could not be downloaded. Received: HTTPError: .*404"),
        ("truncated", ConnectionError, rf"{WRONG} could not be downloaded. Received: .*(IncompleteRead|broken)"),
        ("slow", ConnectionError, rf"{WRONG} could not be downloaded. Received: .*timed out"),
        ("wrong", ValueError, rf"{WRONG} isn't Fashion-MNIST: its SHA-256 checksum must be .*Received: .* 5 bytes"),
        ("mnist", ValueError, rf"{WRONG} is the file of this name from MNIST, handwritten digits, not Fashion-MNIST"),
    ],
)
def test_a_bad_download_is_named_and_leaves_no_broken_file(server, tmp_path, monkeypatch, mode, error, says):
    server.mode = mode
    if mode in ("wrong", "mnist"):
        server.files[WRONG] = b"wrong"
    if mode == "mnist":
        monkeypatch.setattr(fashion_mnist, "MNIST", {hashlib.sha256(b"wrong").hexdigest()})
    start = time.monotonic()
    with pytest.raises(error, match=says):
        load_fashion_mnist(folder=tmp_path, url=server.url, timeout=0.5 if mode == "slow" else 30, progress=False)
    assert time.monotonic() - start < 5
    assert files(tmp_path) == sorted(list(FILES)[:2])
    server.mode, server.files = "good", dict(FILES)
    check(load_fashion_mnist(folder=tmp_path, url=server.url, progress=False))
    assert len(server.asked) == 5


def test_no_network_and_no_files_is_told_with_the_way_out(tmp_path):
    with pytest.raises(ConnectionError, match=r"could not be downloaded.*\(folder=...\) needs no network"):
        load_fashion_mnist(folder=tmp_path, url="http://127.0.0.1:1/", timeout=2, progress=False)
    assert files(tmp_path) == []


def test_a_damaged_file_that_is_there_is_refused_and_left_alone(server, tmp_path):
    load_fashion_mnist(folder=tmp_path, url=server.url, progress=False)
    (tmp_path / WRONG).write_bytes(b"damaged")
    with pytest.raises(ValueError, match=rf"{WRONG} isn't Fashion-MNIST: .* Remove it, and the next call downloads it"):
        load_fashion_mnist(folder=tmp_path, url=server.url)
    assert (tmp_path / WRONG).read_bytes() == b"damaged"


def test_the_folder_is_found_by_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDL_DATA_DIR", str(tmp_path / "mine"))
    check(load_fashion_mnist(url=server.url, progress=False))
    assert files(tmp_path / "mine" / "fashion_mnist") == sorted(FILES)
    monkeypatch.delenv("MINIDL_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    check(load_fashion_mnist(url=server.url, progress=False))
    assert files(tmp_path / "cache" / "minidl" / "fashion_mnist") == sorted(FILES)


def test_files_are_fetched_and_verified_without_loading_them(server, tmp_path):
    assert set(verify_fashion_mnist(folder=tmp_path).values()) == {"isn't there"}
    assert server.asked == []
    assert fetch_fashion_mnist(folder=tmp_path, url=server.url, progress=False) == tmp_path
    assert verify_fashion_mnist(folder=tmp_path) == {tmp_path / name: "" for name in FILES}
    plain = tmp_path / "plain"
    plain.touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes == {plain.stat().st_mode}  # readable by whoever may read the user's other files
    (tmp_path / WRONG).write_bytes(b"damaged")
    problems = {path.name: problem for path, problem in verify_fashion_mnist(folder=tmp_path).items() if problem}
    assert list(problems) == [WRONG]
    assert problems[WRONG].startswith("isn't Fashion-MNIST: its SHA-256 checksum must be ")
    with pytest.raises(ValueError, match=r"fetch_fashion_mnist: .* Remove it"):
        fetch_fashion_mnist(folder=tmp_path, url=server.url)


def test_without_the_extra_a_download_names_it(tmp_path):
    code = (
        "import sys; sys.modules['pooch'] = None; import minidl\n"
        f"try: minidl.datasets.load_fashion_mnist(folder={str(tmp_path)!r})\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "downloading needs the extra `data`: pip install 'minidl[data]'" in done.stdout


REAL = Path(os.environ.get("MINIDL_DATA_DIR", "/nowhere")) / "fashion_mnist" / WRONG


@pytest.mark.skipif(not REAL.exists(), reason="MINIDL_DATA_DIR holds no Fashion-MNIST")
def test_the_real_data_are_what_their_authors_say():
    (x_train, y_train), (x_test, y_test) = load_fashion_mnist()
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert np.bincount(y_test).tolist() == [1000] * 10
    assert (x_train.min(), x_train.max()) == (0, 255)
    assert x_train.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert FASHION_MNIST_CLASSES[y_train[0]] == "Ankle boot"
