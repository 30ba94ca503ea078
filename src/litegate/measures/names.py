"""Define the name of every measurement, for verdicts, reports, proofs and waivers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, final

from litegate.spec.metric import Better, Metric
from litegate.spec.runtimes import REFERENCE


@final
class Name:
    """The names of litegate's own measurements, apart from those of a model's metrics.

    They are plain strings: pytest-xdist cannot send the members of an enum to another process.
    """

    ACCURACY: Final = "accuracy"
    ACCURACY_DROP: Final = "accuracy drop"
    EXTRA_ERRORS: Final = "extra errors"
    CLASS_DROP: Final = "worst class's accuracy drop"
    SLICE_DROP: Final = "worst slice's accuracy drop"
    LEAKED_SAMPLES: Final = "leaked samples"
    REFERENCE_AGREEMENT: Final = "agreement with the reference"
    OUTPUT_ERROR: Final = "output error"
    KERAS_AGREEMENT: Final = "agreement with Keras"
    KERAS_DIFFERENCE: Final = "max difference from Keras"
    RUNTIME_AGREEMENT: Final = "runtime agreement"

    FINITE_OUTPUTS: Final = "finite outputs: counterexamples"
    OUTPUT_RANGE: Final = "output range: counterexamples"
    DETERMINISM: Final = "determinism: counterexamples"
    BATCH_INVARIANCE: Final = "batch invariance: counterexamples"

    TENSOR_VIOLATIONS: Final = "tensor type violations"
    OPERATOR_VIOLATIONS: Final = "operator violations"
    REFERENCE_VIOLATIONS: Final = "reference (float) violations"
    RUNTIME_VIOLATIONS: Final = "runtime violations"
    UNSUPPORTED_OPERATORS: Final = "operators unsupported by the target"

    SIZE: Final = "size"
    SIZE_RATIO: Final = "size ratio"
    SIZE_SAVING: Final = "size saving"
    COMPRESSED_SIZE: Final = "compressed size"
    SPARSITY: Final = "sparsity"
    UNIQUE_WEIGHTS: Final = "unique weights"
    MACS: Final = "multiply-accumulates"
    ARENA: Final = "arena"
    NPU_CYCLES: Final = "NPU cycles"
    NPU_SHARE: Final = "NPU share"
    NPU_SRAM: Final = "NPU SRAM"
    NPU_DRAM: Final = "NPU DRAM"
    NPU_ON_CHIP_FLASH: Final = "NPU on-chip flash"
    NPU_OFF_CHIP_FLASH: Final = "NPU off-chip flash"

    LATENCY: Final = "latency"
    LATENCY_RATIO: Final = "latency ratio"
    REAL_TIME_FACTOR: Final = "real-time factor"

    ACCURACY_REGRESSION: Final = "accuracy regression"
    SIZE_GROWTH: Final = "size growth"
    LATENCY_GROWTH: Final = "latency growth"
    BASE_AGREEMENT: Final = "agreement with the base"
    LOST_TYPES: Final = "tensors and operators no longer integer"
    OPERATOR_CHANGES: Final = "operator changes against the base"
    INTERFACE_CHANGES: Final = "interface changes against the base"

    SHIPPED_DIFFERENCES: Final = "shipped file differences"
    WEAKENED_LIMITS: Final = "weakened limits"


ALL_NAMES: tuple[str, ...] = tuple(
    text for constant, text in vars(Name).items() if constant.isupper()
)

COUNTEREXAMPLES = (
    Name.FINITE_OUTPUTS,
    Name.OUTPUT_RANGE,
    Name.DETERMINISM,
    Name.BATCH_INVARIANCE,
)
"""Measurements that search for inputs which break a property."""

RULES = frozenset(
    {
        *COUNTEREXAMPLES,
        *(Name.TENSOR_VIOLATIONS, Name.OPERATOR_VIOLATIONS, Name.REFERENCE_VIOLATIONS),
        *(Name.SIZE_SAVING, Name.SHIPPED_DIFFERENCES, Name.WEAKENED_LIMITS),
        Name.RUNTIME_VIOLATIONS,
    }
)
"""Measurements that checks compare with a fixed number, whatever limits a project sets."""

_PLURAL = frozenset(
    {
        *COUNTEREXAMPLES,
        Name.EXTRA_ERRORS,
        Name.LEAKED_SAMPLES,
        Name.TENSOR_VIOLATIONS,
        Name.OPERATOR_VIOLATIONS,
        Name.REFERENCE_VIOLATIONS,
        Name.RUNTIME_VIOLATIONS,
        Name.UNSUPPORTED_OPERATORS,
        Name.UNIQUE_WEIGHTS,
        Name.MACS,
        Name.NPU_CYCLES,
        Name.LOST_TYPES,
        Name.OPERATOR_CHANGES,
        Name.INTERFACE_CHANGES,
        Name.SHIPPED_DIFFERENCES,
        Name.WEAKENED_LIMITS,
    }
)
_ON = " on "
"""Before a runtime's name, which a project may choose; in no other part of a measurement's name."""
_BASE, _ANCHOR = " against the base", " since the anchor"


def is_plural(name: str) -> bool:
    """Return True if a sentence about the measurement needs "are"."""
    name = without_runtime(name)
    return name in _PLURAL or name in {since_anchor_name(plural) for plural in _PLURAL}


def on_runtime_name(name: str, runtime: str) -> str:
    """Return the name of the same measurement on another runtime: "accuracy on tflm"."""
    return f"{name}{_ON}{runtime}"


def without_runtime(name: str) -> str:
    """Return the name of a measurement without the runtime that it was made on."""
    return name.partition(_ON)[0]


def since_anchor_name(name: str) -> str:
    """Return the name of the same comparison with the anchor: "size growth since the anchor"."""
    return f"{name.removesuffix(_BASE)}{_ANCHOR}"


def worst_name(noun: str, loss: str) -> str:
    """Return the name of the largest loss of a class or slice: "worst slice's auc drop"."""
    return f"worst {noun}'s {loss}"


def loss_name(metric: Metric) -> str:
    """Return the name of a metric's loss: "auc drop", "mse rise"."""
    return f"{metric.name} {'drop' if metric.better is Better.HIGHER else 'rise'}"


