"""Sizes: exact, and a candidate that is not smaller is seen."""

import hashlib
import zlib
from dataclasses import replace
from fractions import Fraction

import pytest

from litegate.core.errors import MeasurementError
from litegate.core.units import byte
from litegate.measures.measurement import Outcome
from litegate.measures.structure.size import bytes_saved, compressed_size, size, size_ratio
from litegate.measures.verdict_text import sentence
from litegate.spec import Kind
from litegate.testing import pad, tiny_artifact


@pytest.fixture(scope="module")
def reference():
    return tiny_artifact(Kind.FLOAT32)


@pytest.fixture(scope="module")
def candidate():
    return tiny_artifact(Kind.INT8_QAT)


def sized(artifact, count):
    """The artifact with its file padded to `count` bytes, or emptied."""
    tflite = pad(artifact.tflite, count - len(artifact.tflite)) if count else b""
    return replace(artifact, tflite=tflite, sha256=hashlib.sha256(tflite).hexdigest())


@pytest.mark.parametrize(
    ("over", "outcome"), [(-1, Outcome.PASS), (0, Outcome.PASS), (1, Outcome.FAIL)]
)
def test_size_is_held_to_the_byte(candidate, over, outcome):
    """One byte below the limit, at it, and one above."""
    limit = byte(len(candidate.tflite) + 100)
    assert (size(sized(candidate, int(limit.value) + over)) <= limit).outcome is outcome


def test_size_names_its_subject_and_artifact(candidate):
    """A reader finds whose bytes were counted."""
    found = size(candidate)
    assert (found.subject, found.artifacts) == ("tiny/int8_qat", (candidate.sha256,))


@pytest.mark.parametrize(
    ("saved", "outcome"),
    [(2, Outcome.PASS), (1, Outcome.PASS), (0, Outcome.FAIL), (-1, Outcome.FAIL)],
)
def test_a_candidate_must_be_smaller_by_a_byte(candidate, reference, saved, outcome):
    """Equal size is no saving, and a larger file is a negative one."""
    padded = sized(candidate, len(reference.tflite) - saved)
    verdict = bytes_saved(padded, reference) >= byte(1)
    assert verdict.outcome is outcome
    assert verdict.measurement.value == saved


def test_a_padded_candidate_fails_in_a_sentence(candidate, reference):
    """By how much it is too large, and both sizes."""
    padded = sized(candidate, len(reference.tflite) + 40)
    assert sentence(bytes_saved(padded, reference) >= byte(1)) == (
        "size saving of tiny/int8_qat is -40 B, must be at least 1 B (short by 41 B); "
        f"{len(reference.tflite) + 40:,} B against {len(reference.tflite):,} B of float32"
    )


@pytest.mark.parametrize(
    ("over", "outcome"), [(-1, Outcome.PASS), (0, Outcome.PASS), (1, Outcome.FAIL)]
)
def test_the_ratio_is_exact(candidate, reference, over, outcome):
    """A limit of three quarters is kept by exactly three quarters of the bytes."""
    large, small = sized(reference, 8000), sized(candidate, 6000 + over)
    found = size_ratio(small, large)
    assert found.value == Fraction(6000 + over, 8000)
    assert (found <= 0.75).outcome is outcome


def test_compressed_size_is_what_zlib_unpacks(candidate):
    """One zlib stream at level 9; its version is part of the evidence."""
    found = compressed_size(candidate)
    assert found.value == len(zlib.compress(candidate.tflite, 9))
    assert found.evidence == (f"zlib {zlib.ZLIB_RUNTIME_VERSION} at level 9",)


def test_padding_hides_from_compression_and_not_from_size(candidate):
    """10,000 zeros: 10,000 bytes of the file and a few of what is sent."""
    padded = sized(candidate, len(candidate.tflite) + 10_000)
    assert size(padded).value - size(candidate).value == 10_000
    assert 0 < compressed_size(padded).value - compressed_size(candidate).value < 100


@pytest.mark.parametrize("measure", [size, compressed_size])
def test_no_bytes_are_no_size(candidate, measure):
    """An empty file is an error, never the smallest of all."""
    with pytest.raises(MeasurementError, match="tiny/int8_qat has no bytes"):
        measure(sized(candidate, 0))


@pytest.mark.parametrize("measure", [size_ratio, bytes_saved])
@pytest.mark.parametrize("empty", ["candidate", "reference"])
def test_no_bytes_are_no_comparison(candidate, reference, measure, empty):
    """Neither side of a comparison may be empty."""
    pair = {"candidate": candidate, "reference": reference}
    pair[empty] = sized(pair[empty], 0)
    with pytest.raises(MeasurementError, match="has no bytes"):
        measure(**pair)
