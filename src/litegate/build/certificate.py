"""Bind the files of a build to its key, by the birth certificate that names both.

A manifest alone could list the files of another entry: their bytes have the digests that it names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litegate.build.objects import file_digest
from litegate.core.errors import StoreCorrupt

MODEL, HISTORY, CERTIFICATE = "model.tflite", "history.json", "certificate.json"
BUILD_FILES = (MODEL, HISTORY, CERTIFICATE)
"""The files of every artifact in the store."""


def certify(files: Mapping[str, Path], key: str, stem: str) -> None:
    """Add key, stem and the digests of the other files to the certificate among `files`."""
    path = files[CERTIFICATE]
    digests = {name: file_digest(file) for name, file in files.items() if name != CERTIFICATE}
    certificate = json.loads(path.read_bytes()) | {"key": key, "stem": stem, "files": digests}
    path.write_text(json.dumps(certificate, indent=1, sort_keys=True))


def demand_certified(certificate: bytes, key: str, stem: str, digests: Mapping[str, str]) -> None:
    """Raise StoreCorrupt if a certificate is not that of the entry with this key and these files.

    The key of a ready-made file is the digest of its bytes, so it needs no other evidence.
    """
    content = read_json(certificate, CERTIFICATE, dict)
    files = {name: digest for name, digest in digests.items() if name != CERTIFICATE}
    if "prebuilt" in content:
        is_own = content.get("sha256") == key == files.get(MODEL)
    else:
        is_own = [content.get(name) for name in ("key", "stem", "files")] == [key, stem, files]
    if not is_own:
        raise StoreCorrupt(f"the manifest of {key} lists unexpected files")


def demand_origin(certificate: Mapping[str, Any], recipe: Mapping[str, Any], start: str) -> None:
    """Raise StoreCorrupt if a certificate names another recipe, or another trained network.

    `start` is the digest of the file or folder that training began from; empty without. The model's
    name is not compared: a renamed model keeps its key, and so its artifacts.
    """
    expected = [json.loads(json.dumps(recipe)), start]
    origin = certificate.get("start")
    actual_start = origin.get("sha256") if isinstance(origin, dict) else ""
    if [certificate.get("recipe"), actual_start] != expected:
        raise StoreCorrupt(f"{CERTIFICATE} in the store belongs to another build")


def read_json(data: bytes, name: str, kind: type) -> Any:
    """Parse strict JSON of a `kind`, list or dict, from the store. Raises StoreCorrupt."""
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoreCorrupt(f"{name} in the store is not JSON: {error}") from error
    if not isinstance(content, kind):
        raise StoreCorrupt(f"{name} in the store is not a {kind.__name__}")
    return content


def _refuse_constant(constant: str) -> None:
    """Refuse NaN and Infinity: Python reads them, but the report is strict JSON without them."""
    raise ValueError(f"{constant} is not a JSON number")


def demand_bytes(sha256: str, key: str) -> None:
    """Raise StoreCorrupt if a ready-made file has other bytes than its key, which is their digest.

    The certificate cannot vouch for them: whoever replaces the file can replace it, too.
    """
    if sha256 != key:
        raise StoreCorrupt(
            f"the store's entry {key} has other bytes than its key",
            expected=f"SHA-256 {key}",
            got=sha256,
        )
