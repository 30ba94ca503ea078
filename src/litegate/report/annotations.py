"""Format failures as GitHub's `::error` commands, at the model's file and line."""

from litegate.core.escaping import command_message, command_property
from litegate.report.formatting import counts, subject_of
from litegate.report.outcomes import PROOF, UNPROVEN, Report, Row, is_good, verdicts_with

MOST = 10
"""GitHub shows ten errors of a step and hides the others."""


def annotations(report: Report, folder: str = "") -> list[str]:
    """Return a workflow command for each failed verdict and error, the worst first.

    `folder` is the project's folder in its repository, with a slash at the end. With more than
    `MOST`, the last command counts the rest. A report that is not good gets at least one.
    """
    commands = [_verdict_command(_from_root(row, folder)) for row in _failing(report)]
    commands += [_error_command(_from_root(row, folder)) for row in report["errors"]]
    if not commands and not is_good(report):
        commands = [_command({}, "litegate", f"no pass: {counts(report)}")]
    if len(commands) <= MOST:
        return commands
    left_out = len(commands) - (MOST - 1)
    last = _command({}, "litegate", f"and {left_out} more: the step summary lists them")
    return [*commands[: MOST - 1], last]


def _from_root(row: Row, folder: str) -> Row:
    """Return the row with its file relative to the repository's root, as GitHub expects."""
    return {**row, "file": folder + row["file"]} if row.get("file") else row


def _failing(report: Report) -> list[Row]:
    inconclusive = verdicts_with(report, "inconclusive") if report["strict"] else []
    return verdicts_with(report, "fail") + inconclusive


def _verdict_command(row: Row) -> str:
    return _command(row, f"{row['measurement']}: {subject_of(row)}", row["sentence"])


def _error_command(row: Row) -> str:
    title = UNPROVEN if row["id"] == PROOF else "no verdict"
    return _command(row, f"{title}: {subject_of(row) or row['check']}", row["message"])


def _command(row: Row, title: str, message: str) -> str:
    properties = {"title": title}
    if row.get("file"):
        properties = {"file": str(row["file"]), "line": str(row.get("line") or 1)} | properties
    listed = ",".join(f"{name}={command_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{command_message(message)}"
