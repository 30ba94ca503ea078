"""Format failures as GitHub's `::error` commands, at the model's file and line."""

from litegate.core.escaping import command_message, command_property
from litegate.report.causes import Cause, causes
from litegate.report.outcomes import PROOF, UNPROVEN, Report, Row, is_good, verdicts_with
from litegate.report.row_text import counts, details, headline, step_lines, subject_of

MOST = 10
"""GitHub shows ten errors of a step and hides the others."""


def annotations(report: Report) -> list[str]:
    """Return a workflow command for each failed verdict and cause of errors, the worst first.

    With more than `MOST`, the last command counts the rest. A report that is not good gets at least
    one.
    """
    folder = report.get("folder") or ""
    commands = [_verdict_command(_from_root(row, folder)) for row in _failing(report)]
    commands += [_error_command(cause, folder) for cause in causes(report["errors"])]
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
    lines = [headline(row), *step_lines(row), *details(row)]
    return _command(row, f"{row['measurement']}: {subject_of(row)}", "\n".join(lines))


def _error_command(cause: Cause, folder: str) -> str:
    title = UNPROVEN if cause.row["id"] == PROOF else "no verdict"
    title = f"{title}: {subject_of(cause.row) or cause.row['check']}"
    message = "\n".join([cause.headline, *cause.lines])
    return _command(_from_root(cause.row, folder), title, message)


def _command(row: Row, title: str, message: str) -> str:
    properties = {"title": title}
    if row.get("file"):
        properties = {"file": str(row["file"]), "line": str(row.get("line") or 1)} | properties
    listed = ",".join(f"{name}={command_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{command_message(message)}"
