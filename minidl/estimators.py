"""Nets as scikit-learn's estimators, for its pipelines, searches and scores (extra `sklearn`)."""

from __future__ import annotations

import copy
from abc import ABCMeta
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl import callbacks as all_callbacks
from minidl import layers, optimizers
from minidl.config import Checked
from minidl.models import Sequential
from minidl.targets import check_weight
from minidl.training import Trainer
from minidl.validation import choice, describe, flag, integer, number

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:  # pragma: no cover
    raise ImportError("minidl.estimators: needs the extra `sklearn`: pip install 'minidl[sklearn]'") from error

if TYPE_CHECKING:
    from typing import Self

__all__ = ["MinidlClassifier", "MinidlRegressor"]

Array = NDArray[Any]

PREDICT_BATCH = 1024


class _Kind(Checked, ABCMeta):
    """So that subclasses may be abstract."""


class _Net(BaseEstimator, metaclass=_Kind):  # type: ignore[misc]  # it has no types
    """What both estimators are: a net with a last layer that fits the targets, and how it is trained."""

    _objective: str
    _stratified = False

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Any = "relu",
        *,
        body: Callable[[], Sequence[layers.Layer]] | None = None,
        optimizer: Any = "adam",
        learning_rate: Any = None,
        loss: Any = None,
        batch_size: int | str = "auto",
        epochs: int = 200,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        callbacks: Sequence[all_callbacks.Callback] = (),
        random_state: Any = None,
        dtype: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.body = body
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.loss = loss
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.random_state = random_state
        self.dtype = dtype
        self.verbose = verbose

    def _head(self, outputs: int) -> list[layers.Layer]:
        """Return the last layers."""
        raise NotImplementedError

    def _body(self) -> list[layers.Layer]:
        """Return the layers before these, new ones."""
        if self.body is not None:
            if not callable(self.body):
                raise TypeError(
                    f"{type(self).__name__}: body must be a function that returns new layers. "
                    f"Received: body={describe(self.body)}"
                )
            return list(self.body())
        owner, given = type(self).__name__, self.hidden_layer_sizes
        sizes: Any = [given] if isinstance(given, (int, np.integer)) else given
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise TypeError(
                f"{owner}: hidden_layer_sizes must be a list of integers. "
                f"Received: hidden_layer_sizes={describe(given)}"
            )
        return [layers.Dense(integer(owner, "hidden_layer_sizes", size, 1), self.activation) for size in sizes]

    def _made(self, features: int, outputs: int, dtype: np.dtype[Any]) -> Trainer:
        """Return a trainer of a new net."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        own = str(dtype) if self.dtype is None else self.dtype
        entries = [layers.Input((features,)), *self._body(), *self._head(outputs)]
        model = Sequential(entries, seed=seed, dtype=own)
        optimizer = optimizers.registry.get(copy.deepcopy(self.optimizer), type(self).__name__)
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        return Trainer(model, optimizer, self._objective if self.loss is None else self.loss)

    def _train(self, X: Array, y: Array, weight: Array | None, outputs: int, goes_on: bool, once: bool = False) -> Self:
        """Train a new net, or the one that there is: for all epochs, or `once` through the samples."""
        if not goes_on:
            self.trainer_ = self._made(X.shape[1], outputs, X.dtype)
            self.model_ = self.trainer_.model
        options = self._options(once)
        self.trainer_.fit(X, y, batch_size=self._size(len(X)), sample_weight=weight, **options)
        self.history_ = self.trainer_.history
        self.n_iter_ = len(self.history_)
        self.loss_curve_ = list(self.history_.history["loss"])
        return self

    def _size(self, samples: int) -> int:
        if isinstance(self.batch_size, str):
            choice(type(self).__name__, "batch_size", self.batch_size, ("auto",))
            return min(200, samples)
        return integer(type(self).__name__, "batch_size", self.batch_size, 1)

    def _options(self, once: bool) -> dict[str, Any]:
        """Return what a fit gives the trainer beside the data."""
        owner = type(self).__name__
        options: dict[str, Any] = {"verbose": int(self.verbose), "shuffle": flag(owner, "shuffle", self.shuffle)}
        if not isinstance(self.callbacks, (list, tuple)):
            raise TypeError(f"{owner}: callbacks must be a list. Received: callbacks={describe(self.callbacks)}")
        try:
            self.callbacks_ = copy.deepcopy(list(self.callbacks))  # each belongs to the trainer that calls it
        except TypeError as error:
            raise TypeError(
                f"{owner}: callbacks must be such that copy.deepcopy takes them. "
                f"Received: callbacks={describe(self.callbacks)} ({error})"
            ) from error
        if once:
            return {**options, "epochs": 1, "callbacks": self.callbacks_}
        stopping = flag(owner, "early_stopping", self.early_stopping)
        if stopping:
            fraction = number(owner, "validation_fraction", self.validation_fraction, "(0, 1)")
            options |= {"validation_split": fraction, "stratify": self._stratified}
        if self.n_iter_no_change is not None:
            patience = integer(owner, "n_iter_no_change", self.n_iter_no_change, 1)
            tol = number(owner, "tol", self.tol, "[0, inf)")
            column = "val_loss" if stopping else "loss"
            own = all_callbacks.EarlyStopping(column, min_delta=tol, patience=patience, restore_best_weights=stopping)
            return {**options, "epochs": self.epochs, "callbacks": [*self.callbacks_, own]}
        return {**options, "epochs": self.epochs, "callbacks": self.callbacks_}

    def _warm(self) -> bool:
        """Tell whether `fit` goes on with the net that there is."""
        return flag(type(self).__name__, "warm_start", self.warm_start) and self._fitted

    @property
    def _fitted(self) -> bool:
        return hasattr(self, "trainer_")

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "trainer_")
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.trainer_.predict(X, batch_size=PREDICT_BATCH)

    def _data(self, X: Any, y: Any, weight: Any, first: bool, **how: Any) -> tuple[Array, Array, Array | None]:
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], reset=first, **how)
        weight = check_weight(type(self).__name__, weight, len(X))
        if weight is not None and not weight.any():
            raise ValueError(f"{type(self).__name__}: a sample_weight must be greater than 0. Received: only zeros")
        return X, y, weight


class MinidlClassifier(ClassifierMixin, _Net):  # type: ignore[misc]  # likewise
    """A net that tells classes apart, as an estimator of scikit-learn's.

    Its last layer is a `Dense` with a softmax, one output a class, behind the layers of `body` or, by default, hidden
    ones of `hidden_layer_sizes`. Names of arguments are scikit-learn's where it has them.

    Args:
        hidden_layer_sizes: Units of each hidden layer.
        activation: Of the hidden layers.
        body: A function that returns new layers, which take (features,), in place of hidden layers; to survive
            pickling, one of a module.
        optimizer: A name, or an optimizer that hasn't been used, which is copied.
        learning_rate: A number or a schedule; None is the optimizer's own.
        loss: None is the cross-entropy of labels.
        batch_size: "auto" is 200, or all samples if there are fewer.
        epochs: How often `fit` goes through the samples, at most.
        shuffle: Whether their order is another one in each epoch.
        class_weight: A weight for each label, "balanced", or None; it multiplies that of its samples.
        early_stopping: Whether to keep `validation_fraction` of the samples, of each class its share, and to end when
            their loss doesn't get better by `tol` for `n_iter_no_change` epochs, with the best weights. Otherwise it
            is the training loss that ends it, with the last ones.
        validation_fraction: In (0, 1).
        n_iter_no_change: At least 1; None never ends before `epochs`.
        tol: At least 0.
        warm_start: Whether another `fit` goes on from where the last one ended, optimizer included: n times one epoch
            is n epochs, bit for bit.
        callbacks: Of minidl's. They are copied for each fit; `callbacks_` are those of the last one.
        random_state: Decides the start and the order; None draws anew.
        dtype: None is that of `X`, float32 or float64.
        verbose: 0 shows nothing, 1 a progress bar, 2 a line an epoch.

    Attributes:
        classes_: The labels.
        model_: The net, a `minidl.Sequential`. `trainer_`: its Trainer. `history_`: what that recorded.
        n_iter_: How many epochs there were. `loss_curve_`: the loss of each.

    Source: scikit-learn's `MLPClassifier`, whose arguments these are where both have the thing.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> MinidlClassifier((16,), learning_rate=0.01, random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    _objective = "sparse_categorical_crossentropy"
    _stratified = True

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Any = "relu",
        *,
        body: Callable[[], Sequence[layers.Layer]] | None = None,
        optimizer: Any = "adam",
        learning_rate: Any = None,
        loss: Any = None,
        batch_size: int | str = "auto",
        epochs: int = 200,
        shuffle: bool = True,
        class_weight: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        callbacks: Sequence[all_callbacks.Callback] = (),
        random_state: Any = None,
        dtype: str | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            body=body,
            optimizer=optimizer,
            learning_rate=learning_rate,
            loss=loss,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            callbacks=callbacks,
            random_state=random_state,
            dtype=dtype,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def _head(self, outputs: int) -> list[layers.Layer]:
        return [layers.Dense(outputs, "softmax")]

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a net; with `warm_start` go on with the one that there is."""
        goes_on = self._warm()
        X, y, weight = self._data(X, y, sample_weight, first=not goes_on)
        check_classification_targets(y)
        labels = np.unique(y)
        if not goes_on:
            self.classes_ = labels
        self._check_known(labels)
        return self._train(X, self._codes(y), self._weights(y, weight), len(self.classes_), goes_on)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Go through these samples once; the first call tells all `classes` that there will be."""
        first = not self._fitted
        X, y, weight = self._data(X, y, sample_weight, first=first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise ValueError(f"{type(self).__name__}: classes must be passed on the first call to partial_fit.")
            self.classes_ = np.unique(np.asarray(classes))
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise ValueError(
                f"{type(self).__name__}: classes must be those of the first call, {self.classes_}. Received: {classes}"
            )
        self._check_known(np.unique(y))
        return self._train(X, self._codes(y), self._weights(y, weight), len(self.classes_), not first, once=True)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return each sample's probability of each class, in the order of `classes_`."""
        return self._outputs(X)

    def predict(self, X: ArrayLike) -> Array:
        """Return each sample's most probable label."""
        outputs = self._outputs(X)
        found: Array = self.classes_[outputs.argmax(axis=1)]
        return found

    def _codes(self, y: Array) -> Array:
        return np.searchsorted(self.classes_, y)

    def _check_known(self, labels: Array) -> None:
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__}: y must have 2 classes or more. Received: 1 class, {self.classes_}"
            )
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise ValueError(f"{type(self).__name__}: labels must be among {self.classes_}. Received: {unknown}")

    def _weights(self, y: Array, weight: Array | None) -> Array | None:
        """Return what each sample weighs, its class's weight included."""
        if self.class_weight is None:
            return weight
        by_class = np.asarray(compute_sample_weight(self.class_weight, y))
        return by_class if weight is None else by_class * weight


