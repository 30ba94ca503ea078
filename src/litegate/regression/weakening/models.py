"""Find the limits, recipes and evaluation data that a change of a model weakens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from litegate.core.units import Unit, exactly
from litegate.regression.weakening.types import DIGEST_DIGITS, Change, Weakening, digest_change
from litegate.spec.budget import NPU_LIMITS
from litegate.spec.runtimes import XNNPACK

Declaration = Mapping[str, Any]
"""A model, a recipe or a limit, as a checkout declares it."""

LEAST = frozenset(
    {
        "accuracy",
        "agreement",
        "keras_agreement",
        "runtime_agreement",
        "npu_share",
        "sparsity",
        "regression.agreement",
        "metric.least",
    }
)
"""Limits of a budget that are lower bounds: a lower value is weaker."""
MOST = frozenset(
    (
        "accuracy_drop",
        "extra_errors",
        "class_drop",
        "slice_drop",
        "leaked_samples",
        "keras_difference",
        "output_error",
        "size",
        "size_ratio",
        "compressed_size",
        "macs",
        "arena",
        *(NPU_LIMITS - {"npu_share"}),
        "unique_weights",
        "latency",
        "latency_ratio",
        "real_time_factor",
        "regression.accuracy",
        "regression.size",
        "regression.latency",
        "regression.latency_floor",
        "regression.lost_types",
        "regression.operators",
        *(f"metric.{name}" for name in ("most", "loss", "class_loss", "slice_loss", "regression")),
    )
)
"""Limits of a budget that are upper bounds: a higher value is weaker.

Of a limit in neither set any change counts as weaker."""

_RENAMED = {"kernel_agreement": "runtime_agreement"}
"""Limits of older bases that have another name today."""


def predecessor(base: Declaration, head: Declaration, name: str) -> str | None:
    """Return the name in the base of a model of the head; None for a new model."""
    candidates = (name, head["models"][name]["renamed_from"])
    return next((candidate for candidate in candidates if candidate in base["models"]), None)


def weakened_models(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Yield the models that are gone, then the weakenings of each model."""
    predecessors = {name: predecessor(base, head, name) for name in head["models"]}
    for gone in sorted(base["models"].keys() - set(predecessors.values())):
        yield Weakening(
            kind=Change.MODEL_REMOVED,
            field=gone,
            before="gated",
            after="gone",
            remedy=f"if it was renamed, set renamed_from={gone!r} in its declaration",
        )
    for name, name_in_base in predecessors.items():
        if name_in_base is not None:
            changes = _model(base["models"][name_in_base], head["models"][name])
            yield from (replace(weakening, model=name) for weakening in changes)


