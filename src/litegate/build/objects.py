"""Immutable files named by the SHA-256 of their bytes; every read is verified.

Each is written under a temporary name and moved into place, so that a process killed at any moment
leaves either a whole file or none.
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

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINKED = 64 << 20
"""Bytes from which on a staged file is not copied."""


@final
class Objects:
    """The files below ``objects/`` of a store, and the ways to write to that store."""

    def __init__(self, root: Path) -> None:
        """Nothing is created before something is added."""
        self.root = root

    def place(self, digest: str) -> Path:
        """Where the bytes of a digest lie, or would; StoreCorrupt where it is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise StoreCorrupt(f"a manifest names {digest!r}, which is no digest")
        return self.root / "objects" / digest[:2] / digest

    def read(self, digest: str) -> bytes:
        """The bytes of a digest; StoreCorrupt where they are missing or damaged."""
        path = self.place(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from the store") from None
        _demand(digest, hashlib.sha256(data).hexdigest(), path)
        return data

    def verified(self, digest: str) -> Path:
        """The file of a digest, whose bytes need not fit into memory; raises as `read`."""
        path = self.place(digest)
        try:
            got = _digest(path)
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from the store") from None
        _demand(digest, got, path)
        return path

    def add(self, source: Path) -> str:
        """Take a copy of a file in, unless its bytes are here; its digest."""
        copy = self._copied(source)
        try:
            digest = _digest(copy)
            try:
                self.verified(digest)
            except StoreCorrupt:
                self._move(copy, self.place(digest))
        finally:
            copy.unlink(missing_ok=True)
        return digest

    def _copied(self, source: Path) -> Path:
        """A copy of a file below `tmp`, on the disk; of a large one that lies there a second name.

        Nobody writes to what was staged, and a second copy of it might not fit.
        """
        with self._writing(self.folder("tmp")) as tmp:
            name = Path(tempfile.mktemp(dir=tmp, prefix=prefix()))  # noqa: S306 the folder is ours
            if source.is_relative_to(tmp) and source.stat().st_size > _LINKED:
                with suppress(OSError):
                    os.link(source, name)
            try:
                if not name.exists():
                    shutil.copyfile(source, name)
                _to_disk(name)
            except OSError:
                name.unlink(missing_ok=True)
                raise
            return name

    def write(self, path: Path, data: bytes) -> None:
        """Write under a temporary name, to the disk, and move into place."""
        name = ""
        with self._writing(path):
            tmp = self.folder("tmp")
            try:
                with tempfile.NamedTemporaryFile(dir=tmp, prefix=prefix(), delete=False) as file:
                    name = file.name
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                self._move(Path(name), path)
            except OSError:
                with suppress(OSError):
                    Path(name).unlink(missing_ok=True)
                raise

    def _move(self, source: Path, path: Path) -> None:
        with self._writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, path)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[Path]:
        """StoreError for whatever the system refuses."""
        try:
            yield path
        except OSError as error:
            raise cannot("write", path, error) from error

    def folder(self, name: str) -> Path:
        """A folder of the store, created where it must be."""
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot("create", folder, error) from error
        return folder


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _demand(digest: str, got: str, path: Path) -> None:
    if got != digest:
        raise StoreCorrupt(f"{path} is damaged", expected=f"SHA-256 {digest}", got=got)


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def cannot(verb: str, path: Path, error: OSError) -> StoreError:
    """What the system refuses to do with a path of the store, with what to do about it."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some space, or run `litegate store prune`" if full else "name a folder of yours"
    return StoreError(
        f"the store cannot {verb} {path}",
        got=str(error.strerror or error),
        remedy=f"{remedy}, or set LITEGATE_STORE to another place",
    )


def prefix() -> str:
    """How the names begin of what this process writes before it is moved into place."""
    return f"{socket.gethostname()}-{os.getpid()}-"
