"""The estimators: scikit-learn's own checks, and what its users do with one."""

import abc
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn isn't installed: pip install 'minidl[sklearn]'")

from sklearn.base import clone  # after what may skip
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from minidl import callbacks, layers, optimizers, schedules
from minidl.estimators import MinidlClassifier, MinidlRegressor

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)


# No check is expected to fail. (Some skip where pandas isn't installed.)
CHECKS = parametrize_with_checks([MinidlClassifier(), MinidlRegressor()]).mark
NAMES, CASES = CHECKS.args  # before scikit-learn 1.8 a generator, which pytest won't have


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(NAMES, list(CASES), **CHECKS.kwargs)
def test_scikit_learn_s_own_check(estimator, check):
    check(estimator)


def bits(estimator):
    return b"".join(array.tobytes() for array in estimator.model_.get_weights())


def small(**options):
    return MinidlClassifier((8,), **{"random_state": 0, "learning_rate": 0.01, "epochs": 5, **options})


def test_in_a_pipeline_and_a_search():
    pipeline = make_pipeline(StandardScaler(), MinidlClassifier((16,), epochs=30, random_state=0))
    grid = {"minidlclassifier__learning_rate": [1e-5, 0.03], "minidlclassifier__optimizer": ["adam", "momentum"]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(*load_iris(return_X_y=True))
    assert search.best_params_["minidlclassifier__learning_rate"] == 0.03
    assert search.best_score_ > 0.9
    assert cross_val_score(pipeline.set_params(minidlclassifier__learning_rate=0.03), X, Y, cv=3).min() > 0.85


def test_a_clone_is_unfitted_and_trains_alike():
    one = small(optimizer=optimizers.Momentum(0.1, momentum=0.8)).fit(X, Y)
    two = clone(one)
    assert not hasattr(two, "model_")
    assert bits(two.fit(X, Y)) == bits(one)
    assert one.optimizer.iterations == 0  # what it was given stays unused
    assert bits(small(optimizer=optimizers.Momentum(0.1, momentum=0.8), random_state=1).fit(X, Y)) != bits(one)


def test_warm_starts_of_one_epoch_are_one_fit_bit_for_bit():
    whole = small(n_iter_no_change=None, batch_size=16).fit(X, Y)
    pieces = small(n_iter_no_change=None, batch_size=16, epochs=1, warm_start=True)
    for _ in range(5):
        pieces.fit(X, Y)
    assert bits(pieces) == bits(whole)
    assert (pieces.n_iter_, pieces.loss_curve_) == (5, whole.loss_curve_)
    again = small(epochs=1, n_iter_no_change=None)
    assert bits(again.fit(X, Y)) == bits(again.fit(X, Y))  # without it each fit is a new one


def test_partial_fits_are_a_fit_in_pieces():
    whole = small(n_iter_no_change=None, batch_size=16).fit(X, Y)
    pieces = small(batch_size=16)
    for _ in range(5):
        pieces.partial_fit(X, Y, classes=[0, 1, 2])
    assert bits(pieces) == bits(whole)
    late = small()
    late.partial_fit(X[:50], Y[:50], classes=[0, 1, 2])  # of one class
    late.partial_fit(X[50:], Y[50:])
    assert late.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        small().partial_fit(X, Y)
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        late.partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"labels must be among \[0 1 2\]. Received: \[7\]"):
        late.partial_fit(X[:3], [0, 1, 7])


@pytest.mark.parametrize("weight", ["balanced", {0: 3.0, 1: 1.0, 2: 0.0}])
def test_a_class_s_weight_is_that_of_its_samples(weight):
    part = slice(0, 120)  # the classes aren't alike in number
    counts = np.bincount(Y[part])
    each = 120 / (3 * counts) if weight == "balanced" else np.array([3.0, 1.0, 0.0])
    by_class = small(class_weight=weight).fit(X[part], Y[part])
    by_sample = small().fit(X[part], Y[part], sample_weight=each[Y[part]])
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-9)
    assert not np.allclose(by_class.predict_proba(X), small().fit(X[part], Y[part]).predict_proba(X), rtol=1e-3)


def test_a_weight_of_two_is_the_sample_twice():
    twice = np.concatenate([np.arange(150), np.arange(0, 150, 3)])
    weight = np.where(np.arange(150) % 3 == 0, 2.0, 1.0)
    one = small(batch_size=200, shuffle=False).fit(X, Y, sample_weight=weight)
    other = small(batch_size=200, shuffle=False).fit(X[twice], Y[twice])
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_early_stopping_keeps_the_best_weights_by_a_stratified_part():
    stopped = small(early_stopping=True, epochs=500, validation_fraction=0.2, learning_rate=0.05, tol=0.0).fit(X, Y)
    assert stopped.n_iter_ < 500
    held = stopped.trainer_.split[1]
    assert np.bincount(Y[held]).tolist() == [10, 10, 10]
    best = min(stopped.history_.history["val_loss"])
    assert stopped.trainer_.evaluate(X[held], Y[held])["loss"] == pytest.approx(best, rel=1e-6)
    assert len(small(epochs=500, tol=1.0, n_iter_no_change=3).fit(X, Y).loss_curve_) == 4


def test_labels_may_be_texts_and_the_dtype_is_the_data_s():
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    found = small(epochs=30).fit(X, names)
    assert set(found.predict(X)) <= set(names)
    assert found.score(X, names) > 0.85
    assert found.predict_proba(X).dtype == np.float64
    assert small().fit(X.astype("f4"), Y).predict_proba(X.astype("f4")).dtype == np.float32
    assert small(dtype="float32").fit(X, Y).predict_proba(X).dtype == np.float32


