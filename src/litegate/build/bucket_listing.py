"""List the manifests of a bucket a page at a time, to look up many keys with few requests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import final

from litegate.build.bucket import PAGE, Bucket

MOST_PAGES = 10
"""Pages of 1,000 paths that are read of one group: about a second.

In a larger bucket a key beyond them costs a request of its own."""


@final
class Listing:
    """The paths of one group of entries, as far as they were listed.

    Stores list in the order of the paths, so a path before the last listed one is decided by the
    pages up to there. Of directories of Amazon's, which have no order, nothing is decided.
    """

    def __init__(self, bucket: Bucket, group: str) -> None:
        """Remember the group; nothing is requested before the first look-up."""
        self._bucket, self._group = bucket, group
        self._pages: Iterator[list[str]] | None = None
        self._paths: set[str] = set()
        self._last, self._page_count, self._lookup_count = "", 0, 0
        self._is_complete, self._is_sorted = False, True

    def has(self, path: str) -> bool | None:
        """Return True or False if the listing decides; None if the path is beyond it.

        Reads pages as needed, but fewer than there were look-ups: a run that looks up one key
        asks for it alone. May raise BucketError.
        """
        self._lookup_count += 1
        while not self._covers(path) and self._may_read():
            self._read_page()
        if path in self._paths:
            return True
        return False if self._covers(path) else None

    def _covers(self, path: str) -> bool:
        return self._is_sorted and (self._is_complete or path <= self._last)

    def _may_read(self) -> bool:
        most = min(self._lookup_count - 1, MOST_PAGES)
        return self._is_sorted and not self._is_complete and self._page_count < most

    def _read_page(self) -> None:
        if self._pages is None:
            self._pages = self._bucket.pages(self._group)
        page = next(self._pages, [])
        self._page_count += 1
        self._is_complete = len(page) < PAGE
        self._is_sorted = all(before < after for before, after in pairwise([self._last, *page]))
        self._paths.update(page)
        self._last = page[-1] if page else self._last
