"""Only a store's own files are ever removed, and only from a folder with the marker."""

import hashlib
import os
import shutil
import signal
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from full_disk import full_disk
from typer.testing import CliRunner

from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.build.store_folder import MARKER, adopt
from litegate.build.store_maintenance import entries, prune, verify
from litegate.cli import app
from litegate.core.errors import StoreError

DIGEST = hashlib.sha256(b"").hexdigest()
KEYS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(4)]


@pytest.fixture
def files(tmp_path):
    """A file to put."""
    (tmp_path / "a").write_bytes(b"weights")
    return {"a": tmp_path / "a"}


@pytest.fixture
def store(tmp_path, files):
    """A store with an evaluation split of four entries, each with a file of its own."""
    store = Store(tmp_path / "store")
    for key in KEYS:
        files["a"].write_text(key)
        store.put(EVALUATIONS, key, files)
    return store


@pytest.fixture
def old_store(store):
    """As it was before there was a marker."""
    (store.root / MARKER).unlink()
    return Store(store.root)


@pytest.fixture
def command(store, monkeypatch):
    """Runs `litegate store` on the store."""
    monkeypatch.setenv("LITEGATE_STORE", str(store.root))
    monkeypatch.chdir(store.root.parent)
    return lambda *args: CliRunner().invoke(app, ["store", *args])


def tree(folder):
    """Every path below a folder, with its bytes."""
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def write(root, name, text="a user's"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def each_use(store, files):
    """What may be asked of a store."""
    return {
        "has": partial(store.has, BUILDS, "k"),
        "get": partial(store.get, BUILDS, "k"),
        "put": partial(store.put, BUILDS, "k", files),
        "forget": partial(store.forget, BUILDS, "k"),
        "remove": partial(store.remove, [], pytest.fail),
        "entries": partial(entries, store),
        "verify": lambda: list(verify(store)),
        "staging": lambda: store.staging().__enter__(),
        "lock": lambda: store.lock(["k"], print).__enter__(),
        "keys_of": partial(store.keys_of, BUILDS, "k"),
        "demand_folder": store.demand_folder,
    }


def test_the_first_write_marks_a_new_folder(tmp_path, files):
    for root in (tmp_path / "new" / "store", tmp_path / "empty", tmp_path / "disk"):
        store = Store(root)
        if root.name != "store":
            root.mkdir()
        if root.name == "disk":
            (root / "lost+found").mkdir()
        assert not store.has(BUILDS, "k")
        assert entries(store) == []
        assert not (root / MARKER).exists()
        store.put(BUILDS, "k", files)
        assert (root / MARKER).read_text() == "litegate store, version 1\n"
        assert Store(root).get(BUILDS, "k") == {"a": b"weights"}


def test_a_store_that_is_deleted_while_it_is_used_is_made_again(store, files):
    shutil.rmtree(store.root)
    store.put(BUILDS, "k", files)
    assert Store(store.root).get(BUILDS, "k")


FOREIGN = {
    "a repository": ("objects/ab/cdef", "HEAD", "refs/heads/main"),
    "a user's objects": (f"objects/ab/{DIGEST}", "objects/readme"),
    "documents": ("notes.txt",),
    "a folder of ours with more": ("builds/k.json", "builds/notes.txt"),
    "a hidden file": (".profile",),
    "a file named as the marker's folder": (f"{MARKER}.txt",),
}


@pytest.mark.parametrize("names", FOREIGN.values(), ids=FOREIGN)
def test_a_folder_that_is_no_store_is_left_alone(tmp_path, files, names):
    root = tmp_path / "store"
    for name in names:
        write(root, name)
    before = tree(root)
    for use in each_use(Store(root), files).values():
        with pytest.raises(
            StoreError, match=r"is not a store\n[\s\S]*choose an empty or a new folder"
        ):
            use()
    with pytest.raises(StoreError, match="is not a store"):
        adopt(root)
    assert tree(root) == before


def test_commands_refuse_a_folder_that_is_no_store(store, command):
    (store.root / MARKER).unlink()
    write(store.root, "HEAD")
    before = tree(store.root)
    for args in (("prune",), ("prune", "--all"), ("list",), ("verify", "--remove"), ("adopt",)):
        assert "is not a store" in str(command(*args).exception)
    assert tree(store.root) == before


def test_a_marker_of_another_version_is_refused(store, files):
    for content in ("litegate store, version 2\n", "", "\udcff"):
        (store.root / MARKER).write_text(content, errors="surrogateescape")
        for use in each_use(Store(store.root), files).values():
            with pytest.raises(StoreError, match="another version"):
                use()


def test_an_earlier_store_is_used_once_it_was_adopted(old_store, files, command):
    before = tree(old_store.root)
    for use in each_use(old_store, files).values():
        with pytest.raises(StoreError, match="run `litegate store adopt`"):
            use()
    assert "`litegate store adopt`" in str(command("prune").exception)
    assert tree(old_store.root) == before
    assert command("adopt").stdout.startswith("marked ")
    assert command("adopt").stdout.endswith("is a store already\n")
    assert command("verify").stdout.startswith("no damage in ")
    assert old_store.get(EVALUATIONS, KEYS[0]) == {"a": KEYS[0].encode()}


def _link(target, root, name):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).symlink_to(target)


