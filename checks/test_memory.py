"""Memory: what a microcontroller has to do and to hold, whatever machine runs this gate."""

from litegate.measures.structure.arena import arena
from litegate.measures.structure.macs import macs
from litegate.measures.structure.target import target_violations


def test_macs_stay_within_budget(candidate, budget, require):
    """One invocation multiplies and accumulates at most as often as the model promises."""
    require(macs(candidate) <= budget.macs)


def test_arena_stays_within_budget(candidate, budget, require):
    """The activations need at most the memory that the model promises."""
    require(arena(candidate) <= budget.arena)


def test_target_takes_every_operator(candidate, target, require):
    """The promised runtime or accelerator takes every operator as it is."""
    require(target_violations(candidate, target) <= 0)
