"""Arrays that stay on disk: read like NumPy's, never as a whole, never when they are damaged."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from litegate.core.errors import DataError, StoreCorrupt
from litegate.data import disk_arrays
from litegate.data.disk_arrays import ArrayWriter, DiskArray, in_parts, open_array, part_slices

VALUES = np.arange(7 * 3 * 2, dtype=np.float32).reshape(7, 3, 2)


def written(folder, values=VALUES, name="x.npy"):
    np.save(folder / name, values)
    return folder / name


@pytest.fixture
def on_disk(tmp_path):
    return DiskArray(written(tmp_path))


@pytest.mark.parametrize(
    "picked",
    [
        0,
        6,
        -1,
        -7,
        np.intp(3),
        slice(None),
        slice(2, 5),
        slice(5, 100),
        slice(5, 2),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(-2, None),
        np.zeros(0, np.intp),
        [4, 0, 4],
        np.array([6, -1]),
        np.arange(7) % 2 == 0,
    ],
    ids=str,
)
def test_what_is_picked_is_what_numpy_picks(on_disk, picked):
    found = on_disk[picked]
    np.testing.assert_array_equal(found, VALUES[picked])
    assert found.dtype == VALUES.dtype


@pytest.mark.parametrize("picked", [7, -8, [0, 7]])
def test_beyond_the_last_sample_is_nothing(on_disk, picked):
    with pytest.raises(IndexError):
        on_disk[picked]


def test_it_says_what_it_is(on_disk):
    assert (len(on_disk), on_disk.shape, on_disk.ndim, on_disk.size) == (7, (7, 3, 2), 3, 42)
    assert (on_disk.nbytes, on_disk.dtype) == (168, np.float32)
    np.testing.assert_array_equal(list(on_disk), list(VALUES))


@pytest.mark.parametrize("ask", [np.asarray, np.min, lambda x: x + np.zeros(1), np.isfinite])
def test_all_of_it_at_once_is_refused(on_disk, ask):
    """With what to do, rather than by filling the memory."""
    with pytest.raises((DataError, TypeError)):
        ask(on_disk)
    with pytest.raises(DataError, match=r"all 7 samples at once.*\n.*\n.*\n.*in_parts\(samples\)"):
        np.asarray(on_disk)


@pytest.mark.parametrize(
    ("size", "counts"),
    [(23, [1] * 7), (24, [1] * 7), (47, [1] * 7), (48, [2, 2, 2, 1]), (999, [7])],
)
def test_parts_are_as_large_as_they_may_be(on_disk, monkeypatch, size, counts):
    """One sample has 24 bytes; a limit below that still gives one at a time."""
    monkeypatch.setattr(disk_arrays, "PART", size)
    for samples in (on_disk, VALUES):
        found = list(in_parts(samples))
        assert [len(part) for part in found] == counts
        np.testing.assert_array_equal(np.concatenate(found), VALUES)


def test_samples_of_no_bytes_are_one_part():
    assert [len(part) for part in in_parts(np.zeros((5, 0), np.float32))] == [5]
    assert not list(in_parts(np.zeros((0, 5), np.float32)))


def test_arrays_are_walked_over_together_at_the_pace_of_the_largest(on_disk, monkeypatch):
    monkeypatch.setattr(disk_arrays, "PART", 48)
    labels = np.arange(7)
    found = list(part_slices(labels, on_disk, VALUES))
    assert found == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)]
    assert list(part_slices(labels)) == [slice(0, 6), slice(6, 12)]


@pytest.mark.parametrize(
    ("limit", "kind"), [(167, DiskArray), (168, np.ndarray), (169, np.ndarray)]
)
def test_a_small_array_is_read_as_a_whole(tmp_path, monkeypatch, limit, kind):
    monkeypatch.setattr(disk_arrays, "IN_MEMORY", limit)
    assert type(open_array(written(tmp_path))) is kind


def test_an_array_in_fortran_order_is_refused(tmp_path):
    with pytest.raises(StoreCorrupt, match="samples first"):
        DiskArray(written(tmp_path, np.asfortranarray(VALUES)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\x00",
        lambda data: data[:20],
        lambda _: b"",
        lambda data: b"\x93NUMPY\x09\x00" + data[8:],
        lambda data: data.replace(b"<f4", b"|O8"),
        lambda data: data.replace(b"(7, 3, 2)", b"()       "),
    ],
)
def test_a_damaged_file_is_no_array(tmp_path, damage):
    path = written(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreCorrupt, match=r"x\.npy in the store is not an array"):
        DiskArray(path)


def test_a_file_that_is_cut_off_while_it_is_read_is_told(tmp_path):
    path = written(tmp_path)
    found = DiskArray(path)
    with path.open("rb+") as file:
        file.truncate(200)
    np.testing.assert_array_equal(found[2], VALUES[2])
    with pytest.raises(StoreCorrupt, match="truncated"):
        found[6]


@pytest.mark.parametrize("dtype", ["<f4", "|u1", "<i8", "|b1"])
@pytest.mark.parametrize("cuts", [[], [1], [0, 3, 6], [2, 2]])
def test_parts_written_one_after_another_are_the_file_of_the_whole(tmp_path, dtype, cuts):
    """Byte for byte what NumPy writes, so that the store holds one object for both."""
    values = VALUES.astype(dtype)
    with ArrayWriter(tmp_path / "parts.npy") as writer:
        for part in np.split(values, cuts):
            writer.add(part)
    whole = written(tmp_path, values)
    assert (tmp_path / "parts.npy").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("other", [VALUES[:, :2], VALUES.astype(np.float64)])
def test_parts_of_another_kind_do_not_fit(tmp_path, other):
    with ArrayWriter(tmp_path / "x.npy") as writer:
        writer.add(VALUES)
        with pytest.raises(ValueError, match="does not fit"):
            writer.add(other)
    np.testing.assert_array_equal(DiskArray(tmp_path / "x.npy")[:], VALUES)


def test_threads_read_the_same_file(tmp_path):
    """Each gets the rows that it asked for."""
    values = np.arange(20_000, dtype=np.float32).reshape(-1, 2)
    shared = DiskArray(written(tmp_path, values))
    starts = list(range(0, len(values) - 50, 7)) * 3
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda start: shared[start : start + 50], starts))
    for start, rows_read in zip(starts, found, strict=True):
        assert np.array_equal(rows_read, values[start : start + 50])
