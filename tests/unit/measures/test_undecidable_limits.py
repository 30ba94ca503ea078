"""Limits that a split of this size cannot decide are told, those that it can are not."""

import pytest

from litegate import Budget, Regression, per_thousand, percent, points, quanta
from litegate.core.errors import MeasurementError
from litegate.core.units import Quantity, Unit
from litegate.measures.lints.undecidable_limits import undecidable_limit_notes
from litegate.measures.statistics.proportions import FlipCounts, drop_limits, wilson
from litegate.measures.statistics.sample_sizes import unseen_limit

EVEN = {"cat": 36, "dog": 36, "ship": 36}


def told(budget, n=360, per_class=EVEN, **known):
    """The lints, each by the budget's field that it is about."""
    found = undecidable_limit_notes(budget, n, per_class, **known)
    return {sentence.partition(":")[0]: sentence for sentence in found}


def test_budget_without_limits_has_no_lints():
    """Nothing asked, nothing told; nor of limits that have nothing to do with samples."""
    assert undecidable_limit_notes(Budget(), 360, EVEN) == ()
    assert (
        undecidable_limit_notes(Budget(keras_difference=quanta(1), size_ratio=0.3), 360, EVEN) == ()
    )


@pytest.mark.parametrize(
    ("limit", "n", "lint"),
    [(0.5, 360, True), (0.74, 360, True), (0.75, 360, False), (0.5, 539, False), (0.5, 538, True)],
)
def test_tolerance_finer_than_the_split(limit, n, lint):
    """A tolerance is too fine exactly where a run without flips would not prove it."""
    none = FlipCounts(n=n, broken=0, fixed=0)
    assert (drop_limits(none)[1] > points(limit).value) is lint
    assert ("accuracy_drop" in told(Budget(accuracy_drop=points(limit)), n)) is lint
    in_errors = Budget(extra_errors=per_thousand(10 * limit))
    assert ("extra_errors" in told(in_errors, n)) is lint


@pytest.mark.parametrize(("n", "lint"), [(200, True), (538, True), (539, False)])
def test_a_limit_against_the_base_is_a_tolerance_too(n, lint):
    """The default one, half a point; more samples do not reduce the noise of training."""
    found = told(Budget(regression=Regression()), n)
    assert list(found) == (["regression.accuracy"] if lint else [])
    assert not lint or "`litegate noise` measures" in found["regression.accuracy"]


def test_tolerance_is_told_in_samples():
    """Half a point of 360 samples is 1.8 samples, and it is told how many would do."""
    sentence = told(Budget(accuracy_drop=points(0.5)))["accuracy_drop"]
    assert sentence == (
        "accuracy_drop: 0.50 points of 360 samples is 1.8 samples: even without a flip the"
        " one-sided 95 % upper limit is 0.75 points; 539 samples prove it if none flips,"
        " 3,809 nine times in ten if 1.00 % do"
    )


@pytest.mark.parametrize("limit", [0, -1])
def test_tolerance_of_nothing_is_never_proven(limit):
    """No drop at all cannot be proven by samples."""
    sentence = told(Budget(accuracy_drop=points(limit)), 10**6)["accuracy_drop"]
    assert sentence.endswith("no number of samples proves it")


@pytest.mark.parametrize(
    ("field", "n", "samples"),
    [("accuracy", 360, 360), ("keras_agreement", 360, 360), ("runtime_agreement", 10_000, 500)],
)
def test_floor_above_what_the_split_can_show(field, n, samples):
    """A floor is too high exactly where every sample right would not prove it."""
    best = 1 - unseen_limit(samples)
    assert best == pytest.approx(wilson(samples, samples)[0], abs=1e-12)
    for step, lint in ((-1e-9, False), (0, False), (1e-9, True)):
        floor = Quantity(best + step, Unit.PERCENT)
        assert (field in told(Budget(**{field: floor}), n)) is lint


def test_floor_is_told_with_what_would_do():
    """The least number of samples, where there is one."""
    sentence = told(Budget(accuracy=percent(99.5)))["accuracy"]
    assert "at least 99.50 % cannot be proven with 360 samples" in sentence
    assert "lower limit is 99.25 %; 539 samples are needed" in sentence
    assert "no number of samples can" in told(Budget(accuracy=percent(100)))["accuracy"]


