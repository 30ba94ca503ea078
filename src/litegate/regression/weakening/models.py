"""What a model promises less of: its limits, its recipes, its data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from litegate.core.units import Unit, exactly
from litegate.regression.weakening.types import Change, Weakening, differs

Declaration = Mapping[str, Any]
"""A model, a recipe or a limit as a checkout declares it."""

LEAST = frozenset(
    {
        "accuracy",
        "agreement",
        "keras_agreement",
        "kernel_agreement",
        "sparsity",
        "regression.agreement",
        "metric.least",
    }
)
"""Limits of a budget that are lower bounds."""
MOST = frozenset(
    (
        "accuracy_drop",
        "extra_errors",
        "class_drop",
        "slice_drop",
        "keras_difference",
        "output_error",
        "size",
        "size_ratio",
        "compressed_size",
        "macs",
        "arena",
        "unique_weights",
        "latency",
        "latency_ratio",
        "regression.accuracy",
        "regression.size",
        "regression.latency",
        "regression.lost_types",
        "regression.operators",
        *(f"metric.{name}" for name in ("most", "loss", "class_loss", "slice_loss", "regression")),
    )
)
"""Those that are upper bounds. Of one in neither set, any change counts."""


def predecessor(base: Declaration, head: Declaration, name: str) -> str | None:
    """The name that the base knows a model of the head by; None for a new model."""
    candidates = (name, head["models"][name]["renamed_from"])
    return next((each for each in candidates if each in base["models"]), None)


def weakened_models(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """What the models of the head promise less of than those of the base, and which are gone."""
    known = {name: predecessor(base, head, name) for name in head["models"]}
    for gone in sorted(base["models"].keys() - set(known.values())):
        yield Weakening(
            kind=Change.MODEL_REMOVED,
            field=gone,
            before="gated",
            after="gone",
            remedy=f"if it was renamed, say renamed_from={gone!r} in its @model",
        )
    for name, before in known.items():
        if before is not None:
            found = _model(base["models"][before], head["models"][name])
            yield from (replace(one, model=name) for one in found)


def _model(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    own = [*_limits(base["budget"], head["budget"]), *_metrics(base, head)]
    yield from own
    if (before := base.get("signature", "")) != (after := head.get("signature", "")):
        yield _judged("signature", before, after)
    yield from _data(base["data"], head["data"])
    for name, before in base["recipes"].items():
        for one in _recipe(name, before, head["recipes"].get(name)):
            if one not in own:
                yield replace(one, recipe=name)


def _recipe(name: str, base: Declaration, head: Declaration | None) -> Iterator[Weakening]:
    """A recipe that the base does not gate promises nothing; its limits are the merged ones."""
    if not base["gate"]:
        return
    if head is None:
        yield Weakening(kind=Change.RECIPE_REMOVED, field=name, before="gated", after="gone")
    elif not head["gate"]:
        yield Weakening(kind=Change.NOT_GATED, field=name, before="gated", after="shown beside")
    else:
        yield from _quantization(base, head)
        yield from _limits(base["budget"], head["budget"])
        yield from _metrics(base, head)


def _metrics(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Metrics that compute something else than in the base; one that is gone, its limits tell."""
    after = head.get("metrics", {})
    for name, before in base.get("metrics", {}).items():
        if after.get(name, before) != before:
            yield differs(Change.METRIC, name, before, after[name])


_STRENGTH = {
    "int8_qat": 4,
    "int8_ptq": 4,
    "int16x8": 3,
    "dynamic_range": 2,
    "float16": 1,
    "float32": 0,
}
"""Kinds of recipe by what they promise of their tensors."""


def _quantization(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """What a recipe promises less of: integer types and ports, the file that ships, a target."""
    before, after = base["kind"], head["kind"]
    ranked = before in _STRENGTH and after in _STRENGTH
    if before != after and not (ranked and _STRENGTH[after] >= _STRENGTH[before]):
        yield Weakening(kind=Change.RECIPE_CHANGED, field="kind", before=before, after=after)
    for port in ("input_type", "output_type"):
        before, after = base["spec"][port], head["spec"][port]
        if before != after and after == "float32":
            yield Weakening(kind=Change.RECIPE_CHANGED, field=port, before=before, after=after)
    before, after = ({*each["spec"].get("float_layers", ())} for each in (base, head))
    if after - before:
        yield Weakening(
            kind=Change.RECIPE_CHANGED,
            field="float_layers",
            before=", ".join(sorted(before)) or "none",
            after=", ".join(sorted(after)),
        )
    for promise in ("shipped", "target"):
        before, after = base.get(promise), head.get(promise)
        if before not in (None, after):
            shown = str(after or "nothing")
            yield Weakening(kind=Change.RECIPE_CHANGED, field=promise, before=before, after=shown)


def _limits(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    for field, before in base.items():
        after = head.get(field)
        if before is not None and _weaker(field, before, after):
            yield Weakening(
                kind=Change.BUDGET, field=field, before=_shown(before), after=_shown(after)
            )


def _weaker(field: str, before: Declaration, after: Declaration | None) -> bool:
    if after is None or before["unit"] != after["unit"]:
        return True
    old, new = Fraction(before["value"]), Fraction(after["value"])
    if general(field) in LEAST:
        return new < old
    return new > old if general(field) in MOST else new != old


def general(field: str) -> str:
    """A limit as `LEAST` and `MOST` have it: "metric.least" for "metric.auc.least"."""
    of_a_metric = field.startswith("metric.")
    return f"metric.{field.rpartition('.')[2]}" if of_a_metric else field


def _shown(limit: Declaration | None) -> str:
    return "no limit" if limit is None else exactly(Fraction(limit["value"]), Unit(limit["unit"]))


def _data(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """The evaluation split and how it is fed; the training split is the training's affair."""
    for array, before in base["digests"].items():
        after = head["digests"].get(array)
        if before != after and not array.partition(".")[0].endswith("_train"):
            yield differs(Change.EVALUATION, array, before, after)
    if base["preprocessing"] != head["preprocessing"]:
        yield differs(Change.PREPROCESSING, "source", base["preprocessing"], head["preprocessing"])
    yield from _domains(base["domain"], head["domain"])
    if (before := base.get("output", "")) != (after := head.get("output", "")):
        yield _judged("output", before, after)
    if base["classes"] != head["classes"]:
        before, after = _listed(base["classes"]), _listed(head["classes"])
        yield Weakening(kind=Change.CLASSES, field="names", before=before, after=after)


def _judged(field: str, before: str, after: str) -> Weakening:
    """Another output or signature is judged than was."""
    words = {"before": before or "the first", "after": after or "the first"}
    return Weakening(kind=Change.EVALUATION, field=field, **words)


def _domains(base: Any, head: Any) -> Iterator[Weakening]:
    """Inputs whose domain is narrower than it was, or gone."""
    old, new = _by_input(base, head), _by_input(head, base)
    for name, (low, high) in old.items():
        after = new.get(name)
        if after is None or not (after[0] <= low and after[1] >= high):
            yield Weakening(
                kind=Change.DOMAIN,
                field=f"of {name}" if name else "of inputs",
                before=f"{low} to {high}",
                after=f"{after[0]} to {after[1]}" if after else "gone",
            )


def _by_input(domain: Any, other: Any) -> Mapping[str, Any]:
    """A domain of each input; one for all holds of each that the other side names."""
    if isinstance(domain, Mapping):
        return domain
    return dict.fromkeys(other if isinstance(other, Mapping) else [""], domain)


def _listed(names: list[str]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    return f"{len(names)} ({digest[:16]})"
