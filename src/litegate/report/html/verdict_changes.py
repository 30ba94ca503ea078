"""Match the verdicts of two reports, and sort them by how they changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.report.history_store import verdict_key
from litegate.report.outcomes import OUTCOMES, Report, Row, outcome_of, severity


class ChangeKind(StrEnum):
    """Kinds of change of a verdict, in display order; the value is the heading of a section."""

    WORSE = "became worse"
    GONE = "gone"
    BETTER = "became better"
    NEW = "new"
    MOVED = "same verdict, other value"
    SAME = "unchanged"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictChange:
    """A verdict in one report and its counterpart in another; either may be missing."""

    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The later verdict, or the only one."""
        row = self.after or self.before
        if row is None:
            raise ValueError("neither report has the verdict")
        return row

    @property
    def kind(self) -> ChangeKind:
        """Compare the outcomes first, then value and limit."""
        if self.before is None or self.after is None:
            return ChangeKind.GONE if self.after is None else ChangeKind.NEW
        rank_before, rank_after = (
            OUTCOMES.index(outcome_of(row)) for row in (self.before, self.after)
        )
        if rank_before != rank_after:
            return ChangeKind.WORSE if rank_after < rank_before else ChangeKind.BETTER
        is_same = all(self.before[key] == self.after[key] for key in ("value", "limit"))
        return ChangeKind.SAME if is_same else ChangeKind.MOVED


def verdict_changes(before: Report, after: Report) -> dict[str, list[VerdictChange]]:
    """Group the verdicts of both reports by `ChangeKind`, in its order, the worst first."""
    matched = _matched(before["verdicts"], after["verdicts"])
    changes = sorted(matched, key=lambda change: severity(change.row))
    groups = {
        kind.value: [change for change in changes if change.kind is kind] for kind in ChangeKind
    }
    return {heading: group for heading, group in groups.items() if group}


def _matched(before: Sequence[Row], after: Sequence[Row]) -> Iterator[VerdictChange]:
    """Match rows by model, recipe, check, measurement and unit; several in their order."""
    unmatched: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in before:
        unmatched[verdict_key(row)].append(row)
    for row in after:
        counterparts = unmatched[verdict_key(row)]
        yield VerdictChange(before=counterparts.pop(0) if counterparts else None, after=row)
    for rows in unmatched.values():
        yield from (VerdictChange(before=row, after=None) for row in rows)
