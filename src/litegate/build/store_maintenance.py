"""What a store keeps, what of it is damaged, and what may go; for people, between runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.store import ANSWERS, BUILDS, Store
from litegate.core.errors import StoreCorrupt

DAY = 86_400.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a store keeps under one key."""

    group: str
    """builds, answers, evaluations or declarations."""
    key: str
    what: str
    """The model and kind of an artifact, as its birth certificate has them; else the group."""
    size: int
    """Bytes of its files; entries may share some."""
    age: float
    """Seconds since it was put there."""


def entries(store: Store, now: float | None = None) -> list[Entry]:
    """Everything that a store keeps, the newest first; damaged manifests are left out."""
    moment = time.time() if now is None else now
    found = []
    for path in store.root.glob("*/*.json"):
        with suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
            files = json.loads(path.read_bytes())["files"]
            found.append(
                Entry(
                    group=path.parent.name,
                    key=path.stem,
                    what=_what(store, path, files),
                    size=sum(_place(store, each).stat().st_size for each in files.values()),
                    age=max(0.0, moment - path.stat().st_mtime),
                )
            )
    return sorted(found, key=lambda one: (one.age, one.group, one.key))


def _place(store: Store, digest: str) -> Path:
    return store.root / "objects" / digest[:2] / digest


def _what(store: Store, manifest: Path, files: dict[str, str]) -> str:
    group = manifest.parent.name
    if group != BUILDS:
        return group
    with suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
        told: dict[str, Any] = json.loads(_place(store, files["certificate.json"]).read_bytes())
        if "prebuilt" in told:
            return " ".join(map(str, told["prebuilt"].values()))
        return f"{told['model']}/{_tuned(**told['recipe'])}"
    return group


def _tuned(kind: str, fine_tune_epochs: int, **_: Any) -> str:
    """A kind, and how it was tuned: the certificate does not know what the recipe is called.

    A reference alone has a name of its own by its epochs, such as float32+1.
    """
    if not fine_tune_epochs:
        return kind
    if kind == "float32":
        return f"{kind}+{fine_tune_epochs}"
    return f"{kind}, fine-tuned for {fine_tune_epochs} epoch{'s' * (fine_tune_epochs > 1)}"


def in_words(age: float) -> str:
    """Seconds as a person says them, rounded down: "5 d", "2 h", "3 min"."""
    units = (("d", DAY), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
    unit, size = next((each for each in units if age >= each[1]), units[-1])
    return f"{int(age / size)} {unit}"


def verify(store: Store) -> Iterator[tuple[str, str, str]]:
    """Read every file of a store: group, key and, in words, what is wrong with each damaged entry.

    An object that no manifest names is checked, too; its group and key are "objects" and its name.
    """
    named: set[str] = set()
    for path in sorted(store.root.glob("*/*.json")):
        with suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
            named |= set(json.loads(path.read_bytes())["files"].values())
        try:
            store.locate(path.parent.name, path.stem)
        except StoreCorrupt as damage:
            yield path.parent.name, path.stem, str(damage)
        except KeyError:
            continue  # removed meanwhile
    for path in sorted(store.root.glob("objects/*/*")):
        with suppress(FileNotFoundError):
            if path.name not in named and _digest(path) != path.name:
                yield "objects", path.name, f"{path} does not hold the bytes that it is named by"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prune(
    store: Store,
    needed: Collection[str],
    on_kept: Callable[[Entry], None],
    *,
    days: float = 0.0,
    only: Collection[str] = (BUILDS, ANSWERS),
) -> tuple[list[Entry], int]:
    """Remove the entries of `only` that are not `needed` and are `days` old.

    Gives those that went, and the bytes set free. What another process is building or has under its
    lock stays, and `on_kept` is told.
    """
    gone = {
        one.key: one
        for one in entries(store)
        if one.group in only and one.key not in needed and one.age >= days * DAY
    }
    removed = [(one.group, one.key) for one in gone.values()]

    def stays(key: str) -> None:
        on_kept(gone.pop(key))

    freed = store.remove(removed, stays)
    return list(gone.values()), freed
