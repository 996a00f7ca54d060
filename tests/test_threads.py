"""Models that train in several threads at once: the bits of one after the other, whatever runs their steps."""

import copy
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minidl import Trainer, layers, metrics
from minidl.compute.compiling import once
from minidl.optimizers import SGD, Adam, Momentum, execution
from minidl.parameters import Changes, Parameter

X = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)

# A process of its own is new to everything, so that threads meet where something is made for the first time; and what
# kills it doesn't take the tests along. What each thread trains is trained again afterwards, alone.
SCRIPT = """
import faulthandler, gc, sys, threading
import numpy as np

faulthandler.enable()
execution, with_llvm, turns = sys.argv[1], sys.argv[2] == "llvm", int(sys.argv[3])
if with_llvm:
    import llvmlite.binding
else:
    sys.modules["llvmlite"] = None

from minidl import Sequential, Trainer, layers, optimizers
from minidl.optimizers import execution as executions

executions.MOST = 2  # what was traced is forgotten and traced again
sys.setswitchinterval(1e-5)
rng = np.random.default_rng(0)
IMAGES = rng.standard_normal((64, 8, 8, 2)).astype(np.float32)
LABELS = rng.integers(0, 3, 64)
FRONTS = [
    lambda: [layers.Flatten(), layers.Dense(160, "relu"), layers.BatchNormalization(), layers.Dropout(0.2)],
    lambda: [layers.Conv2D(16, 3, activation="tanh"), layers.MaxPooling2D(2), layers.Flatten()],
    lambda: [layers.Reshape((8, 16)), layers.LSTM(12)],
    lambda: [layers.Flatten(), layers.Dense(512, "gelu"), layers.Dense(40, "swish")],
]
RULES = [optimizers.Adam, optimizers.Momentum, optimizers.Lion, optimizers.SGD]


def train(seed):
    model = Sequential([*FRONTS[seed % len(FRONTS)](), layers.Dense(3, "softmax")], seed=seed)
    rule = RULES[seed // 2 % len(RULES)]()
    rule.execution = execution
    trainer = Trainer(model, rule, "sparse_categorical_crossentropy", ["accuracy"])
    history = trainer.fit(IMAGES, LABELS, batch_size=16, epochs=2, verbose=0)
    gc.collect()  # machine code that nobody keeps is gone
    trainer.fit(IMAGES, LABELS, batch_size=16, verbose=0)
    state = {name: array.tobytes() for name, array in model.state_dict().items()}
    return state, history.history, model.predict(IMAGES).tobytes()


def work(number):
    try:
        barrier.wait(60)
        for turn in range(turns):
            found[number, turn] = train(number // 2 + turn)
    except BaseException as error:
        failures.append(repr(error))
        barrier.abort()


found, failures, barrier = {}, [], threading.Barrier(6)
threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures
alone = {seed: train(seed) for seed in {number // 2 + turn for number, turn in found}}
wrong = [place for place, result in found.items() if result != alone[place[0] // 2 + place[1]]]
assert not wrong, wrong
assert len(found) == 6 * turns
print("alike")
"""


@pytest.mark.parametrize(
    ("execution", "llvm"),
    [
        pytest.param("plain", False, id="plain"),
        pytest.param("replayed", False, id="replayed", marks=pytest.mark.slow),
        pytest.param("plain", True, id="plain with LLVM", marks=pytest.mark.slow),
        pytest.param("auto", True, id="auto with LLVM", marks=pytest.mark.slow),
        pytest.param("compiled", True, id="compiled"),
    ],
)
def test_models_trained_in_threads_are_those_trained_one_after_the_other(execution, llvm):
    if llvm:
        pytest.importorskip("llvmlite")
    arguments = [execution, "llvm" if llvm else "none", "4"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "alike\n"), done.stderr


def in_threads(function, count=4):
    with ThreadPoolExecutor(count) as pool:
        start = threading.Barrier(count)

        def together(number):
            start.wait(60)
            return function(number)

        return list(pool.map(together, range(count)))


@pytest.fixture
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_what_is_made_once_is_made_by_one_of_the_threads(often_switched):
    made = []

    @once
    def slowly(number):
        time.sleep(0.02)
        made.append(number)
        return object()

    found = in_threads(lambda number: [slowly(0), slowly(number % 2)])
    assert sorted(made) == [0, 1]
    assert len({id(first) for first, _ in found}) == 1
    assert len({id(second) for _, second in found}) == 2


def test_what_failed_is_tried_again_and_may_be_made_of_other_such_things():
    @once
    def inner(number):
        return number + 1

    @once
    def outer(number):
        if not failed:
            failed.append(True)
            raise ValueError("not yet")
        return inner(number) * 2

    failed = []
    with pytest.raises(ValueError, match="not yet"):
        outer(1)
    assert outer(1) == 4


def test_no_change_of_parameters_counts_as_anothers(often_switched):
    before = Changes.count

    def change(number):
        parameter = Parameter(np.ones(1))
        for _ in range(2000):
            parameter.trainable = True

    in_threads(change)
    assert Changes.count == before + 4 * (3 + 2000)  # a new parameter is given three settings


def test_rules_are_traced_and_forgotten_by_several_threads_at_once(monkeypatch, often_switched):
    monkeypatch.setattr(execution, "MOST", 1)
    gradient = np.linspace(-1, 1, 9)

    def steps(number):
        found = []
        for turn in range(25):
            optimizer = [Adam(), Momentum(), SGD()][(number + turn) % 3]
            optimizer.execution = "replayed"
            parameter = Parameter(np.ones(9))
            for _ in range(2):
                parameter.grad = gradient
                optimizer.step([parameter])
            found.append(((number + turn) % 3, parameter.data.tobytes()))
        return found

    found = [pair for pairs in in_threads(steps) for pair in pairs]
    assert len(set(found)) == 3


def test_a_layer_trained_as_a_model_leaves_the_memory_of_other_layers_alone():
    class Looking(metrics.MeanAbsoluteError):
        def update(self, y_true, y_pred, sample_weight=None):
            outputs.append([other.forward(X) for _ in range(2)])
            super().update(y_true, y_pred, sample_weight)

    model, outputs = layers.Dense(1), []
    model.seed = 0
    model.build((3,), np.random.default_rng(0))
    for other in (layers.Dense(1), copy.deepcopy(model)):
        if not other.built:
            other.build((3,), np.random.default_rng(0))
        Trainer(model, SGD(0.1), "mse", [Looking()]).step(X, X[:, :1])
        first, second = outputs.pop()
        assert first is not second
