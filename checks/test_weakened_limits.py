"""No limit, check or setting is weaker than in the base, unless a waiver excuses it."""

from litegate.regression.weakening import count_weakened


def test_model_promises_no_less_than_its_base(model, weakened_limits, require):
    """The model promises at least what it promised in the base."""
    require(count_weakened(weakened_limits) <= 0)


def test_project_promises_no_less_than_its_base(weakened_limits, require):
    """No check, setting or model promises less than in the base."""
    require(count_weakened(weakened_limits) <= 0)
