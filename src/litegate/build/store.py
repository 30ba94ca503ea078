"""The store: files named by the SHA-256 of their bytes, and manifests that name them by key.

    objects/ab/abcd...   immutable bytes
    GROUP/KEY.json       a manifest: file name -> digest of its bytes
    locks/, tmp/         of running builds

Objects are written before the manifest that names them, each under a temporary name and moved into
place, so a process killed at any moment leaves either an entry or none. Every read is verified.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar, final

from litegate.build.objects import Objects, cannot, prefix
from litegate.core.errors import StoreCorrupt, StoreError

_Found = TypeVar("_Found")
BUILDS = "builds"
EVALUATIONS = "evaluations"
ANSWERS = "answers"
_WHOLE = "store"
"""The lock of whoever puts or removes; held after those of keys, and for a moment."""


@final
class Store:
    """A folder of artifacts, shared by every run that names it."""

    def __init__(self, root: Path) -> None:
        """Nothing is created before something is put."""
        self.root = root
        self._objects = Objects(root)

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
        return self._read(group, key, names, self._objects.read)

    def locate(self, group: str, key: str, names: Iterable[str] = ()) -> dict[str, Path]:
        """Where the files of an entry lie, by name; as `get`, for files larger than memory.

        Each is verified now: read it in this run. Raises as `get`.
        """
        return self._read(group, key, names, self._objects.verified)

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
            raise cannot("read", path, error) from error

    def put(self, group: str, key: str, files: Mapping[str, Path], *, stem: str = "") -> None:
        """Store copies of `files` under `key`; an entry that is already there stays as it is.

        `stem` is what the entry may be found by besides its key.
        """
        if self.has(group, key):
            return
        with self.lock([_WHOLE], lambda: None):
            digests = {name: self._objects.add(path) for name, path in files.items()}
            listed = {"key": key, "stem": stem, "files": digests}
            text = json.dumps(listed, indent=1, sort_keys=True)
            self._objects.write(self._manifest(group, key), text.encode())

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
                        self._objects.verified(digest)
                    except StoreCorrupt:
                        self._objects.place(digest).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def remove(self, entries: Iterable[tuple[str, str]], on_kept: Callable[[str], None]) -> int:
        """Remove entries, by group and key, and what no entry names; the number of bytes set free.

        One whose lock another process holds stays, and `on_kept` is told its key. Nothing is put
        meanwhile, so that what is being put loses no object.
        """
        from filelock import FileLock, Timeout

        folder = self._objects.folder("locks")
        with self.lock([_WHOLE], lambda: None):
            for group, key in entries:
                try:
                    with FileLock(folder / f"{key}.lock", timeout=0):
                        self._manifest(group, key).unlink(missing_ok=True)
                except Timeout:
                    on_kept(key)
            return self._collect()

    @contextmanager
    def lock(self, keys: Iterable[str], on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the locks of all `keys`; `on_wait` is called once if another process holds one."""
        from filelock import FileLock, Timeout

        folder = self._objects.folder("locks")
        with ExitStack() as held:
            for key in sorted(set(keys)):
                lock = FileLock(folder / f"{key}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    on_wait()
                    lock.acquire()
                except OSError as error:
                    raise cannot("lock", folder / f"{key}.lock", error) from error
                held.callback(lock.release)
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of the store's own file system to build in; gone afterwards."""
        tmp = self._objects.folder("tmp")
        _sweep(tmp)
        folder = Path(tempfile.mkdtemp(dir=tmp, prefix=prefix()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _manifest(self, group: str, key: str) -> Path:
        return self.root / group / f"{key}.json"

    def _collect(self) -> int:
        """Remove the objects that no manifest names."""
        named: set[str] = set()
        for path in self.root.glob("*/*.json"):
            with suppress(ValueError, KeyError, AttributeError, FileNotFoundError):
                named |= set(json.loads(path.read_bytes())["files"].values())
        freed = 0
        for path in self.root.glob("objects/*/*"):
            if path.name not in named:
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed


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
