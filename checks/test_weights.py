"""Check that pruned weights are zero and clustered weights equal, also after quantization."""

from litegate.measures.structure.weights import sparsity, unique_weights


def test_weights_are_sparse(candidate, budget, require):
    """At least the required share of the weights is zero."""
    require(sparsity(candidate) >= budget.sparsity)


def test_weights_are_clustered(candidate, budget, require):
    """No layer has more different weights of one scale than the budget allows."""
    require(unique_weights(candidate) <= budget.unique_weights)
