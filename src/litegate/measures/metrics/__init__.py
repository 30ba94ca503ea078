"""Metrics other than top-1: their value, and what quantizing or a change costs of them.

A loss is paired: both artifacts are measured on the same samples and the same resamples. Top-k is
a mark of each sample, so it has the limits of shares (`shares.py`); all others have those of the
bootstrap (`bootstrap.py`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.units import text
from litegate.data.disk_arrays import in_parts
from litegate.measures.accuracy.decisions import demand_comparable
from litegate.measures.accuracy.duplicates import originals, samples_in_words
from litegate.measures.accuracy.flips import (
    Marks,
    class_masks,
    count_flips_by_slice,
    count_flips_in,
    demand_slices,
)
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.shares import drop, share, worst_drop
from litegate.measures.measurement import Measurement
from litegate.measures.metrics.intervals import measured, of_loss, of_one
from litegate.measures.metrics.names import loss_name, regression_name, worst_name
from litegate.measures.metrics.resampling import WHOLE, Part, kept, sampled
from litegate.measures.metrics.worst_group import Lost, worst_loss
from litegate.measures.regression import SAME, same_bytes
from litegate.spec import Artifact
from litegate.spec.metric import Metric, MetricKind


def metric_value(artifact: Artifact, metric: Metric) -> Measurement:
    """A metric of the bytes that ship, on the whole evaluation split, with one-sided 95 % limits.

    MeasurementError where it has no value there, or outputs and labels do not fit it.
    """
    if metric.kind is MetricKind.TOP_K:
        marks = _marks(artifact, metric)
        told = f"{int(marks.sum()):,} of {len(marks):,} samples among the {metric.k} highest"
        return share(
            metric.name,
            artifact.name,
            marks,
            originals(artifact.evaluation),
            evidence=(told,),
            artifacts=(artifact.sha256,),
        )
    found = sampled(artifact, metric, WHOLE, artifact.evaluation)
    return measured(
        metric.name,
        artifact.name,
        metric,
        of_one(metric, found),
        evidence=(samples_in_words(found.n, found.distinct),),
        artifacts=(artifact.sha256,),
    )


def metric_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """How much worse the candidate is than its reference; below zero where it is better.

    MeasurementError as `metric_value`, and for different evaluation splits.
    """
    demand_comparable(reference, candidate)
    sides, why = (reference, candidate), partial(divergence, reference, candidate)
    digests = (reference.sha256, candidate.sha256)
    if metric.kind is MetricKind.TOP_K:
        before, after = (_marks(each, metric) for each in sides)
        counts = count_flips_in(reference.evaluation, before, after, np.ones_like(before))
        return drop(loss_name(metric), candidate.name, counts, artifacts=digests, why=why)
    lost = _lost(reference, candidate, metric, WHOLE)
    found = measured(
        loss_name(metric),
        candidate.name,
        metric,
        lost.loss,
        evidence=(_against(metric, lost), samples_in_words(lost.loss.n, lost.loss.distinct)),
        artifacts=digests,
    )
    return replace(found, why=why)


def metric_class_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """The loss of the class that loses most: of its samples for top-k, else of its F1 or IoU.

    MeasurementError as `metric_loss`, and for a class without a sample.
    """
    names = _class_names(candidate, metric)
    if metric.kind is not MetricKind.TOP_K:
        class_masks(_classes_in(candidate), names)
        parts = {name: Part(of=number) for number, name in enumerate(names)}
        return _worst(reference, candidate, metric, "class", parts)
    demand_comparable(reference, candidate)
    before, after = (_marks(each, metric) for each in (reference, candidate))
    classes = kept(candidate, metric)[:, 1].astype(np.intp)
    return replace(
        worst_drop(
            candidate.name,
            names,
            [
                count_flips_in(reference.evaluation, before, after, mask)
                for mask in class_masks(classes, names)
            ],
            artifacts=(reference.sha256, candidate.sha256),
            why=partial(divergence, reference, candidate),
        ),
        name=worst_name("class", metric),
    )


def metric_slice_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """The loss on the slice of the evaluation split that loses most.

    MeasurementError as `metric_loss`, and where there is no slice.
    """
    split = reference.evaluation
    names = tuple(demand_slices(split))
    if metric.kind is not MetricKind.TOP_K:
        parts = {name: Part(slice=name) for name in names}
        return _worst(reference, candidate, metric, "slice", parts)
    demand_comparable(reference, candidate)
    before, after = (_marks(each, metric) for each in (reference, candidate))
    return replace(
        worst_drop(
            candidate.name,
            names,
            count_flips_by_slice(split, before, after),
            noun="slice",
            artifacts=(reference.sha256, candidate.sha256),
            why=partial(divergence, reference, candidate),
        ),
        name=worst_name("slice", metric),
    )


def metric_regression(base: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """How much worse a change made it; exactly zero where both files hold the same bytes.

    Raises as `metric_loss`.
    """
    if same_bytes(base, candidate):
        return Measurement(
            name=regression_name(metric),
            subject=candidate.name,
            value=0,
            unit=metric.unit("regression"),
            evidence=(SAME,),
            artifacts=(base.sha256, candidate.sha256),
        )
    named = replace(base, model=f"the base's {base.model}")
    found = metric_loss(named, candidate, metric)
    evidence = tuple(fact.replace("the reference", "the base") for fact in found.evidence)
    return replace(found, name=regression_name(metric), evidence=evidence)


def _marks(artifact: Artifact, metric: Metric) -> Marks:
    marks: Marks = kept(artifact, metric)[:, 0] > 0
    return marks


def _classes_in(artifact: Artifact) -> NDArray[Any]:
    """The numbers of the classes that the evaluation split has samples or pixels of."""
    labels: Any = artifact.evaluation.y
    return np.unique(np.concatenate([np.unique(part) for part in in_parts(labels)]))


def _class_names(artifact: Artifact, metric: Metric) -> tuple[str, ...]:
    """The names of the classes; numbers where the data set has none, as many as there are."""
    if artifact.evaluation.classes:
        return artifact.evaluation.classes
    statistics = kept(artifact, metric)
    pixels = metric.kind is MetricKind.IOU
    count = statistics.shape[1] // 2 if pixels else int(statistics[:, -1].max()) + 1
    return tuple(str(number) for number in range(count))


def _lost(reference: Artifact, candidate: Artifact, metric: Metric, part: Part) -> Lost:
    before, after = (
        sampled(each, metric, part, reference.evaluation) for each in (reference, candidate)
    )
    loss = of_loss(metric, before, after)
    return Lost(name=part.slice, before=before, after=after, loss=loss)


def _worst(
    reference: Artifact, candidate: Artifact, metric: Metric, noun: str, parts: dict[str, Part]
) -> Measurement:
    demand_comparable(reference, candidate)
    lost = [
        replace(_lost(reference, candidate, metric, part), name=name)
        for name, part in parts.items()
    ]
    digests = (reference.sha256, candidate.sha256)
    found = worst_loss(candidate.name, metric, noun, lost, digests)
    return replace(found, why=partial(divergence, reference, candidate))


def _against(metric: Metric, lost: Lost) -> str:
    """The two values: "0.9312 against 0.9455 of the reference"."""
    before, after = (text(one.value, metric.unit()) for one in (lost.before, lost.after))
    return f"{after} against {before} of the reference"
