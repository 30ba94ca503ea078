"""Real `.tflite` files, and seeded ways to damage them: for `mutations.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from litegate.spec import Kind
from litegate.testing import tiny
from litegate.tflite.parser import parse

_EXTREMES = (1, 2, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_STRUCTURE = 0.75
"""How often damage is done outside weights: lengths, offsets, types, indices."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A sound file."""

    name: str
    tflite: bytes
    structure: NDArray[np.intp]
    """Places of the bytes that are no weights."""

    def place(self, rng: Random, length: int) -> int:
        """Where to damage `length` bytes; on the border of a word more often than not."""
        inside = rng.random() < _STRUCTURE
        at = rng.choice(self.structure) if inside else rng.randrange(len(self.tflite))
        at = min(int(at), len(self.tflite) - length)
        return at - at % 4 if rng.random() < _STRUCTURE else at


def sources() -> list[Source]:
    """The tiny network of each kind, MLPerf Tiny's files and what the store holds, where there are.

    They are found by LITEGATE_DATA and LITEGATE_STORE.
    """
    found = {f"tiny {kind}": tiny(kind) for kind in Kind}
    if data := os.environ.get("LITEGATE_DATA"):
        paths = sorted((Path(data) / "mlperf_tiny").glob("*.tflite"))
        found |= {path.stem: path.read_bytes() for path in paths}
    if store := os.environ.get("LITEGATE_STORE"):
        found |= dict(_stored(Path(store)))
    return [_source(name, tflite) for name, tflite in found.items()]


def _stored(store: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((store / "builds").glob("*.json")):
        sha256 = json.loads(path.read_text("utf-8"))["files"]["model.tflite"]
        yield f"stored {sha256[:8]}", (store / "objects" / sha256[:2] / sha256).read_bytes()


def _source(name: str, tflite: bytes) -> Source:
    outside = np.ones(len(tflite), dtype=bool)
    for buffer in parse(tflite).buffers:
        if buffer.size >= 64:  # smaller ones are shapes and scalars more often than weights
            at = tflite.find(bytes(buffer.data))
            outside[at : at + buffer.size] = False
    return Source(name=name, tflite=tflite, structure=np.flatnonzero(outside))


def truncated(source: Source, rng: Random, _other: bytes) -> bytes:
    """Cut anywhere."""
    return source.tflite[: rng.randrange(len(source.tflite))]


def flipped(source: Source, rng: Random, _other: bytes) -> bytes:
    """Between one and 64 bits turned."""
    changed = bytearray(source.tflite)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        changed[source.place(rng, 4) + rng.randrange(4)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def zeroed(source: Source, rng: Random, _other: bytes) -> bytes:
    """Between one and 256 bytes in a row set to zero."""
    length = rng.choice((1, 2, 4, 4, 8, 32, 256))
    return _put(source, rng, bytes(length))


def overwritten(source: Source, rng: Random, _other: bytes) -> bytes:
    """A word replaced by an extreme or a random number."""
    number = rng.choice((*_EXTREMES, rng.getrandbits(8), rng.getrandbits(32)))
    return _put(source, rng, number.to_bytes(4, "little"))


def spliced(source: Source, rng: Random, other: bytes) -> bytes:
    """A piece of the file, or of another, copied over another place."""
    length = rng.choice((4, 8, 16, 32, 128))
    giver = rng.choice((source.tflite, source.tflite, other))
    at = rng.randrange(len(giver) - length)
    return _put(source, rng, giver[at - at % 4 :][:length])


def _put(source: Source, rng: Random, piece: bytes) -> bytes:
    at = source.place(rng, len(piece))
    return source.tflite[:at] + piece + source.tflite[at + len(piece) :]


KINDS: tuple[Callable[[Source, Random, bytes], bytes], ...] = (
    truncated,
    flipped,
    zeroed,
    overwritten,
    spliced,
)
