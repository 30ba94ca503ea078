"""One edited manifest makes no file pass as another: key, recipe and files must belong together."""

import hashlib
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from litegate.build.certificate import demand_origin
from litegate.build.store import BUILDS, Store
from litegate.build.store_maintenance import verify
from litegate.cli import app
from litegate.core.errors import StoreCorrupt
from litegate.core.options import parse
from litegate.gate.session import GateSession
from litegate.testing import tiny
from litegate.testing.store import fill_store

DATA = """
import litegate as lg

def _load(locations):
    raise AssertionError("the store holds everything")

def _as_it_is(samples):
    return samples

DATA = lg.Data(
    name="tiny", load=_load, digests={}, preprocess=_as_it_is, domain=(0.0, 1.0),
    classes=tuple(f"class {i}" for i in range(4)),
)
"""
BUILT = f"""{DATA}
@lg.model(data=DATA, recipes=[lg.recipes.int8_ptq()])
def net(keras):
    "Planted."
"""
PREBUILT = f"""{DATA}
net = lg.prebuilt(candidate="int8.tflite", reference="float.tflite", data=DATA)
"""


@pytest.fixture(params=[BUILT, PREBUILT], ids=["built", "prebuilt"])
def session(request, tmp_path, monkeypatch):
    """A project whose store holds the reference and the candidate of a model."""
    for name in ("CI", "LITEGATE_STORE", "LITEGATE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").write_text(request.param)
    files = {"float32": tiny("float32"), "int8_ptq": tiny()}
    (tmp_path / "float.tflite").write_bytes(files["float32"])
    (tmp_path / "int8.tflite").write_bytes(files["int8_ptq"])
    for recipe, tflite in files.items():
        fill_store(tmp_path, "net", {recipe: tflite}, keras_outputs=np.full(4, len(tflite)))
    notices = []
    session = GateSession(parse(tmp_path, {}, {}, {}), lambda *_: None, notices.append)
    session.notices = notices
    if request.param == PREBUILT:
        monkeypatch.setattr("litegate.build.external_files.run_in_sandbox", lambda *_, **__: None)
        for recipe, file in session.models["net"].prebuilt.items():
            key = key_of(session, recipe)
            session.pipeline.store.forget(BUILDS, key)
            session.pipeline.external_files.store_file(file, key)
    return session


def manifest_of(session, recipe):
    return session.pipeline.store.root / BUILDS / f"{key_of(session, recipe)}.json"


def key_of(session, recipe):
    return session.pipeline.key(session.models["net"], recipe)


def swap(session, *names):
    """List the reference's files of these names in the candidate's manifest."""
    candidate, reference = (manifest_of(session, name) for name in ("int8_ptq", "float32"))
    content, other = (json.loads(path.read_text()) for path in (candidate, reference))
    content["files"] |= {name: other["files"][name] for name in names}
    candidate.write_text(json.dumps(content))


def test_untouched_entries_are_found(session):
    model = session.models["net"]
    assert session.pipeline.find(model, "int8_ptq").tflite == tiny()
    assert session.pipeline.find_by_key(model, "int8_ptq", key_of(session, "int8_ptq"))
    assert list(verify(session.pipeline.store)) == []
    assert session.notices == []


BUILD = ("model.tflite", "history.json", "certificate.json")


@pytest.mark.parametrize(
    ("session", "names"),
    [
        (BUILT, BUILD[:1]),
        (BUILT, ("keras_outputs.npy",)),
        (BUILT, ("certificate.json",)),
        (BUILT, (*BUILD, "keras_outputs.npy")),
        (PREBUILT, BUILD[:1]),
        (PREBUILT, ("certificate.json",)),
        (PREBUILT, BUILD),
    ],
    indirect=["session"],
    ids=["file", "outputs", "certificate", "all", "ready file", "ready certificate", "ready all"],
)
def test_a_manifest_with_the_files_of_another_entry_is_damage(session, names):
    swap(session, *names)
    [(group, key, _)] = verify(session.pipeline.store)
    assert (group, key) == (BUILDS, key_of(session, "int8_ptq"))
    done = CliRunner().invoke(app, ["store", "verify"])
    assert done.exit_code == 1
    assert "lists unexpected files" in done.output
    assert session.pipeline.find(session.models["net"], "int8_ptq") is None
    assert "is built again" in session.notices[0]
    assert not manifest_of(session, "int8_ptq").exists()


def test_a_base_artifact_is_compared_with_its_key_too(session):
    swap(session, "model.tflite")
    key = key_of(session, "int8_ptq")
    assert session.pipeline.find_by_key(session.models["net"], "int8_ptq", key) is None


@pytest.mark.parametrize("session", [BUILT], indirect=True, ids=["built"])
def test_another_stem_is_damage(session):
    """The base's artifacts of another tool chain are looked up by it."""
    path = manifest_of(session, "int8_ptq")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stem": "0" * 64}))
    assert [key for _, key, _ in verify(session.pipeline.store)] == [key_of(session, "int8_ptq")]


@pytest.mark.parametrize("session", [PREBUILT], indirect=True, ids=["prebuilt"])
def test_a_certificate_of_its_own_does_not_vouch_for_a_ready_made_file(session):
    """The key is the digest of the file: whoever forges the certificate as well gains nothing."""
    model, key = session.models["net"], key_of(session, "int8_ptq")
    swap(session, "model.tflite")
    content = json.loads(manifest_of(session, "int8_ptq").read_text())
    files = {name: digest for name, digest in content["files"].items() if name[0] != "c"}
    forged = json.dumps({"key": key, "stem": key, "files": files}).encode()
    digest = hashlib.sha256(forged).hexdigest()
    path = session.pipeline.store.root / "objects" / digest[:2] / digest
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(forged)
    content["files"]["certificate.json"] = digest
    manifest_of(session, "int8_ptq").write_text(json.dumps(content))
    assert session.pipeline.find_by_key(model, "int8_ptq", key, prebuilt=True) is None
    manifest_of(session, "int8_ptq").write_text(json.dumps(content))
    assert session.pipeline.find(model, "int8_ptq") is None
    assert "has other bytes than its key" in session.notices[-1]


SPEC = {"kind": "int8_ptq", "input_type": "int8"}


@pytest.mark.parametrize(
    ("certificate", "start", "is_own"),
    [
        ({"recipe": SPEC}, "", True),
        ({"recipe": SPEC | {"input_type": "uint8"}}, "", False),
        ({}, "", False),
        ({"recipe": SPEC, "start": {"path": "net", "sha256": "a"}}, "a", True),
        ({"recipe": SPEC, "start": {"path": "net", "sha256": "b"}}, "a", False),
        ({"recipe": SPEC, "start": {"path": "net", "sha256": "a"}}, "", False),
        ({"recipe": SPEC, "start": [3]}, "a", False),
        ({"recipe": SPEC}, "a", False),
    ],
)
def test_a_certificate_of_another_recipe_or_start_is_damage(certificate, start, is_own):
    if is_own:
        demand_origin(certificate, SPEC, start)
    else:
        with pytest.raises(StoreCorrupt, match="belongs to another build"):
            demand_origin(certificate, SPEC, start)


def test_an_entry_without_its_certificate_is_no_build(session):
    path = manifest_of(session, "int8_ptq")
    content = json.loads(path.read_text())
    del content["files"]["certificate.json"]
    path.write_text(json.dumps(content))
    [(_, _, message)] = verify(Store(session.options.store))
    assert message.endswith("does not list certificate.json")
