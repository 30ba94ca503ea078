"""Compare two declarations and list what the head weakens: limits, checks, models, settings.

The functions are pure. Both declarations, of the base's checkout and of the head's, are plain JSON
types, as `regression.declaration` and `regression.check_sources` make them:

    models     {name: {renamed_from, data: {digests, preprocessing, domain, classes},
                       budget: {limit: {value: "97/100", unit: "%"} or None},
                       metrics: {name: digest of its definition and source},
                       recipes: {name: {gate, kind, spec, shipped, target,
                                        budget: the merged limits, metrics}}}}
    settings   {name: text}
    checks, shared, statements, conftests, modules, workflows
               {node id without brackets, or path: {lines: [code], imports: [paths]}}

A tighter or new limit, a new model, recipe or check is no weakening. Training is not compared: it
changes the artifact, and the artifact is judged. Two versions of a source cannot be ranked, so any
change of a check, a conftest or a preprocessing counts, except for comments and docstrings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.regression.weakening.models import predecessor, weakened_models
from litegate.regression.weakening.project import (
    weakened_checks,
    weakened_modules,
    weakened_settings,
    weakened_workflows,
)
from litegate.regression.weakening.types import Change, WeakenedLimits, Weakening

__all__ = [
    "Change",
    "WeakenedLimits",
    "Weakening",
    "compare",
    "compare_model",
    "compare_project",
    "count_weakened",
    "predecessor",
    "weakenings",
]

Declaration = Mapping[str, Any]
"""Everything that a checkout declares, in the shape described above."""


def count_weakened(weakened: WeakenedLimits) -> Measurement:
    """Count weakenings; ``count_weakened(...) <= 0`` lists each with its value before and after.

    Raises MeasurementError if nothing was compared.
    """
    measurement = violations(
        Name.WEAKENED_LIMITS,
        weakened.subject,
        tuple(weakening.sentence for weakening in weakened.weakenings),
        n=1 if weakened.new else weakened.compared,
    )
    evidence = ("new in this change",) if weakened.new else ()
    return replace(measurement, evidence=evidence)


def compare_model(base: Declaration, head: Declaration, name: str) -> WeakenedLimits:
    """Return the weakenings of one model of the head.

    Raises KeyError for a name that the head does not declare.
    """
    return _of_model(base, head, name, weakenings(base, head))


def _of_model(
    base: Declaration, head: Declaration, name: str, found: Iterable[Weakening]
) -> WeakenedLimits:
    """Return those of the weakenings found that concern a model."""
    name_in_base = predecessor(base, head, name)
    return WeakenedLimits(
        subject=name,
        weakenings=tuple(w for w in found if w.model == name),
        compared=_item_count(base["models"][name_in_base]) if name_in_base else 0,
        new=name_in_base is None,
    )


def compare_project(base: Declaration, head: Declaration) -> WeakenedLimits:
    """Return the weakenings of no model of the head: checks, settings, modules, lost models.

    A base without models and checks did not use litegate: the first change may bring what it likes.
    """
    return _of_project(base, head, weakenings(base, head))


def _of_project(base: Declaration, head: Declaration, found: Iterable[Weakening]) -> WeakenedLimits:
    """Return those of the weakenings found that concern no model of the head."""
    sections = ("models", "checks", "settings", "conftests")
    is_new = not (base["models"] or base["checks"])
    of_project = (w for w in found if w.model not in head["models"])
    return WeakenedLimits(
        subject="the project",
        weakenings=() if is_new else tuple(of_project),
        compared=sum(len(base[section]) for section in sections),
        new=is_new,
    )


def compare(base: Declaration, head: Declaration) -> dict[str, WeakenedLimits]:
    """Return the weakenings of each model of the head by its name, and of the project by ""."""
    found = weakenings(base, head)  # once: with a hundred models it takes seconds for each
    models = {name: _of_model(base, head, name, found) for name in head["models"]}
    return {"": _of_project(base, head, found)} | models


def weakenings(base: Declaration, head: Declaration) -> tuple[Weakening, ...]:
    """List everything that is weaker in the head than in the base, models first."""
    return (
        *weakened_models(base, head),
        *weakened_checks(base, head),
        *weakened_settings(base["settings"], head["settings"]),
        *weakened_modules(base, head),
        *weakened_workflows(base["workflows"], head["workflows"]),
    )


def _item_count(model: Declaration) -> int:
    """Count the recipes, data entries and limits of a model: what a comparison looks at."""
    limits = model["budget"].values()
    return len(model["recipes"]) + len(model["data"]) + sum(limit is not None for limit in limits)
