"""Implement `litegate report`: render a report's page again, or compare two reports."""

from __future__ import annotations

import webbrowser
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.build.store import Store
from litegate.cli.common import ReportFile
from litegate.core.errors import ConfigError
from litegate.core.options import GateOptions, parse
from litegate.gate.project_settings import settings
from litegate.report.json_report import JSON_NAME, PAGE_NAME, read, report_file

COMPARED = "compared.html"


def report(
    reports: Annotated[
        list[Path] | None,
        typer.Argument(metavar="REPORT", help="Two reports to compare: before and after."),
    ] = None,
    *,
    another: ReportFile = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="The page to write.")] = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A folder with earlier reports, such as CI artifacts."),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the default browser.")
    ] = False,
) -> None:
    """Write report.html from report.json and the store, or compare two reports.

    Nothing is built or measured. Pictures need the run's artifacts and samples in the store.
    """
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    named = [*([another] if another else []), *(reports or [])]
    if len(named) > 2 or (another and reports):
        raise ConfigError(
            "litegate report takes one report, or two to compare", got=f"{len(named)} reports"
        )
    files = [report_file(path) for path in named]
    if len(files) == 2 and history:
        raise ConfigError("--history needs exactly one report", got="two reports")
    if len(files) == 2:
        path = _render_comparison(files[0], files[1], to or options.report / COMPARED)
    else:
        source = files[0] if files else options.report / JSON_NAME
        path = _render(source, to or source.with_name(PAGE_NAME), options, history)
    typer.echo(f"page: {path}")
    if open_page and not webbrowser.open(path.resolve().as_uri()):
        typer.echo("cannot start a browser here: open the page by its path", err=True)


def _render(source: Path, to: Path, options: GateOptions, history: Path | None) -> Path:
    # Late, here and below: the page imports Jinja2, which most commands do not need.
    from litegate.gate.evidence import in_store
    from litegate.gate.page import show
    from litegate.report.history_store import reports_before_head, reports_in_folder

    content = read(source)
    store = Store(
        options.store, lock_timeout=options.lock_timeout, on_notice=partial(typer.echo, err=True)
    )
    lookup = in_store(store, content.get("splits") or {})
    if history:
        return show(content, lookup, to, *reports_in_folder(history))
    earlier = reports_before_head(options.project, options.history)
    return show(content, lookup, to, earlier)


def _render_comparison(before: Path, after: Path, to: Path) -> Path:
    from litegate.report.html import comparison_page, write

    return write(comparison_page(read(before), read(after), (str(before), str(after))), to)
