"""Which measurements notice a planted fault, at limits like those of a repository's models."""

from dataclasses import replace
from pathlib import Path

from litegate import byte, per_thousand, percent, points, quanta
from litegate.core.errors import LitegateError
from litegate.measures import accuracy as acc
from litegate.measures import regression as base
from litegate.measures.accuracy import agreement as agree
from litegate.measures.accuracy.leaks import leaked_samples
from litegate.measures.accuracy.output_error import output_error
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.measurement import Outcome
from litegate.measures.properties import PROPERTIES, property_violations
from litegate.measures.runtimes import runtime_violations
from litegate.measures.structure import tensors, weights
from litegate.measures.structure.arena import arena
from litegate.measures.structure.macs import macs
from litegate.measures.structure.size import bytes_saved, compressed_size, size, size_ratio
from litegate.measures.structure.target import target_violations
from litegate.spec.targets import load

CHECKS = {
    "accuracy": lambda s: acc.accuracy(s.candidate) >= percent(90),
    "accuracy drop": lambda s: acc.accuracy_drop(s.reference, s.candidate) <= points(2),
    "extra errors": lambda s: acc.extra_errors(s.reference, s.candidate) <= per_thousand(20),
    "worst class's accuracy drop": lambda s: acc.class_drop(s.reference, s.candidate) <= points(5),
    "agreement with Keras": lambda s: agree.keras_agreement(s.candidate) >= percent(99),
    "max difference from Keras": lambda s: agree.keras_difference(s.candidate) <= quanta(8),
    "runtime agreement": lambda s: (
        runtime_agreement(replace(s.candidate, runtime="reference")) >= percent(99)
    ),
    "agreement with the reference": lambda s: (
        agree.agreement_with_reference(s.reference, s.candidate) >= percent(95)
    ),
    "agreement with the base": lambda s: (
        base.agreement_with_base(s.base, s.candidate) >= percent(98)
    ),
    "output error": lambda s: output_error(s.reference, s.candidate) <= percent(20),
    "accuracy regression": lambda s: base.accuracy_loss(s.base, s.candidate) <= points(0.5),
    "leaked samples": lambda s: leaked_samples(s.candidate) <= 0,
    "size": lambda s: size(s.candidate) <= byte(6_000),
    "size ratio": lambda s: size_ratio(s.candidate, s.reference) <= 0.7,
    "compressed size": lambda s: compressed_size(s.candidate) <= byte(5_000),
    "size growth": lambda s: base.size_growth(s.base, s.candidate) <= percent(1),
    "multiply-accumulates": lambda s: macs(s.candidate) <= 40_000,
    "sparsity": lambda s: weights.sparsity(s.candidate) >= percent(30),
    "unique weights": lambda s: weights.unique_weights(s.candidate) <= 3,
    "arena": lambda s: arena(s.candidate) <= byte(4_000),
    "size saving": lambda s: bytes_saved(s.candidate, s.reference) >= byte(1),
    "tensor type violations": lambda s: tensors.tensor_violations(s.candidate) <= 0,
    "operator violations": lambda s: tensors.operator_violations(s.candidate) <= 0,
    "reference (float) violations": lambda s: tensors.reference_violations(s.reference) <= 0,
    "tensors and operators no longer integer": lambda s: base.lost_types(s.base, s.candidate) <= 0,
    "operator changes against the base": lambda s: base.operator_changes(s.base, s.candidate) <= 0,
    "interface changes against the base": lambda s: (
        base.interface_changes(s.base, s.candidate) <= 0
    ),
    "runtime violations": lambda s: (
        runtime_violations(replace(s.candidate, runtime="reference")) <= 0
    ),
    "operators unsupported by the target": lambda s: (
        target_violations(s.candidate, _target(s)) <= 0
    ),
}
CHECKS |= {
    prop.title: lambda s, prop=prop: property_violations(s.candidate, prop, examples=20) <= 0
    for prop in PROPERTIES
}


def _target(scene):
    return load(scene.model.budget_of(scene.recipe).target or "tflm", Path())


def notices(name, scene):
    """Whether the measurement of that name fails on a scene, or raises one of litegate's errors."""
    try:
        return CHECKS[name](scene).outcome is Outcome.FAIL
    except LitegateError:
        return True


READ = frozenset(
    {
        "size",
        "size ratio",
        "size saving",
        "size growth",
        "compressed size",
        "sparsity",
        "unique weights",
        "multiply-accumulates",
        "arena",
        "tensor type violations",
        "operator violations",
        "reference (float) violations",
        "tensors and operators no longer integer",
        "operator changes against the base",
        "interface changes against the base",
        "operators unsupported by the target",
    }
)
"""Measurements that read a file and run nothing."""
