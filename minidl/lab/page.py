"""A report: one HTML page that needs nothing else, with its tables and pictures beside it as files."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.config import Checked
from minidl.representation import html_table
from minidl.saving.files import place
from minidl.validation import describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Page", "Sheet"]

BLACK = "#000000"  # in drawings it becomes the colour of the page's own text, light or dark

STYLE = """
:root { color-scheme: light dark; --text: #1c1c1c; --back: #ffffff; --soft: #f3f3f1; --line: #d4d4d0; --link: #0b57a4;
  --mark: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e6e3; --back: #16181a; --soft: #202326; --line: #3c4043;
  --link: #8ab8f0; --mark: #4a3f14; } }
@media print { :root { color-scheme: light; --text: #000; --back: #fff; --soft: #fff; --line: #999; --link: #000;
  --mark: #eee; } nav { display: none; } figure, tr { break-inside: avoid; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--back); }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.3rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; }
h1, h2, h3, p, li { overflow-wrap: anywhere; } p, li { max-width: 46rem; }
a { color: var(--link); } code { font-size: 0.9em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: 0.7rem; overflow-x: auto; border-radius: 4px; }
nav ul { columns: 16rem; padding-left: 1.2rem; }
.wide { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.caption { font-weight: 600; margin-bottom: 0.3rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { background: var(--soft); } td.number, th.number { text-align: right; } td { white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: 600; } th button:focus-visible { outline: 2px solid var(--link); }
th button::after { content: " \\2195"; opacity: 0.4; }
th[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
th[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
.facts td { white-space: normal; } td.marked { background: var(--mark); }
figure { margin: 1.5rem 0; } figure svg, figure img { max-width: 100%; height: auto; display: block; }
.scroll { overflow-x: auto; } .scroll > * { min-width: 34rem; }
figure svg text { fill: currentColor; }
figcaption { font-size: 0.9rem; max-width: 46rem; }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => {
      const [one, other] = [key(a), key(b)], [x, y] = [parseFloat(one), parseFloat(other)];
      if (one === "" || other === "") return (one === "") - (other === "");  // what is missing comes last
      const less = isNaN(x) || isNaN(y) ? one.localeCompare(other) : x - y;
      return up ? less : -less;
    };
    body.append(...[...body.rows].sort(order));
  }));
}
"""


@dataclass(frozen=True)
class Sheet(metaclass=Checked):
    """A table: a caption, heads, and rows of texts, numbers, None for nothing, or (what is shown, what to sort by).

    >>> sheet = Sheet("Accuracy", ["rule", "%"], [["sgd", 85.3], ["adam", ("86.9 ± 0.2", 86.9)]])
    >>> print(sheet.markdown())
    | rule | % |
    | --- | ---: |
    | sgd | 85.3 |
    | adam | 86.9 ± 0.2 |
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Sheet: each row must have a value for each of {len(self.columns)} columns. "
                    f"Received: {describe(list(row))}"
                )

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [
            any(_is_number(row[i]) for row in self.rows)
            and all(row[i] is None or _is_number(row[i]) for row in self.rows)
            for i in range(len(self.columns))
        ]

    @property
    def shown(self) -> list[list[str]]:
        """The rows' texts."""
        return [[_shown(value) for value in row] for row in self.rows]

    def markdown(self) -> str:
        """Return it as a table of Markdown, without the caption."""
        rule = ["---:" if numeric else "---" for numeric in self.numeric]
        return "\n".join(f"| {' | '.join(line)} |" for line in (self.columns, rule, *self.shown))

    def text(self) -> str:
        """Return it as a table to print, with the caption, if there is one, above."""
        lines = [list(self.columns), *self.shown]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        numeric = self.numeric
        shown = [
            "  ".join(
                f"{cell:>{w}}" if right else f"{cell:<{w}}"
                for cell, w, right in zip(line, widths, numeric, strict=True)
            )
            for line in lines
        ]
        shown.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
        above = [self.caption, ""] if self.caption else []
        return "\n".join([*above, *(line.rstrip() for line in shown)])

    def _repr_html_(self) -> str:
        return html_table(self.caption, self.columns, self.shown)


class Page(metaclass=Checked):
    """A report that grows from top to bottom, and is written at the end.

    Args:
        title: Of the page.
        lead: The first paragraph: what this is, in a few sentences.

    >>> page = Page("Two runs", "What came of them.")
    >>> page.table(Sheet("Accuracy", ["rule", "%"], [["sgd", 85.3], ["adam", 86.9]]))
    >>> '<td class="number" data-value="86.9">86.9</td>' in page.html()
    True
    """

    def __init__(self, title: str, lead: str) -> None:
        self.title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>", f"<p>{_marked_up(lead)}</p>", ""]
        self._sections: list[str] = []
        self._figures: dict[str, Figure] = {}

    def section(self, title: str) -> None:
        """Begin a section, which the table of contents names."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="s{len(self._sections)}">{html.escape(title)}</h2>')

    def text(self, *paragraphs: str) -> None:
        """Add paragraphs; what stands between backquotes is code."""
        self._parts += [f"<p>{_marked_up(paragraph)}</p>" for paragraph in paragraphs]

    def points(self, texts: Sequence[str]) -> None:
        """Add a list."""
        self._parts.append("<ul>" + "".join(f"<li>{_marked_up(text)}</li>" for text in texts) + "</ul>")

    def code(self, text: str) -> None:
        """Add lines as they are."""
        self._parts.append(f"<pre>{html.escape(text)}</pre>")

    def table(self, sheet: Sheet, marked: Callable[[int, int], bool] = lambda row, column: False) -> None:
        """Add a table that can be sorted by each column; `marked` says of (row, column) whether it stands out."""
        numeric = sheet.numeric
        heads = "".join(
            f'<th scope="col"{" class=number" if numeric[i] else ""}><button>{html.escape(head)}</button></th>'
            for i, head in enumerate(sheet.columns)
        )
        lines = []
        for r, row in enumerate(sheet.rows):
            cells = []
            for c, value in enumerate(row):
                names = " ".join(["number"] * numeric[c] + ["marked"] * marked(r, c))
                attributes = f' class="{names}"' if names else ""
                if isinstance(value, tuple) or numeric[c]:
                    key = value[1] if isinstance(value, tuple) else value
                    attributes += f' data-value="{"" if key is None else key}"'
                cells.append(f"<td{attributes}>{_marked_up(_shown(value))}</td>")
            lines.append(f"<tr>{''.join(cells)}</tr>")
        self._parts.append(
            f'<p class="caption">{_marked_up(sheet.caption)}</p><div class="wide"><table class="sortable">'
            f"<thead><tr>{heads}</tr></thead><tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
        )

    def figure(self, name: str, figure: Figure, caption: str, *, drawing: bool = True) -> None:
        """Add a picture, which is also written as `name`.svg and `name`.png.

        A `drawing` of lines has the page's own colours, light or dark; any other picture stands on white.
        """
        self._figures[name] = figure
        shown = _drawing(figure, name, caption) if drawing else _picture(figure, caption)
        self._parts.append(
            f'<figure><div class="scroll">{shown}</div><figcaption>{_marked_up(caption)}</figcaption></figure>'
        )

    def facts(self, caption: str, values: Mapping[str, Any]) -> None:
        """Add names and values."""
        lines = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{_marked_up(_plain(value))}</td></tr>'
            for name, value in values.items()
        )
        self._parts.append(
            f'<p class="caption">{html.escape(caption)}</p><div class="wide"><table class="facts">{lines}</table></div>'
        )

    def html(self) -> str:
        """Return the page."""
        parts = list(self._parts)
        if self._sections:
            entries = "".join(
                f'<li><a href="#s{i}">{html.escape(title)}</a></li>' for i, title in enumerate(self._sections, 1)
            )
            parts[2] = f'<nav aria-label="Contents"><ul>{entries}</ul></nav>'
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<link rel="icon" href="data:,">\n<title>{html.escape(self.title)}</title>\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(parts) + f"\n<script>{SCRIPT}</script>\n"
            "</body>\n</html>\n"
        )

    def write(self, folder: str | Path) -> Path:
        """Write the page as report.html, and its pictures beside it; return where the page is."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in self._figures.items():
            for kind in ("svg", "png"):
                figure.savefig(folder / f"{name}.{kind}", dpi=120)
        file = folder / "report.html"
        place("report", file, self.html().encode())
        return file


def _drawing(figure: Figure, name: str, caption: str) -> str:
    """Return a figure as SVG in the page's colours, with ids of its own."""
    import matplotlib as mpl

    legends = [legend.get_frame() for axes in figure.axes if (legend := axes.get_legend()) is not None]
    alphas = [frame.get_alpha() for frame in legends]
    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        for frame in legends:
            frame.set_alpha(0.0)
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        for frame, alpha in zip(legends, alphas, strict=True):
            frame.set_alpha(alpha)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(BLACK, "currentColor")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{_alternative(caption)}" ', 1)


def _picture(figure: Figure, caption: str) -> str:
    """Return a figure as an image."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="{_alternative(caption)}" src="data:image/png;base64,{data}">'


def _alternative(caption: str) -> str:
    return html.escape(caption.replace("`", ""))


def _shown(value: Any) -> str:
    shown = value[0] if isinstance(value, tuple) else value
    if isinstance(shown, float):
        shown = f"{shown:g}" if abs(shown) >= 1e-4 or not shown else f"{shown:.10f}".rstrip("0")
    return "" if shown is None else str(shown)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, tuple) and not isinstance(value[1], str))


def _marked_up(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
