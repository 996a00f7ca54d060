"""Mistakes that users make: each one gets one clear error, and nothing is changed.

An error names the object, states the rule and shows what was received: "Adam: learning_rate must be in [0, inf).
Received: learning_rate=-0.1".
"""

import atexit
import copy
import functools
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

import minidl
from minidl import (
    CheckpointPolicy,
    History,
    Parameter,
    Sequential,
    Trainer,
    datasets,
    initializers,
    losses,
    metrics,
    optimizers,
    regularizers,
    testing,
)
from minidl.callbacks import Callback, CSVLogger, EarlyStopping, Lambda, ModelCheckpoint, ReduceOnPlateau
from minidl.datasets import train_test_split
from minidl.layers import Dense, Embedding, Flatten, Input, LeakyReLU, Softmax
from minidl.metrics import TopKAccuracy, confusion_matrix
from minidl.optimizers import SGD, Adam, ClipByGlobalNorm, ClipByValue, Momentum, Optimizer, RMSprop, WeightDecay
from minidl.parameters import flatten
from minidl.saving import DamagedError, FileError
from minidl.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstant,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
)

N = 24

# What a forward pass keeps for its backward pass, a fit for its own loop, and an optimizer to find its memory again.
SCRATCH = {
    "_remembered",
    "_fused_functions",
    "_objective",
    "_on_logits",
    "_needs_no_check",
    "_memory",
    "_bound",
    "_tapes",
    "changes",
    "_means",
    "_step_means",
    "_signature",
    "_layout",
    "_seen",
    "_arrays",
    "_scratch",
}


class World:
    """Models of all kinds that have trained for a while, and what else a mistake could reach."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(N, 4)).astype(np.float32)
        self.y = np.arange(N) % 3
        self.one_hot = np.eye(3, dtype=np.float32)[self.y]
        self.yes = (self.x[:, :1] > 0).astype(np.float32)
        self.target = np.sin(self.x[:, :1])

        sparse = "sparse_categorical_crossentropy"
        self.optimizer, self.early = Adam(0.01), EarlyStopping("loss", patience=9, restore_best_weights=True)
        self.optimizer.hooks.append(ClipByGlobalNorm(5.0))
        self.model = compiled(Dense(3, "softmax"), self.optimizer, sparse, ["accuracy"])
        self.categorical = compiled(Dense(3, "softmax"), "adam", "categorical_crossentropy")
        self.binary = compiled(Dense(1, "sigmoid"), Momentum(0.1), "binary_crossentropy", ["accuracy"])
        self.regressor = compiled(Dense(1), RMSprop(CosineDecay(0.01, decay_steps=9)), "mse", ["mae"])
        self.logits = compiled(Dense(3), "sgd", sparse)
        self.new = Sequential([Dense(3, "softmax")], seed=1)
        self.unbuilt = Sequential([Dense(3, "softmax")], seed=1)
        self.unbuilt.compile("adam", sparse)
        self.inner = Sequential([Input((4,)), Dense(2)], seed=2)
        self.outer = Sequential([self.inner])
        self.late = EarlyStopping("val_loss")
        self.trainer, self.dense, self.kernel = self.model.trainer, self.model.layers[0], self.model.parameters[0]
        options = {"batch_size": 8, "validation_split": 0.25, "verbose": 0}
        self.model.fit(self.x, self.y, epochs=2, callbacks=[self.early], **options)
        for model, y in ((self.categorical, self.one_hot), (self.binary, self.yes), (self.regressor, self.target)):
            model.fit(self.x, y, **options)

        self.loose, self.slow, self.poisoned = (Parameter(np.ones(3), name=name) for name in ("a", "b", "c"))
        self.momentum, self.twins, self.hooked = Momentum(0.1), Momentum(), SGD()
        self.falling = SGD(lambda step: 0.5 - step)
        self.rateless = rule(lambda w, g, m: (w - g, m), names=())()
        self.twins.step([Parameter(np.ones(2), name="twin"), Parameter(np.ones(2), name="twin")])
        self.momentum.step([self.poisoned])
        self.rateless.step([self.slow])
        for optimizer in (self.hooked, self.falling):
            optimizer.step([self.loose])
        self.hooked.hooks.append("clip")
        self.folder = folder()
        self.slow.learning_rate_multiplier = 0.5
        self.poisoned.grad = [1, np.nan, np.inf]

    def snapshot(self):
        """Return all that there is, down to the bits of every array, and NumPy's own random state."""
        return frozen([self, np.random.get_state(), np.geterr()], set())


@functools.cache
def first_world():
    return World()


def new_world():
    """Return a world like all others; to copy one is much faster than to train it."""
    world = copy.deepcopy(first_world())
    for optimizer, parameter in (
        (world.momentum, world.poisoned),
        (world.falling, world.loose),
        (world.hooked, world.loose),
    ):
        optimizer.build([parameter])  # a copy looks for its parameters once
    return world


@functools.cache
def folder():
    """Return a folder with a model, its weights, a checkpoint, and what is none of these."""
    path = Path(tempfile.mkdtemp(prefix="minidl-"))
    atexit.register(shutil.rmtree, path)
    model = compiled(Dense(3, "softmax"), "adam", "sparse_categorical_crossentropy", ["accuracy"])
    model.save(path / "model")
    model.save_weights(path / "weights")
    model.fit(np.ones((3, 4)), np.arange(3), verbose=0, checkpoint=path / "run")
    (path / "damaged").write_bytes((path / "model").read_bytes()[:-1])
    (path / "note.txt").write_text("This is no model, but a note that is long enough to be one. " * 9)
    return path


def frozen(thing, seen):
    """Return what `thing` consists of, in a form that can be compared later."""
    if isinstance(thing, np.ndarray):
        return thing.dtype, thing.shape, thing.tobytes()
    if isinstance(thing, dict):
        thing = [part for pair in thing.items() for part in pair]
    if isinstance(thing, (list, tuple)):
        return [frozen(part, seen) for part in thing]
    if isinstance(thing, World) or type(thing).__module__.startswith("minidl"):
        if id(thing) in seen:
            return id(thing)
        seen.add(id(thing))
        parts = {name: part for name, part in vars(thing).items() if name not in SCRATCH}
        return id(thing), frozen(parts, seen)
    return repr(thing)


def compiled(last, optimizer, loss, metrics=None):
    model = Sequential([Input((4,)), Dense(5, "relu"), last], seed=0)
    model.compile(optimizer, loss, metrics)
    return model


def assign(thing, **attributes):
    for name, value in attributes.items():
        setattr(thing, name, value)


def put(array, place, value):
    array = array.copy()
    array[place] = value
    return array


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def built(layer, shape):
    layer.build(shape, np.random.default_rng(0))
    return layer


def mapped(array, cut=0):
    """Return an equal memory map, of a file that was cut short by so many bytes since."""
    with tempfile.TemporaryFile() as file:
        file.write(array.tobytes())
        file.flush()
        found = np.memmap(file, array.dtype, "r+", shape=array.shape)
        file.truncate(array.nbytes - cut)
        return found


def cut_short(array):
    return mapped(array, cut=1)


def reader():
    model = Sequential([Embedding(5, 2), Flatten(), Dense(1)], seed=0)
    model.compile("adam", "mse")
    return model


def rule(update, names=("rate",), slots=("m",), **members):
    """Return the class of an optimizer with that update."""

    def start(self):
        Optimizer.__init__(self, **dict.fromkeys(names, 0.5))

    return type("Mine", (Optimizer,), {"__init__": start, "slots": slots, "update": staticmethod(update), **members})


def keep(w, g, m, *, rate):
    return w, m


def step_of(cls, dtype=np.float64):
    cls().step([Parameter(np.ones(3, dtype))])


class Texts(initializers.Initializer):
    """Starts parameters with what are no numbers."""

    def draw(self, shape, rng):
        return np.full(shape, "a")


def load(optimizer, **parts):
    """Give an optimizer its own state with other parts."""
    optimizer.load_state_dict({**optimizer.state_dict(), **parts})


def load_entry(optimizer, **parts):
    """Give an optimizer its own state with something else for a parameter."""
    load(optimizer, parameters={**optimizer.state_dict()["parameters"], "dense/bias": parts})


def spoilt(optimizer, **parts):
    """Return a state in which all is new, and the last parameter wrong."""
    state = optimizer.state_dict()
    for saved in state["parameters"].values():
        saved["t"] = 99
    saved.update(parts)
    return state


