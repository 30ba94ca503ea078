"""Write the page of a run: the artifacts that it compared, and the evidence about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from litegate.core.options import GateOptions
from litegate.gate.evidence import (
    BoxMetrics,
    Comparison,
    Lookup,
    gather,
    in_memory,
)
from litegate.gate.session import GateSession
from litegate.report.history_store import reports_before_head
from litegate.report.html import write_page
from litegate.report.json_report import PAGE_NAME
from litegate.report.outcomes import Report
from litegate.report.run_record import Run
from litegate.spec import Artifact, Evaluation, Model, Recipe, by_input, domain_of
from litegate.spec.cases import Case, gated_recipes


def compared(session: GateSession, run: Run) -> list[Comparison]:
    """Return each gated candidate of the models with a verdict, with its reference and base."""
    judged = dict.fromkeys(row["model"] for row in run.verdicts if row["model"])
    return [pair for name in judged for pair in _of_model(session, session.models[name])]


def _of_model(session: GateSession, model: Model) -> Iterator[Comparison]:
    artifacts = session.stored(model)
    for recipe in gated_recipes(model, session.options.only_recipes):
        if candidate := artifacts.get(recipe.name):
            yield Comparison(
                model=model.name,
                recipe=recipe.name,
                candidate=candidate,
                reference=artifacts.get(recipe.reference.name),
                base=_base(session, model, recipe),
                boxes=next((it for it in model.budget_of(recipe).metrics if it.is_of_boxes), None),
            )


def _base(session: GateSession, model: Model, recipe: Recipe) -> Artifact | None:
    """Return the base's artifact under the name that measures.regression gives it."""
    side, case = session.counterparts.get("base"), Case(model=model, recipe=recipe)
    stored = side.stored(case) if side else None
    return stored and replace(stored, model=f"the base's {stored.model}")


def rows(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """Return the report's rows, from which its page can be made again out of the store."""
    listed = list(comparisons)
    splits = {item.candidate.evaluation.digest: item.candidate.evaluation for item in listed}
    return {
        "comparisons": [_row(comparison) for comparison in listed],
        "splits": {digest: _split(split) for digest, split in splits.items()},
    }


def _row(comparison: Comparison) -> dict[str, Any]:
    candidate = comparison.candidate
    sides = {role: artifact.sha256 for role, artifact in comparison.sides.items()}
    return {
        "model": comparison.model,
        "recipe": comparison.recipe,
        "kind": candidate.recipe.kind.value,
        "split": candidate.evaluation.digest,
        "reference": None,
        "base": None,
        **sides,
        **({"signature": candidate.signature} if candidate.signature else {}),
    }


def _split(split: Evaluation) -> dict[str, Any]:
    domains = {name: domain_of(split.domain, name) for name, _ in by_input(split.x)}
    ends = [float(end) for pair in domains.values() for end in pair]
    row: dict[str, Any] = {"classes": list(split.classes), "domain": [min(ends), max(ends)]}
    if set(domains) != {""}:
        row["domains"] = {name: [float(end) for end in pair] for name, pair in domains.items()}
    return row | ({"output": split.output} if split.output else {})


def show(
    report: Report,
    lookup: Lookup,
    path: Path,
    earlier: Iterable[Report] = (),
    gaps: Iterable[str] = (),
    boxes: BoxMetrics = MappingProxyType({}),
) -> Path:
    """Write the page of a report, with a history of the `earlier` commits' reports.

    `gaps` name evidence that the caller could not get, `boxes` are as of `gather`. Raises
    ConfigError if the file cannot be written.
    """
    facts, more = gather(report, lookup, boxes)
    return write_page(report, path, facts, [*gaps, *more], earlier)


def show_run(report: Report, comparisons: Iterable[Comparison], options: GateOptions) -> Path:
    """Write the page of a run that has just ended, from artifacts in memory."""
    listed = list(comparisons)
    artifacts = (artifact for pair in listed for artifact in pair.sides.values())
    boxes = {(pair.model, pair.recipe): pair.boxes for pair in listed if pair.boxes}
    earlier = reports_before_head(options.project, options.history)
    page = options.report / PAGE_NAME
    return show(report, in_memory(artifacts), page, earlier, boxes=boxes)
