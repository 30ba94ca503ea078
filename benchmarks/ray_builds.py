"""Claim: two Ray workers build ten models in at most 0.9 times the time of one after the other.

Trains, quantizes and converts ten small networks on scikit-learn's digits from an empty store: with
`--litegate-builder ray` on a cluster of two nodes with a core each, both on this machine, and in
turn with the local builder. The cluster runs before the clock starts, as a team's does. More cores
than two help the local builder alone.

    python benchmarks/ray_builds.py [MODELS]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare

CHECKS = Path(__file__).resolve().parent.parent / "checks"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
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
MODEL = '''
"""A small network on digits of 8x8, number {number}."""
import litegate as lg


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=20, batch_size=32, seed={number}),
    recipes=[lg.recipes.int8_ptq()],
    budget=lg.Budget(size=lg.kib(64)),
)
def net_{number}(keras):
    """One convolution and two dense layers."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
'''


def main() -> None:
    """Compare the two builders, each from an empty store."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with TemporaryDirectory() as name, _cluster() as address:
        project, store = Path(name) / "project", Path(name) / "store"
        _write(project, count)
        env = {**os.environ, "LITEGATE_STORE": str(store)}
        argv = [sys.executable, "-m", "pytest", "-q", "checks/"]

        def forget() -> None:
            shutil.rmtree(store, ignore_errors=True)

        on_ray = env | {"LITEGATE_BUILDER": "ray", "RAY_ADDRESS": address}
        ours = Command(f"{count} models on two Ray workers", argv, on_ray, str(project), forget)
        theirs = Command("one after the other", argv, env, str(project), forget)
        compare(ours, theirs, rounds=ROUNDS)


@contextmanager
def _cluster() -> Iterator[str]:
    """Start two nodes of one core each; gives the address."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,  # the cluster ends when it is closed
        stdout=subprocess.PIPE,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        text=True,
    ) as process:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]
        process.communicate()


def _write(project: Path, count: int) -> None:
    """Write a repository with these models and the check of size."""
    (project / "models").mkdir(parents=True)
    (project / "checks").mkdir()
    shutil.copy(CHECKS / "test_size.py", project / "checks")
    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (project / ".gitignore").write_text(".litegate/\n__pycache__/\n")
    for number in range(count):
        (project / "models" / f"net_{number}.py").write_text(MODEL.format(number=number))
    for command in ("init -q", "add -A"):
        subprocess.run(["git", *command.split()], cwd=project, check=True)


if __name__ == "__main__":
    main()
