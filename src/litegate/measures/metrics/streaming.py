"""Measure false accepts an hour, and the share of planted events that a detector misses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Quantity
from litegate.data.duplicates import first_indices, originals
from litegate.measures.accuracy.flips import count_flips, demand_slices
from litegate.measures.accuracy.shares import PairedCounts, drop, worst_drop
from litegate.measures.measurement import (
    Interval,
    Measurement,
    Outcome,
    Relation,
    Ruling,
    interval_rule,
)
from litegate.measures.metrics.events import (
    Audio,
    audio_of,
    curve,
    detections,
    match_events,
    sequences_of,
)
from litegate.measures.names import loss_name, worst_name
from litegate.measures.statistics.bootstrap import Real
from litegate.measures.statistics.proportions import TAIL, clopper_pearson
from litegate.measures.statistics.rates import (
    MIN_RECORDINGS,
    difference_limits,
    hours_proving,
    rate_limits,
)
from litegate.spec import Artifact, Detector, Evaluation
from litegate.spec.metric import Metric, MetricKind

_RATE = "the widest of Garwood's, of bursts, and by a bootstrap of recordings"
_DIFFERENCE = "paired: MOVER of such rates, or BCa of recordings if wider"
_EXACT = "exact binomial"
_THRESHOLDS = 15
"""Thresholds of the curve, beside the declared one: a line that bends has two or three points of
each bend."""
_SPREAD = 0.5
"""Half of the range of thresholds in the curve, as a share of the declared one: a choice, wide
enough to show where both error rates bend."""


def detector_of(metric: Metric) -> Detector:
    """Return the detector of a metric of false accepts or rejects."""
    if metric.detector is None:
        raise MeasurementError(f"the metric {metric.name} has no detector")
    return metric.detector


def detector_value(artifact: Artifact, metric: Metric) -> Measurement:
    """Measure a metric of a detector on all sequences, at its declared threshold.

    Raises MeasurementError without negative audio or without planted events, and as
    `predict_frames`.
    """
    if metric.kind is MetricKind.FALSE_ACCEPTS:
        return _false_accepts(artifact, metric)
    return _false_rejects(artifact, metric)


def plain_detector_value(artifact: Artifact, metric: Metric) -> float:
    """Return a metric's value alone; raises as `detector_value`."""
    detector = detector_of(metric)
    if metric.kind is MetricKind.FALSE_ACCEPTS:
        _negative(audio_of(artifact.evaluation, detector, artifact.name), artifact.name)
    else:
        _planted(detections(artifact, detector).is_detected, artifact.name)
    (accepts,), (rejects,) = curve(artifact, detector, (detector.threshold,))
    return accepts if metric.kind is MetricKind.FALSE_ACCEPTS else rejects


def _false_accepts(artifact: Artifact, metric: Metric) -> Measurement:
    detector = detector_of(metric)
    audio = audio_of(artifact.evaluation, detector, artifact.name)
    chosen = _negative(audio, artifact.name)
    hours, accepts = audio.hours[chosen], detections(artifact, detector).false_accepts
    counts = np.array([len(accepts[number]) for number in chosen.tolist()], np.float64)
    once = first_indices(originals(artifact.evaluation)[chosen])
    low, high = _widest(rate_limits, (counts, hours), once)
    outer = _widest(rate_limits, (counts, hours), once, TAIL / 2)
    total = float(hours.sum())
    heard = f"{_events(int(counts.sum()))} in {total:,.2f} h of negative audio"
    return Measurement(
        name=metric.name,
        subject=artifact.name,
        value=float(counts.sum()) / total,
        unit=metric.unit(),
        n=len(once),
        interval=Interval(low=outer[0], high=outer[1], method=_RATE),
        low=low,
        high=high,
        evidence=(
            f"{heard}, {_recordings(len(hours), len(once))}",
            f"at the threshold {detector.threshold:g}",
        ),
        rule=_rate_rule,
        artifacts=(artifact.sha256,),
        series=_series(artifact, metric),
    )


