"""Record what a run finds: pytest's reports in, rows of the report out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import pytest

from litegate.report.run_record import Place, Run, error_row


@final
@dataclass(kw_only=True, eq=False)
class Recorder:
    """The results of a run so far: its only state that is written to.

    Checks are listed by node id. A worker of pytest-xdist hands what it collected to its
    controller, which collects nothing itself.
    """

    run: Run
    offered: list[str] = field(default_factory=list)
    """The checks that were collected."""
    selected: list[str] = field(default_factory=list)
    """Those of them that were selected."""
    reported: set[str] = field(default_factory=set)
    """The tests below the folder of checks that reported, in this process or in a worker."""
    skipped_files: list[str] = field(default_factory=list)
    """Files of checks that skipped themselves when they were loaded."""
    failures: list[str] = field(default_factory=list)
    """Failures without a verdict: a file, a plain test, a worker that crashed."""
    refusals: list[str] = field(default_factory=list)
    """litegate's own errors about files of checks that were not collected."""
    report: Mapping[str, Any] | None = None
    """The report as it was written, with the paths of report.json and of the page."""

    @property
    def left_out(self) -> list[str]:
        """The checks that were collected and not selected."""
        selected = set(self.selected)
        return [node_id for node_id in self.offered if node_id not in selected]

    @property
    def silent(self) -> list[str]:
        """The checks that were selected and never reported."""
        return [node_id for node_id in self.selected if node_id not in self.reported]

    def add_report(self, report: pytest.TestReport, *, is_worker: bool) -> None:
        """Take the rows of a test's report; a worker leaves them to its controller."""
        rows = getattr(report, "litegate", None)
        has_rows = rows is not None and bool(rows["verdicts"] or rows["errors"])
        if report.failed and not has_rows:
            self.failures.append(f"{report.nodeid} failed")
        if rows is None or is_worker:
            return
        self.reported.add(report.nodeid)
        self.run.verdicts += rows["verdicts"]
        self.run.errors += rows["errors"]
        self.run.not_gated |= rows["not_gated"]
        self.run.not_measured |= rows["not_measured"]
        self.run.notes += [note for note in rows["notes"] if note not in self.run.notes]

    def refuse(self, text: str) -> None:
        """Record an error about a file of checks, which the closing section prints once."""
        if text not in self.refusals:
            self.refusals.append(text)

    def add_collect_error(self, report: pytest.CollectReport) -> None:
        """Record a file that could not be collected, in this process or in a worker."""
        self.failures.append(f"{report.nodeid} could not be collected")
        if getattr(report, "litegate", None):
            self.refuse(report.longreprtext)

    def add_errors(self, messages: Iterable[str]) -> None:
        """Record errors of the run as a whole, which belong to no single check."""
        nowhere = Place(id="", model="", recipe="", check="", requirement="-", file="", line=0)
        self.run.errors += [error_row(nowhere, message) for message in messages]

    def to_worker_output(self) -> dict[str, Any]:
        """Return what a controller needs of this worker, in types that cross processes."""
        collected = {"offered": self.offered, "selected": self.selected}
        return collected | {"unset_limits": self.run.unset_limits}

    def add_worker_output(self, output: Mapping[str, Any]) -> None:
        """Take what a worker collected; all workers collect the same."""
        self.offered = list(output["offered"])
        self.selected = list(output["selected"])
        self.run.unset_limits = dict(output["unset_limits"])
