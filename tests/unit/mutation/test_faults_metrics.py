"""Faults that need no classes, and which promises of metrics a proof must see guarded."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import scene

from litegate import Budget, metrics
from litegate.core.errors import LitegateError
from litegate.measures.metrics import metric_loss, metric_regression, metric_value
from litegate.mutation.expected_checks import expected_checks, measurements_for
from litegate.mutation.faults import OfMetric, Unplantable, accuracy, behaviour, plumbing
from litegate.mutation.faults.metrics import mixed_up_answers
from litegate.mutation.survivors import survivors

F1 = metrics.f1(least=0.9, loss=0.05, class_loss=0.1, regression=0.05)
JUDGED = Budget(metrics=(F1,))
NAMES = ("f1", "f1 drop", "worst class's f1 drop", "f1 regression")


def test_the_share_of_samples_is_exact_and_nothing_else_moves():
    sound = scene(budget=JUDGED)
    planted = mixed_up_answers(sound, 20)
    moved = (planted.candidate.evaluation.x != sound.candidate.evaluation.x).any(axis=(1, 2, 3))
    assert moved.sum() == 40
    np.testing.assert_array_equal(planted.candidate.evaluation.y, sound.candidate.evaluation.y)
    np.testing.assert_array_equal(planted.reference.evaluation.x, sound.reference.evaluation.x)


@pytest.mark.parametrize("grade", [50, 100])
def test_every_measurement_of_a_metric_notices_what_must_be_noticed(grade):
    planted = mixed_up_answers(scene(budget=JUDGED), grade)
    assert metric_value(planted.candidate, F1).value < 0.9
    assert metric_loss(planted.reference, planted.candidate, F1).value > 0.05
    assert metric_regression(planted.base, planted.candidate, F1).value > 0.05


def test_a_model_without_metrics_is_not_planted_in():
    with pytest.raises(Unplantable, match="has no metrics"):
        mixed_up_answers(scene(), 50)


def test_a_network_that_does_not_choose_has_no_faults_of_classes():
    """The proof says so, rather than failing."""
    sound = scene(budget=JUDGED)
    split = replace(sound.candidate.evaluation, classes=())
    sound = replace(sound, candidate=replace(sound.candidate, evaluation=split))
    with pytest.raises(Unplantable, match="is not a classifier"):
        accuracy.wrong_answers(sound, 5)


def test_each_limit_of_a_metric_is_a_promise():
    known = expected_checks(scene(budget=JUDGED))
    assert {name for name in known if "f1" in name} == {*NAMES, "f1 regression since the anchor"}
    assert all(known[name].applies_to(scene(budget=JUDGED)) for name in NAMES)
    assert not known["f1 regression since the anchor"].applies_to(scene(budget=JUDGED))
    assert "checks/test_metrics.py" in known["f1 drop"].suggestion
    assert "checks/test_regression.py" in known["f1 regression"].suggestion


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (mixed_up_answers, NAMES),
        (behaviour.nan_answers, NAMES),
        (plumbing.no_base, NAMES[3:]),
        (plumbing.nan_sample, NAMES[:3]),
        (plumbing.nan_reference, NAMES[1:3]),
        (accuracy.wrong_answers, ()),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_fault_is_meant_for_the_metrics_that_are_promised(fault, names):
    mine = [name for name in measurements_for(fault, scene(budget=JUDGED)) if "f1" in name]
    assert [name for name in mine if "anchor" not in name] == list(names)


@pytest.mark.parametrize(
    "fault",
    [plumbing.no_samples, plumbing.one_sample, plumbing.nan_sample, plumbing.nan_reference],
    ids=lambda fault: fault.name,
)
def test_what_cannot_be_measured_is_an_error(fault):
    planted = fault(scene(budget=JUDGED), 1)
    with pytest.raises(LitegateError):
        metric_loss(planted.reference, planted.candidate, F1)
    if OfMetric.VALUE in fault.metrics:
        with pytest.raises(LitegateError):
            metric_value(planted.candidate, F1)


def test_a_promise_of_a_metric_that_no_check_takes_survives():
    from litegate.mutation.grades import FaultRun

    fault = mixed_up_answers
    run = FaultRun(fault=fault, results={fault.ladder.top: {}})
    found = {one.what: one for one in survivors(scene(budget=JUDGED), [run], {}, {})}
    assert set(NAMES) <= found.keys()
    assert found["f1"].sentence == "no check measures the f1"
    assert "metric_value(candidate, metric) >= metric.least" in found["f1"].remedy
