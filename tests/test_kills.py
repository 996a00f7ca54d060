"""Runs that are killed at random moments, checkpoint writing included, end with the bits of one that wasn't."""

import itertools
import json
import multiprocessing
import random
import signal
import sys
import time

import lives
import pytest
from subjects import RULES

from minidl.compute.compiling import can_compile
from minidl.saving.document import unpack_document

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

NAMES = [rule.__name__.lower() for rule in RULES]
STAGES = ("half", "fsync", "replace", "unlink")
LIVES = 4  # of a run, after which it may come to its end
LONGEST = 0.4  # seconds after which a life is ended, at random


def case_of(number, dice):
    """Return the number-th case: all optimizers, schedules, kinds of checkpoints and ways to run take turns."""
    return {
        "optimizer": NAMES[number % len(NAMES)],
        "schedule": list(lives.SCHEDULES)[number % 3],
        "middle": number % 2 == 0,
        "restore": dice.random() < 0.5,
        "execution": dice.choice(["auto", "plain", "replayed", *(["compiled"] if can_compile() else [])]),
    }


def life(context, case, folder, out, seconds=None):
    """Start a process that goes on with the run; kill it after so many seconds. Return whether it was killed."""
    process = context.Process(target=lives.live, args=(case, folder, out))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), (process.exitcode, case)
    return process.exitcode != 0


def whole(folder):
    """Read every checkpoint that is there; return the best one's arrays."""
    best = None
    for path in sorted(folder.glob("*.safetensors")):
        arrays, _ = unpack_document(path, "test", ("checkpoint",))
        best = arrays if path.stem == "best" else best
    assert not list(folder.glob("*.damaged"))
    return best


def run_until(kills, tmp_path, seed):
    """Kill so many processes, every other while it writes a file.

    Returns how many runs that took, how many were killed, and how many of these while they wrote a file.
    """
    sys.stdout.write(f"seed={seed}\n")  # shown if something fails
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lives"])
    dice, runs, killed, writing = random.Random(seed), itertools.count(), 0, 0
    while killed < kills:
        number = next(runs)
        case, place = case_of(number, dice), tmp_path / str(number)
        place.mkdir()
        assert not life(context, case, None, place / "straight")
        assert not life(context, case, place / "uninterrupted", place / "kept")
        for turn in itertools.count():
            dying, last = turn % 2 == number % 2, turn == LIVES
            own = {**case, "death": (dice.choice(STAGES), dice.randint(1, 6))} if dying and not last else case
            seconds = None if dying or last else dice.uniform(0, LONGEST)
            if not life(context, own, place / "run", place / "out", seconds):
                break
            killed += 1
            writing += dying
            whole(place / "run")
        straight, kept, out = (json.loads((place / name).read_text()) for name in ("straight", "kept", "out"))
        assert out == kept == straight, case
        best, expected = whole(place / "run"), whole(place / "uninterrupted")
        assert lives.digest(best.values()) == lives.digest(expected.values()), case
        assert not list((place / "run").glob(".*.part"))
    return next(runs), killed, writing


def test_a_run_that_is_killed_ten_times_ends_as_one_that_was_not(tmp_path):
    _, killed, writing = run_until(10, tmp_path, seed=int(time.time()))
    assert killed >= 10
    assert writing


@pytest.mark.slow
def test_a_run_that_is_killed_three_hundred_times_ends_as_one_that_was_not(tmp_path):
    runs, killed, writing = run_until(300, tmp_path, seed=7)
    assert killed >= 300
    assert writing >= 50
    assert runs >= len(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("deaths", [(300, 600), (700,)])
def test_a_run_that_is_killed_goes_on_where_its_rule_came_to_be_compiled(tmp_path, deaths):
    context = multiprocessing.get_context("forkserver")
    for last in (*deaths, None):
        for folder, out in ((tmp_path / "run", tmp_path / "out"), (None, tmp_path / "straight")):
            if folder or last is None:
                process = context.Process(target=lives.live_large, args=(folder, out, last))
                process.start()
                process.join()
                assert process.exitcode == (0 if last is None else -signal.SIGKILL)
    out, straight = (json.loads((tmp_path / name).read_text()) for name in ("out", "straight"))
    assert out == straight
    assert out[0] == ("compiled" if can_compile() else "replayed")
