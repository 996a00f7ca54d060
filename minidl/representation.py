"""How models are summed up, and what notebooks show of objects: small tables, with curves as small as words."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["curve", "html_table", "model_html", "model_lines"]

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


def model_lines(model: Any) -> list[str]:
    """Return the summary of a built model: a line a layer, then what is to be said of the whole."""
    heads, *rows = _layers(model)
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(3)]
    rule = "─" * (sum(widths) + 4)
    told = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}" for row in (heads, *rows)]
    return [told[0], rule, *told[1:], rule, *_notes(model)]


def model_html(model: Any) -> str:
    """Return the same as a table; of a model that isn't built, its layers alone."""
    if not model.built:
        rows = [(layer.name, type(layer).__name__) for layer in model.layers]
        return html_table(f"{model.title}, not built", ["Layer", "Class"], rows)
    heads, *shown = _layers(model)
    return html_table(model.title, heads, shown, _notes(model))


def _layers(model: Any) -> list[tuple[str, str, str]]:
    """Return the heads of the columns, and a row a layer."""
    rows = [("Layer", "Output shape", "Parameters")]
    for layer in model.layers:
        shape = f"({', '.join(['batch', *map(str, layer.output_shape)])})"
        rows.append((f"{layer.name} ({type(layer).__name__})", shape, f"{_count(layer.parameters):,}"))
    return rows


def _notes(model: Any) -> list[str]:
    """Return the number of parameters, and the optimizer with how it ran."""
    frozen = _count(p for p in model.parameters if not p.trainable)
    size = sum(p.data.nbytes for p in model.parameters)
    total = f"{_count(model.parameters):,} parameters ({size / 1e6:.2f} MB, {model.dtype})"
    notes = [f"{total}, of which {frozen:,} frozen"]
    if model.trainer is not None:
        executed = model.trainer.optimizer.executed
        notes.append(f"{model.trainer.optimizer!r}{f', its last step {executed}' if executed else ''}")
    return notes


def _count(parameters: Iterable[Any]) -> int:
    return sum(parameter.size for parameter in parameters)
