"""Shipped: the file in the project that goes out is the one that was judged."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from litegate.core.errors import MeasurementError
from litegate.measures.measurement import Measurement, violations
from litegate.spec import Artifact

NAME = "wrong shipped files"
"""Of this measurement in a report; what it finds is mended by `litegate export`."""
_DIGITS = 12
_LFS_POINTER = b"version https://git-lfs"


def shipped_violations(candidate: Artifact, file: Path) -> Measurement:
    """Count 1 where `file` does not hold the candidate's bytes, and say what mends it.

    Raises MeasurementError where the file is there and cannot be read.
    """
    shown = candidate.recipe.shipped or str(file)
    fault = _fault(candidate, file, shown)
    offenders = (f"{shown} {fault}",) if fault else ()
    return violations(NAME, candidate.name, offenders, n=1, artifacts=(candidate.sha256,))


def described(tflite: bytes) -> str:
    """A file in a few words: the head of its SHA-256, and its size."""
    return f"sha256 {hashlib.sha256(tflite).hexdigest()[:_DIGITS]}, {len(tflite):,} B"


def _fault(candidate: Artifact, file: Path, shown: str) -> str:
    words = ("litegate", "export", candidate.model, candidate.recipe.name, "--to", shown)
    mend = f"the gated file is {described(candidate.tflite)}: run `{shlex.join(words)}`"
    if not file.exists():
        return f"is missing; {mend}"
    data = _read(file, shown)
    if data == candidate.tflite:
        return ""
    if data.startswith(_LFS_POINTER):
        return "is a pointer of Git LFS, not the file: run `git lfs pull`"
    return f"is {described(data)}; {mend}"


def _read(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise MeasurementError(
            f"{shown} cannot be read",
            expected="the shipped .tflite file",
            got=str(error.strerror or error),
            remedy="correct the recipe's shipped=..., or the file's permissions",
        ) from error
