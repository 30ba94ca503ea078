"""Measure mean average precision: which classes are judged, and the facts about the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.escaping import listed
from litegate.core.units import text
from litegate.measures.metrics.average_precision import average_precision
from litegate.measures.metrics.box_matching import ClassMatches, matched_classes
from litegate.measures.statistics.bootstrap import Counts, Real
from litegate.spec import Artifact
from litegate.spec.metric import Metric

MIN_BOXES = 20
"""Fewest labelled boxes of a class that is judged: of fewer, each changes its precision by more
than five points, and resamples without the class are no longer rare."""


def precision_function(
    artifact: Artifact, metric: Metric, images: NDArray[np.intp]
) -> Callable[[Counts], Real]:
    """Return a function from counts of these images, (r, n), to values, (r, classes).

    A class with fewer than `MIN_BOXES` boxes in the images has the value NaN. Raises
    MeasurementError if no class has more, and as `matched_classes`.
    """
    classes = [matches.select(images) for matches in matched_classes(artifact, metric)]
    if not any(map(_is_judged, classes)):
        most = max((int(matches.boxes.sum()) for matches in classes), default=0)
        raise MeasurementError(
            f"there are too few boxes to judge the metric {metric.name}",
            expected=f"at least {MIN_BOXES} labelled boxes of a class",
            got=f"at most {most} of any class, in {len(images):,} images",
        )
    return lambda counts: np.stack(
        [
            average_precision(matches, counts, metric.kind)
            if _is_judged(matches)
            else np.full(len(counts), np.nan)
            for matches in classes
        ],
        axis=1,
    )


def judged_classes(artifact: Artifact, metric: Metric) -> dict[str, int]:
    """Return the numbers of the classes with enough boxes to be judged, by name."""
    classes = matched_classes(artifact, metric)
    names = class_names(artifact, len(classes))
    return {
        name: number
        for number, (name, matches) in enumerate(zip(names, classes, strict=True))
        if _is_judged(matches)
    }


def class_names(artifact: Artifact, count: int) -> Sequence[str]:
    """Return the names of the classes, or their numbers if the data set names none."""
    return artifact.evaluation.classes or [str(number) for number in range(count)]


def box_notes(artifact: Artifact, metric: Metric) -> tuple[str, ...]:
    """Return facts about the boxes of a split, and the precision of classes with too few."""
    if not metric.is_of_boxes:
        return ()
    classes = matched_classes(artifact, metric)
    names, boxes = class_names(artifact, len(classes)), [int(m.boxes.sum()) for m in classes]
    labelled = sum(count > 0 for count in boxes)
    total = f"{sum(boxes):,} boxes of {labelled:,} {'class' if labelled == 1 else 'classes'}"
    few = [number for number, count in enumerate(boxes) if 0 < count < MIN_BOXES]
    if not few or metric.of is not None:
        return (total,)
    once = np.ones((1, len(artifact.evaluation.x)))
    values = [float(average_precision(it, once, metric.kind)[0]) for it in classes]
    facts = [
        f"{names[number]} {text(values[number], metric.unit())} ({boxes[number]})" for number in few
    ]
    everything = text(float(np.nanmean(values)), metric.unit())
    unjudged = f"not judged, with fewer than {MIN_BOXES} boxes: {listed(facts)}"
    return total, f"{unjudged}; mean over all classes: {everything}"


def _is_judged(matches: ClassMatches) -> bool:
    return bool(matches.boxes.sum() >= MIN_BOXES)
