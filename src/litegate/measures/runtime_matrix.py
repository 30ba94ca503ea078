"""Compare what a candidate answers on each of the runtimes that it was judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from litegate.core.errors import LitegateError
from litegate.measures.accuracy import answers
from litegate.measures.accuracy.flips import count_flips
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.names import Name, on_runtime_name
from litegate.runtimes.inference import has_outputs
from litegate.spec import Artifact, Budget
from litegate.spec.runtimes import XNNPACK

Row = Mapping[str, Any]
_FIGURES = ("accuracy", "drop", "broken", "fixed", "agreement")


def runtime_rows(
    candidate: Artifact, reference: Artifact | None, budget: Budget, verdicts: Iterable[Row]
) -> list[dict[str, Any]]:
    """Return a row for each runtime that the candidate was judged on; none if that is only one.

    Has accuracy, the drop and the flips against the reference on the same runtime, and the share of
    decisions equal to XNNPACK's. `verdicts` are the candidate's. Nothing is run: answers that this
    run does not have are replaced by the values of verdicts, else by None. Networks that do not
    classify have no rows.
    """
    values = {row["measurement"]: row["value"] for row in verdicts}
    judged = [name for name in budget.judged_runtimes if _is_judged(name, values)]
    if len(judged) < 2:
        return []
    rows = [_row(candidate, reference, runtime, values) for runtime in judged]
    return rows if any(row[figure] is not None for row in rows for figure in _FIGURES) else []


def _is_judged(runtime: str, values: Iterable[str]) -> bool:
    """Return True for the default, whose verdicts name no runtime, and any that a verdict names."""
    return runtime == XNNPACK or any(name.endswith(f" on {runtime}") for name in values)


def _row(
    candidate: Artifact, reference: Artifact | None, runtime: str, values: Mapping[str, float]
) -> dict[str, Any]:
    def judged(name: str) -> float | None:
        return values.get(name if runtime == XNNPACK else on_runtime_name(name, runtime))

    row = {
        "model": candidate.model,
        "recipe": candidate.recipe.name,
        "runtime": runtime,
        "samples": len(candidate.evaluation.x),
        "accuracy": judged(Name.ACCURACY),
        "drop": judged(Name.ACCURACY_DROP),
        "broken": None,
        "fixed": None,
        "agreement": judged(Name.RUNTIME_AGREEMENT),
    }
    elsewhere = replace(candidate, runtime=runtime)
    for measure in (_accuracy, _agreement):
        row |= _measured(measure, elsewhere)
    if reference:
        row |= _measured(_flips, replace(reference, runtime=runtime), elsewhere)
    return row


def _measured(measure: Callable[..., dict[str, Any]], *artifacts: Artifact) -> dict[str, Any]:
    """Return what a measure makes of outputs that are there; empty if it cannot measure."""
    with suppress(LitegateError):  # the checks report it, or the network does not classify
        if all(map(has_outputs, artifacts)):
            return measure(*artifacts)
    return {}


def _accuracy(candidate: Artifact) -> dict[str, Any]:
    return {"accuracy": float(answers(candidate).right.mean())}


def _flips(reference: Artifact, candidate: Artifact) -> dict[str, Any]:
    flips = count_flips(answers(reference).right, answers(candidate).right)
    drop = (flips.broken - flips.fixed) / flips.n
    return {"drop": drop, "broken": flips.broken, "fixed": flips.fixed}


def _agreement(candidate: Artifact) -> dict[str, Any]:
    if candidate.runtime == XNNPACK:
        return {}
    measured = runtime_agreement(candidate, most=len(candidate.evaluation.x))
    return {"agreement": float(measured.value)}
