"""Fetch one file within a bounded time: a network that hangs is as good as none."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path

from litegate.core.errors import DataUnavailable

PATIENCE = 10.0
"""Seconds without a byte, name look-up included, after which the network counts as missing."""
_CHUNK = 1 << 16


def download(url: str, target: Path, *, patience: float = PATIENCE) -> Path:
    """Fetch `url` into `target`, which appears only when it is whole.

    Raises DataUnavailable where no byte comes for `patience` seconds, or the server refuses.
    """
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
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=patience) as answer:  # noqa: S310 the caller's URL
            while chunk := answer.read(_CHUNK):
                chunks.put(chunk)
            chunks.put(b"")
    except Exception as error:  # noqa: BLE001 handed to the waiting thread
        chunks.put(error)


def _next(chunks: queue.Queue[bytes | Exception], url: str, patience: float) -> bytes:
    try:
        got = chunks.get(timeout=patience)
    except queue.Empty:
        raise DataUnavailable(f"no answer from {url} for {patience:g} s") from None
    if isinstance(got, Exception):
        raise DataUnavailable(f"{url} could not be downloaded: {got}") from got
    return got
