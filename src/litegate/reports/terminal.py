"""The closing table, as lines of text with a mark for colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litegate.escaping import plain
from litegate.reports import proof
from litegate.reports.record import Run
from litegate.reports.view import (
    OUTCOMES,
    RECIPE_HEAD,
    figures,
    outcome_of,
    recipe_figures,
    whose,
)

Line = tuple[str, str]
"""A mark ("fail", "error", "inconclusive", "waived", "pass", "plain", "head") and the text."""


def lines(run: Run, *, width: int, brief: bool = False) -> Iterator[Line]:
    """The whole closing section; `brief` leaves out what passed. No line is more than text."""
    for mark, line in _lines(run, width, brief=brief):
        yield mark, plain(line)


def _lines(run: Run, width: int, *, brief: bool) -> Iterator[Line]:
    yield from _verdicts(run, width, brief=brief)
    if not brief:
        yield from _recipes(run)
    yield from _proofs(run, width, brief=brief)
    yield from (("error", row["message"]) for row in run.errors if not row["id"])
    yield from (("plain", f"note: {note}") for note in run.notes)
    yield from (("plain", f"NOT MEASURED {i}: {why}") for i, why in run.not_measured.items())
    yield from (("error", f"{m} was NOT GATED: {why}") for m, why in run.not_gated.items())
    yield _closing(run)


def _verdicts(run: Run, width: int, *, brief: bool) -> Iterator[Line]:
    rows = sorted(run.verdicts, key=lambda row: OUTCOMES.index(outcome_of(row)))
    shown = [row for row in rows if not (brief and outcome_of(row) == "pass")]
    if not shown:
        return
    head = ("verdict", "model/recipe", "measurement", "value", "limit", "margin", "evidence")
    cells = [_cells(row) for row in shown]
    marks = [outcome_of(row) for row in shown]
    yield from _table(head, cells, ["head", *marks], width)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (outcome_of(row).upper(), whose(row), row["measurement"], *figures(row))


def _proofs(run: Run, width: int, *, brief: bool) -> Iterator[Line]:
    for row in run.proofs:
        if not brief:
            yield "plain", ""
            head = ("fault", "smallest noticed", "must be from", "noticed by, from grade")
            cells = [_fault_cells(fault) for fault in row["faults"]]
            yield from _table(head, cells, ["head", *["plain"] * len(cells)], width)
        yield from (("error", line) for line in proof.troubles(row))
        yield from (("plain", f"note: {line}") for line in proof.asides(row))
        if row["holds"]:
            yield "pass", proof.title(row)


def _fault_cells(fault: Mapping[str, Any]) -> tuple[str, ...]:
    must = proof.grade(fault, fault["must"])
    named = f"{fault['family']}/{fault['name']}"
    return (named, proof.smallest(fault), must, proof.noticed_by(fault))


def _recipes(run: Run) -> Iterator[Line]:
    if not run.recipes:
        return
    yield "plain", ""
    cells = [_recipe_cells(row) for row in run.recipes]
    yield from _table(RECIPE_HEAD, cells, ["head", *["plain"] * len(cells)], 0)


def _recipe_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{row['model']}/{row['recipe']}", row["role"], *recipe_figures(row))


def _table(
    head: Sequence[str], cells: Sequence[Sequence[str]], marks: Sequence[str], width: int
) -> Iterator[Line]:
    """Columns as wide as their widest cell; the last one is cut where the terminal ends."""
    rows = [head, *([plain(cell) for cell in row] for row in cells)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for mark, row in zip(marks, rows, strict=True):
        padded = (cell.ljust(size) for cell, size in zip(row, widths, strict=True))
        line = "  ".join(padded).rstrip()
        yield mark, line[:width] if width else line


def _closing(run: Run) -> Line:
    models = len({row["model"] for row in run.verdicts if row["model"]})
    counts = [f"{run.count(each)} {each}" for each in OUTCOMES if run.count(each)]
    counts += [f"{len(run.errors)} without a verdict"] if run.errors else []
    said = ", ".join(counts) or "nothing was gated, which is no pass"
    mark = "error" if run.verdict in ("error", "nothing gated") else run.verdict
    return mark, f"litegate: {models} model{'' if models == 1 else 's'}: {said}"
