"""Check placement, cycles and memory on an Ethos-U, as its compiler Vela reports them."""

from litegate.measures.structure.npu import (
    npu_cycles,
    npu_dram,
    npu_off_chip_flash,
    npu_on_chip_flash,
    npu_share,
    npu_sram,
)


def test_npu_runs_its_share(candidate, vela, budget, require):
    """The NPU runs at least the share of the multiply-accumulates that the budget requires."""
    require(npu_share(candidate, vela) >= budget.npu_share)


def test_npu_cycles_stay_within_budget(candidate, vela, budget, require):
    """One invocation takes at most the cycles of the NPU that the budget allows."""
    require(npu_cycles(candidate, vela) <= budget.npu_cycles)


def test_npu_sram_stays_within_budget(candidate, vela, budget, require):
    """The compiled file needs at most the SRAM of the budget."""
    require(npu_sram(candidate, vela) <= budget.npu_sram)


def test_npu_dram_stays_within_budget(candidate, vela, budget, require):
    """The compiled file needs at most the DRAM of the budget."""
    require(npu_dram(candidate, vela) <= budget.npu_dram)


def test_npu_on_chip_flash_stays_within_budget(candidate, vela, budget, require):
    """The compiled file needs at most the on-chip flash of the budget."""
    require(npu_on_chip_flash(candidate, vela) <= budget.npu_on_chip_flash)


def test_npu_off_chip_flash_stays_within_budget(candidate, vela, budget, require):
    """The compiled file needs at most the off-chip flash of the budget."""
    require(npu_off_chip_flash(candidate, vela) <= budget.npu_off_chip_flash)
