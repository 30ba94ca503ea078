"""Count the frames of each sequence that are put in their class."""

from __future__ import annotations

import numpy as np

from litegate.core.errors import MeasurementError
from litegate.measures.accuracy.decisions import demand_finite_outputs
from litegate.measures.metrics.custom import Chunk
from litegate.measures.metrics.events import sequences_of
from litegate.measures.metrics.sample_statistics import SampleStatistics, statistics
from litegate.runtimes.inference import predict_frames
from litegate.spec import Artifact
from litegate.spec.metric import Metric

_CHUNK = 10_000
"""Frames that are judged at once, which bounds the memory: 100 scores of each take 8 MB."""


def frames_right(artifact: Artifact, metric: Metric) -> SampleStatistics:
    """Return how many frames of each sequence are right, and how many it has, shape (m, 2).

    Raises MeasurementError for samples or labels that are not of frames, and as `statistics`.
    """
    split = artifact.evaluation
    x, _ = sequences_of(split, artifact.name)
    lengths = np.asarray(x.lengths)
    frames = int(lengths.sum())
    if split.y is None or split.y.ndim != 1 or len(split.y) != frames:
        raise MeasurementError(
            f"the metric {metric.name} of {artifact.name} needs a label for each frame",
            expected=f"integers, shape ({frames},)",
            got="no labels" if split.y is None else f"shape {split.y.shape}",
            remedy="limit the accuracy if the labels are of sequences",
        )
    outputs = predict_frames(artifact)
    demand_finite_outputs(outputs, artifact.name)
    right = np.empty(frames)
    for start in range(0, frames, _CHUNK):
        part = slice(start, start + _CHUNK)
        real = outputs[part].real
        chunk = Chunk(outputs=real, labels=split.y[part], inputs=real, classes=split.classes)
        chosen, labels = statistics(metric, chunk).T
        right[part] = chosen == labels
    rights = np.add.reduceat(right, np.cumsum(lengths) - lengths)
    return np.stack([rights, lengths], axis=1).astype(np.float64)