UNKNOWN = {
    "a file beside the folders": lambda root: write(root, "notes"),
    "an unknown group": lambda root: write(root, f"models/{DIGEST}.json"),
    "a manifest of another name": lambda root: write(root, "builds/k.json"),
    "a manifest of another kind": lambda root: write(root, f"builds/{DIGEST}.txt"),
    "a folder as a manifest": lambda root: write(root, f"builds/{DIGEST}.json/a"),
    "an object of another name": lambda root: write(root, f"objects/ab/{DIGEST[:-1]}"),
    "a folder among the objects": lambda root: write(root, f"objects/ab/{DIGEST}/a"),
    "a file beside objects": lambda root: write(root, "objects/notes"),
    "objects of another prefix": lambda root: write(root, f"objects/abc/{DIGEST}"),
    "a lock of another name": lambda root: write(root, "locks/mine.lock"),
    "a link to a file": lambda root: _link(root.parent / "a", root, f"objects/ab/{DIGEST}"),
    "a link to a folder": lambda root: _link(root.parent, root, "objects/ab"),
    "a link to a group": lambda root: _link(root.parent, root, "builds"),
    "a file as a group": lambda root: write(root, "builds"),
}


@pytest.mark.parametrize("plant", UNKNOWN.values(), ids=UNKNOWN)
def test_only_what_a_store_holds_is_adopted(old_store, plant):
    plant(old_store.root)
    with pytest.raises(StoreError, match="does not belong to a store"):
        adopt(old_store.root)
    assert not (old_store.root / MARKER).exists()


def test_what_runs_leave_is_adopted(old_store):
    for name in (f"locks/{DIGEST}.lock", "locks/store.lock", "tmp/host-1-x/a", "lost+found/a"):
        write(old_store.root, name)
    assert adopt(old_store.root)
    assert not adopt(old_store.root)


def test_there_is_nothing_to_adopt(tmp_path):
    with pytest.raises(StoreError, match="there is no folder"):
        adopt(tmp_path / "none")
    assert not (tmp_path / "none").exists()


LINKS = {
    "a file among the objects": (f"outside/{DIGEST}", f"objects/ab/{DIGEST}"),
    "a folder among the objects": ("outside", "objects/ab"),
    "all objects": ("outside", "objects"),
    "a group": ("outside", "builds"),
    "temporary files": ("outside", "tmp"),
    "locks": ("outside", "locks"),
}


