"""Damaged and hostile files: each is refused with one clear error, in bounded time and memory, and nothing changes."""

import contextlib
import copy
import hashlib
import json
import os
import random
import sys
import time
import tracemalloc

import nets
import numpy as np
import pytest
from bits import everything
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minidl
from minidl import callbacks
from minidl.saving import FileError, container, load_model

CHANGES, CUTS = 10_000, 1_000
MEMORY = 64 * 2**20  # bytes beyond which nobody may be driven by a file of some kilobytes
SECONDS = 10.0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The bytes of a checkpoint in the middle of an epoch, with all kinds of state."""
    folder = tmp_path_factory.mktemp("run")
    run(folder, stop=7)
    return max(folder.glob("checkpoint-*.safetensors")).read_bytes()


def model():
    made = nets.net("dense")
    made.compile("adam", "sparse_categorical_crossentropy", ["accuracy", "precision"])
    return made


def run(folder, stop=None, net=None):
    net = net or model()
    early = callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True)

    def halt(batch, logs):
        if net.trainer.optimizer.iterations == stop:
            os.kill(os.getpid(), 2)

    policy = minidl.CheckpointPolicy(folder, every_steps=1)
    heard = [early, callbacks.Lambda(on_train_batch_end=halt)]
    x, y = nets.NETS["dense"][0], nets.LABELS
    return net.fit(x, y, batch_size=5, epochs=4, callbacks=heard, verbose=0, checkpoint=policy, resume=True)


def refused(content, path):
    """See that a file of these bytes is refused by whoever reads it; return the error's text."""
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        load_model(path)
    text = str(caught.value)
    assert text.startswith(f"load_model: {path}: ")
    assert "Received: " in text
    assert len(text) < 2000
    return text


# Damage ----------------------------------------------------------------------------------------------------


def test_ten_thousand_changed_bytes_are_ten_thousand_refusals(checkpoint, tmp_path):
    dice = random.Random(1)
    path = tmp_path / "c.safetensors"
    header = 8 + int.from_bytes(checkpoint[:8], "little")
    places = [
        *range(160),
        *dice.sample(range(160, header), 4840),
        *dice.choices(range(header, len(checkpoint)), k=5000),
    ]
    assert len(places) == CHANGES
    for place in places:
        content = bytearray(checkpoint)
        content[place] ^= dice.randrange(1, 256)
        refused(content, path)


def test_a_thousand_cut_files_are_a_thousand_refusals(checkpoint, tmp_path):
    dice = random.Random(2)
    path = tmp_path / "c.safetensors"
    for size in [*range(200), *dice.sample(range(200, len(checkpoint)), CUTS - 200)]:
        refused(checkpoint[:size], path)


@pytest.mark.parametrize("more", [b"\0", b" " * 8, b"{}"])
def test_more_bytes_than_there_were_are_refused(checkpoint, tmp_path, more):
    refused(checkpoint + more, tmp_path / "c.safetensors")
    refused(more + checkpoint, tmp_path / "c.safetensors")


@pytest.mark.parametrize("read", ["load_model", "load_weights", "fit"])
def test_a_damaged_file_changes_nothing_of_what_was_to_take_it(checkpoint, tmp_path, read):
    path = tmp_path / "checkpoint-000000007.safetensors"
    path.write_bytes(checkpoint[:-1] + b"\7")
    net = model()
    before = everything(net.trainer), net.get_config()
    with pytest.raises(FileError, match=f"{path.name}: it is damaged"):
        {
            "load_model": lambda: load_model(path),
            "load_weights": lambda: net.load_weights(path),
            "fit": lambda: run(tmp_path, net=net),
        }[read]()
    assert (everything(net.trainer), net.get_config()) == before
    assert path.read_bytes() == checkpoint[:-1] + b"\7"


def test_the_checkpoint_before_serves_if_the_last_one_is_damaged(tmp_path):
    whole = run(tmp_path / "whole")
    run(tmp_path / "run", stop=7)
    last = max((tmp_path / "run").glob("checkpoint-*.safetensors"))
    content = bytearray(last.read_bytes())
    content[-1] ^= 1
    last.write_bytes(content)
    with pytest.warns(minidl.saving.ResumeWarning, match=r"checkpoint-000000007.*damaged.*checkpoint-000000006"):
        again = run(tmp_path / "run")
    assert again == whole
    assert (tmp_path / "run" / f"{last.name}.damaged").read_bytes() == bytes(content)


