"""Who waits for a lock learns who holds it, and does not wait without end."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from litegate.build import locks
from litegate.build.store import EVALUATIONS, Store
from litegate.core.errors import StoreError

HOLD = """
import sys
from pathlib import Path
from litegate.build.store import Store
with Store(Path(sys.argv[1])).lock(["store"], print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def notices():
    return []


@pytest.fixture
def store(tmp_path, notices):
    """A store whose runs give up after half a second, and say so after a tenth."""
    return Store(tmp_path / "store", lock_timeout=0.5, on_notice=notices.append)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    return {"a": tmp_path / "a"}


@pytest.fixture(autouse=True)
def short_silence(monkeypatch):
    monkeypatch.setattr(locks, "NOTICE_AFTER", 0.1)


@contextmanager
def held(store):
    """Another process adds entries or removes some; gives its id."""
    argv = [sys.executable, "-c", HOLD, store.root]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
        holder.stdin.close()


def test_a_held_lock_names_its_holder(store):
    path = store.root / "locks" / "key.lock"
    with store.lock(["key"], pytest.fail):
        assert path.read_text() == f"{socket.gethostname()} {os.getpid()}\n"
        assert locks.holder(path) == f"process {os.getpid()} on {socket.gethostname()}"


@pytest.mark.parametrize("text", ["", "host", "host pid", "a b c", "\udcff 7"])
def test_a_lock_file_of_an_earlier_version_names_nobody(tmp_path, text):
    (tmp_path / "lock").write_text(text, errors="surrogateescape")
    assert locks.holder(tmp_path / "lock") == "another process"
    assert locks.holder(tmp_path / "none") == "another process"


def test_who_waits_for_the_store_gives_up_and_names_the_holder(store, files, notices):
    """After a few seconds a line says who holds it; after the limit an error does."""
    with held(store) as pid:
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"store\.lock was not free within 0\.5 s") as caught:
            store.put(EVALUATIONS, "key", files)
        assert 0.5 <= time.monotonic() - began < 5
        who = f"process {pid} on {socket.gethostname()} holds"
        assert who in caught.value.got
        assert "--litegate-lock-timeout" in caught.value.remedy
        [notice] = notices
        assert "store.lock" in notice
        assert who in notice
    assert not store.has(EVALUATIONS, "key")


def test_a_lock_that_is_released_in_time_is_taken(store, files, notices):
    store = Store(store.root, lock_timeout=60, on_notice=notices.append)
    with held(store):
        thread = threading.Thread(target=store.put, args=(EVALUATIONS, "key", files), daemon=True)
        thread.start()
        while not notices:
            time.sleep(0.01)
        assert thread.is_alive()
    thread.join(10)
    assert store.get(EVALUATIONS, "key") == {"a": b"weights"}


def test_a_short_wait_is_silent(store, files, notices, monkeypatch):
    monkeypatch.setattr(locks, "NOTICE_AFTER", 0.4)
    short = Store(store.root, lock_timeout=0.4, on_notice=notices.append)
    with held(store), pytest.raises(StoreError, match="not free"):
        short.put(EVALUATIONS, "key", files)
    assert notices == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_store_without_flock_is_an_error_at_once(store, files, monkeypatch, number):
    """Filelock would wait for the files that a flock on another machine has left."""
    store.put(EVALUATIONS, "first", files)

    def missing(_descriptor, _operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", missing)
    before = {path: path.read_bytes() for path in (store.root / "locks").iterdir()}
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot lock .*store\.lock[\s\S]*folder on a local disk"):
        store.put(EVALUATIONS, "second", files)
    assert time.monotonic() - began < 1
    assert {path: path.read_bytes() for path in (store.root / "locks").iterdir()} == before
    assert store.get(EVALUATIONS, "first") == {"a": b"weights"}


def test_a_link_among_the_locks_is_not_written_through(store, files, tmp_path):
    """The holder's name would replace what is in the file behind it."""
    store.put(EVALUATIONS, "first", files)
    (store.root / "locks" / "store.lock").unlink()
    (store.root / "locks" / "store.lock").symlink_to(files["a"])
    with pytest.raises(StoreError, match=r"cannot lock .*store\.lock"):
        store.put(EVALUATIONS, "second", files)
    assert files["a"].read_bytes() == b"weights"


def test_a_full_disk_does_not_prevent_a_lock(store, monkeypatch):
    def full(_descriptor, _data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.demand_folder()
    with store.lock(["key"], pytest.fail):
        monkeypatch.setattr("litegate.build.locks.os.write", full)
        with store.lock(["other"], pytest.fail):
            assert locks.holder(store.root / "locks" / "other.lock") == "another process"
