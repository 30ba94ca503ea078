"""Which measurement guards which promise of a model, and the check that would require it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from litegate.measures.metrics.names import bounded_by
from litegate.measures.regression import named_since_anchor
from litegate.measures.shipped import NAME as WRONG_SHIPPED
from litegate.measures.structure.target import NAME as OUTSIDE
from litegate.mutation.faults import Fault, OfMetric, Scene
from litegate.regression.loosening import LOOSENED
from litegate.spec import Regression

Made = Callable[[Scene], bool]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A measurement that a gate should require."""

    made: Made
    """Whether the model makes it."""
    check: str
    """The check that requires it."""
    limit: str = ""
    """Its limit, as in "budget.size" or "auc.loss"; empty where it is no budget's."""


def always(_: Scene) -> bool:
    """A promise that every candidate makes."""
    return True


def _budget(limit: str) -> Made:
    return lambda scene: getattr(scene.model.budget_of(scene.recipe), limit, None) is not None


def _compared(limit: str) -> Made:
    """For a limit against the base that has no default."""

    def made(scene: Scene) -> bool:
        regression = scene.model.budget_of(scene.recipe).regression
        return regression is not None and getattr(regression, limit) is not None

    return made


def _has_target(scene: Scene) -> bool:
    return scene.model.budget_of(scene.recipe).target is not None


def _anchored(scene: Scene) -> bool:
    return scene.anchored


def _ships(scene: Scene) -> bool:
    return scene.recipe.shipped is not None


def _limited(limit: str, measure: str, arguments: str, file: str, relation: str) -> Promise:
    check = f"require({measure}({arguments}) {relation} budget.{limit}), as in checks/{file}.py"
    return Promise(made=_budget(limit), check=check, limit=f"budget.{limit}")


def _has_labels(scene: Scene) -> bool:
    return scene.model.chooses and scene.candidate.evaluation.y is not None


def _regression(measure: str, limit: str, made: Made = always) -> Promise:
    """One that holds without a limit of the model's own: the defaults apply."""
    check = f"require({measure} <= regression.{limit}), as in checks/test_regression.py"
    return Promise(made=made, check=check, limit=f"regression.{limit}")


def _drift(measure: str, limit: str, of: str = "regression") -> Promise:
    """One that a run makes which is held against an anchor."""
    measured = f"since_anchor({measure}(anchor, candidate))"
    check = f"require({measured} <= regression.{limit}), as in checks/test_drift.py"
    return Promise(made=_anchored, check=check, limit=f"{of}.{limit}")


def _whole(expression: str, file: str, made: Made = always) -> Promise:
    return Promise(made=made, check=f"require({expression}), as in checks/{file}.py")


_PAIR = "reference, candidate"

PROMISES = {
    "accuracy": _limited("accuracy", "accuracy", "candidate", "test_accuracy", ">="),
    "accuracy drop": _limited("accuracy_drop", "accuracy_drop", _PAIR, "test_accuracy", "<="),
    "number of extra errors": _limited(
        "extra_errors", "extra_errors", _PAIR, "test_accuracy", "<="
    ),
    OfMetric.SLICE.value: _limited("slice_drop", "slice_drop", _PAIR, "test_accuracy", "<="),
    "worst class's accuracy drop": _limited(
        "class_drop", "class_drop", _PAIR, "test_accuracy", "<="
    ),
    "agreement with the reference": _limited(
        "agreement", "agreement_with_reference", _PAIR, "test_agreement", ">="
    ),
    "output error": _limited("output_error", "output_error", _PAIR, "test_agreement", "<="),
    "agreement with Keras": _limited(
        "keras_agreement", "keras_agreement", "candidate", "test_agreement", ">="
    ),
    "largest difference from Keras": _limited(
        "keras_difference", "keras_difference", "candidate", "test_agreement", "<="
    ),
    "agreement of kernels": _limited(
        "kernel_agreement", "kernel_agreement", "candidate", "test_agreement", ">="
    ),
    "size": _limited("size", "size", "candidate", "test_size", "<="),
    "size ratio": _limited("size_ratio", "size_ratio", "candidate, reference", "test_size", "<="),
    "compressed size": _limited(
        "compressed_size", "compressed_size", "candidate", "test_size", "<="
    ),
    "sparsity": _limited("sparsity", "sparsity", "candidate", "test_weights", ">="),
    "number of unique weights": _limited(
        "unique_weights", "unique_weights", "candidate", "test_weights", "<="
    ),
    "number of multiply-accumulates": _limited("macs", "macs", "candidate", "test_memory", "<="),
    "arena": _limited("arena", "arena", "candidate", "test_memory", "<="),
    OUTSIDE: _whole("target_violations(candidate, target) <= 0", "test_memory", _has_target),
    "size saving": _whole("bytes_saved(candidate, reference) >= byte(1)", "test_size"),
    "broken tensor promises": _whole("tensor_violations(candidate) <= 0", "test_tensors"),
    "broken operator promises": _whole("operator_violations(candidate) <= 0", "test_tensors"),
    "broken float promises": _whole("reference_violations(reference) <= 0", "test_tensors"),
    "latency": _limited("latency", "latency", "candidate, benchmark", "test_latency", "<="),
    "latency ratio": _limited(
        "latency_ratio", "latency_ratio", "candidate, reference, limit", "test_latency", "<="
    ),
    "accuracy lost against the base": _regression(
        "accuracy_loss(base, candidate)", "accuracy", _has_labels
    ),
    "size growth": _regression("size_growth(base, candidate)", "size"),
    "integer types lost against the base": _regression("lost_types(base, candidate)", "lost_types"),
    "agreement with the base": Promise(
        made=_compared("agreement"),
        check="require(agreement_with_base(base, candidate) >= regression.agreement), as in "
        "checks/test_regression.py",
        limit="regression.agreement",
    ),
    "operator changes against the base": Promise(
        made=_compared("operators"),
        check="require(operator_changes(base, candidate) <= regression.operators), as in "
        "checks/test_regression.py",
        limit="regression.operators",
    ),
    "latency growth": _regression("latency_growth(base, candidate, limit)", "latency"),
    "accuracy lost since the anchor": _drift("accuracy_loss", "accuracy"),
    "size growth since the anchor": _drift("size_growth", "size"),
    "integer types lost since the anchor": _drift("lost_types", "lost_types"),
    WRONG_SHIPPED: _whole("shipped_violations(candidate, shipped) <= 0", "test_shipped", _ships),
    LOOSENED: _whole("loosening(loosenings) <= 0", "test_loosening"),
}
"""Measurement to promise. One that is not here is promised where a check requires it."""

