"""Write the tables of docs/proofs.md and docs/surface.md from the code: `python docs/tables.py`."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minidl
from minidl.optimizers import SGD, laws
from minidl.testing.optimizers.suite import checks_of, subject_of

HERE = Path(__file__).parent


def checks() -> str:
    """Return the table of all checks that every optimizer gets."""
    plain = type("Plain", (SGD,), {"laws": ()})
    rows = [f"| `{c.name}` | {c.meaning} | {c.known} |" for c in checks_of(subject_of("docs", plain, None, 1))]
    return "\n".join(["| check | what it shows | known elsewhere |", "|---|---|---|", *rows])


def statements() -> str:
    """Return the table of all laws."""
    kinds = [getattr(laws, name) for name in laws.__all__ if name != "Law"]
    rows = [f"| `{kind.__name__}` | {' '.join((kind.__doc__ or '').split())} |" for kind in kinds]
    return "\n".join(["| law | what it says |", "|---|---|", *rows])


def surface() -> str:
    """Return a table of each public module's names with their arguments, but for those of Keras's face."""
    parts = []
    for name, exported in public().items():
        named = {k: v for n, value in exported.items() for k, v in {n: value, **methods(n, value)}.items()}
        rows = [f"| `{n}{arguments(value)}` | {meaning(value)} |" for n, value in named.items()]
        parts.append("\n".join([f"## {name}", "", "| | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def public() -> dict[str, dict[str, Any]]:
    """Return what each public module exports, but for modules; Keras's face, whose names are another's, left out."""
    modules = [minidl]
    for module in modules:  # which grow meanwhile
        inside = [getattr(module, name) for name in module.__all__]
        modules += [one for one in inside if inspect.ismodule(one) and one.__name__ != "minidl.keras"]
    modules.sort(key=lambda module: module.__name__)
    return {
        module.__name__: {n: getattr(module, n) for n in module.__all__ if not inspect.ismodule(getattr(module, n))}
        for module in modules
    }


def methods(name: str, cls: Any) -> dict[str, Any]:
    """Return the methods and properties that a class has and its bases of minidl's haven't, by their full names."""
    if not isinstance(cls, type) or issubclass(cls, BaseException):
        return {}
    bases = [base for base in cls.__mro__[1:] if base.__module__.startswith("minidl")]
    own = {n: inspect.getattr_static(cls, n) for n in vars(cls) if not n.startswith("_")}
    kinds = (property, classmethod, staticmethod)
    return {
        f"{name}.{n}": value if isinstance(value, property) else getattr(cls, n)
        for n, value in own.items()
        if (inspect.isfunction(value) or isinstance(value, kinds)) and not any(hasattr(base, n) for base in bases)
    }


def arguments(value: Any) -> str:
    """Return what a class or function takes, with defaults; types are in the reference."""
    if not callable(value) or (isinstance(value, type) and issubclass(value, BaseException)):
        return ""
    signature = inspect.signature(value)
    taken = [p for p in signature.parameters.values() if p.name != "self"]
    plain = [p.replace(annotation=p.empty, default=_shown(p.default)) for p in taken]
    return str(inspect.Signature(plain)).replace("|", "\\|")


def _shown(default: Any) -> Any:
    return _Word(default) if inspect.isroutine(default) else default


class _Word:
    """What shows a function among defaults; as it is, `inspect` would show its place in memory."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = "..." if function.__name__ == "<lambda>" else function.__name__

    def __repr__(self) -> str:
        return self.name


def meaning(value: Any) -> str:
    """Return the first line of a docstring; of a value what it is."""
    if not callable(value) and not isinstance(value, property):
        return type(value).__name__
    return (inspect.getdoc(value) or "").splitlines()[0].replace("|", "\\|")


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "proofs.md": {"checks": checks, "laws": statements},
    "surface.md": {"surface": surface},
}


def filled(name: str) -> str:
    """Return a page with its tables as the code has them."""
    page = (HERE / name).read_text(encoding="utf-8")
    for mark, table in PAGES[name].items():
        before, start, rest = page.partition(f"<!-- {mark} -->\n")
        page = before + start + table() + "\n" + rest[rest.index(f"<!-- /{mark} -->") :]
    return page


if __name__ == "__main__":
    for name in PAGES:
        (HERE / name).write_text(filled(name), encoding="utf-8")
