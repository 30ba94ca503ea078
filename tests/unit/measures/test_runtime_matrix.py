"""The matrix of runtimes: measured from answers at hand, else the values of verdicts."""

from dataclasses import replace

import pytest

from litegate import Budget
from litegate.measures.accuracy import accuracy, accuracy_drop
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.runtime_matrix import runtime_rows
from litegate.runtimes.inference import predict
from litegate.spec import Kind
from litegate.testing import artifact, evaluation, tiny

BOTH = Budget(runtimes=("xnnpack", "reference"))
JUDGED = (
    {"measurement": "accuracy", "value": 0.5},
    {"measurement": "accuracy on reference", "value": 0.25},
    {"measurement": "accuracy drop on reference", "value": 0.125},
)


def pair(n=60):
    split = evaluation(n)
    return artifact(tiny(), split=split), artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=split)


def test_each_runtime_is_measured_as_the_checks_measure_it():
    candidate, reference = pair()
    for it in (candidate, reference):
        predict(it)
        predict(replace(it, runtime="reference"))
    here, there = runtime_rows(candidate, reference, BOTH, JUDGED)
    assert (here["runtime"], here["agreement"]) == ("xnnpack", None)
    elsewhere = replace(candidate, runtime="reference")
    drop = accuracy_drop(replace(reference, runtime="reference"), elsewhere)
    assert there == {
        "model": "tiny",
        "recipe": "int8_qat",
        "runtime": "reference",
        "samples": 60,
        "accuracy": accuracy(elsewhere).value,
        "drop": drop.value,
        "broken": there["broken"],
        "fixed": there["fixed"],
        "agreement": runtime_agreement(elsewhere, most=60).value,
    }
    assert (there["broken"] - there["fixed"]) / 60 == pytest.approx(float(drop.value))
    assert here["accuracy"] == accuracy(candidate).value


def test_answers_that_are_not_at_hand_are_never_computed(monkeypatch):
    candidate, reference = pair(61)  # which no other test has run
    monkeypatch.setattr("litegate.runtimes.inference._evaluate", None)
    here, there = runtime_rows(candidate, reference, BOTH, JUDGED)
    assert (here["accuracy"], here["drop"]) == (0.5, None)
    assert (there["accuracy"], there["drop"], there["agreement"]) == (0.25, 0.125, None)
    assert (there["broken"], there["fixed"]) == (None, None)


def test_one_runtime_is_no_matrix():
    """As where the other one was left out, or is not installed."""
    candidate, reference = pair()
    assert runtime_rows(candidate, reference, BOTH, JUDGED[:1]) == []
    assert runtime_rows(candidate, reference, Budget(), JUDGED) == []


def test_network_that_does_not_classify_has_no_matrix_of_empty_cells():
    candidate, reference = (
        replace(it, evaluation=replace(it.evaluation, y=None, classes=())) for it in pair(62)
    )
    judged = ({"measurement": "output error on reference", "value": 0.1},)
    assert runtime_rows(candidate, reference, BOTH, judged) == []
