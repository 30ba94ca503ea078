"""Store artifacts: files named by the SHA-256 of their bytes, manifests that list them by key.

    objects/ab/abcd...   immutable bytes
    GROUP/KEY.json       a manifest: file name -> digest of its bytes
    locks/, tmp/         of running builds

Objects are written before the manifest that names them, each under a temporary name and then moved
into place, so a process killed at any moment leaves a complete entry or no entry. Every read is
verified.
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

from litegate.build.certificate import CERTIFICATE, demand_certified
from litegate.build.objects import Objects, store_error, tmp_prefix
from litegate.core.errors import StoreCorrupt, StoreError

_Content = TypeVar("_Content", bytes, Path)
BUILDS = "builds"
EVALUATIONS = "evaluations"
ANSWERS = "answers"
_WHOLE = "store"
"""Lock of the whole store while entries are added or removed.

It is acquired after the locks of keys, never before: one order for all, so no deadlock.
"""


@final
class Store:
    """A folder of artifacts that several runs may use at the same time."""

    def __init__(self, root: Path) -> None:
        """Remember the folder; nothing is created before the first write."""
        self.root = root
        self._objects = Objects(root)

    def demand_folder(self) -> None:
        """Raise StoreError if the store's path, or one of its parents, is a file."""
        for path in (self.root, *self.root.parents):
            if path.exists() and not path.is_dir():
                raise StoreError(
                    f"the store {self.root} is no folder",
                    got=f"{path} is a file",
                    remedy="name a folder of yours: --litegate-store DIR, or LITEGATE_STORE",
                )

    def has(self, group: str, key: str) -> bool:
        """Return True if there is a manifest; files are verified only when they are read."""
        return self._manifest(group, key).is_file()

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

    def _read(
        self, group: str, key: str, names: Iterable[str], read: Callable[[str], _Content]
    ) -> dict[str, _Content]:
        path = self._manifest(group, key)
        try:
            manifest = json.loads(path.read_bytes())
            if manifest["key"] != key:
                raise StoreCorrupt(f"the manifest {path} is that of another key")
            if missing := [name for name in names if name not in manifest["files"]]:
                raise StoreCorrupt(f"the manifest {path} does not list {', '.join(missing)}")
            if group == BUILDS and CERTIFICATE in manifest["files"]:
                certificate = self._objects.read(manifest["files"][CERTIFICATE])
                demand_certified(certificate, key, manifest["stem"], manifest["files"])
            return {name: read(digest) for name, digest in manifest["files"].items()}
        except FileNotFoundError:
            raise KeyError(key) from None
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise StoreCorrupt(f"the manifest {path} is damaged: {error}") from error
        except OSError as error:
            raise store_error("read", path, error) from error

    def put(self, group: str, key: str, files: Mapping[str, Path], *, stem: str = "") -> None:
        """Store copies of `files` under `key`; an existing entry is left unchanged.

        `keys_of` finds the entry by `stem`.
        """
        if self.has(group, key):
            return
        with self.lock([_WHOLE], lambda: None):
            digests = {name: self._objects.add(path) for name, path in files.items()}
            manifest = {"key": key, "stem": stem, "files": digests}
            text = json.dumps(manifest, indent=1, sort_keys=True)
            self._objects.write(self._manifest(group, key), text.encode())

    def keys_of(self, group: str, stem: str) -> list[str]:
        """Return the keys of the entries that were stored with `stem`, the newest first."""
        dated_keys: list[tuple[float, str]] = []
        for path in (self.root / group).glob("*.json"):
            with suppress(OSError, ValueError, KeyError):
                if json.loads(path.read_bytes())["stem"] == stem:
                    dated_keys.append((path.stat().st_mtime, path.stem))
        return [key for _, key in sorted(dated_keys, reverse=True)]

    def keys_by_object(self, group: str, name: str) -> dict[str, str]:
        """Map the SHA-256 of each file called `name` to the key of an entry that contains it."""
        keys: dict[str, str] = {}
        for path in (self.root / group).glob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                keys[json.loads(path.read_bytes())["files"][name]] = path.stem
        return keys

    def forget(self, group: str, key: str) -> None:
        """Remove an entry and its damaged objects; do nothing if the entry does not exist."""
        path = self._manifest(group, key)
        with suppress(OSError, ValueError, KeyError, AttributeError):
            for digest in json.loads(path.read_bytes())["files"].values():
                with suppress(KeyError, StoreCorrupt):
                    try:
                        self._objects.verified_path(digest)
                    except StoreCorrupt:
                        self._objects.path_of(digest).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def remove(self, entries: Iterable[tuple[str, str]], on_kept: Callable[[str], None]) -> int:
        """Remove entries, by group and key, and unreferenced objects; return the bytes freed.

        An entry whose lock another process holds stays, and `on_kept` is called with its key. The
        store is locked meanwhile: an entry that is just being written must not lose its objects.
        """
        # Late, here and in `lock`: a run that finds everything in the store takes no lock.
        from filelock import FileLock, Timeout

        folder = self._objects.folder("locks")
        with self.lock([_WHOLE], lambda: None):
            for group, key in entries:
                try:
                    with FileLock(folder / f"{key}.lock", timeout=0):
                        self._manifest(group, key).unlink(missing_ok=True)
                except Timeout:
                    on_kept(key)
            return self._remove_unreferenced()

    @contextmanager
    def lock(self, keys: Iterable[str], on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the locks of all `keys`; call `on_wait` for each that another process holds.

        Keys are locked in sorted order, so that two processes cannot wait for each other.
        """
        from filelock import FileLock, Timeout

        folder = self._objects.folder("locks")
        with ExitStack() as stack:
            for key in sorted(set(keys)):
                lock = FileLock(folder / f"{key}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    on_wait()
                    lock.acquire()
                except OSError as error:
                    raise store_error("lock", folder / f"{key}.lock", error) from error
                stack.callback(lock.release)
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Create a temporary folder on the store's file system; remove it afterwards."""
        tmp = self._objects.folder("tmp")
        _remove_leftovers(tmp)
        folder = Path(tempfile.mkdtemp(dir=tmp, prefix=tmp_prefix()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _manifest(self, group: str, key: str) -> Path:
        return self.root / group / f"{key}.json"

    def _remove_unreferenced(self) -> int:
        """Remove the objects that no manifest names; return the number of bytes freed."""
        referenced: set[str] = set()
        for path in self.root.glob("*/*.json"):
            with suppress(ValueError, KeyError, AttributeError, FileNotFoundError):
                referenced |= set(json.loads(path.read_bytes())["files"].values())
        freed = 0
        for path in self.root.glob("objects/*/*"):
            if path.name not in referenced:
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed


def _remove_leftovers(tmp: Path) -> None:
    """Remove temporary files of processes of this machine that do not run any more."""
    host = f"{socket.gethostname()}-"
    for path in tmp.glob(f"{host}*"):
        pid = path.name.removeprefix(host).partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


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
