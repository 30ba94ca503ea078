"""Measure a change: the candidate against its base, on the same samples and in the same process.

The base is the same model's artifact, built from the merge base. Files with identical bytes are not
run: every difference is exactly zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, TypeVar

from numpy.typing import NDArray

from litegate.core.digests import short_digest
from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Number, Quantity, Unit, text
from litegate.data.duplicates import originals
from litegate.measures.accuracy import accuracy, accuracy_drop, answers
from litegate.measures.accuracy.decisions import decide
from litegate.measures.accuracy.outputs import class_scores, measure_worst
from litegate.measures.accuracy.shares import share
from litegate.measures.latency import latency_ratio
from litegate.measures.latency.confirmation import Timer, time_here, time_in_fresh_process
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Repeats,
    Rule,
    Ruling,
    violations,
)
from litegate.measures.names import Name, since_anchor_name
from litegate.measures.regression.flips import flips_by_class
from litegate.measures.regression.interface_diff import interface_lines, port_count, undeclared
from litegate.measures.regression.operator_diff import (
    change_lines,
    changed_count,
    checked_count,
    lost_integer_types,
)
from litegate.measures.regression.size_diff import REST, SizeChange, size_changes
from litegate.measures.structure.size import size
from litegate.spec import Artifact
from litegate.tflite.parser import parse

SAME_BYTES = "the same bytes"
_NEW_SCALE = re.compile(r"(output .+): scale (?!none)[^>]+ -> (?!none).+")
"""An offender of the interface whose output has a scale before and after."""
NO_FLOOR = Quantity(0.0, Unit.SECONDS)
LOWEST_LIMIT = Fraction(1, 100)
"""The lowest limit of a slowdown that can be kept: the residual effect of memory placement and the
harness (at most 0.2 % in the experiment) stays below it."""


def size_growth(base: Artifact, candidate: Artifact) -> Measurement:
    """Measure the growth of the file as an exact share of the base's bytes; negative if it shrank.

    The evidence attributes the difference to the file's contents, to the byte. Raises
    MeasurementError for an empty file, ArtifactError for a file that cannot be read.
    """
    name, before, after = Name.SIZE_GROWTH, size(_labelled_base(base)), size(candidate)
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.PERCENT)
    changes = size_changes(_labelled_base(base), candidate)
    growth = Fraction(after.value - before.value) / before.value
    sizes = f"{_size_text(after)} against {_size_text(before)} of the base"
    return Measurement(
        name=name,
        subject=candidate.name,
        value=growth,
        unit=Unit.PERCENT,
        evidence=(sizes, *map(str, changes), *_strip_hint(changes)),
        artifacts=(base.sha256, candidate.sha256),
        absolute=partial(after.as_bound, Relation.AT_MOST),
    )


def _strip_hint(changes: tuple[SizeChange, ...]) -> Iterator[str]:
    """Yield a line if most of the growth is in no tensor and no operator."""
    if changes and changes[0].label == REST and changes[0].bytes > 0:
        yield "`litegate strip FILE --to FILE` removes bytes that no kernel reads"


def _size_text(measurement: Measurement) -> str:
    return text(measurement.value, measurement.unit)


def accuracy_loss(
    base: Artifact, candidate: Artifact, *, noise: float | None = None
) -> Measurement:
    """Measure the top-1 accuracy that the change lost, paired; negative if it gained.

    `noise` is the SD of accuracy between training seeds as a share (0.01 is one point), if it was
    measured. Raises MeasurementError if the two have different evaluation splits.
    """
    name = Name.ACCURACY_REGRESSION
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.POINTS)
    agreement = agreement_with_base(base, candidate).evidence
    base = _labelled_base(base)
    drop = accuracy_drop(base, candidate)
    classes = flips_by_class(answers(base), answers(candidate), candidate.evaluation.classes)
    return replace(
        drop,
        name=name,
        evidence=(*drop.evidence, *agreement, *classes, *_noise_text(candidate, noise)),
        rule=_with_noise(drop, noise),
        absolute=lambda: accuracy(candidate).as_bound(Relation.AT_LEAST),
    )


def _noise_text(candidate: Artifact, noise: float | None) -> tuple[str, ...]:
    if noise is not None:
        return (f"SD from seed to seed {text(noise, Unit.POINTS)}",)
    # A ready-made file has no seed.
    unknown = "not known how much training from another seed changes: run `litegate noise`"
    return (unknown,) if "seed" in candidate.certificate else ()


def _with_noise(measurement: Measurement, noise: float | None) -> Rule | None:
    """Add a lint to the measurement's rule for a limit that honest changes cannot keep.

    Rebuilding with another seed moves the accuracy, so a limit below two SD fails by chance.
    """
    own_rule = measurement.rule
    if noise is None or own_rule is None:
        return own_rule

    def rule(measured: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = own_rule(measured, relation, limit)
        if float(limit.value) >= 2 * noise:
            return ruling
        lint = (
            f"the limit of {limit} is below {text(2 * noise, Unit.POINTS)}, two SD from seed "
            "to seed: harmless changes also break it"
        )
        return replace(ruling, note="; ".join(filter(None, (ruling.note, lint))))

    return rule


def agreement_with_base(base: Artifact, candidate: Artifact) -> Measurement:
    """Measure the share of samples for which both decide for the same class, right or wrong.

    Of several outputs the worst counts. Raises MeasurementError if the two have different
    evaluation splits.
    """
    name = Name.BASE_AGREEMENT
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.PERCENT, Fraction(1))
    _check_same_split(base, candidate)
    before = _labelled_base(base)

    def measure(_: str, pair: tuple[NDArray[Any], NDArray[Any]]) -> Measurement:
        base_decisions = decide(pair[0], before.name)
        candidate_decisions = decide(pair[1], candidate.name)
        equal = base_decisions.chosen == candidate_decisions.chosen
        return share(
            name,
            candidate.name,
            equal,
            originals(candidate.evaluation),
            evidence=(f"{int(equal.sum()):,} of {len(equal):,} decisions equal",),
            artifacts=(base.sha256, candidate.sha256),
        )

    return measure_worst(class_scores(before, candidate), measure, high=False)


def _check_same_split(base: Artifact, candidate: Artifact) -> None:
    base_digest, candidate_digest = base.evaluation.digest, candidate.evaluation.digest
    if base_digest != candidate_digest:
        raise MeasurementError(
            f"{candidate.name} and its base have different evaluation splits",
            expected=f"{short_digest(candidate_digest)} for both",
            got=f"{short_digest(base_digest)} for the base",
            remedy="score both on the split of the change",
        )


def lost_types(base: Artifact, candidate: Artifact) -> Measurement:
    """Count the tensors and operators that were integer in the base and are float or hybrid now.

    Raises ArtifactError if a file cannot be read.
    """
    name = Name.LOST_TYPES
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.COUNT)
    artifacts = (_labelled_base(base), candidate)
    before, after = (parse(artifact.tflite, subject=artifact.name) for artifact in artifacts)
    measurement = violations(
        name,
        candidate.name,
        lost_integer_types(before, after),
        n=checked_count(before),
        artifacts=(base.sha256, candidate.sha256),
    )
    return replace(measurement, evidence=change_lines(before, after))


def operator_changes(base: Artifact, candidate: Artifact) -> Measurement:
    """Count added and removed operators; the offenders name each kind with its numbers.

    Raises ArtifactError if a file cannot be read.
    """
    name = Name.OPERATOR_CHANGES
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.COUNT)
    artifacts = (_labelled_base(base), candidate)
    before, after = (parse(artifact.tflite, subject=artifact.name) for artifact in artifacts)
    return Measurement(
        name=name,
        subject=candidate.name,
        value=changed_count(before, after),
        unit=Unit.COUNT,
        offenders=change_lines(before, after),
        artifacts=(base.sha256, candidate.sha256),
    )


def interface_changes(
    base: Artifact, candidate: Artifact, *, declared: Sequence[str] = ()
) -> Measurement:
    """Count the changes of inputs and outputs that are not declared; the offenders name each.

    Compares names, order, types, shapes, scales, zero points and the activation of outputs. Raises
    ArtifactError if a file cannot be read.
    """
    name = Name.INTERFACE_CHANGES
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.COUNT)
    before, after = (
        parse(side.tflite, subject=side.name, signature=side.signature)
        for side in (_labelled_base(base), candidate)
    )
    lines = tuple(interface_lines(before, after, (base.signature, candidate.signature)))
    changed = undeclared(lines, declared)
    measurement = violations(
        name,
        candidate.name,
        changed,
        n=port_count(before),
        artifacts=(base.sha256, candidate.sha256),
    )
    excused = tuple(f"declared: {line}" for line in lines if line not in changed)
    return replace(measurement, evidence=(*_retraining(changed), *excused))


def _retraining(lines: Sequence[str]) -> tuple[str, ...]:
    """Name the outputs that keep their integer type with another scale: training decides it."""
    moved = {match[1] for match in map(_NEW_SCALE.fullmatch, lines) if match}
    ports = sorted(port for port in moved if not any(f"{port}: type" in line for line in lines))
    fact = f"retraining moves the scale of an integer output: {', '.join(ports)}"
    return (fact,) if ports else ()


def latency_growth(
    base: Artifact,
    candidate: Artifact,
    limit: Quantity,
    *,
    floor: Quantity = NO_FLOOR,
    models: int = 1,
    here: Timer = time_here,
    elsewhere: Timer = time_in_fresh_process,
) -> Measurement:
    """Measure the growth of the invocation time as a share of the base's, by the fresh-pair rule.

    Decided for exactly `limit`, in per cent; a growth of up to `floor`, in seconds, is allowed
    whatever its share, unless the limit asks for a speed-up. The `models` gated in one run share
    the chance of a false fail. Raises as `latency_ratio`, and ConfigError for a limit from 0 to
    below 1 %.
    """
    name = Name.LATENCY_GROWTH
    _check_limit(limit)
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.PERCENT)
    ratio = latency_ratio(
        candidate,
        _labelled_base(base),
        float(1 + limit.value),
        floor=float(floor.value) if limit.value > 0 else 0.0,
        models=models,
        here=here,
        elsewhere=elsewhere,
    )
    return replace(
        ratio,
        name=name,
        value=ratio.value - 1,
        unit=Unit.PERCENT,
        interval=ratio.interval and _minus_one(ratio.interval),
        rule=_growth_rule(ratio, limit, floor),
        repeats=ratio.repeats and _minus_one(ratio.repeats),
    )


_Range = TypeVar("_Range", Interval, Repeats)


def _check_limit(limit: Quantity) -> None:
    if limit.unit is not Unit.PERCENT or 0 <= limit.value < LOWEST_LIMIT:
        raise ConfigError(
            "the limit of the latency growth is too tight for this measurement",
            expected=f"at least {text(LOWEST_LIMIT, Unit.PERCENT)}, or below 0 for a speed-up",
            got=f"{limit} ({limit.unit})",
            remedy="percent(2.5) detects a slowdown of 5 % and does not fail identical models",
        )


def _minus_one(ratios: _Range) -> _Range:
    return replace(ratios, low=ratios.low - 1, high=ratios.high - 1)


def _growth_rule(ratio: Measurement, limit: Quantity, floor: Quantity) -> Rule:
    """Return a rule that applies the ratio's decision to the limit that it was timed for only."""

    def rule(_: Measurement, relation: Relation, requested: Quantity) -> Ruling:
        if relation is not Relation.AT_MOST or requested.value != limit.value or ratio.rule is None:
            raise ConfigError(
                f"the latency growth was measured for another limit than {relation} {requested}",
                expected=f"<= {limit}",
                remedy="pass the same limit to latency_growth",
            )
        ruling = ratio.rule(ratio, relation, Quantity(float(1 + limit.value), Unit.RATIO))
        if ruling.outcome is Outcome.PASS and ratio.value - 1 > limit.value > 0:
            return replace(
                ruling, note=f"slower, by less than the {floor} that latency_floor allows"
            )
        return ruling

    return rule


def since_anchor(measurement: Measurement) -> Measurement:
    """Reword a measurement against the base for a pinned commit, the anchor."""
    evidence = tuple(fact.replace("the base", "the anchor") for fact in measurement.evidence)
    return replace(measurement, name=since_anchor_name(measurement.name), evidence=evidence)


def same_bytes(base: Artifact, candidate: Artifact) -> bool:
    """Return True if both have the same bytes and signature; an empty file equals no other."""
    is_equal = (base.tflite, base.signature) == (candidate.tflite, candidate.signature)
    return bool(base.tflite) and is_equal


def _unchanged(
    name: str, base: Artifact, candidate: Artifact, unit: Unit, value: Number = Fraction(0)
) -> Measurement:
    return Measurement(
        name=name,
        subject=candidate.name,
        value=value,
        unit=unit,
        evidence=(SAME_BYTES,),
        artifacts=(base.sha256, candidate.sha256),
    )


def _labelled_base(base: Artifact) -> Artifact:
    """Rename the base, so that messages distinguish it from the candidate."""
    return replace(base, model=f"the base's {base.model}")
