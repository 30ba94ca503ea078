"""Implement `litegate merge`, `summary`, `annotate`, `badge` and `comment`.

They read `report.json` as data, on GitHub or anywhere else; no import here reads or runs a model.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from litegate.cli.common import ReportFile
from litegate.core.errors import ConfigError
from litegate.core.escaping import excerpt, plain, plain_lines
from litegate.core.git import commit_hash
from litegate.report.annotations import annotations as annotations_of
from litegate.report.badge import badge as badge_of
from litegate.report.blocks import error_blocks, indented, verdict_blocks
from litegate.report.json_report import read, run_of, write
from litegate.report.markdown import comment as comment_of
from litegate.report.markdown import summary as summary_of
from litegate.report.merge import failure
from litegate.report.merge import merge as merged
from litegate.report.outcomes import Report, is_good
from litegate.report.row_text import counts

REPORT = Path(".litegate/report/report.json")
HISTORY = Path(".litegate/history")
_LOG_WIDTH = 100
"""Columns of the log of a CI job that a browser shows without scrolling."""
PAGE = "summary.md"
"""The report as Markdown, beside the merged report.json."""
_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
"""A commit's full hash, SHA-1 or SHA-256."""
Required = Annotated[
    str | None,
    typer.Option("--require", metavar="COMMIT", help="Fail if the report is for another commit."),
]


def merge(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER", help="Folders with the reports of the CI jobs."),
    ],
    *,
    expect: Annotated[
        str, typer.Option(metavar="MODELS", help="The expected models: names or a JSON list.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder for the merged report.json.")
    ] = REPORT.parent,
    history: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder for the verdicts of each commit.")
    ] = HISTORY,
    require: Required = None,
) -> None:
    """Merge the reports of several CI jobs (one a model) into one verdict and exit status."""
    reports, damaged = _legs(folders, require)
    report = merged(reports, _names(expect), damaged)
    path = write(report, out)
    _show(report)
    (out / PAGE).write_text(summary_of(report), "utf-8")
    _page(report, out, history)
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        _append("GITHUB_STEP_SUMMARY", summary_of(report, page=_page_address()))
    if os.environ.get("GITHUB_ACTIONS"):
        _print(annotations_of(report))
    typer.echo(f"report: {path}")
    raise typer.Exit(0 if is_good(report) else 1)


def _page(report: Report, out: Path, history: Path) -> None:
    # Late: it imports Jinja2, which the commands that write no page do not need.
    from litegate.report.history_store import reports_before_head, save_verdicts
    from litegate.report.html import write_page

    gap = "the report.html of each job shows the samples that changed sides, which need its store"
    gaps = [gap] if report.get("comparisons") else []
    earlier = reports_before_head(Path.cwd(), history)
    write_page(report, out / "report.html", gaps=gaps, earlier=earlier)
    save_verdicts(report, history)


class Format(StrEnum):
    """The forms in which `litegate summary` prints a report."""

    MARKDOWN = "markdown"
    TEXT = "text"


def summary(
    report: ReportFile = None,
    *,
    require: Required = None,
    text_format: Annotated[
        Format,
        typer.Option(
            "--format", help="`text` is the end of the run's output, for a terminal or a job's log."
        ),
    ] = Format.MARKDOWN,
) -> None:
    """Print the report as Markdown or text; on GitHub, add Markdown to the step summary instead.

    With --require COMMIT (HEAD, a hash or any git ref), fail if there is no report or if it is for
    another commit.
    """
    content, is_readable = _read(report, require)
    if text_format is Format.TEXT:
        _print_text(content)
    elif os.environ.get("GITHUB_STEP_SUMMARY"):
        _append("GITHUB_STEP_SUMMARY", summary_of(content, page=_page_address()))
    else:
        typer.echo(summary_of(content))
    set_outputs(f"verdict={content['verdict']}\n")
    raise typer.Exit(0 if is_readable else 1)


def _print_text(report: Report) -> None:
    # Late: it imports rich, which Markdown does not need.
    from litegate.report.terminal import lines

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _LOG_WIDTH
    _print(line for _, line in lines(run_of(report), width=width))


def annotate(report: ReportFile = None) -> None:
    """Print GitHub's `::error` lines for each failure, at the model's file and line."""
    content, is_readable = _read(report)
    _print(annotations_of(content))
    raise typer.Exit(0 if is_readable else 1)


def badge(
    *,
    to: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    report: ReportFile = None,
    publish: Annotated[bool, typer.Option(help="Also push it to the badge's branch.")] = False,
) -> None:
    """Write the JSON of a shields.io endpoint badge."""
    content = badge_of(_read(report)[0])
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(content) + "\n", "utf-8")
    if publish:
        from litegate.cli import github_comment

        github_comment.publish(content, _environment("GITHUB_REPOSITORY"), to.name)


