"""How the site shows docstrings: an extension of Griffe, which reads them for mkdocstrings (see docs/mkdocs.yml)."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
LABEL = re.compile(r"\n+(Source|Differs from):")


class Docstrings(griffe.Extension):
    """Doctests are code, and the labels of ours are bold."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change what an object's docstring says."""
        if obj.docstring:
            text = EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", obj.docstring.value)
            obj.docstring.value = LABEL.sub(r"\n\n**\1:**", text)
