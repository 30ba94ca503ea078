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

A limit that is tightened or added is no weakening, nor is a new model, recipe or check. Training is
not compared: it changes the artifact, which is judged. A source that differs cannot be ranked, so a
check, a conftest or a preprocessing that differs counts, comments and docstrings aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litegate.measures.measurement import Measurement, violations
from litegate.regression.weakening.models import predecessor, weakened_models
from litegate.regression.weakening.project import (
    weakened_checks,
    weakened_conftests,
    weakened_settings,
)
from litegate.regression.weakening.types import Change, WeakenedLimits, Weakening

__all__ = [
    "WEAKENED",
    "Change",
    "WeakenedLimits",
    "Weakening",
    "compare_model",
    "compare_project",
    "count_weakened",
    "predecessor",
    "weakenings",
]

WEAKENED = "loosened promises"
"""What is counted, as it stands in a report's row."""

Declaration = Mapping[str, Any]
"""What a checkout declares; the shape stands above."""


def count_weakened(what: WeakenedLimits) -> Measurement:
    """Count what was loosened; ``count_weakened(...) <= 0`` names each with before and after.

    MeasurementError where nothing was compared.
    """
    counted = violations(
        WEAKENED,
        what.subject,
        tuple(one.sentence for one in what.weakenings),
        n=1 if what.new else what.compared,
    )
    if what.new:
        return replace(counted, evidence=("new in this change",))
    how = "where it is meant, a reviewed waiver excuses it: litegate accept"
    return replace(counted, evidence=(how,)) if what.weakenings else counted


def compare_model(base: Declaration, head: Declaration, name: str) -> WeakenedLimits:
    """What one model of the head loosens. KeyError for a name that the head does not declare."""
    known = predecessor(base, head, name)
    return WeakenedLimits(
        subject=name,
        weakenings=tuple(one for one in weakenings(base, head) if one.model == name),
        compared=_size(base["models"][known]) if known else 0,
        new=known is None,
    )


def compare_project(base: Declaration, head: Declaration) -> WeakenedLimits:
    """What is loosened and no model's: checks, settings, conftests, models that vanished."""
    parts = ("models", "checks", "settings", "conftests")
    return WeakenedLimits(
        subject="the project",
        weakenings=tuple(one for one in weakenings(base, head) if one.model not in head["models"]),
        compared=sum(len(base[part]) for part in parts),
        new=not (base["models"] or base["checks"]),
    )


def weakenings(base: Declaration, head: Declaration) -> tuple[Weakening, ...]:
    """Everything that the head promises less of than the base, models first."""
    return (
        *weakened_models(base, head),
        *weakened_checks(base["checks"], head["checks"]),
        *weakened_settings(base["settings"], head["settings"]),
        *weakened_conftests(base["conftests"], head["conftests"]),
    )


def _size(model: Declaration) -> int:
    limits = model["budget"].values()
    return len(model["recipes"]) + len(model["data"]) + sum(one is not None for one in limits)
