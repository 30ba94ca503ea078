"""Decide if the last run accepted an artifact, by its report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from litegate.core.errors import LitegateError
from litegate.measures.names import Name
from litegate.report.outcomes import outcome_of
from litegate.report.row_text import error_text
from litegate.report.schema import SCHEMA_VERSION
from litegate.spec import Artifact


class NotAccepted(LitegateError):
    """An artifact that the last run did not judge, or judged and did not accept."""


def read_report(folder: Path, name: str) -> Mapping[str, Any]:
    """The last run's report; NotAccepted where there is none that this version can read."""
    path = folder / "report.json"
    try:
        report = json.loads(path.read_bytes())
        version = report["schema_version"]
    except FileNotFoundError:
        raise not_judged(name, f"no report at {path}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise not_judged(name, f"{path} cannot be read: {error}") from error
    if version != SCHEMA_VERSION:
        raise not_judged(name, f"{path} has schema version {version}, not {SCHEMA_VERSION}")
    checked: Mapping[str, Any] = report
    return checked


def not_judged(name: str, got: str) -> NotAccepted:
    """The error that says so of "model/recipe", and the command that changes it."""
    model = name.partition("/")[0]
    return NotAccepted(
        f"{name} is not judged yet",
        expected="a run of all its checks that ends without a fail or an error",
        got=got,
        remedy=_rerun(model),
    )


def demand_accepted(
    report: Mapping[str, Any],
    artifact: Artifact,
    checks: Iterable[str],
    *,
    sources: str,
    strict: bool,
) -> None:
    """Raise NotAccepted unless the report accepts exactly these bytes by every check.

    `checks` are the node ids that need a verdict, `sources` the digest of what would judge them
    now. With `strict`, or where the run was strict, an inconclusive verdict does not accept.
    """
    rows, name = list(_concerning(report["verdicts"], artifact)), artifact.name
    if report.get("sources") != sources:
        raise not_judged(name, "models, checks, waivers or settings changed since the last run")
    if not any(artifact.sha256 in row["artifacts"] for row in rows):
        raise not_judged(name, f"the last run did not judge sha256 {artifact.sha256}")
    against = list(_refusals(report, rows, artifact, strict=strict or report["strict"]))
    if against:
        raise NotAccepted(
            f"the last run did not accept {name}",
            expected="no fail and no error",
            got=_listed(against),
            remedy=f"fix the model, or waive the verdict; then {_rerun(artifact.model)}",
        )
    wanted = list(checks)
    if not wanted:
        raise not_judged(name, "no check is collected for it")
    missing = list(_missing(report, rows, wanted))
    if missing:
        raise NotAccepted(
            f"the last run judged {name} only partly",
            expected="a verdict from each of its checks",
            got=_listed(missing),
            remedy=_rerun(artifact.model),
        )


def _rerun(model: str) -> str:
    return f"run `pytest checks/ --litegate-model {model}`"


def _listed(reasons: list[str]) -> str:
    return "\n    - ".join(["", *reasons])


def _concerning(
    rows: Iterable[Mapping[str, Any]], artifact: Artifact
) -> Iterator[Mapping[str, Any]]:
    """The rows of this recipe, of the whole model, and of no model: the user's own fixtures."""
    for row in rows:
        if row["model"] in ("", artifact.model) and row["recipe"] in ("", artifact.recipe.name):
            yield row


def _refusals(
    report: Mapping[str, Any],
    rows: Iterable[Mapping[str, Any]],
    artifact: Artifact,
    *,
    strict: bool,
) -> Iterator[str]:
    refused = ("fail", "inconclusive") if strict else ("fail",)
    for row in rows:
        if outcome_of(row) in refused and row["measurement"] != Name.SHIPPED_DIFFERENCES:
            yield row["sentence"]
    for row in _concerning(report["errors"], artifact):
        yield error_text(row)


def _missing(
    report: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], checks: Iterable[str]
) -> Iterator[str]:
    judged = {row["id"] for row in rows}
    reasons = {row["id"]: row["reason"] for row in report["not_measured"]}
    for check in checks:
        if check not in judged:
            yield f"{check}: {reasons.get(check, 'it did not run')}"
