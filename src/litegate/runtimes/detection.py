"""Detect events in the scores of a sequence's frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.spec import Detector

Scores = NDArray[np.float64]


def detect(outputs: NDArray[Any], detector: Detector, period: float) -> NDArray[np.intp]:
    """Return the frames at which a detector has an event, ascending.

    `outputs` are those of a sequence's frames, real values, shape (frames, ...). `period` is the
    time of a frame in seconds. Raises MeasurementError if the detector does not say which of
    several elements it scores, ConfigError for a window that is not a whole number of frames.
    """
    scores = window_scores(outputs, detector, period)
    return event_frames(scores, detector.threshold, detector.refractory_frames(period))


def window_scores(outputs: NDArray[Any], detector: Detector, period: float) -> Scores:
    """Return the mean score over each window, at its last frame; -inf before a whole window."""
    window = detector.window_frames(period)
    scores = _scores(outputs, detector)
    if window > 1:
        means = np.full(len(scores), -np.inf)
        if len(scores) >= window:
            # Not differences of a running sum, whose rounding errors add up over hours: a score
            # that stays exactly at the threshold would miss it.
            means[window - 1 :] = sliding_window_view(scores, window).mean(axis=1)
        return means
    return scores


def event_frames(scores: Scores, threshold: float, refractory: int) -> NDArray[np.intp]:
    """Return the frames whose score reaches a threshold, at least `refractory` frames apart."""
    frames, events = np.flatnonzero(scores >= threshold), list[int]()
    position = 0
    while position < len(frames):
        events.append(int(frames[position]))
        position = int(np.searchsorted(frames, events[-1] + refractory))
    return np.array(events, np.intp)


def _scores(outputs: NDArray[Any], detector: Detector) -> Scores:
    flat = outputs.reshape(len(outputs), -1)
    if detector.of is None and flat.shape[1] == 1:
        return flat[:, 0].astype(np.float64)
    if detector.of is None or not 0 <= detector.of < flat.shape[1]:
        raise MeasurementError(
            "the detector does not name an element of the output",
            expected=f"Detector(of=...) from 0 to {flat.shape[1] - 1}",
            got=str(detector.of),
        )
    return flat[:, detector.of].astype(np.float64)
