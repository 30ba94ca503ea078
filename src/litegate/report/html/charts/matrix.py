"""Render confusion matrices as tables of shaded numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from litegate.core.escaping import plain, shortened
from litegate.report.html.page_data import Confusions

Rows = Sequence[Sequence[int]]

_SHADES = 5
"""Steps of a cell's shade, each a class of the style sheet: an eye tells no more apart."""
_LONGEST = 8
"""Characters of a class's name in the head of a table: longer ones would make columns wider than
their counts, and 14 of them wider than the page."""
_COLUMN = 2.3
"""In rem: a count of four digits, which the style sheet writes in 0.76 rem, fits. A narrower page
scrolls the table."""


def matrix(confusions: Confusions, role: str) -> Markup:
    """Render the matrix of one role: rows are the true classes, columns the answers."""
    counts = confusions.counts[role]
    cells = [[_cell(row, i, j) for j in range(len(row))] for i, row in enumerate(counts)]
    return _table(role, confusions.names, cells)


def difference(confusions: Confusions, before: str) -> Markup:
    """Render the candidate's counts minus those of the role `before`, cell by cell."""
    row_pairs = zip(confusions.counts[before], confusions.counts["candidate"], strict=True)
    rows = [
        [now - was for was, now in zip(*rows_of_class, strict=True)] for rows_of_class in row_pairs
    ]
    largest = max((abs(value) for row in rows for value in row), default=0)
    cells = [
        [_changed(value, largest, on_diagonal=i == j) for j, value in enumerate(row)]
        for i, row in enumerate(rows)
    ]
    return _table(f"candidate less {before}", confusions.names, cells)


def _cell(row: Sequence[int], true_class: int, answer: int) -> str:
    value, row_total = row[answer], sum(row)
    colour = "r" if true_class == answer else "e"
    return _shaded(colour, value, row_total, f"{value:,}") if value else "<td>"


def _changed(value: int, largest: int, *, on_diagonal: bool) -> str:
    if not value:
        return "<td>"
    colour = "r" if (value > 0) == on_diagonal else "e"
    return _shaded(colour, abs(value), largest, f"{value:+,}")


def _shaded(colour: str, value: int, largest: int, cell: str) -> str:
    """Render a cell; the square root makes small numbers visible beside large ones."""
    shade = math.ceil(_SHADES * math.sqrt(value / largest))
    return f"<td class={colour}{shade}>{cell}"


def _table(caption: str, names: Sequence[str], cells: Sequence[Sequence[str]]) -> Markup:
    """Render a table; without the closing tags that HTML makes optional, which saves bytes."""
    heads = "".join(f"<th scope=col>{_short(name)}" for name in names)
    rows = "".join(_lines(names, cells))
    head = f'<tr><td aria-label="true class, then answers">{heads}'
    style = f"min-width:{_COLUMN * (len(names) + 1):.1f}rem"
    start_tag = f'<table class=matrix style="{style}"><caption>{escape(caption)}</caption>'
    html = f"{start_tag}<thead>{head}<tbody>{rows}"
    return Markup(f"{html}</table>")  # noqa: S704 made of numbers and escaped names


def _lines(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    for name, row in zip(names, cells, strict=True):
        yield f"<tr><th scope=row>{_short(name)}{''.join(row)}"


def _short(name: str) -> str:
    return str(escape(shortened(plain(name), _LONGEST)))