# What somebody who means harm writes, with a digest that is right --------------------------------------------


def parts(content):
    """Return the header of a file, its document, and its data."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    document = json.loads(header.pop("__metadata__")["minidl"])
    del document["sha256"]
    return header, document, content[8 + length :]


def seal(header, document, data, more_metadata=None):
    """Return a file of these parts whose digest is right."""
    text = json.dumps({"sha256": "0" * 64, **document}, separators=(",", ":"))
    metadata = {"__metadata__": {"minidl": text, **(more_metadata or {})}}
    head = json.dumps({**metadata, **header}, separators=(",", ":")).encode()
    return sealed(head + b" " * (-len(head) % 8), data)


def sealed(head, data):
    content = len(head).to_bytes(8, "little") + head + data
    return content.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode(), 1)


def test_a_sealed_file_is_read_if_it_is_whole(checkpoint, tmp_path):
    path = tmp_path / "c.safetensors"
    path.write_bytes(seal(*parts(checkpoint)))
    assert load_model(path).built
    assert path.read_bytes() == checkpoint


def put(tree, path, value):
    """Put a value where `path` leads in a tree."""
    *way, last = path
    for step in way:
        tree = tree[step]
    tree[last] = value


def nested(depth):
    tree = {}
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def models_in_models(depth):
    tree = {"class": "Dense", "units": 3, "name": "d"}
    for _ in range(depth):
        tree = {"class": "Sequential", "layers": [tree], "seed": 0, "dtype": "float32", "name": "s"}
    return tree


HUGE = 10**12
EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
LAYERS = ("model", "layers")
FORGED = {
    # the document
    "a class that isn't registered": lambda h, d: put(d, (*LAYERS, 1, "class"), "Malice"),
    "a class of a module": lambda h, d: put(d, (*LAYERS, 1, "class"), "os.system"),
    "a function instead of a class": lambda h, d: put(d, (*LAYERS, 1, "class"), "__import__"),
    "a class of another kind": lambda h, d: put(d, (*LAYERS, 1, "class"), "Adam"),
    "no class": lambda h, d: put(d, (*LAYERS, 1), {"units": 3}),
    "a text instead of a layer": lambda h, d: put(d, (*LAYERS, 1), "dense"),
    "a layer instead of a model": lambda h, d: put(d, ("model",), d["model"]["layers"][1]),
    "a number instead of a model": lambda h, d: put(d, ("model",), 7),
    "no model": lambda h, d: put(d, ("model",), None),
    "no layers": lambda h, d: put(d, LAYERS, []),
    "an argument that isn't known": lambda h, d: put(d, (*LAYERS, 1, "command"), "rm -rf"),
    "an argument of another kind": lambda h, d: put(d, (*LAYERS, 1, "units"), "many"),
    "more units than there are weights": lambda h, d: put(d, (*LAYERS, 1, "units"), HUGE),
    "fewer units than there are weights": lambda h, d: put(d, (*LAYERS, 1, "units"), 2),
    "a huge input": lambda h, d: put(d, (*LAYERS, 0, "shape"), {"@tuple": [HUGE]}),
    "an input of many axes": lambda h, d: put(d, (*LAYERS, 0, "shape"), {"@tuple": [1] * 10_000}),
    "a negative input": lambda h, d: put(d, (*LAYERS, 0, "shape"), {"@tuple": [-1]}),
    "a huge image": lambda h, d: put(
        d, LAYERS, [{"class": "Input", "shape": {"@tuple": [HUGE, HUGE, 1]}}, {"class": "AveragePooling2D"}]
    ),
    "a table with a row for every number": lambda h, d: put(
        d,
        LAYERS,
        [{"class": "Input", "shape": {"@tuple": [2]}}, {"class": "Embedding", "input_dim": HUGE, "output_dim": 9}],
    ),
    "a wide LSTM": lambda h, d: put(
        d, LAYERS, [{"class": "Input", "shape": {"@tuple": [2, 2]}}, {"class": "LSTM", "units": HUGE}]
    ),
    "many layers": lambda h, d: put(d, LAYERS, [{"class": "ReLU"}] * 30_000),
    "thousands of layers": lambda h, d: put(
        d, LAYERS, [{"class": "Input", "shape": {"@tuple": [3]}}, *[{"class": "Dense", "units": 3}] * 1_500]
    ),
    "models in models": lambda h, d: put(d, ("model",), models_in_models(300)),
    "another dtype": lambda h, d: put(d, ("model", "dtype"), "float64"),
    "a dtype that isn't one": lambda h, d: put(d, ("model", "dtype"), "object"),
    "a seed that isn't one": lambda h, d: put(d, ("model", "seed"), "1"),
    "a path as a layer's name": lambda h, d: put(d, (*LAYERS, 1, "name"), "../../etc/passwd"),
    "another name": lambda h, d: put(d, (*LAYERS, 1, "name"), "dance"),
    "settings of nobody": lambda h, d: put(d, ("settings", "parameters"), {"../x": {"trainable": False}}),
    "a setting that isn't one": lambda h, d: put(d, ("settings", "parameters"), {"dense/kernel": {"data": 1}}),
    "settings of another kind": lambda h, d: put(d, ("settings",), [1]),
    "an unknown optimizer": lambda h, d: put(d, ("training", "optimizer", "class"), "Malice"),
    "another optimizer": lambda h, d: put(d, ("training", "optimizer"), {"class": "SGD"}),
    "an optimizer's state of another kind": lambda h, d: put(d, ("training", "state"), 3),
    "a slot that isn't there": lambda h, d: d["training"]["state"]["parameters"]["dense/kernel"]["slots"].pop("m"),
    "a parameter that isn't there": lambda h, d: d["training"]["state"]["parameters"].pop("dense/kernel"),
    "a negative step": lambda h, d: put(d, ("training", "state", "iterations"), -1),
    "a rate that isn't a number": lambda h, d: put(
        d, ("training", "state", "hyperparameters", "learning_rate"), {"@float": "nan"}
    ),
    "an unknown loss": lambda h, d: put(d, ("training", "loss", "class"), "Lost"),
    "an unknown metric": lambda h, d: put(d, ("training", "metrics", 0, "class"), "Miles"),
    "metrics of another kind": lambda h, d: put(d, ("training", "metrics"), 5),
    "no training": lambda h, d: d.pop("training"),
    "another kind of file": lambda h, d: put(d, ("kind",), "virus"),
    "another format": lambda h, d: put(d, ("format",), 2),
    "a document that is a list": lambda h, d: d.clear(),
    "a mark that isn't known": lambda h, d: put(d, ("fit",), {"@pickle": "gASV"}),
    "a mark with company": lambda h, d: put(d, ("fit",), {"@tuple": [], "x": 1}),
    "an array that isn't there": lambda h, d: put(d, ("fit",), {"@tensor": "nowhere"}),
    "the model's array as a state's": lambda h, d: put(d, ("fit",), {"@tensor": "dense/kernel"}),
    "an array used twice": lambda h, d: put(d, ("fit",), [{"@tensor": name} for name in h if name[0] == "@"] * 2),
    "an array that nobody uses": lambda h, d: put(d, ("training", "state"), {}),
    "a key that can't be one": lambda h, d: put(d, ("fit",), {"@items": [[{"a": 1}, 2]]}),
    "a dict that is none": lambda h, d: put(d, ("fit",), {"@items": [1]}),
    "a deep state": lambda h, d: put(d, ("fit",), nested(900)),
    # the tensors
    "a dtype of another size": lambda h, d: put(h, ("dense/kernel", "dtype"), "F64"),
    "a dtype of the same size": lambda h, d: put(h, ("dense/kernel", "dtype"), "I32"),
    "a dtype that NumPy doesn't have": lambda h, d: put(h, ("dropout/seed", "dtype"), "F8_E4M3"),
    "an unknown dtype": lambda h, d: put(h, ("dense/kernel", "dtype"), "O"),
    "another shape": lambda h, d: put(h, ("dense/kernel", "shape"), [48]),
    "a huge shape": lambda h, d: put(h, ("dense/kernel", "shape"), [2**40, 2**40]),
    "a shape that overflows": lambda h, d: put(h, ("dense/kernel", "shape"), [2**63, 2]),
    "a negative shape": lambda h, d: put(h, ("dense/kernel", "shape"), [-6, -8]),
    "a fraction as a shape": lambda h, d: put(h, ("dense/kernel", "shape"), [6.5, 8]),
    "offsets beyond the file": lambda h, d: put(h, ("dense/kernel", "data_offsets"), [0, 2**40]),
    "offsets that overlap": lambda h, d: put(
        h, ("dense/kernel", "data_offsets"), list(h["dense_1/kernel"]["data_offsets"])
    ),
    "offsets backwards": lambda h, d: put(h, ("dense/kernel", "data_offsets"), h["dense/kernel"]["data_offsets"][::-1]),
    "negative offsets": lambda h, d: put(h, ("dense/kernel", "data_offsets"), [-192, 0]),
    "a hole between tensors": lambda h, d: h.pop("dense/kernel"),
    "a tensor of nobody's": lambda h, d: put(h, ("../../evil",), dict(EMPTY)),
    "a tensor that is a number": lambda h, d: put(h, ("dense/kernel",), 3),
    "a tensor without a shape": lambda h, d: h["dense/kernel"].pop("shape"),
    "thousands of tensors": lambda h, d: h.update(
        {f"t{i}": EMPTY for i in range(20_000)}
    ),
    "a deep header": lambda h, d: put(h, ("dense/kernel",), nested(900)),
}  # fmt: skip


def bounded(function, memory=MEMORY):
    """Call a function; see that it takes neither long nor much memory."""
    start = time.monotonic()
    function()
    assert time.monotonic() - start < SECONDS
    tracemalloc.start()
    try:
        function()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < memory


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_file_is_refused(checkpoint, tmp_path, name):
    header, document, data = parts(checkpoint)
    FORGED[name](header, document)
    content = seal(header, document, data)
    modules = set(sys.modules)
    bounded(lambda: refused(content, tmp_path / "c.safetensors"))
    assert not set(sys.modules) - modules  # nothing that a file names is imported


FRONT = container.PREFIX + b"0" * 64
HEADS = {
    "a header longer than the file": lambda content: (2**40).to_bytes(8, "little") + content[8:],
    "the longest header": lambda content: b"\xff" * 8 + content[8:],
    "a header of length 0": lambda content: bytes(8) + content[8:],
    "brackets without end": lambda content: sealed(FRONT + b'\\"}"},"a":' + b"[" * 10**6, b""),
    "braces without end": lambda content: sealed(FRONT + b'\\"}"},' + b'"a":{' * 10**6, b""),
    "a header of megabytes": lambda content: sealed(
        FRONT + b'\\"}"}' + b"".join(b',"%d":' % i + json.dumps(EMPTY).encode() for i in range(20_000)) + b"}", b""
    ),
    "no JSON": lambda content: sealed(FRONT + b"\x00\xff\xfe", b""),
    "no text": lambda content: sealed(FRONT + b'\\"}"},"\xff\xfe":1}', b""),
    "a document that is cut off": lambda content: sealed(FRONT + b'"}}', b""),
    "nothing": lambda content: b"",
    "a picture": lambda content: b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "a pickle": lambda content: __import__("pickle").dumps({"a": np.ones(3)}) + bytes(200),
    "plain safetensors": lambda content: __import__("safetensors.numpy").numpy.save({"w": np.ones(100)}),
    "zeros": lambda content: bytes(10_000),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_a_file_with_another_head_is_refused(checkpoint, tmp_path, name):
    content = HEADS[name](checkpoint)
    # A header of megabytes is read, and takes a multiple of its size.
    bounded(lambda: refused(content, tmp_path / "c.safetensors"), MEMORY + 40 * min(len(content), container.HEADER))


def test_a_huge_file_of_nothing_takes_no_memory(tmp_path):
    path = tmp_path / "c.safetensors"
    with path.open("wb") as file:
        file.truncate(2**40)

    def read():
        with pytest.raises(FileError, match="it must be a file that minidl has saved"):
            load_model(path)

    bounded(read)


@pytest.mark.skipif(os.name != "posix", reason="POSIX's special files")
def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(FileError, match=r"it must be a file\. Received: a folder, or another thing"):
            load_model(path)


def resumed_or_refused(checkpoint, folder, cases, seed):
    """Change a checkpoint's document in one place after the other, and go on from it; return how many are refused."""
    header, document, data = (json.dumps(part) if isinstance(part, dict) else part for part in parts(checkpoint))
    dice, refusals = random.Random(seed), 0
    # A metric's sums may be any numbers: only the metric would know.
    ways = [way for way in _ways(json.loads(document)) if way[:3] != ("fit", "means", "metrics")]
    path = folder / "checkpoint-000000007.safetensors"
    for _ in range(cases):
        changed, way = json.loads(document), dice.choice(ways)
        put(changed, way, copy.deepcopy(dice.choice(VALUES)))
        for left in folder.iterdir():
            left.unlink()
        path.write_bytes(seal(json.loads(header), changed, data))
        net = model()
        before = everything(net.trainer)
        try:
            run(folder, net=net)  # what was changed may be of no account, or what could have been
        except FileError:
            refusals += 1
            assert everything(net.trainer) == before
    return refusals


