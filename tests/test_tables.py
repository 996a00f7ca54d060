"""Loops in a table: run in their order, or shared between the threads of BLAS; always with the same bits."""

import itertools
import multiprocessing
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Parameter, optimizers
from minidl.compute import tables
from minidl.compute.joining import joined
from minidl.compute.reuse import make

pytestmark = pytest.mark.usefixtures("llvm")

LARGE = 5 * tables.PART + 7


@given(count=st.integers(0, 10**6), entries=st.integers(0, 10**5))
def test_parts_cover_everything_once(count, entries):
    parts = tables.parts(count, entries)
    assert parts[0].start == 0
    assert parts[-1].stop == count
    assert all(one.stop == other.start for one, other in itertools.pairwise(parts))


def test_openblas_lends_its_threads():
    config = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    if "openblas" not in config["name"] or sys.platform != "linux":
        pytest.skip("NumPy's BLAS is another one here")
    if np.lib.NumpyVersion(np.__version__) >= "2.5.0":
        pytest.skip("NumPy's wheels from 2.5 on hide the function")
    assert tables._shares()


@pytest.mark.parametrize("shares", [True, False])
def test_what_is_shared_gives_the_bits_of_numpy(shares, monkeypatch):
    if not shares:
        monkeypatch.setattr(tables, "_shares", lambda: False)
    x, y = np.random.default_rng(0).standard_normal((2, LARGE)).astype(np.float32)
    a, b = np.empty_like(x), np.empty_like(x)
    calls = [(np.exp, (x, a)), (np.multiply, (a, y, b)), (np.sqrt, (b, b))]
    with np.errstate(invalid="ignore"):
        make(calls)
        expected = b.tobytes()
        again = joined(calls)
        assert len(again) == 1
        a[:] = b[:] = 0
        make(again)
    assert b.tobytes() == expected


def stepped(n=3 * tables.PART + 1):
    """Return a parameter's bits after three compiled steps of Adam."""
    rng = np.random.default_rng(1)
    parameter = Parameter(rng.standard_normal(n).astype(np.float32))
    optimizer = optimizers.Adam(0.01)
    optimizer.execution = "compiled"
    for _ in range(3):
        parameter.grad = rng.standard_normal(n).astype(np.float32)
        optimizer.step([parameter])
    assert optimizer.executed == "compiled"
    return parameter.data.tobytes()


def test_a_shared_step_has_the_bits_of_one_alone(monkeypatch):
    expected = stepped()
    monkeypatch.setattr(tables, "_shares", lambda: False)
    assert stepped() == expected


def test_blas_set_to_one_thread_gives_the_same_bits():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    expected = stepped()
    with threadpoolctl.threadpool_limits(1, "blas"):
        assert stepped() == expected


def test_two_threads_that_step_at_once_dont_disturb_each_other():
    expected, found = stepped(), []
    threads = [threading.Thread(target=lambda: found.extend(stepped() for _ in range(20))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [expected] * 40


def test_tables_for_arrays_are_made_and_forgotten_by_several_threads_at_once(monkeypatch):
    monkeypatch.setattr(tables, "KNOWN", 2)
    code, failures = tables._code(), []

    def work():
        try:
            for _ in range(300):
                found = np.zeros(3, np.int64)
                one = tables.Record(code.engine.get_function_address("one"), [found.ctypes.data], [])
                assert tables.run_over(lambda array, one=one: tables.Table([one]), [found])
                assert found[0] == 1
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def _answer(pipe):
    pipe.send(stepped())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking beside threads, which is what is tried
def test_a_forked_process_steps_as_well():
    expected, context = stepped(), multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs,))
    process.start()
    try:
        assert ours.poll(60)
        assert ours.recv() == expected
    finally:
        process.kill()
        process.join()
