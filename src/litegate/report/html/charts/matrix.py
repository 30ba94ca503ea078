"""Confusion matrices as tables: numbers to read, and a shade to see."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from litegate.core.escaping import plain, shortened
from litegate.report.html.page_data import Confusions

Rows = Sequence[Sequence[int]]

_SHADES = 5
_LONGEST = 8
"""Letters of a class's name in a table's head."""


def matrix(found: Confusions, role: str) -> Markup:
    """The matrix of one role: rows are the true classes, columns the answers."""
    counts = found.counts[role]
    cells = [[_cell(row, i, j) for j in range(len(row))] for i, row in enumerate(counts)]
    return _table(role, found.names, cells)


def difference(found: Confusions, before: str) -> Markup:
    """What the candidate has more or less of than `before`, cell by cell."""
    pairs = zip(found.counts[before], found.counts["candidate"], strict=True)
    rows = [[now - was for was, now in zip(*both, strict=True)] for both in pairs]
    most = max((abs(value) for row in rows for value in row), default=0)
    cells = [
        [_changed(value, most, on_diagonal=i == j) for j, value in enumerate(row)]
        for i, row in enumerate(rows)
    ]
    return _table(f"candidate less {before}", found.names, cells)


def _cell(row: Sequence[int], number: int, column: int) -> str:
    value, whole = row[column], sum(row)
    letter = "r" if number == column else "e"
    return _shaded(letter, value, whole, f"{value:,}") if value else "<td>"


def _changed(value: int, most: int, *, on_diagonal: bool) -> str:
    if not value:
        return "<td>"
    letter = "r" if (value > 0) == on_diagonal else "e"
    return _shaded(letter, abs(value), most, f"{value:+,}")


def _shaded(letter: str, value: int, whole: int, said: str) -> str:
    """The square root makes small numbers visible beside large ones."""
    shade = math.ceil(_SHADES * math.sqrt(value / whole))
    return f"<td class={letter}{shade}>{said}"


def _table(caption: str, names: Sequence[str], cells: Sequence[Sequence[str]]) -> Markup:
    """Built of numbers and escaped names alone; the closing tags that HTML leaves out are left."""
    heads = "".join(f"<th scope=col>{_short(name)}" for name in names)
    rows = "".join(_lines(names, cells))
    head = f'<tr><td aria-label="true class, then answers">{heads}'
    style = f"min-width:{2.3 * (len(names) + 1):.1f}rem"
    opened = f'<table class=matrix style="{style}"><caption>{escape(caption)}</caption>'
    html = f"{opened}<thead>{head}<tbody>{rows}"
    return Markup(f"{html}</table>")  # noqa: S704 escaped above


def _lines(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    for name, row in zip(names, cells, strict=True):
        yield f"<tr><th scope=row>{_short(name)}{''.join(row)}"


def _short(name: str) -> str:
    return str(escape(shortened(plain(name), _LONGEST)))
