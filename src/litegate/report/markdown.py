"""Format a report as Markdown, for GitHub's step summary and for a comment.

The worst rows come first, passed verdicts are folded. Each section is a block of HTML, so that no
text of a report is read as Markdown. Rows are left out to stay within a number of bytes, those of
the last sections first; each section says how many it left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.escaping import markdown as text
from litegate.report import proof
from litegate.report.formatting import (
    compared_with,
    counts,
    figures,
    judged_commit,
    recipe_figures,
    recipe_head,
    subject_of,
)
from litegate.report.outcomes import Report, Row, headline, verdicts_with, without_verdict

SUMMARY_BYTES = 1000 * 1024
"""GitHub drops a whole step summary above 1024 KiB; the rest is a margin."""
COMMENT_BYTES = 60 * 1024
"""GitHub refuses a comment above 64 KiB; the rest is a margin, and has
room for the mark by which the comment is found again."""
_FRAME_BYTES = 400
"""Reserved for a section's own lines: heading, table head, count of rows left out."""
_LONGEST_CELL = 300
"""Characters of a cell or a name: one row with a stranger's endless name must not use up the bytes
of all others."""

_VERDICT_HEAD = ("model/recipe", "measurement", "value", "limit", "margin", "evidence")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A heading and its rows, as HTML."""

    title: str
    rows: Sequence[str]
    head: tuple[str, ...] = ()
    """Column heads of a table; empty for a list."""
    is_folded: bool = False


def summary(report: Report, most: int = SUMMARY_BYTES) -> str:
    """Format the report as Markdown of at most `most` bytes."""
    opening = _opening(report)
    sections = [section for section in _sections(report) if section.rows]
    free_bytes = most - _size(opening) - _FRAME_BYTES * len(sections)
    row_counts = _fitting_rows(sections, free_bytes)
    blocks = [opening, *(_block(section, row_counts[section.title]) for section in sections)]
    return "\n\n".join(blocks) + "\n"


def comment(report: Report) -> str:
    """Format the report as Markdown that is small enough for a comment on a pull request."""
    return summary(report, COMMENT_BYTES)


def _opening(report: Report) -> str:
    lines = [f"## litegate: {headline(report)}", "", f"<p>{counts(report)}</p>"]
    if parts := judged_commit(report):
        lines += ["", f"<p>Commit {_joined(parts)}</p>"]
    if parts := compared_with(report):
        lines += ["", f"<p>Held against {_joined(parts)}</p>"]
    return "\n".join(lines)


def _joined(parts: Iterable[str]) -> str:
    return " ".join(text(part, _LONGEST_CELL) for part in parts)


def _sections(report: Report) -> Iterator[_Section]:
    """Yield all sections, the most important first."""
    failed = verdicts_with(report, "fail")
    yield _Section(title="What got worse", rows=_formatted(failed, _sentence))
    inconclusive = verdicts_with(report, "inconclusive")
    undecided = without_verdict(report["errors"])
    yield _Section(title="Not proven", rows=_formatted(inconclusive, _sentence))
    yield _Section(title="No verdict", rows=_formatted(undecided, _error))
    yield _Section(title="NOT GATED", rows=_formatted(report["not_gated"], _not_gated))
    yield _Section(title="Waived", rows=_formatted(verdicts_with(report, "waived"), _sentence))
    yield _Section(title="Waivers", rows=_formatted(report.get("waivers") or [], _waiver))
    proofs = report.get("proofs") or []
    problems = [line for row in proofs for line in proof.problems(row)]
    yield _Section(title="What the gate would let through", rows=_formatted(problems, _note))
    yield _Section(title="Proof of the gate", rows=_formatted(proofs, _proof))
    recipes = report["recipes"]
    yield _Section(title="Recipes", rows=_formatted(recipes, _recipe), head=recipe_head(recipes))
    yield _Section(title="Notes", rows=_formatted(report["notes"], _note), is_folded=True)
    yield _Section(
        title="Not measured", rows=_formatted(report["not_measured"], _not_measured), is_folded=True
    )
    passed = verdicts_with(report, "pass")
    rows = _formatted(passed, _passed)
    yield _Section(title="Passed", rows=rows, head=_VERDICT_HEAD, is_folded=True)


def _formatted(rows: Iterable[Any], format_row: Callable[[Any], str]) -> list[str]:
    return [format_row(row) for row in rows]


def _sentence(row: Row) -> str:
    return _item(text(row["sentence"]))


def _error(row: Row) -> str:
    return _item(f"{text(subject_of(row) or row['check'], _LONGEST_CELL)} {text(row['message'])}")


def _not_gated(row: Row) -> str:
    return _item(f"{text(row['model'], _LONGEST_CELL)} {text(row['reason'])}")


def _not_measured(row: Row) -> str:
    return _item(f"{text(row['id'], _LONGEST_CELL)} {text(row['reason'])}")


def _waiver(waiver: Any) -> str:
    listed = waiver
    if isinstance(waiver, Mapping):
        listed = ", ".join(f"{key}: {value}" for key, value in waiver.items() if value)
    return _item(text(str(listed)))


def _note(note: str) -> str:
    return _item(text(note))


def _proof(row: Row) -> str:
    return _item(text(proof.title(row)))


def _passed(row: Row) -> str:
    return _cells([subject_of(row), row["measurement"], *figures(row)])


def _recipe(row: Row) -> str:
    return _cells([f"{row['model']}/{row['recipe']}", row["role"], *recipe_figures(row)])


def _item(content: str) -> str:
    return f"<li>{content}</li>"


def _cells(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{text(cell, _LONGEST_CELL)}</td>' for cell in cells)}</tr>"


def _fitting_rows(sections: Iterable[_Section], free_bytes: int) -> dict[str, int]:
    """Return how many rows of each section fit, by title; the first sections come first."""
    row_counts: dict[str, int] = {}
    for section in sections:
        row_counts[section.title] = 0
        for row in section.rows:
            free_bytes -= _size(row)
            if free_bytes < 0:
                break
            row_counts[section.title] += 1
    return row_counts


def _size(block: str) -> int:
    return len(block.encode()) + 1


def _block(section: _Section, count: int) -> str:
    """Format the first `count` rows; a blank line would end the block of HTML."""
    total = len(section.rows)
    title = f"{section.title} ({total})"
    lines = list(section.rows[:count])
    if section.head:
        head = "".join(f"<th>{text(name, _LONGEST_CELL)}</th>" for name in section.head)
        lines = ["<table>", f"<tr>{head}</tr>", *lines, "</table>"]
    else:
        lines = ["<ul>", *lines, "</ul>"]
    if count < total:
        lines.append(f"<p>{total - count} more left out here for length; report.json has all</p>")
    if section.is_folded:
        return "\n".join(["<details>", f"<summary>{title}</summary>", *lines, "</details>"])
    return "\n".join([f"<h3>{title}</h3>", *lines])
