"""`report.html`: what a run found, as one page to look at, with its evidence."""

from litegate.report.html.page import compared, page, write

__all__ = ["compared", "page", "write"]
