"""The store: verified reads, whole entries or none, one writer a key."""

import errno
import multiprocessing
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from litegate.build import objects
from litegate.build.store import BUILDS, Store
from litegate.build.store_maintenance import entries, verify
from litegate.core.errors import StoreCorrupt, StoreError


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "store")


@pytest.fixture
def files(tmp_path):
    """Two files to put."""
    made = {"a.bin": tmp_path / "a.bin", "b.json": tmp_path / "b.json"}
    made["a.bin"].write_bytes(b"\x00weights")
    made["b.json"].write_bytes(b"{}")
    return made


HOLD = """
import sys
from pathlib import Path
from litegate.build.store import Store
with Store(Path(sys.argv[1])).lock([sys.argv[2]], print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def in_another_process(store, key):
    """The lock of `key` is held by another process."""
    argv = [sys.executable, "-c", HOLD, store.root, key]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.stdin.close()


def _object(store, name):
    """The path of the stored object with these bytes."""
    return next(p for p in store.root.glob("objects/*/*") if p.read_bytes() == name)


def test_what_was_put_is_got(store, files):
    """An entry comes back byte for byte."""
    store.put(BUILDS, "k", files)
    assert store.has(BUILDS, "k")
    assert store.get(BUILDS, "k") == {"a.bin": b"\x00weights", "b.json": b"{}"}


def test_a_missing_entry_is_a_key_error(store):
    """Absence is told, and creates nothing."""
    with pytest.raises(KeyError):
        store.get(BUILDS, "k")
    assert not store.root.exists()


def test_the_first_writer_wins(store, files):
    """Everyone who shares a store gets the same bytes."""
    store.put(BUILDS, "k", files)
    files["a.bin"].write_bytes(b"other")
    store.put(BUILDS, "k", files)
    assert store.get(BUILDS, "k")["a.bin"] == b"\x00weights"


def test_a_flipped_byte_is_found_on_reading(store, files):
    """Never a wrong artifact: the digest decides."""
    store.put(BUILDS, "k", files)
    _object(store, b"\x00weights").write_bytes(b"\x01weights")
    with pytest.raises(StoreCorrupt, match="damaged"):
        store.get(BUILDS, "k")


def test_a_missing_object_is_found_on_reading(store, files):
    """A manifest that names what is not there is damage, not absence."""
    store.put(BUILDS, "k", files)
    _object(store, b"{}").unlink()
    with pytest.raises(StoreCorrupt, match="missing"):
        store.get(BUILDS, "k")


ENTRY = '{"key": "k", "stem": "", "files": %s}'
DAMAGE = {
    "empty": "",
    "cut off": "{",
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "text": '"builds"',
    "bytes that are no text": "\udcff",
    "nested": "[" * 100_000 + "]" * 100_000,
    "nested in an entry": ENTRY % ("[" * 100_000 + "]" * 100_000),
    "without a key": '{"stem": "", "files": {}}',
    "of another key": '{"key": "j", "stem": "", "files": {}}',
    "a number as the key": '{"key": 7, "stem": "", "files": {}}',
    "a number as the stem": '{"key": "k", "stem": 7, "files": {}}',
    "files that are a number": ENTRY % "3",
    "files that are a list": ENTRY % '["a"]',
    "a path as a digest": ENTRY % '{"a": "../../x"}',
    "a number as a digest": ENTRY % '{"a": 7}',
    "a list as a digest": ENTRY % '{"a": []}',
    "a folder": None,
}


def damage(store, text):
    """Write text in the place of the manifest, or put a folder with a file there."""
    path = store.manifest_path(BUILDS, "k")
    if text is not None:
        path.write_text(text, errors="surrogateescape")
        return
    path.unlink()
    path.mkdir()
    (path / "a user's").write_text("file")


@pytest.mark.parametrize("text", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_manifest_is_found_on_reading_and_heals(store, files, text):
    """Any manifest that is not whole is damage, for every reader; the next entry replaces it."""
    store.put(BUILDS, "k", files)
    damage(store, text)
    for read in (store.get, store.locate):
        with pytest.raises(StoreCorrupt):
            read(BUILDS, "k")
    assert store.keys_of(BUILDS, "") == []
    assert store.keys_by_object(BUILDS, "a.bin") == {}
    assert entries(store) == []
    assert [key for group, key, _ in verify(store) if group == BUILDS] == ["k"]
    store.forget(BUILDS, "k")
    assert list(verify(store)) == []
    store.put(BUILDS, "k", files)
    assert store.get(BUILDS, "k")["b.json"] == b"{}"
    kept = store.root.glob("builds/k.damaged-*/*")
    assert [path.name for path in kept] == ([] if text is not None else ["a user's"])


def test_a_forgotten_entry_can_be_put_again(store, files):
    """Repair: what was damaged goes, what is rebuilt is read."""
    store.put(BUILDS, "k", files)
    _object(store, b"\x00weights").write_bytes(b"\x01weights")
    store.forget(BUILDS, "k")
    assert not store.has(BUILDS, "k")
    store.put(BUILDS, "k", files)
    assert store.get(BUILDS, "k")["a.bin"] == b"\x00weights"


def test_a_damaged_object_is_written_again(store, files):
    """A put of the same bytes mends the object, though its name is taken."""
    store.put(BUILDS, "k", files)
    _object(store, b"\x00weights").write_bytes(b"")
    store.put(BUILDS, "other", files)
    assert store.get(BUILDS, "k")["a.bin"] == b"\x00weights"


def test_what_is_removed_takes_its_own_objects_along(store, files, tmp_path):
    """An object that another entry names stays."""
    (tmp_path / "shared").write_bytes(b"shared")
    (tmp_path / "own").write_bytes(b"own")
    store.put(BUILDS, "kept", {"a": tmp_path / "shared"})
    store.put(BUILDS, "gone", {"a": tmp_path / "shared", "b": tmp_path / "own"})
    assert store.remove([(BUILDS, "gone")], pytest.fail) == len(b"own")
    assert store.get(BUILDS, "kept") == {"a": b"shared"}
    assert not store.has(BUILDS, "gone")
    assert store.remove([(BUILDS, "gone")], pytest.fail) == 0


def test_what_another_process_has_locked_stays(store, files):
    store.put(BUILDS, "busy", files)
    told = []
    with in_another_process(store, "busy"):
        assert store.remove([(BUILDS, "busy")], told.append) == 0
    assert told == ["busy"]
    assert store.has(BUILDS, "busy")


def test_nothing_is_removed_while_a_manifest_cannot_be_read(store, files):
    """Its files would look as if no entry needed them."""
    for key in ("damaged", "kept", "old"):
        files["a.bin"].write_bytes(key.encode())
        store.put(BUILDS, key, files)
    damaged = store.manifest_path(BUILDS, "damaged")
    whole = damaged.read_bytes()
    for damage in (b"{", b"7", b'{"key": "damaged", "stem": "", "files": {"a": "7"}}'):
        damaged.write_bytes(damage)
        with pytest.raises(StoreError, match="cannot remove anything"):
            store.remove([(BUILDS, "old")], pytest.fail)
    damaged.write_bytes(whole)
    assert all(store.get(BUILDS, key) for key in ("damaged", "kept", "old"))
    assert store.remove([(BUILDS, "old")], pytest.fail) == len(b"old")
    assert store.get(BUILDS, "damaged")["a.bin"] == b"damaged"


def test_nothing_that_is_being_put_is_removed(store, files):
    """Objects are written before the manifest that names them: who removes must wait."""
    with in_another_process(store, "store"):
        done = threading.Thread(target=store.remove, args=([], pytest.fail), daemon=True)
        done.start()
        done.join(0.3)
        assert done.is_alive()
    done.join(10)
    assert not done.is_alive()


def test_a_full_disk_is_a_clear_error_and_leaves_no_entry(store, files, monkeypatch):
    """The remedy is told; the store holds nothing half-written."""

    def full(_fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("litegate.build.store.os.fsync", full)
    with pytest.raises(StoreError, match="free disk space"):
        store.put(BUILDS, "k", files)
    monkeypatch.undo()
    assert not store.has(BUILDS, "k")
    assert not list(store.root.glob("tmp/*"))
    store.put(BUILDS, "k", files)
    assert store.get(BUILDS, "k")["b.json"] == b"{}"


def test_staging_is_gone_afterwards(store):
    """Also when the build raises."""
    seen = []

    def fail():
        with store.staging() as folder:
            seen.append(folder)
            (folder / "half").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not seen[0].exists()


def test_staging_of_a_dead_process_is_swept(store):
    """A killed run leaves a folder; the next run removes it."""
    code = (
        "import os, sys; from litegate.build.store import Store; from pathlib import Path\n"
        "s = Store(Path(sys.argv[1])).staging(); print(s.__enter__(), flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store.root)], capture_output=True, text=True, check=False
    )
    left = Path(done.stdout.strip())
    assert left.is_dir()
    with store.staging() as mine:
        assert not left.exists()
        assert mine.is_dir()


def _add_one(root, counter, calls):
    """Under the lock, read, wait and write: a lost update shows a broken lock."""
    store = Store(Path(root))
    for _ in range(calls):
        with store.lock(["one", "two"], lambda: None):
            value = int(Path(counter).read_text())
            Path(counter).write_text(str(value + 1))


def test_a_lock_admits_one_process(store, tmp_path):
    """Two processes count to 60 together without losing one."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=_add_one, args=(str(store.root), str(counter), 30)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert counter.read_text() == "60"


