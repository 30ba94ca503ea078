"""Group the errors of a run by their cause: one broken file stops every check of its model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from litegate.core.escaping import plain
from litegate.report.outcomes import Row
from litegate.report.row_text import details, first_line, step_lines, subject_of

_MOST_NAMED = 2
"""Checks that a cause names: enough to see which kind it stopped; the report lists all."""


@final
@dataclass(frozen=True, slots=True)
class Cause:
    """Errors with the same message."""

    rows: tuple[Row, ...]

    @property
    def row(self) -> Row:
        """The first of the errors."""
        return self.rows[0]

    @property
    def subject(self) -> str:
        """The recipe or the model that all errors are of; empty if they have none in common."""
        for subjects in ({subject_of(row) for row in self.rows}, {r["model"] for r in self.rows}):
            if len(subjects) == 1:
                return str(*subjects)
        return ""

    @property
    def headline(self) -> str:
        """The first line of the message, after the subject or the only check's name."""
        is_of_check = len(self.rows) == 1 and "::" in self.row["id"]
        return first_line(self.row, self.subject or (self.row["check"] if is_of_check else ""))

    @property
    def stopped(self) -> str:
        """The count of stopped checks: "stopped 12 checks: test_a, test_b and 10 more".

        Empty for a single one. A check of several runtimes or recipes has a case of each.
        """
        if len(self.rows) == 1:
            return ""
        names = list(dict.fromkeys(row["check"] for row in self.rows))
        checks = f"{len(names):,} check{'' if len(names) == 1 else 's'}"
        cases = "" if len(names) == len(self.rows) else f"{len(self.rows):,} cases of "
        rest = len(names) - _MOST_NAMED
        others = f" and {rest:,} more" if rest > 0 else ""
        return plain(f"stopped {cases}{checks}: {', '.join(names[:_MOST_NAMED])}{others}")

    @property
    def lines(self) -> list[str]:
        """The lines below the headline: details, the stopped checks, what to do.

        An error of the run as a whole is reproduced by the run.
        """
        traceback = ["pytest prints its traceback"] if "traceback" in self.row else []
        stopped = [self.stopped] if self.stopped else []
        steps = step_lines(self.row) if self.row["id"] else []
        return [*traceback, *details(self.row), *stopped, *steps]


def causes(errors: Iterable[Row]) -> list[Cause]:
    """Group errors by message, in the order of their first occurrence."""
    rows_by_message: dict[Any, list[Row]] = {}
    for row in errors:
        key = (row["message"], row["id"] if "traceback" in row else "")
        rows_by_message.setdefault(key, []).append(row)
    return [Cause(tuple(rows)) for rows in rows_by_message.values()]
