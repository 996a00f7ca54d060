"""What notebooks show of objects: small tables in HTML, with curves as small as words."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["curve", "html_table"]

STYLE = "text-align:left;font-variant-numeric:tabular-nums"


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], notes: Iterable[str] = ()) -> str:
    """Return a table; all texts are escaped, but for what `curve` returned.

    >>> html_table("one", ["a"], [["<b>"]]).count("&lt;b&gt;")
    1
    """
    head = "".join(f'<th style="{STYLE}">{escape(text)}</th>' for text in heads)
    body = "".join(map(_row, rows))
    below = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return (
        f'<table><caption style="caption-side:top;text-align:left">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
    )


def _row(row: Sequence[Any]) -> str:
    cells = "".join(f'<td style="{STYLE}">{_cell(value)}</td>' for value in row)
    return f"<tr>{cells}</tr>"


class _Markup(str):
    """HTML that was made here."""


def _cell(value: Any) -> str:
    return value if isinstance(value, _Markup) else escape(f"{value:.6g}" if isinstance(value, float) else str(value))


def curve(values: Sequence[float], width: int = 160, height: int = 28) -> str:
    """Return a line through `values` as an SVG picture, for a cell of a table; "" if there are fewer than two."""
    finite = [(i, value) for i, value in enumerate(values) if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low, high = min(v for _, v in finite), max(v for _, v in finite)
    across, up = (width - 4) / max(len(values) - 1, 1), (height - 4) / ((high - low) or 1.0)
    points = " ".join(f"{2 + i * across:.1f},{height - 2 - (value - low) * up:.1f}" for i, value in finite)
    return _Markup(
        f'<svg width="{width}" height="{height}" role="img" aria-label="from {values[0]:.4g} to {values[-1]:.4g}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )
