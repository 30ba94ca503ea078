"""Download a file, with a limit on the time without data: a hanging network counts as offline."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path

from litegate.core.errors import DataUnavailable

PATIENCE = 10.0
"""Seconds without a byte, name lookup included, after which the network counts as offline.

A slow server needs a few of them for its first byte; where a firewall drops packets silently, a run
waits all of them before it reports the model as not gated.
"""
_CHUNK = 1 << 16
"""Bytes that are read at once.

With the queue's 64 places they bound the memory to 4 MiB if the disk is slower than the network.
The wait for a full chunk counts against the patience: larger ones would fail slow connections.
"""


def download(url: str, target: Path, *, patience: float = PATIENCE) -> Path:
    """Download `url` to `target`, which appears only when it is complete.

    Raises DataUnavailable if no byte arrives for `patience` seconds, or the server refuses.
    """
    # urlopen's timeout does not cover the name lookup, so a thread reads and this one waits.
    chunks: queue.Queue[bytes | Exception] = queue.Queue(maxsize=64)
    threading.Thread(target=_read, args=(url, chunks, patience), daemon=True).start()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            while chunk := _next(chunks, url, patience):
                file.write(chunk)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _read(url: str, chunks: queue.Queue[bytes | Exception], patience: float) -> None:
    import urllib.request  # late: it takes 44 ms to import, and only a download needs it

    try:
        with urllib.request.urlopen(url, timeout=patience) as response:  # noqa: S310 caller's URL
            while chunk := response.read(_CHUNK):
                chunks.put(chunk)
            chunks.put(b"")
    except Exception as error:  # noqa: BLE001 passed to the waiting thread
        chunks.put(error)


def _next(chunks: queue.Queue[bytes | Exception], url: str, patience: float) -> bytes:
    try:
        chunk = chunks.get(timeout=patience)
    except queue.Empty:
        raise DataUnavailable(f"no response from {url} for {patience:g} s") from None
    if isinstance(chunk, Exception):
        raise DataUnavailable(f"{url} could not be downloaded: {chunk}") from chunk
    return chunk
