"""Plant wrong answers in models with limits on metrics; they may have no classes."""

from __future__ import annotations

import numpy as np

from litegate.measures.metrics.events import audio_of
from litegate.measures.names import Name
from litegate.mutation.faults.fault import Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec.metric import Metric, MetricKind


@fault(
    family=Family.ACCURACY,
    # a smaller `must` would call every limit a survivor that suits a metric of few or noisy samples
    ladder=Ladder(1, 5, 20, 50, 100, unit="% of the samples", must=50),
    noticed_by=(Name.OUTPUT_ERROR,),
    metrics=(OfMetric.VALUE, OfMetric.LOSS, OfMetric.REGRESSION),
)
def mixed_up_answers(scene: Scene, grade: float) -> Scene:
    """The candidate swaps the answers of some samples, so that they do not fit the labels.

    The grade is the share of the samples; at least two. Only for models that limit metrics.
    """
    metrics = scene.model.budget_of(scene.recipe).metrics
    if not metrics:
        raise Unplantable("the model has no metrics")
    if all(_counts_all_events(scene, metric) for metric in metrics):
        raise Unplantable("no event is planted, so the false accepts are the same in any order")
    x = scene.candidate.evaluation.x
    order = np.arange(len(x))
    count = max(2, round(grade / 100 * len(x)))
    mixed_up = np.random.default_rng(scene.seed).permutation(len(x))[:count]
    order[mixed_up] = np.roll(mixed_up, 1)
    return scene.with_samples(x[order])


def _counts_all_events(scene: Scene, metric: Metric) -> bool:
    """Return True if each event of a detector is a false accept, whatever its recording."""
    if metric.kind is not MetricKind.FALSE_ACCEPTS or metric.detector is None:
        return False
    return not len(audio_of(scene.candidate.evaluation, metric.detector, scene.name).owners)
