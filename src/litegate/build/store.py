"""Store artifacts: files named by the SHA-256 of their bytes, manifests that list them by key.

    objects/ab/abcd...   immutable bytes
    GROUP/KEY.json       a manifest: file name -> digest of its bytes
    locks/, tmp/         of running builds
    litegate-store       the marker: no other folder is written to, and nothing removed from one

Objects are written before the manifest that names them, each under a temporary name and then moved
into place, so a process killed at any moment leaves a complete entry or no entry. Every read is
verified.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

from litegate.build.certificate import CERTIFICATE, demand_certified
from litegate.build.locks import LOCK_TIMEOUT, acquire, wait_for
from litegate.build.manifest import Manifest, read_manifest
from litegate.build.objects import Objects, store_error, tmp_prefix
from litegate.build.store_folder import (
    ANSWERS,
    BUILDS,
    EVALUATIONS,
    GROUPS,
    demand_real_folders,
    demand_store,
    mark,
)
from litegate.core.errors import StoreCorrupt, StoreError

if TYPE_CHECKING:
    from litegate.build.remote_store import RemoteStore

__all__ = ["ANSWERS", "BUILDS", "EVALUATIONS", "Store"]

_Content = TypeVar("_Content", bytes, Path)
_ATTEMPTS = 3
"""Tries to share an entry, if other machines replace or prune it meanwhile; as in
`remote_store`."""
_WHOLE = "store"
"""Lock of the whole store while entries are added or removed.

