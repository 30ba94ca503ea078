"""Match waivers, the reviewed exceptions of a project, with verdicts.

A waiver has a reason and an expiry date, and excuses one verdict up to the value, the ceiling or
the offenders that it names. A waiver of a comparison with the base names the base, too, and lapses
with it: else it would excuse the next change. A verdict is a row of the report
(`report.run_record.verdict_row`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, final

from litegate.core import units
from litegate.core.digests import short_digest
from litegate.core.escaping import plain
from litegate.core.units import Amount, Unit

FILE = "litegate-waivers.toml"
"""File of the waivers, at the root of the project."""

Row = Mapping[str, Any]


def today() -> date:
    """The day by which waivers expire, in UTC: the same on every machine."""
    return datetime.now(UTC).date()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One exception, which names the value, the ceiling or the offenders that it accepts."""

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
    ceiling: str = ""
    """The worst accepted number of the candidate itself: "size <= 8,736 B"."""
    base: str = ""
    """Build key of the artifact that the candidate is compared with; empty for other verdicts."""
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
        named = f"{len(self.offenders)} named: {'; '.join(self.offenders)}"
        accepted = self.value or self.ceiling or named
        return (
            f"{accepted} (against the base's build {short_key(self.base)})"
            if self.base
            else accepted
        )

    def to_row(self) -> dict[str, Any]:
        """Return the waiver in JSON types, for the report."""
        names = ("model", "recipe", "check", "measurement", "accepts", "reason", "line")
        return {name: getattr(self, name) for name in names} | {"expires": str(self.expires)}


def short_key(key: str) -> str:
    """Return the start of a build key, for messages; of several keys, each one's."""
    return "+".join(short_digest(part) for part in key.split("+"))


_CEILING = re.compile(r"(?P<measurement>\S.*) (?P<relation><=|>=) (?P<value>.+)")


def read_ceiling(text: str) -> tuple[str, str, Amount]:
    """Return the measurement, the relation and the number of a ceiling.

    Raises ValueError for text that is no ceiling.
    """
    match = _CEILING.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match["measurement"], match["relation"], units.read(match["value"])


def ceiling_of(row: Row, value: str | None = None) -> str:
    """Return the ceiling of a comparison with the base, at `value` or what was measured.

    Empty for a verdict without one.
    """
    own = row.get("absolute")
    if not own:
        return ""
    unit, is_most = Unit(own["unit"]), own["relation"] == "<="
    measured = units.outward(own["value"], unit, up=is_most)
    if unit is Unit.BYTES:
        measured = units.text(own["value"], unit)  # whole, and grouped for the reader
    return f"{own['measurement']} {own['relation']} {measured if value is None else value}"


def covers(waiver: Waiver, row: Row, today: date) -> bool:
    """Return True if a waiver excuses a verdict that did not pass."""
    return matches(waiver, row) and row["verdict"] != "pass" and not refusal(waiver, row, today)


def find_waiver(waivers: Iterable[Waiver], row: Row, today: date) -> Waiver | None:
    """Return the waiver that covers a verdict, or None; of several the last, the newest."""
    return next((waiver for waiver in reversed([*waivers]) if covers(waiver, row, today)), None)


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
    if waiver.base != row.get("base", ""):
        return _base_refusal(waiver, row)
    if row["offenders"] or waiver.offenders:
        return _offenders_refusal(waiver, row)
    return _ceiling_refusal(waiver, row) if ceiling_of(row) else _value_refusal(waiver, row)


def _base_refusal(waiver: Waiver, row: Row) -> str:
    if not waiver.base:
        return f"it names no base, so it would also excuse the next change: {_rewrite(row)}"
    if not row.get("base"):
        return "it names a base, but this verdict does not compare with one"
    return (
        f"it has lapsed (it was for the base {short_key(waiver.base)}, the base is now "
        f"{short_key(row['base'])})"
    )


def _rewrite(row: Row) -> str:
    """Return the lines that replace the value of a waiver without a base."""
    ceiling = ceiling_of(row)
    base = f'base = "{row["base"]}"'
    return f'write ceiling = "{ceiling}" and {base} instead of value' if ceiling else f"add {base}"


def _offenders_refusal(waiver: Waiver, row: Row) -> str:
    """Compare names: the same number of other offenders must not pass."""
    unnamed = [offender for offender in row["offenders"] if offender not in waiver.offenders]
    if row["offenders"] and not unnamed:
        return ""
    return (
        f"it does not name {unnamed[0]!r}"
        if unnamed
        else ("it names offenders that this verdict does not have")
    )


