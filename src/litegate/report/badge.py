"""A badge: the JSON that shields' endpoint badges read."""

from __future__ import annotations

from typing import Any

from litegate.report.outcomes import Report, headline, is_good

_COLORS = {"pass": "brightgreen", "inconclusive": "yellow"}


def badge(report: Report) -> dict[str, Any]:
    """The run's word and its colour; green only for a run that may be merged."""
    said = headline(report)
    color = _COLORS.get(said, "red") if is_good(report) else "red"
    return {"schemaVersion": 1, "label": "model gate", "message": said, "color": color}
