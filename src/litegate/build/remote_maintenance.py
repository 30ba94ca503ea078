"""List, verify and prune the entries of a bucket, for `litegate store`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from litegate.build.bucket import BucketError, ObjectInfo
from litegate.build.certificate import CERTIFICATE
from litegate.build.manifest import Manifest, parse_manifest
from litegate.build.objects import DIGEST
from litegate.build.remote_store import GRACE, RemoteStore, manifest_path, object_path, unusable
from litegate.build.store_folder import ANSWERS, BUILDS, GROUPS
from litegate.build.store_maintenance import DAY, Entry, describe_certificate
from litegate.core.errors import StoreCorrupt, StoreError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_MANIFEST = re.compile(rf"({'|'.join(GROUPS)})/({DIGEST.pattern})\.json")
_OBJECT = re.compile(rf"objects/[0-9a-f]{{2}}/({DIGEST.pattern})")
_REQUESTS = 16
"""Small objects that are read at the same time: each takes a round trip of some 50 ms, so that
sixteen read 300 a second. The number is a choice."""


def entries(remote: RemoteStore) -> list[Entry]:
    """List the entries of a bucket, the newest first; skip damaged manifests."""
    with _failures(remote, "read"):
        sizes = {info.path: info.size for info in remote.bucket.objects("objects")}
        manifests = {info: it for info, it in _manifests(remote) if isinstance(it, Manifest)}
        return _entries(remote, manifests, sizes)


def object_sizes(remote: RemoteStore) -> list[int]:
    """Return the bytes of each object, whether a manifest names it or not."""
    with _failures(remote, "read"):
        return [info.size for info in remote.bucket.objects("objects")]


def verify(remote: RemoteStore) -> Iterator[tuple[str, str, str]]:
    """Download every entry of a bucket; yield group, key and message for each damaged one.

    With a public key, an entry that its private key did not sign is damaged, too.
    """
    with _failures(remote, "read"):
        for group, key, info in _listed(remote):
            content = _read(remote, info.path)
            if content is None:
                continue  # another machine removed it after the bucket was listed
            with TemporaryDirectory() as folder:
                try:
                    remote.verified(group, key, content, Path(folder))
                except StoreError as damage:
                    yield group, key, str(damage)


def remove_damaged(remote: RemoteStore, damaged: Collection[tuple[str, str, str]]) -> None:
    """Delete damaged entries: their manifests, and then the objects that `verify` refused."""
    with _failures(remote, "write"):
        remote.demand_writable()
        # Manifests first: a process that is killed between leaves no entry without its files.
        remote.bucket.delete([manifest_path(group, key) for group, key, _ in damaged])
        remote.bucket.delete(remote.refused_objects())


def prune(
    remote: RemoteStore,
    needed: Collection[str],
    *,
    days: float = 0.0,
    only: Collection[str] = (BUILDS, ANSWERS),
) -> tuple[list[Entry], int]:
    """Remove the entries of the groups `only` that are not `needed` and at least `days` old.

    Manifests go first. Of the objects that none names then, those older than the grace time go: a
    younger one may belong to an entry that a machine is writing. Returns the removed entries and
    the number of bytes freed. Raises StoreError, and removes nothing, if a manifest is damaged: its
    objects would look as if no entry needed them.
    """
    with _failures(remote, "write"):
        remote.demand_writable()
        now = time.time()
        # Before the manifests: what a machine writes from here on is not in this list.
        objects = {it.path: it for it in remote.bucket.objects("objects")}
        manifests = _sound_manifests(remote)
        sizes = {path: it.size for path, it in objects.items()}
        removed = [
            entry
            for entry in _entries(remote, manifests, sizes)
            if entry.group in only and entry.key not in needed and entry.age >= days * DAY
        ]
        paths = {manifest_path(entry.group, entry.key) for entry in removed}
        remote.bucket.delete(sorted(paths))  # before their objects, as above
        named = {
            object_path(digest)
            for info, manifest in manifests.items()
            if info.path not in paths
            for digest in manifest.files.values()
        }
        dead = [
            it
            for path, it in objects.items()
            if path not in named and now - it.modified >= GRACE and _OBJECT.fullmatch(path)
        ]
        remote.bucket.delete([info.path for info in dead])
        return removed, sum(info.size for info in dead)


def _sound_manifests(remote: RemoteStore) -> dict[ObjectInfo, Manifest]:
    """Return every manifest. Raises StoreError if one is damaged."""
    manifests: dict[ObjectInfo, Manifest] = {}
    for info, manifest in _manifests(remote):
        if isinstance(manifest, StoreCorrupt):
            raise StoreError(
                f"cannot remove anything from the store {remote.url}",
                got=f"{info.path}: {manifest.what}",
                remedy="`litegate store verify --remove` removes damaged entries",
            )
        manifests[info] = manifest
    return manifests


def _entries(
    remote: RemoteStore, manifests: Mapping[ObjectInfo, Manifest], sizes: Mapping[str, int]
) -> list[Entry]:
    names = [_certificate_path(manifest) for manifest in manifests.values()]
    certificates = _map(lambda name: _read(remote, name) if name else None, names)
    now = time.time()
    listed = [
        _entry(info, manifest, sizes, certificate or b"", now)
        for (info, manifest), certificate in zip(manifests.items(), certificates, strict=True)
    ]
    return sorted(listed, key=lambda entry: (entry.age, entry.group, entry.key))


def _listed(remote: RemoteStore) -> Iterator[tuple[str, str, ObjectInfo]]:
    """Yield group, key and file of each manifest; other files are not the store's."""
    for group in GROUPS:
        for info in remote.bucket.objects(group):
            if match := _MANIFEST.fullmatch(info.path):
                yield match[1], match[2], info


def _manifests(remote: RemoteStore) -> Iterator[tuple[ObjectInfo, Manifest | StoreCorrupt]]:
    """Yield each manifest, or its damage; skip those that are removed meanwhile."""
    listed = list(_listed(remote))
    contents = _map(lambda it: _read(remote, it[2].path), listed)
    for (_, key, info), content in zip(listed, contents, strict=True):
        if content is None:
            continue
        try:
            yield info, parse_manifest(content, key, info.path)
        except StoreCorrupt as damage:
            yield info, damage


def _map(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Call a function for each item in several threads; return the results in order."""
    with ThreadPoolExecutor(_REQUESTS) as pool:
        return list(pool.map(function, items))


def _read(remote: RemoteStore, path: str) -> bytes | None:
    """Return a small object's bytes; None if there is none."""
    try:
        return remote.read_small(path)[0]
    except KeyError:
        return None


def _certificate_path(manifest: Manifest) -> str:
    return object_path(manifest.files[CERTIFICATE]) if CERTIFICATE in manifest.files else ""


def _entry(
    info: ObjectInfo, manifest: Manifest, sizes: Mapping[str, int], certificate: bytes, now: float
) -> Entry:
    group = info.path.partition("/")[0]
    return Entry(
        group=group,
        key=manifest.key,
        what=(describe_certificate(certificate) if group == BUILDS else "") or group,
        size=sum(sizes.get(object_path(digest), 0) for digest in manifest.files.values()),
        age=max(0.0, now - info.modified),
    )


@contextmanager
def _failures(remote: RemoteStore, verb: str) -> Iterator[None]:
    """Raise StoreError for a failed request: a command has no other store to go on with."""
    try:
        yield
    except BucketError as error:
        raise unusable(remote.url, verb, error) from error
