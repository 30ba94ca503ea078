"""Regression: what a change may make worse of a model, held against its merge base."""

import pytest

from litegate.measures.against_base import accuracy_loss, latency_growth, lost_types, size_growth


def test_accuracy_is_not_lost(candidate, base, regression, noise, require):
    """A change costs at most the accuracy that the model allows against its base."""
    require(accuracy_loss(base, candidate, noise=noise) <= regression.accuracy)


def test_file_does_not_grow(candidate, base, regression, require):
    """A change makes the file at most so much larger as the model allows."""
    require(size_growth(base, candidate) <= regression.size)


def test_no_integer_type_is_lost(candidate, base, regression, require):
    """No tensor and no operator that was integer in the base falls back to float."""
    require(lost_types(base, candidate) <= regression.lost_types)


@pytest.mark.latency
def test_latency_does_not_grow(candidate, base, regression, gated, require):
    """A change makes one invocation at most so much slower as the model allows."""
    limit = regression.latency
    require(latency_growth(base, candidate, limit, models=gated) <= limit)
