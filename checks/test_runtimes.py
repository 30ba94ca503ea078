"""Runtimes: what ships decides on the runtime that it ships to, not on the one that is at hand."""

from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.runtimes import runtime_violations


def test_runtime_takes_the_file(candidate, runtime, require):
    """Each further runtime that the model names loads the file and runs it."""
    require(runtime_violations(candidate) <= 0)


def test_runtimes_decide_alike(candidate, runtime, budget, stopping_checks, require):
    """Reference kernels, and each further runtime of the model, decide as XNNPACK does."""
    limit = budget.runtime_agreement
    require(runtime_agreement(candidate, limit, checks=stopping_checks) >= limit)
