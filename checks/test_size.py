"""Size: what is quantized must be smaller, and small enough to ship."""

from litegate import byte
from litegate.measures.structure.size import bytes_saved, compressed_size, size, size_ratio


def test_file_is_smaller_than_its_reference(candidate, reference, require):
    """A quantized file is smaller than its float reference, limit or no limit."""
    require(bytes_saved(candidate, reference) >= byte(1))


def test_size_stays_within_budget(candidate, budget, require):
    """The file is at most as large as the model promises."""
    require(size(candidate) <= budget.size)


def test_size_ratio_stays_within_budget(candidate, reference, budget, require):
    """The file is at most the promised share of its float reference."""
    require(size_ratio(candidate, reference) <= budget.size_ratio)


def test_compressed_size_stays_within_budget(candidate, budget, require):
    """What an update sends is at most as large as the model promises."""
    require(compressed_size(candidate) <= budget.compressed_size)
