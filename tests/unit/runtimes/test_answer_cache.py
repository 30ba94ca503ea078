"""Answers are kept in memory, then on disk, and computed again only beyond both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from litegate.data import disk_arrays
from litegate.runtimes.answer_cache import AnswerCache

BYTES = 800


@dataclass(frozen=True)
class Answers:
    """What one output answered."""

    raw: Any


def entries(*, memory, disk):
    """The bounds of a cache, in entries of `BYTES`; a file has a header of 128 bytes more."""
    return AnswerCache(memory=memory * BYTES, disk=disk * (BYTES + 128))


def ask(cache, key, computed):
    """Ask for the answers of one key, whose values are the key; notes the keys computed."""

    def compute():
        computed.append(key)
        return {"y": Answers(np.full(BYTES // 8, key, np.float64))}

    answers = cache.get(key, compute)["y"].raw
    assert (np.asarray(answers) == key).all()


@pytest.mark.parametrize(
    ("memory", "disk", "computed"),
    [(3, 0, [0, 1, 2]), (1, 2, [0, 1, 2]), (0, 3, [0, 1, 2]), (1, 1, [0, 1, 2] * 2)],
)
def test_whatever_fits_into_either_is_computed_once(memory, disk, computed):
    """In the order that forgets most: each key once, then each again."""
    cache, seen = entries(memory=memory, disk=disk), []
    for key in (0, 1, 2, 0, 1, 2):
        ask(cache, key, seen)
    assert seen == computed


def test_what_was_asked_for_last_stays(tmp_path):
    """The entry that goes is the one that nobody has asked for the longest."""
    cache, seen = entries(memory=2, disk=0), []
    for key in (0, 1, 0, 2, 0, 1):
        ask(cache, key, seen)
    assert seen == [0, 1, 2, 1]


def test_a_full_disk_costs_time_and_no_answer(monkeypatch):
    """What cannot be written is computed again."""
    cache, seen = entries(memory=0, disk=3), []

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    ask(cache, 1, seen)
    ask(cache, 1, seen)
    assert seen == [1, 1]


def test_several_outputs_come_back_as_they_were():
    """Each by its name, with its type and shape."""
    cache = entries(memory=0, disk=9)
    first = {"a": Answers(np.arange(6, dtype=np.int8).reshape(2, 3)), "b": Answers(np.ones(2))}
    cache.get("key", lambda: first)
    again = cache.get("key", dict)
    assert list(again) == ["a", "b"]
    assert again["a"].raw.dtype == np.int8
    assert np.array_equal(again["a"].raw, first["a"].raw)


def test_outputs_in_a_file_of_their_own_stay_there(tmp_path, monkeypatch):
    """An array too large for memory is on disk already, and must not be read as a whole."""
    np.save(tmp_path / "large.npy", np.arange(100.0))
    monkeypatch.setattr(disk_arrays, "IN_MEMORY", 8)
    large, seen = disk_arrays.DiskArray(tmp_path / "large.npy"), []
    cache = entries(memory=1, disk=9)
    cache.get("large", lambda: {"y": Answers(large)})
    for key in (0, 1):
        ask(cache, key, seen)
    again = cache.get("large", dict)["y"].raw
    assert again is large
    assert (again[3:5] == [3, 4]).all()
    assert seen == [0, 1]


def test_a_file_cut_off_by_a_full_disk_is_removed(monkeypatch):
    """It would take the room that is missing."""
    cache, seen, paths = entries(memory=0, disk=3), [], []

    def cut_off(path, _):
        path.write_bytes(b"half")
        paths.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", cut_off)
    ask(cache, 1, seen)
    assert paths
    assert not paths[0].exists()
