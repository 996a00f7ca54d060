"""Faults planted in the code, to see that the tests find them: `python -m benchmarks.mutation --sample 400`.

cosmic-ray's operators (the extra `mutation`) make mutants of the optimizers, schedules and losses, each with one fault:
`-` for `+`, `<=` for `<`, 0 for 1, `not` before a condition, a loop that never runs. Each is tried on the fast tests of
its module, in a copy of the checkout. It is killed if a test fails or if they don't end in time; else it survives:
either no test holds what it changes, or it is equivalent. `--equivalent` names a TOML file that tells those that are,
by default benchmarks/equivalent.toml:

    [[mutant]]
    file = "minidl/losses.py"
    before = "if size > 0:"
    after = "if size != 0:"
    reason = "a size is never negative"

They are tried all the same, and counted apart; an entry that a test kills, or whose line is gone, is told.

`--out` names a JSON file that has each mutant as soon as it is done; the same command goes on from there. If the code
or the tests have changed since, it begins anew. The exit status is 1 if the score is below `--least`, 2 if the tests
fail without a fault. For Python 3.11 and POSIX.
"""

import argparse
import collections
import difflib
import fnmatch
import hashlib
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import tomllib
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from tqdm import tqdm

from benchmarks.environment import describe

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "comparison")

# What is mutated, and the tests to kill it after the module's own doctests: those first that kill most in their time.
TESTS = {
    "minidl/optimizers/*.py": ("hooks", "laws", "optimizers", "engine", "execution", "outer"),
    "minidl/schedules.py": ("schedules", "engine"),
    "minidl/losses.py": ("losses", "check_loss"),
    "minidl/targets.py": ("losses", "metrics", "check_loss"),
}

# What runs them. Hypothesis is quick without shrinking; without chance or a database each run is as the last. The limit
# is for a mutant that would take all of the memory.
RUN = """
import resource, sys, pytest
class Profile:
    def pytest_configure(self):
        from hypothesis import Phase, settings
        quick = {"max_examples": 20, "phases": [Phase.explicit, Phase.generate], "deadline": None}
        settings.register_profile("mutation", **quick, derandomize=True, database=None)
        settings.load_profile("mutation")
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
sys.exit(pytest.main(["-x", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *sys.argv[1:]], [Profile()]))
"""
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"}

BITS = {"RShift", "LShift", "BitOr", "BitAnd", "BitXor", "Invert"}
Key = tuple[str, str, int]
Text = tuple[str, str, str]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
OUTCOMES = ("killed", "timed out", "survived", "equivalent")


@dataclass
class Mutant:
    """A fault; the lines that differ, from `line` on, `before` and `after`; and how it fared."""

    file: str
    operator: str
    occurrence: int
    line: int = 0
    before: str = ""
    after: str = ""
    outcome: str = ""
    seconds: float = 0.0
    killer: str = ""

    @property
    def key(self) -> Key:
        """What it is known by among the mutants of the same code."""
        return self.file, self.operator, self.occurrence

    @property
    def text(self) -> Text:
        """What it is known by in the list of equivalent mutants."""
        return self.file, self.before, self.after


def why_not(operator: str, node: Any) -> str:
    """Return why a mutant at this node of the tree could tell nothing; empty if it could."""
    kinds = operator.split("_")[1:]
    if "Delete" not in kinds and len({kind in BITS for kind in kinds}) > 1:
        return "operators of bits for those of numbers, or back: a TypeError or no change"
    if kinds in (["Eq", "Is"], ["NotEq", "IsNot"]):
        return "`is` for `==`: no change for small numbers and for names"
    if "ReplaceBinary" in operator and node.get_previous_leaf().value in {"(", "[", "{", ",", "lambda"}:
        return "`*` and `**` that unpack or part parameters: no operators"
    while node.parent:
        above = node.parent
        if (
            above.type == "tfpdef"  # an argument and its annotation
            or (above.type == "annassign" and node is above.children[1])
            or (above.type == "funcdef" and node is above.annotation)
        ):
            return "annotations"
        if node.type == "if_stmt" and "TYPE_CHECKING" in node.children[1].get_code():
            return "imports for types"
        node = above
    return ""


def mutants(file: str, source: str, left_out: collections.Counter[str]) -> Iterator[Mutant]:
    """Yield the mutants of a module, and count those that could tell nothing."""
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments():  # it wants the names of variables
            continue
        places = (node for node in nodes for _ in operator().mutation_positions(node))
        for occurrence, node in enumerate(places):
            reason = why_not(name, node)
            if reason:
                left_out[reason] += 1
            else:
                yield Mutant(file, name, occurrence)


