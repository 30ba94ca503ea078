"""Judge an artifact by the limits of its budget: those of quality, and those of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from litegate.core.units import byte
from litegate.measures.accuracy import (
    accuracy,
    accuracy_drop,
    class_drop,
    extra_errors,
    slice_drop,
)
from litegate.measures.accuracy.agreement import agreement_with_reference
from litegate.measures.accuracy.output_error import output_error
from litegate.measures.measurement import Measurement, Outcome, Relation, Verdict, with_tail
from litegate.measures.metrics import (
    metric_class_loss,
    metric_loss,
    metric_slice_loss,
    metric_value,
)
from litegate.measures.statistics.proportions import TAIL
from litegate.measures.structure.arena import arena
from litegate.measures.structure.macs import macs
from litegate.measures.structure.size import bytes_saved, compressed_size, size, size_ratio
from litegate.measures.structure.target import target_violations
from litegate.measures.structure.tensors import operator_violations, tensor_violations
from litegate.spec import Artifact
from litegate.spec.cases import Case
from litegate.spec.metric import Metric
from litegate.spec.targets import load

_SMALL = 1e-9
"""Excess of a limit that is kept but not proven although its one-sided limit lies within it.

Above 0, so that the search does not take it for proven, and below any excess that samples show."""
Measure = Callable[[Artifact, Artifact], Measurement]
"""Measures a candidate, the second, beside its reference."""
QUALITY_MEASURES: Mapping[str, tuple[Measure, Relation]] = {
    "accuracy": (lambda _, it: accuracy(it), Relation.AT_LEAST),
    "accuracy_drop": (accuracy_drop, Relation.AT_MOST),
    "extra_errors": (extra_errors, Relation.AT_MOST),
    "class_drop": (class_drop, Relation.AT_MOST),
    "slice_drop": (slice_drop, Relation.AT_MOST),
    "agreement": (agreement_with_reference, Relation.AT_LEAST),
    "output_error": (output_error, Relation.AT_MOST),
}
"""The limits of a budget that layers in float help, with their measures."""
METRIC_MEASURES: Mapping[str, tuple[Callable[..., Measurement], Relation]] = {
    "least": (lambda _, it, metric: metric_value(it, metric), Relation.AT_LEAST),
    "most": (lambda _, it, metric: metric_value(it, metric), Relation.AT_MOST),
    "loss": (metric_loss, Relation.AT_MOST),
    "class_loss": (metric_class_loss, Relation.AT_MOST),
    "slice_loss": (metric_slice_loss, Relation.AT_MOST),
}
OF_FILE: Mapping[str, Measure] = {
    "size": lambda _, it: size(it),
    "size_ratio": lambda reference, it: size_ratio(it, reference),
    "compressed_size": lambda _, it: compressed_size(it),
    "arena": lambda _, it: arena(it),
    "macs": lambda _, it: macs(it),
}
"""The exact limits that layers in float may break; all are ceilings."""


def quality_verdicts(
    reference: Artifact, candidate: Artifact, case: Case, tail: float = TAIL
) -> Iterator[Verdict]:
    """Yield a verdict for each limit of quality, on each runtime that the budget names.

    Each one-sided limit misses the true value with chance `tail`. Raises as the measures.
    """
    for runtime in case.budget.judged_runtimes:
        sides = [replace(it, runtime=runtime) for it in (reference, candidate)]
        for measure, relation, limit in _quality_limits(case):
            measurement = with_tail(measure(*sides), tail)
            is_floor = relation is Relation.AT_LEAST
            yield measurement >= limit if is_floor else measurement <= limit


def _quality_limits(case: Case) -> Iterator[tuple[Measure, Relation, Any]]:
    for name, (measure, relation) in QUALITY_MEASURES.items():
        if (limit := case.limit(name)) is not None:
            yield measure, relation, limit
    for metric in case.budget.metrics:
        for name, (of_metric, relation) in METRIC_MEASURES.items():
            if (limit := getattr(metric, name)) is not None:
                yield _bound(of_metric, metric), relation, limit


def _bound(measure: Callable[..., Measurement], metric: Metric) -> Measure:
    return lambda reference, candidate: measure(reference, candidate, metric)


def file_verdicts(
    reference: Artifact, candidate: Artifact, case: Case, project: Path
) -> Iterator[Verdict]:
    """Yield a verdict for each limit of the file: types, bytes, memory, operations, the target."""
    yield tensor_violations(candidate) <= 0
    yield operator_violations(candidate) <= 0
    yield bytes_saved(candidate, reference) >= byte(1)
    for name, measure in OF_FILE.items():
        if (limit := case.limit(name)) is not None:
            yield measure(reference, candidate) <= limit
    if case.target:
        yield target_violations(candidate, load(case.target, project)) <= 0


def excess(verdicts: Sequence[Verdict]) -> float:
    """Return by how much the worst limit is missed; not above 0 if all are proven."""
    return max(map(_excess, verdicts), default=0.0)


def _excess(verdict: Verdict) -> float:
    measurement, limit = verdict.measurement, float(verdict.limit.value)
    is_floor = verdict.relation is Relation.AT_LEAST
    proven = measurement.low if is_floor else measurement.high
    end = float(measurement.value if proven is None else proven)
    distance = limit - end if is_floor else end - limit
    return min(distance, 0.0) if verdict.outcome is Outcome.PASS else max(distance, _SMALL)


def missed(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts that are no pass."""
    return [verdict for verdict in verdicts if verdict.outcome is not Outcome.PASS]
