"""Measure metrics other than top-1: their value, and the loss that quantizing or a change costs.

A loss is paired: both artifacts are measured on the same samples and the same resamples. Top-k
marks each sample, so it has the limits of shares (`accuracy.shares`); all other metrics have those
of the bootstrap (`statistics.bootstrap`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.units import text
from litegate.data.disk_arrays import in_parts
from litegate.data.duplicates import originals, samples_in_words
from litegate.measures.accuracy.decisions import demand_comparable, demand_same_split
from litegate.measures.accuracy.flips import (
    Marks,
    class_masks,
    count_flips_by_slice,
    count_flips_in,
    demand_slices,
)
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.shares import drop, share, worst_drop
from litegate.measures.measurement import Measurement, Relation
from litegate.measures.metrics.detection import box_notes, judged_classes
from litegate.measures.metrics.intervals import estimate_loss, estimate_value, to_measurement
from litegate.measures.metrics.resampling import WHOLE, Subgroup, resample_metric, sample_statistics
from litegate.measures.metrics.streaming import (
    detector_loss,
    detector_slice_loss,
    detector_value,
)
from litegate.measures.metrics.worst_group import GroupLoss, worst_loss
from litegate.measures.names import loss_name, regression_name, worst_name
from litegate.measures.regression import SAME_BYTES, same_bytes
from litegate.spec import Artifact
from litegate.spec.metric import Better, Metric, MetricKind


def metric_value(artifact: Artifact, metric: Metric) -> Measurement:
    """Measure a metric on the whole evaluation split, with one-sided 95 % limits.

    Raises MeasurementError if it has no value there, or outputs and labels do not fit it.
    """
    if metric.is_of_detector:
        return detector_value(artifact, metric)
    if metric.kind is MetricKind.TOP_K:
        marks = _marks(artifact, metric)
        count = f"{int(marks.sum()):,} of {len(marks):,} samples among the {metric.k} highest"
        return share(
            metric.name,
            artifact.name,
            marks,
            originals(artifact.evaluation),
            evidence=(count,),
            artifacts=(artifact.sha256,),
        )
    resampled = resample_metric(artifact, metric, WHOLE, artifact.evaluation)
    return to_measurement(
        metric.name,
        artifact.name,
        metric,
        estimate_value(metric, resampled),
        evidence=(
            samples_in_words(resampled.n, resampled.distinct),
            *box_notes(artifact, metric),
        ),
        artifacts=(artifact.sha256,),
    )


def metric_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """Measure how much worse the candidate is than its reference; negative if it is better.

    Raises MeasurementError as `metric_value`, and for different evaluation splits.
    """
    _demand_comparable(reference, candidate, metric)
    if metric.is_of_detector:
        return detector_loss(reference, candidate, metric)
    sides, why = (reference, candidate), partial(divergence, reference, candidate)
    digests = (reference.sha256, candidate.sha256)
    if metric.kind is MetricKind.TOP_K:
        before, after = (_marks(artifact, metric) for artifact in sides)
        counts = count_flips_in(reference.evaluation, before, after, np.ones_like(before))
        return drop(loss_name(metric), candidate.name, counts, artifacts=digests, why=why)
    whole = _group_loss(reference, candidate, metric, WHOLE)
    measurement = to_measurement(
        loss_name(metric),
        candidate.name,
        metric,
        whole.loss,
        evidence=(
            _comparison(metric, whole),
            samples_in_words(whole.loss.n, whole.loss.distinct),
            *box_notes(candidate, metric),
        ),
        artifacts=digests,
    )
    return replace(measurement, why=why)


def metric_class_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """Measure the loss of the class that loses most: of its top-k share, its F1 or its IoU.

    Raises MeasurementError as `metric_loss`, and for a class without a sample.
    """
    if metric.is_of_boxes:
        judged = judged_classes(candidate, metric)
        subgroups = {name: Subgroup(class_number=number) for name, number in judged.items()}
        return _worst(reference, candidate, metric, "class", subgroups)
    names = _class_names(candidate, metric)
    if metric.kind is not MetricKind.TOP_K:
        class_masks(_classes_in(candidate), names)  # raises for a class without samples
        subgroups = {name: Subgroup(class_number=number) for number, name in enumerate(names)}
        return _worst(reference, candidate, metric, "class", subgroups)
    _demand_comparable(reference, candidate, metric)
    before, after = (_marks(side, metric) for side in (reference, candidate))
    classes = sample_statistics(candidate, metric)[:, 1].astype(np.intp)
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
        name=worst_name("class", loss_name(metric)),
    )


def metric_slice_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """Measure the loss of the slice of the evaluation split that loses most.

    Raises MeasurementError as `metric_loss`, and if there are no slices.
    """
    if metric.is_of_detector:
        _demand_comparable(reference, candidate, metric)
        return detector_slice_loss(reference, candidate, metric)
    split = reference.evaluation
    names = tuple(demand_slices(split))
    if metric.kind is not MetricKind.TOP_K:
        subgroups = {name: Subgroup(slice=name) for name in names}
        return _worst(reference, candidate, metric, "slice", subgroups)
    _demand_comparable(reference, candidate, metric)
    before, after = (_marks(side, metric) for side in (reference, candidate))
    return replace(
        worst_drop(
            candidate.name,
            names,
            count_flips_by_slice(split, before, after),
            noun="slice",
            artifacts=(reference.sha256, candidate.sha256),
            why=partial(divergence, reference, candidate),
        ),
        name=worst_name("slice", loss_name(metric)),
    )


def metric_regression(base: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """Measure how much worse a change made a metric; exactly zero if both files are identical.

    Raises as `metric_loss`.
    """
    if same_bytes(base, candidate):
        return Measurement(
            name=regression_name(metric),
            subject=candidate.name,
            value=0,
            unit=metric.unit("regression"),
            evidence=(SAME_BYTES,),
            artifacts=(base.sha256, candidate.sha256),
        )
    named = replace(base, model=f"the base's {base.model}")
    loss = metric_loss(named, candidate, metric)
    evidence = tuple(fact.replace("the reference", "the base") for fact in loss.evidence)
    relation = Relation.AT_LEAST if metric.better is Better.HIGHER else Relation.AT_MOST
    return replace(
        loss,
        name=regression_name(metric),
        evidence=evidence,
        absolute=lambda: metric_value(candidate, metric).as_bound(relation),
    )


def _demand_comparable(reference: Artifact, candidate: Artifact, metric: Metric) -> None:
    """Raise MeasurementError for different splits, or outputs; those of boxes have names."""
    if metric.is_of_boxes:
        demand_same_split(reference, candidate)
    else:
        demand_comparable(reference, candidate)


def _marks(artifact: Artifact, metric: Metric) -> Marks:
    marks: Marks = sample_statistics(artifact, metric)[:, 0] > 0
    return marks


def _classes_in(artifact: Artifact) -> NDArray[Any]:
    """Return the numbers of the classes that occur in the evaluation split."""
    labels: Any = artifact.evaluation.y
    return np.unique(np.concatenate([np.unique(part) for part in in_parts(labels)]))


def _class_names(artifact: Artifact, metric: Metric) -> tuple[str, ...]:
    """Return the names of the classes, or their numbers if the data set names none."""
    if artifact.evaluation.classes:
        return artifact.evaluation.classes
    statistics = sample_statistics(artifact, metric)
    pixels = metric.kind is MetricKind.IOU
    count = statistics.shape[1] // 2 if pixels else int(statistics[:, -1].max()) + 1
    return tuple(str(number) for number in range(count))


def _group_loss(
    reference: Artifact, candidate: Artifact, metric: Metric, subgroup: Subgroup
) -> GroupLoss:
    before, after = (
        resample_metric(artifact, metric, subgroup, reference.evaluation)
        for artifact in (reference, candidate)
    )
    loss = estimate_loss(metric, before, after)
    return GroupLoss(name=subgroup.slice, before=before, after=after, loss=loss)


def _worst(
    reference: Artifact,
    candidate: Artifact,
    metric: Metric,
    noun: str,
    subgroups: dict[str, Subgroup],
) -> Measurement:
    _demand_comparable(reference, candidate, metric)
    losses = [
        replace(_group_loss(reference, candidate, metric, subgroup), name=name)
        for name, subgroup in subgroups.items()
    ]
    digests = (reference.sha256, candidate.sha256)
    worst = worst_loss(candidate.name, metric, noun, losses, digests)
    return replace(worst, why=partial(divergence, reference, candidate))


def _comparison(metric: Metric, group: GroupLoss) -> str:
    """Return the two values in words: "0.9312 against 0.9455 of the reference"."""
    before, after = (text(side.value, metric.unit()) for side in (group.before, group.after))
    return f"{after} against {before} of the reference"
