"""Format the summary at the end of a terminal run, as lines with a mark for colour.

What failed comes last, next to the reader's prompt: tables and notes scroll away first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litegate.core.escaping import plain
from litegate.report import proof
from litegate.report.blocks import Block, error_blocks, indented, verdict_blocks, wrapped
from litegate.report.columns import Cells, columns, narrowed
from litegate.report.loose_limits import LOOSE
from litegate.report.outcomes import is_clean, outcome_of, severity
from litegate.report.row_text import counts, figures, recipe_figures, recipe_head, subject_of
from litegate.report.run_record import Run
from litegate.report.runtime_matrix import RUNTIME_HEAD, runtime_figures

Line = tuple[str, str]
"""A mark ("fail", "error", "inconclusive", "waived", "pass", "plain", "head") and the text."""


MOST_PASSED = 12
"""Passed verdicts shown without -v: with the failures they fit on a screen; those nearest to their
limits come first, so that the cut drops the safest."""
_HEAD = ("verdict", "model/recipe", "measurement", "value", "limit", "margin", "evidence")
_ONE_TRAINING = (
    "tighter limits fit these files; before a model that is trained again gets them, `litegate "
    "noise MODEL` measures how far another training moves its accuracy"
)
_PROOF_HEAD = ("fault", "smallest noticed", "must be from", "noticed by, from grade")
_OPTIONAL = ("compressed", "vs. float32", "arena")
"""Columns of the recipes that a narrow terminal does without, the most dispensable first: what the
verdicts above name stays."""


def lines(run: Run, *, width: int, verbosity: int = 0) -> Iterator[Line]:
    """Yield the whole summary, without characters that control a terminal.

    `width` is the terminal's, 0 if lines may have any length; only headlines and commands are
    longer. A `verbosity` below 0 leaves out passed verdicts, above 0 shows all of them. At 0 at
    most `MOST_PASSED` are shown; if there are more, those whose value and limit are both 0 are only
    counted.
    """
    # Escaped after it is wrapped: wrapping can move a workflow command to the start of a line.
    for mark, line in _lines(run, width, verbosity):
        yield mark, plain(line)


def _lines(run: Run, width: int, verbosity: int) -> Iterator[Line]:
    above = [*_tables_and_notes(run, width, verbosity)]
    yield from above[1:] if above[:1] == [("plain", "")] else above
    blocks = [*_blocks(run)]
    for number, (mark, block) in enumerate(blocks):
        if above or number:
            yield "plain", ""
        head, *below = indented(block, width)
        yield mark, head
        yield from (("plain", line) for line in below)
    if blocks:
        yield "plain", ""
    yield _closing(run)


def _tables_and_notes(run: Run, width: int, verbosity: int) -> Iterator[Line]:
    is_brief = verbosity < 0
    yield from _accepted(run, width, 0 if is_brief else MOST_PASSED if verbosity == 0 else None)
    if not is_brief:
        yield from _recipes(run, width)
        yield from _runtimes(run, width)
    yield from _proofs(run, width, is_brief=is_brief)
    yield from _remarks(run, width, verbosity)


def _remarks(run: Run, width: int, verbosity: int) -> Iterator[Line]:
    notes = [("plain", f"note: {note}") for note in _notes(run.notes, verbosity)]
    notes += [("plain", line) for line in _not_measured(run)]
    notes += [
        ("error", f"{model} was NOT GATED: {reason}") for model, reason in run.not_gated.items()
    ]
    for mark, note in notes:
        yield from ((mark, line) for line in wrapped(note, width))


def _blocks(run: Run) -> Iterator[Block]:
    """Yield what did not pass, the worst last."""
    report = {"verdicts": run.verdicts, "errors": run.errors, "proofs": run.proofs}
    yield from reversed([*verdict_blocks(report, "inconclusive")])
    yield from error_blocks(report)
    yield from reversed([*verdict_blocks(report, "fail")])


def _not_measured(run: Run) -> Iterator[str]:
    """Yield a line for each reason why checks were left out, with the first of them."""
    for reason in dict.fromkeys(run.not_measured.values()):
        checks = [check for check, its_reason in run.not_measured.items() if its_reason == reason]
        more = f" and {len(checks) - 1} more" if len(checks) > 1 else ""
        yield f"NOT MEASURED {checks[0]}{more}: {reason}"


def _notes(notes: Sequence[str], verbosity: int) -> Iterator[str]:
    """Yield the notes; several about loose limits, no urgent advice, become one without -v."""
    loose = [note for note in notes if LOOSE in note]
    if verbosity > 0 or len(loose) < 2:
        yield from notes
        if loose:
            yield _ONE_TRAINING
        return
    yield from (note for note in notes if note not in loose)
    yield f"{len(loose)} limits are far from what was measured: -v, or the page, gives tighter ones"


def _accepted(run: Run, width: int, most_passed: int | None) -> Iterator[Line]:
    """Yield the table of waived and passed verdicts; of the passed those nearest to their limits.

    Verdicts that did not pass are blocks at the end.
    """
    passed = sorted((row for row in run.verdicts if outcome_of(row) == "pass"), key=_nearness)
    fits = most_passed is None or len(passed) <= most_passed
    shown_passed = passed if fits else [row for row in passed[:most_passed] if not is_clean(row)]
    waived = [row for row in run.verdicts if outcome_of(row) == "waived"]
    if shown := [*waived, *shown_passed]:
        marks = [outcome_of(row) for row in shown]
        yield from _table(_HEAD, [_cells(row) for row in shown], marks, width, lead=3, spare=2)
    shown_ids = {id(row) for row in shown_passed}
    left_out = [row for row in passed if id(row) not in shown_ids]
    if left_out and most_passed:
        yield "plain", _left_out(left_out)


def _nearness(row: Mapping[str, Any]) -> tuple[bool, float]:
    return is_clean(row), severity(row)


def _left_out(rows: Sequence[Mapping[str, Any]]) -> str:
    clean = sum(is_clean(row) for row in rows)
    passed = f"{len(rows):,} more {'check' if len(rows) == 1 else 'checks'} passed"
    if clean == len(rows):
        return f"{passed}; {'it' if clean == 1 else 'they'} found no violation (-v lists them)"
    counted = f"; {clean:,} of them found no violation" if clean else ""
    return f"{passed}, further from their limits{counted} (-v lists them)"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (outcome_of(row).upper(), subject_of(row), row["measurement"], *figures(row))


def _proofs(run: Run, width: int, *, is_brief: bool) -> Iterator[Line]:
    for row in run.proofs:
        if not is_brief:
            yield "plain", ""
            cells = [_fault_cells(fault) for fault in row["faults"]]
            yield from _table(_PROOF_HEAD, cells, (), width, lead=1, spare=1)
        yield from (("plain", f"note: {line}") for line in proof.remarks(row))
        if row["holds"]:
            yield proof.mark(row), proof.title(row)


def _fault_cells(fault: Mapping[str, Any]) -> tuple[str, ...]:
    must = proof.grade(fault, fault["must"])
    name = f"{fault['family']}/{fault['name']}"
    return (name, proof.smallest_noticed(fault), must, proof.noticed_by(fault))


def _recipes(run: Run, width: int) -> Iterator[Line]:
    if not run.recipes:
        return
    yield "plain", ""
    rows = [_recipe_cells(row) for row in run.recipes]
    head, cells = narrowed(recipe_head(run.recipes), rows, width, _OPTIONAL)
    yield from _table(head, cells, (), width, lead=2, spare=0)


def _recipe_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{row['model']}/{row['recipe']}", row["role"], *recipe_figures(row))


def _runtimes(run: Run, width: int) -> Iterator[Line]:
    if not run.runtimes:
        return
    yield "plain", ""
    cells = [(subject_of(row), *runtime_figures(row)) for row in run.runtimes]
    yield from _table(("model/recipe", *RUNTIME_HEAD), cells, (), width, lead=2, spare=0)


def _table(
    head: Cells, rows: Sequence[Cells], marks: Sequence[str], width: int, **fit: int
) -> Iterator[Line]:
    """Yield the table's lines with the marks of their rows; "plain" if `marks` is empty."""
    for index, line in columns(head, rows, width, **fit):
        yield "head" if index < 0 else marks[index] if marks else "plain", line


def _closing(run: Run) -> Line:
    mark = "error" if run.verdict in ("error", "nothing gated") else run.verdict
    report = {
        "verdicts": run.verdicts,
        "errors": run.errors,
        "proofs": run.proofs,
        "not_gated": [{"model": name} for name in run.not_gated],
        "unlimited": run.unlimited,
    }
    undecided = any(outcome_of(row) == "inconclusive" for row in run.verdicts)
    tolerated = "; inconclusive fails with --litegate-strict only" if undecided else ""
    return mark, f"litegate: {counts(report)}{'' if run.strict else tolerated}"
