"""The one place that turns a verdict into English; every report says the same words."""

from __future__ import annotations

from litegate.core.escaping import plain
from litegate.core.units import Unit, text
from litegate.measures.measurement import Interval, Outcome, Relation, Verdict

_MOST = 8


def sentence(verdict: Verdict) -> str:
    """Say what was measured, against what limit, by how much, and how sure it is."""
    facts = plain(", ".join(verdict.measurement.evidence))
    return "; ".join([_said(verdict), *_sure(verdict), *([facts] if facts else [])]) + _named(
        verdict.measurement.offenders
    )


def lines(verdict: Verdict) -> str:
    """The same words with a line for each fact, for a terminal."""
    facts = [*_sure(verdict), *map(plain, verdict.measurement.evidence)]
    listed = "".join(f"\n  {one}" for one in facts)
    return _said(verdict) + listed + _named(verdict.measurement.offenders)


def _said(verdict: Verdict) -> str:
    found = verdict.measurement
    value = f"{plain(found.name)} of {plain(found.subject)} is {text(found.value, found.unit)}"
    return f"{value}, must be {limit(verdict)} ({margin(verdict)})"


def _sure(verdict: Verdict) -> list[str]:
    """The note of a verdict, and its interval, where there are any."""
    found = verdict.measurement
    note = [plain(verdict.note)] if verdict.note else []
    return note + ([interval(found.interval, found.unit)] if found.interval else [])


def limit(verdict: Verdict) -> str:
    """The limit in words: "at most 0.50 points"."""
    word = "at most" if verdict.relation is Relation.AT_MOST else "at least"
    return f"{word} {text(verdict.limit.value, verdict.limit.unit)}"


def margin(verdict: Verdict) -> str:
    """The room to the limit in words: "0.46 points to spare", "over by 0.10 points"."""
    room = verdict.margin
    if room >= 0:
        return f"{text(room, verdict.limit.unit)} to spare" if room else "exactly at the limit"
    word = "over" if verdict.relation is Relation.AT_MOST else "short"
    return f"{word} by {text(-room, verdict.limit.unit)}"


def interval(found: Interval, unit: Unit) -> str:
    """The interval in words: "95 % interval -0.12 to 0.20 points (Tango's score, paired)"."""
    low, high = text(found.low, unit), text(found.high, unit)
    return f"{found.level * 100:g} % interval {low} to {high} ({found.method})"


def _named(offenders: tuple[str, ...]) -> str:
    if not offenders:
        return ""
    lines = [f"\n  - {plain(one)}" for one in offenders[:_MOST]]
    if len(offenders) > _MOST:
        lines.append(f"\n  - and {len(offenders) - _MOST} more")
    return ":" + "".join(lines)


def headline(outcome: Outcome) -> str:
    """The word that a person sees first."""
    return {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}[outcome.value]
