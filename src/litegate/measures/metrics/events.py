"""Find the events of a detector in sequences, and which of them were planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.runtimes.detection import event_frames, window_scores
from litegate.runtimes.inference import predict_frames
from litegate.spec import Artifact, Detector, Evaluation, Sequences

Indices = NDArray[np.intp]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planted:
    """The planted events of one sequence, by their frames."""

    starts: Indices
    """The first frame of each, ascending, shape (k,)."""
    ends: Indices
    """The frame after the last at which an event counts as this one's: the refractory time too."""

    def detected(self, events: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """Return the events that nothing was planted for, and True for each planted one detected.

        Of planted events whose times overlap, an event belongs to the one that began last.
        """
        place = np.searchsorted(self.starts, events, "right") - 1
        is_right = (place >= 0) & (events < np.append(self.ends, 0)[place])
        is_detected = np.zeros(len(self.starts), np.bool_)
        is_detected[place[is_right]] = True
        return events[~is_right], is_detected

    def frames(self, first: int) -> int:
        """Return the frames, from `first` on, that belong to any planted event."""
        following = np.append(self.starts[1:], np.iinfo(np.intp).max)
        ends = np.minimum(self.ends, following)
        return int(np.maximum(ends - np.maximum(self.starts, first), 0).sum())


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """The events of a detector in m sequences, compared with the planted ones."""

    false_accepts: tuple[Indices, ...]
    """The frames of the events of each sequence that nothing was planted for."""
    is_detected: NDArray[np.bool_]
    """True for each planted event that was detected, of all sequences in order, shape (k,)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audio:
    """The events that were planted in m sequences, and the time without any."""

    planted: tuple[Planted, ...]
    hours: NDArray[np.float64]
    """Hours of each sequence without a planted event, after its first whole window, shape (m,)."""
    owners: Indices
    """The sequence of each planted event, shape (k,)."""


def sequences_of(split: Evaluation, subject: str) -> tuple[Sequences, float]:
    """Return the sequences and a frame's seconds. Raises MeasurementError if there are none."""
    if split.sequences is None or not isinstance(split.x, Sequences):
        raise MeasurementError(
            f"the samples of {subject} are not sequences of frames",
            expected="lg.Data(sequences=lg.Frames(...))",
        )
    if not len(split.x):
        raise MeasurementError(
            f"there are no sequences to run {subject} on", expected="at least one"
        )
    return split.x, split.sequences.seconds


@lru_cache(maxsize=8)  # keeps the splits alive; a model has one, and a few detectors
def audio_of(split: Evaluation, detector: Detector, subject: str) -> Audio:
    """Return the planted events of a split. Raises MeasurementError for labels that do not fit."""
    x, period = sequences_of(split, subject)
    refractory, lengths = detector.refractory_frames(period), x.lengths.tolist()
    planted = tuple(
        _planted(labels, length, refractory)
        for labels, length in zip(_labels(x, split.y, subject), lengths, strict=True)
    )
    silent = detector.window_frames(period) - 1  # nothing is detected before a window is over
    seconds = [
        (max(length - silent, 0) - event.frames(silent)) * period
        for length, event in zip(lengths, planted, strict=True)
    ]
    return Audio(
        planted=planted,
        hours=np.array(seconds) / 3600,
        owners=np.repeat(np.arange(len(planted)), [len(event.starts) for event in planted]),
    )


def _labels(x: Sequences, y: Any, subject: str) -> Iterator[NDArray[Any]]:
    """Yield the labels of each sequence: one for each frame, a single one, or 0 without labels."""
    if y is None:
        return iter([np.zeros(1, np.int8)] * len(x))
    stops = np.cumsum(x.lengths)
    if y.ndim != 1 or len(y) not in (len(x), int(stops[-1])):
        raise MeasurementError(
            f"the labels of {subject} are neither of its frames nor of its sequences",
            expected=f"shape ({int(stops[-1])},) or ({len(x)},)",
            got=f"shape {y.shape}",
        )
    if len(y) == len(x):
        return (y[number : number + 1] for number in range(len(y)))
    starts = [0, *stops[:-1].tolist()]
    return (y[start:stop] for start, stop in zip(starts, stops.tolist(), strict=True))


def _planted(labels: NDArray[Any], length: int, refractory: int) -> Planted:
    """Return the runs of equal labels other than 0; a single label is that of every frame."""
    if len(labels) != length:
        labels = np.full(length, labels[0])
    edges = np.flatnonzero(np.diff(labels, prepend=0) != 0)
    starts = edges[labels[edges] != 0]
    ends = np.append(edges, length)[np.searchsorted(edges, starts, "right")]
    return Planted(starts=starts, ends=np.minimum(ends + refractory, length))


@lru_cache(maxsize=32)  # small: frames of events, of a few artifacts and detectors
def detections(artifact: Artifact, detector: Detector) -> Detections:
    """Run an artifact on its sequences and detect events; raises as `predict_frames`."""
    return _curve(artifact, detector, (detector.threshold,))[0]


def _curve(
    artifact: Artifact, detector: Detector, thresholds: tuple[float, ...]
) -> list[Detections]:
    """Return what the detector makes of the sequences at each threshold."""
    x, period = sequences_of(artifact.evaluation, artifact.name)
    audio = audio_of(artifact.evaluation, detector, artifact.name)
    outputs, refractory = predict_frames(artifact), detector.refractory_frames(period)
    wrong: list[list[Indices]] = [[] for _ in thresholds]
    right: list[list[NDArray[np.bool_]]] = [[] for _ in thresholds]
    stop = 0
    for planted, length in zip(audio.planted, x.lengths.tolist(), strict=True):
        start, stop = stop, stop + length
        real = outputs[start:stop].real
        _demand_finite(real, f"{artifact.name} in sequence {len(wrong[0])}")
        scores = window_scores(real, detector, period)
        for number, threshold in enumerate(thresholds):
            events = event_frames(scores, threshold, refractory)
            accepts, detected = planted.detected(events)
            wrong[number].append(accepts)
            right[number].append(detected)
    return [
        Detections(false_accepts=tuple(accepts), is_detected=np.concatenate(detected))
        for accepts, detected in zip(wrong, right, strict=True)
    ]


def _demand_finite(outputs: NDArray[Any], subject: str) -> None:
    if not np.isfinite(outputs).all():
        raise MeasurementError(
            f"outputs of {subject} are NaN or infinite", expected="finite outputs of every frame"
        )


def curve(
    artifact: Artifact, detector: Detector, thresholds: tuple[float, ...]
) -> tuple[list[float], list[float]]:
    """Return false accepts an hour, and the share of false rejects, at each threshold.

    The share is 0 if nothing was planted, the rate if no audio is negative.
    """
    audio = audio_of(artifact.evaluation, detector, artifact.name)
    hours = float(audio.hours.sum())
    rows = _curve(artifact, detector, thresholds)
    accepts = [sum(map(len, row.false_accepts)) / hours if hours else 0.0 for row in rows]
    rejects = [float((~row.is_detected).mean()) if len(row.is_detected) else 0.0 for row in rows]
    return accepts, rejects


def match_events(before: Indices, after: Indices, refractory: int) -> tuple[int, int]:
    """Return how many events only `before` has, and how many only `after`, in one sequence.

    Events are the same if they are less than `refractory` frames apart; each matches at most one,
    the earliest that is left.
    """
    matched = place = 0
    for event in before.tolist():
        while place < len(after) and after[place] <= event - refractory:
            place += 1
        if place < len(after) and after[place] < event + refractory:
            matched, place = matched + 1, place + 1
    return len(before) - matched, len(after) - matched
