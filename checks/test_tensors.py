"""Tensors: every one has the type that its recipe promises, and no operator falls back to float."""

from litegate.measures.structure.tensors import (
    operator_violations,
    reference_violations,
    tensor_violations,
)


def test_tensors_keep_their_types(candidate, require):
    """Every tensor has the type and scale that the recipe promises for its role."""
    require(tensor_violations(candidate) <= 0)


def test_operators_are_builtin_and_integer(candidate, require):
    """No custom or Flex operator, no float island, no hybrid kernel."""
    require(operator_violations(candidate) <= 0)


def test_reference_is_really_float(reference, require):
    """What the candidate is held against is float all through."""
    require(reference_violations(reference) <= 0)
