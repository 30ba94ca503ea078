"""Check that the file that ships is the one that was judged."""

from litegate.measures.shipped import shipped_violations


def test_shipped_file_is_the_gated_one(candidate, shipped, vela, require):
    """The file that the project ships equals the gated file, or Vela's compilation of it."""
    require(shipped_violations(candidate, shipped, vela) <= 0)
