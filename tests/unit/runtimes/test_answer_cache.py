"""Answers are kept in memory, then on disk, and computed again only beyond both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

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
