"""List, verify and prune a bucket: beside machines that read and write it."""

import time

import pytest
from bucket_stores import KEY, OTHER, object_with, objects, overwrite

from litegate.build import remote_maintenance, remote_store
from litegate.build.bucket import Bucket
from litegate.build.remote_maintenance import entries, prune, remove_damaged, verify
from litegate.build.store import ANSWERS, EVALUATIONS
from litegate.core.errors import StoreError

pytest.importorskip("obstore")
pytest.importorskip("moto")


@pytest.fixture
def remote(machine, put):
    """A bucket with two entries that share a file."""
    store, _ = machine("first")
    put(store, b"samples")
    put(store, b"answers", key=OTHER, group=ANSWERS)
    return machine("admin", required=True)[0].remote


@pytest.fixture
def later(monkeypatch):
    """Let time pass: a number of seconds from the real time."""
    now = time.time

    def set_clock(seconds):
        for module in (remote_store, remote_maintenance):
            monkeypatch.setattr(module.time, "time", lambda: now() + seconds)

    return set_clock


def test_entries_have_size_and_age(remote, later):
    """As in a folder; files that no store wrote are not listed."""
    remote.bucket.create("evaluations/notes.txt", b"text")
    later(100)
    listed = {(it.group, it.key): it for it in entries(remote)}
    assert set(listed) == {(EVALUATIONS, KEY), (ANSWERS, OTHER)}
    entry = listed[EVALUATIONS, KEY]
    assert entry.size == len(b"samples{}")
    assert 90 < entry.age < 130
    assert sorted(remote_maintenance.object_sizes(remote)) == [2, 7, 7]


def test_verify_names_what_is_damaged_and_removes_it(remote, machine, put, url):
    """The other entry stays, and the removed one can be written again."""
    assert list(verify(remote)) == []
    overwrite(url, object_with(url, b"samples"), b"sampleS")
    damaged = list(verify(remote))
    [(group, key, message)] = damaged
    assert (group, key) == (EVALUATIONS, KEY)
    assert "is damaged" in message
    remove_damaged(remote, damaged)
    assert [(it.group, it.key) for it in entries(remote)] == [(ANSWERS, OTHER)]
    assert list(verify(remote)) == []
    put(machine("second")[0], b"samples")
    assert machine("third")[0].get(EVALUATIONS, KEY)["a"] == b"samples"


def test_prune_removes_what_is_not_needed(remote, later, url):
    """The manifests at once, the objects that no other entry names after the grace time."""
    removed, freed = prune(remote, {OTHER}, only=(EVALUATIONS, ANSWERS))
    assert ([it.key for it in removed], freed) == ([KEY], 0)
    assert len(remote_maintenance.object_sizes(remote)) == 3
    later(remote_store.GRACE - 60)
    assert prune(remote, {OTHER}) == ([], 0)
    later(remote_store.GRACE + 2)
    assert prune(remote, {OTHER}) == ([], len(b"samples"))
    assert sorted(content for path, content in objects(url).items() if "objects" in path) == [
        b"answers",
        b"{}",
    ]


def test_prune_spares_young_entries_and_foreign_files(remote, later):
    """At the limit an entry goes; a file that no store wrote stays."""
    remote.bucket.create("objects/notes", b"text")
    later(30 * remote_maintenance.DAY - 60)
    assert prune(remote, (), days=30) == ([], 0)
    later(30 * remote_maintenance.DAY + 2)
    removed, _ = prune(remote, (), days=30, only=(EVALUATIONS, ANSWERS))
    assert len(removed) == 2
    assert remote_maintenance.object_sizes(remote) == [4]


def test_prune_beside_a_writer_loses_nothing(remote, machine, put, later, url):
    """An object that is pruned between a writer's look and its manifest is a miss, then whole."""
    writer, _ = machine("writer")
    later(remote_store.GRACE * 2)
    create = writer.remote.bucket.create

    def prune_first(path, content):
        if path.startswith(EVALUATIONS):
            Bucket(url).delete([object_with(url, b"samples")])
        return create(path, content)

    writer.remote.bucket.create = prune_first
    put(writer, b"samples", key="3" * 64)
    reader, notices = machine("reader")
    assert not reader.has(EVALUATIONS, "3" * 64)
    assert "missing" in notices[0]
    put(reader, b"samples", key="3" * 64)
    assert machine("other")[0].get(EVALUATIONS, "3" * 64)["a"] == b"samples"


def test_prune_refuses_a_damaged_manifest(remote, url):
    """Its objects would look as if no entry needed them."""
    overwrite(url, f"{EVALUATIONS}/{KEY}.json", b"{")
    with pytest.raises(StoreError, match="verify --remove"):
        prune(remote, ())
    assert len(entries(remote)) == 1


def test_who_only_reads_removes_nothing(remote, machine):
    """By name, before anything is deleted."""
    reader = machine("reader", readonly=True)[0].remote
    for act in (lambda: prune(reader, ()), lambda: remove_damaged(reader, [])):
        with pytest.raises(StoreError, match="only read here"):
            act()
    assert len(entries(remote)) == 2


def test_a_bucket_that_fails_is_an_error(remote, reach):
    """A command has nothing to go on with."""
    reach("http://127.0.0.1:9")
    remote.bucket = Bucket(remote.url)
    for act in (lambda: entries(remote), lambda: prune(remote, ()), lambda: list(verify(remote))):
        with pytest.raises(StoreError, match=remote.url):
            act()
