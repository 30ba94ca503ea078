"""`litegate report`: the page of a report again, or of two held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litegate.errors import ConfigError
from litegate.options import parse
from litegate.reports.json_report import NAME, PAGE
from litegate.reports.reading import read
from litegate.settings import settings
from litegate.store import Store

COMPARED = "compared.html"


def report(
    reports: Annotated[
        list[Path] | None, typer.Argument(help="Two report.json: before and after.")
    ] = None,
    *,
    json: Annotated[
        Path | None, typer.Option("--json", help="The report.json, where it is another.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The page to write.")] = None,
) -> None:
    """Make report.html again from report.json and the store, or hold two reports together.

    Nothing is built or measured. Pictures need the run's files and samples in the store.
    """
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    given = [*([json] if json else []), *(reports or [])]
    if len(given) > 2 or (json and reports):
        raise ConfigError("one report is shown, or two are compared", got=f"{len(given)} reports")
    if len(given) == 2:
        path = _compared(given[0], given[1], to or options.report / COMPARED)
    else:
        source = given[0] if given else options.report / NAME
        path = _shown(source, to or source.with_name(PAGE), Store(options.store))
    typer.echo(f"page: {path}")


def _shown(source: Path, to: Path, store: Store) -> Path:
    from litegate.reports.html.gathering import in_store
    from litegate.showing import show

    found = read(source)
    return show(found, in_store(store, found.get("splits") or {}), to)


def _compared(before: Path, after: Path, to: Path) -> Path:
    from litegate.reports.html import compared, write

    return write(compared(read(before), read(after), (str(before), str(after))), to)
