"""No limit, check or setting is weaker than in the base, unless a waiver excuses it."""

from litegate.regression.weakening import count_weakened


def test_model_promises_no_less_than_its_base(model, weakened_limits, require):
    """The model's limits are at least as strict as in the base."""
    require(count_weakened(weakened_limits) <= 0)


def test_project_promises_no_less_than_its_base(weakened_limits, require):
    """No check, setting or model is less strict than in the base."""
    require(count_weakened(weakened_limits) <= 0)
