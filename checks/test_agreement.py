"""Check that the file decides as its reference and as Keras, with either set of kernels."""

from litegate.measures.accuracy.agreement import (
    agreement_with_reference,
    keras_agreement,
    keras_difference,
)
from litegate.measures.accuracy.output_error import output_error


def test_file_decides_as_its_reference(candidate, reference, budget, require):
    """The float reference and the file make the same decisions, right or wrong."""
    require(agreement_with_reference(reference, candidate) >= budget.agreement)


def test_file_answers_as_its_reference(candidate, reference, budget, require):
    """The file's outputs differ from the float reference's by a small share at most."""
    require(output_error(reference, candidate) <= budget.output_error)


def test_file_decides_as_keras(candidate, budget, require):
    """The Keras fake-quant network and the file make the same decisions."""
    require(keras_agreement(candidate) >= budget.keras_agreement)


def test_file_answers_as_keras(candidate, budget, require):
    """The file's outputs differ from the Keras network's by a few quanta at most."""
    require(keras_difference(candidate) <= budget.keras_difference)
