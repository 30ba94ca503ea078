"""Format a comparison of two files, for a terminal of any width and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.table import Table
from rich.text import Text

from litegate.core.escaping import plain, plain_lines
from litegate.core.units import Number, Unit, text
from litegate.measures.measurement import Outcome, Verdict
from litegate.measures.regression.file_comparison import ComparisonRow, FileComparison
from litegate.measures.verdict_text import headline, sentence
from litegate.report.columns import console
from litegate.report.run_record import Place, verdict_row

_CONCLUSIONS = {
    Outcome.PASS: "B keeps the {} of a change to A",
    Outcome.INCONCLUSIVE: "B keeps the {} of a change to A; not all of it is proven",
    Outcome.FAIL: "B is worse than A",
}
_MOST_FACTS = 6
"""Facts of a sentence's evidence in the terminal: more would make it a paragraph; `--json` has
all."""
_STYLES = {Outcome.PASS: "green", Outcome.INCONCLUSIVE: "yellow", Outcome.FAIL: "red"}


def show(comparison: FileComparison, a: str, b: str) -> None:
    """Print both files side by side, the verdicts as sentences, and the conclusion."""
    with console() as output:
        output.print(Text(plain(f"A, the base: {a}")))
        output.print(Text(plain(f"B: {b}")))
        output.print(_table(comparison))
        for verdict in comparison.verdicts:
            line = Text(headline(verdict.outcome), style=_STYLES[verdict.outcome])
            line.append(f" {plain_lines(sentence(_brief(verdict)))}", style="default")
            output.print(line)
        for note in comparison.notes:
            output.print(Text(plain(note)))
        if comparison.unjudged:
            output.print(Text(f"not judged: {', '.join(comparison.unjudged)}"))
        outcome = comparison.outcome
        conclusion = _CONCLUSIONS[outcome].format(
            "judged limits" if comparison.unjudged else "limits"
        )
        output.print(Text(conclusion, style=f"bold {_STYLES[outcome]}"))


def _brief(verdict: Verdict) -> Verdict:
    """Return the verdict with the first facts of its evidence; --json prints all of them."""
    measurement = verdict.measurement
    facts = measurement.evidence[:_MOST_FACTS]
    return replace(verdict, measurement=replace(measurement, evidence=facts))


def _table(comparison: FileComparison) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    for head in ("A", "B", "B - A"):
        table.add_column(head, justify="right", overflow="fold")
    for row in comparison.rows:
        cells = (row.what, _shown(row.a, row.unit), _shown(row.b, row.unit), _change(row))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _shown(value: Number | str | None, unit: Unit) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else text(value, unit)


def _change(row: ComparisonRow) -> str:
    if row.a is None or row.b is None or isinstance(row.a, str) or isinstance(row.b, str):
        return ""
    unit = Unit.POINTS if row.unit is Unit.PERCENT else row.unit
    return text(row.b - row.a, unit, signed=True) if row.b != row.a else "="


def as_json(comparison: FileComparison) -> dict[str, Any]:
    """Return the comparison in JSON's types, with verdicts as in `report.json`."""
    return {
        "verdict": comparison.outcome.value,
        "rows": [
            {
                "what": row.what,
                "a": _plain_number(row.a),
                "b": _plain_number(row.b),
                "unit": row.unit.value,
            }
            for row in comparison.rows
        ],
        "verdicts": [_verdict(verdict) for verdict in comparison.verdicts],
        "notes": list(comparison.notes),
        "not_judged": list(comparison.unjudged),
    }


def _plain_number(value: Number | str | None) -> int | float | str | None:
    return value if value is None or isinstance(value, int | str) else float(value)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    place = Place(id="", model="B", recipe="", check="", requirement="", file="", line=0)
    row = verdict_row(place, verdict)
    return {name: value for name, value in row.items() if name not in place.__slots__}