def _rate_rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
    ruling = interval_rule(measurement, relation, limit)
    if ruling.outcome is not Outcome.INCONCLUSIVE or limit.value <= 0:
        return ruling
    needed = f"{_hours(hours_proving(float(limit.value)))} without an event would prove it"
    return replace(ruling, note=f"{ruling.note}; {needed}")


def _false_rejects(artifact: Artifact, metric: Metric) -> Measurement:
    detector = detector_of(metric)
    is_detected = _planted(detections(artifact, detector).is_detected, artifact.name)
    owners = audio_of(artifact.evaluation, detector, artifact.name).owners
    once = is_detected[_of_first_copies(artifact.evaluation, owners)]
    missed, n = int((~is_detected).sum()), len(is_detected)
    low, high = _binomial_limits((is_detected, once))
    outer = _binomial_limits((is_detected, once), TAIL / 2)
    return Measurement(
        name=metric.name,
        subject=artifact.name,
        value=Fraction(missed, n),
        unit=metric.unit(),
        n=n,
        interval=Interval(low=outer[0], high=outer[1], method=_EXACT),
        low=low,
        high=high,
        evidence=(
            f"{missed:,} of {n:,} planted events missed",
            *(
                (f"{len(once):,} of the events are in distinct recordings",)
                if len(once) < n
                else ()
            ),
            f"at the threshold {detector.threshold:g}",
        ),
        artifacts=(artifact.sha256,),
        series=_series(artifact, metric),
    )


def _series(artifact: Artifact, metric: Metric) -> dict[str, list[float]]:
    """Return the metric at thresholds around the declared one, for the page's chart."""
    detector = detector_of(metric)
    reach = _SPREAD * (abs(detector.threshold) or 1.0)
    spread = np.linspace(detector.threshold - reach, detector.threshold + reach, _THRESHOLDS)
    thresholds = [float(threshold) for threshold in spread]
    accepts, rejects = curve(artifact, detector, tuple(thresholds))
    is_rate = metric.kind is MetricKind.FALSE_ACCEPTS
    return {"threshold": thresholds, metric.name: accepts if is_rate else rejects}


def detector_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """Measure how much worse a detector is on the candidate's outputs than on the reference's.

    False accepts are matched in time: only events that one of the two lacks count. False rejects
    are flips of the planted events. Both artifacts must have the same split.
    """
    everything = np.ones(len(reference.evaluation.x), np.bool_)
    if metric.kind is MetricKind.FALSE_ACCEPTS:
        return _accepts_rise(reference, candidate, metric, everything)
    return replace(
        drop(
            loss_name(metric),
            candidate.name,
            _flips(reference, candidate, metric, everything),
            unit=metric.unit("loss"),
            artifacts=(reference.sha256, candidate.sha256),
        ),
        name=loss_name(metric),
    )


def detector_slice_loss(reference: Artifact, candidate: Artifact, metric: Metric) -> Measurement:
    """Measure the loss of the slice of the sequences that loses most.

    It is proven if the limit of every slice is kept. Raises MeasurementError without slices, or for
    a slice without negative audio or planted events.
    """
    slices = demand_slices(reference.evaluation)
    if metric.kind is MetricKind.FALSE_REJECTS:
        counts = [_flips(reference, candidate, metric, mask) for mask in slices.values()]
        digests = (reference.sha256, candidate.sha256)
        worst = worst_drop(candidate.name, tuple(slices), counts, noun="slice", artifacts=digests)
        return replace(worst, name=worst_name("slice", loss_name(metric)))
    tail = TAIL / len(slices)
    rises = {
        name: _accepts_rise(reference, candidate, metric, mask, tail=tail)
        for name, mask in slices.items()
    }
    name = max(rises, key=lambda name: rises[name].value)
    worst = rises[name]
    return replace(
        worst,
        name=worst_name("slice", loss_name(metric)),
        evidence=(f'slice "{name}" is the worst of {len(slices)}', *worst.evidence),
        high=max(float(rise.high or 0.0) for rise in rises.values()),
        low=max(float(rise.low or 0.0) for rise in rises.values()),
        rule=_difference_rule(min(rise.n or 0 for rise in rises.values())),
    )


