"""Waivers: named, reasoned, dated exceptions, each to one verdict and to no more than it names.

A verdict is looked at as a row of the report (`reports.record.verdict_row`).
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
"""At the root of the project; reviewed like code."""

Row = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One exception. It names either a value or the offenders that it accepts."""

    check: str
    """Its node id, with or without the part in brackets, or the name of its function alone."""
    measurement: str
    reason: str
    expires: date
    """The last day on which it counts."""
    model: str = ""
    """Empty for a verdict on the project as a whole."""
    recipe: str = ""
    """Empty for a verdict on the whole model."""
    value: str = ""
    """The worst value that it accepts, with its unit: "0.7143 points"."""
    offenders: tuple[str, ...] = ()
    """The offenders that it accepts, each as the verdict words it."""
    line: int = 0
    """Where it stands in the file; 0 where that is not known."""

    @property
    def name(self) -> str:
        """Which one it is, for messages."""
        whose = "/".join(part for part in (self.model, self.recipe) if part) or "the project"
        place = f"{FILE}:{self.line}" if self.line else FILE
        return f"waiver of {self.measurement} of {whose} ({place})"

    @property
    def accepts(self) -> str:
        """What it accepts, in words."""
        return self.value or f"{len(self.offenders)} named: {'; '.join(self.offenders)}"

    def to_row(self) -> dict[str, Any]:
        """What stands in the report: beside the verdict that it excuses, and in the list of all."""
        named = ("model", "recipe", "check", "measurement", "accepts", "reason", "line")
        return {name: getattr(self, name) for name in named} | {"expires": str(self.expires)}


def covers(waiver: Waiver, row: Row, today: date) -> bool:
    """Whether a waiver excuses a verdict that did not pass."""
    return concerns(waiver, row) and row["verdict"] != "pass" and not refusal(waiver, row, today)


def covering(waivers: Iterable[Waiver], row: Row, today: date) -> Waiver | None:
    """The first waiver that covers a verdict."""
    return next((one for one in waivers if covers(one, row, today)), None)


def concerns(waiver: Waiver, row: Row) -> bool:
    """Whether a waiver is about this verdict's check, model, recipe and measurement."""
    named = (waiver.model, waiver.recipe, waiver.measurement)
    if named != (row["model"], row["recipe"], row["measurement"]):
        return False
    return waiver.check in (row["check"], bare(row["id"]), row["id"])


def bare(node: str) -> str:
    """A node id without the part in brackets."""
    path, separator, rest = node.partition("::")
    return path + separator + rest.partition("[")[0]


def refusal(waiver: Waiver, row: Row, today: date) -> str:
    """Why a waiver of a verdict does not cover it; empty where it does."""
    if today > waiver.expires:
        return f"it expired on {waiver.expires}"
    return _unnamed(waiver, row) if row["offenders"] or waiver.offenders else _worse(waiver, row)


def _unnamed(waiver: Waiver, row: Row) -> str:
    """A verdict that names offenders is covered by their names, never by their number."""
    others = [one for one in row["offenders"] if one not in waiver.offenders]
    if row["offenders"] and not others:
        return ""
    return f"it does not name {others[0]!r}" if others else "it names what this verdict does not"


def _worse(waiver: Waiver, row: Row) -> str:
    accepted, unit = units.read(waiver.value), Unit(row["unit"])
    if unit not in accepted.units:
        return f"it accepts {waiver.value}, and this is in {unit}"
    value, bound = float(row["value"]), float(accepted.value)
    if (value <= bound) if row["relation"] == "<=" else (value >= bound):
        return ""
    return f"it accepts {waiver.value}, and this is {units.exactly(row['value'], unit)}"


def notes(
    waivers: Iterable[Waiver], rows: Iterable[Row], today: date, *, whole: bool
) -> Iterator[str]:
    """A line for each waiver: what it excuses, or why it excuses nothing.

    `whole` says that every check ran on every model, so that a waiver without a verdict is stale.
    """
    found = list(rows)
    for waiver in waivers:
        yield plain(f"{waiver.name}: {_state(waiver, found, today, whole=whole)}")


def _state(waiver: Waiver, rows: list[Row], today: date, *, whole: bool) -> str:
    mine = [row for row in rows if concerns(waiver, row)]
    broken = [row for row in mine if row["verdict"] != "pass"]
    if any(covers(waiver, row, today) for row in broken):
        return f"accepts {waiver.accepts} until {waiver.expires}, because: {waiver.reason}"
    if broken:
        return f"does not cover this verdict: {refusal(waiver, broken[0], today)}"
    if today > waiver.expires:
        return f"expired on {waiver.expires}: remove it"
    if mine:
        return "is not used, the promise is kept: remove it"
    return "is not used: remove it" if whole else "was not looked at in this run"
