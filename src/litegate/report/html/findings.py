"""Collect what a page lists: a verdict in a row, and each distinct error once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from litegate.report.outcomes import (
    Report,
    Row,
    is_clean,
    outcome_of,
    severity,
    verdicts_with,
    without_verdict,
)
from litegate.report.row_text import subject_of


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row of the list: a verdict, an error, or a model that was not gated."""

    outcome: str
    """ "fail", "error", "not gated", "inconclusive", "waived" or "pass"."""
    name: str
    """The measurement, or the first line of a message."""
    subject: str
    row: Row | None = None
    """The verdict's row; None for the others."""
    message: tuple[str, ...] = ()
    """The further lines of an error."""
    stopped: tuple[str, ...] = ()
    """Ids of the checks that an error left without a verdict."""
    requirement: str = ""
    steps: Mapping[str, str | None] | None = None
    """The next steps: "reproduce", "change", "intended"."""


def problems(report: Report) -> list[tuple[str, list[Finding]]]:
    """Return all but the passed verdicts under headings, without empty ones; the worst first."""
    failed = [*map(verdict_finding, verdicts_with(report, "fail")), *_errors(report)]
    headings = {
        "What failed": failed,
        "Not gated": [_not_gated(row) for row in report["not_gated"]],
        "Not proven either way": map(verdict_finding, verdicts_with(report, "inconclusive")),
        "Failed with a waiver": map(verdict_finding, verdicts_with(report, "waived")),
    }
    groups = [(heading, list(findings)) for heading, findings in headings.items()]
    return [(heading, findings) for heading, findings in groups if findings]


def passed(verdicts: Iterable[Row]) -> list[Finding]:
    """Return the passed verdicts, the closest to its limit first; clean counts last."""
    rows = [row for row in verdicts if outcome_of(row) == "pass"]
    ordered = sorted(rows, key=lambda row: (is_clean(row), severity(row)))
    return [verdict_finding(row) for row in ordered]


def verdict_finding(row: Row) -> Finding:
    """Return the finding of a verdict's row."""
    return Finding(
        outcome=outcome_of(row),
        name=row["measurement"],
        subject=subject_of(row),
        row=row,
        requirement=row["requirement"],
        steps=row.get("steps"),
    )


def _errors(report: Report) -> list[Finding]:
    """Return each distinct message once, with the checks that it stopped."""
    by_message: dict[str, list[Row]] = {}
    for row in without_verdict(report["errors"]):
        by_message.setdefault(str(row["message"]), []).append(row)
    return [_error(message, rows) for message, rows in by_message.items()]


def _error(message: str, rows: list[Row]) -> Finding:
    first, *further = message.split("\n")
    subjects = {subject_of(row) or row["id"] for row in rows}
    parts = [*subjects] if len(subjects) == 1 else []
    parts += [f"stopped {len(rows):,} checks"] if len(rows) > 1 else []
    return Finding(
        outcome="error",
        name=first,
        subject=", ".join(parts),
        message=tuple(line for line in further if line.strip()),
        stopped=tuple(row["id"] for row in rows if row["id"]),
        requirement=rows[0]["requirement"] if len(rows) == 1 else "",
        steps=rows[0].get("steps"),
    )


def _not_gated(row: Row) -> Finding:
    first, *further = str(row["reason"]).split("\n")
    message = tuple(line for line in further if line.strip())
    return Finding(outcome="not gated", name=first, subject=row["model"], message=message)
