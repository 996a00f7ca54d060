"""The same table, bit for bit, wherever cells run; and what a worker's death costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import pytest
import studies
from mpi import mpiexec
from threadpoolctl import threadpool_info, threadpool_limits

from minidl.lab import Processes, Study, StudyError, Table, grid
from minidl.lab.running import one_thread


@pytest.fixture(scope="module")
def here() -> Table:
    """The table of the sixteen cells, run in this process, one after the other."""
    return Study(studies.cells()).run(progress=False).without_times()


def threads() -> int:
    """Return how many threads BLAS has now."""
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


# Anywhere ----------------------------------------------------------------------------------------------------------


def test_the_table_is_what_it_should_be(here: Table) -> None:
    assert len(here.rows) == 16
    assert [row["diverged"] for row in here.rows].count(None) == 15
    assert len({row["key"] for row in here.rows}) == 16


@pytest.mark.parametrize("blas", [1, 2])
def test_this_process_has_one_thread_of_blas_whatever_was_set(here: Table, blas: int) -> None:
    with threadpool_limits(blas, user_api="blas"):
        assert Study(studies.cells()).run(progress=False).without_times() == here
        assert threads() == blas


def test_processes(here: Table, tmp_path: Path) -> None:
    study = Study(studies.cells(), tmp_path)
    assert study.run(workers=2, progress=False).without_times() == here
    assert not list(tmp_path.glob("data-*"))  # the memory maps are gone


def test_threads(here: Table) -> None:
    with ThreadPoolExecutor(3) as executor:
        assert Study(studies.cells()).run(executor, progress=False).without_times() == here


def test_a_pool_of_ones_own(here: Table) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert Study(studies.cells()).run(executor, progress=False).without_times() == here


def test_dask(here: Table, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        assert Study(studies.cells(), tmp_path / "a").run(executor, progress=False).without_times() == here
        log = tmp_path / "log"
        table = Study(deadly(log), tmp_path / "b").run(executor, progress=False).without_times()
    assert Path(f"{log}.killed").exists()  # Dask also makes again what the dead worker hadn't handed over yet
    assert table == Study(deadly(log)).run(progress=False).without_times()


def test_mpi(here: Table, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import studies\n\nstudies.on_mpi({str(tmp_path)!r})\n", encoding="utf-8")
    done = mpiexec(3, "-m", "mpi4py.futures", str(script))
    assert done.returncode == 0, done.stderr
    assert studies.table((tmp_path / "table.json").read_text()) == renamed(here)


def renamed(table: Table) -> Table:
    """Return a table as JSON brings it back."""
    return studies.table(table.to_json())


# Death -------------------------------------------------------------------------------------------------------------


def deadly(log: Path) -> list:
    return grid(model=studies.Deadly(str(log), 3), optimizer="sgd", data=studies.data(), epochs=1, seed=range(8))


def lost_only_its_cell(log: Path) -> None:
    calls = Counter(int(line) for line in log.read_text().splitlines())
    assert Path(f"{log}.killed").exists()
    assert calls.pop(3) == 3  # two calls make one net, whose start is compared; the first of all never returned
    assert set(calls.values()) == {2}


def test_a_process_that_is_killed_loses_only_its_cell(tmp_path: Path) -> None:
    table = Study(deadly(tmp_path / "log"), tmp_path / "study").run(workers=2, progress=False)
    assert [row["seed"] for row in table.rows] == list(range(8))
    lost_only_its_cell(tmp_path / "log")


def test_a_call_that_always_ends_its_process_is_refused() -> None:
    with Processes(1) as executor:
        future = executor.submit(os._exit, 3)
        with pytest.raises(BrokenProcessPool):
            future.result()
        assert executor.submit(abs, -1).result() == 1


def test_a_pool_that_breaks_is_an_error_and_the_rest_can_be_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor,
        pytest.raises(StudyError, match=r"With workers= a process that dies"),
    ):
        Study(deadly(log), tmp_path / "study").run(executor, progress=False)
    study = Study(deadly(log), tmp_path / "study")
    assert len(study.run(progress=False).rows) == 8


def test_processes_end_with_what_started_them(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, time\n"
        "from minidl.lab import Processes\n"
        "if __name__ == '__main__':\n"
        "    executor = Processes(1)\n"
        "    print(executor.submit(os.getpid).result(), flush=True)\n"
        "    executor.submit(time.sleep, 60)\n"
        "    time.sleep(60)\n",
        encoding="utf-8",
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    else:
        os.kill(worker, signal.SIGKILL)
        pytest.fail("the worker lives on")


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from minidl.lab import Processes\nprint(Processes(2).submit(abs, -1).result())\n", encoding="utf-8"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert 'must guard its own start by if __name__ == "__main__":' in done.stderr.splitlines()[-1]
    assert done.stderr.count("Traceback") == 3  # the process's that didn't start, and ours with its cause


def test_shutdown_ends_what_is_in_work() -> None:
    executor = Processes(1)
    future = executor.submit(time.sleep, 60)
    time.sleep(1)
    start = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert time.monotonic() - start < 20
    assert future.exception() is not None


def test_what_is_ended_is_not_started_again(monkeypatch) -> None:
    executor = Processes(1)
    future = executor.submit(time.sleep, 60)
    time.sleep(1)
    started = []
    monkeypatch.setattr("minidl.lab.executors.ProcessPoolExecutor", lambda *_, **__: started.append(1))
    executor.shutdown(cancel_futures=True)
    assert started == []
    assert isinstance(future.exception(), CancelledError)


# One thread --------------------------------------------------------------------------------------------------------


def in_a_thread(function: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function).result()


def entered() -> int:
    with one_thread():
        return threads()


def test_one_thread_holds_as_long_as_anybody_is_inside() -> None:
    with threadpool_limits(2, user_api="blas"):
        with one_thread():
            assert entered() == 1
            assert in_a_thread(entered) == 1
            assert threads() == 1
        assert threads() == 2


def test_a_thread_that_cannot_have_one_says_so() -> None:
    with threadpool_limits(2, user_api="blas"), pytest.raises(RuntimeError, match=r"BLAS must have one thread"):
        in_a_thread(entered)
    assert entered() == 1
