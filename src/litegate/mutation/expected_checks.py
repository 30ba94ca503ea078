"""List the checks that a complete gate has, by the measurement that each requires."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from litegate.measures.names import COUNTEREXAMPLES, Name, bounded_by, since_anchor_name
from litegate.mutation.faults import Fault, OfMetric, Scene
from litegate.spec import ACCURACY_LIMITS, Regression
from litegate.spec.runtimes import XNNPACK

AppliesTo = Callable[[Scene], bool]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCheck:
    """A check that a gate should have for one measurement."""

    applies_to: AppliesTo
    """Returns True if a scene's model limits the measurement, so that a check must require it."""
    suggestion: str
    """The call of `require` to add, and the file of checks that shows it."""
    limit: str = ""
    """The limit's name, as in "budget.size" or "auc.loss"; empty for a fixed limit."""

    @property
    def calls(self) -> frozenset[str]:
        """The functions that the suggested check calls, and the metric that it is of."""
        owner = self.limit.rpartition(".")[0]
        metric = {owner} - {"", "budget", "regression"}
        return frozenset(re.findall(r"(\w+)\(", self.suggestion)) | metric


def always(_: Scene) -> bool:
    """Apply to every scene."""
    return True


def _has_budget(limit: str) -> AppliesTo:
    return lambda scene: getattr(scene.model.budget_of(scene.recipe), limit, None) is not None


def _has_regression_limit(limit: str) -> AppliesTo:
    """Apply to models that set a regression limit which has no default."""

    def applies_to(scene: Scene) -> bool:
        regression = scene.model.budget_of(scene.recipe).regression
        return regression is not None and getattr(regression, limit) is not None

    return applies_to


def _limits_growth(scene: Scene) -> bool:
    """Apply unless the model declares that growth within its budget is a note."""
    return (scene.model.budget_of(scene.recipe).regression or Regression()).size is not None


def _has_target(scene: Scene) -> bool:
    return scene.model.budget_of(scene.recipe).target is not None


def _has_further_runtime(scene: Scene) -> bool:
    return any(name != XNNPACK for name in scene.model.budget_of(scene.recipe).judged_runtimes)


def _has_anchor(scene: Scene) -> bool:
    return scene.anchored


def _has_shipped_file(scene: Scene) -> bool:
    return scene.recipe.shipped is not None


def _has_labels(scene: Scene) -> bool:
    return scene.model.has_accuracy and scene.candidate.evaluation.y is not None


def _budget(limit: str, measure: str, arguments: str, file: str, relation: str) -> ExpectedCheck:
    """Return the check of a limit in the model's budget."""
    suggestion = (
        f"require({measure}({arguments}) {relation} budget.{limit}), as in checks/{file}.py"
    )
    return ExpectedCheck(
        applies_to=_has_budget(limit), suggestion=suggestion, limit=f"budget.{limit}"
    )


def _regression(measure: str, limit: str, applies_to: AppliesTo = always) -> ExpectedCheck:
    """Return the check of a regression limit, which has a default if the model sets no own one."""
    suggestion = f"require({measure} <= regression.{limit}), as in checks/test_regression.py"
    return ExpectedCheck(applies_to=applies_to, suggestion=suggestion, limit=f"regression.{limit}")


def _drift(
    measure: str, limit: str, owner: str = "regression", applies_to: AppliesTo = always
) -> ExpectedCheck:
    """Return the check of a drift limit, for runs with an anchor."""
    measured = f"since_anchor({measure}(anchor, candidate))"
    suggestion = f"require({measured} <= regression.{limit}), as in checks/test_drift.py"
    return ExpectedCheck(
        applies_to=lambda scene: _has_anchor(scene) and applies_to(scene),
        suggestion=suggestion,
        limit=f"{owner}.{limit}",
    )


def _fixed(expression: str, file: str, applies_to: AppliesTo = always) -> ExpectedCheck:
    """Return a check whose limit is written in the check itself."""
    suggestion = f"require({expression}), as in checks/{file}.py"
    return ExpectedCheck(applies_to=applies_to, suggestion=suggestion)


_PAIR = "reference, candidate"

