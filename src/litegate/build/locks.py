"""Lock files that several processes share, each naming the process that holds it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from litegate.build.objects import store_error
from litegate.core.errors import StoreError

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_TIMEOUT = 3600.0
"""Seconds to wait for a lock: the holder may be training a network."""
NOTICE_AFTER = 3.0
"""Seconds of silent waiting: storing the files of an entry takes less."""


def wait_for(
    path: Path, timeout: float, on_wait: Callable[[], None], on_notice: Callable[[str], None]
) -> BaseFileLock:
    """Acquire a lock, and release it by its `release`.

    `on_wait` is called at once if another process holds it, and `on_notice` with the holder after
    a few seconds. Raises StoreError if the lock is not free within `timeout` seconds.
    """
    lock = acquire(path, 0)
    if lock is None:
        on_wait()
        lock = acquire(path, min(NOTICE_AFTER, timeout))
    if lock is None and timeout > NOTICE_AFTER:
        on_notice(f"waiting for {path}: {holder(path)} holds the lock")
        lock = acquire(path, timeout - NOTICE_AFTER)
    if lock is None:
        raise StoreError(
            f"the lock {path} was not free within {timeout:g} s",
            got=f"{holder(path)} holds it",
            remedy="wait for that process, end it, or raise --litegate-lock-timeout",
        )
    return lock


def acquire(path: Path, timeout: float) -> BaseFileLock | None:
    """Return the lock; None if another process holds it for `timeout` seconds.

    Raises StoreError if the file cannot be locked.
    """
    # Late: a run that finds everything in the store takes no lock.
    from filelock import FileLock, Timeout

    try:
        descriptor = _open(path)
        try:
            _demand_flock(path, descriptor)
            # Its mode, because some versions of filelock set another one.
            lock = FileLock(path, mode=stat.S_IMODE(os.fstat(descriptor).st_mode))
            lock.acquire(timeout=timeout)
            _write_holder(descriptor)
        finally:
            os.close(descriptor)
    except Timeout:
        return None
    except OSError as error:
        raise store_error("lock", path, error) from error
    return lock


def holder(path: Path) -> str:
    """Describe the process that holds a lock, as its file says."""
    with suppress(OSError, ValueError):
        host, pid = path.read_text("utf-8").split()
        return f"process {int(pid)} on {host}"
    return "another process"


def _open(path: Path) -> int:
    """Open or create the file; a link is refused, since the holder is written into the file."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    # As `open` does: the umask takes away what the user denies to others.
    return os.open(path, flags, 0o666)


def _demand_flock(path: Path, descriptor: int) -> None:
    """Raise StoreError if the file system has no flock.

    filelock would take the existence of a file for the lock instead, and wait without end for the
    files that a flock leaves.
    """
    try:
        import fcntl
    except ImportError:  # Windows has locks of another kind
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # changes nothing: this descriptor has no lock
    except OSError as error:
        raise StoreError(
            f"the store cannot lock {path}",
            got=f"flock: {error.strerror or error}",
            remedy="choose a folder on a local disk: --litegate-store DIR, or LITEGATE_STORE",
        ) from error


def _write_holder(descriptor: int) -> None:
    """Write host and process id, for those that wait; a full disk must not prevent the lock."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode())
