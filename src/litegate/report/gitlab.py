"""Format a report for GitLab's merge requests: metrics that changed, and what failed as findings.

https://docs.gitlab.com/ci/testing/metrics_reports/ and https://docs.gitlab.com/ci/testing/code_quality/
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litegate.core.escaping import excerpt, plain
from litegate.core.units import Unit
from litegate.report.causes import causes
from litegate.report.json_report import METRICS_NAME, QUALITY_NAME, write_text
from litegate.report.outcomes import Report, Row, outcome_of, severity, verdicts_with
from litegate.report.row_text import headline

_UNITS = {
    Unit.PERCENT: ("percent", 100.0),
    Unit.POINTS: ("points", 100.0),
    Unit.PER_THOUSAND: ("per_thousand", 1000.0),
    Unit.BYTES: ("bytes", 1.0),
    Unit.SECONDS: ("seconds", 1.0),
    Unit.QUANTA: ("quanta", 1.0),
}
"""The unit at the end of a metric's name, as OpenMetrics asks, and what a value is multiplied by.

Counts, ratios and scores have none."""
_SEVERITIES = {"fail": "critical", "inconclusive": "minor"}
"""GitLab's words, from "info" to "blocker". A check without a verdict is a blocker: nothing is
known of its model. In a strict run, which it fails, an inconclusive verdict is critical, too."""


def write(report: Report, folder: Path) -> None:
    """Write both files into `folder`; raises ConfigError if that fails."""
    write_text(metrics(report), folder / METRICS_NAME)
    write_text(json.dumps(code_quality(report), indent=1), folder / QUALITY_NAME)


def metrics(report: Report) -> str:
    """Return the measured values in OpenMetrics' text format, one series for each measurement.

    Of several verdicts on one measurement of a recipe, the worst gives the value.
    """
    series: dict[str, float] = {}
    for row in sorted(report["verdicts"], key=severity):
        unit, factor = _UNITS.get(Unit(row["unit"]), ("", 1.0))
        words = (*re.findall("[a-z0-9]+", str(row["measurement"]).lower()), unit)
        name = "_".join(("litegate", *filter(None, words)))
        labels = ",".join(f'{key}="{_label(row[key])}"' for key in ("model", "recipe") if row[key])
        series.setdefault(f"{name}{{{labels}}}", row["value"] * factor)
    lines = (f"{name} {value:.10g}" for name, value in sorted(series.items()))
    return "\n".join([*lines, "# EOF"])


def _label(text: str) -> str:
    """Return a label's value; GitLab splits a line as a shell does, and cuts it off at "#"."""
    return re.sub(r"[^\w.+/-]", "_", excerpt(text))


def code_quality(report: Report) -> list[dict[str, Any]]:
    """Return the findings of a report for GitLab's Code Quality, the worst first."""
    folder = report.get("folder") or ""
    return [*_errors(report, folder), *_verdicts(report, folder)]


def _errors(report: Report, folder: str) -> Iterator[dict[str, Any]]:
    for cause in causes(report["errors"]):
        yield _finding(cause.row, "blocker", f"no verdict: {cause.headline}", folder)


def _verdicts(report: Report, folder: str) -> Iterator[dict[str, Any]]:
    for outcome, word in _SEVERITIES.items():
        for row in verdicts_with(report, outcome):
            is_fatal = report["strict"] and outcome_of(row) != "fail"
            yield _finding(row, "critical" if is_fatal else word, headline(row), folder)


def _finding(row: Row, severity_word: str, text: str, folder: str) -> dict[str, Any]:
    """Return a finding; its fingerprint stays the same while only the value changes."""
    identity = [row["id"], row["model"], row["recipe"], row.get("measurement", "")]
    return {
        "description": excerpt(plain(text)),
        "check_name": plain(row["check"]),
        "fingerprint": hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
        "severity": severity_word,
        "location": {
            "path": f"{folder}{row['file'] or row['id'].partition('::')[0]}",
            "lines": {"begin": max(1, int(row["line"] or 1))},
        },
    }
