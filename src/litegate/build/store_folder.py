"""Tell a store's folder from any other: the marker file, and adopting a store from before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from litegate.build.objects import DIGEST, folder_entries, store_error
from litegate.core.errors import StoreError
from litegate.core.escaping import excerpt
from litegate.core.files import write_atomically

MARKER = "litegate-store"
BUILDS, EVALUATIONS, ANSWERS, DECLARATIONS = "builds", "evaluations", "answers", "declarations"
GROUPS = (BUILDS, EVALUATIONS, ANSWERS, DECLARATIONS)
"""The folders of manifests."""
VERSION = b"litegate store, version 1\n"
_FOLDERS = frozenset((*GROUPS, "objects", "locks", "tmp"))
_MANIFEST = re.compile(rf"{DIGEST.pattern}\.json")
_LOCK = re.compile(rf"({DIGEST.pattern}|store)\.lock")


def demand_store(root: Path) -> bool:
    """Return True for a folder with the marker, False for a new one: empty or not there yet.

    Raises StoreError for every other folder, and for a file in its place.
    """
    for path in (root, *root.parents):
        if path.exists() and not path.is_dir():
            raise StoreError(
                f"the store {root} is not a folder",
                got=f"{path} is a file",
                remedy="choose another folder: --litegate-store DIR, or LITEGATE_STORE",
            )
    # Listed before the marker is read: it is the first file of a store that another process makes.
    try:
        is_empty = not root.exists() or not any(_is_content(path.name) for path in root.iterdir())
        version = (root / MARKER).read_bytes()
    except FileNotFoundError:
        if is_empty:
            return False
        raise _refusal(root) from None
    except OSError as error:
        raise store_error("read", root, error) from error
    if version != VERSION:
        raise StoreError(
            f"the store {root} is for another version of litegate",
            expected=VERSION.decode().strip(),
            got=excerpt(repr(version)),
            remedy="choose another folder: --litegate-store DIR, or LITEGATE_STORE",
        )
    return True


def mark(root: Path) -> None:
    """Make a folder a store: write its marker. Raises StoreError on failure."""
    try:
        write_atomically(root / MARKER, VERSION)
    except OSError as error:
        raise store_error("create", root / MARKER, error) from error


def adopt(root: Path) -> bool:
    """Mark a store from before the marker; return False if it has one.

    Raises StoreError if the folder holds anything that no store holds.
    """
    with suppress(StoreError):
        if demand_store(root):
            return False
    if not root.is_dir():
        raise StoreError(f"there is no folder {root}")
    if foreign := _first_foreign(root):
        raise StoreError(
            f"{root} is not a store", got=f"{foreign} does not belong to a store", remedy=_ANOTHER
        )
    mark(root)
    return True


def demand_real_folders(root: Path) -> None:
    """Raise StoreError if a folder of the store is a symbolic link: nothing behind it is ours."""
    for name in sorted(_FOLDERS):
        if (root / name).is_symlink():
            raise StoreError(
                f"cannot remove anything from the store {root}",
                got=f"{root / name} is a symbolic link",
                remedy="remove the link",
            )


_ANOTHER = "choose an empty or a new folder: --litegate-store DIR, or LITEGATE_STORE"


def _is_content(name: str) -> bool:
    """Return False for the marker's own temporary files, and for what a new disk has at its top."""
    return name != "lost+found" and not name.startswith(f".{MARKER}.")


def _refusal(root: Path) -> StoreError:
    foreign = _first_foreign(root)
    if foreign is None:
        return StoreError(
            f"{root} is a store of an earlier version",
            got="its files have the names of a store's, but there is no marker",
            remedy=f"run `litegate store adopt`, or {_ANOTHER}",
        )
    return StoreError(f"{root} is not a store", got=f"it contains {foreign}", remedy=_ANOTHER)


def _first_foreign(root: Path) -> str | None:
    """Return the path of something that no store holds, or None."""
    try:
        return next(_foreign(root), None)
    except OSError as error:
        raise store_error("read", root, error) from error


def _foreign(root: Path) -> Iterator[str]:
    for entry in folder_entries(root):
        if not _is_content(entry.name):
            continue
        if entry.name not in _FOLDERS or not entry.is_dir(follow_symlinks=False):
            yield entry.path
        elif entry.name == "objects":
            yield from _foreign_objects(Path(entry.path))
        elif entry.name != "tmp":  # its names are those of hosts, and nothing reads it
            pattern = _LOCK if entry.name == "locks" else _MANIFEST
            yield from _foreign_files(Path(entry.path), pattern)


def _foreign_objects(objects: Path) -> Iterator[str]:
    for folder in folder_entries(objects):
        if not (folder.is_dir(follow_symlinks=False) and re.fullmatch("[0-9a-f]{2}", folder.name)):
            yield folder.path
        else:
            yield from _foreign_files(Path(folder.path), DIGEST)


def _foreign_files(folder: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    for file in folder_entries(folder):
        if not (file.is_file(follow_symlinks=False) and pattern.fullmatch(file.name)):
            yield file.path