_SEARCHED = tuple(
    f"number of counterexamples to {what}"
    for what in (
        "finite outputs",
        "outputs in their range",
        "repeatable outputs",
        "outputs that a batch leaves alone",
    )
)
PROMISES |= dict.fromkeys(
    _SEARCHED,
    _whole("property_violations(candidate, prop, keep=keep) <= 0", "test_properties"),
)

_OF_METRICS: Mapping[str, tuple[OfMetric, str]] = {
    "least": (OfMetric.VALUE, "metric_value(candidate, metric) >="),
    "most": (OfMetric.VALUE, "metric_value(candidate, metric) <="),
    "loss": (OfMetric.LOSS, f"metric_loss({_PAIR}, metric) <="),
    "class_loss": (OfMetric.LOSS, f"metric_class_loss({_PAIR}, metric) <="),
    "slice_loss": (OfMetric.LOSS, f"metric_slice_loss({_PAIR}, metric) <="),
    "regression": (OfMetric.REGRESSION, "metric_regression(base, candidate, metric) <="),
}
"""By limit: which of a metric's measurements it bounds, and what requires it."""


def promises(scene: Scene) -> dict[str, Promise]:
    """`PROMISES`, and those of the metrics of a scene's model."""
    return PROMISES | {name: promise for _, name, promise in _of_metrics(scene)}


def bound(scene: Scene, limit: str) -> float | None:
    """What a promise's limit is set to, in the unit of its measurement; None where it is not."""
    budget = scene.model.budget_of(scene.recipe)
    whose, _, name = limit.rpartition(".")
    metrics: dict[str, Mapping[str, Any]] = {one.name: one.limits() for one in budget.metrics}
    if whose in metrics:
        found = metrics[whose].get(name)
    else:
        found = getattr(budget if whose == "budget" else budget.regression or Regression(), name)
    return None if found is None else float(getattr(found, "value", found))


def meant(fault: Fault, scene: Scene) -> tuple[str, ...]:
    """The measurements that are meant to notice a fault, those of the model's metrics included."""
    mine = (name for kind, name, _ in _of_metrics(scene) if kind in fault.metrics)
    slices = (OfMetric.SLICE.value,) if OfMetric.SLICE in fault.metrics else ()
    return (*fault.noticed_by, *slices, *mine)


def _of_metrics(scene: Scene) -> Iterator[tuple[OfMetric, str, Promise]]:
    """Each limit of each metric: what it bounds, its measurement's name, its promise."""
    for metric in scene.model.budget_of(scene.recipe).metrics:
        for limit in metric.limits():
            kind, measured = _OF_METRICS[limit]
            name = bounded_by(metric, limit)
            file = "test_regression" if kind is OfMetric.REGRESSION else "test_metrics"
            check = f"require({measured} metric.{limit}), as in checks/{file}.py"
            written = f"{metric.name}.{limit}"
            yield kind, name, Promise(made=always, check=check, limit=written)
            if kind is OfMetric.REGRESSION:
                drift = _drift("metric_regression", limit, metric.name)
                yield kind, named_since_anchor(name), drift


COSTLY = frozenset(_SEARCHED)
"""Measurements that take long: they look only at faults meant for them, or that nobody noticed."""
