"""Check that the file that ships is the one that was judged."""

from litegate.measures.shipped import shipped_violations


def test_shipped_file_is_the_gated_one(candidate, shipped, require):
    """The file that the project ships equals the gated file."""
    require(shipped_violations(candidate, shipped) <= 0)
