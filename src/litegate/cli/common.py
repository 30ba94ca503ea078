"""What a person reads on stderr where a command cannot be carried out."""

from __future__ import annotations

import os

import typer

from litegate.core.errors import LitegateError


def complain(error: LitegateError) -> None:
    """Print a foreseen fault, in red unless NO_COLOR is set (https://no-color.org)."""
    said = f"litegate: {error}"
    typer.echo(said if os.environ.get("NO_COLOR") else typer.style(said, fg="red"), err=True)
