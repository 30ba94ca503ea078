"""Ready-made files and evaluation splits on their way into the store."""

import hashlib
import subprocess

import numpy as np
import pytest
from compiled import vela
from full_disk import full_disk

from litegate.build.external_files import ExternalFiles
from litegate.build.store import BUILDS, EVALUATIONS, Store
from litegate.core import git
from litegate.core.errors import ArtifactError, BuildError, ConfigError, DataError, StoreError
from litegate.data import npz
from litegate.data.digests import array_digest
from litegate.runtimes.sandbox import run_in_sandbox
from litegate.spec import Data, DataLocations, File
from litegate.testing import tiny
from litegate.tflite.editing.draft import edit

BYTES = tiny()
KEY = hashlib.sha256(BYTES).hexdigest()
FILE = File(path="m.tflite")


@pytest.fixture
def intake(tmp_path):
    """A store, and a project with a file."""
    (tmp_path / "m.tflite").write_bytes(BYTES)
    return ExternalFiles(
        store=Store(tmp_path / "store"),
        locations=DataLocations(project=tmp_path),
        timeout=10,
        on_notice=print,
    )


def test_the_key_is_the_digest_of_the_bytes(intake):
    assert intake.key(FILE) == KEY
    intake.store_file(FILE, KEY)
    assert intake.store.get(BUILDS, KEY)["model.tflite"] == BYTES


def test_a_file_is_looked_at_once(intake):
    """What changes while a run lasts is told, and never judged as what was looked at."""
    intake.key(FILE)
    (intake.locations.project / "m.tflite").write_bytes(b"another")
    assert intake.key(FILE) == KEY
    with pytest.raises(BuildError, match="changed while it was read"):
        intake.store_file(FILE, KEY)
    assert not intake.store.has(BUILDS, KEY)


def test_git_is_asked_once_for_all_files(intake, monkeypatch):
    """A hundred models, each with a file, are no hundred processes; git ignores none it tracks."""
    project = intake.locations.project
    names = [f"{number}.tflite" for number in range(5)]
    for name in names:
        (project / name).write_bytes(BYTES)
    for step in (["init", "-q"], ["add", *names]):
        subprocess.run(["git", *step], cwd=project, check=True)
    (project / ".gitignore").write_text("*.tflite\n")
    runs = []
    monkeypatch.setattr(git, "_run", lambda *a, real=git._run: runs.append(a) or real(*a))
    assert {intake.key(File(path=name)) for name in names} == {KEY}
    assert len(runs) == 2, "where the repository is, and what it tracks"
    with pytest.raises(ConfigError, match=r"git ignores m\.tflite"):
        intake.key(FILE)


def test_a_pin_stands_for_a_file_that_is_elsewhere(intake):
    """A URL is not fetched to know its key; a file that is here must hold what is pinned."""
    assert intake.key(File(url="http://127.0.0.1:9/m.tflite", sha256=KEY)) == KEY
    assert intake.key(File(path="gone.tflite", sha256=KEY)) == KEY
    with pytest.raises(DataError, match="differs from its digest"):
        intake.key(File(path="m.tflite", sha256="0" * 64))


def test_a_command_must_give_the_same_bytes_each_time(intake):
    file = File(
        path="now", command='python -c \'import os; open("now", "wb").write(os.urandom(9))\''
    )
    key = intake.key(file)
    with pytest.raises(BuildError, match="its command must write the same bytes each time"):
        intake.store_file(file, key)


def test_a_full_disk_is_an_error_with_what_to_do(intake):
    np.savez(intake.locations.project / "s.npz", x=np.zeros(4))
    split = npz("s.npz", x="x", digests={"x_test": array_digest(np.zeros(4))}, domain=(0, 1))
    with full_disk():
        with pytest.raises(StoreError, match="free disk space"):
            intake.store_file(FILE, KEY)
        assert not intake.store.has(BUILDS, KEY)
        intake.store_split(split, "small")
    assert intake.store.has(EVALUATIONS, "small")


def test_what_a_loader_raises_is_told(intake):
    """It runs in this process: its mistakes are errors of the model alone."""

    def broken(locations):
        raise RuntimeError("the loader's own")

    split = Data(
        name="s",
        load=broken,
        digests={},
        preprocess=broken,
        domain=(0, 1),
        classes=(),
        labels=False,
    )
    with pytest.raises(DataError, match="RuntimeError: the loader's own"):
        intake.store_split(split, "key")


def test_a_file_that_litert_runs_and_that_is_not_sound_is_refused(intake):
    """One error for the model, in place of one a check, and of a size that passes."""

    def feed_a_variable(model):
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].isVariable = True

    damaged = edit(BYTES, feed_a_variable)
    (intake.locations.project / "m.tflite").write_bytes(damaged)
    run_in_sandbox(damaged)
    key = intake.key(FILE)
    with pytest.raises(ArtifactError, match=r"m\.tflite is not a valid \.tflite file"):
        intake.store_file(FILE, key)
    assert not intake.store.has(BUILDS, key)


def test_a_file_that_was_compiled_for_an_accelerator_is_stored(intake):
    """LiteRT refuses it in words, and its size is measured all the same."""
    key = _written(intake, vela())
    intake.store_file(FILE, key)
    assert intake.store.has(BUILDS, key)


def test_a_file_with_an_unknown_custom_operator_is_refused(intake):
    """LiteRT's refusal stands, for nothing says that an accelerator takes it."""
    key = _written(intake, edit(vela(), _rename_operator))
    with pytest.raises(ArtifactError, match=r"LiteRT cannot load m\.tflite"):
        intake.store_file(FILE, key)


def _rename_operator(model):
    model.operatorCodes[0].customCode = "Mine"
    operator = model.subgraphs[0].operators[0]
    operator.inputs = [index for index in operator.inputs if index != 2]


def _written(intake, tflite):
    (intake.locations.project / "m.tflite").write_bytes(tflite)
    return hashlib.sha256(tflite).hexdigest()