def comment(report: ReportFile = None) -> None:
    """Write or update the comment on the pull request, from a workflow that runs after the gate."""
    from litegate.cli import github_comment

    repository = _environment("GITHUB_REPOSITORY")
    event = _event()
    number = github_comment.pull_request_of(event, repository)
    if number is None:
        typer.echo("no comment written: no open pull request has this commit as its head")
        return
    page = _page_address(event["workflow_run"].get("id"))
    content = _read(report)[0]
    folder = content.get("folder") or ""
    github_comment.post(comment_of(content, page=page), repository, number, folder)
    typer.echo(f"wrote the comment on pull request {number}")


COMMANDS = (merge, summary, annotate, badge, comment)


def _legs(folders: Iterable[Path], commit: str | None) -> tuple[dict[str, Report], dict[str, str]]:
    """Return the reports below the folders by leg, and by leg why others cannot be read."""
    reports: dict[str, Report] = {}
    damaged: dict[str, str] = {}
    for leg in (leg for folder in folders for leg in _leg_folders(folder)):
        try:
            reports[str(leg)] = _read_of(leg, commit)
        except ConfigError as error:
            damaged[str(leg)] = str(error)
    return reports, damaged


def _leg_folders(folder: Path) -> list[Path]:
    """Return the folder itself if it has a report, or else its subfolders, each a leg."""
    if (folder / REPORT.name).is_file() or not folder.is_dir():
        return [folder]
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _page_address(run: object = None) -> str:
    """Return the address of the artifacts of a workflow run, this one by default, or empty.

    Read from GitHub's environment and event: a report may be a stranger's.
    """
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, this_run = (os.environ.get(name, "") for name in names)
    number = str(run or this_run)
    if not (server and repository and number.isdecimal()):
        return ""
    return f"{server}/{repository}/actions/runs/{number}#artifacts"


def _names(expect: str) -> list[str]:
    """Parse names: separated by commas or spaces, a JSON list, or `litegate list --json`."""
    if not expect.lstrip().startswith("["):
        return expect.replace(",", " ").split()
    try:
        listed = json.loads(expect)
        names = [row if isinstance(row, str) else row["model"] for row in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            "--expect has an invalid value",
            expected='names, or JSON such as ["digits_cnn", "mnist_cnn"]',
            got=excerpt(expect),
        ) from error
    return names


def _read(path: Path | None, commit: str | None = None) -> tuple[Report, bool]:
    """Read the report; return False and a report of the error if it cannot be read."""
    try:
        return _read_of(path or REPORT, commit), True
    except ConfigError as error:
        return failure(str(error)), False


def _read_of(path: Path, commit: str | None) -> Report:
    """Read a report. Raises ConfigError as `read`, and for a report of another commit, if named."""
    report = read(path)
    if commit is None:
        return report
    # A full hash needs no repository: a report may be read where nothing is checked out.
    expected = commit if _HASH.fullmatch(commit) else commit_hash(Path.cwd(), commit)
    if expected is None:
        raise ConfigError(
            f"--require {plain(commit) or '(empty)'}: git knows no such commit",
            expected="HEAD, or the full hash of the gated commit",
        )
    actual = (report.get("head") or {}).get("commit", "no commit")
    if actual != expected:
        raise ConfigError(
            f"the report {path} is for another commit",
            expected=expected,
            got=actual,
            remedy="delete the report folder, then run `pytest checks/` on this commit",
        )
    return report


def _show(report: Report) -> None:
    for _, block in (*error_blocks(report), *reversed([*verdict_blocks(report, "fail")])):
        typer.echo(plain_lines("\n".join(indented(block, _LOG_WIDTH))))
    typer.echo(f"litegate: {counts(report)}")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def set_outputs(lines: str) -> None:
    """Set outputs of the workflow's step on GitHub; do nothing elsewhere."""
    if os.environ.get("GITHUB_OUTPUT"):
        _append("GITHUB_OUTPUT", lines)


def _append(variable: str, text: str) -> None:
    with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
        file.write(text)


def _environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(
            f"the environment variable {name} is not set",
            expected="a variable that GitHub Actions sets",
        )
    return value


def _event() -> Mapping[str, Any]:
    path = _environment("GITHUB_EVENT_PATH")
    try:
        event: Mapping[str, Any] = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"GitHub's event {plain(path)} cannot be read", got=str(error)) from error
    return event
