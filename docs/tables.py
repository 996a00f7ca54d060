"""Write the tables of docs/proofs.md from the code: `python docs/tables.py`."""

import re
from pathlib import Path

from minidl.optimizers import SGD, laws
from minidl.testing.optimizers.suite import checks_of, subject_of

PAGE = Path(__file__).parent / "proofs.md"


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


def filled(page: str) -> str:
    """Return the page with its tables as the code has them."""
    for name, table in (("checks", checks()), ("laws", statements())):
        page = re.sub(
            f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, t=table: f"{m[1]}{t}\n{m[2]}", page, flags=re.S
        )
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
