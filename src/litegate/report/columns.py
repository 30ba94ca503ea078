"""Format a table as lines that fit a terminal of any width."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from litegate.core.escaping import plain, without_commands

Cells = Sequence[str]

_GAP = "  "
_FIXED = "\xa0"
"""No-break space: keeps a number and its unit on one line."""
_LEAST = 24
"""Characters of the last column that must fit, or else it is left out: fewer of a sentence say
nothing, and take room from the columns before."""


def columns(
    head: Cells, rows: Sequence[Cells], width: int, *, lead: int, spare: int
) -> Iterator[tuple[int, str]]:
    """Yield lines, each with the index of its row; -1 is the head's.

    A `width` of 0 is unlimited. If the table is too wide, its last column is cut, then up to
    `spare` columns are left out, the last first. If it still does not fit, each row becomes a
    paragraph: its first `lead` cells, and below them the others with their column names, without
    the last one if `spare` allows.
    """
    shown = [[plain(cell) for cell in row] for row in (head, *rows)]
    sizes = [max(map(len, column)) for column in zip(*shown, strict=True)]
    count = _fitting(sizes, width, spare)
    for index, row in enumerate(shown, start=-1):
        if count:
            padded = (cell.ljust(size) for cell, size in zip(row[:count], sizes, strict=False))
            yield index, _cut(_GAP.join(padded).rstrip(), width)
        elif index >= 0:
            cells = len(row) - bool(spare)
            lines = _paragraph(shown[0][:cells], row[:cells], width, lead)
            yield from ((index, line) for line in lines)


def narrowed(
    head: Cells, rows: Sequence[Cells], width: int, optional: Sequence[str]
) -> tuple[Cells, list[Cells]]:
    """Return a table without its empty columns, and without as many `optional` ones as must go.

    `optional` are heads, the first to go first; a `width` of 0 is unlimited.
    """
    indices = [index for index in range(len(head)) if any(plain(row[index]) for row in rows)]
    sizes = [max(len(plain(row[index])) for row in (head, *rows)) for index in range(len(head))]
    for name in optional:
        too_wide = sum(sizes[index] + len(_GAP) for index in indices) - len(_GAP) > width > 0
        indices = [index for index in indices if not (too_wide and head[index] == name)]
    return [head[index] for index in indices], [[row[index] for index in indices] for row in rows]


def _fitting(sizes: Sequence[int], width: int, spare: int) -> int:
    """Return how many columns fit; 0 if more than `spare` would have to go."""
    starts = [sum(sizes[:count]) + len(_GAP) * count for count in range(len(sizes))]
    if not width or starts[-1] + min(sizes[-1], _LEAST) <= width:
        return len(sizes)
    counts = (count for count in range(len(sizes) - 1, len(sizes) - 1 - spare, -1))
    return next((count for count in counts if starts[count] - len(_GAP) <= width), 0)


def _cut(line: str, width: int) -> str:
    return line if not width or len(line) <= width else f"{line[: width - 2]} …"


def _paragraph(head: Cells, row: Cells, width: int, lead: int) -> Iterator[str]:
    """Wrap a row between its cells where possible, so that numbers keep their units."""
    width = max(width, _LEAST)
    yield from textwrap.wrap(" ".join(filter(None, row[:lead])), width, subsequent_indent=_GAP)
    others = zip(head[lead:], row[lead:], strict=True)
    named_cells = [f"{name} {cell}" for name, cell in others if cell]
    longest = width - len(_GAP) - 1
    content = ", ".join(
        cell.replace(" ", _FIXED) if len(cell) <= longest else cell for cell in named_cells
    )
    wrapped = textwrap.wrap(content, width, initial_indent=_GAP, subsequent_indent=_GAP)
    yield from (line.replace(_FIXED, " ") for line in wrapped)


_PIPE_WIDTH = 240
"""Columns of output into a pipe: rows stay on one line, so that `grep` finds them; with
more, padding would push columns out of a log's window."""


@contextmanager
def console() -> Iterator[Console]:
    """Give a console as wide as the terminal, or COLUMNS; in a pipe, lines do not wrap.

    Its output is printed at the end: wrapping escaped text can begin a line with a workflow
    command that stood inside of a name.
    """
    has_width = sys.stdout.isatty() or os.environ.get("COLUMNS")
    output = Console(highlight=False, width=None if has_width else _PIPE_WIDTH)
    with output.capture() as capture:
        yield output
    sys.stdout.write(without_commands(capture.get()))