def mutate(mutant: Mutant, source: str) -> str:
    """Return the code with the fault, and note where it differs."""
    code = str(mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence))
    _, _, place, *lines = difflib.unified_diff(source.splitlines(), code.splitlines(), lineterm="", n=0)
    mutant.line = int(re.findall(r"\d+", place)[0])
    mutant.before, mutant.after = ("\n".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return code


def drawn(found: list[Mutant], sample: int, seed: int) -> list[Mutant]:
    """Return about so many mutants, of each file in proportion to its own."""
    result = []
    for file in dict.fromkeys(mutant.file for mutant in found):
        own = [mutant for mutant in found if mutant.file == file]
        shuffled = random.Random(f"{seed} {file}").sample(own, len(own))  # so that a larger sample holds the smaller
        result += shuffled[: round(len(own) * sample / len(found))]
    return result


def run_tests(copy: Path, file: str, code: str | None = None, limit: float | None = None) -> tuple[str, float, str]:
    """Return the outcome of a module's tests in a copy of the checkout, the seconds, and the first test that failed.

    `code`, if given, stands in the module's place meanwhile.
    """
    path = copy / file
    source = path.read_bytes()
    names = next(names for pattern, names in TESTS.items() if fnmatch.fnmatch(file, pattern))
    command = [sys.executable, "-c", RUN, file, *(f"tests/test_{name}.py" for name in names)]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(copy)}
    if code is not None:
        path.write_text(code, encoding="utf-8")
        environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant, compiled, could be taken for the next one
    start = time.perf_counter()
    try:
        with (copy / "output.txt").open("w+", encoding="utf-8") as out:
            status = subprocess.call(command, cwd=copy, env=environment, stdout=out, stderr=out, timeout=limit)
            out.seek(0)
            failed = [line.split()[1] for line in out if line.startswith(("FAILED ", "ERROR "))]
    except subprocess.TimeoutExpired:
        return "timed out", time.perf_counter() - start, ""
    finally:
        path.write_bytes(source)
    seconds = time.perf_counter() - start
    return ("killed", seconds, (failed or [f"exit status {status}"])[0]) if status else ("survived", seconds, "")


def limits(copy: Path, files: Iterable[str]) -> dict[str, float]:
    """Return the time for each file's tests; raise RuntimeError unless they pass as they are, and see a fault."""
    result: dict[str, float] = {}
    for pattern in TESTS:
        own = [file for file in files if fnmatch.fnmatch(file, pattern)]
        if own:
            outcome, seconds, failed = run_tests(copy, own[0])
            if outcome != "survived":
                output = (copy / "output.txt").read_text(encoding="utf-8")
                raise RuntimeError(f"the tests of {pattern} fail before any fault: {failed}\n{output}")
            if run_tests(copy, own[0], "raise RuntimeError")[0] != "killed":
                raise RuntimeError(f"the tests of {pattern} pass with a broken {own[0]}: is it another minidl's?")
            result.update(dict.fromkeys(own, 3 * seconds + 10))
    return result


def try_all(todo: list[Mutant], first: Path, workers: int) -> Iterator[Mutant]:
    """Yield the mutants as they are done, each in one of so many copies of the first copy."""
    copies = [Path(shutil.copytree(first, f"{first}-{number}")) for number in range(workers)]
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)
    with ThreadPool(workers) as pool:
        files = list(dict.fromkeys(mutant.file for mutant in todo))
        measured = pool.map(lambda copy: limits(copy, files), copies)  # all at once, as they will run

        def trial(mutant: Mutant) -> Mutant:
            copy = free.get()
            limit = max(one[mutant.file] for one in measured)
            code = mutate(mutant, (first / mutant.file).read_text(encoding="utf-8"))
            mutant.outcome, mutant.seconds, mutant.killer = run_tests(copy, mutant.file, code, limit)
            free.put(copy)
            return mutant

        yield from pool.imap_unordered(trial, todo)


