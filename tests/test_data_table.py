"""docs/data.md: every cell of its tables is tried here, and there is nothing else in them.

A cell holds a word of the page's own lists. What is refused gets the error that the list tells, and leaves model,
optimizer and trainer as they were; what is taken gives the bits of a plain contiguous array with the same numbers. In
neither case are the caller's arrays written to.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bits import everything

from minidl import Sequential, Trainer, layers, optimizers
from minidl.training.batches import Batches

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
N = 24
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 37)).astype(np.float32)
Y = rng.standard_normal((N, 2)).astype(np.float32)
WEIGHT = rng.uniform(0.5, 2, N)
LABELS = np.arange(N) * 7 % 3
WORDS = rng.integers(0, 9, (N, 3))


def tables():
    """Return each table of the page: its title, and its rows as {kind: {place: word}}."""
    found = {}
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*", body, re.M)]
        if lines:
            head, _, *rows = lines
            found[title] = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    return found


TABLES = tables()
REFUSED = {word.strip("*"): row["the error says"].strip("`") for word, row in TABLES.pop("Refused").items()}
TAKEN = {word: row["how"] for word, row in TABLES.pop("Taken").items()}


def cells(title):
    return [
        pytest.param(kind, place, word.strip("*"), id=f"{kind}-{place}")
        for kind, row in TABLES[title].items()
        for place, word in row.items()
        if word != "-"
    ]


# What is given ---------------------------------------------------------------------------------------------


class Tagged(np.ndarray):
    """A class of arrays that knows nothing new."""


def spoilt(value):
    """Return what puts that value first, in the middle or last."""

    def make(a, folder):
        found = []
        for place in (0, a.size // 2, -1):
            array = a.copy()
            array.reshape(-1)[place] = value
            found.append(array)
        return found

    return make


def file_of(a, folder, kind):
    """Return the path of a file that holds an array behind a head of another length, and that length."""
    path = folder / f"{kind}{len(list(folder.iterdir()))}.bin"
    path.write_bytes(b"h" * 12 + a.tobytes())
    return path


def maps(a, folder):
    """Return maps of a file by all ways, among them views that don't say that they are maps."""
    saved = folder / f"saved{len(list(folder.iterdir()))}.npy"
    np.save(saved, a)
    found = [np.memmap(file_of(a, folder, mode), a.dtype, mode, 12, a.shape) for mode in ("r", "r+", "c")]
    doubled = np.memmap(file_of(np.repeat(a, 2, 0), folder, "twice"), a.dtype, "r", 12, (2 * len(a), *a.shape[1:]))
    return [*found, np.load(saved, mmap_mode="r"), np.asarray(found[0]), doubled[::2], np.asarray(doubled[1::2])[:]]


def cut(a, folder):
    """Return such maps, of files that were cut short since."""
    found = maps(a, folder)
    for path in folder.iterdir():
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 1)
    return found


def misaligned(a):
    """Return an equal array that begins at an odd address."""
    memory = np.empty(a.nbytes + 1, np.uint8)[1:]
    array = memory.view(a.dtype).reshape(a.shape)
    array[...] = a
    return array


def read_only(a):
    array = a.copy()
    array.flags.writeable = False
    return array


def integers(*dtypes):
    return lambda a, folder: [(np.abs(a) * 3).astype(dtype) for dtype in dtypes]


def as_types(*dtypes):
    return lambda a, folder: [(np.abs(a) * 3).astype(dtype) for dtype in dtypes]


def masked(a, folder):
    arrays = [np.ma.masked_array(a, np.abs(a) > 0.9), np.ma.masked_array(a)]
    return [*arrays, list(arrays[0])] if a.ndim > 1 else arrays


KINDS = {
    "`nan`, first, amid or last": spoilt(np.nan),
    "`inf`, likewise": spoilt(np.inf),
    "`-inf`, likewise": spoilt(-np.inf),
    "array of objects": lambda a, folder: [a.astype(object), np.full(a.shape, None)],
    "strings": lambda a, folder: [a.astype(str), a.astype("S9"), a.astype(str).tolist()],
    "complex numbers": lambda a, folder: [a.astype(np.complex64), a + 0j],
    "dates and durations": lambda a, folder: [a.astype(int).astype(kind) for kind in ("M8[s]", "m8[s]")],
    "array with fields": lambda a, folder: [np.zeros(len(a), [("first", np.float32), ("second", np.int8)])],
    "ragged lists": lambda a, folder: [[[1.0, 2.0], *[[3.0]] * (len(a) - 1)], [a[:1], *[a[:2]] * (len(a) - 1)]],
    "lists with `None`": lambda a, folder: [[None, *a.tolist()[1:]]],
    "masked array": masked,
    "memory map of a file cut short": cut,
    "flags": as_types(bool),
    "signed integers": as_types(np.int8, np.int16, np.int32, np.int64),
    "unsigned integers": as_types(np.uint8, np.uint16, np.uint32, np.uint64),
    "`float16`": as_types(np.float16),
    "`float32`": lambda a, folder: [a.astype(np.float32)],
    "`float64`": lambda a, folder: [a.astype(np.float64)],
    "`longdouble`": lambda a, folder: [a.astype(np.longdouble) / 3],
    "the other byte order": lambda a, folder: [
        a.astype(np.dtype(kind).newbyteorder("S")) for kind in (a.dtype, np.float64, np.int32)
    ],
    "lists": lambda a, folder: [a.tolist(), tuple(a.tolist()), list(a)],
    "every second of something": lambda a, folder: [np.repeat(a, 2, -1)[..., ::2], np.repeat(a, 3, 0)[::3]],
    "the wrong way round": lambda a, folder: [a[::-1], a[..., ::-1], np.asfortranarray(a)[::-1]],
    "columns first (Fortran)": lambda a, folder: [np.asfortranarray(a)],
    "one row repeated (stride 0)": lambda a, folder: [np.broadcast_to(a[:1], a.shape)],
    "read-only": lambda a, folder: [read_only(a), read_only(a)[::-1]],
    "misaligned": lambda a, folder: [misaligned(a)],
    "subclass of arrays": lambda a, folder: [a.view(Tagged), *([a.view(np.matrix)] if a.ndim == 2 else [])],
    "memory map": maps,
}  # fmt: skip

