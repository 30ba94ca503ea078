"""Read the manifests of a store: which files an entry has, by their digests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.build.objects import DIGEST, store_error
from litegate.core.errors import StoreCorrupt


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of an entry."""

    key: str
    stem: str
    """The part of an artifact's key that does not depend on the tool chain; may be empty."""
    files: Mapping[str, str]
    """Digests by file name."""
    signature: str = ""
    """The signature of a shared store's entry in base64; empty without one."""

    def encode(self) -> bytes:
        """Return the manifest as it is stored."""
        content = {"key": self.key, "stem": self.stem, "files": dict(self.files)}
        content |= {"signature": self.signature} if self.signature else {}
        return json.dumps(content, indent=1, sort_keys=True).encode()


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of the key that its file is named by.

    Raises FileNotFoundError if there is none, StoreCorrupt if it is damaged, and StoreError if it
    cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_dir():
            raise StoreCorrupt(f"the manifest {path} is a folder") from error
        raise store_error("read", path, error) from error
    return parse_manifest(content, path.stem, path)


def parse_manifest(content: bytes, key: str, path: Path | str) -> Manifest:
    """Parse the manifest of a key, which was read from `path`. Raises StoreCorrupt."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreCorrupt(f"the manifest {path} is damaged: {error}") from error
    manifest = _manifest(fields)
    if manifest is None:
        raise StoreCorrupt(
            f"the manifest {path} is damaged: it does not have the form of a manifest"
        )
    if manifest.key != key:
        raise StoreCorrupt(f"the manifest {path} belongs to another key")
    return manifest


def _manifest(content: Any) -> Manifest | None:
    """Return a manifest of JSON; None for any other JSON."""
    if not isinstance(content, dict):
        return None
    key, stem, files = (content.get(name) for name in ("key", "stem", "files"))
    if not (isinstance(key, str) and isinstance(stem, str) and isinstance(files, dict)):
        return None
    if not all(isinstance(name, str) and DIGEST.fullmatch(name) for name in files.values()):
        return None
    signature = content.get("signature", "")
    if not isinstance(signature, str):
        return None
    return Manifest(key=key, stem=stem, files=files, signature=signature)