VALUES = (
    None, True, -1, 0, 3, 2.5, {"@float": "nan"}, "x", "", [], [1], {}, {"a": 1}, {"@tensor": "dense/kernel"},
    {"@tuple": [1, 2]}, {"@items": [[1, 2]]}, [[1, 2, 3]], [["EarlyStopping", 0, {}]],
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::minidl.saving.ResumeWarning")
def test_a_forged_checkpoint_is_gone_on_from_or_refused_whole(checkpoint, tmp_path):
    assert resumed_or_refused(checkpoint, tmp_path, 150, seed=1) > 20


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::minidl.saving.ResumeWarning")
def test_five_thousand_forged_checkpoints_are_gone_on_from_or_refused_whole(checkpoint, tmp_path):
    assert resumed_or_refused(checkpoint, tmp_path, 5_000, seed=2) > 1_000


# A fuzzer --------------------------------------------------------------------------------------------------


def fuzz(checkpoint, folder, seconds):
    """Try what Hypothesis comes upon for that many seconds; return how many files were read and how many refused."""
    path, found = folder / "c.safetensors", {"read": 0, "refused": 0}
    end = time.monotonic() + seconds
    head, doc, body = (json.dumps(part) if not isinstance(part, bytes) else part for part in parts(checkpoint))
    ways = list(_ways(json.loads(doc)))
    values = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=8),
        st.lists(st.integers(-3, 3), max_size=3), st.just({}), st.just([]), st.sampled_from(
            [{"@tensor": "dense/kernel"}, {"@tuple": [1]}, {"@items": [[1, 2]]}, {"@float": "nan"}, {"class": "Adam"}]
        ),
    )  # fmt: skip

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def some(data):
        kind = data.draw(st.sampled_from(["bytes", "splice", "document", "header"]))
        if kind == "bytes":
            content = data.draw(st.binary(max_size=300))
        elif kind == "splice":
            content = bytearray(checkpoint)
            for _ in range(data.draw(st.integers(1, 4))):
                at = data.draw(st.integers(0, len(content)))
                content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
        else:
            header, document = json.loads(head), json.loads(doc)
            for _ in range(data.draw(st.integers(1, 3))):
                target = document if kind == "document" else header
                way = data.draw(st.sampled_from(ways if kind == "document" else list(_ways(header))))
                with contextlib.suppress(KeyError, IndexError, TypeError):  # cut off by the change before
                    put(target, way, copy.deepcopy(data.draw(values)))
            try:
                content = seal(header, document, body)
            except ValueError:
                return
        path.write_bytes(content)
        tracemalloc.start()
        try:
            try:
                load_model(path)
                found["read"] += 1  # what was changed is of no account for a model
            except FileError:
                found["refused"] += 1
            assert tracemalloc.get_traced_memory()[1] < MEMORY
        finally:
            tracemalloc.stop()

    while time.monotonic() < end:
        some()
    return found


def _ways(tree, way=()):
    """Give the ways to all places in a tree."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*way, key)
        yield from _ways(value, (*way, key))


def test_the_loader_is_fuzzed_for_two_seconds(checkpoint, tmp_path):
    found = fuzz(checkpoint, tmp_path, 2)
    assert found["read"]
    assert found["refused"] > 50


@pytest.mark.slow
def test_the_loader_is_fuzzed_for_two_minutes(checkpoint, tmp_path):
    found = fuzz(checkpoint, tmp_path, 120)
    assert found["read"]
    assert found["refused"] > 1_000
