"""Against the base: what a change made of a model, on the same samples and in the same process.

The base is the same model's artifact as built from the merge base. Where both files hold the same
bytes nothing is run: every difference is exactly zero.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from litegate.core.errors import ConfigError, MeasurementError
from litegate.core.units import Number, Quantity, Unit, text
from litegate.measures.accuracy import accuracy_drop, answers
from litegate.measures.accuracy.decisions import decide
from litegate.measures.accuracy.duplicates import originals
from litegate.measures.accuracy.outputs import class_scores, measure_worst
from litegate.measures.accuracy.shares import share
from litegate.measures.latency import latency_ratio
from litegate.measures.latency.confirmation import Trial, fresh_process, trial
from litegate.measures.measurement import Interval, Measurement, Relation, Rule, Ruling, violations
from litegate.measures.regression.flips import flips_by_class
from litegate.measures.regression.operator_diff import changed, changes, looked_at, lost
from litegate.measures.regression.size_diff import attribution
from litegate.measures.structure.size import size
from litegate.spec import Artifact
from litegate.tflite.reader import parse

SAME = "the same bytes"
LEAST_GROWTH = Fraction(1, 100)
"""The lowest limit of a slowdown that can be kept: what is left of placement stays below it."""


def size_growth(base: Artifact, candidate: Artifact) -> Measurement:
    """How much the file grew, as an exact share of the base's bytes; below zero where it shrank.

    What accounts for the difference is named, part by part, to the byte. MeasurementError for a
    file without bytes, ArtifactError for one that cannot be read.
    """
    name, before, after = "size growth", size(_named(base)), size(candidate)
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.PERCENT)
    parts = tuple(str(part) for part in attribution(_named(base), candidate))
    growth = Fraction(after.value - before.value) / before.value
    both = f"{_bytes(after)} against {_bytes(before)} of the base"
    return Measurement(
        name=name,
        subject=candidate.name,
        value=growth,
        unit=Unit.PERCENT,
        evidence=(both, *parts),
        artifacts=(base.sha256, candidate.sha256),
    )


def _bytes(found: Measurement) -> str:
    return text(found.value, found.unit)


def accuracy_loss(
    base: Artifact, candidate: Artifact, *, noise: float | None = None
) -> Measurement:
    """Top-1 accuracy that the change cost, paired; below zero where it gained.

    `noise` is the SD of accuracy from seed to seed, a share (0.01 is one point), where it was
    measured. MeasurementError where the two have different evaluation splits.
    """
    name = "accuracy lost against the base"
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.POINTS)
    alike = agreement_with_base(base, candidate).evidence
    base = _named(base)
    found = accuracy_drop(base, candidate)
    classes = flips_by_class(answers(base), answers(candidate), candidate.evaluation.classes)
    told = (*found.evidence, *alike, *classes, *_spread(noise))
    return replace(found, name=name, evidence=told, rule=_with_noise(found, noise))


def _spread(noise: float | None) -> tuple[str, ...]:
    return () if noise is None else (f"SD from seed to seed {text(noise, Unit.POINTS)}",)


def _with_noise(found: Measurement, noise: float | None) -> Rule | None:
    """The measurement's own rule, with a lint for a limit that honest changes cannot keep."""
    own = found.rule
    if noise is None or own is None:
        return own

    def rule(measured: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = own(measured, relation, limit)
        if float(limit.value) >= 2 * noise:
            return ruling
        lint = (
            f"the limit of {limit} is below {text(2 * noise, Unit.POINTS)}, two SD from seed to "
            "seed: honest changes break it too"
        )
        return replace(ruling, note="; ".join(filter(None, (ruling.note, lint))))

    return rule


def agreement_with_base(base: Artifact, candidate: Artifact) -> Measurement:
    """The share of the evaluation split that both decide alike, right or wrong.

    Of several outputs the worst counts. MeasurementError where the two have different evaluation
    splits.
    """
    name = "agreement with the base"
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.PERCENT, Fraction(1))
    _check_split(base, candidate)
    before = _named(base)

    def measure(_: str, pair: tuple[NDArray[Any], NDArray[Any]]) -> Measurement:
        one, other = decide(pair[0], before.name), decide(pair[1], candidate.name)
        same = one.chosen == other.chosen
        return share(
            name,
            candidate.name,
            same,
            originals(candidate.evaluation),
            evidence=(f"{int(same.sum()):,} of {len(same):,} decisions equal",),
            artifacts=(base.sha256, candidate.sha256),
        )

    return measure_worst(class_scores(before, candidate), measure, high=False)


def _check_split(base: Artifact, candidate: Artifact) -> None:
    one, other = base.evaluation.digest, candidate.evaluation.digest
    if one != other:
        raise MeasurementError(
            f"{candidate.name} and its base have different evaluation splits",
            expected=f"{other[:12]} for both",
            got=f"{one[:12]} for the base",
            remedy="score both on the split of the change",
        )


