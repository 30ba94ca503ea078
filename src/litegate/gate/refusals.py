"""What a check may not do: hide another, skip itself, swallow a failure, judge what cannot run."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest

from litegate.core.errors import LitegateError, MeasurementError
from litegate.gate.items import fixtures_of, hidden, is_latency, requires
from litegate.gate.state import Gate
from litegate.spec import Artifact

ROWS = pytest.StashKey[list[dict[str, Any]]]()
"""What an item's `require` took down."""
OMITTED = pytest.StashKey[str]()
"""Why an item was left out, as the person asked."""
NOT_GATED = pytest.StashKey[str]()
"""Why nothing can be said here about an item's model."""
CANDIDATE = pytest.StashKey[Artifact]()
"""What an item was handed as the candidate."""


def refuse_hidden(
    gate: Gate, collector: pytest.Collector, report: pytest.CollectReport
) -> pytest.CollectReport:
    """An error in the place of a file of checks in which one test hides another."""
    if not (isinstance(collector, pytest.Module) and report.passed):
        return report
    if gate.is_check(collector.path) and (said := list(hidden(collector))):
        report.outcome, report.longrepr, report.result = "failed", "\n".join(said), []
    return report


def refuse_unmeasurable(gate: Gate, item: pytest.Item) -> None:
    """Omit what the person left out of measuring; raise where time cannot be measured."""
    if not gate.is_check(item.path):
        return
    if _given(item, "benchmark_only") and requires(item) and "benchmark" not in fixtures_of(item):
        item.stash[OMITTED] = "--benchmark-only was given"
        pytest.skip("it uses no `benchmark`, and --benchmark-only was given")
    if not is_latency(item):
        return
    from litegate.measures.latency.benchmark_fixture import omission

    omitted = omission(partial(item.config.getoption, default=None), os.environ)
    if omitted and omitted.asked:
        item.stash[OMITTED] = str(omitted)
        pytest.skip(f"latency was not measured: {omitted}")
    if omitted:
        raise MeasurementError(
            f"latency was not measured: {omitted}",
            remedy="run it apart (`pytest checks/ -m latency`), and the rest with "
            '`-n ... -m "not latency"`, or leave it out with --benchmark-disable',
        )


def _given(item: pytest.Item, option: str) -> bool:
    return bool(item.config.getoption(option, default=False))


def refuse_swallowed(
    gate: Gate, item: pytest.Item, report: pytest.TestReport, fresh: list[dict[str, Any]]
) -> None:
    """A check that passes although a promise is broken, or although nothing was required, fails."""
    if report.when == "setup" or report.outcome != "passed":
        return
    strict = gate.options.strict
    bad = ("fail", "inconclusive") if strict else ("fail",)
    broken = [r for r in fresh if r["verdict"] in bad and not r["waived"]]
    if ROWS not in item.stash and report.when == "call":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} has a `require` of its own, which judges nothing"
    elif broken:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} caught its own failure: {broken[0]['sentence']}"


def refuse_unloadable(gate: Gate, item: pytest.Item, report: pytest.TestReport) -> None:
    """A check of bytes alone does not pass on what LiteRT refuses to load."""
    candidate = item.stash.get(CANDIDATE, None)
    if candidate is None or report.when != "call" or report.outcome != "passed":
        return
    from litegate.runtimes.inference import demand_loadable

    try:
        demand_loadable(candidate)
    except LitegateError as error:
        report.outcome = "failed"
        report.longrepr = gate.error_text(error)


def refuse_silence(item: pytest.Item, report: pytest.TestReport) -> None:
    """A check that skips itself, or is expected to fail, gates nothing: that is a failure."""
    said = OMITTED in item.stash or NOT_GATED in item.stash
    expected = hasattr(report, "wasxfail")
    if (report.outcome != "skipped" or said) and not expected:
        return
    report.outcome = "failed"
    how = "is marked xfail" if expected else "skipped itself"
    report.longrepr = f"{item.nodeid} {how}: a check that does not judge is no check"
    if expected:
        del report.wasxfail
