"""Made images with boxes, and detectors of them: tiny files whose samples are the detections."""

from dataclasses import replace

import numpy as np
from tiny import artifact, selector


def drawn(n, *, classes=3, most=4, seed=1, error=0.01, missed=0.2, ignored=False):
    """Labels, (n, most, 5 or 6), and detections of most of them, (n, 2 * most, 6)."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.7, (n, most, 2))
    corners = np.concatenate([low, low + rng.uniform(0.05, 0.3, low.shape)], axis=2)
    number = rng.integers(classes, size=(n, most, 1))
    number[rng.random(number.shape) < 0.3] = -1
    labels = np.concatenate([corners, number], axis=2)
    near = np.sort((corners + rng.normal(0, error, corners.shape)).reshape(n, most, 2, 2), axis=2)
    elsewhere = np.sort(rng.uniform(0, 1, (n, most, 2, 2)), axis=2)
    # Scores on a coarse grid, as int8 outputs have them, so that some are equal.
    scores = np.round(rng.uniform(0, 1, (n, 2 * most, 1)) * 50) / 50
    boxes = np.concatenate([near, elsewhere], axis=1).reshape(n, 2 * most, 4)
    guessed = rng.integers(-1, classes, size=number.shape)
    of_near = np.where(rng.random(number.shape) < missed, -1, number)
    detections = np.concatenate([boxes, scores, np.concatenate([of_near, guessed], axis=1)], axis=2)
    if ignored:
        labels = np.concatenate([labels, rng.random(number.shape) < 0.2], axis=2)
    return labels.astype(np.float32), detections.astype(np.float32)


def detections_of(outputs):
    """Decode outputs of shape (n, 6 k)."""
    return outputs.reshape(len(outputs), -1, 6)


def detector(labels, detections, *, classes=3, slices=None, tflite=None, split=None):
    """An artifact that gives these detections."""
    x = detections.reshape(len(detections), -1)
    width = x.shape[1]
    made = artifact(
        selector(width, range(width)) if tflite is None else tflite, x, labels, classes=classes
    )
    names = tuple("abcdefghij"[:classes]) if classes else ()
    own = replace(made.evaluation, classes=names, slices=slices or {})
    return replace(made, evaluation=split or own)
