"""The store: files named by the SHA-256 of their bytes, and manifests that name them by key.

    objects/ab/abcd...   immutable bytes
    GROUP/KEY.json       a manifest: file name -> digest of its bytes
    locks/, tmp/         of running builds

Objects are written before the manifest that names them, each under a temporary name and moved into
place, so a process killed at any moment leaves either an entry or none. Every read is verified.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar, final

from litegate.errors import StoreCorrupt, StoreError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_Found = TypeVar("_Found")
_LINKED = 64 << 20
"""Bytes from which on a staged file is not copied."""
BUILDS = "builds"
EVALUATIONS = "evaluations"
ANSWERS = "answers"


@final
class Store:
    """A folder of artifacts, shared by every run that names it."""

    def __init__(self, root: Path) -> None:
        """Nothing is created before something is put."""
        self.root = root

    def demand_folder(self) -> None:
        """Raise StoreError where the store is a file, or would lie below one."""
        for place in (self.root, *self.root.parents):
            if place.exists() and not place.is_dir():
                raise StoreError(
                    f"the store {self.root} is no folder",
                    got=f"{place} is a file",
                    remedy="name a folder of yours: --litegate-store DIR, or LITEGATE_STORE",
                )

    def has(self, group: str, key: str) -> bool:
        """Whether there is a manifest; its files are verified when they are read."""
        return self._manifest(group, key).is_file()

    def get(self, group: str, key: str, names: Iterable[str] = ()) -> dict[str, bytes]:
        """The files of an entry by name, each verified; `names` must be among them.

        Raises KeyError where there is no entry, StoreCorrupt where bytes or manifest are damaged.
        """
        return self._read(group, key, names, self._object)

    def locate(self, group: str, key: str, names: Iterable[str] = ()) -> dict[str, Path]:
        """Where the files of an entry lie, by name; as `get`, for files larger than memory.

        Each is verified now: read it in this run. Raises as `get`.
        """
        return self._read(group, key, names, self._verified)

    def _read(
        self, group: str, key: str, names: Iterable[str], read: Callable[[str], _Found]
    ) -> dict[str, _Found]:
        path = self._manifest(group, key)
        try:
            listed = json.loads(path.read_bytes())
            if listed["key"] != key:
                raise StoreCorrupt(f"the manifest {path} is that of another key")
            if missing := [name for name in names if name not in listed["files"]]:
                raise StoreCorrupt(f"the manifest {path} does not list {', '.join(missing)}")
            return {name: read(digest) for name, digest in listed["files"].items()}
        except FileNotFoundError:
            raise KeyError(key) from None
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise StoreCorrupt(f"the manifest {path} is damaged: {error}") from error
        except OSError as error:
            raise _cannot("read", path, error) from error

    def put(self, group: str, key: str, files: Mapping[str, Path], *, stem: str = "") -> None:
        """Store copies of `files` under `key`; an entry that is already there stays as it is.

        `stem` is what the entry may be found by besides its key.
        """
        if self.has(group, key):
            return
        digests = {name: self._add(path) for name, path in files.items()}
        listed = {"key": key, "stem": stem, "files": digests}
        text = json.dumps(listed, indent=1, sort_keys=True)
        self._write(self._manifest(group, key), text.encode())

    def keys_of(self, group: str, stem: str) -> list[str]:
        """The keys of the entries that were put with `stem`, the newest first."""
        found: list[tuple[float, str]] = []
        for path in (self.root / group).glob("*.json"):
            with suppress(OSError, ValueError, KeyError):
                if json.loads(path.read_bytes())["stem"] == stem:
                    found.append((path.stat().st_mtime, path.stem))
        return [key for _, key in sorted(found, reverse=True)]

    def keys_by_object(self, group: str, name: str) -> dict[str, str]:
        """A key of each file called `name`, by the SHA-256 of its bytes."""
        found: dict[str, str] = {}
        for path in (self.root / group).glob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                found[json.loads(path.read_bytes())["files"][name]] = path.stem
        return found

    def forget(self, group: str, key: str) -> None:
        """Remove an entry and those of its objects that are damaged; a missing one is forgotten."""
        path = self._manifest(group, key)
        with suppress(OSError, ValueError, KeyError, AttributeError):
            for digest in json.loads(path.read_bytes())["files"].values():
                with suppress(KeyError, StoreCorrupt):
                    try:
                        self._verified(digest)
                    except StoreCorrupt:
                        self._place(digest).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def prune(self, group: str, keep: Iterable[str]) -> int:
        """Remove the entries of `group` that are not in `keep`; the number of bytes set free."""
        kept = set(keep)
        for path in (self.root / group).glob("*.json"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)
        return self._collect()

    @contextmanager
    def lock(self, keys: Iterable[str], on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the locks of all `keys`; `on_wait` is called once if another process holds one."""
        from filelock import FileLock, Timeout

        folder = self._folder("locks")
        with ExitStack() as held:
            for key in sorted(set(keys)):
                lock = FileLock(folder / f"{key}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    on_wait()
                    lock.acquire()
                held.callback(lock.release)
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of the store's own file system to build in; gone afterwards."""
        tmp = self._folder("tmp")
        _sweep(tmp)
        folder = Path(tempfile.mkdtemp(dir=tmp, prefix=_prefix()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _manifest(self, group: str, key: str) -> Path:
        return self.root / group / f"{key}.json"

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise StoreCorrupt(f"a manifest names {digest!r}, which is no digest")
        return self.root / "objects" / digest[:2] / digest

    def _object(self, digest: str) -> bytes:
        path = self._place(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from the store") from None
        _demand(digest, hashlib.sha256(data).hexdigest(), path)
        return data

    def _verified(self, digest: str) -> Path:
        path = self._place(digest)
        try:
            got = _digest(path)
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from the store") from None
        _demand(digest, got, path)
        return path

    def _add(self, source: Path) -> str:
        """Take a copy of a file in, unless its bytes are here; its digest."""
        copy = self._copied(source)
        try:
            digest = _digest(copy)
            try:
                self._verified(digest)
            except StoreCorrupt:
                self._move(copy, self._place(digest))
        finally:
            copy.unlink(missing_ok=True)
        return digest

    def _copied(self, source: Path) -> Path:
        """A copy of a file below `tmp`, on the disk; of a large one that lies there a second name.

        Nobody writes to what was staged, and a second copy of it might not fit.
        """
        with self._writing(self._folder("tmp")) as tmp:
            name = Path(tempfile.mktemp(dir=tmp, prefix=_prefix()))  # noqa: S306 the folder is ours
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

    def _write(self, path: Path, data: bytes) -> None:
        """Write under a temporary name, to the disk, and move into place."""
        name = ""
        with self._writing(path):
            tmp = self._folder("tmp")
            try:
                with tempfile.NamedTemporaryFile(dir=tmp, prefix=_prefix(), delete=False) as file:
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
            raise _cannot("write", path, error) from error

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot("create", folder, error) from error
        return folder

    def _collect(self) -> int:
        """Remove the objects that no manifest names."""
        named: set[str] = set()
        for path in self.root.glob("*/*.json"):
            named |= set(json.loads(path.read_bytes())["files"].values())
        freed = 0
        for path in self.root.glob("objects/*/*"):
            if path.name not in named:
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _demand(digest: str, got: str, path: Path) -> None:
    if got != digest:
        raise StoreCorrupt(f"{path} is damaged", expected=f"SHA-256 {digest}", got=got)


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _cannot(verb: str, path: Path, error: OSError) -> StoreError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some space, or run `litegate store prune`" if full else "name a folder of yours"
    return StoreError(
        f"the store cannot {verb} {path}",
        got=str(error.strerror or error),
        remedy=f"{remedy}, or set LITEGATE_STORE to another place",
    )


def _prefix() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-"


def _sweep(tmp: Path) -> None:
    """Remove what processes of this machine left that are gone."""
    here = f"{socket.gethostname()}-"
    for left in tmp.glob(f"{here}*"):
        pid = left.name.removeprefix(here).partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
