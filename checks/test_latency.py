"""Check latency: one sample, one thread, the median; run last and never beside other checks."""

import pytest

from litegate.measures.latency import latency, latency_ratio, real_time_factor

pytestmark = pytest.mark.latency


def test_latency_stays_within_budget(candidate, budget, benchmark, require):
    """The median time of one invocation is within the budget."""
    require(latency(candidate, benchmark, budget.latency) <= budget.latency)


def test_latency_stays_near_its_reference(candidate, reference, budget, gated, require):
    """One invocation takes at most the allowed multiple of the float reference's time."""
    limit = budget.latency_ratio
    require(latency_ratio(candidate, reference, limit, models=gated) <= limit)


def test_frames_keep_up_with_real_time(candidate, budget, benchmark, require):
    """One frame takes at most the allowed share of its period, with the state carried on."""
    limit = budget.real_time_factor
    require(real_time_factor(candidate, benchmark, limit) <= limit)
