"""Functions and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import Annotated

import typer

from litegate.core.errors import ArtifactError, ConfigError, LitegateError
from litegate.core.options import parse
from litegate.gate.project_settings import settings
from litegate.runtimes.runtime import demand
from litegate.spec import Model
from litegate.spec.loader import discover
from litegate.spec.runtimes import RUNTIMES


def print_error(error: LitegateError) -> None:
    """Print an error on stderr, in red unless NO_COLOR is set (https://no-color.org)."""
    message = f"litegate: {error}"
    typer.echo(message if os.environ.get("NO_COLOR") else typer.style(message, fg="red"), err=True)


REPORT_HELP = "A report.json or its folder (default: the last run's report)."
ReportFile = Annotated[Path | None, typer.Option("--report", metavar="PATH", help=REPORT_HELP)]


def declared_model(models: Mapping[str, Model], name: str) -> Model:
    """Return a model by name; raises ConfigError, with the known names, if there is none."""
    if name not in models:
        known = ", ".join(models) or "at least one model"
        raise ConfigError(f"there is no model {name}", expected=known)
    return models[name]


def demand_runtimes(names: Collection[str]) -> None:
    """Raise ConfigError for a runtime that does not exist, or that this machine does not have.

    Names besides litegate's are those of the project in the working directory. Raises as `discover`
    and `demand`.
    """
    if not {*names} <= {*RUNTIMES}:
        options = parse(Path.cwd(), {}, settings(Path.cwd()))
        if options.models.is_dir():
            discover(options.models, options.project)
    for name in names:
        demand(name)


def distinct_names(a: Path, b: Path) -> tuple[str, str]:
    """Return the shortest ends of two paths that differ; equal paths are marked (A) and (B)."""
    for count in range(1, max(len(a.parts), len(b.parts)) + 1):
        name_a, name_b = (str(PurePath(*path.parts[-count:])) for path in (a, b))
        if name_a != name_b:
            return name_a, name_b
    return f"{a.name} (A)", f"{b.name} (B)"


def read(file: Path, *, expected: str = "a .tflite file") -> bytes:
    """Read a file; raises ArtifactError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{file} cannot be read",
            expected=expected,
            got=str(error.strerror or error),
            remedy="correct the path or the file's permissions",
        ) from error