def test_a_file_is_located_where_its_bytes_are_whole(store, files):
    """As `get`, without reading them into memory."""
    store.put(BUILDS, "k", files)
    found = store.locate(BUILDS, "k", ["a.bin"])
    assert {name: path.read_bytes() for name, path in found.items()} == store.get(BUILDS, "k")
    with pytest.raises(KeyError):
        store.locate(BUILDS, "other")
    with pytest.raises(StoreCorrupt, match=r"does not list c\.bin"):
        store.locate(BUILDS, "k", ["c.bin"])
    found["a.bin"].write_bytes(b"\x00Weights")
    with pytest.raises(StoreCorrupt, match="is damaged"):
        store.locate(BUILDS, "k")
    found["a.bin"].unlink()
    with pytest.raises(StoreCorrupt, match="is missing from the store"):
        store.locate(BUILDS, "k")


@pytest.mark.parametrize(("largest", "is_linked"), [(7, True), (8, False), (9, False)])
def test_a_large_staged_file_is_not_written_twice(store, monkeypatch, largest, is_linked):
    """It has eight bytes. Its object stays when the staging folder goes."""
    monkeypatch.setattr(objects, "_LINK_ABOVE", largest)
    with store.staging() as staging:
        staged = staging / "x.npy"
        staged.write_bytes(b"\x00weights")
        store.put(BUILDS, "k", {"x.npy": staged})
        assert store.locate(BUILDS, "k")["x.npy"].samefile(staged) is is_linked
    assert store.get(BUILDS, "k") == {"x.npy": b"\x00weights"}
    assert not list((store.root / "tmp").iterdir())


def test_a_large_file_of_somebody_elses_is_copied(store, files, monkeypatch):
    """Whoever writes to it later does not write into the store."""
    monkeypatch.setattr(objects, "_LINK_ABOVE", 0)
    store.put(BUILDS, "k", files)
    files["a.bin"].write_bytes(b"other")
    assert store.get(BUILDS, "k")["a.bin"] == b"\x00weights"