def convolutional():
    return [layers.Reshape((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]


def test_any_layers_can_be_the_body_and_it_can_be_pickled():
    images, labels = load_digits(return_X_y=True)
    net = MinidlClassifier(body=convolutional, epochs=8, batch_size=32, random_state=0, learning_rate=0.003)
    net.fit(images[:1000] / 16, labels[:1000])
    assert net.score(images[1000:] / 16, labels[1000:]) > 0.85
    back = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(back.predict_proba(images), net.predict_proba(images))
    with pytest.raises(TypeError, match="body must be a function that returns new layers"):
        MinidlClassifier(body=convolutional()).fit(images, labels)


def test_a_regressor_has_one_target_or_several():
    inputs, targets = make_regression(200, 5, n_targets=2, noise=1.0, random_state=0)
    targets /= targets.std(axis=0)
    net = MinidlRegressor((32,), learning_rate=schedules.CosineDecay(0.03, decay_steps=200), random_state=0)
    assert net.fit(inputs, targets).score(inputs, targets) > 0.95
    assert net.predict(inputs).shape == (200, 2)
    assert net.fit(inputs, targets[:, 0]).predict(inputs).shape == (200,)
    net.partial_fit(inputs, targets[:, 0])
    with pytest.raises(ValueError, match=r"y must have 1 columns, as before. Received: 2"):
        net.partial_fit(inputs, targets)
    assert MinidlRegressor(loss="huber", learning_rate=0.03, random_state=0).fit(inputs, targets).n_iter_ > 5


def test_callbacks_are_called():
    norms = callbacks.Norms()
    found = small(callbacks=[norms]).fit(X, Y)
    assert found.callbacks_[0].steps
    assert not norms.steps  # what it was given stays unused


def test_each_fit_has_callbacks_of_its_own():
    stopping = callbacks.EarlyStopping("loss", patience=1, min_delta=1.0)
    one = small(callbacks=[stopping], n_iter_no_change=None).fit(X, Y)
    first = one.callbacks_[0]
    for other in (one.fit(X, Y), clone(one).fit(X, Y), one.partial_fit(X, Y)):
        assert other.callbacks_[0] is not first
        assert other.callbacks_[0].best is not None
    assert stopping.best is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a positive integer"),
        ({"batch_size": "all"}, "batch_size must be one of 'auto'"),
        ({"early_stopping": True, "validation_fraction": 1.0}, r"validation_fraction must be in \(0, 1\)"),
        ({"optimizer": "adm"}, "MinidlClassifier: unknown optimizer"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be a positive integer"),
        ({"hidden_layer_sizes": (3.7,)}, "MinidlRegressor: hidden_layer_sizes must be a positive integer"),
        ({"hidden_layer_sizes": [8, 0]}, "MinidlRegressor: hidden_layer_sizes must be a positive integer"),
        ({"hidden_layer_sizes": None}, "MinidlRegressor: hidden_layer_sizes must be a list of integers"),
        ({"hidden_layer_sizes": "a"}, "MinidlRegressor: hidden_layer_sizes must be a list of integers"),
        ({"callbacks": 3}, "MinidlRegressor: callbacks must be a list"),
        ({"warm_start": "no"}, "MinidlRegressor: warm_start must be True or False"),
    ],
)
def test_wrong_arguments_are_told_by_fit(options, message):
    one = small() if "MinidlRegressor" not in message else MinidlRegressor()
    with pytest.raises((ValueError, TypeError), match=message):
        one.set_params(**options).fit(X, Y)


def test_an_argument_that_is_not_there_is_told_by_the_estimator():
    with pytest.raises(TypeError, match=r"^MinidlRegressor: got an unexpected keyword argument 'class_weight'"):
        MinidlRegressor(class_weight="balanced")


def test_without_scikit_learn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn.base'] = None; import minidl; minidl.estimators"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "minidl.estimators: needs the extra `sklearn`: pip install 'minidl[sklearn]'" in done.stderr


def test_callbacks_that_call_functions_call_the_same_ones_in_each_fit_and_others_are_copied_or_refused():
    class Collector:
        def __init__(self):
            self.rows = []

        def add(self, epoch, logs):
            self.rows.append(epoch)

        def log(self, metrics, *, step):
            self.rows.append(step)

    class Locked(callbacks.Callback):
        def __init__(self):
            self.lock = threading.Lock()

    one, other = Collector(), Collector()
    x, y = np.eye(4), [0, 1, 0, 1]
    net = MinidlClassifier(
        (2,), epochs=2, callbacks=[callbacks.Lambda(on_epoch_end=one.add), callbacks.Logger(other.log)]
    )
    net.fit(x, y)
    clone(net).fit(x, y)
    assert one.rows == [0, 1, 0, 1]
    assert len(other.rows) == 4
    with pytest.raises(TypeError, match=r"^MinidlClassifier: callbacks must be such that copy\.deepcopy takes them"):
        MinidlClassifier((2,), epochs=1, callbacks=[Locked()]).fit(x, y)


def test_an_estimator_may_have_abstract_subclasses():
    class Abstract(MinidlClassifier, abc.ABC):
        pass

    assert Abstract((2,)).hidden_layer_sizes == (2,)
