"""Builds with functions that read files: undeclared ones are refused, those of packages are not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toolchain_projects import ignore

from litegate.build import process
from litegate.core.errors import ConfigError
from litegate.spec import DataLocations

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MODELS = '''
"""Networks whose builders and annotations read files."""

import json
from pathlib import Path

import litegate as lg

CONFIG = Path(__file__).with_name("config.json")


def filters():
    return json.loads(CONFIG.read_text())["filters"]


def annotate(network, tfmot):
    filters()
    return tfmot.quantization.keras.quantize_annotate_model(network)


def declared(recipe=lg.recipes.float32(), **options):
    training = lg.Training(epochs=0)
    return lg.model(data=lg.datasets.digits(), training=training, recipes=[recipe], **options)


def network(keras, units):
    layers = [keras.layers.Flatten(), keras.layers.Dense(units), keras.layers.Dense(10)]
    return keras.Sequential([keras.layers.InputLayer(input_shape=(8, 8)), *layers])


@declared()
def in_python(keras):
    return network(keras, filters())


@declared(files=["config.json"])
def declares_it(keras):
    return network(keras, filters())


@declared(lg.recipes.int8_qat(annotate=annotate, fine_tune_epochs=0))
def in_annotate(keras):
    return network(keras, 16)


@declared()
def in_c_or_outside(keras):
    import h5py
    import tensorflow as tf

    units = json.loads(tf.io.read_file(str(CONFIG)).numpy())["filters"]
    with h5py.File(CONFIG.with_name("weights.h5")) as file:
        assert file.attrs["units"] == units
    outside = CONFIG.parents[2] / "outside.json"
    return network(keras, json.loads(outside.read_text())["filters"])
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with an environment in it, whose package `packed` reads a file of its own."""
    import h5py

    folder = tmp_path_factory.mktemp("files") / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "models.py").write_text(MODELS)
    for file in (folder / "models" / "config.json", folder.parent / "outside.json"):
        file.write_text(json.dumps({"filters": 16}))
    with h5py.File(folder / "models" / "weights.h5", "w") as weights:
        weights.attrs["units"] = 16
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True, timeout=60
    )
    packed = next((folder / ".venv").glob("lib/python*/site-packages")) / "packed"
    packed.mkdir()
    (packed / "units.txt").write_text("10")
    code = (
        "from pathlib import Path\nUNITS = int(Path(__file__).with_name('units.txt').read_text())"
    )
    (packed / "__init__.py").write_text(code)
    return folder


def build(project, model, recipe="float32", *, file="models.py", **options):
    request = process.Request(
        file=project / "models" / file,
        project=project,
        model=model,
        recipes=(recipe,),
        locations=DataLocations(directory=Path(os.environ.get("LITEGATE_DATA") or ".")),
        staging=project / "staging" / model,
        is_base=options.pop("is_base", False),
    )
    shutil.rmtree(request.staging, ignore_errors=True)
    process.build(request, ignore, 300, **options)
    return request.staging / recipe / "model.tflite"


def test_an_undeclared_file_of_a_builder_is_refused_and_a_declared_one_is_not(project):
    with pytest.raises(
        ConfigError, match=r"builder of in_python reads models/config\.json"
    ) as told:
        build(project, "in_python")
    assert told.value.remedy == 'write @litegate.model(..., files=["config.json"])'
    assert build(project, "declares_it").is_file()


def test_a_base_is_built_as_it_is(project):
    """It cannot be corrected any more."""
    assert build(project, "in_python", is_base=True).is_file()


def test_an_undeclared_file_of_annotate_is_refused(project):
    with pytest.raises(ConfigError, match=r"annotate of in_annotate reads models/config\.json"):
        build(project, "in_annotate", "int8_qat")


def test_files_of_c_libraries_and_outside_of_the_project_are_not_seen(project):
    """docs/reference/recipes.md says so."""
    assert build(project, "in_c_or_outside").is_file()


def test_the_mnist_network_is_built_with_its_environment_in_the_project(project, data_directory):
    """Neither TensorFlow nor a package of the environment reads a file of the project's own."""
    text = (ROOT / "models" / "mnist_cnn.py").read_text()
    text = text.replace("keras.layers.Dense(10)", "keras.layers.Dense(__import__('packed').UNITS)")
    (project / "models" / "mnist_cnn.py").write_text(text)
    python = str(project / ".venv" / "bin" / "python")
    command = (python, *process.COMMAND[1:])
    file = build(project, "mnist_cnn", "int8_qat", file="mnist_cnn.py", command=command)
    assert file.stat().st_size == 25_144
