"""Hooks that are told no run, so that a plugin of its own hands them to the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import pytest

from litegate.gate import collection
from litegate.gate.state import Gate


@final
@dataclass(frozen=True, eq=False)
class Listener:
    """Takes in every report of a run."""

    gate: Gate

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Called for each file; one of checks that skips itself gates nothing."""
        path = self.gate.config.rootpath / report.nodeid
        if report.skipped and report.nodeid and self.gate.is_check(path):
            self.gate.tally.skipped_files.append(report.nodeid)
        if report.failed:
            self.gate.tally.failures.append(f"{report.nodeid} could not be collected")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called once every plugin has chosen among what was collected."""
        collection.select(self.gate, session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Called on the controller of pytest-xdist for each worker that ended."""
        if handed := getattr(node, "workeroutput", {}).get("litegate"):
            self.gate.tally.take(handed)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test, on the controller and on its workers."""
        self.gate.collect(report)
