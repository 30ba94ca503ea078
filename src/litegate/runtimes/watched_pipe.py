"""Read and write a program's pipes, without waiting for others that hold them after its end.

A pipe is at its end only when every process that has it open has ended: a helper that the program
started may go on, and keep a reader waiting for ever.
"""

from __future__ import annotations

import io
import os
import select
from collections.abc import Callable
from typing import IO, Any, BinaryIO, cast, final

_PAUSE = 0.05
"""Seconds between two looks whether the program has ended; no delay for data, which wake it. Twenty
looks a second cost nothing, and nobody notices the delay of an end."""


@final
class WatchedPipe(io.RawIOBase):
    """A pipe that is at its end as soon as the program has ended and nothing is left to read."""

    def __init__(self, descriptor: int, is_over: Callable[[], bool]) -> None:
        """Watch an open descriptor, which is not closed here."""
        self._descriptor, self._is_over = descriptor, is_over

    @classmethod
    def of(cls, pipe: IO[bytes], is_over: Callable[[], bool]) -> BinaryIO:
        """Return a stream of a pipe that is not used otherwise; Windows cannot wait for pipes."""
        if os.name == "nt":
            return cast("BinaryIO", pipe)
        return cast("BinaryIO", cls(pipe.fileno(), is_over))

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, or fewer at the end."""
        parts, left = list[bytes](), size
        while left and (part := self._some(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        while not select.select([self._descriptor], [], [], _PAUSE)[0]:
            if self._is_over() and not select.select([self._descriptor], [], [], 0)[0]:
                return b""
        return os.read(self._descriptor, most)

    def write(self, content: Any) -> int:
        """Write all bytes. Raises BrokenPipeError after the program's end."""
        left = memoryview(content)
        while left:
            while not select.select([], [self._descriptor], [], _PAUSE)[1]:
                if self._is_over():
                    raise BrokenPipeError("the program has ended")
            # A pipe that is ready takes so many bytes without blocking.
            left = left[os.write(self._descriptor, left[: select.PIPE_BUF]) :]
        return len(content)
