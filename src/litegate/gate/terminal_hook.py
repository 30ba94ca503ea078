"""The closing section of a run, on pytest's terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from litegate.core.escaping import plain
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


def summarize(gate: Gate, reporter: pytest.TerminalReporter, status: int) -> None:
    """Print the closing table; `status` is pytest's exit status."""
    if gate.recorder.offered and (option := looks(gate.config)):
        reporter.write_line(f"litegate: nothing was gated: {option} only looks")
    elif gate.recorder.offered and not gate.recorder.selected:
        reporter.write_line("litegate: nothing was gated: no check was selected", red=True)
    elif status == pytest.ExitCode.INTERRUPTED and not gate.recorder.reported:
        reporter.write_line("litegate: nothing was gated: the run was interrupted", red=True)
    if gate.recorder.report is None:
        return
    # Late: it imports rich, which only a run with a report to print needs.
    from litegate.report.terminal import lines

    reporter.write_sep("=", "litegate")
    verbosity = gate.config.get_verbosity()
    for mark, line in lines(gate.recorder.run, width=_width(reporter), verbosity=verbosity):
        reporter.write_line(line, **_MARKUP[mark])
    reporter.write_line(f"report: {gate.recorder.report['path']}")
    reporter.write_line(f"page: {gate.recorder.report['page']}")
    _tell(gate.recorder.run.errors, reporter)


def _tell(errors: Iterable[Mapping[str, Any]], reporter: pytest.TerminalReporter) -> None:
    """Proofs that do not hold are errors to pytest, too: its last line must not be green."""
    for row in errors:
        if row["id"] == PROOF:
            title = plain(row["message"]).partition(";")[0]
            report = pytest.CollectReport(title, "failed", None, [])
            reporter.stats.setdefault("error", []).append(report)


def _width(reporter: pytest.TerminalReporter) -> int:
    return reporter.config.get_terminal_writer().fullwidth if reporter.isatty else 0
