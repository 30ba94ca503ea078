"""Measure a file's size: in bytes, against the float reference, and compressed."""

from __future__ import annotations

import zlib
from fractions import Fraction

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.spec import Artifact

ZLIB_LEVEL = 9
"""zlib's slowest level, which compresses best: a release is compressed once and downloaded often.

A lower level would be faster and give larger numbers; a change of it would break users' limits."""


def size(artifact: Artifact) -> Measurement:
    """Measure the bytes of the `.tflite` file; raise MeasurementError if it is empty."""
    return Measurement(
        name=Name.SIZE,
        subject=artifact.name,
        value=_bytes(artifact),
        unit=Unit.BYTES,
        artifacts=(artifact.sha256,),
    )


def size_ratio(candidate: Artifact, reference: Artifact) -> Measurement:
    """Measure the candidate's bytes as an exact ratio to the reference's."""
    return Measurement(
        name=Name.SIZE_RATIO,
        subject=candidate.name,
        value=Fraction(_bytes(candidate), _bytes(reference)),
        unit=Unit.RATIO,
        evidence=(_comparison_text(candidate, reference),),
        artifacts=(reference.sha256, candidate.sha256),
    )


def bytes_saved(candidate: Artifact, reference: Artifact) -> Measurement:
    """Measure how many bytes smaller the candidate is; negative if it is larger.

    ``bytes_saved(candidate, reference) >= byte(1)`` demands that quantizing makes the file smaller.
    """
    return Measurement(
        name=Name.SIZE_SAVING,
        subject=candidate.name,
        value=_bytes(reference) - _bytes(candidate),
        unit=Unit.BYTES,
        evidence=(_comparison_text(candidate, reference),),
        artifacts=(reference.sha256, candidate.sha256),
    )


def compressed_size(artifact: Artifact) -> Measurement:
    """Measure the bytes of the file as one zlib stream at level 9, header and checksum included.

    Close to the download size from an app store or of an update. Exact for one version of zlib,
    which the evidence names: another version may differ by a few bytes.
    """
    _bytes(artifact)  # raises if the file is empty
    return Measurement(
        name=Name.COMPRESSED_SIZE,
        subject=artifact.name,
        value=len(zlib.compress(artifact.tflite, ZLIB_LEVEL)),
        unit=Unit.BYTES,
        evidence=(f"zlib {zlib.ZLIB_RUNTIME_VERSION} at level {ZLIB_LEVEL}",),
        artifacts=(artifact.sha256,),
    )


def _bytes(artifact: Artifact) -> int:
    if not artifact.tflite:
        raise MeasurementError(
            f"{artifact.name} has no bytes", expected="at least one", remedy="build it again"
        )
    return len(artifact.tflite)


def _comparison_text(candidate: Artifact, reference: Artifact) -> str:
    reference_text = f"{_bytes(reference):,} B of {reference.recipe.name}"
    return f"{_bytes(candidate):,} B against {reference_text}"
