"""Quantized artifacts: built from the stored float file in a child without TensorFlow, once."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from needs import quantizer

from litegate.build.build_request import BuildRequest
from litegate.build.store import BUILDS
from litegate.core.errors import BuildError, DataUnavailable
from litegate.core.options import parse
from litegate.data.digests import array_digest
from litegate.gate.session import GateSession
from litegate.measures.structure.tensors import tensor_violations
from litegate.spec import File, Kind
from litegate.spec.loader import discover
from litegate.testing import evaluation, tiny
from litegate.testing.network import samples

MODEL = """
import litegate as lg


def load(locations):
    import numpy as np

    with np.load(locations.project / "samples.npz") as arrays:
        return lg.Splits(**arrays)


def unchanged(x):
    return x


net = lg.prebuilt(
    reference=lg.File(path="net.tflite", sha256="DIGEST"),
    recipes=[
        lg.recipes.static_wi8_ai8(calibration_samples=10, strip=True),
        lg.recipes.dynamic_wi8_afp32(),
        lg.recipes.weight_only_wi4_afp32(),
    ],
    data=lg.Data(
        name="tiny",
        load=load,
        digests={},
        preprocess=unchanged,
        domain=(0.0, 1.0),
        classes=("a", "b", "c", "d"),
    ),
)
"""
NAMES = ("static_wi8_ai8", "dynamic_wi8_afp32", "weight_only_wi4_afp32")


class Project:
    """A project with a float file, and the pipeline that quantizes it."""

    def __init__(self, path, monkeypatch, tflite):
        self.path, split = path, evaluation()
        np.savez(path / "samples.npz", x_train=samples(20), x_test=split.x, y_test=split.y)
        (path / "net.tflite").write_bytes(tflite)
        (path / "models").mkdir(exist_ok=True)
        digest = hashlib.sha256(tflite).hexdigest()
        (path / "models" / "net.py").write_text(MODEL.replace("DIGEST", digest))
        poison = path / "poison"
        for name in ("tensorflow", "tf_keras", "keras"):
            (poison / name).mkdir(parents=True, exist_ok=True)
            (poison / name / "__init__.py").write_text("raise ImportError('no TensorFlow')\n")
        monkeypatch.setenv("PYTHONPATH", str(poison))
        self.events = []
        options = parse(path, {}, {}, {"LITEGATE_STORE": str(path / "store")})
        session = GateSession(options, lambda _, event: self.events.append(event), lambda _: None)
        self.pipeline = session.pipeline

    def pin(self):
        """Write the digests of the arrays into the model's file, as the error names them."""
        with np.load(self.path / "samples.npz") as arrays:
            digests = {name: array_digest(array) for name, array in arrays.items()}
        file = self.path / "models" / "net.py"
        file.write_text(file.read_text().replace("digests={}", f"digests={digests!r}"))
        return self

    @property
    def model(self):
        return discover(self.path / "models", self.path)["net"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    return Project(tmp_path, monkeypatch, tiny(Kind.FLOAT32)).pin()


@quantizer
def test_recipes_are_built_once_from_the_stored_float_file(project):
    """Beside the reference, whose certificate names the same file; then found in the store."""
    model = project.model
    built = project.pipeline.ensure(model, ["float32", *NAMES])
    assert built["float32"].tflite == tiny(Kind.FLOAT32)
    for name in NAMES:
        assert tensor_violations(built[name]).offenders == ()
        certificate = built[name].certificate
        assert certificate["start"]["sha256"] == certificate["float"] == built["float32"].sha256
        assert built[name].keras_outputs is None
    shown = len(project.events)
    again = project.pipeline.ensure(model, list(NAMES))
    assert [again[name].tflite for name in NAMES] == [built[name].tflite for name in NAMES]
    assert len(project.events) == shown

    # As another run, of a base that declares the same: from the store, or built again.
    key = project.pipeline.key(model, NAMES[1])
    project.pipeline.store.forget(BUILDS, key)
    request = BuildRequest(
        model="net",
        file=model.file,
        project=project.path,
        keys={name: project.pipeline.key(model, name) for name in ("float32", *NAMES)},
        stems={name: project.pipeline.stem(model, name) for name in NAMES},
        data_key=project.pipeline.split_key(model),
        prebuilt=dict(model.prebuilt),
        float_key=project.pipeline.key(model, "float32"),
    )
    project.pipeline.build(request, NAMES[1])
    rebuilt = project.pipeline.find_by_key(model, NAMES[1], key)
    assert rebuilt.tflite == built[NAMES[1]].tflite


@quantizer
def test_an_error_of_one_recipe_leaves_the_others(tmp_path, monkeypatch):
    """A float file whose answers to static int8 are sound, but that has no training samples."""
    project = Project(tmp_path, monkeypatch, tiny(Kind.FLOAT32))
    with np.load(tmp_path / "samples.npz") as arrays:
        kept = {name: arrays[name] for name in ("x_test", "y_test")}
    np.savez(tmp_path / "samples.npz", **kept)
    built = project.pin().pipeline.ensure(project.model, list(NAMES))
    assert isinstance(built[NAMES[0]], BuildError)
    assert "calibrated on training samples, but tiny has none" in str(built[NAMES[0]])
    assert tensor_violations(built[NAMES[1]]).offenders == ()
    assert tensor_violations(built[NAMES[2]]).offenders == ()


@quantizer
def test_a_quantized_reference_is_an_error_of_each_recipe(tmp_path, monkeypatch):
    project = Project(tmp_path, monkeypatch, tiny(Kind.DYNAMIC_RANGE)).pin()
    [error] = project.pipeline.ensure(project.model, [NAMES[1]]).values()
    assert isinstance(error, BuildError)
    assert "is quantized already" in str(error)


def test_without_the_float_file_nothing_is_built(project):
    (project.path / "net.tflite").unlink()
    built = project.pipeline.ensure(project.model, list(NAMES))
    assert all(isinstance(error, DataUnavailable) for error in built.values())


def test_the_key_covers_float_file_recipe_and_seed_but_no_limit(project):
    model, file = project.model, project.path / "models" / "net.py"
    before = {name: project.pipeline.key(model, name) for name in NAMES}
    assert len(set(before.values())) == len(NAMES)
    text = file.read_text()
    file.write_text(text.replace("recipes=[", "budget=lg.Budget(size=lg.kib(9)),\n    recipes=["))
    assert {name: project.pipeline.key(project.model, name) for name in NAMES} == before
    file.write_text(text.replace("calibration_samples=10", "calibration_samples=11"))
    after = {name: project.pipeline.key(project.model, name) for name in NAMES}
    assert [name for name in NAMES if after[name] != before[name]] == [NAMES[0]]
    another_file = File(path="net.tflite", sha256="b" * 64)
    other = replace(model, prebuilt={"float32": another_file})
    (project.path / "net.tflite").unlink()
    assert not {project.pipeline.key(other, name) for name in NAMES} & {*before.values()}


@quantizer
def test_a_variant_of_a_declared_recipe_is_built_without_a_declaration(project):
    """Kept under a key of its own; here the float recipe's, of another kind."""
    model = project.model
    variant = replace(
        model.recipe("float32"),
        name="a",
        variant_of="float32",
        kind=Kind.STATIC_WI8_AI8,
        calibration_samples=500,
        float_layers=("conv",),
        int16_layers=("dense",),
    )
    varied = replace(model, recipes=(*model.recipes, variant))
    built = project.pipeline.ensure(varied, ["a"])["a"]
    assert not isinstance(built, Exception), built
    assert built.certificate["recipe"] == variant.spec()
    assert tensor_violations(built).offenders == ()
    assert project.pipeline.find(varied, "a").tflite == built.tflite
