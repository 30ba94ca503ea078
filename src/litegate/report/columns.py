"""A table as lines of text that a terminal of any width can show."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console

from litegate.core.escaping import plain

Cells = Sequence[str]

_GAP = "  "
_FIXED = "\xa0"
"""A space at which no line ends."""
_LEAST = 24
"""Characters of the last column that are worth showing where not all of them fit."""


def columns(
    head: Cells, rows: Sequence[Cells], width: int, *, lead: int, spare: int
) -> Iterator[tuple[int, str]]:
    """Lines, each with the number of its row; that of the head is -1.

    In `width` characters, 0 for no end, what does not fit is left out: the last column is cut, then
    up to `spare` columns go, the last first. Where that is not enough there is no table: each row
    is its `lead` first cells and, below them, the others with their names; the last one goes first
    here, too, if any may.
    """
    shown = [[plain(cell) for cell in row] for row in (head, *rows)]
    sizes = [max(map(len, column)) for column in zip(*shown, strict=True)]
    kept = _kept(sizes, width, spare)
    for number, row in enumerate(shown, start=-1):
        if kept:
            padded = (cell.ljust(size) for cell, size in zip(row[:kept], sizes, strict=False))
            yield number, _cut(_GAP.join(padded).rstrip(), width)
        elif number >= 0:
            most = len(row) - bool(spare)
            lines = _folded(shown[0][:most], row[:most], width, lead)
            yield from ((number, line) for line in lines)


def _kept(sizes: Sequence[int], width: int, spare: int) -> int:
    """How many columns are shown; 0 where too few fit."""
    starts = [sum(sizes[:n]) + len(_GAP) * n for n in range(len(sizes))]
    if not width or starts[-1] + min(sizes[-1], _LEAST) <= width:
        return len(sizes)
    ends = (n for n in range(len(sizes) - 1, len(sizes) - 1 - spare, -1))
    return next((n for n in ends if starts[n] - len(_GAP) <= width), 0)


def _cut(line: str, width: int) -> str:
    return line if not width or len(line) <= width else f"{line[: width - 2]} …"


def _folded(head: Cells, row: Cells, width: int, lead: int) -> Iterator[str]:
    """A row in lines that end between two of its words, not between a number and its unit."""
    width = max(width, _LEAST)
    yield from textwrap.wrap(" ".join(filter(None, row[:lead])), width, subsequent_indent=_GAP)
    named = [f"{name} {cell}" for name, cell in zip(head[lead:], row[lead:], strict=True) if cell]
    most = width - len(_GAP) - 1
    said = ", ".join(one.replace(" ", _FIXED) if len(one) <= most else one for one in named)
    lines = textwrap.wrap(said, width, initial_indent=_GAP, subsequent_indent=_GAP)
    yield from (line.replace(_FIXED, " ") for line in lines)


_UNBOUND = 240
"""Columns where there is no terminal: a line is then one line, which `grep` finds."""


def console() -> Console:
    """A console as wide as the terminal, or as COLUMNS says; into a pipe lines are not broken."""
    bound = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return Console(highlight=False, width=None if bound else _UNBOUND)
