"""Plant wrong answers in models with limits on metrics; they may have no classes."""

from __future__ import annotations

import numpy as np

from litegate.measures.names import Name
from litegate.mutation.faults.fault import Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable


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
    if not scene.model.budget_of(scene.recipe).metrics:
        raise Unplantable("the model has no metrics")
    x = scene.candidate.evaluation.x
    order = np.arange(len(x))
    count = max(2, round(grade / 100 * len(x)))
    mixed_up = np.random.default_rng(scene.seed).permutation(len(x))[:count]
    order[mixed_up] = np.roll(mixed_up, 1)
    return scene.with_samples(x[order])
