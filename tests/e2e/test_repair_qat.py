"""`litegate repair` of a recipe that trains: QAT judges what quantization after training chose."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from needs import quantizer

pytestmark = [quantizer, pytest.mark.slow]
COMMAND = "import sys; from litegate.cli import main; sys.argv[0] = 'litegate'; main()"
CHECKS = Path(__file__).resolve().parents[2] / "checks"
MODEL = '''
"""Digits; one channel of a depthwise layer is 100,000 times as large, and then as small again."""
import litegate as lg


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=12, batch_size=32, seed=7),
    recipes=[lg.recipes.int8_qat(fine_tune_epochs=1)],
    budget=lg.Budget(accuracy_drop=lg.points(6), size=lg.kib(40)),
)
def planted(keras):
    import numpy as np

    layers = keras.layers
    network = keras.Sequential(
        [
            layers.InputLayer(input_shape=(8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="stem"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.DepthwiseConv2D(1, use_bias=False, trainable=False, name="rescale"),
            layers.Conv2D(12, 3, activation="relu", name="features"),
            layers.Flatten(name="flat"),
            layers.Dense(10, name="logits"),
        ]
    )
    kernel, bias = network.get_layer("depthwise").get_weights()
    kernel[:, :, 0] *= 100_000
    network.get_layer("depthwise").set_weights([kernel, bias])
    scale = np.ones((1, 1, 8, 1), np.float32)
    scale[:, :, 0] /= 100_000
    network.get_layer("rescale").set_weights([scale])
    return network
'''


def test_qat_is_judged_first_and_confirms_the_smallest_sets(tmp_path, monkeypatch):
    """Red, repaired with real training, declared, green; a set that LiteRT refuses ends nothing."""
    monkeypatch.delenv("CI", raising=False)
    shutil.copytree(CHECKS, tmp_path / "checks")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "planted.py").write_text(MODEL)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")

    def run(*command):
        argv = [sys.executable, *command]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    gate = ("-m", "pytest", "checks", "-m", "not latency", "-k", "accuracy or size_stays")
    status, output = run(*gate)
    assert status == 1, output
    assert "FAIL  planted/int8_qat  accuracy drop" in output
    assert "Change:    litegate repair planted int8_qat, or " in output
    status, output = run("-c", COMMAND, "repair", "planted", "int8_qat", "--write")
    assert status == 0, output
    assert "to order the sets, 1 of at most " in output, "quantization after training"
    assert "\n1 of at most 4: no layer, a limit missed" in output, "QAT, of the recipe first"
    assert "proven on the samples that judge" in output
    [layers] = re.findall(r"\+ .*float_layers=\(([^)]*)\)", output)
    assert "depthwise" in layers
    assert len(layers.split(",")) <= 3, "at most the two planted ones"
    status, output = run(*gate)
    assert status == 0, output
