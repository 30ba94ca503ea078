"""The hooks of a run of the checks; registered only when a run is pointed at them."""

from __future__ import annotations

import gc
import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, final

import pytest

from litegate.core.options import GateOptions
from litegate.gate import collection
from litegate.gate.checks import fixtures, suppressed_checks, verdicts
from litegate.gate.checks.pytest_items import cases_of, fixtures_of
from litegate.gate.exit_status import finish
from litegate.gate.invocation import looks, narrow_times
from litegate.gate.state import GATE, HEAD, Gate
from litegate.gate.terminal_hook import count_failed_proofs, summarize, without_own_failures


def activate(config: pytest.Config, options: GateOptions) -> None:
    """Register the hooks and fixtures of a run of the checks.

    Raises ConfigError for a misspelt model or an unreadable base, and if the store or the folder of
    reports cannot be written.
    """
    gc.unfreeze()  # what an earlier session of this process has left can be collected now
    _prepare_report(config, options)  # before the first model's file is loaded
    config.stash[GATE] = gate = Gate.open(config, options)
    config.pluginmanager.register(GateHooks(gate), "litegate-hooks")
    config.pluginmanager.register(ClosingSection(gate), "litegate-closing-section")
    config.pluginmanager.register(fixtures, "litegate-fixtures")
    narrow_times(config)


def _prepare_report(config: pytest.Config, options: GateOptions) -> None:
    """Make the folder of reports writable and empty, so that nobody reads yesterday's pass."""
    if hasattr(config, "workerinput") or looks(config):
        return
    from litegate.report.json_report import prepare_folder  # late: workers write no reports

    prepare_folder(options.report)


@final
@dataclass(frozen=True, eq=False)
class GateHooks:
    """Hands pytest's hooks over to the modules of the gate."""

    gate: Gate

    def pytest_report_header(self) -> list[str]:
        """Print what the numbers of this run depend on."""
        return self.gate.header()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each check once for each model, or for each gated recipe of each model."""
        collection.parametrize(self.gate, metafunc)

    # A wrapper: the report must exist first.
    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Refuse a file of checks in which one test hides another; mark litegate's own errors."""
        report = suppressed_checks.refuse_hidden(self.gate, collector, (yield))
        if report.failed and report.longreprtext in self.gate.recorder.refusals:
            # pytest's reports have no field for it; pytest-xdist sends what is in their `__dict__`.
            report.__dict__["litegate"] = {"is_own": True}
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record files of checks that skipped themselves or could not be collected."""
        path = self.gate.config.rootpath / report.nodeid
        if report.skipped and report.nodeid and self.gate.is_check(path):
            self.gate.recorder.skipped_files.append(report.nodeid)
        if report.failed:
            self.gate.recorder.add_collect_error(report)

    # First, to see all that was collected: -k and -m deselect some of it afterwards, which must not
    # look like limits that no check guards.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Drop checks without a limit, refuse those without a requirement, put latency last."""
        try:
            collection.arrange(self.gate, items)
        except pytest.UsageError as error:
            if not self.gate.is_worker:
                raise
            items[:], session.shouldfail = [], str(error)  # a worker has no other way to end a run

    # First: pytest's terminal asks for the lines about the selection in its own hook of this name.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the selection, now that every plugin has chosen among what was collected."""
        collection.select(self.gate, session.items)
        # The imported modules and the checks live until the process ends. Python's collector walks
        # over them again and again, at the latest as it exits: a sixth of the time of a warm run.
        gc.freeze()

    def pytest_report_collectionfinish(self) -> list[str]:
        """Name the limits that are not set, since no check guards them, and what is new."""
        return collection.selection_lines(self.gate)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Build what the selected checks need before the first one runs; in workers, too."""
        if not self.gate.options.prove:
            self._build(session)
            return (yield)
        from litegate.gate.prove import load_faults, prove  # late: only `--prove` plants faults

        faults = load_faults(self.gate)  # before the build, so that an error costs no training
        self._build(session)
        result = yield
        prove(self.gate, session, faults)
        return result

    def _build(self, session: pytest.Session) -> None:
        items = getattr(session, "items", [])
        cases = cases_of(items)
        if not cases or looks(session.config) or session.testsfailed:
            return
        roles = self.gate.session.counterparts
        by_role = {
            role: cases_of([item for item in items if role in fixtures_of(item)]) for role in roles
        }
        self.gate.build(cases, by_role)

    # First: pytest's own implementation sets up the fixtures, whose errors would hide this reason.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip or refuse a latency check that cannot be measured here."""
        suppressed_checks.refuse_unmeasurable(self.gate, item)

    # A wrapper: the report must exist first.
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the verdicts to the report; a skipped or xfailed check does not pass."""
        report = yield
        return verdicts.annotate(self.gate, item, call, report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the rows of a report, on the controller and on its workers."""
        self.gate.recorder.add_report(report, is_worker=self.gate.is_worker)

    # Optional, here and below: without pytest-xdist, pytest would refuse a hook that it does not
    # know.
    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """On the controller of pytest-xdist, give a worker what this checkout declares."""
        if self.gate.head is not None:
            node.workerinput[HEAD] = json.dumps(self.gate.head)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """On the controller of pytest-xdist, take what a worker that ended collected."""
        if output := getattr(node, "workeroutput", {}).get("litegate"):
            self.gate.recorder.add_worker_output(output)
            self.gate.session.add_store_incidents(output["store"])
            self.gate.session.own_answers |= output["answers"]

    # Last: a hook of the project may change the exit status, which must agree with the verdicts.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report; a run of checks that gated nothing fails."""
        finish(self.gate, session)
        if hasattr(session.config, "workeroutput"):
            output = self.gate.recorder.to_worker_output()
            output["store"] = self.gate.session.store_incidents()
            output["answers"] = self.gate.session.own_answers
            session.config.workeroutput["litegate"] = output

    # First: around pytest's own sections and its list of failures.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, object, object]:
        """Keep out of pytest's sections what the closing section prints."""
        with without_own_failures(terminalreporter):
            result = yield
        count_failed_proofs(self.gate, terminalreporter)
        return result


@final
@dataclass(frozen=True, eq=False)
class ClosingSection:
    """Prints what a run found as the last thing on the screen, below pytest's own last line."""

    gate: Gate

    # First: pytest's terminal prints its last line in a wrapper of its own.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Print the closing section; a worker of pytest-xdist has no terminal."""
        result = yield
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and session.exitstatus != pytest.ExitCode.INTERNAL_ERROR:
            summarize(self.gate, reporter, int(session.exitstatus))
        return result
