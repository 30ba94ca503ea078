"""Two reports verdict by verdict: what broke, what was mended, what moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.report.history_store import key_of
from litegate.report.outcomes import OUTCOMES, Report, Row, outcome_of, severity


class Fate(StrEnum):
    """What became of a verdict; the value is the heading over its kind."""

    BROKE = "worse verdict"
    GONE = "gone"
    MENDED = "better verdict"
    NEW = "new"
    MOVED = "same verdict, other value"
    SAME = "unchanged"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A verdict of one report and the same one of another; one of the two may be missing."""

    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The later one, or the only one."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a pair of nothing")
        return found

    @property
    def fate(self) -> Fate:
        """What became of it."""
        if self.before is None or self.after is None:
            return Fate.GONE if self.after is None else Fate.NEW
        was, now = (OUTCOMES.index(outcome_of(row)) for row in (self.before, self.after))
        if was != now:
            return Fate.BROKE if now < was else Fate.MENDED
        same = all(self.before[key] == self.after[key] for key in ("value", "limit"))
        return Fate.SAME if same else Fate.MOVED


def pairs(before: Report, after: Report) -> dict[str, list[Pair]]:
    """Every verdict of both reports by what became of it, in the order of `Fate`."""
    found = sorted(_paired(before["verdicts"], after["verdicts"]), key=lambda p: severity(p.row))
    kinds = {fate.value: [p for p in found if p.fate is fate] for fate in Fate}
    return {name: those for name, those in kinds.items() if those}


def _paired(before: Sequence[Row], after: Sequence[Row]) -> Iterator[Pair]:
    """Paired by model, recipe, check and measurement, in their order where there are several."""
    waiting: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in before:
        waiting[key_of(row)].append(row)
    for row in after:
        same = waiting[key_of(row)]
        yield Pair(before=same.pop(0) if same else None, after=row)
    for rows in waiting.values():
        yield from (Pair(before=row, after=None) for row in rows)
