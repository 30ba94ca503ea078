"""List, verify and prune the entries of a store, for `litegate store`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.certificate import BUILD_FILES
from litegate.build.manifest import read_manifest
from litegate.build.objects import file_digest
from litegate.build.store import ANSWERS, BUILDS, Store
from litegate.core.errors import StoreError

DAY = 86_400.0
_DAMAGE = (OSError, StoreError, ValueError, KeyError, AttributeError, TypeError, RecursionError)
"""Exceptions that reading a missing or damaged manifest or certificate may raise."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a store: the files under one key."""

    group: str
    """builds, answers, evaluations or declarations."""
    key: str
    what: str
    """Model and kind of an artifact, from its birth certificate; otherwise the group."""
    size: int
    """Total bytes of its files; several entries may share a file."""
    age: float
    """Seconds since it was stored."""


def entries(store: Store, now: float | None = None) -> list[Entry]:
    """List the entries of a store, the newest first; skip damaged manifests."""
    now = time.time() if now is None else now
    listed = []
    for manifest in store.manifest_paths():
        with suppress(*_DAMAGE):
            files = read_manifest(manifest).files
            sizes = (_object_path(store, digest).stat().st_size for digest in files.values())
            listed.append(
                Entry(
                    group=manifest.parent.name,
                    key=manifest.stem,
                    what=_describe(store, manifest, files),
                    size=sum(sizes),
                    age=max(0.0, now - manifest.stat().st_mtime),
                )
            )
    return sorted(listed, key=lambda entry: (entry.age, entry.group, entry.key))


def _object_path(store: Store, digest: str) -> Path:
    return store.root / "objects" / digest[:2] / digest


def object_sizes(store: Store) -> list[int]:
    """Return the bytes of each object, whether a manifest names it or not."""
    return [path.stat().st_size for path in store.object_paths()]


def _describe(store: Store, manifest: Path, files: Mapping[str, str]) -> str:
    group = manifest.parent.name
    if group != BUILDS:
        return group
    with suppress(*_DAMAGE):
        path = _object_path(store, files["certificate.json"])
        return describe_certificate(path.read_bytes()) or group
    return group


def describe_certificate(content: bytes) -> str:
    """Name an artifact by its birth certificate; return "" if that is damaged."""
    with suppress(*_DAMAGE):
        certificate: dict[str, Any] = json.loads(content)
        if "prebuilt" in certificate:
            return " ".join(map(str, certificate["prebuilt"].values()))
        return f"{certificate['model']}/{_recipe_label(**certificate['recipe'])}"
    return ""


def _recipe_label(kind: str, fine_tune_epochs: int, **_: Any) -> str:
    """Describe a recipe by kind and fine-tuning: the certificate does not contain its name.

    Only a reference is named by its epochs, such as float32+1.
    """
    if not fine_tune_epochs:
        return kind
    if kind == "float32":
        return f"{kind}+{fine_tune_epochs}"
    return f"{kind}, fine-tuned for {fine_tune_epochs} epoch{'s' * (fine_tune_epochs > 1)}"


def format_age(age: float) -> str:
    """Format seconds in the largest unit that fits, rounded down: "5 d", "2 h", "3 min"."""
    units = (("d", DAY), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
    unit, size = next(((unit, size) for unit, size in units if age >= size), units[-1])
    return f"{int(age / size)} {unit}"


def verify(store: Store) -> Iterator[tuple[str, str, str]]:
    """Read every file of a store; yield group, key and message for each damaged entry.

    Objects that no manifest names are verified too; they are reported as group "objects" with their
    file name as the key.
    """
    referenced: set[str] = set()
    for manifest in store.manifest_paths():
        with suppress(OSError, StoreError):
            referenced |= set(read_manifest(manifest).files.values())
        try:
            group = manifest.parent.name
            store.locate(group, manifest.stem, BUILD_FILES if group == BUILDS else ())
        except StoreError as damage:  # also a manifest that may not be read
            yield manifest.parent.name, manifest.stem, str(damage)
        except KeyError:
            continue  # another process removed it after the folder was listed
    for path in store.object_paths():
        with suppress(FileNotFoundError):
            if path.name not in referenced and file_digest(path) != path.name:
                yield "objects", path.name, f"{path} does not match the digest in its name"


def prune(
    store: Store,
    needed: Collection[str],
    on_kept: Callable[[Entry], None],
    *,
    days: float = 0.0,
    only: Collection[str] = (BUILDS, ANSWERS),
) -> tuple[list[Entry], int]:
    """Remove the entries of the groups `only` that are not `needed` and at least `days` old.

    Returns the removed entries and the number of bytes freed. `on_kept` is called for each entry
    that stays because another process holds its lock.
    """
    removed = {
        entry.key: entry
        for entry in entries(store)
        if entry.group in only and entry.key not in needed and entry.age >= days * DAY
    }

    def keep(key: str) -> None:
        on_kept(removed.pop(key))

    freed = store.remove([(entry.group, entry.key) for entry in removed.values()], keep)
    return list(removed.values()), freed
