"""Implement `litegate accept`: turn failing verdicts of the last report into waivers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from litegate.cli.common import ReportFile
from litegate.core import units
from litegate.core.errors import ConfigError
from litegate.core.escaping import plain, plain_lines
from litegate.core.options import parse
from litegate.core.units import Unit
from litegate.gate.project_settings import settings
from litegate.regression.waiver_file import add, validated_expiry
from litegate.regression.waivers import FILE, Waiver, without_parameters
from litegate.report.formatting import error_text
from litegate.report.json_report import JSON_NAME, report_file
from litegate.report.outcomes import without_verdict
from litegate.report.schema import SCHEMA_VERSION

_DAYS = 90
"""Default term of a waiver: about a quarter, so that each exception is reviewed four times a year.

A longer term lets a forgotten exception pass for longer, a shorter one asks more often."""

Row = Mapping[str, Any]


def accept(
    which: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHICH", help="Checks, models or model/recipe, as the report names them."
        ),
    ] = None,
    *,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; asked for where it is left out.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="DATE", help=f"The last day, as 2026-12-31 (default: {_DAYS} days)."),
    ] = None,
    report: ReportFile = None,
) -> None:
    """Accept failing verdicts of the last run: each is written down as a waiver.

    A waiver covers what was found and nothing worse, until it expires. Have it reviewed.
    """
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    today = datetime.now(tz=UTC).astimezone().date()
    if options.in_ci:
        raise ConfigError(
            "litegate accept is refused where CI is set: accepting is a person's decision",
            remedy=f"run it on your own machine, commit {FILE} and have it reviewed",
        )
    last_run = _report(report_file(report) if report else options.report / JSON_NAME)
    last_day = _expiry_date(expires, today)
    rows = _named(last_run, which) if which else _ask_which(_failing(last_run))
    text = _given_reason(reason)
    waivers = [waiver_of(row, _check_id(row, last_run["verdicts"]), text, last_day) for row in rows]
    path = add(options.project, waivers, today)
    for row in rows:
        typer.echo(f"accepted until {last_day}: {plain_lines(row['sentence'])}")
    typer.echo(f"{path.name} is written: commit it")


def waiver_of(row: Row, check: str, reason: str, expires: date) -> Waiver:
    """Make the waiver that covers a verdict row and nothing worse."""
    return Waiver(
        check=check,
        measurement=row["measurement"],
        reason=reason,
        expires=expires,
        model=row["model"],
        recipe=row["recipe"],
        offenders=tuple(row["offenders"]),
        value="" if row["offenders"] else _value(row),
    )


def _check_id(row: Row, rows: Sequence[Row]) -> str:
    """Return the check's node id, with its parameters only if they are needed to identify it."""
    node = without_parameters(row["id"])
    same_subject = [
        verdict
        for verdict in rows
        if without_parameters(verdict["id"]) == node and _subject(verdict) == _subject(row)
    ]
    return node if len(same_subject) == 1 else str(row["id"])


def _subject(row: Row) -> tuple[str, str, str]:
    return row["model"], row["recipe"], row["measurement"]


def _value(row: Row) -> str:
    return units.outward(row["value"], Unit(row["unit"]), up=row["relation"] == "<=")


def _report(path: Path) -> Mapping[str, Any]:
    again = "run `pytest checks/` first, or name another report with --report"
    try:
        report = json.loads(path.read_bytes())
        version = report["schema_version"]
    except FileNotFoundError:
        raise ConfigError(f"there is no report at {path}", remedy=again) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read", got=str(error), remedy=again) from error
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"{path} is of another version",
            expected=str(SCHEMA_VERSION),
            got=str(version),
            remedy=again,
        )
    checked: Mapping[str, Any] = report
    return checked


def _failing(report: Mapping[str, Any]) -> list[Row]:
    """Return the verdicts that failed the run and are not waived.

    Raises ConfigError if there are none.
    """
    refused = ("fail", "inconclusive") if report["strict"] else ("fail",)
    rows = [
        row for row in report["verdicts"] if row["verdict"] in refused and not row.get("waived")
    ]
    if not rows:
        raise ConfigError(
            "the last report has no failing verdict to accept",
            got=_errors(report["errors"]) or "every verdict is kept or waived",
        )
    return rows


def _errors(errors: Sequence[Row]) -> str:
    return "; ".join(map(error_text, errors))


def _named(report: Mapping[str, Any], which: Sequence[str]) -> list[Row]:
    """Return the failing rows that `which` names; raises ConfigError for an unknown name."""
    for name in which:
        errors = [row for row in without_verdict(report["errors"]) if name in _names(row)]
        if errors:
            raise ConfigError(
                f"{name} came to no verdict: an error cannot be accepted",
                got=_errors(errors),
                remedy="mend it, and run `pytest checks/` again",
            )
    failing = _failing(report)
    unknown = [name for name in which if not any(name in _names(row) for row in failing)]
    if unknown:
        raise ConfigError(
            f"no failing verdict is named {', '.join(unknown)}",
            expected="one of: " + ", ".join(row["id"] for row in failing),
        )
    return [row for row in failing if not _names(row).isdisjoint(which)]


def _names(row: Row) -> set[str]:
    """Return the names by which a user may call a row."""
    recipe = f"{row['model']}/{row['recipe']}"
    names = {row["id"], without_parameters(row["id"]), row["check"], row["model"], recipe}
    return names - {"", "/"}


def _ask_which(rows: Sequence[Row]) -> list[Row]:
    """Print the rows and ask the user which of them to accept."""
    for number, row in enumerate(rows, 1):
        typer.echo(f"{number}  {plain(row['id'])}\n   {plain_lines(row['sentence'])}")
    answer = typer.prompt("Accept which? (numbers, or all)")
    if answer.strip().lower() == "all":
        return list(rows)
    words = answer.replace(",", " ").split()
    chosen = [int(word) for word in words if word.isdecimal() and 0 < int(word) <= len(rows)]
    if not words or len(chosen) < len(words):
        raise ConfigError(
            "nothing was accepted",
            expected=f"numbers from 1 to {len(rows)}, or all",
            got=repr(answer),
        )
    return [rows[number - 1] for number in dict.fromkeys(chosen)]


def _given_reason(reason: str | None) -> str:
    """Return the reason, which the user is asked for if the option is absent."""
    text = typer.prompt("Why?", default="", show_default=False) if reason is None else reason
    if not text.strip():
        raise ConfigError(
            "nothing was accepted: there is no reason",
            remedy="say it, as in --reason 'the new class costs half a point, agreed in #12'",
        )
    return str(text).strip()


def _expiry_date(expires: str | None, today: date) -> date:
    if expires is None:
        return today + timedelta(days=_DAYS)
    try:
        chosen = date.fromisoformat(expires)
    except ValueError:
        raise ConfigError(
            "--expires is no date", expected="a date such as 2026-12-31", got=repr(expires)
        ) from None
    if chosen < today:
        raise ConfigError("--expires is past", expected=f"{today} or later", got=str(chosen))
    return validated_expiry(chosen, "--expires", today)