EXPECTED_CHECKS = {
    Name.ACCURACY: _budget("accuracy", "accuracy", "candidate", "test_accuracy", ">="),
    Name.ACCURACY_DROP: _budget("accuracy_drop", "accuracy_drop", _PAIR, "test_accuracy", "<="),
    Name.EXTRA_ERRORS: _budget("extra_errors", "extra_errors", _PAIR, "test_accuracy", "<="),
    Name.SLICE_DROP: _budget("slice_drop", "slice_drop", _PAIR, "test_accuracy", "<="),
    Name.CLASS_DROP: _budget("class_drop", "class_drop", _PAIR, "test_accuracy", "<="),
    Name.LEAKED_SAMPLES: _budget(
        "leaked_samples", "leaked_samples", "candidate", "test_accuracy", "<="
    ),
    Name.REFERENCE_AGREEMENT: _budget(
        "agreement", "agreement_with_reference", _PAIR, "test_agreement", ">="
    ),
    Name.OUTPUT_ERROR: _budget("output_error", "output_error", _PAIR, "test_agreement", "<="),
    Name.KERAS_AGREEMENT: _budget(
        "keras_agreement", "keras_agreement", "candidate", "test_agreement", ">="
    ),
    Name.KERAS_DIFFERENCE: _budget(
        "keras_difference", "keras_difference", "candidate", "test_agreement", "<="
    ),
    Name.RUNTIME_AGREEMENT: _budget(
        "runtime_agreement", "runtime_agreement", "candidate", "test_runtimes", ">="
    ),
    Name.SIZE: _budget("size", "size", "candidate", "test_size", "<="),
    Name.SIZE_RATIO: _budget("size_ratio", "size_ratio", "candidate, reference", "test_size", "<="),
    Name.COMPRESSED_SIZE: _budget(
        "compressed_size", "compressed_size", "candidate", "test_size", "<="
    ),
    Name.SPARSITY: _budget("sparsity", "sparsity", "candidate", "test_weights", ">="),
    Name.UNIQUE_WEIGHTS: _budget(
        "unique_weights", "unique_weights", "candidate", "test_weights", "<="
    ),
    Name.MACS: _budget("macs", "macs", "candidate", "test_memory", "<="),
    Name.ARENA: _budget("arena", "arena", "candidate", "test_memory", "<="),
    Name.NPU_SHARE: _budget("npu_share", "npu_share", "candidate, vela", "test_npu", ">="),
    Name.RUNTIME_VIOLATIONS: _fixed(
        "runtime_violations(candidate) <= 0", "test_runtimes", _has_further_runtime
    ),
    Name.UNSUPPORTED_OPERATORS: _fixed(
        "target_violations(candidate, target) <= 0", "test_memory", _has_target
    ),
    Name.SIZE_SAVING: _fixed("bytes_saved(candidate, reference) >= byte(1)", "test_size"),
    Name.TENSOR_VIOLATIONS: _fixed("tensor_violations(candidate) <= 0", "test_tensors"),
    Name.OPERATOR_VIOLATIONS: _fixed("operator_violations(candidate) <= 0", "test_tensors"),
    Name.REFERENCE_VIOLATIONS: _fixed("reference_violations(reference) <= 0", "test_tensors"),
    Name.LATENCY: _budget("latency", "latency", "candidate, benchmark", "test_latency", "<="),
    Name.LATENCY_RATIO: _budget(
        "latency_ratio", "latency_ratio", "candidate, reference, limit", "test_latency", "<="
    ),
    Name.REAL_TIME_FACTOR: _budget(
        "real_time_factor", "real_time_factor", "candidate, benchmark", "test_latency", "<="
    ),
    Name.ACCURACY_REGRESSION: _regression(
        "accuracy_loss(base, candidate)", "accuracy", _has_labels
    ),
    Name.SIZE_GROWTH: _regression("size_growth(base, candidate)", "size", _limits_growth),
    Name.LOST_TYPES: _regression("lost_types(base, candidate)", "lost_types"),
    Name.INTERFACE_CHANGES: _fixed(
        "interface_changes(base, candidate, declared=regression.interface) <= 0",
        "test_regression",
    ),
    Name.BASE_AGREEMENT: ExpectedCheck(
        applies_to=_has_regression_limit("agreement"),
        suggestion="require(agreement_with_base(base, candidate) >= regression.agreement), as in "
        "checks/test_regression.py",
        limit="regression.agreement",
    ),
    Name.OPERATOR_CHANGES: ExpectedCheck(
        applies_to=_has_regression_limit("operators"),
        suggestion="require(operator_changes(base, candidate) <= regression.operators), as in "
        "checks/test_regression.py",
        limit="regression.operators",
    ),
    Name.LATENCY_GROWTH: _regression("latency_growth(base, candidate, limit)", "latency"),
    since_anchor_name(Name.ACCURACY_REGRESSION): _drift("accuracy_loss", "accuracy"),
    since_anchor_name(Name.SIZE_GROWTH): _drift("size_growth", "size", applies_to=_limits_growth),
    since_anchor_name(Name.LOST_TYPES): _drift("lost_types", "lost_types"),
    Name.SHIPPED_DIFFERENCES: _fixed(
        "shipped_violations(candidate, shipped, vela) <= 0", "test_shipped", _has_shipped_file
    ),
    Name.WEAKENED_LIMITS: _fixed("count_weakened(weakened_limits) <= 0", "test_weakened_limits"),
}
"""Expected check by measurement. A gate may have checks of other measurements; none is expected."""