def _ceiling_refusal(waiver: Waiver, row: Row) -> str:
    if not waiver.ceiling:
        return f"it names no ceiling: {_rewrite(row)}"
    measurement, relation, accepted = read_ceiling(waiver.ceiling)
    own = row["absolute"]
    if (measurement, relation) != (own["measurement"], own["relation"]):
        return f"it names {waiver.ceiling}, but this verdict is {ceiling_of(row)}"
    return _excess(waiver.ceiling, accepted, own["value"], own)


def _value_refusal(waiver: Waiver, row: Row) -> str:
    if not waiver.value:
        return f"it names {waiver.ceiling}, but this verdict has a value and no ceiling"
    repeats, accepted = row.get("repeats"), units.read(waiver.value)
    if not repeats:
        return _excess(waiver.value, accepted, row["value"], row)
    # The same bytes give another number next time: only what is proven exceeds the waiver.
    proven = repeats["low" if row["relation"] == "<=" else "high"]
    return _excess(waiver.value, accepted, proven, row, is_proven=True)


def _excess(text: str, accepted: Amount, value: float, row: Row, *, is_proven: bool = False) -> str:
    """Return why a value in the unit of `row` is worse than what is accepted; empty if it is not.

    `row` is a verdict's, or its number in the unit of the file. A value `is_proven` if it is the
    better end of a range.
    """
    unit, bound = Unit(row["unit"]), float(accepted.value)
    if unit not in accepted.units:
        return f"it accepts {text}, but this verdict is in {unit}"
    is_most = row["relation"] == "<="
    if (value <= bound) if is_most else (value >= bound):
        return ""
    if is_proven:
        measured = (
            f"at {'least' if is_most else 'most'} {units.outward(value, unit, up=not is_most)}"
        )
    else:
        measured = units.exactly(value, unit)
    return f"it accepts {text}, but this verdict measured {measured}"


def waiver_notes(waivers: Iterable[Waiver], rows: Iterable[Row], today: date) -> Iterator[str]:
    """Yield a line for each waiver: what it excuses, or why it excuses nothing."""
    every, verdicts = [*waivers], [*rows]
    for waiver in every:
        yield plain(f"{waiver.name}: {_state(waiver, every, verdicts, today)}")


def _state(waiver: Waiver, waivers: Iterable[Waiver], rows: list[Row], today: date) -> str:
    """Say what a waiver does. Only a check that ran can show that it is not needed."""
    matching = [row for row in rows if matches(waiver, row)]
    broken = [row for row in matching if row["verdict"] != "pass"]
    if any(find_waiver(waivers, row, today) == waiver for row in broken):
        return f"accepts {waiver.accepts} until {waiver.expires}, because: {waiver.reason}"
    if broken and all(row.get("waived") for row in broken):
        return "is unused, since another waiver covers this verdict: remove it"
    if broken:
        return f"does not cover this verdict: {refusal(waiver, broken[0], today)}"
    if today > waiver.expires:
        return f"expired on {waiver.expires}: remove it"
    return _unused_state(waiver, matching, rows)


def _unused_state(waiver: Waiver, matching: list[Row], rows: list[Row]) -> str:
    if matching and waiver.base not in ("", matching[0].get("base", "")):
        reason = _base_refusal(waiver, matching[0])
        return f"is unused, since {reason}; remove it once its change is merged"
    if matching:
        return "is unused, since the limit is kept: remove it"
    if any(matches(waiver, {**row, "measurement": waiver.measurement}) for row in rows):
        return f"is unused, since its check does not measure {waiver.measurement}: remove it"
    return "was not evaluated in this run"


def waiver_errors(
    waivers: Iterable[Waiver], rows: Iterable[Row], recipes: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """Yield an error for each waiver that cannot excuse anything, or would excuse too much.

    `recipes` are the names of the recipes of each model of the project.
    """
    verdicts = list(rows)
    for waiver in waivers:
        if reason := _unknown_subject(waiver, recipes) or _open_ended(waiver, verdicts):
            yield plain(f"{waiver.name}: {reason}")


def _unknown_subject(waiver: Waiver, recipes: Mapping[str, Collection[str]]) -> str:
    known = recipes.get(waiver.model, ())
    if waiver.model and waiver.model not in recipes:
        name, known = f"model {waiver.model}", list(recipes)
    elif waiver.recipe and waiver.recipe not in known:
        name = f"recipe {waiver.recipe}"
    else:
        return ""
    listed = ", ".join(sorted(known)) or "none"
    return f"there is no {name} (known: {listed}): correct the name, or remove the waiver"


def _open_ended(waiver: Waiver, rows: list[Row]) -> str:
    """Return the error of a waiver of a comparison with the base that does not name the base."""
    matching = [row for row in rows if matches(waiver, row) and row.get("base")]
    if waiver.base or not matching:
        return ""
    broken = [row for row in matching if row["verdict"] != "pass"]
    needed = _rewrite(broken[0]) if broken else "remove it: the limit is kept"
    return f"it names no base, so it would also excuse the next change; {needed}"
