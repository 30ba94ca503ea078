"""Sign the manifests of a shared store with Ed25519, so that write access alone forges nothing.

Keys are 32 raw bytes in base64: the public one in the project's settings, the private one in an
environment variable of the jobs that may decide what is believed.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from litegate.build.manifest import Manifest
from litegate.core.errors import ConfigError

PRIVATE_KEY = "LITEGATE_STORE_PRIVATE_KEY"
"""Environment variable of the private key; no option, since logs and settings show options."""
_PURPOSE = b"litegate store entry, version 1\n"
"""Begins what is signed, so that a signature made for another purpose fits no entry."""


def generate() -> tuple[str, str]:
    """Return a new private key and its public key."""
    key = _ed25519().Ed25519PrivateKey.generate()
    return _text(key.private_bytes_raw()), _text(key.public_key().public_bytes_raw())


def demand_pair(private: str, public: str) -> None:
    """Raise ConfigError if the keys cannot be read, or do not belong together."""
    actual = _private_key(private).public_key().public_bytes_raw()
    if actual != _public_key(public).public_bytes_raw():
        raise ConfigError(
            f"the private key in {PRIVATE_KEY} belongs to another public key",
            expected=f"litegate_store_public_key = {public}",
            got=_text(actual),
            remedy="set both from one run of `litegate store keygen`",
        )


def sign(group: str, manifest: Manifest, private: str) -> str:
    """Return the signature of an entry: of its group, key, stem and every file's digest."""
    return _text(_private_key(private).sign(_message(group, manifest)))


def is_signed(group: str, manifest: Manifest, public: str) -> bool:
    """Return True if a manifest has the signature of this entry by the public key's owner."""
    from cryptography.exceptions import InvalidSignature

    key = _public_key(public)
    try:
        signature = base64.b64decode(manifest.signature, validate=True)
        key.verify(signature, _message(group, manifest))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(group: str, manifest: Manifest) -> bytes:
    content = [group, manifest.key, manifest.stem, dict(manifest.files)]
    return _PURPOSE + json.dumps(content, sort_keys=True).encode()


def _private_key(text: str) -> Any:
    key_bytes = _key_bytes(text, PRIVATE_KEY, shown=False)
    return _ed25519().Ed25519PrivateKey.from_private_bytes(key_bytes)


def _public_key(text: str) -> Any:
    key_bytes = _key_bytes(text, "litegate_store_public_key", shown=True)
    return _ed25519().Ed25519PublicKey.from_public_bytes(key_bytes)


def _key_bytes(text: str, name: str, *, shown: bool) -> bytes:
    """Return the 32 bytes of a key. The text of a private key is never part of an error."""
    try:
        key_bytes = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key_bytes = b""
    if len(key_bytes) != 32:
        raise ConfigError(
            f"{name} is not a key",
            expected="32 bytes in base64, as `litegate store keygen` prints them",
            got=repr(text) if shown else f"{len(text)} characters",
        )
    return key_bytes


def _text(key_bytes: bytes) -> str:
    return base64.b64encode(key_bytes).decode()


def _ed25519() -> Any:
    """Import the package that signs: late, because most runs sign nothing."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise ConfigError(
            "signed manifests need the package cryptography",
            got=str(error),
            remedy="pip install 'litegate[remote]'",
        ) from error
    return ed25519
