"""From a run to its page: which artifacts it compared, and the page that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from litegate.build.store import Store
from litegate.core.options import GateOptions
from litegate.gate.evidence import (
    Comparison,
    Lookup,
    Predictor,
    gather,
    in_memory,
    recording_predictor,
)
from litegate.gate.session import GateSession
from litegate.report.history_store import reports_before_head
from litegate.report.html import page, write
from litegate.report.json_report import PAGE_NAME
from litegate.report.outcomes import Report
from litegate.report.run_record import Run
from litegate.spec import Artifact, Model, Recipe, by_input, domain_of
from litegate.spec.cases import Case, gated_recipes


def compared(session: GateSession, run: Run) -> list[Comparison]:
    """Each gated candidate of the models with a verdict, beside its reference and its base."""
    judged = dict.fromkeys(row["model"] for row in run.verdicts if row["model"])
    return [one for name in judged for one in _of_model(session, session.models[name])]


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
            )


def _base(session: GateSession, model: Model, recipe: Recipe) -> Artifact | None:
    """The base's artifact, called as `measures.against_base` calls it: its answers are at hand."""
    side, case = session.counterparts.get("base"), Case(model=model, recipe=recipe)
    found = side.stored(case) if side else None
    return found and replace(found, model=f"the base's {found.model}")


def rows(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """What a report keeps of them, so that its page can be made again from the store."""
    found = list(comparisons)
    return {
        "comparisons": [_row(one) for one in found],
        "splits": {one.candidate.evaluation.digest: _split(one) for one in found},
    }


def _row(one: Comparison) -> dict[str, Any]:
    sides = {role: artifact.sha256 for role, artifact in one.sides.items()}
    return {
        "model": one.model,
        "recipe": one.recipe,
        "kind": one.candidate.recipe.kind.value,
        "split": one.candidate.evaluation.digest,
        "reference": None,
        "base": None,
        **sides,
        **({"signature": one.candidate.signature} if one.candidate.signature else {}),
    }


def _split(one: Comparison) -> dict[str, Any]:
    split = one.candidate.evaluation
    each = {name: domain_of(split.domain, name) for name, _ in by_input(split.x)}
    ends = [float(end) for pair in each.values() for end in pair]
    told = {"classes": list(split.classes), "domain": [min(ends), max(ends)]}
    if set(each) != {""}:
        told["domains"] = {name: [float(end) for end in pair] for name, pair in each.items()}
    return told | ({"output": split.output} if split.output else {})


def show(
    report: Report,
    lookup: Lookup,
    predictor: Predictor,
    path: Path,
    earlier: Iterable[Report] = (),
    gaps: Iterable[str] = (),
) -> Path:
    """Write the page of a report, with those of `earlier` commits.

    `gaps` are what the caller could not have. ConfigError where the file cannot be written.
    """
    facts, more = gather(report, lookup, predictor)
    return write(page(report, facts, [*gaps, *more], earlier), path)


def show_run(report: Report, comparisons: Iterable[Comparison], options: GateOptions) -> Path:
    """Write the page of a run that has just ended, from what it has at hand."""
    artifacts = (artifact for one in comparisons for artifact in one.sides.values())
    earlier = reports_before_head(options.project, options.history)
    predictor = recording_predictor(Store(options.store))
    return show(report, in_memory(artifacts), predictor, options.report / PAGE_NAME, earlier)
