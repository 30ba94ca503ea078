"""Size: the bytes that ship, alone, beside the float reference, and compressed."""

from __future__ import annotations

import zlib
from fractions import Fraction

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.spec import Artifact

LEVEL = 9
"""zlib's slowest and smallest."""


def size(artifact: Artifact) -> Measurement:
    """Bytes of the `.tflite` file; MeasurementError where it has none."""
    return Measurement(
        name="size",
        subject=artifact.name,
        value=_bytes(artifact),
        unit=Unit.BYTES,
        artifacts=(artifact.sha256,),
    )


def size_ratio(candidate: Artifact, reference: Artifact) -> Measurement:
    """The candidate's bytes as an exact share of the reference's."""
    return Measurement(
        name="size ratio",
        subject=candidate.name,
        value=Fraction(_bytes(candidate), _bytes(reference)),
        unit=Unit.RATIO,
        evidence=(_both(candidate, reference),),
        artifacts=(reference.sha256, candidate.sha256),
    )


def bytes_saved(candidate: Artifact, reference: Artifact) -> Measurement:
    """How many bytes smaller the candidate is; below zero where it is larger.

    ``bytes_saved(candidate, reference) >= byte(1)`` says that quantizing made the file smaller.
    """
    return Measurement(
        name="size saving",
        subject=candidate.name,
        value=_bytes(reference) - _bytes(candidate),
        unit=Unit.BYTES,
        evidence=(_both(candidate, reference),),
        artifacts=(reference.sha256, candidate.sha256),
    )


def compressed_size(artifact: Artifact) -> Measurement:
    """Bytes of the file as one zlib stream at level 9, header and checksum included.

    Near what an app store or an update sends. Exact for one version of zlib, which the evidence
    names: another may find a stream of a few bytes more or less.
    """
    _bytes(artifact)
    return Measurement(
        name="compressed size",
        subject=artifact.name,
        value=len(zlib.compress(artifact.tflite, LEVEL)),
        unit=Unit.BYTES,
        evidence=(f"zlib {zlib.ZLIB_RUNTIME_VERSION} at level {LEVEL}",),
        artifacts=(artifact.sha256,),
    )


def _bytes(artifact: Artifact) -> int:
    if not artifact.tflite:
        raise MeasurementError(
            f"{artifact.name} has no bytes", expected="at least one", remedy="build it again"
        )
    return len(artifact.tflite)


def _both(candidate: Artifact, reference: Artifact) -> str:
    other = f"{_bytes(reference):,} B of {reference.recipe.name}"
    return f"{_bytes(candidate):,} B against {other}"
