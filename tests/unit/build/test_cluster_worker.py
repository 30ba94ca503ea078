"""A model's build on a worker: another copy of the project, the same store, the same files."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from needs import quantizer
from test_quantizer_build import Project

from litegate.build.cluster.job import WorkerSettings
from litegate.build.cluster.shipping import pack
from litegate.build.cluster.worker import build_job
from litegate.build.store import ANSWERS, Store
from litegate.core.errors import BuildError
from litegate.spec import Kind
from litegate.testing import tiny

SOUND, UNSOUND = "dynamic_wi8_afp32", "static_wi8_ai8"


class Neighbour:
    """A builder whose worker is a copy of the project in another folder."""

    def __init__(self, project, store, folder):
        self.project, self.folder, self.number, self.events = project, folder, count(), []
        self.settings = WorkerSettings(
            remote="",
            store=str(store),
            is_readonly=False,
            public_key="",
            data="",
            import_folders=(),
            build_timeout=300,
            lock_timeout=300,
        )

    def build(self, jobs):
        folder = self.folder / str(next(self.number))
        pack(self.project, self.folder / "project.zip")
        with zipfile.ZipFile(self.folder / "project.zip") as archive:
            archive.extractall(folder)
        outcomes = {}
        for job in jobs:
            errors = build_job(
                job, self.settings, folder, self.project, lambda *it: self.events.append(it)
            )
            outcomes |= {(job.model, key): errors[name] for name, key in job.keys.items()}
        return outcomes


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without training samples, which `UNSOUND` would need, in git."""
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", monkeypatch, tiny(Kind.FLOAT32))
    with np.load(project.path / "samples.npz") as arrays:
        kept = {name: arrays[name] for name in ("x_test", "y_test")}
    np.savez(project.path / "samples.npz", **kept)
    project.pin()
    for command in ("init -q", "add models net.tflite samples.npz"):
        subprocess.run(["git", *command.split()], cwd=project.path, check=True)
    return project


@quantizer
def test_a_worker_builds_the_same_file_and_its_answers(project, tmp_path):
    """An error of a recipe has the text that it has on this machine."""
    store = tmp_path / "shared"
    local = project.pipeline.ensure(project.model, [SOUND, UNSOUND])
    pipeline = project.pipeline
    pipeline.store = Store(store)
    pipeline.__dict__.pop("external_files")
    pipeline.__dict__.pop("child")
    pipeline._found.clear()
    pipeline._evaluations.clear()
    pipeline.builder = neighbour = Neighbour(project.path, store, tmp_path)
    seen = len(project.events)
    pipeline.prepare([(project.model, [SOUND, UNSOUND])])
    built = pipeline.ensure(project.model, [SOUND, UNSOUND])
    assert built[SOUND].tflite == local[SOUND].tflite
    assert isinstance(built[UNSOUND], BuildError)
    assert str(built[UNSOUND]) == str(local[UNSOUND])
    assert len(project.events) == seen
    assert neighbour.events
    assert len(list(pipeline.store.manifest_paths(ANSWERS))) == 1


@quantizer
def test_a_worker_builds_variants_that_no_file_declares(project, tmp_path):
    pipeline, model = project.pipeline, project.model
    variants = [
        replace(model.recipe(SOUND), name=f"{SOUND}+{seed}", variant_of="float32", kind=kind)
        for seed, kind in enumerate((Kind.DYNAMIC_WI8_AFP32, Kind.WEIGHT_ONLY_WI8_AFP32))
    ]
    varied = replace(model, recipes=(*model.recipes, *variants))
    pipeline.builder = neighbour = Neighbour(project.path, project.path / "store", tmp_path)
    pipeline.prepare([(varied, [it.name]) for it in variants])
    assert next(neighbour.number) == 1  # all jobs are sent at once
    built = pipeline.ensure(varied, [it.name for it in variants])
    assert [it.certificate["recipe"] for it in built.values()] == [it.spec() for it in variants]


def test_a_worker_with_other_files_refuses_the_job(project, tmp_path):
    """Such as a model file that this machine has changed since it was sent."""
    pipeline = project.pipeline
    pipeline.builder = neighbour = Neighbour(project.path, project.path / "store", tmp_path)
    model = project.model
    send = neighbour.build

    def changed(jobs):
        text = model.file.read_text().replace("return x", "return x + 0")
        model.file.write_text(text)
        return send(jobs)

    neighbour.build = changed
    [error] = pipeline.ensure(model, [SOUND]).values()
    assert f"the Ray worker computes other keys for net: {SOUND}" in str(error)
    assert "git" in error.remedy
    assert not neighbour.events


def test_modules_of_the_asking_machine_are_not_imported(project, tmp_path, monkeypatch):
    """Its folder is on the import path that Ray copies, and may have another state here."""
    folder = str(project.path / "models")
    monkeypatch.setattr(sys, "path", [folder, *sys.path])
    pipeline = project.pipeline
    pipeline.builder = neighbour = Neighbour(project.path, project.path / "store", tmp_path)
    neighbour.settings = replace(neighbour.settings, import_folders=("models",))
    pipeline.ensure(project.model, [SOUND])
    assert folder not in sys.path
    assert sys.path[0] == str(tmp_path / "0" / "models")
