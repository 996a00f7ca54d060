"""Steps that can't be made: refused by name and place, or skipped as if their samples weren't there."""

import math

import numpy as np
import pytest

from minidl import Sequential, Trainer, callbacks, layers, optimizers
from minidl.optimizers import NonFiniteError

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 4)).astype(np.float32), RNG.standard_normal((60, 2)).astype(np.float32)


def spoiled(*batches, size=10):
    """Return the samples in order, with those of these batches so large that their outputs overflow."""
    x = X.copy()
    for batch in batches:
        x[batch * size : (batch + 1) * size] = 3e38
    return x


def model_of(*inner, built=True):
    first = [layers.Input((4,))] if built else []
    return Sequential([*first, layers.Dense(5), *inner, layers.Dense(2)], seed=0)


def everything(trainer):
    """Return the bits of all that a step may change."""
    slots = [slot for entry in trainer.optimizer.state.values() for slot in entry.values()]
    arrays = [*trainer.model.state_dict().values(), *slots]
    t = [trainer.optimizer.steps(parameter) for parameter in trainer.model.parameters]
    return b"".join(array.tobytes() for array in arrays), t, trainer.optimizer.iterations


def fitted(x, keep=slice(None), inner=(), metrics=("mae",), optimizer="adam", built=True, **options):
    trainer = Trainer(model_of(*inner, built=built), optimizer, "mse", list(metrics))
    with np.errstate(all="ignore"):
        history = trainer.fit(x[keep], Y[keep], batch_size=10, shuffle=False, verbose=0, **options)
    return trainer, history


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adadelta"])
@pytest.mark.parametrize("inner", [(), ("norm",), ("dropout",)])
@pytest.mark.parametrize("metrics", [(), ("mae",)])
@pytest.mark.parametrize("built", [True, False])
def test_a_skipped_step_is_as_if_its_samples_were_not_there(optimizer, inner, metrics, built):
    def made():
        return [{"norm": layers.BatchNormalization, "dropout": lambda: layers.Dropout(0.3)}[name]() for name in inner]

    options = {"metrics": metrics, "optimizer": optimizer, "epochs": 2}
    skipping, history = fitted(spoiled(1, 4), inner=made(), on_nonfinite="skip", built=built, **options)
    keep = np.r_[0:10, 20:40, 50:60]
    without, expected = fitted(X, keep, inner=made(), **options)
    assert everything(skipping) == everything(without)
    assert history.history.pop("skipped") == [2, 2]
    assert history == expected


def test_accumulated_batches_are_skipped_together():
    trainer, history = fitted(spoiled(3), on_nonfinite="skip", accumulate=2)
    without, expected = fitted(X, np.r_[0:20, 40:60], accumulate=2)
    assert everything(trainer) == everything(without)
    assert history.history.pop("skipped") == [1]
    assert history == expected


def test_nothing_skipped_is_counted_as_0_and_changes_nothing():
    trainer, history = fitted(X, on_nonfinite="skip", epochs=3)
    without, expected = fitted(X, epochs=3)
    assert everything(trainer) == everything(without)
    assert history.history.pop("skipped") == [0, 0, 0]
    assert history == expected
    assert trainer.columns == ["loss", "mae", "skipped", "learning_rate"]


def test_callbacks_hear_of_a_skipped_step():
    heard = []
    listener = callbacks.Lambda(on_train_batch_end=lambda batch, logs: heard.append(logs["batch_loss"]))
    fitted(spoiled(2), on_nonfinite="skip", callbacks=[listener])
    assert [math.isnan(loss) for loss in heard] == [False, False, True, False, False, False]


@pytest.mark.parametrize("inner", [(), (layers.BatchNormalization(), layers.Dropout(0.3))])
def test_a_refused_step_is_told_by_place_and_parameter_and_changes_nothing(inner):
    before = []
    listener = callbacks.Lambda(on_train_batch_end=lambda batch, logs: before.append(everything(trainer)))
    trainer = Trainer(model_of(*[type(layer).from_config(layer.get_config()) for layer in inner]), "adam", "mse")
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
        trainer.fit(spoiled(3), Y, batch_size=10, shuffle=False, callbacks=[listener], verbose=0)
    assert str(caught.value).startswith(
        "fit: batch 3 of epoch 0, both from 0: Adam: gradients must be finite. Received: "
    )
    assert "'dense" in str(caught.value)
    assert "a smaller learning rate" in str(caught.value)
    assert len(before) == 3
    assert everything(trainer) == before[-1]


def test_a_step_alone_changes_nothing_either():
    trainer = Trainer(model_of(layers.BatchNormalization()), "adam", "mse")
    trainer.step(X, Y)
    before = everything(trainer)
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match=r"^Adam: gradients must be finite"):
        trainer.step(spoiled(0), Y)
    assert everything(trainer) == before


def test_an_epoch_without_a_step_is_an_error():
    with pytest.raises(
        FloatingPointError, match="fit: no step of this epoch could be made; the last one, fit: batch 5"
    ):
        fitted(spoiled(*range(6)), on_nonfinite="skip")


def test_errors_of_others_are_not_skipped():
    def stop(batch, logs):
        raise FloatingPointError("mine")

    with pytest.raises(FloatingPointError, match=r"^mine$"):
        fitted(X, on_nonfinite="skip", callbacks=[callbacks.Lambda(on_train_batch_end=stop)])


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="fit: on_nonfinite must be one of 'raise', 'skip'"):
        fitted(X, on_nonfinite="ignore")
    assert optimizers.Adam().iterations == 0
