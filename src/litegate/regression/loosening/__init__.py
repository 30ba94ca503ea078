"""What a change promises less of than its base: limits, checks, models, data, settings.

Pure functions of two declarations, of the base's checkout and of the head's, in JSON's types
(`declarations.py` makes them):

    models     {name: {renamed_from, data: {digests, preprocessing, domain, classes},
                       budget: {limit: {value: "97/100", unit: "%"} or None},
                       metrics: {name: digest of what it computes},
                       recipes: {name: {gate, kind, spec, shipped, target,
                                        budget: the merged limits, metrics}}}}
    checks     {node id without brackets: digest of its source and of what that imports}
    settings   {name: text}
    conftests  {path: likewise}

A limit that is tightened or added is no loosening, nor is a new model, recipe or check. Training is
not compared: it changes the artifact, which is judged. A source that differs cannot be ranked, so a
check, a conftest or a preprocessing that differs counts, comments and docstrings aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litegate.measures.measurement import Measurement, violations
from litegate.regression.loosening.models import loosened_models, predecessor
from litegate.regression.loosening.project import (
    loosened_checks,
    loosened_conftests,
    loosened_settings,
)
from litegate.regression.loosening.types import Change, Loosening, Loosenings

__all__ = [
    "LOOSENED",
    "Change",
    "Loosening",
    "Loosenings",
    "loosened",
    "loosening",
    "of_model",
    "of_project",
    "predecessor",
]

LOOSENED = "loosened promises"
"""What is counted, as it stands in a report's row."""

Declaration = Mapping[str, Any]
"""What a checkout declares; the shape stands above."""


def loosening(what: Loosenings) -> Measurement:
    """Count what was loosened; ``loosening(...) <= 0`` names each with before and after.

    MeasurementError where nothing was compared.
    """
    counted = violations(
        LOOSENED,
        what.subject,
        tuple(one.sentence for one in what.found),
        n=1 if what.new else what.compared,
    )
    if what.new:
        return replace(counted, evidence=("new in this change",))
    how = "where it is meant, a reviewed waiver excuses it: litegate accept"
    return replace(counted, evidence=(how,)) if what.found else counted


def of_model(base: Declaration, head: Declaration, name: str) -> Loosenings:
    """What one model of the head loosens. KeyError for a name that the head does not declare."""
    known = predecessor(base, head, name)
    return Loosenings(
        subject=name,
        found=tuple(one for one in loosened(base, head) if one.model == name),
        compared=_size(base["models"][known]) if known else 0,
        new=known is None,
    )


def of_project(base: Declaration, head: Declaration) -> Loosenings:
    """What is loosened and no model's: checks, settings, conftests, models that vanished."""
    parts = ("models", "checks", "settings", "conftests")
    return Loosenings(
        subject="the project",
        found=tuple(one for one in loosened(base, head) if one.model not in head["models"]),
        compared=sum(len(base[part]) for part in parts),
        new=not (base["models"] or base["checks"]),
    )


def loosened(base: Declaration, head: Declaration) -> tuple[Loosening, ...]:
    """Everything that the head promises less of than the base, models first."""
    return (
        *loosened_models(base, head),
        *loosened_checks(base["checks"], head["checks"]),
        *loosened_settings(base["settings"], head["settings"]),
        *loosened_conftests(base["conftests"], head["conftests"]),
    )


def _size(model: Declaration) -> int:
    limits = model["budget"].values()
    return len(model["recipes"]) + len(model["data"]) + sum(one is not None for one in limits)
