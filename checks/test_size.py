"""Check that a quantized file is smaller, and small enough to ship."""

from litegate import byte
from litegate.measures.structure.size import bytes_saved, compressed_size, size, size_ratio


def test_file_is_smaller_than_its_reference(candidate, reference, require):
    """The quantized file is smaller than its float reference."""
    require(bytes_saved(candidate, reference) >= byte(1))


def test_size_stays_within_budget(candidate, budget, require):
    """The file is at most as large as the budget allows."""
    require(size(candidate) <= budget.size)


def test_size_ratio_stays_within_budget(candidate, reference, budget, require):
    """The file is at most the allowed share of its float reference's size."""
    require(size_ratio(candidate, reference) <= budget.size_ratio)


def test_compressed_size_stays_within_budget(candidate, budget, require):
    """The compressed file, as an update sends it, is at most as large as the budget allows."""
    require(compressed_size(candidate) <= budget.compressed_size)
