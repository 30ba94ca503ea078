"""A worker and the machine that asks, whose only common place is a bucket."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from test_cluster_worker import Neighbour
from test_store_maintenance import MODEL

from litegate.build.signatures import generate
from litegate.build.store import ANSWERS, BUILDS
from litegate.core.errors import StoreError
from litegate.core.options import parse
from litegate.gate.session import GateSession
from litegate.spec import Artifact
from litegate.testing import tiny
from litegate.testing.store import fill_store

pytest.importorskip("obstore")
pytest.importorskip("moto")
RECIPES = ["float32", "int8_qat"]


@pytest.fixture
def machines(tmp_path, monkeypatch, url):
    """A session on an empty machine, and a worker whose own folder has the artifacts already."""
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models" / "net.py").write_text(MODEL)
    for command in ("init -q", "add -A"):
        subprocess.run(["git", *command.split()], cwd=project, check=True)
    fill_store(project, "net", {"float32": tiny("float32"), "int8_qat": tiny()})
    shutil.move(project / ".litegate" / "store", tmp_path / "cache")
    monkeypatch.setenv("LITEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LITEGATE_STORE_PRIVATE_KEY", raising=False)
    options = parse(project, {}, {}, {"LITEGATE_STORE": url})
    session = GateSession(options, lambda *_: None, lambda _: None)
    worker = Neighbour(project, "", tmp_path)
    worker.settings = replace(worker.settings, remote=url)
    session.pipeline.builder = worker
    return session, worker


def test_what_a_worker_has_is_found_in_the_bucket(machines):
    """Although this run has asked for it before, and knew that it was not there."""
    session, worker = machines
    model = session.models["net"]
    assert session.pipeline.find(model, "float32") is None
    session.pipeline.prepare([(model, RECIPES)])
    built = session.pipeline.ensure(model, RECIPES)
    assert [built[name].tflite for name in RECIPES] == [tiny("float32"), tiny()]
    assert all(isinstance(it, Artifact) for it in built.values())
    assert not worker.events
    stored = session.pipeline.store.remote.bucket
    assert len(list(stored.objects(BUILDS))) == len(list(stored.objects(ANSWERS))) == 2


def test_a_worker_that_may_not_write_says_so(machines):
    """Its artifacts would be used by nobody."""
    session, worker = machines
    worker.settings = replace(worker.settings, public_key=generate()[1])
    errors = session.pipeline.ensure(session.models["net"], RECIPES)
    assert all(isinstance(error, StoreError) for error in errors.values())
    assert "LITEGATE_STORE_PRIVATE_KEY" in str(errors["int8_qat"])


def test_a_worker_that_does_not_reach_the_bucket_says_so(machines, monkeypatch):
    """It does not go on with its own folder."""
    session, _ = machines
    for variable in ("AWS_ENDPOINT_URL", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/account")
    monkeypatch.setattr(session.pipeline, "find", lambda *_: None)  # it fails here, too
    errors = session.pipeline.ensure(session.models["net"], ["int8_qat"])
    assert isinstance(errors["int8_qat"], StoreError)
