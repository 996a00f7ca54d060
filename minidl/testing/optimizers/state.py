"""The checks of what steps leave behind: saving and loading, copies, configs, growth."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import sys
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.parameters import Parameter, flatten
from minidl.testing.checking import NotApplicableError, same
from minidl.testing.optimizers.subject import Subject, steps, walk

if TYPE_CHECKING:
    from minidl.schedules import Schedule
    from minidl.testing.strategies import Run

__all__ = ["CHECKS"]

GROWTH = 20_000  # bytes; ten thousand numbers kept are at least four times as many
EVENTS = 1.2


def _save_and_load(subject: Subject) -> None:
    """Saved after any step, before the first too, and loaded into a new one, it continues bit for bit.

    Known: keras#13027, chainer#4013, mlx#1259, keras#15298
    """
    subject.needs("state_dict", "load_state_dict")

    def check(run: Run) -> None:
        for done in range(len(run.gradients) + 1):
            original, parameter = run.optimizer(), run.parameter()
            steps(original, [parameter], ([g] for g in run.gradients[:done]))
            between, loaded, twin = run.make(), run.make(), run.parameter()
            twin.data = parameter.data
            between.load_state_dict(original.state_dict())
            loaded.load_state_dict(between.state_dict())
            for optimizer, w in ((original, parameter), (loaded, twin)):
                steps(optimizer, [w], ([g] for g in run.gradients[:3]))
            same(twin.data, parameter.data, f"loaded after step {done}")

    subject.for_runs(check, share=0.5)


def _rewind(subject: Subject) -> None:
    """Steps after saving are undone by loading: the same steps again give the same bits.

    Known: keras#13027
    """
    subject.needs("state_dict", "load_state_dict")

    def check(run: Run) -> None:
        optimizer, parameter = run.optimizer(), run.parameter()
        steps(optimizer, [parameter], ([g] for g in run.gradients))
        saved, data = optimizer.state_dict(), parameter.data.copy()
        steps(optimizer, [parameter], ([g] for g in run.gradients))
        once = parameter.data.copy()
        optimizer.load_state_dict(saved)
        parameter.data = data
        steps(optimizer, [parameter], ([g] for g in run.gradients))
        same(parameter.data, once, "the same steps after loading")

    subject.for_runs(check, share=0.5)


def _schedule_resumes(subject: Subject) -> None:
    """A schedule goes on where it was when the state was saved.

    Known: pytorch#65342, keras#13027
    """
    subject.needs("current", "state_dict", "load_state_dict")
    names = subject.numbers

    def check(run: Run, schedule: Schedule) -> None:
        for name in names:
            original, parameter = run.optimizer(**{name: schedule}), run.parameter()
            steps(original, [parameter], ([g] for g in run.gradients[:2]))
            loaded, twin = run.make(), run.parameter()
            twin.data = parameter.data
            loaded.load_state_dict(original.state_dict())
            for optimizer, w in ((original, parameter), (loaded, twin)):
                steps(optimizer, [w], ([g] for g in run.gradients))
            same(twin.data, parameter.data, f"resumed with a schedule as {name}")

    subject.for_schedules(check)


def _load_by_name(subject: Subject) -> None:
    """A state goes to the parameters of its names, whatever order they come in.

    Known: pytorch#1489
    """
    subject.needs("state_dict", "load_state_dict")

    def check(run: Run) -> None:
        optimizer, pair = run.optimizer(), [run.parameter(name=name) for name in "ab"]
        steps(optimizer, pair, [[g, -2 * g] for g in run.gradients])
        loaded, twins = run.make(), [run.parameter(name=name) for name in "ba"]
        for twin, original in zip(twins, reversed(pair), strict=True):
            twin.data = original.data
        loaded.load_state_dict(optimizer.state_dict())
        steps(optimizer, pair, [[g, -2 * g] for g in run.gradients])
        steps(loaded, twins, [[-2 * g, g] for g in run.gradients])
        for twin, original in zip(twins, reversed(pair), strict=True):
            same(twin.data, original.data, f"parameter {twin.name!r}")

    subject.for_runs(check)


def _load_all_or_nothing(subject: Subject) -> None:
    """A state with other names, shapes or keys is refused, and the optimizer goes on as if nothing had been tried.

    Known: pytorch#1489, TinyTorch#2057, Detectron.pytorch#118
    """
    subject.needs("state_dict", "load_state_dict")
    gradients = [np.array([0.5, -1.0, 0.25])] * 3
    undisturbed = walk(subject.make(), np.ones(3), gradients * 2)
    good = subject.make()
    walk(good, np.ones(3), gradients)
    spoilt: dict[str, Callable[[], Any]] = {
        "a key too many": lambda: {**good.state_dict(), "more": 1},
        "no keys": dict,
        "nothing, None": lambda: None,
        "another parameter's name": lambda: _state_of(subject, {"other": 3}),
        "a parameter too many": lambda: _state_of(subject, {"w": 3, "more": 3}),
    }
    if "class" in good.state_dict():
        spoilt["another class's name"] = lambda: {**good.state_dict(), "class": "Other"}
    if any(getattr(good, "state", {}).values()):
        spoilt["another shape"] = lambda: _state_of(subject, {"w": 4})
    for what, make in spoilt.items():
        optimizer, parameter = subject.make(), Parameter(np.ones(3), name="w")
        steps(optimizer, [parameter], ([g] for g in gradients))
        state = make()
        try:
            optimizer.load_state_dict(state)
        except (ValueError, TypeError, KeyError):
            pass
        else:
            raise AssertionError(f"a state with {what} was taken without an error")
        steps(optimizer, [parameter], ([g] for g in gradients))
        same(parameter.data, undisturbed.data, f"after a state with {what} was refused")


def _state_of(subject: Subject, sizes: dict[str, int]) -> Any:
    optimizer = subject.make()
    parameters = [Parameter(np.ones(size), name=name) for name, size in sizes.items()]
    steps(optimizer, parameters, [[np.full(size, 7.0) for size in sizes.values()]] * 2)
    return optimizer.state_dict()


def _state_is_copy(subject: Subject) -> None:
    """A saved state stays what it was when steps go on, and so does one that was loaded.

    Known: pytorch#196083
    """
    subject.needs("state_dict", "load_state_dict")
    gradients = [np.array([0.5, -1.0, 0.25])] * 3
    optimizer, parameter = subject.make(), Parameter(np.ones(3), name="w")
    steps(optimizer, [parameter], ([g] for g in gradients))
    saved = optimizer.state_dict()
    before = pickle.dumps(saved)
    loaded, twin = subject.make(), Parameter(parameter.data.copy(), name="w")
    loaded.load_state_dict(saved)
    steps(optimizer, [parameter], ([g] for g in gradients))
    assert pickle.dumps(saved) == before, "steps changed a state that had been saved"
    steps(loaded, [twin], ([g] for g in gradients))
    assert pickle.dumps(saved) == before, "steps changed a state that had been loaded"


def _config_round_trip(subject: Subject) -> None:
    """An optimizer made from the config of another, through JSON, takes the same steps.

    Known: pytorch#8148
    """
    subject.needs("get_config")

    def check(run: Run) -> None:
        optimizer = run.optimizer()
        try:
            config = optimizer.get_config()
        except TypeError as error:
            raise NotApplicableError(str(error)) from None
        again = type(optimizer).from_config(json.loads(json.dumps(config)))
        expected = walk(optimizer, run.start, run.gradients).data
        same(walk(again, run.start, run.gradients).data, expected, "made from its config")

    subject.for_runs(check)


def _deepcopy_connected(subject: Subject) -> None:
    """A deepcopy of parameters and optimizer together continues bit for bit, apart from the original.

    Known: skorch#317, tensorflow#58973
    """
    _copied(subject, copy.deepcopy)


def _pickle_connected(subject: Subject) -> None:
    """So do parameters and optimizer that went through pickle together.

    Known: skorch#317, tensorflow#58973
    """
    try:
        pickle.dumps(subject.make())
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise NotApplicableError(f"it can't be pickled: {error}") from None
    _copied(subject, lambda pair: pickle.loads(pickle.dumps(pair)))


def _copied(subject: Subject, clone: Callable[[Any], Any]) -> None:
    def check(run: Run) -> None:
        optimizer, parameters = run.optimizer(), [run.parameter(name=name) for name in "abc"]
        flatten(parameters[1:])  # views of one storage, beside one of its own
        gradients = [[g, -2 * g, 3 * g] for g in run.gradients]
        steps(optimizer, parameters, gradients)
        before = [parameter.data.copy() for parameter in parameters]
        copied, twins = clone((optimizer, parameters))
        steps(copied, twins, gradients)
        for parameter, kept in zip(parameters, before, strict=True):
            same(parameter.data, kept, f"the original {parameter.name!r} after steps of its copy")
        steps(optimizer, parameters, gradients)
        for twin, parameter in zip(twins, parameters, strict=True):
            same(twin.data, parameter.data, f"the copy of {parameter.name!r}")

    subject.for_runs(check, share=0.5)


def _no_growth(subject: Subject) -> None:
    """A hundred steps for each example, at most 10,000, leave a step no more memory and no more work than at first.

    Known: keras-tqdm#29, pytorch#97712
    """
    optimizer, parameter = subject.make(), Parameter(np.ones(3), name="w")
    if isinstance(getattr(optimizer, "learning_rate", None), float):
        optimizer.learning_rate = 1e-4

    def go(count: int) -> None:
        for i in range(count):
            parameter.grad = np.array([0.5, -1.0, 0.25]) * (-1) ** i
            optimizer.step([parameter])

    count = min(10_000, 100 * subject.examples)
    go(min(count, 1000))  # what grows at first and then no more is no leak
    events = _work(lambda: go(10))
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        go(50)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        go(count)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        if not tracing:
            tracemalloc.stop()
    grown, more = after - before, _work(lambda: go(10)) / events
    assert grown < GROWTH, f"{grown} bytes more after {count} steps"
    assert more < EVENTS, f"{more:.1f} times the work for a step after {count} of them"


def _work(job: Callable[[], None]) -> int:
    """Return how many bytecode instructions `job` runs: unlike time, the same on a busy machine."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        job()
    finally:
        sys.settrace(previous)
    return count


CHECKS = (
    _save_and_load,
    _rewind,
    _schedule_resumes,
    _load_by_name,
    _load_all_or_nothing,
    _state_is_copy,
    _config_round_trip,
    _deepcopy_connected,
    _pickle_connected,
    _no_growth,
)
