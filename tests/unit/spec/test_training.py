"""The device and the resources of a training: what is refused, and what the key has of them."""

import math
from types import SimpleNamespace

import pytest

import litegate as lg
from litegate.core.errors import ConfigError
from litegate.measures.lints.devices import device_notes
from litegate.spec.artifact_keys import artifact_stem
from litegate.spec.loader import load_file
from litegate.spec.model import on_device

MODEL = """
import litegate as lg

@lg.model(data=lg.datasets.digits(), recipes=[lg.recipes.float32()], training=lg.Training({}))
def net(keras):
    return keras.Sequential()
"""


@pytest.fixture
def declared(tmp_path):
    """A model whose training has these arguments."""
    (tmp_path / "models").mkdir()

    def model(arguments=""):
        file = tmp_path / "models" / "net.py"
        file.write_text(MODEL.format(arguments))
        return load_file(file, tmp_path)["net"]

    return model


def stem(model):
    return artifact_stem(model, model.recipe("float32"), model.file.parents[1])


def test_the_device_is_part_of_the_key(declared):
    """A GPU's files are others; one that is built on the CPU after all is a file of the CPU."""
    on_cpu, on_gpu = declared(), declared("device='gpu'")
    assert stem(on_cpu) == stem(declared("device='cpu'"))
    assert stem(on_gpu) != stem(on_cpu)
    moved = on_device(on_gpu, "cpu")
    assert stem(moved) == stem(on_cpu)
    assert (moved.is_moved, moved.training.gpus) == (True, 0)
    assert on_device(on_gpu, "declared") is on_gpu
    assert on_device(on_cpu, "cpu") is on_cpu


def test_resources_are_not_part_of_the_key(declared):
    """They say where a file is built, and not what is in it."""
    resources = "resources=lg.Resources(cpus=4, memory=2 * 10**9)"
    assert stem(declared(resources)) == stem(declared())


def test_what_a_build_needs_by_default():
    training = lg.Training(threads=3)
    assert (training.cpus, training.gpus) == (3, 0)
    assert lg.Training(device="gpu").gpus == 1
    half = lg.Resources(cpus=0.5, gpus=0.25)
    shared = lg.Training(device="gpu", resources=half)
    assert (shared.cpus, shared.gpus) == (0.5, 0.25)
    assert lg.Training(resources=half).gpus == 0


@pytest.mark.parametrize("device", ["GPU", "", "tpu", "gpu:0", None])
def test_another_device_is_refused(device):
    with pytest.raises(ConfigError, match=r"is not a device[\s\S]*cpu or gpu"):
        lg.Training(device=device)


@pytest.mark.parametrize("name", ["cpus", "gpus", "memory"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "2", True])
def test_a_wrong_resource_is_refused(name, value):
    with pytest.raises(ConfigError, match=rf"Resources\({name}=...\) must be a number above 0"):
        lg.Resources(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("cpus", 1.5), ("gpus", 2.25), ("memory", 0.5)])
def test_a_part_of_a_further_core_is_refused(name, value):
    """Schedulers refuse it, too; up to 1 it is a share."""
    with pytest.raises(ConfigError, match=rf"Resources\({name}=...\) must be a whole number"):
        lg.Resources(**{name: value})
    assert lg.Resources(cpus=0.5, gpus=1.0, memory=2e9).memory == 2 * 10**9


def test_notes_name_another_device_than_the_cpu(declared):
    """With the driver of a GPU, once for all of its files, whatever a certificate contains."""
    gpu = {"device": {"kind": "gpu", "driver": ["NVIDIA L4, 550.90"]}}
    broken = ({"device": {"kind": "gpu", "driver": 5}}, {"device": "gpu"}, {})
    artifacts = [SimpleNamespace(certificate=it) for it in (gpu, gpu, *broken)]
    assert list(device_notes(declared(), artifacts)) == [
        "net: built on a GPU (NVIDIA L4, 550.90), so another build has other bytes",
        "net: built on a GPU (unknown driver), so another build has other bytes",
    ]
    [note] = device_notes(on_device(declared("device='gpu'"), "cpu"), [])
    assert note.startswith("net: built on the CPU, as --litegate-device asks")
