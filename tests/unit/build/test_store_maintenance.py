"""What a store keeps, what is damaged, and what may go; and the commands that do it."""

import json
import os
import time

import pytest
from typer.testing import CliRunner

from litegate.build.certificate import certify
from litegate.build.store import BUILDS, Store
from litegate.build.store_maintenance import DAY, entries, format_age, prune, verify
from litegate.cli import app
from litegate.core.errors import StoreError
from litegate.testing import tiny
from litegate.testing.store import fill_store

CERTIFICATE = {"model": "net", "recipe": {"kind": "int8_qat", "fine_tune_epochs": 2}}
MODEL = '''
import litegate as lg

def _load(locations):
    raise AssertionError("the store holds everything")

def _as_it_is(samples):
    return samples

DATA = lg.Data(
    name="tiny", load=_load, digests={}, preprocess=_as_it_is, domain=(0.0, 1.0),
    classes=tuple(f"class {i}" for i in range(4)),
)

@lg.model(data=DATA, recipes=[lg.recipes.int8_qat(from_scratch=True, name="int8_qat")])
def net(keras):
    """Planted."""
'''


@pytest.fixture
def store(tmp_path):
    """A store with three builds: of today, of 10 and of 40 days ago; and a declaration."""
    found = Store(tmp_path / "store")
    for days in (0, 10, 40):
        put(found, tmp_path, f"of-{days}", days)
    put(found, tmp_path, "commit", 50, group="declarations")
    return found


