"""Shipped: what goes out is what was judged."""

from litegate.measures.shipped import shipped_violations


def test_shipped_file_is_the_gated_one(candidate, shipped, require):
    """The file that the project ships holds the gated bytes."""
    require(shipped_violations(candidate, shipped) <= 0)