@pytest.mark.parametrize(("target", "link"), LINKS.values(), ids=LINKS)
def test_nothing_behind_a_link_is_removed(store, files, command, target, link):
    """Neither by prune nor by verify, nor by the next build."""
    outside = store.root.parent / "outside"
    for name in (DIGEST, f"ab/{DIGEST}", f"{DIGEST}.json", f"{os.uname().nodename}-999999-x/a"):
        write(outside, name)
    shutil.rmtree(store.root / link, ignore_errors=True)
    _link(outside.parent / target, store.root, link)
    before = tree(outside).items()
    for args in (("prune", "--all"), ("verify", "--remove")):
        command(*args)
    with suppress(StoreError):
        store.forget(BUILDS, DIGEST)
    with store.staging():
        assert before <= tree(outside).items()


def test_other_files_beside_the_objects_stay(store):
    """A digest's name and a regular file: nothing else was put there by a store."""
    stray = [write(store.root, f"objects/ab/{name}") for name in ("notes", DIGEST[:-1], "x" * 64)]
    own = write(store.root, f"objects/ab/{DIGEST}")
    prune(store, (), pytest.fail, only=(EVALUATIONS,))
    assert all(path.exists() for path in stray)
    assert not own.exists()
    assert not any(path.exists() for path in (store.root / EVALUATIONS).iterdir())


def _killed_prune(root, unlinks):
    """Prune, and be killed in the place of the next removal after so many."""
    unlink, left = Path.unlink, iter(range(unlinks))

    def unlink_or_die(path, **options):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        unlink(path, **options)

    Path.unlink = unlink_or_die
    prune(Store(root), KEYS[:1], print, only=(EVALUATIONS,))


@pytest.mark.parametrize("unlinks", range(7))
def test_a_killed_prune_leaves_a_sound_store(store, files, unlinks):
    """Three entries go, with an object each: killed at any of the six removals, or not at all."""
    process = get_context("fork").Process(target=_killed_prune, args=(store.root, unlinks))
    process.start()
    process.join(30)
    assert process.exitcode == (-signal.SIGKILL if unlinks < 6 else 0)
    store = Store(store.root)
    assert list(verify(store)) == []
    assert len(entries(store)) == max(1, 4 - unlinks)
    assert store.get(EVALUATIONS, KEYS[0]) == {"a": KEYS[0].encode()}
    prune(store, KEYS[:1], pytest.fail, only=(EVALUATIONS,))
    assert [entry.key for entry in entries(store)] == KEYS[:1]
    assert len(list(store.object_paths())) == 1
    store.put(EVALUATIONS, KEYS[1], files)
    assert list(verify(store)) == []


def _put(root, source, key, barrier):
    barrier.wait(30)
    Store(root).put(EVALUATIONS, key, {"a": source})


def test_processes_that_make_a_store_at_once_all_succeed(tmp_path, files):
    context = get_context("fork")
    for turn in range(3):
        root, barrier = tmp_path / f"store {turn}", context.Barrier(4)
        arguments = [(root, files["a"], key, barrier) for key in KEYS]
        processes = [context.Process(target=_put, args=each) for each in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        assert {entry.key for entry in entries(Store(root))} == set(KEYS)
        assert list(verify(Store(root))) == []


def test_a_full_disk_leaves_no_half_a_marker(tmp_path, files):
    root = tmp_path / "store"
    with full_disk(10), pytest.raises(StoreError, match="free disk space"):
        Store(root).put(BUILDS, "k", files)
    assert list(root.iterdir()) == []
    Store(root).put(BUILDS, "k", files)
    assert Store(root).get(BUILDS, "k")


def test_a_marker_that_a_killed_process_was_writing_is_no_content(tmp_path, files):
    write(tmp_path, f"store/.{MARKER}.abc", "litegate st")
    Store(tmp_path / "store").put(BUILDS, "k", files)
    assert Store(tmp_path / "store").get(BUILDS, "k")