OF_NPU: Mapping[str, str] = {
    Name.NPU_CYCLES: "npu_cycles",
    Name.NPU_SRAM: "npu_sram",
    Name.NPU_DRAM: "npu_dram",
    Name.NPU_ON_CHIP_FLASH: "npu_on_chip_flash",
    Name.NPU_OFF_CHIP_FLASH: "npu_off_chip_flash",
}
"""The limit of each measurement of what the NPU needs, which is the function's name, too."""
EXPECTED_CHECKS |= {
    name: _budget(limit, limit, "candidate, vela", "test_npu", "<=")
    for name, limit in OF_NPU.items()
}
EXPECTED_CHECKS |= dict.fromkeys(
    COUNTEREXAMPLES,
    _fixed("property_violations(candidate, prop, keep=keep) <= 0", "test_properties"),
)

_METRIC_LIMITS: Mapping[str, tuple[OfMetric, str]] = {
    "least": (OfMetric.VALUE, "metric_value(candidate, metric) >="),
    "most": (OfMetric.VALUE, "metric_value(candidate, metric) <="),
    "loss": (OfMetric.LOSS, f"metric_loss({_PAIR}, metric) <="),
    "class_loss": (OfMetric.LOSS, f"metric_class_loss({_PAIR}, metric) <="),
    "slice_loss": (OfMetric.LOSS, f"metric_slice_loss({_PAIR}, metric) <="),
    "regression": (OfMetric.REGRESSION, "metric_regression(base, candidate, metric) <="),
}
"""For each limit of a metric, the kind of measurement that it bounds and the start of its check."""


def expected_checks(scene: Scene) -> dict[str, ExpectedCheck]:
    """Return `EXPECTED_CHECKS` and the checks of the metrics of the scene's model."""
    return EXPECTED_CHECKS | {name: check for _, name, check in _metric_checks(scene)}


def limit_value(scene: Scene, limit: str) -> float | None:
    """Return the value of a limit such as "budget.size", in its measurement's unit, or None."""
    budget = scene.model.budget_of(scene.recipe)
    owner, _, name = limit.rpartition(".")
    metrics: dict[str, Mapping[str, Any]] = {
        metric.name: metric.limits() for metric in budget.metrics
    }
    if owner in metrics:
        quantity = metrics[owner].get(name)
    else:
        quantity = getattr(budget if owner == "budget" else budget.regression or Regression(), name)
    return None if quantity is None else float(getattr(quantity, "value", quantity))


def measurements_for(fault: Fault, scene: Scene) -> tuple[str, ...]:
    """Return the names of the measurements that should notice a fault, with the model's metrics."""
    metrics = (name for kind, name, _ in _metric_checks(scene) if kind in fault.metrics)
    slices = (Name.SLICE_DROP,) if OfMetric.SLICE in fault.metrics else ()
    return (*fault.noticed_by, *slices, *metrics)


def unset_metric_limits(fault: Fault, scene: Scene) -> tuple[str, ...]:
    """Return the limits of the model's metrics that would bound a fault, as "auc.regression"."""
    return tuple(
        limit
        for metric in scene.model.budget_of(scene.recipe).metrics
        for limit in metric.unset_limits(compared=True)
        if _METRIC_LIMITS[limit.rpartition(".")[2]][0] in fault.metrics
    )


def may_be_set(check: ExpectedCheck, scene: Scene) -> bool:
    """Return False for a limit of accuracy, if the model has none."""
    return scene.model.has_accuracy or check.limit.removeprefix("budget.") not in ACCURACY_LIMITS


def _metric_checks(scene: Scene) -> Iterator[tuple[OfMetric, str, ExpectedCheck]]:
    """Yield the kind, the measurement's name and the check of each limit of each metric."""
    for metric in scene.model.budget_of(scene.recipe).metrics:
        for limit in metric.limits():
            kind, expression = _METRIC_LIMITS[limit]
            name = bounded_by(metric, limit)
            file = "test_regression" if kind is OfMetric.REGRESSION else "test_metrics"
            suggestion = f"require({expression} metric.{limit}), as in checks/{file}.py"
            full_name = f"{metric.name}.{limit}"
            yield (
                kind,
                name,
                ExpectedCheck(applies_to=always, suggestion=suggestion, limit=full_name),
            )
            if kind is OfMetric.REGRESSION:
                drift = _drift("metric_regression", limit, metric.name)
                yield kind, since_anchor_name(name), drift


SLOW_MEASUREMENTS = frozenset((*COUNTEREXAMPLES, *OF_NPU, Name.NPU_SHARE))
"""Measurements that search for counterexamples, or compile each planted file. Their checks run only
on faults meant for them and on faults that no other check noticed, which halves the time of a proof
of `digits_cnn`."""
OF_RUNTIMES = frozenset(
    {
        *(Name.RUNTIME_VIOLATIONS, Name.RUNTIME_AGREEMENT),
        *(Name.ARENA, Name.UNSUPPORTED_OPERATORS),
    }
)
"""Measurements that checks on a further runtime make, and none on the default one. On a fault that
none of them is meant to notice, checks on one run last: a planted file is run there in a process,
sample by sample."""
