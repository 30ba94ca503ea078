"""Check what a change makes worse, compared with the merge base."""

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
    """The change costs at most the accuracy that the model allows."""
    require(accuracy_loss(base, candidate, noise=noise) <= regression.accuracy)


def test_metric_is_not_lost(candidate, base, metric, require):
    """The change costs at most as much of a metric as the model allows."""
    require(metric_regression(base, candidate, metric) <= metric.regression)


def test_decisions_stay(candidate, base, regression, require):
    """The file and its base decide alike on at least the required share of samples."""
    require(agreement_with_base(base, candidate) >= regression.agreement)


def test_file_does_not_grow(candidate, base, regression, require):
    """The change makes the file larger by at most what the model allows."""
    require(size_growth(base, candidate) <= regression.size)


def test_no_integer_type_is_lost(candidate, base, regression, require):
    """No tensor and no operator that is integer in the base becomes float."""
    require(lost_types(base, candidate) <= regression.lost_types)


def test_interface_stays(candidate, base, regression, require):
    """Inputs and outputs equal those of the base, apart from declared changes."""
    require(interface_changes(base, candidate, declared=regression.interface) <= 0)


def test_operators_stay(candidate, base, regression, require):
    """The change adds and removes at most the number of operators that the model allows."""
    require(operator_changes(base, candidate) <= regression.operators)


@pytest.mark.latency
def test_latency_does_not_grow(candidate, base, regression, gated, require):
    """The change makes one invocation slower by at most what the model allows."""
    limit = regression.latency
    floor = regression.latency_floor
    require(latency_growth(base, candidate, limit, floor=floor, models=gated) <= limit)
