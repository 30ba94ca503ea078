"""Check that the file in the project that ships is the one that was judged."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from litegate.core.digests import short_digest
from litegate.core.errors import MeasurementError
from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.spec import Artifact

_LFS_POINTER = b"version https://git-lfs"


def shipped_violations(candidate: Artifact, file: Path) -> Measurement:
    """Measure 1 if `file` differs from the candidate's bytes, and 0 otherwise; name the remedy.

    Raises MeasurementError if the file exists and cannot be read.
    """
    shown = candidate.recipe.shipped or str(file)
    problem = _problem(candidate, file, shown)
    offenders = (f"{shown} {problem}",) if problem else ()
    return violations(
        Name.SHIPPED_DIFFERENCES, candidate.name, offenders, n=1, artifacts=(candidate.sha256,)
    )


def describe_bytes(tflite: bytes) -> str:
    """Describe a file for a message: the start of its SHA-256, and its size."""
    return f"sha256 {short_digest(hashlib.sha256(tflite).hexdigest())}, {len(tflite):,} B"


def _problem(candidate: Artifact, file: Path, shown: str) -> str:
    command = ("litegate", "export", candidate.model, candidate.recipe.name, "--to", shown)
    remedy = f"the gated file is {describe_bytes(candidate.tflite)}: run `{shlex.join(command)}`"
    if not file.exists():
        return f"is missing; {remedy}"
    data = _read(file, shown)
    if data == candidate.tflite:
        return ""
    if data.startswith(_LFS_POINTER):
        return "is a Git LFS pointer instead of the file: run `git lfs pull`"
    return f"is {describe_bytes(data)}; {remedy}"


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
