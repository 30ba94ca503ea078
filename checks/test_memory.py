"""Check what a microcontroller computes and stores; no machine that runs the gate matters."""

from litegate.measures.structure.arena import arena
from litegate.measures.structure.macs import macs
from litegate.measures.structure.target import target_violations


def test_macs_stay_within_budget(candidate, budget, require):
    """One invocation needs at most the multiply-accumulates of the budget."""
    require(macs(candidate) <= budget.macs)


def test_arena_stays_within_budget(candidate, budget, require):
    """One invocation needs at most the memory of the budget."""
    require(arena(candidate) <= budget.arena)


def test_target_takes_every_operator(candidate, target, require):
    """The target's runtime or accelerator supports every operator."""
    require(target_violations(candidate, target) <= 0)
