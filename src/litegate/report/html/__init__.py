"""Render `report.html`: a run's verdicts with their evidence on one self-contained page."""

from litegate.report.html.page import comparison_page, page, write, write_page

__all__ = ["comparison_page", "page", "write", "write_page"]
