"""What a page says beside the verdicts' own sentences."""

from __future__ import annotations

from litegate.reports.html.facts import CandidateFacts, FlipSheet
from litegate.units import Unit, text


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


def diverged(facts: CandidateFacts) -> str:
    """Which layer is the first to diverge from the reference; empty where none does."""
    first = next((one for one in facts.layers if one.diverges), None)
    if not first:
        return ""
    return f"The first layer that diverges from the reference: {first.name}, SQNR {first.sqnr}."


def share(difference: float) -> str:
    """A share in percent, two figures: "3.1 %"."""
    return f"{100 * difference:.2g} %" if difference < 10 else "over 1000 %"


def side_by_side(facts: CandidateFacts) -> list[tuple[str, ...]]:
    """A row for each quantity: its name, then each side's value in the order of `facts.sides`."""
    sides = facts.sides
    scores = (None if s.accuracy is None else text(s.accuracy, Unit.PERCENT) for s in sides)
    rows = [("top-1 accuracy", *(score or "none" for score in scores))]
    rows.append(("bytes", *(text(side.bytes, Unit.BYTES) for side in sides)))
    rows.append(("operators", *(f"{side.operators:,}" for side in sides)))
    rows.append(("operators in floats", *(f"{side.floating:,}" for side in sides)))
    return rows


def changes(facts: CandidateFacts) -> list[str]:
    """What stands at the end of each row of `side_by_side`: from the side before to the last."""
    if len(facts.sides) < 2:
        return [""] * 4
    before, after = facts.sides[-2:]
    gained = ""
    if before.accuracy is not None and after.accuracy is not None:
        gained = text(after.accuracy - before.accuracy, Unit.POINTS, signed=True)
    return [
        gained,
        text(after.bytes - before.bytes, Unit.BYTES, signed=True),
        f"{after.operators - before.operators:+,}",
        f"{after.floating - before.floating:+,}",
    ]
