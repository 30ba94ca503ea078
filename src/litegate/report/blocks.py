"""Format what did not pass as blocks of lines: a headline, and indented details and steps.

The terminal, the step summary and the comment show the same blocks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from litegate.core.escaping import plain
from litegate.report import proof
from litegate.report.causes import causes
from litegate.report.outcomes import PROOF, Report, verdicts_with
from litegate.report.row_text import details, headline, short_fact, step_lines, subject_of

Block = tuple[str, list[str]]
"""A mark ("fail", "error", "inconclusive", "waived") and the lines, the headline first."""

_INDENT = " " * 6
"""Before the lines below a headline; "FAIL" and the gap after it are as wide."""
_COPIED = ("Reproduce: ", "Change: ", "Intended: ")
"""Starts of lines with a command or a field's value, which must stay on one line to be copied."""


def verdict_blocks(report: Report, outcome: str) -> Iterator[Block]:
    """Yield the verdicts with an outcome, the worst first."""
    for row in verdicts_with(report, outcome):
        head = f"{outcome.upper()}  {headline(row)}"
        yield outcome, [head, *map(_shortened, details(row)), *step_lines(row)]


def _shortened(line: str) -> str:
    """Shorten paths of tensors in a fact; an offender is named as a waiver names it."""
    return line if line.startswith("- ") else short_fact(line)


def error_blocks(report: Report) -> Iterator[Block]:
    """Yield the causes of missing verdicts, and the proofs that do not hold."""
    failed = [row for row in report.get("proofs") or () if not row["holds"]]
    proven = {subject_of(row) for row in failed}
    others = [r for r in report["errors"] if r["id"] != PROOF or subject_of(r) not in proven]
    for cause in causes(others):
        yield "error", [f"ERROR  {cause.headline}", *cause.lines]
    for row in failed:
        head = f"ERROR  {proof.headline(row)}"
        yield "error", [*map(plain, (head, proof.would_notice(row), *proof.problems(row)))]


def indented(lines: Sequence[str], width: int) -> Iterator[str]:
    """Yield a block's lines, wrapped except for the headline and what is copied.

    A `width` of 0 is unlimited.
    """
    yield lines[0]
    for line in lines[1:]:
        limit = 0 if line.startswith(_COPIED) else width
        yield from wrapped(line, limit, _INDENT, f"{_INDENT}  ")


def wrapped(text: str, width: int, first: str = "", following: str = "  ") -> list[str]:
    """Wrap a line between its words; a longer word keeps its line."""
    if not width:
        return [f"{first}{text}"]
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
