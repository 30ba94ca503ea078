"""Adjust a verdict to what else the run knows, such as a changed tool chain or declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from litegate.core.units import Unit, text
from litegate.gate.checks.pytest_items import case_of, fixtures_of
from litegate.gate.state import GATE
from litegate.measures.measurement import Outcome, Verdict
from litegate.measures.names import Name
from litegate.measures.verdict_text import sentence
from litegate.regression.base_artifacts import Counterpart
from litegate.spec import Artifact
from litegate.spec.cases import Case

NETWORK_MISSES = pytest.StashKey[bool]()
"""True for an item whose limit of accuracy the float reference does not reach either."""


def judged_part(case: Case, artifact: Artifact) -> Artifact:
    """Return the artifact with the samples that judge it: those that did not choose its layers."""
    if case.recipe is None or not case.recipe.chosen_on_half:
        return artifact
    from litegate.gate.repair.samples import halves  # late: it loads NumPy

    _, judges = halves(artifact.evaluation, case.model.training.seed)
    return replace(artifact, evaluation=judges)


def as_separated(item: pytest.Item, verdict: Verdict) -> Verdict:
    """Make a pass inconclusive if the base had to be rebuilt by another tool chain.

    A fail stays: what is worse than a base built by this tool chain is worse by the change.
    """
    case = case_of(item)
    compared = _compared_with(item)
    is_mixed = case is not None and any(case.id in side.toolchain_changed for side in compared)
    if not is_mixed or verdict.outcome is Outcome.FAIL:
        return verdict
    note = "the tool chain changed too, and its effect is included"
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, note=note)


def _compared_with(item: pytest.Item) -> list[Counterpart]:
    """Return the other commits whose artifacts a check asks for."""
    sides = item.config.stash[GATE].session.counterparts
    return [side for role, side in sides.items() if role in fixtures_of(item)]


def with_declared_changes(item: pytest.Item, verdict: Verdict) -> Verdict:
    """Add to a verdict against another commit what the model declares differently from it.

    A pass needs no explanation.
    """
    case, measurement = case_of(item), verdict.measurement
    if case is None or verdict.outcome is Outcome.PASS:
        return verdict
    facts = tuple(
        f"changed since the {side.role}: {'; '.join(changes)}"
        for side in _compared_with(item)
        if (changes := side.declared_changes(case))
    )
    evidence = (*measurement.evidence, *facts)
    return replace(verdict, measurement=replace(measurement, evidence=evidence))


def as_note(item: pytest.Item, verdict: Verdict) -> Verdict:
    """Make growth of the latency a note if this run has proven the model's latency budget.

    The budget is what the application needs; without it, or while it is not proven, growth fails.
    A growth that the floor excuses is a note, too.
    """
    case, run = case_of(item), item.config.stash[GATE].recorder.run
    if case is None or case.recipe is None or verdict.measurement.name != Name.LATENCY_GROWTH:
        return verdict
    if verdict.outcome is Outcome.PASS:
        run.notes += [_growth_note(verdict)] if verdict.margin < 0 else []
        return verdict
    row = run.proven_row(case.model.name, case.recipe.name, Name.LATENCY, case.budget.latency)
    if row is None:
        return _with_unjudged_budget(verdict, case, run.verdicts)
    within = text(row["limit"], Unit.SECONDS)
    note = f"a note: the latency is proven to be within Budget(latency={within})"
    excused = replace(verdict, outcome=Outcome.PASS, note=note)
    run.notes.append(_growth_note(excused))
    return excused


def _growth_note(verdict: Verdict) -> str:
    """Return the note about a growth that something else than its limit allows."""
    return f"{sentence(verdict).partition(';')[0]}; {verdict.note}"


def _with_unjudged_budget(
    verdict: Verdict, case: Case, rows: Sequence[Mapping[str, Any]]
) -> Verdict:
    """Add that a run with the check of the model's latency budget may excuse the growth."""
    subject = (case.model.name, case.recipe and case.recipe.name, Name.LATENCY)
    judged = ((row["model"], row["recipe"], row["measurement"]) for row in rows)
    if case.budget.latency is None or subject in judged:
        return verdict
    fact = f"Budget(latency={case.budget.latency}) was not judged in this run; if it passes in the "
    measurement = verdict.measurement
    evidence = (*measurement.evidence, f"{fact}same run, this growth is a note")
    return replace(verdict, measurement=replace(measurement, evidence=evidence))


def with_reference(item: pytest.Item, verdict: Verdict) -> Verdict:
    """Add the float reference's accuracy to a broken floor, if the run has the reference."""
    case, measurement = case_of(item), verdict.measurement
    is_broken = measurement.name == Name.ACCURACY and verdict.outcome is not Outcome.PASS
    if not is_broken or case is None or case.recipe is None:
        return verdict
    reference = item.config.stash[GATE].session.built(case.model, case.recipe.reference.name)
    if reference is None or reference.sha256 in measurement.artifacts:
        return verdict
    from litegate.measures import accuracy  # late: it loads NumPy

    item.stash[NETWORK_MISSES] = accuracy.is_below(reference, verdict.limit)
    return accuracy.with_reference(verdict, reference)
