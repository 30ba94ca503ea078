"""The closing table, as lines of text with a mark for colour."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from litegate.core.escaping import plain
from litegate.report import proof
from litegate.report.columns import Cells, columns
from litegate.report.formatting import RECIPE_HEAD, counts, figures, recipe_figures, whose
from litegate.report.outcomes import OUTCOMES, PROOF, is_clean, outcome_of, severity
from litegate.report.run_record import Run
from litegate.report.slack import SLACK

Line = tuple[str, str]
"""A mark ("fail", "error", "inconclusive", "waived", "pass", "plain", "head") and the text."""


MOST_PASSED = 12
"""Verdicts that passed, where more are not asked for."""
_HEAD = ("verdict", "model/recipe", "measurement", "value", "limit", "margin", "evidence")
_PROOF_HEAD = ("fault", "smallest noticed", "must be from", "noticed by, from grade")


def lines(run: Run, *, width: int, verbosity: int = 0) -> Iterator[Line]:
    """The whole closing section. No line is more than text.

    `width` is the terminal's, 0 where lines may be of any length. What passed is left out for a
    `verbosity` below 0; above 0 all of it is shown, else at most `MOST_PASSED`. Of more, those
    where nothing was found and nothing may be are counted alone.
    """
    for mark, line in _lines(run, width, verbosity):
        yield mark, plain(line)


def _lines(run: Run, width: int, verbosity: int) -> Iterator[Line]:
    brief = verbosity < 0
    yield from _verdicts(run, width, 0 if brief else MOST_PASSED if verbosity == 0 else None)
    if not brief:
        yield from _recipes(run, width)
    yield from _proofs(run, width, brief=brief)
    unproven = (row for row in run.verdicts if outcome_of(row) == "inconclusive")
    yield from (("plain", f"INCONCLUSIVE: {row['sentence']}") for row in unproven)
    yield from (("error", row["message"]) for row in run.errors if row["id"] in ("", PROOF))
    yield from (("plain", f"note: {note}") for note in _notes(run.notes, verbosity))
    yield from (("plain", f"NOT MEASURED {i}: {why}") for i, why in run.not_measured.items())
    yield from (("error", f"{m} was NOT GATED: {why}") for m, why in run.not_gated.items())
    yield _closing(run)


def _notes(found: Sequence[str], verbosity: int) -> Iterator[str]:
    """What a limit leaves unused is advice for a quiet hour: one line, where -v does not ask."""
    slack = [note for note in found if SLACK in note]
    if verbosity > 0 or len(slack) < 2:
        yield from found
        return
    yield from (note for note in found if note not in slack)
    yield f"{len(slack)} limits are far from what was measured: -v, or the page, gives tighter ones"


def _verdicts(run: Run, width: int, most: int | None) -> Iterator[Line]:
    """The verdicts, the worst first; of those that passed the nearest to their limits."""
    passed = sorted((row for row in run.verdicts if outcome_of(row) == "pass"), key=_nearness)
    fits = most is None or len(passed) <= most
    kept = passed if fits else [row for row in passed[:most] if not is_clean(row)]
    shown_ids = {id(row) for row in kept}
    left_out = {id(row) for row in passed} - shown_ids
    rows = sorted(run.verdicts, key=lambda row: OUTCOMES.index(outcome_of(row)))
    shown = [row for row in rows if id(row) not in left_out]
    if shown:
        marks = [outcome_of(row) for row in shown]
        yield from _table(_HEAD, [_cells(row) for row in shown], marks, width, lead=3, spare=2)
    if left_out and most:
        yield "plain", f"and {len(left_out):,} more passed{_how(passed, left_out)}: -v shows them"


def _nearness(row: Mapping[str, Any]) -> tuple[bool, float]:
    return is_clean(row), severity(row)


def _how(passed: Sequence[Mapping[str, Any]], left_out: Container[int]) -> str:
    """Why those that passed are left out."""
    gone = [is_clean(row) for row in passed if id(row) in left_out]
    if all(gone):
        return ", with nothing found where nothing may be"
    clean = f", {sum(gone):,} of them with nothing found" if any(gone) else ""
    return f", further from their limits{clean}"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (outcome_of(row).upper(), whose(row), row["measurement"], *figures(row))


def _proofs(run: Run, width: int, *, brief: bool) -> Iterator[Line]:
    for row in run.proofs:
        if not brief:
            yield "plain", ""
            cells = [_fault_cells(fault) for fault in row["faults"]]
            yield from _table(_PROOF_HEAD, cells, (), width, lead=1, spare=1)
        yield from (("error", line) for line in proof.troubles(row))
        yield from (("plain", f"note: {line}") for line in proof.asides(row))
        if row["holds"]:
            yield "pass", proof.title(row)


def _fault_cells(fault: Mapping[str, Any]) -> tuple[str, ...]:
    must = proof.grade(fault, fault["must"])
    named = f"{fault['family']}/{fault['name']}"
    return (named, proof.smallest(fault), must, proof.noticed_by(fault))


def _recipes(run: Run, width: int) -> Iterator[Line]:
    if not run.recipes:
        return
    yield "plain", ""
    cells = [_recipe_cells(row) for row in run.recipes]
    yield from _table(RECIPE_HEAD, cells, (), width, lead=2, spare=0)


def _recipe_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{row['model']}/{row['recipe']}", row["role"], *recipe_figures(row))


def _table(
    head: Cells, rows: Sequence[Cells], marks: Sequence[str], width: int, **fit: int
) -> Iterator[Line]:
    """The rows with their marks, "plain" where there are none."""
    for number, line in columns(head, rows, width, **fit):
        yield "head" if number < 0 else marks[number] if marks else "plain", line


def _closing(run: Run) -> Line:
    mark = "error" if run.verdict in ("error", "nothing gated") else run.verdict
    found = {
        "verdicts": run.verdicts,
        "errors": run.errors,
        "proofs": run.proofs,
        "not_gated": [{"model": name} for name in run.not_gated],
    }
    return mark, f"litegate: {counts(found)}"