SHAPES = {
    "another number of features": lambda: (X[:, :5], Y),
    "a sample without its axis": lambda: (X[0], np.ones((37, 2))),
    "an axis too many": lambda: (X[:, :, None], Y),
    "a number": lambda: (np.float32(3), Y),
    "more or fewer than targets": lambda: (X[:5], Y),
    "no samples at all": lambda: (X[:0], Y[:0]),
    "numbers beyond `float32`": lambda: (X.astype(float) * 1e300, Y),
}

TARGETS = {
    "below 0": lambda: np.where(np.arange(N) == 9, -1, LABELS),
    "as many as classes, or more": lambda: np.where(np.arange(N) == N - 1, 3, LABELS),
    "fractions": lambda: LABELS + 0.5,
    "whole numbers in floats": lambda: LABELS.astype(np.float32),
    "flags": lambda: LABELS > 0,
    "one-hot rows": lambda: np.eye(3, dtype=int)[LABELS],
    "strings": lambda: LABELS.astype(str),
    "`nan`": lambda: np.where(np.arange(N) == 9, np.nan, LABELS),
    "lists": lambda: LABELS.tolist(),
    "integers, signed or not, of any width": lambda: LABELS.astype(np.uint8),
    "the other byte order": lambda: LABELS.astype(np.dtype(np.int32).newbyteorder()),
    "the wrong way round": lambda: LABELS[::-1].copy()[::-1],
    "read-only": lambda: read_only(LABELS),
}

ROWS = {
    "below 0": lambda: np.where(WORDS == 4, -1, WORDS),
    "as many as rows, or more": lambda: np.where(np.arange(N)[:, None] == N - 1, 9, WORDS),
    "fractions": lambda: WORDS + 0.25,
    "`nan`": lambda: np.where(WORDS == 4, np.nan, WORDS),
    "flags": lambda: WORDS > 4,
    "integers, signed or not, of any width": lambda: WORDS.astype(np.uint16),
    "whole numbers in floats": lambda: WORDS.astype(np.float16),
    "the other byte order": lambda: WORDS.astype(np.dtype(np.int32).newbyteorder()),
    "columns first (Fortran)": lambda: np.asfortranarray(WORDS),
}


# Where it is given -----------------------------------------------------------------------------------------


def fit(trainer, x, y, weight=None, **options):
    for shuffle in (False, True):
        trainer.fit(x, y, sample_weight=weight, batch_size=9, shuffle=shuffle, verbose=0, **options)


