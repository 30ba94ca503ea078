"""Digests of arrays: of dtype, shape and values, whatever their layout in memory."""

import hashlib

import numpy as np
import pytest

from litegate.core.errors import DataError
from litegate.data import prepare
from litegate.data.digests import array_digest
from litegate.spec import Data, DataLocations, Splits, Stream
from litegate.spec.artifact_keys import data_key

ARRAY = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
Y = np.array([0, 1, 1, 0], np.uint8)


def as_float(samples):
    return samples.astype(np.float32)


def data(x, digests, *, stream=False):
    def load(_locations):
        if stream:
            pairs = zip(x, Y[: len(x)], strict=True)
            return Splits(test=Stream(source=pairs, batched=False))
        return Splits(x_test=x, y_test=Y[: len(x)])

    return Data(
        name="small",
        load=load,
        digests=digests,
        preprocess=as_float,
        domain=(-128, 255),
        classes=("no", "yes"),
    )


def old_digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        ARRAY.view(np.uint16),
        ARRAY.view(">i2"),
        ARRAY.reshape(4, 2, 3),
        ARRAY.reshape(2, 6, 2),
        ARRAY[..., np.newaxis],
    ],
)
def test_arrays_of_the_same_bytes_and_another_dtype_or_shape_differ(other):
    assert other.tobytes() == ARRAY.tobytes()
    assert array_digest(other) != array_digest(ARRAY)


@pytest.mark.parametrize(
    "equal",
    [ARRAY.astype(">i2"), np.asfortranarray(ARRAY), np.repeat(ARRAY, 2, axis=0)[::2]],
)
def test_the_layout_in_memory_does_not_matter(equal):
    assert array_digest(equal) == array_digest(ARRAY)


def test_a_digest_can_be_computed_by_hand():
    values = hashlib.sha256(ARRAY.astype("<i2").tobytes()).hexdigest()
    expected = hashlib.sha256(f"<i2 (4, 3, 2) {values}".encode()).hexdigest()
    assert array_digest(ARRAY) == expected


@pytest.mark.parametrize("stream", [False, True])
def test_a_set_is_not_read_as_its_sibling_of_another_type(tmp_path, stream):
    """uint8 samples and int8 samples with the same bytes are two data sets."""
    unsigned = np.array([[0, 200], [255, 3]], np.uint8)
    digests = {"x_test": array_digest(unsigned), "y_test": array_digest(Y[:2])}
    prepare(data(unsigned, digests, stream=stream), DataLocations(), tmp_path / "a")
    signed = data(unsigned.view(np.int8), digests, stream=stream)
    with pytest.raises(DataError, match="differs from its digests: x_test\n") as error:
        prepare(signed, DataLocations(), tmp_path / "b")
    assert array_digest(unsigned.view(np.int8)) in str(error.value)


@pytest.mark.parametrize("stream", [False, True])
def test_digests_of_the_bytes_alone_are_an_error_with_the_new_lines(tmp_path, stream):
    digests = {"x_test": old_digest(ARRAY), "y_test": array_digest(Y)}
    declared = data(ARRAY, digests, stream=stream)
    with pytest.raises(DataError, match="digests that cover only the bytes: x_test\n") as error:
        prepare(declared, DataLocations(), tmp_path)
    assert "int16 of shape (4, 3, 2)" in error.value.got
    assert f'"x_test": "{array_digest(ARRAY)}",' in error.value.remedy


def test_a_changed_array_beside_an_old_digest_is_named_as_changed():
    """The bytes of y differ: that is no matter of notation."""
    digests = {"x_test": old_digest(ARRAY), "y_test": old_digest(1 - Y)}
    with pytest.raises(DataError, match="differs from its digests: y_test\n"):
        prepare(data(ARRAY, digests), DataLocations())


def test_a_data_key_names_its_format(tmp_path, monkeypatch):
    """A split stored under digests of bytes alone is not found again."""
    declared = data(ARRAY, {"x_test": old_digest(ARRAY)})
    before = data_key(declared, tmp_path)
    monkeypatch.setattr("litegate.spec.artifact_keys.FORMAT", 1)
    assert data_key(declared, tmp_path) != before
