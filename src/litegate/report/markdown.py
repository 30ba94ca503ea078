"""A report as Markdown, for GitHub's step summary and for a comment.

What got worse stands on top, what passed is folded. Each section is a block of HTML, in which
nothing that a report holds is read as Markdown. A budget of bytes is kept by leaving out rows,
those of the folded sections first; each section says how many it left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.escaping import markdown as text
from litegate.report import proof
from litegate.report.formatting import (
    RECIPE_HEAD,
    compared_with,
    counts,
    figures,
    judged,
    recipe_figures,
    whose,
)
from litegate.report.outcomes import Report, Row, having, headline, without_verdict

SUMMARY_BYTES = 1000 * 1024
"""GitHub drops a step summary above 1024 KiB whole."""
COMMENT_BYTES = 60 * 1024
"""And refuses a comment above 64 KiB."""
_FRAME = 400
"""Bytes kept free for a section's own lines, the one that counts what was left out included."""

_VERDICT_HEAD = ("model/recipe", "measurement", "value", "limit", "margin", "evidence")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A heading and its rows, as HTML."""

    title: str
    rows: Sequence[str]
    head: tuple[str, ...] = ()
    """Of a table; a list has none."""
    folded: bool = False


def summary(report: Report, most: int = SUMMARY_BYTES) -> str:
    """The report as Markdown of at most `most` bytes."""
    opening = _opening(report)
    sections = [section for section in _sections(report) if section.rows]
    left = most - _size(opening) - _FRAME * len(sections)
    kept = _within(sections, left)
    blocks = [opening, *(_block(s, kept[s.title]) for s in sections)]
    return "\n\n".join(blocks) + "\n"


def comment(report: Report) -> str:
    """The same, small enough for a comment on a pull request."""
    return summary(report, COMMENT_BYTES)


def _opening(report: Report) -> str:
    lines = [f"## litegate: {headline(report)}", "", f"<p>{counts(report)}</p>"]
    if shown := judged(report):
        lines += ["", f"<p>Commit {' '.join(text(each, 300) for each in shown)}</p>"]
    if shown := compared_with(report):
        lines += ["", f"<p>Held against {' '.join(text(each, 300) for each in shown)}</p>"]
    return "\n".join(lines)


def _sections(report: Report) -> Iterator[_Section]:
    """In the order in which a person reads them, which is that of their weight, too."""
    yield _Section(title="What got worse", rows=_each(having(report, "fail"), _sentence))
    unproven = having(report, "inconclusive")
    blank = without_verdict(report["errors"])
    yield _Section(title="Not proven", rows=_each(unproven, _sentence))
    yield _Section(title="No verdict", rows=_each(blank, _error))
    yield _Section(title="NOT GATED", rows=_each(report["not_gated"], _not_gated))
    yield _Section(title="Waived", rows=_each(having(report, "waived"), _sentence))
    yield _Section(title="Waivers", rows=_each(report.get("waivers") or [], _waiver))
    proofs = report.get("proofs") or []
    troubles = [line for row in proofs for line in proof.troubles(row)]
    yield _Section(title="What the gate would let through", rows=_each(troubles, _note))
    yield _Section(title="Proof of the gate", rows=_each(proofs, _proof))
    yield _Section(title="Recipes", rows=_each(report["recipes"], _recipe), head=RECIPE_HEAD)
    yield _Section(title="Notes", rows=_each(report["notes"], _note), folded=True)
    yield _Section(
        title="Not measured", rows=_each(report["not_measured"], _not_measured), folded=True
    )
    passed = having(report, "pass")
    yield _Section(title="Passed", rows=_each(passed, _passed), head=_VERDICT_HEAD, folded=True)


def _each(rows: Iterable[Any], row: Callable[[Any], str]) -> list[str]:
    return [row(each) for each in rows]


def _sentence(row: Row) -> str:
    return _item(text(row["sentence"]))


def _error(row: Row) -> str:
    return _item(f"{text(whose(row) or row['check'], 300)} {text(row['message'])}")


def _not_gated(row: Row) -> str:
    return _item(f"{text(row['model'], 300)} {text(row['reason'])}")


def _not_measured(row: Row) -> str:
    return _item(f"{text(row['id'], 300)} {text(row['reason'])}")


def _waiver(waiver: Any) -> str:
    shown = waiver
    if isinstance(waiver, Mapping):
        shown = ", ".join(f"{key}: {value}" for key, value in waiver.items() if value)
    return _item(text(str(shown)))


def _note(note: str) -> str:
    return _item(text(note))


def _proof(row: Row) -> str:
    return _item(text(proof.title(row)))


def _passed(row: Row) -> str:
    return _cells([whose(row), row["measurement"], *figures(row)])


def _recipe(row: Row) -> str:
    return _cells([f"{row['model']}/{row['recipe']}", row["role"], *recipe_figures(row)])


def _item(content: str) -> str:
    return f"<li>{content}</li>"


def _cells(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{text(cell, 300)}</td>' for cell in cells)}</tr>"


def _within(sections: Iterable[_Section], left: int) -> dict[str, int]:
    """How many rows of each section fit, the first sections served first."""
    kept: dict[str, int] = {}
    for section in sections:
        kept[section.title] = 0
        for row in section.rows:
            left -= _size(row)
            if left < 0:
                break
            kept[section.title] += 1
    return kept


def _size(block: str) -> int:
    return len(block.encode()) + 1


def _block(section: _Section, kept: int) -> str:
    """A section with its first `kept` rows, without a blank line, which would end the HTML."""
    number = len(section.rows)
    title = f"{section.title} ({number})"
    lines = list(section.rows[:kept])
    if section.head:
        head = "".join(f"<th>{each}</th>" for each in section.head)
        lines = ["<table>", f"<tr>{head}</tr>", *lines, "</table>"]
    else:
        lines = ["<ul>", *lines, "</ul>"]
    if kept < number:
        lines.append(f"<p>{number - kept} more left out here for length; report.json has all</p>")
    if section.folded:
        return "\n".join(["<details>", f"<summary>{title}</summary>", *lines, "</details>"])
    return "\n".join([f"<h3>{title}</h3>", *lines])
