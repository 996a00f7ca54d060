"""Full disks, read-only and missing folders, disks that fail, two writers: nothing is lost, and it is told."""

import contextlib
import errno
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import nets
import numpy as np
import pytest

from minidl import CheckpointPolicy, Sequential, layers, load_model
from minidl.callbacks import Lambda
from minidl.saving import FileError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX's file systems")


def model(seed=0, units=8):
    made = Sequential([layers.Input((6,)), layers.Dense(units), layers.Dense(3, "softmax")], seed=seed)
    made.compile("adam", "sparse_categorical_crossentropy")
    return made


def fit(made, epochs=4, callbacks=(), **options):
    return made.fit(nets.ROWS, nets.LABELS, batch_size=4, epochs=epochs, callbacks=callbacks, verbose=0, **options)


@contextlib.contextmanager
def mounted(folder, *options):
    """Mount a small file system in memory."""
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        pytest.skip("to mount a file system takes rights that this user doesn't have")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def tiny(tmp_path):
    """A file system of 256 KB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    with mounted(folder, "-o", "size=256k"):
        yield folder


def fill(folder):
    """Leave no room on a file system; return what does."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def whole(folder):
    """Return the names of the files in a folder, of which each must be whole."""
    for path in folder.glob("*.safetensors"):
        load_model(path)
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".safetensors" or path.suffix == ".part")


def test_a_full_disk_leaves_the_model_that_was_there(tiny):
    path, old = tiny / "m.safetensors", model(0)
    old.save(path)
    filler = fill(tiny)
    with pytest.raises(
        OSError, match=r"save: .*m\.safetensors can't be written\. Received: No space left on device"
    ) as error:
        model(1).save(path)
    assert error.value.errno == errno.ENOSPC
    assert whole(tiny) == ["m.safetensors"]
    np.testing.assert_equal(load_model(path).state_dict(), old.state_dict())
    filler.unlink()
    model(1).save(path)
    np.testing.assert_equal(load_model(path).state_dict(), model(1).state_dict())


def test_a_disk_that_fills_up_ends_no_training_and_loses_no_checkpoint(tiny):
    straight = model()
    expected = fit(straight)
    made = model()
    seen = []

    def later(epoch, logs):
        if epoch == 1:
            seen.append(fill(tiny))

    policy = {"checkpoint": CheckpointPolicy(tiny, every_steps=1), "resume": True}
    with (
        pytest.warns(UserWarning, match=r"No space left on device; training goes on, what was written before is unt"),
        pytest.raises(OSError, match=r"can't be written\. Received: No space left on device") as error,
    ):
        fit(made, callbacks=[Lambda(on_epoch_end=later)], **policy)
    assert error.value.errno == errno.ENOSPC
    assert made.trainer.history == expected  # it is trained all the same
    np.testing.assert_equal(made.state_dict(), straight.state_dict())
    assert "checkpoint-000000005.safetensors" in whole(tiny) or "checkpoint-000000006.safetensors" in whole(tiny)
    assert not list(tiny.glob("*.part"))
    seen[0].unlink()
    again = model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(again, callbacks=[Lambda()], **policy) == expected
    np.testing.assert_equal(again.state_dict(), straight.state_dict())


def test_a_disk_that_is_full_at_first_is_told_before_the_first_step(tiny):
    fill(tiny)
    made = model()
    with pytest.raises(OSError, match="fit: "):
        fit(made, checkpoint=tiny)
    assert made.trainer.optimizer.iterations == 0
    np.testing.assert_equal(made.state_dict(), model().state_dict())


def test_a_limit_on_sizes_of_files_is_as_a_full_disk(tmp_path):
    model(0).save(tmp_path / "m.safetensors")
    before = (tmp_path / "m.safetensors").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match="can't be written") as error:
            model(1).save(tmp_path / "m.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, usual)
    assert error.value.errno == errno.EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    assert (tmp_path / "m.safetensors").read_bytes() == before


@contextlib.contextmanager
def read_only(folder):
    """Let nobody write into a folder; for the superuser, to whom permissions are nothing, by a mount."""
    if os.geteuid() == 0:
        with mounted(folder, "-o", "size=256k"):
            model(0).save(folder / "m.safetensors")
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            yield
    else:
        model(0).save(folder / "m.safetensors")
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)


def test_a_read_only_folder_is_told(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with read_only(folder):
        for path in (folder / "m.safetensors", folder / "new.safetensors"):
            with pytest.raises(OSError, match=r"save: .* can't be written\. Received: (Read-only file|Permission de)"):
                model(1).save(path)
        made = model(1)
        with pytest.raises(
            OSError, match=r"fit: the folder .* can't be used\. Received: (Read-only file|Permission d)"
        ):
            fit(made, checkpoint=folder)
        with pytest.raises(
            OSError, match=r"fit: the folder .* can't be used\. Received: (Read-only file|Permission d)"
        ):
            fit(made, checkpoint=folder / "inside")
        assert made.trainer.optimizer.iterations == 0
        np.testing.assert_equal(load_model(folder / "m.safetensors").state_dict(), model(0).state_dict())
        assert whole(folder) == ["m.safetensors"]


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_does_not_take_it_leaves_what_was_there(tmp_path, monkeypatch, fault):
    path = tmp_path / "m.safetensors"
    model(0).save(path)

    def fsync(number):
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match=re.escape(f"can't be written. Received: {os.strerror(fault)}")) as error:
            model(1).save(path)
        assert error.value.errno == fault
    assert whole(tmp_path) == ["m.safetensors"]
    np.testing.assert_equal(load_model(path).state_dict(), model(0).state_dict())