def put(store, folder, key, days, group=BUILDS):
    files = {
        "model.tflite": key.encode(),
        "history.json": b"[]",
        "certificate.json": json.dumps(CERTIFICATE).encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    placed = {name: folder / name for name in files}
    certify(placed, key, "")
    store.put(group, key, placed)
    then = time.time() - days * DAY
    os.utime(store.root / group / f"{key}.json", (then, then))


def bytes_of_objects(store):
    return sum(path.stat().st_size for path in store.root.glob("objects/*/*"))


def keys(store):
    return {one.key for one in entries(store)}


def test_entries_say_what_they_are_how_large_and_how_old(store):
    found = entries(store)
    assert [one.key for one in found] == ["of-0", "of-10", "of-40", "commit"]
    assert found[1].what == "net/int8_qat, fine-tuned for 2 epochs"
    written = [p for p in store.root.glob("objects/*/*") if b"of-10" in p.read_bytes()]
    assert found[1].size == sum(path.stat().st_size for path in written) + len("[]")
    assert round(found[1].age / DAY) == 10
    assert found[3].what == "declarations"


def test_an_empty_store_has_no_entry(tmp_path):
    assert entries(Store(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (0, {"of-10", "commit"}),
        (9, {"of-0", "of-10", "commit"}),
        (41, {"of-0", "of-10", "of-40", "commit"}),
    ],
)
def test_prune_removes_what_is_old_and_not_needed(store, days, left):
    prune(store, {"of-10"}, pytest.fail, days=days)
    assert keys(store) == left


def test_prune_takes_other_groups_where_they_are_named(store):
    before = bytes_of_objects(store)
    gone, freed = prune(store, (), pytest.fail, days=20, only=(BUILDS, "declarations"))
    assert [one.key for one in gone] == ["of-40", "commit"]
    assert keys(store) == {"of-0", "of-10"}
    assert freed == before - bytes_of_objects(store) > 0


def test_a_whole_store_is_verified(store):
    assert list(verify(store)) == []


@pytest.mark.parametrize("damage", ["object", "manifest", "missing", "stray"])
def test_damage_is_found_wherever_it_is(store, damage):
    objects = sorted(store.root.glob("objects/*/*"))
    one = next(path for path in objects if path.read_bytes() == b"of-10")
    match damage:
        case "object":
            one.write_bytes(b"of-11")
        case "missing":
            one.unlink()
        case "manifest":
            (store.root / BUILDS / "of-10.json").write_text("{}")
        case "stray":
            (one.parent / ("0" * 64)).write_bytes(b"stray")
    found = list(verify(store))
    assert ("objects" if damage == "stray" else BUILDS) in {group for group, _, _ in found}
    assert any(key in ("of-10", "0" * 64) for _, key, _ in found)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a planted model `net`, and something of old beside it; runs the command."""
    for name in ("CI", "LITEGATE_STORE", "LITEGATE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").write_text(MODEL)
    fill_store(tmp_path, "net", {"float32": tiny("float32"), "int8_qat": tiny()})
    put(Store(tmp_path / ".litegate" / "store"), tmp_path, "of-40", 40)
    return lambda *args: CliRunner().invoke(app, args)


def kept(tmp_path):
    return Store(tmp_path / ".litegate" / "store")


def test_list_says_what_is_needed(project):
    done = project("store", "list")
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()[:-1]
    assert head.split() == ["KEY", "KIND", "AGE", "SIZE", "NEEDED", "WHAT"]
    assert sum("needed" in line for line in lines) == 3  # two artifacts and their samples
    [old] = [line for line in lines if line.startswith("of-40")]
    assert old.split()[:4] == ["of-40", "builds", "40", "d"]
    assert "needed" not in old
    assert head.index("WHAT") == old.index("net/int8_qat, fine-tuned for 2 epochs")
    rows = json.loads(project("store", "list", "--json").stdout)
    assert {row["key"]: row["needed"] for row in rows}["of-40"] is False
    assert sum(row["needed"] for row in rows) == 3


def test_list_calls_what_is_needed_as_build_does(project, tmp_path):
    """Whatever its kind is, and however it was tuned."""
    tuned = MODEL.replace('from_scratch=True, name="int8_qat"', 'name="tuned"')
    (tmp_path / "models" / "net.py").write_text(tuned)
    fill_store(tmp_path, "net", {"tuned": tiny(), "float32+1": tiny("float32")})
    lines = project("store", "list").stdout.splitlines()
    names = [line.split(maxsplit=7)[-1] for line in lines if " needed " in line]
    assert {"net/tuned", "net/float32+1"} <= set(names)
    for name in ("tuned", "float32+1"):
        assert project("build", "net", name).exit_code == 0


@pytest.mark.parametrize(
    ("age", "said"),
    [(0, "0 s"), (59, "59 s"), (200, "3 min"), (7300, "2 h"), (86399, "23 h"), (5.9 * DAY, "5 d")],
)
def test_an_age_is_in_words(age, said):
    assert format_age(age) == said


def test_prune_keeps_what_the_project_needs(project, tmp_path):
    before = keys(kept(tmp_path))
    done = project("store", "prune", "--older-than", "41")
    assert done.stdout.startswith("removed no entries; 0 B freed in ")
    assert keys(kept(tmp_path)) == before
    assert project("store", "prune").stdout.startswith("1 entry removed: 1 of builds; ")
    assert keys(kept(tmp_path)) == before - {"of-40"}
    done = project("store", "prune", "--all")
    assert done.stdout.startswith("3 entries removed: 2 of builds, 1 of evaluations; ")
    assert keys(kept(tmp_path)) == set()


def test_prune_refuses_where_a_needed_file_cannot_be_told(project, tmp_path):
    """Its artifacts would go."""
    started = (
        'import litegate as lg\nfar = lg.trained("gone.keras", data=lg.datasets.digits(), '
        "recipes=[lg.recipes.float16()])\n"
    )
    (tmp_path / "models" / "far.py").write_text(started)
    before = keys(kept(tmp_path))
    done = project("store", "prune")
    assert isinstance(done.exception, StoreError)
    assert "cannot tell what this project needs" in str(done.exception)
    assert keys(kept(tmp_path)) == before


def test_verify_finds_and_removes(project, tmp_path):
    assert project("store", "verify").exit_code == 0
    store = kept(tmp_path)
    [model] = [p for p in store.root.glob("objects/*/*") if p.read_bytes() == tiny()]
    model.write_bytes(b"damaged")
    done = project("store", "verify")
    assert done.exit_code == 1
    assert "1 damaged" in done.stdout
    assert project("store", "verify", "--remove").exit_code == 0
    assert project("store", "verify").exit_code == 0
    assert len(keys(store)) == 3


def test_verify_removes_what_is_no_manifest(project, tmp_path):
    store = kept(tmp_path)
    one, other, *_ = store.manifest_paths(BUILDS)
    one.write_text("7")
    other.unlink()
    (other / "a").mkdir(parents=True)
    assert "cannot remove anything" in str(project("store", "prune").exception)
    assert "2 damaged" in project("store", "verify").stdout
    assert project("store", "verify", "--remove").exit_code == 0
    assert project("store", "verify").stdout.startswith("no damage in ")
    assert len(keys(store)) == 2


def test_build_says_what_the_store_holds(project):
    """All recipes and their references; nothing is built again, and nothing judged."""
    done = project("build", "net")
    assert done.exit_code == 0, done.output
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == [
        "net/int8_qat: already in the store",
        "net/float32: already in the store",
    ]
    assert project("build", "net", "float32").stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("none",), "there is no model none\n  expected: net"),
        (("net", "int8_ptq"), "net has no recipe int8_ptq\n  expected: int8_qat, float32"),
    ],
)
def test_build_names_what_there_is(project, args, said):
    assert said in str(project("build", *args).exception)


def test_build_that_fails_ends_with_1(project, tmp_path):
    """Here the data cannot be loaded: the store was emptied."""
    project("store", "prune", "--all")
    done = project("build", "net", "float32")
    assert done.exit_code == 1
    assert "cannot build net" in done.output


def test_an_error_of_all_recipes_is_printed_once(project):
    project("store", "prune", "--all")
    assert project("build", "net").output.count("litegate: cannot build net") == 1
