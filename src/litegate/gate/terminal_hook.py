"""The closing section of a run, on pytest's terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from litegate.core.escaping import plain, plain_lines
from litegate.gate.invocation import looks
from litegate.gate.state import Gate
from litegate.report.outcomes import PROOF

_MARKUP: Mapping[str, Mapping[str, bool]] = {
    "fail": {"red": True},
    "error": {"red": True, "bold": True},
    "inconclusive": {"yellow": True},
    "waived": {"yellow": True},
    "pass": {"green": True},
    "head": {"bold": True},
    "plain": {},
}


@contextmanager
def without_own_failures(reporter: pytest.TerminalReporter) -> Iterator[None]:
    """Hide from pytest's sections the failures that the closing section prints in full.

    Of those only the captured output is printed, which is nowhere else. pytest counts them.
    """
    # A category that is empty would still colour pytest's last line.
    stats = reporter.stats
    listed: dict[str, list[Any]] = {
        name: stats[name] for name in ("failed", "error") if name in stats
    }
    own = [report for reports in listed.values() for report in reports if _is_own(report)]
    for name, reports in listed.items():
        stats[name] = [report for report in reports if not _is_own(report)]
    for report in own:
        _write_output(report, reporter)
    try:
        yield
    finally:
        stats |= listed


def _is_own(report: pytest.TestReport | pytest.CollectReport) -> bool:
    return bool(getattr(report, "litegate", {}).get("is_own"))


def _write_output(
    report: pytest.TestReport | pytest.CollectReport, reporter: pytest.TerminalReporter
) -> None:
    shown = reporter.config.getoption("showcapture")
    sections = [(name, text) for name, text in report.sections if shown == "all" or shown in name]
    if sections:
        reporter.write_sep("_", f"output of {report.nodeid}")
    for name, text in sections:
        reporter.write_sep("-", name)
        reporter.write_line(text.rstrip("\n"))


def count_failed_proofs(gate: Gate, reporter: pytest.TerminalReporter) -> None:
    """Count proofs that do not hold as errors of pytest, whose last line must not be green."""
    for row in gate.recorder.run.errors if gate.recorder.report else ():
        if row["id"] == PROOF:
            title = plain(row["message"]).partition(";")[0]
            report = pytest.CollectReport(title, "failed", None, [])
            reporter.stats.setdefault("error", []).append(report)


def summarize(gate: Gate, reporter: pytest.TerminalReporter, status: int) -> None:
    """Print the closing section; `status` is pytest's exit status."""
    recorder = gate.recorder
    reporter.ensure_newline()
    if recorder.report is not None:
        # Late: it imports rich, which only a run with a report to print needs.
        from litegate.report.terminal import lines

        reporter.write_sep("=", "litegate")
        verbosity = gate.config.get_verbosity()
        for mark, line in lines(recorder.run, width=_width(reporter), verbosity=verbosity):
            reporter.write_line(line, **_MARKUP[mark])
        reporter.write_line(f"report: {recorder.report['path']}")
        reporter.write_line(f"page: {recorder.report['page']}")
        return
    for text in recorder.refusals:
        reporter.write_line(plain_lines(f"ERROR  {text}"), red=True)
    if reason := _nothing_gated(gate, status):
        reporter.write_line(f"litegate: nothing was gated: {reason}", red=not looks(gate.config))


def _nothing_gated(gate: Gate, status: int) -> str:
    """Return why a run without a report gated nothing; empty if it was not asked to."""
    recorder = gate.recorder
    if recorder.offered and (option := looks(gate.config)):
        return f"{option} only looks"
    if recorder.offered and not recorder.selected:
        return "no check was selected"
    if status == pytest.ExitCode.INTERRUPTED and not recorder.reported:
        return "the run was interrupted"
    return ""


_PIPE_WIDTH = 100
"""Columns of output that is no terminal: as wide as a log in a browser shows without scrolling."""


def _width(reporter: pytest.TerminalReporter) -> int:
    has_width = reporter.isatty or os.environ.get("COLUMNS")
    return reporter.config.get_terminal_writer().fullwidth if has_width else _PIPE_WIDTH
