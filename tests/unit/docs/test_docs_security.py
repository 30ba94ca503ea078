"""What a user must know before a store is shared stands where a store is shared."""

import pytest
from documents import PROJECT

from litegate.build.store_folder import GROUPS


@pytest.mark.parametrize(
    "page", ["docs/how-to/store.md", "docs/how-to/github_workflow.md", "SECURITY.md"]
)
def test_a_store_is_trusted_like_code(page):
    """Every kind of entry that decides a verdict is named, or the page that names it is linked."""
    text = (PROJECT / page).read_text("utf-8")
    assert "A store is trusted like code" in text
    named = all(f"`{group}`" in text for group in GROUPS)
    assert named or "store.md#a-store-is-trusted-like-code" in text