def regression_name(metric: Metric) -> str:
    """Return the name of a metric's loss against the base: "auc regression"."""
    return f"{metric.name} regression"


def bounded_by(metric: Metric, limit: str) -> str:
    """Return the name of the measurement that one of a metric's limits bounds."""
    return {
        "least": metric.name,
        "most": metric.name,
        "loss": loss_name(metric),
        "class_loss": worst_name("class", loss_name(metric)),
        "slice_loss": worst_name("slice", loss_name(metric)),
        "regression": regression_name(metric),
    }[limit]


OLD_NAMES: Mapping[str, str] = {
    "number of extra errors": Name.EXTRA_ERRORS,
    "largest difference from Keras": Name.KERAS_DIFFERENCE,
    "agreement of kernels": on_runtime_name(Name.RUNTIME_AGREEMENT, REFERENCE),
    "kernel agreement": on_runtime_name(Name.RUNTIME_AGREEMENT, REFERENCE),
    "number of counterexamples to finite outputs": Name.FINITE_OUTPUTS,
    "number of counterexamples to outputs in their range": Name.OUTPUT_RANGE,
    "number of counterexamples to repeatable outputs": Name.DETERMINISM,
    "number of counterexamples to outputs that a batch leaves alone": Name.BATCH_INVARIANCE,
    "broken tensor promises": Name.TENSOR_VIOLATIONS,
    "broken operator promises": Name.OPERATOR_VIOLATIONS,
    "broken float promises": Name.REFERENCE_VIOLATIONS,
    "operators outside the target": Name.UNSUPPORTED_OPERATORS,
    "number of unique weights": Name.UNIQUE_WEIGHTS,
    "number of multiply-accumulates": Name.MACS,
    "accuracy lost against the base": Name.ACCURACY_REGRESSION,
    "accuracy lost since the anchor": since_anchor_name(Name.ACCURACY_REGRESSION),
    "integer types lost against the base": Name.LOST_TYPES,
    "integer types lost since the anchor": since_anchor_name(Name.LOST_TYPES),
    "wrong shipped files": Name.SHIPPED_DIFFERENCES,
    "loosened promises": Name.WEAKENED_LIMITS,
}
"""Names that earlier versions gave, with today's: waivers written then may still use them."""

_OLD_REGRESSION = re.compile(rf"([A-Za-z]\w*) (?:drop|rise)({_BASE}|{_ANCHOR})", re.ASCII)
"""An earlier version's name of a metric's regression, as in "f1 drop against the base"."""


def renamed(name: str) -> str:
    """Return today's name of a measurement that had another name; empty for all other names."""
    if match := _OLD_REGRESSION.fullmatch(name):
        return f"{match[1]} regression{match[2].removeprefix(_BASE)}"
    return OLD_NAMES.get(name, "")
