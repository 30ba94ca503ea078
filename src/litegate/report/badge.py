"""Write the JSON of a shields.io endpoint badge."""

from __future__ import annotations

from typing import Any

from litegate.report.outcomes import Report, headline, is_good

_COLORS = {"pass": "brightgreen", "inconclusive": "yellow"}


def badge(report: Report) -> dict[str, Any]:
    """Return the run's verdict and its colour; green only if the change may be merged."""
    verdict = headline(report)
    color = _COLORS.get(verdict, "red") if is_good(report) else "red"
    return {"schemaVersion": 1, "label": "model gate", "message": verdict, "color": color}
