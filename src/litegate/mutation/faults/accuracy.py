"""Faults in what a candidate answers, planted in the comparison: it is fed other samples.

A candidate that is fed a sample of another class, one that it knows well, is wrong for certain: so
the number of wrong answers is exact, on the real bytes and the real kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy import answers
from litegate.mutation.faults.fault import Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable, picked
from litegate.runtimes.litert import Runner
from litegate.spec import Inputs, Samples, by_input, domain_of

_NETS = ("accuracy drop", "number of extra errors", "accuracy lost against the base")
"""The measurements that count net losses."""
_OTHER = ("agreement with the reference", "agreement with the base", "output error")
"""The measurements that notice other answers, right or wrong."""
_FINITE = "number of counterexamples to finite outputs"


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20, unit="points", must=1),
    noticed_by=(*_NETS, *_OTHER, "agreement with Keras"),
    metrics=(OfMetric.SLICE,),
)
def wrong_answers(scene: Scene, grade: float) -> Scene:
    """The candidate answers some samples wrong that it and its reference answered right.

    The grade is the accuracy that this costs, in points; at least one sample.
    """
    return scene.with_samples(scene.candidate.evaluation.x[_misled(scene, grade)])


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 2, 5, 10, 20, 50, 100, unit="% of a class", must=10),
    noticed_by=("worst class's accuracy drop", "agreement with Keras"),
)
def collapsed_class(scene: Scene, grade: float) -> Scene:
    """One class collapses while overall accuracy barely moves.

    The smallest class loses the share of its samples that the grade says, at least one. As many
    wrong answers in other classes become right, or all that there are.
    """
    split, marks = scene.candidate.evaluation, _marks(scene)
    mine = split.y == _smallest(marks)
    lost = max(1, round(grade / 100 * int(mine.sum())))
    order = np.arange(len(split.y))
    for one in _drawn(scene, mine & marks.both)[:lost]:
        order[one] = marks.donor(one, other=True)
    for one in _drawn(scene, ~mine & ~marks.candidate)[:lost]:
        order[one] = marks.donor(one, other=False)
    return scene.with_samples(split.x[order])


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.1, 0.5, 1, 2, 5, 20, 80, unit="points", must=1),
    noticed_by=("accuracy", "accuracy lost against the base", "agreement with the base"),
)
def equally_wrong(scene: Scene, grade: float) -> Scene:
    """Candidate, reference and Keras are wrong on the same samples, so that they agree.

    The grade is the accuracy that each loses, in points; at least one sample. The base is sound.
    """
    order = _misled(scene, grade)
    fed = scene.with_samples(scene.candidate.evaluation.x[order])
    split, keras = fed.candidate.evaluation, scene.candidate.keras_outputs
    candidate = replace(
        fed.candidate, keras_outputs=None if keras is None else picked(keras, order)
    )
    return replace(fed, candidate=candidate, reference=replace(fed.reference, evaluation=split))


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1.02, 1.1, 1.5, 2, 5, 16, 255, unit="times", must=255),
    noticed_by=("agreement with Keras", _FINITE),
)
def samples_too_large(scene: Scene, grade: float) -> Scene:
    """The candidate is fed samples that nobody divided, such as 0-255 in place of 0-1.

    The grade is how many times too large they are.
    """
    return scene.with_samples(_changed(scene, lambda x, _: x * grade))


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1.02, 1.1, 1.5, 2, 5, 16, 255, unit="times", must=2),
    noticed_by=(*_NETS, *_OTHER, "agreement with Keras"),
)
def samples_too_small(scene: Scene, grade: float) -> Scene:
    """The candidate is fed samples that were divided twice, such as 0-1/255 in place of 0-1.

    The grade is how many times too small they are.
    """
    return scene.with_samples(_changed(scene, lambda x, _: x / grade))


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.5, 1, 2, 5, 10, 20, 50, 100, unit="% of the domain", must=20),
    noticed_by=(*_NETS, *_OTHER, "agreement with Keras", _FINITE),
)
def samples_shifted(scene: Scene, grade: float) -> Scene:
    """The candidate is fed samples whose mean is shifted, as where nobody subtracted it.

    The grade is the shift upwards, in per cent of the domain's width.
    """
    return scene.with_samples(_changed(scene, lambda x, width: x + grade / 100 * width))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Marks:
    """What was answered right: bools of shape (n,), and the labels."""

    candidate: NDArray[np.bool_]
    both: NDArray[np.bool_]
    """By the candidate and its reference."""
    labels: NDArray[Any]

    def donor(self, one: int, *, other: bool) -> int:
        """A sample that both answer right, of another class than sample `one` or of the same."""
        fit = self.both & ((self.labels != self.labels[one]) == other)
        found = np.flatnonzero(fit)
        return int(found[one % len(found)]) if len(found) else int(one)


def _marks(scene: Scene) -> _Marks:
    _ = scene.labels
    mine, its = answers(scene.candidate), answers(scene.reference)
    both = mine.right & its.right
    if len(np.unique(mine.labels[both])) < 2:
        raise Unplantable("there are no samples of two classes that are answered right")
    return _Marks(candidate=mine.right, both=both, labels=mine.labels)


def _misled(scene: Scene, points: float) -> NDArray[np.intp]:
    """Which sample to feed in place of each, so that accuracy falls by so many points."""
    marks = _marks(scene)
    order = np.arange(len(marks.both))
    for one in _drawn(scene, marks.both)[: max(1, round(points / 100 * len(order)))]:
        order[one] = marks.donor(one, other=True)
    return order


def _smallest(marks: _Marks) -> int:
    """The class with the fewest samples, of those that have one answered right."""
    known = np.unique(marks.labels[marks.both])
    return int(known[np.argmin(np.bincount(marks.labels)[known])])


def _drawn(scene: Scene, fit: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The samples that fit, in an order drawn by the scene's seed."""
    return np.random.default_rng(scene.seed).permutation(np.flatnonzero(fit))


def _changed(scene: Scene, change: Callable[[NDArray[Any], float], NDArray[Any]]) -> Samples:
    """The samples with every input changed, float32; `change` is told the domain's width.

    Unplantable where an input takes whole numbers, such as token ids, which nobody scales.
    """
    split, made = scene.candidate.evaluation, {}
    takes = Runner(scene.candidate.tflite, signature=scene.candidate.signature).inputs
    if any(port.counts for port in takes.values()):
        raise Unplantable("an input takes whole numbers as they are, which nobody scales or shifts")
    for name, array in by_input(split.x):
        low, high = domain_of(split.domain, name)
        made[name] = np.asarray(change(array, high - low), np.float32)
    return made[""] if set(made) == {""} else Inputs(made)
