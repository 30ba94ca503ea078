"""Implement `litegate accept`: turn failing verdicts of the last report into waivers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
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
from litegate.regression.waiver_file import add, load, to_toml, validated_expiry
from litegate.regression.waiver_file import parse as parse_waivers
from litegate.regression.waivers import (
    FILE,
    Waiver,
    ceiling_of,
    find_waiver,
    refusal,
    today,
    without_parameters,
)
from litegate.report.json_report import JSON_NAME, report_file
from litegate.report.outcomes import NOT_JUDGED_ON, without_verdict
from litegate.report.row_text import error_text, headline, judged_commit
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
        str | None,
        typer.Option(metavar="TEXT", help="Why the verdict is acceptable; asked for if missing."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help=f"Last day of the waiver, such as 2026-12-31 (default: in {_DAYS} days).",
        ),
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE",
            help="The worst accepted value of one verdict, such as '8,736 B' (default: the "
            "measured value).",
        ),
    ] = None,
    report: ReportFile = None,
) -> None:
    """Accept failing verdicts of the last run by writing a waiver for each.

    A waiver covers the measured value and nothing worse, until it expires. For a latency it covers
    the range that a repeated run of the same bytes may measure. Have the waivers reviewed.
    """
    options = parse(Path.cwd(), {}, settings(Path.cwd()))
    day = today()
    if options.in_ci:
        raise ConfigError(
            "litegate accept does not run if CI is set: a person decides what to accept",
            remedy=f"run it on your own machine, commit {FILE} and have it reviewed",
        )
    last_run = _report(report_file(report) if report else options.report / JSON_NAME)
    last_day = _expiry_date(expires, day)
    rows = _named(last_run, which) if which else _ask_which(_failing(last_run))
    rows = _without_waiver(rows, load(options.project, day), day, reason or "")
    if not rows:
        return
    text = _given_reason(reason)
    accepted = {
        waiver_of(row, _check_id(row, last_run["verdicts"]), text, last_day, value=value): row
        for row in rows
    }
    if value is not None:
        _check_value(accepted, value, day)
    path = add(options.project, list(accepted), day)
    for waiver, row in accepted.items():
        typer.echo(f"accepted until {last_day}: {headline(row)}")
        typer.echo(f"  waiver accepts: {plain(_written(waiver, row, is_given=value is not None))}")
    for note in _unjudged_runtimes(last_run):
        typer.echo(f"{note}: a verdict there needs a waiver of its own")
    typer.echo(f"wrote {path.name}: commit it")


def _unjudged_runtimes(report: Mapping[str, Any]) -> list[str]:
    """Return the note on runtimes that the run left out, which CI judges; empty without one."""
    notes = map(str, report.get("notes") or ())
    return [plain(note) for note in notes if note.startswith(NOT_JUDGED_ON)]


def _without_waiver(
    rows: Sequence[Row], waivers: Sequence[Waiver], today: date, reason: str
) -> list[Row]:
    """Return the rows that no waiver of the file covers yet, and report the others."""
    pending = []
    for row in rows:
        if waiver := find_waiver(waivers, row, today):
            typer.echo(f"already accepted until {waiver.expires}: {plain(waiver.name)}")
            if reason not in ("", waiver.reason):
                typer.echo(f"  its reason stays, change it there: {plain(waiver.reason)}")
        else:
            pending.append(row)
    return pending


def _check_value(accepted: Mapping[Waiver, Row], value: str, today: date) -> None:
    """Raise ConfigError if `--value` does not fit the one verdict that it is for."""
    if len(accepted) != 1:
        raise ConfigError(
            "--value needs exactly one verdict",
            got=f"{len(accepted)} verdicts",
            remedy="name one check of one model/recipe, or drop --value",
        )
    ((waiver, row),) = accepted.items()
    try:
        reason = refusal(parse_waivers(to_toml(waiver), today)[0], row, today)
    except ConfigError as error:
        raise ConfigError(
            "--value cannot be read", expected=units.ALLOWED, got=repr(value)
        ) from error
    if row["offenders"] or reason:
        raise ConfigError(
            "--value does not cover the verdict",
            got=reason or "a verdict with named offenders, which has no value to accept",
        )


def _written(waiver: Waiver, row: Row, *, is_given: bool) -> str:
    """Return what a waiver accepts, and why that is more than what was measured."""
    if is_given or waiver.offenders or not row.get("repeats"):
        return waiver.accepts
    measured = units.text(row["value"], Unit(row["unit"]))
    return (
        f"{waiver.accepts}, which a repeated run of the same bytes may reach (measured: "
        f"{measured}); --value sets another"
    )


def waiver_of(
    row: Row, check: str, reason: str, expires: date, *, value: str | None = None
) -> Waiver:
    """Make the waiver that covers a verdict row up to `value`, or what was measured."""
    ceiling, is_named = ceiling_of(row, value), bool(row["offenders"])
    measured = _value(row) if value is None else value
    return Waiver(
        check=check,
        measurement=row["measurement"],
        reason=reason,
        expires=expires,
        model=row["model"],
        recipe=row["recipe"],
        offenders=tuple(row["offenders"]),
        ceiling="" if is_named else ceiling,
        value="" if is_named or ceiling else measured,
        base=row.get("base", ""),
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
    """Return the measured value; of a timing, the worse end of its range over repetitions."""
    is_most = row["relation"] == "<="
    repeats = row.get("repeats")
    worst = repeats["high" if is_most else "low"] if repeats else row["value"]
    return units.outward(worst, Unit(row["unit"]), up=is_most)


def _report(path: Path) -> Mapping[str, Any]:
    again = "run `pytest checks/` first, or name another report with --report"
    try:
        report = json.loads(path.read_bytes())
        version = report["schema_version"]
    except FileNotFoundError:
        raise ConfigError(f"no report at {path}", remedy=again) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read", got=str(error), remedy=again) from error
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"{path} was written by another version of litegate",
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
            got=_errors(report["errors"]) or _nothing_failed(report),
            remedy="check out the change and run `pytest checks/ --against main` first",
        )
    return rows


def _nothing_failed(report: Mapping[str, Any]) -> str:
    """Describe a report without failures and the commit it judged, maybe another branch's."""
    commit = " ".join(judged_commit(report))
    return "every verdict passed or is waived" + (f" at {commit}" if commit else "")


