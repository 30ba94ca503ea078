"""Check accuracy, and what quantization costs of it."""

from litegate.measures.accuracy import accuracy, accuracy_drop, class_drop, extra_errors, slice_drop
from litegate.measures.accuracy.leaks import leaked_samples


def test_accuracy_reaches_its_floor(candidate, budget, stopping_checks, require):
    """The file that would ship reaches the accuracy of the budget."""
    limit = budget.accuracy
    require(accuracy(candidate, limit, checks=stopping_checks) >= limit)


def test_accuracy_stays_within_tolerance(candidate, reference, budget, stopping_checks, require):
    """Quantization costs at most the accuracy that the budget allows."""
    limit = budget.accuracy_drop
    require(accuracy_drop(reference, candidate, limit, checks=stopping_checks) <= limit)


def test_errors_stay_within_tolerance(candidate, reference, budget, stopping_checks, require):
    """Quantization adds at most the wrong answers per thousand that the budget allows."""
    limit = budget.extra_errors
    require(extra_errors(reference, candidate, limit, checks=stopping_checks) <= limit)


def test_no_class_collapses(candidate, reference, budget, require):
    """Quantization costs no single class more accuracy than the budget allows."""
    require(class_drop(reference, candidate) <= budget.class_drop)


def test_no_slice_collapses(candidate, reference, budget, require):
    """Quantization costs no slice of the samples more accuracy than the budget allows."""
    require(slice_drop(reference, candidate) <= budget.slice_drop)


def test_samples_are_not_in_the_training_split(candidate, budget, require):
    """No more evaluation samples than the budget allows are also in the training split."""
    require(leaked_samples(candidate) <= budget.leaked_samples)