def test_the_folder_is_flushed_too_and_may_be_one_that_cannot(tmp_path, monkeypatch):
    usual, flushed = os.fsync, []

    def fsync(number):
        flushed.append(Path(f"/proc/self/fd/{number}").readlink())
        if flushed[-1] == tmp_path:
            raise OSError(errno.EINVAL, "no such thing on this file system")
        usual(number)

    if not Path("/proc/self/fd").exists():
        pytest.skip("it is seen by Linux's /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    model(0).save(tmp_path / "m.safetensors")
    assert flushed[0].name.endswith(".part")
    assert flushed[1] == tmp_path
    assert load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5, 9])
def test_a_disk_that_fails_now_and_then_loses_nothing(tmp_path, monkeypatch, times):
    straight = model()
    expected = fit(straight)
    usual, calls = os.fsync, iter(range(10**6))

    def fsync(number):
        if next(calls) % (times + 2) == times + 1:
            raise OSError(errno.EIO, "Input/output error")
        usual(number)

    made = model()
    policy = CheckpointPolicy(tmp_path, every_steps=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with contextlib.suppress(OSError), pytest.warns(UserWarning, match="Input/output error; training goes on"):
            fit(made, checkpoint=policy)
    whole(tmp_path)
    again = model()
    assert fit(again, checkpoint=policy, resume=True) == expected
    np.testing.assert_equal(again.state_dict(), straight.state_dict())


def test_a_missing_folder_is_told_by_save_and_made_by_fit(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"save: .*m\.safetensors can't be written\. Received: No such file or dir"
    ):
        model().save(tmp_path / "no" / "m.safetensors")
    with pytest.raises(FileNotFoundError, match=r"load_model: .* can't be read\. Received: No such file or directory"):
        load_model(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []
    fit(model(), checkpoint=tmp_path / "a" / "b")
    assert whole(tmp_path / "a" / "b")


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"save: .* can't be written\. Received: Is a directory"):
        model().save(tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"CheckpointPolicy: folder must be one, for several files\. Received: "):
        fit(model(), checkpoint=tmp_path / "file")
    with pytest.raises(OSError, match=r"fit: the folder .* can't be used"):
        fit(model(), checkpoint=tmp_path / "file" / "inside")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / ".best.safetensors.123-0123abcd.part").write_bytes(b"half")
    for name in (".mine.part.txt", ".mine.part"):
        (tmp_path / name).write_bytes(b"mine")
    fit(model(), checkpoint=tmp_path)
    assert [path.name for path in sorted(tmp_path.glob(".*.part*"))] == [".mine.part", ".mine.part.txt"]


def _save(path, seed, times):
    made = model(seed)
    for _ in range(times):
        made.save(path)


def test_two_processes_that_write_one_file_leave_it_whole(tmp_path):
    path = tmp_path / "m.safetensors"
    model(0).save(path)
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=_save, args=(path, seed, 60)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    kernels = {model(seed).state_dict()["dense/kernel"].tobytes(): seed for seed in (0, 1, 2)}
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(kernels.get(load_model(path).state_dict()["dense/kernel"].tobytes(), "none of them"))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert {1, 2} <= seen <= {0, 1, 2}
    assert [one.name for one in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_locked_folder_is_told(tmp_path):
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(BlockingIOError, match="must be this fit's alone"):
        fit(model(), checkpoint=tmp_path)


def test_what_cannot_be_read_is_told(tmp_path):
    path = tmp_path / "m.safetensors"
    model().save(path)
    if os.geteuid() == 0:
        pytest.skip("the superuser reads everything")
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"load_model: .* can't be read\. Received: Permission denied"):
        load_model(path)


def test_a_header_that_nobody_would_read_is_not_written(tmp_path):
    made = model()
    made.layers[0].name = "x" * 5_000_000
    with pytest.raises(ValueError, match=r"save: names, settings and texts must fit into 4,194,304 bytes"):
        made.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_model_too_large_for_memory_is_told(tmp_path):
    path = tmp_path / "m.safetensors"
    model().save(path)
    code = (
        "import resource, sys, minidl\n"
        "minidl.load_model(sys.argv[1])\n"
        "with open(sys.argv[1], 'r+b') as file: file.truncate(2**36)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, -1))\n"
        "try: minidl.load_model(sys.argv[1])\n"
        "except minidl.saving.FileError as error: print(error)\n"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("it is measured by Linux's /proc")
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert "it must fit into memory. Received: more than that" in done.stdout


def test_file_errors_are_value_errors():
    assert issubclass(FileError, ValueError)