def _accepts_rise(
    reference: Artifact,
    candidate: Artifact,
    metric: Metric,
    mask: NDArray[np.bool_],
    *,
    tail: float = TAIL,
) -> Measurement:
    """Measure the rise of false accepts in the sequences of a mask; `tail` widens the interval."""
    detector = detector_of(metric)
    split = reference.evaluation
    audio = audio_of(split, detector, reference.name)
    chosen = _negative(audio, candidate.name, mask)
    hours = audio.hours[chosen]
    gone, new, both = _matched(reference, candidate, detector, chosen)
    total = float(hours.sum())
    once = first_indices(originals(split)[chosen])
    low, high = _widest(difference_limits, (new, gone, hours), once)
    outer = _widest(difference_limits, (new, gone, hours), once, tail / 2)
    return Measurement(
        name=loss_name(metric),
        subject=candidate.name,
        value=float((new - gone).sum()) / total,
        unit=metric.unit("loss"),
        n=len(once),
        interval=Interval(low=outer[0], high=outer[1], method=_DIFFERENCE),
        low=low,
        high=high,
        evidence=(
            f"{int(new.sum()):,} events are new and {int(gone.sum()):,} gone, {both:,} in both",
            f"{total:,.2f} h of negative audio, {_recordings(len(hours), len(once))}",
        ),
        rule=_difference_rule(len(once)),
        artifacts=(reference.sha256, candidate.sha256),
    )


def _matched(
    reference: Artifact, candidate: Artifact, detector: Detector, chosen: NDArray[np.intp]
) -> tuple[Real, Real, int]:
    """Return the false accepts of each recording that are gone, and new, and those in both."""
    _, period = sequences_of(reference.evaluation, candidate.name)
    before, after = (detections(side, detector).false_accepts for side in (reference, candidate))
    refractory = detector.refractory_frames(period)
    pairs = [match_events(before[k], after[k], refractory) for k in chosen.tolist()]
    gone, new = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
    return gone, new, sum(len(before[k]) for k in chosen.tolist()) - int(gone.sum())


def _difference_rule(recordings: int) -> Any:
    """Return a rule without a pass if there are too few recordings for a bootstrap."""

    def rule(measurement: Measurement, relation: Relation, limit: Quantity) -> Ruling:
        ruling = interval_rule(measurement, relation, limit)
        if recordings >= MIN_RECORDINGS or ruling.outcome is not Outcome.PASS:
            return ruling
        return Ruling(
            outcome=Outcome.INCONCLUSIVE,
            note=f"within the limit but not proven: {_recordings(recordings)} do not show how"
            f" events cluster, {MIN_RECORDINGS} do",
        )

    return rule


def _flips(
    reference: Artifact, candidate: Artifact, metric: Metric, mask: NDArray[np.bool_]
) -> PairedCounts:
    """Count the planted events, in the sequences of a mask, that only one of both detects."""
    detector = detector_of(metric)
    owners = audio_of(reference.evaluation, detector, reference.name).owners
    chosen = mask[owners]
    before, after = (
        _planted(detections(side, detector).is_detected[chosen], side.name)
        for side in (reference, candidate)
    )
    once = _of_first_copies(reference.evaluation, owners[chosen])
    return PairedCounts(
        total=count_flips(before, after), distinct=count_flips(before[once], after[once])
    )


