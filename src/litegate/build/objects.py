"""Store immutable files under the SHA-256 of their bytes, and verify every read.

A file is written under a temporary name and then moved into place, so a process that is killed at
any moment leaves either the complete file or nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

from litegate.core.errors import StoreCorrupt, StoreError
from litegate.core.files import open_new

DIGEST = re.compile(r"[0-9a-f]{64}")
_LINK_ABOVE = 64 << 20
"""Staged files above this size in bytes are hard-linked: a copy costs seconds and disk space.

Smaller ones are copied all the same: a copy cannot be damaged through its staged file, and 64 MiB
take a slow disk less than a second.
"""


@final
class Objects:
    """Reads and writes the files below ``objects/`` of a store."""

    def __init__(self, root: Path) -> None:
        """Remember the store's folder; nothing is created before the first write."""
        self.root = root

    def path_of(self, digest: str) -> Path:
        """Return the path of an object, present or not. Raises StoreCorrupt for a non-digest."""
        if not DIGEST.fullmatch(digest):
            raise StoreCorrupt(f"a manifest names {digest!r}, which is not a digest")
        return self.root / "objects" / digest[:2] / digest

    def read(self, digest: str) -> bytes:
        """Read an object. Raises StoreCorrupt if it is missing or damaged."""
        path = self.path_of(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from the store") from None
        check_digest(digest, hashlib.sha256(data).hexdigest(), path)
        return data

    def verified_path(self, digest: str) -> Path:
        """Verify an object without loading it into memory; return its path. Raises as `read`."""
        path = self.path_of(digest)
        try:
            actual_digest = file_digest(path)
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from the store") from None
        check_digest(digest, actual_digest, path)
        return path

    def paths(self) -> Iterator[Path]:
        """Yield the objects: regular files with digest names, in folders that are no links."""
        for folder in folder_entries(self.root / "objects"):
            if folder.is_dir(follow_symlinks=False):
                for file in folder_entries(Path(folder.path)):
                    if DIGEST.fullmatch(file.name) and file.is_file(follow_symlinks=False):
                        yield Path(file.path)

    def remove(self, digest: str) -> None:
        """Remove an object; do nothing if it does not exist, or lies behind a symbolic link."""
        path = self.path_of(digest)
        if path.is_file() and not any(it.is_symlink() for it in (path, *path.parents[:2])):
            path.unlink(missing_ok=True)

    def add(self, source: Path) -> str:
        """Add a copy of a file unless its bytes are stored already; return its digest."""
        copy = self._copy_to_tmp(source)
        try:
            digest = file_digest(copy)
            try:
                self.verified_path(digest)
            except StoreCorrupt:
                self._move(copy, self.path_of(digest))
        finally:
            copy.unlink(missing_ok=True)
        return digest

    def _copy_to_tmp(self, source: Path) -> Path:
        """Copy a file to `tmp` and flush it to disk; hard-link a large one that lies there.

        Staged files are not modified any more, and the disk may have no room for a second copy.
        """
        with self._write_errors(self.folder("tmp")) as tmp:
            # os.link needs a name that does not exist yet, hence not `open_new`.
            name = Path(tempfile.mktemp(dir=tmp, prefix=tmp_prefix()))  # noqa: S306 our own folder
            if source.is_relative_to(tmp) and source.stat().st_size > _LINK_ABOVE:
                with suppress(OSError):
                    os.link(source, name)
            try:
                if not name.exists():
                    shutil.copyfile(source, name)
                _sync(name)
            except OSError:
                name.unlink(missing_ok=True)
                raise
            return name

    def write(self, path: Path, data: bytes) -> None:
        """Write a file atomically: to a temporary name, flushed to disk, then moved into place."""
        with self._write_errors(path):
            file = open_new(self.folder("tmp"), tmp_prefix())
            try:
                with file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                self._move(Path(file.name), path)
            except OSError:
                with suppress(OSError):
                    Path(file.name).unlink(missing_ok=True)
                raise

    def _move(self, source: Path, path: Path) -> None:
        with self._write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, path)

    @contextmanager
    def _write_errors(self, path: Path) -> Iterator[Path]:
        """Turn an OSError into a StoreError that names `path`."""
        try:
            yield path
        except OSError as error:
            raise store_error("write", path, error) from error

    def folder(self, name: str) -> Path:
        """Return a folder of the store; create it if it does not exist."""
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise store_error("create", folder, error) from error
        return folder


def folder_entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what a folder holds, in order; nothing if it is a symbolic link or does not exist."""
    if not folder.is_symlink():
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(expected: str, actual: str, path: Path | str) -> None:
    """Raise StoreCorrupt if the bytes at `path` have another digest than their name."""
    if actual != expected:
        raise StoreCorrupt(f"{path} is damaged", expected=f"SHA-256 {expected}", got=actual)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def store_error(verb: str, path: Path, error: OSError) -> StoreError:
    """Return the error for an operation on the store that failed, with a remedy."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = (
        "free disk space, or run `litegate store prune`"
        if is_full
        else ("choose a folder that you can write to")
    )
    return StoreError(
        f"the store cannot {verb} {path}",
        got=str(error.strerror or error),
        remedy=f"{remedy}, or set LITEGATE_STORE to another place",
    )


def tmp_prefix() -> str:
    """Return the prefix of this process's temporary names: "HOST-PID-"."""
    return f"{socket.gethostname()}-{os.getpid()}-"
