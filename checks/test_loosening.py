"""Loosening: what a change promises less of than its base is said, and waived or not done."""

from litegate.regression.loosening import loosening


def test_model_promises_no_less_than_its_base(model, loosenings, require):
    """The model promises at least what it promised in the base."""
    require(loosening(loosenings) <= 0)


def test_project_promises_no_less_than_its_base(loosenings, require):
    """No check, setting or model promises less than in the base."""
    require(loosening(loosenings) <= 0)
