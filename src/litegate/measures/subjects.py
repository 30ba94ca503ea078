"""Find measurements that are of other artifacts than the case of their check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from litegate.measures.measurement import Measurement
from litegate.measures.names import Name, bounded_by, without_runtime
from litegate.spec.metric import Metric

_OF_REFERENCE = frozenset({Name.REFERENCE_VIOLATIONS})
_OF_PAIR = frozenset(
    {
        *(Name.ACCURACY_DROP, Name.EXTRA_ERRORS, Name.CLASS_DROP, Name.SLICE_DROP),
        *(Name.REFERENCE_AGREEMENT, Name.OUTPUT_ERROR),
        *(Name.SIZE_RATIO, Name.SIZE_SAVING, Name.LATENCY_RATIO),
    }
)
"""Measurements of the candidate against its fair reference."""
_METRIC_PAIRS = ("loss", "class_loss", "slice_loss")
"""Limits of a metric that bound the same comparison."""


def wrong_subject(
    measurement: Measurement, digests: Mapping[str, str], metrics: Iterable[Metric]
) -> str:
    """Say of which artifacts a measurement is, if they are not the case's; empty if they are.

    `digests` are the SHA-256 of the case's artifacts by role: "candidate", "reference", "base",
    "anchor", "baseline". A comparison with the reference must be of that pair; any other
    measurement must be of the candidate, alone or beside the base, anchor or reference.
    """
    expected = _expected_roles(without_runtime(measurement.name), metrics)
    allowed = expected or ("candidate", "reference", "base", "anchor")
    required = expected or ("candidate",)
    measured = set(measurement.artifacts)
    is_right = measured <= {digests[role] for role in allowed if role in digests} and all(
        digests[role] in measured for role in required if role in digests
    )
    if not measured or is_right:
        return ""
    return (
        f"the {measurement.name} is of {_roles(measurement.artifacts, digests)}, not of"
        f" the {' and the '.join(required)}"
    )


def _expected_roles(name: str, metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Return the roles that a measurement must be of; empty if it is not known."""
    if name in _OF_REFERENCE:
        return ("reference",)
    of_metrics = {
        bounded_by(metric, limit)
        for metric in metrics
        for limit in metric.limits()
        if limit in _METRIC_PAIRS
    }
    return ("reference", "candidate") if name in _OF_PAIR | of_metrics else ()


def _roles(artifacts: Iterable[str], digests: Mapping[str, str]) -> str:
    roles = {digest: f"the {role}" for role, digest in reversed(list(digests.items()))}
    return " and ".join(roles.get(digest, "another artifact") for digest in artifacts)
