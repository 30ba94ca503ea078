"""Check that every tensor has the type of its recipe, and that no operator falls back to float."""

from litegate.measures.structure.tensors import (
    operator_violations,
    reference_violations,
    tensor_violations,
)


def test_tensors_keep_their_types(candidate, require):
    """Every tensor has the type and scale that the recipe requires of its role."""
    require(tensor_violations(candidate) <= 0)


def test_operators_are_builtin_and_integer(candidate, require):
    """The file has no custom or Flex operator, no float island and no hybrid kernel."""
    require(operator_violations(candidate) <= 0)


def test_reference_is_really_float(reference, require):
    """The float reference contains no quantized tensor or operator."""
    require(reference_violations(reference) <= 0)
