"""What a page says beside the verdicts' own sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from litegate.core.units import Unit, text
from litegate.report.html.page_data import CandidateData, FlipSheet


def flipped(sheet: FlipSheet) -> str:
    """What the change did, in a sentence or two, so that one who knows nothing sees the cause."""
    if not sheet.broken and not sheet.fixed:
        return f"Against its {sheet.role}, no sample of {sheet.n:,} changed sides."
    said = f"Against its {sheet.role}, {_count(sheet.broken)} broken and {sheet.fixed:,} fixed"
    return f"{said}, of {sheet.n:,}.{_worst(sheet)}"


def _count(samples: int) -> str:
    return f"{samples:,} sample{' was' if samples == 1 else 's were'}"


def _worst(sheet: FlipSheet) -> str:
    worst = sheet.classes[0]
    if not worst.broken:
        return ""
    lost = f"Class “{worst.name}” loses most: {worst.broken:,} broken"
    return f" {lost}, {sheet.taken:,} of them taken for “{sheet.confused_with}” now."


def capped(sheet: FlipSheet) -> str:
    """How many flips are shown, where not all of them are."""
    found = sheet.broken + sheet.fixed
    return "" if sheet.shown == found else f"{sheet.shown:,} of {found:,} are shown."


def diverged(facts: CandidateData) -> str:
    """Which layer is the first to diverge from the reference; empty where none does."""
    first = next((one for one in facts.layers if one.diverges), None)
    if not first:
        return ""
    return f"The first layer that diverges from the reference: {first.name}, SQNR {first.sqnr}."


def share(difference: float) -> str:
    """A share in percent, two figures: "3.1 %"."""
    return f"{100 * difference:.2g} %" if difference < 10 else "over 1000 %"


@final
@dataclass(frozen=True, slots=True)
class Line:
    """One quantity of a candidate and of what it stands beside."""

    name: str
    values: tuple[str, ...]
    """In the order of `CandidateData.sides`."""
    change: str
    """From the side before the last to the last; empty where one of them has no value."""


def side_by_side(facts: CandidateData) -> list[Line]:
    """A line for each quantity that a side has."""
    sides = facts.sides
    return [
        *_line("top-1 accuracy", [side.accuracy for side in sides], Unit.PERCENT, Unit.POINTS),
        *_line("bytes", [side.bytes for side in sides], Unit.BYTES, Unit.BYTES),
        *_line("operators", [side.operators for side in sides], Unit.COUNT, Unit.COUNT),
        *_line("operators in floats", [side.floating for side in sides], Unit.COUNT, Unit.COUNT),
    ]


def _line(name: str, values: Sequence[float | None], unit: Unit, of_change: Unit) -> Iterator[Line]:
    if all(value is None for value in values):
        return
    said = tuple("none" if value is None else text(value, unit) for value in values)
    before, after = values[-2:] if len(values) > 1 else (None, None)
    if before is None or after is None:
        yield Line(name, said, "")
    else:
        yield Line(name, said, text(after - before, of_change, signed=True))
