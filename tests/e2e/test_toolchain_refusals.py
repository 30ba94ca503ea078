"""What the tool chain says of networks, trainings and machines that it cannot work with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toolchain_projects import Project

from litegate.build import process
from litegate.core.errors import BuildError, ConfigError, DataUnavailable

pytestmark = pytest.mark.slow


def test_prints_of_user_code_do_not_reach_the_protocol(networks: Project) -> None:
    """Whatever the builder writes to stdout ends in the log; its stdin is empty."""
    staging = networks.build("talks", "float32")
    assert "noise without an end" in (staging / process.LOG).read_text()


def test_loss_that_is_not_finite(networks: Project) -> None:
    """Epoch and step are named, and what may help."""
    error = networks.error("explodes")
    assert "cannot build explodes/float32 (train): the loss is" in error.what
    assert "epoch 1 of 3" in error.what
    assert "learning_rate" in error.remedy


@pytest.mark.skipif(bool(shutil.which("nvidia-smi")), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(networks: Project) -> None:
    """The error comes before the training; the same network is built on the CPU if asked."""
    events: list[process.Event] = []
    request = replace(networks.request("small", "float32"), device="gpu")
    with pytest.raises(BuildError, match=r"no GPU[\s\S]*--litegate-device cpu") as caught:
        process.build(request, events.append, 300)
    assert (caught.value.recipe, caught.value.shared) == ("float32", True)
    assert not [event for event in events if isinstance(event, process.Progress)]


@pytest.mark.parametrize("model", ["unsupported", "left_float"])
def test_layer_that_cannot_be_quantized(networks: Project, model: str) -> None:
    """It is named, never left float in silence; the float recipes are not concerned.

    It is refused before the training, which would take days in one of the models.
    """
    error = networks.error(model, "int8_qat")
    assert isinstance(error, BuildError)
    assert "(check layers): tfmot cannot quantize the layer odd_one" in error.what
    assert "annotate" in error.remedy
    assert (error.recipe, error.shared) == ("int8_qat", False)


@pytest.mark.parametrize(
    ("model", "recipe", "what", "remedy"),
    [
        ("loops", "int8_ptq", "a recurrent layer that becomes a loop: memory (GRU)", "unroll=True"),
        ("remembers", "int8_qat", "cannot quantize the layer memory", "another recipe"),
        ("remembers", "int16x8", "cannot quantize UNIDIRECTIONAL_SEQUENCE_LSTM", "int8_ptq"),
    ],
)
def test_a_recurrent_layer_that_cannot_be_quantized(
    networks: Project, model: str, recipe: str, what: str, remedy: str
) -> None:
    """It is named with the way out; TensorFlow crashes on a loop, and says little of int16x8."""
    error = networks.error(model, recipe)
    assert what in error.what
    assert remedy in error.remedy


def test_annotation_that_loses_the_weights(networks: Project) -> None:
    """A clone_function that makes new layers is refused."""
    error = networks.error("forgets", "int8_qat")
    assert "has other outputs than its float network" in error.what
    assert "clone_function" in error.remedy


def test_annotation_of_nothing(networks: Project) -> None:
    """It says what the function must do, and is no unforeseen exception."""
    error = networks.error("annotates_nothing", "int8_qat")
    assert "annotate annotates no layer" in error.what
    assert "quantize_annotate_layer" in error.remedy


def test_annotation_that_changes_the_weights_in_place(networks: Project) -> None:
    """Both networks answer alike then; what counts is the network that the reference has, too."""
    error = networks.error("trains_on", "int8_qat")
    assert "has other outputs than its float network" in error.what


@pytest.mark.parametrize(
    ("model", "what", "got"),
    [
        ("no_network", "the builder did not return a network", "NoneType"),
        ("other_shape", "does not accept the data set's samples", "(8, 8, 1)"),
        ("nine_scores", "has 9 scores, but its data set names 10 classes", ""),
        ("moody", "a different network in each call", "weights"),
        ("no_shape", "does not accept the data set's samples", "no declared input"),
    ],
)
def test_network_that_cannot_be_used(networks: Project, model: str, what: str, got: str) -> None:
    """What the builder gave is told, and what it should give."""
    error = networks.error(model)
    assert what in error.what
    assert got in error.got
    assert error.remedy


def test_exception_in_the_builder_gives_the_users_line(networks: Project) -> None:
    """The innermost line of the user's own file, the exception's type and text."""
    error = networks.error("raises")
    line = networks.line("# raised here")
    assert error.got == f"ValueError: no such layer here at {networks.file}:{line}"
    assert error.remedy.startswith("correct ")
    assert error.remedy.endswith(f"models.py:{line}")


def test_builder_that_exits(networks: Project) -> None:
    """`sys.exit` in a builder is an error like any other."""
    assert "SystemExit: 3" in networks.error("exits").got


def test_builder_out_of_memory(networks: Project) -> None:
    """A MemoryError says what to make smaller."""
    error = networks.error("out_of_memory")
    assert "out of memory" in error.what
    assert "batch_size" in error.remedy


def test_builder_that_is_killed(networks: Project) -> None:
    """SIGKILL from elsewhere: signal, stage and remedy are named."""
    error = networks.error("is_killed")
    assert "(train): the build process was killed by SIGKILL" in error.what
    assert "out of memory" in error.remedy


def test_builder_that_hangs(networks: Project) -> None:
    """An endless loop is found although the child could go on talking, and its line is named."""
    error = networks.error("hangs", timeout=20)
    assert "no progress for 20 s" in error.what
    assert error.got.rpartition(":")[0] == f"it was at {networks.file}"
    assert abs(int(error.got.rpartition(":")[2]) - networks.line("# hangs here")) <= 1


@pytest.mark.parametrize("model", ["misspelt_optimizer", "misspelt_loss"])
def test_misspelt_training(networks: Project, model: str) -> None:
    """The wrong name and the allowed ones are told."""
    error = networks.error(model)
    assert isinstance(error, ConfigError)
    assert "is not a Keras" in error.what
    assert "adam" in error.expected or "sparsecategoricalcrossentropy" in error.expected


@pytest.mark.parametrize(("model", "recipe"), [("smal", "float32"), ("small", "int8")])
def test_misspelt_model_or_recipe(networks: Project, model: str, recipe: str) -> None:
    """The known names are listed; TensorFlow is not imported for it."""
    error = networks.error(model, recipe)
    assert isinstance(error, ConfigError)
    assert "small" in error.expected or "int8_qat" in error.expected


def test_missing_data_is_told_before_tensorflow_is_imported(
    networks: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A poisoned TensorFlow is never touched where there is no data."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(_poison(tmp_path))
    error = networks.error("without_data")
    assert isinstance(error, DataUnavailable)
    assert error.what == "MNIST is not on this machine"


def _poison(folder: Path) -> Path:
    package = folder / "poison" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('poisoned')")
    return package.parent


@pytest.mark.parametrize("version", ["2.20.0", ""])
def test_other_versions_are_refused(
    networks: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    """A tool chain of another version, or none at all: expected, got and how to install it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "real = m.version\n"
        "def version(name):\n"
        "    if name.startswith('tensorflow') and 'model' not in name:\n"
        f"        if not {version!r}: raise m.PackageNotFoundError(name)\n"
        f"        return {version!r}\n"
        "    return real(name)\n"
        "m.version = version\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    error = networks.error("small")
    assert error.expected == "tensorflow 2.21.0"
    assert error.got == f"tensorflow {version or 'not installed'}"
    assert error.remedy == 'pip install "litegate[train]"'


def test_child_ends_with_a_killed_parent(networks: Project) -> None:
    """SIGKILL to the parent while the builder loops: the child sees the end of its stdin."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(networks.file), str(networks.folder / "orphan")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    while "train" not in parent.stdout.readline():
        pass
    orphan = _only_child(parent.pid)
    parent.kill()
    parent.communicate(timeout=20)
    assert _is_gone(orphan)


PARENT = """
import sys
from pathlib import Path
from litegate.build import process
from litegate.spec import DataLocations
file, staging = map(Path, sys.argv[1:])
request = process.Request(file=file, project=file.parent.parent, model="hangs",
                        recipes=("float32",), locations=DataLocations(), staging=staging)
process.build(request, lambda event: print(event.stage, flush=True), 600)
"""


def _only_child(pid: int) -> int:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(listed) == 1
    return int(listed[0])


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False