It is acquired after the locks of keys, never before: one order for all, so no deadlock.
"""


@final
class Store:
    """A folder of artifacts that several runs may use at the same time."""

    def __init__(
        self,
        root: Path,
        *,
        remote: RemoteStore | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        on_notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Remember the folder; nothing is created before the first write.

        Entries that the folder lacks are copied from `remote`, and new ones to it. `lock_timeout`
        limits the wait for each lock, in seconds; `on_notice` is called with a line that names the
        holder.
        """
        self.root, self.remote = root, remote
        self._lock_timeout, self._on_notice = lock_timeout, on_notice
        self._objects = Objects(root)
        self._is_marked = False

    def demand_folder(self) -> None:
        """Raise StoreError if the folder is neither a store nor new."""
        self._is_marked = self._is_marked or demand_store(self.root)

    def has(self, group: str, key: str) -> bool:
        """Return True if there is a manifest; files are verified only when they are read.

        An entry of the remote store is copied here first.
        """
        self.demand_folder()
        return self.manifest_path(group, key).is_file() or self._take(group, key)

    def get(self, group: str, key: str, names: Iterable[str] = ()) -> dict[str, bytes]:
        """Read and verify the files of an entry, by name; `names` must be among them.

        Raises KeyError if there is no entry, StoreCorrupt if a file or the manifest is damaged.
        """
        return self._read(group, key, names, self._objects.read)

    def locate(self, group: str, key: str, names: Iterable[str] = ()) -> dict[str, Path]:
        """Verify the files of an entry and return their paths: `get` for files beyond memory.

        They are verified only now: read them within this run. Raises as `get`.
        """
        return self._read(group, key, names, self._objects.verified_path)

    def copy(self, group: str, key: str, folder: Path) -> None:
        """Copy the verified files of an entry into a new folder. Raises as `get`."""
        files = self.locate(group, key)
        folder.mkdir()
        for name, path in files.items():
            shutil.copyfile(path, folder / name)

    def _read(
        self, group: str, key: str, names: Iterable[str], read: Callable[[str], _Content]
    ) -> dict[str, _Content]:
        self.demand_folder()
        path = self.manifest_path(group, key)
        if not path.exists():
            self._take(group, key)
        try:
            files = (manifest := read_manifest(path)).files
            if missing := [name for name in names if name not in files]:
                raise StoreCorrupt(f"the manifest {path} does not list {', '.join(missing)}")
            if group == BUILDS and CERTIFICATE in files:
                certificate = self._objects.read(files[CERTIFICATE])
                demand_certified(certificate, key, manifest.stem, files)
            return {name: read(digest) for name, digest in files.items()}
        except FileNotFoundError:
            raise KeyError(key) from None
        except OSError as error:
            raise store_error("read", path, error) from error

    def put(self, group: str, key: str, files: Mapping[str, Path], *, stem: str = "") -> None:
        """Store copies of `files` under `key`; an existing entry is left unchanged.

        `keys_of` finds the entry by `stem`.
        """
        if not self.has(group, key):
            self._write(group, key, files, stem)
            self.share(group, key)

    def share(self, group: str, key: str) -> None:
        """Copy an entry to the remote store; take the entry of another writer that was first."""
        if self.remote is None:
            return
        path = self.manifest_path(group, key)
        try:
            manifest = read_manifest(path)
            for _ in range(_ATTEMPTS):
                is_there = self.remote.upload(group, manifest, self._objects.path_of)
                if is_there or self._take(group, key):
                    return
        except OSError as error:  # another process removed it meanwhile
            raise store_error("read", path, error) from error

    def _take(self, group: str, key: str) -> bool:
        """Copy an entry from the remote store; return False if it has none that can be used."""
        if self.remote is None:
            return False
        with self.staging() as folder:
            try:
                manifest, files = self.remote.download(group, key, folder, self._copy_object)
            except KeyError:
                return False
            self._write(group, key, files, manifest.stem)
        return True

    def _copy_object(self, digest: str, to: Path) -> bool:
        """Copy an object from this folder: entries share files, such as an evaluation split's."""
        try:
            path = self._objects.verified_path(digest)
            shutil.copyfile(path, to)
        except (OSError, StoreCorrupt):
            return False
        return True

    def _write(self, group: str, key: str, files: Mapping[str, Path], stem: str) -> None:
        with self.lock([_WHOLE], lambda: None):
            # The manifest last: whoever finds it finds its files, whenever this process is killed.
            digests = {name: self._objects.add(path) for name, path in files.items()}
            manifest = Manifest(key=key, stem=stem, files=digests)
            self._objects.write(self.manifest_path(group, key), manifest.encode())

    def keys_of(self, group: str, stem: str) -> list[str]:
        """Return the keys of the entries that were stored with `stem`, the newest first."""
        dated_keys: list[tuple[float, str]] = []
        for path in self.manifest_paths(group):
            with suppress(OSError, StoreError):
                if read_manifest(path).stem == stem:
                    dated_keys.append((path.stat().st_mtime, path.stem))
        return [key for _, key in sorted(dated_keys, reverse=True)]

    def keys_by_object(self, group: str, name: str) -> dict[str, str]:
        """Map the SHA-256 of each file called `name` to the key of an entry that contains it."""
        keys: dict[str, str] = {}
        for path in self.manifest_paths(group):
            with suppress(OSError, StoreError, KeyError):
                keys[read_manifest(path).files[name]] = path.stem
        return keys

    def forget(self, group: str, key: str) -> None:
        """Remove an entry and its damaged objects; do nothing if the entry does not exist.

        A folder in the manifest's place is renamed: what it holds is not the store's. Raises
        StoreError if a folder of the store is a symbolic link.
        """
        self.demand_folder()
        demand_real_folders(self.root)
        path = self.manifest_path(group, key)
        with suppress(OSError, StoreError):
            for digest in read_manifest(path).files.values():
                try:
                    self._objects.verified_path(digest)
                except StoreCorrupt:
                    self._objects.remove(digest)
        if path.is_dir():
            path.rename(path.with_name(f"{key}.damaged-{time.time_ns()}"))
        else:
            path.unlink(missing_ok=True)
        if self.remote:
            self.remote.refuse(group, key)

    def remove(self, entries: Iterable[tuple[str, str]], on_kept: Callable[[str], None]) -> int:
        """Remove entries, by group and key, and unreferenced objects; return the bytes freed.

        An entry whose lock another process holds stays, and `on_kept` is called with its key. The
        store is locked meanwhile: an entry that is just being written must not lose its objects.
        Manifests go before their objects, so that a process killed between leaves no entry without
        its files. Raises StoreError, and removes nothing, if a manifest cannot be read.
        """
        folder = self._folder("locks")
        with self.lock([_WHOLE], lambda: None):
            demand_real_folders(self.root)
            files = self._files_by_manifest()
            for group, key in entries:
                lock = acquire(folder / f"{key}.lock", 0)
                if lock is None:
                    on_kept(key)
                    continue
                path = self.manifest_path(group, key)
                path.unlink(missing_ok=True)
                files.pop(path, None)
                lock.release()
            return self._remove_objects(except_for=set().union(*files.values()))

    @contextmanager
    def lock(self, keys: Iterable[str], on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the locks of all `keys`; call `on_wait` for each that another process holds.

        Keys are locked in sorted order, so that two processes cannot wait for each other. Raises
        StoreError if a lock is not free within the store's time limit.
        """
        folder = self._folder("locks")
        with ExitStack() as stack:
            for key in sorted(set(keys)):
                path = folder / f"{key}.lock"
                lock = wait_for(path, self._lock_timeout, on_wait, self._on_notice)
                stack.callback(lock.release)
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Create a temporary folder on the store's file system; remove it afterwards."""
        tmp = self._folder("tmp")
        _remove_leftovers(tmp)
        folder = Path(tempfile.mkdtemp(dir=tmp, prefix=tmp_prefix()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def manifest_path(self, group: str, key: str) -> Path:
        """Return the path of an entry's manifest, present or not."""
        return self.root / group / f"{key}.json"

    def manifest_paths(self, *groups: str) -> Iterator[Path]:
        """Yield the manifests of some groups, or of all, by group and key."""
        self.demand_folder()
        for group in groups or GROUPS:
            yield from sorted((self.root / group).glob("*.json"))

    def object_paths(self) -> Iterator[Path]:
        """Yield the objects, whether a manifest names them or not."""
        self.demand_folder()
        return self._objects.paths()

    def _folder(self, name: str) -> Path:
        """Return a folder of the store; create the store if it is new."""
        # The marker first: without it, another process would refuse the folder as none of a store.
        if not demand_store(self.root):
            mark(self.root)
        return self._objects.folder(name)

    def _files_by_manifest(self) -> dict[Path, set[str]]:
        """Return the digests that each manifest names.

        Raises StoreError if one cannot be read: its files would look as if no entry needed them.
        """
        digests: dict[Path, set[str]] = {}
        for path in self.manifest_paths():
            try:
                digests[path] = set(read_manifest(path).files.values())
            except FileNotFoundError:  # another process removed a damaged one meanwhile
                continue
            except StoreError as error:
                raise StoreError(
                    f"cannot remove anything from the store {self.root}",
                    got=error.what,
                    remedy="`litegate store verify --remove` removes damaged entries",
                ) from error
        return digests

    def _remove_objects(self, *, except_for: set[str]) -> int:
        """Remove the objects that no manifest names; return the number of bytes freed."""
        freed = 0
        for path in self.object_paths():
            if path.name not in except_for:
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed


def _remove_leftovers(tmp: Path) -> None:
    """Remove temporary files of processes of this machine that do not run any more."""
    if tmp.is_symlink():
        return
    host = f"{socket.gethostname()}-"
    for path in tmp.glob(f"{host}*"):
        pid = path.name.removeprefix(host).partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            is_folder = path.is_dir() and not path.is_symlink()
            with suppress(OSError):  # another user's, in a folder with the sticky bit
                shutil.rmtree(path, ignore_errors=True) if is_folder else path.unlink()


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # signal 0 means Ctrl-C on Windows
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
