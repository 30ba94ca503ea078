"""Builds on a Ray cluster of two nodes, both on this machine."""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from needs import quantizer
from projects import BareProject

from litegate.data.digests import array_digest
from litegate.spec import Kind
from litegate.testing import evaluation, tiny
from litegate.testing.network import samples

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, quantizer]
COUNT = 10
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
MODEL = """
import os
import signal
from pathlib import Path

import litegate as lg


def load(locations):
    import numpy as np

    NAME = "{name}"
    killed, parent = Path("{flag}"), Path("/proc") / str(os.getppid()) / "cmdline"
    if NAME == "net3" and b"ray::" in parent.read_bytes() and not killed.exists():
        killed.touch()
        os.kill(os.getppid(), signal.SIGKILL)
    with np.load(locations.project / "samples.npz") as arrays:
        return lg.Splits(**arrays)


def unchanged(x):
    return x


{name} = lg.prebuilt(
    reference=lg.File(path="net.tflite", sha256="{digest}"),
    recipes=[lg.recipes.static_wi8_ai8(calibration_samples=10), lg.recipes.dynamic_wi8_afp32()],
    data=lg.Data(
        name="tiny",
        load=load,
        digests={digests},
        preprocess=unchanged,
        domain=(0.0, 1.0),
        classes=("a", "b", "c", "d"),
    ),
    budget=lg.Budget(size=lg.kib(64)),
)
"""
ON_GPU = """
import litegate as lg


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(device="gpu"),
    recipes=[lg.recipes.int8_ptq()],
)
def on_gpu(keras):
    return keras.Sequential([keras.layers.Dense(10)])
"""
GATE = ("-k", "size_stays", "--litegate-runtime=xnnpack")
BUILT = re.compile(r"litegate: (net\d)(?:/\w+)?: \w+ on ")
COMMAND = "import sys; from litegate.cli import main; sys.argv[0] = 'litegate'; main()"


@contextmanager
def cluster():
    """Start two nodes of one core each; gives the address."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,  # the cluster ends when it is closed
        stdout=subprocess.PIPE,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        text=True,
    ) as process:
        yield process.stdout.readline().strip()


@pytest.fixture
def project(tmp_path):
    """Ten models whose candidates are quantized in a moment, and a repository."""
    folder = tmp_path / "project"
    folder.mkdir()
    project, split, tflite = BareProject(folder), evaluation(), tiny(Kind.FLOAT32)
    arrays = {"x_train": samples(20), "x_test": split.x, "y_test": split.y}
    np.savez(folder / "samples.npz", **arrays)
    (folder / "net.tflite").write_bytes(tflite)
    digests = {name: array_digest(array) for name, array in arrays.items()}
    digest, flag = hashlib.sha256(tflite).hexdigest(), tmp_path / "killed"
    for number in range(COUNT):
        name = f"net{number}"
        text = MODEL.format(name=name, flag=flag, digest=digest, digests=digests)
        (folder / "models" / f"{name}.py").write_text(text)
    (folder / ".gitignore").write_text(".litegate\n__pycache__\n")
    for command in ("init -q", "add -A"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return project


def files_of(report):
    """The SHA-256 of each judged candidate."""
    return {(row["model"], row["recipe"]): row["artifacts"] for row in report["verdicts"]}


def test_ten_models_are_built_as_locally(project, tmp_path):
    """On two nodes, although a worker is killed; two runs at once; a GPU that no node has."""
    local = project.gate(*GATE, LITEGATE_STORE=str(tmp_path / "local"))
    assert local.returncode == 0, local.stdout + local.stderr
    expected = files_of(project.report)
    assert len(expected) == 2 * COUNT
    with cluster() as address:
        elsewhere = {"LITEGATE_BUILDER": "ray", "RAY_ADDRESS": address, "LITEGATE_RAY_WAIT": "120"}
        elsewhere["LITEGATE_STORE"] = str(tmp_path / "shared")
        with ThreadPoolExecutor() as pool:
            reports = [f"--litegate-report={tmp_path / name}" for name in ("report", "second")]
            runs = list(pool.map(lambda it: project.gate(*GATE, it, **elsewhere), reports))
        for done in runs:
            assert done.returncode == 0, done.stdout + done.stderr
        again = project.gate(*GATE, LITEGATE_STORE=str(tmp_path / "shared"))
        assert again.returncode == 0
        assert files_of(project.report) == expected
        printed = runs[0].stdout + runs[1].stdout
        assert "net3 is built again on " in printed
        assert {*BUILT.findall(printed)} == {f"net{number}" for number in range(COUNT)}
        (project.path / "models" / "on_gpu.py").write_text(ON_GPU)
        subprocess.run(["git", "add", "-A"], cwd=project.path, check=True)
        elsewhere["LITEGATE_RAY_WAIT"] = "5"
        refused = project.python("-c", COMMAND, "build", "on_gpu", "float32", **elsewhere)
    assert refused.returncode == 1
    assert "no node of the Ray cluster can build on_gpu" in refused.stderr
    assert "--litegate-device cpu" in refused.stderr
