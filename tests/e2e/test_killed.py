"""Killed at any moment: the next run is correct."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ARGV = [
    sys.executable,
    "-m",
    "pytest",
    "checks/",
    "--litegate-model=digits_cnn",
    "-m=not latency",
    "-k=accuracy or size or tensors",
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_killed_build_leaves_a_store_that_the_next_run_can_use(seed, gate, tmp_path):
    """SIGKILL for the whole process at a random moment, then a run on the same store."""
    store = tmp_path / "store"
    env = os.environ | {"LITEGATE_STORE": str(store)}
    argv = [*ARGV, f"--litegate-report={tmp_path / 'killed'}"]
    with subprocess.Popen(argv, cwd=PROJECT, env=env, stdout=subprocess.PIPE) as process:
        time.sleep(random.Random(seed).uniform(0.3, 12))
        process.send_signal(signal.SIGKILL)
    done = gate("--litegate-model=digits_cnn", *ARGV[5:], store=store)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 model: " in done.stdout
    assert not list(store.glob("tmp/*"))
