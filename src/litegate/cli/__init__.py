"""Define the `litegate` command; judging itself is `pytest checks/`."""

from __future__ import annotations

import gc
import io
import json
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli import ci_matrix
from litegate.cli import github as cli_github
from litegate.cli.accept import accept
from litegate.cli.build import build
from litegate.cli.common import print_error
from litegate.cli.compare import compare_files
from litegate.cli.digests import digests
from litegate.cli.export import export
from litegate.cli.init import init
from litegate.cli.inspect import inspect
from litegate.cli.noise import noise
from litegate.cli.repair import repair
from litegate.cli.report import report
from litegate.cli.store import store
from litegate.cli.strip import strip
from litegate.core.errors import LitegateError
from litegate.core.escaping import plain
from litegate.core.options import parse
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession

app = typer.Typer(
    help="A quality gate for .tflite models. The gate itself runs as `pytest checks/`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # paragraphs are filled to the terminal's width
)


def _print_version(is_requested: bool) -> None:  # noqa: FBT001 typer calls it
    if is_requested:
        typer.echo(f"litegate {version('litegate')}")
        raise typer.Exit


@app.callback()
def start(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Read the options that precede a command."""


def _session(**flags: str) -> GateSession:
    notice = partial(typer.echo, err=True)
    options = parse(Path.cwd(), flags, settings(Path.cwd()))
    return GateSession(options, lambda _model, _event: None, notice)


def list_models(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for example for a CI matrix.")
    ] = False,
    against: Annotated[
        str, typer.Option(metavar="REF", help="Also list the keys of this base.")
    ] = "none",
    model: Annotated[str, typer.Option(metavar="MODEL", help="List only this model.")] = "",
) -> None:
    """List the models of this project, their recipes, and which of them are in the store.

    With --json on GitHub, also set the outputs `matrix`, `models`, `key` and `base_key`. Without
    the base, its keys stay empty and a line says why: `pytest --against REF` fails.
    """
    rows = ci_matrix.model_rows(_session(litegate_against=against, litegate_model=model))
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        cli_github.set_outputs(ci_matrix.outputs(rows))
        return
    for row in rows:
        typer.echo(plain(f"{row['model']}: {row['summary']}"))
        for recipe in row["recipes"]:
            state = "gated" if recipe["gate"] else "shown"
            availability = "in the store" if recipe["stored"] else "not built"
            typer.echo(plain(f"  {recipe['name']:20} {state}  {availability}"))


app.command()(init)
app.command("list")(list_models)
app.command()(build)
app.command()(inspect)
app.command("compare")(compare_files)
for command in (digests, strip, export, accept, noise, repair, report, *cli_github.COMMANDS):
    app.command()(command)
app.add_typer(store, name="store")


_OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""New objects after which Python looks for garbage; its own 700 takes an eighth of the time of
inspecting a file of 30,000 operators, whose objects are needed until the end."""


def main() -> None:
    """Run a command; a `LitegateError` prints its message and exits with 1, without a traceback."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console's encoding may lack characters
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except LitegateError as error:
        print_error(error)
        raise SystemExit(1) from None
