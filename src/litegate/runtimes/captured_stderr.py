"""Capture what C++ code writes to stderr."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STDERR = 2
"""The descriptor that C++ code writes to; `sys.stderr` may be another one under pytest."""


@contextmanager
def captured_stderr() -> Iterator[Callable[[], bytes]]:
    """Capture stderr's descriptor; the function that it gives returns all that was written.

    Captures nothing if the descriptor is closed.
    """
    original = _duplicate(STDERR)
    if original is None:
        yield lambda: b""
        return
    with tempfile.TemporaryFile() as captured:
        sys.stderr.flush()
        os.dup2(captured.fileno(), STDERR)

        def read() -> bytes:
            captured.seek(0)
            return captured.read()

        try:
            yield read
        finally:
            os.dup2(original, STDERR)
            os.close(original)


def _duplicate(descriptor: int) -> int | None:
    """Duplicate a file descriptor; return None if it is closed."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None
