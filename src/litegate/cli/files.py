"""Files that a person names on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litegate.errors import ArtifactError

REPORT_HELP = "Another report than the last run's: a report.json, or the folder that holds it."
ReportFile = Annotated[Path | None, typer.Option("--report", metavar="PATH", help=REPORT_HELP)]


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