def state(copy: Path) -> str:
    """Return a digest of the code and its tests, for which alone an outcome holds."""
    digest = hashlib.sha256(repr((TESTS, RUN)).encode())
    for path in [*sorted(copy.glob("minidl/**/*.py")), *sorted(copy.glob("tests/*.py")), copy / "conftest.py"]:
        digest.update(path.relative_to(copy).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def save(path: Path, head: dict[str, Any], tried: Iterable[Mutant]) -> None:
    """Write all that is known; the file is whole at any time."""
    text = json.dumps({**head, "mutants": [asdict(mutant) for mutant in tried]}, indent=1, ensure_ascii=False)
    path.with_suffix(".part").write_text(text + "\n", encoding="utf-8")
    path.with_suffix(".part").replace(path)


def summary(tried: list[Mutant], reasons: dict[Text, str]) -> dict[str, dict[str, float]]:
    """Return the counts and the score in percent of each file, and of all."""
    result: dict[str, dict[str, float]] = {}
    for file in [*sorted({mutant.file for mutant in tried}), "all"]:
        own = [mutant for mutant in tried if file in (mutant.file, "all")]
        kinds = ["equivalent" if one.outcome == "survived" and one.text in reasons else one.outcome for one in own]
        counts = {outcome: kinds.count(outcome) for outcome in OUTCOMES}
        score = 100 * (1 - counts["survived"] / max(1, len(own) - counts["equivalent"]))
        result[file] = {"mutants": len(own), **counts, "score": round(score, 2)}
    return result


def text_of(counts: dict[str, dict[str, float]], tried: list[Mutant], reasons: dict[Text, str]) -> str:
    """Return the table, and below it the survivors."""
    lines = [" " * 32 + "".join(f"{name:>12}" for name in counts["all"])]
    lines += [f"{file:32}" + "".join(f"{value:12g}" for value in row.values()) for file, row in counts.items()]
    for mutant in sorted(tried, key=lambda mutant: (mutant.file, mutant.line)):
        known = reasons.get(mutant.text)
        if mutant.outcome == "survived":
            title = f"equivalent ({known})" if known else "survived"
            before, after = ("\n  ".join(text.splitlines()) for text in mutant.text[1:])
            lines.append(f"\n{mutant.file}:{mutant.line} {title}, {mutant.operator}\n- {before}\n+ {after}")
        elif known:
            lines.append(f"\n{mutant.file}:{mutant.line} is no equivalent: {mutant.killer or mutant.outcome}")
    return "\n".join(lines)


def main() -> int:
    """Try the mutants, print the table and the survivors, and return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("files", nargs="*", default=[*TESTS], help="patterns of files; all, unless given")
    parser.add_argument("--sample", type=int, default=sys.maxsize, help="about how many mutants; all, unless given")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--workers", type=int, default=2, help="how many are tried at a time")
    parser.add_argument("--out", type=Path, help="a JSON file to write, and to go on from")
    parser.add_argument(
        "--equivalent", type=Path, default=EQUIVALENT, help="a TOML file, the list of equivalent mutants"
    )
    parser.add_argument("--least", type=float, default=95.0, help="the score in percent that is asked for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        first = Path(shutil.copytree(ROOT, Path(folder) / "copy", ignore=LEFT_OUT))
        files = [str(path.relative_to(first)) for pattern in TESTS for path in sorted(first.glob(pattern))]
        files = [file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in options.files)]
        left_out: collections.Counter[str] = collections.Counter()
        sources = {file: (first / file).read_text(encoding="utf-8") for file in files}
        found = [mutant for file in files for mutant in mutants(file, sources[file], left_out)]
        chosen = drawn(found, min(options.sample, len(found)), options.seed)
        print(f"{describe()}\n\n{len(found)} mutants, {len(chosen)} of them tried (seed {options.seed}); left out:")
        print("\n".join(f"{count:6} {reason}" for reason, count in left_out.items()))

        entries = tomllib.loads(options.equivalent.read_text(encoding="utf-8")) if options.equivalent else {}
        reasons = {(one["file"], one["before"], one["after"]): one["reason"] for one in entries.get("mutant", [])}
        for file, before, _ in reasons:
            if file in files and before.split("\n")[0] not in sources[file]:
                print(f"{options.equivalent}: {file} has no line {before!r}")

        head = {"state": state(first), "environment": describe(), "found": len(found), "left out": left_out}
        tried: dict[Key, Mutant] = {}
        if options.out and options.out.exists():
            earlier = json.loads(options.out.read_text(encoding="utf-8"))
            if earlier["state"] == head["state"]:
                tried = {mutant.key: mutant for mutant in (Mutant(**fields) for fields in earlier["mutants"])}
            else:
                print(f"{options.out}: the code or the tests have changed since, so all begins anew")
        todo = [mutant for mutant in chosen if mutant.key not in tried]
        try:
            for mutant in tqdm(try_all(todo, first, options.workers) if todo else (), total=len(todo)):
                tried[mutant.key] = mutant
                if options.out:
                    save(options.out, head, tried.values())
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
    done = [tried[mutant.key] for mutant in chosen]
    counts = summary(done, reasons)
    if options.out:
        save(options.out, {**head, "counts": counts}, tried.values())
    print(
        f"\n{text_of(counts, done, reasons)}\n\nscore {counts['all']['score']:g}, at least {options.least:g} asked for"
    )
    return int(counts["all"]["score"] < options.least)


if __name__ == "__main__":
    sys.exit(main())