class Anew:
    """Batches that are gone through anew each epoch, and aren't looked at before."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


PLACES = {
    "`fit`": fit,
    "`batches`": lambda trainer, *batch: trainer.fit(Anew(batch), verbose=0) and None,
    "`validation_data`": lambda trainer, *data: fit(trainer, *GOOD[trainer.model.seed], validation_data=data),
    "`evaluate`": lambda trainer, x, y, weight=None: trainer.evaluate(x, y, sample_weight=weight, batch_size=9),
    "`step`": lambda trainer, x, y, weight=None: trainer.step(x, y, weight),
    "`predict`": lambda trainer, x, y, weight=None: trainer.predict(x, batch_size=9).tobytes(),
    "`sample_weight`": lambda trainer, x, y, weight: [
        PLACES[place](trainer, x, y, weight) for place in ("`fit`", "`batches`", "`evaluate`", "`step`")
    ],
    "`class_weight`": lambda trainer, x, y: fit(trainer, x, y, class_weight={0: 1.0, 1: 2.0, 2: 0.5}),
}  # fmt: skip
GOOD = [(X, Y), (X, LABELS), (WORDS, Y), (X, X)]  # what the trainers below were trained on, by their seeds


@cache
def trained(seed):
    """Return a trainer that has made its first steps."""
    head = [layers.Dense(3, "softmax")] if seed == 1 else [layers.BatchNormalization(), layers.Dense(2)]
    front = [layers.Embedding(9, 4), layers.Flatten()] if seed == 2 else [layers.Dense(19, "tanh")]
    model = Sequential([*front, layers.Dropout(0.2), *head], seed=seed)
    trainer = Trainer(model, optimizers.Adam(0.01), "sparse_categorical_crossentropy" if seed == 1 else "mse")
    trainer.fit(*GOOD[seed], batch_size=9, verbose=0)
    return trainer


def regressor():
    return trained(0).clone()


def classifier():
    return trained(1).clone()


def reader():
    return trained(2).clone()


def state(trainer):
    return everything(trainer), trainer.split, trainer.model.reuse.on


def assert_refused(make, place, word, *data):
    trainer = make()
    before = state(trainer)
    with pytest.raises(ValueError, match=re.escape(REFUSED[word])) as caught:
        PLACES[place](trainer, *data)
    assert re.match(r"[\w :']+: .*Received: ", str(caught.value))
    assert state(trainer) == before


def assert_taken(make, place, data, plain):
    found, expected = make(), make()
    assert PLACES[place](found, *data) == PLACES[place](expected, *plain)
    assert state(found) == state(expected)


def raw(given):
    return [np.asarray(part).tobytes() for part in (given if isinstance(given, (list, tuple)) else [given])]


def plain(given, dtype=None):
    array = np.asarray(given)
    return np.array(array, dtype or array.dtype.newbyteorder("="), order="C")


@pytest.mark.parametrize(("kind", "place", "word"), cells("Kinds of numbers"))
def test_a_kind_of_numbers(kind, place, word, tmp_path):
    spots = {"`predict`": [0], "`sample_weight`": [2]}.get(place, [0, 1])
    for spot in spots:
        for given in KINDS[kind](abs(WEIGHT) if spot == 2 else (X, Y)[spot], tmp_path):
            data = [X, Y, WEIGHT][: 3 if spot == 2 else 2]
            data[spot] = given
            if word in REFUSED:
                assert_refused(regressor, place, word, *data)
                continue
            before = raw(given)
            expected = [X, Y, WEIGHT][: len(data)]
            expected[spot] = plain(given, (np.float32, None, np.float64)[spot])
            assert_taken(regressor, place, data, expected)
            assert raw(given) == before
            if place == "`fit`" and isinstance(given, np.ndarray):
                assert np.shares_memory(Batches(*data).x if spot == 0 else Batches(*data).y, given)


@pytest.mark.parametrize("place", ["`fit`", "`batches`", "`validation_data`", "`evaluate`", "`step`"])
def test_targets_that_a_loss_sums_lie_as_contiguous_ones(place):
    y, found = rng.standard_normal((N, 37)).astype(np.float32), []
    for form in (np.asfortranarray(y), y):
        model = Sequential([layers.Dense(37)], seed=3)
        trainer = Trainer(model, "adam", "cosine_similarity")
        found.append((PLACES[place](trainer, X, form), state(trainer)))
    assert found[0] == found[1]


@pytest.mark.parametrize(("kind", "place", "word"), cells("Samples"))
def test_samples(kind, place, word):
    x, y = SHAPES[kind]()
    if word in REFUSED:
        assert_refused(regressor, place, word, x, y)
    else:
        assert regressor().predict(x).shape == (0, 2)


def assert_verdict(make, place, word, given, data):
    """See that what was `given` is refused or taken as the page says; `data` puts it beside the rest of x and y."""
    before = raw(given)
    if word in REFUSED:
        assert_refused(make, place, word, *data(given))
    else:
        assert_taken(make, place, data(given), data(plain(given, int)))
    assert raw(given) == before


@pytest.mark.parametrize(("kind", "place", "word"), cells("Labels of `sparse_categorical_crossentropy`"))
def test_labels(kind, place, word):
    assert_verdict(classifier, place, word, TARGETS[kind](), lambda labels: (X, labels))


@pytest.mark.parametrize(("kind", "place", "word"), cells("Integers of an `Embedding`"))
def test_integers_of_an_embedding(kind, place, word):
    assert_verdict(reader, place, word, ROWS[kind](), lambda rows: (rows, Y))


def test_the_page_tells_of_what_is_tried_and_of_nothing_else():
    made = {
        "Kinds of numbers": KINDS,
        "Samples": SHAPES,
        "Labels of `sparse_categorical_crossentropy`": TARGETS,
        "Integers of an `Embedding`": ROWS,
    }
    assert {title: list(rows) for title, rows in TABLES.items()} == {
        title: list(kinds) for title, kinds in made.items()
    }
    words = {word for rows in TABLES.values() for row in rows.values() for word in row.values()} - {"-"}
    assert {word.strip("*") for word in words if word.startswith("*")} == set(REFUSED)
    assert {word for word in words if not word.startswith("*")} == set(TAKEN)
    assert {place for rows in TABLES.values() for row in rows.values() for place in row} == set(PLACES)
