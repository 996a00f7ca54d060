"""How large the code is, and how it hangs together: `python -m benchmarks.house [REVISION...]`.

It prints, as tables for docs/architecture.md: lines of code without comments, docstrings and blank lines, in all, of
each module or package, and of each file that differs; the largest file and function; how many names are public
(docs/surface.md, and those of Keras's face); cycles among imports. Beside now: what it was at revisions of git.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class House:
    """What was measured of one state of the package.

    Attributes:
        modules: Lines of code by the module's path.
        functions: Lines of code by "path: function".
        public: How many names the public modules export.
        imports: By the module's name the names of those that it imports when it is imported itself.
    """

    modules: dict[str, int]
    functions: dict[str, int]
    public: int
    imports: dict[str, set[str]]


def measure(root: Path) -> House:
    """Measure the package under `root`."""
    modules, functions, imports, exported = {}, {}, {}, {}
    package = root / "minidl"
    names = {_name(root, path): path for path in package.rglob("*.py")}
    for name, path in sorted(names.items()):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        shown = path.relative_to(package).as_posix()
        modules[shown] = len(_code(tree))
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions[f"{shown}: {node.name}"] = len(_code(node))
        exported[name] = _exported(tree)
        imports[name] = {target for target in imported(tree, names) if target in names} - {name}
    public = ["minidl", *(f"minidl.{name}" for name in exported["minidl"] if f"minidl.{name}" in exported)]
    return House(modules, functions, sum(len(exported[name]) for name in public), imports)


def _name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _code(tree: ast.AST) -> set[int]:
    """Return the lines on which code stands; comments and docstrings are no part of it."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        docstring = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if isinstance(node, ast.stmt) and not docstring:
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body and isinstance(body[0], ast.stmt) else node.end_lineno
            lines.update(range(node.lineno, (last or node.lineno) + 1))
    return lines


def _exported(tree: ast.Module) -> list[str]:
    """Return the names in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            return [str(item) for item in ast.literal_eval(node.value)]
    return []


def imported(tree: ast.Module, names: Collection[str], wherever: bool = False) -> Iterator[str]:
    """Yield the modules that a module imports when it is imported itself, or, with `wherever`, at any time.

    `names` are those of all modules there are. The packages in which what is imported lies, by the way, don't count.
    """
    for node in ast.walk(tree) if wherever else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in names else node.module for name in whole)


def _cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules each of which reaches each other."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        left = [start]
        while left:
            for target in imports[left.pop()] - seen:
                seen.add(target)
                left.append(target)
        return seen

    reached = {name: reach(name) for name in imports}
    groups = {tuple(sorted(m for m in reached[n] if n in reached[m])) for n in imports if n in reached[n]}
    return [list(group) for group in sorted(groups)]


@contextmanager
def at(revision: str) -> Iterator[Path]:
    """Give a folder with the package as it was at a revision of git."""
    archive = subprocess.run(["git", "archive", revision, "minidl"], cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
        yield Path(folder)


def document(houses: dict[str, House]) -> str:
    """Return the tables, a column a state."""
    head = [f"| | {' | '.join(houses)} |", f"|---|{'---:|' * len(houses)}"]

    def row(what: str, values: list[object]) -> str:
        return f"| {what} | {' | '.join(map(str, values))} |"

    all_of = list(houses.values())
    rows = [
        row("lines of code", [sum(h.modules.values()) for h in all_of]),
        row("files", [len(h.modules) for h in all_of]),
        row("largest file", [_largest(h.modules) for h in all_of]),
        row("largest function", [_largest(h.functions) for h in all_of]),
        row("public names", [h.public for h in all_of]),
        row("cycles among imports", [len(_cycles(h.imports)) for h in all_of]),
    ]
    packages = [_packages(h.modules) for h in all_of]
    lines = [row(f"`{name}`", [p.get(name, "") for p in packages]) for name in sorted(set().union(*packages))]
    files = sorted({path for h in all_of for path in h.modules})
    differ = [path for path in files if len({h.modules.get(path) for h in all_of}) > 1]
    lines += [row(f"`{path}`", [h.modules.get(path, "") for h in all_of]) for path in differ if "/" in path]
    return "\n".join([*head, *rows, "", *head, *lines])


def _packages(modules: dict[str, int]) -> dict[str, int]:
    """Return the lines of each module or package that stands directly in the package."""
    sums: dict[str, int] = {}
    for path, lines in modules.items():
        name = path.partition("/")[0] + ("/" if "/" in path else "")
        sums[name] = sums.get(name, 0) + lines
    return sums


def _largest(sizes: dict[str, int]) -> str:
    name = max(sizes, key=lambda key: sizes[key])
    return f"`{name}`, {sizes[name]}"


def main(revisions: list[str]) -> None:
    """Print the tables, a column for each revision, then now."""
    houses = {}
    for revision in revisions:
        with at(revision) as folder:
            houses[revision] = measure(folder)
    print(document({**houses, "now": measure(ROOT)}))


if __name__ == "__main__":
    main(sys.argv[1:])
