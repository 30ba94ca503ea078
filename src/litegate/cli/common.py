"""What a person reads on stderr where a command cannot be carried out."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Annotated

import typer

from litegate.core.errors import ArtifactError, LitegateError


def complain(error: LitegateError) -> None:
    """Print a foreseen fault, in red unless NO_COLOR is set (https://no-color.org)."""
    said = f"litegate: {error}"
    typer.echo(said if os.environ.get("NO_COLOR") else typer.style(said, fg="red"), err=True)


REPORT_HELP = "Another report than the last run's: a report.json, or the folder that holds it."
ReportFile = Annotated[Path | None, typer.Option("--report", metavar="PATH", help=REPORT_HELP)]


def told_apart(a: Path, b: Path) -> tuple[str, str]:
    """The shortest ends of two paths that are not the same; one path is called (A) and (B)."""
    for count in range(1, max(len(a.parts), len(b.parts)) + 1):
        one, other = (str(PurePath(*path.parts[-count:])) for path in (a, b))
        if one != other:
            return one, other
    return f"{a.name} (A)", f"{b.name} (B)"


def read(file: Path, *, expected: str = "a .tflite file") -> bytes:
    """The bytes of a file; ArtifactError where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{file} cannot be read",
            expected=expected,
            got=str(error.strerror or error),
            remedy="correct the path, or the file's permissions",
        ) from error