class MinidlRegressor(RegressorMixin, _Net):  # type: ignore[misc]  # likewise
    """A net that tells numbers, one or several a sample, as an estimator of scikit-learn's.

    Its last layer is a `Dense` without an activation. The arguments are those of `MinidlClassifier`, but for
    `class_weight`; `loss=None` is the mean squared error, "huber" or "mae" bear outliers better. Targets should be of
    the order of 1: put the net into a `TransformedTargetRegressor` with a `StandardScaler` if they aren't.

    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> MinidlRegressor((32,), learning_rate=0.01, random_state=0).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95
    True
    """

    _objective = "mean_squared_error"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _head(self, outputs: int) -> list[layers.Layer]:
        return [layers.Dense(outputs)]

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a net; with `warm_start` go on with the one that there is."""
        goes_on = self._warm()
        X, y, weight = self._data(X, y, sample_weight, not goes_on, multi_output=True, y_numeric=True)
        return self._train(*self._columns(X, y, goes_on), weight, self._outputs_, goes_on)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Go through these samples once."""
        goes_on = self._fitted
        X, y, weight = self._data(X, y, sample_weight, not goes_on, multi_output=True, y_numeric=True)
        return self._train(*self._columns(X, y, goes_on), weight, self._outputs_, goes_on, once=True)

    def predict(self, X: ArrayLike) -> Array:
        """Return each sample's number, or numbers."""
        found = self._outputs(X)
        return found[:, 0] if self._one else found

    def _columns(self, X: Array, y: Array, goes_on: bool) -> tuple[Array, Array]:
        """Return samples and targets of the same dtype, the targets in columns."""
        columns = np.asarray(y, X.dtype).reshape(len(X), -1)
        if not goes_on:
            self._one, self._outputs_ = np.ndim(y) == 1, columns.shape[1]
        elif columns.shape[1] != self._outputs_:
            raise ValueError(
                f"{type(self).__name__}: y must have {self._outputs_} columns, as before. Received: {columns.shape[1]}"
            )
        return X, columns
