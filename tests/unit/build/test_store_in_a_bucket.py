"""`litegate store` and a run's session, when LITEGATE_STORE is a bucket."""

import json
import shutil
from itertools import count

import pytest
from bucket_stores import object_with, overwrite
from test_store_maintenance import MODEL
from typer.testing import CliRunner

from litegate.build import key_cache
from litegate.cli import app
from litegate.core.options import parse
from litegate.gate.session import GateSession
from litegate.testing import tiny
from litegate.testing.store import fill_store

pytest.importorskip("obstore")
pytest.importorskip("moto")


@pytest.fixture
def project(tmp_path, monkeypatch, url):
    """A project with a planted model `net` and an empty bucket; runs the command."""
    for name in ("CI", "LITEGATE_DATA", "LITEGATE_STORE_PRIVATE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").write_text(MODEL)
    fill_store(tmp_path, "net", {"float32": tiny("float32"), "int8_qat": tiny()})
    monkeypatch.setenv("LITEGATE_STORE", url)
    return lambda *args: CliRunner().invoke(app, ["store", *args])


def session(project, notices):
    """The session of a run on a machine that has only the project's files."""
    return GateSession(parse(project, {}, {}), lambda _model, _event: None, notices.append)


def test_push_list_pull_and_a_run_on_an_empty_machine(project, tmp_path, url):
    """A second machine judges without a build."""
    pushed = project("push")
    assert pushed.stdout == f"copied 3 entries to {url}\n"
    assert project("push").stdout == f"copied 0 entries to {url}\n"
    rows = json.loads(project("list", "--json").stdout)
    assert [row["needed"] for row in rows] == [True] * 3
    assert {row["what"] for row in rows} == {"net", "net/float32", "net/int8_qat"}
    assert project("list").stdout.splitlines()[-1].endswith(f" B in {url}")

    shutil.rmtree(tmp_path / ".litegate")
    notices = []
    gate = session(tmp_path, notices)
    artifact = gate.pipeline.find(gate.models["net"], "int8_qat")
    assert artifact.tflite == tiny()
    assert notices == []

    shutil.rmtree(tmp_path / ".litegate")
    assert project("pull").stdout.startswith("copied 3 entries to ")
    assert project("pull").stdout.startswith("copied 0 entries to ")


def test_verify_and_prune(project, url):
    """As for a folder."""
    project("push")
    assert project("verify").stdout == f"no damage in {url}\n"
    overwrite(url, object_with(url, tiny()), tiny()[:-1])
    damaged = project("verify")
    assert damaged.exit_code == 1
    assert "is damaged" in damaged.stdout
    assert project("verify", "--remove").exit_code == 0
    assert project("verify").exit_code == 0
    assert project("prune").stdout.startswith("removed no entries")
    assert project("prune", "--all").stdout.startswith("2 entries removed: ")


def test_an_entry_of_another_build_is_not_used(project, tmp_path, url):
    """A manifest that lists the files of another entry: each has the digest in its name."""
    project("push")
    gate = session(tmp_path, [])
    keys = [gate.pipeline.key(gate.models["net"], name) for name in ("float32", "int8_qat")]
    store = gate.pipeline.store
    bucket, paths = store.remote.bucket, [f"builds/{key}.json" for key in keys]
    other = json.loads(b"".join(bucket.read(paths[0])[0]))
    overwrite(url, paths[1], json.dumps(other | {"key": keys[1]}).encode())
    shutil.rmtree(tmp_path / ".litegate")
    notices = []
    assert session(tmp_path, notices).pipeline.find(gate.models["net"], "int8_qat") is None
    assert "unexpected files" in notices[0]


def test_keys_are_computed_once(project, tmp_path, monkeypatch):
    """However often a run looks up the artifacts of a model."""
    counts = count()
    for name in ("artifact_stem", "evaluation_key"):
        compute = getattr(key_cache, name)
        monkeypatch.setattr(
            key_cache, name, lambda *args, it=compute, **more: (next(counts), it(*args, **more))[1]
        )
    gate = session(tmp_path, [])
    for _ in range(3):
        for recipe in ("float32", "int8_qat"):
            assert gate.pipeline.find(gate.models["net"], recipe)
    assert gate.declared["models"]["net"]["keys"]
    assert next(counts) == 3  # of two recipes and of the split


def test_push_needs_a_bucket_and_the_right_to_write(project, monkeypatch):
    """Each error says what to set."""
    monkeypatch.setenv("LITEGATE_STORE_READONLY", "1")
    assert "only read here" in str(project("push").exception)
    monkeypatch.delenv("LITEGATE_STORE")
    for command in ("push", "pull"):
        assert "LITEGATE_STORE=s3://" in str(project(command).exception)
