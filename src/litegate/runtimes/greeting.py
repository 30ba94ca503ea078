"""LiteRT greets on stderr when it loads its first file; nobody needs to read that."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_GREETING = re.compile(rb"^INFO: Created .* delegate for CPU")
_GREETED: list[bytes] = []
"""The line, once it was written."""


@contextmanager
def without_greeting() -> Iterator[None]:
    """Keep LiteRT's one line about its delegate off stderr; all else that it writes goes there.

    It writes that line once in a process, when it loads its first file with the delegate.
    """
    kept = None if _GREETED else _duplicate(_STDERR)
    if kept is None:
        yield
        return
    with tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if _GREETING.search(line):
                    _GREETED.append(line)
                else:
                    os.write(_STDERR, line)


def _duplicate(descriptor: int) -> int | None:
    """Another descriptor of the same file; None where it is closed."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None
