"""`litegate noise` with real training: a seed from outside makes what a declared one makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = '''
"""Handwritten digits, trained for one epoch."""
import litegate as lg

@lg.model(data=lg.datasets.digits(), training=lg.Training(epochs=1, seed={seed}),
          recipes=[lg.recipes.int8_ptq()], budget=lg.Budget())
def digits(keras):
    "One dense layer."
    return keras.Sequential([keras.layers.InputLayer(input_shape=(8, 8)),
                             keras.layers.Flatten(), keras.layers.Dense(10)])
'''


def measured(folder: Path, seed: int) -> tuple[str, dict[str, str]]:
    """Measure two seeds of a model that declares the first; what it printed, digests by key."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "digits.py").write_text(MODEL.format(seed=seed))
    env = {k: v for k, v in os.environ.items() if k not in ("LITEGATE_STORE", "LITEGATE_DATA")}
    argv = [sys.executable, "-c", "from litegate.cli import main; main()"]
    done = subprocess.run(
        [*argv, "noise", "digits", "--seeds", "2"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    manifests = (folder / ".litegate" / "store" / "builds").glob("*.json")
    files = {path.stem: json.loads(path.read_text("utf-8"))["files"] for path in manifests}
    return done.stdout, {key: listed["model.tflite"] for key, listed in files.items()}


@pytest.mark.slow
def test_a_seed_makes_the_same_bytes_however_it_is_set(tmp_path):
    """Seeds 7 and 8 of one declaration, 8 and 9 of another: that of 8 is the same artifact."""
    said, first = measured(tmp_path / "a", 7)
    _, second = measured(tmp_path / "b", 8)
    assert "seed 7: " in said
    assert "digits/int8_ptq: 2 seeds, 360 samples" in said
    (shared,) = set(first) & set(second)
    assert first[shared] == second[shared]
    assert len({*first.values(), *second.values()}) == 3
