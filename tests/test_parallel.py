"""Several processes that train one model: as one process does, to rounding, and all of them the same, bit for bit."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi import TESTS, mpiexec
from pages import blocks

from minidl import Sequential, Trainer, layers
from minidl.saving.setup import agreement
from minidl.training.ranks import Ranks

Found = dict[str, Any]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Found:
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, str(TESTS / "ranks.py"), str(folder), "alone"], check=True)
    return pickle.loads((folder / "alone.pickle").read_bytes())


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def ranks(request, tmp_path_factory) -> tuple[Path, list[Found]]:
    """What each of two or three ranks has found."""
    folder = tmp_path_factory.mktemp(f"ranks-{request.param}")
    done = mpiexec(request.param, "-m", "mpi4py", str(TESTS / "ranks.py"), str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, [pickle.loads((folder / f"rank-{i}.pickle").read_bytes()) for i in range(request.param)]


def same(one: Found, other: Found) -> None:
    """See that two fits had the same figures, and ended with the same weights, bit for bit."""
    assert one["history"] == other["history"]
    for name, array in one["weights"].items():
        np.testing.assert_array_equal(array, other["weights"][name], err_msg=name)


def test_all_is_as_in_one_process_to_rounding(alone: Found, ranks: tuple[Path, list[Found]]) -> None:
    found = ranks[1][0]["cases"]
    assert list(found) == list(alone["cases"])
    assert len(found) > 30
    for name, one in alone["cases"].items():
        tolerance = 2e-4 if name.endswith("float32") else 1e-11
        for column, values in one["history"].items():
            np.testing.assert_allclose(
                found[name]["history"][column], values, rtol=tolerance, atol=tolerance, err_msg=f"{name} {column}"
            )
        for path, array in one["weights"].items():
            np.testing.assert_allclose(
                found[name]["weights"][path], array, rtol=tolerance, atol=tolerance, err_msg=f"{name} {path}"
            )


def test_all_ranks_are_the_same_bit_for_bit(ranks: tuple[Path, list[Found]]) -> None:
    first, *others = ranks[1]
    for other in others:
        for name, one in first["cases"].items():
            same(one, other["cases"][name])
        for name in ("signal", "stop", "batch normalisation", "skipped"):
            same(first["together"][name], other["together"][name])


def test_a_signal_to_one_rank_ends_all_after_the_same_step(ranks: tuple[Path, list[Found]]) -> None:
    for found in ranks[1]:
        assert found["together"]["signal"]["interrupted"] is True
        assert len(found["together"]["signal"]["history"]["loss"]) == 1
        assert found["together"]["stop"]["interrupted"] is False
        assert len(found["together"]["stop"]["history"]["loss"]) == 2


def test_a_step_that_cannot_be_made_is_skipped_by_all(ranks: tuple[Path, list[Found]]) -> None:
    for found in ranks[1]:
        assert found["together"]["skipped"]["history"]["skipped"] == [1, 1]


@pytest.mark.parametrize("what", ["the seed", "the model", "the optimizer", "how parameters are trained"])
def test_ranks_that_disagree_are_told_all_of_them(ranks: tuple[Path, list[Found]], what: str) -> None:
    for found in ranks[1]:
        assert found["together"][f"disagreed on {what}"].startswith(
            f"fit: {what} must be the same on all ranks. Received: "
        )


def test_what_is_frozen_belongs_to_what_ranks_agree_on() -> None:
    def told(trainable: bool) -> dict[str, Any]:
        model = Sequential([layers.Input((2,)), layers.Dense(3), layers.Dense(2)], seed=0)
        model.layers[0].trainable = trainable
        return agreement(Trainer(model, "sgd", "mse"))

    assert told(True) == told(True)
    assert {name for name, value in told(True).items() if value != told(False)[name]} == {"how parameters are trained"}


def test_rank_0_alone_writes_and_all_resume(ranks: tuple[Path, list[Found]]) -> None:
    folder, all_found = ranks
    for found in all_found:
        files = found["together"]["files"]
        assert files["first"]["interrupted"] is True
        assert files["again"]["interrupted"] is False
        same(files["again"], files["whole"])
        assert files["refused"] == "FileExistsError"
    log = (folder / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "0", "1", "2", "3"]
    assert len(list(folder.glob("model-*.safetensors"))) == 4
    assert not [path for path in (folder / "files").iterdir() if path.name.endswith(("damaged", "part"))]


def test_the_page_of_parallel_training_says_what_is_so(tmp_path: Path) -> None:
    script, commands = blocks("docs/parallel.md")
    assert commands.text.endswith("mpiexec -n 2 python -m mpi4py train.py\n")
    (tmp_path / "train.py").write_text(script.text, encoding="utf-8")
    done = mpiexec(2, "-m", "mpi4py", "train.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [float(line) > 0.8 for line in done.stdout.splitlines()] == [True]
    assert done.stderr.count("Epoch 3/3: loss=") == 1  # rank 0 alone shows how it goes
    assert (tmp_path / "model.safetensors").exists()


# Without MPI -------------------------------------------------------------------------------------------------------


class One:
    """A communicator of one process, or one that says that there are more."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def Get_rank(self) -> int:  # noqa: N802
        return self.rank

    def Get_size(self) -> int:  # noqa: N802
        return self.size

    def Allreduce(self, sent: np.ndarray, received: np.ndarray) -> None:  # noqa: N802
        received[...] = sent

    def allgather(self, thing: Any) -> list[Any]:
        return [thing]

    def bcast(self, thing: Any, root: int) -> Any:
        return thing


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [1, 2, 6, 7, 20])
def test_shares_are_all_of_a_batch_in_its_order(size: int, n: int) -> None:
    batch = np.arange(n)[:, None], np.arange(n), np.arange(n) / n
    parts = [Ranks(One(rank, size)).share(batch) for rank in range(size)]
    for i, whole in enumerate(batch):
        np.testing.assert_array_equal(np.concatenate([part[i] for part in parts]), whole)
    lengths = [len(part[0]) for part in parts]
    assert max(lengths) - min(lengths) <= 1
    assert [Ranks(One(rank, size)).first(batch) for rank in range(size)] == [
        sum(lengths[:rank]) for rank in range(size)
    ]


def test_a_communicator_of_one_is_one_process_alone_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 4)), rng.integers(0, 2, 30)
    fits = []
    for communicator in (None, One()):
        model = Sequential([layers.Dense(5, "relu"), layers.Dropout(0.3), layers.BatchNormalization(),
                            layers.Dense(2, "softmax")], seed=0)  # fmt: skip
        trainer = Trainer(model, "adam", "sparse_categorical_crossentropy", ["accuracy"], communicator=communicator)
        trainer = trainer.clone()
        history = trainer.fit(x, y, batch_size=7, epochs=2, validation_split=0.2, verbose=0)
        fits.append({"history": history.history, "weights": trainer.model.state_dict()})
    same(*fits)


def test_what_is_no_communicator_is_refused() -> None:
    model = Sequential([layers.Dense(1)], seed=0)
    with pytest.raises(TypeError, match=r"communicator must be mpi4py's, or like it. Received: 3, .* Get_rank"):
        Trainer(model, "sgd", "mse", communicator=3)
    with pytest.raises(TypeError, match=r"can't be pickled"):
        pickle.dumps(Trainer(model, "sgd", "mse", communicator=One()))
