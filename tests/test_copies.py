"""Copies by deepcopy, pickle and clone: each goes on bit for bit like the original, and shares nothing with it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from bits import COPIES, everything
from subjects import RULES

from minidl import Sequential, Trainer, layers, optimizers, schedules
from minidl.callbacks import Lambda

N = 40
X = np.random.default_rng(0).standard_normal((N, 6)).astype(np.float32)
LABELS = np.arange(N) * 7 % 3
EXECUTIONS = ["plain", "replayed", *(["compiled"] if find_spec("llvmlite") else [])]


DUPLICATES = {**COPIES, "clone": lambda thing: thing.clone()}
duplicates = pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)


def net(**options):
    inner = Sequential([layers.Dense(6, "tanh", kernel_regularizer="l2"), layers.Dropout(0.2)], seed=1)
    parts = [layers.Dense(8), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3), inner]
    return Sequential([*parts, layers.Dense(3, "softmax")], seed=3, **options)


def trainer_of(optimizer=None, model=None):
    rule = optimizers.Adam(0.01) if optimizer is None else optimizer
    return Trainer(model or net(), rule, "sparse_categorical_crossentropy", ["accuracy"])


def train(trainer, epochs=1, **options):
    trainer.fit(X, LABELS, batch_size=16, epochs=epochs, verbose=0, **options)


def arrays(trainer):
    model = trainer.model
    found = [a for p in model.parameters for a in (p.data, p.grad)] + list(model.named_buffers().values())
    return found + [slot for slots in trainer.optimizer.state.values() for slot in slots.values()]


def assert_connected(trainer):
    """One vector holds all values, another all gradients, and the slots are those of these very parameters."""
    parameters = trainer.model.parameters
    storages = {id(p.storage) for p in parameters}
    assert len(storages) == 1
    storage = parameters[0].storage
    assert storage.data.size == sum(p.size for p in parameters)
    assert all(np.shares_memory(p.data, storage.data) and np.shares_memory(p.grad, storage.grad) for p in parameters)
    assert set(trainer.optimizer.state) <= set(parameters)
    inside = {id(p) for layer in trainer.model.layers for p in layer.parameters}
    assert inside == {id(p) for p in parameters}


def assert_pair(trainer, twin, uninterrupted):
    """Train both; they go on as one that was never copied, and nothing done to one reaches the other."""
    assert everything(twin) == (before := everything(trainer))
    assert twin.model is not trainer.model
    train(twin, 2)
    assert everything(trainer) == before
    train(trainer, 2)
    train(uninterrupted, 2)
    assert everything(trainer) == everything(twin) == everything(uninterrupted)
    for one in (trainer, twin):
        assert_connected(one)
    pairs = [(a, b) for a in arrays(trainer) for b in arrays(twin)]
    assert not any(np.shares_memory(a, b) for a, b in pairs)


@duplicates
@pytest.mark.parametrize("epochs", [0, 2], ids=["before", "in the midst"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_trainers_copy_goes_on_with_every_rule(rule, epochs, duplicate):
    trainer, uninterrupted = trainer_of(rule()), trainer_of(rule())
    for one in (trainer, uninterrupted) if epochs else ():
        train(one, epochs)
    assert_pair(trainer, duplicate(trainer), uninterrupted)


@duplicates
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_trainers_copy_goes_on_however_the_rule_is_run(execution, duplicate):
    def trained():
        rule = optimizers.Adam(schedules.InverseTimeDecay(0.1, decay_rate=0.5))
        rule.hooks += [optimizers.ClipByGlobalNorm(0.5), optimizers.WeightDecay(0.01)]
        rule.execution = execution
        trainer = trainer_of(rule)
        train(trainer)
        trainer.model.layers[0].trainable = False
        trainer.model.layers[-1].learning_rate_multiplier = 0.5
        train(trainer, sample_weight=np.linspace(0, 2, N))
        return trainer

    trainer = trained()
    twin = duplicate(trainer)
    assert_pair(trainer, twin, trained())
    assert twin.optimizer.executed == execution


@duplicates
def test_a_copy_made_by_a_callback_goes_on_from_there(duplicate):
    copies = []

    def keep(batch, logs):
        if not copies:
            copies.append(duplicate(trainer))

    trainer, stepped = trainer_of(), trainer_of()
    order = {"shuffle": False, "callbacks": [Lambda(on_train_batch_end=keep)]}
    train(trainer, **order)
    for start in (0, 16, 32):
        stepped.step(X[start : start + 16], LABELS[start : start + 16])
        if start:
            copies[0].step(X[start : start + 16], LABELS[start : start + 16])
    assert everything(copies[0].model) == everything(stepped.model) == everything(trainer.model)
    assert_connected(copies[0])


@duplicates
@pytest.mark.parametrize("state", ["unbuilt", "built", "trained"])
def test_a_models_copy_is_the_same_model_apart(state, duplicate):
    model = net()
    if state == "built":
        model.build((6,))
        model.parameters[0].trainable = False
        model.parameters[1].weight_decay_multiplier = 0.0
    elif state == "trained":
        train(trainer_of(model=model))
    twin = duplicate(model)
    assert everything(twin) == (before := everything(model))
    assert (twin.seed, twin.dtype, twin.get_config()) == (model.seed, model.dtype, model.get_config())
    one, two = trainer_of(optimizers.Momentum(0.05), model), trainer_of(optimizers.Momentum(0.05), twin)
    train(two)
    assert everything(model) == before
    train(one)
    assert everything(one) == everything(two)
    assert_connected(two)


@duplicates
def test_a_compiled_models_copy_is_compiled_and_keeps_the_optimizers_state(duplicate):
    model, uninterrupted = net(), net()
    for one in (model, uninterrupted):
        one.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
        train(one.trainer)
    twin = duplicate(model)
    assert twin.trainer.model is twin
    assert_pair(model.trainer, twin.trainer, uninterrupted.trainer)


@duplicates
def test_model_and_optimizer_that_are_copied_together_belong_together(duplicate):
    model, rule = net(), optimizers.Nesterov(0.05)
    train(trainer_of(rule, model))
    if duplicate is DUPLICATES["clone"]:  # a trainer is what holds both
        other, copied = (twin := trainer_of(rule, model).clone()).model, twin.optimizer
    else:
        other, copied = duplicate((model, rule))
    assert set(copied.state) == set(other.parameters)
    one, two = trainer_of(rule, model), trainer_of(copied, other)
    assert_pair(one, two, one.clone())


@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
def test_a_model_from_inside_another_is_cloned_without_what_is_around_it(place):
    parts = [Sequential([layers.Dense(4), layers.Dense(4)]) for _ in range(2)]
    outer = Sequential([layers.Input((4,)), layers.Dense(4), *parts], seed=0)
    outer.forward(X[:, :4])
    before = everything(outer)
    inner = parts[place]
    twin = inner.clone()
    assert twin.parameters[0].storage.data.size == sum(p.size for p in twin.parameters)
    assert [p.name for p in twin.parameters] == list(inner.named_parameters())
    assert twin.predict(X[:, :4]).tobytes() == inner.predict(X[:, :4]).tobytes()
    twin.parameters[0].data[...] = 0
    assert everything(outer) == before
    Sequential([layers.Input((4,)), twin])  # it belongs to no other model


def test_what_only_spares_work_is_left_behind():
    trainer = trainer_of()
    train(trainer)
    twin = trainer.clone()
    assert trainer._memory
    assert trainer.model._tapes.known
    assert not twin._memory
    assert not twin.model._tapes.known
    assert not any(layer._scratch for layer in twin.model.layers)
    with pytest.raises(RuntimeError, match="backward needs a forward before it"):
        twin.model.layers[0].backward(np.ones((1, 8), np.float32))


def in_another_process(trainer):
    train(trainer, 2)
    return trainer


def test_trainers_go_to_processes_of_a_pool_and_come_back():
    started = trainer_of(optimizers.Adam(0.01)), trainer_of(optimizers.Lion(0.01))
    for trainer in started:
        train(trainer)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        back = list(pool.map(in_another_process, started))
    for trainer, twin in zip(started, back, strict=True):
        train(trainer, 2)
        assert_pair(trainer, twin, trainer.clone())