def _model(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Compare a model with its predecessor.

    A recipe's merged limits repeat the model's own, so a weakening of the model is not reported
    again for each of its recipes.
    """
    of_model = [*_limits(base["budget"], head["budget"]), *_metrics(base, head)]
    yield from of_model
    if (before := base.get("signature", "")) != (after := head.get("signature", "")):
        yield _evaluation_change("signature", before, after)
    yield from _data(base["data"], head["data"])
    for name, before in base["recipes"].items():
        for weakening in _recipe(name, before, head["recipes"].get(name)):
            if weakening not in of_model:
                yield replace(weakening, recipe=name)


def _recipe(name: str, base: Declaration, head: Declaration | None) -> Iterator[Weakening]:
    """Compare a recipe with its merged limits; without `gate` in the base nothing can be weaker."""
    if not base["gate"]:
        return
    if head is None:
        yield Weakening(kind=Change.RECIPE_REMOVED, field=name, before="gated", after="gone")
    elif not head["gate"]:
        yield Weakening(kind=Change.NOT_GATED, field=name, before="gated", after="shown beside")
    else:
        yield from _quantization(base, head)
        yield from _limits(base["budget"], head["budget"])
        yield from _interface(base.get("interface", ()), head.get("interface", ()))
        yield from _metrics(base, head)


def _metrics(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Yield metrics whose definition changed. Removed metrics are reported by their limits."""
    after = head.get("metrics", {})
    for name, before in base.get("metrics", {}).items():
        if after.get(name, before) != before:
            yield digest_change(Change.METRIC, name, before, after[name])


_STRENGTH = {
    "int8_qat": 4,
    "int8_ptq": 4,
    "int16x8": 3,
    "dynamic_range": 2,
    "float16": 1,
    "static_wi8_ai8": 4,
    "static_wi8_ai16": 3,
    "dynamic_wi8_afp32": 2,
    "dynamic_wi4b32_afp32": 1,  # convolutions stay float
    "weight_only_wi8_afp32": 1,
    "weight_only_wi4_afp32": 1,
    "float32": 0,
}
"""Rank of each kind of recipe by what it guarantees of tensor types; a lower rank is weaker.

4: integers of 8 bits throughout; 3: activations of 16 bits; 2: weights of 8 bits that the kernels
read; 1: some layers, or all arithmetic, in float; 0: nothing."""


def _quantization(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Compare a recipe's kind, integer ports, float layers, shipped file, target and compiler."""
    before, after = base["kind"], head["kind"]
    ranked = before in _STRENGTH and after in _STRENGTH
    if before != after and not (ranked and _STRENGTH[after] >= _STRENGTH[before]):
        yield Weakening(kind=Change.RECIPE_CHANGED, field="kind", before=before, after=after)
    for port in ("input_type", "output_type"):
        before, after = base["spec"][port], head["spec"][port]
        if before != after and after == "float32":
            yield Weakening(kind=Change.RECIPE_CHANGED, field=port, before=before, after=after)
    yield from _kept_layers(base["spec"], head["spec"])
    before, after = (recipe.get("runtimes", [XNNPACK]) for recipe in (base, head))
    if set(before) - set(after):
        yield Weakening(
            kind=Change.RECIPE_CHANGED,
            field="runtimes",
            before=", ".join(before),
            after=", ".join(after),
        )
    yield from _commands(base.get("commands", {}), head.get("commands", {}))
    if head.get("chosen_on_half") and not base.get("chosen_on_half"):
        yield Weakening(
            kind=Change.RECIPE_CHANGED, field="chosen_on_half", before="False", after="True"
        )
    for field in ("shipped", "target", "vela"):
        before, after = base.get(field), head.get(field)
        if before not in (None, after):
            shown = str(after or "nothing")
            yield Weakening(kind=Change.RECIPE_CHANGED, field=field, before=before, after=shown)


def _kept_layers(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Yield added layers in float, and layers with wider activations that were not float before."""
    before, after = ({*spec.get("float_layers", ())} for spec in (base, head))
    wide_before, wide_after = ({*spec.get("int16_layers", ())} for spec in (base, head))
    changes = {
        "float_layers": (before, after, after - before),
        "int16_layers": (wide_before, wide_after, wide_after - wide_before - before),
    }
    for field, (old, new, added) in changes.items():
        if added:
            yield Weakening(
                kind=Change.RECIPE_CHANGED,
                field=field,
                before=", ".join(sorted(old)) or "none",
                after=", ".join(sorted(new)),
            )


def _commands(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """Yield the project's own runtimes whose program is another one."""
    for name, before in base.items():
        if (after := head.get(name, before)) != before:
            yield Weakening(
                kind=Change.RECIPE_CHANGED, field=f"runtime {name}", before=before, after=after
            )


def _limits(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    for field, before in base.items():
        after = head.get(_RENAMED.get(field, field))
        if before is not None and _is_weaker(field, before, after):
            yield Weakening(
                kind=Change.BUDGET,
                field=field,
                before=_as_text(before),
                after=_as_text(after),
            )


def _interface(base: Collection[str], head: Collection[str]) -> Iterator[Weakening]:
    """Compare the changes of inputs and outputs that each declares for all later changes."""
    if set(head) - set(base):
        before, after = (", ".join(sorted(changes)) or "none" for changes in (base, head))
        yield Weakening(
            kind=Change.BUDGET, field="regression.interface", before=before, after=after
        )


def _is_weaker(field: str, before: Declaration, after: Declaration | None) -> bool:
    if after is None or before["unit"] != after["unit"]:
        return True
    old, new = Fraction(before["value"]), Fraction(after["value"])
    if limit_kind(field) in LEAST:
        return new < old
    return new > old if limit_kind(field) in MOST else new != old


def limit_kind(field: str) -> str:
    """Return a limit as `LEAST` and `MOST` name it: "metric.least" for "metric.auc.least"."""
    is_of_metric = field.startswith("metric.")
    return f"metric.{field.rpartition('.')[2]}" if is_of_metric else field


def _as_text(limit: Declaration | None) -> str:
    return "no limit" if limit is None else exactly(Fraction(limit["value"]), Unit(limit["unit"]))


def _data(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Compare the evaluation split and its preprocessing; training data are not compared."""
    for array, before in base["digests"].items():
        after = head["digests"].get(array)
        if before != after and not array.partition(".")[0].endswith("_train"):
            yield digest_change(Change.EVALUATION, array, before, after)
    if base["preprocessing"] != head["preprocessing"]:
        before, after = base["preprocessing"], head["preprocessing"]
        yield digest_change(Change.PREPROCESSING, "source", before, after)
    yield from _domains(base["domain"], head["domain"])
    if (before := base.get("output", "")) != (after := head.get("output", "")):
        yield _evaluation_change("output", before, after)
    yield from _sequences(base.get("sequences", {}), head.get("sequences", {}))
    if base["classes"] != head["classes"]:
        before, after = _classes_text(base["classes"]), _classes_text(head["classes"])
        yield Weakening(kind=Change.CLASSES, field="names", before=before, after=after)


def _evaluation_change(field: str, before: str, after: str) -> Weakening:
    """Return the weakening of a model of which another output or signature is judged."""
    before, after = before or "the first", after or "the first"
    return Weakening(kind=Change.EVALUATION, field=field, before=before, after=after)


def _sequences(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Yield what else decides in sequences: hours and shares of real time depend on the period."""
    for field in sorted(base.keys() | head.keys()):
        before, after = base.get(field, "none"), head.get(field, "none")
        if before != after:
            yield Weakening(
                kind=Change.EVALUATION,
                field=f"{field} of frames",
                before=_definition_text(before),
                after=_definition_text(after),
            )


def _definition_text(value: Any) -> str:
    """Format a period in seconds, a detector's parameters, a named answer or a digest."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part is not None)
    return f"{value:g} s" if isinstance(value, float) else str(value)[:DIGEST_DIGITS]


def _domains(base: Any, head: Any) -> Iterator[Weakening]:
    """Yield the inputs whose domain is narrower, or gone."""
    domains_before, domains_after = _by_input(base, head), _by_input(head, base)
    for name, (low, high) in domains_before.items():
        after = domains_after.get(name)
        if after is None or not (after[0] <= low and after[1] >= high):
            yield Weakening(
                kind=Change.DOMAIN,
                field=f"of {name}" if name else "of inputs",
                before=f"{low} to {high}",
                after=f"{after[0]} to {after[1]}" if after else "gone",
            )


def _by_input(domain: Any, other: Any) -> Mapping[str, Any]:
    """Return the domain of each input; a single domain is repeated for the inputs of `other`."""
    if isinstance(domain, Mapping):
        return domain
    return dict.fromkeys(other if isinstance(other, Mapping) else [""], domain)


def _classes_text(names: list[str]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    return f"{len(names)} ({digest[:DIGEST_DIGITS]})"
