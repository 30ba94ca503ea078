"""Plant wrong answers by feeding the candidate other samples than the reference.

A candidate that is fed a sample of another class, which it classifies correctly, is certain to be
wrong. So the number of wrong answers is exact, with real bytes and real kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy import answers
from litegate.measures.names import Name
from litegate.mutation.faults.fault import Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable, select_outputs
from litegate.runtimes.litert import Runner
from litegate.spec import Inputs, Samples, Sequences, by_input, domain_of

_NET_LOSSES = (Name.ACCURACY_DROP, Name.EXTRA_ERRORS, Name.ACCURACY_REGRESSION)
"""Measurements of correct answers lost, less those gained."""
_DIFFERENCES = (Name.REFERENCE_AGREEMENT, Name.BASE_AGREEMENT, Name.OUTPUT_ERROR)
"""Measurements that notice any changed answer, right or wrong."""
_FINITE = Name.FINITE_OUTPUTS


@fault(
    family=Family.ACCURACY,
    # 1 point is twice the loss that `Regression` allows against the base by default
    ladder=Ladder(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20, unit="points", must=1),
    noticed_by=(*_NET_LOSSES, *_DIFFERENCES, Name.KERAS_AGREEMENT),
    metrics=(OfMetric.SLICE,),
)
def wrong_answers(scene: Scene, grade: float) -> Scene:
    """The candidate answers some samples wrong that it and its reference answered right.

    The grade is the accuracy lost, in points; at least one sample.
    """
    return scene.with_samples(scene.candidate.evaluation.x[_misleading_order(scene, grade)])


# 10 %: the smallest grade that a check of digits_cnn notices (kill_matrix.md); three or four
# of the 36 samples of a class.
@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 2, 5, 10, 20, 50, 100, unit="% of a class", must=10),
    noticed_by=(Name.CLASS_DROP, Name.KERAS_AGREEMENT),
)
def collapsed_class(scene: Scene, grade: float) -> Scene:
    """One class collapses while overall accuracy barely moves.

    The grade is the share of the smallest class's samples that become wrong; at least one. As many
    wrong answers in other classes become right, or all if there are fewer.
    """
    split, correctness = scene.candidate.evaluation, _correctness(scene)
    in_class = split.y == _smallest_class(correctness)
    count = max(1, round(grade / 100 * int(in_class.sum())))
    order = np.arange(len(split.y))
    for sample in _shuffled(scene, in_class & correctness.both)[:count]:
        order[sample] = correctness.donor(sample, of_other_class=True)
    for sample in _shuffled(scene, ~in_class & ~correctness.candidate)[:count]:
        order[sample] = correctness.donor(sample, of_other_class=False)
    return scene.with_samples(split.x[order])


# 1 point: a loss of accuracy that few users would accept, and twice the tightest limit that 1,000
# samples prove; mnist_cnn notices it and digits_cnn half of it (kill_matrix.md).
@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.1, 0.5, 1, 2, 5, 20, 80, unit="points", must=1),
    noticed_by=(Name.ACCURACY, Name.ACCURACY_REGRESSION, Name.BASE_AGREEMENT),
)
def equally_wrong(scene: Scene, grade: float) -> Scene:
    """Candidate, reference and Keras are wrong on the same samples, so that they agree.

    The grade is the accuracy that each loses, in points; at least one sample. The base is sound.
    """
    order = _misleading_order(scene, grade)
    faulty = scene.with_samples(scene.candidate.evaluation.x[order])
    split, keras_outputs = faulty.candidate.evaluation, scene.candidate.keras_outputs
    if keras_outputs is not None:
        keras_outputs = select_outputs(keras_outputs, order)
    candidate = replace(faulty.candidate, keras_outputs=keras_outputs)
    reference = replace(faulty.reference, evaluation=split)
    return replace(faulty, candidate=candidate, reference=reference)


@fault(
    family=Family.ACCURACY,
    # 255 is the real mistake: 8-bit pixels that nobody divided. The accuracy floor of mnist_cnn
    # notices no smaller factor (kill_matrix.md).
    ladder=Ladder(1.02, 1.1, 1.5, 2, 5, 16, 255, unit="times", must=255),
    noticed_by=(Name.KERAS_AGREEMENT, _FINITE),
)
def samples_too_large(scene: Scene, grade: float) -> Scene:
    """The candidate is fed samples that nobody divided, such as 0-255 instead of 0-1.

    The grade is the factor by which they are too large.
    """
    return scene.with_samples(_changed_samples(scene, lambda x, _: x * grade))


# 2 times: the smallest factor that code confuses, as ranges of 0 to 1 and of -1 to 1 do; up to 255,
# a forgotten division. Both models notice 1.1 already (kill_matrix.md).
@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1.02, 1.1, 1.5, 2, 5, 16, 255, unit="times", must=2),
    noticed_by=(*_NET_LOSSES, *_DIFFERENCES, Name.KERAS_AGREEMENT),
)
def samples_too_small(scene: Scene, grade: float) -> Scene:
    """The candidate is fed samples that were divided twice, such as 0-1/255 instead of 0-1.

    The grade is the factor by which they are too small.
    """
    return scene.with_samples(_changed_samples(scene, lambda x, _: x / grade))


# 20 %: all checks but one notice it on both models (kill_matrix.md); smaller shifts are within
# what a robust network tolerates.
@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.5, 1, 2, 5, 10, 20, 50, 100, unit="% of the domain", must=20),
    noticed_by=(*_NET_LOSSES, *_DIFFERENCES, Name.KERAS_AGREEMENT, _FINITE),
)
def samples_shifted(scene: Scene, grade: float) -> Scene:
    """The candidate is fed samples whose mean was not subtracted.

    The grade is the shift upwards, in per cent of the domain's width.
    """
    return scene.with_samples(_changed_samples(scene, lambda x, width: x + grade / 100 * width))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Correctness:
    """The samples that are answered right, as bools of shape (n,), and the labels."""

    candidate: NDArray[np.bool_]
    both: NDArray[np.bool_]
    """Right by both the candidate and its reference."""
    labels: NDArray[Any]

    def donor(self, sample: int, *, of_other_class: bool) -> int:
        """Return a sample that both answer right, of the same class as `sample` or another one.

        Returns `sample` itself if there is none.
        """
        fits = self.both & ((self.labels != self.labels[sample]) == of_other_class)
        donors = np.flatnonzero(fits)
        return int(donors[sample % len(donors)]) if len(donors) else int(sample)


def _correctness(scene: Scene) -> _Correctness:
    _ = scene.labels  # raises Unplantable for a network without classes
    candidate, reference = answers(scene.candidate), answers(scene.reference)
    both = candidate.right & reference.right
    if len(np.unique(candidate.labels[both])) < 2:
        raise Unplantable("no two classes have correctly classified samples")
    return _Correctness(candidate=candidate.right, both=both, labels=candidate.labels)


def _misleading_order(scene: Scene, points: float) -> NDArray[np.intp]:
    """Return the sample to feed in place of each, so that accuracy falls by `points`."""
    correctness = _correctness(scene)
    order = np.arange(len(correctness.both))
    count = max(1, round(points / 100 * len(order)))
    for sample in _shuffled(scene, correctness.both)[:count]:
        order[sample] = correctness.donor(sample, of_other_class=True)
    return order


def _smallest_class(correctness: _Correctness) -> int:
    """Return the class with the fewest samples among those with a sample answered right."""
    classes = np.unique(correctness.labels[correctness.both])
    return int(classes[np.argmin(np.bincount(correctness.labels)[classes])])


def _shuffled(scene: Scene, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the indices of the masked samples, shuffled with the scene's seed."""
    return np.random.default_rng(scene.seed).permutation(np.flatnonzero(mask))


def _changed_samples(
    scene: Scene, change: Callable[[NDArray[Any], float], NDArray[Any]]
) -> Samples:
    """Apply `change` to the samples of every input and the width of its domain; returns float32.

    Raises Unplantable if an input takes whole numbers, such as token ids, which nobody scales.
    """
    split, changed = scene.candidate.evaluation, {}
    ports = Runner(scene.candidate.tflite, signature=scene.candidate.signature).inputs
    if any(port.takes_counts for port in ports.values()):
        raise Unplantable("an input takes whole numbers, which are not scaled or shifted")
    for name, array in by_input(split.x):
        low, high = domain_of(split.domain, name)
        changed[name] = np.asarray(change(array, high - low), np.float32)
    x: Samples = changed[""] if set(changed) == {""} else Inputs(changed)
    if isinstance(split.x, Sequences):
        return Sequences(x, split.x.starts, split.x.stops)
    return x
