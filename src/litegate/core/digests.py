"""Shorten digests for messages."""

from __future__ import annotations

_DIGITS = 12
"""Hexadecimal digits: 48 bits tell two files or versions apart; all 64 digits would fill the line.
Comparisons use all of them."""


def short_digest(digest: str) -> str:
    """Return the start of a SHA-256 or key, enough to recognize it in a message."""
    return digest[:_DIGITS]
