"""Agreement: the file decides as the network that was trained, on either set of kernels."""

from litegate.measures.agreement import keras_agreement, keras_difference, kernel_agreement


def test_file_decides_as_keras(candidate, budget, require):
    """The Keras fake-quant network and the file decide alike."""
    require(keras_agreement(candidate) >= budget.keras_agreement)


def test_file_answers_as_keras(candidate, budget, require):
    """Their outputs differ by a few quanta at most."""
    require(keras_difference(candidate) <= budget.keras_difference)


def test_kernels_decide_alike(candidate, budget, require):
    """Optimized kernels and reference kernels decide alike."""
    require(kernel_agreement(candidate) >= budget.kernel_agreement)
