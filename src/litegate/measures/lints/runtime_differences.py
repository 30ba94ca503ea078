"""Warn about what runtimes do besides the default one, where no check covers it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from litegate.core.errors import LitegateError
from litegate.core.units import percent, text
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.structure.runtime_trial import trial_of
from litegate.spec import Artifact, Budget
from litegate.spec.runtimes import XNNPACK

_LEAST_ALIKE = percent(99)
"""The share of equal decisions below which it is worth a line: published int8 networks differ in 1
to 5 % of them, and small ones in none."""


def runtime_difference_notes(
    artifact: Artifact, budget: Budget, rows: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a note for each further runtime that decides otherwise on more than 1 % of the samples.

    `rows` are the recipe's verdicts: a runtime without one was not judged, and is not run here.
    """
    if budget.runtime_agreement is not None:
        return
    for runtime in _further_runtimes(budget, rows):
        elsewhere = replace(artifact, runtime=runtime)
        try:
            agreement = runtime_agreement(elsewhere, _LEAST_ALIKE, most=len(artifact.evaluation.x))
        except LitegateError:  # the checks of answers report it, or the network has no decisions
            continue
        if agreement.value < _LEAST_ALIKE.value:
            yield (
                f"{artifact.name}: {runtime} decides as {XNNPACK} on"
                f" {text(agreement.value, agreement.unit)} of {agreement.n:,} samples; no limit"
                " covers that, Budget(runtime_agreement=...)"
            )


def runtime_refusal_notes(
    artifact: Artifact, budget: Budget, rows: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a note for each further runtime that refuses a file which is shown and not gated.

    `rows` are the model's verdicts, as in `runtime_difference_notes`.
    """
    for runtime in _further_runtimes(budget, rows):
        trial = trial_of(replace(artifact, runtime=runtime))
        if trial.refusal:
            yield f"{artifact.name} is not gated: {trial.refusal}"


def _further_runtimes(budget: Budget, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the runtimes of a budget, besides the default, that the run judged."""
    judged = [row["measurement"] for row in rows]
    for runtime in budget.judged_runtimes:
        if runtime != XNNPACK and any(name.endswith(f" on {runtime}") for name in judged):
            yield runtime
