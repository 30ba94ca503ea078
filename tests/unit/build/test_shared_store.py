"""Several users share a store: nothing in it is hidden from who may read its folder."""

import os
import shutil
import stat
import tempfile
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import filelock  # noqa: F401 a user of the test cannot import what root has installed
import pytest

from litegate.build import objects
from litegate.build.store import EVALUATIONS, Store
from litegate.build.store_maintenance import entries, prune, verify

GROUP, FIRST, SECOND = 41_000, 41_001, 41_002
"""Ids that no account of a machine has."""


def modes(root):
    """The permissions of files and of folders; not of a run's own staging folders."""
    paths = [path for path in root.rglob("*") if path.parent.name != "tmp"]
    found = {path.is_dir(): set() for path in paths}
    for path in paths:
        found[path.is_dir()].add(stat.S_IMODE(path.stat().st_mode))
    return found


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
@pytest.mark.parametrize("link_above", [objects._LINK_ABOVE, 0], ids=["copied", "linked"])
def test_permissions_are_those_of_any_new_file(tmp_path, request, monkeypatch, umask, link_above):
    """Of the marker, manifests, objects, and locks."""
    monkeypatch.setattr(objects, "_LINK_ABOVE", link_above)
    request.addfinalizer(partial(os.umask, os.umask(umask)))
    store = Store(tmp_path / "store")
    with store.staging() as folder, store.lock(["key"], print):
        (folder / "a").write_bytes(b"weights")
        store.put(EVALUATIONS, "key", {"a": folder / "a"})
    assert modes(store.root) == {False: {0o666 & ~umask}, True: {0o777 & ~umask}}


@pytest.fixture
def shared():
    """A folder of a group, below folders that everybody may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2775)
    yield folder
    shutil.rmtree(folder)


def as_user(user, umask, function, *args):
    """Call a function in a process of a user of the group; it must not raise."""
    process = get_context("fork").Process(target=_become, args=(user, umask, function, *args))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def _become(user, umask, function, *args):
    os.umask(umask)
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(user)
    function(*args)


def _put(root, key, content):
    store = Store(root)
    with store.staging() as folder, store.lock([key], pytest.fail):
        (folder / "a").write_bytes(content)
        store.put(EVALUATIONS, key, {"a": folder / "a"})


def _demand(root, contents):
    store = Store(root)
    assert {key: store.get(EVALUATIONS, key)["a"] for key in contents} == contents
    assert len(entries(store)) == len(contents)
    assert list(verify(store)) == []


def _prune(root, needed):
    removed, _ = prune(Store(root), needed, pytest.fail, only=(EVALUATIONS,))
    assert removed


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root has users")
def test_two_users_share_a_store(shared):
    root = shared / "store"
    as_user(FIRST, 0o002, _put, root, "first", b"one")
    as_user(SECOND, 0o002, _demand, root, {"first": b"one"})
    as_user(SECOND, 0o002, _put, root, "second", b"two")
    as_user(FIRST, 0o002, _put, root, "third", b"two")
    as_user(SECOND, 0o002, _prune, root, ("second", "third"))
    as_user(FIRST, 0o002, _demand, root, {"second": b"two", "third": b"two"})
    as_user(FIRST, 0o002, _prune, root, ("second",))
    as_user(SECOND, 0o002, _demand, root, {"second": b"two"})


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root has users")
def test_a_user_may_read_what_only_another_may_write(shared):
    root = shared / "store"
    as_user(FIRST, 0o022, _put, root, "first", b"one")
    as_user(SECOND, 0o022, _demand, root, {"first": b"one"})
