"""End a run: write its report, and make its exit status agree with its verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from litegate.core.errors import LitegateError
from litegate.core.escaping import plain
from litegate.core.git import prefix
from litegate.gate import fail_closed
from litegate.gate.checks.next_steps import run_steps
from litegate.gate.checks.reproduce import run_command
from litegate.gate.conclusion import conclude
from litegate.gate.invocation import looks
from litegate.gate.state import Gate
from litegate.regression.source_digests import sources_digest
from litegate.regression.toolchain_pins import pin_notes
from litegate.regression.waivers import today, waiver_errors, waiver_notes

if TYPE_CHECKING:
    from litegate.gate.evidence import Comparison


def finish(gate: Gate, session: pytest.Session) -> None:
    """Write the report; a run of checks that gated nothing fails."""
    if gate.is_worker or looks(session.config):
        return
    if not gate.recorder.reported and not _has_only_shown_models(gate, session):
        return
    # Late, here and below: a worker, and a run that judged nothing, write neither report nor page.
    from litegate.gate.page import compared, rows
    from litegate.report.gitlab import write as write_for_gitlab
    from litegate.report.json_report import document, write

    run = gate.recorder.run
    _settle(gate, session)  # first: the errors that it adds belong into the report
    run.reproduce = run_command(gate)
    run.folder = prefix(gate.options.project)
    run.waivers = [waiver.to_row() for waiver in gate.waivers]
    run.notes += waiver_notes(gate.waivers, run.verdicts, today())
    run.notes += pin_notes(gate.options.project)
    comparisons = compared(gate.session, run)
    conclude(gate.session, run)
    _fail_without_required_store(gate, session)  # last: all above may ask the store
    run.errors = [{"steps": run_steps(gate, row), **row} for row in run.errors]
    sources = sources_digest(gate.options)
    ending = {"exit_status": int(session.exitstatus), "sources": sources}
    report = document(run) | rows(comparisons) | ending
    try:
        path = str(write(report, gate.options.report))
        write_for_gitlab(report, gate.options.report)
    except LitegateError as error:
        session.exitstatus, path = pytest.ExitCode.TESTS_FAILED, f"none; {error}"
    gate.recorder.report = report | {"path": path, "page": _page(gate, report, comparisons)}


def _has_only_shown_models(gate: Gate, session: pytest.Session) -> bool:
    """Return True if pytest found no check to run because no model has a gated recipe."""
    is_empty = session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
    return is_empty and not gate.recorder.offered and fail_closed.only_shows(gate.session)


def _settle(gate: Gate, session: pytest.Session) -> None:
    """Record what the run failed to judge; make exit status and verdict both good, or neither."""
    recorder, run, base = gate.recorder, gate.recorder.run, gate.base
    ended_well = session.exitstatus == pytest.ExitCode.OK
    recorder.add_errors(fail_closed.silences(recorder, ended_well=ended_well))
    recorder.add_errors(
        fail_closed.nothing_gated(gate.session, run, has_run=bool(recorder.reported))
    )
    recorder.add_errors(_waiver_errors(gate))
    recorder.add_errors(
        (
            f"{plain(name)} has another declaration if another process loads it, so the "
            "comparison with the base is wrong: remove code that depends on the process"
        )
        for name in gate.declares_otherwise()
    )
    if base and base.models and recorder.offered and gate.is_asked_for_all():
        recorder.add_errors(
            fail_closed.unreported_weakening(gate.session, run, gate.weakened_limits)
        )
    run.notes += gate.subset_notes()
    if not ended_well and recorder.silent:
        run.notes.append(f"selected checks that never ran: {len(recorder.silent)}")
    good = run.verdict in (("pass",) if run.strict else ("pass", "inconclusive"))
    if good and not ended_well:
        why = str(session.shouldfail or session.shouldstop or "")
        recorder.add_errors([fail_closed.bad_end(recorder, int(session.exitstatus), why)])
    elif not good and (ended_well or not recorder.reported):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _fail_without_required_store(gate: Gate, session: pytest.Session) -> None:
    """Record the error of a required store, which what only caches answers in it ignores."""
    if failure := gate.session.store_incidents().get("failure"):
        gate.recorder.add_errors([failure])
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _waiver_errors(gate: Gate) -> Iterator[str]:
    """Yield the errors of waivers; models are loaded only if there are any."""
    models = gate.session.all_models.values() if gate.waivers else ()
    recipes = {model.name: {recipe.name for recipe in model.recipes} for model in models}
    return waiver_errors(gate.waivers, gate.recorder.run.verdicts, recipes)


def _page(gate: Gate, report: Mapping[str, Any], comparisons: list[Comparison]) -> str:
    """Write report.html and keep the verdicts; return its path, or why it could not be written."""
    from litegate.gate.page import show_run
    from litegate.report.history_store import save_verdicts

    path = "none"
    try:
        path = str(show_run(report, comparisons, gate.options))
        save_verdicts(report, gate.options.history)
    except LitegateError as error:
        return f"{path}; {error}"
    except Exception as error:  # noqa: BLE001 a page judges nothing, and must not end the run
        return f"{path}; the page cannot be made: {type(error).__name__}: {error}"
    return path
