"""Share the entries of stores through a bucket: objects by their SHA-256, the manifest last.

A local store asks it for what it lacks, and gives it what was built. Each path is created once, so
the first writer of a key wins. What is read is verified, and an entry that fails is as good as
missing: the next writer replaces it, if it is still the one that failed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from litegate.build.bucket import Bucket, BucketDenied, BucketError, ObjectInfo
from litegate.build.bucket_listing import Listing
from litegate.build.certificate import CERTIFICATE, demand_certified
from litegate.build.manifest import Manifest, parse_manifest
from litegate.build.objects import check_digest, store_error
from litegate.build.signatures import PRIVATE_KEY, demand_pair, is_signed, sign
from litegate.build.store_folder import BUILDS, GROUPS, MARKER, VERSION
from litegate.core.digests import short_digest
from litegate.core.errors import StoreCorrupt, StoreError
from litegate.core.escaping import listed

GRACE = 86_400.0
"""Seconds for which an object that no manifest names is not pruned: its writer may be at work.

A day: writing an entry takes minutes. A writer trusts half of it, as clocks and lists lag."""
MOST_MANIFEST_BYTES = 1 << 20
"""A manifest lists about five files in less than 1 kB; a larger one is not worth its memory."""
CopyObject = Callable[[str, Path], bool]
"""Copies a sound object from another place to a path; returns False if that place has none."""
_ATTEMPTS = 3
"""Tries of one write, if other processes write or prune the same path meanwhile.

One that loses twice is very unlikely; without an end, a server that answers wrongly would keep the
run for ever."""


def object_path(digest: str) -> str:
    """Return the path of an object in a bucket."""
    return f"objects/{digest[:2]}/{digest}"


def manifest_path(group: str, key: str) -> str:
    """Return the path of an entry's manifest in a bucket."""
    return f"{group}/{key}.json"


@final
@dataclass(kw_only=True)
class Incidents:
    """Problems with a bucket in one process of a run, for the run's report."""

    rejected: dict[str, list[str]] = field(default_factory=dict)
    """The entries that were not used, by the reason."""
    failure: str = ""
    """The error of a required store that could not be used, even if nobody handled it."""

    def add(self, rejected: Mapping[str, list[str]], failure: str) -> None:
        """Add those of another process, which may have rejected the same entries."""
        for reason, entries in rejected.items():
            known = self.rejected.setdefault(reason, [])
            known += [entry for entry in entries if entry not in known]
        self.failure = self.failure or failure


