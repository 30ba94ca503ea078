"""Add what a run learned besides its verdicts: recipes, runtimes, notes and certificates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from litegate.core.git import head
from litegate.gate.repair import KINDS
from litegate.gate.session import GateSession
from litegate.report.run_record import Run
from litegate.spec import Model, Recipe
from litegate.spec.cases import Case, gated_recipes, select_recipes
from litegate.spec.recipe import BASELINE
from litegate.spec.runtimes import TFLM, XNNPACK

_UNLIMITED = (
    "it has no limits, so its checks pass for any network of these types: set limits such as "
    "accuracy, accuracy_drop and size in its budget"
)


def _memory_runtime(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the runtime that a verdict on the arena is of; the default if there is none."""
    from litegate.measures.names import Name, on_runtime_name  # late, as in `conclude`

    is_recorded = any(row["measurement"] == on_runtime_name(Name.ARENA, TFLM) for row in rows)
    return TFLM if is_recorded else XNNPACK


def _repairs(session: GateSession, model: Model, recipe: Recipe) -> Iterator[Mapping[str, Any]]:
    """Yield the last repair of a recipe's artifact, if there was one on this machine."""
    folder = session.options.history
    if recipe.kind not in KINDS or not folder.is_dir():
        return
    from litegate.gate.repair.repair_files import load_repair  # late, as in `conclude`

    if repair := load_repair(folder, session.pipeline.key(model, recipe.name)):
        yield repair | {"model": model.name, "recipe": recipe.name}


def conclude(session: GateSession, run: Run) -> None:
    """Add recipes, notes and certificates to the verdicts."""
    # Late: only the end of a run that judged something needs these.
    from litegate.measures.accuracy.leaks import leaked_sample_notes
    from litegate.measures.lints.devices import device_notes
    from litegate.measures.lints.gains import gain_notes
    from litegate.measures.lints.runtime_differences import (
        runtime_difference_notes,
        runtime_refusal_notes,
    )
    from litegate.measures.lints.untimed_runtimes import untimed_runtime_notes
    from litegate.measures.names import RULES, Name, without_runtime
    from litegate.measures.overview import missing_accuracy_notes, overview, recipe_notes
    from litegate.measures.runtime_matrix import runtime_rows
    from litegate.report.loose_limits import loose_limits

    if commit := head(session.options.project):
        run.head = asdict(commit)
    judged = dict.fromkeys(row["model"] for row in run.verdicts if row["model"])
    run.notes += untimed_runtime_notes(session.models[name] for name in judged)
    for model in (session.models[name] for name in judged):
        artifacts = session.stored(model)
        model_rows = [row for row in run.verdicts if row["model"] == model.name]
        timed = any(
            row["measurement"].startswith(("latency", Name.REAL_TIME_FACTOR)) for row in model_rows
        )
        rows, notes = overview(
            model, artifacts, BASELINE, timed=timed, memory_on=_memory_runtime(model_rows)
        )
        run.recipes += rows
        run.notes += [*notes, *missing_accuracy_notes(model)]
        run.notes += recipe_notes(model, artifacts, is_compared=run.base is not None)
        run.notes += device_notes(model, artifacts.values())
        run.notes += leaked_sample_notes(model, artifacts.values())
        for recipe in select_recipes(model, session.options.only_recipes):
            if not recipe.gate and recipe.name in artifacts:
                shown, budget = artifacts[recipe.name], model.budget_of(recipe)
                run.notes += runtime_refusal_notes(shown, budget, model_rows)
        for recipe in gated_recipes(model, session.options.only_recipes):
            recipe_rows = [row for row in model_rows if row["recipe"] == recipe.name]
            budget = model.budget_of(recipe)
            run.repairs += _repairs(session, model, recipe)
            run.notes += loose_limits(budget, recipe_rows)
            run.notes += session.growth_notes(Case(model=model, recipe=recipe))
            if candidate := artifacts.get(recipe.name):
                run.notes += runtime_difference_notes(candidate, budget, recipe_rows)
                reference = artifacts.get(recipe.reference.name)
                run.runtimes += runtime_rows(candidate, reference, budget, recipe_rows)
            subject = f"{model.name}/{recipe.name}"
            if budget.limits_nothing and all(
                without_runtime(row["measurement"]) in RULES for row in model_rows
            ):
                run.unlimited.append(subject)
                run.notes.append(f"{subject}: {_UNLIMITED}")
            same_data = session.with_same_data(Case(model=model, recipe=recipe))
            gains = gain_notes(recipe_rows, budget.metrics, same_data)
            run.notes += [f"{subject}: {note}" for note in gains]
        run.artifacts |= {a.sha256: a.certificate for a in artifacts.values()}
    if remote := session.pipeline.store.remote:
        run.notes += remote.rejections