# fmt: off
MISTAKES = [
    # Names
    ("an unknown optimizer", lambda w: w.model.compile("adm", "mse"), ValueError,
     "Trainer: unknown optimizer. Received: optimizer='adm'. Did you mean 'adam'?"),
    ("an unknown optimizer, unlike any", lambda w: w.model.compile("mse", "adam"), ValueError,
     ("Trainer: unknown optimizer. Received: optimizer='mse'. Known: adadelta, adagrad, adam, adamax, adamw, "
      "amsgrad, centeredrmsprop, gd, lamb, lion, momentum, nadam, nesterov, rmsprop, rmspropmomentum, sgd.")),
    ("an unknown loss", lambda w: w.model.compile("adam", "binary_crossentropi"), ValueError,
     "Trainer: unknown loss. Received: loss='binary_crossentropi'. Did you mean 'binary_crossentropy'?"),
    ("an unknown metric", lambda w: w.model.compile("adam", "sparse_categorical_crossentropy", ["accurcy"]), ValueError,
     "Trainer: unknown metric. Received: 'accurcy'. Did you mean 'accuracy'?"),
    ("an unknown activation", lambda w: Dense(3, "rleu"), ValueError,
     "Dense: unknown activation. Received: activation='rleu'. Did you mean 'relu'?"),
    ("an unknown initializer", lambda w: Dense(3, kernel_initializer="he_norma"), ValueError,
     "Dense: unknown initializer. Received: kernel_initializer='he_norma'. Did you mean 'he_normal'?"),
    ("an unknown regularizer", lambda w: Dense(3, kernel_regularizer="l3"), ValueError,
     "Dense: unknown regularizer. Received: kernel_regularizer='l3'. Known: l1, l1_l2, l1l2, l2."),
    ("an unknown schedule", lambda w: Adam({"class": "cosine", "initial": 0.1}), ValueError,
     "Adam: unknown schedule. Received: 'cosine'. Did you mean 'cosinedecay'?"),
    ("an unknown hook", lambda w: Adam.from_config({"hooks": [{"class": "weight_decai", "decay": 1.0}]}), ValueError,
     "Adam: unknown hook. Received: 'weight_decai'. Did you mean 'weight_decay'?"),
    ("an unknown layer", lambda w: Sequential([{"class": "Dens", "units": 3}]), ValueError,
     "Sequential: unknown layer. Received: 'Dens'. Did you mean 'dense'?"),
    ("an unknown name in the package", lambda w: minidl.Sequental, AttributeError,
     "module 'minidl' has no attribute 'Sequental'. Did you mean 'Sequential'?"),
    ("an unknown hyperparameter", lambda w: w.optimizer.current("lr"), ValueError,
     "Adam: no such hyperparameter. Received: 'lr'. Did you mean 'learning_rate'?"),
    ("an unknown hook of a callback", lambda w: Lambda(on_epoch_ends=print), ValueError,
     "Lambda: no such hook. Received: on_epoch_ends. Did you mean 'on_epoch_end'?"),
    ("a callback's own hook misspelt",
     lambda w: type("Mine", (Callback,), {"on_epoch_finish": lambda self: None}), TypeError,
     "Mine: no such hook. Received: on_epoch_finish. Did you mean 'on_epoch_begin'?"),
    ("an unknown mode", lambda w: EarlyStopping("loss", mode="minimum"), ValueError,
     "EarlyStopping: mode must be one of 'auto', 'min', 'max'. Received: mode='minimum'"),
    ("an unknown average", lambda w: metrics.F1(average="weighted"), ValueError,
     "F1: average must be one of 'macro', 'micro'. Received: average='weighted'"),
    ("an unknown unit of a schedule", lambda w: InverseTimeDecay(0.1, decay_rate=1.0, every="batch"), ValueError,
     "InverseTimeDecay: every must be one of 'step', 'epoch'. Received: every='batch'"),
    ("an unknown dtype", lambda w: Sequential(dtype="float23"), ValueError,
     "Sequential: dtype must be one of 'float32', 'float64', 'float16'. Received: dtype='float23'"),

    # Arguments
    ("lr", lambda w: Adam(lr=0.001), TypeError,
     "Adam: got an unexpected keyword argument 'lr'. Received: lr=0.001. Did you mean 'learning_rate'?"),
    ("eps", lambda w: Adam(eps=1e-7), TypeError,
     "Adam: got an unexpected keyword argument 'eps'. Received: eps=1e-07. Did you mean 'epsilon'?"),
    ("betas", lambda w: Adam(betas=(0.9, 0.999)), TypeError,
     "Adam: got an unexpected keyword argument 'betas'. Received: betas=(0.9, 0.999). Did you mean 'beta_1'?"),
    ("beta1", lambda w: Adam(beta1=0.9), TypeError,
     "Adam: got an unexpected keyword argument 'beta1'. Received: beta1=0.9. Did you mean 'beta_1'?"),
    ("alpha", lambda w: RMSprop(alpha=0.9), TypeError,
     "RMSprop: got an unexpected keyword argument 'alpha'. Received: alpha=0.9. Did you mean 'rho'?"),
    ("SGD with momentum", lambda w: SGD(0.1, momentum=0.9), TypeError,
     ("SGD: got an unexpected keyword argument 'momentum'. Received: 0.1, momentum=0.9. See the classes Momentum, "
      "Nesterov and RMSpropMomentum.")),
    ("SGD with nesterov", lambda w: SGD(0.1, nesterov=True), TypeError,
     "SGD: got an unexpected keyword argument 'nesterov'. Received: 0.1, nesterov=True. See the class Nesterov."),
    ("configure_parameters meets none", lambda w: minidl.configure_parameters(w.model, "dense/bais", trainable=False),
     ValueError,
     ("configure_parameters: no parameter has such a name. Received: which='dense/bais'. Did you mean 'dense/bias'?")),
    ("a multiplier below zero", lambda w: minidl.configure_parameters(w.model, "*", weight_decay_multiplier=-1),
     ValueError,
     ("configure_parameters: weight_decay_multiplier must be in [0, inf). Received: weight_decay_multiplier=-1.0")),
    ("amsgrad", lambda w: Adam(amsgrad=True), TypeError,
     ("Adam: got an unexpected keyword argument 'amsgrad'. Received: amsgrad=True. See the class AMSGrad.")),
    ("nesterov", lambda w: Momentum(nesterov=True), TypeError,
     ("Momentum: got an unexpected keyword argument 'nesterov'. Received: nesterov=True. See the class Nesterov.")),
    ("centered", lambda w: RMSprop(centered=True), TypeError,
     ("RMSprop: got an unexpected keyword argument 'centered'. Received: centered=True. See the class "
      "CenteredRMSprop.")),
    ("weight_decay", lambda w: Adam(weight_decay=0.01), TypeError,
     ("Adam: got an unexpected keyword argument 'weight_decay'. Received: weight_decay=0.01. Put the hook WeightDecay "
      "(or L2) into the optimizer's hooks, or take AdamW.")),
    ("clipnorm", lambda w: Adam(clipnorm=1.0), TypeError,
     ("Adam: got an unexpected keyword argument 'clipnorm'. Received: clipnorm=1.0. Put the hook ClipByGlobalNorm "
      "into the optimizer's hooks.")),
    ("decay", lambda w: SGD(decay=1e-4), TypeError,
     ("SGD: got an unexpected keyword argument 'decay'. Received: decay=0.0001. Give a schedule as the learning_rate, "
      "such as InverseTimeDecay.")),
    ("parameters in the constructor", lambda w: SGD(w.model.parameters), TypeError,
     ("SGD: learning_rate must be a number. Received: learning_rate=(Parameter('dense/kernel', shape=(4, 5), "
      "dtype=float32), Parameter('dense/bias', shape=(5,), dtype=float32), Paramete...")),
    ("input_dim", lambda w: Dense(3, input_dim=4), TypeError,
     ("Dense: got an unexpected keyword argument 'input_dim'. Received: 3, input_dim=4. Known: activation, "
      "activity_regularizer, bias_initializer, bias_regularizer, kernel_initializer, kernel_regularizer, name, "
      "units, use_bias.")),
    ("input_shape", lambda w: Dense(3, input_shape=(4,)), TypeError,
     ("Dense: got an unexpected keyword argument 'input_shape'. Received: 3, input_shape=(4,). Known: "
      "activation, activity_regularizer, bias_initializer, bias_regularizer, kernel_initializer, "
      "kernel_regularizer, name, units, use_bias.")),
    ("bias instead of use_bias", lambda w: Dense(3, bias=False), TypeError,
     "Dense: got an unexpected keyword argument 'bias'. Received: 3, bias=False. Did you mean 'use_bias'?"),
    ("a layer without units", lambda w: Dense(), TypeError,
     "Dense: missing a required argument: 'units'. Received: no arguments"),
    ("units of input and output", lambda w: Dense(4, 3), TypeError,
     "Dense: activation must be a name or an instance of Layer. Received: activation=3"),
    ("a size for Flatten", lambda w: Flatten(5), TypeError,
     "Flatten: too many positional arguments. Received: 5. By keyword only: name"),
    ("layers one by one", lambda w: Sequential(Dense(3), Dense(2)), TypeError,
     ("Sequential: too many positional arguments. Received: Dense(units=3), Dense(units=2). By keyword only: seed, "
      "dtype, name")),
    ("random_state", lambda w: Sequential([Dense(3)], random_state=0), TypeError,
     ("Sequential: got an unexpected keyword argument 'random_state'. Received: [Dense(units=3)], random_state=0. "
      "Did you mean 'seed'?")),
    ("requires_grad", lambda w: Parameter(np.ones(3), requires_grad=False), TypeError,
     ("Parameter: got an unexpected keyword argument 'requires_grad'. Received: float64 array of shape (3,), "
      "requires_grad=False. Known: data, learning_rate_multiplier, name, trainable, weight_decay_multiplier.")),
    ("label_smoothing", lambda w: losses.CategoricalCrossentropy(label_smoothing=10), ValueError,
     "CategoricalCrossentropy: label_smoothing must be in [0, 1]. Received: label_smoothing=10.0"),
    ("a misspelt monitor", lambda w: EarlyStopping(moniter="loss"), TypeError,
     "EarlyStopping: got an unexpected keyword argument 'moniter'. Received: moniter='loss'. Did you mean 'monitor'?"),
    ("patience by position", lambda w: EarlyStopping("loss", 3), TypeError,
     ("EarlyStopping: too many positional arguments. Received: 'loss', 3. By keyword only: min_delta, patience, mode, "
      "baseline, restore_best_weights, start_from_epoch")),
    ("T_max", lambda w: CosineDecay(0.1, T_max=10), TypeError,
     re.compile(r"CosineDecay: missing a required .*argument: 'decay_steps'\. Received: 0\.1, T_max=10\. Known: "
                r"decay_steps, every, final, initial\.")),
    ("decay_steps by position", lambda w: CosineDecay(0.1, 10), TypeError,
     "CosineDecay: too many positional arguments. Received: 0.1, 10. By keyword only: decay_steps, final, every"),
    ("a norm without a limit", lambda w: ClipByGlobalNorm(), TypeError,
     "ClipByGlobalNorm: missing a required argument: 'max_norm'. Received: no arguments"),
    ("a trainer without an optimizer", lambda w: Trainer(w.new), TypeError,
     ("Trainer: missing a required argument: 'optimizer'. Received: Sequential([Dense(units=3, activation=Softmax(), "
      "name='dense')], seed=1)")),
    ("epoch instead of epochs", lambda w: w.model.fit(w.x, w.y, epoch=3), TypeError,
     re.compile(r"fit: got an unexpected keyword argument 'epoch'\. Received: .*, epoch=3\. Did you mean 'epochs'\?")),
    ("compile with a rate", lambda w: w.model.compile("adam", "mse", lr=0.1), TypeError,
     ("compile: got an unexpected keyword argument 'lr'. Received: 'adam', 'mse', lr=0.1. "
      "Known: loss, metrics, optimizer.")),
    ("evaluate with verbose", lambda w: w.model.evaluate(w.x, w.y, verbose=0), TypeError,
     re.compile(r"evaluate: got an unexpected keyword argument 'verbose'\. Received: .*, verbose=0\. Known: .*")),
    ("random_state for data", lambda w: datasets.make_moons(10, random_state=0), TypeError,
     ("make_moons: got an unexpected keyword argument 'random_state'. Received: 10, random_state=0. "
      "Did you mean 'seed'?")),
    ("a step of no parameters", lambda w: w.optimizer.step(), TypeError,
     "Optimizer.step() missing 1 required positional argument: 'parameters'"),
    ("units 0", lambda w: Dense(0), ValueError, "Dense: units must be a positive integer. Received: units=0"),
    ("units -3", lambda w: Dense(-3), ValueError, "Dense: units must be a positive integer. Received: units=-3"),
    ("units 2.5", lambda w: Dense(2.5), TypeError, "Dense: units must be a positive integer. Received: units=2.5"),
    ("units as text", lambda w: Dense("10"), TypeError,
     "Dense: units must be a positive integer. Received: units='10'"),
    ("units True", lambda w: Dense(True), TypeError, "Dense: units must be a positive integer. Received: units=True"),
    ("a layer's name with a slash", lambda w: Dense(3, name="a/b"), ValueError,
     "Dense: name must be made of letters, digits, '_', '-' and '.'. Received: name='a/b'"),
    ("a layer's name that is no text", lambda w: Dense(3, name=5), ValueError,
     "Dense: name must be made of letters, digits, '_', '-' and '.'. Received: name=5"),
    ("a layer as an activation", lambda w: Dense(3, Dense(2)), TypeError,
     "Dense: activation must be an activation. Received: activation=Dense(units=2)"),
    ("a function as an activation", lambda w: Dense(3, np.tanh), TypeError,
     "Dense: activation must be a name or an instance of Layer. Received: activation=<ufunc 'tanh'>"),
    ("an array as an initializer", lambda w: Dense(3, kernel_initializer=np.zeros((4, 3))), TypeError,
     ("Dense: kernel_initializer must be a name or an instance of Initializer. "
      "Received: kernel_initializer=float64 array of shape (4, 3)")),
    ("a number as a regularizer", lambda w: Dense(3, kernel_regularizer=0.01), TypeError,
     "Dense: kernel_regularizer must be a name or an instance of Regularizer. Received: kernel_regularizer=0.01"),
    ("a negative regularizer", lambda w: regularizers.L2(-0.1), ValueError,
     "L2: l2 must be in [0, inf). Received: l2=-0.1"),
    ("an infinite constant", lambda w: initializers.Constant(np.inf), ValueError,
     "Constant: value must be finite. Received: value=inf"),
    ("a negative standard deviation", lambda w: initializers.RandomNormal(stddev=-1), ValueError,
     "RandomNormal: stddev must be in [0, inf). Received: stddev=-1.0"),
    ("an empty range", lambda w: initializers.RandomUniform(minval=1, maxval=0), ValueError,
     "RandomUniform: maxval must be in [1.0, inf). Received: maxval=0.0"),
    ("an orthogonal bias", lambda w: w.model.add(Dense(2, bias_initializer="orthogonal")), ValueError,
     "Orthogonal: shape must have at least two axes. Received: shape=(2,)"),
    ("a slope that is no number", lambda w: LeakyReLU(np.nan), ValueError,
     "LeakyReLU: negative_slope must be finite. Received: negative_slope=nan"),
    ("a size as an input", lambda w: Input(4), TypeError,
     "Input: shape must be a tuple, such as (784,). Received: shape=4"),
    ("a batch axis in the input", lambda w: Input((None, 4)), ValueError,
     "Input: shape must be positive integers, without the batch. Received: shape=(None, 4)"),
    ("an axis as text", lambda w: Softmax(axis="last"), TypeError,
     "Softmax: axis must be an integer of at least -32. Received: axis='last'"),
    ("softmax over the batch", lambda w: Sequential([Input((4,)), Softmax(axis=0)]), ValueError,
     "Softmax: axis must be one of the 1 axes behind the batch. Received: axis=0"),
    ("softmax beyond the axes", lambda w: w.model.add(Softmax(axis=3)), ValueError,
     "Softmax: axis must be one of the 1 axes behind the batch. Received: axis=3"),
    ("softmax over one output", lambda w: Sequential([Input((4,)), Dense(1, "softmax")]), ValueError,
     "Softmax: softmax over one entry is always 1; for one output use sigmoid. Received: input of shape (1,)"),
    ("a negative seed", lambda w: Sequential(seed=-1), ValueError,
     "Sequential: seed must be a non-negative integer. Received: seed=-1"),
    ("a seed that isn't whole", lambda w: Sequential(seed=1.5), TypeError,
     "Sequential: seed must be a non-negative integer. Received: seed=1.5"),
    ("a seed as text", lambda w: Trainer(w.new, "adam", "mse", seed="0"), TypeError,
     "Trainer: seed must be a non-negative integer. Received: seed='0'"),
    ("an integer dtype", lambda w: Sequential(dtype="int32"), ValueError,
     "Sequential: dtype must be one of 'float32', 'float64', 'float16'. Received: dtype='int32'"),
    ("no optimizer", lambda w: w.model.compile(None, "mse"), TypeError,
     "Trainer: optimizer must be a name or an instance of Optimizer. Received: optimizer=None"),
    ("a function as a loss", lambda w: w.model.compile("adam", np.square), TypeError,
     "Trainer: loss must be a name or an instance of Loss. Received: loss=<ufunc 'square'>"),
    ("a model as an optimizer", lambda w: Trainer(Adam(), w.new, "mse"), TypeError,
     ("Trainer: model must be a Sequential or like one. Received: Adam(learning_rate=0.001, beta_1=0.9, "
      "beta_2=0.999, epsilon=1e-08, epsilon_root=0.0), which has no seed")),
    ("metrics as one text", lambda w: w.model.compile("adam", "mse", "mae"), TypeError,
     "Trainer: metrics must be a list. Received: 'mae'"),
    ("a number as a metric", lambda w: w.model.compile("adam", "mse", [5]), TypeError,
     "Trainer: metric must be a name or an instance of Metric. Received: 5"),
    ("a metric twice", lambda w: w.model.compile("adam", "mse", ["mae", "mae"]), ValueError,
     "Trainer: metrics must have names of their own. Received: ['mae', 'mae']"),
    ("a metric named as the loss",
     lambda w: w.model.compile("adam", "mse", [metrics.MeanAbsoluteError(name="loss")]), ValueError,
     "Trainer: metrics must have names of their own. Received: ['loss']"),
    ("k 0", lambda w: TopKAccuracy(k=0), ValueError, "TopKAccuracy: k must be a positive integer. Received: k=0"),
    ("a threshold as text", lambda w: metrics.BinaryAccuracy("a"), TypeError,
     "BinaryAccuracy: threshold must be a number. Received: threshold='a'"),
    ("from_logits on a softmax",
     lambda w: w.model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True)), ValueError,
     ("Trainer: from_logits=True is for a model that ends without softmax. Received: "
      "SparseCategoricalCrossentropy(from_logits=True) and a model that ends in Softmax()")),
    ("logits of a mean error", lambda w: losses.MeanSquaredError().on_logits(), TypeError,
     "MeanSquaredError: can't be computed from logits. Received: MeanSquaredError()"),

    # Shapes
    ("too few features to predict", lambda w: w.model.predict(w.x[:, :3]), ValueError,
     "Sequential: input must have shape (batch, 4). Received: float32 array of shape (24, 3)"),
    ("too few features to step", lambda w: w.trainer.step(w.x[:, :2], w.y), ValueError,
     "Sequential: input must have shape (batch, 4). Received: float32 array of shape (24, 2)"),
    ("too few features for a layer", lambda w: w.dense.forward(w.x[:, :3]), ValueError,
     "Dense 'dense': input must have shape (batch, 4). Received: float32 array of shape (24, 3)"),
    ("one sample without its axis", lambda w: w.model.predict(w.x[0]), ValueError,
     "Sequential: input must have shape (batch, 4). Received: float32 array of shape (4,)"),
    ("x of too many axes", lambda w: w.model.predict(w.x[:, :, None]), ValueError,
     "Sequential: input must have shape (batch, 4). Received: float32 array of shape (24, 4, 1)"),
    ("a number as x", lambda w: w.model.predict(5.0), ValueError,
     "predict: x must have one entry a sample. Received: 5.0"),
    ("no x", lambda w: w.model.predict(None), ValueError,
     "predict: x must be numbers. Received: None"),
    ("no samples to predict", lambda w: w.model.predict([]), ValueError,
     "Sequential: input must have shape (batch, 4). Received: float64 array of shape (0,)"),
    ("x transposed", lambda w: w.model.fit(w.x.T, w.y), ValueError,
     "fit: x and y must have as many samples. Received: 4 and 24"),
    ("x and y of other lengths", lambda w: w.model.fit(w.x, w.y[:-1]), ValueError,
     "fit: x and y must have as many samples. Received: 24 and 23"),
    ("x and y of other lengths in a step", lambda w: w.trainer.step(w.x, w.y[:-1]), ValueError,
     "step: a batch must have as many x as y, at least one. Received: 24 and 23"),
    ("ragged x", lambda w: w.model.fit([[1.0, 2.0], [3.0]], [0, 1]), ValueError,
     "fit: x must be numbers. Received: [[1.0, 2.0], [3.0]]"),
    ("ragged y", lambda w: w.model.fit(w.x[:2], [[0], [1, 2]]), ValueError,
     "fit: y must be numbers. Received: [[0], [1, 2]]"),
    ("one axis for a model that has none yet", lambda w: w.new.forward(w.x[:, 0]), ValueError,
     "Dense 'dense': input must have an axis behind the batch. Received: shape (batch,)"),
    ("no features for a model that has none yet", lambda w: w.new.forward(np.zeros((5, 0))), ValueError,
     "Sequential: input_shape must be positive integers, without the batch. Received: input_shape=(0,)"),
    ("a size to build", lambda w: w.new.build(4), TypeError,
     "Sequential: input_shape must be a tuple, such as (784,). Received: input_shape=4"),
    ("a batch axis to build", lambda w: w.new.build((None, 4)), ValueError,
     "Sequential: input_shape must be positive integers, without the batch. Received: input_shape=(None, 4)"),
    ("a layer built for another shape", lambda w: w.model.add(built(Dense(2), (7,))), ValueError,
     "Sequential: Dense was built for input of shape (7,), float32. Received: input of shape (3,), float32"),
    ("a layer built for another dtype",
     lambda w: Sequential([Input((4,)), built(Dense(2), (4,))], dtype="float64"), ValueError,
     "Sequential: Dense was built for input of shape (4,), float32. Received: input of shape (4,), float64"),
    ("data of another shape", lambda w: assign(w.kernel, data=np.zeros((5, 4))), ValueError,
     "Parameter 'dense/kernel': data must have shape (4, 5). Received: shape (5, 4)"),
    ("a number as data", lambda w: assign(w.kernel, data=0.0), ValueError,
     "Parameter 'dense/kernel': data must have shape (4, 5). Received: shape ()"),
    ("a gradient of another shape", lambda w: assign(w.kernel, grad=np.zeros(5)), ValueError,
     "Parameter 'dense/kernel': grad must have shape (4, 5). Received: shape (5,)"),
    ("predictions without a batch", lambda w: losses.MeanSquaredError()(1.0, 2.0), ValueError,
     "MeanSquaredError: predictions must have at least 1 axis, the batch first. Received: y_pred of shape ()"),
    ("predictions without classes", lambda w: losses.SparseCategoricalCrossentropy()([0, 1], [0.5, 0.5]), ValueError,
     ("SparseCategoricalCrossentropy: predictions must have at least 2 axes, the batch first. Received: y_pred of "
      "shape (2,)")),
    ("targets and predictions swapped",
     lambda w: losses.SparseCategoricalCrossentropy()([[0.75, 0.25]], [1]), ValueError,
     ("SparseCategoricalCrossentropy: predictions must have at least 2 axes, the batch first. Received: y_pred of "
      "shape (1,)")),
    ("a metric of other lengths",
     lambda w: metrics.SparseCategoricalAccuracy().update([1, 0, 1], [[0.2, 0.8], [0.3, 0.7]]), ValueError,
     "SparseCategoricalAccuracy: targets must have shape (2,) for predictions of shape (2, 2). Received: shape (3,)"),
    ("a metric's (n,) against (n, 1)", lambda w: metrics.BinaryAccuracy().update([1, 0], [[0.9], [0.2]]), ValueError,
     "BinaryAccuracy: targets must have shape (2, 1) for predictions of shape (2, 1). Received: shape (2,)"),
    ("a metric's (n, 1) against (n,)",
     lambda w: metrics.SparseCategoricalAccuracy().update([[1], [0]], [[0.2, 0.8], [0.3, 0.7]]), ValueError,
     "SparseCategoricalAccuracy: targets must have shape (2,) for predictions of shape (2, 2). Received: shape (2, 1)"),
    ("a metric's integers for one-hot",
     lambda w: metrics.CategoricalAccuracy().update([1, 0], [[0.2, 0.8], [0.3, 0.7]]), ValueError,
     "CategoricalAccuracy: targets must have shape (2, 2) for predictions of shape (2, 2). Received: shape (2,)"),
    ("the area of several outputs", lambda w: metrics.AUC().update([[0, 1]], [[0.1, 0.9]]), ValueError,
     ("AUC: targets and predictions must have one shape, (n,) or (n, 1). Received: y_true of shape (1, 2), y_pred of "
      "shape (1, 2)")),
    ("a confusion of other lengths", lambda w: confusion_matrix([0, 1, 1], [0, 1]), ValueError,
     "confusion_matrix: there must be a prediction for each target. Received: 3 targets, 2 predictions"),

    # Kinds of data
    ("x as text", lambda w: w.model.fit("data.csv", w.y), ValueError,
     "fit: x must be numbers. Received: 'data.csv'"),
    ("x of texts", lambda w: w.model.fit(w.x.astype(str), w.y), ValueError,
     "fit: x must be numbers. Received: <U32 array of shape (24, 4)"),
    ("x of texts to predict", lambda w: w.model.predict(w.x.astype(str)), ValueError,
     "predict: x must be numbers. Received: <U32 array of shape (24, 4)"),
    ("x of objects", lambda w: w.model.fit(w.x.astype(object), w.y), ValueError,
     "fit: x must be numbers. Received: object array of shape (24, 4)"),
    ("x of objects to predict", lambda w: w.model.predict(w.x.astype(object)), ValueError,
     "predict: x must be numbers. Received: object array of shape (24, 4)"),
    ("x of complex numbers", lambda w: w.model.fit(w.x.astype(complex), w.y), ValueError,
     "fit: x must be numbers. Received: complex128 array of shape (24, 4)"),
    ("x of dates", lambda w: w.model.fit(np.zeros((24, 4), "datetime64[D]"), w.y), ValueError,
     "fit: x must be numbers. Received: datetime64[D] array of shape (24, 4)"),
    ("x of fields", lambda w: w.model.fit(np.zeros(24, [("a", "f4")]), w.y), ValueError,
     "fit: x must be numbers. Received: [('a', '<f4')] array of shape (24,)"),
    ("a generator as x beside y", lambda w: w.model.fit((row for row in w.x), w.y), ValueError,
     re.compile(r"fit: x must be numbers\. Received: <.*", re.DOTALL)),
    ("y of texts", lambda w: w.model.fit(w.x, np.array(["cat", "dog", "cow"] * 8)), ValueError,
     "fit: y must be numbers. Received: <U3 array of shape (24,)"),
    ("y of objects", lambda w: w.model.evaluate(w.x, w.y.astype(object)), ValueError,
     "evaluate: y must be numbers. Received: object array of shape (24,)"),
    ("y with a hole", lambda w: w.model.fit(w.x[:2], [0, None]), ValueError,
     "fit: y must be numbers. Received: [0, None]"),
    ("a number as y", lambda w: w.model.fit(w.x, 0), ValueError,
     "fit: y must have one entry a sample. Received: 0"),
    ("targets of texts", lambda w: losses.MeanSquaredError()(["a", "b"], [1.0, 2.0]), ValueError,
     "MeanSquaredError: targets must be numbers. Received: ['a', 'b']"),
    ("targets of dates", lambda w: losses.MeanSquaredError()(np.zeros(2, "datetime64[D]"), [1.0, 2.0]), ValueError,
     "MeanSquaredError: targets must be numbers. Received: datetime64[D] array of shape (2,)"),
    ("data as text", lambda w: assign(w.kernel, data=np.full((4, 5), "a")), ValueError,
     "Parameter 'dense/kernel': data must be numbers. Received: <U1 array of shape (4, 5)"),
    ("no gradient", lambda w: assign(w.kernel, grad=None), ValueError,
     "Parameter 'dense/kernel': grad must be numbers. Received: None"),
    ("a complex gradient", lambda w: assign(w.kernel, grad=np.zeros((4, 5), complex)), ValueError,
     "Parameter 'dense/kernel': grad must be numbers. Received: complex128 array of shape (4, 5)"),
    ("a parameter of text", lambda w: Parameter("abc"), ValueError,
     "Parameter 'parameter': data must be numbers. Received: 'abc'"),
    ("a parameter of integers", lambda w: Parameter([1, 2, 3]), TypeError,
     "Parameter 'parameter': data must be floating point. Received: int64 array of shape (3,)"),
    ("a parameter of objects", lambda w: Parameter(np.array([1.0, None]), name="bias"), ValueError,
     "Parameter 'bias': data must be numbers. Received: object array of shape (2,)"),
    ("a read-only parameter", lambda w: Parameter(np.broadcast_to(np.ones(1), (3,))), ValueError,
     "Parameter 'parameter': data must be writable. Received: read-only float64 array of shape (3,)"),

    # Targets
    ("one-hot where integers belong", lambda w: w.trainer.step(w.x, w.one_hot), ValueError,
     ("SparseCategoricalCrossentropy: targets must be integer labels of shape (24,); for one-hot targets use "
      "CategoricalCrossentropy. Received: float32 array of shape (24, 3)")),
    ("one-hot where integers belong, to evaluate", lambda w: w.model.evaluate(w.x, w.one_hot), ValueError,
     ("SparseCategoricalCrossentropy: targets must be integer labels of shape (24,); for one-hot targets use "
      "CategoricalCrossentropy. Received: float32 array of shape (24, 3)")),
    ("integers where one-hot belongs", lambda w: w.categorical.trainer.step(w.x, w.y), ValueError,
     ("CategoricalCrossentropy: targets must be one-hot, in the shape of the predictions (24, 3); for integer labels "
      "use SparseCategoricalCrossentropy. Received: int64 array of shape (24,)")),
    ("one-hot of another number of classes", lambda w: w.categorical.trainer.step(w.x, np.eye(4)[w.y]), ValueError,
     ("CategoricalCrossentropy: targets must have the shape of the predictions. Received: y_true of shape (24, 4), "
      "y_pred of shape (24, 3)")),
    ("one-hot where one output is", lambda w: w.binary.trainer.step(w.x, np.eye(2)[w.y % 2]), ValueError,
     ("BinaryCrossentropy: targets must have the shape of the predictions. Received: y_true of shape (24, 2), y_pred "
      "of shape (24, 1)")),
    ("labels of shape (n, 1)", lambda w: w.trainer.step(w.x, w.y[:, None]), ValueError,
     ("SparseCategoricalCrossentropy: targets must have shape (24,) for predictions of shape (24, 3). Received: shape "
      "(24, 1); y_true.ravel() would fit")),
    ("labels that are whole floats", lambda w: w.trainer.step(w.x, w.y.astype(np.float32)), ValueError,
     ("SparseCategoricalCrossentropy: targets must be integers; y_true.astype(int) makes them so. Received: float32 "
      "array of shape (24,)")),
    ("labels that are fractions", lambda w: w.trainer.step(w.x, w.y + 0.5), ValueError,
     "SparseCategoricalCrossentropy: targets must be integers. Received: float64 array of shape (24,)"),
    ("labels that are flags", lambda w: w.trainer.step(w.x, w.y > 0), ValueError,
     ("SparseCategoricalCrossentropy: targets must be integers; y_true.astype(int) makes them so. Received: bool "
      "array of shape (24,)")),
    ("a label below 0", lambda w: w.trainer.step(w.x, w.y - 1), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from -1 to 1"),
    ("a label beyond the classes", lambda w: w.model.evaluate(w.x, put(w.y, -1, 3)), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 3"),
    ("labels of bytes that wrapped", lambda w: w.model.fit(w.x, (w.y - 1).astype(np.uint8)), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 255"),
    ("targets (n,) against (n, 1)", lambda w: w.regressor.trainer.step(w.x, w.target.ravel()), ValueError,
     ("MeanSquaredError: targets must have the shape of the predictions. Received: y_true of shape (24,), y_pred of "
      "shape (24, 1); y_true.reshape(-1, 1) would fit")),
    ("targets (n,) against (n, 1), one class", lambda w: w.binary.evaluate(w.x, w.yes.ravel()), ValueError,
     ("BinaryCrossentropy: targets must have the shape of the predictions. Received: y_true of shape (24,), y_pred of "
      "shape (24, 1); y_true.reshape(-1, 1) would fit")),
    ("targets of two outputs for one", lambda w: w.regressor.evaluate(w.x, np.hstack([w.target, w.target])), ValueError,
     ("MeanSquaredError: targets must have the shape of the predictions. Received: y_true of shape (24, 2), y_pred of "
      "shape (24, 1)")),
    ("targets of one class that aren't 0 or 1", lambda w: w.binary.trainer.step(w.x, w.yes * 2), ValueError,
     "BinaryCrossentropy: targets must be in [0, 1]. Received: y_true from 0 to 2"),
    ("targets of one class that are -1 and 1", lambda w: w.binary.evaluate(w.x, w.yes * 2 - 1), ValueError,
     "BinaryCrossentropy: targets must be in [0, 1]. Received: y_true from -1 to 1"),
    ("one-hot rows that don't sum to 1", lambda w: w.categorical.trainer.step(w.x, w.one_hot * 2), ValueError,
     ("CategoricalCrossentropy: each sample's targets must be probabilities that sum to 1. Received: sums from 2 to "
      "2, least entry 0")),
    ("predictions that aren't probabilities",
     lambda w: losses.BinaryCrossentropy()([[1.0], [0.0]], [[1.5], [-0.5]]), ValueError,
     ("BinaryCrossentropy: predictions must be probabilities; for a model that ends without sigmoid, use "
      "from_logits=True. Received: y_pred from -0.5 to 1.5")),
    ("predictions that don't sum to 1", lambda w: losses.CategoricalCrossentropy()([[1, 0]], [[0.7, 0.7]]), ValueError,
     ("CategoricalCrossentropy: each sample's predictions must sum to 1, as those of softmax do. Received: sums from "
      "1.4 to 1.4")),
    ("logits without saying so", lambda w: w.logits.fit(w.x, w.y), ValueError,
     re.compile(r"SparseCategoricalCrossentropy: predictions must be probabilities; for a model that ends without "
                r"softmax, use from_logits=True\. Received: y_pred from -?[\d.]+ to -?[\d.]+")),
    ("a class beyond the confusion", lambda w: confusion_matrix([0, 1, 5], [0, 1, 1], classes=2), ValueError,
     "confusion_matrix: classes must be in 0 .. 1. Received: from 0 to 5"),
    ("classes that are fractions", lambda w: confusion_matrix([0.5, 1.0], [0, 1]), ValueError,
     "confusion_matrix: classes must be integers or one-hot rows. Received: y=float64 array of shape (2,)"),

    # Numbers that aren't finite
    ("NaN in x", lambda w: w.trainer.step(put(w.x, (3, 1), np.nan), w.y), ValueError,
     "step: x must be finite. Received: nan at [3, 1], 1 such in all"),
    ("infinity in x", lambda w: w.trainer.step(put(w.x, (3, 1), np.inf), w.y), ValueError,
     "step: x must be finite. Received: inf at [3, 1], 1 such in all"),
    ("NaN in y", lambda w: w.regressor.trainer.step(w.x, put(w.target, 3, np.nan)), ValueError,
     "step: y must be finite. Received: nan at [3, 0], 1 such in all"),
    ("NaN in targets of one class", lambda w: w.binary.trainer.step(w.x, put(w.yes, 3, np.nan)), ValueError,
     "step: y must be finite. Received: nan at [3, 0], 1 such in all"),
    ("NaN in one-hot rows", lambda w: w.categorical.trainer.step(w.x, put(w.one_hot, 3, np.nan)), ValueError,
     "step: y must be finite. Received: nan at [3, 0], 3 such in all"),
    ("NaN in integer labels", lambda w: w.trainer.step(w.x, put(w.y.astype(float), 3, np.nan)), ValueError,
     "step: y must be finite. Received: nan at [3], 1 such in all"),
    ("NaN in a gradient", lambda w: w.momentum.step([w.poisoned]), optimizers.NonFiniteError,
     ("Momentum: gradients must be finite. Received: 2 of 3 entries of 'c' not finite, the first nan at [1], in step "
      "2; nothing was changed; a smaller learning rate, or the hook ClipByGlobalNorm, often helps")),
    ("NaN in the weights of samples",
     lambda w: w.model.fit(w.x, w.y, sample_weight=put(np.ones(24), 3, np.nan)), ValueError,
     "fit: sample_weight must be finite and not negative. Received: from nan to nan"),
    ("infinity in the weights of samples", lambda w: w.trainer.step(w.x, w.y, np.full(24, np.inf)), ValueError,
     "step: sample_weight must be finite and not negative. Received: from inf to inf"),
    ("a negative weight of a sample",
     lambda w: w.model.fit(w.x, w.y, sample_weight=put(np.ones(24), 3, -1)), ValueError,
     "fit: sample_weight must be finite and not negative. Received: from -1 to 1"),
    ("too many weights of samples", lambda w: w.model.fit(w.x, w.y, sample_weight=np.ones(25)), ValueError,
     "fit: sample_weight must have shape (24,). Received: shape (25,)"),
    ("too few weights of samples to evaluate",
     lambda w: w.model.evaluate(w.x, w.y, sample_weight=np.ones(3)), ValueError,
     "evaluate: sample_weight must have shape (24,). Received: shape (3,)"),
    ("weights of samples of shape (n, 1)", lambda w: w.model.fit(w.x, w.y, sample_weight=np.ones((24, 1))), ValueError,
     "fit: sample_weight must have shape (24,). Received: shape (24, 1)"),
    ("one weight for all samples", lambda w: w.trainer.step(w.x, w.y, 2.0), ValueError,
     "step: sample_weight must have shape (24,). Received: shape ()"),
    ("balanced weights of samples", lambda w: w.model.fit(w.x, w.y, sample_weight="balanced"), ValueError,
     "fit: sample_weight must be numbers. Received: 'balanced'"),
    ("a metric's negative weight",
     lambda w: metrics.Accuracy().update([1, 0], [[0.2, 0.8], [0.3, 0.7]], [1.0, -1.0]), ValueError,
     "Accuracy: sample_weight must be finite and not negative. Received: from -1 to 1"),

    # Order of things
    ("fit before compile", lambda w: w.new.fit(w.x, w.y), RuntimeError,
     "Sequential: must be compiled before fit: compile(optimizer, loss). Received: no compile"),
    ("evaluate before compile", lambda w: w.new.evaluate(w.x, w.y), RuntimeError,
     "Sequential: must be compiled before evaluate: compile(optimizer, loss). Received: no compile"),
    ("frozen by a word", lambda w: assign(w.new, trainable="no"), TypeError,
     "Sequential: trainable must be True or False. Received: trainable='no'"),
    ("a multiplier before build", lambda w: assign(w.new, learning_rate_multiplier=0.1), RuntimeError,
     "Sequential: must be built before it gets a multiplier. Received: 0.1"),
    ("backward before forward", lambda w: Sequential([Input((4,)), Dense(3)]).backward(w.one_hot), RuntimeError,
     "Dense 'dense': backward needs a forward before it. Received: none"),
    ("weights before build", lambda w: w.new.set_weights(w.model.get_weights()), ValueError,
     "Sequential: weights must be 0 arrays. Received: 4"),
    ("a state before build", lambda w: w.new.load_state_dict({"dense/kernel": w.kernel.data}), ValueError,
     "Sequential: the state must fit the model. Received: unknown dense/kernel (4, 5)"),
    ("an input behind a layer", lambda w: w.model.add(Input((4,))), ValueError,
     "Sequential: Input must be the first entry. Received: another before it"),
    ("a number as a layer", lambda w: w.model.add(5), TypeError,
     "Sequential: a layer must be an instance of Layer. Received: 5"),
    ("a class as a layer", lambda w: w.model.add(Dense), TypeError,
     "Sequential: a layer must be an instance of Layer. Received: <class 'minidl.layers.dense.Dense'>"),
    ("a name as a layer", lambda w: Sequential(["dense"]), TypeError,
     "Sequential: a layer must be an instance of Layer. Received: 'dense'"),
    ("a layer instead of a list", lambda w: Sequential(Dense(3)), TypeError,
     "Sequential: layers must be a list of layers. Received: Dense(units=3)"),
    ("a list in a list", lambda w: Sequential([[Dense(3)]]), TypeError,
     "Sequential: a layer must be an instance of Layer. Received: [Dense(units=3)]"),
    ("two layers of one name", lambda w: Sequential([Dense(3, name="a"), Dense(2, name="a")]), ValueError,
     "Sequential: layers must have different names. Received: 'a' again"),
    ("a layer of a name that is there", lambda w: w.model.add(Dense(2, name="dense")), ValueError,
     "Sequential: layers must have different names. Received: 'dense' again"),
    ("a model inside another grows", lambda w: w.inner.add(Dense(2)), RuntimeError,
     "Sequential 'sequential': a model inside another can't grow once built. Received: Dense"),

    # Ownership
    ("a layer twice", lambda w: w.model.add(w.dense), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Dense 'dense' again")),
    ("a new layer twice", lambda w: Sequential([Flatten()] * 2), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Flatten again")),
    ("a layer of another model", lambda w: Sequential([w.dense]), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Dense 'dense' again")),
    ("a layer of another model, later", lambda w: w.categorical.add(w.dense), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Dense 'dense' again")),
    ("a model in itself", lambda w: w.model.add(w.model), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Sequential again")),
    ("a model in two others", lambda w: Sequential([w.inner]), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Sequential 'sequential' again")),
    ("an activation of another layer", lambda w: Sequential([Dense(3, w.dense.activation)]), ValueError,
     ("Sequential: a layer can be in one place of one model only; copy.deepcopy gives another like it. Received: "
      "Dense again")),
    ("an optimizer of another model", lambda w: w.regressor.compile(w.optimizer, "mse"), ValueError,
     ("Trainer: the optimizer has trained another model; make a new one, Adam.from_config(optimizer.get_config()). "
      "Received: an optimizer after 6 steps")),
    ("a parameter twice in a step", lambda w: w.optimizer.step([w.kernel, w.kernel]), ValueError,
     "Adam: a parameter must be given once. Received twice: dense/kernel"),
    ("a parameter twice in a build", lambda w: w.optimizer.build([w.kernel, w.kernel]), ValueError,
     "Adam: a parameter must be given once. Received twice: dense/kernel"),
    ("a parameter twice in a storage", lambda w: flatten([w.kernel, w.kernel]), ValueError,
     "flatten: a parameter must be given once. Received: ['dense/kernel', 'dense/kernel']"),
    ("parameters of two dtypes in a storage", lambda w: flatten([w.kernel, w.poisoned]), TypeError,
     "flatten: parameters must have one dtype. Received: dense/kernel: float32, c: float64"),
    ("two parameters of one name in a state", lambda w: w.twins.state_dict(), ValueError,
     "Momentum: parameters must have different names. Received twice: twin"),

    # Data and fit
    ("batch_size 0", lambda w: w.model.fit(w.x, w.y, batch_size=0), ValueError,
     "fit: batch_size must be a positive integer. Received: batch_size=0"),
    ("batch_size -1", lambda w: w.model.fit(w.x, w.y, batch_size=-1), ValueError,
     "fit: batch_size must be a positive integer. Received: batch_size=-1"),
    ("batch_size 2.5", lambda w: w.model.fit(w.x, w.y, batch_size=2.5), TypeError,
     "fit: batch_size must be a positive integer. Received: batch_size=2.5"),
    ("batch_size as text", lambda w: w.model.fit(w.x, w.y, batch_size="32"), TypeError,
     "fit: batch_size must be a positive integer. Received: batch_size='32'"),
    ("batch_size 0 to evaluate", lambda w: w.model.evaluate(w.x, w.y, batch_size=0), ValueError,
     "evaluate: batch_size must be a positive integer. Received: batch_size=0"),
    ("batch_size 0 to predict", lambda w: w.model.predict(w.x, batch_size=0), ValueError,
     "predict: batch_size must be a positive integer. Received: batch_size=0"),
    ("batch_size of batches", lambda w: w.model.fit([(w.x, w.y)], batch_size=8), ValueError,
     "fit: batch_size is for arrays; an iterable's batches have their own. Received: batch_size"),
    ("epochs 0", lambda w: w.model.fit(w.x, w.y, epochs=0), ValueError,
     "fit: epochs must be a positive integer. Received: epochs=0"),
    ("epochs 1.5", lambda w: w.model.fit(w.x, w.y, epochs=1.5), TypeError,
     "fit: epochs must be a positive integer. Received: epochs=1.5"),
    ("epochs as text", lambda w: w.model.fit(w.x, w.y, epochs="10"), TypeError,
     "fit: epochs must be a positive integer. Received: epochs='10'"),
    ("accumulate 0", lambda w: w.model.fit(w.x, w.y, accumulate=0), ValueError,
     "fit: accumulate must be a positive integer. Received: accumulate=0"),
    ("verbose 3", lambda w: w.model.fit(w.x, w.y, verbose=3), ValueError,
     "fit: verbose must be one of 0, 1, 2. Received: verbose=3"),
    ("verbose as text", lambda w: w.model.fit(w.x, w.y, verbose="auto"), ValueError,
     "fit: verbose must be one of 0, 1, 2. Received: verbose='auto'"),
    ("shuffle as text", lambda w: w.model.fit(w.x, w.y, shuffle="yes"), TypeError,
     "fit: shuffle must be True, False or a callable (epoch, n) -> order. Received: shuffle='yes'"),
    ("shuffle 1", lambda w: w.model.fit(w.x, w.y, shuffle=1), TypeError,
     "fit: shuffle must be True, False or a callable (epoch, n) -> order. Received: shuffle=1"),
    ("an order beyond the samples",
     lambda w: w.model.fit(w.x, w.y, shuffle=lambda epoch, n: np.arange(n) + 1, verbose=0), ValueError,
     "fit: shuffle(epoch, n) must return indices in 0 .. 23. Received: indices from 1 to 24"),
    ("an order below 0",
     lambda w: w.model.fit(w.x, w.y, shuffle=lambda epoch, n: np.arange(n) - 1, verbose=0), ValueError,
     "fit: shuffle(epoch, n) must return indices in 0 .. 23. Received: indices from -1 to 22"),
    ("an order of fractions",
     lambda w: w.model.fit(w.x, w.y, shuffle=lambda epoch, n: np.linspace(0, 1, n), verbose=0), ValueError,
     "fit: shuffle(epoch, n) must return indices. Received: float64 array of shape (24,)"),
    ("no order", lambda w: w.model.fit(w.x, w.y, shuffle=lambda epoch, n: None, verbose=0), ValueError,
     "fit: shuffle(epoch, n) must be numbers. Received: None"),
    ("an order of batches",
     lambda w: w.model.fit([(w.x, w.y)], shuffle=lambda epoch, n: range(n), verbose=0), ValueError,
     re.compile(r"fit: an order of samples needs arrays\. Received: shuffle=<function .*>")),
    ("no samples", lambda w: w.model.fit(w.x[:0], w.y[:0]), ValueError,
     "fit: data must have at least one sample. Received: x of shape (0, 4)"),
    ("no samples in a step", lambda w: w.trainer.step(w.x[:0], w.y[:0]), ValueError,
     "step: a batch must have as many x as y, at least one. Received: 0 and 0"),
    ("no batches", lambda w: w.model.fit([]), ValueError,
     "fit: data must have at least one batch. Received: an empty iterable"),
    ("no batches left", lambda w: w.model.fit(iter([]), verbose=0), ValueError,
     "fit: data must have at least one batch. Received: an iterable that is used up"),
    ("an empty batch", lambda w: w.model.fit([(w.x[:0], w.y[:0])], verbose=0), ValueError,
     "fit: a batch must have as many x as y, at least one. Received: 0 and 0"),
    ("no y", lambda w: w.model.fit(w.x), ValueError,
     "fit: data must be x and y, or an iterable of batches. Received: x=float32 array of shape (24, 4), no y"),
    ("x and y in one tuple", lambda w: w.model.fit((w.x, w.y), verbose=0), ValueError,
     "fit: a batch must be (x, y) or (x, y, sample_weight). Received: float32 array of shape (24, 4)"),
    ("samples instead of batches", lambda w: w.model.fit([[1, 2, 3, 4]], verbose=0), ValueError,
     "fit: a batch must be (x, y) or (x, y, sample_weight). Received: [1, 2, 3, 4]"),
    ("a batch of other lengths", lambda w: w.model.fit([(w.x, w.y[:-1])], verbose=0), ValueError,
     "fit: a batch must have as many x as y, at least one. Received: 24 and 23"),
    ("a batch of too few weights", lambda w: w.model.fit([(w.x, w.y, np.ones(3))], verbose=0), ValueError,
     "fit: sample_weight must have shape (24,). Received: shape (3,)"),
    ("a function instead of batches", lambda w: w.model.fit(lambda: [(w.x, w.y)]), ValueError,
     re.compile(r"fit: data must be x and y, or an iterable of batches\. Received: x=<function .*>, no y")),
    ("a generator for several epochs", lambda w: w.model.fit((pair for pair in [(w.x, w.y)]), epochs=2), ValueError,
     ("fit: an iterator can be read once only; for epochs > 1 give a list or an object that iterates anew. Received: "
      "an iterator, epochs=2")),
    ("a generator to validate several epochs",
     lambda w: w.model.fit(w.x, w.y, epochs=2, validation_data=iter([(w.x, w.y)])), ValueError,
     ("fit: an iterator can be read once only; for epochs > 1 give a list or an object that iterates anew. Received: "
      "an iterator, epochs=2")),
    ("validation_data of x alone", lambda w: w.model.fit(w.x, w.y, validation_data=(w.x,)), ValueError,
     ("fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. Received: 1 entries")),
    ("validation_data of four", lambda w: w.model.fit(w.x, w.y, validation_data=(w.x, w.y, None, None)), ValueError,
     ("fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. Received: 4 entries")),
    ("validation_data of nothing", lambda w: w.model.fit(w.x, w.y, validation_data=()), ValueError,
     ("fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. Received: 0 entries")),
    ("validation_split 1.0", lambda w: w.model.fit(w.x, w.y, validation_split=1.0), ValueError,
     "fit: validation_split must be in [0, 1). Received: validation_split=1.0"),
    ("validation_split -0.1", lambda w: w.model.fit(w.x, w.y, validation_split=-0.1), ValueError,
     "fit: validation_split must be in [0, 1). Received: validation_split=-0.1"),
    ("validation_split as text", lambda w: w.model.fit(w.x, w.y, validation_split="0.2"), TypeError,
     "fit: validation_split must be a number. Received: validation_split='0.2'"),
    ("validation_split NaN", lambda w: w.model.fit(w.x, w.y, validation_split=np.nan), ValueError,
     "fit: validation_split must be in [0, 1). Received: validation_split=nan"),
    ("validation_split of no sample", lambda w: w.model.fit(w.x, w.y, validation_split=0.001), ValueError,
     "fit: both parts must have samples. Received: 0 of 24 samples, validation_split=0.001"),
    ("validation of both kinds",
     lambda w: w.model.fit(w.x, w.y, validation_split=0.2, validation_data=(w.x, w.y)), ValueError,
     "fit: validation must come from validation_data or from validation_split. Received: both, validation_split=0.2"),
    ("validation_split of batches", lambda w: w.model.fit([(w.x, w.y)], validation_split=0.2), ValueError,
     "fit: validation_split needs arrays. Received: an iterable of batches"),
    ("stratify without a split", lambda w: w.model.fit(w.x, w.y, stratify=True), ValueError,
     "fit: stratify needs a validation_split. Received: validation_split=0.0"),
    ("stratify without classes",
     lambda w: w.regressor.fit(w.x, w.target, validation_split=0.5, stratify=True), ValueError,
     "fit: classes must be integers or one-hot rows. Received: y=float32 array of shape (24, 1)"),
    ("class_weight as a list", lambda w: w.model.fit(w.x, w.y, class_weight=[1, 1, 1]), TypeError,
     "fit: class_weight must be a dict such as {0: 1.0, 1: 5.0}. Received: [1, 1, 1]"),
    ("class_weight as text", lambda w: w.model.fit(w.x, w.y, class_weight="balanced"), TypeError,
     "fit: class_weight must be a dict such as {0: 1.0, 1: 5.0}. Received: 'balanced'"),
    ("class_weight without a class", lambda w: w.model.fit(w.x, w.y, class_weight={0: 1.0, 1: 2.0}), ValueError,
     "fit: class_weight must have a weight for every class. Received: none for class 2"),
    ("class_weight by names", lambda w: w.model.fit(w.x, w.y, class_weight={"0": 1.0, "1": 2.0, "2": 1.0}), ValueError,
     "fit: class_weight must have a weight for every class. Received: none for class 0"),
    ("class_weight below 0", lambda w: w.model.fit(w.x, w.y, class_weight={0: 1.0, 1: -2.0, 2: 1.0}), ValueError,
     "fit: class_weight[1] must be in [0, inf). Received: class_weight[1]=-2.0"),
    ("class_weight that is no number",
     lambda w: w.model.fit(w.x, w.y, class_weight={0: 1.0, 1: "a", 2: 1.0}), TypeError,
     "fit: class_weight[1] must be a number. Received: class_weight[1]='a'"),
    ("class_weight without classes", lambda w: w.regressor.fit(w.x, w.target, class_weight={0: 1.0}), ValueError,
     "fit: classes must be integers or one-hot rows. Received: y=float32 array of shape (24, 1)"),

    # Optimizers
    ("a negative rate", lambda w: Adam(-0.1), ValueError,
     "Adam: learning_rate must be in [0, inf). Received: learning_rate=-0.1"),
    ("a rate of NaN", lambda w: Adam(np.nan), ValueError,
     "Adam: learning_rate must be in [0, inf). Received: learning_rate=nan"),
    ("a rate of infinity", lambda w: Adam(np.inf), ValueError,
     "Adam: learning_rate must be in [0, inf). Received: learning_rate=inf"),
    ("a rate as text", lambda w: Adam("0.001"), TypeError,
     "Adam: learning_rate must be a number. Received: learning_rate='0.001'"),
    ("no rate", lambda w: Adam(None), TypeError, "Adam: learning_rate must be a number. Received: learning_rate=None"),
    ("a rate for each", lambda w: Adam(np.array([0.1, 0.2])), TypeError,
     "Adam: learning_rate must be a number. Received: learning_rate=float64 array of shape (2,)"),
    ("a complex rate", lambda w: Adam(0.1j), TypeError,
     "Adam: learning_rate must be a number. Received: learning_rate=0.1j"),
    ("a flag as a rate", lambda w: Adam(True), TypeError,
     "Adam: learning_rate must be a number. Received: learning_rate=True"),
    ("a schedule's class as a rate", lambda w: Adam(CosineDecay), TypeError,
     "Adam: learning_rate must be a number. Received: learning_rate=<class 'minidl.schedules.CosineDecay'>"),
    ("momentum 1", lambda w: Momentum(momentum=1), ValueError,
     "Momentum: momentum must be in [0, 1). Received: momentum=1.0"),
    ("momentum below 0", lambda w: Momentum(momentum=-0.1), ValueError,
     "Momentum: momentum must be in [0, 1). Received: momentum=-0.1"),
    ("dampening above 1", lambda w: Momentum(dampening=1.5), ValueError,
     "Momentum: dampening must be in [0, 1]. Received: dampening=1.5"),
    ("a number as a flag", lambda w: Momentum(learning_rate_inside=1), TypeError,
     "Momentum: learning_rate_inside must be True or False. Received: learning_rate_inside=1"),
    ("beta_1 of 1", lambda w: Adam(beta_1=1), ValueError, "Adam: beta_1 must be in [0, 1). Received: beta_1=1.0"),
    ("beta_2 of 1.0", lambda w: Adam(beta_2=1.0), ValueError, "Adam: beta_2 must be in [0, 1). Received: beta_2=1.0"),
    ("rho of 1", lambda w: RMSprop(rho=1), ValueError, "RMSprop: rho must be in [0, 1). Received: rho=1.0"),
    ("epsilon -1", lambda w: Adam(epsilon=-1), ValueError, "Adam: epsilon must be in [0, inf). Received: epsilon=-1.0"),
    ("a negative accumulator", lambda w: optimizers.AdaGrad(initial_accumulator=-1), ValueError,
     "AdaGrad: initial_accumulator must be in [0, inf). Received: initial_accumulator=-1.0"),
    ("lr assigned", lambda w: assign(w.optimizer, lr=0.1), AttributeError,
     "Adam: no such attribute. Received: lr=0.1. Did you mean 'learning_rate'?"),
    ("beta1 assigned", lambda w: assign(w.optimizer, beta1=0.5), AttributeError,
     "Adam: no such attribute. Received: beta1=0.5. Did you mean 'beta_1'?"),
    ("a beta of 1 assigned", lambda w: assign(w.optimizer, beta_1=1.0), ValueError,
     "Adam: beta_1 must be in [0, 1). Received: beta_1=1.0"),
    ("a rate of NaN assigned", lambda w: assign(w.optimizer, learning_rate=np.nan), ValueError,
     "Adam: learning_rate must be in [0, inf). Received: learning_rate=nan"),
    ("iterations below 0", lambda w: assign(w.optimizer, iterations=-1), ValueError,
     "Adam: iterations must be a non-negative integer. Received: iterations=-1"),
    ("epoch as text", lambda w: assign(w.optimizer, epoch="1"), TypeError,
     "Adam: epoch must be a non-negative integer. Received: epoch='1'"),
    ("an array as a parameter", lambda w: w.optimizer.step([w.y[:3]]), TypeError,
     "Adam: a step needs a list of parameters. Received: [array([0, 1, 2])]"),
    ("names as parameters", lambda w: w.optimizer.step(w.model.named_parameters()), TypeError,
     ("Adam: a step needs a list of parameters. Received: {'dense/kernel': Parameter('dense/kernel', shape=(4, "
      "5), dtype=float32), 'dense/bias': Parameter('dense/bias', shape=...")),
    ("layers as parameters", lambda w: w.optimizer.step(w.model.layers), TypeError,
     ("Adam: a step needs a list of parameters. Received: (Dense(units=5, activation=ReLU(), name='dense'), "
      "Dense(units=3, activation=Softmax(), name='dense_1'))")),
    ("a multiplier without a rate", lambda w: w.rateless.step([w.slow]), ValueError,
     "Mine: has no learning_rate that a multiplier could multiply. Received: learning_rate_multiplier=0.5 of 'b'"),
    ("a frozen parameter as text", lambda w: assign(w.kernel, trainable="no"), TypeError,
     "Parameter 'dense/kernel': trainable must be True or False. Received: trainable='no'"),
    ("a model frozen by a number", lambda w: assign(w.model, trainable=0), TypeError,
     "Sequential: trainable must be True or False. Received: trainable=0"),
    ("a negative multiplier", lambda w: assign(w.model, learning_rate_multiplier=-1), ValueError,
     "Parameter 'dense/kernel': learning_rate_multiplier must be in [0, inf). Received: learning_rate_multiplier=-1.0"),
    ("a parameter's gradient misspelt", lambda w: assign(w.kernel, gradient=0), AttributeError,
     "Parameter 'dense/kernel': no such attribute. Received: gradient=0. Did you mean 'grad'?"),
    ("a parameter's requires_grad", lambda w: assign(w.kernel, requires_grad=False), AttributeError,
     ("Parameter 'dense/kernel': no such attribute. Received: requires_grad=False. Known: data, grad, "
      "learning_rate_multiplier, name, offset, storage, trainable, weight_decay_multiplier.")),

    # Rules
    ("a rule that is a method",
     lambda w: type("Mine", (Optimizer,), {"update": lambda self, w, g, *, learning_rate: w}), TypeError,
     re.compile(r"Mine: update must be a @staticmethod\. Received: <function .*>")),
    ("a rule without its slots", lambda w: rule(lambda w, g, *, rate: w), TypeError,
     "Mine: update must take w, g and the slots ('m',), the rest by keyword only. Received: update(w, g, *, rate)"),
    ("a rule with numbers by position", lambda w: rule(lambda w, g, m, rate: (w, m)), TypeError,
     "Mine: update must take w, g and the slots ('m',), the rest by keyword only. Received: update(w, g, m, rate)"),
    ("a rule that asks for the unknown", lambda w: step_of(rule(lambda w, g, m, *, raet: (w, m))), TypeError,
     ("Mine: update asks for 'raet', which is no hyperparameter. Received: update(w, g, m, *, raet). Did you "
      "mean 'rate'?")),
    ("a rule that isn't elementwise",
     lambda w: step_of(rule(lambda w, g, m, *, rate: (w - g / np.linalg.norm(g), m))), TypeError,
     ("Mine: update isn't elementwise: given in pieces, w comes out differently. A rule that needs whole tensors must "
      "say so in its class: elementwise = False")),
    ("a rule that writes to its inputs",
     lambda w: step_of(rule(lambda w, g, m, *, rate: (w, np.add(m, g, out=m)))), TypeError,
     ("Mine: update must not write to its arguments, but return new arrays: `m = beta * m + ...`, not `m *= beta`. "
      "Received: output array is read-only")),
    ("a rule that widens",
     lambda w: step_of(rule(lambda w, g, m, *, rate: (w - np.float64(rate) * g, m)), np.float32), TypeError,
     ("Mine: update must return w as it came, float32 of shape (12,). Received: float64 of shape (12,). A NumPy "
      "scalar such as np.sqrt(2.0) widens float32 arrays; float(np.sqrt(2.0)) or math.sqrt(2.0) doesn't")),
    ("a rule of another shape", lambda w: step_of(rule(lambda w, g, m, *, rate: (w, m.sum()))), TypeError,
     ("Mine: update must return m as it came, float64 of shape (12,). Received: float64 of shape (). A NumPy scalar "
      "such as np.sqrt(2.0) widens float32 arrays; float(np.sqrt(2.0)) or math.sqrt(2.0) doesn't")),
    ("a rule that returns too little", lambda w: step_of(rule(lambda w, g, m, *, rate: w)), TypeError,
     "Mine: update must return w, m. Received: 1 results"),
    ("a rule that returns too much", lambda w: step_of(rule(lambda w, g, m, *, rate: (w, m, m))), TypeError,
     "Mine: update must return w, m. Received: 3 results"),
    ("a rule that returns nothing", lambda w: step_of(rule(lambda w, g, m, *, rate: None)), TypeError,
     "Mine: update must return w, m. Received: 1 results"),
    ("a rule whose number has a taken name", lambda w: rule(lambda w, g, m, *, t: (w, m), names=("t",))(), TypeError,
     "Mine: a hyperparameter must have a name of its own. Received: 't'"),
    ("a rule that prepares a taken name",
     lambda w: step_of(rule(keep, prepare=staticmethod(lambda t: {"rate": 1.0}))), TypeError,
     "Mine: prepare must give its results names of their own. Received: 'rate'"),
    ("a rule that starts other slots",
     lambda w: step_of(rule(keep, init_slots=lambda self, data: {"v": data})), TypeError,
     "Mine: init_slots must return the slots ('m',). Received: ('v',)"),
    ("a rule that starts slots of another shape",
     lambda w: step_of(rule(keep, init_slots=lambda self, data: {"m": np.ones(2)})), TypeError,
     ("Mine: a slot of an elementwise rule must have its parameter's shape (12,); a rule that needs other slots must "
      "say elementwise = False. Received: m of shape (2,)")),
    ("a rule with a number out of range", lambda w: rule(keep, ranges={"rate": "(0, 0.1)"})(), ValueError,
     "Mine: rate must be in (0, 0.1). Received: rate=0.5"),
    ("a range that is none", lambda w: rule(keep, ranges={"rate": "0 to 1"})(), ValueError,
     ("""Mine: ranges['rate'] must be like "[0, 1)", "int [1, inf)", "bool" or "'min' | 'max'", """
      "or the kind of a registry. Received: '0 to 1'")),
    ("a range of integers for a rule", lambda w: rule(keep, ranges={"rate": "int [1, inf)"})(), ValueError,
     ("Mine: ranges['rate'] must be an interval or \"bool\", since a schedule gives numbers. "
      "Received: 'int [1, inf)'")),
    ("an instance to check", lambda w: testing.check_optimizer(Adam()), TypeError,
     ("check_optimizer: must be given an optimizer class, or a callable that returns optimizers. Received: "
      "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, epsilon_root=0.0)")),
    ("a name to check", lambda w: testing.check_optimizer("adam"), TypeError,
     "check_optimizer: must be given an optimizer class, or a callable that returns optimizers. Received: 'adam'"),
    ("a layer's class to check", lambda w: testing.check_optimizer(Flatten), TypeError,
     ("check_optimizer: must be given an optimizer class, or a callable that returns optimizers. Received: <class "
      "'minidl.layers.shaping.Flatten'>")),

    # Schedules
    ("decay_steps 0", lambda w: CosineDecay(0.1, decay_steps=0), ValueError,
     "CosineDecay: decay_steps must be a positive integer. Received: decay_steps=0"),
    ("decay_steps 2.5", lambda w: CosineDecay(0.1, decay_steps=2.5), TypeError,
     "CosineDecay: decay_steps must be a positive integer. Received: decay_steps=2.5"),
    ("a negative decay", lambda w: InverseTimeDecay(0.1, decay_rate=-1.0), ValueError,
     "InverseTimeDecay: decay_rate must be in [0, inf). Received: decay_rate=-1.0"),
    ("a decay of 0", lambda w: ExponentialDecay(0.1, decay_rate=0.0), ValueError,
     "ExponentialDecay: decay_rate must be in (0, inf). Received: decay_rate=0.0"),
    ("an initial value as text", lambda w: CosineDecay("0.1", decay_steps=5), TypeError,
     "CosineDecay: initial must be a number. Received: initial='0.1'"),
    ("an initial value of NaN", lambda w: StepDecay(np.nan, step_size=5), ValueError,
     "StepDecay: initial must be finite. Received: initial=nan"),
    ("a power of 0", lambda w: PolynomialDecay(0.1, decay_steps=5, power=0), ValueError,
     "PolynomialDecay: power must be in (0, inf). Received: power=0.0"),
    ("too few values", lambda w: PiecewiseConstant([0.1, 0.01], boundaries=[5, 10]), ValueError,
     "PiecewiseConstant: values must be one more than boundaries. Received: 2 values, 2 boundaries"),
    ("boundaries that fall", lambda w: PiecewiseConstant([0.1, 0.01, 0.001], boundaries=[10, 5]), ValueError,
     "PiecewiseConstant: boundaries must increase. Received: boundaries=[10, 5]"),
    ("a boundary at 0", lambda w: PiecewiseConstant([0.1, 0.01], boundaries=[0]), ValueError,
     "PiecewiseConstant: boundaries must be a positive integer. Received: boundaries=0"),
    ("a warm-up to a name", lambda w: Warmup("cosine", warmup_steps=5), TypeError,
     "Warmup: after must be a number. Received: after='cosine'"),
    ("a warm-up of no steps", lambda w: Warmup(0.1, warmup_steps=0), ValueError,
     "Warmup: warmup_steps must be a positive integer. Received: warmup_steps=0"),
    ("a warm-up in other units",
     lambda w: Warmup(InverseTimeDecay(0.1, decay_rate=1.0), warmup_steps=5, every="step"), ValueError,
     "Warmup: every must be the same as the schedule's. Received: every='step', the schedule's every='epoch'"),
    ("a negative index", lambda w: CosineDecay(0.1, decay_steps=5)(-1), ValueError,
     "CosineDecay: index must be a non-negative integer. Received: index=-1"),
    ("an index that isn't whole", lambda w: CosineDecay(0.1, decay_steps=5)(0.5), TypeError,
     "CosineDecay: index must be a non-negative integer. Received: index=0.5"),
    ("a schedule's config without its class", lambda w: Adam({"initial": 0.1}), TypeError,
     "Adam: schedule must be a name or an instance of Schedule. Received: {'initial': 0.1}"),
    ("a schedule's value out of range", lambda w: w.falling.step([w.loose]), ValueError,
     "SGD: learning_rate must be in [0, inf). Received: learning_rate=-0.5"),
    ("a schedule's value of NaN", lambda w: SGD(lambda step: np.nan).current("learning_rate"), ValueError,
     "SGD: learning_rate must be in [0, inf). Received: learning_rate=nan"),
    ("a schedule's value as text", lambda w: SGD(lambda step: "0.1").current("learning_rate"), TypeError,
     "SGD: learning_rate must be a number. Received: learning_rate='0.1'"),

    # Hooks
    ("a hook instead of a list", lambda w: assign(w.optimizer, hooks=ClipByValue(1.0)), TypeError,
     "Adam: hooks must be a list of instances of Hook. Received: ClipByValue(limit=1.0)"),
    ("a hook's class", lambda w: assign(w.optimizer, hooks=[ClipByValue]), TypeError,
     "Adam: hooks must be a list of instances of Hook. Received: [<class 'minidl.optimizers.hooks.ClipByValue'>]"),
    ("a hook's name", lambda w: assign(w.optimizer, hooks=["clip_by_value"]), TypeError,
     "Adam: hooks must be a list of instances of Hook. Received: ['clip_by_value']"),
    ("a hook's name appended", lambda w: w.hooked.step([w.loose]), TypeError,
     "SGD: hooks must be a list of instances of Hook. Received: ['clip']"),
    ("a norm of 0", lambda w: ClipByGlobalNorm(0), ValueError,
     "ClipByGlobalNorm: max_norm must be in (0, inf). Received: max_norm=0.0"),
    ("a norm of NaN", lambda w: ClipByGlobalNorm(np.nan), ValueError,
     "ClipByGlobalNorm: max_norm must be in (0, inf). Received: max_norm=nan"),
    ("a limit below 0", lambda w: ClipByValue(-1), ValueError,
     "ClipByValue: limit must be in (0, inf). Received: limit=-1.0"),
    ("a decay below 0", lambda w: WeightDecay(-0.1), ValueError,
     "WeightDecay: decay must be in [0, inf). Received: decay=-0.1"),
    ("a decay as text", lambda w: optimizers.L2("0.1"), TypeError, "L2: decay must be a number. Received: decay='0.1'"),

    # Callbacks
    ("a callback instead of a list", lambda w: w.model.fit(w.x, w.y, callbacks=w.early), TypeError,
     re.compile(r"fit: callbacks must be a list\. Received: <minidl\.callbacks\.\w+\.EarlyStopping object at .*>")),
    ("a callback's class", lambda w: w.model.fit(w.x, w.y, callbacks=[EarlyStopping]), TypeError,
     "fit: a callback must be an instance of Callback. Received: <class 'minidl.callbacks.monitors.EarlyStopping'>"),
    ("a function as a callback", lambda w: w.model.fit(w.x, w.y, callbacks=[print]), TypeError,
     "fit: a callback must be an instance of Callback. Received: <built-in function print>"),
    ("no callbacks", lambda w: w.model.fit(w.x, w.y, callbacks=None), TypeError,
     "fit: callbacks must be a list. Received: None"),
    ("a column that isn't there",
     lambda w: w.model.fit(w.x, w.y, callbacks=[EarlyStopping("val_loss")], verbose=0), ValueError,
     ("EarlyStopping: monitor must be a column of the logs. Received: monitor='val_loss'. Give fit validation_data or "
      "a validation_split")),
    ("a column misspelt", lambda w: w.model.fit(w.x, w.y, callbacks=[EarlyStopping("acuracy")], verbose=0), ValueError,
     "EarlyStopping: monitor must be a column of the logs. Received: monitor='acuracy'. Did you mean 'accuracy'?"),
    ("patience below 0", lambda w: EarlyStopping("loss", patience=-1), ValueError,
     "EarlyStopping: patience must be a non-negative integer. Received: patience=-1"),
    ("patience 1.5", lambda w: EarlyStopping("loss", patience=1.5), TypeError,
     "EarlyStopping: patience must be a non-negative integer. Received: patience=1.5"),
    ("min_delta below 0", lambda w: EarlyStopping("loss", min_delta=-0.1), ValueError,
     "EarlyStopping: min_delta must be in [0, inf). Received: min_delta=-0.1"),
    ("a baseline as text", lambda w: EarlyStopping("loss", baseline="low"), TypeError,
     "EarlyStopping: baseline must be a number. Received: baseline='low'"),
    ("a start below 0", lambda w: EarlyStopping("loss", start_from_epoch=-1), ValueError,
     "EarlyStopping: start_from_epoch must be a non-negative integer. Received: start_from_epoch=-1"),
    ("a factor of 1", lambda w: ReduceOnPlateau("loss", factor=1.0), ValueError,
     "ReduceOnPlateau: factor must be in (0, 1). Received: factor=1.0"),
    ("a cooldown below 0", lambda w: ReduceOnPlateau("loss", cooldown=-1), ValueError,
     "ReduceOnPlateau: cooldown must be a non-negative integer. Received: cooldown=-1"),
    ("a least rate below 0", lambda w: ReduceOnPlateau("loss", min_learning_rate=-1), ValueError,
     "ReduceOnPlateau: min_learning_rate must be in [0, inf). Received: min_learning_rate=-1.0"),
    ("a schedule on a plateau",
     lambda w: w.regressor.fit(w.x, w.target, callbacks=[ReduceOnPlateau("loss")], verbose=0), TypeError,
     ("ReduceOnPlateau: the optimizer's learning rate must be a number, not a schedule. Received: "
      "learning_rate=CosineDecay(initial=0.01, decay_steps=9)")),

    # Saving and loading
    ("a state without a name",
     lambda w: w.model.load_state_dict(without(w.model.state_dict(), "dense/bias")), ValueError,
     "Sequential: the state must fit the model. Received: missing dense/bias (5,)"),
    ("a state with another name",
     lambda w: w.model.load_state_dict({**w.model.state_dict(), "dense_2/kernel": np.zeros(3)}), ValueError,
     "Sequential: the state must fit the model. Received: unknown dense_2/kernel (3,)"),
    ("a state of another model", lambda w: w.model.load_state_dict(w.binary.state_dict()), ValueError,
     "Sequential: the state must fit the model. Received: other shapes: dense_1/kernel (5, 1) for (5, 3), "
     "dense_1/bias (1,) for (3,)"),
    ("a state transposed",
     lambda w: w.model.load_state_dict({**w.model.state_dict(), "dense_1/kernel": np.zeros((3, 5))}), ValueError,
     "Sequential: the state must fit the model. Received: other shapes: dense_1/kernel (3, 5) for (5, 3)"),
    ("a state of texts",
     lambda w: w.model.load_state_dict({**w.model.state_dict(), "dense_1/bias": np.full(3, "a")}), ValueError,
     "Sequential: dense_1/bias must be numbers. Received: <U1 array of shape (3,)"),
    ("a state beyond the dtype",
     lambda w: w.model.load_state_dict({**w.model.state_dict(), "dense_1/bias": np.full(3, 1e300)}), ValueError,
     "Sequential: dense_1/bias must be in the range of float32. Received: float64 array of shape (3,)"),
    ("too few weights", lambda w: w.model.set_weights(w.model.get_weights()[:-1]), ValueError,
     "Sequential: weights must be 4 arrays. Received: 3"),
    ("weights in another order", lambda w: w.model.set_weights(w.model.get_weights()[::-1]), ValueError,
     "Sequential: the state must fit the model. Received: other shapes: dense/kernel (3,) for (4, 5), "
     "dense/bias (5, 3) for (5,), dense_1/kernel (5,) for (5, 3), dense_1/bias (4, 5) for (3,)"),
    ("a config of an unknown layer",
     lambda w: Sequential.from_config({"layers": [{"class": "Dance", "units": 3}]}), ValueError,
     re.compile(r"Sequential: unknown layer\. Received: '.*", re.DOTALL)),
    ("a config with another key", lambda w: Sequential.from_config({"layers": [], "optimizer": "adam"}), TypeError,
     ("Sequential: got an unexpected keyword argument 'optimizer'. Received: layers=[], optimizer='adam'. Known: "
      "dtype, layers, name, seed.")),
    ("a layer's config with another key",
     lambda w: Sequential.from_config({"layers": [{"class": "Dense", "unit": 3}]}), TypeError,
     "Dense: missing a required argument: 'units'. Received: unit=3. Did you mean 'units'?"),
    ("a layer's config without its class", lambda w: Sequential.from_config({"layers": [{"units": 3}]}), TypeError,
     "Sequential: layer must be a name or an instance of Layer. Received: {'units': 3}"),
    ("an optimizer's config of another class", lambda w: SGD.from_config(w.optimizer.get_config()), TypeError,
     ("SGD: got an unexpected keyword argument 'beta_1'. Received: learning_rate=0.01, beta_1=0.9, beta_2=0.999, "
      "epsilon=1e-08, epsilon_root=0.0. Known: learning_rate.")),
    ("a config of a function", lambda w: SGD(lambda step: 0.1).get_config(), TypeError,
     re.compile(r"SGD: only a minidl\.schedules\.Schedule can be described by a config\. Received: "
                r"learning_rate=<function .*>")),
    ("an optimizer's state of another class",
     lambda w: w.optimizer.load_state_dict(w.momentum.state_dict()), ValueError,
     "Adam: class must be one of 'Adam'. Received: class='Momentum'"),
    ("an optimizer's state that is none", lambda w: w.optimizer.load_state_dict(5), TypeError,
     "Adam: the state must be a dict. Received: 5"),
    ("an optimizer's state without an epoch",
     lambda w: w.optimizer.load_state_dict(without(w.optimizer.state_dict(), "epoch")), ValueError,
     ("Adam: the state must hold class, epoch, hooks, hyperparameters, iterations, parameters. Received: class, "
      "hooks, hyperparameters, iterations, parameters")),
    ("an optimizer's state before the first step", lambda w: load(w.optimizer, iterations=-1), ValueError,
     "Adam: iterations must be a non-negative integer. Received: iterations=-1"),
    ("an optimizer's state of other numbers",
     lambda w: load(w.optimizer, hyperparameters={"learning_rate": 0.1}), ValueError,
     ("Adam: the state must hold the hyperparameters ['beta_1', 'beta_2', 'epsilon', 'epsilon_root', "
      "'learning_rate']. Received: ['learning_rate']")),
    ("an optimizer's state with a beta of 1",
     lambda w: load(w.optimizer, hyperparameters=w.optimizer.hyperparameters | {"beta_1": 1.0}), ValueError,
     "Adam: beta_1 must be in [0, 1). Received: beta_1=1.0"),
    ("an optimizer's state of an unknown hook", lambda w: load(w.optimizer, hooks=[{"class": "Clip"}]), ValueError,
     ("Adam: unknown hook. Received: 'Clip'. Known: clip_by_global_norm, clip_by_norm, clip_by_value, "
      "clipbyglobalnorm, clipbynorm, clipbyvalue, l2, weight_decay, weightdecay.")),
    ("an optimizer's state without parameters", lambda w: load(w.optimizer, parameters={}), ValueError,
     ("Adam: the state must hold exactly the parameters' names. Received: missing ['dense/bias', 'dense/kernel', "
      "'dense_1/bias', 'dense_1/kernel'], unknown []")),
    ("an optimizer's state without slots", lambda w: load_entry(w.optimizer, t=1, kept={}, slots={}), ValueError,
     "Adam 'dense/bias': the slots must be ('m', 'v'). Received: ()"),
    ("an optimizer's state without kept numbers", lambda w: load_entry(w.optimizer, t=1), ValueError,
     "Adam 'dense/bias': the state must hold kept, slots, t. Received: t"),
    ("an optimizer's state with a t below 0", lambda w: load_entry(w.optimizer, t=-1, kept={}, slots={}), ValueError,
     "Adam 'dense/bias': t must be a non-negative integer. Received: t=-1"),
    ("an optimizer's state of other shapes",
     lambda w: load_entry(w.optimizer, t=1, kept={}, slots={"m": np.zeros(4), "v": np.zeros(4)}), ValueError,
     ("Adam 'dense/bias': the slots must be {'m': ((5,), 'float32'), 'v': ((5,), 'float32')}. Received: {'m': "
      "((4,), 'float64'), 'v': ((4,), 'float64')}")),
    ("a state of a function", lambda w: SGD().load_state_dict(SGD(lambda step: 0.1).state_dict()), ValueError,
     ("SGD: learning_rate was a callable, which a state can't hold; give the same one to this optimizer before "
      "loading. Received: learning_rate=0.01")),
    ("a history of another text", lambda w: History.from_json("{}"), ValueError,
     "History: the text must be what to_json returned. Received: '{}'"),
    ("a history of other columns", lambda w: w.trainer.history.append(9, {"loss": 1.0}), ValueError,
     ("History: an epoch must have the columns ['loss', 'accuracy', 'val_loss', 'val_accuracy', 'learning_rate']. "
      "Received: ['loss']")),

    # Files and checkpoints
    ("a number as a file to save to",
     lambda w: w.model.save(5), TypeError, "save: path must be a path. Received: path=5"),
    ("bytes as a file to save to",
     lambda w: w.model.save(b"m"), TypeError, "save: path must be a path. Received: path=b'm'"),
    ("an optimizer to save along", lambda w: w.model.save(w.folder / "m", include_optimizer=w.optimizer), TypeError,
     re.compile(r"save: include_optimizer must be True or False\. Received: include_optimizer=Adam\(.*")),
    ("a positional include_optimizer",
     lambda w: w.model.save(w.folder / "m", True), TypeError, re.compile(r".*positional.*")),
    ("a model to save into a folder that isn't there", lambda w: w.model.save("no/such/folder/m"), FileNotFoundError,
     "[Errno 2] save: no/such/folder/m can't be written. Received: No such file or directory"),
    ("a model to save in place of a folder", lambda w: w.model.save(w.folder), IsADirectoryError,
     re.compile(r"\[Errno 21\] save: .* can't be written\. Received: Is a directory")),
    ("a function as rate to save", lambda w: compiled(Dense(1), SGD(abs), "mse").save(w.folder / "m"), TypeError,
     "SGD: only a minidl.schedules.Schedule can be described by a config. Received: learning_rate=<built-in "
     "function abs>"),
    ("weights to save before build", lambda w: w.unbuilt.save_weights(w.folder / "m"), RuntimeError,
     "Sequential: must be built before it has weights to save. Received: no build"),
    ("a number as a model's file",
     lambda w: minidl.load_model(5), TypeError, "load_model: path must be a path. Received: path=5"),
    ("a model's file that isn't there", lambda w: minidl.load_model("nowhere"), FileNotFoundError,
     "[Errno 2] load_model: nowhere can't be read. Received: No such file or directory"),
    ("a folder as a model's file", lambda w: minidl.load_model(w.folder), FileError,
     re.compile(r"load_model: .*: it must be a file\. Received: a folder, or another thing that is no regular file")),
    ("a text as a model's file", lambda w: minidl.load_model(w.folder / "note.txt"), DamagedError,
     re.compile(r"load_model: .*note\.txt: it must be a file that minidl has saved\. Received: another kind, or "
                r"a damaged one")),
    ("a model of weights alone", lambda w: minidl.load_model(w.folder / "weights"), FileError,
     re.compile(r"load_model: .*: it must hold a model or a checkpoint\. Received: a file that says kind='weights'")),
    ("a model compiled by name", lambda w: minidl.load_model(w.folder / "model", compile="adam"), TypeError,
     "load_model: compile must be True or False. Received: compile='adam'"),
    ("a damaged model", lambda w: minidl.load_model(w.folder / "damaged"), DamagedError,
     re.compile(r"load_model: .*: it is damaged: its bytes must have the digest that it tells\. Received: another")),
    ("weights of a file before build", lambda w: w.unbuilt.load_weights(w.folder / "weights"), RuntimeError,
     "Sequential: must be built before it can take weights: begin it with layers.Input(shape). Received: no build"),
    ("weights of another model", lambda w: w.binary.load_weights(w.folder / "weights"), FileError,
     re.compile(r"load_weights: .*: Sequential: the state must fit the model\. Received: other shapes: "
                r"dense_1/kernel \(5, 3\) for \(5, 1\), dense_1/bias \(3,\) for \(1,\)")),
    ("damaged weights", lambda w: w.model.load_weights(w.folder / "damaged"), DamagedError,
     re.compile(r"load_weights: .*: it is damaged: its bytes must have the digest that it tells\. Received: another")),
    ("a number as checkpoint", lambda w: w.model.fit(w.x, w.y, checkpoint=5), TypeError,
     "fit: checkpoint must be a folder or a CheckpointPolicy. Received: checkpoint=5"),
    ("True as checkpoint", lambda w: w.model.fit(w.x, w.y, checkpoint=True), TypeError,
     "fit: checkpoint must be a folder or a CheckpointPolicy. Received: checkpoint=True"),
    ("a file as checkpoint", lambda w: w.model.fit(w.x, w.y, checkpoint="run.safetensors"), ValueError,
     "CheckpointPolicy: folder must be one, for several files. Received: folder='run.safetensors'"),
    ("a checkpoint of another model",
     lambda w: w.binary.fit(w.x, w.yes, checkpoint=w.folder / "run", resume=True), RuntimeError,
     re.compile(r"fit: resume goes on from a trainer that is new, or as it was then\. Received: one after 3 "
                r"steps; .*")),
    ("a folder that has checkpoints", lambda w: w.model.fit(w.x, w.y, checkpoint=w.folder / "run"), FileExistsError,
     re.compile(r"\[Errno 17\] fit: a folder belongs to one fit: resume=True goes on with it, another folder "
                r"begins anew\. "
                r"Received: .*, which has checkpoint-000000001\.safetensors")),
    ("resume without checkpoints", lambda w: w.model.fit(w.x, w.y, resume=True), ValueError,
     "fit: resume needs a checkpoint, a folder to go on from. Received: checkpoint=None"),
    ("a folder to resume", lambda w: w.model.fit(w.x, w.y, resume="run"), TypeError,
     "fit: resume must be True or False. Received: resume='run'"),
    ("a policy without a folder", lambda w: CheckpointPolicy(), TypeError,
     "CheckpointPolicy: missing a required argument: 'folder'. Received: no arguments"),
    ("a policy of a number",
     lambda w: CheckpointPolicy(7), TypeError, "CheckpointPolicy: folder must be a path. Received: folder=7"),
    ("a policy's every", lambda w: CheckpointPolicy("run", every=5), TypeError,
     re.compile(r"CheckpointPolicy: got an unexpected keyword argument 'every'\. Received: 'run', every=5\. Did "
                r"you mean '.*'\?")),
    ("a checkpoint every 0 epochs", lambda w: CheckpointPolicy("run", every_epochs=0), ValueError,
     "CheckpointPolicy: every_epochs must be a positive integer. Received: every_epochs=0"),
    ("a checkpoint every half step", lambda w: CheckpointPolicy("run", every_steps=0.5), TypeError,
     "CheckpointPolicy: every_steps must be a positive integer. Received: every_steps=0.5"),
    ("a checkpoint every 0 seconds", lambda w: CheckpointPolicy("run", every_seconds=0), ValueError,
     "CheckpointPolicy: every_seconds must be in (0, inf). Received: every_seconds=0.0"),
    ("no checkpoint to keep", lambda w: CheckpointPolicy("run", keep=0), ValueError,
     "CheckpointPolicy: keep must be a positive integer. Received: keep=0"),
    ("a number to monitor", lambda w: CheckpointPolicy("run", monitor=1), TypeError,
     "CheckpointPolicy: monitor must be the name of a column. Received: monitor=1"),
    ("a policy's best mode", lambda w: CheckpointPolicy("run", mode="best"), ValueError,
     "CheckpointPolicy: mode must be one of 'auto', 'min', 'max'. Received: mode='best'"),
    ("a column that nobody records",
     lambda w: w.model.fit(w.x, w.y, checkpoint=CheckpointPolicy(w.folder / "new", monitor="f1")),
     ValueError, re.compile(r"CheckpointPolicy: monitor must be a column of the logs\. Received: monitor='f1'\. .*")),
    ("a number as ModelCheckpoint's path", lambda w: ModelCheckpoint(3), TypeError,
     "ModelCheckpoint: path must be a path. Received: path=3"),
    ("a ModelCheckpoint after steps as text", lambda w: ModelCheckpoint("m", every="step"), TypeError,
     "ModelCheckpoint: every must be a positive integer. Received: every='step'"),
    ("a ModelCheckpoint's period", lambda w: ModelCheckpoint("m", period=5), TypeError,
     re.compile(r"ModelCheckpoint: got an unexpected keyword argument 'period'\. Received: 'm', period=5\. .*")),
    ("the best of a column that isn't there",
     lambda w: w.model.fit(w.x, w.y, callbacks=[ModelCheckpoint(w.folder / "m", save_best_only=True)]), ValueError,
     "ModelCheckpoint: monitor must be a column of the logs. Received: monitor='val_loss'. "
     "Give fit validation_data or a validation_split"),
    ("a file name with a column that isn't there",
     lambda w: w.model.fit(w.x, w.y, callbacks=[ModelCheckpoint("m-{val_loss}")]), ValueError,
     "ModelCheckpoint: path can have {epoch} and loss, accuracy, learning_rate in it. Received: "
     "path='m-{val_loss}'"),
    ("a count as text of a callback",
     lambda w: w.early.load_state_dict(w.early.state_dict() | {"wait": "3"}), TypeError,
     "EarlyStopping: wait must be a non-negative integer. Received: wait='3'"),
    ("a best as text of a callback", lambda w: w.early.load_state_dict(w.early.state_dict() | {"best": "1"}), TypeError,
     "EarlyStopping: best must be a number. Received: best='1'"),
    ("weights of a callback that are none",
     lambda w: w.early.load_state_dict(w.early.state_dict() | {"best_weights": [1]}), TypeError,
     "EarlyStopping: best_weights must be a dict of arrays. Received: [1]"),
    ("a log's state of another kind", lambda w: CSVLogger("log.csv").load_state_dict({"size": -1}), ValueError,
     "CSVLogger: size must be a non-negative integer. Received: size=-1"),
    ("a metric's state of another metric",
     lambda w: w.trainer.metrics[0].load_state_dict(metrics.AUC().state_dict()), ValueError,
     "Accuracy: the state must hold _sum, _weight. Received: _batches"),
    ("a metric's state of another kind",
     lambda w: w.trainer.metrics[0].load_state_dict({"_sum": "1", "_weight": 1.0}), TypeError,
     "Accuracy: _sum must be like 0.0. Received: _sum='1'"),
    ("a history's state that is none", lambda w: History.from_state_dict([]), TypeError,
     "History: the state must be a dict. Received: []"),
    ("a history's state of two lengths",
     lambda w: History.from_state_dict({"epoch": [0], "history": {"loss": []}, "interrupted": False}), ValueError,
     "History: columns must be as long as there are epochs. Received: {0}, 1"),

    # Data sets
    ("one sample of moons", lambda w: datasets.make_moons(1), ValueError,
     "make_moons: n_samples must be an integer of at least 2. Received: n_samples=1"),
    ("moons as text", lambda w: datasets.make_moons("100"), TypeError,
     "make_moons: n_samples must be an integer of at least 2. Received: n_samples='100'"),
    ("moons of each class", lambda w: datasets.make_moons((50, 50)), TypeError,
     "make_moons: n_samples must be an integer of at least 2. Received: n_samples=(50, 50)"),
    ("noise below 0", lambda w: datasets.make_moons(10, noise=-0.1), ValueError,
     "make_moons: noise must be in [0, inf). Received: noise=-0.1"),
    ("a seed of another kind", lambda w: datasets.make_moons(10, seed="a"), TypeError,
     "make_moons: seed must be an integer, a RandomState or None. Received: seed='a'"),
    ("a seed below 0", lambda w: datasets.make_moons(10, seed=-1), ValueError,
     "make_moons: seed must be in [0, 2**32). Received: seed=-1"),
    ("circles of one radius", lambda w: datasets.make_circles(10, factor=1.0), ValueError,
     "make_circles: factor must be in [0, 1). Received: factor=1.0"),
    ("no spirals", lambda w: datasets.make_spirals(10, classes=0), ValueError,
     "make_spirals: classes must be a positive integer. Received: classes=0"),
    ("more spirals than samples", lambda w: datasets.make_spirals(2, classes=3), ValueError,
     "make_spirals: n_samples must be an integer of at least 3. Received: n_samples=2"),
    ("endless turns", lambda w: datasets.make_spirals(10, turns=np.inf), ValueError,
     "make_spirals: turns must be finite. Received: turns=inf"),
    ("no blobs", lambda w: datasets.make_blobs(10, centers=0), ValueError,
     "make_blobs: centers must be a positive integer. Received: centers=0"),
    ("centers of one axis", lambda w: datasets.make_blobs(10, centers=[1.0, 2.0]), ValueError,
     "make_blobs: centers must have shape (clouds, features), at least one of each. Received: shape (2,)"),
    ("a spread below 0", lambda w: datasets.make_blobs(10, cluster_std=-1.0), ValueError,
     "make_blobs: cluster_std must be in [0, inf). Received: cluster_std=-1.0"),
    ("a split of nothing", lambda w: train_test_split(), ValueError,
     "train_test_split: arrays must have as many samples, at least one. Received: [] samples"),
    ("a split of other lengths", lambda w: train_test_split(w.x, w.y[:-1]), ValueError,
     "train_test_split: arrays must have as many samples, at least one. Received: [24, 23] samples"),
    ("a split by position", lambda w: train_test_split(w.x, w.y, 0.25), ValueError,
     "train_test_split: arrays must have one entry a sample. Received: 0.25"),
    ("a test of everything", lambda w: train_test_split(w.x, test_size=1.0), ValueError,
     "train_test_split: test_size must be in (0, 1). Received: test_size=1.0"),
    ("a test of a number of samples", lambda w: train_test_split(w.x, test_size=5), ValueError,
     "train_test_split: test_size must be in (0, 1). Received: test_size=5.0"),
    ("a test of no sample", lambda w: train_test_split(w.x, test_size=0.001), ValueError,
     "train_test_split: both parts must have samples. Received: 0 of 24 samples, test_size=0.001"),
    ("a stratified split of other lengths", lambda w: train_test_split(w.x, stratify=w.y[:-1]), ValueError,
     "train_test_split: stratify must have a class for each sample. Received: 23 for 24"),
    ("a stratified split without classes", lambda w: train_test_split(w.x, stratify=w.target), ValueError,
     "train_test_split: classes must be integers or one-hot rows. Received: stratify=float32 array of shape (24, 1)"),
    ("a split with a negative seed", lambda w: train_test_split(w.x, seed=-1), ValueError,
     "train_test_split: seed must be a non-negative integer. Received: seed=-1"),
    ("a timeout of 0", lambda w: datasets.load_fashion_mnist(timeout=0), ValueError,
     "load_fashion_mnist: timeout must be in (0, inf). Received: timeout=0.0"),

    # Seen before the first step
    ("a label beyond the classes, not the first",
     lambda w: w.model.fit(w.x, put(w.y, -1, 3), batch_size=4, verbose=0), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 3"),
    ("a label below 0, not the first",
     lambda w: w.model.fit(w.x, put(w.y, -1, -1), batch_size=4, verbose=0), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from -1 to 2"),
    ("targets of one class beyond 1, not the first",
     lambda w: w.binary.fit(w.x, put(w.yes, -1, 255), batch_size=4, verbose=0), ValueError,
     "BinaryCrossentropy: targets must be in [0, 1]. Received: y_true from 0 to 255"),
    ("a one-hot row of two classes, not the first",
     lambda w: w.categorical.fit(w.x, put(w.one_hot, -1, [1, 1, 0]), batch_size=4, verbose=0), ValueError,
     ("CategoricalCrossentropy: each sample's targets must be probabilities that sum to 1. Received: sums from 1 to "
      "2, least entry 0")),
    ("a NaN in x, in a later batch",
     lambda w: w.model.fit(put(w.x, (-1, 1), np.nan), w.y, batch_size=4, shuffle=False, verbose=0), ValueError,
     "fit: x must be finite. Received: nan at [23, 1], 1 such in all"),
    ("a NaN in y, in a later batch",
     lambda w: w.regressor.fit(w.x, put(w.target, -1, np.nan), batch_size=4, shuffle=False, verbose=0), ValueError,
     "fit: y must be finite. Received: nan at [23, 0], 1 such in all"),
    ("a label beyond the classes in validation_data",
     lambda w: w.model.fit(w.x, w.y, validation_data=(w.x, put(w.y, -1, 3)), verbose=0), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 3"),
    ("validation_data as a list",
     lambda w: w.model.fit(w.x, w.y, validation_data=[w.x, w.y], verbose=0), ValueError,
     ("fit: validation_data: a batch must be (x, y) or (x, y, sample_weight). Received: float32 array of shape "
      "(24, 4)")),
    ("the direction of a column that is no metric",
     lambda w: w.model.fit(w.x, w.y, callbacks=[EarlyStopping("learning_rate")], verbose=0), ValueError,
     ("EarlyStopping: mode must be 'min' or 'max' for a column that isn't the loss or a metric. Received: "
      "mode='auto', monitor='learning_rate'")),
    ("a number as a hook", lambda w: w.model.fit(w.x, w.y, callbacks=[Lambda(on_epoch_end=5)], verbose=0), TypeError,
     "Lambda: on_epoch_end must be a function. Received: on_epoch_end=5"),

    # Refused, and nothing is changed
    ("split and columns of a fit that was refused",
     lambda w: w.model.fit(w.x, w.y, validation_split=0.5, callbacks=5), TypeError,
     "fit: callbacks must be a list. Received: 5"),
    ("columns of a fit whose order was refused",
     lambda w: w.model.fit(w.x, w.y, validation_data=(w.x, w.y), shuffle=lambda epoch, n: None, verbose=0), ValueError,
     "fit: shuffle(epoch, n) must be numbers. Received: None"),
    ("a callback of another trainer",
     lambda w: w.regressor.fit(w.x, w.target, callbacks=[w.early], verbose=0), ValueError,
     "EarlyStopping: each trainer needs one of its own. Received: one that has watched another"),
    ("a new callback for a column that isn't there",
     lambda w: w.regressor.fit(w.x, w.target, callbacks=[w.late], verbose=0), ValueError,
     ("EarlyStopping: monitor must be a column of the logs. Received: monitor='val_loss'. Give fit validation_data or "
      "a validation_split")),
    ("a model built by a fit that was refused", lambda w: w.unbuilt.fit(w.x, w.one_hot, verbose=0), ValueError,
     ("SparseCategoricalCrossentropy: targets must be integer labels of shape (24,); for one-hot targets use "
      "CategoricalCrossentropy. Received: float32 array of shape (24, 3)")),
    ("a seed instead of a generator", lambda w: w.new.build((4,), 0), TypeError,
     "Sequential: rng must be a numpy.random.Generator. Received: rng=0"),
    ("data beyond the dtype", lambda w: assign(w.kernel, data=np.full((4, 5), 1e300)), ValueError,
     "Parameter 'dense/kernel': data must be in the range of float32. Received: float64 array of shape (4, 5)"),
    ("half a state of a callback",
     lambda w: w.early.load_state_dict({"best": 1.0, "wait": 3}), ValueError,
     "EarlyStopping: the state must hold best, best_epoch, best_weights, stopped_epoch, wait. "
     "Received: best, wait"),
    ("kept numbers that are none",
     lambda w: w.optimizer.load_state_dict(spoilt(w.optimizer, kept=5)), TypeError,
     "Adam 'dense_1/bias': kept must be a dict of numbers. Received: 5"),
    ("a history of texts",
     lambda w: w.trainer.history.append(9, {"loss": 1.0, "accuracy": "high", "learning_rate": 0.1}), TypeError,
     "History: accuracy must be a number. Received: accuracy='high'"),
    ("a gradient (n,) against (n, 1)",
     lambda w: [w.regressor.forward(w.x), w.regressor.backward(w.target.ravel())], ValueError,
     ("Dense 'dense_1': the gradient must have the shape of the output, (batch, 1). Received: float32 array of "
      "shape (24,)")),
    ("a gradient transposed",
     lambda w: [w.regressor.forward(w.x), w.regressor.backward(w.target.T)], ValueError,
     ("Dense 'dense_1': the gradient must have the shape of the output, (batch, 1). Received: float32 array of "
      "shape (1, 24)")),

    # What looks right and isn't
    ("an array in place of a parameter", lambda w: assign(w.dense, kernel=np.zeros((4, 5))), AttributeError,
     "Dense 'dense': kernel is a parameter; assign to kernel.data. Received: kernel=float64 array of shape (4, 5)"),
    ("an initializer as use_bias", lambda w: Dense(4, "relu", "zeros"), TypeError,
     "Dense: use_bias must be True or False. Received: use_bias='zeros'"),
    ("from_logits as text", lambda w: losses.BinaryCrossentropy(from_logits="no"), TypeError,
     "BinaryCrossentropy: from_logits must be True or False. Received: from_logits='no'"),
    ("restore_best_weights as text", lambda w: EarlyStopping("loss", restore_best_weights="no"), TypeError,
     "EarlyStopping: restore_best_weights must be True or False. Received: restore_best_weights='no'"),
    ("staircase as text", lambda w: ExponentialDecay(0.1, decay_rate=0.5, staircase="no"), TypeError,
     "ExponentialDecay: staircase must be True or False. Received: staircase='no'"),
    ("append as text", lambda w: CSVLogger("log.csv", append="no"), TypeError,
     "CSVLogger: append must be True or False. Received: append='no'"),
    ("stratify as text", lambda w: w.model.fit(w.x, w.y, validation_split=0.25, stratify="no", verbose=0), TypeError,
     "fit: stratify must be True or False. Received: stratify='no'"),
    ("shuffled moons as text", lambda w: datasets.make_moons(10, shuffle="no"), TypeError,
     "make_moons: shuffle must be True or False. Received: shuffle='no'"),
    ("weights of samples as texts",
     lambda w: w.model.fit(w.x, w.y, sample_weight=["1"] * N, verbose=0), ValueError,
     ("fit: sample_weight must be numbers. Received: ['1', '1', '1', '1', '1', '1', '1', '1', '1', '1', '1', "
      "'1', '1', '1', '1', '1', '1', '1', '1', '1', '1', '1', '1', '1']")),
    ("weights of samples as dates",
     lambda w: w.model.fit(w.x, w.y, sample_weight=np.zeros(N, "datetime64[D]"), verbose=0), ValueError,
     "fit: sample_weight must be numbers. Received: datetime64[D] array of shape (24,)"),
    ("predictions of digits as text",
     lambda w: losses.MeanSquaredError()([1.0, 2.0], ["1", "2"]), ValueError,
     "MeanSquaredError: predictions must be numbers. Received: ['1', '2']"),
    ("predictions of objects", lambda w: losses.MeanSquaredError()([1.0, 2.0], np.array([1.0, None])), ValueError,
     "MeanSquaredError: predictions must be numbers. Received: object array of shape (2,)"),
    ("a layer's input of objects",
     lambda w: w.dense.forward(w.x.astype(object)), ValueError,
     "Dense 'dense': input must be a floating-point array. Received: object array of shape (24, 4)"),
    ("a metric's labels beyond the classes",
     lambda w: metrics.SparseCategoricalAccuracy().update([5, -1], [[0.2, 0.8], [0.3, 0.7]]), ValueError,
     "SparseCategoricalAccuracy: labels must be in 0 .. 1, for 2 outputs. Received: labels from -1 to 5"),
    ("a metric's labels of texts",
     lambda w: metrics.SparseCategoricalAccuracy().update(["1", "0"], [[0.2, 0.8], [0.3, 0.7]]), ValueError,
     "SparseCategoricalAccuracy: targets must be numbers. Received: ['1', '0']"),
    ("a metric's labels that are fractions",
     lambda w: TopKAccuracy(2).update([1.7, 0], [[0.2, 0.8, 0], [0.3, 0.7, 0]]), ValueError,
     "TopKAccuracy: targets must be integers. Received: float64 array of shape (2,)"),
    ("a metric's label below 0", lambda w: TopKAccuracy(2).update([-1, 0], [[0.2, 0.8, 0], [0.3, 0.7, 0]]), ValueError,
     "TopKAccuracy: labels must be in 0 .. 2, for 3 outputs. Received: labels from -1 to 0"),
    ("predictions of texts for a metric",
     lambda w: metrics.Accuracy().update([1, 0], [["a", "b"], ["c", "d"]]), ValueError,
     "Accuracy: predictions must be numbers. Received: [['a', 'b'], ['c', 'd']]"),
    ("the area of NaN", lambda w: metrics.AUC().update([0, 1, 1], [0.1, np.nan, 0.2]), ValueError,
     "AUC: predictions must not be NaN. Received: 1 of 3 NaN"),
    ("the area of classes 1 and 2", lambda w: metrics.AUC().update([1, 2], [0.1, 0.9]), ValueError,
     "AUC: targets must be in [0, 1]. Received: y_true from 1 to 2"),
    ("a class 5 where there are two", lambda w: metrics.Precision().update([5, 1], [0.1, 0.9]), ValueError,
     "Precision: classes must be in 0 .. 1. Received: from 1 to 5"),
    ("R2 of one output, then of three",
     lambda w: [m := metrics.R2(), m.update([[1.0]], [[1.0]]), m.update(np.ones((1, 3)), np.ones((1, 3)))], ValueError,
     "R2: all batches must have as many outputs. Received: 1, then 3"),
    ("a warm-up to a class", lambda w: Warmup(CosineDecay, warmup_steps=5), TypeError,
     "Warmup: after must be a number or a schedule. Received: after=<class 'minidl.schedules.CosineDecay'>"),
    ("a hook's norm assigned", lambda w: assign(w.optimizer.hooks[0], max_norm=-1), ValueError,
     "ClipByGlobalNorm: max_norm must be in (0, inf). Received: max_norm=-1.0"),
    ("a parameter's name that is no text", lambda w: Parameter(np.ones(3), np.ones(3)), TypeError,
     "Parameter: name must be a text. Received: name=float64 array of shape (3,)"),
    ("the base of all optimizers", lambda w: w.regressor.compile(Optimizer(learning_rate=0.1), "mse"), TypeError,
     "Optimizer: a subclass must give update(w, g, *slots, *, ...). Received: Optimizer(learning_rate=0.1)"),
    ("0 as metrics", lambda w: w.model.compile("adam", "mse", 0), TypeError,
     "Trainer: metrics must be a list. Received: 0"),
    ("a new optimizer's state of nonsense",
     lambda w: Adam().load_state_dict(spoilt(w.optimizer, kept=5, slots=5)), TypeError,
     "Adam 'dense_1/bias': kept must be a dict of numbers. Received: 5"),
    ("a slot's name that is no text", lambda w: rule(keep, slots=(1,)), TypeError,
     "Mine: slots must be a tuple of different names. Received: slots=(1,)"),
    ("a box of blobs from right to left", lambda w: datasets.make_blobs(10, center_box=(10, -10)), ValueError,
     "make_blobs: center_box must be (low, high). Received: center_box=(10, -10)"),
    ("NaN as a center",
     lambda w: datasets.make_blobs(10, centers=[[np.nan, 0.0]]), ValueError,
     "make_blobs: centers must be finite. Received: [[nan, 0.0]]"),
    ("a NaN to evaluate",
     lambda w: w.model.evaluate(put(w.x, (3, 1), np.nan), w.y), ValueError,
     "evaluate: x must be finite. Received: nan at [3, 1], 1 such in all"),

    ("a NaN to predict", lambda w: w.model.predict(put(w.x, (3, 1), np.nan)), ValueError,
     "predict: x must be finite. Received: nan at [3, 1], 1 such in all"),
    ("an infinity to predict", lambda w: w.trainer.predict(put(w.x, (-1, 0), -np.inf)), ValueError,
     "predict: x must be finite. Received: -inf at [23, 0], 1 such in all"),
    ("a NaN in a batch that is a memory map",
     lambda w: w.regressor.fit(iter([(mapped(put(w.x, (3, 1), np.nan)), w.target)]), verbose=0), ValueError,
     "fit: x must be finite. Received: nan at [3, 1], 1 such in all"),

    # What is silently something else, or gone
    ("a masked x", lambda w: w.model.fit(np.ma.masked_greater(w.x, 1), w.y, verbose=0), ValueError,
     ("fit: x must have no mask, which would be ignored; fill it in, as by filled(0). Received: masked float32 array "
      "of shape (24, 4)")),
    ("masked targets", lambda w: w.regressor.evaluate(w.x, np.ma.masked_invalid(w.target)), ValueError,
     ("evaluate: y must have no mask, which would be ignored; fill it in, as by filled(0). Received: masked float32 "
      "array of shape (24, 1)")),
    ("a list of masked rows", lambda w: w.model.predict(list(np.ma.masked_greater(w.x, 1))), ValueError,
     ("predict: x must have no mask, which would be ignored; fill it in, as by filled(0). Received: masked float32 "
      "array of shape (4,)")),
    ("masked weights", lambda w: w.trainer.step(w.x, w.y, np.ma.masked_less(np.ones(N), 0)), ValueError,
     ("step: sample_weight must have no mask, which would be ignored; fill it in, as by filled(0). Received: masked "
      "float64 array of shape (24,)")),
    ("a masked parameter", lambda w: Parameter(np.ma.masked_less(np.ones(3), 0)), ValueError,
     ("Parameter 'parameter': data must have no mask, which would be ignored; fill it in, as by filled(0). Received: "
      "masked float64 array of shape (3,)")),
    ("a file cut short as x", lambda w: w.model.fit(cut_short(w.x), w.y, verbose=0), ValueError,
     ("fit: x must be mapped from a file that isn't cut short, of at least 384 bytes. Received: float32 array of shape "
      "(24, 4), a file of 383 bytes")),
    ("a file cut short as y", lambda w: w.regressor.evaluate(w.x, cut_short(w.target)), ValueError,
     ("evaluate: y must be mapped from a file that isn't cut short, of at least 96 bytes. Received: float32 array of "
      "shape (24, 1), a file of 95 bytes")),
    ("a part of a file cut short, to predict", lambda w: w.model.predict(np.asarray(cut_short(w.x))[:4]), ValueError,
     ("predict: x must be mapped from a file that isn't cut short, of at least 384 bytes. Received: float32 array of "
      "shape (4, 4), a file of 383 bytes")),
    ("a file cut short as weights", lambda w: w.trainer.step(w.x, w.y, cut_short(np.ones(N))), ValueError,
     ("step: sample_weight must be mapped from a file that isn't cut short, of at least 192 bytes. Received: float64 "
      "array of shape (24,), a file of 191 bytes")),
    ("rows of a file cut short, in a list", lambda w: w.model.predict(list(cut_short(w.x))), ValueError,
     ("predict: x must be mapped from a file that isn't cut short, of at least 384 bytes. Received: float32 array of "
      "shape (4,), a file of 383 bytes")),

    # For a model that isn't built, or a layer that looks at its numbers
    ("a label beyond the classes, to step, before build",
     lambda w: w.unbuilt.trainer.step(w.x, put(w.y, -1, 3)), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 3"),
    ("a label beyond the classes, to evaluate, before build",
     lambda w: w.unbuilt.evaluate(w.x, put(w.y, -1, 3)), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 3"),
    ("a label beyond the classes, from an iterator, before build",
     lambda w: w.unbuilt.fit(iter([(w.x, put(w.y, -1, 3))]), verbose=0), ValueError,
     "SparseCategoricalCrossentropy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 3"),
    ("an integer beyond the table, in a later batch",
     lambda w: reader().fit(put(w.y[:, None], -1, 7), w.target, batch_size=4, shuffle=False, verbose=0), ValueError,
     ("Embedding 'embedding': input must be integers in 0 .. 4. Received: int64 array of shape (24, 1), from 0 to 7")),
    ("an integer beyond the table, to validate",
     lambda w: reader().fit(w.y[:, None], w.target, validation_data=(w.y[:, None] - 1, w.target)), ValueError,
     ("Embedding 'embedding': input must be integers in 0 .. 4. Received: int64 array of shape (24, 1), from -1 to 1")),
    ("a fraction to predict", lambda w: reader().predict(np.full((40, 1), 0.5)), ValueError,
     ("Embedding 'embedding': input must be integers in 0 .. 4. Received: float64 array of shape (40, 1), from 0.5 to "
      "0.5")),

    # Beyond the range of numbers
    ("infinity in the first sample",
     lambda w: w.model.fit(put(w.x, (0, 1), np.inf), w.y, verbose=0), ValueError,
     "fit: x must be finite. Received: inf at [0, 1], 1 such in all"),
    ("x beyond the dtype", lambda w: w.model.predict(w.x.astype(float) * 1e300), ValueError,
     "Sequential: input must be in the range of float32. Received: float64 array of shape (24, 4)"),
    ("complex weights of samples", lambda w: w.model.fit(w.x, w.y, sample_weight=np.full(N, 1 + 1j)), ValueError,
     "fit: sample_weight must be numbers. Received: complex128 array of shape (24,)"),
    ("complex predictions",
     lambda w: losses.MeanSquaredError()([1.0, 2.0], [1j, 2.0]), ValueError,
     "MeanSquaredError: predictions must be numbers. Received: [1j, 2.0]"),
    ("classes with a NaN",
     lambda w: w.regressor.fit(w.x, put(w.target, 3, np.nan), class_weight={0: 1.0}), ValueError,
     "fit: y must be finite. Received: nan at [3, 0], 1 such in all"),
    ("a confusion of NaN", lambda w: confusion_matrix([np.nan, 1.0], [0, 1]), ValueError,
     "confusion_matrix: classes must be integers or one-hot rows. Received: y=float64 array of shape (2,)"),

    # Wrong kinds of things
    ("a number as a model",
     lambda w: Trainer(5, "adam", "mse"), TypeError,
     "Trainer: model must be a Sequential or like one. Received: 5, which has no seed"),
    ("a layer as a model",
     lambda w: Trainer(Dense(3), "adam", "mse"), TypeError,
     "Trainer: model must be a Sequential or like one. Received: Dense(units=3), which has no seed"),
    ("a metric's class instead of a list",
     lambda w: w.model.compile("adam", "mse", metrics.MeanAbsoluteError), TypeError,
     "Trainer: metrics must be a list. Received: <class 'minidl.metrics.MeanAbsoluteError'>"),
    ("a metric's name that is no text",
     lambda w: w.model.compile("adam", "mse", [metrics.MeanAbsoluteError(name=5)]), TypeError,
     "MeanAbsoluteError: name must be a text. Received: name=5"),
    ("a model to step", lambda w: w.optimizer.step(w.model), TypeError,
     re.compile(r"Adam: a step needs a list of parameters\. Received: Sequential\(.*")),
    ("nothing to step", lambda w: w.optimizer.step(None), TypeError,
     "Adam: a step needs a list of parameters. Received: None"),
    ("a parameter to build", lambda w: w.optimizer.build(w.kernel), TypeError,
     "Adam: a step needs a list of parameters. Received: Parameter('dense/kernel', shape=(4, 5), dtype=float32)"),
    ("names to build", lambda w: w.optimizer.build(["kernel"]), TypeError,
     "Adam: a step needs a list of parameters. Received: ['kernel']"),
    ("a number as a hyperparameter's name", lambda w: w.optimizer.current(5), ValueError,
     "Adam: no such hyperparameter. Received: 5. Known: beta_1, beta_2, epsilon, epsilon_root, learning_rate."),
    ("ragged x to predict",
     lambda w: w.model.predict([[1.0, 2.0], [3.0]]), ValueError,
     "predict: x must be numbers. Received: [[1.0, 2.0], [3.0]]"),
    ("ragged x for forward", lambda w: w.model.forward([[1.0, 2.0], [3.0]]), ValueError,
     "Sequential: input must be numbers. Received: [[1.0, 2.0], [3.0]]"),
    ("a list for a layer",
     lambda w: w.dense.forward(w.x.tolist()), ValueError,
     ("Dense 'dense': input must be a floating-point array. Received: [[0.1257302165031433, -0.13210485875606537, "
      "0.6404226422309875, 0.10490011423826218], [-0.5356693863868713, 0.3615950...")),
    ("texts for a layer",
     lambda w: w.dense.forward(w.x.astype(str)), ValueError,
     "Dense 'dense': input must be a floating-point array. Received: <U32 array of shape (24, 4)"),
    ("a ragged parameter",
     lambda w: Parameter([[1.0], [1.0, 2.0]]), ValueError,
     "Parameter 'parameter': data must be numbers. Received: [[1.0], [1.0, 2.0]]"),
    ("ragged data",
     lambda w: assign(w.kernel, data=[[1.0], [2.0, 3.0]]), ValueError,
     "Parameter 'dense/kernel': data must be numbers. Received: [[1.0], [2.0, 3.0]]"),
    ("predictions of texts",
     lambda w: losses.MeanSquaredError()([1.0, 2.0], ["a", "b"]), ValueError,
     "MeanSquaredError: predictions must be numbers. Received: ['a', 'b']"),
    ("ragged targets", lambda w: losses.MeanSquaredError()([[1.0], [2.0, 3.0]], [1.0, 2.0]), ValueError,
     "MeanSquaredError: targets must be numbers. Received: [[1.0], [2.0, 3.0]]"),
    ("texts for a mean metric",
     lambda w: metrics.MeanSquaredError().update(["a"], ["b"]), ValueError,
     "MeanSquaredError: predictions must be numbers. Received: ['b']"),
    ("numbers for a metric",
     lambda w: metrics.Accuracy().update(1, 0.5), ValueError,
     "Accuracy: predictions must have at least 1 axis, the batch first. Received: y_pred of shape ()"),
    ("a label beyond the k best", lambda w: TopKAccuracy(2).update([5, 0], [[0.2, 0.8, 0], [0.3, 0.7, 0]]), ValueError,
     "TopKAccuracy: labels must be in 0 .. 2, for 3 outputs. Received: labels from 0 to 5"),
    ("predictions of one axis for the k best", lambda w: TopKAccuracy(2).update([1, 0], [0.2, 0.8]), ValueError,
     "TopKAccuracy: predictions must have at least 2 axes, the batch first. Received: y_pred of shape (2,)"),
    ("the area of texts",
     lambda w: metrics.AUC().update([0, 1], ["a", "b"]), ValueError,
     "AUC: predictions must be numbers. Received: ['a', 'b']"),
    ("a confusion of texts",
     lambda w: confusion_matrix(["cat", "dog"], ["cat", "dog"]), ValueError,
     "confusion_matrix: targets must be numbers. Received: ['cat', 'dog']"),
    ("a confusion of two numbers", lambda w: confusion_matrix(0, 1), ValueError,
     "confusion_matrix: classes must be integers or one-hot rows. Received: y=int64 array of shape ()"),
    ("a confusion of objects",
     lambda w: confusion_matrix(np.array([0, None]), [0, 1]), ValueError,
     "confusion_matrix: targets must be numbers. Received: object array of shape (2,)"),
    ("a confusion too large",
     lambda w: confusion_matrix([0, 10**9], [0, 1]), ValueError,
     "confusion_matrix: classes must be given if they are more than 10000. Received: 1000000001 classes"),
    ("labels as stratify", lambda w: w.model.fit(w.x, w.y, validation_split=0.25, stratify=w.y), TypeError,
     "fit: stratify must be True or False. Received: stratify=int64 array of shape (24,)"),
    ("an array as verbose", lambda w: w.model.fit(w.x, w.y, verbose=np.ones(3)), ValueError,
     "fit: verbose must be one of 0, 1, 2. Received: verbose=float64 array of shape (3,)"),
    ("a ragged order",
     lambda w: w.model.fit(w.x, w.y, shuffle=lambda epoch, n: [[1], [2, 3]], verbose=0), ValueError,
     "fit: shuffle(epoch, n) must be numbers. Received: [[1], [2, 3]]"),
    ("a column that is no text",
     lambda w: w.model.fit(w.x, w.y, callbacks=[EarlyStopping(5)], verbose=0), TypeError,
     "EarlyStopping: monitor must be the name of a column. Received: monitor=5"),
    ("a plateau without a rate",
     lambda w: compiled(Dense(1), rule(keep)(), "mse").fit(w.x, w.yes, callbacks=[ReduceOnPlateau("loss")]), ValueError,
     "ReduceOnPlateau: the optimizer must have a learning rate. Received: Mine(rate=0.5)"),
    ("a number as a path", lambda w: CSVLogger(5), TypeError, "CSVLogger: path must be a path. Received: path=5"),
    ("a number as values", lambda w: PiecewiseConstant(0.1, boundaries=[5]), TypeError,
     "PiecewiseConstant: values must be a list. Received: values=0.1"),
    ("a number as boundaries", lambda w: PiecewiseConstant([0.1, 0.01], boundaries=5), TypeError,
     "PiecewiseConstant: boundaries must be a list. Received: boundaries=5"),
    ("the base of all schedules", lambda w: SGD(Schedule()).current("learning_rate"), NotImplementedError,
     "Schedule: a schedule must give value(index)"),
    ("the base of all initializers",
     lambda w: w.model.add(Dense(2, kernel_initializer=initializers.Initializer())), NotImplementedError,
     "Initializer: an initializer must give draw(shape, rng)"),
    ("the base of all metrics", lambda w: metrics.MeanMetric(name="mine").update([1], [1]), NotImplementedError,
     "MeanMetric: a metric must give values(y_true, y_pred)"),
    ("an initializer of texts",
     lambda w: w.model.add(Dense(2, kernel_initializer=Texts())), ValueError,
     "Texts: what draw returns must be numbers. Received: <U1 array of shape (3, 2)"),
    ("a size to build a layer", lambda w: Dense(3).build(4, np.random.default_rng(0)), TypeError,
     "Dense: input_shape must be a tuple, such as (784,). Received: input_shape=4"),
    ("a negative size to build a layer", lambda w: Dense(3).build((-4,), np.random.default_rng(0)), ValueError,
     "Dense: input_shape must be positive integers, without the batch. Received: input_shape=(-4,)"),
    ("a seed to build a layer", lambda w: Dense(3).build((4,), 0), TypeError,
     "Dense: rng must be a numpy.random.Generator. Received: rng=0"),
    ("logits of no layers", lambda w: Sequential().forward_logits(w.x), RuntimeError,
     "Sequential: must have layers before forward. Received: none"),
    ("a number as a state", lambda w: w.model.load_state_dict(5), TypeError,
     "Sequential: the state must be a dict. Received: 5"),
    ("a list as a state",
     lambda w: w.model.load_state_dict(w.model.get_weights()), TypeError,
     re.compile(r"Sequential: the state must be a dict\. Received: \[.*", re.DOTALL)),
    ("a path as a state", lambda w: w.model.load_state_dict("model.npz"), TypeError,
     "Sequential: the state must be a dict. Received: 'model.npz'"),
    ("a ragged state",
     lambda w: w.model.load_state_dict({**w.model.state_dict(), "dense/bias": [[1], [1, 2]]}), ValueError,
     "Sequential: dense/bias must be numbers. Received: [[1], [1, 2]]"),
    ("a number as weights",
     lambda w: w.model.set_weights(5), TypeError,
     "Sequential: weights must be a list of 4 arrays. Received: 5"),
    ("a state as weights",
     lambda w: w.model.set_weights(w.model.state_dict()), TypeError,
     re.compile(r"Sequential: weights must be a list of 4 arrays\. Received: \{.*", re.DOTALL)),
    ("a number as a config", lambda w: Dense.from_config(5), TypeError,
     "Dense: the config must be a dict. Received: 5"),
    ("a number as an optimizer's config", lambda w: Adam.from_config(5), TypeError,
     "Adam: the config must be a dict. Received: 5"),
    ("a number as saved hooks",
     lambda w: load(w.optimizer, hooks=5), TypeError,
     "Adam: hooks must be a list. Received: hooks=5"),
    ("a number as saved hyperparameters",
     lambda w: load(w.optimizer, hyperparameters=5), TypeError,
     "Adam: hyperparameters must be a dict. Received: hyperparameters=5"),
    ("a list as saved parameters",
     lambda w: load(w.optimizer, parameters=[]), TypeError,
     "Adam: parameters must be a dict. Received: parameters=[]"),
    ("a number as saved slots",
     lambda w: load_entry(w.optimizer, t=1, kept={}, slots=5), TypeError,
     "Adam 'dense/bias': slots must be a dict. Received: slots=5"),
    ("a state that a callback doesn't know",
     lambda w: ReduceOnPlateau("loss").load_state_dict({"best": 1.0, "wait": 3}), ValueError,
     "ReduceOnPlateau: the state must hold best, cooling, wait. Received: best, wait"),
    ("a history of no JSON", lambda w: History.from_json("abc"), ValueError,
     "History: the text must be what to_json returned. Received: 'abc'"),
    ("a history of no text", lambda w: History.from_json(5), ValueError,
     "History: the text must be what to_json returned. Received: 5"),
    ("a storage of a number", lambda w: flatten(5), TypeError, "flatten: needs a list of parameters. Received: 5"),
    ("a rule whose constructor forgets its base",
     lambda w: step_of(rule(keep, __init__=lambda self: None)), RuntimeError,
     "Mine: its constructor must call super().__init__ with its hyperparameters. Received: no such call"),
    ("a rule that prepares a number", lambda w: step_of(rule(keep, prepare=staticmethod(lambda t: 5))), TypeError,
     "Mine: prepare must return a dict of numbers. Received: 5"),
    ("a rule that prepares a text",
     lambda w: step_of(rule(keep, prepare=staticmethod(lambda t: {"a": "b"}))), TypeError,
     "Mine: prepare must return a dict of numbers. Received: {'a': 'b'}"),
    ("a rule that prepares from the unknown",
     lambda w: step_of(rule(keep, prepare=staticmethod(lambda t, raet: {"a": raet}))), TypeError,
     "Mine: prepare asks for 'raet', which is no hyperparameter. Received: prepare(t, raet). Did you mean 'rate'?"),
    ("a rule that starts no slots", lambda w: step_of(rule(keep, init_slots=lambda self, data: None)), TypeError,
     "Mine: init_slots must return the slots ('m',). Received: None"),
    ("a range as a tuple",
     lambda w: rule(keep, ranges={"rate": (0, 1)})(), TypeError,
     'Mine: ranges must be a dict of texts such as "[0, 1)". Received: ranges={\'rate\': (0, 1)}'),
    ("two slots of one name",
     lambda w: step_of(rule(lambda w, g, m, v, *, rate: (w, m, v), slots=("m", "m"))), TypeError,
     "Mine: slots must be a tuple of different names. Received: slots=('m', 'm')"),
    ("ragged centers",
     lambda w: datasets.make_blobs(10, centers=[[1.0, 2.0], [3.0]]), ValueError,
     "make_blobs: centers must be numbers. Received: [[1.0, 2.0], [3.0]]"),
    ("no centers",
     lambda w: datasets.make_blobs(10, centers=np.zeros((0, 2))), ValueError,
     "make_blobs: centers must have shape (clouds, features), at least one of each. Received: shape (0, 2)"),
    ("a number as a box of blobs", lambda w: datasets.make_blobs(10, center_box=5), TypeError,
     "make_blobs: center_box must be (low, high). Received: center_box=5"),
    ("a box of blobs of three", lambda w: datasets.make_blobs(10, center_box=(1, 2, 3)), ValueError,
     "make_blobs: center_box must be (low, high). Received: center_box=(1, 2, 3)"),
    ("a split of ragged rows", lambda w: train_test_split([[1], [1, 2]]), ValueError,
     "train_test_split: arrays must have one entry a sample. Received: [[1], [1, 2]]"),
    ("a flag as stratify", lambda w: train_test_split(w.x, stratify=True), ValueError,
     "train_test_split: stratify must be an array of classes. Received: stratify=True"),

    # The message shows what was given, and to whom
    ("too few features to fit", lambda w: w.model.fit(w.x[:, :3], w.y), ValueError,
     "Sequential: input must have shape (batch, 4). Received: float32 array of shape (24, 3)"),
    ("one-hot where integers belong, to fit", lambda w: w.model.fit(w.x, w.one_hot), ValueError,
     ("SparseCategoricalCrossentropy: targets must be integer labels of shape (24,); for one-hot targets use "
      "CategoricalCrossentropy. Received: float32 array of shape (24, 3)")),
    ("integers where one-hot belongs, to fit", lambda w: w.categorical.fit(w.x, w.y), ValueError,
     ("CategoricalCrossentropy: targets must be one-hot, in the shape of the predictions (24, 3); for integer labels "
      "use SparseCategoricalCrossentropy. Received: int64 array of shape (24,)")),
    ("labels of shape (n, 1), to fit", lambda w: w.model.fit(w.x, w.y[:, None]), ValueError,
     ("SparseCategoricalCrossentropy: targets must have shape (24,) for predictions of shape (24, 3). Received: shape "
      "(24, 1); y_true.ravel() would fit")),
    ("targets (n,) against (n, 1), to fit", lambda w: w.regressor.fit(w.x, w.target.ravel()), ValueError,
     ("MeanSquaredError: targets must have the shape of the predictions. Received: y_true of shape (24,), y_pred of "
      "shape (24, 1); y_true.reshape(-1, 1) would fit")),
    ("NaN in integer labels, to fit",
     lambda w: w.model.fit(w.x, put(w.y.astype(float), 3, np.nan)), ValueError,
     "fit: y must be finite. Received: nan at [3], 1 such in all"),
    ("validation_data of other lengths",
     lambda w: w.model.fit(w.x, w.y, validation_data=(w.x, w.y[:-1])), ValueError,
     "fit: validation_data: x and y must have as many samples. Received: 24 and 23"),
    ("validation_data of texts",
     lambda w: w.model.fit(w.x, w.y, validation_data=(w.x, w.y.astype(str))), ValueError,
     "fit: validation_data: y must be numbers. Received: <U21 array of shape (24,)"),
    ("validation_data as an array",
     lambda w: w.model.fit(w.x, w.y, validation_data=w.x), ValueError,
     ("fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. Received: float32 "
      "array of shape (24, 4)")),
    ("a number as validation_data",
     lambda w: w.model.fit(w.x, w.y, validation_data=0.2), ValueError,
     "fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. Received: 0.2"),
    ("callbacks as text", lambda w: w.model.fit(w.x, w.y, callbacks="early"), TypeError,
     "fit: callbacks must be a list. Received: 'early'"),
    ("hooks as text", lambda w: Adam.from_config({"hooks": "clip"}), TypeError,
     "Adam: hooks must be a list. Received: hooks='clip'"),
    ("one parameter to step", lambda w: w.optimizer.step(w.kernel), TypeError,
     "Adam: a step needs a list of parameters. Received: Parameter('dense/kernel', shape=(4, 5), dtype=float32)"),
    ("a class below 0", lambda w: confusion_matrix([0, -1], [0, 1]), ValueError,
     "confusion_matrix: classes must be in 0 .. 1. Received: from -1 to 1"),
    ("precision of other lengths", lambda w: metrics.Precision().update([[1], [0], [1]], [[0.9], [0.8]]), ValueError,
     "Precision: there must be a prediction for each target. Received: 3 targets, 2 predictions"),
    ("accuracy of other lengths", lambda w: metrics.Accuracy().update([1, 0, 1], [[0.2, 0.8], [0.3, 0.7]]), ValueError,
     "Accuracy: targets must have shape (2,) for predictions of shape (2, 2). Received: shape (3,)"),
    ("slots as text", lambda w: rule(keep, slots="m"), TypeError,
     "Mine: slots must be a tuple of different names. Received: slots='m'"),
    ("slots as a list", lambda w: rule(keep, slots=["m"]), TypeError,
     "Mine: slots must be a tuple of different names. Received: slots=['m']"),
    ("a parameter of another byte order", lambda w: Parameter(np.ones(3, ">f4")), TypeError,
     "Parameter 'parameter': data must be in this machine's byte order. Received: >f4 array of shape (3,)"),
    ("two factors for one", lambda w: regularizers.L2(0.1, 0.2), TypeError,
     "L2: too many positional arguments. Received: 0.1, 0.2. Known: l2."),
    ("min_lr", lambda w: ReduceOnPlateau(min_lr=0.1), TypeError,
     ("ReduceOnPlateau: got an unexpected keyword argument 'min_lr'. Received: min_lr=0.1. Did you mean "
      "'min_learning_rate'?")),
    ("a split of a number", lambda w: train_test_split(5), ValueError,
     "train_test_split: arrays must have one entry a sample. Received: 5"),

    # Too early, or twice
    ("built twice",
     lambda w: w.model.build((4,)), RuntimeError,
     "Sequential: must be built once; it is, for input of shape (4,). Received: input_shape=(4,)"),
    ("forward before build", lambda w: Dense(3).forward(w.x), RuntimeError,
     "Dense: must be built before forward: build(input_shape, rng). Received: float32 array of shape (24, 4)"),
    ("no layers", lambda w: Sequential().forward(w.x), RuntimeError,
     "Sequential: must have layers before forward. Received: none"),
    ("a summary before build",
     lambda w: w.new.summary(), RuntimeError,
     "Sequential: must be built before its summary: begin with Input(shape), or fit it. Received: no build"),
    ("a shape before build",
     lambda w: w.new.output_shape, RuntimeError,
     "Dense 'dense': must be built before it has a shape. Received: no build"),
    ("a shallow copy", lambda w: copy.copy(w.model), TypeError,
     "Sequential: a shallow copy would share its parameters; use copy.deepcopy. Received: copy.copy"),
]
# fmt: on

# Python refuses these calls itself, or there is nothing to show beside what the message tells.
OTHER_STYLE = {
    "an unknown name in the package",
    "a step of no parameters",
    "the base of all schedules",
    "the base of all initializers",
    "the base of all metrics",
    "a rule that isn't elementwise",
    "a positional include_optimizer",
    "a model to save into a folder that isn't there",
    "a model to save in place of a folder",
    "a model's file that isn't there",
    "a folder that has checkpoints",
}

# These errors keep their cause, which shows the line of the user's rule, or what the system said of a file.
WITH_CAUSE = {
    "a rule that writes to its inputs",
    "a model to save into a folder that isn't there",
    "a model to save in place of a folder",
    "a model's file that isn't there",
    "a folder as a model's file",
    "a text as a model's file",
    "a damaged model",
    "weights of another model",
    "damaged weights",
    "a file name with a column that isn't there",
}


@pytest.mark.parametrize(("name", "mistake", "kind", "message"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_gets_one_clear_error_and_changes_nothing(name, mistake, kind, message):
    world = new_world()
    before = world.snapshot()
    with pytest.raises(kind) as caught:
        mistake(world)
    error = caught.value
    assert type(error) is kind
    assert message.fullmatch(str(error)) if isinstance(message, re.Pattern) else str(error) == message
    assert name in OTHER_STYLE or re.match(r"\w+( '[^']+')?: .*\bReceived\b", str(error), re.DOTALL)
    assert error.__suppress_context__ or error.__context__ is None
    assert (error.__cause__ is None) == (name not in WITH_CAUSE)
    assert world.snapshot() == before
    world.model.fit(world.x, world.y, verbose=0)
    assert len(world.trainer.history) == 3


def test_the_table_is_whole():
    names = [row[0] for row in MISTAKES]
    assert len(names) >= 600
    assert len(set(names)) == len(names)
    assert set(names) >= OTHER_STYLE | WITH_CAUSE


def test_the_snapshot_sees_what_changes():
    changes = [
        lambda w: w.kernel.data.fill(0),
        lambda w: w.kernel.grad.fill(0),
        lambda w: assign(w.kernel, trainable=False),
        lambda w: w.optimizer.state[w.kernel]["m"].fill(0),
        lambda w: assign(w.optimizer, learning_rate=0.1),
        lambda w: w.optimizer.hooks.clear(),
        lambda w: assign(w.optimizer, epoch=7),
        lambda w: w.trainer.history.history["loss"].clear(),
        lambda w: w.regressor.compile("sgd", "mse"),
        lambda w: assign(w.early, wait=3),
        lambda w: w.x.fill(0),
        lambda w: np.random.random(),
    ]
    for change in changes:
        world = new_world()
        before = world.snapshot()
        assert world.snapshot() == before
        change(world)
        assert world.snapshot() != before
