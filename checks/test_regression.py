"""Regression: what a change may make worse of a model, held against its merge base."""

import pytest

from litegate.measures.metrics import metric_regression
from litegate.measures.regression import (
    accuracy_loss,
    agreement_with_base,
    interface_changes,
    latency_growth,
    lost_types,
    operator_changes,
    size_growth,
)


def test_accuracy_is_not_lost(candidate, base, regression, noise, require):
    """A change costs at most the accuracy that the model allows against its base."""
    require(accuracy_loss(base, candidate, noise=noise) <= regression.accuracy)


def test_metric_is_not_lost(candidate, base, metric, require):
    """A change costs at most as much of a metric as the model allows against its base."""
    require(metric_regression(base, candidate, metric) <= metric.regression)


def test_decisions_stay(candidate, base, regression, require):
    """The file decides as its base does, on at least the share of samples that the model asks."""
    require(agreement_with_base(base, candidate) >= regression.agreement)


def test_file_does_not_grow(candidate, base, regression, require):
    """A change makes the file at most so much larger as the model allows."""
    require(size_growth(base, candidate) <= regression.size)


def test_no_integer_type_is_lost(candidate, base, regression, require):
    """No tensor and no operator that was integer in the base falls back to float."""
    require(lost_types(base, candidate) <= regression.lost_types)


def test_interface_stays(candidate, base, regression, require):
    """Inputs and outputs are those of the base, apart from the changes that the model declares."""
    require(interface_changes(base, candidate, declared=regression.interface) <= 0)


def test_operators_stay(candidate, base, regression, require):
    """A change brings and takes at most the number of operators that the model allows."""
    require(operator_changes(base, candidate) <= regression.operators)


@pytest.mark.latency
def test_latency_does_not_grow(candidate, base, regression, gated, require):
    """A change makes one invocation at most so much slower as the model allows."""
    limit = regression.latency
    floor = regression.latency_floor
    require(latency_growth(base, candidate, limit, floor=floor, models=gated) <= limit)
