"""Make the site of the docs: `python docs/website.py [FOLDER]` (extra `docs`), by default build/site.

The pages of docs/ are joined by those that the code itself tells: README, CHANGELOG and CONTRIBUTING, the figures of
`benchmarks/`, the notebooks, executed, a page an optimizer and an activation, and the reference of each module.
docs/mkdocs.yml says how all looks. Whatever is wrong, such as a link that leads nowhere, is an error.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbconvert
import numpy as np
import yaml
from matplotlib.figure import Figure

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from oracles import ORACLES
from tables import meaning, public

from minidl import layers, optimizers, plotting, surfaces, testing
from minidl.optimizers import Optimizer

HERE = Path(__file__).parent
ROOT = HERE.parent
FROM_THE_TOP = {"index.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "CONTRIBUTING.md": "CONTRIBUTING.md"}
BESIDE = ("benchmarks/RESULTS.md", "benchmarks/LAB.md", "benchmarks/results.png")
FAMILIES = {
    "descent": "Along the gradient",
    "adaptive": "A rate for each entry",
    "moments": "Adam and its kin",
    "layerwise": "A rate for each layer",
}
RATES = [digit * 10.0**power for power in range(1, -5, -1) for digit in (3, 1)]  # where a surface names none for a rule


def main(site: Path) -> None:
    """Write all pages into a folder of their own, and make the site of it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "docs"
        shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("*.py", "*.yml", "__pycache__"))
        shutil.copy(HERE / "docstrings.py", folder)
        for path, content in written():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        for page in source.rglob("*.md"):
            page.write_text(
                linked(page.relative_to(source).as_posix(), page.read_text(encoding="utf-8")), encoding="utf-8"
            )
        config = yaml.safe_load((HERE / "mkdocs.yml").read_text(encoding="utf-8"))
        config["nav"] = [
            {title: sections().get(target, target) if isinstance(target, str) else target}
            for entry in config["nav"]
            for title, target in entry.items()
        ]
        (Path(folder) / "mkdocs.yml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, check=True)
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(Path(folder) / "site", site)


def linked(path: str, page: str) -> str:
    """Return a page whose links hold in the site, where README and `benchmarks/` stand beside the pages of docs/."""
    if path in FROM_THE_TOP:
        page = re.sub(r"\]\(docs/(notebooks/\w+)\.py\)", r"](\1.md)", page)
        return page.replace("](docs/", "](").replace("](README.md", "](index.md")
    return page.replace("](../benchmarks/", "](benchmarks/")


def rules() -> dict[str, list[type[Optimizer]]]:
    """Return the optimizers of each family, in the order of its file."""
    kinds = [kind for kind in vars(optimizers).values() if isinstance(kind, type) and kind in optimizers.registry]
    return {
        family: sorted(
            (kind for kind in kinds if kind.__module__ == f"minidl.optimizers.{family}"),
            key=lambda kind: inspect.getsourcelines(kind)[1],
        )
        for family in FAMILIES
    }


def activations() -> list[type[layers.Layer]]:
    """Return the activations, in the order of their file."""
    kinds = [kind for kind in vars(layers).values() if isinstance(kind, type) and kind in layers.activations]
    return sorted(set(kinds), key=lambda kind: inspect.getsourcelines(kind)[1])


def sections() -> dict[str, list[Any]]:
    """Return the pages of each section that is written here."""
    return {
        "optimizers/": [
            "optimizers/index.md",
            *(
                {FAMILIES[family]: [f"optimizers/{kind.__name__}.md" for kind in kinds]}
                for family, kinds in rules().items()
            ),
        ],
        "activations/": ["activations/index.md", *(f"activations/{kind.__name__}.md" for kind in activations())],
        "reference/": [{name: f"reference/{name}.md"} for name in public()],
    }


def written() -> Iterator[tuple[str, str | bytes]]:
    """Yield the path of each page and picture, and what is in it."""
    for path, source in FROM_THE_TOP.items():
        yield path, (ROOT / source).read_text(encoding="utf-8")
    for path in BESIDE:
        yield path, (ROOT / path).read_bytes()
    for path in sorted((HERE / "notebooks").glob("*.py")):
        yield from notebook(path)
    yield "optimizers/index.md", table_of_rules()
    for kind in (kind for kinds in rules().values() for kind in kinds):
        yield f"optimizers/{kind.__name__}.md", rule_page(kind)
        yield f"optimizers/{kind.__name__}.png", png(path_picture(kind))
    yield "activations/index.md", table_of_activations()
    for kind in activations():
        yield f"activations/{kind.__name__}.md", activation_page(kind)
        if issubclass(kind, layers.Elementwise):
            figure = Figure(figsize=(5, 3.2), layout="constrained")
            plotting.plot_activations([kind()], figure=figure)
            yield f"activations/{kind.__name__}.png", png(figure)
    for name, exported in public().items():
        yield f"reference/{name}.md", reference(name, exported)


def notebook(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield a notebook's page and its pictures, as a kernel of Jupyter's makes them."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # the kernel's own, whatever else is set
    cells = jupytext.read(path)
    cells.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    done, _ = nbconvert.preprocessors.ExecutePreprocessor(timeout=600).preprocess(
        cells, {"metadata": {"path": str(ROOT)}}
    )
    if not any(output.output_type == "display_data" for cell in done.cells for output in cell.get("outputs", [])):
        raise RuntimeError(f"{path} shows no picture")
    resources = {"unique_key": path.stem, "output_files_dir": path.stem}
    page, resources = nbconvert.MarkdownExporter().from_notebook_node(done, resources)
    yield f"notebooks/{path.stem}.md", page
    for name, picture in resources["outputs"].items():
        yield f"notebooks/{name}", picture


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    file = io.BytesIO()
    figure.savefig(file, dpi=110)
    return file.getvalue()


def table_of_rules() -> str:
    """Return the page that lists the optimizers."""
    lines = ["# Optimizers", "", "Each is a pure function of a few arrays; the engine around it is the same for all."]
    for family, kinds in rules().items():
        lines += ["", f"## {FAMILIES[family]}", "", "| | |", "|---|---|"]
        lines += [f"| [{kind.__name__}]({kind.__name__}.md) | {meaning(kind)} |" for kind in kinds]
    return "\n".join(lines)


def rule_page(kind: type[Optimizer]) -> str:
    """Return the page of an optimizer: what it says, its code, its path, what the checks show, and the peers."""
    name = kind.__name__
    report = testing.check_optimizer(kind, oracle=ORACLES[name])
    laws = [result for result in report.results if result.check.startswith("law_")]
    checks = [
        f"* `{result.check}`: {result.meaning}" + (f" *Not applicable: {result.detail}.*" if result.detail else "")
        for result in report.results
        if result not in laws
    ]
    page = (HERE / "conventions.md").read_text(encoding="utf-8")
    peers = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    return f"""# {name}

::: minidl.optimizers.{name}
    options: {{members: false, show_bases: false}}

## Its code

```python
{textwrap.dedent(inspect.getsource(kind.update)).replace("  # fmt: skip", "")}```

## Its path

![The paths of {name} down five surfaces]({name}.png)

Two hundred steps down each of the [test surfaces](../reference/minidl.surfaces.md), from the circle; stars are minima.
The rates are those at which each shows how it walks{"" if name == "SGD" else ", SGD's beside it"}.

## What holds for it

`testing.check_optimizer({name})` proves it by drawn examples. Its own laws:

{chr(10).join(f"* {result.meaning}" for result in laws) or "none"}

??? success "{report.summary}, when this page was made"

{textwrap.indent(chr(10).join(checks), "    ")}

## As the others have it

{peers[1].strip() if peers else "No framework of those compared has it."}

[Conventions](../conventions.md) tells how this is measured, [Compliance](../compliance.md) how the others do in the
same checks.
"""


def path_picture(kind: type[Optimizer]) -> Figure:
    """Return a picture of the rule's paths down the surfaces, with SGD's beside them."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    *panels, key = figure.subplots(2, 3).ravel()
    for ax, surface in zip(panels, surfaces.SURFACES.values(), strict=True):
        walkers = {kind.__name__: kind(learning_rate=shown_rate(kind, surface))}
        walkers.setdefault("SGD", optimizers.SGD(surface.rates["sgd"]))
        plotting.plot_trajectories(surface, surfaces.descend(surface, walkers), ax=ax)
        ax.set_title(f"{surface.name}, η = {walkers[kind.__name__].learning_rate:g}", fontsize="medium")
        ax.get_legend().remove()
    key.set_axis_off()
    key.legend(*panels[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize="large")
    return figure


def shown_rate(kind: type[Optimizer], surface: surfaces.Surface) -> float:
    """Return the rate that the surface names, or else the one whose path is lowest on the whole."""
    named = surface.rates.get(kind.__name__.lower())
    if named is not None:
        return named
    paths = surfaces.descend(surface, {str(rate): kind(learning_rate=rate) for rate in RATES})
    longest = max(map(len, paths.values()))
    heights = {rate: float(np.mean(surface(*path.T))) for rate, path in paths.items() if len(path) == longest}
    return float(min(heights, key=heights.__getitem__))


def table_of_activations() -> str:
    """Return the page that lists the activations."""
    lines = [
        "# Activations",
        "",
        "Start with ReLU in hidden layers and Tanh in recurrent ones. At the end take what the loss asks for: Softmax",
        "for one class of several, Sigmoid for yes or no, Linear for any number, Softplus or Exponential for positive",
        "ones. Each page says when another is worth a try.",
        "",
        "| | |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| [{k.__name__}]({k.__name__}.md) | {meaning(k)} |" for k in activations())])


def activation_page(kind: type[layers.Layer]) -> str:
    """Return the page of an activation: formula, derivative, when to use it; its picture; its code."""
    name = kind.__name__
    lines = [f"# {name}", f"\n::: minidl.layers.{name}\n    options: {{members: false, show_bases: false}}"]
    if issubclass(kind, layers.Elementwise):
        code = "\n".join(textwrap.dedent(inspect.getsource(part)) for part in (kind.function, kind.slope))
        lines += [f"\n![{name} and its derivative]({name}.png)", f"\n## Its code\n\n```python\n{code}```"]
    names = [n for n in layers.activations.names() if type(layers.activations.get(n)) is kind]
    lines.append(f'\nAs a layer: `layers.{name}()`; as an argument: `activation="{names[-1]}"`.')
    return "\n".join(lines)


def reference(name: str, exported: Iterable[str]) -> str:
    """Return the page of a module: its docstring, then all that it exports."""
    options = f"    options:\n      members: [{', '.join(exported)}]\n      show_root_members_full_path: false"
    return f"# {name}\n\n::: {name}\n{options}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "build" / "site")