def _of_first_copies(split: Evaluation, owners: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return True for each event whose recording, of those that have one, is no later copy.

    `owners` are the recordings of k events, ascending, shape (k,).
    """
    _, first, group = np.unique(originals(split)[owners], return_index=True, return_inverse=True)
    is_first: NDArray[np.bool_] = owners == owners[first][group]
    return is_first


def _widest(
    limits: Callable[..., tuple[float, float]],
    arrays: Sequence[Real],
    once: NDArray[np.intp],
    tail: float = TAIL,
) -> tuple[float, float]:
    """Return the limits of all recordings and of the distinct ones, whichever are wider.

    A copy of a recording is no new hour: it repeats what the first has shown.
    """
    if len(once) == len(arrays[0]):
        return limits(*arrays, tail)
    pairs = [limits(*arrays, tail), limits(*(array[once] for array in arrays), tail)]
    return min(low for low, _ in pairs), max(high for _, high in pairs)


def _binomial_limits(sides: Sequence[NDArray[np.bool_]], tail: float = TAIL) -> tuple[float, float]:
    """Return the widest exact limits of the share of events that were missed, of some sides."""
    pairs = [clopper_pearson(int((~side).sum()), len(side), tail) for side in sides]
    return min(low for low, _ in pairs), max(high for _, high in pairs)


def _negative(
    audio: Audio, subject: str, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Return the recordings, in a mask, that have negative audio. Raises MeasurementError if none.

    The others show nothing: no event in them can be a false accept.
    """
    chosen = np.flatnonzero(audio.hours > 0 if mask is None else (audio.hours > 0) & mask)
    if not len(chosen):
        raise MeasurementError(
            f"there is no negative audio to count false accepts of {subject} in",
            expected="frames labelled 0, beyond the refractory time after a planted event, in "
            "recordings that are longer than the detector's window",
        )
    return chosen


def _planted(is_detected: NDArray[np.bool_], subject: str) -> NDArray[np.bool_]:
    if not len(is_detected):
        raise MeasurementError(
            f"there are no planted events that {subject} could miss",
            expected="frames, or sequences, with a label other than 0",
        )
    return is_detected


def detector_notes(metrics: Sequence[Metric], artifact: Artifact) -> tuple[str, ...]:
    """Return a note for each limit of false accepts that the hours of audio cannot prove.

    And one for a detector that detects none of the planted events: it has no false accept either.
    """
    notes = []
    for metric in metrics:
        if metric.kind is not MetricKind.FALSE_ACCEPTS:
            continue
        detector = detector_of(metric)
        audio = audio_of(artifact.evaluation, detector, artifact.name)
        is_detected = detections(artifact, detector).is_detected
        if len(is_detected) and not is_detected.any():
            notes.append(
                f"{metric.name}: none of {len(is_detected):,} planted events is detected at the"
                f" threshold {detector.threshold:g}; a detector that never wakes up has no false"
                " accept either: is the threshold right?"
            )
        hours = float(audio.hours[first_indices(originals(artifact.evaluation))].sum())
        for name in ("most", "loss", "regression"):
            limit: Any = getattr(metric, name)
            if limit is not None and 0 < limit * hours < hours_proving(1.0):
                notes.append(_too_short(f"{metric.name}.{name}", float(limit), hours))
    return tuple(notes)


def _too_short(name: str, limit: float, hours: float) -> str:
    return (
        f"{name}: {limit:g} an hour cannot be proven with {hours:.2f} h of negative audio: even"
        f" without an event the one-sided 95 % upper limit is {hours_proving(hours):.2g} an hour;"
        f" {_hours(hours_proving(limit))} without an event are needed"
    )


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours:.2g} h"


def _events(count: int) -> str:
    return f"{count:,} false accept{'' if count == 1 else 's'}"


def _recordings(count: int, distinct: int | None = None) -> str:
    once = "" if distinct in (None, count) else f", {distinct:,} distinct"
    return f"{count:,} recording{'' if count == 1 else 's'}{once}"
