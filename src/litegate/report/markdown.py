"""Format a report as Markdown, for GitHub's step summary and for a comment.

What failed comes first, as a table and as folded blocks; passed verdicts are folded, and the last
lines are what to do. Each section is a block of HTML, so that no text of a report is read as
Markdown. Rows are left out to stay within a number of bytes, those of the last sections first; each
section says how many it left out.
"""

from __future__ import annotations

import html
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.escaping import markdown as text
from litegate.core.escaping import preformatted
from litegate.report import proof
from litegate.report.blocks import Block, error_blocks, indented, verdict_blocks, wrapped
from litegate.report.outcomes import Report, Row, headline, is_good, verdicts_with
from litegate.report.row_text import (
    compared_with,
    counts,
    figures,
    judged_commit,
    limit_and_margin,
    recipe_figures,
    recipe_head,
    subject_of,
)
from litegate.report.runtime_matrix import RUNTIME_HEAD, runtime_figures

SUMMARY_BYTES = 1000 * 1024
"""GitHub drops a whole step summary above 1024 KiB; the rest is a margin."""
COMMENT_BYTES = 60 * 1024
"""GitHub refuses a comment above 64 KiB; the rest is a margin, and has
room for the mark by which the comment is found again."""
_FRAME_BYTES = 400
"""Reserved for a section's own lines: heading, table head, count of rows left out. A
choice, with room for long names."""
_LONGEST_CELL = 300
"""Characters of a cell or a name: one row with a stranger's endless name must not use up the bytes
of all others. The number is a choice."""

_WIDTH = 96
"""Columns of a preformatted block: more would scroll sideways in a comment on a wide screen."""
_MOST_ACCEPTED = 3
"""Verdicts that one command of the last lines names; `litegate accept` lists more of them, and asks
which. Three fit on the lines above the fold of a comment; the number is a choice."""

