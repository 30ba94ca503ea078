"""Write the JSON of a shields.io endpoint badge."""

from __future__ import annotations

from typing import Any

from litegate.report.outcomes import Report, headline, is_good
from litegate.report.proof import narrowed_by

_COLORS = {"pass": "brightgreen", "inconclusive": "yellow"}


def badge(report: Report) -> dict[str, Any]:
    """Return the run's verdict and its colour; green only if the change may be merged.

    It is yellow if the proof of a candidate had only a selection of the checks or faults.
    """
    verdict = headline(report)
    color = _COLORS.get(verdict, "red") if is_good(report) else "red"
    if color == "brightgreen" and any(map(narrowed_by, report.get("proofs") or ())):
        verdict, color = "proven for a selection", "yellow"
    return {"schemaVersion": 1, "label": "model gate", "message": verdict, "color": color}
