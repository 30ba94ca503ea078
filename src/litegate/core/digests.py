"""Digest values, and shorten digests for messages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_DIGITS = 12
"""Hexadecimal digits: 48 bits tell two files or versions apart; all 64 digits would fill the line.
Comparisons use all of them."""


def short_digest(digest: str) -> str:
    """Return the start of a SHA-256 or key, enough to recognize it in a message."""
    return digest[:_DIGITS]


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file's bytes; empty without a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