_VERDICT_HEAD = ("model/recipe", "measurement", "value", "limit", "margin", "evidence")
_FAILED_HEAD = ("check", "value", "limit")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A heading and its rows, as HTML."""

    title: str
    rows: Sequence[str]
    head: tuple[str, ...] = ()
    """Column heads of a table; empty for preformatted lines."""
    is_folded: bool = False


def summary(report: Report, most: int = SUMMARY_BYTES, *, page: str = "") -> str:
    """Format the report as Markdown of at most `most` bytes; `page` is the address of its page."""
    opening, ending = _opening(report), _ending(report, page)
    sections = [section for section in _sections(report) if section.rows]
    free_bytes = most - _size(opening + ending) - _FRAME_BYTES * len(sections)
    row_counts = _fitting_rows(sections, free_bytes)
    blocks = [opening, *map(_block, sections, row_counts), *filter(None, [ending])]
    return "\n\n".join(blocks) + "\n"


def comment(report: Report, *, page: str = "") -> str:
    """Format the report as Markdown that is small enough for a comment on a pull request."""
    return summary(report, COMMENT_BYTES, page=page)


def _opening(report: Report) -> str:
    lines = [f"## litegate: {headline(report)}", "", f"<p>{counts(report)}</p>"]
    if parts := judged_commit(report):
        lines += ["", f"<p>Commit {_joined(parts)}</p>"]
    if parts := compared_with(report):
        lines += ["", f"<p>Compared with {_joined(parts)}</p>"]
    return "\n".join(lines)


def _ending(report: Report, page: str) -> str:
    """Return the last lines: reproduce, accept, and the page, as far as they apply."""
    folder = report.get("folder") or ""
    reproduce = f"Reproduce in {text(folder)}" if folder else "Reproduce"
    commands = {reproduce: report.get("reproduce"), "Accept, if intended": _accept(report)}
    lines = [f"{label}: {text(command)}" for label, command in commands.items() if command]
    lines = [] if is_good(report) else lines
    lines += [f'<a href="{html.escape(page)}">Open the page</a>'] if page else []
    return f"<p>{'<br>'.join(lines)}</p>" if lines else ""


def _accept(report: Report) -> str:
    """Return the command that accepts what may be accepted; empty if nothing may be."""
    rows = [row for row in report["verdicts"] if (row.get("steps") or {}).get("intended")]
    if len(rows) > _MOST_ACCEPTED:
        return "litegate accept"
    ids = shlex.join(row["id"] for row in rows)
    return f'litegate accept {ids} --reason "..."' if rows else ""


def _joined(parts: Iterable[str]) -> str:
    return " ".join(text(part, _LONGEST_CELL) for part in parts)


def _sections(report: Report) -> Iterator[_Section]:
    """Yield all sections, the most important first."""
    yield from _verdict_sections(report, "fail", "Failed")
    errors = _formatted(error_blocks(report), _preformatted)
    yield _Section(title="No verdict", rows=errors)
    yield from _verdict_sections(report, "inconclusive", "Not proven")
    yield _Section(title="NOT GATED", rows=_formatted(report["not_gated"], _not_gated))
    waived = _formatted(verdict_blocks(report, "waived"), _preformatted)
    yield _Section(title="Waived", rows=waived, is_folded=True)
    proofs = report.get("proofs") or []
    yield _Section(title="Proof of the gate", rows=_formatted(map(proof.title, proofs), _line))
    recipes = report["recipes"]
    yield _Section(
        title="Recipes",
        rows=_formatted(recipes, _recipe),
        head=recipe_head(recipes),
    )
    yield _Section(
        title="Runtimes",
        rows=_formatted(report.get("runtimes") or [], _runtime),
        head=("model/recipe", *RUNTIME_HEAD),
    )
    yield _Section(title="Notes", rows=_formatted(report["notes"], _line), is_folded=True)
    yield _Section(
        title="Not measured", rows=_formatted(report["not_measured"], _not_measured), is_folded=True
    )
    yield _Section(
        title="Passed",
        rows=_formatted(verdicts_with(report, "pass"), _passed),
        head=_VERDICT_HEAD,
        is_folded=True,
    )


def _verdict_sections(report: Report, outcome: str, title: str) -> Iterator[_Section]:
    """Yield a table with a line for each verdict, and their blocks, folded."""
    rows = _formatted(verdicts_with(report, outcome), _figures)
    yield _Section(title=title, rows=rows, head=_FAILED_HEAD)
    blocks = _formatted(verdict_blocks(report, outcome), _preformatted)
    yield _Section(title=f"{title}: details", rows=blocks, is_folded=True)


def _formatted(rows: Iterable[Any], format_row: Callable[[Any], str]) -> list[str]:
    return [format_row(row) for row in rows]


def _figures(row: Row) -> str:
    """Return a table's row; the numbers are no text of a stranger's, and need no code."""
    check = _joined(filter(None, (subject_of(row), row["measurement"])))
    value, *_ = figures(row)
    cells = (check, html.escape(value), html.escape(limit_and_margin(row)))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _preformatted(block: Block) -> str:
    return preformatted("\n".join(indented(block[1], _WIDTH)))


def _line(line: str) -> str:
    return preformatted("\n".join(wrapped(line, _WIDTH)))


def _not_gated(row: Row) -> str:
    return _line(f"{row['model']}: {row['reason']}")


def _not_measured(row: Row) -> str:
    return _line(f"{row['id']}: {row['reason']}")


def _passed(row: Row) -> str:
    return _cells([subject_of(row), row["measurement"], *figures(row)])


def _recipe(row: Row) -> str:
    return _cells([f"{row['model']}/{row['recipe']}", row["role"], *recipe_figures(row)])


def _runtime(row: Row) -> str:
    return _cells([subject_of(row), *runtime_figures(row)])


def _cells(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{text(cell, _LONGEST_CELL)}</td>' for cell in cells)}</tr>"


def _fitting_rows(sections: Iterable[_Section], free_bytes: int) -> list[int]:
    """Return how many rows of each section fit; the first sections come first."""
    row_counts: list[int] = []
    for section in sections:
        row_counts.append(0)
        for row in section.rows:
            free_bytes -= _size(row)
            if free_bytes < 0:
                break
            row_counts[-1] += 1
    return row_counts


def _size(block: str) -> int:
    return len(block.encode()) + 1


def _block(section: _Section, count: int) -> str:
    """Format the first `count` rows; a blank line would end the block of HTML."""
    total = len(section.rows)
    title = f"{section.title} ({total})"
    lines = _contained(section, section.rows[:count])
    if count < total:
        lines.append(f"<p>{total - count} more left out here for length; report.json has all</p>")
    if section.is_folded:
        return "\n".join(["<details>", f"<summary>{title}</summary>", *lines, "</details>"])
    return "\n".join([f"<h3>{title}</h3>", *lines])


def _contained(section: _Section, rows: Sequence[str]) -> list[str]:
    if not section.head:
        return ["<pre>", *rows, "</pre>"]
    head = "".join(f"<th>{text(name, _LONGEST_CELL)}</th>" for name in section.head)
    return ["<table>", f"<tr>{head}</tr>", *rows, "</table>"]