@final
class RemoteStore:
    """A bucket, or a prefix of one, that many machines read and some write.

    A failure is reported once, and the run goes on without the bucket, or without writing to it if
    only that was denied.
    """

    def __init__(
        self,
        url: str,
        *,
        readonly: bool = False,
        required: bool = False,
        public_key: str = "",
        private_key: str = "",
        on_notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Remember the address; nothing is requested before the first entry.

        With `required` a failure raises StoreError instead. With a `public_key` only entries that
        its private key signed are used, so without that key there is nothing to write. Raises
        ConfigError if the keys do not belong together.
        """
        if public_key and private_key:
            demand_pair(private_key, public_key)
        self.url, self.bucket = url, Bucket(url)
        self.incidents = Incidents()
        self._is_required, self._on_notice = required, on_notice
        self.public_key, self._private_key = public_key, private_key
        self._is_usable = True
        self._error: tuple[str, BucketError] | None = None
        """The first failure of a required store: no later request waits for it again."""
        self._is_writable = not readonly and bool(private_key or not public_key)
        self._is_probed = False
        self._used: dict[str, ObjectInfo] = {}
        self._refused: dict[str, ObjectInfo] = {}
        """The manifests and objects that failed verification, by path."""
        self._absent: set[str] = set()
        """Manifests that were not there: a run asks several times for what it builds."""
        self._changed: set[str] = set()
        """Manifests that this run has written, or tried to: the listing may be older."""
        self._listings = {group: Listing(self.bucket, group) for group in GROUPS}

    @property
    def rejections(self) -> list[str]:
        """A line for each reason why entries were not used."""
        return [
            f"{self.url}: not used: {listed(entries)}: {reason}"
            for reason, entries in self.incidents.rejected.items()
        ]

    def demand_reachable(self) -> None:
        """Ask for the marker if the store is required. Raises StoreError if that fails."""
        if self._is_required:
            with self._failures("read"):
                self.bucket.info(MARKER)

    def demand_writable(self) -> None:
        """Raise StoreError if this run or command must not write."""
        if not self._is_writable:
            raise StoreError(
                f"the store {self.url} is only read here",
                got="it is set to read-only, or its entries are signed and there is no private key",
                remedy=f"leave out LITEGATE_STORE_READONLY, or set {PRIVATE_KEY}",
            )

    def look_again(self) -> None:
        """Forget which entries were missing: another machine has written some for this run."""
        self._absent.clear()
        self._listings = {group: Listing(self.bucket, group) for group in GROUPS}

    def refused_objects(self) -> list[str]:
        """Return the paths of the objects that were read and had other bytes than their name."""
        return [path for path in self._refused if path.startswith("objects/")]

    def has(self, group: str, key: str) -> bool:
        """Return True if there is a manifest, sound or not."""
        path = manifest_path(group, key)
        with self._failures("read"):
            is_listed = self._is_listed(group, path)
            return self.bucket.info(path) is not None if is_listed is None else is_listed
        return False

    def _is_listed(self, group: str, path: str) -> bool | None:
        """Return True or False if this run knows if there is a manifest; None if it must ask."""
        if path in self._absent:
            return False
        return None if path in self._changed else self._listings[group].has(path)

    def download(
        self, group: str, key: str, folder: Path, copy_object: CopyObject = lambda *_: False
    ) -> tuple[Manifest, dict[str, Path]]:
        """Download and verify an entry into a folder; return its manifest and files.

        `copy_object` is asked first for each file. Raises KeyError if there is no entry that can be
        believed.
        """
        path = manifest_path(group, key)
        if self._is_usable and path not in self._refused:
            with self._failures("read"):
                if self._is_listed(group, path) is False:
                    raise KeyError(key)
                content, info = self.read_small(path)
                try:
                    entry = self.verified(group, key, content, folder, copy_object)
                except StoreCorrupt as damage:
                    self._refused[path] = info
                    self._reject(f"{group}/{short_digest(key)}", damage.what)
                else:
                    self._used[path] = info
                    return entry
        raise KeyError(key)

    def refuse(self, group: str, key: str) -> None:
        """Do not use an entry again that this run has downloaded: its content was wrong."""
        path = manifest_path(group, key)
        if path in self._used:
            self._refused[path] = self._used.pop(path)

    def upload(self, group: str, manifest: Manifest, path_of: Callable[[str], Path]) -> bool:
        """Upload an entry whose objects are in local files; return False if another one is there.

        An entry that this run refused is replaced, unless somebody else has done so meanwhile.
        """
        if not (self._is_usable and self._is_writable):
            return True
        with self._failures("write"):
            if not self._is_probed:
                self.bucket.demand_conditional_puts(MARKER, VERSION)
                self._is_probed = True
            # The manifest last: whoever finds it finds its files, whenever this process is killed.
            for digest in dict.fromkeys(manifest.files.values()):
                self._upload_object(digest, path_of(digest))
            path, content = manifest_path(group, manifest.key), self._encoded(group, manifest)
            self._absent.discard(path)
            self._changed.add(path)
            if path in self._refused:
                return self.bucket.replace(content, self._refused.pop(path))
            return self.bucket.create(path, content)
        return True

    def _encoded(self, group: str, manifest: Manifest) -> bytes:
        """Return a manifest's bytes, signed if the store's entries are signed."""
        if self.public_key:
            manifest = replace(manifest, signature=sign(group, manifest, self._private_key))
        return manifest.encode()

    def read_small(self, path: str) -> tuple[bytes, ObjectInfo]:
        """Read a manifest. Raises KeyError if there is none."""
        try:
            chunks, info = self.bucket.read(path)
        except FileNotFoundError:
            self._absent.add(path)
            raise KeyError(path) from None
        is_small = info.size <= MOST_MANIFEST_BYTES
        return b"".join(chunks) if is_small else b"", info

    def verified(
        self,
        group: str,
        key: str,
        content: bytes,
        folder: Path,
        copy_object: CopyObject = lambda *_: False,
    ) -> tuple[Manifest, dict[str, Path]]:
        """Get the files that a manifest lists. Raises StoreCorrupt if it must not be used."""
        manifest = parse_manifest(content, key, manifest_path(group, key))
        # Before its files: nothing is downloaded that nobody signed.
        if self.public_key and not is_signed(group, manifest, self.public_key):
            raise StoreCorrupt("not signed with the key of litegate_store_public_key")
        files = {name: folder / digest for name, digest in manifest.files.items()}
        for digest in dict.fromkeys(manifest.files.values()):
            if not copy_object(digest, folder / digest):
                self._download_object(digest, folder / digest)
        if group == BUILDS and CERTIFICATE in files:
            certificate = files[CERTIFICATE].read_bytes()
            demand_certified(certificate, key, manifest.stem, manifest.files)
        return manifest, files

    def _download_object(self, digest: str, to: Path) -> None:
        path, actual = object_path(digest), hashlib.sha256()
        try:
            chunks, info = self.bucket.read(path)
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing from it") from None
        try:
            with to.open("wb") as file:
                for chunk in chunks:
                    actual.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise store_error("write", to, error) from error
        try:
            check_digest(digest, actual.hexdigest(), path)
        except StoreCorrupt:
            self._refused[path] = info
            raise

    def _upload_object(self, digest: str, source: Path) -> None:
        """Write an object, unless a sound and recent one is there.

        An old one is written again: `prune` may be about to remove it. It may also be gone between
        two requests.
        """
        path, size = object_path(digest), source.stat().st_size
        for _ in range(_ATTEMPTS):
            info = self.bucket.info(path)
            if info is None:
                if self.bucket.create(path, source):
                    return
            elif self._is_sound(info, size) and time.time() - info.modified < GRACE / 2:
                return
            elif self.bucket.replace(source, info):
                self._refused.pop(path, None)
                return
        raise BucketError(f"other processes changed {path} {_ATTEMPTS} times meanwhile")

    def _is_sound(self, info: ObjectInfo, size: int) -> bool:
        refused = self._refused.get(info.path)
        return info.size == size and (refused is None or refused.etag != info.etag)

    def _reject(self, entry: str, reason: str) -> None:
        """Remember an entry for the report; print the first with each reason."""
        if reason not in self.incidents.rejected:
            self._on_notice(f"{self.url}: {entry} is not used: {reason}")
        self.incidents.rejected.setdefault(reason, []).append(entry)

    @contextmanager
    def _failures(self, verb: str) -> Iterator[None]:
        """Report a failed request once, and do without the store from then on."""
        if self._error:
            raise unusable(self.url, *self._error)
        try:
            yield
        except BucketError as error:
            if self._is_required:
                self._error, failure = (verb, error), unusable(self.url, verb, error)
                self.incidents.failure = str(failure)
                raise failure from error
            self._is_writable = False
            only_writing = verb == "write" and isinstance(error, BucketDenied)
            self._is_usable = only_writing
            rest = "goes on reading it" if only_writing else "goes on with the local folder"
            self._on_notice(
                f"the store {self.url} cannot be {_PARTICIPLES[verb]}, and this run {rest}: {error}"
            )


def unusable(url: str, verb: str, error: BucketError) -> StoreError:
    """Return the error for a failed request of a run or command that cannot do without."""
    return StoreError(
        f"the store {url} cannot be {_PARTICIPLES[verb]}",
        got=str(error),
        remedy="check its address and the credentials in the environment; a run without "
        "--litegate-store-required goes on with the local folder",
    )


_PARTICIPLES = {"read": "read", "write": "written to"}
