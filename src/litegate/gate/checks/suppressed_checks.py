"""Fail checks that hide another, skip themselves, swallow a failure, or judge a broken file."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest

from litegate.core.errors import LitegateError, MeasurementError
from litegate.gate.checks.pytest_items import fixtures_of, hidden, is_latency, requires
from litegate.gate.state import Gate
from litegate.spec import Artifact

ROWS = pytest.StashKey[list[dict[str, Any]]]()
"""The rows that an item's `require` recorded."""
OMITTED = pytest.StashKey[str]()
"""The reason why an item was left out on the user's request."""
NOT_GATED = pytest.StashKey[str]()
"""The reason why an item's model cannot be judged here."""
CANDIDATE = pytest.StashKey[Artifact]()
"""The artifact that an item got as its candidate."""


def refuse_hidden(
    gate: Gate, collector: pytest.Collector, report: pytest.CollectReport
) -> pytest.CollectReport:
    """Turn a file of checks in which one test hides another into a collection error."""
    if not (isinstance(collector, pytest.Module) and report.passed):
        return report
    if gate.is_check(collector.path) and (messages := list(hidden(collector))):
        report.outcome, report.longrepr, report.result = "failed", "\n".join(messages), []
        gate.recorder.refuse(report.longrepr)
    return report


def refuse_unmeasurable(gate: Gate, item: pytest.Item) -> None:
    """Skip a latency check on the user's request; raise if time cannot be measured here."""
    if not gate.is_check(item.path):
        return
    if _given(item, "benchmark_only") and requires(item) and "benchmark" not in fixtures_of(item):
        item.stash[OMITTED] = "--benchmark-only was given"
        pytest.skip("it does not use `benchmark`, and --benchmark-only was given")
    if not is_latency(item):
        return
    # Late: only a latency check needs the measures of latency.
    from litegate.measures.latency.benchmark_fixture import omission

    omitted = omission(partial(item.config.getoption, default=None), os.environ)
    if omitted and omitted.asked:
        item.stash[OMITTED] = str(omitted)
        pytest.skip(f"latency was not measured: {omitted}")
    if omitted:
        raise MeasurementError(
            f"latency was not measured: {omitted}",
            remedy="run it separately (`pytest checks/ -m latency`), and the rest with `-n ... "
            '-m "not latency"`, or skip it with --benchmark-disable',
        )


def _given(item: pytest.Item, option: str) -> bool:
    return bool(item.config.getoption(option, default=False))


def refuse_swallowed(
    gate: Gate, item: pytest.Item, report: pytest.TestReport, fresh: list[dict[str, Any]]
) -> None:
    """Fail a check that passes although a verdict failed or nothing was required."""
    if report.when == "setup" or report.outcome != "passed":
        return
    strict = gate.options.strict
    bad = ("fail", "inconclusive") if strict else ("fail",)
    failed = [row for row in fresh if row["verdict"] in bad and not row["waived"]]
    if ROWS not in item.stash and report.when == "call":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} overrides the fixture `require`, so it judges nothing"
    elif failed:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} catches its own failure: {failed[0]['sentence']}"


def refuse_unloadable(item: pytest.Item, report: pytest.TestReport) -> None:
    """Fail a check that passes on a file that LiteRT refuses to load."""
    candidate = item.stash.get(CANDIDATE, None)
    if candidate is None or report.when != "call" or report.outcome != "passed":
        return
    from litegate.runtimes.inference import demand_loadable

    try:
        demand_loadable(candidate)
    except LitegateError as error:
        report.outcome = "failed"
        report.longrepr = str(error)


def refuse_silence(item: pytest.Item, report: pytest.TestReport) -> None:
    """Fail a check that skips itself or is expected to fail: it gates nothing."""
    is_explained = OMITTED in item.stash or NOT_GATED in item.stash
    expected = hasattr(report, "wasxfail")
    if (report.outcome != "skipped" or is_explained) and not expected:
        return
    report.outcome = "failed"
    how = "is marked xfail" if expected else "skipped itself"
    report.longrepr = f"{item.nodeid} {how}: every check must give a verdict"
    if expected:
        del report.wasxfail  # with it, pytest would count the check as xfailed
