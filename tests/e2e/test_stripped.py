"""A stripped recipe through the real tool chain: trained, converted, stripped, proved, gated."""

import json
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
MODEL = '''
"""Digits, as they are converted and stripped."""
import litegate as lg


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=2),
    recipes=[lg.recipes.int8_ptq(), lg.recipes.int8_ptq(name="small", strip=True)],
    budget=lg.Budget(accuracy_drop=lg.points(5), size_ratio=0.80),
)
def digits(keras):
    """One dense layer on 8x8 pixels."""
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
'''


def test_the_gate_judges_the_stripped_file(tmp_path, gate):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/digits.py").write_text(MODEL)
    shutil.copytree(PROJECT / "checks", tmp_path / "checks")
    done = gate(cwd=tmp_path, store=tmp_path / "store")
    assert done.returncode == 0, done.stdout
    rows = {row["recipe"]: row for row in json.loads(gate.report.read_text())["recipes"]}
    assert rows["small"]["bytes"] < 0.95 * rows["int8_ptq"]["bytes"]
    assert rows["small"]["accuracy"] == rows["int8_ptq"]["accuracy"]
    certificate = json.loads(gate.report.read_text())["artifacts"][rows["small"]["artifact"]]
    assert certificate["recipe"]["strip"] is True