def _errors(errors: Sequence[Row]) -> str:
    return "; ".join(map(error_text, errors))


def _named(report: Mapping[str, Any], which: Sequence[str]) -> list[Row]:
    """Return the failing rows that `which` names; raises ConfigError for an unknown name."""
    for name in which:
        errors = [row for row in without_verdict(report["errors"]) if name in _names(row)]
        if errors:
            raise ConfigError(
                f"{name} has an error instead of a verdict: errors cannot be accepted",
                got=_errors(errors),
                remedy="fix it, and run `pytest checks/` again",
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
    if not text.strip(" \t\n."):
        problem = f"only the placeholder {text.strip()}" if text.strip() else "empty"
        raise ConfigError(
            f"nothing was accepted: the reason is {problem}",
            remedy="give one: --reason 'the new class costs half a point, agreed in #12'",
        )
    return str(text).strip()


def _expiry_date(expires: str | None, today: date) -> date:
    if expires is None:
        return today + timedelta(days=_DAYS)
    try:
        chosen = date.fromisoformat(expires)
    except ValueError:
        raise ConfigError(
            "--expires is not a date", expected="a date such as 2026-12-31", got=repr(expires)
        ) from None
    if chosen < today:
        raise ConfigError("--expires is in the past", expected=f"{today} or later", got=str(chosen))
    return validated_expiry(chosen, "--expires", today)
