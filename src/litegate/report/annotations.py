"""`::error` lines: what failed, at the model's own file and line, within GitHub's counts."""

from litegate.core.escaping import command_message, command_property
from litegate.report.formatting import counts, whose
from litegate.report.outcomes import PROOF, UNPROVEN, Report, Row, having, is_good

MOST = 10
"""GitHub shows so many errors of one step and hides the others."""


def annotations(report: Report, folder: str = "") -> list[str]:
    """One workflow command for each broken promise and error, the worst first.

    `folder` is where the project lies in its repository, with a slash at its end. Where there are
    more than GitHub shows, the last one says how many more. A report that is no pass always gets
    one.
    """
    found = [_of_verdict(_from_top(row, folder)) for row in _failing(report)]
    found += [_of_error(_from_top(row, folder)) for row in report["errors"]]
    if not found and not is_good(report):
        found = [_command({}, "litegate", f"no pass: {counts(report)}")]
    if len(found) <= MOST:
        return found
    more = len(found) - (MOST - 1)
    rest = _command({}, "litegate", f"and {more} more: the step summary lists them")
    return [*found[: MOST - 1], rest]


def _from_top(row: Row, folder: str) -> Row:
    """A row whose file reads from the repository's top, as GitHub wants it."""
    return {**row, "file": folder + row["file"]} if row.get("file") else row


def _failing(report: Report) -> list[Row]:
    unproven = having(report, "inconclusive") if report["strict"] else []
    return having(report, "fail") + unproven


def _of_verdict(row: Row) -> str:
    return _command(row, f"{row['measurement']}: {whose(row)}", row["sentence"])


def _of_error(row: Row) -> str:
    what = UNPROVEN if row["id"] == PROOF else "no verdict"
    return _command(row, f"{what}: {whose(row) or row['check']}", row["message"])


def _command(row: Row, title: str, message: str) -> str:
    properties = {"title": title}
    if row.get("file"):
        properties = {"file": str(row["file"]), "line": str(row.get("line") or 1)} | properties
    listed = ",".join(f"{name}={command_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{command_message(message)}"
