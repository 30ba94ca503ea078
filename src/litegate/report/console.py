"""Where tables of a command go: a terminal of its own width, or a file of no width."""

from __future__ import annotations

import os
import sys

from rich.console import Console

_UNBOUND = 240
"""Columns where there is no terminal: a line is then one line, which `grep` finds."""


def console() -> Console:
    """A console as wide as the terminal, or as COLUMNS says; into a pipe lines are not broken."""
    bound = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return Console(highlight=False, width=None if bound else _UNBOUND)
