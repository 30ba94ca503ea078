"""Match waivers, the reviewed exceptions of a project, with verdicts.

A waiver has a reason and an expiry date, and excuses one verdict up to the value or the offenders
that it names. A verdict is a row of the report (`report.run_record.verdict_row`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, final

from litegate.core import units
from litegate.core.escaping import plain
from litegate.core.units import Unit

FILE = "litegate-waivers.toml"
"""File of the waivers, at the root of the project."""

Row = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One exception, which names either the value or the offenders that it accepts."""

    check: str
    """Node id of the check, with or without parameters, or the name of its function."""
    measurement: str
    reason: str
    expires: date
    """The last day on which the waiver is valid."""
    model: str = ""
    """Empty for a verdict on the project as a whole."""
    recipe: str = ""
    """Empty for a verdict on the whole model."""
    value: str = ""
    """The worst accepted value, with its unit: "0.7143 points"."""
    offenders: tuple[str, ...] = ()
    """The accepted offenders, in the verdict's words."""
    line: int = 0
    """Line in the file; 0 if unknown."""

    @property
    def name(self) -> str:
        """Name for messages."""
        subject = "/".join(part for part in (self.model, self.recipe) if part) or "the project"
        place = f"{FILE}:{self.line}" if self.line else FILE
        return f"waiver of {self.measurement} of {subject} ({place})"

    @property
    def accepts(self) -> str:
        """The accepted value or offenders, for messages."""
        return self.value or f"{len(self.offenders)} named: {'; '.join(self.offenders)}"

    def to_row(self) -> dict[str, Any]:
        """Return the waiver in JSON types, for the report."""
        names = ("model", "recipe", "check", "measurement", "accepts", "reason", "line")
        return {name: getattr(self, name) for name in names} | {"expires": str(self.expires)}


def covers(waiver: Waiver, row: Row, today: date) -> bool:
    """Return True if a waiver excuses a verdict that did not pass."""
    return matches(waiver, row) and row["verdict"] != "pass" and not refusal(waiver, row, today)


def find_waiver(waivers: Iterable[Waiver], row: Row, today: date) -> Waiver | None:
    """Return the first waiver that covers a verdict, or None."""
    return next((waiver for waiver in waivers if covers(waiver, row, today)), None)


def matches(waiver: Waiver, row: Row) -> bool:
    """Return True if a waiver names a verdict's check, model, recipe and measurement."""
    subject = (waiver.model, waiver.recipe, waiver.measurement)
    if subject != (row["model"], row["recipe"], row["measurement"]):
        return False
    return waiver.check in (row["check"], without_parameters(row["id"]), row["id"])


def without_parameters(node: str) -> str:
    """Return a node id without the part in brackets."""
    path, separator, rest = node.partition("::")
    return path + separator + rest.partition("[")[0]


def refusal(waiver: Waiver, row: Row, today: date) -> str:
    """Return why a waiver does not cover a verdict that it matches; empty if it does."""
    if today > waiver.expires:
        return f"it expired on {waiver.expires}"
    if row["offenders"] or waiver.offenders:
        return _offenders_refusal(waiver, row)
    return _value_refusal(waiver, row)


def _offenders_refusal(waiver: Waiver, row: Row) -> str:
    """Compare names: the same number of other offenders must not pass."""
    unnamed = [offender for offender in row["offenders"] if offender not in waiver.offenders]
    if row["offenders"] and not unnamed:
        return ""
    return f"it does not name {unnamed[0]!r}" if unnamed else "it names what this verdict does not"


def _value_refusal(waiver: Waiver, row: Row) -> str:
    accepted, unit = units.read(waiver.value), Unit(row["unit"])
    if unit not in accepted.units:
        return f"it accepts {waiver.value}, and this is in {unit}"
    value, bound = float(row["value"]), float(accepted.value)
    if (value <= bound) if row["relation"] == "<=" else (value >= bound):
        return ""
    return f"it accepts {waiver.value}, and this is {units.exactly(row['value'], unit)}"


def waiver_notes(
    waivers: Iterable[Waiver], rows: Iterable[Row], today: date, *, whole: bool
) -> Iterator[str]:
    """Yield a line for each waiver: what it excuses, or why it excuses nothing.

    `whole` states that every check ran on every model, so that a waiver without a verdict is stale.
    """
    verdicts = list(rows)
    for waiver in waivers:
        yield plain(f"{waiver.name}: {_state(waiver, verdicts, today, whole=whole)}")


def _state(waiver: Waiver, rows: list[Row], today: date, *, whole: bool) -> str:
    matching = [row for row in rows if matches(waiver, row)]
    broken = [row for row in matching if row["verdict"] != "pass"]
    if any(covers(waiver, row, today) for row in broken):
        return f"accepts {waiver.accepts} until {waiver.expires}, because: {waiver.reason}"
    if broken:
        return f"does not cover this verdict: {refusal(waiver, broken[0], today)}"
    if today > waiver.expires:
        return f"expired on {waiver.expires}: remove it"
    if matching:
        return "is not used, the promise is kept: remove it"
    return "is not used: remove it" if whole else "was not looked at in this run"
