"""Faults in the answers of models that have limits on metrics; they need no classes."""

from __future__ import annotations

import numpy as np

from litegate.mutation.faults.fault import Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 5, 20, 50, 100, unit="% of the samples", must=50),
    noticed_by=("output error",),
    metrics=(OfMetric.VALUE, OfMetric.LOSS, OfMetric.REGRESSION),
)
def mixed_up_answers(scene: Scene, grade: float) -> Scene:
    """The candidate answers some samples as others of them: no answer has to do with its label.

    The grade is the share of the samples, at least two. For models that promise metrics.
    """
    if not scene.model.budget_of(scene.recipe).metrics:
        raise Unplantable("the model promises no metrics")
    x = scene.candidate.evaluation.x
    order = np.arange(len(x))
    some = np.random.default_rng(scene.seed).permutation(len(x))[
        : max(2, round(grade / 100 * len(x)))
    ]
    order[some] = np.roll(some, 1)
    return scene.with_samples(x[order])
