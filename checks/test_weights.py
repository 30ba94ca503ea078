"""Weights: pruned ones are zero and clustered ones alike, also after quantizing."""

from litegate.measures.structure.weights import sparsity, unique_weights


def test_weights_are_sparse(candidate, budget, require):
    """At least the promised share of the weights is zero."""
    require(sparsity(candidate) >= budget.sparsity)


def test_weights_are_clustered(candidate, budget, require):
    """No layer has more different weights of one scale than the model promises."""
    require(unique_weights(candidate) <= budget.unique_weights)