def lost_types(base: Artifact, candidate: Artifact) -> Measurement:
    """Count the tensors and operators that were integer in the base and are float or hybrid now.

    ArtifactError where a file cannot be read.
    """
    name = "integer types lost against the base"
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.COUNT)
    before, after = (parse(each.tflite, subject=each.name) for each in (_named(base), candidate))
    found = violations(
        name,
        candidate.name,
        lost(before, after),
        n=looked_at(before),
        artifacts=(base.sha256, candidate.sha256),
    )
    return replace(found, evidence=changes(before, after))


def operator_changes(base: Artifact, candidate: Artifact) -> Measurement:
    """Count the operators that came or went; each kind is named with its numbers.

    ArtifactError where a file cannot be read.
    """
    name = "operator changes against the base"
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.COUNT)
    before, after = (parse(each.tflite, subject=each.name) for each in (_named(base), candidate))
    return Measurement(
        name=name,
        subject=candidate.name,
        value=changed(before, after),
        unit=Unit.COUNT,
        offenders=changes(before, after),
        artifacts=(base.sha256, candidate.sha256),
    )


def latency_growth(
    base: Artifact,
    candidate: Artifact,
    limit: Quantity,
    *,
    models: int = 1,
    here: Trial = trial,
    elsewhere: Trial = fresh_process,
) -> Measurement:
    """How much longer one invocation takes, as a share of the base's time, by the fresh-pair rule.

    Decided for exactly `limit`, in per cent. `models` gated in one run share the chance of a false
    fail. Raises as `latency_ratio`, and ConfigError for a limit below 1 % that is no speed-up.
    """
    name = "latency growth"
    _check_honest(limit)
    if same_bytes(base, candidate):
        return _unchanged(name, base, candidate, Unit.PERCENT)
    most = float(1 + limit.value)
    ratio = latency_ratio(
        candidate, _named(base), most, models=models, here=here, elsewhere=elsewhere
    )
    return replace(
        ratio,
        name=name,
        value=ratio.value - 1,
        unit=Unit.PERCENT,
        interval=ratio.interval and _less_one(ratio.interval),
        rule=_of_ratio(ratio, limit),
    )


def _check_honest(limit: Quantity) -> None:
    if limit.unit is not Unit.PERCENT or 0 <= limit.value < LEAST_GROWTH:
        raise ConfigError(
            "the limit of the latency growth cannot be kept honestly",
            expected=f"at least {text(LEAST_GROWTH, Unit.PERCENT)}, or below 0 for a speed-up",
            got=f"{limit} ({limit.unit})",
            remedy="percent(2.5) finds a slowdown of 5 % and does not fail identical models",
        )


def _less_one(interval: Interval) -> Interval:
    return replace(interval, low=interval.low - 1, high=interval.high - 1)


def _of_ratio(ratio: Measurement, limit: Quantity) -> Rule:
    """The ratio's own decision, for the limit that it was timed for and for no other."""

    def rule(_: Measurement, relation: Relation, asked: Quantity) -> Ruling:
        if relation is not Relation.AT_MOST or asked.value != limit.value or ratio.rule is None:
            raise ConfigError(
                f"the latency growth was not timed to be held to {relation} {asked}",
                expected=f"<= {limit}",
                remedy="give latency_growth the limit that it is compared with",
            )
        return ratio.rule(ratio, relation, Quantity(float(1 + limit.value), Unit.RATIO))

    return rule


def since_anchor(found: Measurement) -> Measurement:
    """The same measurement, worded for a pinned commit in place of the merge base."""
    evidence = tuple(fact.replace("the base", "the anchor") for fact in found.evidence)
    return replace(found, name=named_since_anchor(found.name), evidence=evidence)


def named_since_anchor(name: str) -> str:
    """What `since_anchor` calls a measurement: "size growth since the anchor"."""
    return f"{name.removesuffix(' against the base')} since the anchor"


def same_bytes(base: Artifact, candidate: Artifact) -> bool:
    """Whether the same bytes are judged by the same signature; an empty file is like no other."""
    alike = (base.tflite, base.signature) == (candidate.tflite, candidate.signature)
    return bool(base.tflite) and alike


def _unchanged(
    name: str, base: Artifact, candidate: Artifact, unit: Unit, value: Number = Fraction(0)
) -> Measurement:
    return Measurement(
        name=name,
        subject=candidate.name,
        value=value,
        unit=unit,
        evidence=(SAME,),
        artifacts=(base.sha256, candidate.sha256),
    )


def _named(base: Artifact) -> Artifact:
    """The base under a name of its own: messages must tell it from the candidate."""
    return replace(base, model=f"the base's {base.model}")
