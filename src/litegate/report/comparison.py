"""A comparison of two files, for a person at a terminal of any width and for programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.table import Table
from rich.text import Text

from litegate.core.escaping import plain, plain_lines
from litegate.core.units import Number, Unit, text
from litegate.measures.measurement import Outcome, Verdict
from litegate.measures.regression.file_comparison import FileComparison, Row
from litegate.measures.wording import headline, sentence
from litegate.report.columns import console
from litegate.report.run_record import Place, verdict_row

_LAST = {
    Outcome.PASS: "B keeps the limits of a change to A",
    Outcome.INCONCLUSIVE: "B keeps the limits of a change to A; not all of it is proven",
    Outcome.FAIL: "B is worse than A",
}
_MOST_FACTS = 6
_STYLES = {Outcome.PASS: "green", Outcome.INCONCLUSIVE: "yellow", Outcome.FAIL: "red"}


def show(found: FileComparison, a: str, b: str) -> None:
    """Print both files side by side, the verdicts as sentences, and the last word."""
    out = console()
    out.print(Text(plain(f"A, the base: {a}")))
    out.print(Text(plain(f"B: {b}")))
    out.print(_table(found))
    for verdict in found.verdicts:
        word = Text(headline(verdict.outcome), style=_STYLES[verdict.outcome])
        out.print(word.append(f" {plain_lines(sentence(_brief(verdict)))}", style="default"))
    for note in found.notes:
        out.print(Text(plain(note)))
    if found.unjudged:
        out.print(Text(f"not judged: {', '.join(found.unjudged)}"))
    out.print(Text(_LAST[found.outcome], style=f"bold {_STYLES[found.outcome]}"))


def _brief(verdict: Verdict) -> Verdict:
    """The verdict with the first facts of its evidence; --json has them all."""
    found = verdict.measurement
    return replace(verdict, measurement=replace(found, evidence=found.evidence[:_MOST_FACTS]))


def _table(found: FileComparison) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    for head in ("A", "B", "B - A"):
        table.add_column(head, justify="right", overflow="fold")
    for row in found.rows:
        cells = (row.what, _shown(row.a, row.unit), _shown(row.b, row.unit), _change(row))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _shown(value: Number | str | None, unit: Unit) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else text(value, unit)


def _change(row: Row) -> str:
    if row.a is None or row.b is None or isinstance(row.a, str) or isinstance(row.b, str):
        return ""
    unit = Unit.POINTS if row.unit is Unit.PERCENT else row.unit
    return text(row.b - row.a, unit, signed=True) if row.b != row.a else "="


def as_json(found: FileComparison) -> dict[str, Any]:
    """Everything, in JSON's types; verdicts as they stand in `report.json`."""
    return {
        "verdict": found.outcome.value,
        "rows": [
            {
                "what": row.what,
                "a": _plain_number(row.a),
                "b": _plain_number(row.b),
                "unit": row.unit.value,
            }
            for row in found.rows
        ],
        "verdicts": [_verdict(one) for one in found.verdicts],
        "notes": list(found.notes),
        "not_judged": list(found.unjudged),
    }


def _plain_number(value: Number | str | None) -> int | float | str | None:
    return value if value is None or isinstance(value, int | str) else float(value)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    place = Place(id="", model="B", recipe="", check="", requirement="", file="", line=0)
    row = verdict_row(place, verdict)
    return {name: value for name, value in row.items() if name not in place.__slots__}
