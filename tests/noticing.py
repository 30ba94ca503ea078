"""Which measurements notice a planted fault, at limits like those of a repository's models."""

from litegate import byte, per_thousand, percent, points, quanta
from litegate.errors import LitegateError
from litegate.measurement import Outcome
from litegate.measures import accuracy as acc
from litegate.measures import against_base as base
from litegate.measures import agreement as agree
from litegate.measures import tensors
from litegate.measures.properties import PROPERTIES, property_violations
from litegate.measures.size import bytes_saved

CHECKS = {
    "accuracy": lambda s: acc.accuracy(s.candidate) >= percent(90),
    "accuracy drop": lambda s: acc.accuracy_drop(s.reference, s.candidate) <= points(2),
    "number of extra errors": lambda s: (
        acc.extra_errors(s.reference, s.candidate) <= per_thousand(20)
    ),
    "worst class's accuracy drop": lambda s: acc.class_drop(s.reference, s.candidate) <= points(5),
    "agreement with Keras": lambda s: agree.keras_agreement(s.candidate) >= percent(99),
    "largest difference from Keras": lambda s: agree.keras_difference(s.candidate) <= quanta(8),
    "agreement of kernels": lambda s: agree.kernel_agreement(s.candidate) >= percent(99),
    "accuracy lost against the base": lambda s: (
        base.accuracy_loss(s.base, s.candidate) <= points(0.5)
    ),
    "size saving": lambda s: bytes_saved(s.candidate, s.reference) >= byte(1),
    "broken tensor promises": lambda s: tensors.tensor_violations(s.candidate) <= 0,
    "broken operator promises": lambda s: tensors.operator_violations(s.candidate) <= 0,
    "broken float promises": lambda s: tensors.reference_violations(s.reference) <= 0,
    "integer types lost against the base": lambda s: base.lost_types(s.base, s.candidate) <= 0,
    "operator changes against the base": lambda s: base.operator_changes(s.base, s.candidate) <= 0,
}
CHECKS |= {
    prop.title: lambda s, prop=prop: property_violations(s.candidate, prop, examples=20) <= 0
    for prop in PROPERTIES
}


def notices(name, scene):
    """Whether the measurement of that name fails on a scene, or raises one of litegate's errors."""
    try:
        return CHECKS[name](scene).outcome is Outcome.FAIL
    except LitegateError:
        return True