@pytest.mark.parametrize(("samples", "lint"), [(59, True), (60, False), (61, False)])
def test_class_limit_finer_than_three_samples(samples, lint):
    """Five points are three samples of sixty."""
    per_class = {"cat": 100, "dog": samples}
    found = told(Budget(class_drop=points(5)), 160, per_class)
    assert ("class_drop" in found) is lint


def test_class_limit_names_the_smallest_class():
    """The class with the fewest samples, and how many more are too small."""
    per_class = {"cat": 20, "dog": 10, "ship": 400}
    sentence = told(Budget(class_drop=points(5)), 430, per_class)["class_drop"]
    assert sentence == (
        'class_drop: 5.00 points of the 10 samples of class "dog" is 0.5 samples, and below 3'
        " they flip by chance; 2 of 3 classes are as small"
    )


@pytest.mark.parametrize(("limit", "lint"), [(0.49, False), (0.5, True), (1, True)])
def test_tolerance_that_lets_the_errors_double(limit, lint):
    """At 99.5 % accuracy half a point doubles the errors."""
    budget = Budget(accuracy_drop=points(limit))
    assert ("accuracy_drop" in told(budget, 10_000, accuracy=percent(99.5).value)) is lint


def test_one_point_triples_the_errors():
    """The tolerance in extra errors for each thousand, and what it makes of the errors."""
    budget = Budget(accuracy=percent(99.5), accuracy_drop=points(1))
    assert told(budget, 10_000)["accuracy_drop"] == (
        "accuracy_drop: 1.00 points allows 10 more errors in 1,000 samples; the reference makes 5"
    )
    errors = Budget(accuracy=percent(99.5), extra_errors=per_thousand(10))
    assert told(errors, 10_000)["extra_errors"] == (
        "extra_errors: 10.0 per 1000 allows 10 more errors in 1,000 samples; the reference makes 5"
    )


def test_reference_without_errors():
    """No ratio where there is nothing to multiply."""
    budget = Budget(accuracy_drop=points(1))
    sentence = told(budget, 10_000, accuracy=1)["accuracy_drop"]
    assert sentence.endswith("10 more errors in 1,000 samples; the reference makes none")


def test_empty_split_is_an_error():
    """There is nothing to say of a split without samples."""
    with pytest.raises(MeasurementError, match="empty"):
        undecidable_limit_notes(Budget(accuracy=percent(90)), 0, {})


@pytest.mark.parametrize(
    ("per_class", "lint"),
    [({"cat": 360}, True), ({"cat": 360, "dog": 0}, True), ({"cat": 359, "dog": 1}, False)],
)
def test_a_split_of_one_class_proves_nothing(per_class, lint):
    """Whatever the limits are; one sample of another class is enough to end it."""
    sentence = told(Budget(), per_class=per_class).get("evaluation split", "")
    assert ('every sample is of class "cat"' in sentence) is lint


@pytest.mark.parametrize(
    ("per_class", "note"),
    [
        ({"cat": 1, "dog": 1}, ""),
        ({"cat": 1, "dog": 1, "ox": 0}, "1 of 3 classes have no sample, so mistakes"),
        ({"cat": 9, "dog": 9, "ox": 0, "yak": 0}, "2 of 4 classes have no sample, so mistakes"),
    ],
)
def test_classes_without_a_sample_are_named(per_class, note):
    sentence = told(Budget(), per_class=per_class).get("evaluation split", "")
    assert note in sentence
    assert ("ox" in sentence) is bool(note)


def test_agreement_with_a_base_finer_than_the_split():
    """As any other floor."""
    for floor, lint in ((99, False), (99.9, True)):
        budget = Budget(regression=Regression(agreement=percent(floor)))
        assert ("regression.agreement" in told(budget)) is lint


def test_a_limit_for_each_slice_is_worth_three_samples():
    budget = Budget(slice_drop=points(10))
    (told,) = undecidable_limit_notes(
        budget, 400, {"a": 200, "b": 200}, per_slice={"night": 29, "day": 371}
    )
    assert told.startswith('slice_drop: 10.00 points of the 29 samples of slice "night" is 2.9 sam')
    assert told.endswith("1 of 2 slices are as small")
    assert (
        undecidable_limit_notes(
            budget, 400, {"a": 200, "b": 200}, per_slice={"night": 30, "day": 370}
        )
        == ()
    )
